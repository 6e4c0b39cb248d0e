"""Closed forms over random batches, noises and indices against every batch, every value and every draw."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import integrate, stats

from contraction import families as fam
from contraction.families._reasons import why_not_curvature, why_not_hessian
from contraction.families.losses import RidgeLoss
from contraction.maps.constants import Constant
from contraction.statements.cases.error_rates import FALSE_ALARM


def data(rows: int, d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((rows, d)), rng.standard_normal(rows)


@pytest.mark.parametrize("batch", [1, 2, 3, 6])
@pytest.mark.parametrize(("h", "ridge"), [(0.1, 0.3), (0.7, 2.0), (0.4, 0.0)])
def test_the_mean_square_of_gradient_steps_is_that_of_all_batches(h, ridge, batch):
    """A_B = (1 − hμ) I − h XᵀX/b of every batch of six rows: √λ_max of the mean of A², and the second moments."""
    X, y = data(6, 2)
    family = fam.GradientSteps(RidgeLoss(X, y, ridge), h, batch_size=batch)
    A, b = [], []
    for rows in map(list, itertools.combinations(range(6), batch)):
        A.append((1 - h * ridge) * np.eye(2) - h * X[rows].T @ X[rows] / batch)
        b.append(h * X[rows].T @ y[rows] / batch)
    squares = np.mean([one @ one for one in A], axis=0)
    found = family.mean_square_factor
    assert found is not None
    assert found.value == pytest.approx(math.sqrt(np.linalg.eigvalsh(squares)[-1]), rel=1e-12)
    moments = family.second_moments()
    assert moments is not None
    assert pytest.approx(np.mean([np.kron(one, one) for one in A], axis=0), abs=1e-12) == moments.EAA
    assert pytest.approx(np.mean(A, axis=0), abs=1e-12) == moments.EA
    assert moments.Eb == pytest.approx(np.mean(b, axis=0), abs=1e-12)


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("h", [0.1, 0.5])
def test_second_moments_with_label_noise_are_those_of_all_batches_and_signs(h, batch):
    """Labels off by −1 or 2, with probabilities 2/3 and 1/3 and each on its own: mean 0, variance 2."""
    X, y = data(3, 2, 1)
    noise = fam.TwoPoint(-1, 2, 1 / 3)
    quiet = fam.LeastSquares(X, y, h, batch_size=batch).second_moments()
    found = fam.LeastSquares(X, y, h, batch_size=batch, label_noise=noise).second_moments()
    assert quiet is not None
    assert found is not None
    maps = []
    for rows in map(list, itertools.combinations(range(3), batch)):
        for off in itertools.product(((-1, 2 / 3), (2, 1 / 3)), repeat=batch):
            labels = y[rows] - np.array([value for value, _ in off])
            weight = math.prod(w for _, w in off) / math.comb(3, batch)
            maps.append((weight, np.eye(2) - h * X[rows].T @ X[rows] / batch, h * X[rows].T @ labels / batch))
    both = np.sum([w * np.outer(b, b) for w, _, b in maps], axis=0)
    assert np.reshape(found.Ebb, (2, 2)) == pytest.approx(both, abs=1e-12)
    assert found.Eb == pytest.approx(np.sum([w * b for w, _, b in maps], axis=0), abs=1e-12)
    assert pytest.approx(np.sum([w * np.kron(A, A) for w, A, _ in maps], axis=0), abs=1e-12) == found.EAA
    assert pytest.approx(quiet.EAA, abs=1e-15) == found.EAA


@pytest.mark.parametrize("batch", [1, 2, 4, 5])
def test_every_row_is_drawn_equally_often(batch):
    """Counts of a row in 20,000 batches of five rows are Binomial(20,000, b/5): false alarm 1e-9 over all of them."""
    X, y = data(5, 1)
    family = fam.GradientSteps(RidgeLoss(X, y, 0.1), 0.1, batch_size=batch)
    for drawn in (
        family.draw_block(np.random.default_rng(0), 20_000),
        np.stack([family.draw_block(np.random.default_rng([1, i]), None) for i in range(5_000)]),
    ):
        assert drawn.shape == (len(drawn), batch)
        assert np.all(np.diff(drawn, axis=1) > 0)  # in order, none twice
        counts = np.bincount(drawn.ravel(), minlength=5)
        low, high = (stats.binom.ppf(q, len(drawn), batch / 5) for q in (FALSE_ALARM / 40, 1 - FALSE_ALARM / 40))
        assert np.all((counts >= low) & (counts <= high))


class Keys:
    """A generator whose numbers are given."""

    def __init__(self, keys: np.ndarray) -> None:
        self.keys = keys

    def random(self, shape: tuple[int, ...]) -> np.ndarray:
        assert shape == self.keys.shape
        return self.keys


@pytest.mark.parametrize("batch", [8, 200, 700])
def test_many_batches_at_once_are_the_rows_of_the_smallest_keys(batch):
    """Where batches are too many to be listed, each of them takes the b rows with the smallest of 1,000 independent
    uniform keys, which are any b rows with the same chance. (A library may sort short lists as a whole.)"""
    X, y = data(1000, 1)
    family = fam.GradientSteps(RidgeLoss(X, y, 0.1), 0.1, batch_size=batch)
    assert family.batches is None
    keys = np.random.default_rng(7).random((300, 1000))
    drawn = family.draw_block(Keys(keys), 300)  # type: ignore[arg-type]
    assert np.array_equal(drawn, np.sort(np.argsort(keys, axis=1)[:, :batch], axis=1))


def test_closed_forms_of_bernoulli_convolutions_need_independent_indices():
    """A fresh shuffle of the two has the same law of every letter, and other variances."""
    family = fam.BernoulliConvolution(0.5, law=fam.Reshuffled(2))
    assert family.weights is not None
    for asked in (family.noise_mean, family.noise_variance, family.mean, family.variance):
        with pytest.raises(ValueError, match="the closed forms need independent indices"):
            asked()
    with pytest.raises(ValueError, match="the closed forms need independent indices"):
        _ = family.stationary


@pytest.mark.parametrize("p", [0.4, 0.9, 1.0, 1.5, 2.0, 2.5])
@pytest.mark.parametrize("about", [0.5, -0.5, 3.0, 40.0])
@pytest.mark.parametrize(
    ("noise", "law"),
    [
        (fam.Laplace(0.7, center=0.5), stats.laplace(0.5, 0.7)),
        (fam.Student(3.0, 0.5, center=0.5), stats.t(3.0, 0.5, 0.5)),
    ],
)
def test_moments_of_heavy_tails_are_bounds_that_are_not_loose(noise, law, p, about):
    """Against the integral: exact at the centre and for p = 2, elsewhere above it, and below the triangle's bound."""
    exact = sum(
        integrate.quad(lambda t: abs(t - about) ** p * law.pdf(t), a, b, limit=500)[0]
        for a, b in itertools.pairwise([-np.inf, -50.0, *sorted({0.5, about}), 90.0, np.inf])
    )
    central = noise.moment(p, 0.5)
    shift = abs(about - 0.5)
    found = noise.moment(p, about)
    assert found >= exact * (1 - 1e-6)
    if shift == 0 or p == 2:
        assert found == pytest.approx(exact, rel=1e-6)
    triangle = central + shift**p if p < 1 else (central ** (1 / p) + shift) ** p
    assert found <= triangle * (1 + 1e-12)


@pytest.mark.parametrize(
    "factors", [[2.0, 0.25], [1.01, 0.5], [3.0, 0.3], [1.5, 0.01], [4.0, 0.1], [1.2, 0.83], [1.05, 0.9, 0.9]]
)
def test_the_kesten_index_solves_its_equation(factors):
    """E |K|^α = 1 at an α > 0 which is the only one: below it the moment is below 1, above it above."""
    family = fam.ExpandingOnAverage(factors)
    alpha = family.kesten_index

    def moment(a: float) -> float:
        return float(np.mean(np.array(factors) ** a))

    assert moment(alpha) == pytest.approx(1, abs=1e-12)
    assert moment(alpha * 0.99) < 1 < moment(alpha * 1.01)


@pytest.mark.parametrize("sampled", [True, False])
@pytest.mark.parametrize("noise", [None, fam.Uniform(-1.0, 0.5), fam.TwoPoint(-2, 3)])
def test_the_displacement_of_bellman_operators_is_the_largest_over_all_draws(sampled, noise):
    """Two states and two actions: every choice of successors that can be drawn, every corner of the rewards' noise."""
    rng = np.random.default_rng(3)
    rewards, V = rng.standard_normal((2, 2)), rng.standard_normal(2)
    transitions = np.array([[[0.5, 0.5], [1.0, 0.0]], [[0.3, 0.7], [0.0, 1.0]]])
    family = fam.BellmanOperators(rewards, transitions, 0.8, noise, sampled=sampled)
    ends = (0.0,) if noise is None else noise.interval
    moves = []
    for off in itertools.product(ends, repeat=4):
        for chosen in itertools.product((0, 1), repeat=4) if sampled else [None]:
            if chosen is None:
                ahead = transitions @ V
            else:
                successors = np.reshape(chosen, (2, 2))
                if any(transitions[s, a, successors[s, a]] == 0 for s in (0, 1) for a in (0, 1)):
                    continue
                ahead = V[successors]
            moves.append(np.max(np.abs(np.max(rewards + np.reshape(off, (2, 2)) + 0.8 * ahead, axis=1) - V)))
    assert family.displacement(V).value == pytest.approx(max(moves), rel=1e-12)
    if noise is not None:
        for p in (0.5, 1.0, 2.0):
            bound = family.displacement_moment(V, p).value
            quiet = fam.BellmanOperators(rewards, transitions, 0.8, sampled=sampled).displacement(V).value
            push = (4 * noise.moment(max(p, 1.0))) ** (1 / max(p, 1.0))
            assert bound == pytest.approx(min(quiet + push, max(moves)), rel=1e-12)


@pytest.mark.parametrize("noise", [fam.Uniform(-1, 0.5), fam.TwoPoint(-2, 1)])
@pytest.mark.parametrize("start", [[0.3, -0.2], [4.0, 1.0], [[0.3, -0.2], [4.0, 1.0]]])
def test_the_displacement_of_single_rows_with_label_noise_is_reached_at_an_end(noise, start):
    X, y = data(4, 2, 2)
    family = fam.LeastSquares(X, y, 0.3, label_noise=noise)
    moves = [
        np.linalg.norm(family.apply(theta, np.array([[i], [end]], dtype=float)) - theta)
        for theta in np.atleast_2d(start)
        for i in range(4)
        for end in noise.interval
    ]
    assert family.displacement(np.array(start)).value == pytest.approx(max(moves), rel=1e-12)


@pytest.mark.parametrize(
    ("eigenvalues", "h", "reason"),
    [
        ([1e-9, 1e9], 1e-10, "H is singular"),  # nothing beside the largest one
        ([0.0, 1.0], 0.5, "H is singular"),
        ([1e-17, 1e-16], 0.5, "k = 1"),  # small, but not beside each other: the step is too small for this norm
        ([-0.5, 1.0], 0.5, "H is indefinite"),
        ([-2.0, -1.0], 0.5, "H is negative definite"),
        ([1.0, 4.0], 0.5, "is outside (0, 2/λ_max)"),
        ([1.0, 4.0], -0.1, "is outside (0, 2/λ_max)"),
        ([1.0, 4.0], 0.0, "is outside (0, 2/λ_max)"),
        ([1.0, 4.0], 0.4, "with h = 0.4, k = 1"),  # another metric was asked for
    ],
)
def test_why_a_quadratic_step_does_not_contract(eigenvalues, h, reason):
    assert reason in why_not_hessian(h, np.array(eigenvalues), Constant(1.0, "proved", "here"))


@pytest.mark.parametrize(
    ("h", "m", "M", "reason"),
    [
        (0.5, 0.0, 1.0, "not strongly convex"),
        (0.5, -1.0, 1.0, "not strongly convex"),
        (0.5, 1.0, 4.0, "is outside (0, 2/M)"),
        (0.0, 1.0, 4.0, "is outside (0, 2/M)"),
        (0.4, 1.0, 4.0, "with h = 0.4, k = 1"),
        (1.5, 1.0, 1.0, "with h = 1.5, k = 1"),
    ],
)
def test_why_a_step_on_a_loss_does_not_contract(h, m, M, reason):
    assert reason in why_not_curvature(h, m, M, Constant(1.0, "proved", "here"))
