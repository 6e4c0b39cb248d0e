"""Rows drawn by a law with unequal or changing weights: label noise is independent of them, and moments use them."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

import contraction as ct
from contraction.families import (
    IID,
    Cyclic,
    ExchangeableMixture,
    GradientSteps,
    LeastSquares,
    MarkovModulated,
    OwnLossSteps,
    Reshuffled,
    RidgeLoss,
    Uniform,
)
from contraction.maps.draws import map_generator

X, Y, H = [[1.0], [0.2]], [0.0, 10.0], 0.5
LAWS = [
    IID([0.1, 0.9]),
    MarkovModulated([[0.5, 0.5], [0.5, 0.5]]),
    ExchangeableMixture([[0.1, 0.9], [0.5, 0.5]]),
    Reshuffled(2),
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: type(law).__name__)
@pytest.mark.parametrize("replicas", [None, 3], ids=["alone", "replicas"])
def test_label_noise_is_independent_of_the_row(law, replicas):
    n = 2000
    draws = np.stack(list(LeastSquares(X, Y, H, 1, Uniform(-1, 1), law=law).sample(n, 0, replicas).draws))
    rows, noise = draws[..., 0, :].ravel(), draws[..., 1, :].ravel()
    for row in (0, 1):
        seen = noise[rows == row]
        # the mean of m uniform numbers has the standard deviation 1/sqrt(3 m); 5 of them have odds of 1 in 10^6
        assert abs(seen.mean()) < 5 / math.sqrt(3 * len(seen))
        assert seen.min() < -0.8
        assert seen.max() > 0.8
    # the rows themselves are those of the gradient steps
    steps = np.stack(list(GradientSteps(RidgeLoss(X, Y), H, law=law).sample(n, 0, replicas).draws))
    assert np.array_equal(draws[..., 0, :], steps)


@pytest.mark.parametrize("weights", [[Fraction(1, 10), Fraction(9, 10)], [Fraction(9, 10), Fraction(1, 10)]], ids=str)
def test_second_moments_of_weighted_rows_with_label_noise(weights):
    noise = Uniform(-1, 2)  # mean 1/2, variance 3/4
    family = LeastSquares(X, Y, H, 1, noise, law=IID(weights))
    x, y, h = [Fraction(1), Fraction(1, 5)], [Fraction(0), Fraction(10)], Fraction(1, 2)
    A = [1 - h * a * a for a in x]
    b = [h * a * (v + Fraction(1, 2)) for a, v in zip(x, y, strict=True)]
    square = [m * m + (h * a) ** 2 * Fraction(3, 4) for m, a in zip(b, x, strict=True)]

    def mean(values):
        return sum(w * v for w, v in zip(weights, values, strict=True))

    first = mean(b) / (1 - mean(A))
    second = (mean(square) + 2 * mean([p * q for p, q in zip(A, b, strict=True)]) * first) / (
        1 - mean([a * a for a in A])
    )
    moments = ct.laws.affine_moments(family, [0.0])
    assert moments.stationary_mean[0] == pytest.approx(float(first), rel=1e-12)
    assert moments.stationary_covariance[0, 0] == pytest.approx(float(second - first**2), rel=1e-12)
    assert family.displacement_moment(np.zeros(1), 2.0).value == pytest.approx(math.sqrt(mean(square)), rel=1e-12)
    found = ct.certify(family, [0.0], moment=2).bound(0)
    assert 1 <= found / math.sqrt(second) < 1 + 1e-9


def test_batches_of_several_rows_keep_their_moments():
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((4, 2)), rng.standard_normal(4)
    family = LeastSquares(X, y, 0.3, 2, Uniform(-1, 1))
    pairs = [(i, j) for i in range(4) for j in range(i)]
    push = [np.outer(X[i], X[i]) + np.outer(X[j], X[j]) for i, j in pairs]  # 3 Cov (x_i xi_i + x_j xi_j)
    pull = [X[i] * y[i] + X[j] * y[j] for i, j in pairs]
    expected = np.mean([(np.outer(b, b) + c / 3) for b, c in zip(pull, push, strict=True)], axis=0) * (0.3 / 2) ** 2
    assert family.second_moments().Ebb.reshape(2, 2) == pytest.approx(expected, rel=1e-12)


ROWS = [[1.0], [1.0]], [10.0, 0.0]


@pytest.mark.parametrize("noise", [None, Uniform(-1, 1)], ids=["without noise", "label noise"])
@pytest.mark.parametrize(
    "law", [Cyclic(2), MarkovModulated([[0, 1], [1, 0]], initial=[1, 0])], ids=["cyclic", "chain that starts at row 0"]
)
def test_where_the_law_of_a_row_changes_the_largest_counts(law, noise):
    """T_1 is that of row 0 in every word: θ* = T_1 T_2 T_1 … moves by about 9, not by the 6.4 of a random row."""
    family = LeastSquares(*ROWS, 0.9, 1, noise, law=law)
    truth = math.sqrt(81 + (0.0 if noise is None else 0.9**2 / 3))  # ‖d(0, T_1 0)‖_2
    moved = family.displacement_moment(np.zeros(1), 2.0).value
    assert moved == pytest.approx(truth, rel=1e-12)
    assert ct.certify(family, [0.0], moment=2).bound(0) >= 9 / (1 - 0.01)
    again = LeastSquares(*ROWS, 0.9, 1, noise, law=IID([0.5, 0.5]))
    assert again.displacement_moment(np.zeros(1), 2.0).value == pytest.approx(
        math.sqrt((truth**2 + truth**2 - 81) / 2), rel=1e-12
    )


def test_batches_of_a_cyclic_law_of_rows_are_not_random():
    """Batches 01, 23, 01, …: the second moves 0 by 0.9 √13 / 2, and a random pair of rows by less in mean square."""
    family = GradientSteps(RidgeLoss(np.eye(4), np.arange(4.0), 0.5), 0.9, batch_size=2, law=Cyclic)
    assert family.displacement_moment(np.zeros(4), 2.0).value >= 0.9 * math.sqrt(13) / 2
    shuffled = GradientSteps(RidgeLoss(np.eye(4), np.arange(4.0), 0.5), 0.9, batch_size=2, law=Reshuffled)
    # E (y_i² + y_j²) over pairs is 2 · 14/4 = 7
    assert shuffled.displacement_moment(np.zeros(4), 2.0).value == pytest.approx(0.9 * math.sqrt(7) / 2, rel=1e-12)


def _half(theta, x, y):
    return (theta[0] * x - y) ** 2 / 2


def _with(law):
    data = ([1.0, 0.2], [0.0, 10.0])
    return [
        GradientSteps(RidgeLoss(X, Y), H, law=law),
        LeastSquares(X, Y, H, law=law),
        OwnLossSteps(_half, data, 1, h=H, batches=[[0], [1]], law=law),
    ]


@pytest.mark.parametrize("which", [0, 1, 2], ids=["GradientSteps", "LeastSquares", "OwnLossSteps"])
def test_a_block_of_draws_has_the_law_of_the_rows(which):
    weighted = _with(IID([0.1, 0.9]))[which]
    drawn = weighted.sample(200, 7).draws
    for i in range(200):
        assert np.array_equal(weighted.draw_block(map_generator(7, i), None), drawn[i])
    # never row 0 in a mixture of laws that both leave it out, and 500 replicas have one draw each
    never = _with(ExchangeableMixture([[0.0, 1.0], [0.0, 1.0]]))[which]
    rows = np.array([np.ravel(one)[0] for one in never.draw_block(np.random.default_rng(0), 500)])
    assert rows.shape == (500,)
    assert np.all(rows == 1)
    with pytest.raises(ValueError, match="depends on its position"):
        _with(Cyclic(2))[which].draw_block(np.random.default_rng(0), None)
