"""Comparisons by `pytest.approx` with ``rel=`` can fail, also for numbers below its absolute tolerance of 1e-12."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("expected", [1e-13, -1e-300, [0.0, 2e-13]])
def test_a_tiny_number_needs_its_own_absolute_tolerance(expected) -> None:
    with pytest.raises(AssertionError, match="is also true of 0"):
        pytest.approx(expected, rel=1e-6)
    assert pytest.approx(expected, rel=1e-6, abs=0) == expected
    assert pytest.approx(expected, rel=1e-6, abs=0) != (0.0 if isinstance(expected, float) else [0.0, 0.0])


@pytest.mark.control
@pytest.mark.parametrize("expected", [0.0, 1e-12, [1.0, 1e-13], {"a": 1e-13}])
def test_other_values_are_compared_as_ever(expected) -> None:
    assert pytest.approx(expected, rel=1e-6) == expected
