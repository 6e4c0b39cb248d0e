"""What the ``report`` command writes, prints and returns, for every combination of what there is to report."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import contraction.report.html
from contraction.report.html import Section
from nn_experiments.report import page


@pytest.fixture
def asked(monkeypatch) -> dict[str, Any]:
    """Replace what is found and what is drawn by what the test says; return what was asked for."""
    found: dict[str, Any] = {"results": [], "own": [], "studies": [], "holds": True, "folders": [], "seeds": []}

    def folders(name: str) -> Any:
        return lambda where: found["folders"].append(where) or found[name]

    def theory(seed: int) -> tuple[list[Section], bool]:
        found["seeds"].append(seed)
        return [Section("theory", "Theory", "<p>theory</p>")], found["holds"]

    monkeypatch.setattr(page, "find_results", folders("results"))
    monkeypatch.setattr(page, "find_studies", folders("studies"))
    monkeypatch.setattr(page, "own_results", folders("own"))
    monkeypatch.setattr(contraction.report.html, "theory_sections", theory)
    monkeypatch.setattr(
        page,
        "network_sections",
        lambda results, studies: [Section(f"n{k}", one, "<p>x</p>") for k, one in enumerate([*results, *studies])],
    )
    monkeypatch.setattr(page, "own_section", lambda curves, folder: Section("own", f"own {curves}", f"{folder}"))
    monkeypatch.setattr(page, "circumstances", lambda curves, entry: SimpleNamespace(label=lambda: f"run {curves}"))
    monkeypatch.setattr(page, "_origin", lambda result: "From a folder.")
    return found


class Result(str):
    """A result that is its own title."""

    __slots__ = ()
    entry = SimpleNamespace(name="fig4")
    curves = "curves"


CASES = list(itertools.product([False, True], repeat=5))


@pytest.mark.parametrize(
    ("theory", "holds", "results", "own", "studies"), CASES, ids=["".join("01"[x] for x in case) for case in CASES]
)
def test_the_page_and_the_exit_status(
    asked, tmp_path: Path, capsys, theory: bool, holds: bool, results: bool, own: bool, studies: bool
) -> None:
    """1 if a statement fails, 2 if there are no results of networks; no page where there is nothing to show."""
    asked |= {"holds": holds, "results": [Result("Title of fig4")] * results}
    asked |= {"own": ["mine"] * own, "studies": ["a study"] * studies}
    out, records, written = tmp_path / "out", tmp_path / "records", tmp_path / "a" / "page.html"
    words = ["--out", str(out), "--results", str(records), "--page", str(written), *["--no-theory"] * (not theory)]
    status = page.main(words)
    some = results or own or studies
    assert status == (1 if theory and not holds else 0 if some else 2)
    assert asked["folders"] == [[out, records], out, [out, records]]
    said, errors = capsys.readouterr()
    missing = f"No results in {out} or {records}. To compute some: python -m nn_experiments run fig4"
    assert errors == ("" if some else missing + "\n")
    assert written.exists() == (some or theory)
    if not (some or theory):
        assert said == ""
        assert not written.parent.exists()
        return
    assert said.splitlines() == [
        str(written),
        *[f"'mine', from the folder {out}"] * own,
        *["fig4: run curves. From a folder."] * results,
    ]
    text = written.read_text(encoding="utf-8")
    titles = [
        *["Theory"] * theory,
        *["Title of fig4"] * results,
        *["a study"] * studies,
        *["own mine"] * own,
        *["Networks"] * (not some),
    ]
    assert [part.partition("</h2>")[0] for part in text.split("<h2>")[1:]] == titles
    assert (missing in text) == (not some)
    assert asked["seeds"] == [0] * theory


def test_the_page_is_in_the_folder_of_runs_and_the_seed_is_that_of_the_theory(asked, tmp_path: Path, capsys) -> None:
    asked["studies"] = ["a study"]
    assert page.main(["--out", str(tmp_path), "--seed", "7"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'report.html'}\n"
    assert asked["seeds"] == [7]
    assert asked["folders"][0] == [tmp_path, Path("results")]


def test_the_folders_without_another_word(asked, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    asked["studies"] = ["a study"]
    page.main(["--no-theory"])
    assert asked["folders"][0] == [page.DEFAULT_OUT, Path("results")]
    assert (tmp_path / page.DEFAULT_OUT / "report.html").exists()
