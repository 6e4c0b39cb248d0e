"""What families draw: successors and rewards of Bellman operators, batches of rows, and the laws that stand for them."""

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
