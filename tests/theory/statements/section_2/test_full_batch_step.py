"""Example 2.1 (rows 6-8): the norm from both sides, the exact range of h, the ball of the nonlinear map."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from contraction.statements.section_2 import full_batch_step as statement

rates = st.one_of(st.sampled_from([0.0, 0.5, 1.0, 2.0]), st.floats(-1, 3))


@given(
    h=rates,
    eigenvalues=st.lists(st.one_of(st.sampled_from([0.0, 1.0, 4.0]), st.floats(-5, 10)), min_size=1, max_size=50),
    seed=st.integers(0, 2**31),
)
def test_norm_and_range_of_the_learning_rate(h, eigenvalues, seed):
    verdict = statement.check("norm", h, eigenvalues, seed)
    assert verdict, verdict


@given(
    share=st.floats(0.01, 0.99),
    eigenvalues=st.lists(st.floats(0.05, 20), min_size=1, max_size=50),
    seed=st.integers(0, 2**31),
    n=st.sampled_from([1, 30, 400]),
)
def test_nonlinear_map_contracts_on_the_ball(share, eigenvalues, seed, n):
    h = share * 2 / max(eigenvalues)
    assume(statement.norm_formula(h, eigenvalues) < 1)
    verdict = statement.check("ball", h, eigenvalues, seed, n)
    assert verdict, verdict


def test_edges_of_the_range():
    """h = 0 and h = 2/lambda_max have norm 1 exactly, just inside it is below 1."""
    for h in (0.0, 0.5):
        assert statement.check("norm", h, [1.0, 4.0], seed=0)
        assert statement.norm_formula(h, [1.0, 4.0]) == 1
        assert not statement.contracts(h, [1.0, 4.0])
    assert statement.contracts(0.5 - 2.0**-40, [1.0, 4.0])


def test_negative_learning_rates():
    """h < 0 contracts on negative definite H only: ascent to a maximum, which "iff H > 0" of the audit leaves out."""
    assert statement.contracts(-0.1, [-1.0, -19.0])
    assert statement.norm_formula(-0.1, [-1.0, -19.0]) < 1
    assert not statement.contracts(-0.1, [-1.0, -20.0])
    assert not statement.contracts(-0.1, [1.0, -1.0])


@pytest.mark.parametrize(
    ("slip", "kind"), [("iff", "refuted"), ("maximum eigenvalue", "refuted"), ("equality", "beyond")]
)
def test_the_printed_text_is_run(slip, kind):
    verdict = statement.check_printed(slip)
    assert verdict
    assert verdict.kind == kind


def test_outside_of_a_minimum_the_norm_exceeds_one_too():
    """Numbers of the audit for an indefinite H and for h < 0, which are not the setting of the text."""
    tenths = Fraction(1, 10)
    assert statement.norm_formula(4 * tenths, [-tenths, Fraction(4)]) == Fraction(104, 100)
    assert statement.norm_formula(-tenths, [Fraction(1), Fraction(4)]) == Fraction(14, 10)


@pytest.mark.parametrize(
    ("kind", "h", "rule"), [("ball", 3.0, "must contract"), ("norms", 0.1, "kind must be norm or ball")]
)
def test_bad_input(kind, h, rule):
    with pytest.raises(ValueError, match=rule):
        statement.check(kind, h, [1.0], 0)


def failures(kind) -> list[bool]:
    cases = statement.cases(np.random.default_rng(0), "standard")
    return [not statement.check(**c) for c in cases if c["kind"] == kind]


@pytest.mark.control
def test_printed_range_is_caught(monkeypatch):
    monkeypatch.setattr(statement, "contracts", lambda h, es: h * max(es) < 2)
    assert any(failures("norm"))


@pytest.mark.control
def test_largest_eigenvalue_is_caught(monkeypatch):
    monkeypatch.setattr(statement, "norm_formula", lambda h, es: max(1 - h * e for e in es))
    assert any(failures("norm"))


@pytest.mark.control
def test_factor_of_the_best_direction_is_caught(monkeypatch):
    """min_i |1 - h lambda_i| as the factor: pairs in other directions are not contracted by it."""
    monkeypatch.setattr(statement, "norm_formula", lambda h, es: min(abs(1 - h * e) for e in es))
    assert not any(statement.check("ball", 0.1, [0.5, 4.0], seed, n=3) for seed in range(5))
