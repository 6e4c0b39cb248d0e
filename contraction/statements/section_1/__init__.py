"""Section 1 of the paper: the two orders of SGD, and coupling from the past."""
