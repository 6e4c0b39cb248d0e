"""Figure 2's command from end to end at tiny size: killed, resumed, in pieces, from a cut folder, labelled."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import nn_experiments as nne  # noqa: E402
from nn_experiments.analysis.run_summary import circumstances  # noqa: E402
from nn_experiments.cli import main  # noqa: E402
from nn_experiments.paper.catalogue import EXPERIMENTS, FIGURES  # noqa: E402
from nn_experiments.runs.setup import prepare  # noqa: E402
from tests.nn.synthetic_results import assert_equal, write_images  # noqa: E402

ROOT = Path(__file__).parents[3]
SIZE = ["--steps", "4", "--every", "2", "--diagnostics-every", "4", "--set", "train_evaluation=20"]
COMMAND = ["run", "fig2", "--reduced", *SIZE, "--any-data", "--orders", "forward", "backward"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("data"), train=60, test=30)


@pytest.fixture(scope="module")
def alone(data: Path, tmp_path_factory: pytest.TempPathFactory) -> nne.Curves:
    """The run that others are held to."""
    out = tmp_path_factory.mktemp("alone")
    assert main([*COMMAND, "--data-dir", str(data), "--out", str(out), "--workers", "0"]) == 0
    return nne.load("fig2", out=out)


def test_what_a_reduced_run_is(alone: nne.Curves) -> None:
    assert alone.experiment["experiment"]["model"] == "resnet18-7x7"
    assert alone.complete("test_accuracy", range(0, 5, 2))
    assert alone.provenance[0]["kernel"] == "channels_last"
    about = circumstances(alone, FIGURES["fig2"])
    assert "REDUCED: 4 of 2,000 steps; every 2nd iterate" in about.label()
    assert "model = resnet18-7x7 (not resnet18)" in about.label()
    assert not np.allclose(alone["train_loss"][0, 0], alone["train_loss"][0, 1])
    n, increments = alone.path("parameter_increment", seed=0, order="backward")
    assert n.tolist() == [0]
    assert increments[0] > 0


def test_killed_and_resumed_bitwise(data: Path, alone: nne.Curves, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nn_experiments", *COMMAND, "--data-dir", str(data), "--out", str(tmp_path)]
    command += ["--workers", "0", "--block-seconds", "0.01"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
        while started.poll() is None and not list(tmp_path.rglob("[0-9]*-*.npz")):
            time.sleep(0.01)
        started.kill()
    assert main([*COMMAND, "--data-dir", str(data), "--out", str(tmp_path), "--workers", "0"]) == 0
    assert_equal(nne.load("fig2", out=tmp_path), alone)


def test_pieces_from_two_folders_and_from_a_cut_make_one_run(data: Path, alone: nne.Curves, tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    some = ["--for", "fig2", "--reduced", "--into", str(cut), "--steps", "4", "--set", "train_evaluation=20"]
    assert main(["data", *some, "--any-data", "--data-dir", str(data)]) == 0
    for order, folder in (("forward", data), ("backward", cut)):
        out = tmp_path / order
        words = [*COMMAND[:-2], order, "--data-dir", str(folder), "--out", str(out), "--workers", "0"]
        assert main(words) == 0
    assert main(["merge", str(tmp_path / "forward"), str(tmp_path / "backward"), "--out", str(tmp_path / "both")]) == 0
    assert_equal(nne.load("fig2", out=tmp_path / "both"), alone)
    with pytest.raises(AssertionError):
        assert_equal(nne.load("fig2", out=tmp_path / "forward"), alone)


def test_running_statistics_decide_what_is_evaluated(data: Path) -> None:
    """An iterate is evaluated with its own running statistics: with another state's the loss is another one."""
    experiment = EXPERIMENTS["resnet18-cifar10"].override({"model": "resnet18-7x7", "train_evaluation": "20"})
    place = prepare(experiment, 0, data_dir=str(data), official=False)
    after = place.step(place.state0, place.batches(1), 1)
    assert float(after["buffers"]["norm.running_mean"].abs().max()) > 0
    mixed = {**after, "buffers": place.state0["buffers"]}
    losses = [float(place.evaluation(state, None, None)["test_loss"]) for state in (after, mixed)]
    assert losses[0] != losses[1]
