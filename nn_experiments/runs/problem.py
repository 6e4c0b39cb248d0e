"""The protocol between the runner and what it trains, an experiment of the catalogue or a user's network.

A `Problem` has no tensors and can be sent to every process; a `Setup` has the tensors of one seed of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from nn_experiments.engine.kernels.mlp import Kernel
from nn_experiments.paper.curve_names import OrderCurve
from nn_experiments.results.blocks import Settings
from nn_experiments.training.batches import Batches
from nn_experiments.training.metrics import Measurement
from nn_experiments.training.step import State, Step

__all__ = ["Problem", "Setup"]


class Setup(Protocol):
    """All tensors of one seed."""

    @property
    def step(self) -> Step:
        """``step(state, batch, t) -> state``."""
        ...

    @property
    def batches(self) -> Batches:
        """The batches: i -> B_i."""
        ...

    @property
    def state0(self) -> State:
        """θ_0."""
        ...

    @property
    def measurement(self) -> Measurement:
        """The metrics of every recorded iterate."""
        ...

    def step_of(self, curve: OrderCurve) -> Step:
        """Return the step that a curve takes: that of the problem, or one with another learning rate."""
        ...

    def kernel(self, curve: OrderCurve, engine: str) -> Kernel:
        """Return the kernel that applies the maps of a curve, one chain at a time."""
        ...


class Problem(Protocol):
    """A description of what is trained, which can be pickled, hashed and compared."""

    @property
    def name(self) -> str:
        """The name in messages and in `nn_experiments.load`."""
        ...

    @property
    def device(self) -> str:
        """The torch device, such as ``cpu`` or ``cuda:0``."""
        ...

    def settings(self) -> Settings:
        """Return the contents of ``experiment.json``.

        The ``identity`` is a hash of ``decides``, everything that the numbers depend on.
        """
        ...

    def metric_names(self, kind: str, n: int, last: int) -> tuple[str, ...]:
        """Return the metrics of iterate n, of the kind ``curves`` or ``diagnostics``, in a run to ``last``."""
        ...

    def require(self, kind: str, seeds: Sequence[int], last: int) -> None:
        """Raise an error if the data of these seeds, up to batch ``last``, is missing."""
        ...

    def prepare(self, seed: int) -> Setup:
        """Return the tensors of a seed; those of the last seeds are cached."""
        ...

    def arithmetic(self) -> AbstractContextManager[None]:
        """Return the context in which steps and measurements are computed, which sets how products are rounded."""
        ...
