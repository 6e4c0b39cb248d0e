"""Plans of segments against the orders' own words, one map at a time: which iterates, which maps, what is shared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction.maps.orders import Epochs, Order, PairedReversal, Repeated
from nn_experiments.engine.plan import Segment, bottlenecks, check_iterates, plan


class Tree(Order):
    """Iterates 1 to 12 on a tree, some of them without a map of their own."""

    PARENTS = (0, 0, 1, 1, 3, 3, 3, 6, 6, 2, 9, 0, 11)

    def anchor(self, n: int) -> int:
        return self.PARENTS[n]

    def word(self, n: int) -> Sequence[int]:
        return [] if n in (5, 9, 11) else [n + 20, n] if n % 2 else range(n, n + 3)


ORDERS: dict[str, Any] = {
    "forward": ct.Forward(),
    "backward": ct.Backward(),
    "windowed": ct.Windowed(3),
    "reset": ct.Reset([4, 9]),
    "late": ct.Late(5),
    "pairs": PairedReversal(),
    "repeated": Repeated(4),
    "epochs": Epochs(5),
    "a tree": Tree(),
}
ASKED = [[1], [12], [3, 7], [5, 6, 9, 10], [0, 4, 11, 12], list(range(13)), [8, 9], [11, 12], [9, 10]]


def maps(order: Any, n: int) -> list[int]:
    """Return the maps that make iterate n, in the order in which they are applied, by the definition of an order."""
    return [*maps(order, order.anchor(n)), *[int(i) for i in order.word(n)][::-1]] if n else []


def ancestors(order: Any, n: int) -> list[int]:
    return [n, *ancestors(order, order.anchor(n))] if n else []


@pytest.mark.parametrize("at", ASKED, ids=str)
@pytest.mark.parametrize("name", ORDERS)
def test_segments_make_the_iterates_that_the_order_says(name: str, at: list[int]) -> None:
    order = ORDERS[name]
    found = plan(order, at)
    ends = [segment.n for segment in found]
    assert ends == sorted(set(ends))
    needed = {m for n in at for m in ancestors(order, n)}
    shared = {m for m in needed if sum(order.anchor(other) == m for other in needed) > 1}
    assert set(ends) == ({n for n in at if n} | shared)
    made: dict[int, list[int]] = {0: []}
    for segment in found:
        assert segment.anchor in made
        start = made[segment.anchor]
        made[segment.n] = [*start, *map(int, segment.indices)]
        assert made[segment.n] == maps(order, segment.n)
        assert (segment.before, segment.depth) == (len(start), len(made[segment.n]))
        assert segment.outermost == (made[segment.n][-1] if made[segment.n] else 0)


@pytest.mark.parametrize("at", ASKED, ids=str)
@pytest.mark.parametrize("name", ORDERS)
def test_a_bottleneck_is_an_iterate_that_all_later_segments_lead_through(name: str, at: list[int]) -> None:
    found = plan(ORDERS[name], at)
    expected = set()
    for k, one in enumerate(found[:-1]):
        known = {one.n}
        for later in found[k + 1 :]:
            if later.anchor in known:
                known.add(later.n)
        if known == {one.n, *(later.n for later in found[k + 1 :])}:
            expected.add(one.n)
    assert bottlenecks(found) == expected


@pytest.mark.control
def test_forward_paths_have_bottlenecks_and_backward_ones_none() -> None:
    assert bottlenecks(plan(ct.Forward(), [3, 7, 20])) == {3, 7}
    assert bottlenecks(plan(ct.Backward(), [3, 7, 20])) == set()
    assert bottlenecks([]) == set()


def test_a_word_that_is_a_range_stays_one() -> None:
    """The plan of a path of a million maps does not store a list of a million indices."""
    (segment,) = plan(ct.Backward(), [10**6])
    assert isinstance(segment.indices, range)
    assert (segment.indices[0], segment.indices[-1], segment.depth) == (10**6, 1, 10**6)


def test_depth_counts_from_the_start() -> None:
    assert Segment(9, 4, [5, 6], 3, 6).depth == 5


@pytest.mark.parametrize(
    ("at", "numbers"),
    [
        ([3, 1, 3, 0], [0, 1, 3]),
        (range(4, 0, -2), [2, 4]),
        (np.array([5, 2]), [2, 5]),
        ({7}, [7]),
        (iter([2, 1]), [1, 2]),
    ],
    ids=["a list", "a range", "an array", "a set", "an iterator"],
)
def test_iterates_are_sorted_and_named_once(at: Any, numbers: list[int]) -> None:
    found = check_iterates(at)
    assert found == numbers
    assert {type(n) for n in found} == {int}


@pytest.mark.parametrize(
    ("at", "error", "words"),
    [
        (3, TypeError, "at must be a sequence of iterates, .*; got 3"),
        (None, TypeError, "at must be a sequence of iterates, .*; got None"),
        ([], ValueError, "at names no iterate"),
        ([-1], ValueError, "the index of an iterate must be an integer of at least 0, got -1"),
        ([1, 1.5], ValueError, r"the index of an iterate must be an integer of at least 0, got 1\.5"),
        ([1, "2"], ValueError, "the index of an iterate must be an integer of at least 0, got '2'"),
        ([0, None], ValueError, "the index of an iterate must be an integer of at least 0, got None"),
        ([[1, 2]], ValueError, r"the index of an iterate must be an integer of at least 0, got \[1, 2\]"),
        ([1, True], ValueError, "the index of an iterate must be an integer of at least 0, got True"),
    ],
    ids=str,
)
def test_what_is_no_index_of_an_iterate_is_named(at: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        check_iterates(at)
