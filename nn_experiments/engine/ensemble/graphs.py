"""Sweeps as CUDA graphs: a sweep is recorded once per size, and replaying it costs one kernel launch.

A sweep of ResNet-18 is about 400 kernels. If few chains are active, starting the kernels from Python takes longer than
running them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from nn_experiments.engine.ensemble.stacked_module import Wide
from nn_experiments.engine.ensemble.sweep import Source, Sweep, apply, sweep
from nn_experiments.engine.gpu import out_of_memory, recorded
from nn_experiments.training.step import State, TrainingStep

if TYPE_CHECKING:
    from torch.cuda import _POOL_HANDLE

__all__ = ["EAGER", "Sweeper"]

#: What a recorded sweep depends on: number of chains, whether they share a map, learning rate, shape of the inputs.
Key = tuple[int, bool, float, torch.Size]

#: Sweeps of one size that run eagerly before one is recorded. Recording takes as long as several sweeps; if every
#: iterate is measured, each size occurs only sixteen times, which does not pay.
EAGER = 20


class Sweeper:
    """Applies maps in place to the active chains of a stacked state; sizes that recur are replayed from a graph.

    Parameters
    ----------
    form, step, wide
        As in `nn_experiments.engine.ensemble.sweep.sweep`.
    state
        The stacked state. Graphs read and write its tensors: their values may change, but they must not be replaced.

    Attributes
    ----------
    refused
        Why nothing is recorded, or None. If recording fails, sweeps run eagerly from then on.
    """

    def __init__(self, form: str, step: TrainingStep, state: State, wide: Wide | None) -> None:
        self.form, self.step, self.state, self.wide = form, step, state, wide
        self.refused = self._reason()
        self._seen: Counter[Key] = Counter()
        self._graphs: dict[Key, tuple[Callable[[], None], torch.Tensor, torch.Tensor]] = {}
        self._pool: _POOL_HANDLE | None = None

    def _reason(self) -> str | None:
        if self.form == "vmap":
            return "not by vmap"
        if not self.step.optimizer.is_plain_sgd:
            return "not plain SGD"
        return None if next(iter(self.state["parameters"].values())).is_cuda else "not on a GPU"

    @property
    def recorded(self) -> int:
        """How many graphs there are."""
        return len(self._graphs)

    def __call__(self, batches: Source, now: Sweep) -> None:
        """Apply one map to every live chain."""
        if self.refused is not None or isinstance(now.rate, torch.Tensor):
            sweep(self.form, self.step, batches, self.state, now, self.wide)
            return
        inputs, targets = now.data(batches)
        key = now.live, now.shared, now.rate, inputs.shape
        self._seen[key] += 1
        if key not in self._graphs and self._seen[key] > EAGER:
            self._record(key, now, inputs, targets)
        if key not in self._graphs:
            apply(self.form, self.step, self.state, now, inputs, targets, self.wide)
            return
        replay, own_inputs, own_targets = self._graphs[key]
        own_inputs.copy_(inputs)
        own_targets.copy_(targets)
        replay()

    def _record(self, key: Key, now: Sweep, inputs: torch.Tensor, targets: torch.Tensor) -> None:
        own_inputs, own_targets = inputs.clone(), targets.clone()
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        try:
            replay = recorded(
                lambda: apply(self.form, self.step, self.state, now, own_inputs, own_targets, self.wide),
                inputs.device,
                pool=self._pool,
            )
        except RuntimeError as error:
            cause = error.__context__ if isinstance(error.__context__, RuntimeError) else error
            if out_of_memory(error) or out_of_memory(cause):  # the sweep itself has just fitted
                self._graphs.clear()
                self._pool = None
                self.refused = "no memory for a graph"
            else:
                self.refused = f"{type(cause).__name__}: {str(cause).splitlines()[0]}"
            return
        self._graphs[key] = replay, own_inputs, own_targets
