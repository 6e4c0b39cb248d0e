"""Norms (E |ε|^p)^(1/p) for p whose moments are beyond the largest float, against factorials in exact arithmetic."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import ClassVar

import numpy as np
import pytest
from scipy import stats

import contraction as ct
from contraction.families import Gaussian, GaussianVector, Laplace, Noise, QuadraticSGD, ScipyNoise
from contraction.maps.rounding import log_gamma_up, power_mean, root_of_log_up

#: Law, p, and E |ε|^p, an integer: (p - 1)!! for a normal law and p! for Laplace's.
HIGH = [(Gaussian(), p, math.prod(range(1, p, 2))) for p in (344, 346, 400, 1100, 3000)]
HIGH += [(Laplace(), p, math.factorial(p)) for p in (171, 172, 400, 1101)]


@pytest.mark.parametrize(("noise", "p", "moment"), HIGH, ids=[f"{type(n).__name__}-{p}" for n, p, _ in HIGH])
def test_a_norm_is_a_bound_and_a_tight_one(noise: Noise, p: int, moment: int) -> None:
    """Stirling's formula exceeds ln Γ(x) by less than x^-3 / 360 < 10^-9, so ln of the norm by less than 10^-9 / p.

    Rounding adds at most 4 · 2^-52 (1 + |ln Γ|) / p + |ln Γ| 2^-52 / p + 12 · 2^-52, and |ln Γ| < p ln p < 10 p.
    """
    norm = Fraction(noise.absolute_norm(p))
    assert norm**p >= moment
    room = 1e-9 / p + 2.0**-52 * (4 + 40 + 10 + 12)
    assert (norm * (1 - Fraction(room))) ** p < moment


@pytest.mark.control
@pytest.mark.parametrize(("noise", "p", "moment"), HIGH[:3], ids=["344", "346", "400"])
def test_the_moments_themselves_overflow(noise: Noise, p: int, moment: int) -> None:
    assert moment > 2**1023
    assert noise.moment(p) == math.inf


@pytest.mark.parametrize("law", [Gaussian, Laplace])
@pytest.mark.parametrize("size", [2.0**-600, 2.0**600])
def test_the_norm_about_another_point_is_the_triangle_inequality_at_every_scale(law: type, size: float) -> None:
    own = law(size).absolute_norm(500)
    assert own == pytest.approx(size * law(1.0).absolute_norm(500), rel=1e-14, abs=0)
    about = law(size, center=3 * size).absolute_norm(500, about=size)
    assert max(own, 2 * size) < about <= (own + 2 * size) * (1 + 2.0**-50)


def test_norms_grow_without_a_jump_where_the_closed_form_ends() -> None:
    """The norms of a law increase with p, and here by less than a hundredth a step."""
    for noise, end in ((Gaussian(), 341.3), (Laplace(), 169.6)):
        norms = [noise.absolute_norm(end + step) for step in np.arange(-3.0, 3.0, 0.25)]
        assert all(a < b < 1.01 * a for a, b in itertools.pairwise(norms))


def test_a_certificate_of_a_high_moment_is_finite() -> None:
    vector = GaussianVector([[1.0, 0.0], [0.0, 4.0]])
    for noise, d in ((Gaussian(), 1), (Laplace(), 1), (vector, 2)):
        certificate = ct.certify(QuadraticSGD(0.5, noise, dim=d), np.zeros(d), moment=500)
        assert 0.5 * noise.norm_moment(np.zeros(d), 2) < certificate.D < math.inf


@pytest.mark.parametrize("n", [1, 2, 3, 10, 100, 170, 400])
def test_the_logarithm_of_a_factorial_is_bounded(n: int) -> None:
    """ln (n - 1)! is between the logarithms of neighbouring floats; the sum of logarithms has n errors of its own."""
    exact = math.fsum(math.log(k) for k in range(1, n))
    rounding = 2.0**-52 * (exact + 8)
    assert exact - rounding <= log_gamma_up(n) <= exact + 1 / (360 * n**3) + 8 * rounding


@pytest.mark.parametrize("p", [1.0, 3.0, 700.0])
@pytest.mark.parametrize("log", [0.0, 5.0, 700.0, 1e5, -3.0])
def test_the_root_of_a_logarithm_is_above_it_for_every_error_that_is_allowed(log: float, p: float) -> None:
    allowed = 4 * 2.0**-52 * (1 + abs(log))
    found = root_of_log_up(log, p)
    assert found == math.inf if log / p > 710 else math.log(found) * p >= log + allowed - p * 2.0**-51


# --- laws of SciPy --------------------------------------------------------------------------------------------------


class Counted(stats.rv_continuous):
    """The law with density 3 x² on [0, 1], E X^k = 3 / (k + 3), which notes what it is asked for."""

    asked: ClassVar[list[int]] = []

    def _pdf(self, x):
        return 3 * x**2

    def _cdf(self, x):
        return x**3

    def _munp(self, n):
        self.asked.append(int(n))
        return 3 / (n + 3)


@pytest.fixture
def law() -> Counted:
    return Counted(a=0.0, b=1.0, name="counted")


@pytest.mark.parametrize(("loc", "about", "p"), [(0.0, 0.0, 60), (5.0, 5.0, 60), (5.0, 5.0, 1000), (5.0, 4.0, 1100)])
def test_one_moment_is_asked_for_where_one_is_needed(law: Counted, loc: float, about: float, p: int) -> None:
    """With Y of the law X is 5 + Y/2, and E (X - 4)^p = E (1 + Y/2)^p is summed with fractions."""
    noise = ScipyNoise(law(loc=loc, scale=0.5))
    Counted.asked.clear()
    found = Fraction(noise.moment(p, about))
    assert Counted.asked == [p]
    if about == loc:
        exact = Fraction(3, (p + 3) * 2**p)
        assert exact <= found <= exact * (1 + Fraction(1, 2**29))
    else:
        exact = sum(math.comb(p, k) * Fraction(3, (k + 3) * 2**k) for k in range(p + 1))
        triangle = 1 + power_mean([1.0], p, [3 / (p + 3)]) / 2
        assert exact <= found <= Fraction(float(triangle)) ** p * (1 + Fraction(1, 2**29))


def test_moments_about_other_points_are_those_of_the_binomial_formula(law: Counted) -> None:
    """E (X - 1/2)^4 is summed with fractions; the law in the test is twice as large and moved by -2."""
    exact = sum(math.comb(4, k) * Fraction(3, k + 3) * Fraction(-1, 2) ** (4 - k) for k in range(5))
    found = ScipyNoise(law(loc=-2.0, scale=2.0)).moment(4, -1.0)
    assert 16 * exact <= Fraction(found) <= 16 * exact * (1 + Fraction(1, 10**6))


def test_a_law_that_is_moved_has_a_high_moment() -> None:
    """SciPy itself fails there: it multiplies a float by a binomial coefficient that is larger than all floats."""
    assert ScipyNoise(stats.norm(1, 2)).moment(1100) == math.inf
    assert ScipyNoise(stats.uniform(-1, 2)).absolute_norm(1100, 1.0) == 2.0
