"""The pictures of the paper's examples: what their lines are, and that nothing is hidden, cut off or without a name."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from itertools import pairwise

import matplotlib
import numpy as np
import pytest

from contraction.plots import PLOTS, draw, draw_all
from contraction.plots.showcase import SHOWCASE, distances
from contraction.plots.style import BACKWARD, FORWARD, MOMENT, figure

matplotlib.use("Agg")


@lru_cache
def picture(name: str):
    fig = draw(name)
    fig.canvas.draw()
    return fig


def covered(axis) -> list[str]:
    """Lines that run through the legend of their axes."""
    legend = axis.get_legend()
    if legend is None:
        return []
    box = legend.get_window_extent()
    found = []
    for line in axis.lines:
        xy = np.asarray(line.get_xydata(), dtype=float)
        xy = xy[np.isfinite(xy).all(axis=1)]
        if not len(xy):
            continue
        steps = np.linspace(0, 1, 50)[:, None]
        path = line.get_transform().transform(xy)
        if line.get_linestyle() not in ("None", "", " ") and len(path) > 1:
            path = np.concatenate([a + steps * (b - a) for a, b in pairwise(path)])
        inside = (path > [box.x0, box.y0]) & (path < [box.x1, box.y1])
        if inside.all(axis=1).any():
            found.append(str(line.get_label()))
    return found


def cut_off(axis) -> list[str]:
    """Lines whose first or highest point is outside the axes."""
    low, high = axis.get_ylim()
    found = []
    for line in axis.lines:
        y = np.asarray(line.get_ydata(), dtype=float)
        y = y[np.isfinite(y)]
        vertical = len(set(line.get_xdata())) == 1
        if len(y) and not vertical and not (low <= y[0] <= high and y.max() <= high):
            found.append(str(line.get_label()))
    return found


def nameless(axis) -> list[str]:
    """Colours of lines for which there is no entry in the legend with the same colour and style."""
    named = {(one.get_color(), one.get_linestyle()) for one in axis.lines if not str(one.get_label()).startswith("_")}
    return [
        one.get_color()
        for one in axis.lines
        if (one.get_color(), one.get_linestyle()) not in named and len(one.get_xdata())
    ]


@pytest.mark.parametrize("name", PLOTS)
def test_no_legend_covers_a_line(name):
    assert {k: found for k, axis in enumerate(picture(name).axes) if (found := covered(axis))} == {}


@pytest.mark.parametrize("name", [name for name in PLOTS if name != "correction_reach"])  # its top is cut by intent
def test_no_line_is_cut_off(name):
    assert {k: found for k, axis in enumerate(picture(name).axes) if (found := cut_off(axis))} == {}


def test_every_line_of_a_mean_contraction_has_a_name():
    assert [nameless(axis) for axis in picture("contraction_on_average").axes] == [[], []]


@pytest.mark.control
def test_hidden_cut_and_nameless_lines_are_seen():
    fig, axis = figure()
    axis.plot([0, 1], [0, 1], color="red", label="a long label")
    axis.axhline(0.35, color="blue")
    axis.set_ylim(0.2, 2)
    axis.legend(loc="lower center")
    fig.canvas.draw()
    assert covered(axis) == ["a long label", "_child1"]
    assert cut_off(axis) == ["a long label"]
    assert nameless(axis) == ["blue"]


def test_sure_bounds_are_dashed_and_moments_dash_dotted():
    fig = picture("convergence_rates")
    styles = set()
    for exhibit, axis in zip(SHOWCASE, fig.axes, strict=True):
        backward, _, bound = distances(exhibit)
        sure = math.isinf(bound.p)
        line = next(one for one in axis.lines if str(one.get_label()).startswith("bound"))
        assert line.get_linestyle() == ("--" if sure else "-."), exhibit.title
        assert (line.get_color() == MOMENT) != sure
        assert ("every path" in str(line.get_label())) == sure
        assert ("L^" in axis.get_title()) != sure
        if sure:
            rounding = 1e-12 * max(1.0, float(np.max(backward)))
            assert np.all(backward <= np.asarray(bound.bound(np.arange(len(backward)))) + rounding), exhibit.title
        styles.add(sure)
    assert styles == {True, False}
    names = [text.get_text() for text in fig.legends[0].get_texts()]
    assert names == ["backward", "forward", "bound on a moment: a path may be above", "bound that holds for every path"]


def test_the_fit_does_not_pretend_to_more_digits_than_the_bound():
    """The fitted rate of the Cantor panel is not printed as 0.334 beside a certified 0.333."""
    titles = {
        exhibit.title: axis.get_title()
        for exhibit, axis in zip(SHOWCASE, picture("convergence_rates").axes, strict=True)
    }
    assert "fit 0.33ⁿ, certified 0.33ⁿ" in titles["Bernoulli convolution, Cantor"]
    for exhibit in SHOWCASE:
        for text in re.findall(r"0\.(\d+)ⁿ", titles[exhibit.title]):
            assert len(text) == 2 or text.startswith("9")


def test_the_faster_law_names_its_start():
    right = picture("law_distance").axes[1]
    assert "start at the mean" in right.get_title()
    moment = next(one for one in right.lines if "coupling" in str(one.get_label()))
    assert moment.get_linestyle() == "-."


def test_lines_of_the_non_normal_maps_fill_the_picture():
    (axis,) = picture("non_normal").axes
    low, high = np.log10(axis.get_ylim())
    values = np.concatenate([np.log10(np.asarray(one.get_ydata(), dtype=float)) for one in axis.lines])
    assert np.nanmax(values) - np.nanmin(values) > 0.9 * (high - low)
    sure = [one for one in axis.lines if "certificate" in str(one.get_label())]
    backward = next(one for one in axis.lines if "backward" in str(one.get_label())).get_ydata()
    assert [one.get_linestyle() for one in sure] == ["--", "--"]
    for one in sure:
        assert np.nanmin(np.asarray(one.get_ydata()) / backward) > 1
        assert np.nanmax(one.get_ydata()) < 1e3
    eigenvalue = next(one for one in axis.lines if "not a bound" in str(one.get_label())).get_ydata()
    assert np.nanmin(eigenvalue / backward) < 1


def test_intervals_of_increments_are_visible():
    """Most of the 95 % bars of the ratio contain 1, and every bar is longer than its marker."""
    fig = picture("increments")
    bars = 0
    for axis in fig.axes:
        for container in axis.containers:
            segments = np.array(container[2][0].get_segments())
            pixels = axis.transData.transform(segments.reshape(-1, 2)).reshape(segments.shape)
            heights = pixels[:, 1, 1] - pixels[:, 0, 1]
            assert np.all(heights > container[0].get_markersize() * fig.dpi / 72)
            inside = (segments[:, 0, 1] <= 1) & (segments[:, 1, 1] >= 1)
            assert inside.mean() > 0.7
            bars += len(segments)
    assert bars == 80


def test_forward_iterates_are_drawn_from_the_first():
    right = picture("contraction_on_average").axes[1]
    forward = next(one for one in right.lines if one.get_color() == FORWARD)
    assert forward.get_xdata()[0] == 1
    assert forward.get_ydata()[0] == 1
    assert len(forward.get_xdata()) == 600


def test_backward_is_blue_and_settles_where_forward_does_not():
    """The last tenth of each path of Section 3.1: exchanged colours or orders would be seen."""
    right = picture("sample_paths").axes[1]
    last = {
        color: [one.get_ydata()[-12:] for one in right.lines if one.get_color() == color]
        for color in (BACKWARD, FORWARD)
    }
    assert max(np.ptp(y) for y in last[BACKWARD]) < 1e-3 < 0.05 < min(np.ptp(y) for y in last[FORWARD])


def test_files_have_the_names_of_the_pictures(tmp_path):
    assert [path.name for path in draw_all(tmp_path, ["sample_paths"])] == ["sample_paths.png", "sample_paths.svg"]
    with pytest.raises(KeyError, match="no plot is called 'rates'"):
        draw("rates")
