"""Values and derivatives of the functions that a loss may use: in floats, at points and over intervals, by mpmath."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

from contraction.maps.intervals import ELEMENTARY, Intervals, derivatives
from contraction.maps.taylor import _FLOATS

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "tanh": mpmath.tanh,
    "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
    "expit": lambda x: 1 / (1 + mpmath.exp(-x)),
    "exp": mpmath.exp,
    "log": mpmath.log,
    "log1p": lambda x: mpmath.log(1 + x),
    "reciprocal": lambda x: 1 / x,
    "sqrt": mpmath.sqrt,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
}
POSITIVE = ("log", "log1p", "reciprocal", "sqrt")


def coefficients(name: str, x: float, order: int = 3) -> list[float]:
    """f^(k)(x) / k! for k = 0 … order."""
    with mpmath.workdps(40):
        return [float(c) for c in mpmath.taylor(FUNCTIONS[name], mpmath.mpf(x), order)]


def test_every_function_is_looked_at() -> None:
    assert set(FUNCTIONS) == set(ELEMENTARY) == set(_FLOATS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_slopes_in_floats(name: str) -> None:
    x = np.array([0.3, 1.7, 4.0]) if name in POSITIVE else np.array([-1.3, 0.4, 2.0])
    found = np.stack(_FLOATS[name](x))
    assert found.shape == (2, 3)
    np.testing.assert_allclose(found.T, [coefficients(name, v, 1) for v in x.tolist()], rtol=1e-13)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_coefficients_at_points_are_enclosed_to_rounding(name: str) -> None:
    x = np.array([0.3, 1.7, 4.0]) if name in POSITIVE else np.array([-1.3, 0.0, 0.4, 2.0])
    for order in range(4):
        found = derivatives(name, Intervals(x), order)
        assert len(found) == order + 1
        for i, v in enumerate(x.tolist()):
            for one, exact in zip(found, coefficients(name, v, order), strict=True):
                assert one.low[i] - 1e-300 <= exact <= one.high[i] + 1e-300
                assert one.rad[i] <= 1e-14 * max(1.0, abs(exact))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("width", [0.01, 0.25, 1.5])
def test_coefficients_over_intervals_contain_those_of_all_their_points(name: str, width: float) -> None:
    """On a grid of each interval; but for sin and cos, whose ranges are not the smallest, they reach no farther."""
    middles = np.array([2.0, 3.5]) if name in POSITIVE else np.array([-1.0, -0.2, 0.0, 0.6, 2.5])
    found = derivatives(name, Intervals(middles, width), 3)
    for i, middle in enumerate(middles.tolist()):
        grid = np.linspace(middle - width, middle + width, 41).tolist()
        exact = np.array([coefficients(name, v) for v in grid])
        for k, one in enumerate(found):
            low, high = exact[:, k].min(), exact[:, k].max()
            assert one.low[i] <= low + 1e-14
            assert high - 1e-14 <= one.high[i]
            if name not in ("sin", "cos"):  # a grid misses a maximum by half a step squared times the curvature
                room = 1e-12 + (width / 40) ** 2 * 2
                assert one.low[i] >= low - room
                assert one.high[i] <= high + room
            else:
                assert one.rad[i] <= width / math.factorial(k) * (1 + 1e-12) + 1e-14


@pytest.mark.parametrize("name", ["tanh", "expit", "softplus"])
def test_flat_ends_do_not_overflow(name: str) -> None:
    for x in (-800.0, -40.0, 40.0, 800.0):
        found = derivatives(name, Intervals(x), 3)
        exact = coefficients(name, x)
        for one, value in zip(found, exact, strict=True):
            assert math.isfinite(float(one.mid))
            assert float(one.low) - 1e-15 <= value <= float(one.high) + 1e-15
            assert float(one.rad) <= 1e-15 * max(1.0, abs(value))
