"""Section 3.2 (row 51): Gaussian noise has no D, no certificate and no rate C k^n; its true rates hold."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import contraction as ct
from contraction.families import Gaussian, QuadraticSGD, Uniform
from contraction.maps.orders import Backward
from contraction.statements import unbounded_noise as statement
from contraction.statements._chance import FALSE_ALARM
from contraction.statements._finite import affine_map, rows

rates = st.one_of(st.floats(0.15, 0.7), st.floats(1.3, 1.85))


@given(h=rates, n=st.integers(0, 10), more=st.integers(1, 20), seed=st.integers(0, 2**31))
def test_law_of_the_normalised_error(h, n, more, seed):
    """1,000 paths; Kolmogorov distance against the DKW-Massart bound 0.104, false alarm 1e-9, miss 1e-9 at 0.207."""
    verdict = statement.check(h, n, n + more, 1000, seed)
    assert verdict, verdict


@given(h=st.sampled_from([Fraction(3, 10), Fraction(17, 10)]), eps=st.lists(st.integers(-4, 4), min_size=1, max_size=9))
def test_normalised_errors_are_those_of_the_iterates(h, eps):
    """(θ_N − θ_n)/(1−h)^n exactly, through the package's iterates, against the recursion without cancellation."""
    path = rows([affine_map(1 - h, h * e) for e in eps], [list(range(len(eps)))], [0], Backward())[0, :, 0]
    exact = [(path[-1] - path[n]) / (1 - h) ** n for n in range(len(eps))]
    found = statement.normalised(float(h), np.array(eps, dtype=float))
    assert np.allclose(found, np.array(exact, dtype=float), rtol=0, atol=64 * len(eps) * 2.0**-53 * 8)


@pytest.mark.parametrize("h", [0.1, 0.3, 1.7])
def test_no_constant_serves(h):
    verdict = statement.check_printed(h)
    assert verdict, verdict


@given(h=rates, seed=st.integers(0, 2**31))
def test_root_log_envelope(h, seed):
    """|Z_n| <= sd sqrt(4 log(n+2) + 2 x) at every n at once, except with chance 2 e^-x zeta(2) < 1e-9."""
    x = math.log(2 * math.pi**2 / 6 / FALSE_ALARM)
    Z = statement.normalised(h, Gaussian().sample(np.random.default_rng(seed), (20_000,)))
    assert np.all(np.abs(Z) <= statement.stationary_sd(h) * np.sqrt(4 * np.log(np.arange(len(Z)) + 2) + 2 * x))


@given(h=st.floats(0.05, 1.95), theta0=st.floats(-5, 5), n=st.integers(0, 60))
def test_the_rate_in_the_second_moment(h, theta0, n):
    """‖θ* − θ_n‖_2 = k^n sqrt(h²/(1−k²) + θ0²) <= k^n ‖d(θ0, Tθ0)‖_2/(1−k), both in closed form."""
    k, D = abs(1 - h), QuadraticSGD(h).displacement_moment(np.array([theta0]), 2).value
    measured = k**n * math.sqrt(statement.stationary_sd(h) ** 2 + theta0**2)
    assert measured <= k**n * D / (1 - k) * (1 + 2.0**-45)


def test_the_certificate_names_the_hypothesis_that_fails():
    with pytest.raises(ct.NotCertified, match="D infinite"):
        ct.certify(QuadraticSGD(0.3, Gaussian()), 0.0)
    assert ct.certify(QuadraticSGD(0.3, Gaussian()), 0.0, moment=2).bound(5) > 0


@pytest.mark.control
def test_bounded_noise_has_a_constant(monkeypatch):
    """With uniform noise d_n/k^n stays below h/(1-k): the levels are not reached and nothing is refuted."""
    monkeypatch.setattr(statement, "Gaussian", lambda: Uniform(-1, 1))
    assert not statement.check_printed(0.3)


@pytest.mark.control
def test_a_shifted_exponent_is_caught(monkeypatch):
    real = statement.stationary_sd
    monkeypatch.setattr(statement, "stationary_sd", lambda h, terms=math.inf: real(h, terms) * abs(1 - h))
    assert not any(statement.check(**case) for case in statement.cases(np.random.default_rng(0), "standard"))
