"""User-defined noise: a frozen law of scipy.stats, or a function of a generator with known moments."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.integrate import IntegrationWarning
from scipy.stats.distributions import rv_frozen

from contraction.arguments import check_finite, check_positive, check_real
from contraction.families.heavy_tails import Cauchy, Student
from contraction.families.noise import Gaussian, Noise, power
from contraction.families.noise_search import search_noise
from contraction.families.tail_quadrature import absolute_moment, least_moment
from contraction.maps.constants import Origin
from contraction.maps.draws import takes
from contraction.maps.stated import overridden
from contraction.types import override

#: What families take as noise: see `as_noise`.
NoiseLike: TypeAlias = Noise | rv_frozen | Callable[[np.random.Generator, tuple[int, ...]], ArrayLike] | None

__all__ = ["FunctionNoise", "NoiseLike", "ScipyNoise", "as_noise"]

ROOM = 1 + 2.0**-30  # scipy's closed forms are assumed to be accurate to nine digits
MANY = 64  # moments of a higher order are not found from all smaller ones


class ScipyNoise(Noise):
    """A frozen law on R of `scipy.stats`, such as ``scipy.stats.t(3)``, drawn independently for each coordinate.

    SciPy provides mean, variance and support. Moments that are smaller than a sum over its distribution function
    allows, or are complex, count as infinite. The p-th moment is exact for p = 2. For other p it is the upper
    bound that Lyapunov's inequality gives from the next even integer, or inf if the moment of that order is infinite.
    If the variance is infinite and p < 2, it is that of `Student` or `Cauchy` for ``stats.t`` and ``stats.cauchy``. For
    other laws it is found by quadrature up to the largest floats (`contraction.families.tail_quadrature`); as the tail
    beyond is extrapolated, `moment_origin` is then "measured", and `certify` gives an `Estimate`.

    Parameters
    ----------
    law
        The frozen law.

    Raises
    ------
    TypeError
        If ``law`` is not a frozen law on R, or one of its parameters is an array, which makes it many laws.

    Examples
    --------
    >>> from scipy import stats
    >>> from contraction import certify, families
    >>> family = families.QuadraticSGD(0.1, stats.t(3))
    >>> round(certify(family, 0.0, moment=2).bound(100), 8)
    4.601e-05
    """

    def __init__(self, law: object) -> None:
        if not isinstance(law, rv_frozen):
            raise TypeError(f"noise must be a frozen law such as scipy.stats.t(3), got {law!r}")
        if any(np.ndim(x) for x in (*law.args, *law.kwds.values())):
            raise TypeError(
                "the parameters of a law of noise must be numbers: every coordinate has the same law. Got arrays in "
                f"stats.{law.dist.name} with {law.args!r} and {law.kwds!r}"
            )
        self.law = law
        self._mean, self._variance = _checked(law)

    def __repr__(self) -> str:
        given = [f"{a!r}" for a in self.law.args] + [f"{k}={v!r}" for k, v in self.law.kwds.items()]
        return f"ScipyNoise(stats.{self.law.dist.name}({', '.join(given)}))"

    @property
    @override
    def mean(self) -> float:
        if not math.isfinite(self._mean):
            raise ValueError(f"{self!r} has no mean")
        return self._mean

    @property
    @override
    def variance(self) -> float:
        return self._variance if math.isfinite(self._variance) else math.inf

    @property
    @override
    def interval(self) -> tuple[float, float]:
        low, high = self.law.support()
        return float(low), float(high)

    @property
    @override
    def log_moment(self) -> bool:
        if math.isfinite(self._mean):
            return True
        raise ValueError(f"it is not known whether E log⁺ is finite for {self!r}, which has no mean")

    @property
    def _closed(self) -> Noise | None:
        """The same law with its moments in closed form, for Student's and Cauchy's."""
        name = self.law.dist.name
        if name not in ("t", "cauchy"):
            return None
        shapes, loc, scale = self.law.dist._parse_args(*self.law.args, **self.law.kwds)
        return (
            Student(float(shapes[0]), float(scale), center=float(loc))
            if name == "t"
            else Cauchy(float(scale), center=float(loc))
        )

    @override
    def bounding_exponent(self, p: float) -> float:
        if p <= 2:
            return 2.0 if math.isfinite(self._variance) else p
        return float(2 * math.ceil(p / 2))

    @override
    def moment_origin(self, p: float) -> Origin:
        extrapolated = p < 2 and not math.isfinite(self._variance) and self._closed is None
        return "measured" if extrapolated else "proved"

    @override
    def moment(self, p: float, about: float = 0.0) -> float:
        if p < 2 and not math.isfinite(self._variance):
            closed = self._closed
            return absolute_moment(self.law, p, about) if closed is None else ROOM * closed.moment(p, about)
        if p <= 2:
            square = self.variance + power(abs(self._mean - about), 2) if math.isfinite(self._variance) else math.inf
            return ROOM * square if p == 2 else ROOM * square ** (p / 2)
        m = 2 * math.ceil(p / 2)
        total, (low, high) = self._even_moment(m, about), self.interval
        farthest = ROOM * power(max(abs(low - about), abs(high - about)), p)
        return min(total ** (p / m) if total >= least_moment(self.law, m, about) else math.inf, farthest)

    @override
    def _norm_by_logarithms(self, p: float, about: float) -> float:
        """Return the bound of the triangle inequality, from the law with loc = 0 and scale = 1 at an even exponent."""
        m = 2 * max(1, math.ceil(p / 2))
        shapes, loc, scale = self.law.dist._parse_args(*self.law.args, **self.law.kwds)
        with _unheard():
            raw = _real(self.law.dist.moment(m, *shapes))
        if not 0 <= raw < math.inf or not raw >= least_moment(self.law.dist(*shapes), m):
            return math.inf
        return (float(scale) * power(raw, 1 / m) + abs(about - float(loc))) * (ROOM + 2.0**-48)

    def _even_moment(self, m: int, about: float) -> float:
        """Return an upper bound on E |X - about|^m for even m, ``inf`` if it is infinite, by SciPy's raw moments.

        SciPy is asked for those of the law with loc = 0 and scale = 1, since it asks itself for all smaller ones if loc
        is not 0. Up to m = `MANY` the moment about another point is the sum of the binomial formula. Beyond, it is
        bounded by the m-th raw moment alone, with the triangle inequality: many laws integrate numerically, and the
        numbers of the sum overflow.
        """
        shapes, loc, scale = self.law.dist._parse_args(*self.law.args, **self.law.kwds)
        shift = (about - float(loc)) / float(scale)

        def raw(k: int) -> float:
            with _unheard():
                return _real(self.law.dist.moment(k, *shapes)) if k else 1.0

        if not 0 <= (last := raw(m)) < math.inf or not last >= least_moment(self.law.dist(*shapes), m):
            return math.inf  # without the moments of lower order, which may be integrals that take seconds each
        if shift == 0 or m > MANY:
            return power(float(scale) * (power(last, 1 / m) + abs(shift)), m) * (ROOM + m * 2.0**-48)
        powers = [power(abs(shift), m - k) * (-math.copysign(1, shift)) ** (m - k) for k in range(m)]
        terms = [*(math.comb(m, k) * raw(k) * powers[k] for k in range(m)), last]
        if not np.all(np.isfinite(terms)):
            return math.inf
        return power(float(scale), m) * (math.fsum(terms) + math.fsum(map(abs, terms)) * (ROOM - 1))

    @override
    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray:
        return np.asarray(self.law.rvs(size=shape, random_state=rng), dtype=float)


@contextlib.contextmanager
def _unheard() -> Iterator[None]:
    """Ask SciPy for a moment: it multiplies numbers that are too large, and warns of integrals that diverge."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", IntegrationWarning)
        yield


def _real(value: ArrayLike) -> float:
    """Return a moment of SciPy as a number; NaN if it is complex."""
    x = complex(np.asarray(value).item())
    return x.real if x.imag == 0 else math.nan


def _checked(law: rv_frozen) -> tuple[float, float]:
    """Return (mean, variance) of SciPy; where its distribution function contradicts them, NaN and inf.

    SciPy's formulas for some laws hold only for parameters for which the moments are finite, and are not restricted to
    them: `scipy.stats.invweibull` and `scipy.stats.gengamma` give finite and even negative numbers in place of inf.
    """
    with _unheard():
        mean, variance = (_real(x) for x in law.stats(moments="mv"))
    if math.isfinite(variance) and math.isfinite(mean) and variance >= 0:
        if ROOM * (variance + mean**2) >= least_moment(law, 2.0):
            return mean, variance
        variance = math.inf
    elif not variance >= 0 or not math.isfinite(mean):
        variance = math.inf
    if math.isfinite(mean) and (law.dist.name not in ("t", "cauchy")) and math.isinf(absolute_moment(law, 1.0)):
        mean = math.nan
    return mean, variance


class FunctionNoise(Noise):
    """Noise drawn by ``function(rng, size)``, where ``size`` is a shape, with properties of its law that you declare.

    The declarations are searched for violations on 8192 draws (`contraction.families.noise_search`); certificates that
    rest on them are called declared.

    Parameters
    ----------
    function
        Returns an array of independent numbers of the given shape.
    mean, variance
        Mean and variance of one number; None if unknown.
    interval
        An interval that contains all numbers (default: the real line).

    Raises
    ------
    TypeError
        If ``function`` is not a function, or the interval is not a pair.
    ValueError
        If the mean is not a finite number, the variance is not a number >= 0, the interval is reversed, or a
        draw has another shape.
    DeclarationRefuted
        If a draw lies outside the interval, or a test rejects the mean or the variance.

    Examples
    --------
    >>> from contraction import certify, families
    >>> coin = families.FunctionNoise(lambda rng, size: rng.choice([-1.0, 1.0], size), interval=(-1, 1))
    >>> certify(families.QuadraticSGD(0.5, coin), 0.0).bound(10) < 0.001
    True
    """

    def __init__(
        self,
        function: Callable[[np.random.Generator, tuple[int, ...]], ArrayLike],
        *,
        mean: float | None = None,
        variance: float | None = None,
        interval: tuple[float, float] = (-math.inf, math.inf),
    ) -> None:
        if not callable(function) or not takes(function, 2):
            raise TypeError(f"noise is a function noise(rng, size) of a generator and a shape, got {function!r}")
        self.function = function
        self._mean = None if mean is None else check_finite("the mean", mean)
        known = variance is not None
        self._variance = check_positive("the variance", variance, zero=True, infinite=True) if known else None
        if not isinstance(interval, tuple | list | np.ndarray) or len(interval) != 2:
            raise TypeError(f"interval must be a pair (low, high) of numbers, got {interval!r}")
        low, high = (check_real("each end of the interval", end) for end in interval)
        if not low <= high:
            raise ValueError(f"an interval (low, high) needs low <= high, got {interval!r}")
        self._interval = low, high
        if mean is not None or variance is not None or self._interval != (-math.inf, math.inf):
            search_noise(self)

    def __repr__(self) -> str:
        return f"FunctionNoise({self.function!r})"

    @property
    @override
    def origin(self) -> Origin:
        return "declared"

    @property
    @override
    def mean(self) -> float:
        if self._mean is None:
            raise ValueError(f"the mean of {self!r} is unknown: pass mean=")
        return float(self._mean)

    @property
    @override
    def variance(self) -> float:
        return math.inf if self._variance is None else float(self._variance)

    @property
    @override
    def interval(self) -> tuple[float, float]:
        return self._interval

    @override
    def bounding_exponent(self, p: float) -> float:
        return 2.0 if self._mean is not None and self._variance is not None and p <= 2 else p

    @override
    def moment(self, p: float, about: float = 0.0) -> float:
        low, high = self._interval
        far = max(abs(low - about), abs(high - about))
        if self._mean is not None and self._variance is not None and p <= 2:
            return min(power(self._variance + power(abs(self._mean - about), 2), p / 2), power(far, p))
        return power(far, p)

    @override
    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray:
        result = np.asarray(self.function(rng, shape), dtype=float)
        if result.shape != shape:
            raise ValueError(f"the noise must have the requested shape {shape}, got {result.shape}")
        return result


def as_noise(noise: NoiseLike) -> Noise:
    """Convert a `Noise`, a frozen law of scipy.stats or a function ``noise(rng, size)``; None is standard normal.

    A noise of a class of your own is searched for violations of what it states.

    Raises
    ------
    DeclarationRefuted
        If the search finds one.
    TypeError
        If the argument is none of these.
    """
    if noise is None:
        return Gaussian()
    if isinstance(noise, Noise):
        if overridden(noise):
            search_noise(noise)
        return noise
    if isinstance(noise, rv_frozen):
        return ScipyNoise(noise)
    if callable(noise) and not isinstance(noise, type | stats.rv_continuous | stats.rv_discrete):
        return FunctionNoise(noise)  # pyright: ignore[reportArgumentType]
    raise TypeError(
        "noise must be a Noise, a frozen law on R such as scipy.stats.t(3), or a function noise(rng, size); for a "
        f"Gaussian vector use families.GaussianVector; got {noise!r}"
    )
