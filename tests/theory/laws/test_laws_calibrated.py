"""Calibrated tests keep their two error rates: counted over repetitions, with exact binomial bounds on the counts.

Each repetition uses new draws; a rate r over N repetitions gives a count that exceeds the binomial quantile used below
with chance at most 1e-6 (`binom.isf`), from the stated r alone.
"""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest
from scipy.stats import binom

from contraction.families.bernoulli import BernoulliConvolution
from contraction.families.finite import FiniteFamily
from contraction.families.index_laws import Reshuffled
from contraction.laws import exact_law
from contraction.laws.calibrated import (
    Rates,
    SuiteRates,
    one_sample_test,
    pvalue_guard,
    sample_size,
    two_sample_size,
    two_sample_test,
)
from contraction.laws.means import mean_sample_size, mean_test
from contraction.maps.iterates import backward_iterates, forward_iterates, paired_iterates
from contraction.statements.cases.error_rates import distance_to

RATES = Rates(0.05, 0.05)
REPEATS = 400
MOST = int(binom.isf(1e-6, REPEATS, 0.05))

uniform = lambda x: np.clip(x, 0, 1)  # noqa: E731
coin_law = exact_law([(0, 0), (0, 1)], 1)


def biased(u, delta):
    """Uniform draws turned into a law with distribution function 1/2 + delta at 1/2: sup distance exactly delta."""
    low = u < 0.5 + delta
    return np.where(low, u * 0.5 / (0.5 + delta), 0.5 + (u - 0.5 - delta) * 0.5 / (0.5 - delta))


def test_the_biased_law_is_off_by_delta():
    u = (np.arange(200_000) + 0.5) / 200_000
    x = biased(u, 0.2)
    assert abs(distance_to(x, uniform) - 0.2) < 1e-4


@pytest.mark.parametrize("delta", [0.2, 0.4])
def test_one_sample_rates(delta):
    n = sample_size(delta, RATES)
    rng = np.random.default_rng(11)
    right = [one_sample_test(rng.random(n), uniform, RATES, discrepancy=delta) for _ in range(REPEATS)]
    wrong = [one_sample_test(biased(rng.random(n), delta), uniform, RATES, discrepancy=delta) for _ in range(REPEATS)]
    assert sum(not r for r in right) <= MOST
    assert sum(map(bool, wrong)) <= MOST
    with pytest.raises(ValueError, match=f"needs {n} draws, got {n - 1}"):
        one_sample_test(rng.random(n - 1), uniform, RATES, discrepancy=delta)


def test_one_sample_rates_with_atoms():
    """A fair coin; a coin of bias 1/2 + delta is off by delta. Undeclared atoms make the fair one fail."""
    delta = 0.2
    n = sample_size(delta, RATES)
    rng = np.random.default_rng(12)
    fair = [one_sample_test(rng.integers(0, 2, n), coin_law, RATES, discrepancy=delta) for _ in range(REPEATS)]
    bent = [one_sample_test(rng.random(n) < 0.5 + delta, coin_law, RATES, discrepancy=delta) for _ in range(REPEATS)]
    assert sum(not r for r in fair) <= MOST
    assert sum(map(bool, bent)) <= MOST
    right = lambda x: np.where(x < 0, 0, np.where(x < 1, 0.5, 1.0))  # noqa: E731
    left = lambda x: np.where(x <= 0, 0, np.where(x <= 1, 0.5, 1.0))  # noqa: E731
    draws = rng.integers(0, 2, n)
    assert (
        one_sample_test(draws, right, RATES, left=left).statistic == one_sample_test(draws, coin_law, RATES).statistic
    )
    assert not one_sample_test(draws, right, RATES)


def test_two_sample_rates_also_for_dependent_samples():
    delta = 0.3
    n = two_sample_size(delta, RATES)
    rng = np.random.default_rng(13)
    right, wrong = [], []
    for _ in range(REPEATS):
        u = rng.random(n)
        right.append(two_sample_test(u, 1 - u, RATES, discrepancy=delta))
        wrong.append(two_sample_test(u, biased(rng.random(n), delta), RATES, discrepancy=delta))
    assert sum(not r for r in right) <= MOST
    assert sum(map(bool, wrong)) <= MOST


@pytest.mark.parametrize("method", ["hoeffding", "bernstein"])
def test_mean_rates(method):
    delta = 0.1
    n = mean_sample_size(delta, RATES, 0, 1) if method == "hoeffding" else 600
    rng = np.random.default_rng(14)
    right = [mean_test(rng.random(n) ** 4, 0.2, RATES, low=0, high=1, method=method) for _ in range(REPEATS)]
    wrong = [mean_test(rng.random(n) ** 4, 0.2 + r.discrepancy, RATES, low=0, high=1, method=method) for r in right]
    assert sum(not r for r in right) <= MOST
    assert sum(map(bool, wrong)) <= MOST
    if method == "hoeffding":
        assert max(r.discrepancy for r in right) <= delta


def test_bernstein_is_narrower_for_small_variance():
    x = np.concatenate([np.zeros(9990), np.ones(10)])
    narrow, wide = (mean_test(x, 0.001, RATES, low=0, high=1, method=m) for m in ("bernstein", "hoeffding"))
    assert narrow.threshold < wide.threshold / 2
    variance = 10 * 9990 / 10_000 / 9999
    claimed = np.sqrt(2 * variance * np.log(80) / 10_000) + 7 * np.log(80) / (3 * 9999)
    assert narrow.threshold == pytest.approx(claimed, rel=1e-12)
    assert wide.threshold == pytest.approx(np.sqrt(np.log(40) / 20_000), rel=1e-12)


# --- what is too good -------------------------------------------------------------------------------------------------


def test_a_sample_closer_than_chance_is_flagged():
    """Equally spaced "draws" have the right law on average and are no draws."""
    n = 2000
    spaced = one_sample_test((np.arange(n) + 0.5) / n, uniform, SuiteRates(tests=50).each)
    assert not spaced
    assert spaced.pvalue == 1.0
    assert spaced.statistic < spaced.too_close_below
    assert one_sample_test(np.random.default_rng(0).random(n), uniform, SuiteRates(tests=50).each)


def test_pvalue_guard_is_two_sided():
    """Size counted; a constant stream near 1 or near 0 is flagged, a uniform one not."""
    rng = np.random.default_rng(15)
    assert sum(not pvalue_guard(rng.random(20), 0.05) for _ in range(REPEATS)) <= MOST
    assert not pvalue_guard(np.full(20, 0.98), 1e-6)
    assert not pvalue_guard(np.full(20, 0.02), 1e-6)
    assert not pvalue_guard([1.0], 1e-6)
    assert pvalue_guard(np.full(20, 0.5), 1e-6)


# --- iterates ---------------------------------------------------------------------------------------------------------

SUITE = SuiteRates(false_alarm=1e-6, miss=1e-6, tests=4)


def test_iterates_have_their_exact_law():
    """Forward and backward iterate 6 of Bernoulli maps against the enumerated law; discrepancy 1/32, two atoms' mass.

    Rounding of a value below 1 after six maps is below 20 units of 2^-53; atoms lie 1/64 apart.
    """
    law = exact_law([(F(1, 2), 0), (F(1, 2), F(1, 2))], 6)
    n = sample_size(1 / 32, SUITE.each)
    family = BernoulliConvolution(F(1, 2))
    for seed, iterates in enumerate((forward_iterates, backward_iterates)):
        values = iterates(family.sample(6, seed=seed, replicas=n), 0.0, at=[6])[:, 0, 0]
        assert one_sample_test(values, law, SUITE.each, discrepancy=1 / 32, slack=1e-14)
        assert not one_sample_test(values + 1 / 32, law, SUITE.each, discrepancy=1 / 32, slack=1e-14)


@pytest.mark.control
def test_reshuffled_iterates_are_told_apart():
    """Row 40: forward and backward laws at n = 3 differ by 1/4 in distribution function; i.i.d. ones pass."""
    n = two_sample_size(0.25, SUITE.each)
    maps = [(F(1, 2), 0), (F(1, 2), F(1, 2))]
    shuffled = FiniteFamily(maps, law=Reshuffled(2)).sample(3, seed=0, replicas=n)
    independent = FiniteFamily(maps).sample(3, seed=1, replicas=n)
    results = []
    for operators in (shuffled, independent):
        f, b = (x[:, 0, 0] for x in paired_iterates(operators, 0.0, at=[3]))
        results.append(two_sample_test(f, b, SUITE.each, discrepancy=0.25, slack=1e-14))
    assert not results[0]
    assert results[1]


def test_slack_matches_atoms_computed_in_two_ways():
    """0.1 + 0.2 and 0.3 are one atom; without slack the two samples would share nothing."""
    x, y = np.full(500, 0.1 + 0.2), np.full(500, 0.3)
    assert (
        two_sample_test(x, y, RATES, slack=1e-15).statistic == two_sample_test(y, x, RATES, slack=1e-15).statistic == 0
    )
    assert two_sample_test(x, y, RATES).statistic == 1.0


def test_rates_belong_to_the_suite():
    each = SuiteRates(1e-6, 1e-3, tests=100).each
    assert (each.false_alarm, each.miss) == (1e-6 / 100, 1e-3 / 100)
    assert sample_size(0.1, each) > sample_size(0.1, Rates(1e-6, 1e-3))
    # the formula, by hand: (sqrt(ln 4e8) + sqrt(ln 1e5))^2 / (2 * 0.1^2)
    assert sample_size(0.1, each) == int(np.ceil((np.sqrt(np.log(4e8)) + np.sqrt(np.log(1e5))) ** 2 / 0.02))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Rates(0.0, 0.1), "rate false_alarm must be between 0 and 1"),
        (lambda: SuiteRates(tests=0), "number of tests in a suite must be an integer of at least 1"),
        (lambda: sample_size(0.0, RATES), "discrepancy"),
        (lambda: one_sample_test([], uniform, RATES), "non-empty"),
        (lambda: one_sample_test([np.nan], uniform, RATES), "NaN"),
        (lambda: mean_test([2.0], 0.5, RATES, low=0, high=1), "must lie in"),
        (lambda: mean_test([0.5], 0.5, RATES, low=0, high=1, method="exact"), "hoeffding or bernstein"),
        (lambda: mean_test([0.5, 0.5], 0.5, RATES, low=0, high=np.inf), "finite"),
        (lambda: mean_test([0.5] * 5, 0.5, RATES, low=0, high=1, discrepancy=0.1), "draw more"),
        (lambda: pvalue_guard([1.2], 0.1), r"\[0, 1\]"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_slack_does_not_make_right_draws_too_close_to_their_law() -> None:
    """Draws at the levels (i - 1/2) / n are too close to the uniform law; independent ones never are."""
    rates, uniform = Rates(1e-6, 1e-6), lambda x: np.clip(x, 0, 1)
    draws = np.random.default_rng(0).random(2000)
    assert one_sample_test(draws, uniform, rates, slack=0.05)
    even = (np.arange(100_000) + 0.5) / 100_000
    assert not one_sample_test(even, uniform, rates)
    assert not one_sample_test(even, uniform, rates, slack=1e-9)


@pytest.mark.parametrize("value", [0.8132702392002724, 0.7294965609839984, 1e308, -0.1])
def test_draws_of_a_constant_have_its_mean(value: float) -> None:
    for n in (1, 3, 10, 49):
        result = mean_test([value] * n, value, Rates(0.01, 0.01), low=value, high=value)
        assert (bool(result), result.statistic, result.pvalue) == (True, 0.0, 1.0)
