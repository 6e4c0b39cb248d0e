"""Points: starts as arrays, and functions of one point applied to batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.maps.arrays import numbers, objects
from contraction.maps.errors import MapRefused, argument_changed
from contraction.maps.rounding import float_up
from contraction.types import Draw

__all__ = ["apply_read_only", "as_point", "each_point"]


@runtime_checkable
class _Summand(Protocol):
    def __add__(self, other: object) -> object: ...


class _Family(Protocol):
    def apply(self, theta: NDArray, draw: Draw) -> NDArray: ...


def as_point(theta0: ArrayLike, dim: int | None = None) -> NDArray:
    """Return a start as an array with at least one axis; numbers become one coordinate, exact types stay exact.

    Raises
    ------
    ValueError
        If an entry is NaN, or the last axis does not have ``dim`` coordinates.
    """
    try:
        point = np.asarray(theta0)
    except ValueError as error:
        raise ValueError(f"a start must be an array of one shape, got {theta0!r}") from error
    if point.ndim == 0:
        point = point.reshape(1)
        if dim is not None and dim > 1:
            point = np.repeat(point, dim)
    if point.dtype.kind not in "fiubO" or (point.dtype.kind == "O" and not all(map(_is_number, point.flat))):
        raise ValueError(f"a start must be made of real numbers, got {theta0!r}")
    if point.dtype.kind == "f" and np.isnan(point).any():
        raise ValueError("a start must not contain NaN")
    if point.dtype.kind in "iub" and point.dtype != np.int64:  # integers of few bits, or without a sign, wrap around
        point = point.astype(object if point.dtype == np.uint64 else np.int64)
    if point.dtype == object and any(isinstance(x, np.integer) for x in point.flat):
        point = objects(point)
    if dim is not None and point.shape[-1] != dim:
        raise ValueError(f"this family acts on points with {dim} coordinates, got a start of shape {point.shape}")
    return point


def _is_number(x: object) -> bool:
    """Whether an entry of an object array can be a coordinate: a number of any kind, which can be added to one."""
    return x is not None and not isinstance(x, str | bytes | dict | list | set) and isinstance(x, _Summand)


def apply_read_only(family: _Family, theta: ArrayLike, draw: Draw, name: str) -> NDArray:
    """Return T(θ) for one draw, with θ passed read-only so that the map cannot change it.

    Raises
    ------
    MapRefused
        If the map writes into its argument.
    ValueError
        If the map raises it for another reason.
    """
    point = np.asarray(theta).view()
    point.flags.writeable = False
    try:
        return family.apply(point, draw)
    except ValueError as error:
        if "read-only" in str(error):
            raise MapRefused(argument_changed(name)) from error
        raise


def each_point(function: Callable[[NDArray], ArrayLike], theta: NDArray, event_ndim: int) -> NDArray:
    """Apply a function of one point to points with any leading axes, one at a time."""
    lead = theta.shape[: theta.ndim - event_ndim]
    if not lead:
        return np.asarray(function(theta))
    if 0 in lead:
        return theta.copy()
    images = [np.array(function(theta[index])) for index in np.ndindex(*lead)]  # copies, of a buffer too
    return np.stack(images).reshape(*lead, *images[0].shape)


def declared_numbers(name: str, value: ArrayLike) -> ArrayLike:
    """Return what a declared function gave for one draw or stacked draws, after checking that it is numbers >= 0.

    Raises
    ------
    TypeError
        If it is neither a number nor an array of numbers.
    ValueError
        If one is negative or NaN.

    Examples
    --------
    >>> declared_numbers("lipschitz(draw)", 0.5)
    0.5
    >>> declared_numbers("lipschitz(draw)", None)
    Traceback (most recent call last):
    ...
    TypeError: lipschitz(draw) must be a number, got None
    """
    try:
        if value is None:
            raise TypeError
        array = numbers(name, value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {value!r}") from None
    if not np.all(array >= 0):
        raise ValueError(f"{name} must be a number >= 0, got {value!r}")
    return value


def declared_number(name: str, value: ArrayLike) -> float:
    """Return a declared constant as a float, rounded up: one number >= 0, or infinity, or an array of one such number.

    Raises
    ------
    TypeError
        If it is not one number.
    ValueError
        If it is negative or NaN.

    Examples
    --------
    >>> declared_number("displacement", np.array([1.5]))
    1.5
    """
    try:
        array = np.empty(0) if value is None else numbers(name, value)
    except ValueError:
        array = np.empty(0)
    if array.size != 1:
        raise TypeError(f"{name} must be one number, or a function that returns one number, got {value!r}")
    number = float(array.item())
    if not number >= 0:
        raise ValueError(f"{name} must be a number >= 0, got {value!r}")
    return float_up(np.asarray(value, dtype=object).reshape(-1)[0])
