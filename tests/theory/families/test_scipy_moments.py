"""Moments of SciPy are compared with its distribution functions; wrong ones count as infinite or as not existing.

The tails: P(X > t) ~ t^-c for invweibull(c); gengamma(a, c) with c < 0 has P(X > t) ~ t^(a c), so that a = 3.93 and
c = -1/2.47 give the exponent 1.59, a finite mean and an infinite variance.
"""

from __future__ import annotations

import math

import pytest
from scipy import special, stats

import contraction as ct
from contraction.families import QuadraticSGD, ScipyNoise

GAMMA = stats.gengamma(3.93, -1 / 2.47)


@pytest.mark.parametrize("c", [0.8, 0.67])
def test_an_infinite_mean_is_not_taken_for_a_finite_one(c):
    noise = ScipyNoise(stats.invweibull(c))
    with pytest.raises(ValueError, match="has no mean"):
        noise.mean  # noqa: B018
    assert (noise.variance, noise.moment(1), noise.moment(2), noise.moment(3)) == (math.inf,) * 4
    with pytest.raises(ct.NotCertified, match="infinite"):
        ct.certify(QuadraticSGD(0.1, noise), [0.0], moment=1)
    half = special.gamma(1 - 0.5 / c)  # E X^(1/2)
    assert half <= noise.moment(0.5) <= 1.03 * half
    assert noise.moment_origin(0.5) == "measured"


def test_an_infinite_variance_is_not_taken_for_a_finite_one():
    noise = ScipyNoise(GAMMA)
    assert (noise.variance, noise.moment(2), noise.moment(4)) == (math.inf,) * 3
    with pytest.raises(ct.NotCertified, match="infinite"):
        ct.certify(QuadraticSGD(0.1, noise), [0.0], moment=2)
    mean = special.gamma(3.93 - 2.47) / special.gamma(3.93)
    assert mean <= noise.moment(1) <= 1.03 * mean


@pytest.mark.parametrize(
    "law",
    [stats.norm(1, 2), stats.t(3), stats.invweibull(2.5), stats.expon(), stats.uniform(-1, 2), stats.poisson(3)],
    ids=lambda law: law.dist.name,
)
def test_right_moments_are_kept(law):
    noise = ScipyNoise(law)
    assert (noise.mean, noise.variance) == tuple(float(x) for x in law.stats("mv"))
    assert noise.moment(2) == pytest.approx(noise.variance + noise.mean**2, rel=1e-8)
    assert noise.moment_origin(2) == "proved"
