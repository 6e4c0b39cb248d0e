"""Spaces: the axioms of a metric on batches, induced operator norms, exactness, and what is refused."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import contraction as ct
from contraction import strategies

EPS = np.finfo(float).eps
GRID = np.linspace(0, 2, 5)
VECTOR_SPACES = [
    ct.Euclidean(),
    ct.WeightedEuclidean(np.diag([1.0, 4.0, 9.0, 0.25, 1.0]) + 0.1),
    ct.SupNorm(),
    ct.L1Simplex(),
    ct.GridFunctions(GRID, 1.5),
    ct.Metric(lambda x, y: np.sum(np.sqrt(np.abs(x - y)), axis=-1)),
]


def name_of(space):
    return type(space).__name__


@pytest.mark.parametrize("space", VECTOR_SPACES, ids=name_of)
@given(seed=st.integers(0, 2**31), scale=st.sampled_from([1e-200, 1.0, 1e6, 1e200]))
@settings(max_examples=settings().max_examples // 4)
def test_axioms(space, seed, scale):
    x, y, z = scale * np.random.default_rng(seed).standard_normal((3, 4, 5))
    d = space.distance
    assert d(x, y).shape == (4,)
    assert np.all(d(x, x) == 0)
    assert np.array_equal(d(x, y), d(y, x))
    assert np.all(d(x, y) > 0)
    assert np.all(d(x, z) <= (d(x, y) + d(y, z)) * (1 + 40 * EPS))


@pytest.mark.parametrize("space", VECTOR_SPACES, ids=name_of)
def test_batches_broadcast(space):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((3, 1, 5)), rng.standard_normal((7, 5))
    out = space.distance(x, y)
    assert out.shape == (3, 7)
    assert out[2, 4] == pytest.approx(float(space.distance(x[2, 0], y[4])), rel=10 * EPS)


NORMED = [ct.Euclidean(), VECTOR_SPACES[1], ct.SupNorm(), ct.L1Simplex()]


@pytest.mark.parametrize("space", NORMED, ids=name_of)
@given(seed=st.integers(0, 2**31))
@settings(max_examples=settings().max_examples // 4)
def test_operator_norm_bounds_every_ratio(space, seed):
    rng = np.random.default_rng(seed)
    A, v = rng.standard_normal((5, 5)), rng.standard_normal((200, 5))
    zero = np.zeros(5)
    ratios = space.distance(v @ A.T, zero) / space.distance(v, zero)
    assert np.max(ratios) <= space.operator_norm(A) * (1 + 100 * EPS)


def test_operator_norms_are_attained():
    A = np.array([[1.0, -2.0], [3.0, 0.5]])
    zero, v = np.zeros(2), np.linalg.svd(A)[2][0]
    assert np.linalg.norm(A @ v) == pytest.approx(float(ct.Euclidean().operator_norm(A)), rel=10 * EPS)
    assert ct.SupNorm().operator_norm(A) == ct.SupNorm().distance(A @ [1.0, 1.0], zero) == 3.5
    assert ct.L1Simplex().operator_norm(A) == ct.L1Simplex().distance(A @ [1.0, 0.0], zero) == 4.0
    P = np.array([[2.0, 0.5], [0.5, 1.0]])
    space = ct.WeightedEuclidean(P)
    w = np.linalg.solve(space.root, np.linalg.svd(space.root @ A @ np.linalg.inv(space.root))[2][0])
    ratio = space.distance(A @ w, zero) / space.distance(w, zero)
    assert float(ratio) == pytest.approx(float(space.operator_norm(A)), rel=100 * EPS)
    assert float(space.distance(w, zero)) == pytest.approx(float(np.sqrt(w @ P @ w)), rel=100 * EPS)


@pytest.mark.control
def test_the_norms_differ():
    A = np.array([[1.0, -2.0], [3.0, 0.5]])
    values = {round(float(s.operator_norm(A)), 6) for s in (ct.Euclidean(), ct.SupNorm(), ct.L1Simplex())}
    assert len(values) == 3


@given(st.integers(1, 20).flatmap(strategies.symmetric_positive_definite))
@settings(max_examples=settings().max_examples // 4)
def test_weighted_norm_of_any_positive_definite_matrix(P):
    space, d = ct.WeightedEuclidean(P), len(P)
    x = np.random.default_rng(0).standard_normal((3, d))
    direct = np.sqrt(np.einsum("ni,ij,nj->n", x, P, x))
    assert np.allclose(space.distance(x, np.zeros(d)), direct, rtol=1e3 * d * EPS)
    assert float(space.operator_norm(0.5 * np.eye(d))) == pytest.approx(0.5, rel=1e3 * d**2 * EPS)


def test_bielecki_weights():
    space = ct.GridFunctions(GRID, 1.5)
    assert np.array_equal(space.weights, np.exp(-1.5 * GRID))
    bump = np.array([0, 0, 0, 0, 1.0])
    assert float(space.distance(bump, 0 * bump)) == np.exp(-3.0)


# --- words ----------------------------------------------------------------------------------------------------------


def words(*numbers):
    return np.array(numbers, dtype=object)[:, None]


@given(*[st.integers(0, 10**30)] * 3, st.integers(2, 10))
@settings(max_examples=settings().max_examples)
def test_words_are_an_ultrametric(x, y, z, base):
    space = ct.Words(base)
    d = lambda a, b: space.distance(words(a), words(b))[0]  # noqa: E731
    assert d(x, x) == 0
    assert d(x, y) == d(y, x)
    assert d(x, z) <= max(d(x, y), d(y, z))
    assert isinstance(d(x, y), Fraction)
    length = 120
    a, b = space.letters(x, length), space.letters(y, length)
    first = next((i for i in range(length) if a[i] != b[i]), None)
    assert d(x, y) == (0 if first is None else Fraction(1, base**first))


def test_words_beyond_floats():
    space = ct.Words(2)
    assert space.distance(words(2**5000), words(0))[0] == Fraction(1, 2**5000)


def test_exact_types_stay_exact():
    x, y = np.array([Fraction(1, 3)]), np.array([Fraction(1, 2)])
    assert ct.Euclidean().distance(x, y) == Fraction(1, 6)
    x, y = np.array([Fraction(1, 3), Fraction(2)]), np.array([Fraction(1, 2), Fraction(0)])
    assert ct.SupNorm().distance(x, y) == 2
    assert ct.L1Simplex().distance(x, y) == Fraction(13, 6)


@given(st.integers(0, 2**31))
@settings(max_examples=settings().max_examples // 4)
def test_random_points_belong_to_their_space(seed):
    rng = np.random.default_rng(seed)
    simplex = ct.L1Simplex()
    simplex.validate(simplex.random_points(rng, np.zeros(4), 30))
    points = ct.Words(3).random_points(rng, words(11), 30)
    assert points.shape == (30, 1)
    assert all(isinstance(p, int) and p >= 0 for p in points[:, 0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ct.WeightedEuclidean(np.array([[1.0, 2.0], [0.0, 1.0]])), "P must be symmetric"),
        (lambda: ct.WeightedEuclidean(np.diag([1.0, -1.0])), r"positive definite, its smallest eigenvalue is -1"),
        (lambda: ct.WeightedEuclidean(np.ones((2, 3))), r"finite square matrix, got shape \(2, 3\)"),
        (lambda: ct.WeightedEuclidean(np.array([[np.nan]])), r"finite square matrix"),
        (lambda: ct.Words(1), r"number of letters, base, must be an integer of at least 2, got 1"),
        (lambda: ct.GridFunctions(np.array([0.0, 0.0, 1.0])), r"strictly increasing"),
        (lambda: ct.GridFunctions(np.array([0.0])), r"at least two points"),
        (lambda: ct.GridFunctions(np.array([0.0, 1.0]), float("nan")), r"rate must be a finite number, got nan"),
        (lambda: ct.L1Simplex().validate([0.5, 0.6]), r"entries >= 0 with sum 1, got .*0.6"),
        (lambda: ct.L1Simplex().validate([1.5, -0.5]), r"entries >= 0 with sum 1"),
        (lambda: ct.L1Simplex().validate([np.nan, 1.0]), r"entries >= 0 with sum 1"),
        (lambda: ct.Metric(3), r"a metric is a function of two points, got 3"),
    ],
)
def test_refused(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_a_metric_of_ones_own_is_a_function():
    family = ct.RandomOperator(
        draw=lambda rng: rng.uniform(-1, 1, 2),
        apply=lambda theta, u: theta / 2 + u,
        contraction=0.5,
        displacement=2,
        space=lambda x, y: np.abs(x - y).sum(axis=-1),
    )
    assert isinstance(family.space, ct.Metric)
    assert ct.certify(family, np.zeros(2)).bound(1) == pytest.approx(2)
    assert np.array_equal(family.space.distance([[1, 1]], [[0, 3]]), [3])


@pytest.mark.parametrize("space", ["sup", ct.Euclidean, 2])
def test_what_is_no_space_is_refused(space):
    with pytest.raises(TypeError, match="a space is one of"):
        ct.RandomOperator(draw=lambda rng: 0, apply=lambda theta, u: theta, space=space)
