"""Section 2.2 (row 35): time means of forward paths settle at the mean of μ, those of backward paths at θ*."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from contraction.maps.iterates import backward_iterates, forward_iterates
from contraction.maps.operators import RandomOperator
from contraction.maps.orders import Backward, Forward
from contraction.maps.rounding import gamma
from contraction.statements.cases.error_rates import FALSE_ALARM
from contraction.statements.cases.exact_words import affine_map, all_words, rows
from contraction.statements.section_2 import time_averages as statement


@given(h=st.floats(0.1, 1.9), seed=st.integers(0, 2**31))
def test_time_means_have_their_exact_laws(h, seed):
    """n = 100 paths of 200 iterates, 2 of 2,000: false alarm 1e-9; the miss rate is in the verdict, and
    `test_wrong_claims.py` has the power with 60,000 paths."""
    verdict = statement.check(h, 200, 100, seed)
    assert verdict, verdict


@given(h=st.floats(0.05, 1.95), N=st.integers(1, 80))
def test_variances_are_sums_of_squared_coefficients(h, N):
    verdict = statement.check_coefficients(h, N)
    assert verdict, verdict


@given(h=st.fractions(0, 2, max_denominator=10), N=st.integers(1, 8))
def test_variances_by_enumeration(h, N):
    """The two closed forms against all 2^N words of noise ±1 (mean 0, variance 1), in rationals."""
    words = all_words(2, N)
    maps = [affine_map(1 - h, -h), affine_map(1 - h, h)]
    for order, claimed in zip((Forward(), Backward()), statement.variances(float(h), N), strict=True):
        sums = rows(maps, words, [Fraction(0)], order)[:, 1:, 0].sum(axis=1)
        exact = float(Fraction((sums * sums).sum()) / len(words) / N**2)
        assert abs(claimed - exact) <= gamma(8 * N + 16) * 4  # 4: every term is at most (1 + |1-h|^N)² <= 4


@given(p=st.floats(0.1, 0.9), seed=st.integers(0, 2**31))
def test_frequencies_of_one_path_of_two_constant_maps(p, seed):
    """Example 2.4 with weight p: visits of one path of n = 500 iterates are Binomial(n, p); two-sided exact test,
    false alarm 1e-9, miss below 1e-2 for frequencies off by 0.2."""
    N = 500
    family = RandomOperator(draw=lambda rng: rng.random() < p, apply=lambda theta, hit: 0 * theta + float(hit))
    visits = int(np.sum(forward_iterates(family.sample(N, seed), 0.5)[1:]))
    low, high = stats.binom.ppf(FALSE_ALARM / 2, N, p), stats.binom.isf(FALSE_ALARM / 2, N, p)
    assert low <= visits <= high, f"{visits} visits of {N} with p = {p}, seed {seed}"
    for other in (p - 0.2, p + 0.2):
        if 0 < other < 1:
            assert stats.binom.cdf(high, N, other) - stats.binom.cdf(low - 1, N, other) < 1e-2


@given(N=st.integers(100, 400), seed=st.integers(0, 2**31))
def test_a_forward_path_keeps_moving(N, seed):
    """False alarm: no change of sign among at least 50 fair signs, 2^-49."""
    verdict = statement.check_printed(N, seed)
    assert verdict, verdict


@pytest.mark.control
def test_a_backward_path_does_not_keep_moving(monkeypatch):
    monkeypatch.setattr(statement, "forward_iterates", backward_iterates)
    assert not statement.check_printed()


@pytest.mark.control
def test_backward_paths_in_place_of_forward_ones_are_caught(monkeypatch):
    real = statement.paired_iterates
    monkeypatch.setattr(statement, "paired_iterates", lambda ops, theta: real(ops, theta)[::-1])
    assert not any(statement.check(**case) for case in statement.cases(np.random.default_rng(0), "standard"))


@pytest.mark.control
def test_a_mean_over_one_iterate_too_many_is_caught(monkeypatch):
    real = statement.variances
    monkeypatch.setattr(statement, "variances", lambda h, N: real(h, N // 4))
    assert not statement.check(0.3, 400, 200, 0)


@pytest.mark.control
def test_a_backward_path_has_another_empirical_measure(monkeypatch):
    """It settles at one draw of μ: the second moment of some path is far from that of μ."""
    monkeypatch.setattr(statement, "forward_iterates", backward_iterates)
    verdict = statement.check(0.3, 50, 60_000, 0)
    assert not verdict
    assert verdict.part == "empirical measure of every path"


@pytest.mark.parametrize("h", [0.05, 0.3, 1.8])
def test_second_moments_count_the_start_of_a_path(h):
    """Four iterates from 0, whose second moments 1 − ρ², …, 1 − ρ⁸ are far from 1, along 10⁵ paths: the mean over all
    of them is within its tolerance (false alarm 2.5e-10), and not if it is held against four iterates further on."""
    parts = {
        name: (gap, allowed)
        for name, gap, allowed in statement.second_moments(h, 4, 100_000, 1, statement.stationary_variance)
    }
    gap, allowed = parts["empirical measure of all paths"]
    rho = abs(1 - h)
    assert gap <= allowed < (rho**2 - rho**10) / 4
