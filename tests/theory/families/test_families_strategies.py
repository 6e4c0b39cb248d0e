"""The public strategies build what they promise, without filtering."""

from __future__ import annotations

import importlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

import contraction as ct
from contraction import families as fam
from contraction import strategies

FEW = settings(max_examples=settings().max_examples // 3)


@given(strategies.families(), st.integers(0, 2**31))
@settings(max_examples=settings().max_examples, suppress_health_check=[HealthCheck.too_slow])
def test_families_are_certified(family, seed):
    assert 1 <= family.dim <= 50
    start = np.zeros(family.dim)
    assert family.contraction.value < 1
    assert np.isfinite(family.displacement(start).value)
    rows = ct.backward_iterates(family.sample(3, seed=seed), start)
    assert rows.shape == (4, family.dim)
    assert np.all(np.isfinite(rows))


@given(strategies.families(bounded=False, affine=True))
@FEW
def test_affine_families_are_affine(family):
    assert family.is_affine
    assert np.isfinite(family.displacement_moment(np.zeros(family.dim), 2.0).value)


@given(strategies.families(affine=False))
@FEW
def test_other_families_are_not_affine(family):
    assert not family.is_affine


@given(strategies.finite_families())
@FEW
def test_finite_families_are_exact(family):
    assert sum(family.weights) == 1
    point = np.array([Fraction(1, 3)])
    for _, form in family.support():
        assert isinstance(form(point)[0], Fraction)
    assert family.contraction.value <= 0.9


@given(st.data(), st.integers(2, 3), st.integers(1, 5))
@FEW
def test_reversible_index_laws_are_reversible(data, size, n):
    law = data.draw(strategies.index_laws(size, reversible=True))
    assert sum(p for _, p in law.words(n)) == 1
    assert law.is_reversible(n)


@given(st.data(), st.integers(2, 3))
@FEW
def test_irreversible_index_laws_fail_somewhere(data, size):
    law = data.draw(strategies.index_laws(size, reversible=False))
    assert not all(law.is_reversible(n) for n in range(1, 2 * size))


@given(st.data(), st.integers(1, 50))
@FEW
def test_matrices(data, d):
    H = data.draw(strategies.symmetric_positive_definite(d, condition=100.0))
    assert np.array_equal(H, H.T)
    values = np.linalg.eigvalsh(H)
    rounding = 10 * d * np.finfo(float).eps * 10
    assert values[0] >= 0.1 - rounding
    assert values[-1] <= 10 + rounding
    A = data.draw(strategies.matrices_of_norm(d, 0.75))
    assert np.linalg.norm(A, 2) == pytest.approx(0.75, rel=10 * d * np.finfo(float).eps)


@given(strategies.noises(bounded=True), strategies.noises(bounded=False), strategies.noises(finite_variance=True))
@FEW
def test_noises(inside, outside, tame):
    assert np.isfinite(inside.bound)
    assert np.isinf(outside.bound)
    assert np.isfinite(tame.variance)


@given(strategies.orders(20), strategies.contraction_factors(), strategies.starts(3))
@FEW
def test_orders_factors_and_starts(order, k, start):
    ops = fam.BernoulliConvolution().sample(20)
    rows = ct.iterates(ops, 0.0, order)
    assert rows.shape == (21, 1)
    np.testing.assert_allclose(rows, ct.plain_iterates(ops, 0.0, order), rtol=0, atol=1e-12)
    assert 0 <= k < 1
    assert start.shape == (3,)
    assert np.all(np.abs(start) <= 1e6)


@given(strategies.learning_rates(0.5, contracting=True), strategies.learning_rates(0.5))
@FEW
def test_learning_rates(inside, anywhere):
    assert 0 < inside < 0.5
    assert -0.5 <= anywhere <= 1.0


@pytest.mark.parametrize(
    "kind", [ct.Forward, ct.Backward, ct.Windowed, ct.Reset, ct.Late, ct.PairedReversal, ct.Repeated, ct.Epochs]
)
def test_every_order_is_drawn(kind):
    assert isinstance(find(strategies.orders(6), lambda order: isinstance(order, kind)), kind)


def test_edges_are_reached():
    assert find(strategies.orders(6), lambda order: order == ct.Epochs(3, forth_and_back=True)).N == 3
    assert find(strategies.contraction_factors(), lambda k: k == 0) == 0
    assert find(strategies.contraction_factors(), lambda k: k > 1 - 1e-9) < 1
    assert find(strategies.learning_rates(), lambda h: h > 2) > 2
    assert find(strategies.learning_rates(), lambda h: h == 2) == 2
    assert find(strategies.families(), lambda f: f.dim >= 50).dim == 50


def test_a_public_function_is_not_hidden_by_its_module():
    importlib.import_module("contraction.maps.iterates")  # binds the module on the package
    assert callable(ct.iterates)


@pytest.mark.control
def test_impossible_requests_are_refused():
    with pytest.raises(ValueError, match="every law is reversible"):
        find(strategies.index_laws(1, reversible=False), lambda _: True)
    with pytest.raises(ValueError, match="at least 1"):
        strategies.symmetric_positive_definite(2, condition=0.5)
