"""The analysis against curves whose answers are known: AR(1) paths, hand-made curves, and their wrong neighbours."""

from __future__ import annotations

import math

import numpy as np
import pytest

from contraction.families import Gaussian, QuadraticSGD, Uniform
from contraction.maps.iterates import paired_iterates
from nn_experiments.analysis.paths import (
    decay_rate,
    detrended,
    first_below,
    settling_time,
    stays_below,
    summarise,
    tail_diameters,
)
from nn_experiments.analysis.seeds import compare, compare_ratios, compare_times

# --- one path -------------------------------------------------------------------------------------------------------


def test_a_line_has_spread_but_none_around_its_trend():
    n = np.arange(0, 100, 3)
    values = 2.0 - 0.25 * n
    found = summarise(n, values, window=30)
    assert found.sd > 2
    assert found.range == pytest.approx(0.25 * 27)
    assert found.sd_detrended < 1e-13
    assert found.range_detrended < 1e-13
    assert found.largest_jump == pytest.approx(0.75)
    assert found.rms_change == pytest.approx(0.75)
    assert math.isnan(found.sd_log)  # it crosses 0
    assert found.recorded == 10


def test_variability_is_that_of_the_last_window_only():
    values = np.r_[np.linspace(5, 0, 50), np.tile([1.0, -1.0], 25)]
    found = summarise(np.arange(100), values, window=50)
    assert found.sd == pytest.approx(math.sqrt(50 / 49))
    assert (found.range, found.largest_jump, found.mean) == (2.0, 2.0, 0.0)
    assert found.sd_detrended == pytest.approx(np.sqrt(np.sum(detrended(np.arange(50), values[50:]) ** 2) / 48))


def test_the_deviation_of_logarithms_does_not_see_the_level():
    n, noise = np.arange(60), np.random.default_rng(1).standard_normal(60)
    low, high = (summarise(n, level * np.exp(0.1 * noise - 0.01 * n), window=60) for level in (1.0, 100.0))
    assert low.sd_log == pytest.approx(high.sd_log)
    assert high.sd_detrended == pytest.approx(100 * low.sd_detrended)
    slope, level = np.polyfit(n, 0.1 * noise, 1)
    expected = np.sqrt(np.sum((0.1 * noise - slope * n - level) ** 2) / 58)
    assert low.sd_log == pytest.approx(expected)


def test_tail_diameters_against_the_double_loop():
    values = np.random.default_rng(0).standard_normal(40)
    expected = [max(values[i:]) - min(values[i:]) for i in range(40)]
    assert np.array_equal(tail_diameters(values), expected)


@pytest.mark.parametrize("rate", [0.5, 0.9, 0.98])
def test_decay_rate_of_a_geometric_path(rate):
    # tail n is b(r^n - r^N): the logarithm is off by r^(N-n) < r^window at most, 2e-7 over more than 30 steps
    n = np.arange(1200)
    assert decay_rate(n, 3 - 0.5 * rate**n, window=800) == pytest.approx(rate, abs=1e-6)


@pytest.mark.parametrize("unit", [2.0**-60, 2.0**60])
def test_the_decay_of_a_path_does_not_depend_on_its_unit(unit):
    """Rounding is relative to the whole path. Powers of two change no digit of the logarithms but for rounding."""
    n = np.arange(400)
    path = 0.9**n  # the tails fall below 1e-12 of the first one at n = 262
    assert decay_rate(n, unit * path, window=20) == pytest.approx(decay_rate(n, path, window=20), rel=1e-12)
    assert decay_rate(n, unit * path, window=20) == pytest.approx(0.9, rel=1e-6)


def test_a_path_that_wanders_has_no_decay():
    family = QuadraticSGD(h=0.1, noise=Gaussian())
    forward, backward = (p[0, :, 0] for p in paired_iterates(family.sample(2000, 3, replicas=1), 0.0))
    n = np.arange(2001)
    assert decay_rate(n, forward, window=500) > 0.999
    # d_n = 0.9^n times a stationary factor of unit size: over 260 steps the slope moves by O(log 10 / 260)
    assert decay_rate(n, backward, window=500) == pytest.approx(0.9, abs=0.02)


def test_times_on_a_curve_written_by_hand():
    n = np.array([0, 10, 20, 30, 40])
    v = np.array([9.0, 2.0, 5.0, 1.1, 1.0])
    assert first_below(n, v, 2.0) == 10
    assert first_below(n, v, 0.5) == math.inf
    assert stays_below(n, v, 2.0) == 30  # it is above again at 20
    assert stays_below(n, v, 5.0) == 10
    assert stays_below(n, v, 9.0) == 0
    assert stays_below(n, v, 1.05) == 40
    assert stays_below(n, v, 0.5) == math.inf
    assert stays_below(n, [9, 1, 1, math.nan, 1], 2.0) == 40
    assert settling_time(n, v, 0.2) == 30
    assert settling_time(n, v, 100.0) == 0
    assert settling_time(n, v, 0.05) == 40
    found = summarise(n, v, window=30)
    assert (found.best, found.best_at, found.last) == (1.0, 40, 1.0)


def test_divergence_is_not_averaged_away():
    v = np.r_[np.ones(50), np.nan, np.ones(49)]
    found = summarise(np.arange(100), v, window=60)
    assert found.diverged_at == 50
    assert math.isnan(found.sd)
    assert math.isnan(found.sd_detrended)
    assert math.isnan(found.mean)
    assert math.isnan(found.tail_diameter)
    assert settling_time(np.arange(100), v, 10.0) == 51
    assert first_below([0, 1], [math.nan, -math.inf], 0.0) == math.inf
    # before the window it leaves the window's numbers alone, but is still named
    early = summarise(np.arange(100), v, window=20)
    assert (early.sd, early.diverged_at) == (0.0, 50)


def test_row_73_hitting_times():
    """AR(1), h = 0.1, N = 400: threshold hit at median 32 forward, 38 backward; never in 0 % and 33 %.

    2000 paths each: an empirical distribution function is within 0.0732 of its own everywhere, but for a chance of
    1e-9 (Dvoretzky, Kiefer, Wolfowitz, Massart).
    """
    slack = math.sqrt(math.log(2 / 1e-9) / (2 * 2000))
    n = np.arange(401)
    paths = paired_iterates(QuadraticSGD(h=0.1, noise=Gaussian()).sample(400, 0, replicas=2000), 3.0)
    for values, median, never in zip(paths, (32, 38), (0.0, 0.33), strict=True):
        times = np.array([first_below(n, np.abs(v), 0.05) for v in values[:, :, 0]])
        assert np.mean(times <= median) > 0.5 - slack
        assert np.mean(times < median) < 0.5 + slack
        assert abs(np.mean(np.isinf(times)) - never) < slack + 0.005


def test_settling_times_keep_the_theorems_bounds():
    """Uniform noise on [−1, 1] from 0, tolerance h/4: backward at most ⌈log((1−k)/4)/log k⌉ = 36, surely; forward at
    least N − m but for a chance of 200/2^(m−1), here 1e-9."""
    n, m = np.arange(401), 39
    forward, backward = paired_iterates(QuadraticSGD(h=0.1, noise=Uniform(-1, 1)).sample(400, 0, replicas=200), 0.0)
    assert max(settling_time(n, v, 0.025) for v in backward[:, :, 0]) <= 36
    assert min(settling_time(n, v, 0.025) for v in forward[:, :, 0]) >= 400 - m
    with pytest.raises(ValueError, match="tolerance"):
        settling_time(n, forward[0, :, 0], math.nan)


# --- over seeds -----------------------------------------------------------------------------------------------------


def test_five_seeds_cannot_reject_and_six_can():
    five = compare("loss", range(5), [2.0, 3, 4, 5, 6], [1.0, 1, 1, 1, 1])
    assert (five.larger, five.smaller, five.pvalue, five.smallest_pvalue) == (5, 0, 2 / 32, 2 / 32)
    assert not five.rejects()
    six = compare("loss", range(6), [2.0, 3, 4, 5, 6, 7], [1.0] * 6)
    assert (six.pvalue, six.smallest_pvalue, six.rejects()) == (2 / 64, 2 / 64, True)


def test_effects_by_hand():
    row = compare("loss", range(3), [1.0, 2.0, 6.0], [0.0, 0.0, 0.0])
    assert row.effect == 2.0
    assert row.standardised == pytest.approx(3 / math.sqrt(7))
    ratio = compare_ratios("sd", range(3), [2.0, 8.0, 0.0], [1.0, 2.0, 0.0])
    assert (ratio.effect, ratio.larger, ratio.smaller) == (2.0, 2, 0)
    times = compare_times("hit", range(4), [5.0, math.inf, 3.0, math.inf], [4.0, 7.0, math.inf, math.inf])
    assert (times.larger, times.smaller) == (2, 1)


def test_a_diverged_seed_is_named_and_left_out():
    row = compare("loss", (0, 1, 7), [1.0, math.nan, 2.0], [0.0, 0.0, 0.0])
    assert row.seeds == (0, 7)
    assert row.left_out == ("seed 1: not finite",)
