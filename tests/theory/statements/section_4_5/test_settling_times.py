"""Section 4 (row 73, settling): along one path the backward iterates settle and the forward ones do not."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.statements.section_4_5 import settling_times as statement


@given(h=st.floats(0.1, 1.9), seed=st.integers(0, 2**31))
def test_settling(h, seed):
    """30 paths of 120 steps: the backward bound is sure; forward false alarm 1e-9."""
    verdict = statement.check(h, 120, 30, seed)
    assert verdict, verdict


def test_settling_time_of_known_paths():
    paths = np.array([[5, 1, 0, 0, 0], [0, 0, 0, 3, 3], [2, 2, 2, 2, 2], [0, 1, 0, 1, 0]], dtype=float)
    assert statement.settling(paths, 0.5).tolist() == [2, 3, 0, 4]


def test_a_short_run_is_refused():
    with pytest.raises(ValueError, match="N must exceed"):
        statement.check(0.1, 50, 50, 0)


@given(h=st.floats(0.02, 1.98))
def test_the_backward_bound_is_attained(h):
    assert statement.worst_settling(h) == statement.backward_bound(h)


def test_the_bound_is_the_least_integer():
    """k^n <= (1-k)/4 at n and not at n-1, in rationals; at k = 1/2 with equality."""
    for h in (0.1, 0.5, 0.9, 1.5, 1.99):
        k, n = Fraction(abs(1 - h)), statement.backward_bound(h)
        assert k**n <= (1 - k) / 4 < k ** (n - 1)
    assert statement.backward_bound(0.5) == 3
    assert Fraction(1, 2) ** 3 == (1 - Fraction(1, 2)) / 4


@pytest.mark.control
def test_exchanged_orders_are_caught(monkeypatch):
    real = statement.paired_iterates
    monkeypatch.setattr(statement, "paired_iterates", lambda ops, theta: real(ops, theta)[::-1])
    assert not any(statement.check(**case) for case in statement.cases(np.random.default_rng(0), "standard"))


@pytest.mark.control
def test_small_increments_are_not_settling():
    """A path of ever smaller steps that still moves on: its increments tend to 0, it settles only at the end."""
    path = np.cumsum(1 / np.arange(1, 2001))[None]
    assert np.diff(path).min() < 1e-3
    assert statement.settling(path, 0.1)[0] > 1500
