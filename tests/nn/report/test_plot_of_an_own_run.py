"""The command `plot` with a run of a user's own network: its name, its choices and its refusals (no torch)."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from nn_experiments.cli import main
from nn_experiments.results.studies import Study, study_path
from tests.nn.synthetic_results import write_synthetic


def own_run(out: Path, name: str) -> Path:
    """Write results as if `nn_experiments.run` had computed them under this name: three metrics, no diagnostics."""
    root = write_synthetic(out, "fig4", seeds=(0, 1), orders=("forward", "backward"), steps=20, identity=name)
    for path in root.glob("**/diagnostics"):
        shutil.rmtree(path)
    path = root / "experiment.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps(settings | {"own": True, "experiment": {"name": name}}))
    return out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seeds", "7"], "mine in {out}: no seed 7; recorded are 0, 1"),
        (["--orders", "polyak"], "mine in {out}: no order 'polyak'; recorded are forward, backward"),
        (["--metrics", "speed"], "mine in {out}: no metric 'speed'; recorded are newest_batch_loss, "),
        (["--tag", "x"], "mine is a run of your own, and a tag is that of a record: choose a run by --run-id"),
    ],
    ids=["seed", "order", "metric", "tag"],
)
def test_what_the_run_lacks_is_named(words: list[str], said: str, tmp_path: Path, capsys) -> None:
    out = own_run(tmp_path / "runs", "mine")
    assert main(["plot", "mine", "--out", str(out), *words]) == 2
    assert capsys.readouterr().err.startswith(f"error: {said.format(out=out)}")
    assert not (out / "figures").exists()


def test_every_choice_is_in_the_name_of_the_picture(tmp_path: Path) -> None:
    """Otherwise a picture of one seed would replace that of all of them."""
    out = own_run(tmp_path / "runs", "mine")
    for words, name in (
        ([], "mine"),
        (["--seeds", "1"], "mine_seeds-1"),
        (["--orders", "backward", "--metrics", "test_loss"], "mine_backward_test-loss"),
        (["--scale", "log", "--run-id", "mi"], "mine_log_mi"),
        (["--seeds", "1", "--name", "chosen"], "chosen"),
    ):
        folder = tmp_path / name
        assert main(["plot", "mine", "--out", str(out), "--pictures", str(folder), *words]) == 0
        assert {path.name for path in folder.iterdir()} == {f"{name}.png", f"{name}.svg"}


def test_a_run_that_cannot_be_read_is_named_where_its_name_is_looked_for(tmp_path: Path, capsys) -> None:
    out = own_run(tmp_path / "runs", "mine")
    path = out / "mine" / "experiment.json"
    path.write_text(path.read_text()[:-20])
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert main(["plot", "mine", "--out", str(out)]) == 2
    warned, error = capsys.readouterr().err.splitlines()
    assert warned.startswith(f"warning: the run in {out / 'mine'} is left out: {path} is not whole JSON: ")
    assert error.startswith("error: no figure 'mine'")


def test_a_study_without_a_picture_is_refused(tmp_path: Path, capsys) -> None:
    """Before, nothing was written or said, and the exit status was 0."""
    Study("quadratics", {}, {}).save(study_path("quadratics", tmp_path))
    assert main(["plot", "quadratics", "--out", str(tmp_path)]) == 2
    assert "the study quadratics has a table and no picture; report shows it" in capsys.readouterr().err
    assert not (tmp_path / "figures").exists()


def test_a_run_may_have_the_name_of_a_study(tmp_path: Path, capsys) -> None:
    out = own_run(tmp_path / "runs", "networks")
    assert main(["plot", "networks", "--out", str(out), "--seeds", "0", "--pictures", str(tmp_path)]) == 0
    assert (tmp_path / "networks_seeds-0.png").exists()
    empty = tmp_path / "empty"
    capsys.readouterr()
    assert main(["plot", "networks", "--out", str(empty), "--seeds", "0"]) == 2
    assert capsys.readouterr().err == "error: a study is drawn as it is: it takes no --seeds\n"
