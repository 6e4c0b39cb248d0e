"""The converse of Theorem 2.6 (row 41) is false: random rotations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.statements.section_2 import convergence_in_law_alone as statement


@given(m=st.integers(2, 4), n=st.integers(1, 5), start=st.integers(0, 3))
def test_forward_laws_converge_and_backward_iterates_do_not(m, n, start):
    verdict = statement.check(m, n, start)
    assert verdict, verdict


@pytest.mark.control
def test_maps_that_contract_are_caught(monkeypatch):
    """With constant maps in place of rotations the backward path stops moving, and the check fails."""
    real = statement.rows
    monkeypatch.setattr(
        statement,
        "rows",
        lambda maps, words, start, order: real(
            [lambda x, a=a: 0 * x + a for a in range(len(maps))], words, start, order
        ),
    )
    assert not statement.check(3, 4)


@pytest.mark.control
def test_forward_path_in_place_of_backward_is_not_told_apart_by_moves_alone(monkeypatch):
    """Rotations commute: both paths move alike. Shifting the count of maps by one is what the check must catch."""
    real = statement.all_words
    monkeypatch.setattr(statement, "all_words", lambda m, n: real(m, n)[:, :1].repeat(n, axis=1))
    assert not statement.check(2, 3)
