"""Scalar maps K θ + b or K sin(θ) + b that expand for some draws and contract on average (Section 2.4)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_choice, check_finite
from contraction.families._checks import check_weights
from contraction.families.noise import Noise, TwoPoint, at_exponent
from contraction.families.own_noise import as_noise
from contraction.maps.constants import Constant
from contraction.maps.operators import AffineMaps, RandomOperator
from contraction.maps.rounding import power_mean
from contraction.maps.spaces import Euclidean
from contraction.types import Draw, Number, Scalar, override

__all__ = ["ExpandingOnAverage"]

DIGITS = 80  # in which E |K|^a is compared with 1: near a = 0 it differs by the square of small numbers


class ExpandingOnAverage(RandomOperator):
    """T(θ) = K g(θ) + b on R, K drawn from finitely many factors and b from a number or a noise law.

    g is the identity ("linear") or the sine ("sine"); the Lipschitz constant is exactly |K|. Example: for linear maps
    with factors 2 and 1/4, equally likely, and b = 1, E K = 9/8 is above 1 but backward iterates converge, because
    E log K = -log(2)/2. The limit has the Kesten tail index log2((1 + sqrt 5)/2).

    Convergence is that of contraction on average (Diaconis and Freedman 1999), the index that of Kesten (1973).

    Parameters
    ----------
    factors
        The values of K.
    weights
        Their probabilities (default: equal).
    offset
        The offset b: a number, or a `Noise` drawn independently of K.
    shape
        "linear" or "sine".

    Examples
    --------
    >>> import contraction as ct
    >>> family = ct.families.ExpandingOnAverage()  # K = 2 or 1/4
    >>> round(family.log_mean, 6)
    -0.346574
    """

    vectorized = True
    dim = 1

    def __init__(
        self,
        factors: Iterable[Number] = (2, Fraction(1, 4)),
        weights: Iterable[Number] | None = None,
        offset: float | Noise = 1.0,
        shape: Literal["linear", "sine"] = "linear",
    ) -> None:
        self.factors = tuple(factors)
        for K in self.factors:
            check_finite("a factor K", K)
        self.weights = check_weights(weights, len(self.factors))
        check_choice("shape", shape, ("linear", "sine"))
        if not isinstance(offset, Noise):
            value = check_finite("the offset b", offset)
            offset = TwoPoint(value, value)
        self.offset = as_noise(offset)
        if self.offset.dim not in (None, 1):
            raise ValueError(f"the offset must be one number, but its noise has {self.offset.dim} coordinates")
        self.shape, self.space, self.name = shape, Euclidean(), "ExpandingOnAverage"
        self._K = np.array([float(K) for K in self.factors])
        self._p = np.array([float(w) for w in self.weights])

    def __repr__(self) -> str:
        factors = ", ".join(map(str, self.factors))
        return f"ExpandingOnAverage([{factors}], offset={self.offset!r}, shape={self.shape!r})"

    def draw_block(self, rng: np.random.Generator, replicas: int | None) -> NDArray:
        """(K, b) along the last axis, shape (2,) or (R, 2)."""
        lead = () if replicas is None else (replicas,)
        draw = np.empty((*lead, 2))
        draw[..., 0] = self._K[rng.choice(len(self._K), size=lead, p=self._p / self._p.sum())]
        draw[..., 1] = self.offset.sample(rng, (*lead, 1))[..., 0]
        return draw

    @override
    def apply(self, theta: NDArray, draw: NDArray) -> NDArray:
        inner = theta if self.shape == "linear" else np.sin(theta)
        return draw[..., :1] * inner + draw[..., 1:]

    @override
    def jvp(self, theta: NDArray, directions: NDArray, draw: NDArray) -> NDArray:
        slope = 1.0 if self.shape == "linear" else np.cos(theta)
        return draw[..., :1] * slope * directions

    @override
    def lipschitz(self, draw: NDArray) -> NDArray:
        return np.abs(draw[..., 0])

    def _live(self) -> list[tuple[float, Number]]:
        return [(float(K), w) for K, w in zip(self.factors, self.weights, strict=True) if w > 0]

    @property
    @override
    def contraction(self) -> Constant:
        return Constant(max(abs(K) for K, _ in self._live()), "proved", "max |K|, an equality")

    @property
    @override
    def is_constant(self) -> bool:
        return all(K == 0 for K, _ in self._live())

    def displacement(self, theta0: NDArray) -> Constant:
        """Return the exact supremum of |K g(θ_0) + b - θ_0|."""
        value = max(self.offset.reach(np.atleast_1d(c)) for c, _ in self._centers(theta0))
        return Constant(float(value), self.offset.origin, "sup |K g(theta0) + b - theta0| over the support")

    def displacement_moment(self, theta0: NDArray, p: float) -> Constant:
        """(E |K g(θ_0) + b - θ_0|^p)^(1/p), exact if the offset's moments are exact."""
        if math.isinf(p):
            return self.displacement(theta0)
        starts = np.asarray(theta0, dtype=float).reshape(-1)
        values = [
            float(power_mean([self.offset.absolute_norm(p, c) for c, _ in pairs], p, [w for _, w in pairs]))
            for pairs in map(self._centers, starts)
        ]
        source = f"(E |K g(theta0) + b - theta0|^p)^(1/p) {at_exponent(self.offset, p)}"
        return Constant(max(values), self.offset.moment_origin(p), source)

    def _centers(self, theta0: ArrayLike) -> list[tuple[float, float]]:
        """(c, weight): the displacement is |b - c|, c = θ_0 - K g(θ_0)."""
        starts = np.asarray(theta0, dtype=float).reshape(-1)
        inner = starts if self.shape == "linear" else np.sin(starts)
        return [(float(t - K * g), float(w)) for K, w in self._live() for t, g in zip(starts, inner, strict=True)]

    # --- contraction on average -------------------------------------------------------------------------------------

    @property
    def log_mean(self) -> float:
        """E log |K|, -inf if K = 0 is possible: negative means contraction on average."""
        if any(K == 0 for K, _ in self._live()):
            return -math.inf
        import mpmath

        with mpmath.workdps(DIGITS):
            return float(mpmath.fsum(w * mpmath.log(K) for K, w in self._sizes()))

    def _sizes(self) -> list[tuple[Scalar, Scalar]]:
        """(|K|, probability) of every factor but 0, in the precision of mpmath; the probabilities sum to one."""
        import mpmath

        def exact(x: Number) -> Scalar:
            return mpmath.mpf(x.numerator) / x.denominator if isinstance(x, Fraction) else mpmath.mpf(x)

        total = mpmath.fsum(exact(w) for w in self.weights)
        live = [(abs(float(K)), w) for K, w in zip(self.factors, self.weights, strict=True) if w > 0]
        return [(exact(K), exact(w) / total) for K, w in live if K]

    def factor_moment(self, p: float) -> float:
        """E |K|^p."""
        return math.fsum(float(w) * abs(K) ** p for K, w in self._live())

    @property
    def kesten_index(self) -> float:
        """The alpha > 0 with E |K|^alpha = 1, the tail index of the limit of linear maps: P(|θ*| > t) ~ c t^-alpha.

        Returns
        -------
        float
            The index; moments of the limit of this order and above are infinite.

        Raises
        ------
        ValueError
            Unless the maps are linear, contract on average (E log |K| < 0) and some |K| > 1.

        Examples
        --------
        (2^a + 4^-a) / 2 = 1 at a = log2((1 + √5) / 2):

        >>> from contraction.families import ExpandingOnAverage
        >>> round(ExpandingOnAverage([2.0, 0.25]).kesten_index, 4)
        0.6942
        """
        if self.shape != "linear" or not self.log_mean < 0 or not self.contraction.value > 1:
            raise ValueError(
                f"a Kesten index needs linear maps, E log |K| < 0 and some |K| > 1, got shape {self.shape!r}, "
                f"E log |K| = {self.log_mean:.6g} and max |K| = {self.contraction.value:.6g}"
            )
        import mpmath

        with mpmath.workdps(DIGITS):
            terms = [(mpmath.log(K), w) for K, w in self._sizes()]
            alpha, previous = mpmath.mpf(1), mpmath.inf
            while mpmath.fsum(w * mpmath.exp(alpha * log) for log, w in terms) <= 1:
                alpha *= 2
            while not abs(alpha - previous) <= 2.0**-60 * alpha:
                powers = [(log, w * mpmath.exp(alpha * log)) for log, w in terms]
                above = mpmath.fsum(power for _, power in powers) - 1
                previous, alpha = alpha, alpha - above / mpmath.fsum(log * power for log, power in powers)
            return float(alpha)

    # --- affine form ------------------------------------------------------------------------------------------------

    @property
    @override
    def is_affine(self) -> bool:
        return self.shape == "linear"

    @override
    def affine(self, draw: NDArray) -> AffineMaps | None:
        return AffineMaps(draw[..., 0], draw[..., 1:], "scalar") if self.is_affine else None

    @override
    def stacked_affine(self, draws: Sequence[Draw]) -> AffineMaps:
        maps = self.affine(np.stack(draws))
        if maps is None:
            raise ValueError("K sin(theta) + b is not affine")
        return maps
