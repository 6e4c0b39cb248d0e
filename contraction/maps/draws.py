"""Draws of maps as pure functions of a seed and an index, with or without replicas, and seeds derived from a seed."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from inspect import signature
from typing import Protocol

import numpy as np

from contraction.types import Draw

__all__ = [
    "LazyDraws",
    "ReplicaBlock",
    "derived_seed",
    "map_generator",
    "one_of",
    "sub_sequence",
    "takes",
    "takes_size",
]

CACHED_BYTES = 256 * 2**20

#: Purpose of random numbers other than the maps -> the number that makes their stream independent of all others.
PURPOSES = {
    "bootstrap": 0x11,
    "word": 0x1D,
    "starts": 0x5C,
    "horizons": 0x61,
    "copies": 0x62,
    "blocks of words": 0xA7,
    "fresh starts": 0xC0,
    "coupling from the past": 0xCF,
    "mean square": 0x4D53,
    "enclosures": 0xBA11,
    "displacements": 0xD15A,
    "declarations": 0xDEC1,
    "overrides": 0x0DE1,
    "overridden moments": 0x0DE2,
    "overridden region": 0x0DE3,
    "noise": 0x015E,
    "loss": 0x1055,
    "label noise": 0x1ABE,
}


class _Family(Protocol):
    def draw_block(self, rng: np.random.Generator, replicas: int | None) -> Draw: ...


def map_generator(seed: int, i: int) -> np.random.Generator:
    """Return the generator that draws map i (0-based): a pure function of (seed, i)."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, i))))


def sub_sequence(seed: int, purpose: str, *position: int) -> np.random.SeedSequence:
    """Return the seed sequence of a purpose (a key of ``PURPOSES``) at a position; no map is drawn from it."""
    return np.random.SeedSequence(seed, spawn_key=(PURPOSES[purpose], *position))


def derived_seed(seed: int, purpose: str, *position: int) -> int:
    """Return a 64-bit seed for a purpose (a key of ``PURPOSES``) at a position."""
    return int(sub_sequence(seed, purpose, *position).generate_state(1, np.uint64)[0])


def takes_size(draw: Callable) -> bool:
    """Whether a drawing function has an argument named ``size``."""
    try:
        return "size" in signature(draw).parameters
    except (TypeError, ValueError):  # builtins without a signature
        return False


def takes(function: Callable, count: int) -> bool:
    """Whether a function can be called with so many positional arguments; True where its signature is unknown."""
    try:
        signature(function).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:  # builtins without a signature
        return True
    return True


def one_of(many: Draw, r: int, size: int) -> Draw:
    """Return draw r of stacked draws: row r of an array, or of each array of a tuple or a dictionary.

    Raises
    ------
    ValueError
        If an array does not have ``size`` draws along its first axis.
    """
    if isinstance(many, dict):
        return {key: one_of(value, r, size) for key, value in many.items()}
    if isinstance(many, tuple):
        return tuple(one_of(value, r, size) for value in many)
    if np.ndim(many) == 0 or len(many) != size:
        raise ValueError(f"draw(rng, size) must give size = {size} draws along the first axis, got {np.shape(many)}")
    return many[r]


class ReplicaBlock(list):
    """The draws of one map for all replicas, for an ``apply`` that takes one draw at a time."""


class LazyDraws(Sequence):
    """Lazy draws: draw i is made from its own generator on access, and cached if all draws fit in a fixed memory."""

    def __init__(self, family: _Family, n: int, seed: int, replicas: int | None) -> None:
        self.family, self.n, self.seed, self.replicas = family, n, seed, replicas
        self._kept: dict[int, Draw] = {}
        self._keep: bool | None = None

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int | slice) -> Draw:
        """Return draw i, from the end if i is negative, or a list of draws for a slice."""
        if isinstance(i, slice):
            return [self[j] for j in range(self.n)[i]]
        i = range(self.n)[operator.index(i)]
        if i in self._kept:
            return self._kept[i]
        draw = self.family.draw_block(map_generator(self.seed, i), self.replicas)
        if self._keep is None:
            self._keep = _nbytes(draw) * self.n <= CACHED_BYTES
        if self._keep:
            self._kept[i] = draw
        return draw


def _nbytes(draw: Draw) -> int:
    if isinstance(draw, np.ndarray):
        return draw.nbytes
    if isinstance(draw, dict):
        draw = list(draw.values())
    return sum(map(_nbytes, draw)) if isinstance(draw, list | tuple) else 64
