"""Intervals over replicates: medians by order statistics, shares by tails of binomials, means by Student's quantile."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nn_experiments.diagnosis.intervals import mean_interval, median_interval, share_bounds


@pytest.mark.parametrize("total", [1, 2, 5, 6, 8, 9, 11, 12, 20])
def test_intervals_of_medians_are_order_statistics(total: int) -> None:
    """The r-th smallest and the r-th largest, r the largest with P(Bin(R, ½) < r) <= 2.5 %, by sums of binomials."""
    values = np.random.default_rng(total).permutation(total).astype(float)
    chances = [math.comb(total, k) / 2**total for k in range(total + 1)]
    rank = max(r for r in range(total) if sum(chances[:r]) <= 0.025 + 1e-15)
    middle, low, high = (float(v) for v in median_interval(values, 0.95))
    assert middle == (total - 1) / 2
    assert (low, high) == ((rank - 1, total - rank) if rank else (-math.inf, math.inf))
    values[values.argmax()] = math.nan  # counts as the largest
    assert float(median_interval(values, 0.95)[2]) == (math.inf if rank <= 1 else high)


def test_what_is_not_a_number_is_larger_than_any() -> None:
    """Of 11 values, the median and the ends are order statistics 6, 2 and 10."""
    values = np.array([math.nan, 2.0, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    assert [float(v) for v in median_interval(values, 0.95)] == [7.0, 3.0, 11.0]
    assert float(median_interval(np.array([1.0, 2.0, 4.0, 9.0]), 0.95)[0]) == 3.0  # the mean of the middle two
    assert [float(v) for v in median_interval(np.arange(5.0), 0.95)] == [2.0, -math.inf, math.inf]
    assert [float(v) for v in median_interval(np.arange(2.0), 0.5)] == [
        0.5,
        0.0,
        1.0,
    ]  # P(both are below) is 1/4 itself


@pytest.mark.parametrize(("count", "total"), [(0, 11), (1, 11), (5, 11), (10, 11), (11, 11), (0, 1), (1, 1)])
def test_bounds_of_shares_leave_five_per_cent(count: int, total: int) -> None:
    """At the lower bound so many or more, and at the upper one so many or fewer, have probability 5 %."""

    def tail(p: float, numbers) -> float:
        return sum(math.comb(total, k) * p**k * (1 - p) ** (total - k) for k in numbers)

    lower, upper = share_bounds(count, total, 0.95)
    assert lower == 0 if count == 0 else tail(lower, range(count, total + 1)) == pytest.approx(0.05)
    assert upper == 1 if count == total else tail(upper, range(count + 1)) == pytest.approx(0.05)
    others = share_bounds(total - count, total, 0.95)  # those that do not count
    assert (lower, upper) == pytest.approx((1 - others[1], 1 - others[0]))
    assert lower <= count / total <= upper


def test_intervals_of_means_are_students() -> None:
    """t = 4.302653 for two degrees of freedom and 95 %; one value, or one that is not finite, says nothing."""
    mean, low, high = mean_interval(np.array([1.0, 2.0, 6.0]), 0.95)
    half = 4.302652729911275 * math.sqrt(7.0) / math.sqrt(3)
    assert (mean, low, high) == pytest.approx((3.0, 3.0 - half, 3.0 + half), rel=1e-9)
    assert mean_interval(np.array([2.0]), 0.95) == (2.0, -math.inf, math.inf)
    assert mean_interval(np.array([2.0, 4.0]), 0.95)[1] > -math.inf
    assert mean_interval(np.array([2.0, math.inf]), 0.95) == (math.inf, -math.inf, math.inf)


def test_intervals_miss_as_often_as_their_levels_say() -> None:
    """Of 20 values, order statistics 6 and 15: P(miss) = 2 P(Bin(20, ½) ≤ 5) = .0414; 5 standard errors of 20,000."""
    draws = np.random.default_rng(0).standard_normal((20, 20_000))
    _, low, high = median_interval(draws, 0.95)
    missed = np.mean((low > 0) | (high < 0))
    assert abs(missed - 0.0414) < 5 * math.sqrt(0.0414 / 20_000)
