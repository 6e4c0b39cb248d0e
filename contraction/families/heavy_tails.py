"""Unbounded noise laws: Laplace, Student, Cauchy, and a law without a logarithmic moment (rows 47 and 51)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from contraction.arguments import check_finite, check_positive
from contraction.families.noise import Noise, power
from contraction.maps.rounding import EPS, log_gamma_up, root_of_log_up, round_up
from contraction.types import override

__all__ = ["Cauchy", "Laplace", "LogHeavy", "Student"]


class _Symmetric(Noise, ABC):
    """A law symmetric about ``center``; ``_unit(p)`` is E |epsilon - center|^p at scale 1."""

    center: float
    scale: float

    @abstractmethod
    def _unit(self, p: float) -> float:
        """E |(epsilon - center) / scale|^p."""

    def moment(self, p: float, about: float = 0.0) -> float:
        """E |epsilon - about|^p: exact about the center and for p = 2, else a bound by the triangle inequality."""
        if not p > 0:
            raise ValueError(f"the order of a moment must be positive, got p = {p!r}")
        shift, unit = abs(self.center - about), self._unit(p)
        if math.isinf(unit):
            return math.inf
        if shift == 0:
            return power(self.scale, p) * unit
        if p == 2 or p < 1:
            return power(self.scale, p) * unit + power(shift, p)
        return power(self.scale * power(unit, 1 / p) + shift, p)

    @override
    def _shifted_and_scaled(self, about: float) -> tuple[Noise, int] | None:
        shift = self.center - about
        if math.isinf(shift):
            return None
        e = math.frexp(max(abs(shift), self.scale))[1]
        scale = math.ldexp(self.scale, -e)
        if scale == 0:
            return None
        law = replace(self, center=math.ldexp(shift, -e), scale=scale)  # pyright: ignore[reportArgumentType]  # dataclasses
        return law, e


@dataclass(frozen=True)
class Laplace(_Symmetric):
    """Density exp(-|x - center| / scale) / (2 scale): unbounded, every moment finite.

    So condition (2) of Theorem 2.2 fails, and its form in p-th moments holds (row 51).

    Examples
    --------
    >>> import contraction as ct
    >>> ct.families.Laplace().variance
    2.0
    """

    scale: float = 1.0
    center: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        check_finite("center", self.center)
        check_positive("scale", self.scale)

    @property
    @override
    def mean(self) -> float:
        return self.center

    @property
    @override
    def variance(self) -> float:
        return 2 * self.scale * self.scale

    def _unit(self, p: float) -> float:
        return float(special.gamma(p + 1))

    @override
    def _norm_by_logarithms(self, p: float, about: float) -> float:
        """Return |center - about| + scale Γ(p + 1)^(1/p)."""
        if p < 1:
            return math.inf
        root = root_of_log_up(log_gamma_up(p + 1), p)
        return float(round_up(abs(self.center - about) + self.scale * root, 8))

    @override
    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray:
        return rng.laplace(self.center, self.scale, shape)


@dataclass(frozen=True)
class Student(_Symmetric):
    """Student's law with ``df`` degrees of freedom, scaled and shifted: E |epsilon|^p is finite iff p < df.

    Theorem 2.2's form in p-th moments holds for p < df alone (row 51).

    Examples
    --------
    >>> import contraction as ct
    >>> ct.families.Student(df=3).variance
    3.0
    """

    df: float = 3.0
    scale: float = 1.0
    center: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        check_positive("df", self.df)
        check_finite("center", self.center)
        check_positive("scale", self.scale)

    @property
    @override
    def mean(self) -> float:
        if self.df <= 1:
            raise ValueError(f"{self!r} has no mean: it needs df > 1")
        return self.center

    @property
    @override
    def variance(self) -> float:
        return self.scale * self.scale * self.df / (self.df - 2) if self.df > 2 else math.inf

    def _unit(self, p: float) -> float:
        if p >= self.df:
            return math.inf
        logs = *self._logarithms(p), float(special.gammaln((p + 1) / 2)), -math.log(math.pi) / 2
        log = math.fsum(logs) + 8 * EPS * (1 + math.fsum(map(abs, logs)))
        return root_of_log_up(log, 1.0)

    def _logarithms(self, p: float) -> tuple[float, ...]:
        """Return terms of ln [df^(p/2) Γ((df - p)/2) / Γ(df/2)], or of an upper bound on it.

        From a = (df - p)/2 = 500 on they are differences of Stirling's bounds, less than a^-3 / 180 too large: the
        logarithms of Γ are much larger than their difference, and so are their errors.
        """
        a, b = (self.df - p) / 2, self.df / 2
        if a < 500:
            return p / 2 * math.log(self.df), float(special.gammaln(a)), -float(special.gammaln(b))
        moved = (a - 0.5) * math.log1p(-p / self.df)
        return moved, p / 2 * (1 + math.log(2)), 1 / (12 * a), -1 / (12 * b), 1 / (360 * b**3)

    @override
    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray:
        return self.center + self.scale * rng.standard_t(self.df, shape)


@dataclass(frozen=True)
class Cauchy(_Symmetric):
    """Cauchy's law: no mean, but E log+ |epsilon| is finite, so backward iterates converge.

    Row 47 of the audit shows that this moment of the logarithm suffices, and that it is needed.

    Examples
    --------
    >>> import contraction as ct
    >>> ct.families.Cauchy().log_moment, ct.families.LogHeavy().log_moment
    (True, False)
    """

    scale: float = 1.0
    center: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        check_finite("center", self.center)
        check_positive("scale", self.scale)

    def _unit(self, p: float) -> float:
        return math.inf if p >= 1 else 1 / math.cos(math.pi * p / 2)

    @override
    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray:
        return self.center + self.scale * rng.standard_cauchy(shape)


@dataclass(frozen=True)
class LogHeavy(Noise):
    """epsilon = exp(1 / U), U uniform on (0, 1): E log+ |epsilon| = E 1/U is infinite (row 47).

    Backward iterates of a contraction with this noise diverge almost surely. With probability 1/709.78 a draw exceeds
    the largest float64; `sample` then returns ``inf``, and `log_sample` returns the logarithm of the draw.

    Examples
    --------
    >>> import contraction as ct
    >>> ct.families.LogHeavy().log_moment
    False
    >>> import numpy as np
    >>> logs = ct.families.LogHeavy().log_sample(np.random.default_rng(0), (10_000,))  # their mean is infinite
    >>> bool(logs.min() >= 1), bool(logs.max() > 709.78)  # the largest draw is beyond float64
    (True, True)
    """

    @property
    @override
    def interval(self) -> tuple[float, float]:
        return math.e, math.inf

    @property
    @override
    def log_moment(self) -> bool:
        return False

    @override
    def moment(self, p: float, about: float = 0.0) -> float:
        return math.inf

    def log_sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray:
        """Return log epsilon = 1 / U, at least 1; the same draws as `sample` from the same generator."""
        return 1.0 / (1.0 - rng.random(shape))

    @override
    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray:
        with np.errstate(over="ignore"):
            return np.exp(self.log_sample(rng, shape))
