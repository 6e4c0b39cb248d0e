"""Closed forms of moments (2.4, 2.5) against exact enumeration of finite families, limits against the recursions.

Rounding: the enumeration is exact; a closed form makes products of at most n + 2 matrices and sums of n terms, with
fewer than 64 (n + 3) roundings on a path, on numbers whose sum of absolute values is the same formula with absolute
entries. Tolerances are gamma(64 (n + 3)) times a bound on that size.
"""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.families import Gaussian, QuadraticSGD, Uniform
from contraction.families.finite import FiniteFamily
from contraction.families.index_laws import Cyclic
from contraction.families.linearized import LinearizedSGD
from contraction.laws import affine_moments, exact_law, pair_law
from contraction.laws.affine_moments import AffineMoments
from contraction.laws.random_affine import RandomAffineMoments
from contraction.maps.orders import Backward, CustomOrder, Forward
from contraction.maps.rounding import gamma

small = st.fractions(min_value=-1, max_value=1, max_denominator=6)


def moments_of(law):
    """Exact mean (d,) and covariance (d, d) of a law of points."""
    mean = law.mean()
    d = len(mean)
    cov = [
        [law.expectation(lambda p, i=i, j=j: (p[i] - mean[i]) * (p[j] - mean[j])) for j in range(d)] for i in range(d)
    ]
    return np.array(mean, dtype=float), np.array(cov, dtype=float)


def previous(order):
    """The order whose iterate n is the other one's iterate n - 1."""
    if isinstance(order, Forward):
        return CustomOrder(lambda n: range(n - 1, 0, -1))
    return CustomOrder(lambda n: range(1, n))


def increments(maps, n, theta0, order, weights):
    """E ‖theta_n - theta_{n-1}‖^2, exactly."""
    pairs = pair_law(maps, n, theta0, orders=(order, previous(order)), index_law=weights)
    return float(pairs.expectation(lambda p: sum((x - y) ** 2 for x, y in zip(*p, strict=True))))


def size(A, b, theta0, n):
    """The second moment with absolute values everywhere: what roundings are relative to."""
    norm = max(float(np.abs(A).sum(axis=-1).max()), 1.0)
    return (norm**n * (np.abs(theta0).max() + n * np.abs(b).max() + 1)) ** 2 * 16


matrices = st.lists(small, min_size=4, max_size=4)
offsets = st.lists(st.lists(small, min_size=2, max_size=2), min_size=2, max_size=3)


@given(entries=matrices, b=offsets, start=st.tuples(small, small), n=st.integers(1, 3))
def test_common_linear_part_against_enumeration(entries, b, start, n):
    A = np.array(entries, dtype=object).reshape(2, 2)
    weights = [F(1, 2), F(1, 3), F(1, 6)] if len(b) == 3 else [F(1, 4), F(3, 4)]
    maps = [(A, one) for one in b]
    found = affine_moments(FiniteFamily(maps, weights), np.array(start, dtype=float))
    assert isinstance(found, AffineMoments)
    check_all(found, maps, weights, start, n)


@given(first=matrices, second=matrices, b=offsets, start=st.tuples(small, small), n=st.integers(1, 3))
def test_random_linear_parts_against_enumeration(first, second, b, start, n):
    maps = [(np.array(e, dtype=object).reshape(2, 2), one) for e, one in zip((first, second), b, strict=False)]
    weights = [F(1, 3), F(2, 3)]
    A, offset = (np.array([m[k] for m in maps], dtype=float) for k in (0, 1))
    found = RandomAffineMoments.from_maps(A, offset, [1 / 3, 2 / 3], np.array(start, dtype=float))
    check_all(found, maps, weights, start, n)


def check_all(found, maps, weights, start, n):
    tolerance = gamma(64 * (n + 3)) * size(
        np.array([m[0] for m in maps], dtype=float),
        np.array([m[1] for m in maps], dtype=float),
        np.array(start, dtype=float),
        n + 1,
    )
    for order in (Forward(), Backward()):
        mean, cov = moments_of(exact_law(maps, n, start, order=order, index_law=weights))
        assert np.abs(found.mean(n) - mean).max() <= tolerance
        assert np.abs(found.covariance(n) - cov).max() <= tolerance
    assert abs(found.forward_increment(n - 1) - increments(maps, n, start, Forward(), weights)) <= tolerance
    assert abs(found.backward_increment(n - 1) - increments(maps, n, start, Backward(), weights)) <= tolerance
    for order, closed in ((Forward(), found.forward_covariance), (Backward(), found.backward_covariance)):
        joint = pair_law(maps, n, start, orders=(order, previous(order)), index_law=weights)
        mean, cov = moments_of(joint.image(lambda p: p[0] + p[1]))
        assert np.abs(closed(n, n - 1) - cov[:2, 2:]).max() <= tolerance
        assert np.abs(closed(n - 1, n) - cov[2:, :2]).max() <= tolerance


def test_pairs_of_a_common_linear_part_by_both_classes():
    """Cov(theta_7^B, theta_3^B) = S_3 and Cov(theta_7^F, theta_3^F) = A^4 S_3, from the general recursion too."""
    rng = np.random.default_rng(1)
    A, b = 0.4 * rng.standard_normal((3, 3)), rng.standard_normal((4, 3))
    common = AffineMoments(A, b.mean(axis=0), np.cov(b.T, bias=True), np.ones(3))
    general = RandomAffineMoments.from_maps(np.broadcast_to(A, (4, 3, 3)), b, None, np.ones(3))
    for name in ("forward_covariance", "backward_covariance"):
        one, two = getattr(common, name)(7, 3), getattr(general, name)(7, 3)
        assert np.allclose(one, two, rtol=0, atol=gamma(2000) * 100)
    assert np.array_equal(common.backward_covariance(7, 3), common.covariance(3))
    assert not np.allclose(common.forward_covariance(7, 3), common.covariance(3))
    for n in range(6):
        assert np.isclose(common.limit_distance(n), general.limit_distance(n), rtol=gamma(20000))
    assert np.isclose(common.rate, general.rate, rtol=1e-7)  # eigenvalues of the Kronecker square
    assert np.isclose(common.forward_increment_limit, general.forward_increment_limit, rtol=gamma(20000))


def test_statement_2_5_in_three_dimensions():
    """S_n = S - A^n S A^nT; increments tend to 2h tr(HS); E ‖theta_inf - theta_n‖^2 telescopes into increments.

    Backward increments are independent with means A^n (T theta0 - theta0): so limit_distance(n) is the sum of the later
    variances plus the squared gap of means: another route to it.
    """
    rng = np.random.default_rng(0)
    G = rng.standard_normal((3, 3))
    H, h = G @ G.T + np.eye(3), 0.05
    family = LinearizedSGD(theta_star=[1.0, -2.0, 0.5], H=H, h=h, noise=Gaussian(1.3))
    found = affine_moments(family, [2.0, 2.0, 2.0])
    S, A = found.stationary_covariance, family.linear_part
    residual = np.abs(S - A @ S @ A.T - h**2 * 1.69 * np.eye(3)).max()
    assert residual <= gamma(200) * np.abs(S).max()
    for n in (0, 1, 2, 10, 100):
        P = np.linalg.matrix_power(A, n)
        assert np.allclose(found.covariance(n), S - P @ S @ P.T, rtol=0, atol=gamma(1000) * np.abs(S).max())
        gap = np.array([2.0, 2.0, 2.0]) - [1.0, -2.0, 0.5]
        assert np.isclose(
            found.backward_increment(n), np.sum((P @ (h * H) @ gap) ** 2) + 1.69 * h**2 * np.trace(P @ P.T)
        )
        assert np.isclose(
            found.forward_increment(n),
            1.69 * h**2 * 3 + h**2 * np.trace(H @ found.covariance(n) @ H) + h**2 * np.sum((H @ P @ gap) ** 2),
        )
    assert np.isclose(found.forward_increment_limit, 2 * h * np.trace(H @ S), rtol=gamma(10000))
    assert np.allclose(found.stationary_mean, [1.0, -2.0, 0.5])
    variances = [1.69 * h**2 * np.trace(np.linalg.matrix_power(A, 2 * j)) for j in range(4, 2000)]
    squared_mean = np.sum((np.linalg.matrix_power(A, 4) @ (found.theta0 - found.stationary_mean)) ** 2)
    assert np.isclose(found.limit_distance(4), sum(variances) + squared_mean, rtol=1e-11)


@given(h=st.floats(0.01, 1.99), sd=st.floats(0.1, 10), n=st.integers(0, 500))
def test_scalar_stationary_variance_and_gaussian_distance(h, sd, n):
    """h sigma^2 / (2 - h) and W_2 = s (1 - √(1 - k^{2n})) from the mean (2.3, 2.5)."""
    found = affine_moments(QuadraticSGD(h, Gaussian(sd)), 0.0)
    variance = h * sd**2 / (2 - h)
    assert np.isclose(found.stationary_covariance[0, 0], variance, rtol=1e-12)
    claimed = np.sqrt(variance) * (1 - np.sqrt(1 - (1 - h) ** (2 * n)))
    # W_2^2 is a difference of numbers of size 4 variance: its root is known to √(4 gamma variance)
    slack = 2 * np.sqrt(variance * gamma(64 * (n.bit_length() + 2)) * 4)
    assert abs(found.gaussian_distance(n) - claimed) <= slack


def test_random_matrices_distance_to_the_limit_telescopes():
    """E ‖theta_inf - theta_n‖^2 = lim_m E ‖theta_m - theta_n‖^2 from the coupled recursion, m = 400; and its rate."""
    A = np.array([[[0.5, 1.0], [0.0, 0.4]], [[0.2, 0.0], [-0.9, 0.3]]])
    b = np.array([[1.0, 0.0], [0.0, 2.0]])
    found = RandomAffineMoments.from_maps(A, b, None, [3.0, -1.0])
    for n in (0, 1, 2, 5, 10):
        x, y = found.mean(n), found.mean(400)
        cross = found.backward_covariance(n, 400) + np.outer(x, y)
        second = [np.trace(found.covariance(k)) + found.mean(k) @ found.mean(k) for k in (n, 400)]
        assert np.isclose(found.limit_distance(n), sum(second) - 2 * np.trace(cross), rtol=1e-9, atol=1e-12)
    assert np.isclose((found.limit_distance(200) / found.limit_distance(100)) ** (1 / 200), found.rate, rtol=1e-2)


def test_forward_increment_limit_for_bernoulli():
    """Row 76: h = 1/2, epsilon in {0, 1}: E d(TX, X)^2 = 1/12."""
    found = affine_moments(FiniteFamily([(F(1, 2), 0), (F(1, 2), F(1, 2))]), 0.3)
    assert np.isclose(found.forward_increment_limit, 1 / 12, rtol=gamma(100))


@pytest.mark.control
def test_monte_carlo_agrees_and_a_wrong_exponent_does_not():
    """20,000 replicas of Section 3.2 in the plane, uniform noise; a mean of bounded terms within Hoeffding's 1e-6.

    ‖theta_{n+1}^B - theta_n^B‖^2 <= r^2 with r = ‖A^n‖ D, so the mean of R copies is within r^2 √(ln(2e6) / 2R) of its
    expectation but for chance 1e-6. The same formula one index off (n - 1) must fall outside.
    """
    from contraction.maps.iterates import backward_iterates

    family = LinearizedSGD(theta_star=[0.0, 0.0], H=np.diag([1.0, 1.2]), h=0.5, noise=Uniform(-1, 1))
    R, n = 20_000, 3
    rows = backward_iterates(family.sample(n + 1, seed=7, replicas=R), [0.0, 0.0], at=[n, n + 1])
    found = affine_moments(family, 0.0)
    mean = float(np.mean(np.sum((rows[:, 1] - rows[:, 0]) ** 2, axis=-1)))
    largest = (0.5**n * 0.5 * np.sqrt(2)) ** 2
    slack = largest * np.sqrt(np.log(2e6) / (2 * R))
    assert abs(mean - found.backward_increment(n)) <= slack
    assert abs(mean - found.backward_increment(n - 1)) > slack


def test_a_stationary_mean_may_exist_without_a_second_moment():
    """E A = 4/5 and E A² = 1.13: the mean m = E A m + E b is 5/2."""
    found = RandomAffineMoments.from_maps([1.5, 0.1], [[0.0], [1.0]])
    assert found.radius > 1
    assert found.stationary_mean == pytest.approx([2.5], rel=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: AffineMoments(np.eye(2), np.zeros(3), np.eye(2), np.zeros(2)), "shapes"),
        (lambda: AffineMoments(np.eye(2), np.zeros(2), np.array([[1.0, 2.0], [0.0, 1.0]]), np.zeros(2)), "symmetric"),
        (lambda: AffineMoments(np.eye(1), np.zeros(1), np.array([[np.inf]]), np.zeros(1)), "finite"),
        (lambda: AffineMoments(np.eye(1), np.zeros(1), np.eye(1), np.zeros(1)).stationary_mean, "spectral radius"),
        (
            lambda: AffineMoments(np.eye(1), np.zeros(1), np.eye(1), np.zeros(1)).mean(-1),
            "integer of at least 0, got -1",
        ),
        (lambda: RandomAffineMoments.from_maps([2.0, 0.5], [[0.0], [1.0]]).stationary_covariance, "E A⊗A"),
        (lambda: RandomAffineMoments.from_maps([2.0, 0.5], [[0.0], [1.0]]).stationary_mean, "E A must"),
        (lambda: RandomAffineMoments.from_maps([1.5, 0.1], [[0.0], [1.0]]).stationary_covariance, "E A⊗A"),
        (lambda: RandomAffineMoments.from_maps([2.0, 0.5], [[0.0], [1.0]], [0.5, 0.4]), "sum one"),
        (lambda: affine_moments(FiniteFamily([(F(1, 2), 0), (F(1, 2), 1)], law=Cyclic(2))), "i.i.d."),
        (lambda: affine_moments(FiniteFamily([np.sin, np.cos])), "affine"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
