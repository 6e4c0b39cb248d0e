"""Noise laws: closed-form moments against quadrature, supports, draws, and what is refused."""

from __future__ import annotations

import functools
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from contraction import families as fam
from contraction import strategies

# scipy's frozen laws are the independent oracle
ORACLES = [
    (fam.Gaussian(1.3, center=0.4), stats.norm(0.4, 1.3)),
    (fam.Uniform(-0.5, 2.0), stats.uniform(-0.5, 2.5)),
    (fam.Laplace(0.7, center=-0.2), stats.laplace(-0.2, 0.7)),
    (fam.Student(7.5, 1.5, center=0.3), stats.t(7.5, 0.3, 1.5)),
]
IDS = [type(n).__name__ for n, _ in ORACLES]


@functools.cache
def _moment(law, p, about):
    low, high = law.support()
    wide = (law.mean() - 8 * law.std(), about, law.mean(), law.mean() + 8 * law.std())
    pieces = [low, *sorted({x for x in wide if low < x < high}), high]
    return sum(
        integrate.quad(lambda x: abs(x - about) ** p * law.pdf(x), a, b, epsabs=1e-12, limit=200)[0]
        for a, b in itertools.pairwise(pieces)
    )


@pytest.mark.parametrize(("noise", "law"), ORACLES, ids=IDS)
@pytest.mark.parametrize("p", [0.5, 1.0, 2.0, 3.0])
def test_central_moments(noise, law, p):
    assert noise.mean == pytest.approx(law.mean())
    assert noise.variance == pytest.approx(law.var())
    assert noise.moment(p, about=law.mean()) == pytest.approx(_moment(law, p, law.mean()), rel=1e-7)


@pytest.mark.parametrize(("noise", "law"), ORACLES, ids=IDS)
@pytest.mark.parametrize("p", [0.5, 2.0, 3.0])
@pytest.mark.parametrize("about", [-3.0, 1.7])
def test_moments_elsewhere(noise, law, p, about):
    value, oracle = noise.moment(p, about=about), _moment(law, p, about)
    if p == 2 or isinstance(noise, fam.Gaussian | fam.Uniform):
        assert value == pytest.approx(oracle, rel=1e-7)
    else:  # a bound by the triangle inequality, within the factor that it can lose
        assert oracle * (1 - 1e-7) <= value <= 2 ** max(p, 1) * oracle


@pytest.mark.control
def test_a_wrong_moment_would_be_seen():
    noise, law = ORACLES[0]
    assert fam.Gaussian(1.3, center=0.5).moment(3.0) != pytest.approx(_moment(law, 3.0, 0.0), rel=1e-3)
    assert noise.moment(3.0) != pytest.approx(_moment(law, 2.9, 0.0), rel=1e-3)


def test_uniform_moment_off_the_interval_keeps_its_digits():
    # E |x - c|^p for c far from [0, 1]: differences of powers would lose every digit
    noise, far = fam.Uniform(0, 1), 1e8
    assert noise.moment(2.0, about=far) == pytest.approx(far**2 - far + 1 / 3, rel=1e-14)


@given(
    st.fractions(-3, 3, max_denominator=9),
    st.fractions(0, 3, max_denominator=9),
    st.fractions(0, 1, max_denominator=9),
    st.sampled_from([0.5, 1.0, 2.0, 4.0]),
    st.floats(-4, 4),
)
@settings(max_examples=settings().max_examples // 2)
def test_two_points(low, gap, weight, p, c):
    noise = fam.TwoPoint(low, low + gap, weight)
    assert sum(w for _, w in noise.atoms) == 1
    direct = sum(float(w) * abs(float(v) - c) ** p for v, w in noise.atoms)
    assert noise.moment(p, about=c) == pytest.approx(direct, rel=1e-14, abs=0)
    assert noise.variance == pytest.approx(float(gap**2 * weight * (1 - weight)))
    draws = noise.sample(np.random.default_rng(0), (200,))
    assert set(draws) <= {float(v) for v, w in noise.atoms if w > 0}
    assert noise.bound == max(abs(float(v)) for v, w in noise.atoms if w > 0)


@given(strategies.noises(), st.integers(0, 2**31))
@settings(max_examples=settings().max_examples // 2)
def test_draws_lie_in_the_interval(noise, seed):
    low, high = noise.interval
    draws = noise.sample(np.random.default_rng(seed), (500,))
    assert draws.shape == (500,)
    assert draws.dtype == np.float64
    assert np.all((draws >= low) & (draws <= high))


@pytest.mark.parametrize(("noise", "law"), ORACLES, ids=IDS)
def test_draws_have_the_law(noise, law):
    """DKW: sup |F_n - F| > 0.0278 has probability below 2 exp(-2 n 0.0278^2) = 4e-14 at n = 20,000."""
    draws = np.sort(noise.sample(np.random.default_rng(1), (20_000,)))
    grid = np.arange(1, draws.size + 1) / draws.size
    assert np.max(np.abs(law.cdf(draws) - grid)) < 0.0278
    shifted = law.cdf(draws + 0.2 * law.std())  # the control: a shift of a fifth of a standard deviation is seen
    assert np.max(np.abs(shifted - grid)) > 0.0278 + 1e-3


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0, 3.0, 4.0])
def test_norm_moment_bounds_the_corners(p):
    """E |eps - c|^p over the eight corners of a cube, exactly."""
    noise, c = fam.TwoPoint(-1, 2, Fraction(1, 3)), np.array([0.5, -1.0, 3.0])
    corners = np.array(np.meshgrid(*[[-1, 2]] * 3)).reshape(3, -1).T
    weights = np.prod(np.where(corners == 2, 1 / 3, 2 / 3), axis=1)
    exact = float(weights @ np.linalg.norm(corners - c, axis=1) ** p) ** (1 / p)
    value = noise.norm_moment(c, p)
    assert value >= exact * (1 - 1e-14)
    if p == 2:
        assert value == pytest.approx(exact, rel=1e-14)
    assert value <= 1.3 * exact
    assert noise.reach(c) == pytest.approx(np.max(np.linalg.norm(corners - c, axis=1)), rel=1e-15)


def test_gaussian_vector():
    cov = np.array([[2.0, 0.6], [0.6, 1.0]])
    noise = fam.GaussianVector(cov)
    c = np.array([1.0, -2.0])
    assert noise.norm_moment(c, 2.0) == pytest.approx(math.sqrt(3.0 + 5.0))
    # E |eps - c|^4 = (E |eps - c|^2)^2 + 2 tr cov^2 + 4 c' cov c, a closed form that the bound does not use
    fourth = 8.0**2 + 2 * np.trace(cov @ cov) + 4 * c @ cov @ c
    assert fourth**0.25 <= noise.norm_moment(c, 4.0) <= 1.3 * fourth**0.25
    draws = noise.sample(np.random.default_rng(0), (40_000, 2))
    # entries of the sample covariance have standard deviation at most sqrt(2) * 2 / 200 = .0142: ten of them
    assert np.max(np.abs(np.cov(draws.T) - cov)) < 0.142
    singular = fam.GaussianVector([[1.0, 1.0], [1.0, 1.0]])
    along = singular.sample(np.random.default_rng(0), (50, 2))
    assert np.allclose(along[:, 0], along[:, 1], rtol=0, atol=1e-14)


def test_heavy_tails():
    assert math.isinf(fam.Cauchy().moment(1.0))
    assert fam.Cauchy().moment(0.5) == pytest.approx(1 / math.cos(math.pi / 4))
    assert math.isinf(fam.Student(2.0).variance)
    assert math.isinf(fam.Student(3.0).moment(3.0))
    assert math.isfinite(fam.Student(3.0).moment(2.9))
    with pytest.raises(ValueError, match="no mean"):
        _ = fam.Student(1.0).mean
    with pytest.raises(ValueError, match="no mean"):
        _ = fam.Cauchy().mean


def test_no_log_moment():
    noise = fam.LogHeavy()
    assert not noise.log_moment
    assert fam.Cauchy().log_moment
    logs = noise.log_sample(np.random.default_rng(3), (5000,))
    draws = noise.sample(np.random.default_rng(3), (5000,))
    assert np.all(logs >= 1)
    assert np.all(np.isinf(draws) == (logs > math.log(np.finfo(float).max)))  # inf, never a capped number
    assert np.any(np.isinf(draws))
    finite = np.isfinite(draws)
    assert np.array_equal(draws[finite], np.exp(logs[finite]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fam.Gaussian(sd=-1.0), r"sd must be a finite number >= 0, got -1.0"),
        (lambda: fam.Gaussian(center=math.nan), r"center must be a finite number, got nan"),
        (lambda: fam.Uniform(1.0, -1.0), r"low must be at most high, got 1.0 > -1.0"),
        (lambda: fam.Uniform(-math.inf, 1.0), r"low must be a finite number"),
        (lambda: fam.TwoPoint(0, 1, 1.5), r"must be in \[0, 1\], got 1.5"),
        (lambda: fam.TwoPoint(2, 1), r"low must be at most high"),
        (lambda: fam.Laplace(scale=0.0), r"scale must be a finite number > 0, got 0.0"),
        (lambda: fam.Student(df=-2.0), r"df must be a finite number > 0, got -2.0"),
        (lambda: fam.Cauchy(scale=math.inf), r"scale must be a finite number > 0, got inf"),
        (lambda: fam.GaussianVector([[1.0, 2.0], [0.0, 1.0]]), r"cov must be symmetric, got 2.0 at \(0, 1\)"),
        (lambda: fam.GaussianVector([[1.0, 2.0], [2.0, 1.0]]), r"positive semidefinite, its smallest eigenvalue is -1"),
        (lambda: fam.GaussianVector([[1.0, 2.0]]), r"cov must be a square matrix, got shape \(1, 2\)"),
        (lambda: fam.GaussianVector([[math.nan]]), r"cov must have finite entries, got .*nan.* at \(0, 0\)"),
        (
            lambda: fam.GaussianVector(np.eye(2)).sample(np.random.default_rng(0), (3,)),
            r"2 coordinates, but 3 were requested",
        ),
        (lambda: fam.Noise().sample(np.random.default_rng(0), (3,)), r"is not a noise law"),
    ],
)
def test_refused(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()
