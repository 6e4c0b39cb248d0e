"""Sections 4 and 5 of the paper, with Appendices A and B: what the experiments and the conclusion say."""
