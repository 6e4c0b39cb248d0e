"""Complete metric spaces whose points are arrays, with distances on batches.

A space knows its distance and how many trailing axes make one point (``event_ndim``); every leading axis is a batch.
Everything else that a certificate can use (an operator norm, an isometry to Euclidean space, a sampler of points) is a
method of `Space` whose default answer None means "unknown"; certificates never read attributes of other names.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_finite, check_integer
from contraction.maps.arrays import numbers
from contraction.maps.rounding import euclidean_norm
from contraction.types import Numbers, override

__all__ = [
    "BoxNorm",
    "Euclidean",
    "GridFunctions",
    "L1Simplex",
    "Metric",
    "Space",
    "SupNorm",
    "WeightedEuclidean",
    "Words",
    "as_space",
]

LEAST_WEIGHT = 1e-300  # weights below it, and their reciprocals, are not far from the ends of floats
WIDE = 2**31  # integers below it, and sums of as many differences of them as arrays have entries, fit into int64


class Space(ABC):
    """A complete metric space: ``distance(x, y)`` on points with ``event_ndim`` trailing axes, batches in front.

    Inherit from it and define ``distance``; the other methods answer None, which means "unknown", until they are
    overridden. An object that has ``event_ndim`` and ``distance`` without inheriting from `Space` is accepted as well,
    but only its distance is used.
    """

    event_ndim: int = 1

    @abstractmethod
    def distance(self, x: ArrayLike, y: ArrayLike) -> NDArray:
        """Distances of points (..., *event) -> (...)."""

    @property
    def is_normed(self) -> bool:
        """Whether the distance comes from a norm on R^d: true if the class overrides `operator_norm`."""
        return type(self).operator_norm is not Space.operator_norm

    def operator_norm(self, A: ArrayLike) -> Numbers:
        """Operator norms of matrices (..., d, d) -> (...) for the norm of the space; None if it has no norm."""
        return None

    def diagonal_norm(self, a: NDArray) -> Numbers:
        """Operator norms of diagonal matrices, given as diagonals (..., d) -> (...); None if the space has no norm.

        This is the largest absolute entry only if the norm depends on nothing but the coordinates' absolute values.
        """
        return self.operator_norm(a[..., None] * np.eye(a.shape[-1]))

    @property
    def isometry(self) -> NDArray | None:
        """Matrix R (d, d) with d(x, y) = |R (x - y)| in the Euclidean norm; None if there is none, or if R = I."""
        return None

    def random_points(self, rng: np.random.Generator, near: NDArray, count: int) -> NDArray | None:
        """Points of the space around one point ``near``, shape (count, *event); None if the space is all of R^d."""
        return None

    def stretched_directions(self, J: NDArray) -> list[NDArray]:
        """Directions (..., d), for searches, in which linear maps J (..., d, d) stretch this distance most.

        In addition, every space searches the singular, sign and unit vectors of the Euclidean, sup and l1 norms.
        """
        return []


def _difference(x: ArrayLike, y: ArrayLike) -> NDArray:
    """Return x - y. Integers are widened first: those of few bits, or without a sign, would wrap around."""
    first, second = np.asarray(x), np.asarray(y)
    if first.dtype.kind in "iub" and second.dtype.kind in "iub":
        small = all(not a.size or -WIDE < int(a.min()) <= int(a.max()) < WIDE for a in (first, second))
        first, second = (a.astype(np.int64 if small else object) for a in (first, second))
    return np.subtract(first, second)


@dataclass(frozen=True)
class Euclidean(Space):
    """R^d with the Euclidean distance: points (..., d) -> distances (...).

    Examples
    --------
    >>> import contraction as ct
    >>> float(ct.Euclidean().distance([3.0, 0.0], [0.0, 4.0]))
    5.0
    """

    event_ndim: int = field(default=1, init=False)

    @override
    def distance(self, x: ArrayLike, y: ArrayLike) -> NDArray:
        return euclidean_norm(_difference(x, y))

    def operator_norm(self, A: ArrayLike) -> NDArray:
        """Spectral norm of matrices (..., d, d)."""
        return np.linalg.norm(np.asarray(A, dtype=float), ord=2, axis=(-2, -1))

    @override
    def diagonal_norm(self, a: NDArray) -> NDArray:
        return np.max(np.abs(a), axis=-1)


class _ByContent(Space):
    """Base of the spaces with arrays: two are equal if they have the same class and their fields the same numbers."""

    def _key(self) -> list[NDArray]:
        return [np.asarray(getattr(self, f.name)) for f in fields(self) if f.init]  # pyright: ignore[reportArgumentType]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(np.array_equal(a, b) for a, b in zip(self._key(), other._key(), strict=True))

    def __hash__(self) -> int:
        return hash((type(self), *(float(np.sum(np.abs(value))) for value in self._key())))


@dataclass(frozen=True, eq=False)
class WeightedEuclidean(_ByContent):
    """R^d with ||x||_P = sqrt(x^T P x), P symmetric positive definite.

    Raises
    ------
    ValueError
        If P is not a finite symmetric positive definite matrix.

    Examples
    --------
    >>> import contraction as ct
    >>> import numpy as np
    >>> float(ct.WeightedEuclidean(np.diag([4.0, 1.0])).distance([1.0, 0.0], [0.0, 0.0]))
    2.0
    """

    P: NDArray
    event_ndim: int = field(default=1, init=False)
    root: NDArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        P = numbers("P", self.P)
        if P.ndim != 2 or P.shape[0] != P.shape[1]:
            raise ValueError(f"P must be a finite square matrix, got shape {P.shape}")
        if not np.all(np.isfinite(P)):
            raise ValueError(f"P must be a finite square matrix, got {P.tolist()}")
        if not np.allclose(P, P.T, rtol=1e-12, atol=0):
            raise ValueError("P must be symmetric")
        try:
            root = np.linalg.cholesky(P).T
        except np.linalg.LinAlgError:
            smallest = np.linalg.eigvalsh(P)[0]
            raise ValueError(f"P must be positive definite, its smallest eigenvalue is {smallest:.3g}") from None
        object.__setattr__(self, "P", P)
        object.__setattr__(self, "root", root)

    @override
    def distance(self, x: ArrayLike, y: ArrayLike) -> NDArray:
        return euclidean_norm(_difference(x, y) @ self.root.T)

    def operator_norm(self, A: ArrayLike) -> NDArray:
        """Norm of matrices (..., d, d) as maps of this space: the spectral norm of R A R^-1 with P = R^T R."""
        return np.linalg.norm(self.root @ np.asarray(A, float) @ np.linalg.inv(self.root), ord=2, axis=(-2, -1))

    @property
    @override
    def isometry(self) -> NDArray:
        return self.root

    @override
    def stretched_directions(self, J: NDArray) -> list[NDArray]:
        inverse = np.linalg.inv(self.root)
        return [np.linalg.svd(self.root @ J @ inverse)[2][..., 0, :] @ inverse.T]


@dataclass(frozen=True)
class SupNorm(Space):
    """R^d with the sup distance max_i |x_i - y_i|: points (..., d) -> distances (...). Exact types stay exact.

    Examples
    --------
    >>> import contraction as ct
    >>> float(ct.SupNorm().distance([3.0, 0.0], [0.0, 4.0]))
    4.0
    """

    event_ndim: int = field(default=1, init=False)

    @override
    def distance(self, x: ArrayLike, y: ArrayLike) -> NDArray:
        return np.max(np.abs(_difference(x, y)), axis=-1)

    def operator_norm(self, A: ArrayLike) -> NDArray:
        """Largest absolute row sum of matrices (..., d, d)."""
        return np.max(np.sum(np.abs(np.asarray(A)), axis=-1), axis=-1)

    @override
    def diagonal_norm(self, a: NDArray) -> NDArray:
        return np.max(np.abs(a), axis=-1)


@dataclass(frozen=True, eq=False)
class BoxNorm(_ByContent):
    """R^d with the distance max_j |(R (x - y))_j|, whose unit ball is a parallelepiped; R is an invertible matrix."""

    R: NDArray
    event_ndim: int = field(default=1, init=False)

    def __post_init__(self) -> None:
        R = np.array(self.R, dtype=float)
        if R.ndim != 2 or R.shape[0] != R.shape[1] or not np.all(np.isfinite(R)):
            raise ValueError(f"R must be a finite square matrix, got shape {R.shape}")
        R.flags.writeable = False
        object.__setattr__(self, "R", R)

    @override
    def distance(self, x: ArrayLike, y: ArrayLike) -> NDArray:
        return np.max(np.abs(_difference(x, y) @ self.R.T), axis=-1)

    def operator_norm(self, A: ArrayLike) -> NDArray:
        """Largest absolute row sum of R A R^-1."""
        return np.max(np.sum(np.abs(self.R @ np.asarray(A, dtype=float) @ np.linalg.inv(self.R)), axis=-1), axis=-1)


@dataclass(frozen=True)
class L1Simplex(Space):
    """The probability simplex with the l1 distance (twice total variation); a closed set, so complete.

    Examples
    --------
    >>> import contraction as ct
    >>> float(ct.L1Simplex().distance([0.5, 0.5], [1.0, 0.0]))
    1.0
    >>> ct.L1Simplex().validate([0.5, 0.6])
    Traceback (most recent call last):
        ...
    ValueError: a point of the simplex has entries >= 0 with sum 1, got array([0.5, 0.6])
    """

    event_ndim: int = field(default=1, init=False)

    @override
    def distance(self, x: ArrayLike, y: ArrayLike) -> NDArray:
        return np.sum(np.abs(_difference(x, y)), axis=-1)

    def operator_norm(self, A: ArrayLike) -> NDArray:
        """Largest absolute column sum of matrices (..., d, d)."""
        return np.max(np.sum(np.abs(np.asarray(A)), axis=-2), axis=-1)

    @override
    def diagonal_norm(self, a: NDArray) -> NDArray:
        return np.max(np.abs(a), axis=-1)

    def random_points(self, rng: np.random.Generator, near: NDArray, count: int) -> NDArray:
        """Points of the simplex, from its vertices to its middle, shape (count, d)."""
        d = near.shape[-1]
        points = rng.dirichlet(np.ones(d), size=count)
        points[::3] = np.eye(d)[rng.integers(d, size=len(points[::3]))]
        return points

    def validate(self, x: ArrayLike, *, tolerance: float = 1e-9) -> None:
        """Raise ValueError unless every point has non-negative entries that sum to one within ``tolerance``."""
        x = np.asarray(x)
        if not (np.all(x >= 0) and np.all(np.abs(np.sum(x, axis=-1) - 1) <= tolerance)):
            raise ValueError(f"a point of the simplex has entries >= 0 with sum 1, got {x!r}")


@dataclass(frozen=True)
class Words(Space):
    """Infinite words over {0, …, base-1} with the first-difference ultrametric base^-v, in exact integers.

    A word w_0 w_1 w_2 … is the integer sum w_i base^i (its b-adic expansion; words that end in zeros are the
    non-negative integers, and the b-adic completion is complete). v is the first position where two words differ, so
    the distance is a Fraction, computed without rounding. Points are object arrays of Python integers, shape (..., 1).

    Examples
    --------
    >>> import contraction as ct
    >>> space = ct.Words(base=2)
    >>> space.letters(6, 4), space.letters(14, 4)  # 6 = 2 + 4 and 14 = 2 + 4 + 8
    ((0, 1, 1, 0), (0, 1, 1, 1))
    >>> space.first_difference(6, 14)
    3
    >>> space.distance([6], [14])
    array(Fraction(1, 8), dtype=object)
    """

    base: int = 2
    event_ndim: int = field(default=1, init=False)

    def __post_init__(self) -> None:
        check_integer("the number of letters, base,", self.base, 2)

    def first_difference(self, x: int, y: int) -> int | None:
        """First position where the words of two integers differ; None if they are equal."""
        gap, v = abs(int(x) - int(y)), 0
        if gap == 0:
            return None
        while gap % self.base == 0:
            gap //= self.base
            v += 1
        return v

    @override
    def distance(self, x: ArrayLike, y: ArrayLike) -> NDArray:
        def one(a: int, b: int) -> Fraction:
            v = self.first_difference(a, b)
            return Fraction(0) if v is None else Fraction(1, self.base**v)

        x, y = np.asarray(x, dtype=object)[..., 0], np.asarray(y, dtype=object)[..., 0]
        return np.asarray(np.frompyfunc(one, 2, 1)(x, y), dtype=object)

    def random_points(self, rng: np.random.Generator, near: NDArray, count: int) -> NDArray:
        """Words that agree with the first point on a few letters, from none to all, shape (count, 1)."""
        first, points = int(near.reshape(-1)[0]), np.empty((count, 1), dtype=object)
        for row in range(count):
            agreed = int(rng.integers(0, 12))
            points[row, 0] = first % self.base**agreed + self.base**agreed * int(rng.integers(0, 2**31))
        return points

    def letters(self, x: int, length: int) -> tuple[int, ...]:
        """Return the first ``length`` letters of the word of an integer."""
        return tuple((int(x) // self.base**i) % self.base for i in range(length))


@dataclass(frozen=True, eq=False)
class GridFunctions(_ByContent):
    """Functions on the points of a grid with the weighted sup distance max_t w(t) |f(t) - g(t)|.

    With w(t) = e^(-r (t - t0)) this is Bielecki's norm, in which Picard's map contracts on an interval of any length.
    Points have shape (..., len(grid)).

    Examples
    --------
    >>> import contraction as ct
    >>> import numpy as np
    >>> grid = np.linspace(0, 1, 3)
    >>> float(ct.GridFunctions(grid).distance(grid, grid**2))
    0.25
    """

    grid: NDArray
    rate: float = 0.0
    event_ndim: int = field(default=1, init=False)
    weights: NDArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        grid = numbers("the grid", self.grid)
        if grid.ndim != 1 or grid.size < 2 or not np.all(np.diff(grid) > 0):
            raise ValueError("the grid must be strictly increasing with at least two points")
        check_finite("rate", self.rate)
        with np.errstate(over="ignore", under="ignore"):
            weights = np.exp(-self.rate * (grid - grid[0]))
        if not np.all((weights > LEAST_WEIGHT) & (weights < 1 / LEAST_WEIGHT)):
            raise ValueError(
                f"the weights e^(-r (t - t0)) of the rate r = {self.rate!r} leave the range of floats on the grid from "
                f"{float(grid[0])!r} to {float(grid[-1])!r}: a smaller |r| or a shorter interval is needed"
            )
        object.__setattr__(self, "grid", grid)
        object.__setattr__(self, "weights", weights)

    @override
    def distance(self, x: ArrayLike, y: ArrayLike) -> NDArray:
        return np.max(self.weights * np.abs(_difference(x, y)), axis=-1)

    @override
    def stretched_directions(self, J: NDArray) -> list[NDArray]:
        return [np.broadcast_to(1 / self.weights, J.shape[:-1])]


@dataclass(frozen=True)
class Metric(Space):
    """A metric given by a user: ``function(x, y)`` on batches of points with ``event_ndim`` trailing axes.

    Examples
    --------
    >>> import contraction as ct
    >>> import numpy as np
    >>> circle = ct.Metric(lambda x, y: np.minimum(abs(x - y), 1 - abs(x - y))[..., 0])
    >>> round(float(circle.distance([0.1], [0.9])), 3)
    0.2
    """

    function: Callable[[NDArray, NDArray], ArrayLike]
    event_ndim: int = 1

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise TypeError(f"a metric is a function of two points, got {self.function!r}")
        check_integer("event_ndim, the number of axes of a point,", self.event_ndim)

    def __repr__(self) -> str:
        name = getattr(self.function, "__qualname__", repr(self.function))
        return f"Metric(function={name}, event_ndim={self.event_ndim})"

    @override
    def distance(self, x: ArrayLike, y: ArrayLike) -> NDArray:
        return np.asarray(self.function(np.asarray(x), np.asarray(y)))


class _OnlyDistance(Space):
    """An object with ``event_ndim`` and ``distance`` that is not a `Space`; only these two attributes are used."""

    def __init__(self, given: Space) -> None:
        self.given, self.event_ndim = given, given.event_ndim

    def distance(self, x: ArrayLike, y: ArrayLike) -> NDArray:
        return np.asarray(self.given.distance(x, y))

    def __repr__(self) -> str:
        return repr(self.given)

    def __eq__(self, other: object) -> bool:
        return bool(self.given == (other.given if isinstance(other, _OnlyDistance) else other))

    def __hash__(self) -> int:
        return hash(self.given)


def as_space(space: object) -> Space:
    """Convert an argument to a `Space`.

    A `Space` is returned unchanged, None means `Euclidean`, a function d(x, y) becomes a `Metric`, and another object
    with ``event_ndim`` and ``distance`` is wrapped so that only these two are used.

    Raises
    ------
    TypeError
        If the argument is neither a space nor a function of two points.
    """
    if space is None:
        return Euclidean()
    if isinstance(space, Space):
        return space
    if not isinstance(space, type):
        if callable(getattr(space, "distance", None)) and hasattr(space, "event_ndim"):
            return _OnlyDistance(space)  # pyright: ignore[reportArgumentType]
        if callable(space):
            return Metric(space)  # pyright: ignore[reportArgumentType]
    raise TypeError(f"a space is one of contraction.maps.spaces or a function distance(x, y), got {space!r}")
