"""Exact laws (Theorem 2.6, rows 36-41): equal where they must be, shown unequal elsewhere, beside a plain loop."""

from __future__ import annotations

import itertools
from collections import Counter
from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.laws import (
    ExactLaw,
    _words,
    exact_law,
    merged_law,
    word_law,
)
from contraction.maps.iterates import plain_iterates
from contraction.maps.operators import Operators
from contraction.maps.orders import Backward, CustomOrder, Forward, Late, Reset, Windowed, full_word

HALF = F(1, 2)
BERNOULLI = [(HALF, 0), (HALF, HALF)]  # x/2 and x/2 + 1/2
ORDERS = [Forward(), Backward(), Windowed(2), Reset([1]), Late(2)]

rationals = st.fractions(min_value=-3, max_value=3, max_denominator=12)


def plain_law(maps, n, theta0, order, weights):
    """One loop over words, one map at a time, Fractions: nothing in common with the fast path."""
    law: Counter = Counter()
    for word in itertools.product(range(len(maps)), repeat=n):
        known = {0: theta0}

        def iterate(m, word=word, known=known):
            if m not in known:
                x = iterate(order.anchor(m))
                for j in reversed(order.word(m)):
                    a, b = maps[word[j - 1]]
                    x = a * x + b
                known[m] = x
            return known[m]

        mass = F(1)
        for i in word:
            mass *= weights[i]
        law[iterate(n)] += mass
    return {p: m for p, m in law.items() if m}


# --- the arithmetic -------------------------------------------------------------------------------------------------


@given(
    maps=st.lists(st.tuples(rationals, rationals), min_size=1, max_size=3),
    parts=st.lists(st.integers(0, 4), min_size=3, max_size=3),
    n=st.integers(0, 5),
    theta0=rationals,
    order=st.sampled_from(ORDERS),
)
def test_equals_the_plain_loop(maps, parts, n, theta0, order):
    parts = parts[: len(maps)]
    parts[0] += 1
    weights = [F(p, sum(parts)) for p in parts]
    expected = plain_law(maps, n, theta0, order, weights)
    assert exact_law(maps, n, theta0, order=order, index_law=weights).counter() == expected
    listed = lambda k: word_law(weights, k).items()  # noqa: E731
    assert exact_law(maps, n, theta0, order=order, index_law=listed) == ExactLaw(expected)
    functions = [lambda x, a=a, b=b: a * x + b for a, b in maps]
    assert exact_law(functions, n, theta0, order=order, index_law=weights) == ExactLaw(expected)
    if isinstance(order, Forward | Backward):
        assert merged_law(maps, n, theta0, order=order, weights=weights) == ExactLaw(expected)


@given(
    maps=st.lists(st.tuples(rationals, rationals), min_size=2, max_size=3),
    n=st.integers(0, 3),
    theta0=rationals,
    order=st.sampled_from(ORDERS),
)
def test_functions_beside_pairs_are_the_same_maps(maps, n, theta0, order):
    """A list of which one map is a function, each in turn: the pairs become functions of one number, too."""
    expected = exact_law(maps, n, theta0, order=order)
    for place, (a, b) in enumerate(maps):
        mixed = [*maps[:place], lambda x, a=a, b=b: a * x + b, *maps[place + 1 :]]
        assert exact_law(mixed, n, theta0, order=order) == expected


@given(
    entries=st.lists(rationals, min_size=12, max_size=12),
    start=st.tuples(rationals, rationals),
    n=st.integers(0, 5),
    order=st.sampled_from(ORDERS),
)
def test_matrices_equal_the_plain_loop(entries, start, n, order):
    e = np.array(entries, dtype=object)
    maps = [(e[:4].reshape(2, 2), e[4:6]), (e[6:10].reshape(2, 2), e[10:])]
    functions = [lambda x, A=A, b=b: A @ x + b for A, b in maps]
    fast = exact_law(maps, n, start, order=order)
    assert fast == exact_law(functions, n, list(start), order=order)
    listed = exact_law(maps, n, start, order=order, index_law=lambda k: word_law([HALF, HALF], k).items())
    assert fast == listed
    if isinstance(order, Forward | Backward):
        assert fast == merged_law(maps, n, start, order=order)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=7).map(tuple), st.sampled_from(ORDERS))
def test_one_certain_word_equals_the_iterates(word, order):
    """The law of i.i.d. maps can't see them reversed, one word can: every path against the double loop."""
    maps = [(F(1, 2), F(1, 3)), (F(-2, 3), 1), (F(3, 2), -2)]
    functions = [lambda x, a=a, b=b: a * x + b for a, b in maps]
    drawn = Operators.from_maps([functions[i] for i in word])
    expected = plain_iterates(drawn, np.array([F(1, 7)]), order, at=[len(word)])[0, 0]
    certain = lambda n: [(word, 1)]  # noqa: E731
    fast = exact_law(maps, len(word), F(1, 7), order=order, index_law=certain)
    assert fast.counter() == {expected: 1}
    assert exact_law(functions, len(word), F(1, 7), order=order, index_law=certain) == fast
    number = sum(i * 3 ** (len(word) - 1 - j) for j, i in enumerate(word))  # its place among all words
    start, scale, _ = _words.scale_start(_words.scaled_maps(maps), F(1, 7))
    positions = full_word(order, len(word))
    values, scale = _words.outer_values(_words.scaled_maps(maps), positions, len(word), start, scale)
    assert F(int(values[number, 0]), scale) == expected


def test_leaving_int64_changes_nothing(monkeypatch):
    """The same law by int64 and by Python integers, and at a size where int64 would overflow (23·19·21^14 > 2^63)."""
    maps = [(F(2, 7), F(1, 3)), (F(-3, 7), F(5, 2))]
    small = exact_law(maps, 9, F(1, 5))
    big = exact_law([(F(20, 21), F(1, 19)), (F(-19, 21), F(5, 23))], 14, F(1, 5), order=Backward())
    assert big._atoms is not None
    assert big._atoms.dtype == object
    assert max(abs(x) for x in big._atoms[:, 0].tolist()) > 2**63
    merged = merged_law([(F(20, 21), F(1, 19)), (F(-19, 21), F(5, 23))], 14, F(1, 5), order=Backward())
    assert big == merged
    assert small._atoms is not None
    assert small._atoms.dtype == np.int64
    monkeypatch.setattr(_words, "INT64", 10)
    again = exact_law(maps, 9, F(1, 5))
    assert again._atoms is not None
    assert again._atoms.dtype == object
    assert again.counter() == small.counter()


def test_int64_is_used_up_to_its_edge():
    """Values of exactly 2^63 - 1 stay, one more goes to Python integers: bounds are sharp for one map."""
    edge = exact_law([(1, 2**62)], 1, 2**62 - 1)
    beyond = exact_law([(1, 2**62)], 1, 2**62)
    assert list(edge) == [2**63 - 1]
    assert list(beyond) == [2**63]
    assert edge._atoms is not None
    assert edge._atoms.dtype == np.int64
    assert beyond._atoms is not None
    assert beyond._atoms.dtype == object


def test_moments_of_a_law_of_points():
    """Unequal masses, by hand: mean (1/3·1 + 2/3·4, 1/3·2 + 2/3·0), and the trace of the covariance."""
    law = ExactLaw({(1, 2): F(1, 3), (4, 0): F(2, 3)})
    assert law.mean() == (3, F(2, 3))
    assert law.variance() == F(2, 9) * (9 + 4)
    assert law.cdf((1, 2)) == F(1, 3)


# --- negative controls ------------------------------------------------------------------------------------------------


@pytest.mark.control
def test_one_wrong_mass_in_a_million_words_is_detected():
    good = exact_law(BERNOULLI, 20)
    values = good._atoms
    assert values is not None
    masses = good._masses.copy()
    masses[[0, 1]] += [1, -1]
    wrong = ExactLaw.from_integers(values, good._scale, masses, good._total, True)
    assert len(wrong) == 2**20 - 1
    assert wrong != good


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: exact_law([], 2), ValueError, "at least one map"),
        (lambda: exact_law([(0.5, 0)], 2), TypeError, "0.5.*Fraction"),
        (lambda: exact_law(BERNOULLI, 2, 0.1), TypeError, "0.1"),
        (lambda: exact_law(BERNOULLI, -1), ValueError, "integer of at least 0, got -1"),
        (lambda: exact_law(BERNOULLI, 40), ValueError, "2\\^40 words"),
        (lambda: exact_law(BERNOULLI, 2, index_law=[HALF, F(1, 3)]), ValueError, "sum one"),
        (lambda: exact_law(BERNOULLI, 2, index_law=lambda n: [((0, 0), HALF)]), ValueError, "sum 1/2"),
        (lambda: exact_law(BERNOULLI, 2, index_law=lambda n: [((0, 2), 1)]), ValueError, "maps 0 … 1"),
        (lambda: exact_law(BERNOULLI, 2, index_law=lambda n: [((0,), 1)]), ValueError, "length 2"),
        (lambda: exact_law([(HALF, [0, 0]), (HALF, [0, 0, 0])], 2), ValueError, "one dimension"),
        (lambda: exact_law(BERNOULLI, 2, [1, 2]), ValueError, "1 coordinates"),
        (lambda: exact_law([lambda x: x * 0.5], 1), TypeError, "returned the float"),
        (lambda: exact_law(BERNOULLI, 2, order=CustomOrder(lambda n: [3])), ValueError, "maps are 1 … 2"),
        (lambda: merged_law(BERNOULLI, 2, order=Late(1)), ValueError, "Forward"),
        (lambda: ExactLaw({0: HALF}), ValueError, "sum to one"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
