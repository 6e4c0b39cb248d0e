"""Which maps are applied to which points on each way of computing iterates, and where one way gives way to another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction.families import FiniteFamily
from contraction.maps import iterates as module
from contraction.maps.affine import AffineMaps, _powers, backward_affine, backward_matrices, worth_it
from contraction.maps.iterates import _are_prefixes, _asked, _blocks, _ordered, start_of
from contraction.maps.orders import (
    Backward,
    CustomOrder,
    Forward,
    Order,
    PairedReversal,
    Repeated,
    Windowed,
    full_word,
)
from contraction.maps.spaces import Metric


def logged(log: list[tuple[int, int]]) -> ct.Operators:
    """Six maps x/2 + i, which note their number and how many points they are applied to."""

    def apply(x: Any, i: Any) -> Any:
        log.append((int(i), x.size))
        return x / 2 + i

    family = ct.RandomOperator(lambda rng: 0, apply)
    return ct.Operators(family, [1, 2, 3, 4, 5, 6])


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (Backward(), [(5, 1), (4, 2), (3, 3), (2, 4), (1, 5)]),
        (Forward(), [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1)]),
        (Windowed(2), [(2, 1), (1, 2), (4, 1), (3, 2), (5, 1)]),
    ],
    ids=str,
)
def test_chains_from_one_anchor_share_their_maps(order: Order, expected: list) -> None:
    log: list[tuple[int, int]] = []
    rows = _ordered(logged(log), np.zeros(1), order, np.arange(6))
    assert log == expected
    np.testing.assert_allclose(rows, ct.plain_iterates(logged([])[:5], [0.0], order), rtol=1e-15)


def test_words_that_are_no_prefixes_share_their_maps_too() -> None:
    """T_1 … T_n T_n … T_1 for n = 1, 2, 3: six steps, three of them of all chains that still need the map."""
    log: list[tuple[int, int]] = []
    rows = _ordered(logged(log), np.zeros(1), PairedReversal(), np.arange(4))
    assert len(log) == 6
    assert sum(size for _, size in log) == 2 + 4 + 6
    np.testing.assert_allclose(rows, ct.plain_iterates(logged([])[:3], [0.0], PairedReversal()), rtol=1e-15)


@pytest.mark.parametrize("at", [[3], [5, 1], [2, 2, 0], [4, 0, 1, 3], []])
@pytest.mark.parametrize(
    "order",
    [Backward(), Forward(), Windowed(3), PairedReversal(), Repeated(2), CustomOrder(lambda n: [n, 1, n][: n + 1])],
    ids=lambda order: type(order).__name__,
)
def test_rows_come_in_the_order_that_was_asked_for(order: Order, at: list[int]) -> None:
    found = ct.iterates(logged([]), [0.5], order, at)
    plain = ct.plain_iterates(logged([]), [0.5], order, at)
    assert found.shape == plain.shape == (len(at), 1)
    np.testing.assert_allclose(found, plain, rtol=1e-15)
    for row, n in zip(found, at, strict=True):
        x = np.array([0.5])
        for i in reversed(full_word(order, n)):
            x = x / 2 + i
        np.testing.assert_allclose(row, x, rtol=1e-15)


@pytest.mark.parametrize(
    ("words", "prefixes"),
    [
        ([range(1, 3), range(1, 5)], True),
        ([range(1, 1), range(1, 5)], True),
        ([range(3, 3), range(1, 5)], True),
        ([range(2, 3), range(1, 5)], False),
        ([range(1, 3), (1, 2, 3)], False),
        ([(1, 2), range(1, 5)], False),
        ([range(1, 4, 2), range(1, 5)], False),
        ([range(1, 3), range(1, 9, 2)], False),
        ([range(7, 9)], True),
    ],
)
def test_which_words_are_prefixes(words: list, prefixes: bool) -> None:
    assert _are_prefixes(words) is prefixes


@pytest.mark.parametrize(
    ("kind", "symmetric", "horizon", "dim", "worth"),
    [
        ("scalar", False, 1, 9, True),
        ("diagonal", False, 1, 9, True),
        ("matrix", True, 1, 9, True),
        ("matrix", False, 18, 9, False),
        ("matrix", False, 19, 9, True),
        ("matrix", False, 3, 1, True),
    ],
)
def test_products_of_matrices_are_worth_it_beyond_twice_the_dimension(
    kind: str, symmetric: bool, horizon: int, dim: int, worth: bool
) -> None:
    assert worth_it(kind, symmetric, horizon, dim) is worth


def of_slope(slope: float, n: int, kind: str, common: bool) -> AffineMaps:
    one = {
        "scalar": np.array(slope),
        "diagonal": np.array([slope, 0.5]),
        "matrix": np.array([[slope, 0.0], [1.0, 0.5]]),
    }
    A = one[kind] if common else np.broadcast_to(one[kind], (n, *one[kind].shape))
    return AffineMaps(A, np.ones((n, 2)), kind, common)


@pytest.mark.parametrize("slope", [2.0, -2.0])
@pytest.mark.parametrize("kind", ["scalar", "diagonal", "matrix"])
@pytest.mark.parametrize("common", [True, False])
def test_products_may_grow_to_2_to_the_10(slope: float, kind: str, common: bool) -> None:
    """Ten doublings, in either sign; the eleventh is beyond it."""
    start = np.array([3.0, -1.0])
    n = 8 if kind == "matrix" else 10  # P of the matrices has the row sums of 1/2, 1, 2, … in its second row
    rows = backward_affine(of_slope(slope, n, kind, common), start)
    assert rows is not None
    assert rows.shape == (n + 1, 2)
    x, A = start, np.array([[slope, 0.0], [1.0, 0.5]]) if kind == "matrix" else np.diag([slope, 0.5])
    A = slope * np.eye(2) if kind == "scalar" else A
    for _ in range(n):
        x = A @ x + 1
    np.testing.assert_allclose(rows[n], x, rtol=1e-12)  # one map again and again
    assert backward_affine(of_slope(slope, 11, kind, common), start) is None


@pytest.mark.parametrize(("size", "kept"), [(2.0**10, True), (np.nextafter(2.0**10, 2e3), False), (-(2.0**10), True)])
def test_one_large_entry_of_a_product_of_matrices_ends_it(size: float, kept: bool) -> None:
    A = np.array([[0.5, size], [0.0, 0.5]])
    rows = backward_matrices(iter([AffineMaps(A, np.zeros(2), "matrix")]), 1, np.array([1.0, 1.0]))
    assert (rows is not None) is kept
    if rows is not None:
        assert rows.tolist() == [[1.0, 1.0], [0.5 + size, 0.5]]


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 8, 9])
def test_powers_by_doubling(n: int) -> None:
    assert _powers(np.array(0.5), n).tolist() == [0.5**k for k in range(n + 1)]
    assert _powers(np.array([2.0, -1.0]), n).tolist() == [[2.0**k, (-1.0) ** k] for k in range(n + 1)]


@pytest.mark.parametrize(("limit", "streamed"), [(12, False), (11, True)])
def test_maps_are_streamed_beyond_a_number_of_numbers(
    limit: int, streamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four maps on a start of three numbers."""
    calls: list[int] = []
    stream = module._stream_pair
    monkeypatch.setattr(module, "_stream_pair", lambda *given: (calls.append(1), stream(*given))[1])
    monkeypatch.setattr(module, "STACKED_NUMBERS", limit)
    operators = FiniteFamily([(0.5, np.ones(3)), (-0.25, np.zeros(3))]).sample(4, 3)
    for order in (Forward(), Backward()):
        found = ct.iterates(operators, np.arange(3.0), order)
        np.testing.assert_allclose(found, ct.plain_iterates(operators, np.arange(3.0), order), rtol=1e-14)
    assert len(calls) == 2 * streamed


@pytest.mark.parametrize(("slope", "kept"), [(2.0**5, True), (np.nextafter(2.0**5, 33), False)])
def test_a_stream_of_products_may_grow_to_2_to_the_10(slope: float, kept: bool) -> None:
    operators = FiniteFamily([(slope, np.ones(1))]).sample(2, 0)
    found = module._stream_pair(operators, np.ones(1), np.array([2, 0, 1, 2]))
    assert (found is not None) is kept
    if found is not None:
        once, twice = slope + 1, slope * (slope + 1) + 1
        for rows in found:
            assert rows[:, 0].tolist() == [twice, 1.0, once, twice]


@pytest.mark.parametrize(
    ("shape", "numbers", "sizes"),
    [((5, 3), 6, [2, 2, 1]), ((5, 3), 5, [1] * 5), ((4, 100), 10, [1] * 4), ((3, 2, 2), 8, [2, 1]), ((0, 3), 8, [])],
)
def test_blocks_hold_a_number_of_numbers(shape: tuple[int, ...], numbers: int, sizes: list[int]) -> None:
    x = np.zeros(shape)
    assert [len(x[block]) for block in _blocks(shape, numbers)] == sizes
    assert _blocks((5,), numbers) == [...]
    assert [len(range(10)[block]) for block in _blocks((10, 2**13))] == [2] * 5


def test_which_iterates_are_asked_for() -> None:
    assert _asked(None, 3).tolist() == [0, 1, 2, 3]
    assert _asked([3, 0], 3).tolist() == [3, 0]
    assert _asked([7], 3, beyond=True).tolist() == [7]
    with pytest.raises(ValueError, match="3"):
        _asked([4], 3)
    operators = logged([])
    with pytest.raises(ValueError, match="6"):
        ct.backward_iterates(operators, [0.0], at=[7])


@pytest.mark.parametrize(
    ("given", "shape"),
    [
        ((2,), (3, 2)),
        ((3, 2), (3, 2)),
        ((1, 2), (3, 2)),
        ((5, 3, 2), (5, 3, 2)),
        ((5, 1, 2), (5, 3, 2)),
        ((2, 2), None),
    ],
)
def test_a_start_is_one_for_all_replicas_or_one_for_each(given: tuple, shape: tuple | None) -> None:
    family = ct.RandomOperator(lambda rng: rng.uniform(size=2), lambda x, u: x / 2 + u)
    operators = family.sample(2, 0, replicas=3)
    if shape is None:
        with pytest.raises(
            ValueError, match=r"a start for 3 replicas has shape \(\.\.\., 3, d\) or \(d,\), got \(2, 2\)"
        ):
            start_of(operators, np.zeros(given))
        return
    assert start_of(operators, np.zeros(given)).shape == shape
    rows = ct.backward_iterates(operators, np.zeros(given))
    assert rows.shape == (*shape[:-1], 3, 2)


def test_points_with_two_axes_keep_them_last() -> None:
    space = Metric(lambda x, y: np.abs(x - y).max(axis=(-1, -2)), event_ndim=2)
    family = ct.RandomOperator(lambda rng: rng.uniform(size=(2, 3)), lambda x, u: x / 2 + u, space=space)
    start = np.arange(24.0).reshape(4, 2, 3)
    rows = ct.backward_iterates(family.sample(2, 0), start)
    assert rows.shape == (4, 3, 2, 3)
    np.testing.assert_array_equal(rows[:, 0], start)
    maps = family.sample(2, 0)
    np.testing.assert_allclose(rows[1, 2], maps[0](maps[1](start[1])), rtol=1e-15)
    many = ct.forward_iterates(family.sample(2, 0, replicas=5), start[0], at=[2])
    assert many.shape == (5, 1, 2, 3)
