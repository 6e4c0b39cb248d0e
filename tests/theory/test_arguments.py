"""Checks of arguments: what they accept, what they refuse, and what the message says."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from contraction.arguments import (
    check_choice,
    check_finite,
    check_integer,
    check_iterates,
    check_positive,
    check_probability,
    check_seed,
    powers_of_two,
)


@pytest.mark.parametrize("value", [0, 7, np.int64(7), np.uint8(7), 2**70])
def test_integers_are_returned_as_python_integers(value: object) -> None:
    assert check_integer("n", value) == value
    assert type(check_integer("n", value)) is int


@pytest.mark.parametrize("value", [-1, 0.0, 3.0, True, np.True_, np.float64(3), "3", None, Fraction(3), [3]])
def test_what_is_not_an_integer_of_at_least_zero_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"^n must be an integer of at least 0, got "):
        check_integer("n", value)
    with pytest.raises(ValueError, match=r"^the seed must be an integer of at least 0, got "):
        check_seed(value)


def test_the_least_integer_itself_is_accepted() -> None:
    assert check_integer("q", 4, 4) == 4
    with pytest.raises(ValueError, match="q must be an integer of at least 4, got 3"):
        check_integer("q", 3, 4)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "1", b"1", None, 1j, [1.0, 2.0], 10**400])
def test_what_is_not_a_finite_number_is_refused(value: object) -> None:
    for check, rule in ((check_finite, "finite number"), (check_positive, "finite number > 0")):
        with pytest.raises(ValueError, match=f"h must be a {rule}, got "):
            check("h", value)
    with pytest.raises(ValueError, match="h must be a finite number"):
        check_probability("h", value)


def test_signs_and_ends() -> None:
    assert check_finite("h", Fraction(-1, 2)) == -0.5
    assert check_positive("h", 0, zero=True) == 0.0
    for value in (0, -0.5):
        with pytest.raises(ValueError, match="h must be a finite number > 0"):
            check_positive("h", value)
    with pytest.raises(ValueError, match="h must be a finite number >= 0, got -1"):
        check_positive("h", -1, zero=True)
    assert check_probability("p", 0.25) == 0.25
    for value in (0, 1, -0.1, 1.5):
        with pytest.raises(ValueError, match="p must be between 0 and 1, got "):
            check_probability("p", value)


def test_iterates_that_are_asked_for() -> None:
    assert check_iterates((n for n in (3, np.int64(0), 5)), 5) == [3, 0, 5]
    assert check_iterates([], 5) == []
    with pytest.raises(ValueError, match="iterate 6 was asked for, but there are 5 maps"):
        check_iterates([0, 6], 5)
    with pytest.raises(ValueError, match=r"the index of an iterate must be an integer of at least 0, got 1\.0"):
        check_iterates([1.0], 5)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match=r"at must be a list of the requested iterates, such as \[3\], got 3"):
        check_iterates(3, 5)  # pyright: ignore[reportArgumentType]


def test_powers_of_two_end_at_the_last_iterate() -> None:
    assert [powers_of_two(last) for last in (0, 1, 2, 5, 8)] == [
        [0],
        [0, 1],
        [0, 1, 2],
        [0, 1, 2, 4, 5],
        [0, 1, 2, 4, 8],
    ]


@pytest.mark.parametrize("value", ["c", "", None, 1, np.array(["a", "b"]), ["a"]])
def test_a_name_that_is_not_one_of_a_few(value: object) -> None:
    with pytest.raises(ValueError, match=r"^the letter must be one of a, b; got "):
        check_choice("the letter", value, ("a", "b"))


def test_a_name_that_is_one_of_a_few() -> None:
    assert [check_choice("the letter", value, ("a", "b")) for value in ("a", "b")] == ["a", "b"]
