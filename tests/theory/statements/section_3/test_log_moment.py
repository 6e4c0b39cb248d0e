"""Section 3.1 (row 47): Cauchy noise converges with an exact law, noise without a logarithmic moment does not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from contraction.families import Cauchy, Gaussian, LogHeavy, QuadraticSGD
from contraction.maps.iterates import backward_iterates
from contraction.statements.cases.error_rates import deviation
from contraction.statements.cases.log_tails import LOG_TAILS
from contraction.statements.section_3 import log_moment as statement

NOISES = pytest.mark.parametrize("noise", LOG_TAILS)
rates = st.one_of(st.floats(0.15, 0.7), st.floats(1.3, 1.85))


@given(h=rates, n=st.integers(0, 10), more=st.integers(1, 20), seed=st.integers(0, 2**31))
def test_cauchy_noise_has_the_claimed_law(h, n, more, seed):
    """1,000 paths; Kolmogorov distance against the DKW-Massart bound 0.105, miss 5e-10 at 0.21; with the binomial test
    false alarm 1e-9. `test_wrong_claims.py` has the power with 200,000 paths."""
    verdict = statement.check(h, n, n + more, 1000, seed)
    assert verdict, verdict


@given(h=st.floats(0.05, 1.95).filter(lambda h: abs(1 - h) > 0.01), n=st.integers(0, 6), more=st.integers(1, 20))
def test_the_scale_is_the_sum_of_the_coefficients(h, n, more):
    verdict = statement.check_coefficients(h, n, n + more)
    assert verdict, verdict


@given(h=rates, seed=st.integers(0, 2**31))
def test_increments_do_not_decay_without_a_logarithmic_moment(h, seed):
    """30 paths of 4,000 terms: Bernstein bound on the count, false alarm 1e-9."""
    verdict = statement.check_printed(h, 4000, 30, seed)
    assert verdict, verdict


@NOISES
@pytest.mark.parametrize("h", [0.4, 0.7, 1.7])
def test_which_noises_have_only_finitely_many_large_increments(noise, h):
    """2,000 large increments expected: false alarm 1e-9; a number 35 % off is missed with at most 1e-9."""
    tail = LOG_TAILS[noise]
    N = statement.maps_for(tail)
    replicas = math.ceil(2000 / statement.expected_number(tail, h, N))
    verdict = statement.check_noise(noise, h, N, replicas, 1)
    assert verdict, verdict


@NOISES
def test_the_noises_are_drawn_from_their_tails(noise):
    """P(log |eps| > t) for all t >= 0, from 100,000 draws against the DKW-Massart bound, 0.0104."""
    tail, n = LOG_TAILS[noise], 100_000
    drawn = np.sort(tail.log_sample(np.random.default_rng(3), (n,)))
    above = n - 1 - np.flatnonzero(drawn >= 0)
    claimed = tail.tail(drawn[drawn >= 0])
    assert max(np.abs(claimed - above / n).max(), np.abs(claimed - (above + 1) / n).max()) <= deviation(n)


@NOISES
def test_truncated_moments_are_integrals_of_the_tail(noise):
    """Each to quad's own error; and what a finite moment has beyond t = 40 is the integral from there."""
    tail = LOG_TAILS[noise]
    for a, b in ((0.0, 0.5), (1.0, 3.0), (3.0, 40.0)):
        value, error = integrate.quad(lambda t: float(tail.tail(np.asarray(t))), a, b, epsabs=1e-11)
        assert abs(tail.truncated(b) - tail.truncated(a) - value) <= error + 1e-10
    left = {"t^(−3/2)": 2 / math.sqrt(40), "(1 + log t)²)": 1 / (1 + math.log(40)), "Gaussian": 0.0, "Cauchy": 0.0}
    for end, rest in left.items():
        if noise.endswith(end):
            assert tail.truncated(40.0) + rest == pytest.approx(tail.log_moment, abs=1e-9)
            break
    else:
        assert math.isinf(tail.log_moment)
        assert tail.truncated(math.exp(math.exp(5))) > 6


@NOISES
@pytest.mark.parametrize("h", [0.4, 1.6])
def test_sums_of_chances_lie_between_the_integrals_of_the_tail(noise, h):
    """For all N up to 100,000: bounded by the logarithmic moment, or above integrals that grow beyond any level."""
    tail = LOG_TAILS[noise]
    t, step = statement.thresholds(tail, h, 100_000)
    sums = np.cumsum(tail.tail(t))
    for n in (1, 10, 1000, len(t)):
        lower = (tail.truncated(t[n - 1] + step) - tail.truncated(t[0])) / step
        upper = float(tail.tail(t[:1])[0]) + (tail.truncated(t[n - 1]) - tail.truncated(t[0])) / step
        assert lower - 1e-9 <= sums[n - 1] <= upper + 1e-9
        assert sums[n - 1] <= 1 + tail.log_moment / step


def test_thresholds_are_those_of_the_increments():
    """h |1-h|^(i-1) e^t = r^i at the threshold t of increment i."""
    for noise, r in (("Cauchy", math.sqrt(0.4)), ("ε = exp(1/U)", 1.0)):
        t, step = statement.thresholds(LOG_TAILS[noise], 1.4, 30)
        i = np.arange(31 - len(t), 31)
        assert step == pytest.approx(math.log(r / 0.4))
        np.testing.assert_allclose(1.4 * 0.4 ** (i - 1) * np.exp(t), r**i, rtol=1e-12)


@pytest.mark.control
def test_both_borders_are_told_apart():
    """Claimed for each other, whatever the seed; and a tail with a finite moment claimed for one with none."""
    for noise, claimed in (
        (statement.FINITE, statement.INFINITE),
        (statement.INFINITE, statement.FINITE),
        ("P(log|ε| > t) = t^(−3/2)", "ε = exp(1/U)"),
    ):
        tail = LOG_TAILS[noise]
        replicas = math.ceil(20_000 / statement.expected_number(tail, 0.5, statement.maps_for(tail)))
        assert not any(
            statement.check_noise(noise, 0.5, statement.maps_for(tail), replicas, s, claimed) for s in (1, 2)
        )


def test_expected_number_of_large_increments_grows_like_log_n():
    """Sum of chances from 1 to n against log(n)/log(1/k), within the constant that the first terms can hold."""
    for h in (0.3, 0.7, 1.7):
        c = math.log(1 / abs(1 - h))
        for n in (10**2, 10**4, 10**6):
            assert abs(statement.exceedance_chances(h, n).sum() - math.log(n) / c) <= 3 / c + abs(math.log(h)) / c + 3


def test_an_overflowing_draw_is_infinite_and_never_capped():
    """The family itself says so: a draw beyond float64 makes the backward iterate infinite from there on."""
    operators = QuadraticSGD(0.3, LogHeavy()).sample(1, 0, replicas=10_000)
    assert np.isinf(backward_iterates(operators, 0.0)[:, 1]).any()


@pytest.mark.control
def test_gaussian_noise_does_not_refute(monkeypatch):
    """With noise that has a logarithmic moment late increments above 1 are absent, and the refutation fails."""

    class LogOfGaussian(Gaussian):
        def log_sample(self, rng, shape):
            return np.log(np.abs(self.sample(rng, shape)))

    monkeypatch.setattr(statement, "LogHeavy", LogOfGaussian)
    assert not statement.check_printed()


@pytest.mark.control
@pytest.mark.parametrize("noise", [Gaussian(), Cauchy(2.0)])
def test_another_law_or_scale_is_caught(monkeypatch, noise):
    monkeypatch.setattr(statement, "Cauchy", lambda: noise)
    simulated = [c for c in statement.cases(np.random.default_rng(0), "standard") if c["replicas"] and "noise" not in c]
    assert len(simulated) == 4
    assert not any(statement.check(**case) for case in simulated)
