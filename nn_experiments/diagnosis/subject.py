"""What is diagnosed: independent replicates of one training, and a function of a state that gives predictions."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable

import torch
from torch import nn
from torch.func import functional_call

from nn_experiments.diagnosis.law import Law
from nn_experiments.training.batches import Batch, Batches, BatchLike
from nn_experiments.training.calls import function_failed, kind_of
from nn_experiments.training.inputs import arguments
from nn_experiments.training.step import State, Step
from nn_experiments.training.trees import leaves

__all__ = ["Outputs", "Replicate", "SeededReplicates", "Shifted", "Subject", "seed_of"]


#: How far the seeds of the batches and masks of the run that distances are compared with are from those of a replicate.
APART = 2**31


def seed_of(seed: int, r: int) -> int:
    """Return the seed of replicate r: ``seed`` + r, from 0 on again after 2^32 - 1, the largest seed.

    Examples
    --------
    >>> seed_of(7, 2), seed_of(2**32 - 1, 2)
    (9, 1)
    """
    return (seed + r) % 2**32


@dataclass(frozen=True)
class Replicate:
    """One independent draw of the batches.

    Attributes
    ----------
    step, batches, state0
        As in `nn_experiments.iterates`.
    others, other_step
        Batches that are independent of ``batches``, of the same law, for the run that distances are compared with, and
        the step with separate frozen randomness. None if the batches N + 1, N + 2, … of the same sequence are that.
    start
        Another initial state, independent of ``state0``, or None.
    seed
        Of the random directions of pairs.
    """

    step: Step
    batches: Batches
    state0: State
    others: Batches | None = None
    other_step: Step | None = None
    start: State | None = None
    seed: int = 0


class Subject(Protocol):
    """Independent replicates of one training."""

    @property
    def law(self) -> Law:
        """The law of the maps."""
        ...

    def replicate(self, r: int) -> Replicate:
        """Return replicate r, counted from 0."""
        ...

    def outputs(self, state: State) -> torch.Tensor:
        """Return predictions on fixed inputs, (inputs, outputs), float64."""
        ...


class Outputs:
    """Predictions of a module in evaluation mode on fixed inputs, as a function of a state.

    Parameters
    ----------
    model
        The user's module; a copy is evaluated.
    inputs
        What the module takes, one item per row of the outputs' first axis.
    """

    def __init__(self, model: nn.Module, inputs: object) -> None:
        self.model, self.inputs = copy.deepcopy(model).eval().requires_grad_(False), inputs

    def __call__(self, state: State) -> torch.Tensor:
        """Return (inputs, outputs) in float64; what a module returns beside floating point tensors is left out.

        Raises
        ------
        CallFailed
            If the module raises an error on the inputs.
        TypeError
            If the module returns no floating point tensor.
        ValueError
            If those that it returns are empty.
        """
        outputs = self._call(state)
        tensors = [
            value for _, value in leaves(outputs) if isinstance(value, torch.Tensor) and value.is_floating_point()
        ]
        if not tensors:
            raise TypeError(
                f"predictions are compared, but the module returns no floating point tensor: {type(outputs).__name__}. "
                "Wrap it in a module that returns its predictions"
            )
        tensors = [value for value in tensors if value.numel()]
        if not tensors:
            raise ValueError(
                f"predictions are compared, but the module returns none on the inputs {kind_of(self.inputs)}: inputs "
                "must have at least one row"
            )
        flat = [
            value.double().reshape(len(value), -1) if value.ndim else value.double().reshape(1, 1) for value in tensors
        ]
        if len({len(value) for value in flat}) > 1:
            flat = [value.reshape(1, -1) for value in flat]
        return torch.cat(flat, 1)

    def _call(self, state: State) -> object:
        held = (state["parameters"], state.get("buffers", {}))
        try:
            with torch.no_grad():
                return functional_call(self.model, held, *arguments(self.model, self.inputs))
        except Exception as error:  # whatever the user's module raises
            what = f"predictions are compared, and the model fails on the inputs {kind_of(self.inputs)}"
            rule = "inputs must be what the module takes, such as the first entry of a batch"
            raise function_failed(what, error, rule) from error


class Shifted:
    """The batches of another source from an index on: B_1 is its B_{offset + 1}."""

    def __init__(self, inner: Batches, offset: int) -> None:
        self.inner, self.offset = inner, offset

    def __call__(self, i: int, /) -> BatchLike:
        """Return B_i; it carries the index that it has in the other source, which masks depend on."""
        batch = self.inner(i + self.offset)
        return Batch(batch[0], batch[1], i + self.offset) if isinstance(batch, Batch) else batch


@runtime_checkable
class SeededStep(Protocol):
    """A step whose randomness has a seed."""

    def with_seed(self, seed: int) -> Step:
        """Return the step with another seed."""
        ...


@runtime_checkable
class SeededBatches(Protocol):
    """A source of batches that are drawn by a seed."""

    def with_seed(self, seed: int) -> Batches:
        """Return the batches of another seed."""
        ...


@dataclass(frozen=True)
class SeededReplicates:
    """Replicates of a step and batches: by seeds where they take one, else by blocks of the one sequence.

    Attributes
    ----------
    step, batches, state0, start
        Of the user.
    law
        From `nn_experiments.diagnosis.law.law_of`.
    seed
        Replicate r has the seed `seed_of` (seed, r).
    used
        How many batches a replicate uses: the length of a block.
    predict
        State -> predictions.
    """

    step: Step
    batches: Batches
    state0: State
    start: State | None
    law: Law
    seed: int
    used: int
    predict: Callable[[State], torch.Tensor]

    def replicate(self, r: int) -> Replicate:
        """Return replicate r."""
        seed = seed_of(self.seed, r)
        if self.law.independent:
            return Replicate(self._step(seed), self._batches(seed, r), self.state0, start=self.start, seed=seed)
        far = seed_of(seed, APART)
        batches = cast("SeededBatches", self.batches)  # those of a dependent law have a seed (`law_of`)
        own, others = batches.with_seed(seed), batches.with_seed(far)
        return Replicate(self._step(seed), own, self.state0, others, self._step(far), self.start, seed)

    def _step(self, seed: int) -> Step:
        return self.step.with_seed(seed) if isinstance(self.step, SeededStep) else self.step

    def _batches(self, seed: int, r: int) -> Batches:
        if isinstance(self.batches, SeededBatches):
            return self.batches.with_seed(seed)
        return Shifted(self.batches, r * self.used)

    def outputs(self, state: State) -> torch.Tensor:
        """Return predictions on fixed inputs."""
        return self.predict(state)
