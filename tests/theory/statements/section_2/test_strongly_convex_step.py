"""Lemma 2.5 and Appendix F (rows 28-31): both constants attained exactly, thresholds, and the three slips."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.statements.section_2 import strongly_convex_step as statement

curvatures = st.tuples(st.floats(1e-4, 50), st.floats(1e-4, 50)).map(sorted)
steps = st.one_of(st.sampled_from([0.0, 1.0, 2.0, 20.0]), st.floats(0, 3))


@given(mM=curvatures, h=st.one_of(steps, st.floats(-1, 0)), dim=st.integers(1, 20), seed=st.integers(0, 2**31))
def test_gradient_constant_is_attained(mM, h, dim, seed):
    verdict = statement.check("piecewise", h, *mM, dim, seed)
    assert verdict, verdict


@given(mM=curvatures, h=steps, dim=st.integers(1, 25), seed=st.integers(0, 2**31))
def test_printed_constant_is_attained_by_rotating_fields(mM, h, dim, seed):
    verdict = statement.check("rotation", h, *mM, dim, seed)
    assert verdict, verdict


@given(ridge=st.floats(1e-3, 5), h=st.floats(-1, 3), dim=st.integers(1, 50), seed=st.integers(0, 2**31))
def test_logistic_steps_stay_below_the_sharp_constant(ridge, h, dim, seed):
    verdict = statement.check("logistic", h, ridge, ridge, dim, seed)
    assert verdict, verdict


@given(mM=curvatures)
def test_thresholds_are_exact(mM):
    """At h = 2/M the gradient constant is 1; at h = 2m/M^2 the printed radicand is 1; not below, not above."""
    m, M = map(Fraction, mM)
    assert statement.sharp(2 / M, m, M) == 1
    assert statement.printed_square(2 * m / M**2, m, M) == 1
    assert statement.sharp(2 / M * Fraction(999, 1000), m, M) < 1 < statement.sharp(2 / M * Fraction(1001, 1000), m, M)


@pytest.mark.parametrize(
    ("slip", "kind"), [("strictly convex", "refuted"), ("constant", "loose"), ("interval", "beyond")]
)
def test_the_printed_text_is_run(slip, kind):
    verdict = statement.check_printed(slip)
    assert verdict
    assert verdict.kind == kind


def test_the_range_reaches_beyond_one():
    assert statement.check_printed("interval").measured == pytest.approx(0.9, abs=1e-15)


def test_numbers_of_the_audit():
    """m = 1, M = 10, h = .1: printed 1.3416…, sharp .9; the printed bound is false for h < 0."""
    m, M, h = Fraction(1), Fraction(10), Fraction(1, 10)
    assert statement.sharp(h, m, M) == Fraction(9, 10)
    assert statement.printed_square(h, m, M) == Fraction(18, 10)
    assert statement.sharp(-h, m, M) ** 2 > statement.printed_square(-h, m, M)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [(("piecewise", 0.1, 2.0, 1.0, 1, 0), "0 < m <= M"), (("cubic", 0.1, 1.0, 2.0, 1, 0), "kind must be")],
)
def test_bad_input(arguments, rule):
    with pytest.raises(ValueError, match=rule):
        statement.check(*arguments)


def failures(kind) -> list[bool]:
    cases = [c for c in statement.cases(np.random.default_rng(0), "standard") if c["kind"] == kind and c["h"] != 0]
    return [not statement.check(**c) for c in cases]


@pytest.mark.control
def test_constants_with_a_wrong_sign_or_without_h_are_caught(monkeypatch):
    monkeypatch.setattr(statement, "printed_square", lambda h, m, M: 1 + 2 * h * m + h**2 * M**2)
    assert all(failures("rotation"))
    monkeypatch.setattr(statement, "sharp", lambda h, m, M: abs(1 - h * m))
    assert any(failures("piecewise"))
    assert any(failures("logistic"))


@pytest.mark.control
def test_spectral_radius_is_no_lipschitz_constant(monkeypatch):
    monkeypatch.setattr(statement, "sharp", lambda h, m, M: abs(1 - h * (m + M) / 2))
    assert any(failures("logistic"))
