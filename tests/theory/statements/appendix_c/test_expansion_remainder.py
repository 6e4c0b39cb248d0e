"""What an expansion leaves out, beyond Lemma C.1: the bound at every order, and bounds that are too small failing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.statements.appendix_c import expansion_remainder as statement


@given(
    n=st.integers(2, 8),
    d=st.integers(1, 4),
    order=st.integers(1, 5),
    h=st.floats(1e-4, 0.7),
    seed=st.integers(0, 2**31),
)
def test_remainders_stay_below_their_bounds(n, d, order, h, seed):
    verdict = statement.check(n, d, order, h, seed)
    assert verdict, verdict


@pytest.mark.parametrize("case", list(statement.cases(np.random.default_rng(0), "standard")))
def test_standard_cases(case):
    assert statement.check(**case)


@pytest.mark.control
def test_a_bound_of_the_next_order_is_crossed(monkeypatch):
    real = statement.ex.remainder_bound
    monkeypatch.setattr(statement.ex, "remainder_bound", lambda n, h, p, bounds: h * real(n, h, p, bounds))
    verdicts = [statement.check(6, 2, 2, 0.01, seed) for seed in range(20)]
    assert not all(verdicts)


@pytest.mark.control
def test_a_lost_cherry_is_noticed():
    """Without the term of V'' the bound at order 2 is crossed where V' is small: V(x) = sin x at π/2."""
    field = statement.ex.numpy_field(np.sin)
    theta, h, n = np.array([np.pi / 2]), 0.01, 5
    word = (1,) * n
    left = statement.ex.compose([field], word, theta, h) - statement.ex.evaluate_series(
        statement.ex.word_series([field], word, theta, 2), h
    )
    slope = np.sin(n * h)  # sup |cos| on the ball
    assert abs(left[0]) > statement.ex.remainder_bound(n, h, 2, [1.0, slope, 0.0])
    assert abs(left[0]) <= statement.ex.remainder_bound(n, h, 2, [1.0, slope, 1.0])
