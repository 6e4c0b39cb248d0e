"""Verdicts on equalities and inequalities of exact numbers: integers and Fractions, never floats."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from contraction.statements.records import Verdict, name_of

__all__ = ["at_most", "equal", "numbers"]


def numbers(values: Any) -> list[Fraction]:
    """Flatten arrays and lists of integers and Fractions; a float is refused, because it would round."""
    flat: list[Any] = []
    for value in values if isinstance(values, Iterable) and not isinstance(values, np.ndarray) else [values]:
        flat.extend(np.asarray(value, dtype=object).ravel().tolist())
    for value in flat:
        if isinstance(value, bool) or not isinstance(value, int | Fraction):
            raise TypeError(f"exact verdicts compare integers and Fractions, got {value!r}")
    return [Fraction(value) for value in flat]


def _float(x: Fraction) -> float:
    try:
        return float(x)
    except OverflowError:
        return math.inf if x > 0 else -math.inf


def _ratio(m: Fraction, c: Fraction) -> float:
    if c == 0:
        return 1.0 if m == 0 else math.inf
    return _float(m / c)


def equal(
    statement: str, rows: tuple[int, ...], measured: Any, claimed: Any, parts: Sequence[str] | None = None, **extra: Any
) -> Verdict:
    """measured == claimed, entry by entry; the verdict names the first pair that differs, or else the first pair."""
    pairs = list(zip(numbers(measured), numbers(claimed), strict=True))
    if not pairs:
        raise ValueError("there must be at least one pair of numbers to compare")
    place = next((i for i, p in enumerate(pairs) if p[0] != p[1]), 0)
    worst, part = pairs[place], "" if parts is None else name_of(parts, place, len(pairs))
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
    statement: str, rows: tuple[int, ...], measured: Any, claimed: Any, parts: Sequence[str] | None = None, **extra: Any
) -> Verdict:
    """measured <= claimed, entry by entry and without rounding; the verdict names the pair with the largest ratio."""
    pairs = list(zip(numbers(measured), numbers(claimed), strict=True))
    if not pairs:
        raise ValueError("there must be at least one pair of numbers to compare")
    place = max(range(len(pairs)), key=lambda i: (pairs[i][0] > pairs[i][1], _ratio(*pairs[i])))
    worst, part = pairs[place], "" if parts is None else name_of(parts, place, len(pairs))
    holds = all(m <= c for m, c in pairs)
    return Verdict(
        statement, rows, "upper", holds, _float(worst[0]), _float(worst[1]), ratio=_ratio(*worst), part=part, **extra
    )
