"""Arguments that would give a wrong number are refused at the call, with the rule and the value; right ones pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction import expansions, laws
from contraction.expansions import VectorField, numpy_field, word_series

NAN = float("nan")
RATES = laws.Rates(1e-3, 1e-3)
HALF = [[[0.5]]]
Z = np.array([3.0, 4.0])
FAR = np.linspace(0, 1, 50)


def uniform(x: np.ndarray) -> np.ndarray:
    return np.clip(x, 0, 1)


def lower_bound(function: Callable[[Any], Any]) -> float:
    return laws.lipschitz_lower_bound(FAR, FAR / 10, function, low=-9, high=9, false_alarm=0.1)


def expectation(f: Callable[[Any], Any]) -> ct.UnbiasedExpectation:
    return ct.unbiased_expectation(ct.families.QuadraticSGD(h=0.5), f, [0.0], copies=10)


def with_factor(lipschitz: Callable[[Any], Any]) -> ct.ErrorBound:
    family = ct.RandomOperator(
        lambda rng: rng.uniform(-1, 1), lambda x, u: x / 2 + u, contraction=0.5, displacement=1.0, lipschitz=lipschitz
    )
    return ct.certify(family, [0.0])


def two_maps(field: VectorField, start: np.ndarray = Z) -> np.ndarray:
    return word_series([field], [1, 1], start, 2)


TABLE: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "half a law": (lambda: ct.mean_square_norm(HALF, [0.5]), ValueError, r"weights must sum to one, got \[0\.5\]"),
    "a weight too many": (lambda: ct.mean_square_norm(HALF, [0.5, 0.5]), ValueError, "2 for 1 matrices"),
    "a negative weight": (lambda: ct.mean_square_norm(HALF * 2, [1.5, -0.5]), ValueError, "weights must be >= 0, got"),
    "no slack": (lambda: ct.mean_square_norm(HALF, [1], 0), ValueError, "slack must be a finite number > 0, got 0"),
    "slack 2": (lambda: ct.mean_square_norm(HALF, [1], 2), ValueError, "slack must be at most 1, .* got 2"),
    "a negative displacement": (lambda: laws.coupling_bound(0.5, -1, 3), ValueError, "D must be a number >= 0, got -1"),
    "a negative n": (lambda: laws.coupling_bound(0.5, 1, -3), ValueError, "n must be an integer of at least 0, got -3"),
    "a slope of 5": (lambda: lower_bound(lambda x: 5 * x), ValueError, r"must be 1-Lipschitz: .* apart"),
    "a jump": (lambda: lower_bound(lambda x: 1.0 * (x > 0.5)), ValueError, "must be 1-Lipschitz"),
    "probability 7": (lambda: laws.one_sample_test([0.5], lambda x: x + 7, RATES), ValueError, r"got 7\.5 at x = 0\.5"),
    "a probability that falls": (
        lambda: laws.one_sample_test([0.1, 0.5], lambda x: 1 - x, RATES),
        ValueError,
        r"do not decrease: got 0\.9 at x = 0\.1 and 0\.5 at 0\.5",
    ),
    "a probability NaN": (lambda: laws.one_sample_test([0.1], lambda x: x * NAN, RATES), ValueError, "got nan at x"),
    "left of 2": (
        lambda: laws.one_sample_test([0.1], uniform, RATES, left=lambda x: x + 2),
        ValueError,
        "left must be a distribution function",
    ),
    "f is NaN": (lambda: expectation(lambda x: x[..., 0] * NAN), ValueError, "f must give finite numbers, got nan at"),
    "a factor NaN": (
        lambda: with_factor(lambda u: NAN),
        ValueError,
        r"lipschitz\(draw\) must be a number >= 0, got nan",
    ),
    "a factor below 0": (lambda: with_factor(lambda u: -1.0), ValueError, "must be a number >= 0, got -1"),
    "a factor None": (lambda: with_factor(lambda u: None), TypeError, r"lipschitz\(draw\) must be a number, got None"),
    "another derivative": (
        lambda: two_maps(VectorField(value=lambda z: z**2, jvp=lambda z, v: 5 * v)),
        ct.DeclarationRefuted,
        r"derivative that the field supplies is not that of its value.*Correct jvp=",
    ),
    "the derivative of another field in a series": (
        lambda: two_maps(VectorField(value=np.cos, series=numpy_field(np.sin).series)),
        ct.DeclarationRefuted,
        "is not that of its value",
    ),
    "a field that draws": (
        lambda: two_maps(numpy_field(lambda z: np.random.default_rng().random() * z)),
        ct.NotDeterministic,
        "V gave two values at one point",
    ),
    "a logarithm of a negative number": (
        lambda: two_maps(numpy_field(lambda z: np.log(z)), -Z),
        ValueError,
        r"V or one of its derivatives is NaN at \[-3\.0, -4\.0\]",
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_it_is_refused(name: str) -> None:
    call, error, words = TABLE[name]
    with pytest.raises(error, match=words):
        call()


def test_right_arguments_pass() -> None:
    """x/2 has the mean-square factor 1/4, and k³D/(1 - k) = 1/4; two maps z + h z² give z + 2h z² + 2h² z³ + …."""
    assert ct.mean_square_norm(HALF, [1], 1)[1] == pytest.approx(0.25, rel=1e-12)
    assert laws.coupling_bound(0.5, 1, 3) == 0.25
    assert lower_bound(lambda x: x) == 0.0
    assert lower_bound(lambda x: -np.abs(x - 0.3)) == 0.0
    assert laws.one_sample_test([0.1, 0.5, 0.9], uniform, RATES)
    assert expectation(lambda x: 0 * x[..., 0]).estimate == 0.0
    assert with_factor(lambda u: 0.5).k == 0.5
    square = VectorField(value=lambda z: z**2, jvp=lambda z, v: 2 * z * v, derivative=lambda z, v: 2 * v[0] * v[1])
    np.testing.assert_array_equal(two_maps(square), [Z, 2 * Z**2, 2 * Z**3])
    np.testing.assert_array_equal(two_maps(numpy_field(lambda z: z * z)), [Z, 2 * Z**2, 2 * Z**3])
    assert np.isfinite(two_maps(numpy_field(lambda z: np.log(z)))).all()


def test_the_first_derivative_is_tried_beside_a_kink() -> None:
    """max(z, 0) has no derivative at 0, and a difference quotient there is 1/2; the field is right with 0."""
    relu = VectorField(value=lambda z: np.maximum(z, 0), jvp=lambda z, v: v * (z > 0))
    np.testing.assert_array_equal(word_series([relu], [1], np.zeros(2), 1), np.zeros((2, 2)))
    wrong = VectorField(value=lambda z: np.maximum(z, 0), jvp=lambda z, v: v * (z < 0))
    with pytest.raises(ct.DeclarationRefuted):
        word_series([wrong], [1], np.zeros(2), 1)


@pytest.mark.parametrize("start", [[3.0, 4.0], [3, 4]], ids=["floats", "integers"])
def test_exact_and_float_fields_agree(start: list[float]) -> None:
    field = expansions.numpy_field(lambda z: z * z)
    np.testing.assert_array_equal(word_series([field], [1, 1], np.array(start), 2), [Z, 2 * Z**2, 2 * Z**3])
