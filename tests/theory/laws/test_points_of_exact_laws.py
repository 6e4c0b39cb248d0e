"""Points of exact laws of every form: numbers, tuples and arrays; and what a law says of itself."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from contraction import laws
from contraction.laws.brackets import _check_slope
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


EPS = 2.0**-52


@pytest.mark.parametrize(("gap", "refused"), [(0.5 * EPS**0.5, False), (2 * EPS**0.5, True)])
def test_a_distribution_function_may_err_in_half_of_its_digits(gap: float, refused: bool) -> None:
    """It may fall by that much, leave [0, 1] by that much, and no more."""
    draws = np.linspace(0.01, 0.99, 400)

    def drops(x: np.ndarray) -> np.ndarray:
        return np.where(x > 0.6, 0.4 - gap, np.minimum(x, 0.4))

    def leaves(x: np.ndarray) -> np.ndarray:
        return np.where(x > 0.9, 1 + gap, np.minimum(x, 0.9))

    for cdf in (drops, leaves):
        if refused:
            with pytest.raises(ValueError, match="must be a distribution function, with values in"):
                laws.one_sample_test(draws, cdf, laws.Rates(1e-3, 1e-3))
        else:
            laws.one_sample_test(draws, cdf, laws.Rates(1e-3, 1e-3))


def test_a_function_that_leaves_its_range_on_either_side_is_refused() -> None:
    draws = np.linspace(0, 1, 50)
    for low, high in ((0.1, 1.0), (0.0, 0.9)):
        with pytest.raises(ValueError, match=r"values must lie in \[.*\], got \[0\.0, 1\.0\]"):
            laws.lipschitz_lower_bound(draws, draws, lambda x: x, low=low, high=high, false_alarm=0.1)
    assert laws.lipschitz_lower_bound(draws, draws, lambda x: x, low=0.0, high=1.0, false_alarm=0.1) == 0


def test_slopes_may_exceed_1_by_the_rounding_of_as_many_squares_as_there_are_coordinates() -> None:
    """A rise that is 500 roundings of all sizes above the run: a distance in R^1000 may be so wrong, one in R not."""
    for d in (1, 1000):
        points = np.zeros((2, d))
        points[1, 0] = 1.0
        sizes = 1.0 + 0.0 + 1.0  # |f(x)| + |f(y)| + |x| + 1 for either of the two
        values = np.array([0.0, 1.0 + 500 * 2.0**-53 * (1 + sizes)])
        if d == 1:
            with pytest.raises(ValueError, match="the function must be 1-Lipschitz"):
                _check_slope(points, values)
        else:
            _check_slope(points, values)
            with pytest.raises(ValueError, match="the function must be 1-Lipschitz"):
                _check_slope(points, np.array([0.0, 1.0 + 1e-9]))
