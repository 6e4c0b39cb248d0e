"""Common norms: the metric must be common to all maps, and a spectral radius is no contraction factor."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import contraction as ct
from contraction import strategies
from contraction.certificates.certify import certify
from contraction.certificates.change_of_metric import equivalence
from contraction.certificates.norms import common_norm, expanding_word, lyapunov_norm, spectral_radius
from contraction.families import FiniteFamily, HeavyBall, Uniform
from contraction.maps.spaces import Euclidean, L1Simplex, SupNorm, WeightedEuclidean

A = np.array([[0.5, 10.0], [0.0, 0.5]])


def distances(b, n):
    """|theta* - theta_m|, m = 0 … n, for the one map T x = A x + b from 0: theta* - theta_m = A^m (I-A)^-1 b."""
    gap, out = np.linalg.solve(np.eye(2) - A, b), []
    for _ in range(n + 1):
        out.append(np.linalg.norm(gap))
        gap = A @ gap
    return np.array(out)


@pytest.mark.control
def test_the_spectral_radius_as_k_is_violated():
    """With k = rho = .5 the claimed D k^n/(1-k) is exceeded hundreds of times, and by more with n (A^n ~ n .5^n)."""
    n = np.arange(61)
    d = distances(np.array([0.0, 1.0]), 60)
    ratio = d / (0.5**n / (1 - 0.5))
    assert spectral_radius(A) == pytest.approx(0.5)
    # (I-A)^-1 b = (40, 2) and A^n = .5^n [[1, 20 n], [0, 1]], so the ratio is |(20 + 20 n, 1)|
    assert ratio == pytest.approx(np.hypot(20 + 20 * n, 1.0), rel=1e-9)
    assert ratio[16] > 328  # the audit's 328 is passed within 16 maps; there is no largest


def test_the_weighted_norm_holds_where_it_fails():
    family = FiniteFamily([(A, [0.0, 1.0])])
    c = certify(family, [0.0, 0.0])
    assert c.statement == "Theorem 2.2 in a common norm"
    assert 0.5 < c.k < 0.75  # below the k of its Lyapunov equation
    ratio = distances(np.array([0.0, 1.0]), 60) / c.bound(np.arange(61))
    assert np.max(ratio) <= 1
    assert np.max(ratio) > 0.01  # and is not empty
    back = c.constants["c"].value  # the bound is stated in the Euclidean distance: ‖x‖ <= c ‖x‖_P
    assert back == pytest.approx(1 / np.sqrt(np.linalg.eigvalsh(lyapunov_norm(A).P)[0]), rel=1e-9)
    assert c.bound(0) == pytest.approx(back * c.D / (1 - c.k), rel=1e-9)


def test_certificate_in_a_given_space():
    family = FiniteFamily([(A, [0.0, 1.0]), (A, [1.0, 0.0])], [0.5, 0.5])
    space = lyapunov_norm(A, 0.75)
    P = space.P
    assert np.allclose(P, (A / 0.75).T @ P @ (A / 0.75) + np.eye(2), rtol=1e-10)
    c = certify(family, [0.0, 0.0], space=space)
    rows = ct.backward_iterates(family.sample(80), [0.0, 0.0])
    assert np.all(space.distance(rows, rows[-1]) <= c.bound(np.arange(81)) + 1e-11)
    moment = certify(family, [0.0, 0.0], space=space, moment=2)
    assert moment.bound(0) <= c.bound(0)
    with pytest.raises(ct.NotCertified, match="k ≥ 1"):
        certify(family, [0.0, 0.0], space=SupNorm())
    drawn = certify(family.sample(80), [0.0, 0.0], space=space)
    assert np.all(space.distance(rows, rows[-1]) <= drawn.bound(np.arange(81)) + 1e-11)


def test_after_q_of_the_audit():
    """q = 8, kappa = .6250244: the bound holds, while ‖A‖ = 10.02."""
    family = FiniteFamily([(A, [0.0, 1.0])])
    c = certify(family, [0.0, 0.0], q=8)
    assert c.k == pytest.approx(0.6250244, abs=1e-5)
    assert c.constants["lip"].value == pytest.approx(10.0249, abs=1e-4)
    assert np.all(distances(np.array([0.0, 1.0]), 100) <= c.bound(np.arange(101)))
    with pytest.raises(ct.NotCertified, match=r"kappa ≥ 1: 1 words of length 2"):
        certify(family, [0.0, 0.0], q=2)
    with pytest.raises(ct.NotCertified, match="no linear parts are known"):
        certify(ct.RandomOperator(lambda rng: 0, lambda x, b: x / 2), 0.0, q=2)


@settings(max_examples=25)
@given(data=st.data(), d=st.integers(1, 12), rho=st.floats(0.0, 0.99))
def test_one_matrix_below_spectral_radius_one_always_has_a_norm(data, d, rho):
    M = data.draw(strategies.matrices_of_norm(d, 1.0))
    radius = spectral_radius(M)
    if radius > 1e-3:
        M = M * (rho / radius)
    elif d > 1:
        M = M * 0.5  # nilpotent to rounding: powers of the perturbation stay small
    space, factor, tried = common_norm([M])
    assert factor < 1
    assert factor >= spectral_radius(M) - 1e-9
    x = np.random.default_rng(0).standard_normal((50, d))
    assert np.all(space.distance(x @ M.T, 0 * x) <= factor * space.distance(x, 0 * x) * (1 + 1e-9))
    assert tried


def test_no_common_norm_for_two_nilpotents():
    """Each has spectral radius 0, their product 4: iterates of either alone vanish, a periodic word diverges."""
    pair = [np.array([[0.0, 2.0], [0.0, 0.0]]), np.array([[0.0, 0.0], [2.0, 0.0]])]
    word, radius = expanding_word(pair)
    assert word == (1, 2)
    assert radius == pytest.approx(4.0)
    with pytest.raises(ct.NotCertified) as caught:
        certify(FiniteFamily([(pair[0], [1.0, 0.0]), (pair[1], [0.0, 1.0])]), [0.0, 0.0])
    assert any("product (1, 2) has spectral radius 4" in t for t in caught.value.tried)
    assert [t.split(" norm ")[0] for t in caught.value.tried[:3]] == ["Euclidean", "sup", "l1"]


def test_two_matrices_that_need_a_search():
    """Euclidean, sup and l1 norms are 1 or more, a common quadratic norm exists and is found."""
    one, two = np.array([[0.6, 0.9], [0.0, 0.6]]), np.array([[0.6, 0.5], [0.0, -0.6]])
    space, factor, tried = common_norm([one, two])
    assert isinstance(space, WeightedEuclidean)
    assert factor < 1
    assert len(tried) >= 4
    assert all(float(t.rsplit(" ", 1)[1]) >= 1 for t in tried[:3])
    c = certify(FiniteFamily([(one, [1.0, 0.0]), (two, [0.0, 1.0])]), [0.0, 0.0], start=[5.0, -3.0])
    family = FiniteFamily([(one, [1.0, 0.0]), (two, [0.0, 1.0])])
    operators = family.sample(200)
    rows, other = (ct.backward_iterates(operators, x) for x in ([0.0, 0.0], [5.0, -3.0]))
    gap = family.space.distance(other, rows[-1])
    assert np.all(gap <= c.bound(np.arange(201)) + 1e-12)


def test_heavy_ball():
    """Never a Euclidean contraction (first column), a contraction in ‖·‖_P iff its spectral radius is below one."""
    c = certify(HeavyBall(1.0, 0.5, 0.9, Uniform(-1, 1)), [0.0, 0.0])
    assert 0.949 < c.k < 0.98
    with pytest.raises(ct.NotCertified, match="no common norm"):
        certify(HeavyBall(1.0, 3.81, 0.9, Uniform(-1, 1)), [0.0, 0.0])  # h > 2 (1 + beta) / lambda = 3.8


@given(seed=st.integers(0, 10**6), d=st.integers(1, 6))
def test_norms_are_compared_from_above(seed, d):
    rng = np.random.default_rng(seed)
    R = rng.standard_normal((d, d)) + 2 * np.eye(d)
    spaces = [Euclidean(), SupNorm(), L1Simplex(), WeightedEuclidean(R.T @ R + 1e-3 * np.eye(d))]
    x = rng.standard_normal((20, d))
    for old in spaces:
        for new in spaces:
            c = equivalence(old, new, d)
            assert np.all(new.distance(x, 0 * x) <= c * old.distance(x, 0 * x) * (1 + 1e-12))


@pytest.mark.parametrize(
    ("call", "error", "rule"),
    [
        (lambda: lyapunov_norm([[1.0]]), ct.NotCertified, "spectral radius is 1"),
        (lambda: lyapunov_norm(A, 0.4), ValueError, "k must be above the spectral radius 0.5"),
        (lambda: lyapunov_norm(A, 1.0), ValueError, r"must be in \[0, 1\)"),
        (lambda: common_norm([]), ValueError, "at least one matrix"),
        (lambda: WeightedEuclidean([[1.0, 0.0], [0.0, -1.0]]), ValueError, "positive definite"),
        (
            lambda: certify(FiniteFamily([(0.5, 1.0)]), 0.0, space=ct.Metric(lambda x, y: abs(x - y)[..., 0])),
            ct.NotCertified,
            "no operator norm",
        ),
    ],
)
def test_bad_input(call, error, rule):
    with pytest.raises(error, match=rule):
        call()
