"""What ``study`` writes: few seeds do not replace more, nor the parts from which those go on; where it can be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from nn_experiments.cli import main
from nn_experiments.results.studies import Study, load_study, resumed, study_path
from nn_experiments.studies import run as studies


def trial(kept: Callable[[int], dict[str, Any]]) -> Callable[..., Study]:
    """Return a study with one part, whose seeds are described by ``kept``."""

    def run(out: Path, *, seeds: int = 4, data_dir: str | None = None, report: object = None) -> Study:
        part = resumed(out / "trial.parts" / "0.npz", kept(seeds), lambda: {"x": np.arange(float(seeds))})
        return Study("trial", part.arrays, {"seeds": seeds, "processor_seconds": 0.0})

    return run


KINDS: dict[str, Callable[[int], dict[str, Any]]] = {
    "a number": lambda seeds: {"setting": "a", "seeds": seeds},
    "a list": lambda seeds: {"setting": "a", "seeds": list(range(seeds))},
    "a count": lambda seeds: {"setting": "a", "first": 0, "count": seeds},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_short_trial_replaces_neither_the_study_nor_a_part(kind: str, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setitem(studies.STUDIES, "trial", ("a trial", trial(KINDS[kind])))
    assert main(["study", "trial", "--out", str(tmp_path)]) == 0
    whole, part = study_path("trial", tmp_path), tmp_path / "studies" / "trial.parts" / "0.npz"
    before = whole.read_bytes(), part.read_bytes()
    capsys.readouterr()
    assert main(["study", "trial", "--seeds", "2", "--out", str(tmp_path)]) == 2
    assert f"{whole} has 4 seeds, and 2 would be left of them. Nothing was written" in capsys.readouterr().err
    assert (whole.read_bytes(), part.read_bytes()) == before
    whole.unlink()  # as if the study had been stopped
    assert main(["study", "trial", "--seeds", "2", "--out", str(tmp_path)]) == 2
    assert f"{part} has 4 seeds, and 2 would be left of them" in capsys.readouterr().err
    assert part.read_bytes() == before[1]
    assert not whole.exists()


def test_more_seeds_replace_fewer_and_the_default_does_not_replace_more(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setitem(studies.STUDIES, "trial", ("a trial", trial(lambda seeds: {"setting": "a"})))
    for seeds in ("2", "2", "4", "6"):
        (tmp_path / "studies" / "trial.parts" / "0.npz").unlink(missing_ok=True)
        assert main(["study", "trial", "--seeds", seeds, "--out", str(tmp_path)]) == 0
    assert main(["study", "trial", "--out", str(tmp_path)]) == 2  # of four
    assert "has 6 seeds, and 4 would be left" in capsys.readouterr().err
    assert load_study(study_path("trial", tmp_path)).about["seeds"] == 6


def test_a_folder_that_cannot_be_written_is_refused_before_the_work_is_done(
    tmp_path: Path, monkeypatch, capsys
) -> None:
    def run(out: Path, **more: object) -> Study:
        raise AssertionError("it was computed")

    monkeypatch.setitem(studies.STUDIES, "trial", ("a trial", run))
    (tmp_path / "file").write_text("not a folder")
    assert main(["study", "trial", "--out", str(tmp_path / "file")]) == 2
    assert "cannot be written" in capsys.readouterr().err
    with pytest.raises(AssertionError, match="it was computed"):
        main(["study", "trial", "--out", str(tmp_path / "folder")])


@pytest.mark.control
def test_other_settings_are_computed_again(tmp_path: Path) -> None:
    """A part of other settings is of no use, however many seeds it has: another version of this package wrote it."""
    path = tmp_path / "part.npz"
    resumed(path, {"rate": 1, "seeds": 4}, lambda: {"x": np.zeros(4)})
    found = resumed(path, {"rate": 2, "seeds": 2}, lambda: {"x": np.zeros(2)})
    assert len(found["x"]) == len(load_study(path)["x"]) == 2


def test_a_broken_file_is_replaced(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(studies.STUDIES, "trial", ("a trial", trial(KINDS["a number"])))
    whole = study_path("trial", tmp_path)
    whole.parent.mkdir(parents=True)
    whole.write_bytes(b"half a file")
    assert studies.run_study("trial", tmp_path, seeds=1) == whole
    assert load_study(whole).about["seeds"] == 1
