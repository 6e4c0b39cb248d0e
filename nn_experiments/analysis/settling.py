"""Whether a path converges to a point: three questions, each with its own verdict (NumPy only).

The questions are asked in one space (parameters, or predictions on the test set) about the second half of a path.
Distances are in units of the *scale*, the median distance of two independent runs from one start at the same n, which
is the width of the common law of forward and backward iterates.

(a) *Is the path from θ_0 a Cauchy sequence?* This is judged by its increments d(θ_n, θ_{n+1}) and its distances
d(θ_n, θ_N) to the last iterate.

(b) *Do the maps forget a near start?* This is judged by the distance of T_1 … T_n θ_0 and T_1 … T_n T_{n+1} θ_0, the
backward iterates n and n + 1. It has the law of the distance of θ_0 and T'θ_0 under the same maps in either order, so
the answer is the same for both orders.

(c) *Do the maps forget an independent start?* This is judged by the distance of two independent starts under the same
maps.

If a path is a Cauchy sequence, its maps forget near starts. They need not forget far ones (least squares with fewer
data than parameters), and a path need not be a Cauchy sequence if its maps forget both (maps x/2 + ε with log⁺|ε| of
infinite mean): row 78 of the audit.

Training moves every path, whatever its order. Independent runs share this drift, so the scale is free of it. It is
removed from the tail as a trend is removed from a curve: if θ_n moves steadily at speed v in addition to its noise,
d(θ_n, θ_N)² = v² (N − n)² + c, and √c, by least squares over the tail, is the movement beyond the drift.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contraction.arguments import check_choice
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

#: A distance of at most this part of the scale counts as settled.
SETTLED = 0.1
#: A distance of at least this part of the scale counts as moving.
MOVES = 0.5
#: A scale below this part of the distance from θ_0 to θ_N is rounding: the law is concentrated on a point.
ROUNDING = 1e-9
SPACES = ("parameter", "function")
SETTLES, DOES_NOT_SETTLE, UNDECIDED = "settles", "does not settle by N", "undecided"
STILL_TRAINING, DIVERGED, NOT_MEASURED = "still training", "diverged", "not measured"
FORGETS, REMEMBERS = "forgets", "does not forget by N"


@dataclass(frozen=True, eq=False)
class Evidence(Value):
    """Measurements of one path in one space, over the second half of the path.

    Attributes
    ----------
    space
        ``parameter`` or ``function``.
    last
        N, the last iterate.
    increment, increment_mean
        Largest and mean increment of this path; None if not recorded.
    tail
        Largest distance to iterate N.
    moved
        Movement in the tail beyond a steady drift; None with fewer than three distances.
    near
        Largest increment of the backward path, which is the distance of two near starts.
    near_start
        The same at the path's start, the initial distance of the two.
    coupling
        Median distance of two independent starts under the same maps.
    coupling_start
        The same at iterate 0, the initial distance of the two.
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
        """Return a distance, by the name of its attribute, divided by the scale; None if one of them is missing."""
        value = getattr(self, name)
        return None if value is None or not self.scale else value / self.scale


def _check(values: tuple[float | None, ...]) -> str | None:
    """Return ``diverged`` if a value is not finite, or None; raise ValueError for a negative distance."""
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
    """Return the verdict on (a), whether a path from θ_0 is a Cauchy sequence; None stands for "not measured".

    - ``settles``: increments and tail are at most a tenth of the scale. If the scale is rounding, because all runs end
      in one point, both must be at most `ROUNDING` of the distance from θ_0 to θ_N.
    - ``does not settle by N``: an increment, or the movement beyond the drift, is at least half of the scale.
    - ``still training``: both are at most a tenth of the scale, but the tail is larger, because of the drift.
    - ``undecided``: anything between these. ``not measured``: no scale, or neither increments nor tail.

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
    """Return the verdict on (b) or (c), whether two starts under the same maps come together.

    ``apart`` is their distance, and ``began`` their distance at the path's start. The verdict is ``forgets`` if the
    distance is at most a tenth of the scale and of the initial distance, and ``does not forget by N`` if it is at least
    half of the scale, or not less than the initial distance.

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


def _reduced(values: NDArray, reduce: Callable[[NDArray], float]) -> float | None:
    """Return ``reduce`` of the values, NaN if one of them is not finite, or None if there are none."""
    if values.size == 0:
        return None
    return float(reduce(values)) if np.isfinite(values).all() else float("nan")


def evidence(
    curves: Curves, space: str, *, seed: int, order: str, start: int = 0, last: int, other: str | None = None
) -> Evidence:
    """Return the measurements of a path and the verdicts on it.

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
    check_choice("space", space, SPACES)

    def path(name: str, of: str | None = order) -> tuple[NDArray, NDArray]:
        """Return n and the distances of this name, none if they were not recorded."""
        metric = f"{space}_{name}"
        other_end = name == "to_last" and curves.experiment.get("to_last", last) != last
        if of is None or other_end or metric not in curves.metrics or of not in curves.orders:
            return np.empty(0, int), np.empty(0)
        return curves.path(metric, seed=seed, order=of)

    def second_half(name: str, of: str | None = order) -> tuple[NDArray, NDArray]:
        n, distances = path(name, of)
        kept = (n >= start + (last - start) / 2) & (n <= last)
        if name == "to_last":
            kept &= n < last
        return n[kept], distances[kept]

    n, to_last = second_half("to_last")
    increments, reverse = second_half("increment")[1], order if order != "forward" else other
    increment, tail = _reduced(increments, np.max), _reduced(to_last, np.max)
    scale = _reduced(second_half("independent")[1], np.median)
    moved, travelled = _beyond_drift(n, to_last, last), _at(0, *path("to_last"))
    near, near_start = _reduced(second_half("increment", reverse)[1], np.max), _at(start, *path("increment", reverse))
    coupling, coupling_start = _reduced(second_half("coupling")[1], np.median), _at(0, *path("coupling"))
    verdict = judge(increment, tail, scale, moved=moved, travelled=travelled)
    if verdict in (SETTLES, UNDECIDED, STILL_TRAINING) and to_last.size < 2:
        verdict = NOT_MEASURED
    diverged = curves.diverged(seed=seed, order=order) is not None
    return Evidence(
        space,
        last,
        increment=increment,
        increment_mean=_reduced(increments, np.mean),
        tail=tail,
        moved=moved,
        near=near,
        near_start=near_start,
        coupling=coupling,
        coupling_start=coupling_start,
        scale=scale,
        travelled=travelled,
        verdict=DIVERGED if diverged else verdict,
        near_verdict=DIVERGED if diverged else judge_start(near, scale, began=near_start),
        far_verdict=DIVERGED if diverged else judge_start(coupling, scale, began=coupling_start),
    )


def _at(iterate: int, n: NDArray, distances: NDArray) -> float | None:
    """Return the distance at an iterate, or None if it was not recorded."""
    matching = distances[n == iterate]
    return float(matching[0]) if matching.size else None
