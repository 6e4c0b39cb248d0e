"""Tests and bounds do not depend on the unit or the origin of what is measured; weights are probabilities."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from contraction.laws import _words, exact_law, lipschitz_lower_bound, mean_test, merged_law
from contraction.laws.calibrated import Rates
from contraction.laws.random_affine import RandomAffineMoments
from contraction.maps.orders import Backward, Forward

RATES = Rates(1e-2, 1e-2)


@pytest.mark.parametrize(("unit", "origin"), [(10.0, 0.0), (0.01, 0.0), (1.0, 5.0), (3.0, -7.0)])
def test_the_p_value_of_a_mean_depends_on_no_unit_and_no_origin(unit, origin):
    x = np.random.default_rng(0).uniform(-1, 2, 60)
    for claim in (0.5, 0.75, 0.9):
        plain = mean_test(x, claim, RATES, low=-1.0, high=2.0)
        other = mean_test(
            unit * x + origin, unit * claim + origin, RATES, low=unit * -1.0 + origin, high=unit * 2.0 + origin
        )
        assert other.pvalue == pytest.approx(plain.pvalue, rel=1e-9)
        assert other.passes == plain.passes
        assert other.threshold == pytest.approx(unit * plain.threshold, rel=1e-9)
        if plain.pvalue < 1:
            bound = 2 * np.exp(-2 * 60 * (abs(x.mean() - claim) / 3) ** 2)
            assert plain.pvalue == pytest.approx(bound, rel=1e-9)


@pytest.mark.parametrize("origin", [0.0, 5.0, -7.0])
def test_a_lower_bound_on_a_distance_depends_on_no_origin(origin):
    rng = np.random.default_rng(1)
    near, far = rng.uniform(-1, 0, 900), rng.uniform(0, 1, 400)
    plain = lipschitz_lower_bound(near, far, lambda x: x, low=-1.0, high=1.0, false_alarm=1e-3)
    moved = lipschitz_lower_bound(
        near + origin, far + origin, lambda x: x, low=-1.0 + origin, high=1.0 + origin, false_alarm=1e-3
    )
    radius = 2 * sum(np.sqrt(np.log(4 / 1e-3) / (2 * n)) for n in (900, 400))
    assert plain == pytest.approx(far.mean() - near.mean() - radius, rel=1e-12)
    assert moved == pytest.approx(plain, rel=1e-12)


@pytest.mark.parametrize("weights", [[1.5, -0.5], [-0.5, 1.5], [0.5, 0.4], [0.5, 0.6], [1.0]])
def test_weights_of_random_maps_are_probabilities(weights):
    with pytest.raises(ValueError, match="weights"):
        RandomAffineMoments.from_maps(np.zeros((2, 1, 1)), np.zeros((2, 1)), weights, [0.0])


@pytest.mark.parametrize("word", [(-1, 0), (0, -1), (2, 0), (1, 2)])
def test_words_name_the_maps_that_there_are(word):
    """Beside words that do: a negative index would count from the end."""

    def law(n):
        return [((0, 1), Fraction(1, 2)), (word, Fraction(1, 2))]

    with pytest.raises(ValueError, match=r"must name maps 0 … 1, got"):
        exact_law([(Fraction(1, 2), 0), (Fraction(1, 2), 1)], 2, index_law=law)


@pytest.mark.parametrize("order", [Forward(), Backward()])
def test_denominators_of_shifts_do_not_overflow_what_a_large_start_becomes(order, monkeypatch):
    """Shifts 1/p and 1/q with p q near 2^40, and a start of 2^30: over one denominator it has 70 bits."""
    maps = [(1, Fraction(1, 2**20 + 7)), (1, Fraction(1, 2**20 + 9))]
    found = [merged_law(maps, n, 2**30, order=order).counter() for n in (1, 2)]
    monkeypatch.setattr(_words, "INT64", 0)
    assert found == [exact_law(maps, n, 2**30, order=order).counter() for n in (1, 2)]
    assert max(found[0]) == 2**30 + Fraction(1, 2**20 + 7)


@pytest.mark.parametrize("order", [Forward(), Backward()])
@pytest.mark.parametrize("place", range(8))
@pytest.mark.parametrize("bits", [31, 45, 62])
def test_one_large_number_anywhere_does_not_overflow(order, place, bits, monkeypatch):
    """One number of a start or of a map in two dimensions is large and all others small: the law of Python's integers.

    The places: two of the start, four of a matrix, two of a shift, beside a second map of small numbers.
    """
    numbers = [1, -1, 1, 0, 1, 1, -1, 1]
    numbers[place] = 2**bits - 1
    x, y, a, b, c, d, e, f = numbers
    maps = [([[a, b], [c, d]], [e, f]), ([[0, Fraction(1, 3)], [1, 0]], [Fraction(1, 7), 0])]
    found = [merged_law(maps, n, [x, y], order=order).counter() for n in (1, 2, 3)]
    monkeypatch.setattr(_words, "INT64", 0)
    assert found == [exact_law(maps, n, [x, y], order=order).counter() for n in (1, 2, 3)]
