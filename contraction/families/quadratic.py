"""Section 3.1: SGD on L(theta) = |theta|^2 / 2 with additive gradient noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contraction.constants import Constant
from contraction.families.noise import Gaussian, Noise
from contraction.operators import AffineMaps, RandomOperator
from contraction.spaces import Euclidean

__all__ = ["QuadraticSGD"]


class QuadraticSGD(RandomOperator):
    """T(theta) = (1 - h) theta + h epsilon on R^d (Section 3.1).

    Lipschitz constant exactly |1 - h|: a contraction iff 0 < h < 2 (the paper prints "theta in (0, 1)").

    Parameters
    ----------
    h
        Learning rate, any finite number: whether the theorem's hypotheses hold is for `certify` to say.
    noise
        Law of each coordinate of epsilon.
    dim
        Number of coordinates d.
    """

    vectorized = True

    def __init__(self, h: float, noise: Noise | None = None, dim: int = 1) -> None:
        if not math.isfinite(h):
            raise ValueError(f"the learning rate h must be a finite number, got {h!r}")
        if isinstance(dim, bool) or not isinstance(dim, int) or dim < 1:
            raise ValueError(f"dim must be an integer of at least 1, got {dim!r}")
        self.h, self.noise, self.dim = float(h), Gaussian() if noise is None else noise, dim
        self.space, self.name = Euclidean(), "QuadraticSGD"

    def __repr__(self) -> str:
        return f"QuadraticSGD(h={self.h!r}, noise={self.noise!r}, dim={self.dim})"

    def draw_block(self, rng: np.random.Generator, replicas: int | None) -> NDArray:
        """epsilon, shape (d,) or (R, d)."""
        return self.noise.sample(rng, (self.dim,) if replicas is None else (replicas, self.dim))

    def apply(self, theta: NDArray, draw: NDArray) -> NDArray:
        return (1 - self.h) * theta + self.h * draw

    @property
    def contraction(self) -> Constant:
        return Constant(abs(1 - self.h), "proved", "|1 - h|, an equality (Section 3.1)")

    def displacement(self, theta0: NDArray) -> Constant:
        """sup |h (epsilon - theta0)| over the support."""
        if math.isinf(self.noise.bound):
            return Constant(math.inf, "proved", "the noise is unbounded")
        reach = np.abs(np.asarray(theta0, dtype=float)) + self.noise.bound
        return Constant(
            float(abs(self.h) * np.max(np.linalg.norm(reach, axis=-1))), "proved", "h ‖|theta0| + sup |eps|‖"
        )

    def lipschitz(self, draw: NDArray) -> NDArray:
        return np.full(draw.shape[:-1], abs(1 - self.h))

    @property
    def is_affine(self) -> bool:
        return True

    @property
    def linear_part(self) -> NDArray:
        """The common linear part (1 - h) I, shape (d, d)."""
        return (1 - self.h) * np.eye(self.dim)

    def affine(self, draw: NDArray) -> AffineMaps:
        return AffineMaps(np.asarray(1 - self.h), self.h * draw, "scalar", common=True)

    def stacked_affine(self, draws: Sequence[Any]) -> AffineMaps:
        return self.affine(np.stack(draws))
