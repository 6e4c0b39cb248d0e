"""Checks of arguments: numbers, and names of which one is chosen (standard library only).

Each error states the rule and the value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from numbers import Integral

__all__ = [
    "check_choice",
    "check_finite",
    "check_flag",
    "check_function",
    "check_integer",
    "check_iterates",
    "check_positive",
    "check_probability",
    "check_real",
    "check_seed",
    "check_type",
    "powers_of_two",
]


def check_integer(name: str, value: object, least: int = 0) -> int:
    """Return an integer of at least ``least`` as a Python integer.

    Parameters
    ----------
    name : str
        Name of the argument in the error message.
    value : int or numpy.integer
        The argument. Booleans and floats, including 3.0, are refused.
    least : int
        Smallest allowed value (default: 0).

    Returns
    -------
    int
        The same number.

    Raises
    ------
    ValueError
        If the argument is not an integer, or is below ``least``.

    Examples
    --------
    >>> check_integer("replicas", 0, least=1)
    Traceback (most recent call last):
    ...
    ValueError: replicas must be an integer of at least 1, got 0
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")
    return int(value)


def check_seed(seed: object) -> int:
    """Return a seed, an integer from 0 to 2^32 - 1, as a Python integer.

    From 2^32 on, seeds would share maps: map 1 of seed 7 + 5·2^32 would be drawn as map 6 of seed 7.

    Raises
    ------
    ValueError
        If the seed is not an integer in that range.
    """
    number = check_integer("the seed", seed)
    if number >= 2**32:
        raise ValueError(f"the seed must be below 2^32 = {2**32}, where seeds begin to share maps, got {number}")
    return number


def check_finite(name: str, value: object) -> float:
    """Return a finite real number as a float; raise ValueError naming the argument otherwise."""
    try:
        number = math.nan if isinstance(value, bool | str | bytes) else float(value)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{name} must be a finite number, got {value!r}")
    return number


def check_real(name: str, value: object, *, least: float = -math.inf) -> float:
    """Return a real number as a float, infinity included, at least ``least``.

    Raises
    ------
    ValueError
        If it is NaN, not a number, or below ``least``.

    Examples
    --------
    >>> check_real("the order p", math.inf, least=1)
    inf
    >>> check_real("the order p", "a", least=1)
    Traceback (most recent call last):
    ...
    ValueError: the order p must be a number >= 1, got 'a'
    """
    try:
        number = math.nan if isinstance(value, str | bytes) else float(value)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if math.isnan(number) or number < least:
        rule = "number" if least == -math.inf else f"number >= {least:g}"
        raise ValueError(f"{name} must be a {rule}, got {value!r}")
    return number


def check_function(name: str, value: object, form: str = "") -> Callable:
    """Return a function. ``form`` says what it must be a function of.

    Raises
    ------
    TypeError
        If it cannot be called.

    Examples
    --------
    >>> check_function("f", 3, "of points (..., d)")
    Traceback (most recent call last):
    ...
    TypeError: f must be a function of points (..., d), got 3
    """
    if not callable(value):
        raise TypeError(f"{name} must be a function{' ' if form else ''}{form}, got {value!r}")
    return value


def check_flag(name: str, value: object) -> bool:
    """Return True or False as a Python boolean.

    Raises
    ------
    TypeError
        If it is anything else, such as "no" or 1.
    """
    if not (isinstance(value, bool) or type(value).__name__ == "bool"):  # NumPy's bool too
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def check_type(name: str, value: object, kind: type | tuple[type, ...], hint: str) -> None:
    """Check that a value is of one kind; ``hint`` says what is needed, as in "an ExactLaw".

    Raises
    ------
    TypeError
        If it is not.

    Examples
    --------
    >>> check_type("name", 3, str, "text")
    Traceback (most recent call last):
    ...
    TypeError: name must be text, got 3
    """
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {hint}, got {value!r}")


def check_positive(name: str, value: object, *, zero: bool = False, infinite: bool = False) -> float:
    """Return a number > 0 as a float; raise ValueError naming the argument otherwise.

    Parameters
    ----------
    name
        Name of the argument in the error message.
    value
        The value given.
    zero, infinite
        Whether 0 is allowed, and whether infinity is (default: False, neither).

    Returns
    -------
    float
        The same number.

    Raises
    ------
    ValueError
        If the value is not such a number.
    """
    rule = f"{name} must be a {'' if infinite else 'finite '}number {'>=' if zero else '>'} 0, got {value!r}"
    if infinite and isinstance(value, float) and value == math.inf:
        return value
    try:
        number = check_finite(name, value)
    except ValueError:
        raise ValueError(rule) from None
    if number < 0 or (number == 0 and not zero):
        raise ValueError(rule)
    return number


def check_probability(name: str, value: object) -> float:
    """Return a number strictly between 0 and 1 as a float; raise ValueError naming the argument otherwise."""
    number = check_finite(name, value)
    if not 0 < number < 1:
        raise ValueError(f"{name} must be between 0 and 1, got {value!r}")
    return number


def check_choice(name: str, value: object, choices: Collection[str]) -> str:
    """Return a value that is one of a few names.

    Parameters
    ----------
    name
        Name of the argument in the error message.
    value
        The value given.
    choices
        The values that are allowed.

    Returns
    -------
    str
        The same value.

    Raises
    ------
    ValueError
        If the value is not one of them; the message lists them.

    Examples
    --------
    >>> check_choice("loss", "hinge", ("mse", "cross_entropy"))
    Traceback (most recent call last):
    ...
    ValueError: loss must be one of mse, cross_entropy; got 'hinge'
    """
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}; got {value!r}")
    return value


def check_iterates(at: Iterable[int], maps: int | None) -> list[int]:
    """Return the indices of iterates as a list of Python integers.

    Parameters
    ----------
    at : iterable of int
        Indices of iterates, in any order.
    maps : int or None
        Number of available maps; None for orders that can have more iterates than maps.

    Returns
    -------
    list of int
        The same indices in the same order.

    Raises
    ------
    TypeError
        If ``at`` is a single number.
    ValueError
        If an index is not an integer, is negative, or is larger than the number of maps.
    """
    if not isinstance(at, Iterable):
        raise TypeError(f"at must be a list of the requested iterates, such as [{at!r}], got {at!r}")
    numbers = [check_integer("the index of an iterate", n) for n in at]
    if maps is not None and numbers and max(numbers) > maps:
        raise ValueError(f"iterate {max(numbers)} was asked for, but there are {maps} maps")
    return numbers


def powers_of_two(last: int) -> list[int]:
    """Return 0, 1, 2, 4, … below ``last``, and ``last``, the default iterates of several functions."""
    return sorted({0, *(2**j for j in range(last.bit_length()) if 2**j <= last), last})
