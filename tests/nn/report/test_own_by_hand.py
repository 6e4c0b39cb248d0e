"""The line, the table, the layout and the section of a run of one's own network, from curves written by hand."""

from __future__ import annotations

import html
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from nn_experiments.report import own as own_runs
from nn_experiments.report.own import _label, _last_values, own_results, own_section, plot
from nn_experiments.results.curves import Curves

N = np.arange(0, 4001, 1000)


def curves(metrics: tuple[str, ...] = ("test_loss", "accuracy"), seeds: int = 2, **about: Any) -> Curves:
    """Two orders; the metric k of seed s and order o is 10k + s + o/2 + n/10⁵."""
    k, s, o = np.arange(len(metrics)), np.arange(seeds), np.arange(2)
    values = 10.0 * k[:, None, None, None] + s[:, None, None] + o[:, None] / 2 + N / 1e5
    experiment = {"experiment": {"name": "mine & <yours>", **about}, "decides": {"rate": 0.1}, "identity": "abc"}
    return Curves(
        tuple(range(seeds)),
        ("forward", "backward"),
        N,
        {name: values[i].copy() for i, name in enumerate(metrics)},
        {name: np.ones(values[i].shape, bool) for i, name in enumerate(metrics)},
        experiment,
        ({"torch": "2", "device": "cpu"},),
    )


@pytest.mark.parametrize(
    ("seeds", "about", "label"),
    [
        (1, {}, "N = 4,000, every 1,000th iterate recorded, 1 seed"),
        (2, {}, "N = 4,000, every 1,000th iterate recorded, 2 seeds"),
        (2, {"parameters": 1234}, "N = 4,000, every 1,000th iterate recorded, 2 seeds, 1,234 parameters"),
        (2, {"batch_size": 8}, "N = 4,000, every 1,000th iterate recorded, 2 seeds, batch 8"),
        (
            3,
            {"batch_size": 8, "parameters": 5},
            "N = 4,000, every 1,000th iterate recorded, 3 seeds, 5 parameters, batch 8",
        ),
        (2, {"batch_size": None, "parameters": 0}, "N = 4,000, every 1,000th iterate recorded, 2 seeds"),
    ],
    ids=["one seed", "two seeds", "parameters", "batches", "both", "neither is known"],
)
def test_a_run_in_one_line(seeds: int, about: dict[str, Any], label: str) -> None:
    assert _label(curves(seeds=seeds, **about)) == label


def test_last_values_are_those_of_every_seed_where_it_ends() -> None:
    """Seed 1 of backward ends at 3,000, and one metric was recorded up to 2,000 there; seed 0 has none of it."""
    found = curves()
    loss, accuracy = found.recorded["test_loss"], found.recorded["accuracy"]
    loss[0, 1] = False
    loss[1, 1, 3:] = False
    accuracy[:, 1, 4] = False
    assert _last_values(found) == [
        ("forward", "4,000", "4,000", "10.04, 11.04", "0.04, 1.04"),
        ("backward", "3,000", "3,000", "10.53, 11.53", "1.52"),
    ]
    loss[:, 1] = False
    assert _last_values(found)[1][3:] == ("10.53, 11.53", "–")
    accuracy[:, 1] = False
    assert _last_values(found)[1] == ("backward", "0", "0", "–", "–")  # nothing yet


@pytest.mark.parametrize(("metrics", "seeds", "size"), [(3, 2, (9.3, 4.6)), (2, 1, (6.4, 3.6)), (1, 4, (6.4, 7.8))])
def test_a_row_a_seed_and_a_column_a_metric(metrics: int, seeds: int, size: tuple[float, float]) -> None:
    """Columns are 3.1 inches wide and rows 1.6 high, but for pictures of few: 6.4 wide, and 2.2 high."""
    names = ("a_loss", "b_loss", "c_loss")[:metrics]
    fig = plot(curves(names, seeds))
    assert tuple(fig.get_size_inches()) == pytest.approx(size)
    assert len(fig.axes) == metrics * seeds
    grid = np.array(fig.axes).reshape(seeds, metrics)
    assert [axes.get_title() for axes in grid[0]] == [name.replace("_", " ") for name in names]
    assert [axes.get_ylabel() for axes in grid[:, 0]] == [f"seed {seed}" for seed in range(seeds)]
    assert {axes.get_xlabel() for axes in grid[-1]} == {"n: number of maps in iterate n"}
    assert not any(axes.get_ylabel() for axes in grid[:, 1:].ravel())
    assert not any(axes.get_title() for axes in grid[1:].ravel())
    for s, row in enumerate(grid):
        for k, axes in enumerate(row):
            (line,) = [line for line in axes.lines if line.get_label() == "backward"]
            assert np.asarray(line.get_ydata()) == pytest.approx(10.0 * k + s + 0.5 + N / 1e5)
    assert fig.get_suptitle().startswith("mine & <yours>: N = 4,000, ")
    assert all(fig.axes[0].get_shared_x_axes().joined(fig.axes[0], axes) for axes in fig.axes[1:])


def test_metrics_may_be_one_name_or_several_in_any_order() -> None:
    titles = [
        [axes.get_title() for axes in plot(curves(seeds=1), chosen).axes] for chosen in ("accuracy", ["accuracy"])
    ]
    assert titles == [["accuracy"]] * 2
    both = plot(curves(seeds=1), ["test_loss", "accuracy"])
    assert [axes.get_title() for axes in both.axes] == ["test loss", "accuracy"]
    assert [axes.get_title() for axes in plot(curves(seeds=1)).axes] == ["accuracy", "test loss"]
    with pytest.raises(ValueError, match="nothing to draw"):
        plot(curves(seeds=1), [])


@pytest.mark.parametrize("diverged", [False, True])
def test_the_section_says_what_was_run_and_where_it_diverged(diverged: bool) -> None:
    found = curves(parameters=7)
    if diverged:
        found.metrics["accuracy"][1, 0, 2:] = math.nan
        found.metrics["test_loss"][0, 1, 4] = math.inf
    section = own_section(found, Path("a<b"))
    assert (section.anchor, section.title) == ("own-abc", "mine & <yours>")
    assert f"<p>{html.escape(_label(found))}. From the folder a&lt;b.</p>" in section.body
    said = "<p><strong>Diverged:</strong> seed 0, backward, from n = 4000; seed 1, forward, from n = 2000.</p>"
    assert (said in section.body) == ("Diverged" in section.body) == diverged
    assert section.body.count("<img") == 1
    tables = [re.findall("<t[hd]>(.*?)</t[hd]>", part) for part in section.body.split("<table>")[1:]]
    assert tables[0][:5] == [
        "curve",
        "last iterate",
        "gradients that it costs",
        "accuracy, per seed",
        "test_loss, per seed",
    ]
    assert tables[0][5:8] == ["forward", "4,000", "4,000"]
    assert tables[1][:2] == ["setting", "value"]
    settings = dict(zip(tables[1][2::2], tables[1][3::2], strict=True))
    assert settings == {"name": "mine &amp; &lt;yours&gt;", "parameters": "7", "rate": "0.1"}
    assert tables[2] == ["made by", "torch: 2, device: cpu"]
    assert section.body.endswith("</div></details>")


@pytest.mark.parametrize(
    ("name", "found"), [(None, ["a", "b"]), ("first", ["a"]), ("second", ["b"]), ("third", []), ("fourth", [])]
)
def test_runs_of_ones_own_are_found_by_name(name: str | None, found: list[str], tmp_path: Path, monkeypatch) -> None:
    """Two runs with a block; beside them one without, and one of the paper's experiments."""
    for folder, called, own, block in (
        ("b", "second", True, True),
        ("a", "first", True, True),
        ("c", "third", True, False),
        ("d", "fourth", False, True),
    ):
        (tmp_path / folder / "seed-0" / "forward").mkdir(parents=True)
        settings = {"own": own, "experiment": {"name": called}, "decides": {}}
        (tmp_path / folder / "experiment.json").write_text(json.dumps(settings), encoding="utf-8")
        if block:
            (tmp_path / folder / "seed-0" / "forward" / "block.npz").touch()
    monkeypatch.setattr(own_runs, "load", lambda path: path.name)
    assert own_results(tmp_path, name) == found
