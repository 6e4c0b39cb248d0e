"""Section 5, "the only order" (row 71): other orders converge, with a sharp bound by the agreement of their words."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.maps.orders import Backward, CustomOrder, Forward
from contraction.statements.section_4_5 import other_convergent_orders as statement

factor = st.fractions(0, Fraction(99, 100), max_denominator=100)
shift = st.fractions(-2, 2, max_denominator=8)


@given(
    order=st.sampled_from(sorted(statement.ORDERS)),
    k=factor,
    shifts=st.lists(shift, min_size=1, max_size=9),
    theta0=shift,
)
def test_bound_by_agreement(order, k, shifts, theta0):
    verdict = statement.check(order, k, shifts, theta0)
    assert verdict, verdict


@given(k=factor, shifts=st.lists(shift, min_size=1, max_size=5), words=st.data())
def test_bound_for_words_drawn_at_random(k, shifts, words):
    """Any words at all, with repetitions: agreement decides."""
    letters = st.lists(st.integers(1, len(shifts)), min_size=1, max_size=8)
    drawn = [tuple(words.draw(letters)) for _ in shifts]
    assert statement.check(CustomOrder(words=lambda n: drawn[n - 1]), k, shifts)


@given(k=factor, p=st.integers(0, 6), inner=st.integers(1, 30), D=st.fractions(0, 3, max_denominator=9))
def test_the_constant_is_sharp(k, p, inner, D):
    """p common maps, then all +D against all -D, through the package's iterates and by the sum of the series."""
    reached, predicted = statement.attained(k, p, D, inner)
    assert reached == predicted == 2 * k**p * D * sum((k**i for i in range(inner)), Fraction(0))


@pytest.mark.control
@pytest.mark.parametrize("constant", [1, Fraction(19, 10), Fraction(21, 10), 3, 5])
def test_another_constant_is_caught_in_every_case(monkeypatch, constant):
    monkeypatch.setattr(statement, "bound", lambda k, p, D: constant * k**p * D / (1 - k))
    cases = list(statement.cases(np.random.default_rng(0), "standard"))
    verdicts = [statement.check(**case) for case in cases]
    assert not any(v for v, case in zip(verdicts, cases, strict=True) if any(case["shifts"]))


@pytest.mark.control
def test_a_shifted_exponent_is_caught(monkeypatch):
    monkeypatch.setattr(statement, "bound", lambda k, p, D: 2 * k ** (p + 1) * D / (1 - k))
    assert not any(statement.check(**case) for case in statement.cases(np.random.default_rng(1), "standard"))


def test_other_orders_converge_beyond_the_printed_sentence():
    verdict = statement.check_printed()
    assert verdict
    assert verdict.kind == "beyond"
    assert verdict.measured == 3


def test_under_the_strictest_reading_backward_is_alone():
    """`consistent_words` against another search: permutations of 1 … n all of whose beginnings are permutations."""

    def extensions(n: int) -> list[tuple[int, ...]]:
        words = itertools.permutations(range(1, n + 1))
        return [w for w in words if all(set(w[:m]) == set(range(1, m + 1)) for m in range(1, n))]

    assert all(extensions(n) == statement.consistent_words(n) == [tuple(Backward().word(n))] for n in range(1, 7))


@pytest.mark.parametrize("n", range(1, 8))
def test_the_printed_sentence_is_true_at_each_training_step(n):
    """The search behind the proof of the docstring: each step leaves one word, and it is the backward order's."""
    assert statement.consistent_words(n) == [tuple(Backward().word(n))]


def test_the_induction_of_the_proof():
    """A permutation of 1 … n that begins with word n-1 of the backward order is its word n: one letter is left."""
    for n in range(2, 8):
        before = tuple(Backward().word(n - 1))
        words = [w for w in itertools.permutations(range(1, n + 1)) if statement.agreement(w, before) == n - 1]
        assert words == [tuple(Backward().word(n))]


@pytest.mark.control
@pytest.mark.parametrize("name", [name for name in statement.ORDERS if name != "backward"])
def test_the_other_orders_are_not_consistent_at_each_step(name):
    """They change an outermost map at some step, which "at each training step" excludes."""
    order = statement.ORDERS[name]()
    words = [tuple(order.word(n)) for n in range(1, 12)]
    assert any(b[: len(a)] != a for a, b in itertools.pairwise(words))


@pytest.mark.control
def test_forward_and_fixed_depth_do_not_settle(monkeypatch):
    """Forward, and a new map always under two others, have agreement at most 2 for ever."""
    orders = {"forward": lambda: CustomOrder(words=lambda n: tuple(range(n, 0, -1)))}
    orders["depth 2"] = lambda: statement.inserted(lambda n: 2)
    monkeypatch.setattr(statement, "ORDERS", orders)
    verdict = statement.check_printed(orders=tuple(orders))
    assert not verdict
    assert verdict.measured == 0


@pytest.mark.control
def test_backward_alone_shows_nothing_beyond():
    assert not statement.check_printed(orders=("backward",))


@pytest.mark.control
def test_agreement_of_the_innermost_maps_is_caught(monkeypatch):
    """Agreement counted from the inside is not what keeps iterates together."""
    real = statement.agreement
    monkeypatch.setattr(statement, "agreement", lambda a, b: real(a[::-1], b[::-1]) + 3)
    shifts = [Fraction((-1) ** i, i + 1) for i in range(8)]
    assert not statement.check(CustomOrder(words=lambda n: (n, *range(1, n))), Fraction(1, 2), shifts)


@pytest.mark.control
def test_forward_words_written_as_anchors_agree_with_forward():
    """The control's forward words are the forward order."""
    words = CustomOrder(words=lambda n: tuple(range(n, 0, -1)))
    shifts = [Fraction(i, 3) for i in range(6)]
    k = Fraction(1, 2)
    assert statement.values(words, k, shifts, Fraction(0)) == statement.values(Forward(), k, shifts, Fraction(0))
