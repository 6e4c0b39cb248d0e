"""Picard iteration for x' = a sin(x) + b with random a and b, on functions with Bielecki's norm."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_finite
from contraction.families.noise import Noise, Uniform
from contraction.families.own_noise import as_noise
from contraction.maps.constants import Constant
from contraction.maps.operators import RandomOperator
from contraction.maps.spaces import GridFunctions
from contraction.types import override

__all__ = ["PicardIteration"]


class PicardIteration(RandomOperator):
    """(Tf)(t) = x0 + integral from t_0 to t of a sin(f(s)) + b ds on a grid, by the trapezoid rule.

    If |a| <= L, T has the factor L max_t w(t) sum_s q_ts / w(s) in the weighted sup norm max w(t) |f(t)| with
    w(t) = e^(-r (t - t_0)), where q are the weights of the trapezoid rule. For fine grids the factor is close to
    L (1 - e^(-rT)) / r, so T is a contraction on an interval of any length T if r is large. The factor is attained as a
    supremum over draws and pairs of functions.

    For one map this is Banach's proof of Picard's theorem on differential equations (row 3); Theorem 2.2 is about the
    composition of random ones.

    Parameters
    ----------
    grid
        Strictly increasing times t_0 … t_m.
    rate
        The exponent r of the weight; 0 for the unweighted sup norm.
    slope, forcing
        Laws of a and b.
    start
        The initial value x0.

    Examples
    --------
    >>> import contraction as ct
    >>> import numpy as np
    >>> grid = np.linspace(0.0, 4.0, 201)  # f' = a sin f + b with random a and b, on [0, 4]
    >>> for rate in (0.0, 1.0, 4.0):  # a larger weight gives a contraction on any interval
    ...     print(rate, round(ct.families.PicardIteration(grid, rate).contraction.value, 3))
    0.0 4.0
    1.0 0.982
    4.0 0.25
    >>> limit = ct.backward_limit(ct.families.PicardIteration(grid, 4.0), np.zeros(201), eps=1e-9, seed=0)
    >>> limit.value.shape, limit.certified
    ((201,), True)
    """

    vectorized = True
    dim: int

    def __init__(
        self,
        grid: ArrayLike,
        rate: float = 0.0,
        slope: Noise | None = None,
        forcing: Noise | None = None,
        start: float = 0.0,
    ) -> None:
        self.space: GridFunctions = GridFunctions(np.asarray(grid, dtype=float), check_finite("rate", rate))
        self.slope, self.forcing = as_noise(slope or Uniform(-1, 1)), as_noise(forcing or Uniform(-1, 1))
        for label, law in (("slope", self.slope), ("forcing", self.forcing)):
            if law.dim is not None:
                raise ValueError(f"{label} must be a law on R, got a law with {law.dim} coordinates")
        self.start = check_finite("start", start)
        self.dim, self.name = len(self.space.grid), "PicardIteration"
        steps = np.diff(self.space.grid)
        self.quadrature = np.zeros((self.dim, self.dim))
        for i, step in enumerate(steps):
            self.quadrature[i + 1 :, i] += step / 2
            self.quadrature[i + 1 :, i + 1] += step / 2

    def __repr__(self) -> str:
        low, high = self.space.grid[0], self.space.grid[-1]
        return (
            f"PicardIteration({self.dim} points of [{low:g}, {high:g}], rate={self.space.rate:g}, slope={self.slope!r})"
        )

    def draw_block(self, rng: np.random.Generator, replicas: int | None) -> NDArray:
        """Return (a, b) along the last axis, shape (2,) or (R, 2)."""
        shape = (1,) if replicas is None else (replicas, 1)
        return np.concatenate([self.slope.sample(rng, shape), self.forcing.sample(rng, shape)], axis=-1)

    @override
    def apply(self, theta: NDArray, draw: NDArray) -> NDArray:
        velocity = draw[..., :1] * np.sin(theta) + draw[..., 1:]
        means = (velocity[..., 1:] + velocity[..., :-1]) / 2 * np.diff(self.space.grid)
        out = np.empty(velocity.shape)
        out[..., 0] = self.start
        out[..., 1:] = self.start + np.cumsum(means, axis=-1)
        return out

    @property
    def unit_factor(self) -> float:
        """max_t w(t) sum_s q_ts / w(s): the contraction factor for |a| = 1."""
        w = self.space.weights
        return float(np.max(w * (self.quadrature @ (1 / w))))

    @override
    def lipschitz(self, draw: NDArray) -> NDArray:
        return np.abs(draw[..., 0]) * self.unit_factor

    @property
    @override
    def contraction(self) -> Constant:
        value = self.slope.bound * self.unit_factor
        source = "sup |a| times the quadrature's factor in Bielecki's norm, an equality"
        return Constant(value, self.slope.origin, source)

    @property
    @override
    def is_constant(self) -> bool:
        return self.slope.bound == 0

    def displacement(self, theta0: NDArray) -> Constant:
        """Return the exact supremum of the distance of Tf and f; corners suffice because Tf is affine in (a, b)."""
        ends = (self.slope.interval, self.forcing.interval)
        if not all(math.isfinite(x) for pair in ends for x in pair):
            return Constant(math.inf, "proved", "a or b is unbounded")
        f = np.asarray(theta0, dtype=float)
        corners = [self.apply(f, np.array(corner)) for corner in itertools.product(*ends)]
        value = max(float(np.max(self.space.distance(f, image))) for image in corners)
        declared = "declared" in (self.slope.origin, self.forcing.origin)
        return Constant(
            value, "declared" if declared else "proved", "largest over the corners of the support of (a, b)"
        )
