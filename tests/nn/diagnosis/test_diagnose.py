"""The diagnosis as a value, its plan, its picture and the command line."""

from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import nn_experiments as nne
from nn_experiments.cli import main
from nn_experiments.diagnosis.rules import LEAST

X = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
Y = X.sum(1, keepdim=True)


def linear(**options: object) -> nne.Diagnosis:
    """Diagnose a linear model with weight decay."""
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    batches = nne.ArrayBatches(X, Y, batch_size=4, seed=0)
    arguments = {"steps": 80, "replicates": 3, "progress": False} | options
    return nne.diagnose(model, torch.nn.functional.mse_loss, optimizer, batches, **arguments)  # type: ignore[arg-type]


def test_the_same_call_gives_the_same_value() -> None:
    one, again, other = linear(), linear(), linear(seed=7)
    assert one == again
    assert hash(one) == hash(again)
    assert one != other
    assert pickle.loads(pickle.dumps(one)) == one
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.verdict = "contracting"  # type: ignore[misc]
    assert not one.measured.parameter.flags.writeable
    text = json.dumps(one.to_dict(), allow_nan=False)
    assert json.loads(text)["verdict"] == one.verdict == "undecided"
    assert "3 replicates are too few: 11 are needed" in one.reason
    assert len(repr(one).splitlines()) <= 8
    assert one.settings["plan"] == "as asked for"


def test_the_report_says_all_of_it() -> None:
    found = linear(replicates=11, steps=200)
    report = found.report()
    assert found.verdict == "contracting"
    for text in ("Linear: contracting (11 replicates of 200 steps)", "What to do:", "Settings: seed: 0", "exponents"):
        assert text in report
    assert " ".join(found.rule.split()) in " ".join(report.split())
    assert max(map(len, report.splitlines())) <= 120


def test_nothing_of_the_users_is_changed() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    drawn = torch.get_rng_state()
    batches = nne.ArrayBatches(X, Y, batch_size=4, seed=0)
    found = nne.diagnose(
        model, torch.nn.functional.mse_loss, optimizer, batches, steps=50, replicates=2, progress=False
    )
    assert found.measured.derivative_by == "derivatives"
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training
    assert not optimizer.state
    assert torch.equal(drawn, torch.get_rng_state())


def test_another_start_is_asked_for_and_reported_apart() -> None:
    torch.manual_seed(5)
    found = linear(start=torch.nn.Linear(3, 1))
    assert "parameters, other start" in found.judgement.findings
    assert "other start: " in repr(found)
    assert "parameters, other start" not in linear().judgement.findings
    torch.manual_seed(0)
    with pytest.raises(ValueError, match="start equals the model"):
        linear(start=torch.nn.Linear(3, 1))
    with pytest.raises(ValueError, match="start has other parameters than the model"):
        linear(start=torch.nn.Linear(4, 1))


def test_a_short_time_takes_fewer_steps() -> None:
    found = linear(steps=100_000, replicates=None, budget="1 s")
    assert found.measured.replicates >= LEAST
    assert found.measured.steps < 100_000
    assert "in place of 100,000" in found.settings["plan"] or "the least" in found.settings["plan"]


def test_pictures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    found = linear()
    for name in ("one.png", "one.svg"):
        assert found.plot(tmp_path / name).stat().st_size > 10_000
    with pytest.raises(ValueError, match=r"ends in \.png, \.svg, \.pdf, got 'one\.txt'"):
        found.plot(tmp_path / "one.txt")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    words = ["diagnose", "digits", "--steps", "60", "--replicates", "2", "--seed", "3", "--out", str(tmp_path)]
    assert main(words) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("mlp-digits: undecided (2 replicates of 60 steps)")
    assert "replicate 2 of 2" in printed.err
    text = (tmp_path / "diagnosis-mlp-digits.txt").read_text(encoding="utf-8")
    assert text.strip() in printed.out
    numbers = json.loads((tmp_path / "diagnosis-mlp-digits.json").read_text(encoding="utf-8"))
    assert numbers["settings"]["seed"] == 3
    assert np.shape(numbers["measured"]["parameter"])[0] == 2
    assert (tmp_path / "diagnosis-mlp-digits.png").stat().st_size > 10_000
    assert main([*words, "--set", "sampling=reshuffle", "--steps", "400", "--tag", "epochs"]) == 2
    assert "reshuffled in every epoch" in capsys.readouterr().err


def test_intervals_that_need_more_replicates_are_left_out() -> None:
    """Order statistics of 5 draws miss the median with probability 2/32 > 5 %, those of 6 with 2/64."""
    few, enough = linear(replicates=5, steps=60), linear(replicates=6, steps=60)
    for found in (few, linear(replicates=2, steps=60)):
        assert "inf]" not in found.report()
    assert "(5 replicates are too few for 95% intervals of medians, which need 6)" in repr(few)
    assert "too few for 95%" not in repr(enough)
    assert "inf]" not in enough.report()


def test_the_page_of_plots_has_all_the_advice(tmp_path: Path) -> None:
    """Four lines of advice, the longest there is: none is cut, and no label lies on another."""
    pytest.importorskip("matplotlib")
    from nn_experiments.diagnosis import picture

    found = linear(replicates=11, steps=60)
    advice = tuple(f"Line {k}: " + "a long sentence of advice goes on " * 6 for k in range(5))
    picture.draw(found.name, found.judgement, advice, found.measured, tmp_path / "page.svg")
    text = (tmp_path / "page.svg").read_text()
    assert all(f"Line {k}" in text for k in range(5))
