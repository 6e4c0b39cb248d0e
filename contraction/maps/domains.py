"""Subsets of R^d on which maps are defined: membership tests, and random points near a given point."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_finite, check_positive
from contraction.maps.arrays import numbers
from contraction.types import override
from contraction.values import Value

__all__ = ["Ball", "Box", "Domain", "HalfSpace", "Points", "RotatedBox", "Simplex", "as_domain"]


class Domain(ABC):
    """A closed set that every map sends into itself."""

    @abstractmethod
    def contains(self, x: NDArray) -> NDArray:
        """Which of the points (..., d) lie in the set, up to rounding; True for all if membership cannot be tested."""

    @abstractmethod
    def points(self, rng: np.random.Generator, near: NDArray, count: int) -> NDArray:
        """Random points (count, d), some near the point ``near`` (d,) and some far from it."""


def _around(rng: np.random.Generator, near: NDArray, count: int) -> NDArray:
    """Random points around a point, at distances on scales from 1e-3 to 1e3."""
    center = np.where(np.isfinite(near), near, 0.0).astype(float)
    scale = (1 + np.max(np.abs(center), initial=0.0)) * 10.0 ** rng.uniform(-3, 3, (count, *[1] * near.ndim))
    return center + scale * rng.standard_normal((count, *near.shape))


def _slack(x: NDArray) -> NDArray:
    """Return the distance by which rounding may move a point out of its set."""
    return 2.0**-40 * (1 + np.max(np.abs(x), axis=-1, initial=0.0))


@dataclass(frozen=True, eq=False)
class Box(Domain):
    """All x with low <= x <= high, coordinate by coordinate; ends may be infinite.

    Examples
    --------
    >>> import contraction as ct
    >>> import numpy as np
    >>> ct.Box([0.0], [1.0]).contains(np.array([[0.5], [1.5]]))
    array([ True, False])
    """

    low: ArrayLike
    high: ArrayLike

    def __post_init__(self) -> None:
        low, high = numbers("low", self.low), numbers("high", self.high)
        if low.shape != high.shape and low.ndim and high.ndim:
            raise ValueError(f"low and high of a box must have one shape, got {low.shape} and {high.shape}")
        if not np.all(low < high):
            raise ValueError(f"a box needs low < high, got low = {self.low!r}, high = {self.high!r}")

    @override
    def contains(self, x: NDArray) -> NDArray:
        slack = _slack(x)[..., None]
        return np.all((np.asarray(self.low) - slack <= x) & (x <= np.asarray(self.high) + slack), axis=-1)

    @override
    def points(self, rng: np.random.Generator, near: NDArray, count: int) -> NDArray:
        low, high = (np.broadcast_to(np.asarray(end, dtype=float), near.shape) for end in (self.low, self.high))
        x = np.clip(_around(rng, near, count), low, high)
        bounded = np.isfinite(low) & np.isfinite(high)
        width = np.where(bounded, high - low, 0.0)
        inside = np.where(bounded, np.where(bounded, low, 0.0) + rng.uniform(0, 1, x.shape) * width, x)
        return np.where(np.arange(count).reshape(-1, *[1] * near.ndim) % 2 == 0, inside, x)


@dataclass(frozen=True, eq=False)
class RotatedBox(Value, Domain):
    """All center + Q u with |u_j| <= radii_j: a box along the columns of Q, for ``certify(family, theta0, region=…)``.

    Parameters
    ----------
    center
        Shape (d,).
    radii
        Positive numbers, shape (d,).
    basis
        Q, an invertible matrix of shape (d, d) (default: the identity).

    Raises
    ------
    ValueError
        If a shape does not fit, an entry is not finite, a radius is not positive, or the basis is singular.

    Examples
    --------
    >>> import numpy as np
    >>> import contraction as ct
    >>> diamond = ct.RotatedBox([0.0, 0.0], [1.0, 1.0], np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2))
    >>> diamond.contains(np.array([[1.2, 0.0], [0.9, 0.9]])).tolist()
    [True, False]
    >>> diamond.coordinates(np.array([1.0, 0.0])).round(4).tolist()
    [0.7071, 0.7071]
    """

    center: NDArray
    radii: NDArray
    basis: NDArray = None  # pyright: ignore[reportAssignmentType]

    def __post_init__(self) -> None:
        center, radii = numbers("center", self.center), numbers("radii", self.radii)
        if center.ndim != 1 or radii.shape != center.shape:
            raise ValueError(f"a box needs center and radii of shape (d,), got shapes {center.shape} and {radii.shape}")
        basis = np.eye(len(center)) if self.basis is None else numbers("basis", self.basis)
        if basis.shape != (len(center),) * 2:
            raise ValueError(f"the basis of a box must have shape ({len(center)}, {len(center)}), got {basis.shape}")
        if not all(np.all(np.isfinite(x)) for x in (center, radii, basis)):
            raise ValueError("center, radii and basis of a box must have finite entries")
        if not np.all(radii > 0):
            raise ValueError(f"the radii of a box must be positive, got {float(np.min(radii))!r}")
        if np.linalg.matrix_rank(basis) < len(center):
            raise ValueError("the basis of a box must be invertible, got a singular matrix")
        for name, value in (("center", center), ("radii", radii), ("basis", basis)):
            object.__setattr__(self, name, value)
        super().__post_init__()

    def coordinates(self, x: NDArray) -> NDArray:
        """Return the coordinates u of points (..., d), in floating point."""
        return np.linalg.solve(self.basis, (np.asarray(x, dtype=float) - self.center)[..., None])[..., 0]

    @override
    def contains(self, x: NDArray) -> NDArray:
        room = self.radii + np.linalg.norm(np.linalg.inv(self.basis), np.inf) * _slack(x)[..., None]
        return np.all(np.abs(self.coordinates(x)) <= room, axis=-1)

    @override
    def points(self, rng: np.random.Generator, near: NDArray, count: int) -> NDArray:
        u = rng.uniform(-1, 1, (count, len(self.radii)))
        faces = rng.random(u.shape) < 0.5  # every other point is on a face, an edge or a corner
        faces[np.arange(count), rng.integers(len(self.radii), size=count)] = True
        u[::2] = np.where(faces[::2], np.where(u[::2] < 0, -1.0, 1.0), u[::2])
        return self.center + (u * self.radii) @ self.basis.T


@dataclass(frozen=True, eq=False)
class Ball(Domain):
    """All x with |x - center| <= radius in the Euclidean norm.

    Examples
    --------
    >>> import contraction as ct
    >>> import numpy as np
    >>> ct.Ball([0.0, 0.0], 2.0).contains(np.array([[1.0, 1.0], [2.0, 1.0]]))
    array([ True, False])
    """

    center: ArrayLike
    radius: float

    def __post_init__(self) -> None:
        check_positive("the radius of a ball", self.radius)
        center = numbers("the center of a ball", self.center)
        if not np.all(np.isfinite(center)):
            raise ValueError(f"the center of a ball must have finite entries, got {self.center!r}")

    @override
    def contains(self, x: NDArray) -> NDArray:
        return np.linalg.norm(x - np.asarray(self.center), axis=-1) <= self.radius + _slack(x)

    @override
    def points(self, rng: np.random.Generator, near: NDArray, count: int) -> NDArray:
        center = np.broadcast_to(np.asarray(self.center, dtype=float), near.shape)
        steps = _around(rng, near, count) - center
        size = np.linalg.norm(steps, axis=-1, keepdims=True)
        reach = np.where(size > self.radius, self.radius * rng.uniform(0, 1, size.shape), size)
        return center + steps / np.where(size > 0, size, 1.0) * reach


@dataclass(frozen=True, eq=False)
class HalfSpace(Domain):
    """All x with <normal, x> >= offset.

    Examples
    --------
    >>> import contraction as ct
    >>> import numpy as np
    >>> ct.HalfSpace([1.0, 1.0], 1.0).contains(np.array([[0.5, 0.5], [0.0, 0.0]]))
    array([ True, False])
    """

    normal: ArrayLike
    offset: float = 0.0

    def __post_init__(self) -> None:
        check_finite("the offset of a half-space", self.offset)
        normal = numbers("the normal of a half-space", self.normal)
        if not np.all(np.isfinite(normal)):
            raise ValueError(f"the normal of a half-space must have finite entries, got {self.normal!r}")
        if not np.any(normal):
            raise ValueError("a half-space needs a normal that is not zero")

    @override
    def contains(self, x: NDArray) -> NDArray:
        normal = np.asarray(self.normal, dtype=float)
        return x @ normal >= self.offset - _slack(x) * np.sum(np.abs(normal))

    @override
    def points(self, rng: np.random.Generator, near: NDArray, count: int) -> NDArray:
        normal = np.asarray(self.normal, dtype=float)
        x = _around(rng, near, count)
        short = np.maximum(self.offset - x @ normal, 0.0)
        beyond = short * (1 + rng.uniform(0, 1, short.shape))  # reflected, or moved towards the boundary
        return x + (beyond / (normal @ normal))[..., None] * normal


@dataclass(frozen=True)
class Simplex(Domain):
    """Probability vectors: x >= 0 with sum 1.

    Examples
    --------
    >>> import contraction as ct
    >>> import numpy as np
    >>> ct.Simplex().contains(np.array([[0.25, 0.75], [0.5, 0.75]]))
    array([ True, False])
    """

    @override
    def contains(self, x: NDArray) -> NDArray:
        return np.all(x >= -_slack(x)[..., None], axis=-1) & (np.abs(np.sum(x, axis=-1) - 1) <= 2.0**-30)

    @override
    def points(self, rng: np.random.Generator, near: NDArray, count: int) -> NDArray:
        d = near.shape[-1]
        points = rng.dirichlet(np.ones(d), size=count)
        points[::3] = np.eye(d)[rng.integers(d, size=len(points[::3]))]
        return points


@dataclass(frozen=True)
class Points(Domain):
    """A set known only through a function ``points(rng, near, count)``, so that membership cannot be tested."""

    function: Callable[[np.random.Generator, NDArray, int], ArrayLike]

    @override
    def contains(self, x: NDArray) -> NDArray:
        return np.ones(x.shape[:-1], dtype=bool)

    @override
    def points(self, rng: np.random.Generator, near: NDArray, count: int) -> NDArray:
        result = np.asarray(self.function(rng, near, count))
        if result.shape != (count, *near.shape):
            raise ValueError(
                f"domain points(rng, near, count) must give shape {(count, *near.shape)}, got {result.shape}"
            )
        return result


def as_domain(domain: object) -> Domain:
    """Return a `Domain` as it is, or wrap a function that returns points; TypeError for anything else."""
    if isinstance(domain, Domain):
        return domain
    if callable(domain) and not isinstance(domain, type):
        return Points(domain)  # pyright: ignore[reportArgumentType]
    raise TypeError(f"a domain is Box, Ball, HalfSpace, Simplex or a function points(rng, near, count), got {domain!r}")
