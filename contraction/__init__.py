"""Random contractions, their forward and backward iterates, certificates and laws.

The theory of "Training in reverse" (arXiv, 4 February 2025) as a toolkit. Names are loaded when first used, so that
``import contraction`` and `contraction.maps.orders` cost nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_WHERE = {
    "contraction.maps.errors": ("DeclarationRefuted", "MapRefused", "NotCertified", "NotDeterministic"),
    "contraction.maps.spaces": (
        "Euclidean",
        "GridFunctions",
        "L1Simplex",
        "Metric",
        "SupNorm",
        "WeightedEuclidean",
        "Words",
    ),
    "contraction.maps.operators": ("AffineMaps", "Operators", "RandomOperator"),
    "contraction.maps.constants": ("Constant",),
    "contraction.maps.orders": ("Backward", "CustomOrder", "Forward", "Late", "Reset", "Windowed"),
    "contraction.maps.iterates": (
        "backward_iterates",
        "forward_iterates",
        "iterates",
        "paired_iterates",
        "plain_iterates",
    ),
    "contraction.certificates.certify": ("certify", "estimate"),
    "contraction.certificates.error_bound": ("Certificate", "ErrorBound", "Estimate"),
    "contraction.limits.backward": (
        "BackwardLimit",
        "NotSettled",
        "apply_backward",
        "backward_limit",
        "coupling_distance",
    ),
    "contraction.certificates.average": ("AverageContraction", "average_contraction", "leaf_basis"),
    "contraction.limits.nested_boxes": ("NestedBoxes", "nested_boxes"),
    "contraction.certificates.norms": ("common_norm", "lyapunov_norm"),
    "contraction.limits.stationary": (
        "StationarySample",
        "UnbiasedExpectation",
        "sample_stationary",
        "unbiased_expectation",
    ),
    "contraction.limits.coupling_from_the_past": ("ExactSample", "coupling_from_the_past"),
    "contraction.certificates.falsify": ("search_violation",),
    "contraction.exponents.lyapunov": ("LyapunovExponents", "lyapunov_exponents"),
    "contraction.exponents.synchronisation": ("Synchronisation", "synchronisation"),
}
_SUBMODULES = {
    "bounds": "contraction.certificates.bounds",
    "expansions": "contraction.expansions",
    "families": "contraction.families",
    "laws": "contraction.laws",
    "orders": "contraction.maps.orders",
    "plots": "contraction.plots",
    "spaces": "contraction.maps.spaces",
    "statements": "contraction.statements",
    "strategies": "contraction.strategies",
}
_HOME = {name: module for module, names in _WHERE.items() for name in names}
__all__ = ["__version__", *sorted(_HOME), *_SUBMODULES]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    elif name in _SUBMODULES:
        value = importlib.import_module(_SUBMODULES[name])
    else:
        raise AttributeError(f"module 'contraction' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if TYPE_CHECKING:
    from contraction.certificates.average import AverageContraction, average_contraction, leaf_basis
    from contraction.certificates.certify import certify, estimate
    from contraction.certificates.error_bound import Certificate, ErrorBound, Estimate
    from contraction.certificates.falsify import search_violation
    from contraction.certificates.norms import common_norm, lyapunov_norm
    from contraction.exponents.lyapunov import LyapunovExponents, lyapunov_exponents
    from contraction.exponents.synchronisation import Synchronisation, synchronisation
    from contraction.limits.backward import BackwardLimit, NotSettled, apply_backward, backward_limit, coupling_distance
    from contraction.limits.coupling_from_the_past import ExactSample, coupling_from_the_past
    from contraction.limits.nested_boxes import NestedBoxes, nested_boxes
    from contraction.limits.stationary import (
        StationarySample,
        UnbiasedExpectation,
        sample_stationary,
        unbiased_expectation,
    )
    from contraction.maps.constants import Constant
    from contraction.maps.errors import DeclarationRefuted, MapRefused, NotCertified, NotDeterministic
    from contraction.maps.iterates import (
        backward_iterates,
        forward_iterates,
        iterates,
        paired_iterates,
        plain_iterates,
    )
    from contraction.maps.operators import AffineMaps, Operators, RandomOperator
    from contraction.maps.orders import Backward, CustomOrder, Forward, Late, Reset, Windowed
    from contraction.maps.spaces import Euclidean, GridFunctions, L1Simplex, Metric, SupNorm, WeightedEuclidean, Words
