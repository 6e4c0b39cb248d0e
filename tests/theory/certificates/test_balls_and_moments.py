"""A ball is invariant if no map leaves it: with a moment, too, the supremum of the displacement decides."""

from __future__ import annotations

import numpy as np
import pytest

import contraction as ct


def _outside(x):
    """x/2 on [-1, 1], of slope 3 outside."""
    return np.where(np.abs(x) <= 1, x / 2, np.sign(x) * (0.5 + 3 * (np.abs(x) - 1)))


def _rare(size: float, displacement: float | None) -> ct.RandomOperator:
    """Jumps of ``size`` with probability 1/1000 about a map that contracts on [-1, 1] only."""
    return ct.RandomOperator(
        lambda rng: size * (rng.uniform() < 1e-3),
        lambda x, u: _outside(x) + u,
        contraction=0.5,
        displacement=displacement,
        known=ct.Known(displacement_moment=lambda p, x: size * 1e-3 ** (1 / p)),
    )


def test_rare_maps_that_leave_the_ball_refuse_it_with_a_moment_as_without():
    """The 2-norm of the displacement, 0.063, is below (1-k) r = 0.5, but jumps of 2 lead to where maps expand."""
    for moment in (None, 2, 0.5):
        with pytest.raises(
            ct.NotCertified, match=r"not invariant: the displacement D = 2 is larger than \(1−k\)r = 0\.5"
        ):
            ct.certify(_rare(2.0, 2.0), [0.0], ball=1.0, moment=moment)
    with pytest.raises(ct.NotCertified, match="not invariant"):
        ct.backward_limit(_rare(2.0, 2.0), [0.0], 1e-3, ball=1.0, moment=2, seed=3)


def test_a_supremum_that_is_not_known_or_infinite_refuses_the_ball_by_name():
    with pytest.raises(ct.NotCertified, match=r"not known to be invariant: with moment=, too.*D unknown"):
        ct.certify(_rare(0.25, None), [0.0], ball=1.0, moment=2)
    with pytest.raises(ct.NotCertified, match=r"not known to be invariant: with moment=, too.*D infinite"):
        ct.certify(_rare(0.25, np.inf), [0.0], ball=1.0, moment=2)


def test_a_ball_that_no_map_leaves_keeps_the_bound_from_the_moment():
    """Jumps of 1/4 <= (1-k) r: the bound is that of the 2-norm, 2 · 0.25/√1000, and not that of the supremum, 1/2."""
    found = ct.certify(_rare(0.25, 0.25), [0.0], ball=1.0, moment=2)
    assert found.bound(0) == pytest.approx(2 * 0.25 / 1000**0.5, rel=1e-12)
    assert found.constants["sup"].value == 0.25
    assert any("sup d(θ_0, Tθ_0) = 0.25 ≤ (1−k)r = 0.5" in line for line in found.hypotheses)
    assert "sup" not in ct.certify(_rare(0.25, 0.25), [0.0], ball=1.0).constants


def test_gradient_steps_of_which_one_in_a_thousand_leaves_the_ball():
    """From 0 the step on rows 0 and 2 (labels 1 and 1) moves by 1/2, the step on rows 0 and 1 by nothing."""
    loss = ct.families.RidgeLogisticLoss(np.ones((3, 1)), [1, -1, 1], 0.0)
    steps = ct.families.GradientSteps(loss, 1.0, batches=[[0, 1]] * 999 + [[0, 2]])
    for moment in (None, 2):
        with pytest.raises(ct.NotCertified, match=r"the displacement D = 0\.5 is larger"):
            ct.certify(steps, [0.0], ball=0.1, moment=moment)
