"""Directional derivatives of drawn maps: from linear parts, the family, the user, or difference quotients.

Directions have shape (r, R, d): r directions for each of R replicas. Every image comes with a floor. An image whose
norm is at or below its floor cannot be distinguished from zero, because rounding (or the difference quotient) may
produce an error of this size.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.maps.affine import AffineMaps, linear
from contraction.maps.errors import DeclarationRefuted
from contraction.maps.operators import Operators
from contraction.maps.points import apply_read_only
from contraction.maps.rounding import EPS
from contraction.types import Draw

__all__ = ["Derivative", "derivative_of"]

STEP = EPS ** (1 / 3)  # of central differences, relative to max(1, |theta|): truncation and rounding are then balanced

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
    return lambda i, theta, V: _differences(operators, i, theta, V), "central differences of the maps"


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


def _differences(operators: Operators, i: int, theta: NDArray, V: NDArray) -> tuple[NDArray, NDArray]:
    """Central difference quotients along unit directions, and the effect of rounding on them as floors."""
    r = len(V)
    h = STEP * np.maximum(1.0, np.linalg.norm(theta, axis=-1))[..., None]
    points = np.concatenate([theta + h * V, theta - h * V])
    values = np.asarray(apply_read_only(operators.family, points, operators.draws[i - 1], f"T_{i}"), dtype=float)
    images = (values[:r] - values[r:]) / (2 * h)
    return images, 8 * EPS * np.linalg.norm(values[:r], axis=-1) / h[..., 0]


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
