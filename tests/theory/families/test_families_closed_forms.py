"""What each family claims in closed form, from both sides: factors attained, displacements reached, moments exact."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

import contraction as ct
from contraction import families as fam
from contraction import strategies
from contraction.laws import affine_moments
from tests.theory.family_examples import COV, EXAMPLES, HALF, LABELS, LINKS, ONES, REWARDS, TRANSITIONS, H, X, Y

EPS = np.finfo(float).eps


def ratio(family, draw, x, y):
    d = family.space.distance
    return float(d(family.apply(x, draw), family.apply(y, draw)) / d(x, y))


# --- factors are attained -------------------------------------------------------------------------------------------


@given(st.integers(1, 20), st.data())
@settings(max_examples=settings().max_examples // 2)
def test_linearized_factor_is_attained(d, data):
    matrix = data.draw(strategies.symmetric_matrices(d))
    h = data.draw(strategies.learning_rates(0.2))
    family = fam.LinearizedSGD(np.zeros(d), matrix, h, fam.Uniform())
    v = np.linalg.svd(np.eye(d) - h * matrix)[2][0]
    attained = ratio(family, np.zeros(d), v, -v)
    assert attained == pytest.approx(family.contraction.value, rel=100 * d * EPS, abs=100 * d * EPS)


def test_gradient_step_factors_are_attained_or_approached():
    """Ridge exactly; logistic at 0 (largest curvature) and far out (smallest)."""
    for batch in (1, 3, 4):
        family = fam.GradientSteps(fam.RidgeLoss(X, Y, 0.3), 0.15, batch)
        best = max(float(np.linalg.norm(family.affine(b).A, 2)) for b in family.batches)
        assert family.contraction.value == pytest.approx(best, rel=50 * EPS)
    for h in (0.2, 3.0):  # 1 - hm is the larger side, then hM - 1
        family = fam.GradientSteps(fam.RidgeLogisticLoss(X, LABELS, 0.3), h, 2)
        at = family.batches[np.argmax(family.lipschitz(family.batches))]
        v = np.linalg.svd(X[at])[2][0]
        v = v if h > 1 else v / np.linalg.norm(v)
        x = np.zeros(3) if h > 1 else 1e3 * v
        reached = ratio(family, at, x - 1e-4 * v, x + 1e-4 * v)
        assert reached <= family.contraction.value * (1 + 1e-9)
        assert reached == pytest.approx(family.contraction.value, rel=1e-6)


def test_lemma_2_5_prints_a_larger_constant():
    """Row 29: m = 1, M = 10, h = .1 gives 1.342 against .9."""
    root = np.diag([1.0, math.sqrt(10.0)])
    family = fam.GradientSteps(fam.RidgeLoss(root * math.sqrt(2), np.zeros(2)), 0.1, 2)
    assert family.curvature == pytest.approx((1.0, 10.0))
    assert family.contraction.value == pytest.approx(0.9)
    assert family.printed_contraction.value == pytest.approx(math.sqrt(1.8))
    with pytest.raises(ValueError, match="needs h >= 0"):
        _ = fam.GradientSteps(fam.RidgeLoss(root, np.zeros(2)), -0.1, 2).printed_contraction


@given(st.floats(0.0, 3.0), st.integers(0, 2**31), st.integers(1, 5))
@settings(max_examples=settings().max_examples // 3)
def test_printed_is_never_below_sharp(h, seed, batch):
    rng = np.random.default_rng(seed)
    family = fam.GradientSteps(fam.RidgeLoss(rng.standard_normal((5, 3)), rng.standard_normal(5), 0.2), h, batch)
    assert family.printed_contraction.value >= family.contraction.value * (1 - 10 * EPS)


def test_bounds_over_too_many_batches_hold():
    rng = np.random.default_rng(1)
    data, targets = rng.standard_normal((30, 3)), rng.standard_normal(30)
    many = fam.GradientSteps(fam.RidgeLoss(data, targets, 0.2), 0.3, 10)
    assert many.batches is None
    rows = np.sort(np.array([rng.choice(30, 10, replace=False) for _ in range(300)]), axis=1)
    some = fam.GradientSteps(fam.RidgeLoss(data, targets, 0.2), 0.3, batches=rows)
    assert many.curvature[0] <= some.curvature[0]
    assert many.curvature[1] >= some.curvature[1]
    assert many.displacement(ONES).value >= some.displacement(ONES).value
    with pytest.raises(ValueError, match="more than 4096 batches"):
        many.support()
    draws = many.sample(3, replicas=500)
    assert all(len(set(b)) == 10 for op in draws for b in op.draw.tolist())


@pytest.mark.parametrize(
    "loss", [fam.RidgeLoss(X, Y, 0.3), fam.RidgeLogisticLoss(X, LABELS, 0.3), fam.SoftplusLoss(X, Y, 0.3, 2.0)]
)
def test_gradients_are_derivatives_of_the_loss(loss):
    theta, rows, step = np.array([0.3, -1.0, 2.0]), np.array([0, 2, 5]), 1e-6
    basis = step * np.eye(3)
    slope = (loss.loss(theta + basis, rows) - loss.loss(theta - basis, rows)) / (2 * step)
    assert np.allclose(slope, loss.gradient(theta, rows), atol=1e-8)


def test_other_factors_are_attained():
    bellman = fam.BellmanOperators(REWARDS, TRANSITIONS, 0.9, fam.Uniform())
    V, draw = np.arange(4.0), bellman.sample(1)[0].draw
    assert ratio(bellman, draw, V, V + 1) == pytest.approx(0.9, rel=10 * EPS)
    rank = fam.PageRank(LINKS)
    draw = next(op.draw for op in rank.sample(20) if op.lipschitz > 0)
    pairs = [(i, j) for i in range(4) for j in range(4) if draw[i] != draw[j]]
    i, j = pairs[0]
    assert ratio(rank, draw, np.eye(4)[i], np.eye(4)[j]) == pytest.approx(0.85, rel=10 * EPS)
    together = np.array([2, 2, 2, 2, 0])
    assert rank.lipschitz(together) == 0 == ratio(rank, together, np.eye(4)[0], np.eye(4)[1])
    picard = EXAMPLES["picard"][0]
    f = 1e-4 / picard.space.weights
    assert ratio(picard, np.array([2.0, 0.0]), f, -f) == pytest.approx(picard.contraction.value, rel=1e-4)
    assert picard.contraction.value < 2 * 2.0 < math.inf  # the plain sup norm has a factor of 4: Bielecki's is needed
    assert fam.PicardIteration(np.linspace(0, 2, 9), 0.0, fam.Uniform(-2, 2)).contraction.value == pytest.approx(4.0)
    sine = EXAMPLES["expanding, sine"][0]
    assert ratio(sine, np.array([1.5, 0.0]), np.array([1e-6]), np.array([-1e-6])) == pytest.approx(1.5, rel=1e-9)


@given(st.integers(0, 10**12), st.integers(0, 10**12))
@settings(max_examples=settings().max_examples // 3)
def test_prefix_maps_scale_every_distance_exactly(x, y):
    family = EXAMPLES["prefixes"][0]
    p, q = np.array([x], dtype=object), np.array([y], dtype=object)
    for i, u in enumerate(family.prefixes):
        d = family.space.distance
        assert d(family.apply(p, i), family.apply(q, i)) == Fraction(1, 3 ** len(u)) * d(p, q)
        assert family.space.letters(int(family.apply(p, i)[0]), len(u)) == u


# --- displacements are reached --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "quadratic, uniform",
        "linearized, two points",
        "heavy ball",
        "expanding, sine",
        "least squares, noise",
        "bellman",
        "picard",
    ],
)
def test_displacement_is_reached_at_a_corner_of_the_support(name):
    family, start = EXAMPLES[name]
    rng = np.random.default_rng(0)
    draws = []
    for op in family.sample(30, seed=1):
        draw = np.array(op.draw, dtype=float)
        for _ in range(40):
            corner = draw.copy()
            if name == "bellman":  # every reward at one end, the successors as drawn
                corner[0] = REWARDS + rng.choice([-1.0, 1.0])
            elif name == "least squares, noise" or name == "expanding, sine":
                corner[1] = rng.choice([-1.0, 1.0])
            else:
                laws = {"picard": [(-2, 2), (-1, 1)], "linearized, two points": [(-1, 1)] * 3}
                ends = laws.get(name, [(-1.0, 2.0)] * len(corner))
                corner = np.array([rng.choice(pair) for pair in ends], dtype=float)
            draws.append(corner)
    moves = [float(family.space.distance(start, family.apply(start, c))) for c in draws]
    assert max(moves) == pytest.approx(family.displacement(start).value, rel=1e-13)


def test_moments_of_displacements():
    uniform = fam.QuadraticSGD(0.3, fam.Uniform(-1, 2), 1)
    for p in (0.5, 1.0, 3.0):
        oracle = integrate.quad(lambda e, p=p: (0.3 * abs(e - 0.7)) ** p / 3, -1, 2, points=[0.7])[0] ** (1 / p)
        assert uniform.displacement_moment(np.array([0.7]), p).value == pytest.approx(oracle, rel=1e-8)
    family, start = EXAMPLES["linearized, correlated"]
    center = H @ (start - family.theta_star)
    second = 0.16 * (np.trace(COV) + center @ center)
    assert family.displacement_moment(start, 2.0).value == pytest.approx(math.sqrt(second))
    ball, z = EXAMPLES["heavy ball"]
    now, before = z[:2], z[2:]
    drift = -0.3 * np.array([1.0, 2.0]) * now + 0.8 * (now - before)
    second = np.sum((drift + 0.3 * 0.5) ** 2) + 2 * 0.09 * 9 / 12 + np.sum((now - before) ** 2)
    assert ball.displacement_moment(z, 2.0).value == pytest.approx(math.sqrt(second))
    bernoulli = fam.BernoulliConvolution(HALF)
    assert bernoulli.displacement_moment(np.array([0.25]), 2.0).value == pytest.approx(math.sqrt((1 / 64 + 9 / 64) / 2))
    expanding, one = EXAMPLES["expanding, linear"]
    assert expanding.displacement_moment(one, 1 / 3).value == pytest.approx(((2 ** (1 / 3) + 0.25 ** (1 / 3)) / 2) ** 3)


# --- stationary laws ------------------------------------------------------------------------------------------------


def test_stationary_moments_of_common_linear_families():
    quadratic = affine_moments(fam.QuadraticSGD(0.3, fam.Uniform(0, 2), 2))
    assert np.allclose(quadratic.stationary_mean, 1.0)
    assert np.allclose(quadratic.stationary_covariance, 0.3 / 3 / 1.7 * np.eye(2))
    family = EXAMPLES["linearized, correlated"][0]
    moments = affine_moments(family)
    A, S = family.linear_part, moments.stationary_covariance
    assert np.allclose(S, A @ S @ A.T + 0.16 * COV, rtol=0, atol=1e-13)
    assert np.allclose(moments.stationary_mean, family.theta_star)
    ball = fam.HeavyBall([1.0], 0.5, 0.9, fam.Uniform(-1, 1))
    assert affine_moments(ball).stationary_covariance[0, 0] == pytest.approx(0.95960, abs=5e-6)  # STATEMENTS 2.7
    assert ball.contraction.value == pytest.approx(1.88, abs=5e-3)
    assert ball.spectral_radius == pytest.approx(math.sqrt(0.9))
    assert fam.HeavyBall([3.0], 1.2667, 0.9).spectral_radius > 1 > fam.HeavyBall([3.0], 1.2666, 0.9).spectral_radius
    for unstable in (fam.QuadraticSGD(2.5), fam.HeavyBall([3.0], 1.3, 0.9)):
        with pytest.raises(ValueError, match="spectral radius of A must be below one"):
            _ = affine_moments(unstable).stationary_covariance
    with pytest.raises(ValueError, match="infinite variance"):
        affine_moments(fam.QuadraticSGD(0.5, fam.Student(2.0)))


def test_stationary_moments_of_random_affine_maps():
    """Against exact finite-n moments by enumeration: the gap shrinks as the mean-square rate says."""
    A, b, weights = [0.5 * np.eye(2), np.array([[0.1, 0.3], [0.0, 0.5]])], np.eye(2), [0.25, 0.75]
    found = affine_moments(fam.RandomAffine(A, b, weights))
    m, M = np.zeros(2), np.zeros((2, 2))
    pairs = list(zip(weights, A, b, strict=True))
    for _ in range(80):
        M = sum(w * (A @ M @ A.T + np.outer(A @ m, b) + np.outer(b, A @ m) + np.outer(b, b)) for w, A, b in pairs)
        m = sum(w * (A @ m + b) for w, A, b in pairs)
    assert np.allclose(found.stationary_mean, m, rtol=1e-12)
    assert np.allclose(found.stationary_covariance, M - np.outer(m, m), rtol=1e-11)
    assert np.allclose(found.EAA @ np.eye(2).reshape(-1), sum(w * A @ A.T for w, A, _ in pairs).reshape(-1))
    kesten = affine_moments(fam.RandomAffine([2.0, 0.25], [1.0, 1.0]))
    with pytest.raises(ValueError, match=r"E A must be below one, got 1.125"):
        _ = kesten.stationary_mean
    with pytest.raises(ValueError, match="E A⊗A must be below one"):
        _ = kesten.stationary_covariance


def test_kesten_oracle():
    family = EXAMPLES["expanding, linear"][0]
    assert family.log_mean == pytest.approx(-math.log(2) / 2)
    assert family.factor_moment(1.0) == 1.125
    assert family.kesten_index == pytest.approx(math.log2((1 + math.sqrt(5)) / 2), abs=1e-14)
    assert family.factor_moment(1 / 3) == pytest.approx(2 ** (1 / 3) * 0.75)
    with pytest.raises(ValueError, match="Kesten index needs"):
        _ = fam.ExpandingOnAverage([0.5]).kesten_index
    assert fam.ExpandingOnAverage([0.0, 2.0]).log_mean == -math.inf


def test_page_rank_vector():
    family = fam.PageRank(LINKS)
    x = family.stationary_mean
    assert np.sum(x) == pytest.approx(1.0)
    assert np.allclose(family.damping * family.link_matrix @ x + 0.15 / 4, x)
    # E T x = damping P x + (1 - damping) v: the mean over draws, entries within Hoeffding's 0.04 (error below 1e-13)
    start = np.full(4, 0.25)
    mean = family.sample(1, replicas=10_000)[0](np.broadcast_to(start, (10_000, 4))).mean(axis=0)
    assert np.max(np.abs(mean - family.damping * family.link_matrix @ start - 0.15 / 4)) < 0.04


def test_fixed_points():
    assert np.array_equal(fam.QuadraticSGD(0.3, fam.Uniform(2, 2), 2).fixed_point, [2.0, 2.0])
    assert fam.QuadraticSGD(0.3).fixed_point is None
    noiseless = fam.LinearizedSGD([1.0, 2.0], np.eye(2), 0.3, fam.Uniform(0, 0))
    assert np.array_equal(noiseless.apply(noiseless.fixed_point, np.zeros(2)), noiseless.fixed_point)
    assert fam.FiniteFamily([(0.5, 1.0), (-0.5, 3.0)]).fixed_point == pytest.approx(2.0)
    assert fam.FiniteFamily([(0.5, 1.0), (-0.5, 1.0)]).fixed_point is None


def test_least_squares_leaves():
    family, start = EXAMPLES["least squares"]
    Q = family.leaf_basis
    assert Q.shape == (3, 2)
    assert family.contraction.value == 1.0
    point = family.interpolator(start)
    assert np.allclose(X[:2] @ point, Y[:2])
    noisy = EXAMPLES["least squares, noise"][0]
    for op in noisy.sample(10):
        move = op(start) - start
        assert np.allclose(Q @ (Q.T @ move), move, atol=1e-14)  # every move stays in the row space
        c = np.array([0.3, -0.7])
        assert np.allclose(start + Q @ noisy.on_leaf(op.draw, start)(c), op(start + Q @ c), atol=1e-14)
    for op in family.sample(10):
        assert np.allclose(op(point), point, atol=1e-14)
    assert np.allclose(family.fixed_point, family.interpolator(np.zeros(3)))
    assert noisy.fixed_point is None
    with pytest.raises(ValueError, match="no theta interpolates"):
        fam.LeastSquares([[1.0, 0.0], [1.0, 0.0]], [0.0, 1.0], 0.1).interpolator(np.zeros(2))


# --- Bernoulli convolutions -----------------------------------------------------------------------------------------


def bernoulli_law(family, n, theta0=Fraction(0)):
    law = Counter()
    for word, p in family.law.words(n):
        theta = np.array([theta0])
        for letter in word:
            theta = family.maps[letter](theta)
        law[theta[0]] += p
    return law


@given(
    st.fractions(Fraction(1, 10), Fraction(19, 10), max_denominator=10),
    st.sampled_from([(0, 1), (-1, 1), (2, 5)]),
    st.integers(0, 5),
)
@settings(max_examples=settings().max_examples // 3)
def test_bernoulli_moments_are_exact(h, values, n):
    family = fam.BernoulliConvolution(h, values, (Fraction(1, 3), Fraction(2, 3)))
    law = bernoulli_law(family, n, Fraction(1, 7))
    mean = sum(p * x for x, p in law.items())
    assert mean == family.mean(n, Fraction(1, 7))
    assert sum(p * x * x for x, p in law.items()) - mean**2 == family.variance(n)
    assert abs(family.variance() - family.variance(200)) <= abs(1 - h) ** 400 * family.variance()


@pytest.mark.parametrize(
    ("h", "named"),
    [
        (HALF, ("uniform", 0, 1)),
        (Fraction(3, 2), ("uniform", -1, 2)),
        (Fraction(2, 3), ("cantor", 0, 1)),
        (Fraction(1, 4), None),
    ],
)
def test_named_limits(h, named):
    family = fam.BernoulliConvolution(h)
    assert family.stationary == named
    if named is None:
        with pytest.raises(ValueError, match="no closed form"):
            family.stationary_cdf(0.5)
        return
    # atoms at n = 10 are within |1-h|^10 diameter of the limit: F(x - r) <= F_n(x) <= F(x + r) at every atom
    law = bernoulli_law(family, 10)
    atoms = np.array([float(x) for x in sorted(law)])
    below = np.cumsum([float(law[x]) for x in sorted(law)])
    radius = float(abs(1 - h)) ** 10 * 3 * (1 + 1e-9)
    assert np.all(family.stationary_cdf(atoms - radius) <= below + 1e-12)
    assert np.all(below <= family.stationary_cdf(atoms + radius) + 1e-12)
    assert family.variance() == h * Fraction(1, 4) / (2 - h)


def test_cantor_distribution_function():
    family = fam.BernoulliConvolution(Fraction(2, 3))
    points = [-1, 0, 1 / 9, 0.15, 1 / 3, 0.5, 2 / 3, 0.25, 1, 2]
    assert np.allclose(family.stationary_cdf(points), [0, 0, 0.25, 0.25, 0.5, 0.5, 0.5, 1 / 3, 1, 1], atol=1e-9)


def test_characteristic_function():
    family = fam.BernoulliConvolution(0.3, (-1, 1))
    t = np.array([0.0, 0.7, 3.0])
    product = np.prod([np.cos(t * 0.3 * 0.7**j) for j in range(9)], axis=0)
    assert np.allclose(family.characteristic_function(t, 9, 0.4), np.exp(1j * t * 0.4 * 0.7**9) * product, atol=1e-15)
    exact = fam.BernoulliConvolution(Fraction(3, 10), (0, 1))
    law = bernoulli_law(exact, 6)
    direct = [sum(float(p) * np.exp(1j * s * float(x)) for x, p in law.items()) for s in t]
    assert np.allclose(exact.characteristic_function(t, 6), direct, atol=1e-13)


def test_exact_points_stay_exact():
    ops = fam.BernoulliConvolution(Fraction(2, 3)).sample(30)
    rows = ct.backward_iterates(ops, Fraction(1, 7))
    assert all(isinstance(x, Fraction) for x in rows[:, 0])
    floats = ct.backward_iterates(ops, 1 / 7)
    assert floats.dtype == np.float64
    assert np.allclose(rows[:, 0].astype(float), floats[:, 0], rtol=0, atol=1e-15)
    assert EXAMPLES["constant"][0].stationary_support[0][0] == HALF
