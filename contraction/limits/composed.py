"""T_1 … T_n (θ) with a bound on its rounding error.

If every map T_i is computed with an error of at most r_i at the computed argument, the error of the composition is at
most r_1 + Lip(T_1) r_2 + … + Lip(T_1 … T_(n-1)) r_n, because maps that are applied later contract earlier errors.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from contraction.certificates.drawn import prefix_lipschitz
from contraction.certificates.falsify import OPERATIONS
from contraction.certificates.words import p_mean_factor
from contraction.maps.arrays import is_exact
from contraction.maps.errors import MapRefused, NotCertified
from contraction.maps.operators import Operators, RandomOperator, how_to_state
from contraction.maps.rounding import gamma
from contraction.maps.spaces import Euclidean, L1Simplex, Space, SupNorm, WeightedEuclidean

__all__ = ["compose", "composed", "in_floats", "moment_prefixes", "prefix_bounds", "rounding_of_one"]


def compose(operators: Operators, theta: NDArray, n: int | None = None, first: int = 1) -> NDArray:
    """T_first … T_n (θ) for maps that were already probed; `apply_backward` probes them first."""
    value = np.array(theta)
    for i in range(len(operators) if n is None else n, first - 1, -1):
        value = operators.apply(i, value)
    return value if value.flags.writeable else value.copy()


def in_floats(theta: NDArray, operators: Operators) -> NDArray:
    """Convert an integer start to the dtype of its images: floats, or exact Python integers."""
    if theta.dtype.kind in "iub" and len(operators):
        kind = np.result_type(theta.dtype, np.asarray(operators.apply(1, theta)).dtype)
        return theta.astype(object if kind.kind in "iub" else kind)
    return theta


def composed(operators: Operators, theta: NDArray, n: int, prefixes: NDArray) -> tuple[NDArray, float]:
    """T_1 … T_n (θ), and a bound on its distance to the value in exact arithmetic.

    Parameters
    ----------
    operators
        Drawn maps T_1 … T_N, probed.
    theta
        One point.
    n
        Index of the innermost map.
    prefixes
        Bounds on Lip(T_1 … T_j) for j = 0 … n - 1, or more.

    Returns
    -------
    value : ndarray
        The point.
    rounding : float
        0 where all iterates are exact numbers. Otherwise the bound assumes that every map has an error of at most
        64 + 16 d roundings per coordinate, relative to the largest coordinate of argument and value.

    Raises
    ------
    MapRefused
        If an iterate is NaN or infinite.
    """
    space, value = operators.family.space, np.array(theta)
    if value.dtype.kind in "iubO":
        exact = value
        for i in range(n, 0, -1):
            exact = np.asarray(operators.apply(i, exact))
            if not _all_exact(exact):
                break
        else:
            return (exact if exact.flags.writeable else exact.copy()), 0.0
    norm, total, size, unit = _of_coordinates(space, value), 0.0, _size(value), 0.0
    for i in range(n, 0, -1):
        image = np.asarray(operators.apply(i, value))
        if image.dtype == object:  # Fractions that a map makes of floats
            image = image.astype(float)
        unit = max(unit, _unit(image), _unit(value) if n == i else 0.0)
        size = max(size, _size(image))
        if norm is None:
            total += float(prefixes[i - 1]) * _moved(space, image, _local(unit, value.size) * size)
        value = image
    if not np.all(np.isfinite(value)):
        raise MapRefused(f"the iterates are not finite: T_1 … T_{n} (theta0) = {value!r}")
    if norm is not None and n:
        total = float(np.sum(prefixes[:n])) * norm * _local(unit, value.size) * 2 * size
    return (value if value.flags.writeable else value.copy()), total * (1 + 2.0**-20)


def rounding_of_one(space: Space, value: NDArray) -> float:
    """Bound on the rounding error of one map, the smallest error that is reported if no constant is known."""
    if _all_exact(value):
        return 0.0
    value = value.astype(float) if value.dtype == object else value
    each, norm = _local(_unit(value), value.size) * 2 * _size(value), _of_coordinates(space, value)
    return _moved(space, value, each) if norm is None else norm * each


def prefix_bounds(operators: Operators, n: int, k: float | None) -> NDArray:
    """Bounds on Lip(T_1 … T_j), j = 0 … n: k^j, or from the factors of each map if no common k < 1 is known.

    Raises
    ------
    NotCertified
        If no Lipschitz constant is known.
    """
    if k is not None:
        return np.power(k, np.arange(n + 1.0))
    known = prefix_lipschitz(operators[:n]) if n else (np.ones(1), "", "drawn")
    if known is None:
        raise NotCertified(
            f"the rounding of T_1 … T_{n} is unknown: no Lipschitz constant is stated for {operators.family!r}",
            (how_to_state(operators.family),),
        )
    return np.asarray(known[0], dtype=float) * (1 + 2.0**-20)


def moment_prefixes(family: RandomOperator, n: int, p: float) -> NDArray | None:
    """Bounds on sup (E d(T_1 … T_j x, T_1 … T_j y)^p)^(1/p) / d(x, y), j = 0 … n, p >= 1; None if unknown.

    They replace Lipschitz constants for errors in p-mean: the rounding error of a map depends only on the maps that are
    applied before it, which are independent of T_1 … T_j.
    """
    moments = family.second_moments() if p == 2 and type(family.space) is Euclidean else None
    if moments is None or moments.radius >= 1:
        rho = family.mean_square_factor if p == 2 else None
        if rho is not None and rho.value < 1:
            return np.power(rho.value, np.arange(n + 1.0))
        mean = p_mean_factor(family, p) if p >= 1 else None
        return None if mean is None or mean.value >= 1 else np.power(mean.value, np.arange(n + 1.0) / p)
    d = len(moments.Eb)
    S, Q, out = moments.EAA.T, np.eye(d).ravel(), np.empty(n + 1)
    for j in range(n + 1):
        out[j] = np.trace(Q.reshape(d, d))  # at least the largest eigenvalue
        Q = S @ Q
    return np.sqrt(out) * (1 + 2.0**-20)


def _all_exact(x: NDArray) -> bool:
    """Whether all coordinates are exact numbers: an exact start has images in floats where the maps have floats."""
    return x.dtype.kind in "iub" or (x.dtype == object and all(is_exact(v) or isinstance(v, bool) for v in x.flat))


def _unit(x: NDArray) -> float:
    return float(np.finfo(x.dtype).eps) / 2 if x.dtype.kind == "f" else 0.0


def _size(x: NDArray) -> float:
    return float(np.max(np.abs(x), initial=0.0))


def _local(unit: float, d: int) -> float:
    return gamma(OPERATIONS + 16 * d, unit) if unit else 0.0


def _of_coordinates(space: Space | None, x: NDArray) -> float | None:
    """Return c with ‖v‖ <= c max |v_j|, for spaces whose distance comes from a known norm; None otherwise."""
    if type(space) is Euclidean:
        return math.sqrt(x.size)
    if type(space) is SupNorm:
        return 1.0
    if type(space) is L1Simplex:
        return float(x.size)
    if type(space) is WeightedEuclidean:
        return float(np.linalg.norm(space.root, 2)) * math.sqrt(x.size)
    return None


def _moved(space: Space, x: NDArray, error: float) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        moved = [float(space.distance(x, x + s * error)) for s in (1, -1)]
    return 1.05 * max((m for m in moved if math.isfinite(m)), default=math.inf)
