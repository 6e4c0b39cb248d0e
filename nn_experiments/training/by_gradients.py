"""The comparison of a training step with the user's own loop by gradients, for modules that need single precision.

Adam divides a gradient by its own size. One that is zero but for rounding, such as that of a bias before a batch norm,
moves its parameter by the learning rate in a random direction. In single precision states then differ for harmless
reasons, and allowing for it would hide errors of that parameter. So gradients and buffers are compared instead, one
step at a time from the states of the user's own loop, and the update is compared given the loop's own gradients.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import torch

from nn_experiments.training.batches import Batch, BatchLike
from nn_experiments.training.optimizers import Optimizer
from nn_experiments.training.rounding import UNITS, Difference, allowances, first_difference, floor_of
from nn_experiments.training.step import Gradients, State, TrainingStep

__all__ = ["GRADIENT", "Slopes"]

#: How messages name a gradient: these words and the name of the parameter.
GRADIENT = "the gradient of "


class _Given:
    """Takes the place of a step's gradients: keeps what they are, and returns others."""

    def __init__(self, inner: Callable[..., tuple[Gradients, dict[str, torch.Tensor]]], given: State) -> None:
        self.inner, self.given = inner, given
        self.found: State = {}

    def __call__(self, state: State, batch: BatchLike) -> tuple[Gradients, dict[str, torch.Tensor]]:
        slopes, buffers = self.inner(state, batch)
        self.found = {"parameters": {k: v for k, v in slopes.items() if v is not None}, "buffers": buffers}
        return {name: self.given["parameters"].get(name) for name in state["parameters"]}, buffers


@dataclass
class Slopes:
    """The gradients of the user's own loop at its states.

    Attributes
    ----------
    before, after
        The states before and after each step.
    batches
        The batch of each step.
    found
        For each step a state with the gradients as its parameters, without those that are None, and the buffers after
        the step.
    once
        One step of the user's own loop, (state, batch, t) -> the same for another state.
    """

    before: list[State]
    after: list[State]
    batches: list[BatchLike]
    found: list[State]
    once: Callable[[State, BatchLike, int], State]

    @cached_property
    def limits(self) -> list[dict[str, float]]:
        """For each step, the name of a parameter or buffer -> what rounding explains of its gradient or itself."""
        steps = enumerate(zip(self.before, self.batches, self.found, strict=True), 1)
        return [self._limits(before, batch, found, t) for t, (before, batch, found) in steps]

    def _limits(self, before: State, batch: BatchLike, found: State, t: int) -> dict[str, float]:
        return allowances([found], lambda start: [self.once(start, batch, t)], before)[0]

    def of_step(self, step: TrainingStep) -> Iterator[Difference | None]:
        """Yield for each step the first tensor of a training step that differs from the user's own loop, or None."""
        memory: dict[str, torch.Tensor] = {}
        for t in range(1, len(self.found) + 1):
            found, after = self._given(step, t, memory, position=t)
            memory = after["optimizer"]
            yield self._slope_differs(t, found) or self._update_differs(t, after)

    def of_program(self, step: TrainingStep, apply: Callable[[State, int], State]) -> Difference | None:
        """Return the first tensor of another program of a step that differs, or None.

        A program returns states and no gradients. After one map from a state without memory of the optimizer, they can
        be read from the first moments or velocities; without those, from the parameters.

        Parameters
        ----------
        step
            The step that the program computes.
        apply
            (state, number of the step, from 1) -> the state after one map.
        """
        for t in range(1, len(self.found) + 1):
            _, expected = self._given(step, t, {}, position=1)
            actual = apply({**_copied(self.before[t - 1]), "optimizer": {}}, t)
            limits = self._revealed_limits(step.optimizer, t, expected, self.batches[t - 1])
            first = first_difference([_revealed(expected)], [_revealed(actual)], [limits])
            if first:
                _, name, gap, allowed = first
                shown = name in _slots(expected)  # a parameter of plain SGD is compared itself
                return t, f"{GRADIENT if shown else ''}{name}", gap, allowed
        return None

    def _given(
        self, step: TrainingStep, t: int, memory: dict[str, torch.Tensor], *, position: int
    ) -> tuple[State, State]:
        """Return a step's gradients and buffers, and the state after it with the gradients of the user's own loop."""
        given, other = _Given(step.gradients, self.found[t - 1]), copy.copy(step)
        other.gradients = cast(Any, given)
        state = {**_copied(self.before[t - 1]), "optimizer": memory}
        after = other(state, self.batches[t - 1], position)
        return given.found, after

    def _slope_differs(self, t: int, found: State) -> Difference | None:
        if not first_difference([self.found[t - 1]], [found]):
            return None
        first = first_difference([self.found[t - 1]], [found], [self.limits[t - 1]])
        if not first:
            return None
        known = first[1] in self.before[t - 1]["parameters"]
        return t, f"{GRADIENT if known else ''}{first[1]}", *first[2:]

    def _update_differs(self, t: int, after: State) -> Difference | None:
        """Compare parameters entry by entry; both have the same gradients, so that nothing magnifies rounding."""
        old, new, other = self.before[t - 1]["parameters"], self.after[t - 1]["parameters"], after["parameters"]
        if new.keys() != other.keys():
            return t, min(new.keys() ^ other.keys()), float("inf"), 0.0
        for name, value in new.items():
            worst = _beyond(old[name], value, other[name])
            if worst:
                return t, name, *worst
        return None

    def _revealed_limits(self, optimizer: Optimizer, t: int, expected: State, batch: BatchLike) -> dict[str, float]:
        limits, slopes = dict(self.limits[t - 1]), _slots(expected)
        old, new = self.before[t - 1]["parameters"], expected["parameters"]
        rate = optimizer.rate(1, batch.index if isinstance(batch, Batch) else 1)
        share = 1 - optimizer.betas[0] if optimizer.method in ("adam", "adamw") else 1.0  # of a gradient in its slot
        for name, value in new.items():
            if slopes:
                limits[name] = max(share * limits.get(name, 0.0), floor_of(slopes[name]) if name in slopes else 0.0)
            else:
                units = UNITS * max(float(torch.finfo(value.dtype).eps * v.abs().max()) for v in (old[name], value))
                limits[name] = abs(rate) * limits.get(name, 0.0) + units
        return limits


def _beyond(old: torch.Tensor, new: torch.Tensor, other: torch.Tensor) -> tuple[float, float] | None:
    """Return (difference, allowed difference) of the entry that is farthest beyond what rounding explains, or None.

    An update may differ by a share of its largest entry, and each entry by a few units in its own last place. A share
    of the parameter's largest entry would hide a small update of a parameter with one large entry.
    """
    if new.shape != other.shape:
        return float("inf"), 0.0
    if (new.dtype, new.device) == (other.dtype, other.device) and torch.equal(new, other):
        return None
    wide = torch.complex128 if new.is_complex() else torch.float64
    before, expected, actual = (value.detach().cpu().to(wide) for value in (old, new, other))
    neither = ~(expected.isfinite() | actual.isfinite())
    gap = (expected - actual).abs().nan_to_num(nan=math.inf, posinf=math.inf).masked_fill(neither, 0)
    units = UNITS * torch.finfo(new.dtype).eps * torch.maximum(before.abs(), expected.abs())
    allowed = units.nan_to_num(0, 0) + floor_of(new - old)
    excess = gap - allowed
    if not bool((excess > 0).any()):
        return None
    k = int(excess.argmax())
    return float(gap.reshape(-1)[k]), float(allowed.reshape(-1)[k])


def _slots(state: State) -> dict[str, torch.Tensor]:
    """Return the velocities or first moments of an optimizer by the names of the parameters."""
    keys = [key.split(":", 1) for key in state["optimizer"]]
    return {name: state["optimizer"][f"{kind}:{name}"] for kind, name in keys if kind in ("velocity", "first")}


def _revealed(state: State) -> State:
    """Return a state whose parameters are what shows the gradients best."""
    return {"parameters": _slots(state) or state["parameters"], "buffers": state["buffers"]}


def _copied(state: State) -> State:
    return {part: {name: value.clone() for name, value in values.items()} for part, values in state.items()}
