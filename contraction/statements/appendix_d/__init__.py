"""Appendix D of the paper: averages over orders, and the regulariser."""
