"""certify: an upper bound for every family, the name of the hypothesis that fails, and where each number comes from."""

from __future__ import annotations

import dataclasses
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import contraction as ct
from contraction import strategies
from contraction.certificates.certify import certify, estimate
from contraction.certificates.error_bound import Certificate, Estimate
from contraction.families import FiniteFamily, Gaussian, LinearizedSGD, QuadraticSGD, TwoPoint, Uniform
from contraction.maps.rounding import iterate_rounding


def slack(rows, k, d, n):
    """Rounding of two iterates of n maps, each of at most 4 d + 64 operations on numbers of the size of the rows."""
    size = float(np.max(np.abs(rows), initial=1.0)) * d**0.5
    return 2 * iterate_rounding(min(k, 1.0), n, 8 * size, 4 * d + 64)


@given(family=strategies.families(max_dim=10), data=st.data(), n=st.integers(1, 60), seed=st.integers(0, 2**31))
def test_upper_bound_over_families(family, data, n, seed):
    """d(theta_N, theta_n) <= D k^n / (1-k) and <= the sharper bound of the drawn maps; far starts too."""
    d = family.dim or data.draw(st.just(1))
    theta0 = data.draw(strategies.starts(d))
    start = data.draw(strategies.starts(d))
    operators = family.sample(n, seed)
    try:
        rows = ct.backward_iterates(operators, theta0)
    except ValueError:  # a family without a fixed dimension that draws its noise in another one
        d = len(np.atleast_1d(operators[0](np.zeros(1))))
        theta0, start = np.zeros(d), np.ones(d)
        rows = ct.backward_iterates(operators, theta0)
    other = ct.backward_iterates(operators, start)
    near, far, drawn = certify(family, theta0), certify(family, theta0, start=start), certify(operators, theta0)
    assert near.certified
    assert near.origin in ("proved", "declared")
    gap = family.space.distance(rows, rows[-1])
    room = slack(np.concatenate([rows, other]), near.k, d, n)
    at = np.arange(n + 1)
    assert np.all(gap <= near.bound(at) + room)
    assert np.all(gap <= drawn.bound(at) + room)
    assert np.all(family.space.distance(other, rows[-1]) <= far.bound(at) + room)
    started = certify(operators, theta0, start=start)
    assert np.all(family.space.distance(other, rows[-1]) <= started.bound(at) + room)


@given(k=strategies.contraction_factors(), n=st.integers(0, 2000))
def test_drawn_maps_with_replicas_and_no_maps(k, n):
    family = QuadraticSGD(1 - k, Uniform(-1, 1))
    certificate = certify(family.sample(min(n, 20), 0, replicas=3), 0.0)
    assert certificate.bound([0]).shape == (3, 1)
    assert np.all(certificate.bound(min(n, 20)) == 0)


def test_proved_constants_are_rounded_up_and_declared_ones_kept():
    family = QuadraticSGD(0.1, Uniform(-1, 1))
    c = certify(family, 0.0)
    assert 0.9 < c.k <= 0.9 + 1e-15
    assert 0.1 < c.D <= 0.1 + 1e-15
    mine = ct.RandomOperator(
        lambda rng: rng.uniform(-1, 1), lambda x, b: 0.5 * np.sin(x) + b, contraction=0.5, displacement=1.0
    )
    declared = certify(mine, 0.0)
    assert (declared.k, declared.D, declared.origin) == (0.5, 1.0, "declared")
    assert certify(QuadraticSGD(1.0, Uniform(-1, 1)), 0.0).bound([0, 1]).tolist()[1] == 0  # k = 0 stays 0


@given(
    lam=st.one_of(st.just(3.0), st.floats(1e-3, 1e3)),
    u=st.one_of(st.just(1.0), st.floats(0.9, 1.1), st.floats(0, 1.99)),
)
def test_the_factor_is_never_below_the_exact_one(lam, u):
    """|1 - h lambda| in rationals of the floats given; near h lambda = 1 it cancels, at fl(1/3) 3 to zero."""
    h = u / lam
    exact = abs(1 - Fraction(h) * Fraction(lam))
    family = LinearizedSGD([0.0], [[lam]], h, Uniform(-1, 1))
    if exact < 1 - Fraction(1, 2**50):
        c = certify(family, 0.0)
        assert Fraction(c.k) >= exact
        assert Fraction(c.bound(3)) >= Fraction(h) / (1 - exact) * exact**3


def test_what_a_theorist_prints():
    text = str(certify(QuadraticSGD(0.1, Uniform(-1, 1)), 0.0, start=5.0))
    assert re.search(r"certificate \(Theorem 2\.2\): d\(θ\*, T_1…T_n θ\) ≤ \(D/\(1−k\) \+ r\) kⁿ", text)
    assert "proved" in text
    assert "|1 - h|" in text
    assert len(text.splitlines()) <= 10
    assert "certificate" not in str(estimate(QuadraticSGD(0.1, Uniform(-1, 1)), 0.0))


def test_steps_is_the_least_number_of_maps():
    c = certify(QuadraticSGD(0.1, Uniform(-1, 1)), 0.0)
    n = c.steps(1e-6)
    assert c.bound(n) <= 1e-6 < c.bound(n - 1)
    assert n == 132  # ln(1e6) / ln(1/.9) = 131.1
    assert c.steps(10.0) == 0
    drawn = certify(QuadraticSGD(0.1, Uniform(-1, 1)).sample(50), 0.0)
    assert drawn.bound(drawn.steps(1e-3)) <= 1e-3
    with pytest.raises(ValueError, match="holds for n <= 50, got n = 51"):
        drawn.bound(51)
    zero_at_the_end = drawn.bound(50)
    assert zero_at_the_end == 0


def test_moments_of_unbounded_noise():
    """L^2: exactly E |theta* - theta_n|^2 = k^2n S with S = h / (2-h) for unit Gaussian noise; the bound exceeds it."""
    h = 0.3
    c = certify(QuadraticSGD(h, Gaussian()), 0.0, moment=2)
    n = np.arange(40)
    truth = (1 - h) ** n * np.sqrt(h / (2 - h))
    assert np.all(truth <= c.bound(n))
    assert c.bound(0) == pytest.approx(h / h, rel=1e-12)  # ‖D‖_2 / (1-k) = h / h
    assert c.p == 2
    small = certify(QuadraticSGD(h, Gaussian()), 0.0, moment=0.5)
    assert small.bound(3) == pytest.approx(small.bound(0) * 0.7**3, rel=1e-12)


def refused(call):
    with pytest.raises(ct.NotCertified) as caught:
        call()
    return caught.value


def test_each_failed_hypothesis_is_named():
    box = Uniform(-1, 1)
    infinite = refused(lambda: certify(QuadraticSGD(0.1, Gaussian()), 0.0))
    assert infinite.hypothesis.startswith("D infinite")
    assert any("moment=2" in a for a in infinite.alternatives)
    too_long = refused(lambda: certify(QuadraticSGD(2.0, box), 0.0))
    assert too_long.hypothesis.startswith("k ≥ 1: with h = 2, k = 1")
    for H, h, words in (
        ([[0, 0], [0, 4]], 0.4, "H is singular: λ_min = 0, so ‖I−hH‖ ≥ 1 for every h"),
        ([[-0.1, 0], [0, 4]], 0.4, "H is indefinite: λ_min = -0.1"),
        ([[-1, 0], [0, -4]], 0.4, "H is negative definite"),
        ([[1, 0], [0, 4]], 0.6, "h = 0.6 is outside (0, 2/λ_max) = (0, 0.5)"),
        ([[1, 0], [0, 4]], -0.1, "h = -0.1 is outside (0, 2/λ_max)"),
    ):
        assert words in refused(lambda H=H, h=h: certify(LinearizedSGD([0, 0], H, h, box), [0.0, 0.0])).hypothesis
    unknown = ct.RandomOperator(lambda rng: rng.uniform(), lambda x, b: 0.5 * x + b)
    assert refused(lambda: certify(unknown, 0.0)).hypothesis.startswith("k unknown")
    half = ct.RandomOperator(lambda rng: rng.uniform(), lambda x, b: 0.5 * x + b, contraction=0.5)
    assert refused(lambda: certify(half, 0.0)).hypothesis.startswith("D unknown")
    assert refused(lambda: certify(unknown.sample(5), 0.0)).hypothesis.startswith("k unknown")
    from contraction.families import Cauchy

    assert (
        "‖d(θ_0, Tθ_0)‖_2 infinite" in refused(lambda: certify(QuadraticSGD(0.1, Cauchy()), 0.0, moment=2)).hypothesis
    )
    loss = ct.families.RidgeLoss([[1.0, 0.0], [0.0, 2.0]], [1.0, 1.0])
    flat = refused(lambda: certify(ct.families.GradientSteps(loss, 0.1), [0.0, 0.0]))
    assert "not strongly convex" in flat.hypothesis


def test_local_contraction_on_an_invariant_ball():
    """x^2/2 + b is 0.8-Lipschitz on [-.8, .8] only; with |b| <= .1 the ball is invariant (.1 <= .2 * .8)."""
    family = ct.RandomOperator(
        lambda rng: rng.uniform(-0.1, 0.1), lambda x, b: x**2 / 2 + b, contraction=0.8, displacement=0.1
    )
    c = certify(family, 0.0, ball=0.8)
    rows = ct.backward_iterates(family.sample(60), 0.0)
    assert np.all(family.space.distance(rows, rows[-1]) <= c.bound(np.arange(61)) + 1e-15)
    with pytest.raises(ct.DeclarationRefuted):
        certify(family, 0.0)  # without the ball the declaration is false
    with pytest.raises(ct.DeclarationRefuted):
        certify(family, 0.0, ball=0.95)  # and on a larger ball it is false as well
    cubic = ct.RandomOperator(lambda rng: 0.0, lambda x, b: x**3 / 3, contraction=0.64, displacement=0.0)
    assert certify(cubic, 0.0, ball=0.8).k == 0.64
    assert "outside the ball" in refused(lambda: certify(family, 0.0, ball=0.8, start=0.9)).hypothesis


def test_region_that_is_not_invariant():
    """Row 32: T = .5 x + .6 on [-1, 1] leaves it (T(1) = 1.1, fixed point 1.2 outside)."""
    family = ct.RandomOperator(lambda rng: 0, lambda x, b: 0.5 * x + 0.6, contraction=0.5, displacement=0.6)
    failed = refused(lambda: certify(family, 0.0, ball=1.0))
    assert "not invariant: the displacement D = 0.6 is larger than (1−k)r = 0.5" in failed.hypothesis
    assert certify(family, 0.0, ball=1.25).certified


def test_false_declarations_are_refused():
    for k, D in ((0.4, 1.0), (0.5, 0.5)):
        family = ct.RandomOperator(
            lambda rng: rng.uniform(-1, 1), lambda x, b: 0.5 * np.sin(x) + b, contraction=k, displacement=D
        )
        with pytest.raises(ct.DeclarationRefuted):
            certify(family, 0.0)


def test_measured_constants_make_an_estimate():
    family = ct.RandomOperator(lambda rng: rng.uniform(-1, 1), lambda x, b: 0.5 * np.sin(x) + b)
    found = estimate(family, 0.0)
    assert isinstance(found, Estimate)
    assert not isinstance(found, Certificate)
    assert not found.certified
    assert found.origin == "measured"
    assert found.k <= 0.5 * (1 + 1e-6)  # a lower bound of the true 1/2
    assert found.D <= 1.0
    with pytest.raises(ValueError, match="not a Certificate"):
        Certificate(**{f.name: getattr(found, f.name) for f in dataclasses.fields(found)})
    doubling = ct.RandomOperator(lambda rng: 0, lambda x, b: 2 * x)
    assert "a pair was seen" in refused(lambda: estimate(doubling, 0.0)).hypothesis


@pytest.mark.control
def test_displacement_at_the_wrong_point_is_caught():
    """D at the fixed point of the mean map says nothing of iterates from far away: the sharp bound needs r."""
    family = QuadraticSGD(0.1, TwoPoint(-1, 1))
    wrong = certify(family, 0.0)
    rows = ct.backward_iterates(family.sample(200), 100.0)
    gap = family.space.distance(rows, rows[-1])
    assert np.any(gap > 10 * wrong.bound(np.arange(201)))
    assert np.all(gap <= certify(family, 100.0).bound(np.arange(201)) + 1e-12)


@pytest.mark.control
def test_drawn_displacement_bounds_only_drawn_maps():
    """theta* may be farther than the drawn maps' D allows: with D = max over 1 map, a later larger one violates it."""
    family = FiniteFamily([(0.5, 0.0), (0.5, 1.0)], [0.9, 0.1])
    seed = next(s for s in range(100) if all(family.sample(5, s)[i].draw == 0 for i in range(5)))
    assert certify(family.sample(5, seed), 0.0).D == 0
    limit = ct.backward_iterates(family.sample(60, seed), 0.0)[-1, 0]
    assert limit > 0
    assert limit <= certify(family, 0.0).bound(0)


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (lambda f: certify("map", 0.0), "certify takes a random operator"),
        (lambda f: certify(f, 0.0, moment=0), "moment must be a finite number > 0"),
        (lambda f: certify(f, 0.0, ball=-1.0), "ball must be a finite number > 0"),
        (lambda f: certify(f, [[0.0]]), "needs a single point"),
        (lambda f: certify(f, float("nan")), "must not contain NaN"),
        (lambda f: certify(f, float("inf")), "must be finite"),
        (lambda f: certify(f, [0.0, 1.0]), "1 coordinates, got a start of shape"),
        (lambda f: certify(f.sample(3), 0.0, moment=2), "apply to a family"),
        (lambda f: certify(f, 0.0).bound(-1), "n must be an integer >= 0"),
        (lambda f: certify(f, 0.0).bound(0.5), "n must be an integer >= 0"),
        (lambda f: certify(f, 0.0).steps(0.0), "eps must be a finite number > 0"),
    ],
)
def test_bad_input(call, rule):
    with pytest.raises((ValueError, TypeError), match=rule):
        call(QuadraticSGD(0.1, Uniform(-1, 1)))
