"""All parameters of a state in one vector, so that an optimizer's update is a few operations in place."""

from __future__ import annotations

import math

import torch

from nn_experiments.training.optimizers import Optimizer
from nn_experiments.training.step import State
from nn_experiments.training.trees import flatten

__all__ = ["FlatState"]


class FlatState:
    """A state whose parameters, gradients and optimizer memory are each one vector.

    Parameters
    ----------
    state
        The state; its tensors are copied. A state in which a step had no gradient for a parameter (``missed:name``)
        raises a ValueError.
    optimizer
        The optimizer whose step `update` takes.

    Attributes
    ----------
    parameters, slopes
        Views of the vectors, by name; the gradients are written into ``slopes``.
    """

    def __init__(self, state: State, optimizer: Optimizer) -> None:
        memory = state.get("optimizer", {})
        missed = [key for key in memory if key.startswith("missed:")]
        if missed:
            raise ValueError(f"a state with {missed[0]} is for engine='step'")
        self.optimizer, self.names = optimizer, list(state["parameters"])
        values = list(state["parameters"].values())
        self.shapes, self.sizes = [v.shape for v in values], [v.numel() for v in values]
        self.vector = flatten(v.detach() for v in values)
        self.gradient = torch.empty_like(self.vector)
        self.memory = {}
        for slot in optimizer.slots:
            if f"{slot}:{self.names[0]}" in memory:
                self.memory[slot] = flatten(memory[f"{slot}:{name}"] for name in self.names)
            else:
                self.memory[slot] = torch.zeros_like(self.vector)
        self.parameters, self.slopes = self._views(self.vector), self._views(self.gradient)

    def _views(self, vector: torch.Tensor) -> dict[str, torch.Tensor]:
        parts = zip(self.names, vector.split(self.sizes), self.shapes, strict=True)
        return {name: part.view(shape) for name, part, shape in parts}

    def update(self, rate: float, t: int) -> None:
        """Take the optimizer's step at position t from the gradients in ``slopes``, which are overwritten."""
        rule, g = self.optimizer, self.gradient
        if rule.weight_decay and rule.method != "adamw":
            g.add_(self.vector, alpha=rule.weight_decay)
        if rule.method == "momentum":
            velocity = self.memory["velocity"].mul_(rule.momentum).add_(g)
            g = g.add_(velocity, alpha=rule.momentum) if rule.nesterov else velocity
        if rule.method in ("sgd", "momentum"):
            self.vector.add_(g, alpha=-rate)
            return
        a, b = rule.betas
        if rule.method == "adamw":
            self.vector.mul_(1 - rate * rule.weight_decay)
        first = self.memory["first"].lerp_(g, 1 - a)
        second = self.memory["second"].mul_(b).addcmul_(g, g, value=1 - b)
        scale = torch.sqrt(second, out=g).div_(math.sqrt(1 - b**t)).add_(rule.eps)
        self.vector.addcdiv_(first, scale, value=-rate / (1 - a**t))

    def state(self) -> State:
        """Return the current state, in new tensors."""
        slots = {}
        for slot, vector in self.memory.items():
            slots |= {f"{slot}:{name}": value.clone() for name, value in self._views(vector).items()}
        return {
            "parameters": {name: value.clone() for name, value in self.parameters.items()},
            "buffers": {},
            "optimizer": slots,
        }
