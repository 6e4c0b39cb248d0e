"""Means of logarithms, their confidence bounds and the rounding of factors, as formulas and at their ends."""

from __future__ import annotations

import math
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from scipy import stats

import contraction as ct
from contraction.certificates import average
from contraction.certificates.average import (
    AverageContraction,
    _exact,
    _log_lipschitz,
    _normal,
    _of_single_maps,
    _sampled,
    confidence_upper,
)
from contraction.certificates.hypotheses import factor_rounded_up
from contraction.concentration import empirical_bernstein, hoeffding
from contraction.families import ConstantMaps, FiniteFamily, QuadraticSGD, Uniform
from contraction.maps.constants import Constant
from contraction.maps.errors import DeclarationRefuted, NotCertified
from contraction.maps.rounding import EPS
from contraction.maps.spaces import Euclidean


def test_deviations_by_their_formulas() -> None:
    """width √(log(1/e) / 2 n), and √(2 V log(2/e) / n) + 7 width log(2/e) / (3 (n - 1)) with V = 5/3 of 1, 2, 3, 4."""
    assert hoeffding(50, 3.0, 0.01) == pytest.approx(3 * math.sqrt(math.log(100) / 100), rel=1e-14)
    values = np.array([1.0, 2.0, 3.0, 4.0])
    expected = math.sqrt(2 * 5 / 3 * math.log(200) / 4) + 7 * 3.0 * math.log(200) / 9
    assert empirical_bernstein(values, 3.0, 0.01) == pytest.approx(expected, rel=1e-14)
    two = math.sqrt(2 * 0.5 * math.log(20) / 2) + 7 * math.log(20) / 3
    assert empirical_bernstein(np.array([1.0, 2.0]), 1.0, 0.1) == pytest.approx(two, rel=1e-14)


@pytest.mark.parametrize("spread", [0.001, 1.0])
def test_the_upper_bound_is_the_mean_and_the_smaller_deviation(spread: float) -> None:
    """Each inequality has half of the error; values below the lowest count as the lowest."""
    values = np.array([-9.0, *(-1.0 + spread * np.sin(np.arange(299.0)))])
    cut = np.maximum(values, -2.0)
    both = hoeffding(300, 2.5, 0.005), empirical_bernstein(cut, 2.5, 0.005)
    assert (both[1] < both[0]) is (spread < 0.1)
    found = confidence_upper(values, 0.5, 0.99, -2.0)
    assert found == pytest.approx(float(np.mean(cut)) + min(both), rel=1e-13)


def test_values_of_a_confidence_bound_are_at_least_two_and_not_above_the_largest() -> None:
    assert confidence_upper([1.0, 1.0], 1.0, 0.9, 1.0) == 1.0  # no width
    assert confidence_upper([3.0, 0.0], 3.0, 0.9, 0.0) > 1.5
    room = 1e-9 * 3
    assert confidence_upper([3.0 + 0.9 * room, 0.0], 3.0, 0.9, 0.0) > 1.5
    assert confidence_upper([0.5 + 0.9e-9, 0.0], 0.5, 0.9, 0.0) > 0.25
    for values, largest, lowest in (
        ([1.0], 1.0, 0.0),
        ([1.0, 1.0], 1.0, 1.1),
        ([3.0 + 1.1 * room, 0.0], 3.0, 0.0),
        ([0.5 + 1.1e-9, 0.0], 0.5, 0.0),
        ([-3.0 + 1.1 * room, -4.0], -3.0, -5.0),
    ):
        with pytest.raises(ValueError, match="needs at least two values"):
            confidence_upper(values, largest, 0.9, lowest)


@pytest.mark.parametrize("confidence", [0.5, 0.95])
def test_normal_intervals_of_means(confidence: float) -> None:
    values = np.array([1.0, 2.0, 4.0, 9.0])
    mean, (low, high) = _normal(values, confidence)
    half = stats.norm.ppf(0.5 + confidence / 2) * math.sqrt(38 / 3) / 2
    assert mean == 4.0
    assert (low, high) == pytest.approx((4 - half, 4 + half), rel=1e-12)
    assert _normal(np.array([1.0, -math.inf]), 0.9) == (-math.inf, (-math.inf, -math.inf))


def line(**options: Any) -> ct.RandomOperator:
    """u x with u uniform on [1/4, 1/2]."""
    return ct.RandomOperator(
        lambda rng: rng.uniform(0.25, 0.5), lambda x, u: u * x, lipschitz=lambda u: float(u), **options
    )


def test_logarithms_of_words_are_sums_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words of affine maps are drawn in blocks of BLOCK_NUMBERS / d² words, and summed as products."""
    family = line()
    operators = family.sample(3, 4, replicas=5)
    draws = np.array([[float(u) for u in draw] for draw in operators.draws])
    np.testing.assert_allclose(_of_single_maps(operators), np.log(draws).sum(axis=0), rtol=1e-14)
    with pytest.raises(NotCertified, match="no Lipschitz constants are known"):
        _of_single_maps(ct.RandomOperator(lambda rng: 0.0, lambda x, u: x).sample(2, 0, replicas=2))
    blocks: list[int] = []
    drawn = average.drawn

    def counted(family: Any, n: int, seed: int, replicas: int | None = None) -> Any:
        blocks.append(replicas or 0)
        return drawn(family, n, seed, replicas)

    monkeypatch.setattr(average, "drawn", counted)
    monkeypatch.setattr(average, "BLOCK_NUMBERS", 12)
    affine = FiniteFamily([(0.5, [1.0, 0.0]), (0.25, [0.0, 0.0])])
    found = _log_lipschitz(affine, 2, 7, None, Euclidean(), 2, 0)
    assert blocks == [3, 3, 1]
    assert {*np.exp(found).round(12).tolist()} <= {0.25, 0.125, 0.0625}
    blocks.clear()
    assert len(_log_lipschitz(family, 2, 7, None, Euclidean(), 1, 0)) == 7
    assert blocks == [7]


def test_sampled_words_by_hand() -> None:
    """An eighth of the words decides where the others are cut; the bound has log(largest) at its top."""
    family, q, words, confidence = line(), 2, 40, 0.9
    logs = _log_lipschitz(family, q, 45, None, Euclidean(), 1, 3) / q
    pilot, rest = logs[:5], logs[5:]
    found = _sampled(family, np.zeros(1), q, None, Euclidean(), words, confidence, 0.5, 3)
    assert found.exponent == pytest.approx(float(rest.mean()), rel=1e-12)
    expected = confidence_upper(rest, math.log(0.5), confidence, float(pilot.min()))
    assert found.upper == pytest.approx(expected, rel=1e-12)
    assert (found.origin, found.q, found.words, found.confidence) == ("measured", 2, 40, 0.9)
    assert found.interval == pytest.approx(_normal(rest, confidence)[1], rel=1e-12)
    unknown = _sampled(family, np.zeros(1), q, None, Euclidean(), words, confidence, None, 3)
    assert (unknown.upper, unknown.confidence) == (math.inf, 0.0)
    declared = _sampled(line(contraction=0.5), np.zeros(1), q, None, Euclidean(), words, confidence, None, 3)
    assert declared.upper == pytest.approx(expected, rel=1e-12)
    with pytest.raises(DeclarationRefuted, match=r"Lipschitz constant of 0\.3 is too small: a drawn word of length 2"):
        _sampled(family, np.zeros(1), q, None, Euclidean(), words, confidence, 0.3, 3)
    with pytest.raises(ValueError, match="words"):
        _sampled(family, np.zeros(1), q, None, Euclidean(), 3, confidence, 0.5, 3)
    assert _sampled(family, np.zeros(1), q, None, Euclidean(), 4, confidence, 0.5, 3).words == 4


def test_exponents_in_closed_form_are_rounded_up() -> None:
    """64 units of 1 + |mean| for a stated mean logarithm, and 4 for the logarithm of a factor."""

    class Stated(ct.RandomOperator):
        @property
        def log_mean(self) -> float:
            return -0.75

    stated = ct.average_contraction(Stated(lambda rng: rng.uniform(0.1, 1), lambda x, u: u * x), 0.0)
    assert stated.exponent == -0.75
    assert float(F(stated.upper) - F(stated.exponent)) / EPS == pytest.approx(64 * 1.75, abs=1)
    common = ct.average_contraction(ct.RandomOperator(lambda rng: 0.0, lambda x, u: x / 2, contraction=0.5), 0.0)
    assert common.exponent == math.log(0.5)
    assert 2 * math.log(2) <= float(F(common.upper) - F(common.exponent)) / EPS <= 6 * math.log(2)
    assert common.origin == "declared"


@pytest.mark.parametrize("upper", [-1e-300, 0.0, 1.0, 708.9, 709.0])
def test_a_negative_upper_bound_contracts(upper: float) -> None:
    found = _exact(-1.0, upper, "proved", 2, 5, "a source")
    assert isinstance(found, AverageContraction)
    assert found.contracts is (upper < 0)
    assert found.rate == (math.inf if upper >= 709 else math.exp(upper))
    assert ("d(θ*, θ_n) ≤ C_ω rⁿ" in str(found)) is (upper < 0)
    assert ("longer ones (a larger q) may" in str(found)) is (upper >= 0)
    measured = AverageContraction(-1.0, upper, 0.9, "measured", 2, 5, "a source", (-2.0, 0.0), 0.9)
    assert ("no contraction on average is shown" in str(measured)) is (upper >= 0)


@pytest.mark.parametrize("d", [1, 2, 7])
def test_a_proved_factor_is_rounded_up_by_a_difference_and_its_eigenvalues(d: int) -> None:
    """(1 + k) units in one coordinate, and 2 d times that in more; declared and exact ones are what they are."""
    family, theta = QuadraticSGD(0.5, Uniform(-1, 1), d), np.zeros(d)
    share = 1 if d == 1 else 2 * d
    found = factor_rounded_up(Constant(0.5, "proved", "k"), theta, family).value
    added = float(F(found) - F(1, 2)) / EPS
    assert 1.5 * share < added <= 1.5 * share + 1
    zero = factor_rounded_up(Constant(0.0, "proved", "k"), theta, family).value
    assert zero == EPS * share
    assert factor_rounded_up(Constant(0.0, "proved", "k"), theta, ConstantMaps([[0.0] * d])).value == 0.0
    assert factor_rounded_up(Constant(0.0, "declared", "k"), theta, family).value == 0.0
    assert factor_rounded_up(Constant(0.5, "declared", "k"), theta, family).value == 0.5
    third = factor_rounded_up(Constant(F(1, 3), "proved", "k"), np.array([F(0)] * d, dtype=object), family)  # type: ignore[arg-type]
    assert F(math.nextafter(third.value, 0)) < F(1, 3) <= F(third.value)
    number = factor_rounded_up(Constant(0.5, "proved", "k"), np.array(0.0), family).value
    assert 1.5 < float(F(number) - F(1, 2)) / EPS <= 2.5


def test_factors_that_are_all_zero_have_the_exponent_minus_infinity() -> None:
    """The bound of a largest factor 0 is cut at e^-700, and the numbers at 700 below it."""
    family = ct.RandomOperator(lambda rng: 0.0, lambda x, u: 0 * x, lipschitz=lambda u: 0.0)
    found = _sampled(family, np.zeros(1), 1, None, Euclidean(), 40, 0.9, 0.0, 0)
    assert (found.exponent, found.interval) == (-math.inf, (-math.inf, -math.inf))
    assert found.upper == confidence_upper(np.full(40, -1400.0), -700.0, 0.9, -1400.0)
