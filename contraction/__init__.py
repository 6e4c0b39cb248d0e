"""Random contractions, their forward and backward iterates, certificates and laws.

The theory of "Training in reverse" (arXiv, 4 February 2025) as a toolkit. Names are loaded when first used, so that
``import contraction`` and `contraction.orders` cost nothing.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_WHERE = {
    "contraction.errors": ("DeclarationRefuted", "NotCertified", "NotDeterministic"),
    "contraction.spaces": (
        "Euclidean", "GridFunctions", "L1Simplex", "Metric", "SupNorm", "WeightedEuclidean", "Words",
    ),
    "contraction.operators": ("AffineMaps", "Operators", "RandomOperator"),
    "contraction.constants": ("Constant",),
    "contraction.orders": ("Backward", "CustomOrder", "Forward", "Late", "Reset", "Windowed"),
    "contraction.iterates": (
        "backward_iterates", "forward_iterates", "iterates", "paired_iterates", "plain_iterates",
    ),
    "contraction.certificates": ("certify", "estimate"),
    "contraction.error_bounds": ("Certificate", "ErrorBound", "Estimate"),
    "contraction.limits": ("BackwardLimit", "NotSettled", "apply_backward", "backward_limit", "coupling_distance"),
    "contraction.average": ("AverageContraction", "average_contraction", "leaf_basis"),
    "contraction.nested": ("NestedBoxes", "nested_boxes"),
    "contraction.norms": ("common_norm", "lyapunov_norm"),
    "contraction.sampling": (
        "StationarySample", "UnbiasedExpectation", "sample_stationary", "unbiased_expectation",
    ),
    "contraction.exact_sampling": ("ExactSample", "coupling_from_the_past"),
    "contraction.declarations": ("search_violation",),
}  # fmt: skip
_SUBMODULES = ("bounds", "expansions", "families", "laws", "orders", "plots", "spaces", "statements", "strategies")
_HOME = {name: module for module, names in _WHERE.items() for name in names}
__all__ = ["__version__", *sorted(_HOME), *_SUBMODULES]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    elif name in _SUBMODULES:
        value = importlib.import_module(f"contraction.{name}")
    else:
        raise AttributeError(f"module 'contraction' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """Keeps public functions from being hidden by their submodules: ``iterates`` is the function, once both load."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


if TYPE_CHECKING:
    from contraction.average import AverageContraction, average_contraction, leaf_basis
    from contraction.certificates import certify, estimate
    from contraction.constants import Constant
    from contraction.declarations import search_violation
    from contraction.error_bounds import Certificate, ErrorBound, Estimate
    from contraction.errors import DeclarationRefuted, NotCertified, NotDeterministic
    from contraction.exact_sampling import ExactSample, coupling_from_the_past
    from contraction.iterates import (
        backward_iterates,
        forward_iterates,
        iterates,
        paired_iterates,
        plain_iterates,
    )
    from contraction.limits import BackwardLimit, NotSettled, apply_backward, backward_limit, coupling_distance
    from contraction.nested import NestedBoxes, nested_boxes
    from contraction.norms import common_norm, lyapunov_norm
    from contraction.operators import AffineMaps, Operators, RandomOperator
    from contraction.orders import Backward, CustomOrder, Forward, Late, Reset, Windowed
    from contraction.sampling import StationarySample, UnbiasedExpectation, sample_stationary, unbiased_expectation
    from contraction.spaces import Euclidean, GridFunctions, L1Simplex, Metric, SupNorm, WeightedEuclidean, Words
