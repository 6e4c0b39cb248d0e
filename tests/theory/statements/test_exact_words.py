"""Exact iterates of many words: each word's own double loop, with the maps applied once to equal points."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from contraction.maps.orders import Backward, Forward
from contraction.statements.cases.exact_words import all_words, rows

HALF, START = Fraction(1, 2), Fraction(3, 7)


def bend(x):
    """Return x/2 + 1/(1 + x²)."""
    return x * HALF + 1 / (1 + x * x)


def swap(x):
    """Exchange the two coordinates and move the first."""
    return x[..., ::-1] * HALF + np.array([Fraction(1), Fraction(0)], dtype=object)


@pytest.mark.parametrize("order", [Forward(), Backward()], ids=["forward", "backward"])
def test_iterates_of_all_words_are_those_of_each_word(order) -> None:
    words, start = all_words(2, 5), [START, -START]
    found = rows([bend, swap], words, start, order)
    assert found.shape == (32, 6, 2)
    for word, path in zip(words.tolist(), found, strict=True):
        for n in range(6):
            point = np.array(start, dtype=object)
            for i in reversed(order.word(n)) if isinstance(order, Backward) and n else range(1, n + 1):
                point = (bend, swap)[word[i - 1]](point)
            assert path[n].tolist() == point.tolist()
            assert all(type(number) is Fraction for number in path[n])


def test_equal_points_are_computed_once() -> None:
    """After j steps forward there are 2^j points: one of two maps is applied 1 + 2 + … + 32 = 63 times, not 6·64/2.

    The rest is the probe's.
    """
    count = 0

    def counted(x):
        nonlocal count
        count += x.shape[0] if x.ndim > 1 else 1
        return bend(x)

    found = rows([counted, lambda x: x * HALF], all_words(2, 6), [START], Forward(), at=[6])
    assert len({point[0] for point in found[:, 0].tolist()}) == 64
    assert count < 64 * 6 / 2


def test_an_integer_and_a_fraction_are_not_taken_for_each_other() -> None:
    """1 and Fraction(1) are equal, and a third of them is a float and a Fraction: as with one word after the other."""
    maps = [lambda x: x * 0 + 1, lambda x: x * 0 + Fraction(1), lambda x: x / 3]
    words = [[0, 2]] * 20 + [[1, 2]] * 20
    found = rows(maps, words, [0], Forward(), at=[2])[:, 0, 0].tolist()
    assert [type(number) for number in found] == [float] * 20 + [Fraction] * 20
    assert set(found[20:]) == {Fraction(1, 3)}
