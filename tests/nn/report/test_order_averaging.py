"""The regulariser's own picture, legends and table."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from nn_experiments.paper import curve_names
from nn_experiments.report.figures import draw_cost, draw_figure
from nn_experiments.report.order_averaging import draw_order_averaging, ends_table, has_order_averaging
from nn_experiments.report.page import figure_section
from nn_experiments.results.curves import Curves
from tests.nn.analysis.test_order_averaging import FIGURE, SPEEDS, N, results


def complete(seeds: tuple[int, ...] = (0, 1)) -> Curves:
    curves = results(seeds=seeds)
    shape = curves.metrics["test_loss"].shape
    more = {"batch_gradient_norm": np.full(shape, 2.0), "alignment": np.full(shape, 5.0)}
    marks = dict.fromkeys(more, np.ones(shape, bool))
    return dataclasses.replace(curves, metrics={**curves.metrics, **more}, recorded={**curves.recorded, **marks})


def test_what_the_picture_shows() -> None:
    curves = complete()
    fig = draw_order_averaging(curves, FIGURE)
    assert len(fig.axes) == 2 * 5
    drawn = [np.asarray(line.get_ydata()) for line in fig.axes[2].lines]
    distances = {round(float(line[1])) for line in drawn if len(line) == len(N)}
    assert {3, 7, 15, 31} <= distances  # λ/λ' − 1 for λ = h²/2 … 4h², λ' = h²/8
    shares = [line for line in (np.asarray(line.get_ydata()) for line in fig.axes[3].lines) if len(line) > 2]
    assert len(shares) == 4
    assert any(np.allclose(share, 0.4 / 0.48) for share in shares)
    less = [np.asarray(line.get_ydata()) for line in fig.axes[4].lines if len(np.asarray(line.get_ydata())) == len(N)]
    assert [round(float(line[-1]), 6) for line in less] == [0.38, -0.01, -0.02, -0.04, -0.08]  # small, then λ = h²/2 …
    assert not has_order_averaging(
        results(seeds=(0,)).select(orders=["large"]), dataclasses.replace(FIGURE, orders=("forward",))
    )
    with pytest.raises(ValueError, match="was not recorded"):
        draw_order_averaging(curves, dataclasses.replace(FIGURE, orders=("forward",), baselines=()))


def test_legends_say_the_readings() -> None:
    text = {name: curve_names.step_label_of(name) for name in (*SPEEDS, "regularised-8-hc", "regularised-1-derived-hc")}
    assert text["regularised-4"] == "regularised, λ = 4h², rate h"
    assert text["regularised-1"] == "regularised, λ = h², rate h"
    assert text["regularised-8-hc"] == "regularised, λ = 8(h/c)², rate h"
    assert text["regularised-1-derived-hc"] == "regularised, λ = (h/c)²/2, rate h/c"
    assert curve_names.label_of("single_order-2-derived") == "term of one order, λ = 2·(h/c)², rate h"
    assert text["large"] == "large batch, rate h/c"
    assert text["forward"] == "large batch, rate h"
    fig = draw_figure(complete(), FIGURE)
    assert {one.get_text() for one in fig.legends[0].get_texts()} == {text[name] for name in SPEEDS}


@pytest.mark.parametrize("name", ["regularised-1-part", "regularised-1-h-derived", "regularised", "single_order--1"])
def test_names_without_meaning_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="order"):
        curve_names.parse(name)
    assert curve_names.parse("regularised-1-h-h").name == "regularised-1"
    assert curve_names.parse("regularised-1-hc-h").name == "regularised-1-hc"


def test_a_regularised_step_costs_more_on_the_axis_of_costs() -> None:
    fig = draw_cost(complete(), FIGURE)
    ends = {line.get_label(): np.asarray(line.get_xdata())[-1] for line in fig.axes[0].lines}
    assert ends["large batch, rate h"] == 1000
    assert ends["regularised, λ = 4h², rate h"] == 2800


def test_the_table_of_ends_and_the_page() -> None:
    heads, rows = ends_table(complete(), FIGURE)
    assert heads == ("curve", "cost of a step", "test loss")
    assert rows[-1] == ("large batch, rate h", "1", "1.2050 ± 0.0071")
    assert ends_table(complete((3,)), FIGURE)[1][-1][2] == "1.2000"
    section, found = figure_section(complete(), FIGURE)
    assert "Where curves end" in section.body
    assert "1.2050 ± 0.0071" in section.body
    assert any(row.topic == "Larger λ" for row in found)
