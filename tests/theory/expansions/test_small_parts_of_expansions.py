"""Series at exponent 0, whole numbers in the formula of Faà di Bruno, and a correction without noise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from contraction import expansions as ex
from contraction.expansions.fields import VectorField
from contraction.expansions.series import Series


def test_the_power_zero_is_one_also_where_the_series_vanishes() -> None:
    assert (Series(np.array([0.0, 1.0, 2.0])) ** 0).coefficients.tolist() == [1.0, 0.0, 0.0]


@pytest.mark.control
def test_a_negative_power_has_no_series_there() -> None:
    with pytest.raises(ValueError, match="has no Taylor series at x = 0"):
        Series(np.array([0.0, 1.0, 2.0])) ** -1


def test_whole_numbers_that_floats_lack_stay_whole_where_a_term_has_weight_one() -> None:
    """V(x) = 3x: the first coefficient of V(X(t)) is three times that of X(t), which no float equals."""
    field = VectorField(value=lambda x: 3 * x, derivative=lambda x, v: 3 * v[0] if len(v) == 1 else 0 * x)
    first = 2**60 + 1
    coefficients = np.array([[1], [first]], dtype=object)
    assert field.taylor(coefficients)[1].tolist() == [3 * first]


def test_without_noise_the_correction_of_the_quadratic_example_is_zero() -> None:
    assert ex.quadratic_correction_sd(7, 0.1, 0.0) == 0.0
    assert ex.quadratic_correction_sd(7, 0.1, 2.0) == pytest.approx(0.02 * math.sqrt(7 * 48 / 3), rel=1e-15)
    with pytest.raises(ValueError, match="sigma must be a finite number >= 0, got -1"):
        ex.quadratic_correction_sd(7, 0.1, -1.0)
