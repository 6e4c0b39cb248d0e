"""The parts of a figure's section of the page, from curves written by hand, with names in place of pictures."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from nn_experiments.analysis.baselines import baseline_costs
from nn_experiments.paper import catalogue
from nn_experiments.report import page
from nn_experiments.report.order_averaging import ends_table
from tests.nn.analysis.hand_made import made, pair, view, waves
from tests.nn.report.test_tables_of_the_page import columns

PICTURES = ("draw_figure", "draw_residuals", "draw_settling", "draw_cost")


@pytest.fixture(autouse=True)
def _names_for_pictures(monkeypatch) -> None:
    for name in PICTURES:
        monkeypatch.setattr(page.figures, name, lambda curves, entry, name=name: f"{name} of {entry.name}")
    monkeypatch.setattr(page, "draw_order_averaging", lambda curves, entry: f"regulariser of {entry.name}")
    monkeypatch.setattr(page, "figure_html", lambda fig, caption: f"<figure>{fig}: {caption}</figure>")


def curves(values: np.ndarray | None = None, **more: Any) -> Any:
    return made({"train_loss": waves() if values is None else values}, **more)


def pictures(body: str) -> list[str]:
    return re.findall("<figure>(.*?)</figure>", body)


DRAWN = "draw_figure of fig4: Figure 4, the paper's layout, one row per seed."
COST = "draw_cost of fig4: Figure 4 at its cost: every order and baseline against the gradients spent on its path."


def test_a_section_has_its_picture_verdicts_numbers_and_settings_in_this_order() -> None:
    section, rows = page.figure_section(curves(), view(), "From <a> folder.")
    assert (section.anchor, section.title) == ("fig4", f"Figure 4: {catalogue.find('fig4').title}")
    assert section.body.startswith("<p>N = 40, every iterate recorded, 5 seeds. ")
    assert "From &lt;a&gt; folder.</p><figure>" in section.body
    assert pictures(section.body) == [DRAWN, COST]
    assert "Diverged" not in section.body
    assert len(rows) > 3
    places = [
        section.body.index(text)
        for text in (
            "<figure>draw_figure",
            *(f"<td>{row.topic}</td>" for row in rows),
            "<figure>draw_cost",
            "<p>At n = 40, medians over seeds:</p>",
            "<summary>Numbers of every path, last 10 steps</summary>",
            "<summary>Numbers behind the comparisons</summary>",
            "<summary>Settings, and what made these numbers</summary>",
        )
    ]
    assert places == sorted(places)


def test_without_an_origin_the_first_line_ends_with_the_settings() -> None:
    section, _ = page.figure_section(curves(), view())
    first = section.body.partition("</p>")[0]
    assert first == first.rstrip()
    assert not page.figure_section(curves(), view(), "")[0].body.startswith("<p> ")


@pytest.mark.parametrize(("section", "ours"), [("-", True), ("4", False)])
def test_the_sentence_is_said_to_be_asked_of_another_experiment(section: str, ours: bool) -> None:
    body = page.figure_section(curves(), view(section=section))[0].body
    table = body[body.index("<table") : body.index("</table>")]
    heads = re.findall("<th>(.*?)</th>", table)
    more = " (asked of an experiment that is not the paper's)" if ours else ""
    sentence = f"The paper's sentence{more}"
    assert [h.replace("&#x27;", "'") for h in heads] == [
        "Claim",
        sentence,
        "Measured",
        "Verdict",
        "Test and error rates",
    ]


def test_seeds_of_another_figure_are_shown_and_not_judged() -> None:
    section, rows = page.figure_section(curves(), view(), part_of="fig12")
    assert rows == []
    assert pictures(section.body) == [DRAWN]
    assert section.body.endswith("<p>Some seeds of Figure 12, where they are judged: nothing is counted twice.</p>")
    assert "<table" not in section.body


def test_curves_that_are_too_short_are_shown_and_not_judged() -> None:
    section, rows = page.figure_section(curves(waves(last=3)), view(compared_at=(3,)))
    assert rows == []
    assert pictures(section.body) == [DRAWN]
    assert re.search("<p>Too short for verdicts: the last . iterates hold . recorded ones; three .*</p>$", section.body)
    assert page.figure_section(curves(waves(last=8)), view(compared_at=(8,)))[1]


def test_paths_that_diverge_are_named_before_the_picture() -> None:
    values = waves()
    values[1, 0, 7:] = np.nan
    values[3, 1, 9] = np.inf
    body = page.figure_section(curves(values), view())[0].body
    text = "<p><strong>Diverged:</strong> seed 1, forward, from n = 7; seed 3, backward, from n = 9.</p>"
    assert body.index(text) < body.index("<figure>")


@pytest.mark.parametrize("distances", [False, True])
@pytest.mark.parametrize("close", [False, True])
def test_pictures_are_drawn_of_what_there_is(close: bool, distances: bool) -> None:
    values = waves()
    if close:
        values[:, 1] = values[:, 0] + 1e-6
    metrics = {"train_loss": values}
    if distances:
        metrics["parameter_increment"] = metrics["function_increment"] = np.ones_like(values)
    body = page.figure_section(made(metrics), view())[0].body
    residuals = "draw_residuals of fig4: Figure 4, the last steps: every curve less the mean of both orders."
    settling = "draw_settling of fig4: Figure 4: what settling is judged by, in parameters and in predictions."
    assert pictures(body) == [DRAWN, *[residuals] * close, *[settling] * distances, COST]
    assert "<summary>Evidence on settling, a seed</summary>" in body


def test_the_table_of_costs_has_a_row_for_each_curve() -> None:
    orders = ("forward", "backward", "polyak")
    values = np.concatenate([waves(), waves()[:, :1] * 1000], 1)
    entry = view(baselines=("polyak",))
    body = page.figure_section(made({"train_loss": values}, orders), entry)[0].body
    start = body.index("<p>At n = 40, medians over seeds:</p>") + len("<p>At n = 40, medians over seeds:</p>")
    found = columns(body[start : body.index("</table>", start)])
    costs = baseline_costs(page.Pairing(made({"train_loss": values}, orders), entry, "forward", "backward"))
    assert [row["order"] for row in found] == list(orders) == [row[0] for row in costs]
    assert [row["gradients of the last iterate"] for row in found] == ["40", "40", "40"]
    assert [row["of the recorded path"] for row in found] == ["40", "820", "40"]
    assert [row["train loss, mean of last window"] for row in found] == [f"{row[3]:.3g}" for row in costs]
    assert [row["deviation, detrended"] for row in found] == [f"{row[4]:.3g}" for row in costs]
    assert [row["note"] for row in found] == [
        "–",
        "–",
        "a weak baseline: it averages from iterate 1 on, the start included",
    ]


def test_of_three_orders_the_first_two_are_compared() -> None:
    orders = ("forward", "backward", "late-5")
    values = np.concatenate([waves(), waves()[:, :1]], 1)
    body = page.figure_section(made({"train_loss": values}, orders), view(orders=orders))[0].body
    table = body[body.index("<summary>Numbers of every path") :]
    found = columns(table[: table.index("</table>")])
    assert [row["order"] for row in found] == ["forward", "backward"] * 5


@pytest.mark.parametrize("recorded", [False, True])
def test_steps_are_compared_by_where_their_curves_end(recorded: bool, monkeypatch) -> None:
    """A figure of the regulariser has a table of ends in place of costs and paths, and a picture of its terms."""
    entry = catalogue.find("fig15")
    rng = np.random.default_rng(4)
    metrics = {name: 1 + rng.random((2, len(entry.all_orders), 11)) for name in entry.metrics}
    if recorded:
        metrics["orders_norm"] = np.ones((2, len(entry.all_orders), 11))
    found = made(metrics, entry.all_orders)
    monkeypatch.setattr(page, "findings", lambda curves, figure: [])  # these need the measurements themselves
    section, _ = page.figure_section(found, entry)
    drawn = ["draw_figure of fig15: Figure 15, the paper's layout, one row per seed."]
    more = ["regulariser of fig15: Figure 15: what the regulariser does along training."]
    assert pictures(section.body) == drawn + more * recorded
    assert '<p>Where curves end: means over seeds ± standard deviations.</p><div class="scroll"><table>' in section.body
    assert all(cell in section.body for row in ends_table(found, entry)[1] for cell in row)
    assert "medians over seeds" not in section.body


def test_made_up_curves_are_those_of_the_other_tests() -> None:
    assert pair(waves()).last == 40
