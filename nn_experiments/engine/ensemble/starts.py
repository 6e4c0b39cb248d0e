"""Forward iterates T_n … T_1 of many starts under the same maps, for several draws, in one ensemble.

A draw is one sequence of maps. Its starts share the maps, so the distances between them are those of a coupling; two
draws are independent. `nn_experiments.results.increments` says which distances have the same law in the backward order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from nn_experiments.engine.ensemble.convolutions import laid_out
from nn_experiments.engine.ensemble.graphs import Sweeper
from nn_experiments.engine.ensemble.sweep import Sweep
from nn_experiments.engine.ensemble.wavefront import Ensemble, Stacked
from nn_experiments.engine.gpu import repeatable
from nn_experiments.training.batches import Batches, BatchLike
from nn_experiments.training.step import State, TrainingStep

__all__ = ["Draw", "under_the_same_maps"]


@dataclass(frozen=True)
class Draw:
    """One sequence of maps and the states that it is applied to.

    Attributes
    ----------
    batches
        ``batches(i)`` is B_i, i = 1, 2, …
    starts
        States, of the same names and shapes in all draws.
    """

    batches: Batches
    starts: Sequence[State]


class _Batches:
    """The batches of all draws, by index (draw, i)."""

    def __init__(self, draws: Sequence[Draw]) -> None:
        self.draws = draws

    def __call__(self, which: tuple[int, int]) -> BatchLike:
        """Return B_i of a draw."""
        return self.draws[which[0]].batches(which[1])


def _stacked(starts: Sequence[State]) -> Stacked:
    def join(part: str, key: str) -> torch.Tensor:
        value = torch.stack([start[part][key] for start in starts])
        return laid_out(value) if value.dim() == 5 else value

    return {part: {key: join(part, key) for key in values} for part, values in starts[0].items()}


def under_the_same_maps(
    step: TrainingStep, draws: Sequence[Draw], at: Sequence[int], *, ensemble: Ensemble | None = None
) -> Iterator[tuple[int, Stacked]]:
    """Yield (n, the states after n maps) for every n of ``at``, increasing.

    Parameters
    ----------
    step
        The training step that all maps have in common.
    draws
        Batches and starts: the maps of a draw are applied to each of its starts.
    at
        The iterates that are wanted, integers of at least 0 in any order.
    ensemble
        How chains are batched (default: ``Ensemble(chunk=number of chains)``). All chains run together; the chunk is
        not used.

    Yields
    ------
    n, state
        A stacked state: the starts of the first draw, then those of the second, and so on along the leading axis. The
        next iteration changes it in place: measure it, or copy it, before.

    Raises
    ------
    ValueError
        If there are no draws, a draw without a start, or n is below 0.
    TypeError
        If the step cannot be batched, with the reason.
    """
    numbers = sorted(set(at))
    if not draws or not all(len(draw.starts) for draw in draws):
        raise ValueError("every draw needs a start, and there must be a draw")
    if not numbers or numbers[0] < 0:
        raise ValueError(f"iterates are integers of at least 0, got {numbers[:1] or 'none'}")
    owners = [d for d, draw in enumerate(draws) for _ in draw.starts]
    state = _stacked([start for draw in draws for start in draw.starts])
    ensemble = ensemble or Ensemble(chunk=len(owners))
    with repeatable():  # not while the caller measures
        wide = ensemble.prepare(step, draws[0].batches, draws[0].starts[0], 1)
    apply, batches = Sweeper(ensemble.form or "vmap", step, state, wide), _Batches(draws)
    if numbers[0] == 0:
        yield 0, state
    for n in range(1, numbers[-1] + 1):
        now = Sweep([(d, n) for d in owners], [n] * len(owners), step.optimizer.rate(n, n))
        with repeatable():
            apply(batches, now)
        ensemble.graphs = apply.refused or apply.recorded
        if n in numbers:
            yield n, state
