"""Paired comparisons of two orders over several seeds, with the exact sign-flip test (NumPy only).

The orders of one seed share start and batches. With i.i.d. batches the forward, backward, reset and late iterates n
have one law, and those of one seed are an exchangeable pair, since reversing the batches, block by block, swaps them.
So flipping the signs of their differences at a fixed n is an exact test. For functionals of a whole path the hypothesis
of the same test is that the order has no effect at all. Five seeds give no two-sided p-value below 2/32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from contraction.laws import sign_flip_test
from contraction.values import Value

__all__ = ["Comparison", "compare", "compare_ratios", "compare_times", "divided_level"]

#: False alarm rate of a family of tests, divided among them.
LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class Comparison(Value):
    """A paired comparison of a reference order with another one, over seeds.

    Attributes
    ----------
    what
        The quantity compared.
    seeds
        Seeds with two finite numbers.
    left_out
        The other seeds, each with the reason.
    reference, other
        The numbers, one for each of ``seeds``.
    larger, smaller
        Number of seeds for which the reference is larger, and smaller.
    effect, kind
        Median over seeds, and the quantity that it is the median of: the ``ratio`` reference/other, or the
        ``difference`` reference − other.
    unit
        Unit of the numbers and of a difference: ``loss``, ``error rate``, ``steps``.
    standardised
        Mean over standard deviation of the differences (logarithms for ratios): Cohen's d for pairs; NaN for one
        seed or no spread.
    pvalue, smallest_pvalue
        Two-sided; None if there is no seed. The smallest p-value that so many seeds can give.
    """

    what: str
    seeds: tuple[int, ...]
    left_out: tuple[str, ...]
    reference: tuple[float, ...]
    other: tuple[float, ...]
    larger: int
    smaller: int
    effect: float
    standardised: float
    pvalue: float | None
    smallest_pvalue: float | None
    kind: str
    unit: str

    def rejects(self, level: float = LEVEL) -> bool:
        """Whether equality is rejected at a level."""
        return self.pvalue is not None and self.pvalue <= level


def divided_level(tests: int, level: float = LEVEL) -> float:
    """Return the level of each of several tests such that the probability of any false alarm is at most ``level``.

    Raises
    ------
    ValueError
        If ``tests``, their number, is less than 1.
    """
    if tests < 1:
        raise ValueError(f"at least one test is needed, got {tests}")
    return level / tests


_Pairs = tuple[tuple[int, ...], tuple[str, ...], np.ndarray, np.ndarray]


def _pairs(seeds: Sequence[int], reference: ArrayLike, other: ArrayLike, usable: np.ndarray, reason: str) -> _Pairs:
    """Return the seeds with usable numbers, the others with the reason, and the numbers of both orders."""
    a, b = np.asarray(reference, dtype=float), np.asarray(other, dtype=float)
    out = tuple(f"seed {s}: {reason}" for s, ok in zip(seeds, usable, strict=True) if not ok)
    return tuple(s for s, ok in zip(seeds, usable, strict=True) if ok), out, a[usable], b[usable]


def _standardised(d: np.ndarray) -> float:
    spread = np.std(d, ddof=1) if len(d) > 1 else 0.0
    return float(np.mean(d) / spread) if spread > 0 else float("nan")


def _comparison(
    what: str,
    pairs: _Pairs,
    differences: np.ndarray,
    effect: float,
    *,
    statistic: Literal["mean", "sign"],
    kind: str,
    unit: str,
) -> Comparison:
    seeds, left_out, a, b = pairs
    d = differences
    result = sign_flip_test(d, statistic) if len(d) else None
    return Comparison(
        what,
        seeds,
        left_out,
        tuple(map(float, a)),
        tuple(map(float, b)),
        int((a > b).sum()),
        int((a < b).sum()),
        effect,
        _standardised(d) if np.isfinite(d).all() else float("nan"),
        result.pvalue if result else None,
        result.smallest_pvalue if result else None,
        kind,
        unit,
    )


def compare(what: str, seeds: Sequence[int], reference: ArrayLike, other: ArrayLike, *, unit: str = "") -> Comparison:
    """Compare values (a loss at a fixed step): differences reference − other, shape (S,) each."""
    a, b = np.asarray(reference, float), np.asarray(other, float)
    pairs = _pairs(seeds, a, b, np.isfinite(a) & np.isfinite(b), "not finite")
    difference = pairs[2] - pairs[3]
    effect = float(np.median(difference)) if len(difference) else float("nan")
    return _comparison(what, pairs, difference, effect, statistic="mean", kind="difference", unit=unit)


def compare_ratios(
    what: str, seeds: Sequence[int], reference: ArrayLike, other: ArrayLike, *, unit: str = ""
) -> Comparison:
    """Compare positive quantities (standard deviations, ranges) by the logarithms of reference/other.

    A ratio 0/0 counts as 1, since neither path varies. If exactly one of the two values of a seed is zero, the sign
    test is used, since the logarithm is infinite.

    Raises
    ------
    ValueError
        If a quantity is negative.
    """
    a, b = np.asarray(reference, float), np.asarray(other, float)
    pairs = _pairs(seeds, a, b, np.isfinite(a) & np.isfinite(b), "not finite")
    a, b = pairs[2:]
    if (a < 0).any() or (b < 0).any():
        raise ValueError(f"{what}: ratios are for quantities of at least 0")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(a == b, 1.0, a / b)
        logarithm = np.log(ratio)
    effect = float(np.median(ratio)) if len(a) else float("nan")
    if not np.isfinite(logarithm).all():
        return _comparison(what, pairs, np.sign(a - b), effect, statistic="sign", kind="ratio", unit=unit)
    return _comparison(what, pairs, logarithm, effect, statistic="mean", kind="ratio", unit=unit)


def compare_times(what: str, seeds: Sequence[int], reference: ArrayLike, other: ArrayLike) -> Comparison:
    """Compare times, where infinity means "never", by which order is earlier (the sign statistic)."""
    a, b = np.asarray(reference, float), np.asarray(other, float)
    pairs = _pairs(seeds, a, b, ~(np.isnan(a) | np.isnan(b)), "no time")
    a, b = pairs[2:]
    with np.errstate(invalid="ignore"):
        difference = np.where(a == b, 0.0, a - b)
        effect = float(np.median(difference)) if len(a) else float("nan")
    signs = np.sign(difference)
    return _comparison(what, pairs, signs, effect, statistic="sign", kind="difference", unit="steps")
