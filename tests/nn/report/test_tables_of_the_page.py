"""The tables of a figure's section, cell by cell, from comparisons, paths and distances written by hand."""

from __future__ import annotations

import html
import math
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from nn_experiments.analysis.finding import Finding
from nn_experiments.analysis.paths import summarise
from nn_experiments.analysis.quadratics import quadratic_findings, quadratic_table
from nn_experiments.analysis.seeds import compare, compare_ratios, compare_times
from nn_experiments.analysis.settling import Evidence
from nn_experiments.report import page
from nn_experiments.results.studies import Study
from tests.nn.analysis.hand_made import pair, waves
from tests.nn.analysis.test_study_edges import quadratic


def cells(table: str) -> list[list[str]]:
    """The rows of a table, the header first."""
    rows = [re.findall("<t[hd]>(.*?)</t[hd]>", row) for row in table.split("<tr>")[1:]]
    return [[html.unescape(cell) for cell in row] for row in rows]


def columns(table: str) -> list[dict[str, str]]:
    """Each row by the names of its columns; a name that comes again has its number behind it."""
    header, *rows = cells(table)
    names = [name if header.index(name) == k else f"{name} {k}" for k, name in enumerate(header)]
    return [dict(zip(names, row, strict=True)) for row in rows]


def test_a_comparison_has_the_numbers_of_its_seeds_and_its_effect() -> None:
    ratio = compare_ratios("sd", (0, 1, 4), [2.0, 8.0, math.nan], [1.0, 2.0, 1.0], unit="log loss")
    loss = compare("loss at n = 5", (0, 1), [2.0, 4.0], [1.0, 5.0], unit="loss")
    times = compare_times("time", (0, 1), [12345.0, 10.0], [45.0, math.inf])
    nothing = compare("nothing", (0,), [math.nan], [1.0], unit="loss")
    rows = [
        Finding("", "", "", "", "", comparisons=(ratio, loss), compared=("forward", "backward")),
        Finding("", "", "", "", ""),
        Finding("", "", "", "", "", comparisons=(times, nothing), compared=("polyak", "reset-5")),
    ]
    table = page._comparisons(rows)
    assert table.startswith("<p>Each row compares the first order named with the second, seed by seed.")
    found = [list(row.values()) for row in columns(table)]
    d = np.log([2.0, 4.0])
    assert found == [
        [
            "sd (left out: seed 4: not finite)",
            "log loss",
            "forward: 2, 8",
            "backward: 1, 2",
            "forward / backward = 3",
            f"{d.mean() / d.std(ddof=1):.3g}",
            "0.5",
            "0.5",
        ],
        ["loss at n = 5", "loss", "forward: 2, 4", "backward: 1, 5", "forward − backward = 0 loss", "0", "1", "0.5"],
        ["time", "steps", "polyak: 12,345, 10", "reset-5: 45, ∞", "polyak − reset-5 = −∞ steps", "0", "1", "0.5"],
        [
            "nothing (left out: seed 0: not finite)",
            "loss",
            "polyak: ",
            "reset-5: ",
            "polyak − reset-5 = NaN loss",
            "NaN",
            "not measured",
            "not measured",
        ],
    ]
    assert page._comparisons(rows[1:2]) == ""


def test_a_path_has_its_numbers_in_their_columns() -> None:
    both = pair(waves(2))
    found = columns(page._paths(both))
    assert [(row["curve"], row["order"], row["seed"]) for row in found] == [
        ("train loss", order, str(seed)) for seed in (0, 1) for order in ("forward", "backward")
    ]
    n = np.arange(41)
    for row, values in zip(found, (waves(2)[s, o] for s in (0, 1) for o in (0, 1)), strict=True):
        path = summarise(n, values, 10)
        shown = {
            "deviation": path.sd,
            "detrended": path.sd_detrended,
            "range": path.range,
            "detrended 6": path.range_detrended,
            "of the logarithm": path.sd_log,
            "change of a step": path.rms_change,
            "largest jump": path.largest_jump,
            "tail diameter": path.tail_diameter,
            "best": path.best,
            "last": path.last,
        }
        assert {name: row[name] for name in shown} == {name: f"{value:.3g}" for name, value in shown.items()}
        assert len({row[name] for name in shown}) > 7  # columns can be told from each other
        assert (row["decay a step"], row["at n"]) == (f"{path.decay_rate:.5f}", str(path.best_at))
    broken = waves(1)
    broken[0, 0, 20] = math.nan
    assert [row["decay a step"] == "NaN" for row in columns(page._paths(pair(broken)))] == [True, False]


def evidence(first: float, verdict: str) -> Evidence:
    """Distances first, first + 1, …, in the order of the attributes."""
    names = (
        "increment",
        "increment_mean",
        "tail",
        "moved",
        "near",
        "near_start",
        "coupling",
        "coupling_start",
        "scale",
    )
    numbers: dict[str, Any] = {name: first + k for k, name in enumerate(names)}
    verdicts = {"verdict": verdict, "near_verdict": "near", "far_verdict": "far"}
    return Evidence("parameter", 40, travelled=first + 9, **numbers, **verdicts)


def test_evidence_has_a_row_for_each_path_in_the_order_of_orders_and_seeds() -> None:
    paths = tuple(evidence(100.0 * k, f"verdict {k}") for k in range(4))
    rows = [Finding("", "", "", "", ""), Finding("", "", "", "", "", evidence=paths)]
    found = columns(page._evidence(rows, (3, 7), ("forward", "backward")))
    assert [(row["order"], row["seed"]) for row in found] == [
        ("forward", "3"),
        ("forward", "7"),
        ("backward", "3"),
        ("backward", "7"),
    ]
    names = {
        "largest increment": 0,
        "mean increment": 1,
        "tail": 2,
        "beyond drift": 3,
        "near starts": 4,
        "independent starts": 6,
        "at iterate 0": 7,
        "independent runs": 8,
    }
    for k, row in enumerate(found):
        assert {name: float(row[name]) for name in names} == {name: 100.0 * k + more for name, more in names.items()}
        assert (row["settles?"], row["forgets near?"], row["forgets independent?"]) == (f"verdict {k}", "near", "far")
        assert row["space"] == "parameter"
    assert page._evidence(rows[:1], (3, 7), ("forward", "backward")) == ""


def test_settings_have_their_notes_and_what_made_the_numbers() -> None:
    experiment = {"model": "mlp", "rate": 0.1, "notes": {"rate": "not in the paper"}}
    curves: Any = SimpleNamespace(experiment={"experiment": experiment}, provenance=({"torch": "2", "cpu": 1},))
    about: Any = SimpleNamespace(diverged=())
    settings, made = page._provenance(curves, about).split("made by")
    assert [list(row.values()) for row in columns(settings.rsplit("<table>", 1)[0])] == [
        ["model", "mlp", ""],
        ["rate", "0.1", "not in the paper"],
    ]
    assert "torch: 2, cpu: 1" in made
    assert "not finite" not in made
    about.diverged = ((3, "backward", 60),)
    table = page._provenance(curves, about)
    assert cells(table)[-2:] == [["seed", "order", "first iterate that is not finite"], ["3", "backward", "60"]]


def test_a_verdict_has_its_sentence_and_place() -> None:
    rows = [
        Finding("topic", "Section 1", "A sentence", "measured", "verdict", "test"),
        Finding("b", "c", "d", "e", "f"),
    ]
    assert page.verdict_rows("Figure 4", rows) == [
        ("Figure 4", "topic", "“A sentence” (Section 1)", "measured", "verdict", "test"),
        ("Figure 4", "b", "“d” (c)", "e", "f", "–"),
    ]


def test_what_is_empty_has_no_details() -> None:
    assert page._details("a < b", "") == ""
    assert page._details("a < b", "<p>") == "<details><summary>a &lt; b</summary><p></details>"


def test_a_study_has_its_verdicts_its_table_and_what_made_them() -> None:
    study = quadratic([1.0, -2.0])
    study = Study(study.name, study.arrays, {"seeds": 3, "settings": [1, 2], "version": "a < b"})
    rows = quadratic_findings(study)
    section = page.study_section(study, rows)
    assert (section.anchor, section.title) == ("study-quadratics", "Study: optimizers on quadratics, exactly")
    header, table = quadratic_table(study)
    verdicts = [list(row[1:]) for row in page.verdict_rows("", rows)]
    expected = [["Claim", "The paper's sentence", "Measured", "Verdict", "Test and error rates"], *verdicts]
    expected += [list(header), *map(list, table)]
    assert cells(section.body) == [*expected, ["", ""], ["seeds", "3"], ["version", "a < b"]]
    assert section.body.count("<table>") == 3
    assert "<details><summary>What made these numbers</summary>" in section.body
    assert "<img" not in section.body
