"""Pictures that can be read: nothing hidden, no entry of a legend without a curve, grids by their names."""

from __future__ import annotations

import html

import numpy as np
from matplotlib.colors import to_hex

from contraction.plots.style import FORWARD
from nn_experiments import load
from nn_experiments.analysis.run_summary import circumstances
from nn_experiments.paper import catalogue
from nn_experiments.report import figures, page
from nn_experiments.report.one_law import draw_one_law
from nn_experiments.results.figure_results import find_results
from nn_experiments.results.studies import Study
from tests.nn.report.test_figures import words
from tests.nn.synthetic_results import write_synthetic


def test_settling_pictures_hide_nothing_and_name_only_what_is_drawn(tmp_path):
    """Units are in the titles, words stand above all curves without a box, and a legend entry has a curve."""
    write_synthetic(tmp_path, "fig4", steps=200, seeds=(0, 1), diagnostics_every=20)
    curves = load("fig4", out=tmp_path)
    curves["parameter_coupling"][:] = 1e6
    curves["function_independent"][:] = 0.0  # has no logarithm
    curves["parameter_independent"][:] = 0.0
    fig = figures.draw_settling(curves, catalogue.find("fig4"))
    assert [axis.get_ylabel() for axis in fig.axes] == ["seed 0", "", "seed 1", ""]
    assert [axis.get_title() for axis in fig.axes[:2]] == [
        "parameters\n(Euclidean distance)",
        "test predictions\n(r.m.s. distance of outputs)",
    ]
    assert "two independent runs" not in [text.get_text() for text in fig.legends[0].get_texts()]
    fig.canvas.draw()
    for axis in fig.axes:
        for text in axis.texts:
            assert text.get_bbox_patch() is None
            lowest = text.get_window_extent().y0
            highest = max(axis.transData.transform(line.get_xydata())[:, 1].max() for line in axis.get_lines())
            assert lowest > highest
    assert any(axis.texts for axis in fig.axes)


def test_uneven_grids_are_not_called_even(tmp_path):
    write_synthetic(tmp_path, "fig4", steps=200, seeds=(0,), orders=("forward", "backward"))
    curves = load("fig4", out=tmp_path)
    entry = catalogue.find("fig4")
    uneven = curves.select(at=[0, 1, 2, 4, 8, 16, 32, 64, 128, 200])
    assert "10 iterates 1 to 72 apart recorded" in circumstances(uneven, entry).label()
    assert "REDUCED: 200 of 1,400 steps; 10 iterates 1 to 72 apart (the paper: every iterate)" in words(
        figures.draw_figure(uneven, entry)
    )
    even = curves.select(at=[*range(0, 200, 30), 200])  # the last one may be nearer
    assert "every 30th iterate recorded" in circumstances(even, entry).label()


def test_median_and_quantiles_of_one_law_look_different():
    values = np.random.default_rng(0).uniform(0.1, 1, (30, 2, 9, 2))
    study = Study("one-law", {"n": np.arange(9), "values": values}, {"metrics": ["test_loss", "test_error"]})
    fig = draw_one_law(study)
    axis = fig.axes[0]
    looks = {one.get_label(): (one.get_linestyle(), one.get_linewidth()) for one in axis.get_lines()}
    assert looks["backward: 10 and 90 %"][0] == ":"
    assert looks["backward: median"][0] == "--"
    assert looks["forward: median"][1] > 2 * looks["backward: 10 and 90 %"][1]
    (band,) = axis.collections
    assert band.get_label() == "forward: 10 to 90 %"
    assert to_hex(band.get_facecolor()[0]) == FORWARD.lower()


def test_every_verdict_stands_beside_what_was_run(tmp_path):
    """A verdict of one seed and a few steps says so in its row; an experiment of ours is not called the paper's."""
    write_synthetic(tmp_path, "fig4", steps=60, seeds=(0, 1))
    write_synthetic(tmp_path, "digits", steps=60, seeds=(0, 1), identity="synthetic1")
    sections = {section.anchor: section for section in page.network_sections(find_results([tmp_path]))}
    table = html.unescape(sections["networks"].body.split("Every verdict")[1])
    assert "What was run" in table
    assert "N = 60, 2 seeds. REDUCED: 60 of 1,400 steps; 2 of 5 seeds" in table
    ours = "The paper's sentence (asked of an experiment that is not the paper's)"
    assert ours in html.unescape(sections["digits"].body)
    assert ours not in html.unescape(sections["fig4"].body)
