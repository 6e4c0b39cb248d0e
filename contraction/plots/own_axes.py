"""What the pictures of any family share: axes that are given or made, starts, and the coordinates to draw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_integer
from contraction.certificates.hypotheses import point
from contraction.maps.operators import RandomOperator
from contraction.plots.style import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["axes_for", "chosen", "finite_rows", "start_of", "vector_of"]


@contextmanager
def axes_for(ax: Axes | None, height: float = 3.4) -> Iterator[Axes]:
    """Give the axes to draw into: ``ax``, or those of a new pyplot figure in the common style.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError
        If ``ax`` is neither None nor matplotlib axes.
    """
    with style():  # says how to install matplotlib if it is missing
        from matplotlib.axes import Axes
    if ax is not None and not isinstance(ax, Axes):
        raise TypeError(f"ax must be matplotlib axes, such as those of plt.subplots(), got {ax!r}")
    if ax is not None:
        yield ax
        return
    import matplotlib.pyplot as plt

    with style():
        made, axes = plt.subplots(figsize=(6.4, height), layout="constrained")
        try:
            yield axes
        except BaseException:  # a picture that was not finished is not left among the open figures
            plt.close(made)
            raise


def start_of(family: RandomOperator, theta0: ArrayLike, picture: str) -> NDArray:
    """Return the start as one point of the family's space.

    Raises
    ------
    TypeError
        If ``family`` is not a random operator.
    ValueError
        If ``theta0`` is not a single point of the family's space.
    """
    if not isinstance(family, RandomOperator):
        raise TypeError(f"{picture} takes a random operator, got {family!r}")
    return point(theta0, family)


def vector_of(family: RandomOperator, theta0: ArrayLike, picture: str) -> NDArray:
    """Return the start of a picture whose axes are coordinates, as floats of shape (d,).

    Raises
    ------
    TypeError
        If ``family`` is not a random operator.
    ValueError
        If points are not vectors of numbers, or ``theta0`` is not one of them.
    """
    theta = start_of(family, theta0, picture)
    if theta.ndim != 1 or not family.space.is_normed:
        raise ValueError(
            f"{picture} draws coordinates, so points must be vectors of numbers, but those of {family!r} are in "
            f"{family.space!r}; rates(...) needs only the distance"
        )
    return theta.astype(float)


def chosen(coordinates: int | Sequence[int] | None, d: int, picture: str) -> tuple[int, ...]:
    """Return the one or two coordinates to draw, counted from 0 (default: all, if there are at most two).

    Raises
    ------
    ValueError
        If there are more than two and none is chosen, or a choice is not one or two different coordinates.
    """
    if coordinates is None:
        if d > 2:
            raise ValueError(
                f"{picture} draws one or two coordinates and points have {d}: choose them, such as coordinates=(0, 1) "
                "or coordinates=0"
            )
        return tuple(range(d))
    picked = (coordinates,) if np.ndim(coordinates) == 0 else tuple(coordinates)  # pyright: ignore[reportArgumentType]
    picked = tuple(check_integer("a coordinate", i) for i in picked)
    if len(set(picked)) != len(picked) or len(picked) not in (1, 2) or max(picked) >= d:
        raise ValueError(f"coordinates must be one or two different numbers from 0 to {d - 1}, got {coordinates!r}")
    return picked


def finite_rows(rows: NDArray, name: str) -> NDArray:
    """Return iterates as they are.

    Raises
    ------
    ArithmeticError
        If one of them is not finite. The message names the first.
    """
    bad = np.flatnonzero(~np.isfinite(rows.reshape(len(rows), -1)).all(axis=1))
    if bad.size:
        raise ArithmeticError(f"the {name} path is not finite from iterate {bad[0]} on: the maps do not contract")
    return rows
