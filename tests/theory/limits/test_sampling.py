"""Certified draws from the stationary law, and unbiased stationary expectations."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

import contraction as ct
from contraction.certificates.certify import estimate
from contraction.families import (
    BernoulliConvolution,
    Cyclic,
    ExpandingOnAverage,
    FiniteFamily,
    Gaussian,
    QuadraticSGD,
    TwoPoint,
    Uniform,
)
from contraction.limits.stationary import sample_stationary, square_rate, unbiased_expectation


def test_maps_are_exactly_what_the_certificate_asks():
    """Bernoulli h = 1/2: W_infinity(law theta_n, uniform) = 2^-n from 0 and 2^-(n+1) from 1/2, both attained."""
    family = BernoulliConvolution(Fraction(1, 2))
    zero = sample_stationary(family, 2.0**-10, theta0=np.array([Fraction(0)], dtype=object))
    half = sample_stationary(family, 2.0**-10, theta0=np.array([Fraction(1, 2)], dtype=object))
    assert zero.maps in (10, 11)  # k and D are rounded up
    assert half.maps == zero.maps - 1
    assert zero.p == math.inf


@pytest.mark.parametrize("size", [None, 3])
def test_floats_are_not_asked_for_more_than_they_can_hold(size):
    """The rounding of one map is at most 2 gamma(64 + 16) times the size of a draw, here at most 1: 1.8e-14."""
    family = BernoulliConvolution(Fraction(1, 2))
    with pytest.raises(
        ValueError, match=r"eps = 1e-15 is below the precision of float64 here: the rounding of one map"
    ):
        sample_stationary(family, 1e-15, size=size, theta0=0.0)
    assert sample_stationary(family, 2e-14, size=size, theta0=0.0).error <= 2e-14
    if size is None:
        exact = sample_stationary(family, 1e-30, theta0=np.array([Fraction(0)], dtype=object))
        assert isinstance(exact.value[0], Fraction)
        assert exact.error <= 1e-30


def test_an_exact_start_makes_no_exact_draws_of_maps_of_floats():
    start = np.array([Fraction(0)], dtype=object)
    with pytest.raises(ValueError, match=r"below the precision of float64 here: .*in the maps and as start"):
        sample_stationary(BernoulliConvolution(0.3), 1e-25, theta0=start)
    assert sample_stationary(BernoulliConvolution(Fraction(3, 10)), 1e-25, theta0=start).error <= 1e-25


def test_the_largest_draw_decides_on_precision():
    """Of three draws near 0, 1000 and 0 the second one has the rounding: 1.8e-11."""
    family = FiniteFamily([(0.5, 0.0), (0.5, 500.0)], [0.5, 0.5])
    near = max(sample_stationary(family, 1e-9, size=50, theta0=0.0).value[:, 0])
    assert near > 900
    with pytest.raises(ValueError, match="below the precision"):
        sample_stationary(family, 1e-11, size=50, theta0=0.0)


def test_law_of_the_sample():
    """20,000 draws at eps = 1e-6 against uniform[0, 1]: Kolmogorov–Smirnov at level 1e-6 (atoms are 1e-6 wide)."""
    n = 20_000
    drawn = sample_stationary(BernoulliConvolution(Fraction(1, 2)), 1e-6, seed=1, size=n, theta0=0.0)
    assert drawn.value.shape == (n, 1)
    statistic = stats.kstest(drawn.value[:, 0], "uniform").statistic
    critical = math.sqrt(math.log(2 / 1e-6) / (2 * n))  # Dvoretzky–Kiefer–Wolfowitz–Massart
    assert statistic <= critical + 1e-6
    early = sample_stationary(BernoulliConvolution(Fraction(1, 2)), 0.2, seed=1, size=n, theta0=0.0)
    assert stats.kstest(early.value[:, 0], "uniform").statistic > critical  # a control: too few maps are noticed


def test_unbounded_noise_has_no_w_infinity():
    with pytest.raises(ct.NotCertified, match="W_∞ has no bound") as caught:
        sample_stationary(QuadraticSGD(0.1, Gaussian()), 1e-3)
    assert "p=2" in caught.value.alternatives[0]
    drawn = sample_stationary(QuadraticSGD(0.1, Gaussian()), 1e-3, p=2, size=5)
    assert drawn.certificate.p == 2
    # exact W_2 from a mean-zero start is s (1 - sqrt(1 - k^2n)), below the bound
    s, k = math.sqrt(0.1 / 1.9), 0.9
    assert s * (1 - math.sqrt(1 - k ** (2 * drawn.maps))) <= drawn.error <= 1e-3


def test_second_moment_of_the_audit():
    """E theta*^2 = h / (2-h) = .0526 for h = .1, noise +-1: within 5 standard errors (5.7e-7 false alarms)."""
    family = QuadraticSGD(0.1, TwoPoint(-1, 1))
    found = unbiased_expectation(family, lambda x: x[..., 0] ** 2, 0.0, copies=4000, seed=0)
    assert abs(found.estimate - 0.1 / 1.9) <= 5 * found.standard_error
    assert found.interval[0] < found.estimate < found.interval[1]
    assert found.standard_error < 0.0015
    # the plain choice (every n, tail just above k^2) costs several times as much for the same precision
    plain = unbiased_expectation(
        family, lambda x: x[..., 0] ** 2, 0.0, copies=4000, seed=0, burn_in=0, stride=1, tail=0.9
    )
    assert abs(plain.estimate - 0.1 / 1.9) <= 5 * plain.standard_error
    assert found.work_variance < plain.work_variance / 4


def test_no_bias_at_all_by_enumeration():
    """E of the estimator over every word and horizon, exactly: for h = 1/2, noise 0/1, f = x, m = 1, s = 1, tail = 1/2.

    The jump f(theta_j+1) - f(theta_j) has mean 2^-(j+2); divided by P(horizon >= j) and weighted by it the sum of the
    means telescopes to 1/2 = E theta*, while the burnt-in value alone has mean 1/4.
    """
    tail = Fraction(1, 2)
    means = [Fraction(1, 4)] + [Fraction(1, 2 ** (j + 2)) for j in range(1, 60)]
    at_horizon = [sum(means[i] / (tail**i if i else 1) for i in range(j + 1)) for j in range(60)]
    total = sum((tail**j * (1 - tail)) * at_horizon[j] for j in range(60))
    assert abs(total - Fraction(1, 2)) < Fraction(1, 10**9)
    family = BernoulliConvolution(Fraction(1, 2))
    found = unbiased_expectation(family, lambda x: x[..., 0], 0.0, copies=20_000, seed=2, burn_in=1, stride=1, tail=0.5)
    assert abs(found.estimate - 0.5) <= 5 * found.standard_error
    assert abs(found.estimate - 0.25) > 5 * found.standard_error  # the biased value is excluded


@pytest.mark.control
def test_forgetting_the_weights_is_biased(monkeypatch):
    from contraction.limits import stationary as sampling

    def unweighted(operators, f, theta, levels, tail):
        return sampling_copies(operators, f, theta, levels, 1.0)

    sampling_copies = sampling._copies
    monkeypatch.setattr(sampling, "_copies", unweighted)
    family = BernoulliConvolution(Fraction(1, 2))
    found = unbiased_expectation(family, lambda x: x[..., 0], 0.0, copies=20_000, seed=2, burn_in=1, stride=1, tail=0.5)
    assert abs(found.estimate - 0.5) > 5 * found.standard_error


def test_cost_is_counted():
    family = QuadraticSGD(0.5, Uniform(-1, 1))
    found = unbiased_expectation(family, lambda x: x[..., 0], 0.0, copies=50, burn_in=4, stride=2, tail=0.5)
    rng = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(0x61,)))
    horizons = rng.geometric(0.5, size=50) - 1
    assert found.maps == sum(sum(4 + 2 * j for j in range(h + 1)) for h in horizons)


def test_variance_must_be_finite():
    assert square_rate(ExpandingOnAverage()) == pytest.approx((4 + 1 / 16) / 2)
    with pytest.raises(ct.NotCertified, match="variance may be infinite"):
        unbiased_expectation(ExpandingOnAverage(), lambda x: x[..., 0], 0.0)
    # bounded f: E |f - f'|^2 <= c E d^(1/3), so rate = rho_(1/3) = .945 is one
    rho = 2 ** (1 / 3) * 0.75
    found = unbiased_expectation(ExpandingOnAverage(), lambda x: np.tanh(x[..., 0]), 0.0, rate=rho, copies=200)
    assert 0.5 < found.estimate < 1
    family = QuadraticSGD(0.1, Uniform(-1, 1))
    with pytest.raises(ValueError, match=r"rate\^stride < tail < 1"):
        unbiased_expectation(family, lambda x: x[..., 0], 0.0, stride=1, tail=0.8)  # .81 > .8
    contracting = FiniteFamily([(1.2, 1.0), (0.1, 0.0)])
    assert square_rate(contracting) == pytest.approx((1.44 + 0.01) / 2)


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (lambda f: sample_stationary(f, 0.0), "eps must be a finite number > 0"),
        (lambda f: sample_stationary(f, 0.1, p=0.5), "W_p must be a number >= 1, got 0.5"),
        (lambda f: sample_stationary(f, 0.1, size=0), "size must be an integer of at least 1"),
        (lambda f: sample_stationary(f.sample(3), 0.1), "takes a random operator"),
        (lambda f: sample_stationary(FiniteFamily([(0.5, 0), (0.5, 1)], law=Cyclic(2)), 0.1), "independent maps"),
        (lambda f: sample_stationary(f, 0.1, certificate=estimate(f, 0.0)), "not an estimate"),
        (lambda f: unbiased_expectation(f, lambda x: x, 0.0), "f must map points"),
        (lambda f: unbiased_expectation(f, lambda x: x[..., 0], 0.0, copies=1), "copies must be an integer of"),
        (lambda f: unbiased_expectation(f, lambda x: x[..., 0], 0.0, confidence=0), "confidence must be between"),
        (
            lambda f: unbiased_expectation(f, lambda x: x[..., 0], 0.0, stride=0),
            "stride must be an integer of",
        ),
        (lambda f: unbiased_expectation(f, lambda x: x[..., 0], 0.0, rate=-0.1), r"rate must be in \[0, 1\)"),
    ],
)
def test_bad_input(call, rule):
    with pytest.raises((ValueError, TypeError), match=rule):
        call(QuadraticSGD(0.5, Uniform(-1, 1)))
