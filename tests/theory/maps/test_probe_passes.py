"""Maps that keep the rules pass the probe, and their results are unchanged."""

from __future__ import annotations

import numpy as np
import pytest

import contraction as ct
from contraction.families import FiniteFamily
from contraction.maps.probe import probe, probe_family
from tests.theory.family_examples import EXAMPLES, NAMES
from tests.theory.maps.probe_examples import A2, A3, family, project


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("replicas", [None, 3, 12])
def test_every_shipped_family_passes(name, replicas):
    shipped, start = EXAMPLES[name]
    for n, seed in ((1, 0), (2, 1), (9, 2)):
        probe(shipped.sample(n, seed, replicas=replicas), start)
        probe(shipped.sample(n, seed, replicas=replicas), np.stack([start, start]) if replicas is None else start)
    probe_family(shipped, start)


def test_a_result_is_an_array_of_its_own():
    """The identity returns its argument: neither the caller's start nor two results share memory."""
    start, same = np.zeros(2), ct.Operators.from_maps([lambda t: t] * 3)
    for value in (ct.apply_backward(same, start), ct.apply_backward(same, start, n=0)):
        assert value.flags.writeable
        assert not np.shares_memory(value, start)


@pytest.mark.parametrize(
    ("one", "many", "d"),
    [
        (lambda t, u: A2 @ t + u, lambda t, u: t @ A2.T + u, 2),
        (lambda t, u: A3 @ t + u, lambda t, u: t @ A3.T + u, 3),
        (
            lambda t, u: project(0.8 * t + 0.5 * u),
            lambda t, u: (z := 0.8 * t + 0.5 * u) / np.maximum(1.0, np.linalg.norm(z, axis=-1, keepdims=True)),
            3,
        ),
        (lambda t, u: 0.3 * t + 0.1 * t.sum() + u, lambda t, u: 0.3 * t + 0.1 * t.sum(-1, keepdims=True) + u, 3),
    ],
    ids=["A @ t, 2", "A @ t, 3", "projection", "sum"],
)
def test_an_apply_for_one_vector_works_with_batched_false(one, many, d):
    """Every entry gives what the map written for batches gives, with as many starts as maps and coordinates."""
    looped, plain = family(one, d, batched=False), family(many, d)
    starts = np.arange(d * d).reshape(d, d) / 3.0
    for replicas in (None, d):
        a, b = looped.sample(d, 1, replicas=replicas), plain.sample(d, 1, replicas=replicas)
        for order in (ct.Forward(), ct.Backward(), ct.Windowed(2)):
            got, expected = ct.iterates(a, starts, order), ct.iterates(b, starts, order)
            np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)
        for x, y in zip(ct.coupling_distance(a, starts, 0.0), ct.coupling_distance(b, starts, 0.0), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-12)
    a, b = (ct.backward_limit(f, np.zeros(d), 1e-2).value for f in (looped, plain))
    np.testing.assert_allclose(a, b, atol=1e-8)
    functions = [lambda t, u=u: one(t, u) for u in np.eye(d)]
    expected = np.stack([ct.backward_iterates(ct.Operators.from_maps(functions, batched=False), x) for x in starts])
    got = ct.backward_iterates(ct.Operators.from_maps(functions, batched=False), starts)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)
    finite, batches = FiniteFamily(functions, dim=d, batched=False), [lambda t, u=u: many(t, u) for u in np.eye(d)]
    for replicas in (None, d):
        rows = [ct.backward_iterates(f.sample(d, replicas=replicas), starts) for f in (finite, FiniteFamily(batches))]
        np.testing.assert_allclose(*rows, rtol=1e-12, atol=1e-12)


def test_maps_of_a_domain_pass():
    """Maps that fail, or mean nothing, outside the set they are for: only points that they reach are tried then."""

    def gauss(theta, a):
        if np.any(theta < 0):
            raise ValueError("a continued fraction is at least 0")
        return 1 / (a + theta)

    fractions = family(gauss, 1, lambda rng: int(rng.integers(1, 5)))
    assert 0 < ct.backward_limit(fractions, 0.5, 1e-9).value[0] < 1
    roots = family(lambda t, u: np.sqrt(t) / 2 + u, 1, lambda rng: rng.uniform(0, 1, 1))
    assert np.isfinite(ct.backward_iterates(roots.sample(9), 1.0)).all()
    table = np.array([[0, 0, 1], [1, 2, 2]])
    chain = family(lambda s, u: table[u][s.astype(int)], 1, lambda rng: int(rng.integers(2)))
    assert ct.coupling_from_the_past(chain, states=np.arange(3)).value[0] in (0, 1, 2)


def test_maps_that_jump_pass():
    """Sign steps: a coordinate within rounding of the jump may fall on either side in another batch."""
    B = np.array([[0.1, 0.2, 0.3], [0.3, 0.1, 0.2], [0.7, 0.1, 0.2]])
    sign = family(lambda t, u: t - 0.1 * np.sign(t @ B.T - B.sum(1)) + 0 * u, 3)
    for start in (np.zeros(3), np.ones(3), np.full(3, 0.1)):
        assert np.isfinite(ct.backward_iterates(sign.sample(6), start)).all()


def test_a_value_within_rounding_of_a_jump_passes():
    """A batch rounds the other way at 0, where the floor jumps; nowhere else is there a difference."""
    floor = family(lambda t, u: np.floor(t - (1e-18 if t.ndim > 1 else 0.0)) / 2 + 0 * u)
    assert np.isfinite(ct.backward_iterates(floor.sample(5), np.zeros(2))).all()


def test_draws_that_cannot_be_compared_pass():
    """Closures and constant draws."""

    def shift(rng):
        c = rng.uniform()
        return lambda t: 0.5 * t + c

    closures = family(lambda t, f: f(t), 2, shift)
    assert ct.backward_iterates(closures.sample(5), np.zeros(2)).shape == (6, 2)
    assert ct.backward_iterates(family(lambda t, u: t / 2, 2, lambda rng: None).sample(5), np.ones(2))[-1, 0] == 2.0**-5
