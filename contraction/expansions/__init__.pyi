"""What `contraction.expansions` exports and where it is defined; `contraction.lazy` reads this file."""

from contraction.expansions.coefficients import (
    difference_coefficients as difference_coefficients,
    minus_lie_bracket as minus_lie_bracket,
    minus_lie_bracket_sum as minus_lie_bracket_sum,
    tree_sums as tree_sums,
    word_coefficients as word_coefficients,
)
from contraction.expansions.composition import (
    compose as compose,
    evaluate_series as evaluate_series,
    iterate_series as iterate_series,
    prefix_series as prefix_series,
    word_series as word_series,
)
from contraction.expansions.exact import (
    polynomial_field as polynomial_field,
    rational_vector as rational_vector,
    symbolic_field as symbolic_field,
)
from contraction.expansions.fields import (
    MissingDerivative as MissingDerivative,
    VectorField as VectorField,
    descent_field as descent_field,
    numpy_field as numpy_field,
)
from contraction.expansions.formal import (
    LabelledTree as LabelledTree,
    average_coefficient as average_coefficient,
    average_coefficient_by_enumeration as average_coefficient_by_enumeration,
    evaluate_formal as evaluate_formal,
    formal_coefficient as formal_coefficient,
    formal_difference as formal_difference,
    labelled_symmetry as labelled_symmetry,
    tree_text as tree_text,
)
from contraction.expansions.models import (
    quadratic_field as quadratic_field,
    tanh_network_dimension as tanh_network_dimension,
    tanh_network_field as tanh_network_field,
)
from contraction.expansions.reach import (
    CorrectionReach as CorrectionReach,
    correction_reach as correction_reach,
    plot_correction_reach as plot_correction_reach,
    quadratic_correction as quadratic_correction,
    quadratic_correction_sd as quadratic_correction_sd,
)
from contraction.expansions.regularisers import (
    alignment as alignment,
    alignment_gradient as alignment_gradient,
    fixed_order_curl as fixed_order_curl,
    fixed_order_term as fixed_order_term,
    large_batch_step as large_batch_step,
    mean_over_orders as mean_over_orders,
    regularisation_strength as regularisation_strength,
    regularised_step as regularised_step,
    small_batch_modified_loss as small_batch_modified_loss,
    small_batch_steps as small_batch_steps,
)
from contraction.expansions.remainders import (
    difference_remainder_bound as difference_remainder_bound,
    majorant_coefficient as majorant_coefficient,
    observed_orders as observed_orders,
    remainder_bound as remainder_bound,
)
from contraction.expansions.series import Series as Series
from contraction.expansions.streaming import (
    ApproximateBackward as ApproximateBackward,
    CorrectionCost as CorrectionCost,
    approximate_backward_iterate as approximate_backward_iterate,
    correction_cost as correction_cost,
)
from contraction.expansions.trees import (
    RootedTree as RootedTree,
    density as density,
    increasing_maps as increasing_maps,
    order_of as order_of,
    rooted_trees as rooted_trees,
    symmetry as symmetry,
)
