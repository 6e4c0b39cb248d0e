"""Does a path converge to a point? Judged by three measurements together, never by increments alone (NumPy only).

In one space (parameters, or predictions on the test set), over the second half of a path:

- *increments* d(θ_n, θ_{n+1}): movement of one step;
- *tail diameter*: the largest distance d(θ_n, θ_N) to the last iterate, a lower bound on the diameter of the tail and
  at least half of it;
- *coupling distance*: of two independent starts under the same maps, at the same n;

each divided by the *scale*: the median distance of two independent runs from one start (same n, other batches), which
is the width of the law that forward and backward share.

- ``settles``: all three are at most a tenth of the scale.
- ``does not settle by N``: the path itself still moves by at least half of the scale (an increment or the tail
  diameter). Both are measured distances of points of the tail, so this needs no theory.
- ``undecided``: anything between, such as small movement while two starts stay apart (small increments prove nothing:
  maps that have not met their noise yet, or flat directions, look the same).
- ``diverged``: a value is not finite.
- ``not measured``: one of the four is missing, or the second half holds fewer than two distances to the last iterate.

Why a slowly wandering chain is not taken for a settled one: of a linear chain with k^N = c, two starts a scale or more
apart come within c of each other, while over half the run it moves by √(1 − √c) scales, which is 0.83 at c = 0.1. A
coupling below a tenth and a tail below a tenth do not go together unless the noise itself has stopped mattering.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nn_experiments.results.curves import Curves

__all__ = [
    "DOES_NOT_SETTLE",
    "MOVES",
    "SETTLED",
    "SETTLES",
    "SPACES",
    "UNDECIDED",
    "Evidence",
    "evidence",
    "judge",
]

#: At most this part of the scale counts as settled; at least `MOVES` of it as moving. Fixed before any run.
SETTLED = 0.1
MOVES = 0.5
SPACES = ("parameter", "function")
SETTLES, DOES_NOT_SETTLE, UNDECIDED = "settles", "does not settle by N", "undecided"
DIVERGED, NOT_MEASURED = "diverged", "not measured"


@dataclass(frozen=True)
class Evidence:
    """What was measured of one path in one space, over the second half of it.

    Attributes
    ----------
    space
        ``parameter`` or ``function``.
    last
        N, the last iterate.
    increment, increment_mean
        Largest and mean increment; None where not recorded.
    tail
        Largest distance to iterate N.
    coupling
        Median distance of two starts under the same maps.
    coupling_start
        The same at iterate 0: what the two starts began with.
    scale
        Median distance of two independent runs from one start.
    verdict
        See the module.
    """

    space: str
    last: int
    increment: float | None
    increment_mean: float | None
    tail: float | None
    coupling: float | None
    coupling_start: float | None
    scale: float | None
    verdict: str

    def ratio(self, name: str) -> float | None:
        """Return ``increment``, ``tail`` or ``coupling`` divided by the scale; None where one is missing."""
        value = getattr(self, name)
        return None if value is None or not self.scale else value / self.scale


def judge(increment: float | None, tail: float | None, coupling: float | None, scale: float | None) -> str:
    """Return the verdict on one path in one space (see the module); None stands for not measured.

    Raises
    ------
    ValueError
        If a distance is negative.
    """
    given = [value for value in (increment, tail, coupling, scale) if value is not None]
    if not np.isfinite(given).all():
        return DIVERGED
    if any(value < 0 for value in given):
        raise ValueError(f"distances are at least 0, got {given}")
    if scale is None or scale == 0 or (increment is None and tail is None):
        return NOT_MEASURED
    moved = max(value for value in (increment, tail) if value is not None)
    if moved >= MOVES * scale:
        return DOES_NOT_SETTLE
    if increment is None or tail is None or coupling is None:
        return NOT_MEASURED
    return SETTLES if max(moved, coupling) <= SETTLED * scale else UNDECIDED


def _second_half(n: NDArray, values: NDArray, start: int, last: int) -> NDArray:
    return values[(n >= start + (last - start) / 2) & (n <= last)]


def _reduced(values: NDArray, reduce) -> float | None:
    """Reduce what is there; NaN if any of it is not finite, None if there is nothing."""
    if values.size == 0:
        return None
    return float(reduce(values)) if np.isfinite(values).all() else float("nan")


def evidence(curves: Curves, space: str, *, seed: int, order: str, start: int = 0, last: int) -> Evidence:
    """Return what was measured of a path and the verdict on it.

    Parameters
    ----------
    curves
        With ``parameter_increment``, ``parameter_coupling``, ``parameter_to_last`` and ``parameter_independent`` (or
        ``function_…``), as far as they were recorded.
    space
        ``parameter`` or ``function``.
    start, last
        Where the path begins (its reset or switch point) and ends.
    """
    if space not in SPACES:
        raise ValueError(f"space must be one of {', '.join(SPACES)}, got {space!r}")

    def values(name: str) -> tuple[NDArray, NDArray]:
        metric = f"{space}_{name}"
        if metric not in curves.metrics:
            return np.empty(0, int), np.empty(0)
        return curves.path(metric, seed=seed, order=order)

    steps = _second_half(*values("increment"), start, last)
    apart = values("coupling")
    n, away = values("to_last")
    away = _second_half(n[n < last], away[n < last], start, last)
    if curves.experiment.get("to_last", last) != last:
        away = np.empty(0)  # measured to another iterate than the last one recorded
    found = {
        "increment": _reduced(steps, np.max),
        "tail": _reduced(away, np.max),
        "coupling": _reduced(_second_half(*apart, start, last), np.median),
        "scale": _reduced(_second_half(*values("independent"), start, last), np.median),
    }
    verdict = judge(**found)
    if verdict in (SETTLES, UNDECIDED) and away.size < 2:
        verdict = NOT_MEASURED
    if verdict != DIVERGED and curves.diverged(seed=seed, order=order) is not None:
        verdict = DIVERGED
    beginning = float(apart[1][0]) if apart[0].size and apart[0][0] == 0 else None
    return Evidence(
        space=space,
        last=last,
        increment_mean=_reduced(steps, np.mean),
        coupling_start=beginning,
        verdict=verdict,
        **found,
    )
