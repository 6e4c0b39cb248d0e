"""Lemma C.1 (rows 54, 56): coefficients of any word, exactly, and the two ways the printed form fails."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contraction import expansions
from contraction.statements.appendix_c import composition_expansion as statement


@settings(max_examples=25)
@given(word=st.lists(st.integers(1, 4), min_size=1, max_size=5), order=st.integers(1, 4), seed=st.integers(0, 2**31))
def test_coefficients_of_any_word(word, order, seed):
    verdict = statement.check(word, order, seed)
    assert verdict, verdict


@pytest.mark.parametrize("case", list(statement.cases(np.random.default_rng(0), "standard")))
def test_standard_cases(case):
    assert statement.check(**case)


@pytest.mark.parametrize("case", list(statement.printed_cases(np.random.default_rng(0), "standard")))
def test_printed_forms_are_refuted(case):
    verdict = statement.check_printed(**case)
    assert verdict, verdict


def test_remainder_of_the_c1_field_is_h_to_the_five_halves_at_every_h():
    assert [statement.check_printed("no smoothness", k).ratio for k in (1, 5, 9)] == [2.0, 32.0, 512.0]


def test_unknown_readings_are_refused():
    with pytest.raises(ValueError, match="the reading must be"):
        statement.check_printed("sum")


@pytest.mark.control
def test_reversed_words_are_caught(monkeypatch):
    real = statement.composed
    monkeypatch.setattr(statement, "composed", lambda tables, word, theta, p: real(tables, word[::-1], theta, p))
    assert not statement.check((1, 2, 3), 2, 0)
    assert statement.check((2, 2, 2), 2, 0)  # a word that reads the same from both ends


@pytest.mark.control
def test_lost_symmetry_factors_are_caught(monkeypatch):
    monkeypatch.setattr("contraction.expansions.coefficients.symmetry", lambda tree: 1)
    assert statement.check((1, 2, 3), 2, 0)  # the first tree with σ > 1 has three nodes
    assert not statement.check((1, 2, 3), 3, 0)


@pytest.mark.control
def test_a_transposed_jacobian_is_caught(monkeypatch):
    def transposed(tables):
        return [
            expansions.VectorField(
                value=f.value,
                derivative=lambda theta, vectors, f=f: (
                    np.stack([f.differential(theta, (e,)) for e in np.eye(2, dtype=int)], axis=1).T @ vectors[0]
                ),
            )
            for f in real(tables)
        ]

    real = statement.fields_of
    monkeypatch.setattr(statement, "fields_of", transposed)
    assert not statement.check((1, 2), 2, 0)
