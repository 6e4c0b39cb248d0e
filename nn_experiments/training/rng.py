"""The randomness of a run: NumPy generators keyed by (seed, purpose, i). Torch's generators are never used."""

from __future__ import annotations

import zlib

import numpy as np

from contraction.arguments import check_integer

__all__ = ["generator"]


def generator(seed: int, purpose: str, *position: int) -> np.random.Generator:
    """Return the generator of one purpose (``"batch"``, ``"initial"``, …) at one position.

    Generators of different names are independent; the same name always gives the same numbers.
    """
    key = (zlib.crc32(purpose.encode()), *position)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(check_integer("the seed", seed), spawn_key=key)))
