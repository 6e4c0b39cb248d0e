"""What ``diagnose`` writes on the command line replaces a diagnosis only by one that has all of its measurements."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from nn_experiments.cli import main
from nn_experiments.paper.catalogue import EXPERIMENTS
from nn_experiments.runs.diagnosis_files import check_replaceable, diagnosis_path

DIGITS = EXPERIMENTS["mlp-digits"]


def written(folder: Path, **changes: Any) -> Path:
    """Write the part of a file of numbers that says what it holds: 100 steps of 3 replicates from seed 1."""
    held = {"experiment": DIGITS.to_json(), "settings": {"seed": 1, "device": "cpu"}} | changes
    path = diagnosis_path(DIGITS.name, folder)
    path.write_text(json.dumps({"measured": {"steps": 100, "parameter": [[0.0]] * 3}} | held))
    return path


def test_the_same_or_more_replicates_may_be_written(tmp_path: Path) -> None:
    path = diagnosis_path(DIGITS.name, tmp_path)
    check_replaceable(path, DIGITS, seed=0, device="cpu", steps=50, replicates=None)  # there is none
    written(tmp_path, later=1)
    for replicates in (3, 4):
        check_replaceable(path, DIGITS, seed=1, device="cpu", steps=100, replicates=replicates)
    written(tmp_path, settings={"seed": 1, "device": "cuda:1"})
    check_replaceable(path, DIGITS, seed=1, device="cuda", steps=100, replicates=3)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"seed": 2}, "holds a diagnosis of other settings: seed is 1 there and 2 here. Nothing was written: give"),
        ({"device": "cuda"}, 'other settings: device is "cpu" there and "cuda" here. Nothing was written'),
        ({"steps": 99}, "other settings: steps is 100 there and 99 here. Nothing was written"),
        ({"steps": 200, "replicates": 20}, "other settings: steps is 100 there and 200 here. Nothing was written"),
        ({"replicates": 2}, "holds more: 3 replicates in place of 2. Nothing was written"),
        ({"replicates": None}, "holds 3 replicates, and a budget may end with fewer: give --replicates R with R at"),
        (
            {"experiment": DIGITS.override({"batch_size": "3", "learning_rate": "0.125"})},
            f"other settings: optimizer.learning_rate is {DIGITS.optimizer.learning_rate} there and 0.125 here; "
            f"batch_size is {DIGITS.batch_size} there and 3 here",
        ),
    ],
    ids=["seed", "device", "fewer steps", "more steps", "fewer replicates", "budget", "settings"],
)
def test_other_settings_and_less_are_refused_by_name(tmp_path: Path, asked: dict[str, Any], said: str) -> None:
    path = written(tmp_path)
    words = {"experiment": DIGITS, "seed": 1, "device": "cpu", "steps": 100, "replicates": 3} | asked
    with pytest.raises(ValueError, match=r"diagnosis-mlp-digits\.json") as refused:
        check_replaceable(path, words.pop("experiment"), **words)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value"),
        ("[]", "list indices"),
        ("{}", "it has no 'experiment'"),
        ('{"experiment": 3, "settings": {"seed": 1, "device": "cpu"}, "measured": {}}', "it has no 'steps'"),
    ],
)
def test_a_file_that_does_not_say_what_it_is_of_is_kept(tmp_path: Path, text: str, why: str) -> None:
    """Earlier versions of this package did not write the settings."""
    path = diagnosis_path(DIGITS.name, tmp_path)
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"which settings it is \({why}.*\)\. .*give another folder"):
        check_replaceable(path, DIGITS, seed=1, device="cpu", steps=100, replicates=3)


def test_the_command_replaces_nothing_in_silence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["diagnose", "digits", "--steps", "60", "--replicates", "2", "--out", str(tmp_path)]
    assert main(words) == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == {f"diagnosis-mlp-digits.{end}" for end in ("txt", "json", "png")}
    capsys.readouterr()
    for more in (["--set", "batch_size=3"], ["--seed", "4"], ["--steps", "50"], ["--steps", "62"], ["--budget", "1 s"]):
        given = words if more[0] != "--budget" else [word for word in words if word not in ("--replicates", "2")]
        assert main([*given, *more]) == 2
        assert "Nothing was written" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert main([*words, "--set", "batch_size=3", "--tag", "three"]) == 0
    assert "diagnosis-mlp-digits--three.png" in capsys.readouterr().out
    numbers = json.loads((tmp_path / "diagnosis-mlp-digits--three.json").read_text(encoding="utf-8"))
    assert numbers["experiment"]["batch_size"] == 3
    assert "; changes: batch_size=3" in " ".join((tmp_path / "diagnosis-mlp-digits--three.txt").read_text().split())
    assert "changes" not in (tmp_path / "diagnosis-mlp-digits.txt").read_text()
    assert len(list(tmp_path.iterdir())) == 6


def test_more_replicates_have_those_of_the_file(tmp_path: Path) -> None:
    measured = []
    for count in ("2", "3"):
        assert main(["diagnose", "digits", "--steps", "60", "--replicates", count, "--out", str(tmp_path)]) == 0
        measured.append(json.loads((tmp_path / "diagnosis-mlp-digits.json").read_text(encoding="utf-8"))["measured"])
    two, three = measured
    assert three["n"] == two["n"]
    assert three["lag"] == two["lag"]
    for name in ("parameter", "function"):
        assert len(three[name]) == 3
        assert three[name][:2] == two[name]
        assert three[name][2] != two[name][0]


@pytest.mark.parametrize("command", ["run", "diagnose", "increments"])
def test_a_setting_without_a_value_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert main([command, "digits", "--set", "batch_size", "--out", str(tmp_path)]) == 2
    assert "--set takes FIELD=VALUE, such as batch_size=32, got 'batch_size'" in capsys.readouterr().err
