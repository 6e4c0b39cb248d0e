"""``report`` names what it cannot read, goes on with the rest, shows it on the page, and has the exit status 1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from nn_experiments.cli import main
from nn_experiments.results import blocks
from nn_experiments.results.figure_results import find_results
from nn_experiments.results.studies import Study, find_studies, study_path
from tests.nn.synthetic_results import write_synthetic


def report(out: Path, results: Path, page: Path) -> int:
    words = ["--out", str(out), "--results", str(results), "--page", str(page)]
    return main(["report", "--no-theory", *words])


def a_text_as_a_study(folder: Path) -> Path:
    path = study_path("atlas", folder)
    path.parent.mkdir(exist_ok=True)
    path.write_text("not an archive")
    return path


def a_study_under_another_name(folder: Path) -> Path:
    path = study_path("atlas", folder)
    Study("quadratics", {}, {}).save(path)
    return path


def a_text_as_a_record(folder: Path) -> Path:
    path = folder / "regression-cube.npz"
    path.write_text("not an archive")
    return path


def half_a_block(folder: Path) -> Path:
    root = write_synthetic(folder, "fig5", steps=20, seeds=(0,), identity="half")
    block = sorted(root.glob("*/*/*.npz"))[0]
    block.write_bytes(block.read_bytes()[:40])
    return root


def half_of_a_block_of_an_own_run(folder: Path) -> Path:
    root = folder / "own"
    settings = {"identity": "own", "experiment": {"name": "mine"}, "decides": {}, "data": {}, "own": True}
    blocks.write_settings(root, settings)
    values = {"loss": np.ones(2)}
    path = blocks.write_block(root, 0, "forward", blocks.Block(np.arange(2), values, {}), kind="curves")
    path.write_bytes(path.read_bytes()[:40])
    return root


def half_of_the_settings(folder: Path) -> Path:
    path = folder / "broken" / "experiment.json"
    path.parent.mkdir()
    path.write_text('{"decides": {')
    return path.parent


BROKEN = [
    a_text_as_a_study,
    a_study_under_another_name,
    a_text_as_a_record,
    half_a_block,
    half_of_a_block_of_an_own_run,
    half_of_the_settings,
]


@pytest.mark.filterwarnings("default")
def test_the_rest_is_reported_and_the_page_names_what_is_missing(tmp_path: Path, capsys) -> None:
    out, page = tmp_path / "out", tmp_path / "page.html"
    write_synthetic(out, "fig4", steps=20, seeds=(0,))
    assert report(out, tmp_path / "none", page) == 0
    assert "could not be read" not in page.read_text(encoding="utf-8")
    assert capsys.readouterr().err == ""
    paths = [make(out) for make in BROKEN if make is not a_study_under_another_name]
    for name in ("choices", "mine"):  # one without its arrays, and one of an unknown name
        Study(name, {}, {}).save(study_path(name, out))
    assert report(out, tmp_path / "none", page) == 1
    text, errors = page.read_text(encoding="utf-8"), capsys.readouterr().err
    assert 'id="fig4"' in text
    assert text.count('<section id="unreadable"') == 1
    for what in [*paths, "the study choices", "the study mine"]:
        assert text.count(f"<td>{what}</td>") == 1, what
        assert errors.count(f"warning: {what} is left out: ") == 1, what
    assert "<td>it lacks " in text
    assert "the known ones are one-law, " in text
    assert errors.count("warning: ") == len(paths) + 2


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("make", BROKEN, ids=lambda make: make.__name__)
def test_without_anything_else_there_is_no_page(tmp_path: Path, capsys, make) -> None:
    out, page = tmp_path / "out", tmp_path / "page.html"
    out.mkdir()
    path = make(out)
    assert report(out, tmp_path / "none", page) == 1
    errors = capsys.readouterr().err
    assert errors.startswith(f"warning: {path} is left out: ")
    assert "No results in" in errors
    assert not page.exists()


def test_a_study_is_taken_from_the_next_folder_if_the_first_has_a_broken_one(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    path = a_text_as_a_study(first)
    Study("atlas", {}, {"from": "second"}).save(study_path("atlas", second))
    broken: dict[Path, Exception] = {}
    (study,) = find_studies([first, second], broken)
    assert (study.about, list(broken)) == ({"from": "second"}, [path])
    with pytest.raises(ValueError, match="does not hold the results of a study"):
        find_studies([first, second])


def test_without_a_place_for_reasons_the_first_broken_result_is_an_error(tmp_path: Path) -> None:
    write_synthetic(tmp_path, "fig4", steps=60, seeds=(0,))
    path = a_text_as_a_record(tmp_path)
    broken: dict[Path, Exception] = {}
    assert [found.entry.name for found in find_results([tmp_path], broken)] == ["fig4"]
    assert list(broken) == [path]
    with pytest.raises(ValueError, match="is not a file of results"):
        find_results([tmp_path])


def test_a_folder_of_diagnoses_alone_is_told_that_they_have_reports_of_their_own(tmp_path: Path, capsys) -> None:
    (tmp_path / "diagnosis-mlp-digits.json").write_text("{}")
    assert main(["report", "--out", str(tmp_path)]) == 2
    assert f"No run was found in {tmp_path} (diagnoses are not part of the report). To" in capsys.readouterr().err
