"""Policies: backward training that depends on the iterates themselves (no torch).

An order determines beforehand which maps make iterate n. A policy decides after looking at earlier iterates, so that
its iterates must be computed in sequence; `nn_experiments.engine.policies` computes them.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Protocol

from contraction.arguments import check_choice, check_integer, check_positive

__all__ = ["METRIC_NAME", "Policy", "ResetIfBetter", "StopWhenSettled"]

#: Names of metrics that policies accept: they become part of file names and of the names of curves.
METRIC_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")


class Policy(Protocol):
    """A rule that decides where a backward run starts again, or where it ends."""

    @property
    def name(self) -> str:
        """The name of its curve."""
        ...

    @property
    def records(self) -> str:
        """The name of the metric that records its decisions."""
        ...

    def looks_at(self, last: int) -> list[int]:
        """Return the iterates up to ``last`` at which the policy decides."""
        ...


@dataclass(frozen=True)
class ResetIfBetter:
    """Backward training that restarts from its current iterate whenever that is better than the last start (Section 4).

    Iterate n is T_{m+1} … T_n (iterate m), where m is the last start before n; the first start is 0. At every multiple
    of ``every``, iterate n becomes the new start if its metric is better than that of the last start. A metric that is
    NaN is never better.

    Parameters
    ----------
    metric
        The name of a measured metric.
    every
        The number of steps between two looks at the metric.
    better
        ``"lower"`` (default) or ``"higher"``.

    Examples
    --------
    >>> from nn_experiments import ResetIfBetter
    >>> ResetIfBetter("test_loss", every=100).name
    'reset_if_better-test_loss-100'
    >>> policy = ResetIfBetter("test_loss", every=100)
    >>> policy.looks_at(350)
    [100, 200, 300]
    >>> policy.improves(0.5, than=0.6), policy.improves(float("nan"), than=0.6)
    (True, False)
    """

    metric: str
    every: int
    better: str = "lower"

    def __post_init__(self) -> None:
        """Check the parameters."""
        if not isinstance(self.metric, str) or not METRIC_NAME.fullmatch(self.metric):
            raise ValueError(
                "the name of a metric begins with a letter or '_' and has letters, digits, '_' and '.' only, got "
                f"{self.metric!r}"
            )
        check_integer("every", self.every, 1)
        check_choice("better", self.better, ("lower", "higher"))

    @property
    def name(self) -> str:
        """The name of its curve."""
        return f"reset_if_better-{self.metric}-{self.every}" + ("-higher" if self.better == "higher" else "")

    @property
    def records(self) -> str:
        """The metric that holds m, the last start before each iterate."""
        return "reset_at"

    def looks_at(self, last: int) -> list[int]:
        """Return the multiples of ``every`` up to ``last``."""
        return list(range(self.every, last + 1, self.every))

    def improves(self, value: float, than: float) -> bool:
        """Return whether a value of the metric is better than another one."""
        if math.isnan(than):
            return not math.isnan(value)
        return value < than if self.better == "lower" else value > than


@dataclass(frozen=True)
class StopWhenSettled:
    """Backward training until it has settled; later iterates are equal to the last one and cost nothing.

    A path has settled if at two successive horizons n = 1, 2, 4, … the iterates n and n + m, for m = 16, 17 and 33, are
    at most eps apart, and less than half as far apart as θ_0 and its image under the further m maps (Euclidean distance
    of the parameters). This is the rule of `nn_experiments.limit` without a second start. It is an estimate, never a
    certificate (row 87 of the audit). It uses up to 33 maps beyond the last horizon.

    Parameters
    ----------
    eps
        The distance that counts as settled; positive.

    Examples
    --------
    >>> from nn_experiments import StopWhenSettled
    >>> StopWhenSettled(1e-3).name
    'stop_when_settled-0.001'
    >>> StopWhenSettled(1e-3).looks_at(20)
    [1, 2, 4, 8, 16]
    """

    eps: float

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_positive("eps", self.eps)
        if float(f"{self.eps:g}") != self.eps:
            raise ValueError(f"eps may have six significant digits, since it is in the curve's name; got {self.eps!r}")

    @property
    def name(self) -> str:
        """The name of its curve."""
        return f"stop_when_settled-{self.eps:g}"

    @property
    def records(self) -> str:
        """The metric that holds the iterate at which the run stopped; n as long as it has not stopped."""
        return "stopped_at"

    def looks_at(self, last: int) -> list[int]:
        """Return the powers of two up to ``last``."""
        return [2**k for k in range(last.bit_length())]
