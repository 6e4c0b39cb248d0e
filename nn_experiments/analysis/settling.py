"""Does a path converge to a point? Three questions, each with a verdict of its own (NumPy only).

In one space (parameters, or predictions on the test set), over the second half of a path, everything in units of the
*scale*: the median distance of two independent runs from one start at the same n, which is the width of the law that
forward and backward share.

(a) *Is the path Cauchy from θ0?* By its increments d(θ_n, θ_{n+1}) and its distances d(θ_n, θ_N) to the last iterate.

(b) *Do the maps forget a near start?* By the distance of T_1 … T_n θ0 and T_1 … T_n T_{n+1} θ0, which are the backward
iterates n and n + 1. In law it is that of θ0 and T'θ0 under the same maps in either order, so it is one answer for
both orders.

(c) *Do they forget an independent start?* By the distance of two independent starts under the same maps.

A Cauchy path forgets near starts; it need not forget far ones (least squares with fewer data than parameters), and
forgetting both is not enough for it (maps x/2 + ε with log⁺|ε| of infinite mean): row 78 of the audit.

Training moves every path, whatever its order; independent runs share that drift, so the scale is free of it. It is
taken out of the tail as a line is taken out of a curve: if θ_n moves steadily at speed v besides what its noise does,
d(θ_n, θ_N)² = v² (N − n)² + c, and √c, by least squares over the tail, is the movement beyond the drift.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contraction.values import Value
from nn_experiments.results.curves import Curves

__all__ = [
    "DIVERGED",
    "DOES_NOT_SETTLE",
    "FORGETS",
    "MOVES",
    "NOT_MEASURED",
    "REMEMBERS",
    "SETTLED",
    "SETTLES",
    "SPACES",
    "STILL_TRAINING",
    "UNDECIDED",
    "Evidence",
    "evidence",
    "judge",
    "judge_start",
]

#: At most this part of the scale counts as settled; at least `MOVES` of it as moving.
SETTLED = 0.1
MOVES = 0.5
#: A scale below this part of the way from θ0 to θ_N is rounding: the law is a point.
ROUNDING = 1e-9
SPACES = ("parameter", "function")
SETTLES, DOES_NOT_SETTLE, UNDECIDED = "settles", "does not settle by N", "undecided"
STILL_TRAINING, DIVERGED, NOT_MEASURED = "still training", "diverged", "not measured"
FORGETS, REMEMBERS = "forgets", "does not forget by N"


@dataclass(frozen=True, eq=False)
class Evidence(Value):
    """What was measured of one path in one space, over the second half of it.

    Attributes
    ----------
    space
        ``parameter`` or ``function``.
    last
        N, the last iterate.
    increment, increment_mean
        Largest and mean increment of this path; None where not recorded.
    tail
        Largest distance to iterate N.
    moved
        Movement in the tail beyond a steady drift; None with fewer than three distances.
    near
        Largest increment of the backward path, which is the distance of two near starts.
    near_start
        The same at the path's start: what the two began with.
    coupling
        Median distance of two independent starts under the same maps.
    coupling_start
        The same at iterate 0: what the two starts began with.
    scale
        Median distance of two independent runs from one start.
    travelled
        Distance of iterates 0 and N.
    verdict
        (a): ``settles``, ``does not settle by N``, ``still training``, ``undecided``, ``not measured``, ``diverged``.
    near_verdict, far_verdict
        (b) and (c): ``forgets``, ``does not forget by N``, ``undecided``, ``not measured``, ``diverged``.
    """

    space: str
    last: int
    increment: float | None
    increment_mean: float | None
    tail: float | None
    moved: float | None
    near: float | None
    near_start: float | None
    coupling: float | None
    coupling_start: float | None
    scale: float | None
    travelled: float | None
    verdict: str
    near_verdict: str
    far_verdict: str

    def ratio(self, name: str) -> float | None:
        """Return a distance by its attribute's name, divided by the scale; None where one is missing."""
        value = getattr(self, name)
        return None if value is None or not self.scale else value / self.scale


def _check(values: tuple[float | None, ...]) -> str | None:
    """Return ``diverged`` if a value is not finite; refuse negative distances."""
    given = [value for value in values if value is not None]
    if not np.isfinite(given).all():
        return DIVERGED
    if any(value < 0 for value in given):
        raise ValueError(f"distances are at least 0, got {given}")
    return None


def judge(
    increment: float | None,
    tail: float | None,
    scale: float | None,
    *,
    moved: float | None = None,
    travelled: float | None = None,
) -> str:
    """Return the verdict on (a): is a path Cauchy from θ0? None stands for not measured.

    - ``settles``: increments and tail at most a tenth of the scale (where the scale is rounding, because every run ends
      in one point: both at most `ROUNDING` of the way travelled).
    - ``does not settle by N``: an increment, or the movement beyond the drift, is at least half of the scale.
    - ``still training``: both are at most a tenth of it, but the tail is not: what moves is drift.
    - ``undecided``: anything between. ``not measured``: no scale, or neither increments nor tail.

    Raises
    ------
    ValueError
        If a distance is negative.
    """
    broken = _check((increment, tail, scale, moved, travelled))
    if broken:
        return broken
    if scale is None or (increment is None and tail is None):
        return NOT_MEASURED
    if travelled is not None and scale <= ROUNDING * travelled:
        if increment is None or tail is None:
            return NOT_MEASURED
        return SETTLES if max(increment, tail) <= ROUNDING * travelled else STILL_TRAINING
    if scale == 0:
        return NOT_MEASURED
    beyond = [value for value in (increment, moved) if value is not None]
    if max(beyond, default=0.0) >= MOVES * scale:
        return DOES_NOT_SETTLE
    if increment is None or tail is None:
        return NOT_MEASURED
    if max(increment, tail) <= SETTLED * scale:
        return SETTLES
    return STILL_TRAINING if moved is not None and max(beyond) <= SETTLED * scale else UNDECIDED


def judge_start(apart: float | None, scale: float | None, *, began: float | None = None) -> str:
    """Return the verdict on (b) or (c): whether two starts under the same maps come together.

    ``apart``: their distance; ``began``: at the path's start. ``forgets``: at most a tenth of the scale and of what
    they began with; ``does not forget by N``: at least half of the scale, or no nearer than they began.

    Raises
    ------
    ValueError
        If a distance is negative.
    """
    broken = _check((apart, scale, began))
    if broken:
        return broken
    units = [value for value in (scale, began) if value]
    if apart is None or scale is None or not units:
        return NOT_MEASURED
    if apart <= SETTLED * min(units):
        return FORGETS
    return REMEMBERS if (began and apart >= began) or apart >= MOVES * (scale or began or 0.0) else UNDECIDED


def _beyond_drift(n: NDArray, away: NDArray, last: int) -> float | None:
    """Return √c of d² = v²(N − n)² + c by least squares, 0 if c is negative; None with fewer than three distances."""
    if len(n) < 3:
        return None
    if not np.isfinite(away).all():
        return float("nan")
    x, y = (last - n.astype(float)) ** 2, away**2
    slope = max((x - x.mean()) @ (y - y.mean()) / ((x - x.mean()) @ (x - x.mean())), 0.0)
    return float(np.sqrt(max(y.mean() - slope * x.mean(), 0.0)))


def _reduced(values: NDArray, reduce) -> float | None:
    """Reduce what is there; NaN if any of it is not finite, None if there is nothing."""
    if values.size == 0:
        return None
    return float(reduce(values)) if np.isfinite(values).all() else float("nan")


def evidence(
    curves: Curves, space: str, *, seed: int, order: str, start: int = 0, last: int, other: str | None = None
) -> Evidence:
    """Return what was measured of a path and the verdicts on it.

    Parameters
    ----------
    curves
        With ``parameter_increment``, ``parameter_coupling``, ``parameter_to_last`` and ``parameter_independent`` (or
        ``function_…``), as far as they were recorded.
    space
        ``parameter`` or ``function``.
    seed, order
        Which path.
    start, last
        Where the path begins (its reset or switch point) and ends.
    other
        The order that it is compared with (default: none). Near starts are judged by the increments of the one of the
        two that is not ``forward``.

    Raises
    ------
    ValueError
        If the space is unknown.
    """
    if space not in SPACES:
        raise ValueError(f"space must be one of {', '.join(SPACES)}, got {space!r}")

    def values(name: str, whose: str) -> tuple[NDArray, NDArray]:
        metric = f"{space}_{name}"
        if metric not in curves.metrics or whose not in curves.orders:
            return np.empty(0, int), np.empty(0)
        n, found = curves.path(metric, seed=seed, order=whose)
        if name == "to_last" and curves.experiment.get("to_last", last) != last:
            return np.empty(0, int), np.empty(0)  # measured to another iterate than the last one
        return n, found

    def second_half(name: str, whose: str = order) -> tuple[NDArray, NDArray]:
        n, found = values(name, whose)
        kept = (n >= start + (last - start) / 2) & (n <= last)
        if name == "to_last":
            kept &= n < last
        return n[kept], found[kept]

    steps, apart, away = (second_half(name) for name in ("increment", "coupling", "to_last"))
    independent = second_half("independent")[1]
    reverse = order if order != "forward" else other
    near = second_half("increment", reverse)[1] if reverse else np.empty(0)
    first = values("increment", reverse) if reverse else (np.empty(0, int), np.empty(0))
    near_start = float(first[1][first[0] == start][0]) if (first[0] == start).any() else None
    whole = values("to_last", order)
    travelled = float(whole[1][0]) if whole[0].size and whole[0][0] == 0 else None
    began = values("coupling", order)
    moved = _beyond_drift(*away, last)
    increment, tail, scale = _reduced(steps[1], np.max), _reduced(away[1], np.max), _reduced(independent, np.median)
    verdict = judge(increment, tail, scale, moved=moved, travelled=travelled)
    if verdict in (SETTLES, UNDECIDED, STILL_TRAINING) and away[1].size < 2:
        verdict = NOT_MEASURED
    nearest, coupling = _reduced(near, np.max), _reduced(apart[1], np.median)
    coupling_start = float(began[1][0]) if began[0].size and began[0][0] == 0 else None
    near_verdict = judge_start(nearest, scale, began=near_start)
    verdicts = [verdict, near_verdict, judge_start(coupling, scale, began=coupling_start)]
    if curves.diverged(seed=seed, order=order) is not None:
        verdicts = [DIVERGED] * 3
    return Evidence(
        space,
        last,
        increment,
        _reduced(steps[1], np.mean),
        tail,
        moved,
        nearest,
        near_start,
        coupling,
        coupling_start,
        scale,
        travelled,
        *verdicts,
    )
