"""Nested sets: a-posteriori bounds on the backward limit from an invariant compact set K, without a contraction factor.

If every map sends K into itself, the images T_1 … T_n (K) are nested and θ* lies in all of them. For monotone maps
and an order interval the images of its two extremes are enough; for affine maps and boxes, interval arithmetic encloses
the image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_iterates, powers_of_two
from contraction.maps.affine import as_matrix
from contraction.maps.errors import NotCertified
from contraction.maps.operators import Operators
from contraction.maps.points import as_point
from contraction.maps.probe import probe
from contraction.maps.rounding import EPS
from contraction.types import Draw
from contraction.values import Value

__all__ = ["NestedBoxes", "nested_boxes"]

Image = Callable[[Draw, NDArray, NDArray], tuple[ArrayLike, ArrayLike]]


@dataclass(frozen=True, eq=False)
class NestedBoxes(Value):
    """Boxes low <= θ* <= high, one for each requested n, each contained in the one before.

    Attributes
    ----------
    n : ndarray
        Shape (m,).
    low, high : ndarray
        Shape (m, d).
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

    They contain the limit θ* if every map of the family sends K into itself; only the drawn maps are checked.

    Parameters
    ----------
    operators
        Drawn maps T_1 … T_N.
    low, high
        The box, shape (d,) each.
    at
        The requested n (default: 0, 1, 2, 4, … and N).
    maps
        "monotone": x <= y implies T x <= T y in every coordinate (checked on the extremes only); "affine": A x + b by
        interval arithmetic; or a function ``image(draw, low, high)`` that encloses the image of a box.

    Raises
    ------
    NotCertified
        If a drawn map does not send the box into itself, so that the images need not be nested.
    ValueError
        If low > high, maps are not affine or monotone as claimed, or an argument is invalid.
    MapRefused, NotDeterministic, DeclarationRefuted
        If a map breaks a rule of `RandomOperator` (`contraction.maps.probe`), tried in the box.
    """
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
        new_low, new_high = image(i, a, b)
        slack = 0.0 if a.dtype == object else 4 * EPS * (1 + np.max(np.abs([a, b])))
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
            x, y = image(i, x, y)
        lows.append(x)
        highs.append(y)
    return NestedBoxes(np.array(asked, dtype=int), np.array(lows), np.array(highs))


def _image(operators: Operators, maps: str | Image) -> Callable[[int, NDArray, NDArray], tuple[NDArray, NDArray]]:
    family = operators.family
    if maps == "monotone":

        def extremes(i: int, x: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
            pair = operators.apply(i, np.stack([x, y]))
            if not np.all(pair[0] <= pair[1]):
                raise ValueError(f"T_{i} is not monotone: it sends {x} <= {y} to {pair[0]}, {pair[1]}")
            return pair[0], pair[1]

        return extremes
    if maps == "affine":
        if not family.is_affine:
            raise ValueError(f"the maps of {family!r} are not known to be affine")

        def interval(i: int, x: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
            form = family.affine(operators.draws[i - 1])
            assert form is not None
            A = as_matrix(form, len(x))
            up, down = np.maximum(A, 0), np.minimum(A, 0)
            return up @ x + down @ y + form.b, up @ y + down @ x + form.b

        return interval
    if not callable(maps):
        raise ValueError(f"maps must be 'monotone', 'affine' or a function image(draw, low, high), got {maps!r}")
    enclose = cast(Image, maps)

    def image(i: int, x: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
        lower, higher = enclose(operators.draws[i - 1], x, y)
        return np.asarray(lower), np.asarray(higher)

    return image
