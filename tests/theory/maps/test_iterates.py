"""Iterates: every fast path equals the plain double loop, under every order, for every type."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import contraction as ct
from contraction.families import QuadraticSGD, Uniform
from contraction.maps.affine import worth_it
from contraction.maps.rounding import iterate_rounding
from tests.theory.maps.test_orders import ORDERS

SCRAMBLED = ct.CustomOrder(lambda n: [2, 1, *range(3, n + 1)] if n > 1 else [1])
REPEATING = ct.CustomOrder(lambda n: [n, 1, n], anchors=lambda n: n // 2)
ANY_ORDER = st.one_of(ORDERS, st.just(SCRAMBLED), st.just(REPEATING))


def sine(dim: int = 3) -> ct.RandomOperator:
    return ct.RandomOperator(
        draw=lambda rng: rng.uniform(-1, 1, dim), apply=lambda theta, draw: 0.5 * np.sin(theta) + draw
    )


def matrices(dim: int) -> ct.RandomOperator:
    """Affine maps with matrices of their own, of spectral norm at most 0.9, and |b| <= sqrt(d)."""

    def draw(rng):
        A = rng.normal(size=(dim, dim))
        return 0.9 * A / np.linalg.norm(A, 2), rng.uniform(-1, 1, dim)

    return ct.RandomOperator(draw=draw, apply=lambda theta, d: theta @ d[0].T + d[1], affine=lambda d: d)


@given(order=ANY_ORDER, n=st.integers(0, 25), seed=st.integers(0, 10**6), data=st.data())
def test_wavefront_is_bitwise_the_plain_loop(order, n, seed, data):
    """Elementwise maps round alike whether applied to one point or to many."""
    operators = sine().sample(n, seed)
    at = data.draw(st.none() | st.lists(st.integers(0, n), max_size=6))
    start = np.array([0.3, -2.0, 7.0])
    fast, plain = ct.iterates(operators, start, order, at), ct.plain_iterates(operators, start, order, at)
    assert fast.shape == ((n + 1 if at is None else len(at)), 3)
    np.testing.assert_array_equal(fast, plain)


@given(dim=st.integers(1, 6), n=st.integers(1, 60), seed=st.integers(0, 10**6), far=st.floats(0, 1e6))
def test_affine_path_equals_the_plain_loop(dim, n, seed, far):
    """Rounding: |b| <= sqrt(d) and k = 0.9 keep all points within far sqrt(d) + 10 sqrt(d); each matrix product

    makes at most gamma(2d + 4) sqrt(d) of that, and the prefix products of the affine path as much again.
    """
    operators = matrices(dim).sample(n, seed)
    start = np.full(dim, far)
    for order in (ct.Forward(), ct.Backward()):
        fast, plain = ct.iterates(operators, start, order), ct.plain_iterates(operators, start, order)
        scale = (far + 10) * dim  # sqrt(d) from the norms, sqrt(d) from entrywise against spectral bounds
        assert np.abs(fast - plain).max() <= 2 * iterate_rounding(0.9, n, scale, 4 * dim + 8)


@given(
    h=st.sampled_from([-0.1, 0.0, 0.1, 1.0, 1.9, 2.0, 2.1]),
    n=st.integers(0, 50),
    replicas=st.integers(1, 5),
    seed=st.integers(0, 10**6),
    data=st.data(),
)
def test_streamed_pair_equals_the_plain_loop(h, n, replicas, seed, data):
    """Rounding: at most n + 1 terms of size growth^n (|theta| + |h| n), each rounded at most 3n + 6 times."""
    operators = QuadraticSGD(h, Uniform(-1, 1), dim=2).sample(n, seed, replicas=replicas)
    at = data.draw(st.none() | st.lists(st.integers(0, n), min_size=1, max_size=4))
    pair = ct.paired_iterates(operators, [1.0, -3.0], at)
    scale = max(1.0, abs(1 - h)) ** n * (3 + abs(h) * n)
    for order, rows in zip((ct.Forward(), ct.Backward()), pair, strict=True):
        plain = ct.plain_iterates(operators, [1.0, -3.0], order, at)
        assert rows.shape == plain.shape == (replicas, n + 1 if at is None else len(at), 2)
        assert np.abs(rows - plain).max(initial=0) <= iterate_rounding(1.0, n + 1, scale, 3 * n + 6)


def test_replicas_of_a_users_map_are_independent_columns():
    operators = sine().sample(6, seed=5, replicas=4)
    rows = ct.backward_iterates(operators, np.zeros(3))
    assert rows.shape == (4, 7, 3)
    for r in range(4):
        one = ct.Operators(operators.family, [operators.draws[i][r] for i in range(6)])
        np.testing.assert_array_equal(rows[r], ct.backward_iterates(one, np.zeros(3)))
    assert len({row[-1, 0] for row in rows}) == 4


def test_a_draw_does_not_depend_on_how_many_are_drawn():
    few, many = sine().sample(5, seed=9), sine().sample(50, seed=9)
    for i in range(5):
        np.testing.assert_array_equal(few[i].draw, many[i].draw)
    assert not np.array_equal(few[0].draw, sine().sample(5, seed=10)[0].draw)


def test_exact_types_pass_through():
    maps = [lambda x, i=i: x / 2 + Fraction(1, 3**i) for i in range(1, 6)]
    rows = ct.backward_iterates(ct.Operators.from_maps(maps), Fraction(7))
    assert rows.dtype == object
    assert all(isinstance(x, Fraction) for x in rows[:, 0].tolist()[1:])
    assert rows[2, 0] == (Fraction(7, 2) + Fraction(1, 9)) / 2 + Fraction(1, 3)
    doubling = ct.Operators.from_maps([lambda x: 2 * x + 1] * 200)
    assert ct.forward_iterates(doubling, 0)[-1, 0] == 2**200 - 1


def test_flint_balls_pass_through():
    flint = pytest.importorskip("flint")
    maps = ct.Operators.from_maps([lambda x: x / 2 + 1] * 10)
    last = ct.backward_iterates(maps, np.array([flint.fmpq(0)], dtype=object))[-1, 0]
    assert last == flint.fmpq(2) - flint.fmpq(2, 1024)


def test_divergence_is_the_maps_own():
    """Prefix products that overflow must not turn a finite or infinite iterate into NaN."""
    operators = ct.Operators.from_maps([lambda x: 1e200 * x] * 4, affine=[(1e200, 0.0)] * 4)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(ct.backward_iterates(operators, 0.0)[:, 0], np.zeros(5))


def test_affine_path_is_chosen_where_it_wins():
    assert worth_it("matrix", False, 101, 50)
    assert not worth_it("matrix", False, 100, 50)
    assert worth_it("matrix", True, 1, 50)
    assert worth_it("diagonal", False, 1, 50)


def test_noise_that_is_not_frozen_is_refused():
    """The determinism probe: a map that draws while it is applied."""
    rng = np.random.default_rng(0)
    fresh = ct.RandomOperator(draw=lambda r: None, apply=lambda theta, _: theta / 2 + rng.normal())
    with pytest.raises(ct.NotDeterministic, match="move the randomness into draw"):
        ct.backward_iterates(fresh.sample(3), 0.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sine().sample(-1), "number of maps n must be an integer of at least 0, got -1"),
        (lambda: sine().sample(3, seed=-2), "the seed must be an integer of at least 0, got -2"),
        (lambda: sine().sample(3, replicas=0), "replicas must be an integer of at least 1"),
        (lambda: ct.forward_iterates(sine().sample(3), [np.nan, 0, 0]), "must not contain NaN"),
        (lambda: ct.forward_iterates(sine().sample(3), np.zeros(3), at=[4]), "iterate 4 was asked for"),
        (lambda: ct.forward_iterates(sine().sample(3), np.zeros(3), at=[-1]), "integer of at least 0, got -1"),
        (lambda: ct.forward_iterates(sine().sample(3), "abc"), "real numbers"),
        (lambda: ct.forward_iterates(QuadraticSGD(0.1, dim=2).sample(3), [1.0, 2.0, 3.0]), "2 coordinates"),
        (
            lambda: ct.forward_iterates(sine().sample(3), np.zeros(4)),
            r"T_1 cannot be applied to points of shape \(4,\)",
        ),
        (lambda: ct.forward_iterates(sine().sample(3), [[0.0], [1.0, 2.0]]), "an array of one shape"),
        (
            lambda: ct.forward_iterates(ct.Operators.from_maps([lambda x: x[:1]]), np.zeros(2)),
            r"maps must keep the shape of a point: T_1 takes \(2,\) to \(1,\)",
        ),
        (lambda: ct.RandomOperator(draw=lambda r: 0, apply=lambda t, d: t, contraction=np.nan), "finite number >= 0"),
        (lambda: ct.Operators.from_maps([np.sin], lipschitz=[1.0, 1.0]), "one entry per map, got 2 for 1 maps"),
        (lambda: ct.forward_iterates(sine().sample(3), None), "real numbers, got None"),
        (lambda: ct.RandomOperator(draw=int, apply=np.add, contraction="a"), "finite number >= 0, got 'a'"),
        (lambda: ct.RandomOperator(draw=int, apply=np.add, displacement="a"), "number >= 0, got 'a'"),
        (lambda: ct.search_violation(sine(), 0.0), r"keep the shape of a point: T_1 .* takes \(1,\) to \(3,\)"),
        (
            lambda: ct.forward_iterates(sine().sample(3, replicas=4), np.zeros((2, 3))),
            r"start for 4 replicas has shape \(..., 4, d\) or \(d,\), got \(2, 3\)",
        ),
    ],
)
def test_bad_input_is_refused_with_its_rule(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ct.backward_iterates(sine(), np.zeros(3)), r"such as family.sample\(N, seed\)"),  # type: ignore
        (lambda: ct.backward_iterates([np.sin], np.zeros(3)), r"such as Operators.from_maps"),  # type: ignore
        (lambda: ct.iterates(sine().sample(3), np.zeros(3), ct.Late), r"such as Backward\(\)"),  # type: ignore
        (lambda: ct.backward_iterates(sine().sample(3), np.zeros(3), at=2), r"such as \[2\], got 2"),  # type: ignore
    ],
)
def test_wrong_kinds_are_refused_with_what_to_write(call, message):
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.control
@pytest.mark.parametrize("wrong", [ct.Forward(), SCRAMBLED])
def test_a_wrong_order_is_seen(wrong):
    operators = sine().sample(12, seed=3)
    assert not np.array_equal(ct.iterates(operators, np.zeros(3), wrong), ct.backward_iterates(operators, np.zeros(3)))
