"""Corollary C.4 (rows 59, 60): three ways to the same correction, and what an implementation must not do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contraction.statements.appendix_c import streamed_correction as statement


@settings(max_examples=20)
@given(n=st.integers(1, 6), seed=st.integers(0, 2**31), gradients=st.booleans())
def test_streams_and_passes_agree(n, seed, gradients):
    verdict = statement.check(n, seed, gradients)
    assert verdict, verdict


@pytest.mark.parametrize("case", list(statement.printed_cases(np.random.default_rng(0), "standard")))
@pytest.mark.parametrize("slip", ["from n = 1", "C first"])
def test_what_an_implementation_must_not_do_is_seen(case, slip):
    verdict = statement.check_printed(**{**case, "slip": slip})
    assert verdict
    assert verdict.kind == "beyond"


def test_unknown_slips_are_refused():
    with pytest.raises(ValueError, match="the slip must be"):
        statement.check_printed("H first")


@pytest.mark.control
def test_right_recursions_are_not_refuted(monkeypatch):
    real = statement.recursion
    monkeypatch.setattr(
        statement, "recursion", lambda fields, theta, **_: real(fields, theta, start=2, correction_first=False)
    )
    assert not statement.check_printed("C first")


@pytest.mark.control
def test_a_stream_that_updates_c_first_is_caught(monkeypatch):
    stream = statement.ex.ApproximateBackward

    nothing = statement.ex.VectorField(value=lambda theta: 0 * theta, jvp=lambda theta, v: 0 * v)

    class Late(stream):
        def _remember(self, field):  # H comes one step late
            held, self._held = getattr(self, "_held", nothing), field
            super()._remember(held)

    monkeypatch.setattr(statement.ex, "ApproximateBackward", Late)
    assert not statement.check(4, 0)
