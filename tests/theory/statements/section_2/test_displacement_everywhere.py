"""Bounded displacement at one point bounds it at every point (row 10), attained exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.statements.cases.random_contractions import KINDS
from contraction.statements.section_2 import displacement_everywhere


@given(
    kind=st.sampled_from((*KINDS, "opposed")),
    k=st.one_of(st.sampled_from([0.0, 1 - 1e-12]), st.floats(0, 1 - 1e-6)),
    D=st.floats(0, 1e6, allow_subnormal=False),
    dim=st.integers(1, 50),
    n=st.integers(1, 30),
    seed=st.integers(0, 2**31),
    reach=st.sampled_from([0.0, 1.0, 1e9]),
)
def test_displacement_at_another_point(kind, k, D, dim, n, seed, reach):
    verdict = displacement_everywhere.check(kind, k, D, dim, n, seed, reach)
    assert verdict, verdict


@pytest.mark.control
def test_forgetting_the_point_that_moves_is_caught(monkeypatch):
    """D + k r instead of D + (1+k) r: aligned displacements break it."""
    real = displacement_everywhere.draw

    def less(*arguments):
        T = real(*arguments)
        object.__setattr__(T, "k", T.k - 1)
        return T

    monkeypatch.setattr(displacement_everywhere, "draw", less)
    cases = list(displacement_everywhere.cases(np.random.default_rng(0), "standard"))
    assert not all(displacement_everywhere.check(**c) for c in cases)


@pytest.mark.control
def test_equality_needs_the_opposed_map(monkeypatch):
    """The bound is no equality in another distance of the same points."""

    class Half:
        def distance(self, x, y):
            return abs(x - y).sum() / 2

    monkeypatch.setattr(displacement_everywhere, "SupNorm", Half)
    assert not displacement_everywhere.check("opposed", 0.5, 1.0, 1, 1, 0)
