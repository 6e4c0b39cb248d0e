"""Times in words, and how many steps and replicates fit into one."""

from __future__ import annotations

import pytest

from nn_experiments.diagnosis.budget import REPLICATES, SHORTEST, Cost, Plan, fitted, seconds_of
from nn_experiments.diagnosis.rules import LEAST


def test_times_and_plans() -> None:
    assert [seconds_of(text) for text in ("90 s", "5min", "1.5 h", "7", 0.5)] == [90, 300, 5400, 7, 0.5]
    for wrong in ("", "5 days", "0 s", "1.2.3 s", True, float("nan"), None):
        with pytest.raises(ValueError, match="budget must be a positive time"):
            seconds_of(wrong)  # type: ignore[arg-type]
    cost = Cost(per_step=1e-3, per_replicate=0.5, derivative=1e-3)
    for limit in (1.0, 10.0, 30.0, 47.0, 1000.0):
        plan = fitted(2000, limit, cost)
        fits = cost.seconds(plan.steps, plan.replicates) <= limit * (1 + 1e-9)
        assert fits == (plan.steps > SHORTEST or "longer than the" not in plan.note)
        assert LEAST <= plan.replicates <= REPLICATES
        if plan.replicates < REPLICATES and plan.steps == 2000:
            assert cost.seconds(2000, plan.replicates + 1) > limit
        if plan.steps < 2000:
            assert plan.replicates == LEAST
            assert f"{plan.steps:,} steps in place of 2,000" in plan.note or "the least" in plan.note


def test_a_plan_is_as_many_replicates_as_fit_or_eleven_with_fewer_steps() -> None:
    """A replicate of 100 steps costs 100 · (1 + 4/2) + 30 = 330 s."""
    cost = Cost(per_step=1.0, per_replicate=30.0, derivative=4.0)
    assert cost.seconds(100, 2) == 660.0
    assert fitted(100, 330.0 * 20, cost) == Plan(100, 20, "20 replicates of 100 steps fit into 6600 s")
    assert fitted(100, 330.0 * 21, cost).replicates == 20  # never more
    assert fitted(100, 330.0 * 11, cost) == Plan(100, 11, "11 replicates of 100 steps fit into 3630 s")
    just = fitted(100, 330.0 * 11 - 1, cost)  # (3629/11 − 30)/3 = 99.97 steps: 98, an even number
    assert just == Plan(98, 11, "11 replicates of 98 steps in place of 100, to fit into 3629 s")
    least = fitted(100, 330.0, cost)
    assert least == Plan(
        50,
        11,
        "11 replicates of 50 steps, which is the least: about 1980 s, longer than the 330 s left",
    )
    exact = fitted(100, cost.seconds(50, 11), cost)
    assert exact.note == "11 replicates of 50 steps in place of 100, to fit into 1980 s"
    assert fitted(100, 1.0, Cost(0.0, 0.0, 0.0)).replicates == 20


def test_a_short_time_is_shared_among_the_least_replicates() -> None:
    """11 replicates in 110 s: 10 s each, of which 4 are not for steps; a step takes 0.01 s, and half of 0.02 s."""
    cost = Cost(per_step=0.01, per_replicate=4.0, derivative=0.02)
    assert cost.seconds(300, 11) == pytest.approx(11 * (300 * 0.02 + 4))
    assert fitted(2000, 10.0 * LEAST, cost).steps == 300
    assert fitted(2000, 10.05 * LEAST, cost).steps == 302  # 302.5, and N is even
    assert fitted(2000, 10.03 * LEAST, cost).steps == 300  # 301.5
    assert fitted(2000, 4.0 * LEAST, cost).steps == SHORTEST
    assert fitted(40, 1.0, cost).steps == 40  # never more than asked for
