"""Which theorems of ``proofs/coq`` prove which rows of the audit, and which parts they do not prove.

This table is the one source of the links: the index of proofs, the audit and ``verify --json`` read it. A theorem is
linked where it proves the row, or a part of it; what a part leaves is said in one sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["PROOFS", "Proof"]


@dataclass(frozen=True)
class Proof:
    """The machine-checked theorems that one row of the audit has.

    Attributes
    ----------
    theorems : tuple of str
        Each as "file:name", the file below ``proofs/coq``.
    leaves : str
        What they do not prove of the row and of its statement's claim, in one sentence; "" where they prove all of it.
    """

    theorems: tuple[str, ...]
    leaves: str = ""

    def __post_init__(self) -> None:
        if not self.theorems:
            raise ValueError("a proof names at least one theorem")
        if self.leaves and not self.leaves.endswith("."):
            raise ValueError(f"what a proof leaves is one sentence, got {self.leaves!r}")

    @property
    def covers(self) -> Literal["whole", "part"]:
        """Whether the theorems together prove the whole row or a part of it."""
        return "part" if self.leaves else "whole"


def _in(file: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{file}:{name}" for name in names)


#: By row; by the statement's name where several statements share a row, or where one has no row.
PROOFS: dict[int | str, Proof] = {
    3: Proof(_in("backward_contraction.v", "banach_fixed_point")),
    4: Proof(_in("metric_spaces.v", "convergent_is_cauchy") + _in("backward_contraction.v", "backward_cauchy_bound")),
    7: Proof(
        _in("sharp_gradient_step.v", "sharp_factor_for_symmetric_operators")
        + _in("diagonal_quadratics.v", "diagonal_quadratic_factor")
        + _in("linearized_sgd.v", "norm_by_eigenvalues")
    ),
    8: Proof(
        _in("sharp_gradient_step.v", "sharp_factor_for_symmetric_operators")
        + _in("diagonal_quadratics.v", "diagonal_quadratic_factor", "positive_definite_and_positive_step_needed")
        + _in("linearized_sgd.v", "linearized_step_contracts_iff", "contracts_iff_eigenvalues")
    ),
    9: Proof(
        _in("metric_spaces.v", "limit_unique", "real_line_complete")
        + _in("inner_product_spaces.v", "euclidean_complete")
        + _in(
            "backward_contraction.v",
            "backward_contraction",
            "backward_contraction_as_printed",
            "two_starts",
            "limit_identity",
        )
    ),
    10: Proof(
        _in("backward_contraction.v", "displacement_other_start")
        + _in("sharp_constant.v", "displacement_other_start_attained")
    ),
    11: Proof(_in("backward_contraction.v", "two_starts")),
    12: Proof(_in("backward_contraction.v", "backward_cauchy_bound")),
    13: Proof(
        _in("backward_contraction.v", "backward_cauchy_bound")
        + _in("geometric_sum_slip.v", "printed_sum_is_a_bound", "printed_sum_is_loose")
    ),
    14: Proof(
        _in("backward_contraction.v", "backward_cauchy_bound")
        + _in("geometric_sum_slip.v", "printed_bound_zero", "printed_bound_negative", "printed_bound_refuted")
    ),
    15: Proof(_in("backward_contraction.v", "backward_contraction")),
    16: Proof(
        _in("backward_contraction.v", "backward_contraction") + _in("sharp_constant.v", "constant_attained_other_start")
    ),
    17: Proof(
        _in(
            "sharp_constant.v",
            "constant_attained",
            "constant_never_attained_if_strict",
            "constant_is_best_if_strict",
        )
    ),
    18: Proof(_in("backward_contraction.v", "backward_contraction_as_printed")),
    19: Proof(_in("necessity.v", "common_factor_needed", "factor_below_one_needed")),
    20: Proof(
        _in(
            "necessity.v",
            "summable_displacements_suffice",
            "vanishing_product_gives_one_limit",
            "summability_exact_for_positive_affine_maps",
            "bounded_displacement_needed",
            "bounded_displacement_not_necessary",
        )
    ),
    21: Proof(_in("necessity.v", "completeness_needed") + _in("rational_digits.v", "completeness_needed_on_rationals")),
    22: Proof(_in("necessity.v", "common_factor_needed", "bounded_displacement_needed")),
    25: Proof(
        _in(
            "common_fixed_point.v",
            "displacement_zero_at_common_fixed_point",
            "forward_rate_to_common_fixed_point",
            "backward_rate_to_common_fixed_point",
            "both_orders_converge_to_common_fixed_point",
            "forward_limit_is_fixed_point",
        )
    ),
    26: Proof(
        _in("backward_contraction.v", "at_most_one_fixed_point")
        + _in("linearized_sgd.v", "singular_hessian_never_contracts"),
        "That a batch loss has a Hessian of rank below d, and the factor κ of an epoch along the row space, are left "
        "to the tests.",
    ),
    27: Proof(
        _in(
            "constant_maps.v",
            "backward_constant",
            "forward_last_drawn",
            "backward_of_constant_maps_converges",
            "forward_converges_iff_eventually_one_map",
            "forward_diverges_if_both_recur",
            "equal_constants_converge",
        )
        + _in("law_counterexamples.v", "constant_maps_forward_law"),
        "The theorems say for which draws the forward iterates converge; that these draws have probability 0 is not "
        "proved, because no probability on infinite sequences is set up for them.",
    ),
    29: Proof(
        _in(
            "strongly_convex_step.v",
            "strongly_convex_step",
            "printed_factor_contracts_iff",
            "printed_factor_attained",
        )
        + _in(
            "sharp_gradient_step.v",
            "sharp_factor_for_gradients",
            "sharp_factor_for_symmetric_operators",
            "sharp_factor_contracts_iff",
            "best_step_size",
        )
        + _in("diagonal_quadratics.v", "diagonal_quadratic_factor", "sharp_factor_attained")
        + _in("sharp_gradient_step.v", "backward_sgd_converges")
    ),
    30: Proof(_in("strongly_convex_step.v", "printed_factor_contracts_iff", "unit_interval_is_irrelevant")),
    31: Proof(_in("strongly_convex_step.v", "strongly_convex_step", "nonnegative_step_needed")),
    32: Proof(
        _in("backward_contraction.v", "backward_contraction_on_ball")
        + _in("sharp_constant.v", "ball_must_be_invariant")
        + _in("sharp_gradient_step.v", "backward_sgd_converges")
    ),
    33: Proof(
        _in("law_counterexamples.v", "constant_maps_forward_law") + _in("coupled_runs.v", "law_of_forward_iterates"),
        "The theorem has finitely many maps; that E[(T_n…T_1)_* δ] is δPⁿ for general random operators is left to the "
        "tests.",
    ),
    34: Proof(
        _in("coupled_runs.v", "forward_chain_markov"),
        "The theorem has finitely many maps; the Markov property of general random operators is left to the tests.",
    ),
    35: Proof(
        _in("quadratic_sgd.v", "quadratic_forward_needs_settling_noise", "quadratic_forward_converges_iff"),
        "The theorems say when one forward path of Section 3.1 converges; the limits of the empirical measures are "
        "left to the tests.",
    ),
    36: Proof(
        _in("equality_of_laws.v", "equal_laws_if_reversible", "equal_laws_iid", "law_converges_geometrically")
        + _in("mathcomp/general_equality_of_laws.v", "equal_laws", "equal_expectations", "forward_converges_in_law")
    ),
    37: Proof(
        _in("equality_of_laws.v", "limit_law_is_stationary")
        + _in("law_counterexamples.v", "stationarity_needs_continuity", "no_invariant_law")
        + _in("mathcomp/stationary_limit.v", "limit_is_stationary"),
        "The theorem asks that every map is continuous; that almost every one is enough is left to the tests.",
    ),
    38: Proof(
        _in("law_counterexamples.v", "printed_factorisation_refuted")
        + _in("equality_of_laws.v", "equal_laws_if_reversible")
        + _in("mathcomp/general_equality_of_laws.v", "equal_laws")
    ),
    39: Proof(
        _in("equality_of_laws.v", "equal_laws_if_reversible", "equal_laws_exchangeable", "equal_laws_reversible_markov")
        + _in("law_counterexamples.v", "reshuffling_breaks_equality", "cyclic_order_breaks_equality")
        + _in(
            "reshuffling.v",
            "shuffles_reversible_iff",
            "equal_laws_iff_reversible",
            "shuffles_equal_laws_iff",
            "one_shuffle_equal_laws",
            "cycle_of_three_not_reversible",
        )
    ),
    40: Proof(_in("law_counterexamples.v", "reshuffling_breaks_equality") + _in("reshuffling.v", "shuffles_variances")),
    41: Proof(
        _in(
            "law_counterexamples.v",
            "shift_law_uniform",
            "shift_backward_moves",
            "flip_law_uniform",
            "flip_backward_settles_iff",
        )
    ),
    44: Proof(
        _in(
            "quadratic_sgd.v",
            "quadratic_forward",
            "quadratic_step_factor",
            "quadratic_forward_needs_settling_noise",
            "quadratic_forward_converges_iff",
        )
    ),
    45: Proof(
        _in(
            "quadratic_sgd.v",
            "quadratic_step_factor",
            "quadratic_step_contracts_iff",
            "step_outside_range_expands",
        )
    ),
    46: Proof(_in("quadratic_sgd.v", "quadratic_backward", "printed_label_refuted")),
    47: Proof(
        _in("quadratic_sgd.v", "quadratic_backward_converges"),
        "The theorem has bounded noise; that E log⁺|ε| < ∞ is sufficient and necessary is left to the tests.",
    ),
    48: Proof(_in("expandable_fields.v", "lipschitz_derivative_expandable")),
    49: Proof(_in("linearized_sgd.v", "linearized_step_affine", "printed_sign_refuted")),
    50: Proof(
        _in("diagonal_quadratics.v", "positive_definite_and_positive_step_needed")
        + _in(
            "linearized_sgd.v",
            "linearized_step_contracts_iff",
            "norm_by_eigenvalues",
            "contracts_iff_eigenvalues",
            "linearized_backward_converges",
            "linearized_backward_converges_in_Rd",
        )
    ),
    51: Proof(
        _in("linearized_sgd.v", "linearized_backward_converges", "linearized_backward_converges_in_Rd"),
        "The theorems are the other half: with bounded noise the rate k^n holds; the Gaussian law and the rates under "
        "unbounded noise are left to the tests.",
    ),
    52: Proof(_in("linearized_sgd.v", "linearized_forward", "linearized_backward")),
    56: Proof(
        _in("composition_expansion.v", "composition_expansion", "forward_expansion")
        + _in(
            "expandable_fields.v",
            "lipschitz_derivative_expandable",
            "twice_differentiable_expandable",
            "composition_expansion_on_line",
            "composition_expansion_in_Rd",
            "continuous_derivative_not_enough",
        ),
        "The theorems have the terms up to h² with an explicit remainder; the sum over trees at order p is left to "
        "the tests.",
    ),
    57: Proof(
        _in("composition_expansion.v", "backward_minus_forward")
        + _in("expandable_fields.v", "composition_expansion_on_line", "composition_expansion_in_Rd")
    ),
    58: Proof(
        _in("composition_expansion.v", "backward_minus_forward")
        + _in("correction_recursion.v", "approximate_backward_iterate", "quadratic_correction")
        + _in("covariances.v", "correction_variance", "correction_variance_unbounded")
    ),
    59: Proof(_in("correction_recursion.v", "correction_recursion")),
    60: Proof(_in("correction_recursion.v", "correction_recursion")),
    61: Proof(
        _in("correction_recursion.v", "correction_two_passes"),
        "The theorem is the identity behind the two passes; every count of evaluations is left to the tests.",
    ),
    62: Proof(_in("composition_expansion.v", "forward_expansion", "small_batches_expansion")),
    71: Proof(
        _in("backward_contraction.v", "orders_that_agree_outside")
        + _in("other_orders.v", "agreeing_orders_converge", "backward_is_the_only_consistent_order")
    ),
    75: Proof(
        _in("coupled_runs.v", "iterates_with_their_letters"),
        "The theorem has finitely many maps; that losses on the newest batch differ is left to the tests.",
    ),
    76: Proof(
        _in("common_fixed_point.v", "forward_limit_is_fixed_point"),
        "The theorem says that the limit of a forward path is fixed by every map that recurs; the limit of the squared "
        "increments E d(TX, X)² is left to the tests.",
    ),
    77: Proof(
        _in(
            "mathcomp/coupled_runs.v",
            "backward_pair_law",
            "backward_pair_law_whole_word",
            "increment_law",
            "iid_reversible",
            "exchangeable_reversible",
            "backward_pair_with_positions",
        )
        + _in(
            "coupled_runs.v",
            "expectation_reversed_up_to",
            "exchangeable_reversible_up_to",
            "backward_pair_as_forward_runs",
            "backward_pair_with_positions",
            "shuffles_reversible_up_to_iff",
            "next_map_is_not_an_independent_copy",
        )
    ),
    78: Proof(
        _in(
            "mathcomp/synchronisation.v",
            "cauchy_of_shrinking_images",
            "backward_converges_iff_synchronises",
            "convergence_forgets_a_near_start",
            "almost_surely_cauchy_of_increments",
            "almost_sure_limit_of_increments",
            "almost_surely_cauchy_of_diameters",
        )
        + _in(
            "synchronisation_counterexamples.v",
            "identity_converges_and_forgets_nothing",
            "forgetting_at_a_rate",
            "convergence_needs_small_noise",
            "forgetting_is_not_enough",
            "countdown_backward",
            "countdown_probabilities",
        ),
        "In probability the theorem stops at Cauchy sequences; the limit that they have in a complete separable "
        "space, rank-deficient least squares, and the second Borel–Cantelli lemma in the counterexamples are left to "
        "the tests.",
    ),
    80: Proof(
        _in("coupled_runs.v", "two_settings_ranked_alike"),
        "The theorem has finitely many maps; general random operators are left to the tests.",
    ),
    81: Proof(
        _in(
            "palindromes.v",
            "palindrome_second_order",
            "palindrome_expansion",
            "palindromes_of_two_orders",
            "palindromes_differ_at_third_order",
        )
    ),
    82: Proof(
        _in(
            "mathcomp/mean_square_contraction.v",
            "mean_square_increments",
            "mean_square_tails",
            "mean_square_limit",
            "increments_almost_surely_geometric",
            "mean_square_almost_sure_limit",
        )
        + _in(
            "convex_losses_in_mean_square.v",
            "gradient_cocoercive",
            "convex_losses_mean_square",
            "mean_square_factor_below_1",
            "exchangeable_mean_square_is_not_enough",
        ),
        "The best factor r(E A⊗A) of affine maps is left to the tests.",
    ),
    84: Proof(
        _in("covariances.v", "backward_covariance", "forward_covariance", "backward_covariance_is_larger"),
        "The theorems compare the covariances; Slepian's inequality and everything about passage times are left to "
        "the tests.",
    ),
    86: Proof(_in("backward_contraction.v", "influence_of_one_map")),
    87: Proof(
        _in("stopping_rules.v", "no_rule_can_always_tell"),
        "The theorem is the example that no rule can tell; the error rates of a stated estimate are left to the tests.",
    ),
    "paths_against_laws": Proof(
        _in("mathcomp/coupled_runs.v", "iterates_exchangeable") + _in("coupled_runs.v", "iterates_exchangeable")
    ),
    "expansion_remainder": Proof(
        _in("composition_expansion.v", "composition_expansion"),
        "The theorem is the case p = 2; higher orders are left to the tests.",
    ),
}
