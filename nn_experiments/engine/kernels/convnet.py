"""Convolutional networks one chain at a time: channels last in memory, updates in place (CPU, one thread)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from nn_experiments.engine.kernels.im2col import ProductConvolution, replace_small
from nn_experiments.training.batches import Batch
from nn_experiments.training.step import State, TrainingStep

__all__ = ["ChannelsLastKernel", "convolutional"]


def convolutional(step: Any) -> bool:
    """Return whether a step trains a module with two-dimensional convolutions."""
    return isinstance(step, TrainingStep) and any(isinstance(m, nn.Conv2d) for m in step.model.modules())


def _last(value: torch.Tensor) -> torch.Tensor:
    return value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value


class ChannelsLastKernel:
    """A `TrainingStep` of any module on a copy of its own, whose tensors are the chain's state.

    Plain SGD changes the parameters in place, and small convolutions are matrix products; other rules go through
    `TrainingStep.update`. Running statistics are the copy's buffers: the forward pass moves them as it does in any
    training loop.
    """

    name = "channels_last"

    def __init__(self, step: TrainingStep, batches: Callable[[int], Any]) -> None:
        if not convolutional(step):
            raise TypeError("the channels-last kernel cannot run this step: it trains no module with convolutions")
        self.step, self.batches = step, batches
        self.model = copy.deepcopy(step.model)
        self.plain = step.optimizer.method == "sgd" and not step.optimizer.weight_decay
        self.products: dict[str, ProductConvolution] | None = None if self.plain else {}
        own = dict(self.model.named_parameters())
        self.parameters = {name: value for name, value in own.items() if value.requires_grad}
        constant = {name: value for name, value in own.items() if not value.requires_grad}
        self.buffers = constant | dict(self.model.named_buffers())

    def apply(self, state: State, indices: Sequence[int], before: int) -> State:
        """Return the state after the maps ``indices``."""
        if not len(indices):
            return state
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.data = _last(state["parameters"][name].detach()).clone()
            for name, value in self.buffers.items():
                value.copy_(state["buffers"][name])
            if self.products is None:
                first = self.batches(indices[0])
                with self.step.gradients.frozen(first):
                    self.products = replace_small(self.model, _last(first[0]))
                for name, value in self.buffers.items():  # the batch has moved the running statistics
                    value.copy_(state["buffers"][name])
        leaves: dict[str, torch.Tensor] = {**self.parameters}
        for name, product in self.products.items():
            if name in self.parameters:
                leaves[name] = product.taps = product.used(self.parameters[name]).requires_grad_()
            else:
                product.taps = product.used(self.buffers[name])
        memory = state.get("optimizer", {})
        for t, i in enumerate(indices, before + 1):
            memory = self._once(self.batches(i), t, memory, leaves)
        return {
            "parameters": {name: parameter.detach() for name, parameter in self.parameters.items()},
            "buffers": {name: value.detach().clone() for name, value in self.buffers.items()},
            "optimizer": memory,
        }

    def _once(
        self, batch: Any, t: int, memory: dict[str, torch.Tensor], leaves: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        step, values = self.step, list(leaves.values())
        with torch.enable_grad(), step.gradients.frozen(batch):
            loss = step.loss(self.model(_last(batch[0])), batch[1])
            gradients = torch.autograd.grad(loss, values, allow_unused=True, materialize_grads=True)
        rate = step.optimizer.rate(t, batch.index if isinstance(batch, Batch) else t)
        with torch.no_grad():
            if self.plain:
                torch._foreach_add_(values, gradients, alpha=-rate)  # pyright: ignore[reportPrivateImportUsage]
                return memory
            state: State = {"parameters": {**self.parameters}, "optimizer": memory}
            after = step.update(state, dict(zip(leaves, gradients, strict=True)), {}, rate, t)
            for name, parameter in self.parameters.items():
                parameter.data = after["parameters"][name]
            return after["optimizer"]
