"""The paper's figures from synthetic results: what is drawn, what is labelled, what a diverged curve looks like."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from contraction.plots.style import BACKWARD, FORWARD
from nn_experiments import load
from nn_experiments.analysis.run_summary import circumstances
from nn_experiments.paper import catalogue
from nn_experiments.report import figures, panels
from nn_experiments.results import blocks
from tests.nn.synthetic_results import write_synthetic


def line(axis, label: str):
    return next(found for found in axis.get_lines() if found.get_label() == label)


def words(fig) -> str:
    texts = [fig.get_suptitle(), *(t.get_text() for axis in fig.axes for t in axis.texts)]
    return " ".join(texts).replace("\n", " ")


def box(axis) -> str:
    return " ".join(t.get_text() for t in axis.texts).replace("\n", " ")


def test_a_row_a_seed_and_the_recorded_numbers(curves):
    fig = figures.draw_figure(curves, catalogue.find("fig4"))
    axes = np.array(fig.axes).reshape(3, 2)
    assert [axis.get_title() for axis in axes[0]] == ["train loss", "test loss"]
    assert [axis.get_ylabel() for axis in axes[:, 0]] == ["seed 0", "seed 1", "seed 2"]
    for label, order in (("forward", "forward"), ("backward", "backward"), ("Polyak average of forward", "polyak")):
        n, values = curves.path("test_loss", seed=0, order=order)
        assert np.array_equal(line(axes[0, 1], label).get_xydata(), np.stack([n, values], axis=1))


def test_four_curves_where_there_are_accuracies(tmp_path):
    write_synthetic(tmp_path, "fig7", steps=60, seeds=(0, 1), orders=("forward", "backward"))
    fig = figures.draw_figure(load("fig7", out=tmp_path), catalogue.find("fig7"))
    titles = [axis.get_title() for axis in fig.axes[:4]]
    assert titles == ["train loss", "test loss", "train accuracy", "test accuracy"]
    assert len(fig.axes) == 8


def test_forward_and_backward_differ_in_more_than_colour():
    forward, backward = (figures.curve_style(name, ("forward", "backward")) for name in ("forward", "backward"))
    assert forward["color"] != backward["color"]
    assert forward["lw"] != backward["lw"]
    six = catalogue.find("fig14").all_orders
    looks = [figures.curve_style(name, six) for name in six]
    assert len({str(look["ls"]) for look in looks}) == len(six)
    assert len({look["color"] for look in looks}) == len(six)


def pixels(fig, axis, color: str) -> int:
    """Count the pixels of a panel that have a colour."""
    fig.canvas.draw()
    picture = np.asarray(fig.canvas.buffer_rgba())[..., :3].astype(int)
    left, low, right, high = (round(edge) for edge in axis.get_window_extent().extents)
    panel = picture[picture.shape[0] - high : picture.shape[0] - low, left:right]
    wanted = [int(color[k : k + 2], 16) for k in (1, 3, 5)]
    return int((abs(panel - wanted).max(axis=-1) < 16).sum())


def test_both_orders_are_seen_where_they_coincide(curves):
    """One and the same curve shows both colours; dashes lie only where curves coincide, on recorded numbers."""
    entry = dataclasses.replace(catalogue.find("fig4"), baselines=())
    same = curves.select(seeds=(0,), orders=("forward", "backward"))
    for values in same.metrics.values():
        values[:, 1] = values[:, 0]
    for draw in (figures.draw_figure, figures.draw_settling):
        fig = draw(same, entry)
        counts = [pixels(fig, fig.axes[0], color) for color in (FORWARD, BACKWARD)]
        assert min(counts) > 0.2 * max(counts)
    dashed = [one for one in figures.draw_figure(same, entry).axes[0].get_lines() if one.is_dashed()]
    assert np.array_equal(
        dashed[0].get_xydata(), line(figures.draw_figure(same, entry).axes[0], "forward").get_xydata()
    )
    for n in range(60, 121):  # apart from there on
        same["train_loss"][0, 1, n] *= 5
    (dashed,) = (one for one in figures.draw_figure(same, entry).axes[0].get_lines() if one.is_dashed())
    assert dashed.get_xdata().tolist() == list(range(60))
    same["train_loss"][0, 1] = 5 * same["train_loss"][0, 0]
    assert not any(one.is_dashed() for one in figures.draw_figure(same, entry).axes[0].get_lines())


@pytest.mark.parametrize("span", [1.02, 1.5, 4, 9, 12, 1e3, 1e7])
def test_labels_of_logarithmic_axes_do_not_overlap(span):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    for low in (1, 26, 0.0031):
        fig = Figure(figsize=(3.1, 1.8), dpi=110, layout="constrained")
        FigureCanvasAgg(fig)
        axis = fig.subplots()
        axis.loglog([low, low * span], [low, low * span])
        for side in (axis.xaxis, axis.yaxis):
            panels.sparse_ticks(side)
        fig.canvas.draw()
        for side, along in ((axis.xaxis, 0), (axis.yaxis, 1)):
            ticks = [t for t in side.get_major_ticks() + side.get_minor_ticks() if t.label1.get_text()]
            low_end, high_end = side.get_view_interval()
            boxes = [t.label1.get_window_extent() for t in ticks if low_end <= t.get_loc() <= high_end]
            edges = sorted((box.intervalx if along == 0 else box.intervaly).tolist() for box in boxes)
            assert len(edges) >= 2
            assert all(a[1] < b[0] for a, b in itertools.pairwise(edges)), (span, low, along)


def test_a_short_run_s_cost_can_be_read(tmp_path):
    """Two iterates: the axis of costs spans half a decade; every text lies within the picture."""
    write_synthetic(tmp_path, "fig4", steps=20, every=10, seeds=(0,), orders=("forward", "backward"))
    fig = figures.draw_cost(load("fig4", out=tmp_path), catalogue.find("fig4"))
    fig.canvas.draw()
    for axis in fig.axes:
        labels = [tick for tick in axis.get_xticklabels(which="both") if tick.get_text()]
        inside = [t for t in labels if axis.get_xlim()[0] <= t.get_position()[0] <= axis.get_xlim()[1]]
        assert [t.get_text() for t in inside] == ["10", "20"]
        box = axis.xaxis.label.get_window_extent()
        assert 0 <= box.x0 < box.x1 <= fig.bbox.width


def test_divergence_ends_the_curve_and_is_named(curves):
    fig = figures.draw_figure(curves, catalogue.find("fig4"))
    broken = line(np.array(fig.axes).reshape(3, 2)[1, 0], "forward")
    assert broken.get_xdata().max() == 49
    for drawn in (fig, figures.draw_cost(curves, catalogue.find("fig4"))):
        axes = np.array(drawn.axes).reshape(3, 2)
        assert [box(axis) for axis in axes[:, 0]] == ["", "diverged at n = 50: forward", "diverged at n = 0: backward"]
    for axis in fig.axes:
        for drawn in axis.get_lines():
            assert np.isfinite(drawn.get_ydata()).all()


def test_a_coarse_grid_of_distances_names_the_iterate_that_diverged(curves):
    """Diagnostics are every 20th iterate here: the plot still says 50, not 60; and no distance becomes a path's own."""
    fig = figures.draw_settling(curves, catalogue.find("fig4"))
    assert box(fig.axes[2]) == "diverged at n = 50: forward"
    broken = dataclasses.replace(curves, metrics={name: value.copy() for name, value in curves.metrics.items()})
    broken["parameter_to_last"][0, 0] = np.nan
    fig = figures.draw_settling(broken, catalogue.find("fig4"))
    assert box(fig.axes[0]) == ""
    assert "forward: from iterate n to the last" not in [found.get_label() for found in fig.axes[0].get_lines()]
    assert line(fig.axes[0], "forward: from iterate n to n + 1").get_xdata().size == 6


def test_a_curve_that_ends_early_is_seen_to(tmp_path):
    orders = ("forward", "backward")
    write_synthetic(tmp_path, "fig4", steps=100, seeds=(0,), orders=orders, diverges_at={(0, o): 5 for o in orders})
    entry, curves = catalogue.find("fig4"), load("fig4", out=tmp_path)
    for draw in (figures.draw_figure, figures.draw_settling):
        low, high = draw(curves, entry).axes[0].get_xlim()
        assert low < 0
        assert high > 100


def test_a_reduced_run_says_so_on_the_plot(curves):
    entry = catalogue.find("fig4")
    for draw in (figures.draw_figure, figures.draw_cost, figures.draw_settling):
        assert "REDUCED: 120 of 1,400 steps; 3 of 5 seeds" in words(draw(curves, entry))
    same = dataclasses.replace(entry, steps=120, seeds=(0, 1, 2), compared_at=())
    assert "REDUCED" not in words(figures.draw_figure(curves, same))


def test_only_a_figure_of_the_paper_is_compared_with_the_paper(tmp_path):
    for name, reduced in (("digits", False), ("fig7", True)):
        entry = dataclasses.replace(catalogue.find(name), steps=60, compared_at=())
        write_synthetic(tmp_path, name, steps=60, every=4, identity=name)
        label = circumstances(load(name, out=tmp_path), entry).label()
        assert label.startswith("N = 60, every 4th iterate recorded, 5 seeds")
        assert ("REDUCED: every 4th iterate (the paper: every iterate)" in label) == reduced
        assert ("paper" in label) == reduced


def test_cost_is_quadratic_backward_and_linear_for_baselines(curves):
    fig = figures.draw_cost(curves, catalogue.find("fig4"))
    axis = fig.axes[0]
    n = np.arange(1, 121)
    assert np.array_equal(line(axis, "backward").get_xdata(), n * (n + 1) // 2)
    for label in ("forward", "Polyak average of forward", "forward, decayed rate (τ = 100)"):
        assert np.array_equal(line(axis, label).get_xdata(), n)


def test_cost_of_a_sparse_run_counts_only_what_was_made(tmp_path):
    root = write_synthetic(tmp_path, "fig13", steps=60, every=20, orders=("forward", "reset-30"), seeds=(0,))
    entry = dataclasses.replace(catalogue.find("fig13"), orders=("forward", "reset-30"), baselines=())
    fig = figures.draw_cost(load(root), entry)
    # iterates 20, 40, 60: 20 maps; 30 to the reset and 10 from it; 30 more
    assert line(fig.axes[0], "backward, reset at 30").get_xdata().tolist() == [20, 60, 90]
    assert line(fig.axes[0], "forward").get_xdata().tolist() == [20, 40, 60]


def test_distances_are_those_recorded(curves):
    fig = figures.draw_settling(curves, catalogue.find("fig4"))
    axis = fig.axes[0]
    assert (axis.get_ylabel(), fig.axes[1].get_ylabel()) == ("seed 0", "")
    assert "(Euclidean distance)" in axis.get_title()
    assert "(r.m.s. distance of outputs)" in fig.axes[1].get_title()
    last = curves.path("parameter_increment", seed=0, order="forward")[0][-1]
    assert last < curves.iterates[-1]
    assert f"distances at n ≤ {last}" in fig.get_suptitle()
    for label, metric in (
        ("forward: from iterate n to n + 1", "parameter_increment"),
        ("forward: from iterate n to the last", "parameter_to_last"),
    ):
        n, values = curves.path(metric, seed=0, order="forward")
        assert np.array_equal(line(axis, label).get_xydata(), np.stack([n, values], axis=1))
    n, values = curves.path("parameter_coupling", seed=0, order="backward")
    assert np.array_equal(line(axis, "two independent starts under the same maps").get_ydata(), values)


def test_distances_that_were_not_recorded_are_not_drawn(curves):
    bare = curves.select(metrics=["train_loss", "test_loss"])
    with pytest.raises(ValueError, match="no increments were recorded"):
        figures.draw_settling(bare, catalogue.find("fig4"))


@pytest.mark.parametrize(("points", "few"), [(2, True), (9, True), (10, False)])
def test_few_distances_are_seen_to_be_points_and_every_curve_shows_its_first(tmp_path, points, few):
    """Two points joined by a line look like a trend; a distance of 0, which has no logarithm, counts as a point."""
    write_synthetic(tmp_path, "fig4", steps=20 * points, seeds=(0,), diagnostics_every=20)
    fig = figures.draw_settling(load("fig4", out=tmp_path), catalogue.find("fig4"))
    for axis in fig.axes:
        named = [found for found in axis.get_lines() if not found.get_label().startswith("_")]
        assert len(named) == 6
        assert min(len(found.get_xdata()) for found in named) == points - 1
        assert {found.get_marker() for found in named} == (set(figures.MARKS.values()) if few else {"None"})
        assert all((found.get_linestyle() == "None") == (len(found.get_xdata()) < 3) for found in named)
        dots = {tuple(found.get_xydata()[0]) for found in axis.get_lines() if found.get_marker() == "o"}
        late = line(axis, "forward: from iterate n to the last")  # whose dashes begin with a gap
        assert dots == (set() if few else {tuple(late.get_xydata()[0])})


def test_scales(curves):
    entry = catalogue.find("fig4")
    whole = curves.select(seeds=(0,))
    for scale in ("linear", "log"):
        assert figures.draw_figure(whole, entry, scale=scale).axes[0].get_yscale() == scale


def test_curves_that_all_diverged_at_once_are_drawn(curves):
    """There is nothing to put on a logarithmic axis; the panel still says so."""
    broken = curves.select(seeds=(2,), orders=("backward",))
    for draw in (figures.draw_figure, figures.draw_cost):
        fig = draw(broken, catalogue.find("fig4"), scale="log")
        fig.canvas.draw()
        assert box(fig.axes[0]) == "diverged at n = 0: backward"


def test_the_legend_names_curves_that_only_some_panels_have(tmp_path):
    """Two starts that stay five times further apart than all else are said in words; elsewhere they are a curve."""
    write_synthetic(tmp_path, "fig4", steps=200, seeds=(0,), diagnostics_every=20)
    curves = load("fig4", out=tmp_path)
    curves["parameter_coupling"][:] = 1e6
    fig = figures.draw_settling(curves, catalogue.find("fig4"))
    label = "two independent starts under the same maps"
    parameters, outputs = ([line.get_label() for line in axis.get_lines()] for axis in fig.axes)
    assert label not in parameters
    assert label in outputs
    assert label in [text.get_text() for text in fig.legends[0].get_texts()]
    assert any("two independent starts: 1e+06 to 1e+06" in text.get_text() for text in fig.axes[0].texts)


def test_residuals_take_out_the_trend_that_the_orders_share(tmp_path):
    """A cubic that both orders follow vanishes; what one of them has of its own stays."""
    write_synthetic(tmp_path, "fig4", steps=200, seeds=(0,), orders=("forward", "backward"))
    curves = load("fig4", out=tmp_path)
    n = curves.iterates.astype(float)
    trend = 1 + (n / 200) ** 3
    for metric in ("train_loss", "test_loss"):
        curves[metric][:, 1] = trend
        curves[metric][:, 0] = trend + 0.01 * (-1.0) ** n
    entry = catalogue.find("fig4")
    assert figures.coincide(curves, entry)
    fig = figures.draw_residuals(curves, entry)
    forward, backward = (np.asarray(line.get_ydata()) for line in fig.axes[0].get_lines()[:2])
    assert np.abs(backward).max() < 1e-3
    assert np.abs(forward).min() > 0.009
    curves["train_loss"][:, 1] += 1
    assert not figures.coincide(curves, entry)


def test_an_overview_names_both_orders_once(tmp_path):
    results = []
    for name, orders in (("fig7", ("forward", "backward")), ("fig13", ("forward", "reset-30"))):
        root = write_synthetic(tmp_path / name, name, steps=60, seeds=(0,), orders=orders)
        results.append((load(root), dataclasses.replace(catalogue.find(name), orders=orders)))
    fig = figures.draw_overview(results)
    assert [text.get_text() for text in fig.legends[0].get_texts()] == [
        "forward",
        "backward (Figure 7)",  # drawn alike: each entry says where it is
        "backward, reset at 30 (Figure 13)",
    ]
    assert [axis.get_ylabel() for axis in fig.axes[:2]] == ["test accuracy, seed 0"] * 2


def test_the_label_names_each_field_that_differs_by_itself(tmp_path: Path) -> None:
    root = write_synthetic(tmp_path, "fig4", steps=40)
    settings = blocks.read_settings(root)
    settings["experiment"]["optimizer"] |= {"learning_rate": 1.2, "schedule": {"kind": "cosine", "horizon": 9.0}}
    (root / "experiment.json").write_text(json.dumps(settings))
    label = circumstances(load("fig4", out=tmp_path), catalogue.FIGURES["fig4"]).label()
    assert "learning_rate = 1.2 (not 0.05)" in label
    assert "schedule.kind = cosine (not constant)" in label
    assert "momentum" not in label
