"""Laws at their edges: integers beyond 64 bits, slack of a law given as a function, p-values, the D of a bracket."""

from __future__ import annotations

import math
from fractions import Fraction as F
from types import SimpleNamespace

import numpy as np
import pytest

from contraction.laws import (
    _words,
    compare_laws,
    exact_bracket,
    exact_law,
    merged_law,
    one_sample_test,
    paired,
    pvalue_guard,
    sign_flip_test,
    two_sample_test,
)
from contraction.laws.affine_moments import AffineMoments
from contraction.laws.brackets import coupling_bound
from contraction.laws.calibrated import Rates
from contraction.laws.means import mean_sample_size
from contraction.laws.random_affine import RandomAffineMoments
from contraction.maps.orders import Backward, Forward

RATES = Rates(1e-3, 1e-3)


def number(rng: np.random.Generator, bits: int) -> int:
    """A number of that many bits, of either sign."""
    return int(rng.integers(2 ** (bits - 1), 2**bits, dtype=np.uint64)) * int(rng.choice([-1, 1]))


@pytest.mark.parametrize("bits", [8, 14, 15, 16, 20, 21, 22, 30, 31, 32, 33, 40, 50, 60, 61, 62])
@pytest.mark.parametrize("dim", [1, 2])
def test_no_integer_overflows(bits, dim, monkeypatch):
    """Maps with entries of that size, so that n = 2 or 3 maps cross 64 bits: the same law by Python's integers alone.

    Both orders, by words and by merged atoms, which check their ranges apart from each other.
    """
    rng = np.random.default_rng(1000 * dim + bits)
    for shape in ("linear part", "shift", "start", "all", "fractions", "first of the shift"):
        big = lambda wanted: number(rng, bits) if shape in (wanted, "all") else int(rng.integers(-3, 4)) or 1  # noqa: B023, E731
        below = lambda: int(rng.integers(1, 2 ** min(bits, 16))) if shape == "fractions" else 1  # noqa: B023, E731

        def entries(wanted: str, count: int) -> list[F]:
            one_of_many = [F(number(rng, bits))] * (shape == f"first of the {wanted}")  # noqa: B023
            return (one_of_many + [F(big(wanted), below()) for _ in range(count)])[:count]  # noqa: B023

        if dim == 1:
            maps = [(entries("linear part", 1)[0], entries("shift", 1)[0]) for _ in range(2)]
            start = entries("start", 1)[0]
        else:
            maps = [([entries("linear part", 2), entries("linear part", 2)], entries("shift", 2)) for _ in range(2)]
            start = entries("start", 2)
        for n in (1, 2, 3):
            for order in (Forward(), Backward()):
                plain = exact_law(maps, n, start, order=order), merged_law(maps, n, start, order=order)
                with monkeypatch.context() as patch:
                    patch.setattr(_words, "INT64", 0)
                    right = exact_law(maps, n, start, order=order).counter()
                assert plain[0].counter() == right
                assert plain[1].counter() == right


def test_masses_beyond_64_bits_are_summed_exactly():
    """Small points with large masses, and the reverse."""
    values = np.array([[1], [2], [1]])
    masses = np.array([2**70, 1, 2**70], dtype=object)
    points, summed = _words.collect(values, masses)
    assert points.ravel().tolist() == [1, 2]
    assert summed.tolist() == [2**71, 1]
    points, summed = _words.collect(np.array([[2**70], [2], [2**70]], dtype=object), np.array([1, 2, 3]))
    assert points.ravel().tolist() == [2, 2**70]
    assert summed.tolist() == [2, 4]


def test_points_beyond_64_bits_are_sorted_and_summed():
    """With two coordinates; and a scale that takes a number out of 64 bits."""
    values = np.array([[2**70, 1], [2, 5], [2**70, 0], [2, 5]], dtype=object)
    points, summed = _words.collect(values, np.array([1, 2, 3, 4]))
    assert points.tolist() == [[2, 5], [2**70, 0], [2**70, 1]]
    assert summed.tolist() == [6, 3, 1]
    for value in (2**62, -(2**62) - 1):
        assert _words.rescaled(np.array([[value], [1]]), 3).ravel().tolist() == [3 * value, 3]


def test_what_has_half_of_a_rational_is_none():
    """Rationals of other libraries are known by p and q; one of the two is not enough."""
    for half in (SimpleNamespace(p=1), SimpleNamespace(q=1)):
        with pytest.raises(TypeError, match="need integers or Fractions"):
            _words.as_fraction(half)
    assert _words.as_fraction(SimpleNamespace(p=6, q=4)) == F(3, 2)


def step(at: float, closed: bool):
    """The distribution function of one atom: P(X <= x), or P(X < x)."""
    return (lambda x: np.asarray(x >= at, float)) if closed else (lambda x: np.asarray(x > at, float))


@pytest.mark.parametrize("drawn", [0.1 + 0.2, 0.3, 0.3 - 1e-16])
def test_slack_of_a_law_given_as_a_function(drawn):
    """Draws a rounding above or below the atom count as the atom; without slack they do not."""
    law = {"law": step(0.3, True), "left": step(0.3, False)}
    x = np.full(50, drawn)
    assert one_sample_test(x, rates=RATES, slack=1e-15, **law).statistic == 0
    exactly = one_sample_test(x, rates=RATES, **law).statistic
    assert exactly == (0 if drawn == 0.3 else 1)


@pytest.mark.parametrize("shift", [-1e-16, 1e-16])
def test_slack_of_an_exact_law(shift):
    """The draws of both atoms are a rounding beside them, and the law has the masses of the sample."""
    law = exact_law([(0, F(1, 10)), (0, F(3, 10))], 1)
    x = np.array([0.1, 0.3] * 20) + shift
    assert np.all(x != np.array([0.1, 0.3] * 20))
    assert one_sample_test(x, law, RATES, slack=1e-15).statistic == 0
    assert one_sample_test(x, law, RATES).statistic == 0.5


def test_a_sample_that_is_the_law_itself_passes():
    """A statistic of exactly 0 is not below the guard of a law with atoms, which is 0."""
    coin = exact_law([(0, 0), (0, 1)], 1)
    found = one_sample_test([0.0, 1.0, 0.0, 1.0], coin, RATES)
    assert (found.statistic, found.too_close_below) == (0.0, 0.0)
    assert found.passes
    assert found.pvalue == 1.0


def test_p_values_are_the_bounds_of_massart():
    """2 exp(-2 n s^2) for one sample; 4 exp(-(s/w)^2), w the sum of 1/sqrt(2n) and 1/sqrt(2m), for two: a union bound
    over the two samples, each of which is off by its share of s."""
    x = np.linspace(0, 0.8, 40)
    one = one_sample_test(x, lambda t: np.clip(t, 0, 1), RATES)
    assert one.statistic == pytest.approx(0.2)
    assert one.pvalue == pytest.approx(2 * math.exp(-2 * 40 * one.statistic**2))
    two = two_sample_test(x, x + 0.5, RATES)
    width = 1 / math.sqrt(80) + 1 / math.sqrt(80)
    assert 0.5 < two.statistic < 0.7
    assert two.pvalue == pytest.approx(4 * math.exp(-((two.statistic / width) ** 2)))
    assert two_sample_test(x, x, RATES).pvalue == 1.0


@pytest.mark.parametrize("shift", np.linspace(0, 0.6, 13))
def test_a_test_rejects_where_its_p_value_is_below_its_rate(shift):
    """Half of the rate for one sample, whose other half guards against samples that are too close."""
    rng = np.random.default_rng(5)
    x, y = rng.random(120), rng.random(90)
    one = one_sample_test(np.minimum(x + shift, 1.0), lambda t: np.clip(t, 0, 1), RATES)
    assert (one.statistic > one.threshold) == (one.pvalue < RATES.false_alarm / 2)
    two = two_sample_test(x, y + shift, RATES)
    assert two.passes == (two.pvalue >= RATES.false_alarm)


def test_the_d_of_a_bracket_is_a_mean_over_the_weights():
    """W_1: E d(theta_0, T theta_0) with weights 1/4 and 3/4 and moves 2 and 1; W_infinity: the largest move."""
    maps, start = [(F(1, 2), F(3)), (F(1, 4), F(1, 2))], F(2)
    for n in (0, 3):
        for p, D in ((1, F(1, 4) * 2 + F(3, 4) * 1), (math.inf, F(2))):
            found = exact_bracket(maps, n, start, p=p, later=n, weights=[F(1, 4), F(3, 4)])
            assert found.upper == coupling_bound(F(1, 2), D, n) == D * F(1, 2) ** n / (1 - F(1, 2))


def test_total_variation_is_half_the_sum_of_the_gaps():
    """A certain 0 against a fair coin: 1/2; laws without a common atom: 1."""
    coin, zero = exact_law([(0, 0), (0, 1)], 1), exact_law([(0, 0)], 1)
    found = compare_laws(zero, coin)
    assert (found.equal, found.total_variation) == (False, F(1, 2))
    assert compare_laws(zero, exact_law([(0, 5)], 1)).total_variation == 1
    assert compare_laws(coin, coin).total_variation == 0
    assert (found.atom, found.masses) in ((F(0), (1, F(1, 2))), (F(1), (0, F(1, 2))))


def test_the_size_of_a_test_of_a_mean_goes_by_the_width_of_the_support():
    """Shifted supports of one width need as many draws; twice the width needs four times as many."""
    sizes = [mean_sample_size(0.1, RATES, low, low + width) for low, width in ((-1, 1), (0, 1), (7, 1), (-3, 2))]
    assert sizes[0] == sizes[1] == sizes[2]
    assert 4 * (sizes[0] - 1) < sizes[3] <= 4 * sizes[0]


@pytest.mark.parametrize("n_resamples", [1, 100, 4095, 4096, 4097, 10_000])
def test_so_many_flips_are_drawn_as_were_asked_for(n_resamples):
    """Thirty differences of 0: every drawn flip is as extreme as what was seen, and p is 1, neither less nor more."""
    found = sign_flip_test(np.zeros(30), n_resamples=n_resamples, seed=1)
    assert found.pvalue == 1.0
    rows = [len(signs) for signs in paired._signs(30, False, n_resamples, 1)]
    assert sum(rows) == n_resamples
    assert all(set(np.unique(signs)) <= {-1.0, 1.0} for signs in paired._signs(3, False, n_resamples, 1))
    exact = np.concatenate(list(paired._signs(4, True, n_resamples, 1)))
    assert len({tuple(signs) for signs in exact.tolist()}) == len(exact) == 16


@pytest.mark.parametrize(
    "wrong", [([[1], [2]], [0, 0]), ([[[1, 0], [0, 1]]], [0, 0]), ([[1, 0], [0, 1]], [[0, 0]]), ([1, 2, 3], [0, 0])]
)
@pytest.mark.parametrize("place", [0, 1])
def test_one_map_of_another_shape_is_refused(wrong, place):
    """Beside a good map of the plane, before it or after it."""
    maps = [([[F(1, 2), 0], [0, 1]], [1, 0])]
    maps.insert(place, wrong)
    with pytest.raises(ValueError, match="must share one dimension"):
        _words.scaled_maps(maps)


@pytest.mark.parametrize("n", [0, 1, 4])
def test_the_covariance_of_an_iterate_with_itself_is_its_covariance(n):
    """As of pairs: forward and backward, by both classes of laws of affine maps; and what they say of n before m."""
    A, V = np.array([[0.5, 0.25], [0.0, 0.4]]), np.array([[2.0, 0.5], [0.5, 1.0]])
    common = AffineMoments(A, np.array([1.0, 0.0]), V, np.zeros(2))
    drawn = RandomAffineMoments.from_maps(np.stack([A, 0.5 * A]), np.array([[1.0, 0.0], [0.0, 2.0]]), None, np.zeros(2))
    for law in (common, drawn):
        for pair in (law.forward_covariance, law.backward_covariance):
            assert np.allclose(pair(n, n), law.covariance(n), atol=1e-14)
            assert np.allclose(pair(n, n + 2), pair(n + 2, n).T, atol=1e-14)


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, math.inf])
def test_the_upper_end_of_a_bracket_is_the_coupling_bound_of_the_weighted_displacement(p):
    """Maps x/2 and x/4 + 3 with weights 1/5 and 4/5 from 1: they move it by 1/2 and 9/4; k = 1/2, and at n = 3 the
    bound is D/8/(1 − 1/2), with D the p-th mean of the two moves."""
    found = exact_bracket([(F(1, 2), 0), (F(1, 4), 3)], 3, 1, weights=[F(1, 5), F(4, 5)], p=p, later=3)
    D = 9 / 4 if p == math.inf else (0.5**p / 5 + 4 * 2.25**p / 5) ** (1 / p)
    assert float(found.upper) == pytest.approx(D / 4, rel=1e-12)
    assert found.lower == 0  # no later iterate says more


def test_a_sample_is_large_enough_for_the_discrepancy_that_its_test_detects():
    """To the last digit, for every size: the size that is computed from it may round to one draw more."""
    x = np.random.default_rng(0).random(400)
    for n in range(20, 400, 7):
        found = one_sample_test(x[:n], lambda t: np.clip(t, 0, 1), RATES)
        again = one_sample_test(x[:n], lambda t: np.clip(t, 0, 1), RATES, discrepancy=found.discrepancy)
        assert again.discrepancy == found.discrepancy
        with pytest.raises(ValueError, match=f"needs [0-9]+ draws, got {n}"):
            one_sample_test(x[:n], lambda t: np.clip(t, 0, 1), RATES, discrepancy=0.98 * found.discrepancy)


@pytest.mark.parametrize(("p", "passes"), [([0.0], False), ([1.0], False), ([0.0, 1.0], False), ([0.5], True)])
def test_p_values_at_the_ends_are_p_values(p, passes):
    """A p-value of 0 or of 1 is one, and no law is uniform where it comes up."""
    assert pvalue_guard(p, 0.01) == passes
    for wrong in (-1e-9, 1 + 1e-9, math.nan):
        with pytest.raises(ValueError, match="numbers in"):
            pvalue_guard([0.5, wrong], 0.01)
