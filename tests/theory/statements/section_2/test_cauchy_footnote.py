"""The footnote on Cauchy sequences (row 4): the modulus of backward iterates, exactly; the printed limit fails."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.maps.iterates import forward_iterates
from contraction.statements.section_2 import cauchy_footnote


@given(
    kind=st.sampled_from(["drawn", "aligned"]),
    k=st.fractions(0, Fraction(999, 1000), max_denominator=1000),
    D=st.fractions(0, 100, max_denominator=10),
    N=st.integers(0, 60),
    w=st.integers(1, 30),
    seed=st.integers(0, 2**31),
)
def test_cauchy_modulus(kind, k, D, N, w, seed):
    verdict = cauchy_footnote.check(kind, k, D, N, w, seed)
    assert verdict, verdict


def test_printed_limit_is_refuted():
    assert cauchy_footnote.check_printed()


@pytest.mark.control
def test_forward_iterates_are_not_cauchy(monkeypatch):
    monkeypatch.setattr(cauchy_footnote, "backward_iterates", forward_iterates)
    cases = list(cauchy_footnote.cases(np.random.default_rng(0), "standard"))
    assert not all(cauchy_footnote.check(**c) for c in cases if c["N"] == 40 and c["k"] == Fraction(1, 2))


@pytest.mark.control
def test_a_converging_sequence_refutes_nothing(monkeypatch):
    monkeypatch.setattr(cauchy_footnote, "Fraction", lambda j: Fraction(0))
    assert not cauchy_footnote.check_printed()
