"""Laws of iterates (Theorem 2.6): exact laws, closed forms, calibrated and exact tests, distances to the limit."""

from contraction.laws.affine_moments import AffineMoments, affine_moments, gelbrich_distance
from contraction.laws.bernoulli import bernoulli_law, cantor_cdf, golden_law, golden_value
from contraction.laws.brackets import (
    Bracket,
    coupling_bound,
    exact_bracket,
    lipschitz_lower_bound,
    moment_bracket,
    rate_bracket,
)
from contraction.laws.calibrated import (
    CalibratedResult,
    Rates,
    SuiteRates,
    one_sample_test,
    pvalue_guard,
    sample_size,
    two_sample_size,
    two_sample_test,
)
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
from contraction.laws.means import mean_sample_size, mean_test
from contraction.laws.merged import merged_law
from contraction.laws.modulated import ModulatedMoments, modulated_moments
from contraction.laws.paired import PairedResult, sign_flip_test
from contraction.laws.quantiles import wasserstein, wasserstein_to_uniform
from contraction.laws.random_affine import RandomAffineMoments

__all__ = [
    "AffineMoments",
    "Bracket",
    "CalibratedResult",
    "ExactLaw",
    "LawComparison",
    "ModulatedMoments",
    "PairedResult",
    "RandomAffineMoments",
    "Rates",
    "SuiteRates",
    "affine_moments",
    "bernoulli_law",
    "cantor_cdf",
    "compare_laws",
    "compare_orders",
    "coupling_bound",
    "exact_bracket",
    "exact_law",
    "exact_laws",
    "exchangeable_pair",
    "gelbrich_distance",
    "golden_law",
    "golden_value",
    "is_stationary",
    "lipschitz_lower_bound",
    "mean_sample_size",
    "mean_test",
    "merged_law",
    "modulated_moments",
    "moment_bracket",
    "one_sample_test",
    "pair_law",
    "push_forward",
    "pvalue_guard",
    "rate_bracket",
    "reversible",
    "sample_size",
    "sign_flip_test",
    "two_sample_size",
    "two_sample_test",
    "wasserstein",
    "wasserstein_to_uniform",
    "word_law",
]
