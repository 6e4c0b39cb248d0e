"""Every family keeps the contract of a random operator: constants, affine form, replay, replicas, iterates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import contraction as ct
from contraction import families as fam
from contraction import strategies
from contraction.certificates.falsify import search_violation
from contraction.maps.rounding import gamma, iterate_rounding
from tests.theory.family_examples import EXAMPLES, NAMES

ORDERS = [ct.Forward(), ct.Backward(), ct.Windowed(4)]


def _one(draw, r):
    """The draw of one replica."""
    return tuple(x[r] for x in draw) if isinstance(draw, tuple) else np.asarray(draw)[r]


def _same(a, b):
    if isinstance(a, tuple):
        return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    return np.array_equal(a, b)


def _points(family, start, rng, count=3):
    if start.dtype == object:
        return np.array([[int(x)] for x in rng.integers(0, 1000, count)], dtype=object)
    if isinstance(family, fam.PageRank):
        return rng.dirichlet(np.ones(family.dim), count)
    return start + 3 * rng.standard_normal((count, *start.shape))


def _factor(family):
    """A common Lipschitz constant; steps on one's own loss state none, but |φ''| < 1.1 for log(1 + exp(-tanh z))."""
    if isinstance(family, fam.OwnLossSteps):
        assert family.contraction is None
        return 1 + family.h * (family.ridge + 1.1 * np.max(np.sum(family.data[0] ** 2, axis=1)))
    return family.contraction.value


@pytest.mark.parametrize("name", NAMES)
def test_constants_are_not_violated(name):
    family, start = EXAMPLES[name]
    search = search_violation(family, start, seed=3)
    assert search.pairs > 0
    assert search.largest_ratio <= _factor(family) * (1 + 1e-9)


SOME = [
    "quadratic, uniform",
    "linearized, correlated",
    "logistic",
    "heavy ball",
    "bellman",
    "page rank",
    "picard",
    "prefixes",
]


@pytest.mark.control
@pytest.mark.parametrize("name", SOME)
def test_constants_stated_too_small_are_found(name, monkeypatch):
    family, start = EXAMPLES[name]
    seen = search_violation(family, start, seed=3)
    with monkeypatch.context() as patch:
        smaller = ct.Constant(0.98 * seen.largest_ratio, "declared", "too small")
        patch.setattr(type(family), "contraction", property(lambda self: smaller))
        with pytest.raises(ct.DeclarationRefuted, match="too small"):
            search_violation(family, start, seed=3)
    smaller = ct.Constant(0.9 * seen.largest_displacement, "declared", "too small")
    monkeypatch.setattr(type(family), "displacement", lambda self, theta0: smaller)
    with pytest.raises(ct.DeclarationRefuted, match=r"displacement .* is violated"):
        search_violation(family, start, seed=3)


@pytest.mark.parametrize("name", NAMES)
def test_displacement_bounds_many_draws_and_moments_lie_below(name):
    family, start = EXAMPLES[name]
    D = family.displacement(start)
    if D is None:
        pytest.skip("nothing is declared")
    ops = family.sample(40, seed=11, replicas=50)
    starts = np.broadcast_to(start, (50, *start.shape))
    moves = [float(np.max(family.space.distance(start, ops.apply(i, starts)))) for i in range(1, 41)]
    assert max(moves) <= D.value * (1 + gamma(200))
    two = family.displacement_moment(start, 2.0)
    assert two.value <= D.value * (1 + gamma(200))
    assert family.displacement_moment(start, np.inf).value == D.value
    assert family.displacement_moment(start, 1.0).value <= two.value * (1 + gamma(200))


@pytest.mark.parametrize("name", [n for n in NAMES if EXAMPLES[n][0].is_affine])
@pytest.mark.parametrize("replicas", [None, 3])
def test_affine_form_is_the_map(name, replicas):
    family, start = EXAMPLES[name]
    rng = np.random.default_rng(0)
    ops = family.sample(4, seed=2, replicas=replicas)
    x = _points(family, start, rng)
    x = x if replicas is None else np.stack([x, x[::-1]])
    stacked = ops.affine()
    for i, op in enumerate(ops):
        form, values = op.affine, op(x)
        slack = gamma(20 + 8 * family.dim) * (1 + np.max(np.abs(x))) * (1 + np.max(np.abs(form.A))) * family.dim * 3
        assert np.max(np.abs(form(x) - values)) <= slack + gamma(20) * np.max(np.abs(form.b))
        assert np.array_equal(stacked.b[i], form.b)
        assert np.array_equal(stacked.A if stacked.common else stacked.A[i], form.A)
        assert stacked.kind == form.kind


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("replicas", [None, 3])
def test_maps_replay_and_do_not_depend_on_the_horizon(name, replicas):
    family, _ = EXAMPLES[name]
    short, long = family.sample(5, seed=4, replicas=replicas), family.sample(12, seed=4, replicas=replicas)
    other = family.sample(12, seed=5, replicas=replicas)
    for i in range(5):
        assert _same(short[i].draw, long[i].draw)
    assert not all(_same(long[i].draw, other[i].draw) for i in range(12))
    assert not all(_same(long[i].draw, long[0].draw) for i in range(12))


@pytest.mark.parametrize("name", NAMES)
def test_replicas_act_one_by_one(name):
    family, start = EXAMPLES[name]
    rng = np.random.default_rng(0)
    op = family.sample(1, seed=4, replicas=3)[0]
    x = _points(family, start, rng)
    batch = np.stack([x, _points(family, start, rng)])
    together, deeper = op(x), op(batch)
    assert together.shape == x.shape
    assert deeper.shape == batch.shape
    for r in range(3):
        alone = family.apply(x[r], _one(op.draw, r))
        assert np.allclose(together[r].astype(float), alone.astype(float), rtol=1e-13, atol=1e-13)
        assert np.allclose(deeper[0, r].astype(float), alone.astype(float), rtol=1e-13, atol=1e-13)
    if family.contraction is None:
        assert family.lipschitz(op.draw) is None
        return
    lip = np.broadcast_to(family.lipschitz(op.draw), (3,))
    singles = [float(family.lipschitz(_one(op.draw, r))) for r in range(3)]
    assert np.allclose(lip, singles, rtol=1e-12)
    assert np.all(lip <= family.contraction.value * (1 + 1e-12))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("replicas", [None, 3])
def test_iterates_equal_the_plain_loop(name, replicas):
    family, start = EXAMPLES[name]
    ops = family.sample(12, seed=6, replicas=replicas)
    for order in ORDERS:
        fast, plain = ct.iterates(ops, start, order), ct.plain_iterates(ops, start, order)
        if start.dtype == object:
            assert np.array_equal(fast, plain)
            continue
        k = max(1.0, _factor(family))
        scale = (1 + np.max(np.abs(plain))) * max(1, family.dim)
        assert np.max(np.abs(fast - plain)) <= 2 * iterate_rounding(k, 12, scale, 20 + 8 * family.dim)


@pytest.mark.control
@pytest.mark.parametrize("name", ["bernoulli, signs", "ridge", "bellman", "prefixes"])
def test_the_orders_differ(name):
    family, start = EXAMPLES[name]
    ops = family.sample(12, seed=6)
    assert not np.array_equal(ct.forward_iterates(ops, start)[-1], ct.backward_iterates(ops, start)[-1])


@given(strategies.families(near_one=False, max_dim=10), st.integers(0, 2**31))
@settings(max_examples=settings().max_examples // 3)
def test_drawn_families_keep_their_constants(family, seed):
    start = np.random.default_rng(seed).uniform(-2, 2, family.dim)
    search = search_violation(family, start, seed=seed, maps=4, pairs=8)
    assert search.largest_displacement <= family.displacement(start).value * (1 + 1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_names(name):
    family, _ = EXAMPLES[name]
    assert repr(family)
    assert family.name
    assert type(family).__name__ in fam.__all__
    stated = family.contraction
    assert stated.origin in ("proved", "declared") if stated else isinstance(family, fam.OwnLossSteps)
