"""Convolutional networks one chain at a time: channels last in memory, updates in place (CPU, one thread)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TypeGuard, cast

import torch
from torch import nn

from nn_experiments.engine.gpu import device_is_lost, out_of_memory
from nn_experiments.engine.kernels.im2col import ProductConvolution, replace_small
from nn_experiments.engine.kernels.mlp import StepKernel
from nn_experiments.training.batches import Batch, Batches, BatchLike
from nn_experiments.training.inputs import call
from nn_experiments.training.own_loop_reasons import hook_of
from nn_experiments.training.scalar_loss import scalar
from nn_experiments.training.step import State, Step, TrainingStep

__all__ = ["ChannelsLastKernel", "convolutional"]


def convolutional(step: Step) -> TypeGuard[TrainingStep]:
    """Return whether a step trains a module with two-dimensional convolutions, without hooks."""
    if type(step) is not TrainingStep or hook_of(step.model):
        return False
    return any(isinstance(m, nn.Conv2d) for m in step.model.modules())


def _last(value: torch.Tensor) -> torch.Tensor:
    """Return images with channels last in memory, and other inputs, which need not be tensors, as they are."""
    if isinstance(value, torch.Tensor) and value.dim() == 4:
        return value.contiguous(memory_format=torch.channels_last)
    return value


def _copied(model: nn.Module) -> nn.Module:
    """Return a copy of a module whose parameters share the numbers, to be replaced, of the module's own."""
    shared = {
        id(p): nn.Parameter(p.detach(), requires_grad=p.requires_grad)
        for p in model.parameters()
        if type(p) is nn.Parameter and not vars(p)
    }
    return copy.deepcopy(model, cast(dict[int, object], shared))


class ChannelsLastKernel:
    """A `TrainingStep` of any module, on a copy of the module whose tensors are the chain's state.

    Plain SGD changes the parameters in place, and small convolutions are matrix products; other optimizers go through
    `TrainingStep.update`. Running statistics are the buffers of the copy, which the forward pass updates.

    Attributes
    ----------
    refused
        None, or why the step itself is used from now on: the module's code does not allow channels last in memory (such
        as ``x.view(…)`` after a convolution), or a convolution was called in another way than on the first batch.
    """

    name = "channels_last"
    refused: str | None = None

    def __init__(self, step: Step, batches: Batches) -> None:
        if not convolutional(step):
            raise TypeError("the channels-last kernel cannot run this step: it trains no module with convolutions")
        self.step, self.batches = step, batches
        self.model = _copied(step.model)
        self.plain = step.optimizer.is_plain_sgd
        self.replaced: dict[str, ProductConvolution] | None = None if self.plain else {}
        named = dict(self.model.named_parameters())
        self.parameters = {name: value for name, value in named.items() if value.requires_grad}
        self.constant = {name: value for name, value in named.items() if not value.requires_grad}
        known = {id(value): name for name, value in self.model.named_buffers()}
        self.buffers = [
            (module, key, known[id(value)])
            for module in self.model.modules()
            for key, value in module._buffers.items()
            if value is not None
        ]

    def apply(self, state: State, indices: Sequence[int], before: int) -> State:
        """Return the state after the maps ``indices``."""
        if not len(indices):
            return state
        if self.refused is None:
            try:
                return self._run(state, indices, before)
            except RuntimeError as error:  # the module's own code does not accept channels last
                if out_of_memory(error) or device_is_lost(error):
                    raise
                reason = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        else:
            reason = self.refused
        end = StepKernel(self.step, self.batches).apply(state, indices, before)
        self.refused = reason  # set only now: an error of the module itself is raised by the step above
        return end

    def _run(self, state: State, indices: Sequence[int], before: int) -> State:
        for name, parameter in self.parameters.items():
            parameter.data = _last(state["parameters"][name].detach()).clone()
        for name, parameter in self.constant.items():
            parameter.data = state["buffers"][name].detach().clone()
        self._put_buffers(state)
        if self.replaced is None:
            first = self.batches(indices[0])
            with self.step.gradients.frozen(first):
                self.replaced = replace_small(
                    self.model, _last(first[0]), finish=lambda outputs: self.step.loss(outputs, first[1])
                )
            self._put_buffers(state)  # the batch has moved the running statistics
        leaves: dict[str, torch.Tensor] = {**self.parameters}
        for name, product in self.replaced.items():
            if name in self.parameters:
                leaves[name] = product.taps = product.used(self.parameters[name]).requires_grad_()
            else:
                product.taps = product.used(self.constant[name])
        memory = state.get("optimizer", {})
        for t, i in enumerate(indices, before + 1):
            memory = self._once(self.batches(i), t, memory, leaves)
        buffers = {name: value.detach().clone() for name, value in self.model.named_buffers()}
        constant = {name: value.detach().clone() for name, value in self.constant.items()}
        return {
            "parameters": {name: parameter.detach() for name, parameter in self.parameters.items()},
            "buffers": {name: (buffers | constant)[name] for name in state["buffers"]},
            "optimizer": memory,
        }

    def _put_buffers(self, state: State) -> None:
        """Set the module's buffers to copies of a state's buffers; a forward pass may have replaced them."""
        fresh: dict[str, torch.Tensor] = {}
        for module, key, name in self.buffers:
            if name not in fresh:
                fresh[name] = state["buffers"][name].detach().clone()
            module._buffers[key] = fresh[name]

    def _once(
        self, batch: BatchLike, t: int, memory: dict[str, torch.Tensor], leaves: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        step, values = self.step, list(leaves.values())
        for product in (self.replaced or {}).values():
            product.calls = 0
        with torch.enable_grad(), step.gradients.frozen(batch):
            loss = scalar(step.loss(cast(torch.Tensor, call(self.model, _last(batch[0]))), batch[1]))
            gradients = torch.autograd.grad(loss, values, allow_unused=True, materialize_grads=self.plain)
        rate = step.optimizer.rate(t, batch.index if isinstance(batch, Batch) else t)
        with torch.no_grad():
            if self.plain:
                torch._foreach_add_(values, gradients, alpha=-rate)  # pyright: ignore[reportPrivateImportUsage]
                return memory
            state: State = {"parameters": {**self.parameters}, "optimizer": memory}
            after = step.update(state, dict(zip(leaves, gradients, strict=True)), {}, rate, t)
            for name, parameter in self.parameters.items():
                parameter.data = after["parameters"][name].detach()
            return after["optimizer"]
