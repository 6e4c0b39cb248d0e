"""Ball arithmetic: constants enclose the exact rationals, norms are proved, bounds are upper endpoints."""

from __future__ import annotations

import importlib
from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import contraction as ct
from contraction import strategies
from contraction.certificates.certify import certify
from contraction.certificates.norms import lyapunov_norm
from contraction.certificates.rigorous import ball, operator_norm_ball, positive_definite, upper
from contraction.families import FiniteFamily, GradientSteps, LinearizedSGD, QuadraticSGD, RidgeLoss, Uniform

flint = pytest.importorskip("flint")


@given(h=st.floats(1e-6, 2, exclude_max=True), theta0=st.floats(-1e6, 1e6), n=st.integers(0, 200), r=st.floats(0, 1e3))
def test_scalar_constants_enclose_the_rationals(h, theta0, n, r):
    """k = |1-h|, D = h (|theta0| + 1) for noise on [-1, 1], everything in Fractions of the floats given."""
    c = certify(QuadraticSGD(h, Uniform(-1, 1)), theta0, start=theta0 + r, rigorous=True)
    k, D = abs(1 - F(h)), F(h) * (abs(F(theta0)) + 1)
    gap = abs(F(theta0 + r) - F(theta0))
    assert F(c.k) >= k
    assert F(c.D) >= D
    assert F(c.bound(n)) >= (D / (1 - k) + gap) * k**n
    assert F(c.k) <= k * (1 + F(1, 2**50)) + F(1, 2**1000)
    assert F(c.D) <= D * (1 + F(1, 2**50))


@given(h=st.floats(0.01, 1.99))
def test_floats_and_balls_agree(h):
    family = QuadraticSGD(h, Uniform(-1, 1), dim=3)
    floats, balls = certify(family, [1.0, 2.0, 3.0]), certify(family, [1.0, 2.0, 3.0], rigorous=True)
    assert balls.k <= floats.k <= balls.k + 1e-13
    assert balls.D <= floats.D <= balls.D * (1 + 1e-13) + 1e-13


def test_exact_fractions_of_a_finite_family():
    family = FiniteFamily([(F(1, 3), 0), (F(1, 3), F(2, 3))])
    c = certify(family, np.array([F(0)], dtype=object), rigorous=True)
    assert F(c.k) >= F(1, 3) > F(1 / 3) - F(1, 2**53)
    assert F(c.D) >= F(2, 3)
    assert F(c.bound(7)) >= F(1, 3**7)
    assert c.bound(7) == pytest.approx(3.0**-7, rel=1e-15)
    assert "ball arithmetic" in str(c)


@given(data=st.data(), d=st.integers(1, 6))
def test_operator_norms_are_proved_upper_bounds(data, d):
    """A vector that attains the computed norm (to rounding) never exceeds the proved one; and it is not far above."""
    A = data.draw(strategies.matrices_of_norm(d, 0.7)) if d > 1 else np.array([[0.7]])
    with flint.ctx.workprec(128):
        s = upper(operator_norm_ball(ct.Euclidean(), [[ball(x) for x in row] for row in A]))
        v = np.linalg.svd(A)[2][0]
        exact = sum(F(sum(F(a) * F(x) for a, x in zip(row, v, strict=True))) ** 2 for row in A)
        length = sum(F(x) ** 2 for x in v)
    assert exact <= F(s) ** 2 * length
    assert s <= 0.7 * (1 + 1e-10)


@pytest.mark.control
def test_a_norm_that_is_too_small_is_not_proved():
    A = np.array([[0.5, 10.0], [0.0, 0.5]])
    for s, proved in ((10.03, True), (10.02, False), (0.5, False)):
        S = s * s * np.eye(2) - A.T @ A
        assert positive_definite([[ball(x) for x in row] for row in S]) is proved
    assert not positive_definite([[ball(1.0), ball(2.0)], [ball(2.0), ball(1.0)]])


def test_weighted_norms_and_linearized_families():
    A = [[0.5, 10.0], [0.0, 0.5]]
    family = FiniteFamily([(A, [0, 1]), (A, [1, 0])])
    space = lyapunov_norm(A)
    c = certify(family, [0.0, 0.0], space=space, rigorous=True)
    assert c.k < 0.75
    rows = ct.backward_iterates(family.sample(100), [0.0, 0.0])
    assert np.all(space.distance(rows, rows[-1]) <= c.bound(np.arange(101)) + 1e-11)
    noisy = LinearizedSGD([1.0, 2.0], [[2.0, 0.5], [0.5, 1.0]], 0.3, Uniform(-1, 1))
    floats, balls = certify(noisy, [0.0, 0.0]), certify(noisy, [0.0, 0.0], rigorous=True)
    assert balls.k == pytest.approx(floats.k, rel=1e-10)
    assert pytest.approx(floats.D, rel=1e-10) == balls.D
    ridge = GradientSteps(RidgeLoss([[1.0, 0.0], [0.0, 2.0]], [1.0, 1.0], 0.5), 0.2)
    assert certify(ridge, [0.0, 0.0], rigorous=True).k == pytest.approx(certify(ridge, [0.0, 0.0]).k, rel=1e-10)
    assert pytest.approx(certify(ridge, [0.0, 0.0]).D, rel=1e-10) == certify(ridge, [0.0, 0.0], rigorous=True).D


def test_declared_constants_are_exact_numbers():
    family = ct.RandomOperator(
        lambda rng: rng.uniform(-1, 1), lambda x, b: 0.5 * np.sin(x) + b, contraction=0.5, displacement=1.0
    )
    c = certify(family, 0.0, rigorous=True)
    assert (c.k, c.D, c.origin, c.bound(3)) == (0.5, 1.0, "declared", 0.25)
    lying = ct.RandomOperator(
        lambda rng: rng.uniform(-1, 1), lambda x, b: 0.5 * np.sin(x) + b, contraction=0.4, displacement=1.0
    )
    with pytest.raises(ct.DeclarationRefuted):
        certify(lying, 0.0, rigorous=True)
    local = ct.RandomOperator(lambda rng: 0, lambda x, b: x**2 / 2 + 0.1, contraction=0.8, displacement=0.1)
    assert certify(local, 0.0, ball=0.8, rigorous=True).bound(0) == pytest.approx(0.5)
    with pytest.raises(ct.NotCertified, match="not invariant"):
        certify(local, 0.0, ball=0.3, rigorous=True)


def test_failed_hypotheses():
    for family, words in (
        (QuadraticSGD(0.1), "D infinite"),
        (QuadraticSGD(2.0, Uniform(-1, 1)), "k ≥ 1"),
        (QuadraticSGD(float(np.nextafter(2.0, 3.0)), Uniform(-1, 1)), "k ≥ 1"),
        (FiniteFamily([([[0.5, 10], [0, 0.5]], [0, 1])]), "k ≥ 1"),
        (ct.RandomOperator(lambda rng: 0, lambda x, b: x / 2), "no formula in ball arithmetic"),
    ):
        with pytest.raises(ct.NotCertified, match=words):
            certify(family, np.zeros(family.dim or 1), rigorous=True)
    just_below = float(np.nextafter(2.0, 0.0))
    assert certify(QuadraticSGD(just_below, Uniform(-1, 1)), 0.0, rigorous=True).k < 1  # 1 - 2^-52, no rounding to 1


def test_missing_flint_names_the_package(monkeypatch):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(
        ImportError, match=r"pip install python-flint, or in a checkout pip install -e \"\.\[rigorous\]\""
    ):
        certify(QuadraticSGD(0.1, Uniform(-1, 1)), 0.0, rigorous=True)
