"""Row 87: a rule that stops too early is wrong, and the level of a test that says what it tests."""

from __future__ import annotations

from fractions import Fraction

import pytest

import contraction as ct
from contraction.families import FiniteFamily
from contraction.statements.section_2 import no_rule_can_tell as statement


@pytest.mark.parametrize("q", [2, 4, 7])
def test_the_chance_of_a_wrong_answer(q):
    for N in range(q + 1):
        verdict = statement.check(Fraction(1, q), N)
        assert verdict, verdict


def test_the_rule_that_is_used_is_fooled_as_well():
    """p = 1e-6 and a jump of 2^20: the paths settle at 0, as an estimate may; a certificate waits for the jump."""
    family = FiniteFamily([(0.5, 0.0), (0.5, 2.0**20)], [1 - 1e-6, 1e-6])
    for seed in range(5):
        found = ct.backward_limit(family, 1.0, 1e-6, seed, start=[1.0])
        assert (found.certified, found.delta) == (False, 0.05)
        assert abs(found.value[0]) <= 1e-6
    certified = ct.backward_limit(family, 1.0, 1e-3)
    assert certified.maps > 20  # it waits until a jump could no longer matter


@pytest.mark.parametrize(("alpha", "delta"), [(0.01, 0.05), (0.05, 0.2), (0.001, 0.5)])
def test_levels_of_the_rule(alpha, delta):
    verdict = statement.levels(alpha, delta)
    assert verdict, verdict


def test_numbers_of_the_audit():
    assert statement.check_printed()


@pytest.mark.control
def test_wrong_claims_are_noticed():
    assert statement.STATEMENT.undetected() == []
