"""The picture of a table of brackets, point by point, and the labels of its axes."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

figure = pytest.importorskip("matplotlib.figure")

from nn_experiments.orders.bracket_table import Brackets, _few_ticks  # noqa: E402

PREDICTED = np.array([0.02, 0.5, 0.0, 0.1, 0.3])
MEASURED = np.array([0.04, 0.4, 0.2, 0.0, 0.6])
ERROR, ROUNDING = np.array([0.01, 0.2, 0.3, 0.4, 0.15]), np.array([1e-6, 2e-6, 3e-6, 4e-6, 5e-6])
SEEN = [0, 1, 4]  # where both are above 0


def table(predicted: np.ndarray = PREDICTED, measured: np.ndarray = MEASURED, method: str = "sgd") -> Brackets:
    count = len(PREDICTED)
    none = np.full(count, math.nan)
    return Brackets(
        pairs=np.array([(k + 1, k + 2) for k in range(count)]),
        bracket=np.ones(count),
        predicted=predicted,
        measured=measured,
        error=ERROR,
        cosine=np.ones(count),
        rounding=ROUNDING,
        memory_predicted=none,
        memory_measured=none,
        memory_error=none,
        method=method,
        dimension=7,
        t=1,
        dtype="float64",
    )


def test_points_are_pairs_whose_two_differences_are_not_zero() -> None:
    left, right = table().plot().axes
    equal, pairs = left.lines
    assert pairs.get_xdata().tolist() == PREDICTED[SEEN].tolist()
    assert pairs.get_ydata().tolist() == MEASURED[SEEN].tolist()
    error, rounding = right.lines[:2]
    for line, values in ((error, ERROR), (rounding, ROUNDING)):
        assert line.get_xdata().tolist() == PREDICTED[SEEN].tolist()
        assert line.get_ydata().tolist() == pytest.approx((values / np.maximum(MEASURED, 1e-9))[SEEN])
    assert equal.get_label() == "equal"


@pytest.mark.parametrize("exchanged", [False, True])
def test_the_line_of_equality_reaches_beyond_every_point(exchanged: bool) -> None:
    """From 1.3 times below the smallest of both differences to 1.3 times above the largest: 0.02 and 0.6."""
    found = table(MEASURED, PREDICTED) if exchanged else table()
    line = found.plot().axes[0].lines[0]
    assert line.get_xdata() == pytest.approx([0.02 / 1.3, 0.6 * 1.3])
    assert line.get_ydata() == pytest.approx([0.02 / 1.3, 0.6 * 1.3])


def test_what_the_picture_says() -> None:
    left, right = table().plot().axes
    assert {axes.get_xscale() for axes in (left, right)} == {axes.get_yscale() for axes in (left, right)} == {"log"}
    names = [[text.get_text() for text in axes.get_legend().get_texts()] for axes in (left, right)]
    assert names == [["equal", "a pair of batches"], ["error of the prediction", "rounding, about"]]
    for line, point in zip(right.lines[2:], right.lines[:2], strict=True):  # the legend has the points' own marks
        assert (line.get_marker(), line.get_color()) == (point.get_marker(), point.get_color())
    assert left.get_xlabel() == right.get_xlabel() == "predicted $= h^2\\|[V_i, V_j]\\|$"
    assert table(method="adam").plot().axes[1].get_xlabel() == "predicted"
    titles = {m: table(method=m).plot().axes[0].get_title() for m in ("sgd", "momentum", "adamw", "mine")}
    assert titles == {
        "sgd": "Exchanging two batches, SGD",
        "momentum": "Exchanging two batches, SGD with momentum",
        "adamw": "Exchanging two batches, AdamW",
        "mine": "Exchanging two batches, mine",
    }


@pytest.mark.parametrize("zero", ["predicted", "measured"])
def test_without_a_pair_that_has_both_there_are_no_points(zero: str) -> None:
    found = dataclasses.replace(table(), **{zero: np.zeros(len(PREDICTED))})
    assert [len(axes.lines) for axes in found.plot().axes] == [0, 0]
    assert [axes.get_legend() for axes in found.plot().axes] == [None, None]


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (2.0, 5.0, [2, 5]),  # two labels are enough, those at the ends among them
        (1.5, 60.0, [2, 5, 10, 20, 50]),
        (0.2, 5.0, [0.2, 0.5, 1, 2, 5]),
        (1.0, 10.0, [1, 2, 5, 10]),
        (1.1, 990.0, [10, 100]),  # three powers of ten or more: these alone
        (1e-3, 1e2, [1e-3, 1e-2, 1e-1, 1, 10, 100]),
        (1e-3, 1e3, [1e-3, 1e-1, 10, 1e3]),  # every second one of seven
        (1e-9, 1e3, [1e-9, 1e-6, 1e-3, 1, 1e3]),  # every third one of thirteen
    ],
)
def test_labels_are_one_two_and_five_or_powers_of_ten(low: float, high: float, ticks: list[float]) -> None:
    axis = figure.Figure().subplots()
    axis.set(xscale="log", xlim=(low, high))
    _few_ticks(axis.xaxis)
    seen = [tick for tick in axis.xaxis.get_majorticklocs() if low <= tick <= high]
    assert seen == pytest.approx(ticks)
    label = axis.xaxis.get_major_formatter()
    assert [label(tick) for tick in (0.05, 1.0, 1234.0)] == ["0.05", "1", "1.23e+03"]


@pytest.mark.parametrize(("low", "high"), [(2.1, 4.7), (1.1, 4.9), (6.0, 9.0)])
def test_where_fewer_than_two_of_these_fit_labels_are_evenly_spaced(low: float, high: float) -> None:
    axis = figure.Figure().subplots()
    axis.set(xscale="log", xlim=(low, high))
    _few_ticks(axis.xaxis)
    gaps = np.diff([tick for tick in axis.xaxis.get_majorticklocs() if low <= tick <= high])
    assert 1 <= len(gaps) <= 4  # at most four steps
    assert gaps == pytest.approx(np.full(len(gaps), gaps[0]))
