"""Optimizers and learning-rate schedules as data, without torch; `TrainingStep` applies them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from contraction.arguments import check_choice, check_finite, check_flag, check_positive
from nn_experiments.training.choices import METHODS, SCHEDULES

__all__ = ["FunctionSchedule", "Optimizer", "Schedule", "as_schedule"]


def _check_position(t: object) -> None:
    if check_finite("the position t", t) < 1:
        raise ValueError(f"t counts from 1, got {t}")


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A factor on the learning rate as a function of t = 1, 2, … .

    Attributes
    ----------
    kind
        ``constant``: 1. ``inverse``: 1/(1 + (t−1)/horizon). ``cosine``: ½(1 + cos π(t−1)/horizon) up to the
        horizon, then 0. ``linear``: 1 − (t−1)/horizon up to the horizon, then 0.
    horizon
        Number of steps; None for ``constant``, which has no horizon.
    warmup
        The factor is multiplied by min(1, t/warmup); 0 means without warmup (default).
    index
        What t is. ``"position"`` (default): the position of the map in the run, counted from 1. Map i then has another
        learning rate in each iterate, and the forward and backward iterates have one law. ``"batch"``: the index i of
        the batch, so that the maps are the same in all iterates.

    Examples
    --------
    >>> from nn_experiments import Schedule
    >>> cosine = Schedule(kind="cosine", horizon=100, warmup=10)
    >>> [round(cosine.factor(t), 3) for t in (1, 10, 50, 100)]
    [0.1, 0.98, 0.516, 0.0]
    >>> cosine.to_json()
    {'kind': 'cosine', 'horizon': 100, 'warmup': 10, 'index': 'position'}
    >>> cosine.describe() == cosine.to_json()  # for the identity of a run
    True
    """

    kind: str = "constant"
    horizon: float | None = None
    warmup: int = 0
    index: str = "position"

    def __post_init__(self) -> None:
        """Check every field."""
        check_choice("the kind of a schedule", self.kind, SCHEDULES)
        if (self.horizon is None) != (self.kind == "constant"):
            raise ValueError(f"a {self.kind} schedule and horizon={self.horizon} do not go together")
        if self.horizon is not None:
            check_positive("the horizon", self.horizon)
        check_positive("warmup", self.warmup, zero=True)
        check_choice("the index of a schedule", self.index, ("position", "batch"))

    @property
    def constant(self) -> bool:
        """Whether the factor is 1 at every t."""
        return self.kind == "constant" and self.warmup == 0

    def factor(self, t: int) -> float:
        """Return the factor at t >= 1."""
        if type(t) is not int or t < 1:
            _check_position(t)
        value = 1.0
        if self.horizon is not None:
            progress = (t - 1) / self.horizon
            if self.kind == "inverse":
                value = 1 / (1 + progress)
            elif self.kind == "cosine":
                value = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
            else:
                value = max(0.0, 1 - progress)
        return value * (min(1.0, t / self.warmup) if self.warmup else 1.0)

    def to_json(self) -> dict[str, object]:
        """Return all fields as JSON-ready data."""
        return dataclasses.asdict(self)

    def describe(self) -> dict[str, object]:
        """Return everything that the factors depend on, for the identity of a run."""
        return self.to_json()


@dataclass(frozen=True, kw_only=True)
class FunctionSchedule(Schedule):
    """A factor on the learning rate that the user's function of the position returns; `from_torch` makes it.

    Attributes
    ----------
    function
        t = 1, 2, … -> factor, a finite number of at least 0.
    """

    kind: str = "function"
    function: Callable[[int], float]

    def __post_init__(self) -> None:
        """Check the function at the first position.

        Raises
        ------
        TypeError
            If it cannot be called.
        ValueError
            If it does not return a finite number of at least 0.
        """
        if not callable(self.function):
            raise TypeError(f"a schedule must be a function of t, got {type(self.function).__name__}")
        self.factor(1)

    @property
    def constant(self) -> bool:
        """False: the function may return anything later."""
        return False

    def factor(self, t: int) -> float:
        """Return the factor at t >= 1."""
        if type(t) is not int or t < 1:
            _check_position(t)
        value = self.function(t)
        try:
            factor = float(value)
        except (TypeError, ValueError):
            factor = math.nan
        if not (factor >= 0 and math.isfinite(factor)):
            raise ValueError(f"a schedule must return a finite number of at least 0 at every t, got {value!r} at t={t}")
        return factor

    def to_json(self) -> dict[str, object]:
        """Return JSON-ready data, with the name of the function in its place."""
        name = getattr(self.function, "__qualname__", type(self.function).__qualname__)
        return {"kind": self.kind, "index": self.index, "function": name}

    def describe(self) -> dict[str, object]:
        """Return everything that the factors depend on: the function itself."""
        return {"index": self.index, "function": self.function}


def as_schedule(schedule: object) -> Schedule:
    """Return a schedule for an argument: a `Schedule`, a function of t, or None for a constant rate.

    Raises
    ------
    TypeError
        If it is anything else.

    Examples
    --------
    >>> as_schedule(lambda t: 0.5 ** (t // 100)).factor(250)
    0.25
    """
    if schedule is None:
        return Schedule()
    if isinstance(schedule, Schedule):
        return schedule
    if not callable(schedule):
        raise TypeError(
            "the schedule must be a nn_experiments.Schedule, or a function of the position t = 1, 2, … that returns "
            f"the factor on the learning rate; got {type(schedule).__name__}"
        )
    return FunctionSchedule(function=cast(Callable[[int], float], schedule))


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """A first-order optimizer with the conventions of ``torch.optim``.

    Attributes
    ----------
    method
        ``sgd``, ``momentum`` (heavy ball; ``nesterov`` possible), ``adam``, ``adamw``.
    learning_rate, momentum, betas, eps, weight_decay, nesterov
        As in ``torch.optim``. ``adamw`` decouples the weight decay; the others add it to the gradient.
    schedule
        Factors on the learning rate, or a function of the position t = 1, 2, … that returns the factor (default:
        constant).

    Examples
    --------
    >>> from nn_experiments import Optimizer, Schedule
    >>> sgd = Optimizer(learning_rate=0.1, schedule=Schedule(kind="linear", horizon=10))
    >>> [round(sgd.rate(t, index=1), 3) for t in (1, 2, 6)]
    [0.1, 0.09, 0.05]
    >>> decaying = Optimizer(learning_rate=0.1).decayed(10)  # h / (1 + (t - 1)/10)
    >>> [round(decaying.rate(t, index=1), 3) for t in (1, 11, 31)]
    [0.1, 0.05, 0.025]
    >>> sgd.to_json()["method"]
    'sgd'
    """

    method: str = "sgd"
    learning_rate: float
    momentum: float = 0.0
    nesterov: bool = False
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    schedule: Schedule = Schedule()

    def __post_init__(self) -> None:
        """Check every field."""
        object.__setattr__(self, "schedule", as_schedule(self.schedule))
        check_choice("the method of an optimizer", self.method, METHODS)
        check_positive("the learning rate", self.learning_rate)
        if not 0 <= check_finite("the momentum", self.momentum) < 1:
            raise ValueError(f"the momentum must be in [0, 1), got {self.momentum}")
        check_flag("nesterov", self.nesterov)
        if (self.method == "momentum") != (self.momentum > 0):
            raise ValueError(f"{self.method} and momentum={self.momentum} do not go together")
        if self.nesterov and self.method != "momentum":
            raise ValueError(f"nesterov needs the method momentum, not {self.method}")
        pair = isinstance(self.betas, tuple | list) and len(self.betas) == 2
        if not pair or not all(0 <= check_finite("each of the betas", beta) < 1 for beta in self.betas):
            raise ValueError(f"betas must be two numbers in [0, 1), got {self.betas!r}")
        check_positive("weight_decay", self.weight_decay, zero=True)
        check_positive("eps", self.eps, zero=True)

    @property
    def is_plain_sgd(self) -> bool:
        """Whether a step is θ − h·gradient, without momentum, weight decay and optimizer state."""
        return self.method == "sgd" and not self.weight_decay

    @property
    def slots(self) -> tuple[str, ...]:
        """Names of the tensors that the optimizer keeps for each parameter; all are zero before the first step."""
        return {"sgd": (), "momentum": ("velocity",)}.get(self.method, ("first", "second"))

    def rate(self, t: int, index: int) -> float:
        """Return the learning rate at position t of a run for the batch with this index."""
        if self.schedule.constant:
            return self.learning_rate
        return self.learning_rate * self.schedule.factor(t if self.schedule.index == "position" else index)

    def decayed(self, tau: float) -> Optimizer:
        """Return the same optimizer with the learning rate h / (1 + (t−1)/tau)."""
        return dataclasses.replace(self, schedule=Schedule(kind="inverse", horizon=tau))

    def to_json(self) -> dict[str, object]:
        """Return all fields as JSON-ready data."""
        plain = dataclasses.asdict(dataclasses.replace(self, schedule=Schedule()))
        return {**plain, "schedule": self.schedule.to_json(), "betas": list(self.betas)}
