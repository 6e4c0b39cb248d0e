"""Verdicts on equalities and inequalities of exact numbers: integers and Fractions, never floats."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Unpack

import numpy as np

from contraction.statements.records import Verdict, VerdictFields, name_of
from contraction.types import Numbers

__all__ = ["at_most", "equal", "numbers"]


def numbers(values: Numbers) -> list[Fraction]:
    """Flatten arrays and lists of integers and Fractions; a float is refused, because it would round."""
    flat: list[object] = []
    for value in values if isinstance(values, Iterable) and not isinstance(values, np.ndarray) else [values]:
        flat.extend(np.asarray(value, dtype=object).ravel().tolist())
    exact: list[Fraction] = []
    for value in flat:
        if isinstance(value, bool) or not isinstance(value, int | Fraction):
            raise TypeError(f"exact verdicts compare integers and Fractions, got {value!r}")
        exact.append(Fraction(value))
    return exact


def _float(x: Fraction) -> float:
    try:
        return float(x)
    except OverflowError:
        return math.inf if x > 0 else -math.inf


def _ratio(m: Fraction, c: Fraction) -> float:
    if c == 0:
        return 1.0 if m == 0 else math.inf
    return _float(m / c)


def _pairs(measured: Numbers, claimed: Numbers) -> list[tuple[Fraction, Fraction]]:
    pairs = list(zip(numbers(measured), numbers(claimed), strict=True))
    if not pairs:
        raise ValueError("there must be at least one pair of numbers to compare")
    return pairs


def equal(
    statement: str,
    rows: tuple[int, ...],
    measured: Numbers,
    claimed: Numbers,
    parts: Sequence[str] | None = None,
    **extra: Unpack[VerdictFields],
) -> Verdict:
    """Return the verdict on measured == claimed, entry by entry.

    The verdict names the first pair that differs, or else the first pair.

    Raises
    ------
    ValueError
        If there is nothing to compare, or not every pair has a name.
    """
    pairs = _pairs(measured, claimed)
    index = next((i for i, p in enumerate(pairs) if p[0] != p[1]), 0)
    worst, part = pairs[index], "" if parts is None else name_of(parts, index, len(pairs))
    return Verdict(
        statement,
        rows,
        "exact",
        worst[0] == worst[1],
        _float(worst[0]),
        _float(worst[1]),
        ratio=_ratio(*worst),
        part=part,
        **extra,
    )


def at_most(
    statement: str,
    rows: tuple[int, ...],
    measured: Numbers,
    claimed: Numbers,
    parts: Sequence[str] | None = None,
    **extra: Unpack[VerdictFields],
) -> Verdict:
    """Return the verdict on measured <= claimed, entry by entry and without rounding.

    The verdict names the pair with the largest ratio.

    Raises
    ------
    ValueError
        If there is nothing to compare, or not every pair has a name.
    """
    pairs = _pairs(measured, claimed)
    index = max(range(len(pairs)), key=lambda i: (pairs[i][0] > pairs[i][1], _ratio(*pairs[i])))
    worst, part = pairs[index], "" if parts is None else name_of(parts, index, len(pairs))
    holds = all(m <= c for m, c in pairs)
    return Verdict(
        statement, rows, "upper", holds, _float(worst[0]), _float(worst[1]), ratio=_ratio(*worst), part=part, **extra
    )
