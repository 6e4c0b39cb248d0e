"""Every number of a path on small curves against loops: irregular iterates, a start inside, values that are missing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nn_experiments.analysis.paths import (
    TooShort,
    best_so_far,
    decay_rate,
    detrended,
    first_below,
    settling_time,
    stays_below,
    summarise,
    tail_diameters,
    window_of,
)

N = np.array([2, 3, 7, 8, 12, 13, 20, 21, 25, 30])


def loss(seed: int) -> np.ndarray:
    return np.exp(np.random.default_rng(seed).standard_normal(len(N)))


def slope_of(x: np.ndarray, y: np.ndarray) -> float:
    """Return the slope of the least-squares line."""
    return float(np.polyfit(x, y, 1)[0])


@pytest.mark.parametrize("window", [10, 11, 18, 19, 28, 29, 100])
def test_the_window_holds_the_iterates_after_the_last_one_less_its_length(window: int) -> None:
    assert window_of(N, window).tolist() == [n > 30 - window for n in N]


@pytest.mark.parametrize(("window", "held"), [(9, 2), (5, 1), (0, 0)])
def test_a_window_of_less_than_three_iterates_is_too_short(window: int, held: int) -> None:
    """At 21, 25 and 30, three are held by a window of 10."""
    assert window_of(N, 10).sum() == 3
    with pytest.raises(TooShort, match=f"the last {window} iterates hold {held} recorded ones; three are needed"):
        window_of(N, window)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("window", [10, 19, 100])
@pytest.mark.parametrize("start", [0, 3, 8, 20])
def test_every_number_of_a_path(seed: int, window: int, start: int) -> None:
    values = loss(seed)
    found = summarise(N, values, window, start=start)
    w, v = zip(*[(n, x) for n, x in zip(N, values, strict=True) if n > 30 - window], strict=True)
    w, v = np.array(w), np.array(v)
    count = len(v)

    def about_a_line(y: np.ndarray) -> np.ndarray:
        return y - np.polyval(np.polyfit(w, y, 1), w)

    assert found.recorded == count
    assert found.diverged_at is None
    assert found.sd == pytest.approx(math.sqrt(sum((v - v.mean()) ** 2) / (count - 1)))
    assert found.sd_detrended == pytest.approx(math.sqrt(sum(about_a_line(v) ** 2) / (count - 2)))
    assert found.sd_log == pytest.approx(math.sqrt(sum(about_a_line(np.log(v)) ** 2) / (count - 2)))
    assert found.range == max(v) - min(v)
    assert found.range_detrended == pytest.approx(max(about_a_line(v)) - min(about_a_line(v)))
    changes = [v[i + 1] - v[i] for i in range(count - 1)]
    assert found.rms_change == pytest.approx(math.sqrt(sum(c * c for c in changes) / len(changes)))
    assert found.largest_jump == max(abs(c) for c in changes)
    late = [x for n, x in zip(N, values, strict=True) if n >= (start + 30) / 2]
    assert found.tail_diameter == max(late) - min(late)
    assert found.mean == pytest.approx(sum(v) / count)
    assert (found.last, found.best) == (values[-1], min(values))
    assert found.best_at == N[list(values).index(min(values))]
    tails = [(n, math.log(max(values[i:]) - min(values[i:]))) for i, n in enumerate(N) if start <= n <= 30 - window]
    if len(tails) < 3:
        assert math.isnan(found.decay_rate)
    else:
        assert found.decay_rate == pytest.approx(math.exp(slope_of(*map(np.array, zip(*tails, strict=True)))))


def test_the_middle_of_the_run_belongs_to_its_second_half() -> None:
    """Iterates 0 to 20, from 10 on: the middle is 15. Its value alone is high."""
    n, values = np.arange(0, 21, 5), np.array([0.0, 0.0, 0.0, 9.0, 1.0])
    assert summarise(n, values, 20, start=10).tail_diameter == 8.0
    assert summarise(n, values, 20, start=0).tail_diameter == 9.0
    assert summarise(n, values, 20, start=11).tail_diameter == 0.0


@pytest.mark.parametrize("start", [0, 4, 5, 6])
def test_a_decay_rate_is_of_the_path_from_its_start_on(start: int) -> None:
    """Tails halve up to iterate 5 and fall to a quarter at each step from there: from 5 on, the rate is a quarter."""
    n = np.arange(40)
    diameters = np.where(n <= 5, 0.5**n, 0.5**5 * 0.25 ** (n - 5.0))
    found = summarise(n, diameters, 15, start=start).decay_rate
    kept = (n >= start) & (n <= 24) & (diameters > 1e-12 * diameters[n >= start][0])
    assert found == pytest.approx(math.exp(slope_of(n[kept], np.log(diameters[kept]))), rel=1e-6)
    assert (found == pytest.approx(0.25, rel=1e-6)) == (start >= 5)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("at", range(len(N)))
def test_one_value_that_is_not_finite_is_enough(bad: float, at: int) -> None:
    values = loss(0)
    values[at] = bad
    found = summarise(N, values, 12)  # 20, 21, 25 and 30
    assert found.diverged_at == N[at]
    inside, half = N[at] > 18, N[at] >= 15
    numbers = (found.sd, found.sd_detrended, found.range, found.range_detrended, found.sd_log, found.mean)
    assert [math.isnan(x) for x in (*numbers, found.rms_change, found.largest_jump)] == [inside] * 8
    assert math.isnan(found.tail_diameter) == half
    assert math.isnan(found.decay_rate)
    assert math.isnan(decay_rate(N, values, 12))
    assert np.isnan(detrended(N, values)).all()
    assert np.isnan(tail_diameters(values)).tolist() == [i <= at for i in range(len(N))]
    others = [x for i, x in enumerate(values) if i != at]
    assert found.best == min(others)
    assert best_so_far(values).tolist() == [
        min([x for x in values[: i + 1] if math.isfinite(x)], default=math.inf) for i in range(len(N))
    ]


def test_a_path_without_a_finite_value_is_best_nowhere() -> None:
    found = summarise(N, np.full(len(N), math.nan), 30)
    assert (found.best, found.best_at, found.diverged_at) == (math.inf, 2, 2)


@pytest.mark.parametrize("lowest", [0.0, -1.0])
def test_logarithms_need_every_value_of_the_window_to_be_positive(lowest: float) -> None:
    values = loss(1)
    values[0] = lowest  # outside
    assert math.isfinite(summarise(N, values, 12).sd_log)
    values[-1] = lowest
    assert math.isnan(summarise(N, values, 12).sd_log)


@pytest.mark.parametrize("threshold", [0.5, 1.0, 2.0, 3.0])
@pytest.mark.parametrize(
    "values", [[3, 1, 2, 1, 1], [1, 1, 1, 1, 2], [3, 1, 1, 2, 0.5], [2, math.nan, 1, -math.inf, 1]]
)
def test_times_against_loops(values: list[float], threshold: float) -> None:
    n = [1, 4, 5, 9, 11]
    below = [math.isfinite(x) and x <= threshold for x in values]
    assert first_below(n, values, threshold) == min(
        [k for k, good in zip(n, below, strict=True) if good], default=math.inf
    )
    assert stays_below(n, values, threshold) == min([n[i] for i in range(5) if all(below[i:])], default=math.inf)
    near = [abs(x - values[-1]) <= threshold for x in values]
    assert settling_time(n, values, threshold) == min(n[i] for i in range(5) if all(near[i:]))


def test_a_path_settles_at_its_end_with_a_tolerance_of_0_and_never_at_a_value_that_is_not_finite() -> None:
    assert settling_time([1, 2, 3], [1.0, 2.0, 1.0], 0.0) == 3
    assert settling_time([1, 2, 3], [1.0, 1.0, 1.0], 0.0) == 1
    assert settling_time([1, 2, 3], [1.0, 1.0, math.inf], 5.0) == math.inf
    with pytest.raises(ValueError, match=r"a tolerance must be at least 0, got -0\.1"):
        settling_time([1, 2], [1.0, 1.0], -0.1)


@pytest.mark.parametrize("n", [[1, 1, 2], [1, 3, 2], [3, 2, 1]])
def test_iterates_must_increase_all_of_them(n: list[int]) -> None:
    with pytest.raises(ValueError, match="the iterates of a curve must increase"):
        detrended(n, [1.0, 2.0, 3.0])
    assert detrended([1, 2, 3], [1.0, 2.0, 3.0]) == pytest.approx(np.zeros(3))


@pytest.mark.parametrize(
    ("n", "values"),
    [([], []), ([1, 2], [1.0]), ([[1, 2]], [[1.0, 2.0]]), ([1, 2], [[1.0, 2.0]]), (3, 1.0)],
    ids=["none", "too few", "two axes", "values with two axes", "a number"],
)
def test_a_curve_has_one_value_an_iterate(n: object, values: object) -> None:
    with pytest.raises(ValueError, match="a curve needs one value an iterate, got shapes"):
        detrended(n, values)  # type: ignore[arg-type]


def test_one_iterate_has_no_slope() -> None:
    assert detrended([5], [2.0]).tolist() == [0.0]


@pytest.mark.parametrize(("window", "finite"), [(7, True), (8, False)])
def test_a_decay_rate_needs_three_tails_before_the_window(window: int, finite: bool) -> None:
    """Iterates 0 to 9: a window of 7 leaves 0, 1 and 2."""
    n = np.arange(10)
    assert math.isfinite(decay_rate(n, 0.5**n, window)) == finite


def test_tails_at_the_limit_of_rounding_are_no_evidence() -> None:
    """Tails of 1, 10^-6, 10^-12 and 0: the third is at the limit, and two are too few."""
    n = np.arange(8)
    for third, finite in ((1e-12, False), (1.01e-12, True)):
        values = np.array([1.0, 1e-6, third, 0, 0, 0, 0, 0])
        assert math.isfinite(decay_rate(n, values, 2)) == finite
