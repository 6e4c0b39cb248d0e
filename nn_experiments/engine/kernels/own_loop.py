"""A sequence of maps in the user's own training loop, whose tensors are exchanged once and not at every step."""

from __future__ import annotations

from collections.abc import Sequence

from nn_experiments.training.batches import Batches
from nn_experiments.training.loop_step import OwnLoopStep
from nn_experiments.training.step import State, Step

__all__ = ["OwnLoopKernel"]


class OwnLoopKernel:
    """Maps of an `OwnLoopStep`, without reading the state between them.

    Raises
    ------
    TypeError
        If the step is not an `OwnLoopStep`.
    """

    name = "own_loop"
    refused: str | None = None

    def __init__(self, step: Step, batches: Batches) -> None:
        if not isinstance(step, OwnLoopStep):
            raise TypeError("the own-loop kernel cannot run this step: it is not made by from_torch in the form 'loop'")
        self.loop, self.batches = step.loop, batches

    def apply(self, state: State, indices: Sequence[int], before: int) -> State:
        """Return the state after the maps ``indices``."""
        if not len(indices):
            return state
        with self.loop.holding(state):
            for t, i in enumerate(indices, before + 1):
                self.loop.once(self.batches(i), t)
            return self.loop.read()
