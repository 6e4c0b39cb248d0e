"""The top Lyapunov exponent of training from derivatives: a tangent vector is carried along the forward path.

A step is an update of parameters and memory by the gradient g(θ). The derivative of the step in a direction (v, w) is
that of the update in the direction (v, w, Hv), where Hv, the derivative of g in the direction v, is found by
differentiating twice backward. All replicates are carried at once.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.func import functional_call, jvp, vmap

from nn_experiments.training.batches import Batches, BatchLike
from nn_experiments.training.rng import generator
from nn_experiments.training.scalar_loss import scalar
from nn_experiments.training.step import State, Step, TrainingStep
from nn_experiments.training.trees import stack_trees

__all__ = ["BURN", "Tangents", "exponents", "why_no_derivative"]

#: The first part of the path that turns the tangent and is not averaged over.
BURN = 0.25
#: Replicates are carried together while their parameters are not more than this many numbers.
TOGETHER = 2**24


def why_no_derivative(step: Step, state: State, batch: BatchLike) -> str | None:
    """Return why a step has no derivative that can be computed here, or None.

    Parameters
    ----------
    step, state, batch
        A state with its buffers, and a batch to try the step on.
    """
    if type(step) is not TrainingStep:
        return "the step is not one of SGD, momentum, Adam or AdamW on a module, and is not differentiated"
    assert isinstance(step, TrainingStep)  # for type checkers, which do not follow type(step)
    if step.gradients.random:
        return "the module has frozen randomness, which is not differentiated together for several replicates"
    dtypes = [value.dtype for value in state["parameters"].values()]
    other = [dtype for dtype in dtypes if dtype not in (torch.float32, torch.float64)]
    if other:
        return f"parameters are {other[0]}"
    if any(value.is_floating_point() for value in state.get("buffers", {}).values()) and _reads_buffers(
        step, state, batch
    ):
        return "the module reads buffers that its steps change, which the derivative leaves out"
    return None


def _reads_buffers(step: TrainingStep, state: State, batch: BatchLike) -> bool:
    """Return whether gradients depend on buffers that a step changes."""
    before = state["buffers"]
    slopes, after = step.gradients(state, batch)
    changed = {name: value for name, value in before.items() if not torch.equal(value, after[name])}
    other = {name: value * 1.5 + 0.5 if value.is_floating_point() else value for name, value in changed.items()}
    again, _ = step.gradients({**state, "buffers": before | other}, batch)
    return any(
        one is not None and two is not None and not torch.allclose(one, two, rtol=1e-3, atol=1e-6)
        for one, two in zip(slopes.values(), again.values(), strict=True)
    )


class Tangents:
    """A tangent vector on the path of each of several replicates.

    Parameters
    ----------
    step
        Of all replicates.
    states, batches, seeds
        One of each for every replicate.
    """

    def __init__(self, step: TrainingStep, states: Sequence[State], batches: Sequence[Batches], seeds: Sequence[int]):
        self.step, self.batches = step, batches
        parts = {part for state in states for part in state}
        self.state: State = {part: _stack([state.get(part, {}) for state in states]) for part in parts}
        self.vectors = {name: torch.zeros_like(value) for name, value in self._moving().items()}
        for name, value in self.state["parameters"].items():
            directions = [generator(seed, f"tangent {name}").standard_normal(tuple(value.shape[1:])) for seed in seeds]
            self.vectors[f"parameters/{name}"] = torch.from_numpy(np.stack(directions)).to(value)
        self._scale()

    def _moving(self) -> dict[str, torch.Tensor]:
        """Return the floating point tensors of parameters and memory."""
        return {
            f"{part}/{name}": value
            for part in ("parameters", "optimizer")
            for name, value in self.state.get(part, {}).items()
            if value.is_floating_point()
        }

    def _scale(self) -> torch.Tensor:
        """Make each tangent of length 1; return (R,) logarithms of the lengths."""
        rows = [value.double().unsqueeze(-1).flatten(1) for value in self.vectors.values()]  # a number has one axis
        squares = sum(row.square().sum(1) for row in rows)
        lengths = torch.as_tensor(squares).sqrt()
        safe = torch.where(lengths > 0, lengths, torch.ones_like(lengths))
        for name, value in self.vectors.items():
            self.vectors[name] = (value / safe.to(value).reshape(-1, *[1] * (value.ndim - 1))).to(value)
        return torch.log(lengths)

    def _slopes(self) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """Return gradients, their derivatives in the directions of the tangents, and the buffers afterwards."""
        gradients = self.step.gradients
        leaves = {name: value.detach().requires_grad_() for name, value in self.state["parameters"].items()}
        buffers = {name: value.clone() for name, value in self.state.get("buffers", {}).items()}

        def value_of(
            parameters: dict[str, torch.Tensor], held: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor
        ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
            values = {f"model.{name}": value for part in (parameters, held) for name, value in part.items()}
            value, after = functional_call(gradients.objective, values, (x, y, None))
            return scalar(value).reshape(()), {name: after.get(name, value) for name, value in held.items()}

        total, after = vmap(value_of)(leaves, buffers, self.inputs, self.targets)
        ends = list(leaves.values())
        slopes = torch.autograd.grad(total.sum(), ends, create_graph=True, allow_unused=True)
        if any(slope is None for slope in slopes):
            raise ValueError("the loss does not depend on all parameters")
        bent = [(slope, name) for slope, name in zip(slopes, leaves, strict=True) if slope.requires_grad]
        along = [self.vectors[f"parameters/{name}"] for _, name in bent]
        turned: Sequence[torch.Tensor | None] = [None] * len(ends)
        if bent:
            turned = torch.autograd.grad([slope for slope, _ in bent], ends, along, allow_unused=True)
        gradient = dict(zip(leaves, (slope.detach() for slope in slopes), strict=True))
        moved = {
            name: torch.zeros_like(gradient[name]) if value is None else value
            for name, value in zip(leaves, turned, strict=True)
        }
        return gradient, moved, {name: value.detach() for name, value in after.items()}

    def advance(self, i: int, t: int) -> torch.Tensor:
        """Apply map i at position t; return (R,) logarithms of how far the tangents have grown."""
        batches = [one(i) for one in self.batches]
        self.inputs = stack_trees([batch[0] for batch in batches])
        self.targets = stack_trees([batch[1] for batch in batches])
        slopes, turned, buffers = self._slopes()
        optimizer = self.step.optimizer
        fixed = {name: v for name, v in self.state.get("optimizer", {}).items() if not v.is_floating_point()}

        def update(moving: dict[str, torch.Tensor], slopes: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            memory = {name[10:]: value for name, value in moving.items() if name.startswith("optimizer/")} | fixed
            parameters = {name[11:]: value for name, value in moving.items() if name.startswith("parameters/")}
            state = {"parameters": parameters, "optimizer": memory}
            after = self.step.update(state, slopes, {}, optimizer.rate(t, i), t)
            return {f"{part}/{name}": v for part in ("parameters", "optimizer") for name, v in after[part].items()}

        with torch.no_grad():
            if optimizer.method in ("sgd", "momentum"):  # linear in parameters, memory and gradient together
                values, vectors = update(self._moving(), slopes), update(self.vectors, turned)
            else:
                with warnings.catch_warnings():  # torch's forward mode uses functions that torch has deprecated
                    warnings.simplefilter("ignore", DeprecationWarning)
                    both = jvp(update, (self._moving(), slopes), (self.vectors, turned))
                    values, vectors = cast("tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]", both)
        self.state = {"parameters": {}, "optimizer": {}, "buffers": buffers}
        for name, value in values.items():
            part, _, key = name.partition("/")
            self.state[part][key] = value
        # a square root at 0, as of a second moment that has never been moved, has no derivative; it is not moved
        self.vectors = {
            name: value.nan_to_num(0.0) if bool(torch.isfinite(values[name]).all()) else value
            for name, value in vectors.items()
            if values[name].is_floating_point()
        }
        return self._scale()


def _stack(values: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    return {name: torch.stack([one[name] for one in values]) for name in values[0]}


def exponents(
    step: TrainingStep,
    states: Sequence[State],
    batches: Sequence[Batches],
    seeds: Sequence[int],
    first: int,
    last: int,
) -> NDArray:
    """Return (R,) exponents per step: the mean growth of tangents over the maps first + 1 … last, less a first part.

    Parameters
    ----------
    step, states, batches, seeds
        As in `Tangents`; the states are those after ``first`` maps.
    first, last
        The first `BURN` of the maps between them is not averaged over.
    """
    size = sum(value.numel() for value in states[0]["parameters"].values())
    group = max(1, TOGETHER // max(size, 1))
    from_here = first + math.ceil(BURN * (last - first))
    growth = []
    for k in range(0, len(states), group):
        tangents = Tangents(step, states[k : k + group], batches[k : k + group], seeds[k : k + group])
        total = torch.zeros(len(states[k : k + group]), dtype=torch.float64)
        for i in range(first + 1, last + 1):
            grown = tangents.advance(i, i)
            if i > from_here:
                total = total + grown.cpu()
        growth.append(total.numpy() / (last - from_here))
    return np.concatenate(growth)
