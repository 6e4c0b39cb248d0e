"""What families draw, such as successors, rewards and batches, and the laws of batches that stand for laws of rows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from contraction import families as fam
from contraction.families.losses import RidgeLoss
from contraction.statements.cases.error_rates import FALSE_ALARM

P = np.array(
    [
        [[0.1, 0.9, 0.0], [0.5, 0.25, 0.25]],
        [[0.0, 0.0, 1.0], [0.3, 0.0, 0.7]],
        [[1.0, 0.0, 0.0], [0.0, 0.6, 0.4]],
    ]
)


@pytest.mark.parametrize("sampled", [True, False])
def test_successors_and_rewards_of_bellman_operators_have_their_laws(sampled):
    """20,000 draws of six pairs of state and action: counts of successors are Binomial, false alarm 1e-9 over all of
    them, and one of chance 0 never comes; the noise is 0 or 1 on top of the reward, with chances 1/4 and 3/4."""
    rewards, R = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), 20_000
    family = fam.BellmanOperators(rewards, P, 0.5, fam.TwoPoint(0, 1, 0.75), sampled=sampled)
    draws = family.draw_block(np.random.default_rng(0), R)
    assert draws.shape == (R, 2, 3, 2)
    tail = FALSE_ALARM / (2 * 24)
    for s, a in np.ndindex(3, 2):
        extra = draws[:, 0, s, a] - rewards[s, a]
        assert set(np.unique(extra)) == {0.0, 1.0}
        assert stats.binom.ppf(tail, R, 0.75) <= extra.sum() <= stats.binom.isf(tail, R, 0.75)
        for t in range(3):
            count = int(np.sum(draws[:, 1, s, a] == t))
            if sampled:
                assert stats.binom.ppf(tail, R, P[s, a, t]) <= count <= stats.binom.isf(tail, R, P[s, a, t])
                assert (count == 0) == (P[s, a, t] == 0)


def test_one_draw_of_bellman_operators_is_applied_state_by_state():
    rewards, V = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([10.0, -20.0, 30.0])
    family = fam.BellmanOperators(rewards, P, 0.5)
    draw = np.stack([rewards, np.array([[0.0, 1.0], [2.0, 2.0], [0.0, 1.0]])])
    assert family.apply(V, draw).tolist() == [
        max(1 + 5.0, 2 - 10.0),
        max(3 + 15.0, 4 + 15.0),
        max(5 + 5.0, 6 - 10.0),
    ]


@pytest.mark.parametrize(
    ("rows", "batch", "law", "stands"),
    [
        (8, 4, fam.ShuffledOnce, None),  # two batches: one shuffle of the rows makes random ones, a shuffle of two not
        (8, 8, fam.ShuffledOnce, None),
        (8, 2, fam.ShuffledOnce, 4),
        (8, 4, fam.Reshuffled, 2),
        (8, 8, fam.Reshuffled, 1),
        (8, 4, fam.Cyclic, 2),
        (8, 1, fam.ShuffledOnce, 8),
        (2, 1, fam.ShuffledOnce, 2),  # single rows: the law of rows is that of batches
    ],
)
def test_which_law_of_batches_stands_for_a_law_of_rows(rows, batch, law, stands):
    X = np.random.default_rng(0).standard_normal((rows, 2))
    family = fam.GradientSteps(RidgeLoss(X, np.zeros(rows), 0.5), 0.1, batch_size=batch, law=law)
    found = family.index_law
    if stands is None:
        assert found is None
    else:
        assert type(found) is law
        assert found.size == stands


@pytest.mark.parametrize("p", [0.5, 2.0, 400.0])
def test_moments_of_high_order_do_not_overflow(p):
    """Maps that move 0 by 1e-3 and by 1e3, with chances 1/4 and 3/4: (1e6)^400 has no floating-point number."""
    family = fam.FiniteFamily([(0.5, 1e-3), (0.5, 1e3)], [0.25, 0.75])
    found = family.displacement_moment(np.array([0.0]), p).value
    assert found == pytest.approx(1e3 * (0.75 + 0.25 * 1e-6**p) ** (1 / p), rel=1e-12)


@pytest.mark.parametrize(
    ("A", "linear"),
    [
        (0.5, [[0.5, 0.0], [0.0, 0.5]]),
        ([0.5, 0.25], [[0.5, 0.0], [0.0, 0.25]]),
        ([[0.5, 0.1], [0.2, 0.25]], [[0.5, 0.1], [0.2, 0.25]]),
    ],
)
def test_a_common_linear_part_is_a_matrix(A, linear):
    """Of a number, of a diagonal and of a matrix, which may have entries beside the diagonal."""
    family = fam.FiniteFamily([(A, [1.0, 0.0]), (A, [0.0, 2.0])], dim=2)
    for i in (0, 1):
        assert family.apply(np.array([1.0, 10.0]), i) == pytest.approx(
            np.array(linear) @ [1.0, 10.0] + [[1.0, 0.0], [0.0, 2.0]][i]
        )
    assert np.array_equal(family.linear_part, linear)


@pytest.mark.parametrize("p", [0.0, -1.0, float("nan")])
@pytest.mark.parametrize("noise", [fam.Laplace(1.0), fam.Student(3.0)])
def test_moments_have_a_positive_order(noise, p):
    with pytest.raises(ValueError, match="the order of a moment must be positive"):
        noise.moment(p)


def test_rounding_of_the_sum_of_chances_draws_no_impossible_successor():
    """Ten times 0.1 adds up to 1 − 2^−53: the largest number that a generator gives is not below it, and still the
    tenth state follows, not the eleventh, which cannot."""
    chances = np.array([0.1] * 10 + [0.0])
    assert np.cumsum(chances)[9] == 1 - 2.0**-53
    family = fam.BellmanOperators(np.zeros((11, 1)), np.tile(chances, (11, 1, 1)), 0.5)

    class Largest:
        def random(self, shape: tuple[int, ...]) -> np.ndarray:
            return np.full(shape, 1 - 2.0**-53)

    draw = family.draw_block(Largest(), None)  # type: ignore[arg-type]
    assert np.array_equal(draw[1], np.full((11, 1), 9.0))
