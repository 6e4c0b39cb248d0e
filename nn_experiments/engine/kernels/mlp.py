"""Kernels: how a run of maps is applied to one state. One thread a process, one chain at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import nn

from nn_experiments.training.batches import ArrayBatches, Batches
from nn_experiments.training.models.mlp import MLP
from nn_experiments.training.own_loop_reasons import hook_of
from nn_experiments.training.step import LOSSES, State, Step, TrainingStep

__all__ = ["Kernel", "MLPKernel", "StepKernel", "Table", "why_not_mlp_kernel"]


class Kernel(Protocol):
    """Applies maps to a state.

    Attributes
    ----------
    name
        Recorded with the results: kernels agree to rounding, the same kernel agrees bitwise.
    refused
        Why the step itself ran in place of the kernel, or None. It is set while maps are applied.
    """

    name: str
    refused: str | None

    def apply(self, state: State, indices: Sequence[int], before: int) -> State:
        """Return the state after the maps ``indices`` (innermost first), the first at t = before + 1."""
        ...


class StepKernel:
    """Any step function, one map after the other."""

    name = "step"
    refused: str | None = None

    def __init__(self, step: Step, batches: Batches) -> None:
        self.step, self.batches = step, batches

    def apply(self, state: State, indices: Sequence[int], before: int) -> State:
        """Return the state after the maps ``indices``."""
        for t, i in enumerate(indices, before + 1):
            state = self.step(state, self.batches(i), t)
        return state


def why_not_mlp_kernel(step: Step, batches: Batches) -> str | None:
    """Return None if the hand-written MLP kernels can run this step, else the reason why not."""
    if type(step) is not TrainingStep or type(step.model) is not MLP:
        return "it is not a TrainingStep of an MLP"
    if any(type(layer) is not nn.Linear for layer in step.model.layers) or hook_of(step.model):
        return "its MLP has hooks, or layers of another class than nn.Linear"
    own = dict(step.model.named_parameters(remove_duplicate=False))
    if len(own) != 2 * len(step.model.layers) or len({id(p) for p in own.values()}) < len(own):
        return "its MLP has layers without bias or with shared parameters"
    if not all(p.requires_grad for p in own.values()):
        return "its MLP has parameters that do not require gradients"
    if not step.optimizer.is_plain_sgd:
        return f"its optimizer is {step.optimizer.method}, not plain SGD"
    if step.loss not in LOSSES.values():
        return "its loss is neither mse nor cross_entropy"
    if not isinstance(batches, ArrayBatches):
        return "its batches are not ArrayBatches"
    return None


class Table:
    """Batches B_1 … B_m stacked in memory, grown when a larger index is asked for; never one that nobody asked for."""

    def __init__(self, batches: ArrayBatches) -> None:
        self.batches = batches
        self.inputs = self.targets = torch.empty(0)
        self.size = 0

    def grow(self, largest: int) -> None:
        """Make the table hold B_1 … B_largest; what its tensors have beyond that is room to grow, not data."""
        if largest <= self.size:
            return
        inputs, targets = self.batches.stack(range(self.size + 1, largest + 1))
        inputs = inputs.flatten(2)
        if largest > len(self.inputs):
            room = max(largest, min(2 * self.size, largest + 500))
            filled = self.inputs[: self.size], self.targets[: self.size]
            self.inputs, self.targets = (new.new_empty(room, *new.shape[1:]) for new in (inputs, targets))
            if self.size:
                self.inputs[: self.size], self.targets[: self.size] = filled
        self.inputs[self.size : largest], self.targets[self.size : largest] = inputs, targets
        self.size = largest


class MLPKernel:
    """SGD on an MLP by hand: in-place products and updates, no autograd, no gradient buffers.

    For each layer, from the last to the first: the error of the layer below is taken with the old weights, then
    W ← W − h δᵀa in one ``addmm_``.
    """

    name = "mlp"
    refused: str | None = None

    def __init__(self, step: Step, batches: Batches) -> None:
        reason = why_not_mlp_kernel(step, batches)
        if reason:
            raise TypeError(f"the MLP kernel cannot run this step: {reason}")
        assert isinstance(step, TrainingStep)
        assert isinstance(step.model, MLP)
        assert isinstance(batches, ArrayBatches)
        self.step, self.table = step, Table(batches)
        self.depth = len(step.model.layers)
        self.relu = step.model.activation == "relu"
        self.squares = step.loss is LOSSES["mse"]

    @torch.no_grad()
    def apply(self, state: State, indices: Sequence[int], before: int) -> State:
        """Return the state after the maps ``indices``."""
        if not len(indices):
            return state
        self.table.grow(max(indices))
        parameters = {name: value.clone() for name, value in state["parameters"].items()}
        weights = [parameters[f"layers.{k}.weight"] for k in range(self.depth)]
        biases = [parameters[f"layers.{k}.bias"] for k in range(self.depth)]
        optimizer = self.step.optimizer
        steady, h = optimizer.schedule.constant, optimizer.learning_rate
        work = _Work(weights, biases, rows=self.table.inputs.shape[1])
        inputs, targets = self.table.inputs.unbind(), self.table.targets.unbind()
        for t, i in enumerate(indices, before + 1):
            if not steady:
                h = optimizer.rate(t, i)
            self._once(inputs[i - 1], targets[i - 1], work, h)
        return {"parameters": parameters, "buffers": {}, "optimizer": {}}

    def _once(self, x: torch.Tensor, y: torch.Tensor, work: _Work, h: float) -> None:
        last = self.depth - 1
        below = x
        for k in range(self.depth):
            torch.addmm(work.biases[k], below, work.turned[k], out=work.values[k])
            below = work.values[k]
            if k < last:
                below.relu_() if self.relu else below.tanh_()
        error = work.errors[last]
        if self.squares:
            torch.sub(below, y, out=error).mul_(2 / y.numel())
        else:
            torch.softmax(below, 1, out=error)
            error[work.rows, y] -= 1
            error.mul_(1 / len(y))
        for k in range(last, -1, -1):
            if k:
                below, under = work.values[k - 1], work.errors[k - 1]
                torch.mm(work.errors[k], work.weights[k], out=under)
                if self.relu:
                    torch.ops.aten.threshold_backward.grad_input(under, below, 0, grad_input=under)
                else:
                    torch.ops.aten.tanh_backward.grad_input(under, below, grad_input=under)
            else:
                below = x
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
