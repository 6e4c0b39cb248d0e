"""Bernoulli convolutions: Section 3.1 with two noise values, whose limit law is known exactly for some h."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from contraction.arguments import check_finite, check_integer
from contraction.families._checks import is_exact
from contraction.families._reasons import why_not_learning_rate
from contraction.families.finite import FiniteFamily
from contraction.families.index_laws import IndexLaw
from contraction.maps.arrays import numbers
from contraction.maps.constants import Constant
from contraction.maps.rounding import EPS
from contraction.types import Number, override

__all__ = ["BernoulliConvolution"]


class BernoulliConvolution(FiniteFamily):
    """T(θ) = (1 - h) θ + h epsilon on R, where epsilon has two values (default: equally likely).

    For values 0 and 1 the limit law is uniform on [0, 1] at h = 1/2, uniform on [-1, 2] at h = 3/2 and Cantor's law at
    h = 2/3 (1 - h = 1/3). If h and the values are integers or Fractions, exact points stay exact.

    Parameters
    ----------
    h
        Learning rate, any finite number; a Fraction for exact arithmetic.
    values
        The two values of epsilon, such as (0, 1) or (-1, 1).
    weights, law
        As in `FiniteFamily`.

    References
    ----------
    Erdős, P. (1939). On a family of symmetric Bernoulli convolutions. American Journal of Mathematics 61, 974-976.

    Examples
    --------
    >>> import contraction as ct
    >>> family = ct.families.BernoulliConvolution(0.5)
    >>> family.contraction.value, family.displacement([0.0]).value
    (0.5, 0.5)
    >>> from fractions import Fraction
    >>> exact = ct.families.BernoulliConvolution(Fraction(2, 3), values=(0, 1))  # Cantor's law
    >>> exact.noise_mean(), exact.noise_variance()
    (Fraction(1, 2), Fraction(1, 4))
    >>> exact.mean(), exact.variance()  # of the stationary law
    (Fraction(1, 2), Fraction(1, 8))
    >>> exact.mean(n=2), exact.variance(n=2)  # of iterate 2 from 0
    (Fraction(4, 9), Fraction(10, 81))
    >>> exact.stationary
    ('cantor', 0, 1)
    """

    def __init__(
        self,
        h: Number = Fraction(1, 2),
        values: Sequence[Number] = (0, 1),
        weights: Sequence[Number] | None = None,
        *,
        law: IndexLaw | None = None,
    ) -> None:
        check_finite("the learning rate h", h)
        if len(values) != 2:
            raise ValueError(f"a Bernoulli convolution needs two values, got {len(values)}")
        for v in values:
            check_finite("a value", v)
        h, *values = (int(x) if isinstance(x, np.integer) else x for x in (h, *values))
        self.h, self.values = h, tuple(values)
        super().__init__(
            [(1 - h, h * v) for v in values], weights, law=law, dim=1, name=f"BernoulliConvolution(h={h!s})"
        )

    @property
    def exact(self) -> bool:
        """Whether every number of the family is exact."""
        return is_exact(self.h) and all(is_exact(v) for v in self.values)

    @override
    def why_not_contracting(self, k: Constant) -> str:
        return why_not_learning_rate(float(self.h), k)

    def _weights(self) -> tuple[Number, Number]:
        if self.weights is None or not self.law.is_iid:
            raise ValueError(f"the closed forms need independent indices, got {self.law!r}")
        return self.weights[0], self.weights[1]

    def _check_stable(self) -> None:
        if not 0 < self.h < 2:
            raise ValueError(f"a stationary law needs 0 < h < 2, got h = {self.h!r}")

    def noise_mean(self) -> Number:
        """E epsilon, exact if the weights and values are exact."""
        return sum(w * v for w, v in zip(self._weights(), self.values, strict=True))

    def noise_variance(self) -> Number:
        """Var epsilon = w_0 w_1 (v_1 - v_0)^2, exact if the weights and values are exact."""
        p, q = self._weights()
        return p * q * (self.values[1] - self.values[0]) ** 2

    def mean(self, n: int | None = None, theta0: Number = 0) -> Number:
        """Mean of iterate n from θ_0, or of the stationary law (E epsilon) for n = None; exact for exact numbers."""
        if n is None:
            self._check_stable()
            return self.noise_mean()
        n = check_integer("the index of an iterate", n)
        return self.noise_mean() + (1 - self.h) ** n * (theta0 - self.noise_mean())

    def variance(self, n: int | None = None) -> Number:
        """Variance h sigma^2 (1 - (1-h)^2n) / (2 - h) of iterate n, or of the stationary law for n = None."""
        if n is None:
            self._check_stable()
            return self.h * self.noise_variance() / (2 - self.h)
        n = check_integer("the index of an iterate", n)
        return self.h**2 * self.noise_variance() * sum((1 - self.h) ** (2 * j) for j in range(n))

    @property
    def stationary(self) -> tuple[Literal["uniform", "cantor"], Number, Number] | None:
        """("uniform" or "cantor", low, high) if the limit law is uniform or Cantor's law, None otherwise.

        Both need equal weights. The law is uniform if |1 - h| = 1/2, and Cantor's law if |1 - h| = 1/3.
        """
        p, q = self._weights()
        if p != q or self.values[0] == self.values[1]:
            return None
        radius = abs(1 - self.h)
        name = {Fraction(1, 2): "uniform", Fraction(1, 3): "cantor"}.get(Fraction(radius).limit_denominator(10**9))
        if name is None or abs(radius - Fraction(radius).limit_denominator(10**9)) > EPS:
            return None
        low, high = min(self.values), max(self.values)
        if self.h > 1:  # T reverses the line: the hull [a, b] has a = (1-h) b + h low, b = (1-h) a + h high
            c = self.h - 1
            low, high = (low - c * high) * self.h / (1 - c * c), (high - c * low) * self.h / (1 - c * c)
        return name, low, high  # pyright: ignore[reportReturnType]

    def stationary_cdf(self, x: ArrayLike) -> NDArray:
        """Distribution function of the limit law, if `stationary` identifies that law.

        Returns
        -------
        ndarray
            Of the shape of ``x``.

        Raises
        ------
        ValueError
            Where the limit law has no name (most h: its distribution function has no closed form).

        Examples
        --------
        Cantor's function:

        >>> from fractions import Fraction
        >>> from contraction.families import BernoulliConvolution
        >>> BernoulliConvolution(Fraction(2, 3)).stationary_cdf([0.2, 0.5, 1.0])
        array([0.25, 0.5 , 1.  ])
        """
        named = self.stationary
        if named is None:
            raise ValueError(f"the limit law has no closed form for h = {self.h!r} and weights {self.weights!r}")
        name, low, high = named
        points = numbers("x", x)
        if np.isnan(points).any():
            raise ValueError("a distribution function has no value at NaN")
        u = (points - float(low)) / float(high - low)
        return stats.uniform.cdf(u) if name == "uniform" else _cantor(u)

    def characteristic_function(self, t: ArrayLike, n: int, theta0: float = 0.0) -> NDArray:
        """E exp(i t θ_n) = exp(i t θ_0 (1-h)^n) prod_{j<n} E exp(i t h (1-h)^j epsilon).

        Returns
        -------
        ndarray
            complex128, of the shape of ``t``.

        Examples
        --------
        For large n that of the uniform law on [-1, 1], sin(t)/t:

        >>> from fractions import Fraction
        >>> from contraction.families import BernoulliConvolution
        >>> family = BernoulliConvolution(Fraction(1, 2), (-1, 1))
        >>> round(float(family.characteristic_function(1.0, 20).real), 4)
        0.8415
        """
        t, h, n = numbers("t", t), float(self.h), check_integer("the index of an iterate", n)
        p, q = (float(w) for w in self._weights())
        v, w = (float(x) for x in self.values)
        value = np.exp(1j * t * theta0 * (1 - h) ** n)
        for j in range(n):
            s = t * h * (1 - h) ** j
            value = value * (p * np.exp(1j * s * v) + q * np.exp(1j * s * w))
        return value


def _cantor(u: NDArray) -> NDArray:
    """Cantor's distribution function on [0, 1], by 53 ternary digits."""
    x, value, scale = np.clip(u, 0, 1), np.zeros(np.shape(u)), 0.5
    live = np.ones(np.shape(u), dtype=bool)
    for _ in range(53):
        digit = np.minimum(np.floor(3 * x), 2)
        value = np.where(live & (digit >= 1), value + scale, value)
        live &= digit != 1
        x, scale = 3 * x - digit, scale / 2
    return np.where(u >= 1, 1.0, value)
