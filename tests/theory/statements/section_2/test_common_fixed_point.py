"""Remark 2.3 (rows 23-25): with a common fixed point both orders converge to it, at one rate."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.statements.section_2 import common_fixed_point as statement


@given(
    m=st.floats(1e-6, 1),
    ratio=st.one_of(st.just(1.0), st.floats(1, 1e4)),
    share=st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 0.999)),
    dim=st.integers(1, 50),
    n=st.one_of(*[st.integers(1, 80)] * 9, st.just(500)),
    seed=st.integers(0, 2**31),
    reach=st.sampled_from([1e-3, 1.0, 1e6]),
)
def test_both_orders_reach_the_common_point(m, ratio, share, dim, n, seed, reach):
    M = m * ratio
    h = share * 2 / M * (1 - 2.0**-50)
    verdict = statement.check(m, M, h, dim, n, seed, reach)
    assert verdict, verdict


@given(k=st.fractions(0, Fraction(99, 100), max_denominator=100), n=st.integers(1, 60), theta=st.integers(-99, 99))
def test_rate_is_attained_by_both_orders(k, n, theta):
    """T_i x = p + s_i k (x - p) with drawn signs: |theta_n - p| = k^n |theta - p| exactly."""
    p, signs = Fraction(3, 7), np.random.default_rng(n).choice([-1, 1], n).tolist()
    operators = statement.Operators.from_maps([lambda x, s=s: p + s * k * (x - p) for s in signs])
    for iterates in (statement.forward_iterates, statement.backward_iterates):
        row = iterates(operators, np.array([Fraction(theta)]), at=[n])[0, 0]
        assert abs(row - p) == k**n * abs(theta - p)


@pytest.mark.parametrize(("slip", "kind"), [("h", "refuted"), ("positive", "refuted"), ("no distinction", "beyond")])
def test_the_printed_text_is_run(slip, kind):
    verdict = statement.check_printed(slip)
    assert verdict
    assert verdict.kind == kind


def test_expanding_steps_are_refused():
    with pytest.raises(ValueError, match="must not expand"):
        statement.check(1.0, 2.0, 2.0, 1, 3, 0)


@pytest.mark.control
def test_fixed_points_that_differ_are_caught(monkeypatch):
    """Minima a little apart: forward does not converge at the rate any more."""
    real = statement.drawn_gradient
    monkeypatch.setattr(
        statement, "drawn_gradient", lambda rng, c, m, M: real(rng, c + 1e-6 * rng.standard_normal(len(c)), m, M)
    )
    cases = [
        c for c in statement.cases(np.random.default_rng(0), "standard") if c["h"] > 0 and c["m"] == c["reach"] == 1
    ]
    assert cases
    assert not any(statement.check(**c) for c in cases)


@pytest.mark.control
def test_steeper_gradients_are_caught(monkeypatch):
    real = statement.drawn_gradient
    monkeypatch.setattr(statement, "drawn_gradient", lambda rng, c, m, M: real(rng, c, 0.9 * m, 1.2 * M))
    cases = statement.cases(np.random.default_rng(0), "standard")
    assert not any(statement.check(**c) for c in cases if c["m"] == c["M"] and c["h"] >= 1)


@pytest.mark.control
def test_one_minimum_leaves_no_contrast(monkeypatch):
    """If the two minima coincide forward settles too, and the contrast is gone."""
    monkeypatch.setattr(statement, "Fraction", lambda *a: Fraction(0) if a in ((0,), (1,)) else Fraction(*a))
    assert not statement.forward_still_moves()
