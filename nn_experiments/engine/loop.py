"""The plain double loop, which tests compare every engine with and benchmarks measure against."""

from __future__ import annotations

from collections.abc import Sequence

from contraction.maps.orders import Order, full_word
from nn_experiments.training.batches import Batches
from nn_experiments.training.step import State, Step

__all__ = ["double_loop"]


def double_loop(
    step: Step,
    batches: Batches,
    state0: State,
    order: Order,
    at: Sequence[int],
) -> dict[int, State]:
    """Return iterate n for every n of ``at``, each computed from θ_0."""
    states: dict[int, State] = {}
    for n in at:
        state = state0
        for t, j in enumerate(reversed(full_word(order, n)), 1):
            state = step(state, batches(j), t)
        states[n] = state
    return states
