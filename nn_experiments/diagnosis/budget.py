"""How many steps and replicates fit into a time."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from nn_experiments.diagnosis.rules import LEAST

__all__ = ["REPLICATES", "SHORTEST", "Cost", "Plan", "fitted", "seconds_of"]

#: Replicates where there is time for them.
REPLICATES = 20
#: No fewer steps are taken, however short the time.
SHORTEST = 50
_UNITS = {"s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0}


def seconds_of(budget: str | float) -> float:
    """Return a time in seconds.

    Parameters
    ----------
    budget
        Seconds, or text such as ``"90 s"``, ``"5 min"``, ``"1.5 h"``.

    Raises
    ------
    ValueError
        For other text, and for a time that is not positive.

    Examples
    --------
    >>> seconds_of("5 min"), seconds_of(2)
    (300.0, 2.0)
    """
    seconds = None
    if isinstance(budget, str):
        match = re.fullmatch(r"\s*([0-9.]+)\s*([a-z]*)\s*", budget)
        if match and match[2] in {"": 1.0} | _UNITS:
            try:
                seconds = float(match[1]) * ({"": 1.0} | _UNITS)[match[2]]
            except ValueError:
                seconds = None
    elif isinstance(budget, int | float) and not isinstance(budget, bool):
        seconds = float(budget)
    if seconds is None or not 0 < seconds < math.inf:
        raise ValueError(f"budget must be a positive time such as '90 s', '5 min' or '1 h', or seconds; got {budget!r}")
    return seconds


@dataclass(frozen=True)
class Cost:
    """Seconds that parts of a diagnosis take.

    Attributes
    ----------
    per_step
        Of one replicate and one step of N: maps, batches and pairs.
    per_replicate
        Of one replicate, whatever N: what is evaluated at the points of the grid.
    derivative
        Of one step of the derivative, one replicate.
    """

    per_step: float
    per_replicate: float
    derivative: float

    def seconds(self, steps: int, replicates: int) -> float:
        """Return what a diagnosis takes."""
        return replicates * (steps * (self.per_step + self.derivative / 2) + self.per_replicate)


@dataclass(frozen=True)
class Plan:
    """What is to be done, and in words how that came about."""

    steps: int
    replicates: int
    note: str


def fitted(steps: int, seconds: float, cost: Cost) -> Plan:
    """Return as many replicates as fit, at least `LEAST` of them with as many steps as fit.

    Examples
    --------
    >>> fitted(2000, 60.0, Cost(1e-3, 0.0, 0.0)).replicates
    20
    >>> fitted(2000, 30.0, Cost(1e-3, 0.0, 0.0)).replicates
    15
    >>> fitted(2000, 11.0, Cost(1e-3, 0.0, 0.0)).steps
    1000
    """
    each = cost.seconds(steps, 1)
    count = min(REPLICATES, int(seconds // each)) if each > 0 else REPLICATES
    about = f"{seconds:.0f} s"
    if count >= LEAST:
        return Plan(steps, count, f"{count} replicates of {steps:,} steps fit into {about}")
    free = seconds / LEAST - cost.per_replicate
    fewer = int(free / (cost.per_step + cost.derivative / 2))
    fewer = min(steps, max(SHORTEST, 2 * (fewer // 2)))
    note = f"{LEAST} replicates of {fewer:,} steps in place of {steps:,}, to fit into {about}"
    if (needed := cost.seconds(fewer, LEAST)) > seconds:
        least = f"{LEAST} replicates of {fewer:,} steps, which is the least"
        note = f"{least}: about {needed:.0f} s, longer than the {about} left"
    return Plan(fewer, LEAST, note)
