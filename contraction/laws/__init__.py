"""Laws of iterates (Theorem 2.6): exact laws, closed forms, calibrated and exact tests, distances to the limit."""

from contraction.laws.paired import PairedResult, sign_flip_test

__all__ = ["PairedResult", "sign_flip_test"]
