"""Variability along paths against loops: which measure decides, on which windows, and the share of the law's width."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nn_experiments.analysis import Pairing
from nn_experiments.analysis.paths import summarise
from nn_experiments.analysis.variability import MEASURES, law_shares, variability
from tests.nn.analysis.hand_made import made, pair, view, waves

N = np.arange(41)


def found(values: np.ndarray, metric: str = "train_loss", window: int = 10):
    (row,) = variability(pair(values, metric, window=window), "Section 9", "A sentence.")
    return row


def about_a_line(n: np.ndarray, v: np.ndarray) -> float:
    rest = v - np.polyval(np.polyfit(n, v, 1), n)
    return math.sqrt(np.sum(rest**2) / (len(v) - 2))


def text(ratios: list[float]) -> str:
    return f"{np.median(ratios):.2g} ({min(ratios):.2g} to {max(ratios):.2g})"


@pytest.mark.parametrize("window", [5, 10, 16, 20])
def test_the_median_ratio_is_shown_on_windows_that_hold_five_iterates_and_fit(window: int) -> None:
    """Parts of the figure's window; of a run of 40 steps the longest is 40. A window of 4 holds four iterates."""
    values = waves()
    parts = [int(part * window) for part in (0.25, 1, 2, 3.5)]
    shown = [w for w in parts if 5 <= w <= 40]
    texts = []
    for w in shown:
        late = w > 40 - N
        ratios = [np.divide(*(about_a_line(N[late], np.log(v[late])) for v in seed)) for seed in values]
        texts.append(f"{np.median(ratios):.2g} on the last {w}")
    assert f". By window: {', '.join(texts)}. Deviation within a path" in found(values, window=window).measured
    assert len(shown) == {5: 3, 10: 3, 16: 2, 20: 3}[window]


def test_a_window_of_four_iterates_is_left_out_and_one_of_five_is_not() -> None:
    assert "on the last 4" not in found(waves(), window=16).measured
    assert "on the last 5" in found(waves(), window=20).measured
    assert "on the last 35" in found(waves(), window=10).measured
    assert "on the last 42" not in found(waves(), window=12).measured


def test_windows_begin_after_the_reset() -> None:
    """A reset at 20: of 40 steps 20 are left, half of them the window; windows of 20 fit, those of 35 do not."""
    curves = made({"train_loss": waves()}, ("forward", "reset-20"))
    entry = view(orders=("forward", "reset-20"), window=10)
    (row,) = variability(Pairing(curves, entry, "forward", "reset-20"), "", "")
    assert "on the last 10, " in row.measured
    assert "on the last 20." in row.measured
    assert "on the last 35" not in row.measured


def test_the_sentence_has_the_first_three_measures_and_counts_of_all() -> None:
    values = waves()
    values[4] = values[4, ::-1]  # on one seed of five forward is the steadier one
    row = found(values)
    late = N > 30
    measured = {name: [[getattr(summarise(N, v, 10), name) for v in seed] for seed in values] for name in MEASURES}
    ratios = {name: [a / b for a, b in pairs] for name, pairs in measured.items()}
    assert row.measured.startswith(
        "forward over backward, deviation of the logarithm about a line, train loss, last 10 steps (10 recorded), "
        f"median and range over seeds: {text(ratios['sd_log'])}; "
        f"deviation about a line {text(ratios['sd_detrended'])}; "
        f"root-mean-square change between recorded iterates {text(ratios['rms_change'])}. By window: "
    )
    counts = ", ".join(f"{MEASURES[name]} {sum(a > b for a, b in pairs)}/5" for name, pairs in measured.items())
    assert row.measured.endswith(f". Seeds where backward is less variable: {counts}.")
    expected = [np.divide(*(about_a_line(N[late], np.log(v[late])) for v in seed)) for seed in values]
    assert ratios["sd_log"] == pytest.approx(expected)
    assert (row.topic, row.place, row.sentence) == ("Variability along a path: train loss", "Section 9", "A sentence.")
    assert row.verdict == "mixed: 4 of 5"
    assert [c.unit for c in row.comparisons] == ["log loss", *["loss"] * 5]
    assert [c.what for c in row.comparisons] == [f"{name}, train loss" for name in MEASURES.values()]
    assert row.compared == ("forward", "backward")


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize(
    ("at", "value", "logarithm"),
    [(31, 0.0, False), (31, -1.0, False), (30, 0.0, True), (35, math.nan, True), (35, 1e-9, True)],
)
def test_logarithms_decide_where_every_finite_value_of_the_window_is_above_0(
    order: int, at: int, value: float, logarithm: bool
) -> None:
    values = waves(6)
    values[2, order, at] = value
    row = found(values)
    assert ("deviation of the logarithm about a line, train loss" in row.measured) == logarithm
    assert len(row.comparisons) == 5 + logarithm
    assert ("Left out" in row.measured) == math.isnan(value)


def test_error_rates_have_no_logarithm() -> None:
    row = found(1 - waves() / 10, "test_accuracy")
    assert row.measured.startswith("forward over backward, deviation about a line, test error, last 10 steps")
    assert [c.unit for c in row.comparisons] == ["error rate"] * 5


def test_a_path_that_does_not_move_is_infinitely_steadier_and_two_are_equal() -> None:
    values = 1 - waves(5) / 10
    values[0, 1] = values[1] = 0.5
    row = found(values, "test_accuracy")
    late = N > 30
    others = [np.divide(*(about_a_line(N[late], v[late]) for v in seed)) for seed in values[2:]]
    middle = np.median([math.inf, 1.0, *others])
    assert f"over seeds: {middle:.2g} (1 to inf); " in row.measured
    assert row.verdict == "mixed: 4 of 5, 1 tied"
    assert f"{np.median(others[:]):.2g} on the last 10" in row.measured  # ratios of numbers alone


def test_without_a_finite_seed_nothing_is_told() -> None:
    values = waves()
    values[:, 0, 35] = math.nan
    row = found(values)
    assert "over seeds: no seed is finite under both orders. Left out, and shown: seed 0: not finite" in row.measured
    assert row.verdict == "undecided"


@pytest.mark.parametrize(("metric", "logarithm"), [("train_loss", True), ("test_accuracy", False)])
def test_shares_are_deviations_within_paths_over_those_between_seeds(metric: str, logarithm: bool) -> None:
    values = waves(6) / (1 if logarithm else 10)
    values[4, 1, 33] = math.nan  # a seed that is left out of both
    kept = np.delete(values, 4, 0)[..., N > 30]
    kept = np.log(kept) if logarithm else 1 - kept
    within = [np.mean([about_a_line(N[N > 30], path) ** 2 for path in kept[:, k]]) for k in (0, 1)]
    between = np.mean([[np.var(kept[:, k, i], ddof=1) for i in range(10)] for k in (0, 1)])
    assert law_shares(pair(values, metric), metric) == pytest.approx([math.sqrt(w / between) for w in within])


@pytest.mark.parametrize(("seeds", "told"), [(2, False), (3, True)])
def test_shares_need_three_finite_seeds_that_differ(seeds: int, told: bool) -> None:
    values = waves(5)
    values[seeds:, 0, 40] = math.nan
    assert (law_shares(pair(values), "train_loss") is not None) == told


@pytest.mark.parametrize("order", [0, 1])
def test_seeds_that_agree_have_no_width(order: int) -> None:
    """The variance of five equal logarithms is not 0 but a rounding error; one number that differs is a width."""
    same = np.repeat(waves(1), 5, axis=0)
    assert law_shares(pair(same), "train_loss") is None
    same[3, order, 35] += 0.1
    shares = law_shares(pair(same), "train_loss")
    assert shares is not None
    assert max(shares) < 100
