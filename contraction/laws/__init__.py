"""Laws of iterates (Theorem 2.6): exact laws, closed forms, calibrated and exact tests, distances to the limit."""

from contraction.laws.affine_moments import AffineMoments, affine_moments
from contraction.laws.enumerate import (
    compare_orders,
    exact_law,
    exact_laws,
    exchangeable_pair,
    is_stationary,
    pair_law,
    push_forward,
    reversible,
    word_law,
)
from contraction.laws.exact import ExactLaw, LawComparison, compare_laws
from contraction.laws.merged import merged_law
from contraction.laws.paired import PairedResult, sign_flip_test
from contraction.laws.random_affine import RandomAffineMoments

__all__ = [
    "AffineMoments",
    "ExactLaw",
    "LawComparison",
    "PairedResult",
    "RandomAffineMoments",
    "affine_moments",
    "compare_laws",
    "compare_orders",
    "exact_law",
    "exact_laws",
    "exchangeable_pair",
    "is_stationary",
    "merged_law",
    "pair_law",
    "push_forward",
    "reversible",
    "sign_flip_test",
    "word_law",
]
