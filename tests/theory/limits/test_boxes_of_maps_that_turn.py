"""nested_boxes with maps="monotone" tries points inside the box, and refuses a map that turns there."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import contraction as ct


def logistic(x):
    return 4 * x * (1 - x)


def test_a_map_that_is_only_monotone_at_the_ends_is_refused():
    """4x(1 − x) sends both ends of [0, 1] to 0, and 1/2 to 1."""
    maps = ct.Operators.from_maps([logistic] * 3)
    with pytest.raises(ValueError, match="T_1 is not monotone"):
        ct.nested_boxes(maps, [0.0], [1.0])
    exact = [Fraction(0)], [Fraction(1)]
    with pytest.raises(ValueError, match="T_1 is not monotone"):
        ct.nested_boxes(maps, *(np.array(end, dtype=object) for end in exact))


def test_a_map_that_falls_in_one_of_two_coordinates_is_refused():
    maps = ct.Operators.from_maps([lambda x: np.stack([x[..., 0] / 2, 4 * x[..., 0] * (1 - x[..., 0]) / 5], axis=-1)])
    with pytest.raises(ValueError, match="not monotone"):
        ct.nested_boxes(maps, [0.0, 0.0], [1.0, 1.0])


def test_monotone_maps_pass():
    """x²(3 − 2x), which is flat at both ends, the identity, and steps, of which neighbours have equal images."""
    maps = ct.Operators.from_maps([lambda x: x * x * (3 - 2 * x), lambda x: x, lambda x: np.floor(4 * x) / 4])
    boxes = ct.nested_boxes(maps, [0.0], [1.0])
    assert (boxes.low[-1, 0], boxes.high[-1, 0]) == (0.0, 1.0)
