"""Moments of laws without variance: closed forms against the quadrature, and what becomes of them in certificates."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
from scipy import stats
from scipy.special import gamma

import contraction as ct
from contraction.families import LinearizedSGD, QuadraticSGD, own_noise, tail_quadrature
from contraction.families.own_noise import as_noise
from contraction.families.tail_quadrature import absolute_moment


def student(df: float, p: float) -> float:
    return df ** (p / 2) * gamma((p + 1) / 2) * gamma((df - p) / 2) / (math.sqrt(math.pi) * gamma(df / 2))


CASES = [
    (stats.t(1.5), 1.0, student(1.5, 1.0)),
    (stats.t(1.5), 1.4, student(1.5, 1.4)),
    (stats.t(1.9), 0.3, student(1.9, 0.3)),
    (stats.t(1.9), 1.8, student(1.9, 1.8)),
    (stats.t(1.0), 0.5, student(1.0, 0.5)),
    (stats.pareto(1.5), 1.0, 3.0),
    (stats.pareto(1.5, loc=-1.0), 1.0, 2.0),
    (stats.levy(), 0.4, gamma(0.1) / (math.sqrt(math.pi) * 2**0.4)),
    (stats.loglaplace(1.5), 1.0, 1.8),
]


@pytest.mark.parametrize(("law", "p", "exact"), CASES, ids=lambda x: str(getattr(getattr(x, "dist", x), "name", x)))
def test_the_sum_is_an_upper_bound_and_near(law, p, exact):
    """The grid loses at most a factor 2^(p/64), 2.2 % at p = 2."""
    assert exact <= absolute_moment(law, p) <= exact * 2 ** (p / 64) * (1 + 1e-3)


@pytest.mark.parametrize("shift", [-7.0, 0.5, 3.0])
def test_moments_about_another_point(shift):
    """E |X - a| of the Pareto law on [1, ∞): E X - a below 1, and 3 - a + 2 ∫_1^a (a - x) dF above."""
    law = stats.pareto(1.5)
    inside = 0.0 if shift <= 1 else (shift - 1) - (1 - shift**-0.5) / 0.5  # ∫_1^a P(X <= x) dx
    exact = 3.0 - shift + 2 * inside
    assert exact * (1 - 1e-9) <= absolute_moment(law, 1.0, shift) <= exact * 1.02


@pytest.mark.parametrize(("law", "p"), [(stats.t(1.5), 1.5), (stats.t(1.5), 1.7), (stats.cauchy(), 1.0)])
def test_infinite_moments_are_infinite(law, p):
    assert absolute_moment(law, p) == math.inf
    assert as_noise(law).moment(p) == math.inf


def test_the_tail_beyond_the_largest_floats_counts():
    """A scale of 2^680 and p = 1.489 of at most 1.5: 9 % of the moment are beyond t = 2^999."""
    p, scale = 1.489, 2.0**680
    exact = scale**p * 1.5 / (1.5 - p)
    assert exact <= absolute_moment(stats.pareto(1.5, scale=scale), p) <= 1.2 * exact


def test_a_tail_that_cannot_be_told_gives_no_number():
    """SciPy's survival function of Fisk's law is lost to cancellation at 1e-16, far too early."""

    class Rough:
        def cdf(self, x):
            return stats.pareto(1.5).cdf(x)

        def sf(self, x):
            return 1 - stats.pareto(1.5).cdf(x)

    assert absolute_moment(Rough(), 1.0) == math.inf


def test_examples():
    assert doctest.testmod(tail_quadrature).failed == 0
    assert doctest.testmod(own_noise).failed == 0


@pytest.mark.parametrize("noise", [stats.t(1.5), stats.t(df=1.5, loc=0.0, scale=1.0), stats.t(1.5, 0.0)])
def test_students_law_is_certified_by_its_closed_form(noise):
    certificate = ct.certify(QuadraticSGD(0.1, noise), 0.0, moment=1)
    assert certificate.certified
    assert pytest.approx(0.1 * student(1.5, 1.0), rel=1e-8) == certificate.D
    with pytest.raises(ct.NotCertified, match="infinite, or no bound of it is known"):
        ct.certify(QuadraticSGD(0.1, noise), 0.0, moment=1.5)


def test_scale_and_place_of_students_law():
    noise = as_noise(stats.t(1.5, 2.0, 3.0))
    assert noise.moment(1.0, 2.0) == pytest.approx(3 * student(1.5, 1.0), rel=1e-8)
    assert as_noise(stats.cauchy(1.0, 4.0)).moment(0.5, 1.0) == pytest.approx(2 * student(1.0, 0.5), rel=1e-8)


@pytest.mark.parametrize(
    "family",
    [
        QuadraticSGD(0.1, stats.pareto(1.5)),
        LinearizedSGD(np.zeros(1), np.eye(1), 0.1, stats.pareto(1.5)),
    ],
)
def test_an_extrapolated_tail_makes_an_estimate(family):
    """The number is an upper bound if the tail goes on as it is seen; this is said, and no sampler relies on it."""
    bound = ct.certify(family, np.zeros(1), moment=1)
    assert not bound.certified
    assert bound.constants["D"].origin == "measured"
    assert 0.3 <= bound.D <= 0.3 * 1.02
    with pytest.raises(ValueError, match="not an estimate"):
        ct.sample_stationary(family, 0.1, p=1, theta0=np.zeros(1))


@pytest.mark.control
def test_a_lower_sum_is_seen():
    """With the right end of each step in place of the left the result is below the exact value."""
    law, p = stats.pareto(1.5), 1.0
    assert absolute_moment(law, p) * 2 ** (-p / 64) < 3.0
