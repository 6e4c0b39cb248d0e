"""A certificate of a family that agrees with another one at the start, or of a metric that is written alike."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import contraction as ct

USES = {
    "backward_limit": lambda family, theta, one: ct.backward_limit(family, theta, 1e-3, certificate=one),
    "sample_stationary": lambda family, theta, one: ct.sample_stationary(family, 1e-3, theta0=theta, certificate=one),
}
each_use = pytest.mark.parametrize("use", USES.values(), ids=USES.keys())


def _uniform(k: float, stated: float | None = None, **more) -> ct.RandomOperator:
    return ct.RandomOperator(
        lambda rng: rng.uniform(-1, 1, 1),
        lambda x, u: k * x + u,
        contraction=k if stated is None else stated,
        displacement=1.0,
        **more,
    )


@each_use
def test_families_whose_maps_agree_at_the_start_are_told_apart(use):
    """From 0 the first images of x/2 + u and of 0.99 x + u are the same, u."""
    half = ct.certify(_uniform(0.5), [0.0])
    assert use(_uniform(0.5), [0.0], half).error <= 1e-3
    with pytest.raises(ct.NotCertified, match="another family"):
        use(_uniform(0.99), [0.0], half)


@each_use
def test_a_penalty_that_drops_out_at_the_start_is_seen(use):
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((20, 2)), np.sign(rng.standard_normal(20))
    strong, weak = (ct.families.GradientSteps(ct.families.RidgeLogisticLoss(X, y, a), 0.2, 5) for a in (1.0, 0.01))
    assert use(strong, np.zeros(2), ct.certify(strong, np.zeros(2))).error <= 1e-3
    with pytest.raises(ct.NotCertified, match="another family"):
        use(weak, np.zeros(2), ct.certify(strong, np.zeros(2)))


@each_use
def test_families_that_state_other_factors_or_probabilities_are_told_apart(use):
    with pytest.raises(ct.NotCertified, match="another family"):
        use(_uniform(0.5, 0.75), [0.0], ct.certify(_uniform(0.5), [0.0]))
    maps = [(0.5, [0.0]), (0.25, [1.0])]
    often, rarely = (ct.families.FiniteFamily(maps, weights=[1 - w, w]) for w in (1e-6, 1e-7))
    with pytest.raises(ct.NotCertified, match="another family"):
        use(often, [0.0], ct.certify(rarely, [0.0]))
    other = ct.families.FiniteFamily([maps[0], (0.25, [0.5])], weights=[1 - 1e-6, 1e-6])
    with pytest.raises(ct.NotCertified, match="another family"):
        use(often, [0.0], ct.certify(other, [0.0]))  # of the maps that are drawn, none is the other one


@each_use
def test_metrics_that_are_written_alike_are_compared(use):
    near = ct.Metric(lambda x, y: np.abs(x - y)[..., 0])
    far = ct.Metric(lambda x, y: 1000 * np.abs(x - y)[..., 0])
    assert repr(near) == repr(far)
    bound = ct.certify(_uniform(0.5, space=near), [0.0])
    assert use(_uniform(0.5, space=near), [0.0], bound).error <= 1e-3
    with pytest.raises(ValueError, match="written alike"):
        use(_uniform(0.5, space=far), [0.0], bound)
    with pytest.raises(ValueError, match="was copied"):  # functions without a name cannot be pickled
        use(_uniform(0.5, space=near), [0.0], pickle.loads(pickle.dumps(bound)))


@pytest.mark.parametrize("size", [2, 40])
def test_matrices_of_metrics_are_compared_in_full(size):
    P, Q = np.eye(size), np.eye(size)
    Q[size // 2, size // 2] += 1e-10
    one, other = (
        ct.RandomOperator(
            lambda rng: rng.uniform(-1, 1, size),
            lambda x, u: x / 2 + u,
            contraction=0.5,
            displacement=40.0,
            space=ct.WeightedEuclidean(W),
        )
        for W in (P, Q)
    )
    bound = ct.certify(one, np.zeros(size))
    for same in (bound, pickle.loads(pickle.dumps(bound)), copy.deepcopy(bound)):
        assert ct.backward_limit(one, np.zeros(size), 1e-3, certificate=same).error <= 1e-3
        with pytest.raises(ValueError, match="the family's metric"):
            ct.backward_limit(other, np.zeros(size), 1e-3, certificate=same)


def test_draws_along_a_leaf_across_which_maps_expand_are_refused():
    """Maps diag(1/2, 3) keep the first axis, but floats need not; maps diag(1/2, 1) do not multiply their rounding."""
    for across, refused in ((3.0, True), (1.0, False)):
        A = np.diag([0.5, across])
        family = ct.families.FiniteFamily([(A, [1.0, 0.0]), (A, [-1.0, 0.0])])
        bound = ct.certify(family, [0.0, 0.0], leaf=[[1.0], [0.0]])
        if refused:
            with pytest.raises(ct.NotCertified, match=r"do not stay on the leaf .* may be 3"):
                ct.sample_stationary(family, 1e-3, theta0=[0.0, 0.0], certificate=bound)
        else:
            assert ct.sample_stationary(family, 1e-3, theta0=[0.0, 0.0], certificate=bound).error <= 1e-3
