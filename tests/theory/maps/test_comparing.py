"""How the probe compares values: one unlike coordinate of one point is enough, and half of the digits are allowed."""

from __future__ import annotations

import numpy as np
import pytest

from contraction.maps.comparing import agree, equal, is_finite, shown


@pytest.mark.parametrize("dtype", [int, float, object])
@pytest.mark.parametrize("place", range(3))
def test_points_agree_in_every_coordinate_or_not_at_all(dtype, place):
    a = np.arange(12).reshape(4, 3).astype(dtype)
    b = a.copy()
    b[1, place] += 1
    assert agree(a, a, a, 1).tolist() == [True] * 4
    assert agree(a, b, a, 1).tolist() == [True, False, True, True]
    assert agree(a[:, 0], b[:, 0], a[:, 0], 0).tolist() == [True, place != 0, True, True]


def test_floats_agree_to_half_of_their_digits_of_the_largest_number():
    """Beside numbers of the size 1,000 in the images or in the points, 2^-26 of 1,000 is allowed, and not more."""
    images, points = np.array([[1000.0, 1.0]]), np.array([[1000.0, 0.0]])
    allowed = 2.0**-26 * 2000
    for off, same in ((0.9 * allowed, True), (1.1 * allowed, False)):
        assert agree(images, images + np.array([0.0, off]), points, 1).tolist() == [same]
        assert agree(images, images - np.array([0.0, off]), points, 1).tolist() == [same]
    single = images.astype(np.float32)
    assert agree(single, single + np.float32(0.1), points, 1).tolist() == [True]
    missing = np.array([[np.nan, 1.0]])
    assert agree(missing, missing, points, 1).tolist() == [True]
    assert agree(missing, images, points, 1).tolist() == [False]


def test_equal_arrays_have_one_shape_and_nan_where_the_other_has():
    a = np.array([1.0, np.nan])
    assert equal(a, a.copy())
    assert not equal(a, np.array([1.0, 2.0]))
    assert not equal(a, np.array([2.0, np.nan]))
    assert not equal(np.ones(2), np.ones((1, 2)))
    assert equal(np.array([1, 2]), np.array([1.0, 2.0]))
    assert not equal(np.array([1, 2]), np.array([1.0, np.nan]))


def test_one_infinity_is_enough():
    assert is_finite(np.ones(3))
    assert is_finite(np.array([1, 2]))
    for bad in (np.inf, -np.inf, np.nan):
        assert not is_finite(np.array([1.0, bad]))


def test_long_values_are_shortened_for_messages():
    assert shown(np.arange(8)) == "[0, 1, 2, 3, 4, 5, 6, 7]"
    assert shown(np.arange(9.0)) == "an array (9,) that starts [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]"
    assert shown("x" * 198) == repr("x" * 198)
    assert shown("x" * 199) == repr("x" * 199)[:200] + "…"
