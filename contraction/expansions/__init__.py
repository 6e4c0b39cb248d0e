"""Expansions of compositions T_{i_1} … T_{i_n}, T_i = 1 + hV_i, in powers of h (Appendices C and D), to any order.

Symbolic and exact: `formal_coefficient`, `word_coefficients` with `polynomial_field` or `symbolic_field`.
Numeric, on callables: `word_series` with `VectorField`, `numpy_field`, `descent_field`.
Differences of orders: `difference_coefficients`, `ApproximateBackward`. Small batches: `alignment_gradient`,
`regularised_step`. What is left out: `remainder_bound`, `correction_reach`. Names are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_WHERE = {
    "trees": ("RootedTree", "density", "increasing_maps", "order_of", "rooted_trees", "symmetry"),
    "series": ("Series",),
    "fields": ("MissingDerivative", "VectorField", "descent_field", "numpy_field"),
    "exact": ("polynomial_field", "rational_vector", "symbolic_field"),
    "models": ("quadratic_field", "tanh_network_dimension", "tanh_network_field"),
    "coefficients": (
        "difference_coefficients",
        "minus_lie_bracket",
        "minus_lie_bracket_sum",
        "tree_sums",
        "word_coefficients",
    ),
    "formal": (
        "LabelledTree",
        "average_coefficient",
        "average_coefficient_by_enumeration",
        "evaluate_formal",
        "formal_coefficient",
        "formal_difference",
        "labelled_symmetry",
        "tree_text",
    ),
    "composition": ("compose", "evaluate_series", "prefix_series", "word_series"),
    "streaming": ("ApproximateBackward", "CorrectionCost", "approximate_backward_iterate", "correction_cost"),
    "remainders": ("difference_remainder_bound", "majorant_coefficient", "observed_orders", "remainder_bound"),
    "reach": (
        "CorrectionReach",
        "correction_reach",
        "plot_correction_reach",
        "quadratic_correction",
        "quadratic_correction_sd",
    ),
    "regularisers": (
        "alignment",
        "alignment_gradient",
        "fixed_order_curl",
        "fixed_order_term",
        "large_batch_step",
        "mean_over_orders",
        "regularisation_strength",
        "regularised_step",
        "small_batch_modified_loss",
        "small_batch_steps",
    ),
}
_HOME = {name: module for module, names in _WHERE.items() for name in names}
__all__ = sorted(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if TYPE_CHECKING:
    from contraction.expansions.coefficients import *  # noqa: F403
    from contraction.expansions.composition import *  # noqa: F403
    from contraction.expansions.exact import *  # noqa: F403
    from contraction.expansions.fields import *  # noqa: F403
    from contraction.expansions.formal import *  # noqa: F403
    from contraction.expansions.models import *  # noqa: F403
    from contraction.expansions.reach import *  # noqa: F403
    from contraction.expansions.regularisers import *  # noqa: F403
    from contraction.expansions.remainders import *  # noqa: F403
    from contraction.expansions.series import *  # noqa: F403
    from contraction.expansions.streaming import *  # noqa: F403
    from contraction.expansions.trees import *  # noqa: F403
