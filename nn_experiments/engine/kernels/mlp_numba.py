"""The MLP kernel compiled by numba: one fused pass per layer, for small batches, so that weights stay in the cache."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

try:
    import numba  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("the compiled kernel needs numba (pip install numba)", name="numba") from error

from nn_experiments.engine.kernels import blocked
from nn_experiments.engine.kernels.compiling import compiled
from nn_experiments.engine.kernels.layers import Layers, layers_of, why_not_mlp_kernel
from nn_experiments.engine.kernels.mlp import ByHand, Table
from nn_experiments.training.batches import Batches, SampledBatches
from nn_experiments.training.step import State, Step, TrainingStep

__all__ = ["CompiledKernel"]


@compiled
def _forward_few(weight, bias, below, above, last, relu):  # pragma: no cover - compiled
    for j in range(below.shape[0]):
        for o in range(weight.shape[0]):
            total = bias[o]
            for k in range(weight.shape[1]):
                total += weight[o, k] * below[j, k]
            if not last:
                total = (total if total > 0 or total != total else bias.dtype.type(0)) if relu else np.tanh(total)
            above[j, o] = total


@compiled
def _output_error(outputs, numbers, labels, squares, error):  # pragma: no cover - compiled
    rows, width = outputs.shape
    for j in range(rows):
        if squares:
            for o in range(width):
                error[j, o] = (outputs[j, o] - numbers[j, o]) * (2 / (rows * width))
        else:
            top = outputs[j, 0]
            for o in range(width):
                top = max(top, outputs[j, o])
            total = outputs.dtype.type(0)
            for o in range(width):
                error[j, o] = np.exp(outputs[j, o] - top)
                total += error[j, o]
            for o in range(width):
                error[j, o] = error[j, o] / total / rows
            error[j, labels[j]] -= outputs.dtype.type(1) / rows


@compiled
def _backward_few(weight, bias, below, error, under, first, relu, h):  # noqa: C901 - one fused pass  # pragma: no cover
    """Read each row of the weights once: its share of the error below with the old values, then its update."""
    rows = error.shape[0]
    if not first:
        under[:] = 0
    for o in range(weight.shape[0]):
        change = bias.dtype.type(0)
        for j in range(rows):
            delta = error[j, o]
            if delta != 0:  # a ReLU that is off: nothing to pass on and nothing to change
                if not first:
                    for k in range(weight.shape[1]):
                        under[j, k] += delta * weight[o, k]
                change += delta
        bias[o] -= h * change
        for j in range(rows):
            delta = h * error[j, o]
            if delta != 0:
                for k in range(weight.shape[1]):
                    weight[o, k] -= delta * below[j, k]
    if not first:
        blocked.through_activation(below, under, relu)


@compiled
def _run_few(weights, biases, inputs, numbers, labels, which, rates, squares, relu, work, errors):  # pragma: no cover
    depth = len(weights)
    for s in range(len(which)):
        batch = which[s]
        h = rates[s]
        for k in range(depth):
            _forward_few(weights[k], biases[k], work[k - 1] if k else inputs[batch], work[k], k == depth - 1, relu)
        _output_error(work[depth - 1], numbers[batch], labels[batch], squares, errors[depth - 1])
        for k in range(depth - 1, -1, -1):
            below = work[k - 1] if k else inputs[batch]
            under = errors[k - 1] if k else errors[0]
            _backward_few(weights[k], biases[k], below, errors[k], under, k == 0, relu, h)


@compiled
def _run_many(weights, biases, inputs, numbers, labels, which, rates, squares, relu, work, errors):  # pragma: no cover
    depth = len(weights)
    for s in range(len(which)):
        batch = which[s]
        h = rates[s]
        for k in range(depth):
            blocked.forward(weights[k], biases[k], work[k - 1] if k else inputs[batch], work[k], k == depth - 1, relu)
        _output_error(work[depth - 1], numbers[batch], labels[batch], squares, errors[depth - 1])
        for k in range(depth - 1, -1, -1):
            below = work[k - 1] if k else inputs[batch]
            under = errors[k - 1] if k else errors[0]
            blocked.backward(weights[k], biases[k], below, errors[k], under, k == 0, relu, h)


class CompiledKernel(ByHand):
    """SGD on an MLP in compiled loops; equal to `MLPKernel` to rounding."""

    name = "compiled"

    def __init__(self, step: Step, batches: Batches) -> None:
        reason = why_not_mlp_kernel(step, batches)
        if reason:
            raise TypeError(f"the compiled kernel cannot run this step: {reason}")
        known = layers_of(step, batches)
        assert isinstance(known, Layers)  # otherwise why_not_mlp_kernel returns a reason
        assert isinstance(step, TrainingStep)
        assert isinstance(batches, SampledBatches)
        self.step: TrainingStep = step
        self.batches, self.layers = batches, known
        self.table = Table(batches, outputs=len(step.model.get_parameter(known.names[-1][1])))

    def _run(self, state: State, indices: Sequence[int], before: int) -> State:
        self.table.grow(max(indices), state["parameters"][self.layers.names[0][0]].dtype)
        parameters = {name: value.clone() for name, value in state["parameters"].items()}
        weights = tuple(parameters[name].numpy() for name, _ in self.layers.names)
        biases = tuple(parameters[name].numpy() for _, name in self.layers.names)
        dtype, rows = weights[0].dtype, self.table.inputs.shape[1]
        work = tuple(np.empty((rows, w.shape[0]), dtype) for w in weights)
        errors = tuple(np.empty_like(z) for z in work)
        batches = np.fromiter(indices, np.int64, len(indices)) - 1
        rate = self.step.optimizer.rate
        rates = np.array([rate(t, i) for t, i in enumerate(indices, before + 1)], dtype)
        inputs, targets = self.table.inputs.numpy(), self.table.targets.numpy()
        squares, relu = self.layers.squares, self.layers.relu
        numbers = targets if squares else np.empty((len(targets), 0, 0), dtype)
        labels = np.empty((len(targets), 0), np.int64) if squares else targets
        run = _run_few if rows < 4 else _run_many
        run(weights, biases, inputs, numbers, labels, batches, rates, squares, relu, work, errors)
        return {"parameters": parameters, "buffers": {}, "optimizer": {}}
