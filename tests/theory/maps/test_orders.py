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
    check_order,
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


def test_orders_cost_nothing_to_import():
    code = "import contraction.maps.orders, sys; assert not {'numpy', 'sympy', 'torch', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
