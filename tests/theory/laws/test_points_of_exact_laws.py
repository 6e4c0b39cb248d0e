"""Points of exact laws of every form: numbers, tuples and arrays; and what a law says of itself."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from contraction import laws
from contraction.laws.draws import as_function
from contraction.laws.exact import _proportional

HALF, THIRD = Fraction(1, 2), Fraction(1, 3)


def test_an_affine_pair_as_a_function_of_a_number_and_of_a_point() -> None:
    assert as_function((HALF, THIRD))(4) == Fraction(7, 3)
    both = as_function(([[HALF, 1], [0, THIRD]], [1, -1]))
    assert both((2, 3)) == (Fraction(5), Fraction(0))
    assert both(np.array([2, 3], dtype=object)) == (Fraction(5), Fraction(0))
    with pytest.raises(ValueError, match="the maps act on 2 coordinates, got the point 2"):
        both(2)
    assert as_function(abs) is abs


def test_points_with_unlike_denominators_are_equal_if_their_numbers_are() -> None:
    sixths, halves = np.array([[3], [6]], dtype=object), np.array([[1], [2]], dtype=object)
    assert _proportional(sixths, 6, halves, 2)
    assert _proportional(halves, 2, halves, 2)
    assert not _proportional(sixths, 6, halves, 3)
    assert not _proportional(halves, 2, sixths, 3)


def test_laws_with_unlike_denominators() -> None:
    first = laws.push_forward(laws.ExactLaw({0: HALF, 1: HALF}), [(HALF, Fraction(0))])
    second = laws.push_forward(laws.ExactLaw({0: Fraction(2, 4), 2: HALF}), [(Fraction(1, 4), Fraction(0))])
    third = laws.push_forward(laws.ExactLaw({0: THIRD, 2: 2 * THIRD}), [(Fraction(1, 4), Fraction(0))])
    assert first == second
    assert hash(first) == hash(second)
    assert first != third


def test_what_a_comparison_says() -> None:
    coin, bent = laws.ExactLaw({0: HALF, 1: HALF}), laws.ExactLaw({0: THIRD, 1: 2 * THIRD})
    assert str(laws.compare_laws(coin, coin)) == "the laws are equal"
    assert "the atom 0 has masses 1/2 and 1/3" in str(laws.compare_laws(coin, bent))


def test_cantors_function_outside_the_unit_interval() -> None:
    assert [laws.cantor_cdf(Fraction(x)) for x in (-1, 0, 1, 2)] == [0, 0, 1, 1]
    assert laws.cantor_cdf(THIRD) == laws.cantor_cdf(2 * THIRD) == HALF


@pytest.mark.parametrize(
    ("cdf", "words"),
    [
        (lambda x: np.where(x > 0, 1.5, 0.0), r"got 1\.5 at x = "),
        (lambda x: np.where(x > 0, 0.25, 0.5), r"got 0\.5 at x = -.* and 0\.25 at "),
    ],
    ids=["above 1", "falls"],
)
def test_a_wrong_distribution_function_is_refused_at_the_point_where_it_is_wrong(cdf, words) -> None:
    draws = np.array([-2.0, -1.0, 1.0, 2.0] * 100) + np.linspace(0, 0.1, 400)
    with pytest.raises(ValueError, match=words):
        laws.one_sample_test(draws, cdf, laws.Rates(1e-3, 1e-3))
