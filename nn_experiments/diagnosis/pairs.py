"""Pairs of states held at a small distance, and the jumps between the two of a pair.

A pair grows at the top exponent as long as no kink lies between its two states. Where a step jumps at a kink (row 79
of the audit of statements), a pair is thrown apart however small it is, and its derivative knows nothing of it. So the
growth of pairs at the distance that matters is measured beside that of the derivative, and where they differ, a
bisection tells a jump from a merely steep map.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import torch

from nn_experiments.engine.kernels.mlp import Kernel
from nn_experiments.training.batches import BatchLike
from nn_experiments.training.rng import generator
from nn_experiments.training.rounding import as_double
from nn_experiments.training.step import State, Step
from nn_experiments.training.trees import widened

__all__ = ["Pair", "difference", "jump", "norm"]

#: The segment between two states is cut into so many pieces, and the one over which a step moves most is halved so
#: many times: a map with a Lipschitz constant below `STEEP` then moves its end points by less than `STEEP` pieces.
PIECES, HALVINGS, STEEP = 8, 24, 1e4
#: A jump counts if it is at least this share of the distance of the two states.
SEEN = 1e-3


def norm(state: State) -> float:
    """Return the Euclidean norm of the parameters."""
    return math.sqrt(sum(float(widened(value).square().sum()) for value in state["parameters"].values()))


def _between(first: State, second: State, factor: float) -> State:
    """Return first + factor · (second − first) in all parameters and memory; buffers and counters are those of first.

    What the memory of an optimizer has in common, being at least 0 in every entry, it keeps (second moments).
    """
    state: State = {part: dict(values) for part, values in first.items()}
    for part in ("parameters", "optimizer"):
        for name, value in first.get(part, {}).items():
            other = second.get(part, {}).get(name)
            if not (value.is_floating_point() or value.is_complex()) or other is None:
                continue
            moved = value + factor * (other - value)
            if part == "optimizer" and value.numel() and not value.is_complex() and bool((value >= 0).all()):
                moved = moved.clamp(min=0)
            state[part][name] = moved
    return state


def difference(first: State, second: State) -> float:
    """Return the Euclidean distance of the parameters."""
    parts = first["parameters"].items()
    return math.sqrt(
        sum(float((widened(second["parameters"][name]) - widened(value)).square().sum()) for name, value in parts)
    )


def _normal(rng: np.random.Generator, like: torch.Tensor) -> np.ndarray:
    """Return independent standard normal numbers for all entries of a tensor, for both parts of complex ones."""
    shape = tuple(like.shape)
    return (
        rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
        if like.is_complex()
        else rng.standard_normal(shape)
    )


class Pair:
    """A state near another one, pulled back to a given distance again and again.

    Parameters
    ----------
    near
        The state beside which it begins.
    size
        The distance in the parameters, in a random direction.
    seed
        Of the direction.
    """

    def __init__(self, near: State, size: float, seed: int) -> None:
        self.seed, self.restarts, self.held = seed, 0, size
        self.state = self._beside(near, size)

    def _beside(self, near: State, size: float) -> State:
        rng = generator(self.seed, "pair", self.restarts)
        moves = {name: _normal(rng, value) for name, value in near["parameters"].items()}
        scale = size / math.sqrt(sum(float((abs(move) ** 2).sum()) for move in moves.values()))
        parameters = {
            name: value + torch.as_tensor(moves[name] * scale).to(value) for name, value in near["parameters"].items()
        }
        return {**near, "parameters": parameters}

    def advance(self, kernel: Kernel, indices: range, before: int) -> None:
        """Apply maps."""
        self.state = kernel.apply(self.state, indices, before)

    def renew(self, near: State, size: float) -> float:
        """Pull the pair back to a distance; return the logarithm of how far it had grown, in units of the last one.

        A distance that rounding has made 0 counts as one unit in the last place of the parameters.
        """
        apart = difference(near, self.state)
        units = max(torch.finfo(value.dtype).eps for value in near["parameters"].values())
        grown = math.log(max(apart, units * norm(near), 1e-300) / self.held) if self.held > 0 else math.nan
        if apart > 0 and math.isfinite(apart):
            self.state = _between(near, self.state, size / apart)
        else:
            self.restarts += 1
            self.state = self._beside(near, size)
        self.held = size
        return grown


def jump(step: Step, batch: BatchLike, t: int, first: State, second: State) -> float:
    """Return the size of the largest jump found by one map between two states, in units of their distance, or 0.

    Parameters
    ----------
    step, batch, t
        The map.
    first, second
        The two states. They are compared in float64 where the step allows it.

    Returns
    -------
    float
        How far the images of two points of the segment are apart that are 2^−24/8 of its length apart, if that is at
        least `SEEN`, and more than `STEEP` times the distance of the two points; else 0. NaN if rounding hides it.
    """
    one, two = as_double(first), as_double(second)
    try:
        return _bisected(lambda state: step(state, as_double(batch), t), one, two)
    except (RuntimeError, TypeError):  # a module with constants of its own type
        return _bisected(lambda state: step(state, batch, t), first, second)


def _bisected(image: Callable[[State], State], first: State, second: State) -> float:
    length = difference(first, second)
    units = max(torch.finfo(value.dtype).eps for value in first["parameters"].values())
    rounding = 100 * units * max(norm(first), 1e-300) / length if length else math.inf
    if not math.isfinite(length) or rounding > SEEN / 10:
        return math.nan
    ends = [(u / PIECES, image(_between(first, second, u / PIECES))) for u in range(PIECES + 1)]
    low, high = max(
        itertools.pairwise(ends), key=lambda pair: difference(pair[0][1], pair[1][1])
    )  # the piece over which the images move most
    for _ in range(HALVINGS):
        middle = (low[0] + high[0]) / 2
        half = middle, image(_between(first, second, middle))
        if difference(low[1], half[1]) >= difference(half[1], high[1]):
            high = half
        else:
            low = half
    moved = difference(low[1], high[1]) / length
    return moved if moved >= SEEN and moved > STEEP * max(high[0] - low[0], rounding / 100) else 0.0
