"""A search for a pair of points, a map or a displacement that violates a declared constant of a family.

A violating pair refutes the constant; a search without result proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_integer
from contraction.maps.balls import AffineEnclosure, Ball
from contraction.maps.constants import Constant
from contraction.maps.draws import sub_sequence
from contraction.maps.errors import DeclarationRefuted
from contraction.maps.operators import Operators, RandomOperator, drawn
from contraction.maps.points import as_point
from contraction.maps.probe import probe
from contraction.maps.rounding import gamma
from contraction.maps.spaces import Space, as_space
from contraction.maps.stated import stated_about_maps
from contraction.values import Value

__all__ = ["Search", "check_enclosures", "least_distances", "search_violation"]

#: ``points(rng, count)`` gives points (count, ...) of a region.
Points: TypeAlias = Callable[[np.random.Generator, int], ArrayLike]
# The value of a map is assumed to be accurate to this many roundings per coordinate, relative to argument and value.
OPERATIONS = 64
STEEPEST_MAPS = 6  # derivatives are taken of this many maps
SMALL = 64  # up to this dimension all derivatives are computed as whole matrices
FULL_JACOBIAN = 512  # up to this dimension the derivative of one map is a whole matrix; above it, products with vectors
STARTS = 256  # number of maps that are compared at the start with a declared displacement
LARGE = 2**20  # if d is large, pairs with at least this many numbers in total are compared per map


@dataclass(frozen=True, eq=False)
class Search(Value):
    """Result of a search without violation: the largest d(Tx, Ty) / d(x, y) and the largest d(θ_0, T θ_0)."""

    maps: int
    pairs: int
    largest_ratio: float
    largest_displacement: float


def search_violation(
    family: RandomOperator | Operators,
    theta0: ArrayLike,
    seed: int = 0,
    *,
    maps: int = 16,
    pairs: int = 24,
    factor: Constant | None = None,
    points: Points | None = None,
) -> Search:
    """Search for a violation of the constants that a family states, and raise an error if there is one.

    For drawn maps, the search compares pairs of points near the start and far from it, and pairs along the directions
    that a finite-difference derivative stretches most. It compares the displacement at the start with the stated
    supremum, and the affine form with the map itself.

    The constants are the hypotheses of Theorem 2.2: a common factor k, and the bound (2) on the displacement.

    Parameters
    ----------
    family
        A random operator, or operators drawn from one (their own maps are searched then, at most ``maps`` of them).
    theta0
        The start for which the displacement is declared, shape (..., d).
    seed
        Seed of the maps and of the points.
    maps, pairs
        The number of maps, and the number of random pairs per map.
    factor
        The contraction factor to refute (default: the family's).
    points
        ``points(rng, count)`` returns points (count, ...) of the region for which the constants are declared (default:
        points around the start, at distances on scales from 1e-3 to 1e3).

    Returns
    -------
    Search
        The largest ratio and displacement seen: lower bounds on the true constants.

    Raises
    ------
    DeclarationRefuted
        If a declared constant is violated; the message states the map, the pair (or the start) and both numbers.
    MapRefused, NotDeterministic
        If a map breaks a rule of `RandomOperator`, such as keeping the shape of a point (`contraction.maps.probe`).

    Examples
    --------
    >>> import contraction as ct
    >>> maps = lambda rng: rng.uniform(-1, 1), lambda x, u: x / 2 + u
    >>> wrong = ct.RandomOperator(*maps, contraction=0.4, displacement=1.0)
    >>> try:
    ...     ct.search_violation(wrong, [0.0])
    ... except ct.DeclarationRefuted as error:
    ...     print(str(error).split(':')[0])
    the declared contraction factor (contraction=) = 0.4 is violated
    """
    check_integer("maps", maps)
    check_integer("pairs", pairs)
    operators = family if isinstance(family, Operators) else family.sample(maps, seed=seed)
    owner = operators.family
    start = as_point(theta0, owner.dim)
    event = start.shape[start.ndim - owner.space.event_ndim :]
    probe(operators, start, named=True)
    rng = np.random.default_rng(sub_sequence(seed, "declarations"))
    near = start.reshape(-1, *event)[0]
    pairs = min(pairs, max(4, LARGE // max(1, near.size)))
    factor, reach = owner.contraction if factor is None else factor, owner.displacement(start)
    best, farthest, compared = 0.0, _farthest(family, start, reach, seed), 0
    for n, i in enumerate(_spread(len(operators), maps)):
        T = _Map(operators, i)
        farthest = max(farthest, _check_displacement(T, start, reach))
        x, y = _pairs(T, near, rng, pairs, points)
        _check_affine(T, x)
        _check_domain(T, x)
        limits = [(factor, None if factor is None else factor.value), ("lipschitz(draw)", T.lipschitz)]
        steepest = []
        if points is None and n < (STEEPEST_MAPS if start.shape[-1] <= FULL_JACOBIAN else 2):  # may leave a region
            steepest = _steepest(T, x, whole=n == 0)
        for p, q in ((x, y), *steepest):
            best = max(best, _check_pairs(T, p, q, limits))
            compared += len(p)
    return Search(min(maps, len(operators)), compared, best, farthest)


def _farthest(family: RandomOperator | Operators, start: NDArray, reach: Constant | None, seed: int) -> float:
    """Compare a declared displacement with that of many fresh maps at the start, which costs one application each."""
    if isinstance(family, Operators) or reach is None:
        return 0.0
    if reach.origin != "declared" and not stated_about_maps(family):
        return 0.0
    count = max(16, min(STARTS, LARGE // max(1, start.size)))
    rng = np.random.default_rng(sub_sequence(seed, "displacements"))
    operators = drawn(family, count, int(rng.integers(2**63)))
    return max(_check_displacement(_Map(operators, i), start, reach) for i in range(1, count + 1))


def check_enclosures(
    family: RandomOperator, theta: NDArray, maps: Sequence[AffineEnclosure], seed: int, *, draws: int = 8
) -> None:
    """Refuse enclosures that do not contain a drawn map, up to rounding, at the start or at random points.

    This detects a family that overrides ``apply`` but inherits the enclosures of another one. A search without result
    proves nothing.

    Raises
    ------
    DeclarationRefuted
        If a map sends a point outside every enclosure; the message states both.
    """
    operators = family.sample(draws, seed=seed)
    rng = np.random.default_rng(sub_sequence(seed, "enclosures"))
    near = theta.astype(float)
    A = np.array([[_middles(row) for row in one.A] for one in maps])
    spread = np.array([[[float(x.rad()) for x in row] for row in one.A] for one in maps])
    center = np.array([_middles(one.center) for one in maps])[:, None]
    free = [np.inf] * near.shape[-1]
    low = np.array([[-x for x in free] if one.low is None else _middles(one.low) for one in maps])[:, None]
    high = np.array([free if one.high is None else _middles(one.high) for one in maps])[:, None]
    for i in range(1, draws + 1):
        T = _Map(operators, i)
        x = np.concatenate([near[None], *_pairs(T, near, rng, 4, None)])
        fx, gap = T(x), x - center
        with np.errstate(over="ignore", invalid="ignore"):
            rest = fx - center - np.einsum("mij,mpj->mpi", A, gap)
            scale = np.abs(fx) + np.abs(center) + np.einsum("mij,mpj->mpi", np.abs(A), np.abs(x) + np.abs(center))
            scale += sum(np.where(np.isfinite(end), np.abs(end), 0.0) for end in (low, high))
            slack = gamma(OPERATIONS + 16 * x.shape[-1]) * scale + np.einsum("mij,mpj->mpi", spread, np.abs(gap))
            outside = np.any((rest < low - slack) | (rest > high + slack), axis=-1)
        if np.all(np.any(outside, axis=-1)):
            at = int(np.argmax(outside[int(np.argmin(outside.sum(axis=-1)))]))
            raise DeclarationRefuted(
                f"affine_enclosures() does not contain {T.name}, which sends x = {x[at].tolist()} to {fx[at].tolist()}"
            )


def _middles(balls: Sequence[Ball]) -> list[float]:
    return [float(x.mid()) for x in balls]


class _Map:
    """The map T_i, or T_i of every replica, on points (P, *event)."""

    def __init__(self, operators: Operators, i: int) -> None:
        self.operators, self.i, self.space = operators, i, as_space(operators.family.space)
        self.draw = operators.draws[i - 1]
        self.replicas = operators.replicas
        self.lipschitz = operators.family.lipschitz(self.draw)
        self.name = f"T_{i} of {operators.family!r} (seed {operators.seed})"

    def spread(self, x: NDArray) -> NDArray:
        """Repeat points (P, *event) for every replica: (P, R, *event)."""
        if self.replicas is None:
            return x
        axis = x.ndim - self.space.event_ndim
        shape = (*x.shape[:axis], self.replicas, *x.shape[axis:])
        return np.broadcast_to(np.expand_dims(x, axis), shape)

    def __call__(self, x: NDArray) -> NDArray:
        """T(x); Fractions that a map makes of floats are compared as floats."""
        image = np.asarray(self.operators.apply(self.i, x))
        return image.astype(float) if image.dtype == object and x.dtype.kind == "f" else image


def _spread(total: int, count: int) -> list[int]:
    return sorted({int(i) for i in np.linspace(1, total, min(total, count)).round()}) if total else []


def _exact(x: NDArray) -> bool:
    return x.dtype.kind in "iubO"


def _size(x: NDArray, event_ndim: int) -> NDArray:
    axes = tuple(range(x.ndim - event_ndim, x.ndim))
    return np.max(np.abs(x.astype(float)), axis=axes, initial=0.0)


def _allowance(space: Space, x: NDArray, y: NDArray, fx: NDArray, fy: NDArray) -> NDArray | float:
    """Return the largest effect of rounding on d(Tx, Ty) if all coordinates have rounding errors; 0 for exact types."""
    if _exact(fx) and _exact(x):
        return 0.0
    n = space.event_ndim
    d = int(np.prod(x.shape[x.ndim - n :]))
    with np.errstate(over="ignore", invalid="ignore"):
        size = _size(x, n) + _size(y, n) + _size(fx, n) + _size(fy, n)
        error = (gamma(OPERATIONS + 16 * d) * size).reshape(*size.shape, *[1] * n)
        if space.isometry is not None:
            return 2 * np.linalg.norm(space.isometry, 2) * np.sqrt(d) * error.reshape(size.shape)
        moved = sum(np.asarray(space.distance(v, v + s * error), dtype=float) for v in (fx, fy) for s in (1, -1))
    return np.nan_to_num(moved, nan=0.0)


def least_distances(space: Space, theta: NDArray, images: NDArray) -> NDArray:
    """Return distances (K,) of a point (*event) from its images (K, *event), less what rounding may have added."""
    start = np.broadcast_to(theta[None], images.shape)
    room = _allowance(space, start, start, images, images)
    return np.maximum(np.asarray(space.distance(start, images), dtype=float) - room, 0.0)


def _check_displacement(T: _Map, start: NDArray, reach: Constant | None) -> float:
    x = start if T.replicas is None else T.spread(start)
    fx = T(x)
    moved = np.asarray(T.space.distance(x, fx))
    if not moved.size:
        return 0.0
    largest = np.max(moved)
    with np.errstate(over="ignore"):
        limit = np.inf if reach is None else reach.value + _allowance(T.space, x, x, fx, fx)
    if reach is not None and np.any(moved > limit):
        raise DeclarationRefuted(
            f"the {reach.origin} displacement {reach.value!r} ({reach.source}) is violated: {T.name} moves the start "
            f"theta0 = {start.tolist()} by {float(largest)!r}"
        )
    return float(largest)


def _pairs(
    T: _Map, near: NDArray, rng: np.random.Generator, count: int, points: Points | None
) -> tuple[NDArray, NDArray]:
    if points is not None:
        x, y = np.asarray(points(rng, count)), np.asarray(points(rng, count))
    elif (x := T.operators.family.random_points(rng, near, count)) is not None:
        y = np.asarray(T.operators.family.random_points(rng, near, count))
    else:
        center = near.astype(float)
        center = np.where(np.isfinite(center), center, 0.0)
        scale = 1 + np.max(np.abs(center), initial=0.0)
        wide, narrow = (scale * 10.0 ** rng.uniform(-3, 3, (count, *[1] * near.ndim)) for _ in range(2))
        x = center + wide * rng.standard_normal((count, *near.shape))
        y = x + narrow * rng.standard_normal((count, *near.shape))
    return T.spread(x), T.spread(y)


def _order_of_arguments(family: RandomOperator) -> str:
    """Return a reminder of the order of ``(theta, draw)``, which a user may have exchanged in ``apply``."""
    if type(family) is not RandomOperator or family.is_fixed_sequence:
        return ""
    return "; is apply a function of (theta, draw), in this order?"


def _check_pairs(T: _Map, x: NDArray, y: NDArray, limits: list) -> float:
    fx, fy = T(x), T(y)
    apart, images = (np.asarray(T.space.distance(*pair)) for pair in ((x, y), (fx, fy)))
    noise = _allowance(T.space, x, y, fx, fy)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.where(apart > 0, images.astype(float) / np.where(apart > 0, apart.astype(float), 1), 0.0)
        trusted = np.where(apart > 0, (images - noise).astype(float) / np.where(apart > 0, apart.astype(float), 1), 0.0)
    for stated, limit in limits:
        if limit is None:
            continue
        bound = np.asarray(limit, dtype=float)
        with np.errstate(invalid="ignore", over="ignore"):
            broken = trusted > bound * (1 + gamma(OPERATIONS))
        if np.any(broken):
            at = np.unravel_index(int(np.nanargmax(np.where(broken, ratio, -1))), broken.shape)
            what = stated if isinstance(stated, str) else f"{stated.origin} contraction factor ({stated.source})"
            shown = float(np.broadcast_to(bound, broken.shape)[at])
            raise DeclarationRefuted(
                f"the {what} = {shown!r} is violated: for {T.name}, d(Tx, Ty) / d(x, y) = {float(ratio[at])!r} "
                f"at x = {x[at].tolist()}, y = {y[at].tolist()}{_order_of_arguments(T.operators.family)}"
            )
    finite = trusted[np.isfinite(trusted)]
    return float(np.max(finite, initial=0.0))


def _check_domain(T: _Map, x: NDArray) -> None:
    domain = T.operators.family.known.region
    if domain is None or _exact(x):
        return
    fx = T(x)
    left = ~domain.contains(fx) & domain.contains(x)
    if np.any(left):
        at = np.unravel_index(int(np.argmax(left)), left.shape)
        raise DeclarationRefuted(
            f"the declared domain {domain!r} is not invariant: {T.name} sends x = {x[at].tolist()} to {fx[at].tolist()}"
        )


def _check_affine(T: _Map, x: NDArray) -> None:
    family = T.operators.family
    if not family.is_affine or _exact(x):
        return
    maps = family.affine(T.draw)
    if maps is None:
        return
    fx, claimed = T(x), maps(x)
    size, largest = _size(x, 1), np.max(np.abs(maps.A), initial=0.0) * x.shape[-1]
    scale = (1 + largest) * (1 + size) + _size(fx, 1) + np.max(np.abs(maps.b))
    slack = gamma(OPERATIONS + 16 * x.shape[-1]) * scale
    wrong = np.max(np.abs(fx - claimed), axis=-1) > slack
    if np.any(wrong):
        at = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
        raise DeclarationRefuted(
            f"affine(draw) is not the map: {T.name} sends x = {x[at].tolist()} to {fx[at].tolist()}, "
            f"but A x + b = {claimed[at].tolist()}"
        )


def _steepest(T: _Map, x: NDArray, whole: bool) -> list[tuple[NDArray, NDArray]]:
    """Pairs along the directions that a finite-difference derivative stretches most (Euclidean, sup and l1 senses)."""
    if (
        T.space.event_ndim != 1
        or not len(x)
        or _exact(x)
        or T.operators.family.random_points(np.random.default_rng(0), x[0], 1) is not None
    ):
        return []  # the difference steps could leave a subset of R^d
    x = x[:3]
    if (small := x.shape[-1] <= SMALL) or (whole and x.shape[-1] <= FULL_JACOBIAN):
        x = x if small else x[:1]
        directions = _of_jacobian(T, x)
    else:
        x = x[:1]
        directions = _of_products(T, x)
    if directions is None:
        return []
    out = []
    for v in directions:
        for t in (1e-3, 1.0, 1e3):
            half = 0.5 * t * (1 + _size(x, 1))[..., None] * v
            out.append((x - half, x + half))
    return out


def _of_jacobian(T: _Map, x: NDArray) -> list[NDArray] | None:
    """Return the directions from the whole derivative, with d applications per point; None if it is not finite."""
    step = 1e-6 * (1 + _size(x, 1))[..., None]
    d = x.shape[-1]
    basis = np.eye(d).reshape(d, *[1] * (x.ndim - 1), d)
    J = np.moveaxis((T(x + step * basis) - T(x)) / step, 0, -1)
    if not np.all(np.isfinite(J)):
        return None
    singular = np.linalg.svd(J)[2][..., 0, :]
    row = np.take_along_axis(J, np.argmax(np.abs(J).sum(-1), axis=-1)[..., None, None], axis=-2)[..., 0, :]
    signs = np.where(row < 0, -1.0, 1.0)
    column = np.eye(d)[np.argmax(np.abs(J).sum(-2), axis=-1)]
    return [singular, signs, column, *T.space.stretched_directions(J)]


def _of_products(T: _Map, x: NDArray, block: int = 2, powers: int = 6) -> list[NDArray] | None:
    """Return the direction in span(v, J v, J² v, …) (two random v) that J stretches most, with its signs and corner.

    J is never formed: each product is a difference of two values of the map. For a symmetric J, such as that of a
    gradient step, this is the power method with the best combination of all its vectors. For other J, the search misses
    directions outside this span.
    """
    lead, d = x.shape[:-1], x.shape[-1]
    step = 1e-6 * (1 + _size(x, 1))[..., None]
    value = T(x)
    V = np.random.default_rng(0x5EE).standard_normal((block, *lead, d))
    basis, images = [], []
    for _ in range(powers):
        largest = np.max(np.abs(V), axis=-1, keepdims=True)
        V = V / np.where(largest > 0, largest, 1.0)
        JV = (T(x + step * V) - value) / step
        if not np.all(np.isfinite(JV)):
            return None
        basis.append(V)
        images.append(JV)
        V = _best(_inner(JV), None, block) @ np.moveaxis(JV, 0, -2)
        V = np.moveaxis(V, -2, 0)
    K, JK = np.concatenate(basis), np.concatenate(images)
    v = (_best(_inner(K), _inner(JK), 1) @ np.moveaxis(K, 0, -2))[..., 0, :]
    v = v / np.max(np.abs(v), axis=-1, keepdims=True)
    corner = np.where(np.abs(v) == 1, 1.0, 0.0)
    return [v, np.where(v < 0, -1.0, 1.0), corner]


def _inner(V: NDArray) -> NDArray:
    """Inner products of vectors (m, ..., d) with one another, shape (..., m, m)."""
    W = np.moveaxis(V, 0, -2)
    return W @ np.swapaxes(W, -1, -2)


def _best(gram: NDArray, image_gram: NDArray | None, count: int) -> NDArray:
    """Coefficients (..., count, m) of the unit vectors with the longest images; without images, of orthonormal ones."""
    values, vectors = np.linalg.eigh(gram)
    room = gram.shape[-1] * 2.0**-40 * values[..., -1:]
    white = np.where(values > room, 1 / np.sqrt(np.where(values > room, values, 1.0)), 0.0)[..., None, :] * vectors
    inside = np.eye(gram.shape[-1]) if image_gram is None else np.swapaxes(white, -1, -2) @ image_gram @ white
    top = np.linalg.eigh(inside * np.ones((*gram.shape[:-2], 1, 1)))[1][..., -count:]
    if image_gram is None:
        top = np.broadcast_to(np.eye(gram.shape[-1])[:, -count:], top.shape)
    return np.swapaxes(white @ top, -1, -2)
