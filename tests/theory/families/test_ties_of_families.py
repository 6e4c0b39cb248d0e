"""Families at the numbers where an answer changes, and what their factors in mean square allow for rounding."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

from contraction.families import (
    IID,
    BellmanOperators,
    BernoulliConvolution,
    Gaussian,
    GradientSteps,
    LeastSquares,
    RidgeLogisticLoss,
    RidgeLoss,
    SoftplusLoss,
    Uniform,
    gradient_steps,
    index_laws,
)
from contraction.families.bernoulli import _cantor
from contraction.families.gradient_steps import sharp_factor
from contraction.maps.domains import RotatedBox
from contraction.maps.rounding import EPS, gamma

X, Y = np.array([[1.0, 0.0], [3.0, 1.0], [0.5, -2.0], [0.0, 1.0]]), np.array([1.0, -1.0, 1.0, 1.0])


@pytest.mark.parametrize(("limit", "listed"), [(6, True), (5, False)])
def test_batches_are_listed_up_to_a_number(limit: int, listed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of four rows in six ways; otherwise the largest curvature is bounded by the two longest rows."""
    monkeypatch.setattr(gradient_steps, "BATCHES_LIMIT", limit)
    family = GradientSteps(RidgeLoss(X, Y, 0.25), 0.1, 2)
    assert (family.batches is not None) is listed
    pairs = list(itertools.combinations(range(4), 2))
    largest = max(float(np.linalg.eigvalsh(X[list(p)].T @ X[list(p)] / 2)[-1]) for p in pairs)
    whole = float(np.linalg.eigvalsh(X.T @ X)[-1]) / 2
    rows = (10 + 4.25) / 2  # |x|² of the two longest
    if listed:
        assert [tuple(p) for p in family.batches.tolist()] == pairs  # type: ignore[union-attr]
        assert family.curvature[1] == pytest.approx(0.25 + largest, rel=1e-12)
        assert family.finite_support() is not None
    else:
        assert family.curvature == pytest.approx((0.25, 0.25 + min(whole, rows)), rel=1e-12)
        assert family.finite_support() is None
        with pytest.raises(ValueError, match="there are more than 5 batches"):
            family.support()


@pytest.mark.parametrize(("limit", "enclosed"), [(2, True), (1, False)])
def test_steps_are_enclosed_up_to_a_dimension(limit: int, enclosed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradient_steps, "ENCLOSED_DIM", limit)
    family = GradientSteps(RidgeLoss(X, Y, 0.25), 0.1, 1)
    found = family.step_enclosures(RotatedBox(np.zeros(2), np.ones(2)))
    assert (found is not None) is enclosed
    if found is not None:
        assert len(found) == 4
        for one, x, y in zip(found, X, Y, strict=True):
            assert one.h == 0.1
            np.testing.assert_allclose(one.gradient.mid, -y * x, atol=1e-12)
            np.testing.assert_allclose(one.curvature.mid, np.outer(x, x) + 0.25 * np.eye(2), atol=1e-12)


def test_batches_have_at_least_one_row_and_at_most_all() -> None:
    assert GradientSteps(RidgeLoss(X, Y), 0.1, 4).batches.tolist() == [[0, 1, 2, 3]]  # type: ignore[union-attr]
    for size in (0, 5):
        with pytest.raises(ValueError, match=r"batch"):
            GradientSteps(RidgeLoss(X, Y), 0.1, size)


@pytest.mark.parametrize(("h", "m", "M", "k"), [(0.1, 1.0, 5.0, 0.9), (0.1, 1.0, 19.5, 0.95), (-0.1, 1.0, 5.0, 1.5)])
def test_the_sharp_factor_is_that_of_the_worse_end(h: float, m: float, M: float, k: float) -> None:
    assert sharp_factor(h, m, M) == pytest.approx(k, rel=1e-14)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_factor_in_mean_square_of_random_batches_by_hand(size: int) -> None:
    """√λ_max(E A²) over all batches, and an allowance that grows with the terms that cancel."""
    h, rho, d, N = 0.1, 0.25, 2, 4
    family = GradientSteps(RidgeLoss(X, Y, rho), h, size)
    maps = [
        np.eye(2) * (1 - h * rho) - h * X[list(b)].T @ X[list(b)] / size for b in itertools.combinations(range(4), size)
    ]
    square = np.mean([A @ A for A in maps], axis=0)
    exact = math.sqrt(np.linalg.eigvalsh(square)[-1])
    factor = family.mean_square_factor
    assert factor is not None
    lengths = np.sum(X * X, axis=1)
    share = (N - size) / (size * (N - 1))
    room = (gamma(N + 2 * d + 16) + 8 * d * d * EPS) * (np.trace(square) + 4 * share * h**2 * np.mean(lengths**2))
    lost = gamma(N + 8) * (math.sqrt(d) * (1 + h * rho) + h * np.mean(lengths))
    allowed = math.sqrt(exact**2 + room) - exact + lost + 8 * EPS * exact
    assert factor.value - exact == pytest.approx(allowed, abs=4 * EPS)  # `exact` and both factors are rounded


def test_the_factor_in_mean_square_of_given_batches_by_hand() -> None:
    batches, law = [[0, 1], [2, 3], [1, 2]], IID([F(1, 2), F(1, 4), F(1, 4)])
    h, rho, d = 0.1, 0.25, 2
    family = GradientSteps(RidgeLoss(X, Y, rho), h, batches=batches, law=law)
    maps = [np.eye(2) * (1 - h * rho) - h * X[b].T @ X[b] / 2 for b in batches]
    square = sum(w * A @ A for w, A in zip((0.5, 0.25, 0.25), maps, strict=True))
    exact = math.sqrt(np.linalg.eigvalsh(square)[-1])
    factor = family.mean_square_factor
    assert factor is not None
    longest = max(float(np.mean(np.sum(X[b] ** 2, axis=1))) for b in batches)
    room = (gamma(3 + d + 16) + 8 * d * d * EPS) * np.trace(square)
    lost = gamma(2 + 6) * (math.sqrt(d) * (1 + h * rho) + h * longest)
    allowed = math.sqrt(exact**2 + room) - exact + lost + 8 * EPS * exact
    assert factor.value - exact == pytest.approx(allowed, abs=4 * EPS)
    assert family.linear_terms == 2 + 6


def test_co_coercive_steps_contract_in_mean_square_up_to_twice_the_smoothness() -> None:
    """√(1 - h μ (2 - h M)) for 0 <= h <= 2/M; μ is the curvature of the mean loss."""
    loss = SoftplusLoss(X, Y, 0.5, 2.0)
    M, mu = GradientSteps(loss, 0.1, 1).curvature[1], GradientSteps(loss, 0.1, 1).mean_curvature
    for h in (0.0, 0.05, 1 / M, 2 / M):
        family = GradientSteps(loss, h, 1)
        factor = family.mean_square_factor
        assert factor is not None
        exact = math.sqrt(max(1 - h * mu * (2 - h * M), 0.0))
        room = gamma(1 + 16 * 4 + 16) * 16
        assert factor.value == pytest.approx(math.sqrt(exact**2 + room), rel=1e-14)
        assert factor.value >= exact
    for h in (-0.01, 2.001 / M):
        assert GradientSteps(loss, h, 1).mean_square_factor is None


def test_bounds_with_outward_rounding_are_those_of_the_loss() -> None:
    """m = ρ, M = ρ + sup φ'' times the largest second moment of a batch, and h times the largest gradient."""
    loss = RidgeLogisticLoss(X, Y, 0.5)
    family = GradientSteps(loss, 0.3, 2)
    found = family.constant_bounds(np.array([0.5, -1.0]))
    assert found is not None
    k, D = found
    pairs = [list(p) for p in itertools.combinations(range(4), 2)]
    largest = max(float(np.linalg.eigvalsh(X[p].T @ X[p] / 2)[-1]) for p in pairs)
    M = 0.5 + 0.25 * largest
    assert k.value == pytest.approx(max(abs(1 - 0.3 * 0.5), abs(1 - 0.3 * M)), rel=1e-9)
    theta = np.array([0.5, -1.0])
    slopes = [
        0.5 * theta - np.mean([Y[i] * X[i] / (1 + math.exp(Y[i] * X[i] @ theta)) for i in p], axis=0) for p in pairs
    ]
    exact = 0.3 * max(np.linalg.norm(g) for g in slopes)
    assert exact <= D.value <= exact * (1 + 1e-12)
    assert GradientSteps(loss, 10.0, 2).constant_bounds(theta)[0].value == pytest.approx(10 * M - 1, rel=1e-9)  # type: ignore[index]


@pytest.mark.parametrize(("letters", "n", "listed"), [(2, 3, True), (2, 4, False), (3, 1, True), (3, 2, False)])
def test_words_are_listed_up_to_a_number(letters: int, n: int, listed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_laws, "WORDS_LIMIT", 8)
    law = IID(letters)
    if listed:
        assert len(law.word_law(n)) == letters**n
        assert sum(law.word_law(n).values()) == 1
    else:
        with pytest.raises(
            ValueError, match=rf"up to {letters**n} words of length {n} over {letters} letters, above the"
        ):
            law.word_law(n)
    with pytest.raises(ValueError, match="length of a word"):
        law.word_law(-1)


def bellman(**options: Any) -> BellmanOperators:
    rewards = np.array([[1.0, 0.0], [-1.0, 2.0], [0.0, 0.5]])
    transitions = np.array(
        [[[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]], [[0.25, 0.25, 0.5], [1.0, 0.0, 0.0]], [[0.0, 0.0, 1.0], [0.5, 0.0, 0.5]]]
    )
    return BellmanOperators(rewards, transitions, 0.5, **options)


@pytest.mark.parametrize("noise", [None, Uniform(-0.25, 0.75)])
@pytest.mark.parametrize("sampled", [True, False])
def test_the_displacement_of_bellman_operators_is_that_of_the_best_and_the_worst_draw(
    noise: Any, sampled: bool
) -> None:
    family = bellman(noise=noise, sampled=sampled)
    V = np.array([3.0, -5.0, 1.0])
    low, high = (0.0, 0.0) if noise is None else (-0.25, 0.75)
    moves = []
    for s in range(3):
        for sign, end in ((1, high), (-1, low)):
            choices = []
            for a in range(2):
                if sampled:
                    ahead = [V[t] for t in range(3) if family.transitions[s, a, t] > 0]
                    value = max(ahead) if sign == 1 else min(ahead)
                else:
                    value = family.transitions[s, a] @ V
                choices.append(family.rewards[s, a] + end + 0.5 * value)
            moves.append(sign * (max(choices) - V[s]))
    assert family.displacement(V).value == pytest.approx(max(moves), rel=1e-14)
    both = family.displacement(np.stack([V, np.zeros(3)])).value
    assert both == pytest.approx(max(max(moves), family.displacement(np.zeros(3)).value), rel=1e-14)
    for p in (0.5, 1.0, 3.0):
        quiet = bellman(sampled=sampled).displacement(V).value
        q = max(p, 1.0)
        push = 0.0 if noise is None else 6 ** (1 / q) * noise.absolute_norm(q)
        assert family.displacement_moment(V, p).value == pytest.approx(min(quiet + push, max(moves)), rel=1e-12)


def test_bellman_operators_with_unbounded_noise_have_moments_alone() -> None:
    family, V = bellman(noise=Gaussian(1.0)), np.zeros(3)
    assert family.displacement(V).value == math.inf
    assert family.displacement_moment(V, 2.0).value == pytest.approx(
        bellman().displacement(V).value + math.sqrt(6), rel=1e-9
    )
    assert bellman(noise=None).displacement_moment(V, math.inf).value == bellman().displacement(V).value


@pytest.mark.parametrize(("off", "good"), [(12, True), (-12, True), (13, False), (-13, False)])
def test_transitions_sum_to_one_up_to_four_units_a_state(off: int, good: bool) -> None:
    """Of three states: 12 units of 2^-52."""
    transitions = np.zeros((3, 1, 3))
    transitions[:, 0, 0] = 1.0
    transitions[1, 0, 0] = 1.0 + off * EPS
    if good:
        assert BellmanOperators(np.zeros((3, 1)), transitions).dim == 3
    else:
        with pytest.raises(ValueError, match="must be >= 0 and sum to one"):
            BellmanOperators(np.zeros((3, 1)), transitions)


def test_the_leaf_of_dependent_rows_has_their_rank() -> None:
    """Singular values below max(n, d) units of the largest count as 0."""
    for share, rank in ((0.5, 1), (2.0, 2)):
        data = np.zeros((4, 3))
        data[0, 0], data[1, 1] = 3.0, 3.0 * share * 4 * EPS
        assert LeastSquares(data, np.zeros(4), 0.1).leaf_basis.shape == (3, rank)
    assert LeastSquares(np.zeros((4, 3)), np.zeros(4), 0.1).leaf_basis.shape == (3, 0)


def test_data_are_interpolated_up_to_ten_thousand_units() -> None:
    """10^4 · 2^-52 · max(n, d) · (|X| (|θ| + |shift|) + |y|): equations x = 1 and x = 1 + e miss by e/2 each."""
    slack = 1e4 * EPS * 2 * (1 + 1)
    for share, good in ((0.95, True), (1.05, False)):
        family = LeastSquares([[1.0], [1.0]], [1.0, 1.0 + 2 * share * slack], 0.1)
        if good:
            np.testing.assert_allclose(family.interpolator(np.zeros(1)), [1.0], rtol=1e-9)
            assert family.fixed_point is not None
        else:
            with pytest.raises(ValueError, match="no theta interpolates the data"):
                family.interpolator(np.zeros(1))
            assert family.fixed_point is None


@pytest.mark.parametrize("h", [F(1, 2), F(3, 2), F(2, 3), F(4, 3), 0.5, 1.5])
def test_named_limits_lie_between_the_fixed_points(h: Any) -> None:
    """The hull is sent into itself by both maps, and its ends are reached."""
    family = BernoulliConvolution(h, (F(-1), F(3)))
    named = family.stationary
    assert named is not None
    name, low, high = named
    assert name == ("uniform" if abs(1 - F(h)) == F(1, 2) else "cantor")
    images = [[(1 - h) * x + h * v for x in (low, high)] for v in (-1, 3)]
    assert min(map(min, images)) == pytest.approx(float(low), abs=1e-14)
    assert max(map(max, images)) == pytest.approx(float(high), abs=1e-14)


@pytest.mark.parametrize(("off", "named"), [(0.0, True), (EPS / 2, True), (4 * EPS, False)])
def test_a_third_in_floats_is_named_up_to_a_unit(off: float, named: bool) -> None:
    family = BernoulliConvolution(1 - (1 / 3 + off), (0, 1))
    assert (family.stationary is not None) is named
    assert BernoulliConvolution(0.5, (0, 1), (F(1, 3), F(2, 3))).stationary is None
    assert BernoulliConvolution(F(2, 5), (0, 1)).stationary is None


def test_cantors_function_at_ternary_fractions() -> None:
    exact = {
        0.0: 0.0,
        1 / 9: 0.25,
        0.15: 0.25,
        1 / 3: 0.5,
        0.5: 0.5,
        0.66: 0.5,
        0.7: 0.6,
        8 / 9: 0.75,
        1.0: 1.0,
        -1.0: 0.0,
        2.0: 1.0,
        0.25: 1 / 3,
        0.75: 2 / 3,
    }
    found = _cantor(np.array([*exact]))
    np.testing.assert_allclose(found, [*exact.values()], atol=2e-10)  # a step of 2^-52 is one of (2^-52)^(ln 2 / ln 3)
