"""Row 81: after an epoch and its reversal the order matters at h³ only, exactly; the neighbours fail at h and h²."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contraction import expansions as ex
from contraction.statements.cases.polynomials import composed, fields_of, point, random_tables
from contraction.statements.section_4_5 import paired_reversal as statement


@settings(max_examples=12)
@given(n=st.integers(1, 3), seed=st.integers(0, 2**31))
def test_every_order_of_drawn_fields(n, seed):
    verdict = statement.check(n, seed)
    assert verdict, verdict


def test_the_third_coefficient_depends_on_the_order():
    tables, theta = random_tables(7, 3), point(7)
    third = [composed(tables, statement.paired(order), theta, 3)[3] for order in ((1, 2, 3), (2, 1, 3))]
    assert third[0] != third[1]
    trees = ex.word_coefficients(fields_of(tables), statement.paired((2, 1, 3)), theta, 3)
    assert list(trees[2]) == third[1]


def test_halving_the_step():
    """Two fields as well: at h = 2^-16 the paired spread is far below that of one epoch, and not zero."""
    verdict = statement.check_printed(seed=5)
    assert verdict, verdict
    h = Fraction(1, 2**16)
    assert statement.spread(2, 5, statement.once, h) > 1000 * statement.spread(2, 5, statement.paired, h) > 0


@pytest.mark.control
@pytest.mark.parametrize(
    ("reuse", "part"), [(statement.odd, "h, "), (statement.once, "h, "), (lambda w: [*w, *w], "h², ")]
)
def test_other_words_are_caught(reuse, part):
    verdict = statement.check(3, 1, reuse)
    assert not verdict
    assert verdict.part.startswith(part)


@pytest.mark.control
def test_a_coefficient_without_its_correction_is_caught(monkeypatch):
    """2V'V alone, and V'(2V) with the sign of the correction flipped."""
    for sign in (0, 1):

        def wrong(fields, theta, sign=sign):
            V = statement.total([f(theta) for f in fields])
            second = statement.total([f.differential(theta, (2 * V + sign * f(theta),)) for f in fields])
            return list(2 * V), list(second)

        monkeypatch.setattr(statement, "claimed", wrong)
        assert not statement.check(2, 3)


def test_controls_are_detected():
    assert all(control.detected(seed) for control in statement.CONTROLS for seed in range(2))
