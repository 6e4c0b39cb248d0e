"""Probabilities of the maps of a finite support, which are unknown if the law of T_i depends on i."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from contraction.types import Number

__all__ = ["probabilities"]


def probabilities(support: Sequence[tuple[Number | None, object]]) -> NDArray | None:
    """Return the probabilities of (probability, map) pairs as floats; None if one of them is None.

    Examples
    --------
    >>> from fractions import Fraction
    >>> probabilities([(Fraction(1, 4), "a"), (0.75, "b")]).tolist(), probabilities([(None, "a")])
    ([0.25, 0.75], None)
    """
    known = [w for w, _ in support if w is not None]
    return np.array([float(w) for w in known]) if len(known) == len(support) else None
