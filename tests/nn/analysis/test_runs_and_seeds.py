"""Comparisons over seeds, pairs of paths, and what is said of a run, from numbers written by hand."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from nn_experiments.analysis import Pairing, findings
from nn_experiments.analysis.run_summary import circumstances, path_start
from nn_experiments.analysis.seeds import compare, compare_ratios, compare_times, divided_level
from nn_experiments.paper import catalogue
from nn_experiments.paper.figure import Figure
from tests.nn.analysis.hand_made import made, pair, view, waves

# --- over seeds -----------------------------------------------------------------------------------------------------


def test_a_level_is_divided_among_its_tests():
    assert (divided_level(1), divided_level(4), divided_level(5, 0.1)) == (0.05, 0.0125, 0.02)
    with pytest.raises(ValueError, match="at least one test is needed, got 0"):
        divided_level(0)


def test_ratios_with_one_zero_are_counted_by_their_sign():
    """Infinite logarithms have no mean: six seeds, all of them larger, one without bound."""
    row = compare_ratios("sd", range(6), [2.0, 3, 4, 5, 6, 7], [1.0, 1, 1, 1, 1, 0])
    assert (row.pvalue, row.larger, row.effect) == (2 / 64, 6, 4.5)
    assert row.standardised != row.standardised  # no spread of signs
    mean = compare_ratios("sd", range(3), [math.e, math.e**2, math.e**3], [1.0] * 3)
    assert mean.standardised == pytest.approx(2.0)
    half = compare_ratios("sd", range(4), [2.0, 0.0, 1.0, 8.0], [1.0, 1.0, 1.0, 2.0])  # signs 1, −1, 0, 1
    assert half.standardised == pytest.approx(0.25 / np.std([1, -1, 0, 1], ddof=1))
    for bad in (([-1.0], [1.0]), ([1.0], [-1.0])):
        with pytest.raises(ValueError, match="ratios are for quantities of at least 0"):
            compare_ratios("sd", range(1), *bad)
    assert compare_ratios("sd", (3,), [math.inf], [1.0]).left_out == ("seed 3: not finite",)
    assert math.isnan(compare_ratios("sd", (3,), [math.inf], [1.0]).effect)


def test_times_that_never_come_count_as_later():
    row = compare_times("hit", (0, 1, 2), [math.inf, math.inf, math.nan], [3.0, math.inf, 3.0])
    assert row.left_out == ("seed 2: no time",)
    assert (row.larger, row.smaller, row.effect) == (1, 0, math.inf)
    row = compare_times("hit", range(3), [9.0, 3.0, 5.0], [4.0, 7.0, 5.0])
    assert (row.effect, row.unit, row.kind) == (0.0, "steps", "difference")
    one = compare("loss", (0,), [2.0], [1.0])
    assert math.isnan(one.standardised)
    none = compare("loss", (0,), [math.nan], [1.0])
    assert (none.pvalue, none.smallest_pvalue, none.rejects()) == (None, None, False)


# --- pairs and what was run -----------------------------------------------------------------------------------------


def test_a_window_is_at_most_half_of_the_last_stretch():
    both = pair(waves())
    assert (both.start, both.last, both.window) == (0, 40, 10)
    curves = made({"train_loss": waves()}, ("forward", "reset-10-30"))
    assert Pairing(curves, view(window=200), "forward", "reset-10-30").window == 5
    starts = {"reset-10-30": 30, "reset-40": 0, "late-39": 39, "late-40": 0, "backward": 0}
    assert {name: path_start(name, 40) for name in starts} == starts
    early = made({"train_loss": waves()})
    early.recorded["train_loss"][1, 0, 33:] = False
    both = Pairing(early, view(), "forward", "backward")
    assert both.last == 32
    n, a, b = both.values("train_loss", 0)
    assert (n[-1], len(a), len(b)) == (32, 33, 33)
    assert both.at("train_loss", 33) is None
    early.recorded["train_loss"][1, 1, ::2] = False
    early.recorded["train_loss"][1, 0, 1::2] = False
    with pytest.raises(ValueError, match="seed 1: forward and backward share no iterate"):
        Pairing(early, view(), "forward", "backward").values("train_loss", 1)


def label(values: np.ndarray, figure: Figure, **more: Any) -> str:
    return circumstances(made({"train_loss": values}, **more), figure).label()


def test_a_run_is_called_what_it_was():
    n = np.arange(0, 41)
    fall = np.tile(np.linspace(2, 1, 41), (5, 2, 1))
    figure = view(steps=40)
    assert label(fall, figure) == "N = 40, every iterate recorded, 5 seeds"
    assert label(fall, view(steps=41)).endswith("REDUCED: 40 of 41 steps")
    assert label(fall[:1], figure).endswith("1 seed. REDUCED: 1 of 5 seeds")
    tens = label(fall[..., ::10], figure, iterates=n[::10])
    assert (
        tens == "N = 40, every 10th iterate recorded, 5 seeds. REDUCED: every 10th iterate (the paper: every iterate)"
    )
    ours = dataclasses.replace(figure, section="-")  # no figure of the paper's
    assert "REDUCED" not in label(fall[..., ::10], ours, iterates=n[::10])
    hundred = dataclasses.replace(catalogue.find("fig11"), metrics=("train_loss",), steps=400, compared_at=())
    assert "REDUCED" not in label(fall[..., ::10], hundred, iterates=10 * n[::10])
    assert "every 200th iterate (the paper: every 100th iterate)" in label(
        fall[..., ::10], hundred, iterates=20 * n[::10]
    )
    for grid, reduced in (([0, 50, 100, 150, 400], False), ([0, 100, 300, 400], True), (range(0, 401, 50), False)):
        at = np.array(grid)  # more iterates than the paper's every 100th are no fewer, wherever they are
        assert ("REDUCED" in label(fall[..., : len(at)], hundred, iterates=at)) == reduced


def test_curves_that_lack_iterates_are_named_and_many_are_counted():
    fall = np.tile(np.linspace(2, 1, 41), (5, 2, 1))
    recorded = np.ones(fall.shape, bool)
    recorded[0, 1, 5] = recorded[1, 0, 7:9] = False
    found = made({"train_loss": fall}, recorded={"train_loss": recorded})
    about = circumstances(found, view(steps=40))
    assert about.incomplete == ("seed 0 backward has 40 of 41 iterates", "seed 1 forward has 39 of 41 iterates")
    assert "INCOMPLETE: seed 0 backward has 40 of 41 iterates; seed 1 forward" in about.label()
    recorded[2, 0, 3] = False
    assert "INCOMPLETE: 3 curves lack iterates" in circumstances(found, view(steps=40)).label()
    recorded[:] = False
    with pytest.raises(ValueError, match="no iterate recorded yet"):
        circumstances(found, view(steps=40))
    with pytest.raises(ValueError, match="nothing was recorded of test_loss for forward, backward"):
        circumstances(found, view(metrics=("test_loss",)))
    with pytest.raises(ValueError, match="nothing was recorded of train_loss for reset-5"):
        circumstances(found, view(), orders=("reset-5",))


def test_a_picture_of_distances_names_their_grid():
    fall = np.tile(np.linspace(2, 1, 41), (5, 2, 1))[..., ::10]
    about = circumstances(
        made({"train_loss": fall}, iterates=np.arange(0, 41, 10), experiment={"experiment": {"train_evaluation": 7}}),
        view(steps=50),
    )
    assert "curves on the first 7 train items" in about.label()
    text = about.label(distances="every 20th iterate")
    assert text == "N = 40, distances recorded at every 20th iterate, 5 seeds. REDUCED: 40 of 50 steps"


@pytest.mark.parametrize(
    ("start", "end", "trained"), [(2.0, 1.79, True), (2.0, 1.81, False), (0.0, 0.0, True), (-1.0, 3.0, True)]
)
def test_a_tenth_of_its_start_is_training(start, end, trained):
    """A loss that begins at 0 or below has no tenth to fall by, and nothing is said of it."""
    values = np.tile(np.linspace(start, end, 41), (2, 2, 1))
    assert (circumstances(made({"train_loss": values}), view()).untrained == "") == trained


@pytest.mark.parametrize(("order", "resets"), [("reset-20", True), ("reset-40", False), ("late-20", False)])
def test_a_run_that_ends_before_its_reset_has_no_other_point(order, resets):
    curves = made({"train_loss": waves()}, ("forward", order))
    found = [row.topic for row in findings(curves, view(orders=("forward", order)))]
    assert ("Another point after the reset" in found) == resets
