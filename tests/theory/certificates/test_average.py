"""Contraction on average: exact exponents, confidence bounds, p-means, and leaves."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import contraction as ct
from contraction.certificates.average import average_contraction, confidence_upper, p_mean_factor
from contraction.certificates.certify import certify
from contraction.certificates.leaves import leaf_basis
from contraction.families import Cyclic, ExpandingOnAverage, FiniteFamily, LeastSquares, Uniform
from contraction.limits.backward import coupling_distance

X = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])


def test_expanding_on_average_of_the_audit():
    """K in {2, 1/4}: E log K = -.3466, E K = 1.125, rho_(1/3) = .94494."""
    for family in (ExpandingOnAverage(), FiniteFamily([(2.0, 1.0), (0.25, 1.0)])):
        found = average_contraction(family, 0.0)
        assert found.exponent == pytest.approx(-math.log(2) / 2, rel=1e-14)
        assert found.exponent <= found.upper < found.exponent + 1e-12
        assert found.certified
        assert found.contracts
        assert found.rate == pytest.approx(2**-0.5)
        rho = p_mean_factor(family, 1 / 3)
        assert rho is not None
        assert rho.value == pytest.approx(2 ** (1 / 3) * 0.75, rel=1e-12)
        assert p_mean_factor(family, 1.0).value == pytest.approx(1.125)
        with pytest.raises(ct.NotCertified, match="k ≥ 1"):
            certify(family, 0.0, moment=1)  # the mean diverges


@pytest.mark.parametrize("p", [1 / 3, 0.5])
def test_p_mean_bound_against_all_words(p):
    """E d(theta_12, theta_n)^p over all 2^12 words of K in {2, 1/4}, exactly enumerated, is below the bound."""
    family = FiniteFamily([(2.0, 1.0), (0.25, 1.0)])
    certificate = certify(family, 0.0, moment=p)
    N = 12
    bits = (np.arange(2**N)[:, None] >> np.arange(N)) & 1
    K = np.where(bits == 0, 2.0, 0.25)
    prefix = np.concatenate([np.ones((2**N, 1)), np.cumprod(K, axis=1)], axis=1)  # K_1 … K_m
    partial = np.concatenate([np.zeros((2**N, 1)), np.cumsum(prefix[:, :-1], axis=1)], axis=1)  # theta_n from 0
    for n in range(N + 1):
        moment = np.mean((partial[:, N] - partial[:, n]) ** p) ** (1 / p)
        assert moment <= certificate.bound(n)
    # tight enough to notice an exponent one too large for p-means of products: E (K_1…K_n)^p = rho^n exactly
    assert np.mean(prefix[:, N] ** p) == pytest.approx(p_mean_factor(family, p).value ** N, rel=1e-12)


def test_blocks_of_q_maps_in_p_mean():
    """Scalar factors multiply: E Lip(T_1 T_2 T_3)^p = (E K^p)^3, and the block bound decays like the single one."""
    family = FiniteFamily([(2.0, 1.0), (0.25, 1.0)])
    rho = p_mean_factor(family, 0.5).value
    blocks, single = certify(family, 0.0, q=3, moment=0.5), certify(family, 0.0, moment=0.5)
    assert blocks.k == pytest.approx(rho**3, rel=1e-12)
    assert np.all(blocks.bound(np.arange(60)) >= single.bound(np.arange(60)))
    assert blocks.bound(63) / blocks.bound(60) == pytest.approx(rho**6, rel=1e-9)  # (rho^3)^(1/p)


@pytest.mark.control
def test_mean_log_is_not_log_mean():
    """log E K = log 1.125 > 0 though the exponent is negative; a certificate by the largest factor fails as well."""
    family = ExpandingOnAverage()
    assert math.log(family.factor_moment(1.0)) > 0 > average_contraction(family, 0.0).upper
    with pytest.raises(ct.NotCertified, match="k ≥ 1: k = 2"):
        certify(family, 0.0)
    expanding = average_contraction(ExpandingOnAverage((2, 0.75)), 0.0)
    assert not expanding.contracts


def test_least_squares_contracts_along_its_leaf_only():
    """Row 26: every map has norm 1, in R^d and on the leaf; words that see every row contract on the leaf."""
    family = LeastSquares(X, [1.0, 2.0], 0.3, label_noise=Uniform(-0.1, 0.1))
    with pytest.raises(ct.NotCertified):
        certify(family, np.zeros(3))
    one, four = (average_contraction(family, np.zeros(3), q, leaf=True) for q in (1, 4))
    assert not one.contracts
    assert four.contracts
    assert four.certified
    assert not average_contraction(family, np.zeros(3), 4).contracts
    c = certify(family, np.zeros(3), q=4, moment=1, leaf=True)
    operators = family.sample(120, 0, replicas=400)
    rows = ct.backward_iterates(operators, np.zeros(3))
    gap = family.space.distance(rows, rows[:, -1:])
    mean, spread = gap.mean(axis=0), gap.std(axis=0) / 20
    assert np.all(mean - 6 * spread <= c.bound(np.arange(121)) + 1e-12)
    # off the leaf two starts never meet: the component orthogonal to the rows is kept for ever
    off = np.array([1.0, 1.0, -1.0])
    _, apart = coupling_distance(operators, np.zeros(3), off, at=[120])
    assert apart.min() >= np.sqrt(3) * (1 - 1e-9)
    with pytest.raises(ct.NotCertified, match="start is off the leaf"):
        certify(family, np.zeros(3), start=off, q=4, moment=1, leaf=True)
    on = certify(family, np.zeros(3), start=X.T @ [1.0, 2.0], q=4, moment=1, leaf=True)
    assert on.bound(40) > c.bound(40)


def test_leaves_are_checked():
    family = LeastSquares(X, [1.0, 2.0], 0.3)
    Q = leaf_basis(family, np.zeros(3), X.T)
    assert Q.shape == (3, 2)
    assert np.allclose(Q.T @ Q, np.eye(2), atol=1e-14)
    with pytest.raises(ct.NotCertified, match="region not invariant"):
        leaf_basis(family, np.zeros(3), np.eye(3)[:, :2])
    turning = FiniteFamily([([[0.0, -0.5], [0.5, 0.0]], [0.0, 0.0])])  # keeps 0, moves every line through it
    with pytest.raises(ct.NotCertified, match="a linear part moves"):
        leaf_basis(turning, np.zeros(2), [[1.0], [0.0]])
    with pytest.raises(ValueError, match="finite basis of shape"):
        leaf_basis(family, np.zeros(3), np.eye(2))
    with pytest.raises(ValueError, match="does not define"):
        average_contraction(FiniteFamily([(0.5, 1.0)]), 0.0, leaf=True)


def test_matrix_exponent_sees_products():
    """Polyak tuning at condition number 25: each matrix has spectral radius 2/3, their product 2.590."""
    h, beta = 1 / 9, 4 / 9

    def M(lam):
        return np.array([[1 + beta - h * lam, -beta], [1.0, 0.0]])

    family = FiniteFamily([(M(1.0), [0.0, 0.0]), (M(25.0), [0.0, 0.0])])
    assert np.max(np.abs(np.linalg.eigvals(M(25.0) @ M(1.0)))) == pytest.approx(4 / 3 * (1 + 2 * 2**0.5 / 3), rel=1e-12)
    values = [average_contraction(family, [0.0, 0.0], q).exponent for q in (1, 4, 12)]
    assert values[0] > values[1] > values[2] > 0.245  # decreasing to the top exponent +.245: no contraction on average


def gaussian_factors():
    return ct.RandomOperator(
        lambda rng: (math.exp(rng.uniform(-2, 0.5)), rng.standard_normal(1)),
        lambda x, d: d[0] * x + d[1],
        affine=lambda d: (d[0], d[1]),
        contraction=math.exp(0.5),
    )


def test_sampled_exponent_is_an_estimate_with_confidence():
    """log K uniform on (-2, .5): E log K = -.75 exactly."""
    found = average_contraction(gaussian_factors(), 0.0, words=1000, confidence=1 - 1e-6)
    assert not found.certified
    assert found.origin == "measured"
    assert found.upper >= -0.75  # fails with probability below 1e-6
    assert found.contracts
    assert "estimate" in str(found)
    blind = ct.RandomOperator(lambda rng: rng.uniform(0, 1), lambda x, k: k * x, lipschitz=lambda k: k)
    assert average_contraction(blind, 0.0, words=50).upper == math.inf  # a rare expanding map could hide


@given(
    p=st.floats(0.05, 0.95),
    n=st.integers(2, 40),
    confidence=st.sampled_from([0.5, 0.9, 0.99]),
    low=st.floats(-9, -0.1),
    lowest=st.sampled_from([-9.0, -0.2]),
)
def test_confidence_bound_holds_exactly_for_two_values(p, n, confidence, low, lowest):
    """Values 0 (probability p) and ``low``: coverage is a sum over the binomial law; a truncation keeps it."""
    mean = (1 - p) * low
    coverage = 0.0
    for ones in range(n + 1):
        x = np.array([0.0] * ones + [low] * (n - ones))
        weight = math.comb(n, ones) * p**ones * (1 - p) ** (n - ones)
        coverage += weight * (confidence_upper(x, 0.0, confidence, max(low, lowest)) >= mean)
    assert coverage >= confidence - 1e-12


@pytest.mark.control
def test_a_bound_without_its_width_loses_coverage():
    """The package's bound misses the mean with probability at most 0.1, the sample mean alone with more than 0.3."""
    n, p, low, confidence = 10, 0.5, -1.0, 0.9
    missed = {"bound": 0.0, "mean": 0.0}
    for ones in range(n + 1):
        x, weight = np.array([0.0] * ones + [low] * (n - ones)), math.comb(n, ones) * p**n
        missed["bound"] += weight * (confidence_upper(x, 0.0, confidence, low) < (1 - p) * low)
        missed["mean"] += weight * (np.mean(x) < (1 - p) * low)
    assert missed["bound"] <= 1 - confidence < 0.3 < missed["mean"]


def test_dependent_maps_and_bad_input():
    cyclic = FiniteFamily([(2.0, 1.0), (0.25, 1.0)], law=Cyclic(2))
    with pytest.raises(ct.NotCertified, match="independent maps"):
        average_contraction(cyclic, 0.0)
    assert p_mean_factor(cyclic, 0.5) is None
    family = ExpandingOnAverage()
    for call, rule in (
        (lambda: average_contraction(family, 0.0, 0), "q must be an integer of at least 1"),
        (lambda: average_contraction(family, 0.0, confidence=1.0), "confidence must be between 0 and 1"),
        (lambda: p_mean_factor(family, -1.0), "p must be a finite number > 0"),
        (lambda: confidence_upper([1.0], 0.0, 0.9, -1.0), "at least two values"),
        (lambda: confidence_upper([1.0, 2.0], 0.0, 0.9, -1.0), "values <= 0.0"),
        (lambda: certify(FiniteFamily([(np.eye(2) / 2, [0, 0]), (np.eye(2) / 3, [0, 0])]), [0, 0], q=30), "more than"),
    ):
        with pytest.raises(ValueError, match=rule):
            call()


def test_words_are_counted_before_they_are_listed():
    """2^50 words of the random Fibonacci matrices are sampled; Viswanath's exponent .12398 lies below all of them."""
    fibonacci = FiniteFamily([([[0, 1], [1, 1]], [0, 0]), ([[0, 1], [1, -1]], [0, 0])])
    listed = [average_contraction(fibonacci, [0, 0], q) for q in (4, 12)]
    sampled = [average_contraction(fibonacci, [0, 0], q, words=400, confidence=1 - 1e-7) for q in (12, 50, 400)]
    assert all(a.certified and a.interval == (a.exponent, a.upper) for a in listed)
    assert listed[0].exponent > listed[1].exponent
    assert sampled[0].certified  # 4096 words are listed
    for found in sampled[1:]:
        assert found.origin == "measured"
        assert found.interval[0] < found.exponent < found.interval[1] < found.upper
    assert sampled[1].interval[0] < listed[1].exponent
    assert sampled[2].interval[0] < 0.1239755988 + math.log(2) / 400  # (1/q) E log ‖·‖ is at most log(2)/q above


def test_lognormal_factors_get_a_normal_interval():
    """log K ~ N(-.2, .5²): no bound on K, so no upper bound, and a normal interval of the stated level."""
    family = ct.RandomOperator(lambda rng: math.exp(rng.normal(-0.2, 0.5)), lambda x, k: k * x, lipschitz=lambda k: k)
    found = average_contraction(family, 0.0, words=4000, confidence=1 - 1e-7)
    assert found.interval[0] < -0.2 < found.interval[1] < 0
    assert found.interval[1] - found.interval[0] == pytest.approx(2 * 5.33 * 0.5 / 4000**0.5, rel=0.1)
    assert (found.upper, found.rate, found.confidence, found.contracts) == (math.inf, math.inf, 0.0, False)
    assert "no bound on the maps' constants is known" in str(found)


def test_sampled_words_along_a_leaf():
    """A product of matrices sampled together equals the product one by one: same exponent as listed words."""
    family = LeastSquares(X, [1.0, 2.0], 0.3, label_noise=Uniform(-0.1, 0.1))
    listed = average_contraction(family, np.zeros(3), 6, leaf=True)
    sampled = average_contraction(family, np.zeros(3), 20, leaf=True, words=600, confidence=1 - 1e-7)
    assert listed.certified
    assert not sampled.certified
    assert sampled.interval[0] < listed.exponent
    assert sampled.interval[1] < 0
