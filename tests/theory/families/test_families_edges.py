"""Families at their edges: laws that are nearly stationary, batches of starts, constants from the right rows."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from contraction import families as fam
from contraction.certificates.certify import certify
from contraction.families.losses import RidgeLoss
from tests.theory.family_examples import EXAMPLES, NAMES

HALF, THIRD = Fraction(1, 2), Fraction(1, 3)


def test_an_initial_law_is_stationary_in_every_letter_or_not_at_all():
    """P keeps the mass of letter 3 and exchanges the others': from (1/2, 1/6, 1/3) letter 3 alone stays as it is."""
    P = [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    assert fam.MarkovModulated(P, [HALF, Fraction(1, 6), THIRD]).marginal is None
    even = [THIRD, THIRD, THIRD]
    assert fam.MarkovModulated(P, even).marginal == tuple(even)


def test_a_matrix_of_fractions_and_floats_has_its_stationary_law():
    """Rows (1/2, 1/2) and (.25, .75): (1/3, 2/3), in floats; from Fractions alone in Fractions."""
    mixed = fam.MarkovModulated([[HALF, HALF], [0.25, 0.75]])
    assert mixed.initial == pytest.approx((1 / 3, 2 / 3), abs=1e-15)
    assert all(isinstance(p, float) for p in mixed.initial)
    exact = fam.MarkovModulated([[HALF, HALF], [Fraction(1, 4), Fraction(3, 4)]])
    assert exact.initial == (THIRD, 1 - THIRD)


@pytest.mark.parametrize("p", [0.5, 1.0, 1.5, 2.0, 4.0])
def test_moments_over_a_batch_of_starts_are_those_of_the_worst(p):
    family = fam.HeavyBall(1.0, 0.2, 0.5, noise=fam.Uniform(-1, 1))
    starts = np.array([[3.0, -1.0], [0.1, 0.0], [0.0, 8.0]])
    each = [family.displacement_moment(start, p).value for start in starts]
    assert family.displacement_moment(starts, p).value == pytest.approx(max(each), rel=1e-15)
    assert max(each) > 2 * min(each)


def test_the_displacement_of_least_squares_holds_for_the_longest_rows():
    """Six rows, two of them ten times as long, batches of two, labels off by at most 1: the largest move of all batches
    and all corners of the label noise, which is linear in it, is below D, and within the triangle inequality of it."""
    rng = np.random.default_rng(4)
    X = rng.standard_normal((6, 3)) * np.array([1, 1, 10, 1, 10, 1])[:, None]
    y, theta0, h = np.zeros(6), np.zeros(3), 0.01
    family = fam.LeastSquares(X, y, h, batch_size=2, label_noise=fam.Uniform(-1, 1))
    moves = [
        np.linalg.norm(family.apply(theta0, np.array([batch, noise], dtype=float)) - theta0)
        for batch in itertools.combinations(range(6), 2)
        for noise in itertools.product((-1, 1), repeat=2)
    ]
    D = family.displacement(theta0).value
    longest = np.sort(np.linalg.norm(X, axis=1))[-2:].mean()
    assert max(moves) <= D
    assert pytest.approx(h * longest, rel=1e-12) == D


def test_a_bound_on_the_curvature_of_all_batches():
    """Forty orthogonal rows of length 1, batches of 20: the largest eigenvalue over a batch is 1/20 of a row's, as the
    norm of the whole matrix says; the mean of squared lengths says 1. And repeated rows: the lengths are the better."""
    for X, largest in ((np.eye(40), 1 / 20), (np.ones((40, 1)), 1.0)):
        steps = fam.GradientSteps(RidgeLoss(X, np.zeros(40), 0.25), 0.1, batch_size=20)
        assert steps.batches is None
        m, M = steps.curvature
        assert (m, M) == (0.25, pytest.approx(0.25 + largest, rel=1e-12))


def test_a_gaussian_without_spread_is_one_point():
    assert fam.Gaussian(0.0, center=2.0).interval == (2.0, 2.0)
    assert fam.Gaussian(1e-300).interval == (-math.inf, math.inf)


@pytest.mark.parametrize("law", [fam.Gaussian, fam.Laplace, fam.Cauchy, lambda *numbers: fam.Student(3.0, *numbers)])
def test_a_center_is_passed_by_name(law) -> None:
    """Two numbers look like a mean and a standard deviation, as NumPy takes them; ours come in the other order."""
    assert law(2.0).scale == 2.0 if law is not fam.Gaussian else law(2.0).sd == 2.0
    with pytest.raises(TypeError, match="positional argument"):
        law(0.0, 1.0)


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("prefixes", "page rank")])
@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, math.inf])
def test_constants_of_a_batch_of_starts_are_those_of_the_worst_start(name, p):
    """D and its moments for several starts at once, near and far: the largest of those for each."""
    family, start = EXAMPLES[name]
    starts = np.stack([start, 3 * start + 7.0, start - 0.5]).astype(float)

    def found(points: np.ndarray) -> float | None:
        known = family.displacement(points) if p == math.inf else family.displacement_moment(points, p)
        return None if known is None else float(known.value)

    each = [found(one) for one in starts]
    if None in each:
        assert found(starts) is None
    else:
        assert found(starts) == pytest.approx(max(e for e in each if e is not None), rel=1e-12)


@pytest.mark.parametrize(
    ("H", "h", "constant"),
    [
        ([[2.0]], 0.5, True),
        (np.diag([4.0, 4.0, 4.0]), 0.25, True),
        (np.diag([4.0, 4.0 + 2.0**-50]), 0.25, False),
        ([[4.0, 2.0**-50], [2.0**-50, 4.0]], 0.25, False),
        ([[10.0]], 0.1, False),  # 0.1 is a little more than a tenth
    ],
)
def test_a_factor_of_zero_is_exact_only_where_h_times_the_hessian_is_one(H, h, constant):
    """Then one map forgets the start: the factor stays 0, and it does not where a rounding is left."""
    family = fam.LinearizedSGD(np.ones(len(H)), H, h, fam.Uniform(-1, 1))
    assert family.is_constant == constant
    certificate = certify(family, np.zeros(len(H)))
    assert (certificate.bound(1) == 0) == constant


def test_a_gaussian_vector_has_no_bound_unless_it_is_zero():
    assert fam.GaussianVector(np.diag([0.0, 1.0])).interval == (-math.inf, math.inf)
    assert fam.GaussianVector(np.zeros((2, 2))).interval == (0.0, 0.0)
    assert fam.GaussianVector(np.diag([0.0, 1.0])).bound == math.inf


def test_data_that_can_be_interpolated_are_up_to_rounding():
    """One number each: theta = y/x solves x theta = y but for rounding, and no theta solves two that disagree."""
    rng = np.random.default_rng(2)
    for x, y, theta0 in rng.standard_normal((200, 3)):
        family = fam.LeastSquares([[x]], [y], 0.1)
        assert family.interpolator([theta0]) == pytest.approx(y / x, rel=1e-9)
        assert family.interpolator([0.0]) == pytest.approx(y / x, rel=1e-12)
    with pytest.raises(ValueError, match="no theta interpolates"):
        fam.LeastSquares([[1.0], [1.0]], [1.0, 1.0 + 1e-9], 0.1).interpolator([0.0])


def test_pages_that_all_link_to_one_page_forget_the_start():
    """To page 2 alone, of three: every map is constant, and so is it without damping; one other link is enough not."""
    links = np.array([[0, 0, 0], [0, 0, 0], [1, 1, 1]])
    for family, constant in (
        (fam.PageRank(links), True),
        (fam.PageRank(links, damping=0.0), True),
        (fam.PageRank(links + np.diag([0, 1, 0])), False),
    ):
        assert family.is_constant == constant
        assert (family.contraction.value == 0) == constant


@pytest.mark.parametrize(
    ("h", "values", "exact"), [(HALF, (0, 1), True), (HALF, (0, 0.5), False), (0.5, (0, 1), False)]
)
def test_a_bernoulli_family_is_exact_if_all_its_numbers_are(h, values, exact):
    assert fam.BernoulliConvolution(h, values).exact == exact


@pytest.mark.parametrize(
    ("maps", "weights", "constant"),
    [
        ([(0, 1), (0, 2)], [HALF, HALF], True),
        ([(0, 1), (HALF, 2)], [HALF, HALF], False),
        ([(0, 1), (HALF, 2)], [1, 0], True),  # the other map is never drawn
        ([(0.0, 1.0), (0.0, 2.0)], [0.5, 0.5], True),
        ([(0.25, 1.0), (0.5, 2.0)], [0.5, 0.5], False),
    ],
)
def test_finite_families_of_constant_maps(maps, weights, constant):
    assert fam.FiniteFamily(maps, weights).is_constant == constant


@pytest.mark.parametrize("h", [0.0, 0.1, 1.0])
def test_the_second_moment_of_a_step_with_label_noise(h):
    """Single rows x, residual r, noise of variance 1/3: E |h x (r - xi)|^2 = h^2 mean of |x|^2 (r^2 + 1/3)."""
    X, y, theta = np.array([[1.0, 2.0], [0.5, -1.0]]), np.array([1.0, 0.0]), np.array([0.3, -0.2])
    family = fam.LeastSquares(X, y, h, label_noise=fam.Uniform(-1, 1))
    squares = np.sum(X**2, axis=1) * ((X @ theta - y) ** 2 + 1 / 3)
    assert family.displacement_moment(theta, 2.0).value == pytest.approx(h * math.sqrt(squares.mean()), rel=1e-12)


@pytest.mark.parametrize("p", [0.3, 0.5, 0.9])
def test_the_moment_of_a_step_of_heavy_ball_with_cauchy_noise(p):
    """No second moment. |T z - z| is at least the part r that no noise enters, always; and for p < 1 its p-th power is
    at most the sum of those of the noise, of the drift c and of r, so that this holds for their means."""
    family = fam.HeavyBall(1.0, 0.2, 0.5, noise=fam.Cauchy())
    start = np.array([0.0, 300.0])
    drift, r = np.abs(family.apply(start, np.zeros(1)) - start)
    noise = 0.2 / math.cos(math.pi * p / 2) ** (1 / p)
    found = family.displacement_moment(start, p).value
    assert r == 300
    assert r <= found <= (noise**p + drift**p + r**p) ** (1 / p) * (1 + 1e-12)
