"""Arrays of intervals with outward rounding: a midpoint and a radius for each entry, in float64.

An entry stands for every real number in [mid - rad, mid + rad], and each operation encloses every exact result. The
midpoint is what floating point gives; its rounding error, at most 2^-53 of it, is added to the radius, and radii are
rounded up. Elementary functions are evaluated by python-flint, or to 120 bits by mpmath, because those of NumPy state
no error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import EllipsisType, ModuleType
from typing import TypeAlias, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.maps.balls import Ball, load_flint
from contraction.maps.errors import NotCertified
from contraction.maps.rounding import EPS, gamma

__all__ = ["Intervals", "above", "as_intervals", "below", "boxed", "derivatives"]

#: What intervals are added to and multiplied by: intervals, numbers and arrays of floats.
Operand: TypeAlias = "Intervals | ArrayLike"
_Part: TypeAlias = int | slice | NDArray | EllipsisType | None
Index: TypeAlias = _Part | tuple[_Part, ...]

TINY = 1e-300  # more than what underflow of a few operations loses


def above(x: ArrayLike, operations: float) -> NDArray:
    """Return an upper bound of numbers >= 0 that were computed with this number of rounded operations each."""
    return np.asarray(x, dtype=float) * (1 + (operations + 2) * EPS) + TINY


def below(x: ArrayLike, operations: float) -> NDArray:
    """Return a lower bound of numbers >= 0 computed with this number of rounded operations each (at least 0)."""
    return np.maximum(np.asarray(x, dtype=float) * (1 - (operations + 2) * EPS) - TINY, 0.0)


class Intervals:
    """Intervals [mid - rad, mid + rad], entry by entry; arithmetic with numbers, arrays and other intervals.

    Parameters
    ----------
    mid
        Midpoints, any shape; each float is taken as an exact number.
    rad
        Radii >= 0, of a shape that broadcasts to that of ``mid`` (default: 0).

    Examples
    --------
    >>> from contraction.maps.intervals import Intervals
    >>> third = 1 / Intervals(3.0)
    >>> bool(third.low * 3 < 1 < third.high * 3), float(third.rad) < 2e-16
    (True, True)
    """

    __slots__ = ("mid", "rad")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, mid: ArrayLike, rad: ArrayLike = 0.0) -> None:
        self.mid = np.asarray(mid, dtype=float)
        self.rad = np.broadcast_to(np.asarray(rad, dtype=float), self.mid.shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the midpoints."""
        return self.mid.shape

    @property
    def low(self) -> NDArray:
        """A lower bound of every number of each interval."""
        return np.nextafter(self.mid - self.rad, -np.inf)

    @property
    def high(self) -> NDArray:
        """An upper bound of every number of each interval."""
        return np.nextafter(self.mid + self.rad, np.inf)

    @property
    def magnitude(self) -> NDArray:
        """An upper bound of the absolute value of every number of each interval."""
        return above(np.abs(self.mid) + self.rad, 1)

    @property
    def T(self) -> Intervals:
        """The intervals with reversed axes."""
        return Intervals(self.mid.T, self.rad.T)

    def __repr__(self) -> str:
        return f"Intervals({self.mid!r}, {self.rad!r})"

    def __getitem__(self, key: Index) -> Intervals:
        return Intervals(self.mid[key], self.rad[key])

    def contains(self, x: ArrayLike) -> NDArray:
        """Which numbers lie in their intervals, entry by entry."""
        x = np.asarray(x, dtype=float)
        return (self.low <= x) & (x <= self.high)

    def widened(self, by: ArrayLike) -> Intervals:
        """Return the intervals with radii larger by ``by`` >= 0."""
        return Intervals(self.mid, above(self.rad + np.asarray(by), 1))

    def __neg__(self) -> Intervals:
        return Intervals(-self.mid, self.rad)

    def __pos__(self) -> Intervals:
        return self

    def __add__(self, other: Operand) -> Intervals:
        if not _is_number(other):
            return NotImplemented
        other = as_intervals(other)
        mid = self.mid + other.mid
        return Intervals(mid, above(self.rad + other.rad + EPS * np.abs(mid), 3))

    __radd__ = __add__

    def __sub__(self, other: Operand) -> Intervals:
        if not _is_number(other):
            return NotImplemented
        return self + (-as_intervals(other))

    def __rsub__(self, other: Operand) -> Intervals:
        return as_intervals(other) + (-self)

    def __mul__(self, other: Operand) -> Intervals:
        if not _is_number(other):
            return NotImplemented
        other = as_intervals(other)
        mid = self.mid * other.mid
        spread = np.abs(self.mid) * other.rad + self.rad * (np.abs(other.mid) + other.rad)
        return Intervals(mid, above(spread + EPS * np.abs(mid), 6))

    __rmul__ = __mul__

    def __truediv__(self, other: Operand) -> Intervals:
        if not _is_number(other):
            return NotImplemented
        return self * as_intervals(other).reciprocal()

    def __rtruediv__(self, other: Operand) -> Intervals:
        return as_intervals(other) * self.reciprocal()

    def __pow__(self, exponent: object) -> Intervals:
        if not isinstance(exponent, int | np.integer) or exponent < 0:
            raise TypeError(f"the exponent of a power of intervals must be an integer of at least 0, got {exponent!r}")
        result = Intervals(np.ones(self.shape))
        for _ in range(int(exponent)):
            result = result * self
        return result

    def __matmul__(self, other: Operand) -> Intervals:
        """Matrix products; the rounding of a dot product of length n is at most gamma(n) times that of moduli."""
        other = as_intervals(other)
        n = self.shape[-1]
        a, b = np.abs(self.mid), np.abs(other.mid)
        spread = a @ other.rad + self.rad @ (b + other.rad) + gamma(n + 2) * (a @ b)
        return Intervals(self.mid @ other.mid, above(spread, 2 * n + 6) + n * TINY)

    def __rmatmul__(self, other: Operand) -> Intervals:
        return as_intervals(other) @ self

    def positive_definite(self) -> bool:
        """Whether every symmetric matrix in the intervals (d, d) is positive definite: all pivots are positive."""
        rest = self
        while rest.shape[0]:
            pivot = rest[0, 0]
            if not pivot.low > 0:
                return False
            row = rest[0, 1:]
            rest = rest[1:, 1:] - (rest[1:, 0][:, None] * row[None, :]) / pivot
        return True

    def sum(self, axis: int | None = None) -> Intervals:
        """Return sums along an axis, or of all entries."""
        n = self.mid.size if axis is None else self.shape[axis]
        spread = np.sum(self.rad, axis=axis) + gamma(n + 2) * np.sum(np.abs(self.mid), axis=axis)
        return Intervals(np.sum(self.mid, axis=axis), above(spread, n + 4))

    def reciprocal(self) -> Intervals:
        """1 / x; NotCertified if an interval contains 0."""
        size = np.abs(self.mid)
        least = below(np.maximum(size - self.rad, 0.0), 2)
        if not np.all(least > 0):
            raise NotCertified("an enclosure divides by an interval that contains 0", ("a smaller region",))
        mid = 1 / self.mid
        return Intervals(mid, above(self.rad / size / least + EPS * np.abs(mid), 6))

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Operand, **kwargs: object) -> Intervals:
        if any(isinstance(x, np.ndarray) and x.dtype == object for x in inputs):  # entry by entry
            return getattr(ufunc, method)(*(boxed(x) if isinstance(x, Intervals) else x for x in inputs), **kwargs)
        rule = _UFUNCS.get(ufunc.__name__)
        if method != "__call__" or kwargs:
            return NotImplemented
        if rule is None and ufunc.__name__ in ELEMENTARY:
            return derivatives(ufunc.__name__, as_intervals(inputs[0]), 0)[0]
        return NotImplemented if rule is None else rule(*inputs)

    def __getattr__(self, name: str) -> Callable[[], Intervals]:
        if name in ELEMENTARY:
            return lambda: derivatives(name, self, 0)[0]
        raise AttributeError(name)


NUMBERS = (Intervals, np.ndarray, np.number, int, float)


def boxed(x: object) -> NDArray:
    """Return an array of objects without axes that holds x."""
    out = np.empty((), dtype=object)
    out[()] = x
    return out


def _is_number(x: object) -> TypeGuard[Operand]:
    """Whether intervals can be combined with x: an array of objects does it entry by entry itself."""
    return isinstance(x, NUMBERS) and not (isinstance(x, np.ndarray) and x.dtype == object)


def as_intervals(x: Operand) -> Intervals:
    """Intervals as they are; numbers and arrays as intervals of radius 0."""
    return x if isinstance(x, Intervals) else Intervals(x)


_UFUNCS: dict[str, Callable[..., Intervals]] = {
    "add": lambda a, b: as_intervals(a) + b,
    "subtract": lambda a, b: as_intervals(a) - b,
    "multiply": lambda a, b: as_intervals(a) * b,
    "divide": lambda a, b: as_intervals(a) / b,
    "matmul": lambda a, b: as_intervals(a) @ b,
    "negative": lambda a: -a,
    "positive": lambda a: a,
    "square": lambda a: a * a,
    "power": lambda a, n: a**n,
}


# --- elementary functions -------------------------------------------------------------------------------------------


SPARE = 2.0**-60  # relative error allowed to mpmath at 120 bits, which states none of its own


def _at(name: str, x: NDArray) -> Intervals:
    """Return a function at floats, enclosed: by python-flint, or by mpmath to 120 bits where flint is not installed."""
    values = x.ravel().tolist()
    try:
        arb = load_flint().arb
    except ImportError:
        import mpmath

        with mpmath.workprec(120):
            mid = np.array(
                [float(_softplus(v, mpmath) if name == "softplus" else getattr(mpmath, name)(v)) for v in values]
            )
        rad = SPARE * np.abs(mid)
    else:
        balls = [_softplus(arb(v), None) if name == "softplus" else getattr(arb(v), name)() for v in values]
        mid = np.array([float(v.mid()) for v in balls])
        rad = np.array([float(v.rad()) for v in balls])
    return Intervals(mid.reshape(x.shape), above(rad + EPS * np.abs(mid), 2).reshape(x.shape))


def _softplus(v: Ball, mpmath: ModuleType | None) -> Ball:
    """log(1 + e^v) of a ball, or with mpmath of a number, without overflow."""
    small = (lambda t: mpmath.log1p(mpmath.exp(t))) if mpmath else (lambda t: t.exp().log1p())
    return small(v) if v < 0 else v + small(-v)


def _hull(ends: Sequence[Intervals], turns: Sequence[tuple[NDArray, Intervals]] = ()) -> Intervals:
    """Return the smallest intervals around values at both ends and, where ``inside`` holds, around those at turns."""
    low, high = np.minimum(ends[0].low, ends[-1].low), np.maximum(ends[0].high, ends[-1].high)
    for inside, value in turns:
        low = np.where(inside, np.minimum(low, value.low), low)
        high = np.where(inside, np.maximum(high, value.high), high)
    mid = low + (high - low) / 2
    return Intervals(mid, above(np.maximum(mid - low, high - mid), 2))


def _monotone(x: Intervals, values: Callable[[Intervals], list[Intervals]]) -> list[Intervals]:
    """Return the ranges of monotone functions over intervals, from their values at both ends."""
    if not np.any(x.rad):
        return values(x)
    ends = values(Intervals(x.low)), values(Intervals(x.high))
    return [_hull(pair) for pair in zip(*ends, strict=True)]


def _increasing(name: str, x: Intervals) -> Intervals:
    """Return the range of an increasing function over intervals, from its values at both ends."""
    return _monotone(x, lambda end: [_at(name, end.mid)])[0]


def _bell(x: NDArray) -> list[Intervals]:
    """At floats: t = tanh x and its Taylor coefficients s, -t s and s (2 - 3 s)/3, with s = 1 - t^2 = sech^2 x."""
    t, root = _at("tanh", x), _at("sech", x)
    s = root * root
    return [t, s, -t * s, s * (2.0 - 3.0 * s) / 3.0]


#: For each Taylor coefficient of tanh: t = tanh x where it is not monotone, and its value there.
TURNS: tuple[tuple[tuple[Intervals, Intervals], ...], ...] = (
    (),
    ((Intervals(0.0), Intervals(1.0)),),
    tuple((side * Intervals(3.0**-0.5, EPS), -side * Intervals(2 * 3.0**-1.5, EPS)) for side in (1.0, -1.0)),
    (
        (Intervals(0.0), -1 / Intervals(3.0)),
        *((side * Intervals((2 / 3) ** 0.5, EPS), 1 / Intervals(9.0)) for side in (1.0, -1.0)),
    ),
)


def _of_tanh(x: Intervals, order: int) -> list[Intervals]:
    """Tanh and its Taylor coefficients, by monotone pieces: tight, so 1 - t^2 stays in [0, 1] up to rounding."""
    if not np.any(x.rad):
        return _bell(x.mid)[: order + 1]
    first, last = _bell(x.low), _bell(x.high)
    return [
        _hull((a, b), [((first[0].low <= at.high) & (at.low <= last[0].high), value) for at, value in turns])
        for a, b, turns in zip(first[: order + 1], last, TURNS, strict=False)
    ]


def _of_softplus(x: Intervals, order: int) -> list[Intervals]:
    """log(1 + e^x), and with t = tanh(x/2), s = 1 - t^2: the sigmoid (1 + t)/2, s/8 and -t s/24."""
    value = _increasing("softplus", x)
    rows = _of_tanh(x * 0.5, max(order - 1, 0))
    scaled = [(rows[0] + 1.0) * 0.5, *(row / scale for row, scale in zip(rows[1:], (8.0, 24.0), strict=False))]
    return [value, *scaled][: order + 1]


def _of_expit(x: Intervals, order: int) -> list[Intervals]:
    """1/(1 + e^-x) = (1 + t)/2 with t = tanh(x/2)."""
    rows = _of_tanh(x * 0.5, order)
    return [(rows[0] + 1) * 0.5, *(row * 0.5 ** (k + 1) for k, row in enumerate(rows[1:], 1))]


def _of_exp(x: Intervals, order: int) -> list[Intervals]:
    value = _increasing("exp", x)
    return [value, value, value * 0.5, value / 6.0][: order + 1]


def _of_log(x: Intervals, order: int) -> list[Intervals]:
    x.reciprocal()
    if not np.all(x.mid > 0):
        raise NotCertified(
            "an enclosure takes the logarithm of an interval that is not positive", ("a smaller region",)
        )

    def values(end: Intervals) -> list[Intervals]:
        inverse = end.reciprocal()
        return [_at("log", end.mid), inverse, inverse**2 * -0.5, inverse**3 / 3.0]

    return _monotone(x, values)[: order + 1]


def _of_log1p(x: Intervals, order: int) -> list[Intervals]:
    return _of_log(x + 1.0, order)


def _of_reciprocal(x: Intervals, order: int) -> list[Intervals]:
    x.reciprocal()  # no interval contains 0, so that all coefficients are monotone

    def values(end: Intervals) -> list[Intervals]:
        inverse = end.reciprocal()
        return [inverse, -(inverse**2), inverse**3, -(inverse**4)]

    return _monotone(x, values)[: order + 1]


def _of_sqrt(x: Intervals, order: int) -> list[Intervals]:
    x.reciprocal()
    if not np.all(x.mid > 0):
        raise NotCertified("an enclosure takes the root of an interval that is not positive", ("a smaller region",))

    def values(end: Intervals) -> list[Intervals]:
        root, inverse = _at("sqrt", end.mid), end.reciprocal()
        return [root, root * inverse * 0.5, root * inverse**2 * -0.125, root * inverse**3 * 0.0625]

    return _monotone(x, values)[: order + 1]


def _turning(x: Intervals, order: int, first: int) -> list[Intervals]:
    """Sin (first = 0) or cos (first = 1): both have slope at most 1, so a radius of x is enough."""
    sine = _at("sin", x.mid).widened(x.rad)
    cosine = _at("cos", x.mid).widened(x.rad)
    cycle = [sine, cosine, -sine, -cosine]
    return [cycle[(first + k) % 4] / float(math.factorial(k)) for k in range(order + 1)]


ELEMENTARY: dict[str, Callable[[Intervals, int], list[Intervals]]] = {
    "tanh": _of_tanh,
    "softplus": _of_softplus,
    "expit": _of_expit,
    "exp": _of_exp,
    "log": _of_log,
    "log1p": _of_log1p,
    "reciprocal": _of_reciprocal,
    "sqrt": _of_sqrt,
    "sin": lambda x, order: _turning(x, order, 0),
    "cos": lambda x, order: _turning(x, order, 1),
}


def derivatives(name: str, x: Intervals, order: int) -> list[Intervals]:
    """Enclose f^(k)(x)/k! for k = 0 … ``order`` <= 3 and every x of the intervals, f an elementary function by name."""
    return ELEMENTARY[name](x, order)
