"""Base class of families T(θ) = A θ + b with a common A and i.i.d. b: closed forms from A, E b and Cov b."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from contraction.families.noise import Noise
from contraction.maps.affine import AffineMaps, linear, stacked
from contraction.maps.balls import Ball, Vector, ball
from contraction.maps.constants import Constant
from contraction.maps.operators import RandomOperator
from contraction.types import Draw

__all__ = ["CommonLinear", "noise_box"]


class CommonLinear(RandomOperator, ABC):
    """T(θ) = A θ + b: a common linear part and i.i.d. offsets b.

    Subclasses set ``_A`` (a number, a diagonal (d,) or a matrix (d, d)) with its ``_kind``, and give ``offset(draw)``,
    ``offset_mean`` and ``offset_covariance``.
    """

    dim: int
    _A: NDArray
    _kind: str

    @abstractmethod
    def offset(self, draw: Draw) -> NDArray:
        """Return the offset b of a draw, shape (..., d)."""

    def apply(self, theta: NDArray, draw: Draw) -> NDArray:
        return linear(self._A, theta, self._kind) + self.offset(draw)

    @property
    def is_affine(self) -> bool:
        return True

    def affine(self, draw: Draw) -> AffineMaps:
        return AffineMaps(self._A, self.offset(draw), self._kind, common=True)

    def stacked_affine(self, draws: Sequence[Draw]) -> AffineMaps:
        return self.affine(stacked(draws))

    def lipschitz(self, draw: Draw) -> NDArray:
        return np.full(np.shape(draw)[:-1], self._factor)

    @property
    def _factor(self) -> float:
        if self._kind == "matrix":
            return float(np.linalg.norm(self._A, 2))
        return float(np.max(np.abs(self._A)))

    @property
    def contraction(self) -> Constant:
        return Constant(self._factor, "proved", "the norm of the common linear part, an equality")

    @property
    def linear_part(self) -> NDArray:
        """The common linear part A, shape (d, d)."""
        return linear(self._A, np.eye(self.dim), self._kind).T if self._kind == "matrix" else self._A * np.eye(self.dim)

    @property
    @abstractmethod
    def offset_mean(self) -> NDArray:
        """E b, shape (d,)."""

    @property
    @abstractmethod
    def offset_covariance(self) -> NDArray:
        """Cov b, shape (d, d); ``inf`` where it is infinite."""


def noise_box(h: Ball, noise: Noise, d: int) -> tuple[Vector, Vector] | tuple[None, None]:
    """Return the smallest box (low, high) in balls that contains h epsilon in R^d; (None, None) if it is unbounded."""
    if not all(math.isfinite(x) for x in noise.interval):
        return None, None
    low, high = (h * ball(x) for x in noise.interval)
    return [low] * d, [high] * d
