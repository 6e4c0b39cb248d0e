"""Nested boxes of Fractions and of integers: exact where maps are, rounded outwards where they are floats."""

from __future__ import annotations

from fractions import Fraction

import pytest

import contraction as ct
from contraction.families import FiniteFamily

THIRD = Fraction(1, 3)
PAIRS = {"Fractions": [(THIRD, Fraction(0)), (THIRD, Fraction(2, 3))], "floats": [(0.1, 0.3), (0.7, 0.1)]}
BOXES = {"Fractions": ([Fraction(0)], [Fraction(1)]), "integers": ([0], [1]), "floats": ([0.0], [1.0])}


def _drawn(kind, count):
    return FiniteFamily([(a, [b]) for a, b in PAIRS[kind]]).sample(count, seed=0)


def _images(kind, operators, n):
    """The ends of T_1 … T_n ([0, 1]) in rational arithmetic."""
    ends = [Fraction(0), Fraction(1)]
    for i in range(n - 1, -1, -1):
        a, b = (Fraction(x) for x in PAIRS[kind][int(operators.draws[i])])
        ends = [a * x + b for x in ends]
    return ends


@pytest.mark.parametrize("maps", ["monotone", "affine"])
@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("kind", PAIRS)
def test_the_image_is_in_the_box(kind, box, maps):
    operators = _drawn(kind, 40)
    boxes = ct.nested_boxes(operators, *BOXES[box], at=range(41), maps=maps)
    for n in range(41):
        low, high = _images(kind, operators, n)
        assert Fraction(boxes.low[n][0]) <= low
        assert high <= Fraction(boxes.high[n][0])
        assert float(boxes.high[n][0] - boxes.low[n][0]) <= float(high - low) + 1e-12


def test_fractions_stay_fractions():
    operators = _drawn("Fractions", 30)
    boxes = ct.nested_boxes(operators, *BOXES["Fractions"], at=[30])
    assert [boxes.low[0][0], boxes.high[0][0]] == _images("Fractions", operators, 30)
    assert isinstance(boxes.high[0][0], Fraction)
