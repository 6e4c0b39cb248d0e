"""`nn_experiments.run`: a user's network by the runner's machinery, with the numbers that `iterates` gives."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import contraction as ct  # noqa: E402
import nn_experiments as nne  # noqa: E402
from contraction.maps.orders import Order  # noqa: E402
from nn_experiments.runs.run import Runner  # noqa: E402
from tests.nn.runs.small_network import AT, MSE, Small, X, Y  # noqa: E402
from tests.nn.runs.test_interruptions import environment  # noqa: E402
from tests.nn.synthetic_results import assert_equal  # noqa: E402

CURVES = [ct.Forward(), ct.Backward(), ct.Windowed(5), nne.EMA(0.8), nne.ResetIfBetter("test_loss", every=3)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> nne.Curves:
    return Small().run(tmp_path_factory.mktemp("whole"), CURVES, seeds=(0, 1))


def test_orders_are_those_of_iterates(whole: nne.Curves) -> None:
    own = Small()
    for seed in (0, 1):
        batches = nne.ArrayBatches(X, Y, batch_size=4, seed=seed)
        for name, order in (("forward", ct.Forward()), ("backward", ct.Backward()), ("windowed-5", ct.Windowed(5))):
            path = nne.iterates(own.step, batches, own.state, order, AT, own.measure, engine="loop")
            n, values = whole.path("test_loss", seed=seed, order=name)
            assert n.tolist() == list(AT)
            assert np.allclose(values, path["test_loss"], rtol=1e-10)
    assert whole.seeds == (0, 1)
    assert not np.allclose(whole["test_loss"][0], whole["test_loss"][1])


@pytest.mark.parametrize("last", [4, 12], ids=["shared alone", "all"])
@pytest.mark.parametrize("order", [ct.Windowed(5), ct.Reset([4, 8]), ct.Late(4)], ids=["windowed", "reset", "late"])
def test_every_metric_is_there_at_iterates_that_are_shared_with_another_order(
    order: Order, last: int, tmp_path: Path
) -> None:
    """The first ones are those of the backward or the forward path, whatever a metric is called."""
    own = Small()
    measure = {"weight": lambda state: state["parameters"]["0.weight"][0, 0], **own.measure}
    found = own.run(tmp_path, [order], at=range(last + 1), measure=measure)
    path = nne.iterates(own.step, own.batches, own.state, order, range(last + 1), measure, engine="loop")
    assert len(found.orders) == 1
    for metric in measure:
        n, values = found.path(metric, seed=0, order=found.orders[0])
        assert n.tolist() == list(range(last + 1))
        assert np.allclose(values, path[metric], rtol=1e-10)


def test_however_it_is_stopped_and_extended_the_numbers_are_the_same(
    tmp_path: Path, whole: nne.Curves, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C keeps finished blocks; seeds, curves and iterates are added; nothing is computed twice."""
    shown = []
    plain = Runner.show

    def interrupted(self, progress, piece=None) -> None:
        plain(self, progress, piece)
        shown.append(piece)
        if len(shown) == 4:
            raise KeyboardInterrupt

    own = Small()
    with monkeypatch.context() as patched:
        patched.setattr(Runner, "show", interrupted)
        with pytest.raises(KeyboardInterrupt):
            own.run(tmp_path, CURVES, seeds=(0, 1), block_seconds=1e-6)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    assert len(kept) == 3
    own.run(tmp_path, CURVES[:2], at=range(0, 13, 6))
    own.run(tmp_path, CURVES[2:], seeds=(1,))
    found = own.run(tmp_path, CURVES, seeds=(0, 1))
    assert_equal(found, whole)
    (root,) = tmp_path.iterdir()
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    assert {path: times[path] for path in kept} == kept
    assert_equal(Small().run(tmp_path, CURVES, seeds=(0, 1)), whole)
    assert times == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    assert_equal(nne.load("network", out=tmp_path).select(orders=whole.orders), whole)
    assert json.loads((root / "experiment.json").read_text())["self-check"] == "passed in float64"


SCRIPT = """
import torch
import contraction as ct
import nn_experiments as nne
torch.manual_seed(0)
x = torch.linspace(-1, 1, 24)[:, None]
model = torch.nn.Linear(1, 1)
step, state = nne.from_torch(model, torch.nn.functional.mse_loss, torch.optim.RMSprop(model.parameters(), lr=0.01))
batches = nne.ArrayBatches(x, 2 * x, batch_size=4, seed=0)
for workers in (0, 1):
    found = nne.run(step, batches, state, [ct.Backward()], at=range(9), out=f"out{workers}", workers=workers,
                    measure={"w": lambda s: s["parameters"]["weight"]}, block_seconds=1e-6)
    print(*(value.hex() for value in found["w"].ravel()))
"""


def test_a_script_without_a_main_guard_and_with_lambdas_uses_processes(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "-W", "ignore", "script.py"]
    ended = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    here, in_a_process = ended.stdout.splitlines()
    assert here == in_a_process
    assert len(here.split()) == 9
    assert [path.name for path in (tmp_path / "out0").iterdir()] == [
        path.name for path in (tmp_path / "out1").iterdir()
    ]


def test_a_cluster_gives_the_same_numbers(tmp_path: Path, whole: nne.Curves) -> None:
    distributed = pytest.importorskip("distributed")
    settings = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
    with distributed.LocalCluster(processes=True, **settings) as cluster:
        found = Small().run(tmp_path, CURVES, seeds=(0, 1), dask=cluster.scheduler_address, workers=None)
    assert_equal(found, whole)


def test_the_ensemble_gives_these_numbers_to_rounding(tmp_path: Path, whole: nne.Curves) -> None:
    """Orders run as one batch of chains; averages and policies are chains of their own."""
    found = Small().run(tmp_path, CURVES, seeds=(0, 1), engine="ensemble")
    assert {maker["kernel"] for maker in found.provenance} == {"ensemble", "compiled"}
    assert np.allclose(found["test_loss"], whole["test_loss"], rtol=1e-9)


def test_batches_of_arrays_are_copies_of_the_data() -> None:
    """Data that are changed in place between two batches change neither of them; arrays count as tensors."""
    x, y = X.clone().numpy(), Y.clone()
    batches = nne.ArrayBatches(x, y, batch_size=4, seed=0)
    batches(1)
    x += 1
    y += 1
    right = nne.ArrayBatches(X, Y, batch_size=4, seed=0)
    for i in (1, 2):
        assert torch.equal(batches(i).inputs, right(i).inputs)
        assert torch.equal(batches(i).targets, right(i).targets)


def test_a_curve_by_its_order(whole: nne.Curves) -> None:
    for name, order in (("forward", ct.Forward()), ("windowed-5", ct.Windowed(5)), ("ema-0.8", nne.EMA(0.8))):
        one, other = (whole.path("test_loss", seed=0, order=which)[1] for which in (name, order))
        assert np.array_equal(one, other)
    assert whole.select(orders=[ct.Backward()]).orders == ("backward",)
    with pytest.raises(KeyError, match="no order 'late-3'; recorded are forward, backward"):
        whole.path("test_loss", seed=0, order=ct.Late(3))


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = Small().run(tmp_path, CURVES, dry_run=True)
    assert "backward curves: 5 iterates, 30 steps" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
    assert len(found.iterates) == 0


def test_frozen_masks_are_those_of_the_seed(tmp_path: Path) -> None:
    """With one start and one set of batches, seeds differ by their masks alone."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(1, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1)).double()
    step, state = nne.from_torch(model, MSE, torch.optim.SGD(model.parameters(), lr=0.1))

    class Same(nne.ArrayBatches):
        def with_seed(self, seed: int) -> nne.ArrayBatches:
            return self

    batches = Same(X, Y, batch_size=4, seed=0)
    weight = {"w": lambda state: state["parameters"]["0.weight"].sum()}
    run = {"at": [5], "measure": weight, "out": tmp_path, "progress": False, "workers": 0}
    found = nne.run(step, batches, state, [ct.Forward()], seeds=(0, 1), **run)["w"][:, 0, 0]
    right = [float(weight["w"](nne.state_at(step.with_seed(seed), batches, state, ct.Forward(), 5))) for seed in (0, 1)]
    assert np.allclose(found, right, rtol=1e-12)
    assert right[0] != right[1]


def test_results_and_batches_can_be_pickled(whole: nne.Curves) -> None:
    own = Small()
    batches = pickle.loads(pickle.dumps(own.batches))
    assert torch.equal(batches(7).inputs, own.batches(7).inputs)
    path = nne.iterates(own.step, own.batches, own.state, ct.Forward(), [0, 2], own.measure)
    assert np.array_equal(pickle.loads(pickle.dumps(path))["test_loss"], path["test_loss"])
    assert_equal(pickle.loads(pickle.dumps(whole)), whole)
    step = pickle.loads(pickle.dumps(own.step))
    assert torch.equal(
        step(own.state, own.batches(1), 1)["parameters"]["0.weight"],
        own.step(own.state, own.batches(1), 1)["parameters"]["0.weight"],
    )
