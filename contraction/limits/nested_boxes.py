"""Nested sets: a-posteriori bounds on the backward limit from an invariant compact set K, without a contraction factor.

If every map sends K into itself, the images T_1 … T_n (K) are nested and θ* lies in all of them. For monotone maps
and an order interval the images of its two extremes are enough; for affine maps and boxes, interval arithmetic encloses
the image. Images in floats are widened by a bound on the rounding of the map; since exact images lie in K and are
nested, they are then cut to K and to the image before. Images in exact numbers are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_iterates, check_type, powers_of_two
from contraction.certificates.falsify import OPERATIONS
from contraction.maps.affine import as_matrix
from contraction.maps.errors import NotCertified
from contraction.maps.operators import Operators
from contraction.maps.points import as_point
from contraction.maps.probe import probe
from contraction.maps.rounding import TINY, UNIT, gamma
from contraction.types import Draw
from contraction.values import Value

__all__ = ["NestedBoxes", "nested_boxes"]

Image = Callable[[Draw, NDArray, NDArray], tuple[ArrayLike, ArrayLike]]
CHAINS, CHAIN, PARTS = 4, 14, 64  # every map is tried on so many chains of points, on a grid of 1/64 of the box


@dataclass(frozen=True, eq=False)
class NestedBoxes(Value):
    """Boxes low <= θ* <= high, one for each requested n, each contained in the one before.

    Attributes
    ----------
    n : ndarray
        Shape (m,).
    low, high : ndarray
        Shape (m, d).

    Examples
    --------
    >>> import contraction as ct
    >>> maps = ct.families.BernoulliConvolution(0.5).sample(10, seed=0)
    >>> boxes = ct.nested_boxes(maps, [-1.0], [1.0], at=[0, 1, 2, 10])
    >>> boxes.n
    array([ 0,  1,  2, 10])
    >>> boxes.width.ravel().round(6).tolist()
    [2.0, 1.0, 0.5, 0.001953]
    >>> bool((boxes.low[:-1] <= boxes.low[1:]).all())  # the lower ends rise, and the upper ends fall
    True
    """

    n: NDArray
    low: NDArray
    high: NDArray

    @property
    def width(self) -> NDArray:
        """Largest side of each box, shape (m,): a bound on the sup distance of any two points of the box."""
        return np.max(self.high - self.low, axis=-1)


def nested_boxes(
    operators: Operators,
    low: ArrayLike,
    high: ArrayLike,
    at: Iterable[int] | None = None,
    *,
    maps: Literal["monotone", "affine"] | Image = "monotone",
) -> NestedBoxes:
    """Boxes that contain T_1 … T_n (K) for a box K = [low, high] that the drawn maps send into itself.

    They contain the limit θ* if every map of the family sends K into itself; only the drawn maps are checked, up to
    their rounding. Boxes of floats are rounded outwards: affine maps are enclosed; other monotone maps are assumed to
    have an error of at most 64 + 16 d roundings per coordinate; a function ``image`` has to round outwards itself.

    For monotone maps two extremes stand for all points of K, as in the coupling from the past of Propp and Wilson
    (1996).

    Parameters
    ----------
    operators
        Drawn maps T_1 … T_N.
    low, high
        The box, shape (d,) each.
    at
        The requested n (default: 0, 1, 2, 4, … and N).
    maps
        "monotone": x <= y implies T x <= T y in every coordinate (tried on chains of points); "affine": A x + b by
        interval arithmetic; or a function ``image(draw, low, high)`` that encloses the image of a box.

    Raises
    ------
    NotCertified
        If a drawn map does not send the box into itself, so that the images need not be nested.
    ValueError
        If low > high, maps are not affine or monotone as claimed, or an argument is invalid.
    MapRefused, NotDeterministic, DeclarationRefuted
        If a map breaks a rule of `RandomOperator` (`contraction.maps.probe`), tried in the box.

    Examples
    --------
    >>> import contraction as ct
    >>> maps = ct.families.FiniteFamily([(0.5, [0.0]), (0.5, [0.5])]).sample(20, seed=0)
    >>> boxes = ct.nested_boxes(maps, [0.0], [1.0], maps="affine")
    >>> bool((boxes.high - boxes.low)[-1, 0] < 1e-5)
    True
    """
    check_type("operators", operators, Operators, "the drawn maps of family.sample(n), not a family")
    family = operators.family
    a, b = as_point(low, family.dim), as_point(high, family.dim)
    if a.shape != b.shape or a.ndim != 1 or not np.all(a <= b):
        raise ValueError(f"a box has low <= high of shape (d,), got {low!r}, {high!r}")
    if operators.replicas is not None:
        raise ValueError("nested boxes need a single copy of the maps, without replicas")
    probe(operators, a, b, inside=True)
    image = _image(operators, maps)
    total = len(operators)
    for i in range(1, total + 1):
        new_low, new_high, slack = image(i, a, b)
        if not (np.all(new_low >= a - slack) and np.all(new_high <= b + slack)):
            raise NotCertified(
                f"region not invariant: T_{i} sends the box [{a}, {b}] into [{new_low}, {new_high}], outside it",
                ("a larger box",),
            )
    asked = powers_of_two(total) if at is None else check_iterates(at, total)
    lows, highs = [], []
    for n in asked:
        x, y = a, b
        for i in range(n, 0, -1):
            low_end, high_end, slack = image(i, x, y)
            x, y = np.maximum(low_end - slack, a), np.minimum(high_end + slack, b)
        if lows:
            x, y = np.maximum(x, lows[-1]), np.minimum(y, highs[-1])
        lows.append(x)
        highs.append(y)
    return NestedBoxes(np.array(asked, dtype=int), np.array(lows), np.array(highs))


def _image(
    operators: Operators, maps: str | Image
) -> Callable[[int, NDArray, NDArray], tuple[NDArray, NDArray, NDArray | float]]:
    """Return ``(i, low, high) -> (low, high, slack)``: the computed image of a box and a bound on its rounding.

    The slack of exact numbers is the integer 0, which leaves Fractions what they are.

    Raises
    ------
    ValueError
        If ``maps`` is not one of the three kinds, or the maps are not known to be affine.
    """
    family = operators.family
    if maps == "monotone":
        tried: set[int] = set()  # maps that were tried inside the whole box, which is asked for first

        def extremes(i: int, x: NDArray, y: NDArray) -> tuple[NDArray, NDArray, NDArray | float]:
            pair = _floats(operators.apply(i, np.stack([x, y])))
            if not np.all(pair[0] <= pair[1]):
                raise ValueError(f"T_{i} is not monotone: it sends {x} <= {y} to {pair[0]}, {pair[1]}")
            slack = _rounding(operators, i, x, y, pair)
            if i not in tried:
                tried.add(i)
                _check_monotone(operators, i, x, y, slack)
            return pair[0], pair[1], slack

        return extremes
    if maps == "affine":
        if not family.is_affine:
            raise ValueError(f"the maps of {family!r} are not known to be affine")

        def interval(i: int, x: NDArray, y: NDArray) -> tuple[NDArray, NDArray, NDArray | float]:
            form = family.affine(operators.draws[i - 1])
            assert form is not None
            A = as_matrix(form, len(x))
            up, down = np.maximum(A, 0), np.minimum(A, 0)
            pair = _floats(np.stack([up @ x + down @ y + form.b, up @ y + down @ x + form.b]))
            return pair[0], pair[1], _rounding(operators, i, x, y, pair)

        return interval
    if not callable(maps):
        raise ValueError(f"maps must be 'monotone', 'affine' or a function image(draw, low, high), got {maps!r}")
    enclose = cast(Image, maps)

    def image(i: int, x: NDArray, y: NDArray) -> tuple[NDArray, NDArray, NDArray | float]:
        lower, higher = enclose(operators.draws[i - 1], x, y)
        return np.asarray(lower), np.asarray(higher), 0

    return image


def _check_monotone(operators: Operators, i: int, low: NDArray, high: NDArray, slack: NDArray | float) -> None:
    """Refuse a map that does not keep the order of some chains of points of the box, from its lower to its upper end.

    Raises
    ------
    ValueError
        If two points of a chain are sent to points in another order; the message states both.
    """
    rng = np.random.default_rng(0)
    for _ in range(CHAINS):
        parts = np.sort(rng.integers(0, PARTS + 1, (CHAIN, len(low))), axis=0)
        if low.dtype.kind == "f":
            inner = [low + (high - low) * (part / PARTS) for part in parts]
        elif low.dtype.kind in "iu":
            inner = [low + (high - low) * part // PARTS for part in parts]
        else:
            inner = [low + (high - low) * np.array([Fraction(int(p), PARTS) for p in part]) for part in parts]
        x = np.stack([low, *inner, high])
        images = operators.apply(i, x)
        falls = np.any(images[1:] < images[:-1] - 2 * slack, axis=-1)
        if np.any(falls):
            j = int(np.argmax(falls))
            raise ValueError(
                f"T_{i} is not monotone: it sends {x[j]} <= {x[j + 1]} to {images[j]}, {images[j + 1]}. Pass "
                "maps='affine', or a function that encloses the image of a box"
            )


def _rounding(operators: Operators, i: int, x: NDArray, y: NDArray, image: NDArray) -> NDArray | float:
    """Bound the rounding of T_i at the ends of a box, (d,): 0 for exact numbers."""
    if image.dtype.kind != "f":
        return 0
    unit = max(float(np.finfo(image.dtype).eps) / 2, UNIT)
    far, d = np.maximum(np.abs(x), np.abs(y)).astype(float), image.shape[-1]
    form = operators.family.affine(operators.draws[i - 1]) if operators.family.is_affine else None
    if form is None:
        return gamma(OPERATIONS + 16 * d, unit) * 2 * max(float(np.max(far)), float(np.max(np.abs(image)))) + TINY
    # d products, d sums and the cut to the box; more where Fractions meet floats
    size = np.abs(as_matrix(form, d)) @ far + np.abs(np.asarray(form.b, dtype=float))
    steps = 5 * d + 6 if "O" in (x.dtype.kind, y.dtype.kind) else 2 * d + 2
    return gamma(steps, unit) * size + 2 * d * TINY


def _floats(image: NDArray) -> NDArray:
    """Return an image of Python objects as floats if one of them is a float, so that rounding is counted."""
    if image.dtype.kind == "O" and any(isinstance(x, float | np.floating) for x in image.ravel()):
        return image.astype(float)
    return image
