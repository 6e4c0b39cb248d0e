"""Laws of the noise epsilon: what is drawn, and its moments in closed form.

A noise is a law on R, drawn independently for each coordinate. ``bound`` is sup |epsilon| over the support.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["Gaussian", "Noise", "Uniform"]


def _finite(name: str, value: float) -> None:
    if not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, got {value!r}")


class Noise:
    """A law on R: draws, moments and support. Subclasses give the closed forms."""

    @property
    def mean(self) -> float:
        raise ValueError(f"{self!r} has no mean")

    @property
    def variance(self) -> float:
        """Variance, ``inf`` where it is infinite."""
        return math.inf

    @property
    def bound(self) -> float:
        """sup |epsilon| over the support, ``inf`` if unbounded."""
        return math.inf

    @property
    def log_moment(self) -> bool:
        """Whether E log+ |epsilon| is finite."""
        return True

    def moment(self, p: float) -> float:
        """E |epsilon|^p, ``inf`` where it is infinite."""
        raise ValueError(f"no closed form of E |eps|^{p} for {self!r}")

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray:
        """Independent draws of the given shape, float64."""
        raise TypeError(f"{type(self).__name__} is no noise law: it has no sample(rng, shape)")


@dataclass(frozen=True)
class Gaussian(Noise):
    """Normal law with the given mean and standard deviation: unbounded, so condition (2) fails."""

    sd: float = 1.0
    center: float = 0.0

    def __post_init__(self) -> None:
        _finite("center", self.center)
        if not (math.isfinite(self.sd) and self.sd >= 0):
            raise ValueError(f"sd must be a finite number >= 0, got {self.sd!r}")

    @property
    def mean(self) -> float:
        return self.center

    @property
    def variance(self) -> float:
        return self.sd**2

    @property
    def bound(self) -> float:
        return math.inf if self.sd > 0 else abs(self.center)

    def moment(self, p: float) -> float:
        if self.sd == 0:
            return abs(self.center) ** p
        ratio = (self.center / self.sd) ** 2 / 2
        return (
            (self.sd * math.sqrt(2)) ** p
            * special.gamma((p + 1) / 2)
            / math.sqrt(math.pi)
            * float(special.hyp1f1(-p / 2, 0.5, -ratio))
        )

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray:
        z = rng.standard_normal(shape)
        if self.sd != 1:
            z *= self.sd
        if self.center != 0:
            z += self.center
        return z


@dataclass(frozen=True)
class Uniform(Noise):
    """Uniform law on [low, high]."""

    low: float = -1.0
    high: float = 1.0

    def __post_init__(self) -> None:
        _finite("low", self.low)
        _finite("high", self.high)
        if not self.low <= self.high:
            raise ValueError(f"low must be at most high, got {self.low!r} > {self.high!r}")

    @property
    def mean(self) -> float:
        return (self.low + self.high) / 2

    @property
    def variance(self) -> float:
        return (self.high - self.low) ** 2 / 12

    @property
    def bound(self) -> float:
        return max(abs(self.low), abs(self.high))

    def moment(self, p: float) -> float:
        if self.low == self.high:
            return abs(self.low) ** p

        def antiderivative(x: float) -> float:
            return math.copysign(abs(x) ** (p + 1), x) / (p + 1)

        return (antiderivative(self.high) - antiderivative(self.low)) / (self.high - self.low)

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray:
        return rng.uniform(self.low, self.high, shape)
