"""Section 3.1: SGD on L(θ) = |θ|^2 / 2 with additive gradient noise."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from contraction.arguments import check_finite, check_integer
from contraction.families._linear import CommonLinear, noise_box
from contraction.families._reasons import why_not_learning_rate
from contraction.families.noise import at_exponent
from contraction.families.own_noise import NoiseLike, as_noise
from contraction.maps.balls import AffineEnclosure, ball, vector
from contraction.maps.constants import Constant
from contraction.maps.spaces import Euclidean
from contraction.types import override

__all__ = ["QuadraticSGD"]


class QuadraticSGD(CommonLinear):
    """T(θ) = (1 - h) θ + h epsilon on R^d (Section 3.1).

    The Lipschitz constant is exactly |1 - h|, so the maps are contractions if and only if 0 < h < 2 (the paper prints
    "θ in (0, 1)").

    Parameters
    ----------
    h
        Learning rate, any finite number; `certify` checks the hypotheses of the theorem.
    noise
        Law of each coordinate of epsilon, or of the vector.
    dim
        Number of coordinates d.

    Examples
    --------
    >>> import contraction as ct
    >>> family = ct.families.QuadraticSGD(h=0.1, noise=ct.families.Uniform(-1, 1))
    >>> round(family.contraction.value, 6), round(family.displacement([0.0]).value, 6)
    (0.9, 0.1)
    """

    vectorized = True

    def __init__(self, h: float, noise: NoiseLike = None, dim: int = 1) -> None:
        self.h, self.dim = check_finite("the learning rate h", h), check_integer("dim", dim, 1)
        self.noise = as_noise(noise)
        if self.noise.dim not in (None, self.dim):
            raise ValueError(f"the noise has {self.noise.dim} coordinates, but the family has dim={self.dim}")
        self.space, self.name = Euclidean(), "QuadraticSGD"
        self._A, self._kind = np.asarray(1 - self.h), "scalar"

    def __repr__(self) -> str:
        return f"QuadraticSGD(h={self.h!r}, noise={self.noise!r}, dim={self.dim})"

    def draw_block(self, rng: np.random.Generator, replicas: int | None) -> NDArray:
        """epsilon, shape (d,) or (R, d)."""
        return self.noise.sample(rng, (self.dim,) if replicas is None else (replicas, self.dim))

    @override
    def apply(self, theta: NDArray, draw: NDArray) -> NDArray:
        return (1 - self.h) * theta + self.h * draw

    @override
    def offset(self, draw: NDArray) -> NDArray:
        return self.h * draw

    @property
    @override
    def contraction(self) -> Constant:
        return Constant(abs(1 - self.h), "proved", "|1 - h|, an equality (Section 3.1)")

    @property
    @override
    def is_constant(self) -> bool:
        return self.h == 1

    @override
    def why_not_contracting(self, k: Constant) -> str:
        return why_not_learning_rate(self.h, k)

    def affine_enclosures(self) -> list[AffineEnclosure]:
        """Return A = (1 - h) I around 0, plus h epsilon (Section 3.1)."""
        h = ball(self.h)
        A = [[1 - h if i == j else ball(0) for j in range(self.dim)] for i in range(self.dim)]
        return [AffineEnclosure(A, vector(np.zeros(self.dim)), *noise_box(h, self.noise, self.dim))]

    def displacement(self, theta0: NDArray) -> Constant:
        """Return the exact supremum of |h (epsilon - θ_0)| over the support."""
        if self.h == 0:
            return Constant(0.0, "proved", "h = 0: every map is the identity")
        if math.isinf(self.noise.bound):
            return Constant(math.inf, "proved", "the noise is unbounded")
        rows = np.atleast_2d(np.asarray(theta0, dtype=float)).reshape(-1, self.dim)
        value = abs(self.h) * max(self.noise.reach(row) for row in rows)
        return Constant(value, self.noise.origin, "sup h |eps - theta0| over the support")

    def displacement_moment(self, theta0: NDArray, p: float) -> Constant:
        """(E |h (epsilon - θ_0)|^p)^(1/p): exact for d = 1 and p = 2, an upper bound otherwise."""
        if math.isinf(p):
            return self.displacement(theta0)
        rows = np.atleast_2d(np.asarray(theta0, dtype=float)).reshape(-1, self.dim)
        value = abs(self.h) * max(self.noise.norm_moment(row, p) for row in rows) if self.h else 0.0
        return Constant(
            value, self.noise.moment_origin(p), f"h (E |eps - theta0|^p)^(1/p) {at_exponent(self.noise, p)}"
        )

    @property
    def offset_mean(self) -> NDArray:
        """E b = h E epsilon, shape (d,)."""
        return self.h * self.noise.mean_vector(self.dim)

    @property
    def offset_covariance(self) -> NDArray:
        """Cov b = h^2 Cov epsilon, shape (d, d)."""
        return self.h**2 * self.noise.covariance(self.dim)

    @property
    def fixed_point(self) -> NDArray | None:
        """The common fixed point of all maps; None unless the noise is constant."""
        low, high = self.noise.interval
        return np.full(self.dim, low) if low == high and self.h != 0 else None
