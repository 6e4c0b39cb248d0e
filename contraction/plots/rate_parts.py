"""Parts of pictures of rates: lines of bounds by what they promise, fitted rates, distances above rounding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.certificates.error_bound import ErrorBound
from contraction.maps.rounding import EPS
from contraction.plots.style import CLAIM, MOMENT, SHADE, positive

__all__ = ["LineStyle", "above_rounding", "bound_label", "bound_style", "fitted_rate", "promised_rate", "rate_text"]


class LineStyle(TypedDict):
    """Keyword arguments of `matplotlib.axes.Axes.plot` for the line of a bound."""

    ls: str
    color: str
    lw: float


def bound_style(bound: ErrorBound) -> LineStyle:
    """Return the line of a bound: dashed if it is sure, dash-dotted if it bounds a moment, dotted for an estimate."""
    if not bound.certified:
        return {"ls": ":", "color": SHADE, "lw": 1.6}
    if math.isfinite(bound.p):
        return {"ls": "-.", "color": MOMENT, "lw": 1.5}
    return {"ls": "--", "color": CLAIM, "lw": 1.1}


def bound_label(bound: ErrorBound) -> str:
    """Return what a bound promises, in a few words for a legend."""
    word = "certificate" if bound.certified else "estimate, may be too small"
    if math.isinf(bound.p):
        return f"{word}: no path is above" if bound.certified else word
    if bound.p == 1:
        return f"{word} of the mean: a path may be above"
    p = f"{bound.p:.2g}"
    return f"{word} of $(E\\,d^{{{p}}})^{{1/{p}}}$: a path may be above"


def above_rounding(distances: NDArray, size: float) -> NDArray:
    """Return distances with gaps (NaN) where they are zero, or so small that only rounding is seen.

    Parameters
    ----------
    distances
        Distances >= 0.
    size
        Largest absolute value of the numbers from which they were computed; 0 for exact ones.
    """
    distances = np.asarray(distances, dtype=float)
    return positive(np.where(distances < 4 * EPS * size, 0.0, distances))


def fitted_rate(gaps: ArrayLike) -> float | None:
    """Rate r of the least-squares line through log d(θ*, θ_n), over the n with d between 1e-12 and 1/2 of d_0.

    None if fewer than three such n exist.
    """
    gaps = np.asarray(gaps, dtype=float)
    n = np.flatnonzero((gaps > 1e-12 * gaps[0]) & (gaps < 0.5 * gaps[0]))
    if n.size < 3:
        return None
    return float(np.exp(np.polyfit(n, np.log(gaps[n]), 1)[0]))


def promised_rate(claim: NDArray) -> float:
    """Return the rate of a bound per map, over the second half of its values at 0, 1, 2, …."""
    half = len(claim) // 2
    return float((claim[-1] / claim[half]) ** (1 / (len(claim) - 1 - half)))


def rate_text(rates: float | Sequence[float]) -> str:
    """Rates per map as text, "0.90ⁿ" or "0.85ⁿ to 0.90ⁿ", with two digits of the rate and of its distance from 1."""
    values = [float(rates)] if isinstance(rates, int | float) else [float(rate) for rate in rates]
    gaps = [abs(1 - rate) for rate in values if 0 < abs(1 - rate) < 0.1]
    digits = max([2, *(min(8, 1 + math.ceil(-math.log10(gap))) for gap in gaps)])
    low, high = f"{min(values):.{digits}f}ⁿ", f"{max(values):.{digits}f}ⁿ"
    return low if low == high else f"{low} to {high}"
