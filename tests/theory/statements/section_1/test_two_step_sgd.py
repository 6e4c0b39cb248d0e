"""Section 1 (row 1): the second iterates of SGD in both orders, exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.maps.orders import Backward, Forward
from contraction.statements.section_1 import two_step_sgd


@given(h=st.fractions(-3, 3, max_denominator=1000), dim=st.integers(1, 12), seed=st.integers(0, 2**31))
def test_displays(h, dim, seed):
    verdict = two_step_sgd.check(h, dim, seed)
    assert verdict, verdict


@pytest.mark.control
def test_swapped_order_is_caught(monkeypatch):
    monkeypatch.setattr(two_step_sgd, "Forward", Backward)
    monkeypatch.setattr(two_step_sgd, "Backward", Forward)
    cases = [c for c in two_step_sgd.cases(np.random.default_rng(0), "standard") if c["h"] != 0 and c["dim"] < 50]
    assert not any(two_step_sgd.check(**c) for c in cases)
