"""Contraction factor and displacement of a family in a metric other than that of the family."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from contraction.maps.constants import Constant
from contraction.maps.errors import NotCertified
from contraction.maps.operators import RandomOperator
from contraction.maps.points import apply_read_only
from contraction.maps.rounding import EPS, cancelled, root_up, round_up
from contraction.maps.spaces import Euclidean, L1Simplex, Space, SupNorm, WeightedEuclidean
from contraction.maps.support import probabilities

__all__ = [
    "condition",
    "displacement_in",
    "equivalence",
    "factor_in",
    "linear_parts",
    "named",
    "norm_of_parts",
    "operator_norm_up",
]


def linear_parts(family: RandomOperator) -> list[NDArray] | None:
    """Return the linear parts of all maps of the support; one matrix if all share it, None if they are not known."""
    known = family.linear_support()
    return None if known is None else [A for _, A in known]


def condition(space: Space) -> float:
    """Return the factor by which rounding grows in an operator norm of the space.

    The condition number of its isometry.
    """
    return 1.0 if space.isometry is None else float(np.linalg.cond(space.isometry))


def operator_norm_up(space: Space, matrices: Sequence[NDArray]) -> float:
    """Largest operator norm of the given matrices, rounded up by 8 d^2 condition(space) ulps."""
    norms = np.array([float(space.operator_norm(A)) for A in matrices])
    if not np.any(norms):
        return 0.0
    d = matrices[0].shape[-1]
    return float(round_up(np.max(norms), 8 * d * d * condition(space)))


def factor_in(family: RandomOperator, space: Space) -> Constant:
    """Return k in another metric: the largest operator norm of the linear parts in that metric."""
    if not space.is_normed:
        raise NotCertified(f"k unknown in {space!r}: it has no operator norm", ("leave out space=",))
    parts = linear_parts(family)
    if parts is None:
        raise NotCertified(
            f"k unknown in {space!r}: the linear parts of {family!r} are not known", ("leave out space=",)
        )
    source = f"‖A‖ in {named(space)}" if len(parts) == 1 else f"largest ‖A_i‖ of {len(parts)} in {named(space)}"
    return Constant(norm_of_parts(family, space, parts), "proved", source)


def norm_of_parts(family: RandomOperator, space: Space, parts: Sequence[NDArray]) -> float:
    """Largest operator norm of a family's linear parts, rounded up for how they are computed, too."""
    norm = operator_norm_up(space, parts)
    lost = float(cancelled(family.linear_terms, parts[0].shape[-1], norm, condition(space)))
    return float(round_up(norm + lost)) if lost else norm


def named(space: Space) -> str:
    """Name of the class of a space, for messages."""
    return type(space).__name__


def _euclidean_factors(space: Space | None, d: int) -> tuple[float, float]:
    """Return (a, b) with ‖x‖ <= a ‖x‖_2 and ‖x‖_2 <= b ‖x‖ in R^d."""
    if type(space) is Euclidean:
        return 1.0, 1.0
    if type(space) is SupNorm:
        return 1.0, d**0.5
    if type(space) is L1Simplex:
        return d**0.5, 1.0
    if type(space) is WeightedEuclidean:
        singular = np.linalg.svd(space.root, compute_uv=False)
        room = 8 * d * d * EPS * singular[0]
        return float(singular[0] + room), float(1 / (singular[-1] - room))
    raise NotCertified(f"{space!r} is not a norm that can be compared with another")


def equivalence(old: Space, new: Space, d: int) -> float:
    """Return a number c with ‖x‖_new <= c ‖x‖_old in R^d, rounded up."""
    if old == new:
        return 1.0
    return float(round_up(_euclidean_factors(new, d)[0] * _euclidean_factors(old, d)[1], 4))


def displacement_in(family: RandomOperator, theta: NDArray, space: Space, moment: float | None) -> Constant | None:
    """D in another metric: exact if the maps can be listed, otherwise from the equivalence of the norms."""
    d = theta.shape[-1]
    support = family.finite_support()
    if support is not None:
        moved = np.array(
            [
                float(space.distance(theta, apply_read_only(family, theta, draw, "a map of the support")))
                for _, draw in support
            ]
        )
        if moment is None:
            return Constant(float(np.max(moved)), "proved", f"largest of {len(moved)} maps")
        weights = probabilities(support)
        if weights is None:
            return Constant(float(np.max(moved)), "proved", f"largest of {len(moved)} maps")
        largest = float(np.max(moved))
        if largest == 0:
            return Constant(0.0, "proved", f"mean over {len(moved)} maps")
        mean = float(np.sum(weights * (moved / largest) ** moment))  # of powers that neither overflow nor vanish
        root = float(root_up(mean, moment, len(moved) + 4 + moment))
        return Constant(float(round_up(largest * root, 2)), "proved", f"mean over {len(moved)} maps")
    c = family.displacement(theta) if moment is None else family.displacement_moment(theta, moment)
    if c is None:
        return None
    factor = equivalence(family.space, space, d)
    return Constant(float(round_up(c.value * factor, 8)), c.origin, f"{factor:.4g} times ({c.source})")
