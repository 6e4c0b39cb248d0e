"""Kernels, which apply a sequence of maps to one state: one thread per process, one chain at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

import torch

from contraction.maps.errors import TrainingInReverseError
from nn_experiments.engine.kernels.flat_state import FlatState
from nn_experiments.engine.kernels.layers import layers_of, why_not_mlp_kernel
from nn_experiments.training.batches import ArrayBatches, Batches, SampledBatches
from nn_experiments.training.step import State, Step, TrainingStep

__all__ = ["ByHand", "Kernel", "MLPKernel", "StepKernel", "Table", "one_batch"]

#: Batches of more numbers are not stacked: looking one up takes no time beside a step, and a long run's fill memory.
STACKED = 2**18
#: The label of rows that torch's cross entropy leaves out.
IGNORED = -100


class Kernel(Protocol):
    """Applies maps to a state.

    Attributes
    ----------
    name
        Recorded with the results. Two kernels agree to rounding; a kernel agrees with itself bitwise.
    refused
        Why the step itself ran in place of the kernel, or None. It is set while maps are applied.
    """

    name: str
    refused: str | None

    def apply(self, state: State, indices: Sequence[int], before: int) -> State:
        """Return the state after the maps ``indices`` (innermost first), the first at t = before + 1."""
        ...


class StepKernel:
    """The step function itself, called once per map."""

    name = "step"
    refused: str | None = None

    def __init__(self, step: Step, batches: Batches) -> None:
        self.step, self.batches = step, batches

    def apply(self, state: State, indices: Sequence[int], before: int) -> State:
        """Return the state after the maps ``indices``."""
        for t, i in enumerate(indices, before + 1):
            state = self.step(state, self.batches(i), t)
        return state


class Table:
    """Batches B_1 … B_m stacked in memory; the table grows to the largest index that has been requested."""

    def __init__(self, batches: SampledBatches, *, outputs: int) -> None:
        self.batches, self.outputs = batches, outputs
        self.inputs = self.targets = torch.empty(0)
        self.size = 0

    def grow(self, largest: int, dtype: torch.dtype) -> None:
        """Extend the table to B_1 … B_largest; further rows of its tensors are reserved memory, not data.

        Raises
        ------
        TypeError
            If the inputs and the parameters have different types.
        ValueError
            If a label is not one of the outputs, or a batch has another shape than B_1.
        """
        if largest <= self.size:
            return
        for i in range(self.size + 1, largest + 1):
            _check_alike(self.batches, i, 1)
        inputs, targets = self.batches.stack(range(self.size + 1, largest + 1))
        inputs = inputs.flatten(2)
        _check(inputs, targets, dtype, self.outputs)
        if largest > len(self.inputs):
            room = max(largest, min(2 * self.size, largest + 500))
            filled = self.inputs[: self.size], self.targets[: self.size]
            self.inputs, self.targets = (new.new_empty(room, *new.shape[1:]) for new in (inputs, targets))
            if self.size:
                self.inputs[: self.size], self.targets[: self.size] = filled
        self.inputs[self.size : largest], self.targets[self.size : largest] = inputs, targets
        self.size = largest


def one_batch(
    batches: SampledBatches, i: int, dtype: torch.dtype, *, outputs: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return B_i with its inputs as rows of numbers, refusing what `Table.grow` refuses."""
    inputs, targets = batches(i)[:2]
    _check(inputs, targets, dtype, outputs)
    return inputs.flatten(1), targets


def _check_alike(batches: SampledBatches, i: int, first: int) -> None:
    """Refuse a batch of another shape than the first one, as a function that collates samples may leave some out.

    Batches of rows of arrays are alike, so that these are not drawn for it.

    Raises
    ------
    _NotByHand
        If the batch has another shape or type.
    """
    if isinstance(batches, ArrayBatches):
        return
    kinds = [tuple((tuple(part.shape), part.dtype) for part in batches(k)[:2]) for k in (i, first)]
    if kinds[0] != kinds[1]:
        rows = [len(batches(k)[0]) for k in (i, first)]
        raise _NotByHand(
            f"batch {i} has {rows[0]} rows, and batch {first} has {rows[1]}, or they differ in shape or type"
        )


def _check(inputs: torch.Tensor, targets: torch.Tensor, dtype: torch.dtype, outputs: int) -> None:
    if inputs.dtype != dtype:
        raise TypeError(f"the inputs are {inputs.dtype}, and the parameters {dtype}")
    if not targets.is_floating_point():
        low, high = int(targets.min()), int(targets.max())
        if low == IGNORED and high < outputs and not ((targets < 0) & (targets != IGNORED)).any():
            raise _NotByHand(f"a label is {IGNORED}, and it knows no rows that the loss leaves out")
        if low < 0 or high >= outputs:
            raise ValueError(f"labels must be 0 … {outputs - 1}, got {low if low < 0 else high}")


class _NotByHand(TrainingInReverseError, ValueError):
    """A batch has rows that the loss leaves out, or more or fewer rows than others."""


class ByHand(ABC):
    """A hand-written kernel; from the first batch on that it cannot compute, the step itself is used."""

    refused: str | None = None
    step: Step
    batches: Batches

    @torch.no_grad()
    def apply(self, state: State, indices: Sequence[int], before: int) -> State:
        """Return the state after the maps ``indices``."""
        if not len(indices):
            return state
        if self.refused is None:
            try:
                return self._run(state, indices, before)
            except _NotByHand as reason:
                self.refused = str(reason)
        return StepKernel(self.step, self.batches).apply(state, indices, before)

    @abstractmethod
    def _run(self, state: State, indices: Sequence[int], before: int) -> State: ...


class MLPKernel(ByHand):
    """Linear layers trained without autograd: products and updates in place.

    Plain SGD needs no gradient buffers. For each layer, from the last to the first, the error of the layer below is
    computed with the old weights, then W ← W − h δᵀa in one ``addmm_``. For another optimizer, all gradients are one
    vector, from which a few operations compute the update.
    """

    name = "mlp"

    def __init__(self, step: Step, batches: Batches) -> None:
        known = layers_of(step, batches)
        if isinstance(known, str):
            raise TypeError(f"the MLP kernel cannot run this step: {known}")
        assert isinstance(step, TrainingStep)
        assert isinstance(batches, SampledBatches)
        self.step: TrainingStep = step
        self.batches, self.layers = batches, known
        self.plain = why_not_mlp_kernel(step, batches) is None
        self.table = Table(batches, outputs=len(step.model.get_parameter(known.names[-1][1])))

    def _run(self, state: State, indices: Sequence[int], before: int) -> State:
        dtype = state["parameters"][self.layers.names[0][0]].dtype
        batches, outputs = self.table.batches, self.table.outputs
        rows, stacked = len(batches(indices[0]).inputs), batches(indices[0]).inputs.numel() <= STACKED
        if stacked:
            self.table.grow(max(indices), dtype)
        optimizer = self.step.optimizer
        steady, h = optimizer.schedule.constant, optimizer.learning_rate
        flat = None if self.plain else FlatState(state, optimizer)
        parameters = flat.parameters if flat else {name: value.clone() for name, value in state["parameters"].items()}
        weights = [parameters[name] for name, _ in self.layers.names]
        biases = [parameters[name] for _, name in self.layers.names]
        work = _Work(weights, biases, rows=rows)
        slopes = [(flat.slopes[w], flat.slopes[b]) for w, b in self.layers.names] if flat else None
        inputs, targets = self.table.inputs.unbind(), self.table.targets.unbind()
        for t, i in enumerate(indices, before + 1):
            if not steady:
                h = optimizer.rate(t, i)
            if not stacked:
                _check_alike(batches, i, indices[0])
            x, y = (inputs[i - 1], targets[i - 1]) if stacked else one_batch(batches, i, dtype, outputs=outputs)
            self._once(x, y, work, h, slopes)
            if flat:
                flat.update(h, t)
        if flat:
            return flat.state()
        return {"parameters": parameters, "buffers": {}, "optimizer": {}}

    def _once(
        self,
        x: torch.Tensor,
        y: torch.Tensor,
        work: _Work,
        h: float,
        slopes: list[tuple[torch.Tensor, torch.Tensor]] | None,
    ) -> None:
        """Take one step of plain SGD; with ``slopes``, write the gradients of each (weight, bias) there instead."""
        last = self.layers.depth - 1
        below = x
        for k in range(last + 1):
            torch.addmm(work.biases[k], below, work.turned[k], out=work.values[k])
            below = work.values[k]
            if k < last:
                below.relu_() if self.layers.relu else below.tanh_()
        error = work.errors[last]
        if self.layers.squares:
            torch.sub(below, y, out=error).mul_(2 / y.numel())
        else:
            torch.softmax(below, 1, out=error)
            error[work.rows, y] -= 1
            error.mul_(1 / len(y))
        for k in range(last, -1, -1):
            if k:
                below, under = work.values[k - 1], work.errors[k - 1]
                torch.mm(work.errors[k], work.weights[k], out=under)
                if self.layers.relu:
                    torch.ops.aten.threshold_backward.grad_input(under, below, 0, grad_input=under)
                else:
                    torch.ops.aten.tanh_backward.grad_input(under, below, grad_input=under)
            else:
                below = x
            if slopes is not None:
                torch.mm(work.turned_errors[k], below, out=slopes[k][0])
                torch.sum(work.errors[k], 0, out=slopes[k][1])
                continue
            work.weights[k].addmm_(work.turned_errors[k], below, alpha=-h)
            total = work.only_errors[k]
            work.biases[k].add_(work.errors[k].sum(0) if total is None else total, alpha=-h)


class _Work:
    """The tensors that one chain writes into, and the views of them that every step needs."""

    def __init__(self, weights: list[torch.Tensor], biases: list[torch.Tensor], *, rows: int) -> None:
        self.weights, self.biases = weights, biases
        self.turned = [w.t() for w in weights]
        self.values = [torch.empty(rows, len(w), dtype=w.dtype) for w in weights]
        self.errors = [torch.empty_like(z) for z in self.values]
        self.turned_errors = [error.t() for error in self.errors]
        self.only_errors = [error[0] if rows == 1 else None for error in self.errors]
        self.rows = torch.arange(rows)
