"""What the runner needs of what is trained: the protocol of the catalogue's experiments and of a user's network.

A `Problem` is what every process knows: names, settings, where it computes. A `Setup` is one seed of it, with tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from nn_experiments.engine.kernels.mlp import Kernel
from nn_experiments.paper.curve_names import OrderCurve
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
        """θ0."""
        ...

    @property
    def measurement(self) -> Measurement:
        """What is measured at every recorded iterate."""
        ...

    def step_of(self, curve: OrderCurve) -> Step:
        """Return the step that a curve takes: the problem's own, or one with another learning rate."""
        ...

    def kernel(self, curve: OrderCurve, engine: str) -> Kernel:
        """Return what applies the maps of a curve, one chain at a time."""
        ...


class Problem(Protocol):
    """What is trained, as every process of a run knows it. It can be pickled, hashed and compared."""

    @property
    def name(self) -> str:
        """What it is called in messages and in `nn_experiments.load`."""
        ...

    @property
    def device(self) -> str:
        """Where it computes, such as ``cpu`` or ``cuda:0``."""
        ...

    def settings(self) -> dict[str, Any]:
        """Return what goes into ``experiment.json``.

        Its ``identity`` is a hash of its ``decides``, everything that decides the numbers.
        """
        ...

    def metric_names(self, kind: str, n: int, last: int) -> tuple[str, ...]:
        """Return the metrics that iterate n has, of the kind ``curves`` or ``diagnostics``, in a run to ``last``."""
        ...

    def require(self, kind: str, seeds: Sequence[int], last: int) -> None:
        """See that the data of these seeds, up to batch ``last``, is there; raise an error that says what is not."""
        ...

    def prepare(self, seed: int) -> Setup:
        """Return the tensors of a seed; the last ones are kept."""
        ...

    def arithmetic(self) -> AbstractContextManager[None]:
        """Return the context in which steps and measurements are computed: how products are rounded."""
        ...
