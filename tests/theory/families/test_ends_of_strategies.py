"""Each strategy draws what its documentation lists, ends included, and nothing beyond."""

from __future__ import annotations

import functools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import contraction as ct
from contraction import families as fam
from contraction import strategies

MANY = settings(max_examples=100, derandomize=True, database=None)
#: Each end is one of few, which Hypothesis goes through, or has at least a thirtieth of the draws: missed below 1e-4.
DRAWS = 280


@functools.cache
def drawn(strategy, count: int = DRAWS) -> list:
    """So many draws, the same in every run, none of them shrunk."""
    found = []

    @settings(max_examples=count, derandomize=True, database=None, phases=[Phase.generate], deadline=None)
    @given(strategy)
    def collect(x):
        found.append(x)

    collect()
    return found


def eigenvalues(H: np.ndarray) -> np.ndarray:
    return np.linalg.eigvalsh(H)


FACTORS, RATES = strategies.contraction_factors(), strategies.learning_rates(0.5)
INSIDE, ANY = strategies.learning_rates(0.5, contracting=True), strategies.learning_rates()
WIDE, NARROW = strategies.symmetric_matrices(2), strategies.symmetric_matrices(2, -1, 3)
NORMED, STARTS = strategies.matrices_of_norm(3, 0.5), strategies.starts(2)
NOISES, ORDERS, LAWS = strategies.noises(), strategies.orders(6), strategies.index_laws(2)
WEIGHTS, POSITIVE = strategies.exact_weights(2), strategies.exact_weights(2, zeros=False)
FINITE, EXPANDING = strategies.finite_families(), strategies.finite_families(contracting=False)
SMALL = strategies.families(max_dim=3)
ENDS = {
    "factor 0": (FACTORS, lambda k: k == 0),
    "factor near 0": (FACTORS, lambda k: k == 2.0**-40),
    "factor 1/2": (FACTORS, lambda k: k == 0.5),
    **{f"factor {k!r}": (FACTORS, lambda x, k=k: x == k) for k in (0.9, 0.99, 0.999, 1 - 2.0**-20, 1 - 2.0**-40)},
    "factor, not near 1": (strategies.contraction_factors(near_one=False), lambda k: 0.8 < k <= 0.9),
    **{f"rate {x}": (RATES, lambda h, x=x: h == x * 0.5) for x in (0.0, 0.5, 1.0, -0.1, 1.05)},
    "rate below": (RATES, lambda h: -0.125 <= h < 0 and h != -0.05),
    "rate above": (RATES, lambda h: 0.525 < h <= 0.625),
    "rate inside": (INSIDE, lambda h: h == 0.25),
    "rate near the threshold": (INSIDE, lambda h: 0.45 < h < 0.5),
    "rate near 0": (INSIDE, lambda h: 0 < h < 0.05),
    "default threshold": (ANY, lambda h: h == 2.0),
    "lowest eigenvalue": (WIDE, lambda H: abs(eigenvalues(H)[0] + 10) < 1e-12),
    "highest eigenvalue": (WIDE, lambda H: abs(eigenvalues(H)[1] - 10) < 1e-12),
    "both": (NARROW, lambda H: np.allclose(eigenvalues(H), [-1, 3], atol=1e-12)),
    "neither": (NARROW, lambda H: -0.99 < eigenvalues(H)[0] < eigenvalues(H)[1] < 2.99),
    "diagonal": (WIDE, lambda H: np.array_equal(H, np.diag(np.diag(H)))),
    "rotated": (WIDE, lambda H: np.all(H != 0)),
    "condition": (
        strategies.symmetric_positive_definite(2, condition=100.0),
        lambda H: np.allclose(eigenvalues(H), [0.1, 10.0], rtol=1e-9),
    ),
    "symmetric": (NORMED, lambda A: np.array_equal(A, A.T)),
    "orthogonal": (NORMED, lambda A: np.allclose(A @ A.T, np.eye(3) / 4)),
    "nilpotent": (NORMED, lambda A: np.array_equal(A, np.triu(A, 1))),
    "general": (NORMED, lambda A: np.all(A != 0) and not np.allclose(A, A.T)),
    "start 0": (STARTS, lambda x: np.all(x == 0)),
    "near 0": (STARTS, lambda x: 0 < np.max(np.abs(x)) <= 1e-6),
    "far": (STARTS, lambda x: 1e3 < np.max(np.abs(x)) <= 1e6),
    "as far as asked": (strategies.starts(2, far=5.0), lambda x: 1 < np.max(np.abs(x)) <= 5),
    **{
        f"noise {law.__name__}": (NOISES, lambda x, law=law: isinstance(x, law))
        for law in (fam.Uniform, fam.TwoPoint, fam.Gaussian, fam.Laplace, fam.Student, fam.Cauchy)
    },
    "noise without mean": (strategies.noises(bounded=False), lambda x: isinstance(x, fam.Student) and x.df <= 1),
    "noise, bounded": (strategies.noises(bounded=True), lambda x: isinstance(x, fam.TwoPoint)),
    "window": (ORDERS, lambda order: order == ct.Windowed(6)),
    "late": (ORDERS, lambda order: order == ct.Late(6)),
    "never late": (ORDERS, lambda order: order == ct.Late(0)),
    "four repetitions": (ORDERS, lambda order: order == ct.Repeated(4)),
    "one map an epoch": (ORDERS, lambda order: order == ct.Epochs(1)),
    "a horizon of maps an epoch": (ORDERS, lambda order: isinstance(order, ct.Epochs) and order.N == 6),
    "reset": (ORDERS, lambda order: isinstance(order, ct.Reset) and len(order.points) == 2),
    "a weight of 0": (WEIGHTS, lambda w: 0 in w),
    "equal weights": (WEIGHTS, lambda w: w[0] == w[1]),
    "unlike weights": (POSITIVE, lambda w: max(w) == Fraction(6, 7)),
    **{
        f"law {law.__name__}": (LAWS, lambda x, law=law: isinstance(x, law))
        for law in (
            fam.IID,
            fam.ExchangeableMixture,
            fam.ShuffledOnce,
            fam.Reshuffled,
            fam.Cyclic,
            fam.MarkovModulated,
        )
    },
    "a chain from another law": (
        LAWS,
        lambda x: isinstance(x, fam.MarkovModulated) and x.marginal is None,
    ),
    "three maps": (FINITE, lambda f: len(f.maps) == 3),
    "one map": (FINITE, lambda f: len(f.maps) == 1),
    "maps that move 0 down": (FINITE, lambda f: all(form.b[0] < 0 for _, form in f.support())),
    "maps that move 0 by 3": (FINITE, lambda f: any(form.b[0] == 3 for _, form in f.support())),
    "a factor of 9/10": (FINITE, lambda f: f.contraction.value == 0.9),
    "a factor of 2": (EXPANDING, lambda f: f.contraction.value == 2),
    **{
        f"family {law.__name__}": (SMALL, lambda f, law=law: isinstance(f, law))
        for law in (
            fam.QuadraticSGD,
            fam.LinearizedSGD,
            fam.ConstantMaps,
            fam.FiniteFamily,
            fam.GradientSteps,
            fam.BernoulliConvolution,
        )
    },
    **{
        f"steps on {loss.__name__}": (
            SMALL,
            lambda f, loss=loss: isinstance(f, fam.GradientSteps) and isinstance(f.loss, loss),
        )
        for loss in (fam.RidgeLoss, fam.RidgeLogisticLoss, fam.SoftplusLoss)
    },
    "a rate above 1": (SMALL, lambda f: isinstance(f, fam.QuadraticSGD) and f.h > 1),
    "a rate below 1": (SMALL, lambda f: isinstance(f, fam.QuadraticSGD) and f.h < 1),
    "steps beyond 1/M": (
        SMALL,
        lambda f: isinstance(f, fam.GradientSteps) and 1.5 < f.h * f.curvature[1] < 2,
    ),
}


@pytest.mark.parametrize("what", sorted(ENDS))
def test_what_is_documented_is_drawn(what):
    strategy, wanted = ENDS[what]
    assert any(wanted(x) for x in drawn(strategy)), what


@given(strategies.contraction_factors(near_one=False), FACTORS, INSIDE, RATES)
@MANY
def test_numbers_stay_within_their_ranges(small, factor, inside, anywhere):
    assert 0 <= small <= 0.9
    assert 0 <= factor <= 1 - 2.0**-40
    assert 0.0005 <= inside <= 0.4995
    assert -0.125 <= anywhere <= 0.625


@given(
    strategies.symmetric_matrices(3, -1, 3), strategies.matrices_of_norm(4, 0.5), strategies.matrices_of_norm(1, 2.0)
)
@MANY
def test_matrices_stay_within_their_ranges(H, A, number):
    assert np.array_equal(H, H.T)
    values = eigenvalues(H)
    assert values[0] >= -1 - 1e-13
    assert values[-1] <= 3 + 1e-13
    assert np.linalg.norm(A, 2) == pytest.approx(0.5, rel=1e-13)
    assert abs(number[0, 0]) == pytest.approx(2.0, rel=1e-15)


@given(strategies.exact_weights(3), strategies.exact_weights(3, zeros=False), strategies.orders(4), st.data())
@MANY
def test_exact_objects_stay_within_their_ranges(weights, positive, order, data):
    assert sum(weights) == sum(positive) == 1
    assert min(weights) >= 0 < min(positive)
    assert max(positive) <= Fraction(6, 8)
    for n in range(1, 5):
        word = order.word(n)
        assert all(1 <= i <= 4 for i in word)
    family = data.draw(strategies.finite_families(max_maps=2))
    assert 1 <= len(family.maps) <= 2
    assert all(abs(form.A) <= Fraction(9, 10) and abs(form.b[0]) <= 3 for _, form in family.support())


@pytest.mark.control
@pytest.mark.parametrize(
    ("strategy", "never"),
    [
        (strategies.noises(bounded=True), lambda x: math.isinf(x.bound)),
        (strategies.noises(bounded=False), lambda x: not math.isinf(x.bound)),
        (strategies.noises(bounded=False, finite_variance=True), lambda x: math.isinf(x.variance)),
        (strategies.index_laws(2, reversible=False), lambda law: law.is_iid),
        (SMALL, lambda f: f.dim > 3),
    ],
)
def test_what_is_not_asked_for_is_not_drawn(strategy, never):
    assert not any(never(x) for x in drawn(strategy))
