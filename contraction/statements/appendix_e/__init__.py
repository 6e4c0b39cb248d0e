"""Appendix E of the paper: modes of convergence, and the proof of Theorem 2.6."""
