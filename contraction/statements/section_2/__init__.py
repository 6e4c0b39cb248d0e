"""Section 2 of the paper: random contractions, Theorem 2.2 and its hypotheses, Theorem 2.6 and its scope."""
