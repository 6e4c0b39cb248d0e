"""Which results a page judges, and which it only shows: sections that are made up, without pictures."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from contraction.report.html import Section
from nn_experiments.analysis.finding import Finding
from nn_experiments.report import page


def result(name: str, seeds: tuple[int, ...], *, identity: str = "a", tag: str = "") -> Any:
    curves = SimpleNamespace(seeds=seeds, experiment={"identity": identity})
    return SimpleNamespace(curves=curves, entry=SimpleNamespace(name=name), folder="out", others=(), tag=tag)


@pytest.fixture
def sections(monkeypatch):
    """Return a function that makes the page's sections, of (part of, title, body) each, and the rows of its table."""
    asked: list[tuple[str, str]] = []
    tables: list[list[tuple]] = []
    judged: list[dict] = []

    def figure_section(curves, entry, origin, *, part_of):
        asked.append((entry.name, part_of))
        rows = [] if part_of else [Finding(f"topic of {curves.seeds}", "", "", "", "verdict")]
        return Section(entry.name, f"Title of {entry.name}", f"<p>{curves.seeds}</p>"), rows

    monkeypatch.setattr(page, "figure_section", figure_section)
    monkeypatch.setattr(page, "circumstances", lambda curves, entry: SimpleNamespace(brief=lambda: "brief"))
    monkeypatch.setattr(page, "claim_rows", lambda found, studies: judged.append(found) or [])
    monkeypatch.setattr(page, "table_html", lambda header, rows: tables.append(list(rows)) or "")

    def made(*results: Any) -> tuple[list[Section], list[tuple], list[tuple[str, str]], dict]:
        first, *rest = page.network_sections(results)
        assert first.anchor == "networks"
        return rest, tables[-1], asked, judged[-1]

    return made


@pytest.mark.parametrize(
    ("small", "large", "identity", "part"),
    [
        ((0,), (0, 1), "a", True),
        ((0, 1), (0, 1), "a", True),  # as many seeds as the other figure
        ((0, 2), (0, 1), "a", False),  # one that the other does not have
        ((0,), (0, 1), "b", False),  # other settings
    ],
)
@pytest.mark.parametrize(("name", "whole"), [("fig2", "fig12"), ("fig3", "fig13")])
def test_seeds_that_another_figure_has_are_judged_there(sections, name, whole, small, large, identity, part) -> None:
    found, table, asked, judged = sections(result(name, small), result(whole, large, identity=identity))
    assert asked == [(name, whole if part else ""), (whole, "")]
    assert [section.anchor for section in found] == [name, whole]
    assert [row[0] for row in table] == [f"Figure {n[3:]}" for n in ([] if part else [name]) + [whole]]
    assert all(row[1:] == ("brief", row[2], "verdict") for row in table)
    assert judged.keys() == {name, whole}


def test_a_figure_is_no_part_of_one_that_is_missing(sections) -> None:
    _, table, asked, _ = sections(result("fig2", (0,)), result("fig4", (0,)))
    assert asked == [("fig2", ""), ("fig4", "")]
    assert len(table) == 2


@pytest.mark.parametrize(
    ("seeds", "identity", "counted"),
    [((0, 1), "a", False), ((0,), "a", False), ((0, 2), "a", True), ((0, 1), "b", True)],
)
def test_the_same_runs_on_another_grid_are_shown_and_not_counted_again(sections, seeds, identity, counted) -> None:
    """A second result of one figure has the tag in its title and its anchor; its seeds count if one of them is new."""
    one, two = result("fig4", (0, 1)), result("fig4", seeds, identity=identity, tag="fine")
    found, table, _, judged = sections(one, two)
    assert [(section.anchor, section.title) for section in found] == [
        ("fig4", "Title of fig4"),
        ("fig4-fine", "Title of fig4, tag fine"),
    ]
    assert ("judged above, on another grid" in found[1].body) != counted
    assert "judged above" not in found[0].body
    assert found[1].body.endswith(f"<p>{seeds}</p>")
    assert [row[0] for row in table] == ["Figure 4", "Figure 4, tag fine"][: 1 + counted]
    assert [row.topic for row in judged["fig4"]] == ["topic of (0, 1)"]  # claims rest on the first


def test_new_seeds_are_remembered(sections) -> None:
    """Seeds 0 and 1, then 1 and 2, then 0 and 2, all of which have been counted by then."""
    every = [result("fig4", pair, tag=f"t{pair[1]}{pair[0]}") for pair in ((0, 1), (1, 2), (0, 2))]
    found, table, _, _ = sections(*every)
    assert len(table) == 2
    assert ["judged above" in section.body for section in found] == [False, False, True]


def test_a_page_of_nothing_has_no_section() -> None:
    assert page.network_sections([]) == []


@pytest.mark.parametrize(
    ("others", "text"),
    [
        ((), "From the folder out."),
        (("x",), "From the folder out; x has no more of it."),
        (("x", "y"), "From the folder out; x, y have no more of it."),
    ],
)
def test_the_folder_of_a_result_is_named(others: tuple[str, ...], text: str) -> None:
    one = result("fig4", (0,))
    one.others = others
    assert page._origin(one) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "", "not measured"),
        (0.012345, "", "0.0123"),
        (12345.0, "steps", "12,345"),
        (float("inf"), "steps", "∞"),
        (float("-inf"), "", "−∞"),
        (float("nan"), "steps", "NaN"),
        (0.0, "", "0"),
    ],
)
def test_numbers_as_text(value: float | None, unit: str, text: str) -> None:
    assert page._number(value, unit) == text


def test_a_study_has_its_own_rows(sections, monkeypatch) -> None:
    rows = [Finding("a topic", "", "", "", "a verdict")]
    monkeypatch.setattr(page, "study_findings", lambda study: rows)
    monkeypatch.setattr(page, "study_section", lambda study, found: Section(study.name, study.name, str(len(found))))
    first, last = page.network_sections([], [SimpleNamespace(name="atlas")])  # type: ignore[list-item]
    assert (first.anchor, last.body) == ("networks", "1")
    assert replace(last, body="") == Section("atlas", "atlas", "")
