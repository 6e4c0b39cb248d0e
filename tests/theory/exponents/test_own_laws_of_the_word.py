"""What is said of a law of the word that a user has written: nothing without the words, and reversibility by them."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from contraction.exponents.law_of_maps import why_not_ergodic, why_not_reversible
from contraction.families import IndexLaw

HALF = Fraction(1, 2)


class _Own(IndexLaw):
    size = 2

    @property
    def marginal(self) -> tuple[Fraction, ...] | None:
        return None

    def letters(self, n: int, seed: int, replicas: int | None = None) -> np.ndarray:
        raise AssertionError("reversibility is decided without drawing letters")

    def _words(self, n: int) -> Iterator[tuple[tuple[int, ...], Fraction]]:
        raise AssertionError("each law below defines words() itself")


class _Palindromes(_Own):
    """Only words that are their own reversals."""

    def words(self, n: int) -> Iterator[tuple[tuple[int, ...], Fraction]]:
        for first in (0, 1):
            yield tuple(first if i in (0, n - 1) else 0 for i in range(n)), HALF


class _OneFirst(_Own):
    """0 … 0 1 always, which reversed is 1 0 … 0."""

    def words(self, n: int) -> Iterator[tuple[tuple[int, ...], Fraction]]:
        yield (*(0 for _ in range(n - 1)), 1), Fraction(1)


class _Endless(_Own):
    def words(self, n: int) -> Iterator[tuple[tuple[int, ...], Fraction]]:
        raise ValueError("too many words")


def test_ergodicity_of_ones_own_law_is_not_known() -> None:
    assert "is ergodic is not known" in (why_not_ergodic(_Palindromes()) or "")


@pytest.mark.parametrize("n", [2, 3, 5])
def test_reversibility_is_decided_by_the_words(n: int) -> None:
    assert why_not_reversible(_Palindromes(), n) is None
    assert f"are not reversible in law at n = {n}" in (why_not_reversible(_OneFirst(), n) or "")
    assert why_not_reversible(_OneFirst(), 1) is None  # a word of one letter is its own reversal


def test_words_that_cannot_be_listed_decide_nothing() -> None:
    reason = why_not_reversible(_Endless(), 3)
    assert reason is not None
    assert "is reversible at n = 3 cannot be enumerated (too many words)" in reason
