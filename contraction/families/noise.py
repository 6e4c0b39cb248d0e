"""Laws of the noise epsilon: draws, support and moments in closed form.

A noise is a law on R, drawn independently for each coordinate, or a law on R^d (`GaussianVector`). The methods that
families call (``mean_vector``, ``covariance``, ``reach``, ``norm_moment``) are the same for both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from contraction.arguments import check_finite, check_positive
from contraction.families._checks import is_exact, symmetric_matrix
from contraction.maps.constants import Origin
from contraction.maps.rounding import EPS, euclidean_norm, log_gamma_up, power_mean, root_of_log_up, round_up
from contraction.maps.stated import overridden
from contraction.types import Number, override

__all__ = ["Gaussian", "GaussianVector", "Noise", "TwoPoint", "Uniform", "power"]


def power(x: float, p: float) -> float:
    """x^p for x >= 0, ``inf`` if it exceeds the largest float."""
    try:
        return float(x) ** p
    except OverflowError:
        return math.inf


def _exponent(*numbers: float) -> int:
    """Return e with 2^(e-1) <= x < 2^e for the largest absolute value x > 0 of some numbers."""
    return math.frexp(max(map(abs, numbers)))[1]


def at_exponent(noise: Noise, p: float) -> str:
    """Return at which p a moment of a noise is meant, in words for the source of a constant."""
    q = noise.bounding_exponent(p)
    return (
        f"at p = {p:g}" if q == p else f"at p = {p:g}, bounded by the moment at p = {q:g}, which is at least as large"
    )


class Noise:
    """A law on R, drawn independently for each coordinate: draws, moments and support.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.families import Student, Uniform
    >>> noise = Uniform(-1.0, 1.0)
    >>> round(noise.moment(2), 4), noise.moment_origin(2)
    (0.3333, 'proved')
    >>> noise.sample(np.random.default_rng(0), (2, 3)).shape
    (2, 3)
    >>> noise.mean_vector(2).tolist(), noise.covariance(2).round(4).tolist()
    ([0.0, 0.0], [[0.3333, 0.0], [0.0, 0.3333]])
    >>> round(noise.reach(np.zeros(2)), 4), round(noise.norm_moment(np.zeros(2), 2), 4)  # √2 and (2/3)^(1/2) in R²
    (1.4142, 0.8165)
    >>> round(Student(df=2.5).moment(2), 4), Student(df=2.5).moment(3)  # the third moment is infinite
    (5.0, inf)
    """

    #: number of coordinates of the law, None for a law on R that is drawn for any number of coordinates
    dim: int | None = None
    #: families add their noise, so that it concerns their displacement; where it is a factor, the family says so
    is_added: ClassVar[bool] = True

    @property
    def origin(self) -> Origin:
        """Where interval and moments come from: "declared" for a law of a user's own, "proved" for the package's."""
        return "declared" if overridden(self) else "proved"

    @property
    def mean(self) -> float:
        """Mean; ValueError if it does not exist."""
        raise ValueError(f"{self!r} has no mean")

    @property
    def variance(self) -> float:
        """Variance, ``inf`` if it is infinite or does not exist."""
        return math.inf

    @property
    def interval(self) -> tuple[float, float]:
        """Smallest closed interval that contains the support."""
        return -math.inf, math.inf

    @property
    def bound(self) -> float:
        """The supremum of |epsilon| over the support, ``inf`` if unbounded."""
        low, high = self.interval
        return max(abs(low), abs(high))

    @property
    def log_moment(self) -> bool:
        """Whether E log+ |epsilon| is finite (Section 3.1: without it backward iterates with such noise diverge).

        Returns
        -------
        bool

        Examples
        --------
        The Cauchy law has no mean, and a log moment:

        >>> from contraction.families import Student
        >>> Student(1.0).log_moment
        True
        """
        return True

    def moment(self, p: float, about: float = 0.0) -> float:
        """E |epsilon - about|^p for p > 0, ``inf`` if it is infinite."""
        raise ValueError(f"no closed form of E |eps - {about}|^{p} for {self!r}")

    def _shifted_and_scaled(self, about: float) -> tuple[Noise, int] | None:
        """Return the law of 2^-e (epsilon - about), whose numbers are near 1, and e; None if it is not known.

        Powers of numbers near 1 neither overflow nor underflow.
        """
        return None

    def _norm_by_logarithms(self, p: float, about: float) -> float:
        """Return an upper bound on (E |epsilon - about|^p)^(1/p) that no power overflows; inf if none is known."""
        return math.inf

    def absolute_norm(self, p: float, about: float = 0.0) -> float:
        """(E |epsilon - about|^p)^(1/p) for p > 0, ``inf`` if it is infinite: a bound where `moment` is one.

        It is never below the true value because powers of small numbers underflow. A moment below 2^-1000, which they
        may have spoilt, is not used: the bound is then the largest distance in the support or, for a law that cannot be
        scaled, the root of 2^-1000 if that is smaller. Nor is a moment that overflows: `Gaussian` and `Laplace` have a
        bound by the logarithm of Γ for it.

        Examples
        --------
        >>> from contraction.families import TwoPoint
        >>> TwoPoint(-1e-200, 1e-200).absolute_norm(2), TwoPoint(-1e-200, 1e-200).moment(2)
        (1e-200, 0.0)
        """
        scaled = None if overridden(self) else self._shifted_and_scaled(about)
        law, e, center = (self, 0, about) if scaled is None else (*scaled, 0.0)
        moment = law.moment(p, center)
        if 2.0**-1000 <= moment < math.inf:
            norm = power(moment, 1 / p)
        else:
            least = 2.0 ** (-1000 / p) if scaled is None and moment < 1 else math.inf
            norm = min(least, law.reach(np.array([center])), law._norm_by_logarithms(p, center))
        with np.errstate(over="ignore"):
            return float(np.ldexp(norm, e))

    def bounding_exponent(self, p: float) -> float:
        """Return the exponent whose moment is used at p: p itself, or a larger one, by Lyapunov's inequality.

        Examples
        --------
        Mean and variance of this noise are declared, and E |epsilon| is bounded by its second moment:

        >>> from contraction.families import FunctionNoise
        >>> noise = FunctionNoise(lambda rng, size: rng.normal(0.0, 1.0, size), mean=0.0, variance=1.0)
        >>> noise.bounding_exponent(1.0), noise.moment(1.0)
        (2.0, 1.0)
        """
        return p

    def moment_origin(self, p: float) -> Origin:
        """Return `origin` if `moment` is an upper bound at this p, "measured" if it rests on an extrapolation."""
        return self.origin

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray:
        """Independent draws of the given shape, float64."""
        raise TypeError(f"{type(self).__name__} is not a noise law: it does not define sample(rng, shape)")

    # --- the vector of d independent coordinates ---------------------------------------------------------------

    def mean_vector(self, d: int) -> NDArray:
        """Mean of epsilon in R^d, shape (d,)."""
        return np.full(d, self.mean)

    def covariance(self, d: int) -> NDArray:
        """Covariance of epsilon in R^d, shape (d, d); ``inf`` on the diagonal if the variance is infinite."""
        return np.diag(np.full(d, self.variance))

    def reach(self, center: NDArray) -> float:
        """Return sup |epsilon - center| over the support in R^d; exact, because the support is a product."""
        low, high = self.interval
        with np.errstate(over="ignore"):
            return float(euclidean_norm(np.maximum(np.abs(low - center), np.abs(high - center))))

    def norm_moment(self, center: NDArray, p: float) -> float:
        """Upper bound on (E |epsilon - center|^p)^(1/p) in R^d, Euclidean norm.

        For d = 1 and for p = 2 it is exact where `moment` is, and a bound where `moment` is one (that of Laplace and
        Student may be, about a center that is not the mean). For other p > 2 it follows from the triangle inequality
        in L^(p/2) for the squares of the coordinates. For p < 2 it is the smaller of the value at 2 (Jensen) and the
        bound from E (sum x_j^2)^(p/2) <= sum E |x_j|^p.
        """
        norms = np.array([self.absolute_norm(p, float(c)) for c in center])
        if not np.all(np.isfinite(norms)):
            return math.inf
        if len(center) == 1:
            return float(norms[0])
        if p >= 2:
            return float(euclidean_norm(norms))
        bound = float(power_mean(norms, p))
        return bound if math.isinf(self.variance) else min(bound, self.norm_moment(center, 2.0))


@dataclass(frozen=True)
class Gaussian(Noise):
    """Normal law with the given mean and standard deviation: unbounded, so condition (2) fails.

    Theorem 2.2 is then replaced by its form in p-th moments (row 51). The mean, ``center``, is passed by name, so that
    no one takes the first number for it.

    Examples
    --------
    >>> import contraction as ct
    >>> noise = ct.families.Gaussian(sd=2.0)
    >>> noise.variance
    4.0
    """

    sd: float = 1.0
    center: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        check_finite("center", self.center)
        check_positive("sd", self.sd, zero=True)

    @property
    @override
    def mean(self) -> float:
        return self.center

    @property
    @override
    def variance(self) -> float:
        return self.sd * self.sd

    @property
    @override
    def interval(self) -> tuple[float, float]:
        return (-math.inf, math.inf) if self.sd > 0 else (self.center, self.center)

    @override
    def moment(self, p: float, about: float = 0.0) -> float:
        shift = self.center - about
        if self.sd == 0 or abs(shift) > 1e150 * self.sd:
            return power(abs(shift), p)
        front = power(self.sd * math.sqrt(2), p)
        if front < 2.0**-1000 and p >= 1:  # it underflows, and its product with what follows may not
            root = math.sqrt(2) * math.exp((special.gammaln((p + 1) / 2) - math.log(math.pi) / 2) / p)
            return power(abs(shift) + self.sd * root, p)
        ratio = (shift / self.sd) ** 2 / 2
        return (
            front * float(special.gamma((p + 1) / 2)) / math.sqrt(math.pi) * float(special.hyp1f1(-p / 2, 0.5, -ratio))
        )

    @override
    def _norm_by_logarithms(self, p: float, about: float) -> float:
        """Return |center - about| + sd ‖Z‖_p for a standard normal Z, with E |Z|^p = 2^(p/2) Γ((p + 1)/2) / √π."""
        if p < 1:
            return math.inf
        root = root_of_log_up(log_gamma_up((p + 1) / 2) - math.log(math.pi) / 2, p)
        return float(round_up(abs(self.center - about) + self.sd * math.sqrt(2) * root, 8))

    @override
    def _shifted_and_scaled(self, about: float) -> tuple[Noise, int] | None:
        shift = self.center - about
        if shift == 0 == self.sd or math.isinf(shift):
            return None
        e = _exponent(shift, self.sd)
        return Gaussian(sd=math.ldexp(self.sd, -e), center=math.ldexp(shift, -e)), e

    @override
    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray:
        z = rng.standard_normal(shape)
        if self.sd != 1:
            z *= self.sd
        if self.center != 0:
            z += self.center
        return z


@dataclass(frozen=True)
class Uniform(Noise):
    """Uniform law on [low, high].

    Examples
    --------
    >>> import contraction as ct
    >>> round(ct.families.Uniform(-1, 1).variance, 6)
    0.333333
    """

    low: float = -1.0
    high: float = 1.0

    def __post_init__(self) -> None:
        check_finite("low", self.low)
        check_finite("high", self.high)
        if not self.low <= self.high:
            raise ValueError(f"low must be at most high, got {self.low!r} > {self.high!r}")

    @property
    @override
    def mean(self) -> float:
        return (self.low + self.high) / 2

    @property
    @override
    def variance(self) -> float:
        return power(self.high - self.low, 2) / 12

    @property
    @override
    def interval(self) -> tuple[float, float]:
        return self.low, self.high

    @override
    def moment(self, p: float, about: float = 0.0) -> float:
        low, high = self.low - about, self.high - about
        if low == high:
            return power(abs(low), p)
        if low < 0 < high:
            return (power(abs(low), p + 1) + power(high, p + 1)) / ((p + 1) * (high - low))
        width, far = self.high - self.low, max(abs(low), abs(high))
        # far^(p+1) - near^(p+1) without cancellation: near / far = 1 - width / far
        lost = math.log1p(-width / far) if width < far else -math.inf
        return -power(far, p + 1) * math.expm1((p + 1) * lost) / ((p + 1) * width)

    @override
    def _shifted_and_scaled(self, about: float) -> tuple[Noise, int] | None:
        low, high = self.low - about, self.high - about
        if not 0 < max(abs(low), abs(high)) < math.inf:
            return None
        e = _exponent(low, high)
        return Uniform(math.ldexp(low, -e), math.ldexp(high, -e)), e

    @override
    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray:
        return rng.uniform(self.low, self.high, shape)


@dataclass(frozen=True)
class TwoPoint(Noise):
    """Two values, the second with probability ``weight``; exact numbers stay exact, so that laws can be enumerated.

    Examples
    --------
    >>> import contraction as ct
    >>> noise = ct.families.TwoPoint()
    >>> noise.mean, noise.variance
    (0.0, 1.0)
    """

    low: Number = -1
    high: Number = 1
    weight: Number = Fraction(1, 2)

    def __post_init__(self) -> None:
        check_finite("low", self.low)
        check_finite("high", self.high)
        check_finite("weight", self.weight)
        if not self.low <= self.high:
            raise ValueError(f"low must be at most high, got {self.low!r} > {self.high!r}")
        if not 0 <= self.weight <= 1:
            raise ValueError(f"the weight of the second value must be in [0, 1], got {self.weight!r}")

    @property
    def atoms(self) -> tuple[tuple[Number, Number], ...]:
        """(value, probability) pairs, exact if the arguments are exact."""
        return (self.low, 1 - self.weight), (self.high, self.weight)

    @property
    def exact(self) -> bool:
        """Whether both values and the weight are exact numbers."""
        return all(is_exact(x) for x in (self.low, self.high, self.weight))

    @property
    @override
    def mean(self) -> float:
        return float(sum(v * w for v, w in self.atoms))

    @property
    @override
    def variance(self) -> float:
        try:
            return float((self.high - self.low) ** 2 * self.weight * (1 - self.weight))
        except OverflowError:
            return math.inf

    @property
    @override
    def interval(self) -> tuple[float, float]:
        values = [float(v) for v, w in self.atoms if w > 0]
        return min(values), max(values)

    @override
    def moment(self, p: float, about: float = 0.0) -> float:
        return float(sum(float(w) * power(abs(float(v) - about), p) for v, w in self.atoms if w > 0))

    @override
    def _shifted_and_scaled(self, about: float) -> tuple[Noise, int] | None:
        low, high = (end - about for end in self.interval)
        if not 0 < max(abs(low), abs(high)) < math.inf:
            return None
        e = _exponent(low, high)
        return TwoPoint(math.ldexp(low, -e), math.ldexp(high, -e), self.weight), e

    @override
    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray:
        return np.where(rng.random(shape) < float(self.weight), float(self.high), float(self.low))


class GaussianVector(Noise):
    """Centred normal law on R^d with the given covariance.

    It is unbounded, so condition (2) of Theorem 2.2 fails, and its form in p-th moments holds (row 51).

    Parameters
    ----------
    cov
        Symmetric positive semidefinite, shape (d, d).

    Raises
    ------
    ValueError
        If the matrix is not square, symmetric, finite or positive semidefinite.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.families import GaussianVector
    >>> noise = GaussianVector([[2.0, 1.0], [1.0, 2.0]])
    >>> draws = noise.sample(np.random.default_rng(0), (100_000, 2))
    >>> np.cov(draws.T).round(1).tolist()
    [[2.0, 1.0], [1.0, 2.0]]
    >>> round(noise.norm_moment(np.zeros(2), 2), 4)  # (E |epsilon|²)^(1/2), the root of the trace
    2.0
    """

    def __init__(self, cov: ArrayLike) -> None:
        self.cov = symmetric_matrix("cov", cov)
        values, vectors = np.linalg.eigh(self.cov)
        if values[0] < -len(values) * EPS * max(abs(values[-1]), abs(values[0])):
            raise ValueError(f"cov must be positive semidefinite, its smallest eigenvalue is {values[0]:.6g}")
        self.dim = len(values)
        self._sds, self._axes = np.sqrt(np.maximum(values, 0)), vectors

    def __repr__(self) -> str:
        return f"GaussianVector(cov={self.cov.tolist()!r})"

    @property
    @override
    def mean(self) -> float:
        return 0.0

    @property
    def variance(self) -> float:
        """Trace of the covariance divided by d: the mean variance of a coordinate."""
        return float(np.mean(np.diag(self.cov)))

    @property
    @override
    def interval(self) -> tuple[float, float]:
        return (0.0, 0.0) if not self._sds.any() else (-math.inf, math.inf)

    @override
    def mean_vector(self, d: int) -> NDArray:
        return np.zeros(d)

    @override
    def covariance(self, d: int) -> NDArray:
        return self.cov.copy()

    @override
    def norm_moment(self, center: NDArray, p: float) -> float:
        along = self._axes.T @ center
        if len(center) == 1:
            return Gaussian(float(self._sds[0])).absolute_norm(p, float(along[0]))
        if p < 2:
            return self.norm_moment(center, 2.0)
        norms = [Gaussian(float(s)).absolute_norm(p, float(c)) for s, c in zip(self._sds, along, strict=True)]
        return float(euclidean_norm(np.array(norms)))

    @override
    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray:
        if shape[-1] != self.dim:
            raise ValueError(f"this noise has {self.dim} coordinates, but {shape[-1]} were requested")
        return (rng.standard_normal(shape) * self._sds) @ self._axes.T
