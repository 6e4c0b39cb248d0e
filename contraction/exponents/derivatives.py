"""Directional derivatives of drawn maps: from linear parts, the family, the user, or difference quotients.

Directions have shape (r, R, d): r directions for each of R replicas. Every image comes with a floor. An image whose
norm is at or below its floor cannot be distinguished from zero, because rounding (or the difference quotient) may
produce an error of this size. A floor of 0 says that the image is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.maps.affine import AffineMaps, linear
from contraction.maps.errors import DeclarationRefuted
from contraction.maps.operators import Operators
from contraction.maps.points import apply_read_only
from contraction.maps.rounding import EPS
from contraction.types import Draw

__all__ = ["DIFFERENCES", "Derivative", "depends_on_step", "derivative_of", "exact_rank"]

DIFFERENCES = "central differences of the maps"

STEP = EPS ** (1 / 3)  # of central differences, relative to max(1, |theta|): truncation and rounding are then balanced
RANKED = 12  # coordinates up to which ranks are computed in rational arithmetic

#: (map number from 1, points (R, d), directions (r, R, d)) -> (images (r, R, d), floors (r, R))
Derivative = Callable[[int, NDArray, NDArray], tuple[NDArray, NDArray]]
#: one point (d,), one direction (d,), one draw -> the image (d,)
OneDirection = Callable[[NDArray, NDArray, Draw], ArrayLike]


def derivative_of(operators: Operators, theta: NDArray, jvp: OneDirection | None) -> tuple[Derivative, str]:
    """Return the derivative of the drawn maps, and a description of its source.

    Parameters
    ----------
    operators
        Maps drawn with replicas.
    theta
        The points at which a given ``jvp`` is compared with difference quotients, (R, d).
    jvp
        The user's derivative of one map at one point in one direction (default: the family's).

    Raises
    ------
    DeclarationRefuted
        If ``jvp`` disagrees with difference quotients of the first, a middle or the last map.
    ValueError
        If ``jvp`` returns another shape, or the draws of the family cannot be taken one at a time.
    """
    family, d = operators.family, theta.shape[-1]
    if jvp is not None:
        given = _given(operators, jvp)
        _compare(operators, theta, given)
        return given, "given as jvp="
    if family.is_affine:
        return lambda i, theta, V: _linear(family.affine(operators.draws[i - 1]), V, d), "the maps' linear parts"
    if family.jvp(theta, theta[None], operators.draws[0]) is not None:
        return lambda i, theta, V: _with_floor(np.asarray(family.jvp(theta, V, operators.draws[i - 1])), d), (
            "given by the family"
        )
    return lambda i, theta, V: _differences(operators, i, theta, V), DIFFERENCES


def _with_floor(images: ArrayLike, d: int) -> tuple[NDArray, NDArray]:
    images = np.asarray(images, dtype=float)
    sizes = np.linalg.norm(images, axis=-1)
    return images, np.broadcast_to(8 * d * EPS * sizes.max(axis=0), sizes.shape) * (len(sizes) > 1)


def _linear(maps: AffineMaps | None, V: NDArray, d: int) -> tuple[NDArray, NDArray]:
    """Return A V, and 8 d ulps of |A| |V| as a bound on the rounding of this product and of the orthogonalisation."""
    if maps is None:
        raise ValueError("a family that says it is affine has a map without an affine form")
    A = np.asarray(maps.A, dtype=float)
    absolute = linear(np.abs(A), np.abs(V), maps.kind)
    return linear(A, V, maps.kind), 8 * d * EPS * np.linalg.norm(absolute, axis=-1)


def exact_rank(maps: AffineMaps | None, replica: int, d: int) -> int:
    """Return the rank of the linear part of one replica, in rational arithmetic; d if d is beyond `RANKED`."""
    if maps is None or d > RANKED:
        return d
    A = np.asarray(maps.A, dtype=float)
    own = {"scalar": 0, "diagonal": 1, "matrix": 2}[maps.kind]
    A = A[replica] if A.ndim > own else A
    if maps.kind != "matrix":
        return int(np.count_nonzero(np.broadcast_to(A, (d,))))
    rows, rank = [[Fraction(float(x)) for x in row] for row in A], 0
    for j in range(d):
        pivot = next((i for i in range(rank, d) if rows[i][j]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for i in range(rank + 1, d):
            share = rows[i][j] / rows[rank][j]
            rows[i] = [x - share * y for x, y in zip(rows[i], rows[rank], strict=True)]
        rank += 1
    return rank


def depends_on_step(operators: Operators, i: int, theta: NDArray, V: NDArray) -> NDArray:
    """Return for each image (r, R) whether a step 16 times smaller changes the quotient by more than a quarter."""
    (wide, floor), (narrow, coarse) = (_differences(operators, i, theta, V, part) for part in (1.0, 1 / 16))
    gap, sizes = np.linalg.norm(wide - narrow, axis=-1), [np.linalg.norm(x, axis=-1) for x in (wide, narrow)]
    return gap > np.maximum(*sizes) / 4 + floor + coarse


def _differences(
    operators: Operators, i: int, theta: NDArray, V: NDArray, part: float = 1.0
) -> tuple[NDArray, NDArray]:
    """Central difference quotients along unit directions, and the effect of rounding on them as floors."""
    r = len(V)
    h = part * STEP * np.maximum(1.0, np.linalg.norm(theta, axis=-1))[..., None]
    points = np.concatenate([theta + h * V, theta - h * V])
    values = np.asarray(apply_read_only(operators.family, points, operators.draws[i - 1], f"T_{i}"), dtype=float)
    images = (values[:r] - values[r:]) / (2 * h)
    sizes = np.maximum(np.linalg.norm(values[:r], axis=-1), np.linalg.norm(values[r:], axis=-1))
    return images, 8 * EPS * sizes / h[..., 0]


def _given(operators: Operators, jvp: OneDirection) -> Derivative:
    def derivative(i: int, theta: NDArray, V: NDArray) -> tuple[NDArray, NDArray]:
        draw = operators.draws[i - 1]
        if not isinstance(draw, list | np.ndarray) or len(draw) != len(theta):
            raise ValueError(f"jvp= takes one draw at a time, and the draws of {operators.family!r} cannot be split")
        images = np.empty(V.shape)
        for k, r in np.ndindex(V.shape[:2]):
            image = np.asarray(jvp(theta[r].copy(), V[k, r].copy(), draw[r]), dtype=float)
            if image.shape != V.shape[2:]:
                raise ValueError(
                    f"jvp(theta, direction, draw) must return shape {V.shape[2:]}, got {image.shape} for map {i}"
                )
            images[k, r] = image
        return _with_floor(images, V.shape[-1])

    return derivative


def _compare(operators: Operators, theta: NDArray, given: Derivative) -> None:
    """Compare a given derivative with difference quotients, to 1e-4 (relative) for moderate third derivatives."""
    direction = np.random.default_rng(0).standard_normal((1, *theta.shape))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    for i in sorted({1, (len(operators) + 1) // 2, len(operators)}):
        said, _ = given(i, theta, direction)
        seen, floor = _differences(operators, i, theta, direction)
        gap, size = (np.linalg.norm(x, axis=-1) for x in (said - seen, seen))
        if np.any(gap > 1e-4 * np.maximum(size, np.linalg.norm(said, axis=-1)) + floor):
            r = int(np.argmax(gap[0]))
            raise DeclarationRefuted(
                f"jvp= is not the derivative of T_{i}: at theta = {theta[r]!r} in direction {direction[0, r]!r} it "
                f"gives {said[0, r]!r}, but difference quotients give {seen[0, r]!r}"
            )
