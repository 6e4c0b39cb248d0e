"""The random numbers of a run: NumPy generators that are determined by (seed, purpose, i); torch's are never used."""

from __future__ import annotations

import zlib

import numpy as np

from contraction.arguments import check_integer

__all__ = ["generator"]


def generator(seed: int, purpose: str, *position: int) -> np.random.Generator:
    """Return the generator for a purpose (``"batch"``, ``"initial"``, …) at a position.

    The same arguments always give the same numbers; other arguments give independent ones.
    """
    key = (zlib.crc32(purpose.encode()), *position)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(check_integer("the seed", seed), spawn_key=key)))
