"""Backward increments θ_N − θ_n of SGD on a quadratic (Section 3.1): their coefficients, and cases of h, n and N."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from contraction.families import QuadraticSGD
from contraction.maps.iterates import backward_iterates
from contraction.statements.cases.exact_words import unit_noises
from contraction.statements.records import Tier

__all__ = ["coefficients", "increment_cases"]


def coefficients(family: QuadraticSGD, n: int, N: int) -> NDArray:
    """Return the coefficients, (N,), of the N noises in θ_N − θ_n from 0, read off the library's maps one by one."""
    rows = backward_iterates(unit_noises(family, N), 0.0, at=[n, N])[:, :, 0]
    return rows[:, 1] - rows[:, 0]


def increment_cases(rng: np.random.Generator, tier: Tier, farthest: float, replicas: int) -> Iterator[dict]:
    """Yield h on both sides of 1, n and N, each with this number of paths and with none (for the coefficients).

    |1-h| is between 0.3 and ``farthest``, so that θ_N − θ_n keeps ten digits.
    """
    for away in (0.3, 0.7, *rng.uniform(0.3, farthest, 2 if tier == "standard" else 40)):
        n, seed = int(rng.integers(0, 9)), int(rng.integers(2**31))
        h = float(1 + away * rng.choice([-1, 1]))
        case = {"h": h, "n": n, "N": n + int(rng.integers(1, 12)), "seed": seed}
        yield case | {"replicas": replicas}
        yield case | {"replicas": 0}
