"""The indices of the images of batch i, a pure function of (seed, i) (NumPy)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from contraction.arguments import check_choice, check_integer
from nn_experiments.training.choices import SAMPLING
from nn_experiments.training.rng import generator

__all__ = ["Sampler"]


@lru_cache(maxsize=16)
def _permutation(seed: int, batch_stream: str, epoch: int, population: int) -> np.ndarray:
    order = generator(seed, f"{batch_stream} epoch", epoch).permutation(population)
    order.setflags(write=False)
    return order


@dataclass(frozen=True)
class Sampler:
    """Indices of the images of batch B_i, i = 1, 2, … .

    Attributes
    ----------
    sampling
        ``iid``: every image is drawn independently and uniformly, with replacement. ``reshuffle``: each epoch has a
        new permutation, and its batches are disjoint (a remainder smaller than a batch is dropped).
        ``shuffle_once``: every epoch has the permutation of the first one.
    batch_size, population, seed
        Number of images per batch, number of images to draw from, and the seed of the run.
    batch_stream
        Another name gives independent batches of the same law, for the distance of two runs (default: ``batch``).

    Notes
    -----
    Forward and backward iterates agree in law at every n under ``iid`` and ``shuffle_once``; under
    ``reshuffle`` within the first epoch and at its multiples only (Theorem 2.6, audited).
    """

    sampling: str
    batch_size: int
    population: int
    seed: int
    batch_stream: str = "batch"

    def __post_init__(self) -> None:
        """Check every field."""
        check_choice("sampling", self.sampling, SAMPLING)
        check_integer("the seed", self.seed)
        check_integer("batch_size", self.batch_size, 1)
        check_integer("the number of examples", self.population, 1)
        if self.sampling != "iid" and self.batch_size > self.population:
            raise ValueError(f"a batch of {self.batch_size} cannot be cut from {self.population} images")

    def __call__(self, i: int) -> np.ndarray:
        """Return the indices of B_i, (batch_size,) int64.

        Raises
        ------
        ValueError
            If i is not an integer of at least 1.
        """
        check_integer("the number of a batch", i, 1)
        if self.sampling == "iid":
            return generator(self.seed, self.batch_stream, int(i)).integers(self.population, size=self.batch_size)
        epoch, position = divmod(int(i) - 1, self.population // self.batch_size)
        if self.sampling == "shuffle_once":
            epoch = 0
        first = position * self.batch_size
        return _permutation(self.seed, self.batch_stream, epoch, self.population)[first : first + self.batch_size]

    def describe(self) -> dict[str, object]:
        """Return everything but the seed that the sequence of batches depends on; the run ID is a hash of it and more.

        The digest is a hash of the first indices for seed 0. It changes if NumPy's generators ever draw other numbers.
        """
        zero = Sampler(self.sampling, self.batch_size, self.population, 0)
        digest = hashlib.sha256(b"".join(zero(i).astype("<i8").tobytes() for i in (1, 2, 3)))
        return {
            "rule": self.sampling,
            "batch_size": self.batch_size,
            "population": self.population,
            "digest": digest.hexdigest()[:16],
        }
