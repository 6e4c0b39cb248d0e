"""What a family with finitely many maps says of them: draws with their weights, and all linear parts of a family."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contraction.operators import AffineMaps, RandomOperator

__all__ = ["as_matrix", "finite_support", "independent", "linear_parts", "linear_support"]


def independent(family: RandomOperator) -> bool:
    """Whether the maps T_1, T_2, … are independent with one law."""
    law = getattr(family, "law", None)
    return law is None or bool(getattr(law, "is_iid", False))


def finite_support(family: RandomOperator) -> list[tuple[Any, Any]] | None:
    """(weight, draw) of every map of positive probability; None unless the family has finitely many maps.

    Draws are the indices of a list of ``maps``, or the rows of enumerated ``batches``. Where the law of one index
    changes along the word, the weights are None.
    """
    maps, batches = getattr(family, "maps", None), getattr(family, "batches", None)
    if isinstance(maps, tuple | list) and hasattr(family, "weights"):
        weights = family.weights  # type: ignore[attr-defined]
        if weights is None:
            return [(None, i) for i in range(len(maps))]
        return [(w, i) for i, w in enumerate(weights) if w > 0]
    if batches is not None and getattr(family, "loss", None) is not None:
        return [(Fraction(1, len(batches)), batch) for batch in batches]
    return None


def as_matrix(maps: AffineMaps, d: int) -> NDArray:
    """The linear part of one affine map as a float matrix (d, d)."""
    A = np.asarray(maps.A, dtype=float)
    return A if maps.kind == "matrix" else np.diag(np.broadcast_to(A, (d,)))


def linear_support(family: RandomOperator, d: int) -> list[tuple[Any, NDArray]] | None:
    """(weight, linear part) of every map of the support; one pair if all share it, None unless they are known.

    Weights are None where the law of one index changes along the word.
    """
    common = getattr(family, "linear_part", None)
    if common is not None:
        return [(1, np.asarray(common, dtype=float))]
    inner = getattr(family, "steps", None)  # label noise leaves linear parts alone
    if isinstance(inner, RandomOperator) and inner.is_affine:
        return linear_support(inner, d)
    support = finite_support(family)
    if support is None or not family.is_affine:
        return None
    forms = [(w, family.affine(draw)) for w, draw in support]
    return None if any(f is None for _, f in forms) else [(w, as_matrix(f, d)) for w, f in forms if f is not None]


def linear_parts(family: RandomOperator, d: int) -> Sequence[NDArray] | None:
    """The linear parts of `linear_support`, without their weights."""
    known = linear_support(family, d)
    return None if known is None else [A for _, A in known]
