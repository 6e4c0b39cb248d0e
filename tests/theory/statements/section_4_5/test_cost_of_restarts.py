"""Section 5 (row 72): what restarts cost, counted call by call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.maps.iterates import iterates
from contraction.maps.orders import Backward, Windowed, map_applications
from contraction.statements.section_4_5 import cost_of_restarts as statement


@given(N=st.integers(1, 25), w=st.integers(1, 30))
def test_counts(N, w):
    verdict = statement.check(N, w)
    assert verdict, verdict


@given(N=st.integers(1, 3000), w=st.integers(1, 3000))
def test_formulas_for_long_runs(N, w):
    assert map_applications(Backward(), range(1, N + 1)) == N * (N + 1) // 2
    assert map_applications(Windowed(w), range(1, N + 1)) == statement.windowed_cost(N, w)


@pytest.mark.control
def test_batched_calls_in_place_of_single_ones_are_caught(monkeypatch):
    """The wavefront calls each map once: taken for the plain loop it gives N, not N(N+1)/2."""
    monkeypatch.setattr(statement, "plain_iterates", iterates)
    assert not statement.check(6)


@pytest.mark.control
def test_a_sum_from_zero_to_n_minus_one_is_caught(monkeypatch):
    monkeypatch.setattr(statement, "map_applications", lambda order, at: sum(n - 1 for n in at))
    assert not statement.check(6)
