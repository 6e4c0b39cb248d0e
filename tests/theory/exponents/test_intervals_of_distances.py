"""Quantiles and means of synchronisation distances with their intervals, on a few numbers."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

import contraction as ct

MADE = ct.synchronisation(ct.families.QuadraticSGD(0.5), [0.0], 2, replicas=3)


def of(distances: np.ndarray, confidence: float) -> ct.Synchronisation:
    return dataclasses.replace(MADE, distances=distances, n=np.arange(len(distances)), confidence=confidence)


@pytest.mark.parametrize("confidence", [0.5, 0.95])
@pytest.mark.parametrize("replicas", [2, 10, 101])
def test_means_have_the_normal_interval_of_a_mean(replicas: int, confidence: float) -> None:
    rows = np.random.default_rng(replicas).exponential(size=(3, replicas))
    mean, low, high = of(rows, confidence).mean()
    half = stats.norm.ppf(0.5 + confidence / 2) * rows.std(axis=1, ddof=1) / math.sqrt(replicas)
    np.testing.assert_allclose(mean, rows.mean(axis=1), rtol=1e-14)
    np.testing.assert_allclose(low, rows.mean(axis=1) - half, rtol=1e-12)
    np.testing.assert_allclose(high, rows.mean(axis=1) + half, rtol=1e-12)


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("replicas", [1, 5, 20, 101])
def test_quantiles_have_ends_that_miss_with_half_the_level(replicas: int, q: float, confidence: float) -> None:
    """The i-th smallest number is above the quantile with the chance that fewer than i of all are below it."""
    row = np.random.default_rng(0).permutation(np.arange(1.0, replicas + 1))[None]
    value, low, high = (x[0] for x in of(row, confidence).quantile(q))
    tail = (1 - confidence) / 2
    below = [stats.binom.cdf(i - 1, replicas, q) for i in range(1, replicas + 1)]  # P(fewer than i below the quantile)
    under = max((i for i, p in enumerate(below, 1) if p < tail), default=0)
    over = min((i for i, p in enumerate(below, 1) if 1 - p <= tail), default=math.inf)
    assert low == under
    assert high == over
    assert value == max(math.ceil(q * replicas), 1)


@pytest.mark.parametrize("q", [0.0, 1.0, -0.5, math.nan])
def test_orders_of_quantiles_are_between_0_and_1(q: float) -> None:
    with pytest.raises(ValueError, match="q must be strictly between 0 and 1, got "):
        of(np.ones((1, 3)), 0.9).quantile(q)


@pytest.mark.parametrize(("rows", "shown"), [(1, [0]), (2, [0, 1]), (5, [0, 2, 4]), (6, [0, 3, 5])])
def test_the_first_a_middle_and_the_last_are_printed(rows: int, shown: list[int]) -> None:
    lines = str(of(np.arange(5.0 * rows).reshape(rows, 5) + 1, 0.5)).splitlines()
    assert [line.split(":")[0].strip() for line in lines[2:]] == [f"n = {n}" for n in shown]
    assert all(f"median {5 * n + 3:.4g}, interval [" in line for n, line in zip(shown, lines[2:], strict=True))


@pytest.mark.parametrize("confidence", [0.5, 0.95])
def test_shares_of_larger_distances_have_exact_intervals_and_ties_are_not_larger(confidence: float) -> None:
    row = np.array([[1.0, 1.0, 2.0, 3.0, 3.0]])
    for eps, count in ((0.0, 5), (1.0, 3), (2.0, 2), (np.nextafter(3.0, 0), 2), (3.0, 0), (9.0, 0)):
        share, low, high = (float(x[0]) for x in of(row, confidence).exceeds(eps))
        exact = stats.binomtest(count, 5).proportion_ci(confidence, "exact")
        assert share == count / 5
        assert (low, high) == pytest.approx((exact.low, exact.high), abs=1e-12)
