"""What a family with finitely many maps says of them: draws with their weights, and all linear parts of a family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contraction.operators import AffineMaps, RandomOperator

__all__ = ["as_matrix", "finite_support", "independent", "linear_parts", "support_size"]


def support_size(family: RandomOperator) -> int | None:
    """Number of maps of a family whose draws are the indices of a list of maps; None otherwise."""
    maps = getattr(family, "maps", None)
    return len(maps) if isinstance(maps, tuple | list) and hasattr(family, "weights") else None


def independent(family: RandomOperator) -> bool:
    """Whether the maps T_1, T_2, … are independent with one law."""
    law = getattr(family, "law", None)
    return law is None or type(law).__name__ == "IID"


def finite_support(family: RandomOperator) -> list[tuple[Any, int]] | None:
    """(weight, draw) of every map of positive probability; None unless the family has finitely many maps.

    Where the law of one index changes along the word, the weights are None.
    """
    size = support_size(family)
    if size is None:
        return None
    weights = family.weights  # type: ignore[attr-defined]
    if weights is None:
        return [(None, i) for i in range(size)]
    return [(w, i) for i, w in enumerate(weights) if w > 0]


def as_matrix(maps: AffineMaps, d: int) -> NDArray:
    """The linear part of one affine map as a float matrix (d, d)."""
    A = np.asarray(maps.A, dtype=float)
    return A if maps.kind == "matrix" else np.diag(np.broadcast_to(A, (d,)))


def linear_parts(family: RandomOperator, d: int) -> Sequence[NDArray] | None:
    """Linear parts of every map of the support, one matrix if they share it; None unless they are known."""
    common = getattr(family, "linear_part", None)
    if common is not None:
        return [np.asarray(common, dtype=float)]
    support = finite_support(family)
    if support is None or not family.is_affine:
        return None
    forms = [family.affine(draw) for _, draw in support]
    return None if any(f is None for f in forms) else [as_matrix(f, d) for f in forms if f is not None]
