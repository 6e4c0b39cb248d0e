"""Section 4 (row 75): on which batch the training loss is taken decides whether curves can be compared."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.maps.orders import Backward
from contraction.statements.cases.exact_words import affine_map, rows
from contraction.statements.section_4_5 import which_loss as statement

fractions = st.fractions(-2, 2, max_denominator=4)
curvature = st.fractions(0, 2, max_denominator=4)


@given(
    batches=st.lists(st.tuples(curvature, fractions), min_size=1, max_size=3),
    h=st.fractions(0, 2, max_denominator=10),
    theta0=fractions,
    n=st.integers(1, 3),
)
def test_outermost_and_fixed_losses_agree_in_law(batches, h, theta0, n):
    M = len(batches)
    weights = [Fraction(2 * (i + 1), M * (M + 1)) for i in range(M)]
    verdict = statement.check(batches, weights, h, theta0, n)
    assert verdict, verdict


@given(h=st.fractions(Fraction(1, 10), Fraction(9, 10), max_denominator=10), n=st.integers(2, 5))
def test_newest_losses_do_not(h, n):
    """Two batches with centers ±1: forward has just moved towards the newest one, so its loss there is lower."""
    verdict = statement.check_printed(h=h, n=n)
    assert verdict, verdict
    assert verdict.claimed < verdict.measured


def test_backward_on_its_outermost_batch_has_no_noise():
    """The loss on batch 1 along one backward path: beyond n = 40 it moves less than (7/10)^n times a constant."""
    rng = np.random.default_rng(0)
    h = Fraction(3, 10)
    word = rng.integers(0, 2, 60)
    maps = [affine_map(1 - h * s, h * s * c) for s, c in statement.TWO]
    path = rows(maps, word[None], [Fraction(0)], Backward())[0, :, 0]
    losses = statement.loss(statement.TWO, np.full(61, word[0]), path)
    assert max(losses[40:]) - min(losses[40:]) <= 8 * (1 - h) ** 40


@pytest.mark.control
def test_at_the_first_step_both_losses_are_one():
    """At n = 1 the newest batch is the only one."""
    assert not statement.check_printed(n=1)


@pytest.mark.control
def test_newest_in_place_of_outermost_is_caught(monkeypatch):
    """Words reversed for the backward half only: then its outermost batch is the newest, and laws differ."""
    real = statement.ends

    def tampered(*arguments):
        words, chances, forward, _ = real(*arguments)
        return words, chances, forward, forward

    monkeypatch.setattr(statement, "ends", tampered)
    assert not all(statement.check(**case) for case in statement.cases(np.random.default_rng(0), "standard"))
