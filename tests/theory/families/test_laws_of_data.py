"""Index laws on families of data: each epoch goes through the data, prefixes agree, constants stay sound."""

from __future__ import annotations

import numpy as np
import pytest

import contraction as ct
from contraction.families import (
    IID,
    Cyclic,
    Gaussian,
    GradientSteps,
    LeastSquares,
    MarkovModulated,
    Reshuffled,
    RidgeLoss,
    ShuffledOnce,
)

RNG = np.random.default_rng(4)
X, Y = RNG.standard_normal((8, 3)), RNG.standard_normal(8)
LOSS = RidgeLoss(X, Y, 0.3)


@pytest.mark.parametrize("law", [Reshuffled, ShuffledOnce, Cyclic])
@pytest.mark.parametrize("batch_size", [1, 2, 4])
def test_an_epoch_goes_once_through_the_rows(law, batch_size):
    for family in (
        GradientSteps(LOSS, 0.1, batch_size, law=law),
        LeastSquares(X, Y, 0.1, batch_size, Gaussian(), law=law),
    ):
        epoch = 8 // batch_size
        for replicas in (None, 3):
            draws = np.stack([family.sample(3 * epoch, 5, replicas).draws[i] for i in range(3 * epoch)])
            rows = draws[..., 0, :] if isinstance(family, LeastSquares) else draws
            for e in range(3):
                part = np.moveaxis(rows[e * epoch : (e + 1) * epoch], 0, -2)
                seen = np.sort(part.reshape(*part.shape[:-2], 8), axis=-1)
                assert np.all(seen == np.arange(8))
            short = family.sample(2, 5, replicas)
            assert all(np.array_equal(short.draws[i], draws[i]) for i in range(2))
        assert not family.is_iid
        assert ct.backward_iterates(family.sample(9, replicas=2), np.zeros(3)).shape == (2, 10, 3)


def test_orders_differ_between_epochs_where_they_should():
    fresh, once = (
        np.stack([GradientSteps(LOSS, 0.1, 2, law=law).sample(8, 1).draws[i] for i in range(8)])
        for law in (Reshuffled, ShuffledOnce)
    )
    assert not np.array_equal(fresh[:4], fresh[4:])
    assert np.array_equal(once[:4], once[4:])


def test_certificates_hold_and_need_independence_only_where_they_say_so():
    family = GradientSteps(LOSS, 0.1, 2, law=Reshuffled)
    bound = ct.certify(family, np.zeros(3)).bound(np.arange(0, 60, 10))
    rows = ct.backward_iterates(family.sample(400, 2), np.zeros(3))
    assert np.all(np.linalg.norm(rows[:60:10] - rows[-1], axis=-1) <= bound)
    assert family.second_moments() is None
    assert family.mean_square_factor is None
    with pytest.raises(ValueError, match="i\\.i\\.d\\."):
        ct.laws.affine_moments(family, np.zeros(3))


def test_a_law_of_batches_that_are_given():
    batches = [[0, 1], [2, 3], [4, 5], [6, 7]]
    weighted = GradientSteps(LOSS, 0.1, batches=batches, law=IID([0.7, 0.1, 0.1, 0.1]))
    assert weighted.is_iid
    assert [float(w) for w, _ in weighted.finite_support()] == [0.7, 0.1, 0.1, 0.1]
    mean = weighted.second_moments().EA
    one = [weighted.affine(np.array(b)).A for b in batches]
    assert mean == pytest.approx(0.7 * one[0] + 0.1 * sum(one[1:]))
    seen, low = [], ct.certify(weighted, np.zeros(3), moment=2)
    for n in (0, 20):
        rows = ct.backward_iterates(weighted.sample(300, 1, replicas=500), np.zeros(3), at=[n, 300])
        seen.append(np.sqrt(np.mean(np.sum((rows[:, 0] - rows[:, 1]) ** 2, axis=-1))))
    assert np.all(np.array(seen) <= 1.2 * low.bound(np.array([0, 20])))
    chain = MarkovModulated(np.full((4, 4), 0.25))
    assert not GradientSteps(LOSS, 0.1, batches=batches, law=chain).is_iid


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"batch_size": 3, "law": Reshuffled}, "divides their number 8"),
        ({"batch_size": 2, "law": Reshuffled(4)}, "an index law of the 8 rows"),
        ({"batch_size": 2, "law": IID(8)}, "may repeat a row in a batch of 2"),
        ({"batch_size": 2, "law": "reshuffled"}, "an index law of the 8 rows"),
    ],
)
def test_laws_that_do_not_fit_are_refused(arguments, rule):
    with pytest.raises(ValueError, match=rule):
        GradientSteps(LOSS, 0.1, **arguments)
