"""Appendix C of the paper: Lemma C.1 and what follows from it."""
