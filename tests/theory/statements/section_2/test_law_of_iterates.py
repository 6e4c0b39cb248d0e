"""Section 2.2 (row 33): the law of a forward iterate is the expected push-forward, exactly."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.statements.cases.exact_words import affine_map
from contraction.statements.section_2 import law_of_iterates as statement

fractions = st.fractions(-2, 2, max_denominator=6)


@given(
    parameters=st.lists(st.tuples(fractions, fractions), min_size=1, max_size=3),
    data=st.data(),
    theta0=st.lists(fractions, min_size=1, max_size=3),
    n=st.integers(0, 4),
)
def test_law_is_the_expected_image(parameters, data, theta0, n):
    parts = data.draw(st.lists(st.integers(1, 9), min_size=len(parameters), max_size=len(parameters)))
    weights = [Fraction(p, sum(parts)) for p in parts]
    verdict = statement.check([affine_map(*p) for p in parameters], weights, theta0, n)
    assert verdict, verdict


@given(x0=st.integers(-5, 5), gap=st.integers(1, 9), n=st.integers(1, 5))
def test_printed_measure_is_never_the_law(x0, gap, n):
    assert statement.check_printed(x0, x0 + gap, n)


@pytest.mark.control
def test_printed_measure_is_the_law_of_a_map_that_is_not_random():
    """With x0 = y0 nothing is random, the Dirac measure is the law, and the refutation must not hold."""
    assert not statement.check_printed(3, 3, 4)


@pytest.mark.control
def test_backward_steps_of_a_non_commuting_chain_are_caught(monkeypatch):
    """One step too many on one side, or unequal weights exchanged, is seen."""
    real = statement.transition
    monkeypatch.setattr(statement, "transition", lambda law, maps, weights: real(law, maps, weights[::-1]))
    verdicts = [statement.check(**case) for case in statement.cases(np.random.default_rng(0), "standard")]
    assert not all(verdicts)
