"""Section 3.1 (row 47): Cauchy noise converges with an exact law, noise without a logarithmic moment does not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.families import Cauchy, Gaussian, LogHeavy, QuadraticSGD
from contraction.maps.iterates import backward_iterates
from contraction.statements.section_3 import log_moment as statement

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
    simulated = [c for c in statement.cases(np.random.default_rng(0), "standard") if c["replicas"]]
    assert len(simulated) == 4
    assert not any(statement.check(**case) for case in simulated)
