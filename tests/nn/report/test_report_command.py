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
        def find(where: Any, *more: Any, **unreadable: Any) -> Any:
            del more, unreadable
            found["folders"].append(where)
            return found[name]

        return find

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
        lambda results, studies, unreadable: [
            Section(f"n{k}", one, "<p>x</p>") for k, one in enumerate([*results, *studies])
        ],
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
    """1 if a statement fails; without results of networks 2, and no page, whatever the theory says."""
    asked |= {"holds": holds, "results": [Result("Title of fig4")] * results}
    asked |= {"own": ["mine"] * own, "studies": ["a study"] * studies}
    out, records, written = tmp_path / "out", tmp_path / "records", tmp_path / "a" / "page.html"
    words = ["--out", str(out), "--results", str(records), "--page", str(written), *["--no-theory"] * (not theory)]
    status = page.main(words)
    some = results or own or studies
    assert status == (2 if not some else 1 if theory and not holds else 0)
    assert asked["folders"] == [[out, records], out, [out, records]]
    said, errors = capsys.readouterr()
    missing = f"No results in {out} or {records}. To compute some: python -m nn_experiments run fig4; "
    assert errors == ("" if some else missing + "for a page with the theory alone: python -m contraction report\n")
    assert written.exists() == some
    if not some:
        assert said == ""
        assert list(tmp_path.iterdir()) == []
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
    ]
    assert [part.partition("</h2>")[0] for part in text.split("<h2>")[1:]] == titles
    assert asked["seeds"] == [0] * theory


def test_the_page_is_in_the_folder_of_runs_and_the_seed_is_that_of_the_theory(asked, tmp_path: Path, capsys) -> None:
    asked["studies"] = ["a study"]
    (tmp_path / "abc").mkdir()
    (tmp_path / "abc" / "experiment.json").write_text('{"decides": {}}')
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


@pytest.mark.parametrize("there", [False, True], ids=["missing", "empty"])
@pytest.mark.parametrize("more", [[], ["--page", "page.html"], ["--no-theory"]], ids=["", "page", "no theory"])
def test_a_named_folder_without_a_run_is_refused(asked, tmp_path: Path, monkeypatch, capsys, there, more) -> None:
    """Records in the folder of another default are no runs; with --results they are asked for."""
    monkeypatch.chdir(tmp_path)
    asked["studies"] = ["a study"]
    folder = tmp_path / "typo"
    if there:
        folder.mkdir()
    before = sorted(tmp_path.iterdir())
    assert page.main(["--out", str(folder), *more]) == 2
    said, errors = capsys.readouterr()
    assert said == ""
    assert errors.startswith(f"No run was found in {folder}. To compute one: python -m nn_experiments run ")
    assert errors.count("\n") == 1
    assert (asked["folders"], asked["seeds"], sorted(tmp_path.iterdir())) == ([], [], before)
    assert page.main(["--out", str(folder), "--results", "results", *more]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("path", ["run/experiment.json", "mlp-digits.npz", "studies/atlas.npz"], ids=str)
def test_runs_records_and_studies_are_results(asked, tmp_path: Path, capsys, path: str) -> None:
    """A folder with one of them is read, and only then it may turn out that no figure can be drawn of it."""
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text('{"decides": {}}')
    assert page.main(["--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"No results in {tmp_path} or results. ")
    assert asked["folders"] != []
