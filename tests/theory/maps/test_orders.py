"""Iteration orders: anchors, words, costs and what is refused."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.maps.orders import (
    Backward,
    CustomOrder,
    Forward,
    Late,
    Reset,
    Windowed,
    anchors,
    chain,
    check_order,
    full_word,
    map_applications,
)

ORDERS = st.one_of(
    st.just(Forward()),
    st.just(Backward()),
    st.integers(1, 9).map(Windowed),
    st.lists(st.integers(1, 40), max_size=4).map(Reset),
    st.integers(0, 40).map(Late),
)


@given(order=ORDERS, n=st.integers(1, 60))
def test_every_map_is_used_once(order, n):
    """Following anchors down to 0, the words of all these orders use each of 1 … n exactly once."""
    used, k = [], n
    while k:
        used += order.word(k)
        assert 0 <= order.anchor(k) < k
        k = order.anchor(k)
    assert sorted(used) == list(range(1, n + 1))


@given(order=ORDERS, n=st.integers(0, 60), others=st.lists(st.integers(0, 60), max_size=5))
def test_one_walk_along_the_anchors(order, n, others):
    """Words, anchors and costs are those of a walk that is written out here."""
    steps, k = [], n
    while k:
        steps.append((k, order.anchor(k)))
        k = order.anchor(k)
    assert list(chain(order, n)) == steps
    assert full_word(order, n) == [i for m, _ in steps for i in order.word(m)]
    assert map_applications(order, [n]) == len(full_word(order, n)) == n
    together = anchors(order, [n, *others])
    assert together == {m: order.anchor(m) for start in (n, *others) for m in dict(chain(order, start))}
    assert all(m in together or m == 0 for m in together.values())
    below = {m for start in others for m in dict(chain(order, start))}
    assert [m for m, _ in chain(order, n, below)] == [
        m for m in dict(steps) if m > max(below & {m for m, _ in steps}, default=0)
    ]


def test_a_malformed_order_is_refused_by_the_walk():
    """An anchor that is not below its iterate would never end; it is refused deep in a chain too."""
    loop = CustomOrder(lambda n: [n], anchors=lambda n: n - 1 if n > 3 else n)
    for walk in (lambda: full_word(loop, 6), lambda: map_applications(loop, [6]), lambda: check_order(loop, [6], 6)):
        with pytest.raises(ValueError, match="anchor of iterate 3 must be an integer in 0 … 2, got 3"):
            walk()


def test_words_are_written_outermost_first():
    assert list(Backward().word(4)) == [1, 2, 3, 4]
    assert (Forward().anchor(4), list(Forward().word(4))) == (3, [4])
    assert [Windowed(3).anchor(n) for n in range(1, 8)] == [0, 0, 0, 3, 3, 3, 6]
    assert [Reset([5, 2]).anchor(n) for n in range(1, 8)] == [0, 0, 2, 2, 2, 5, 5]
    assert [Late(3).anchor(n) for n in range(1, 7)] == [0, 1, 2, 3, 3, 3]
    assert list(Late(3).word(6)) == [4, 5, 6]


def test_costs():
    assert map_applications(Backward(), range(101)) == 100 * 101 // 2
    assert map_applications(Forward(), [100]) == 100
    assert map_applications(Windowed(10), range(101)) == 10 * 55
    assert map_applications(Late(50), [100]) == 100


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (CustomOrder(lambda n: [n], anchors=lambda n: n), "anchor of iterate 1 must be an integer in 0 … 0, got 1"),
        (CustomOrder(lambda n: [n + 1]), "word of iterate 3 names map 4; the maps are 1 … 3"),
        (CustomOrder(lambda n: [0]), "names map 0"),
        (CustomOrder(lambda n: [1.0]), "names map 1.0"),
    ],
)
def test_malformed_orders_are_refused(order, message):
    with pytest.raises(ValueError, match=message):
        check_order(order, range(4), 3)


def test_what_is_no_order_is_refused():
    with pytest.raises(TypeError, match=r"anchor\(n\) and word\(n\)"):
        check_order(object(), range(3), 3)  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [lambda: Windowed(0), lambda: Reset([0]), lambda: Late(-1), lambda: Windowed(2.5)])
def test_meaningless_parameters_are_refused(make):
    with pytest.raises(ValueError, match="must be an integer of at least"):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CustomOrder([1, 2, 3]), r"words must be a function n -> .*; got \[1, 2, 3\]"),
        (lambda: CustomOrder(None), "words must be a function"),
        (lambda: CustomOrder(lambda n: [n], anchors=0), "anchors must be a function .*; got 0"),
        (lambda: CustomOrder(lambda n: [n], settles=5), "settles must be a function p -> .*; got 5"),
        (lambda: Reset(5), r"a list of indices, as in Reset\(\[5\]\), got 5"),
    ],
)
def test_what_is_no_function_or_list_is_named(make, message):
    with pytest.raises(TypeError, match=message):
        make()


def test_orders_cost_nothing_to_import():
    code = "import contraction.maps.orders, sys; assert not {'numpy', 'sympy', 'torch', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
