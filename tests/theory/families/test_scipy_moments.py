"""Moments of SciPy are compared with its distribution functions; wrong ones count as infinite or as not existing.

The tails: P(X > t) ~ t^-c for invweibull(c); gengamma(a, c) with c < 0 has P(X > t) ~ t^(a c), so that a = 3.93 and
c = -1/2.47 give the exponent 1.59, a finite mean and an infinite variance.
"""

from __future__ import annotations

import math
from typing import ClassVar

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


class _Counted(type(stats.gumbel_r)):
    """Gumbel's law, whose moments SciPy integrates; it notes the orders that it is asked for."""

    asked: ClassVar[list[int]] = []

    def moment(self, order, *args, **options):
        self.asked.append(order)
        return super().moment(order, *args, **options)


def test_moments_of_lower_order_are_not_integrated_where_the_highest_is_wrong():
    """E X^20 of Gumbel's law is about 20! = 2.4e18, and SciPy's integral is far below: no bound is built on it."""
    law = _Counted(name="counted")
    noise = ScipyNoise(law())
    law.asked.clear()
    assert noise.moment(20, 1.0) == math.inf
    assert set(law.asked) == {20}
    law.asked.clear()
    assert noise.moment(4, 1.0) < math.inf  # a sum over the moments up to 4, which are right
    assert {1, 2, 3, 4} <= set(law.asked)


@pytest.mark.parametrize("p", [3, 52, 64, 65, 200.5])
@pytest.mark.parametrize("about", [-1e6, 1e6, -1e30])
def test_norms_about_far_points_do_not_overflow(p, about):
    """‖X - a‖_p is between |a - E X| (Jensen) and |a - E X| + ‖X - E X‖_p (the triangle inequality)."""
    noise, far = ScipyNoise(stats.norm(1, 2)), abs(about - 1)
    spread = 2 * math.exp((p / 2 * math.log(2) + math.lgamma((p + 1) / 2) - math.lgamma(0.5)) / p)  # exact for normal X
    more = 2 * math.exp(((p + 2) / 2 * math.log(2) + math.lgamma((p + 3) / 2) - math.lgamma(0.5)) / (p + 2))
    assert far <= noise.absolute_norm(p, about) <= (far + more) * (1 + 1e-7)
    assert spread <= noise.absolute_norm(p, 1.0)
    assert 0.1 * far <= ct.certify(QuadraticSGD(0.1, noise), [about], moment=p).D


def test_norms_of_laws_without_a_moment_stay_infinite():
    for law in (stats.t(5), stats.invweibull(2.5)):
        noise = ScipyNoise(law)
        assert noise.absolute_norm(2) < math.inf
        assert noise.absolute_norm(6) == noise.absolute_norm(6, 1e9) == math.inf
