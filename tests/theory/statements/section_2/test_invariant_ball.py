"""Local contraction on an invariant ball (row 32): upper bounds, exact equality, and the region that is left."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.statements.section_2 import invariant_ball

KINDS = ("reflection", "sine", "threshold", "aligned", "maxima", "extremal")


@given(
    kind=st.sampled_from(KINDS),
    k=st.one_of(st.sampled_from([0.0, 1 - 2.0**-20]), st.floats(0, 0.9999)),
    r=st.floats(1e-3, 1e6),
    dim=st.integers(1, 50),
    n=st.one_of(st.integers(1, 50), st.just(400)),
    seed=st.integers(0, 2**31),
)
def test_ball_is_invariant(kind, k, r, dim, n, seed):
    verdict = invariant_ball.check(kind, k, r, dim, min(n, 60) if kind == "extremal" else n, seed)
    assert verdict, verdict


def test_region_that_is_left_is_refuted():
    assert invariant_ball.check_printed()


@pytest.mark.control
@pytest.mark.parametrize("factor", [1.05, 2.0])
def test_larger_displacement_is_caught(monkeypatch, factor):
    real = invariant_ball.draw
    monkeypatch.setattr(
        invariant_ball, "draw", lambda kind, k, D, *rest, reach: real(kind, k, factor * D, *rest, reach=reach)
    )
    cases = [c for c in invariant_ball.cases(np.random.default_rng(0), "standard") if c["kind"] == "aligned"]
    assert not any(invariant_ball.check(**c) for c in cases if c["n"] > 9 and c["k"] < 0.6)


@pytest.mark.control
def test_smaller_displacement_refutes_nothing():
    assert not invariant_ball.check_printed(shift=Fraction(1, 2))
