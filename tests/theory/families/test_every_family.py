"""Every family, with ordinary and with degenerate numbers, against what its drawn maps do.

Nothing here looks at formulas: each closed answer is compared with all maps where they can be listed, and with many
drawn ones elsewhere.
"""

from __future__ import annotations

import itertools
import math
from typing import get_args

import numpy as np
import pytest

import contraction as ct
from contraction import families as fam
from contraction.families.losses import DataLoss
from contraction.maps.affine import as_matrix
from contraction.maps.constants import Origin
from contraction.maps.rounding import gamma
from contraction.maps.support import probabilities
from tests.theory.family_examples import EXAMPLES, HALF, LABELS, LINKS, ONES, REWARDS, TRANSITIONS, H, X, Y

POINT = fam.Uniform(2, 2)
TWO = np.array([2.0, -1.0])
#: Families with a number at the end of its range, or where a part of the map is missing: (family, start).
DEGENERATE = {
    "quadratic, h = 0": (fam.QuadraticSGD(0.0, fam.Uniform(-1, 2), 2), TWO),
    "quadratic, h = 0, unbounded": (fam.QuadraticSGD(0.0, fam.Gaussian(), 2), TWO),
    "quadratic, one value": (fam.QuadraticSGD(0.5, POINT, 2), TWO),
    "quadratic, one value, h = 0": (fam.QuadraticSGD(0.0, POINT, 2), TWO),
    "quadratic, h = 2": (fam.QuadraticSGD(2.0, fam.TwoPoint(0, 1), 2), TWO),
    "linearized, h = 0": (fam.LinearizedSGD([1.0, 0.0], np.eye(2), 0.0, fam.Gaussian()), TWO),
    "linearized, no noise": (fam.LinearizedSGD([1.0, 0.0, 2.0], H, 0.3, fam.Uniform(0, 0)), ONES),
    "linearized, one value": (fam.LinearizedSGD([1.0, 0.0, 2.0], H, 0.3, POINT), ONES),
    "linearized, hH = I": (fam.LinearizedSGD([1.0, 0.0], 4 * np.eye(2), 0.25, fam.TwoPoint()), TWO),
    "heavy ball, h = 0": (fam.HeavyBall([1.0, 2.0], 0.0, 0.8, fam.Uniform(-1, 2)), np.array([1.0, 0.0, 0.5, 3.0])),
    "heavy ball, no momentum": (fam.HeavyBall([1.0, 2.0], 0.5, 0.0, fam.TwoPoint()), np.array([1.0, 0.0, 0.5, 3.0])),
    "ridge, h = 0": (fam.GradientSteps(fam.RidgeLoss(X, Y, 0.3), 0.0, 4), ONES),
    "ridge, all rows": (fam.GradientSteps(fam.RidgeLoss(X, Y, 0.0), 0.1, 6), ONES),
    "ridge, h = 1": (fam.GradientSteps(fam.RidgeLoss([[1.0]], [2.0]), 1.0), np.array([3.0])),
    "ridge, unlike weights": (
        fam.GradientSteps(
            fam.RidgeLoss(X, Y, 0.3), 0.15, batches=[[0, 1], [2, 3], [4, 5]], law=fam.IID([0.5, 0.25, 0.25])
        ),
        ONES,
    ),
    "least squares, h = 0": (fam.LeastSquares(X[:2], Y[:2], 0.0, 1, fam.Gaussian()), ONES),
    "least squares, one unknown": (fam.LeastSquares([[1.0], [2.0]], [1.0, 2.0], 0.1), np.array([4.0])),
    "constant, one point": (fam.ConstantMaps([[1, 2]]), TWO),
    "constant, never drawn": (fam.ConstantMaps([[1, 2], [100, 100]], [1, 0]), TWO),
    "finite, never drawn": (fam.FiniteFamily([(HALF, 0), (0, 1), (5, 100)], [HALF, HALF, 0]), np.array([1.0])),
    "finite, one widened": (fam.FiniteFamily([(0.5, 1.0), (np.diag([0.1, 0.2, 0.3]), [0, 0, 1])]), ONES),
    "finite, wider than its maps": (fam.FiniteFamily([(0.5, 1.0), (0.25, 0.0)], dim=3), ONES),
    "finite, factor 0": (fam.FiniteFamily([(0, 1), (0, 2)]), np.array([1.0])),
    "finite, a common map": (fam.FiniteFamily([(0.5, 1.0), (-0.5, 3.0)]), np.array([1.0])),
    "bernoulli, one value": (fam.BernoulliConvolution(HALF, (3, 3)), np.array([0.25])),
    "bernoulli, h = 1": (fam.BernoulliConvolution(1, (0, 1)), np.array([0.25])),
    "random affine, factor 0": (fam.RandomAffine([0.0, 0.0], [1.0, 2.0]), np.array([1.0])),
    "expanding, factor 0": (fam.ExpandingOnAverage([0.0, 0.0]), np.array([1.0])),
    "expanding, one factor 0": (fam.ExpandingOnAverage([0.0, 0.5]), np.array([1.0])),
    "finite, one factor 0": (fam.FiniteFamily([(0, 1), (0.5, 2)]), np.array([1.0])),
    "page rank, one page of few targets": (fam.PageRank([[0, 1], [1, 1]]), np.full(2, 0.5)),
    "expanding, never drawn": (fam.ExpandingOnAverage([0.5, 7.0], [1, 0], fam.TwoPoint()), np.array([3.0])),
    "expanding, negative": (fam.ExpandingOnAverage([-1.5, 0.5], [0.25, 0.75], fam.TwoPoint()), np.array([3.0])),
    "prefixes, never drawn": (fam.PrefixMaps([(0,), (1, 1)], [0, 1]), np.array([5], dtype=object)),
    "bellman, no discount": (fam.BellmanOperators(REWARDS, TRANSITIONS, 0.0, fam.TwoPoint()), np.ones(4)),
    "bellman, no noise": (fam.BellmanOperators(REWARDS, TRANSITIONS, 0.9), np.ones(4)),
    "page rank, no damping": (fam.PageRank(LINKS, 0.0), np.full(4, 0.25)),
    "page rank, damping 1": (fam.PageRank(LINKS, 1.0), np.full(4, 0.25)),
    "page rank, one page": (fam.PageRank([[1.0]]), np.ones(1)),
    "page rank, one target": (fam.PageRank([[0, 0], [1, 1]]), np.full(2, 0.5)),
    "picard, slope 0": (fam.PicardIteration([0.0, 1.0, 3.0], 1.0, fam.Uniform(0, 0), fam.TwoPoint()), np.zeros(3)),
    "picard, unbounded": (fam.PicardIteration([0.0, 1.0, 3.0], 1.0, forcing=fam.Gaussian()), np.zeros(3)),
}
FAMILIES = EXAMPLES | DEGENERATE
NAMES = sorted(FAMILIES)
ORDERS = (0.5, 1.0, 1.5, 2.0, 3.0, math.inf)


def drawn_maps(family: ct.RandomOperator) -> list:
    return [op.draw for op in family.sample(30, seed=7)]


def moment(family: ct.RandomOperator, start: np.ndarray, p: float) -> ct.Constant | None:
    return family.displacement(start) if p == math.inf else family.displacement_moment(start, p)


@pytest.mark.parametrize("name", NAMES)
def test_constants_are_numbers_with_an_origin_and_a_source(name):
    family, start = FAMILIES[name]
    stated = [family.contraction, family.mean_square_factor, family.contraction_on_ball(start, 1.0)]
    stated += [moment(family, start, p) for p in ORDERS]
    for constant in stated:
        if constant is not None:
            assert isinstance(constant.value, float)
            assert constant.value >= 0
            assert constant.origin in get_args(Origin)
            assert isinstance(constant.source, str)
            assert constant.source


@pytest.mark.parametrize("name", NAMES)
def test_a_family_is_constant_if_every_map_forgets_its_point(name):
    """Two points, and their images under 30 drawn maps: equal to the last digit for all maps, or not. Gradient steps
    never say so (the default of the base class)."""
    family, start = FAMILIES[name]
    if start.dtype == object:
        other = start + 3
    elif isinstance(family, fam.PageRank):
        other = np.eye(family.dim)[0]
    else:
        other = start + np.linspace(0.7, 1.3, family.dim)
    images = [(family.apply(start, draw), family.apply(other, draw)) for draw in drawn_maps(family)]
    forgets = all(np.array_equal(a, b) for a, b in images)
    silent = type(family).is_constant is ct.RandomOperator.is_constant
    if not np.array_equal(start, other):  # on one point every map is constant
        assert family.is_constant == (forgets and not silent)
    if family.is_constant:
        assert family.contraction.value == 0


def exact_moments(family: ct.RandomOperator, start: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """(weights, distances) of all maps, where they are finitely many: of the support, or of noise with two values."""
    support = family.finite_support()
    if support is not None:
        weights = probabilities(support)
        draws = [draw for _, draw in support]
        return None if weights is None else (weights, distances(family, start, draws))
    noise = getattr(family, "noise", None)
    if isinstance(noise, fam.TwoPoint) and isinstance(family, fam.QuadraticSGD | fam.LinearizedSGD | fam.HeavyBall):
        count = family.parameters if isinstance(family, fam.HeavyBall) else family.dim
        words = list(itertools.product([(v, w) for v, w in noise.atoms if w > 0], repeat=count))
        weights = np.array([math.prod(float(w) for _, w in word) for word in words])
        return weights, distances(family, start, [np.array([float(v) for v, _ in word]) for word in words])
    if isinstance(family, fam.ExpandingOnAverage) and isinstance(family.offset, fam.TwoPoint):
        pairs = [
            (float(p) * float(w), np.array([float(K), float(v)]))
            for K, p in zip(family.factors, family.weights, strict=True)
            for v, w in family.offset.atoms
            if p > 0 and w > 0
        ]
        return np.array([w for w, _ in pairs]), distances(family, start, [draw for _, draw in pairs])
    return None


def distances(family: ct.RandomOperator, start: np.ndarray, draws: list) -> np.ndarray:
    return np.array([float(family.space.distance(start, family.apply(start, draw))) for draw in draws])


LISTED = [name for name in NAMES if exact_moments(*FAMILIES[name]) is not None]


def test_many_families_are_listed():
    assert len(LISTED) >= 30


@pytest.mark.parametrize("name", LISTED)
def test_displacements_are_those_of_all_maps(name):
    """(Σ w d^p)^(1/p) over every map: reached where the documentation says exact, and never exceeded."""
    family, start = FAMILIES[name]
    weights, moves = exact_moments(family, start)
    assert math.fsum(weights) == pytest.approx(1, abs=1e-12)
    common = isinstance(family, fam.QuadraticSGD | fam.LinearizedSGD | fam.HeavyBall)
    for p in ORDERS:
        found = moment(family, start, p)
        if found is None:
            assert isinstance(family, fam.OwnLossSteps)
            return
        exact = float(np.max(moves)) if p == math.inf else float(weights @ moves**p) ** (1 / p)
        assert found.value >= exact * (1 - 1e-12)
        if not common or p in (2, math.inf) or (family.dim == 1 and not isinstance(family, fam.HeavyBall)):
            assert found.value == pytest.approx(exact, rel=1e-12, abs=1e-15)
        elif p > 2:  # the triangle inequality for squared coordinates: each of them is at most the norm
            assert found.value <= math.sqrt(family.dim) * exact * (1 + 1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_moments_increase_with_their_order(name):
    """From p = 1/2 to the supremum, which no drawn map exceeds. Bounds for different p differ by more than roundings
    only where they come from different inequalities."""
    family, start = FAMILIES[name]
    found = [moment(family, start, p) for p in ORDERS]
    if None in found:
        assert isinstance(family, fam.OwnLossSteps | fam.AffineLaw)
        return
    numbers = [constant.value for constant in found]
    assert all(a <= b * (1 + 1e-12) for a, b in itertools.pairwise(numbers))
    assert max(distances(family, start, drawn_maps(family))) <= numbers[-1] * (1 + 1e-12) + 1e-15


@pytest.mark.parametrize("name", NAMES)
def test_factors_are_the_largest_of_the_maps(name):
    """Each drawn map has at most the common factor; over a listed support the largest of the maps is that factor."""
    family, _ = FAMILIES[name]
    if family.contraction is None:
        return
    k, draws = family.contraction.value, drawn_maps(family)
    assert max(float(family.lipschitz(draw)) for draw in draws) <= k * (1 + 1e-12)
    support = family.finite_support()
    if support is not None:
        assert max(float(family.lipschitz(draw)) for _, draw in support) == pytest.approx(k, rel=1e-12, abs=1e-15)
    if family.is_affine and family.space.is_normed and not isinstance(family.space, ct.L1Simplex):
        for draw in draws[:10]:
            norm = float(family.space.operator_norm(as_matrix(family.affine(draw), family.dim)))
            stated = float(family.lipschitz(draw))
            assert norm == pytest.approx(stated, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_fixed_points_are_those_of_all_maps(name):
    """A stated fixed point stays where it is under every drawn map; without one, no point does so for affine maps
    (`LinearizedSGD` states one without noise only)."""
    family, _ = FAMILIES[name]
    fixed = getattr(family, "fixed_point", None)
    draws = drawn_maps(family)
    if fixed is not None:
        scale = 1 + float(np.max(np.abs(fixed)))
        for draw in draws:
            assert np.max(np.abs(family.apply(fixed, draw) - fixed)) <= gamma(100) * scale * 10 * family.dim
    elif hasattr(type(family), "fixed_point") and family.is_affine and name != "linearized, one value":
        forms = [family.affine(draw) for draw in draws]
        A = np.vstack([np.eye(family.dim) - as_matrix(form, family.dim) for form in forms])
        b = np.concatenate([np.broadcast_to(form.b, (family.dim,)) for form in forms])
        x = np.linalg.lstsq(A, b, rcond=None)[0]
        identity = not np.any(A) and not np.any(b)  # every point is fixed: none is the fixed point
        assert identity or np.max(np.abs(A @ x - b)) > 1e-6


@pytest.mark.parametrize("name", [n for n in NAMES if FAMILIES[n][0].is_affine])
def test_moments_of_affine_maps_are_those_of_all_maps(name):
    """E A, E b, E A⊗A, E A⊗b and E b⊗b, the common linear part and the mean-square factor, over a listed support."""
    family, _ = FAMILIES[name]
    support = family.finite_support()
    weights = None if support is None else probabilities(support)
    if weights is None:
        return
    d = family.dim
    forms = [family.affine(draw) for _, draw in support]
    A = [as_matrix(form, d) for form in forms]
    b = [np.broadcast_to(form.b, (d,)) for form in forms]
    same = all(np.array_equal(one, A[0]) for one in A)
    if family.linear_part is not None:
        assert same
        assert np.array_equal(family.linear_part, A[0])
    if family.is_iid and (found := family.second_moments()) is not None:
        assert pytest.approx(np.tensordot(weights, A, 1), abs=1e-12) == found.EA
        assert found.Eb == pytest.approx(weights @ np.array(b), abs=1e-12)
        kron = np.sum([w * np.kron(a, a) for w, a in zip(weights, A, strict=True)], axis=0)
        assert pytest.approx(kron, abs=1e-12) == found.EAA
        both = np.sum([w * np.kron(v, v) for w, v in zip(weights, b, strict=True)], axis=0)
        assert np.reshape(found.Ebb, -1) == pytest.approx(both, abs=1e-12)
        if family.mean_square_factor is not None and isinstance(family.space, ct.Euclidean):
            gram = np.sum([w * a.T @ a for w, a in zip(weights, A, strict=True)], axis=0)
            assert family.mean_square_factor.value**2 == pytest.approx(np.linalg.eigvalsh(gram)[-1], abs=1e-12)
    if family.offset_mean is not None:
        assert family.offset_mean == pytest.approx(weights @ np.array(b), abs=1e-12)
        centered = np.array(b) - weights @ np.array(b)
        assert family.offset_covariance == pytest.approx((centered.T * weights) @ centered, abs=1e-12)


class Steep(fam.RidgeLogisticLoss):
    """log(1 + exp(-y z)) + 3 z²/20: phi'' is between 0.3 and 0.55."""

    low, high = 0.3, 0.55

    def value(self, z, y):
        return super().value(z, y) + 0.15 * z * z

    def slope(self, z, y):
        return super().slope(z, y) + 0.3 * z

    def bend(self, z, y):
        return super().bend(z, y) + 0.3


LOSSES = (fam.RidgeLogisticLoss(X, LABELS, 0.3), fam.SoftplusLoss(X, Y, 0.3, 2.0), Steep(X, LABELS, 0.1))


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("h", [0.2, 3.0])  # 1 - h m is the larger side, and then h M - 1
@pytest.mark.parametrize("radius", [0.1, 2.0])
def test_factors_on_a_ball_are_those_of_the_extreme_curvatures(loss, h, radius):
    """Row by row, <x, theta> stays within radius |x| of <x, center>, and phi'' between its least and largest value
    there (looked for on a grid); the extreme batch counts. Drawn points of the ball have no steeper step."""
    batches = [[0, 1, 2], [3, 4, 5], [0, 3, 5], [1, 2, 4]]
    family = fam.GradientSteps(loss, h, batches=batches)
    center = np.array([0.2, -0.1, 0.4])
    found = family.contraction_on_ball(center, radius).value
    smallest, largest = [], []
    for rows in batches:
        z, reach = loss.X[rows] @ center, radius * np.linalg.norm(loss.X[rows], axis=1)
        grid = z[:, None] + np.linspace(-1, 1, 4001) * reach[:, None]
        bends = loss.bend(grid, loss.y[rows][:, None])
        for ends, bend, at in ((smallest, bends.min(1), 0), (largest, bends.max(1), -1)):
            ends.append(np.linalg.eigvalsh((loss.X[rows].T * bend) @ loss.X[rows] / 3)[at] + loss.ridge)
    assert found == pytest.approx(max(abs(1 - h * min(smallest)), abs(1 - h * max(largest))), rel=1e-5)
    rng = np.random.default_rng(0)
    for step in rng.standard_normal((40, 3)):
        point = center + radius * step / np.linalg.norm(step)
        for rows in batches:
            bend = loss.bend(loss.X[rows] @ point, loss.y[rows])
            hessian = (loss.X[rows].T * bend) @ loss.X[rows] / 3 + loss.ridge * np.eye(3)
            assert np.linalg.norm(np.eye(3) - h * hessian, 2) <= found * (1 + 1e-12)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("weights", [None, [0.5, 0.25, 0.25]])
def test_the_mean_loss_is_as_convex_as_stated(loss, weights):
    """rho + low λ_min of the mean of X_BᵀX_B/b, over all rows or over the given batches with their probabilities; the
    factor in mean square follows from it."""
    h, batches = 0.3, [[0, 1, 2], [3, 4, 5], [0, 3, 5]]
    law = None if weights is None else fam.IID(weights)
    for family, grams in (
        (
            fam.GradientSteps(loss, h, batches=batches, law=law),
            [w * loss.X[rows].T @ loss.X[rows] / 3 for w, rows in zip(weights or [1 / 3] * 3, batches, strict=True)],
        ),
        (fam.GradientSteps(loss, h, 2), [loss.X.T @ loss.X / 6]),
    ):
        mu = loss.ridge + loss.low * np.linalg.eigvalsh(np.sum(grams, axis=0))[0]
        assert family.mean_curvature == pytest.approx(mu, rel=1e-12)
        M = family.curvature[1]
        assert family.mean_square_factor.value == pytest.approx(math.sqrt(1 - h * mu * (2 - h * M)), rel=1e-12)
    steep = fam.GradientSteps(loss, 2.0 / fam.GradientSteps(loss, h, 2).curvature[1] * (1 + 1e-9), 2)
    assert steep.mean_square_factor is None


def test_a_loss_that_states_nothing_has_curvature_between_0_and_1():
    loss = DataLoss
    assert (loss.low, loss.high, loss.quadratic) == (0.0, 1.0, False)


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0, 3.0])
def test_a_gaussian_with_no_or_hardly_any_spread_is_a_point(p):
    for sd in (0.0, 1e-300):
        noise = fam.Gaussian(sd, center=2.0)
        assert noise.moment(p, about=-1.0) == pytest.approx(3.0**p, rel=1e-15)
    assert fam.Gaussian(0.0, center=2.0).moment(p, about=2.0) == 0.0
    central = 2 ** (p / 2) * math.gamma((p + 1) / 2) / math.sqrt(math.pi)
    assert fam.Gaussian(0.5, center=2.0).moment(p, about=2.0) == pytest.approx(0.5**p * central, rel=1e-14)


@pytest.mark.control
def test_a_family_that_states_too_little_is_seen():
    """The same comparison with a displacement that is a hundredth too small, and with a mean that is off."""
    family, start = FAMILIES["bernoulli, uniform"]
    weights, moves = exact_moments(family, start)
    assert 0.99 * family.displacement(start).value < np.max(moves)
    assert family.displacement_moment(start, 1.0).value * 1.01 > weights @ moves
