"""Checks of arguments: what they accept, what they refuse, and what the message says."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from contraction.arguments import (
    check_choice,
    check_finite,
    check_flag,
    check_function,
    check_integer,
    check_iterates,
    check_positive,
    check_probability,
    check_real,
    check_seed,
    check_type,
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


def test_seeds_end_where_they_would_share_maps() -> None:
    assert check_seed(2**32 - 1) == 2**32 - 1
    assert check_seed(0) == 0
    with pytest.raises(ValueError, match=r"below 2\^32 = 4294967296, where seeds begin to share maps, got 4294967296"):
        check_seed(2**32)


def test_infinity_is_taken_where_it_is_asked_for() -> None:
    assert check_positive("p", math.inf, infinite=True) == math.inf
    assert check_positive("p", 2, infinite=True) == 2.0
    for value in (-math.inf, math.nan, 0, -1.0, "inf"):
        with pytest.raises(ValueError, match=r"^p must be a number > 0, got "):
            check_positive("p", value, infinite=True)
    with pytest.raises(ValueError, match=r"^p must be a finite number > 0, got inf"):
        check_positive("p", math.inf)
    with pytest.raises(ValueError, match=r"^p must be a number >= 0, got -1"):
        check_positive("p", -1, zero=True, infinite=True)
    assert check_positive("p", 0, zero=True, infinite=True) == 0.0


def test_real_numbers_may_be_infinite_and_have_a_least() -> None:
    assert [check_real("x", value) for value in (-math.inf, math.inf, -3, Fraction(1, 2))] == [
        -math.inf,
        math.inf,
        -3.0,
        0.5,
    ]
    assert check_real("x", 1, least=1) == 1.0
    with pytest.raises(ValueError, match=r"^x must be a number >= 1, got 0\.75$"):
        check_real("x", 0.75, least=1)
    with pytest.raises(ValueError, match=r"^x must be a number >= 0\.5, got 0$"):
        check_real("x", 0, least=0.5)
    for value in (math.nan, "1", b"1", None, [1.0, 2.0], 10**400):
        with pytest.raises(ValueError, match=r"^x must be a number, got "):
            check_real("x", value)


def test_functions_flags_and_kinds() -> None:
    assert check_function("f", len) is len
    with pytest.raises(TypeError, match=r"^f must be a function, got 3$"):
        check_function("f", 3)
    for value, plain in ((True, True), (False, False), (np.True_, True), (np.False_, False)):
        assert check_flag("exact", value) is plain
    for value in (1, 0, None, "no", np.array([True])):
        with pytest.raises(TypeError, match=r"^exact must be True or False, got "):
            check_flag("exact", value)
    check_type("x", 3, (str, int), "text or an integer")
    with pytest.raises(TypeError, match=r"^x must be text or an integer, got 0.5"):
        check_type("x", 0.5, (str, int), "text or an integer")


def test_the_largest_iterate_that_is_asked_for_counts_wherever_it_is() -> None:
    assert check_iterates([5, 0], 5) == [5, 0]
    with pytest.raises(ValueError, match=r"^iterate 7 was asked for, but there are 5 maps"):
        check_iterates([7, 6, 0], 5)
    assert check_iterates([7], None) == [7]
    assert check_iterates([], 0) == []
