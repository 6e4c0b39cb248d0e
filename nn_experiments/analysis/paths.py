"""Numbers of one curve of one seed: variability, jumps, decay, passage times, best value, settling (NumPy only).

A curve consists of iterates ``n`` (increasing integers) and values at them. Only recorded iterates are used: if every
tenth iterate was recorded, every number is a statement about these. A value that is not finite is a divergence; numbers
that depend on it are NaN, never an average over the other values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.maps.errors import TrainingInReverseError
from contraction.values import Value

__all__ = [
    "PathSummary",
    "TooShort",
    "best_so_far",
    "decay_rate",
    "detrended",
    "first_below",
    "settling_time",
    "stays_below",
    "summarise",
    "tail_diameters",
    "window_of",
]

#: Tail diameters below this fraction of the largest one are rounding, and no evidence of a rate.
ROUNDING = 1e-12


class TooShort(TrainingInReverseError, ValueError):
    """A curve has too few recorded iterates to measure its variability: record more of them, or run longer."""


def _curve(n: ArrayLike, values: ArrayLike) -> tuple[NDArray, NDArray]:
    n, values = np.asarray(n), np.asarray(values, dtype=float)
    if n.ndim != 1 or values.shape != n.shape or n.size == 0:
        raise ValueError(f"a curve needs one value an iterate, got shapes {n.shape} and {values.shape}")
    if (np.diff(n) <= 0).any():
        raise ValueError("the iterates of a curve must increase")
    return n, values


def window_of(n: ArrayLike, window: int) -> NDArray[np.bool_]:
    """Return which iterates lie in the last window: n > n_last − window, shape of ``n``.

    Raises
    ------
    TooShort
        If fewer than three recorded iterates lie in it, which are too few to measure variability.
    """
    n = np.asarray(n)
    kept = n > n.max() - window
    if kept.sum() < 3:
        raise TooShort(f"the last {window} iterates hold {int(kept.sum())} recorded ones; three are needed")
    return kept


def detrended(n: ArrayLike, values: ArrayLike) -> NDArray:
    """Return the residuals of the least-squares line through the curve; NaN everywhere if a value is not finite."""
    n, values = _curve(n, values)
    if not np.isfinite(values).all():
        return np.full(values.shape, np.nan)
    x = n - n.mean()
    slope = (x @ values) / (x @ x) if n.size > 1 else 0.0
    return values - values.mean() - slope * x


def tail_diameters(values: ArrayLike) -> NDArray:
    """Return max − min of each tail (values i, i+1, …, last), decreasing to 0; NaN where a tail is not finite."""
    v = np.asarray(values, dtype=float)[::-1]
    with np.errstate(invalid="ignore"):
        spread = (np.maximum.accumulate(v) - np.minimum.accumulate(v))[::-1]
    broken = np.logical_or.accumulate(~np.isfinite(v))[::-1]
    return np.where(broken, np.nan, spread)


def decay_rate(n: ArrayLike, values: ArrayLike, window: int) -> float:
    """Return r such that tail diameters fall like rⁿ, by least squares through their logarithms.

    1 means that they do not decay (a path that wanders), and 0.9 that they decay by ten per cent per step. The last
    window is left out, since the tail of every path shrinks towards its end, and so are tails below 1e-12 of the first
    one, which are rounding. The result is NaN if fewer than three tails remain or the curve diverges.
    """
    n, values = _curve(n, values)
    spread = tail_diameters(values)
    if not np.isfinite(spread).all():
        return float("nan")
    kept = (n <= n[-1] - window) & (spread > ROUNDING * spread[0])
    if kept.sum() < 3:
        return float("nan")
    x, y = n[kept] - n[kept].mean(), np.log(spread[kept])
    return float(np.exp((x @ y) / (x @ x)))


def first_below(n: ArrayLike, values: ArrayLike, threshold: float) -> float:
    """Return the first recorded iterate whose value is finite and at most ``threshold``, or infinity."""
    n, values = _curve(n, values)
    hit = np.isfinite(values) & (values <= threshold)
    return float(n[np.argmax(hit)]) if hit.any() else float("inf")


def stays_below(n: ArrayLike, values: ArrayLike, threshold: float) -> float:
    """Return the first recorded iterate from which on all values are finite and at most ``threshold``, or infinity."""
    n, values = _curve(n, values)
    above = ~(np.isfinite(values) & (values <= threshold))
    if above[-1]:
        return float("inf")
    return float(n[np.flatnonzero(above)[-1] + 1]) if above.any() else float(n[0])


def best_so_far(values: ArrayLike) -> NDArray:
    """Return, for each position, the smallest finite value up to it; infinity before the first finite value."""
    v = np.asarray(values, dtype=float)
    return np.minimum.accumulate(np.where(np.isfinite(v), v, np.inf))


def settling_time(n: ArrayLike, values: ArrayLike, tolerance: float) -> float:
    """Return the first recorded iterate from which the curve stays within ``tolerance`` of its last value.

    The result is infinity if a later value is not finite. A path whose noise is larger than the tolerance "settles"
    only shortly before it ends, so compare a settling time with the length of the run.

    Raises
    ------
    ValueError
        If the tolerance is negative or NaN.
    """
    if not tolerance >= 0:
        raise ValueError(f"a tolerance must be at least 0, got {tolerance}")
    n, values = _curve(n, values)
    if not np.isfinite(values[-1]):
        return float("inf")
    away = ~(np.abs(values - values[-1]) <= tolerance)
    return float(n[np.flatnonzero(away)[-1] + 1]) if away.any() else float(n[0])


@dataclass(frozen=True, eq=False)
class PathSummary(Value):
    """Numbers of one curve, for a metric of which smaller values are better (an error rate, not an accuracy).

    Attributes
    ----------
    recorded
        Number of recorded iterates in the last window.
    diverged_at
        First recorded iterate whose value is not finite, or None.
    sd, sd_detrended, range, range_detrended
        Standard deviation and range over the last window, as they are and about the least-squares line. The denominator
        is n − 1, or n − 2 about the line.
    sd_log
        Like ``sd_detrended``, of the logarithms; NaN if a value of the window is not positive.
    rms_change, largest_jump
        Root mean square and maximum of the changes between neighbouring recorded iterates of the window.
    tail_diameter
        max − min over the second half of the run.
    decay_rate
        See `decay_rate`.
    mean, last, best, best_at
        Mean over the window, last value, smallest value and its iterate.
    """

    recorded: int
    diverged_at: int | None
    sd: float
    sd_detrended: float
    range: float
    range_detrended: float
    sd_log: float
    rms_change: float
    largest_jump: float
    tail_diameter: float
    decay_rate: float
    mean: float
    last: float
    best: float
    best_at: int


def summarise(n: ArrayLike, values: ArrayLike, window: int, *, start: int = 0) -> PathSummary:
    """Return the numbers of one curve.

    Parameters
    ----------
    n, values
        Iterates (I,) and values (I,).
    window
        The last window is n > n_last − window.
    start
        Where the path begins: the reset or switch point of an order (default: 0). The tail diameter and the decay rate
        are those of the path from there on.

    Raises
    ------
    TooShort
        If the window has fewer than three iterates.
    """
    n, values = _curve(n, values)
    kept = window_of(n, window)
    w, v = n[kept], values[kept]
    finite = bool(np.isfinite(v).all())
    residual = detrended(w, v)
    logs = detrended(w, np.log(v)) if finite and (v > 0).all() else np.full(v.shape, np.nan)
    bad = np.flatnonzero(~np.isfinite(values))
    best = best_so_far(values)
    since = n >= start
    half = n >= start + (n[-1] - start) / 2
    nan = float("nan")
    return PathSummary(
        recorded=int(kept.sum()),
        diverged_at=int(n[bad[0]]) if bad.size else None,
        sd=float(np.std(v, ddof=1)) if finite else nan,
        sd_detrended=float(np.sqrt(residual @ residual / (len(v) - 2))),
        range=float(np.ptp(v)) if finite else nan,
        range_detrended=float(np.ptp(residual)) if finite else nan,
        sd_log=float(np.sqrt(logs @ logs / (len(v) - 2))),
        rms_change=float(np.sqrt(np.mean(np.diff(v) ** 2))) if finite else nan,
        largest_jump=float(np.abs(np.diff(v)).max()) if finite else nan,
        tail_diameter=float(tail_diameters(values[half])[0]),
        decay_rate=decay_rate(n[since], values[since], window),
        mean=float(v.mean()) if finite else nan,
        last=float(values[-1]),
        best=float(best[-1]),
        best_at=int(n[np.argmax(values == best[-1])]) if np.isfinite(best[-1]) else int(n[0]),
    )
