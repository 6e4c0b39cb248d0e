"""Unbiased expectations on maps without randomness: levels, weights, costs and intervals in small numbers."""

from __future__ import annotations

import math
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from scipy import stats

import contraction as ct
from contraction.families import FiniteFamily
from contraction.limits.stationary import _copies, square_rate
from contraction.maps.errors import NotCertified
from contraction.maps.known import Known

HALVES = FiniteFamily([(0.5, 1.0)])  # θ_n = 2 - 2 / 2^n from 0


def first(x: Any) -> Any:
    return x[..., 0]


@pytest.mark.parametrize("tail", [0.5, 0.25])
@pytest.mark.parametrize("levels", [[0], [1, 2], [2, 4, 6, 8]], ids=str)
def test_later_increments_are_divided_by_their_probabilities(tail: float, levels: list[int]) -> None:
    value = [2 - F(2, 2**n) for n in levels]
    exact = value[0] + sum((value[j] - value[j - 1]) / F(tail) ** j for j in range(1, len(levels)))
    for replicas in (1, 3):
        operators = HALVES.sample(levels[-1], replicas=replicas)
        found = _copies(operators, first, np.zeros(1), levels, tail)
        assert found.tolist() == pytest.approx([float(exact)] * replicas, rel=1e-13)


@pytest.mark.parametrize(
    ("rate", "stride", "burn_in", "tail"),
    [(0.25, 2, 4, 0.25), (0.5, 3, 6, 0.5**1.5), (0.9, 19, 38, 0.9**9.5), (1e-12, 1, 2, 1e-3), (0.0, 1, 2, 1e-3)],
)
def test_the_default_levels_are_two_time_constants_apart(rate: float, stride: int, burn_in: int, tail: float) -> None:
    """1 / ln(1/rate) is 0.72 for 1/4, 1.44 for 1/2 and 9.49 for 9/10."""
    found = ct.unbiased_expectation(HALVES, first, 0.0, copies=2, rate=rate)
    assert (found.stride, found.burn_in, found.rate) == (stride, burn_in, rate)
    assert found.tail == pytest.approx(tail, rel=1e-12)
    given = ct.unbiased_expectation(HALVES, first, 0.0, copies=2, rate=rate, stride=stride + 1)
    assert (given.stride, given.burn_in) == (stride + 1, 2 * stride + 2)
    assert given.tail == pytest.approx(max(rate ** ((stride + 1) / 2), 1e-3), rel=1e-12)
    assert ct.unbiased_expectation(HALVES, first, 0.0, copies=2, rate=rate, burn_in=0).burn_in == 0


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_the_interval_is_normal_and_the_error_that_of_a_mean(confidence: float) -> None:
    """Each copy is one of the values of its horizon j, so that the numbers of copies give the mean and the error."""
    found = ct.unbiased_expectation(
        HALVES, first, 0.0, copies=200, confidence=confidence, burn_in=1, stride=1, tail=0.5, seed=3
    )
    z = stats.norm.ppf(0.5 + confidence / 2)
    low, high = found.interval
    assert low == pytest.approx(found.estimate - z * found.standard_error, rel=1e-12)
    assert high == pytest.approx(found.estimate + z * found.standard_error, rel=1e-12)
    assert found.work_variance == pytest.approx(found.maps * found.standard_error**2, rel=1e-12)
    # the copy of horizon j is 1 + Σ_{i<=j} 2^i (2^-i) = 1 + j and costs 1 + 2 + … + (j + 1) maps
    rng = np.random.default_rng(ct.maps.draws.sub_sequence(3, "horizons"))
    horizons = rng.geometric(0.5, size=200) - 1
    assert found.estimate == pytest.approx(np.mean(1 + horizons), rel=1e-12)
    assert found.standard_error == pytest.approx(np.std(1 + horizons, ddof=1) / math.sqrt(200), rel=1e-12)
    assert found.maps == int(np.sum((horizons + 1) * (horizons + 2) // 2))


def test_the_variance_must_be_finite_at_the_tie_too() -> None:
    for stride, tail in ((1, 0.25), (2, 0.0625), (1, 0.2)):
        with pytest.raises(ValueError, match=r"finite variance needs rate\^stride < tail < 1"):
            ct.unbiased_expectation(HALVES, first, 0.0, copies=2, rate=0.25, stride=stride, tail=tail)
    above = math.nextafter(0.25, 1)
    assert ct.unbiased_expectation(HALVES, first, 0.0, copies=2, rate=0.25, stride=1, tail=above).tail == above
    for tail in (0.0, 1.0, -0.5):
        with pytest.raises(ValueError, match="finite variance needs"):
            ct.unbiased_expectation(HALVES, first, 0.0, copies=2, rate=0.0, tail=tail)
    for rate in (1.0, 1.5):
        with pytest.raises(NotCertified, match=f"the decay of squared increments per map is {rate:g}, not below 1"):
            ct.unbiased_expectation(HALVES, first, 0.0, copies=2, rate=rate)
    with pytest.raises(ValueError, match=r"rate must be in \[0, 1\), got -0\.5"):
        ct.unbiased_expectation(HALVES, first, 0.0, copies=2, rate=-0.5)


def test_the_rate_is_the_smallest_of_those_that_are_known() -> None:
    """Slopes 1/4 and 3/4: k² = 9/16, and E K² = (1/16 + 9/16) / 2 = 5/16."""
    pair = FiniteFamily([(0.25, 0.0), (0.75, 1.0)])
    assert square_rate(pair) == pytest.approx(5 / 16, rel=1e-12)
    maps = lambda rng: rng.uniform(), lambda x, u: u * np.sin(x)
    for known, expected in (
        ({}, None),
        ({"contraction": 0.5}, 0.25),
        ({"known": Known(mean_square=0.5)}, 0.25),
        ({"known": Known(lipschitz_moment=lambda p: 0.3)}, 0.3),
        ({"contraction": 0.5, "known": Known(mean_square=0.4)}, 0.16),
        ({"contraction": 0.5, "known": Known(mean_square=0.6)}, 0.25),
        ({"contraction": 0.9, "known": Known(lipschitz_moment=lambda p: 0.3, mean_square=0.7)}, 0.3),
    ):
        found = square_rate(ct.RandomOperator(*maps, **known))  # type: ignore[arg-type]
        assert found == (None if expected is None else pytest.approx(expected, rel=1e-12))


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: x, r"f must map points \(.*\) to numbers \(.*\), got \(.*, 1\)"),
        (lambda x: x.sum(), r"f must map points"),
        (lambda x: np.where(x[..., 0] > 1.5, np.inf, 0.0), r"f must give finite numbers, got inf at the point"),
        (lambda x: x[..., 0] * np.nan, r"f must give finite numbers, got nan at the point"),
    ],
    ids=["points", "one number", "infinite", "NaN"],
)
def test_what_f_must_return(f: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ct.unbiased_expectation(HALVES, f, 0.0, copies=3, rate=0.25)
