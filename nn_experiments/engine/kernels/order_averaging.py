"""The regularised step of D.2 on linear layers by hand: gradients of c parts, then their Hessian-vector products.

With v_i = G − g_i, G = Σ g_j, the term Σ_{i≠j} V_i'V_j is Σ_i H_i v_i. Each product is one pass of the R-operator
(Pearlmutter, 1994), R{·} the derivative along v_i, on the values and errors that the gradient has left behind; with
layers z_k = W_k a_{k−1} + b_k, a_k = f(z_k), errors δ_k = ∂L/∂z_k, and (V_k, u_k) the part of v_i for layer k:

    R{z_k} = W_k R{a_{k−1}} + V_k a_{k−1} + u_k,     R{a_k} = f'(z_k) R{z_k}
    R{δ_{k−1}} = f'(z_{k−1}) (W_kᵀ R{δ_k} + V_kᵀ δ_k) + f''(z_{k−1}) R{z_{k−1}} W_kᵀ δ_k
    H_i v_i in W_k = R{δ_k} a_{k−1}ᵀ + δ_k R{a_{k−1}}ᵀ, summed over the examples

Multiplications, in products of a batch with the weights of one layer: a gradient takes 3 (2 for the first layer, whose
inputs have no error), the Hessian-vector products 6 (2 for the first layer), whatever c is. That is 2.8 plain steps in
all for 784-5×500-10, a bound for exact products that are not cut into smaller ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from nn_experiments.engine.kernels.layers import Layers, layers_of
from nn_experiments.engine.kernels.mlp import ByHand, one_batch
from nn_experiments.training.batches import Batches, SampledBatches
from nn_experiments.training.order_averaging import OrderAveragingStep
from nn_experiments.training.step import State
from nn_experiments.training.trees import flatten

__all__ = ["OrderAveragingKernel", "why_not_order_averaging"]


def why_not_order_averaging(step: OrderAveragingStep, batches: Batches) -> str | None:
    """Return None if the kernel can run a regularised step, else the reason why not."""
    layers = layers_of(step.plain, batches)
    if isinstance(layers, str):
        return layers
    rows = len(batches(1)[0])
    return f"a batch of {rows} cannot be cut into {step.c} equal parts" if rows % step.c else None


class OrderAveragingKernel(ByHand):
    """`OrderAveragingStep` for linear layers with ReLU or tanh between them; equal to the step's autograd to rounding.

    Raises
    ------
    TypeError
        If the step's module, loss or batches are of another kind, with the reason.
    """

    name = "order_averaging"

    def __init__(self, step: OrderAveragingStep, batches: Batches) -> None:
        reason = why_not_order_averaging(step, batches)
        if reason:
            raise TypeError(f"the order-averaging kernel cannot run this step: {reason}")
        layers = layers_of(step.plain, batches)
        assert isinstance(layers, Layers)  # why_not_order_averaging has seen to it
        assert isinstance(batches, SampledBatches)
        self.step: OrderAveragingStep = step
        self.batches: SampledBatches = batches
        self.layers = layers
        self.outputs = len(step.plain.model.get_parameter(layers.names[-1][1]))

    def _run(self, state: State, indices: Sequence[int], before: int) -> State:
        names = [name for pair in self.layers.names for name in pair]
        vector = flatten(state["parameters"][name].detach() for name in names)
        shapes = [state["parameters"][name].shape for name in names]
        work = _Work(vector, shapes, rows=len(self.batches(indices[0])[0]), parts=self.step.c)
        for i in indices:
            x, y = one_batch(self.batches, i, vector.dtype, outputs=self.outputs)
            self._once(x, y, work)
        moved = dict(zip(names, work.views(work.vector), strict=True))
        return {**state, "parameters": {name: moved[name].clone() for name in state["parameters"]}}

    def _once(self, x: torch.Tensor, y: torch.Tensor, work: _Work) -> None:
        """Change the parameters by one regularised step."""
        c, rate, lam = self.step.c, self.step.rate, self.step.lam
        self._gradients(x, y, work)
        if self.step.single_order:  # v_i = g_1 + … + g_{i−1}
            total = work.total.copy_(work.gradients[0])
            work.gradients[0].zero_()
            for gradient in work.gradients[1:]:
                total.add_(gradient)
                torch.sub(total, gradient, out=gradient)
        else:
            total = torch.sum(work.gradients, 0, out=work.total)
            torch.sub(total, work.gradients, out=work.gradients)
        if lam:
            for i in range(c):
                if i or not self.step.single_order:
                    self._forward_along(x, work, i)
                    self._backward_along(work, i)
        total.mul_(-rate / c)
        if lam:
            skipped = work.rows[0].stop if self.step.single_order else 0
            for k, (weight, bias) in enumerate(work.layers(total)):
                below, along = work.below(x, k), work.values_along[k - 1] if k else None
                error_along = work.errors_along[k][skipped:]
                weight.addmm_(error_along.t(), below[skipped:], alpha=lam)
                if along is not None:
                    weight.addmm_(work.errors[k][skipped:].t(), along[skipped:], alpha=lam)
                bias.add_(error_along.sum(0), alpha=lam)
        work.vector.add_(total)

    def _gradients(self, x: torch.Tensor, y: torch.Tensor, work: _Work) -> None:
        """Write values and errors of the whole batch, and the gradient of each part's mean loss."""
        last = self.layers.depth - 1
        for k, (weight, bias) in enumerate(work.parameters):
            z = torch.addmm(bias, work.below(x, k), weight.t(), out=work.values[k])
            if k < last:
                z.relu_() if self.layers.relu else z.tanh_()
        error, count = work.errors[last], len(y) // self.step.c
        if self.layers.squares:
            torch.sub(work.values[last], y, out=error).mul_(2 / (count * self.outputs))
        else:
            torch.softmax(work.values[last], 1, out=work.chances)
            error.copy_(work.chances)
            error[work.numbers, y] -= 1
            error.mul_(1 / count)
        for k in range(last, 0, -1):
            under = torch.mm(work.errors[k], work.parameters[k][0], out=work.errors[k - 1])
            self._slope(under, work.values[k - 1])
        for i, rows in enumerate(work.rows):
            for k, (weight, bias) in enumerate(work.layers(work.gradients[i])):
                error = work.errors[k][rows]
                torch.mm(error.t(), work.below(x, k)[rows], out=weight)
                torch.sum(error, 0, out=bias)

    def _forward_along(self, x: torch.Tensor, work: _Work, i: int) -> None:
        """Write R{a_k} of part i, along what is in its gradient's place; of the last layer, R{z}."""
        rows, last = work.rows[i], self.layers.depth - 1
        for k, (weight, bias) in enumerate(work.layers(work.gradients[i])):
            z = torch.addmm(bias, work.below(x, k)[rows], weight.t(), out=work.values_along[k][rows])
            if k:
                z.addmm_(work.values_along[k - 1][rows], work.parameters[k][0].t())
            if k < last:
                self._slope(z, work.values[k][rows])

    def _backward_along(self, work: _Work, i: int) -> None:
        """Write R{δ_k} of part i."""
        rows, last = work.rows[i], self.layers.depth - 1
        count = rows.stop - rows.start
        along, error = work.values_along[last][rows], work.errors_along[last][rows]
        if self.layers.squares:
            torch.mul(along, 2 / (count * self.outputs), out=error)
        else:
            chances = work.chances[rows]
            torch.mul(chances, along, out=error)
            error.sub_(chances * error.sum(1, keepdim=True)).mul_(1 / count)
        directions = work.layers(work.gradients[i])
        for k in range(last, 0, -1):
            under = torch.mm(work.errors_along[k][rows], work.parameters[k][0], out=work.errors_along[k - 1][rows])
            under.addmm_(work.errors[k][rows], directions[k][0])
            value = work.values[k - 1][rows]
            self._slope(under, value)
            if not self.layers.relu:  # f'' = −2 f f' for tanh: f'' R{z} Wᵀδ = −2 f R{a} Wᵀδ, and δ has a factor f'
                pulled = torch.mm(work.errors[k][rows], work.parameters[k][0])
                under.sub_(pulled.mul_(value).mul_(work.values_along[k - 1][rows]), alpha=2)

    def _slope(self, under: torch.Tensor, value: torch.Tensor) -> None:
        """Multiply by the slope of the activation, in place."""
        if self.layers.relu:
            torch.ops.aten.threshold_backward.grad_input(under, value, 0, grad_input=under)
        else:
            torch.ops.aten.tanh_backward.grad_input(under, value, grad_input=under)


class _Work:
    """The parameters as one vector, and the tensors that a chain writes into."""

    def __init__(self, vector: torch.Tensor, shapes: list[torch.Size], *, rows: int, parts: int) -> None:
        self.vector, self.shapes = vector, shapes
        self.sizes = [shape.numel() for shape in shapes]
        self.parameters = self.layers(vector)
        self.gradients, self.total = vector.new_empty(parts, len(vector)), torch.empty_like(vector)
        widths = [len(bias) for _, bias in self.parameters]
        self.values, self.errors, self.values_along, self.errors_along = (
            [vector.new_empty(rows, width) for width in widths] for _ in range(4)
        )
        self.chances = vector.new_empty(rows, widths[-1])
        self.numbers = torch.arange(rows)
        size = rows // parts
        self.rows = [slice(i * size, (i + 1) * size) for i in range(parts)]

    def views(self, vector: torch.Tensor) -> list[torch.Tensor]:
        """Return a vector's parts in the shapes of weight, bias, weight, …, as views."""
        return [part.view(shape) for part, shape in zip(vector.split(self.sizes), self.shapes, strict=True)]

    def layers(self, vector: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return a vector's parts as (weight, bias) of each layer."""
        views = self.views(vector)
        return list(zip(views[::2], views[1::2], strict=True))

    def below(self, x: torch.Tensor, k: int) -> torch.Tensor:
        """Return what layer k reads: the inputs, or the values of the layer below."""
        return self.values[k - 1] if k else x
