"""What the user's own training loop computes, and how far another program may be from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from nn_experiments.training.batches import BatchLike
from nn_experiments.training.by_gradients import Slopes
from nn_experiments.training.rounding import Difference, allowances, first_difference
from nn_experiments.training.step import State

__all__ = ["Reference"]


@dataclass
class Reference:
    """The states that the user's own training loop computes.

    Attributes
    ----------
    indices
        Indices of the batches, in the order in which the maps are applied.
    converted
        Brings a batch to the precision and the device of the comparison.
    start, ends
        The state before the first step, and the state after each step.
    run
        The user's own loop: another start -> the state after each step.
    again
        Makes the state before the first step once more, since a step that was given ``start`` may have changed it.
    slopes
        The gradients, where the comparison is by gradients (default: None).
    place
        The device, as messages name it, where a step is compared on several (default: an empty text).
    optional
        Whether another program may fail here, since it will run on another device (default: False).
    """

    indices: tuple[int, ...]
    converted: Callable[[BatchLike], BatchLike]
    start: State
    ends: list[State]
    run: Callable[[State], list[State]]
    again: Callable[[], State]
    slopes: Slopes | None = None
    place: str = ""
    optional: bool = False

    @cached_property
    def limits(self) -> list[dict[str, float]]:
        """For each step, the name of a tensor -> the largest difference that rounding explains."""
        return allowances(self.ends, self.run, self.again())

    def difference(self, states: dict[int, State]) -> Difference | None:
        """Return (step, name, difference, allowed difference) for the first tensor that differs by more, or None.

        Parameters
        ----------
        states
            Number of steps -> the state after them, by another program.
        """
        for t, state in states.items():
            if first_difference([self.ends[t - 1]], [state]):
                first = first_difference([self.ends[t - 1]], [state], [self.limits[t - 1]])
                if first:
                    return t, *first[1:]
        return None
