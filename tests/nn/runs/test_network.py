"""`nn_experiments.run`: a user's network by the runner's machinery, with the numbers that `iterates` gives."""

from __future__ import annotations

import copy
import doctest
import importlib
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
from nn_experiments.engine.loop import double_loop  # noqa: E402
from nn_experiments.runs.fingerprint import fingerprint  # noqa: E402
from nn_experiments.runs.run import Runner  # noqa: E402
from tests.nn.runs.test_interruptions import environment  # noqa: E402
from tests.nn.synthetic_results import assert_equal  # noqa: E402

X = torch.linspace(-1, 1, 24, dtype=torch.float64)[:, None]
Y = torch.sin(3 * X)
MSE = torch.nn.functional.mse_loss
AT = range(0, 13, 3)


class Small:
    """A small network: everything that `nn_experiments.run` takes."""

    def __init__(self, *, width: int = 4, lr: float = 0.1, norm: bool = False, seed: int = 0) -> None:
        torch.manual_seed(seed)
        layers = [torch.nn.Linear(1, width), torch.nn.Tanh(), torch.nn.Linear(width, 1)]
        if norm:
            layers.insert(1, torch.nn.BatchNorm1d(width))
        self.model = torch.nn.Sequential(*layers).double()
        optimizer = torch.optim.SGD(self.model.parameters(), lr=lr)
        self.step, self.state = nne.from_torch(self.model, MSE, optimizer)
        self.batches = nne.ArrayBatches(X, Y, batch_size=4, seed=0)
        still = copy.deepcopy(self.model).eval()

        def test_loss(state: dict) -> torch.Tensor:
            return MSE(torch.func.functional_call(still, state["parameters"] | state["buffers"], (X,)), Y)

        self.measure = {"test_loss": test_loss}

    def run(self, out: Path, curves: list, **more) -> nne.Curves:
        given = {"at": AT, "measure": self.measure, "out": out, "workers": 0, "progress": False} | more
        step, batches, state = (given.pop(name, getattr(self, name)) for name in ("step", "batches", "state"))
        return nne.run(step, batches, state, curves, **given)


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


def test_a_reset_where_the_metric_is_better_by_hand(tmp_path: Path) -> None:
    """Each start again from the definition, with plain loops over the maps; a start better than θ0 alone is none."""
    own = Small()
    name = "reset_if_better-test_loss-3"
    whole = own.run(tmp_path, [name], at=range(31))
    first = best = float(own.measure["test_loss"](own.state))
    start, anchor, passed_over = 0, own.state, 0
    found, starts = [best], [0]
    for n in range(1, 31):
        state = anchor
        for t, i in enumerate(range(n, start, -1), start + 1):
            state = own.step(state, own.batches(i), t)
        loss = float(own.measure["test_loss"](state))
        found.append(loss)
        starts.append(start)
        if n % 3 == 0 and loss < best:
            start, anchor, best = n, state, loss
        elif n % 3 == 0:
            passed_over += loss < first
    assert len(set(starts)) > 2  # it does reset, more than once
    assert passed_over > 0
    assert whole.path("reset_at", seed=0, order=name)[1].tolist() == starts
    assert np.allclose(whole.path("test_loss", seed=0, order=name)[1], found, rtol=1e-10)


def test_averages_by_sums(tmp_path: Path) -> None:
    own = Small()
    curves = [nne.Polyak(), nne.SuffixMean(4), nne.SWA(3, every=2, refresh=2), nne.EMA(0.8)]
    weight = {"weight": lambda state: state["parameters"]["0.weight"].sum()}
    found = own.run(tmp_path, curves, measure=weight, at=[2, 4, 9])["weight"][0]
    states = double_loop(own.step, own.batches, own.state, ct.Forward(), range(10))
    w = np.array([float(states[n]["parameters"]["0.weight"].sum()) for n in range(10)])
    ema = [0.8**n * w[0] + sum(0.2 * 0.8 ** (n - i) * w[i] for i in range(1, n + 1)) for n in (2, 4, 9)]
    right = {
        "polyak": [w[1:3].mean(), w[1:5].mean(), w[1:10].mean()],
        "suffix_mean-4": [w[2], w[4], w[5:10].mean()],
        "swa-3-2-2": [w[2], w[3], w[[3, 5, 7, 9]].mean()],
        "ema-0.8": ema,
    }
    orders = ("polyak", "suffix_mean-4", "swa-3-2-2", "ema-0.8")
    assert np.allclose(found, [right[name] for name in orders], rtol=1e-12)


def test_swa_refreshes_batch_norm_as_torch_does() -> None:
    own = Small(norm=True)
    swa = nne.SWA(2, every=2, refresh=5)
    state = nne.state_at(own.step, own.batches, own.state, swa, 6)
    states = double_loop(own.step, own.batches, own.state, ct.Forward(), [2, 4, 6])
    averaged = torch.optim.swa_utils.AveragedModel(own.model)
    for n in (2, 4, 6):
        own.model.load_state_dict(nne.state_dict(own.model, states[n]))
        averaged.update_parameters(own.model)
    torch.optim.swa_utils.update_bn([(own.batches(i).inputs,) for i in range(1, 6)], averaged)
    for name, value in averaged.module.state_dict().items():
        if value.is_floating_point():
            assert torch.allclose(nne.state_dict(own.model, state)[name], value, rtol=1e-10), name
    stale = nne.state_at(own.step, own.batches, own.state, nne.SuffixMean(1), 6)["buffers"]["1.running_mean"]
    assert not torch.allclose(stale, state["buffers"]["1.running_mean"], rtol=1e-3)


def test_a_step_of_ones_own_has_no_module_to_refresh(tmp_path: Path) -> None:
    own = Small(norm=True)
    with pytest.raises(Exception, match="a step that you have written yourself has none"):
        own.run(tmp_path, [nne.SWA(1, refresh=2)], step=lambda state, batch, t: own.step(state, batch, t))


def contracting(state: dict, batch: nne.Batch, t: int) -> dict:
    return {"parameters": {"w": 0.25 * state["parameters"]["w"] + batch.inputs.mean()}}


def growing(state: dict, batch: nne.Batch, t: int) -> dict:
    return {"parameters": {"w": state["parameters"]["w"].abs() + 1}}


@pytest.mark.parametrize(("step", "stops"), [(contracting, True), (growing, False)])
def test_stop_when_settled(tmp_path: Path, step, stops: bool) -> None:
    """θ ↦ θ/4 + b settles to 1e-3 once 4⁻ⁿ·4 is below it, at two horizons: n = 16 after n = 8; |θ| + 1 never does."""
    batches = nne.ArrayBatches(X, Y, batch_size=4, seed=0)
    state = {"parameters": {"w": torch.ones(1, dtype=torch.float64)}}
    value = {"w": lambda state: state["parameters"]["w"][0]}
    curves = [nne.StopWhenSettled(1e-3), ct.Backward()]
    found = nne.run(step, batches, state, curves, at=range(41), measure=value, out=tmp_path, progress=False, workers=0)
    at = found.path("stopped_at", seed=0, order="stop_when_settled-0.001")[1]
    stopped, backward = (found["w"][0, found.orders.index(name)] for name in ("stop_when_settled-0.001", "backward"))
    if stops:
        assert at.tolist() == [*range(17), *[16] * 24]
        assert np.array_equal(stopped[:17], backward[:17])
        assert set(stopped[16:]) == {backward[16]}
    else:
        assert at.tolist() == list(range(41))
        assert np.array_equal(stopped, backward)


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
import sys, torch
import contraction as ct
import nn_experiments as nne
torch.manual_seed(0)
x = torch.linspace(-1, 1, 24)[:, None]
model = torch.nn.Linear(1, 1)
step, state = nne.from_torch(model, torch.nn.functional.mse_loss, torch.optim.RMSprop(model.parameters(), lr=0.01))
batches = nne.ArrayBatches(x, 2 * x, batch_size=4, seed=0)
found = nne.run(step, batches, state, [ct.Backward()], at=range(9), out=sys.argv[1], workers=int(sys.argv[2]),
                measure={"w": lambda s: s["parameters"]["weight"]}, block_seconds=1e-6)
print(*(value.hex() for value in found["w"].ravel()))
"""


def test_a_script_without_a_main_guard_and_with_lambdas_uses_processes(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    lines = []
    for workers in ("0", "2"):
        command = [sys.executable, "-W", "ignore", "script.py", f"out{workers}", workers]
        ended = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=300)
        assert ended.returncode == 0, ended.stderr
        lines.append(ended.stdout)
    assert lines[0] == lines[1]
    assert len(lines[0].split()) == 9
    assert [path.name for path in (tmp_path / "out0").iterdir()] == [
        path.name for path in (tmp_path / "out2").iterdir()
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


def test_what_cannot_be_sent_to_processes_says_so(tmp_path: Path) -> None:
    own = Small()
    with (tmp_path / "open.txt").open("w") as file:
        metric = {"loss": lambda state: state["parameters"]["0.weight"].sum() + 0.0 * file.fileno()}
        with pytest.raises(TypeError, match="cannot be sent to worker processes"):
            own.run(tmp_path / "out", [ct.Forward()], measure=metric, workers=1)


def roots(out: Path) -> set[str]:
    return {path.parent.name for path in out.glob("*/experiment.json")}


def test_an_identity_is_what_decides_the_numbers(tmp_path: Path) -> None:
    """The same again is the same run; another name, start, step, data, sampling or metric is another one."""
    own = Small()
    own.run(tmp_path, [ct.Forward()])
    again = Small()
    again.run(tmp_path, [ct.Forward()])
    assert len(roots(tmp_path)) == 1
    doubled = {"test_loss": lambda state: 2 * own.measure["test_loss"](state)}
    others = [
        (own, {"name": "other"}),
        (Small(seed=1), {}),
        (Small(lr=0.2), {}),
        (own, {"batches": nne.ArrayBatches(X, -Y, batch_size=4, seed=0)}),
        (own, {"batches": nne.ArrayBatches(X, Y, batch_size=4, seed=0, sampling="reshuffle")}),
        (own, {"measure": doubled}),
        (own, {"step": lambda state, batch, t: own.step(state, batch, t)}),
    ]
    for network, more in others:
        network.run(tmp_path, [ct.Forward()], **more)
    assert len(roots(tmp_path)) == 1 + len(others)
    own.run(tmp_path, [ct.Forward()], batches=nne.ArrayBatches(X, Y, batch_size=4, seed=5))  # another seed of the run
    assert len(roots(tmp_path)) == 1 + len(others)


def test_what_cannot_be_told_apart_is_not_continued(tmp_path: Path) -> None:
    own = Small()
    draws = np.random.default_rng(0)

    def batches(i: int) -> nne.Batch:
        assert draws is not None
        return own.batches(i)

    own.run(tmp_path, [ct.Forward()], batches=batches)
    (root,) = roots(tmp_path)
    assert json.loads((tmp_path / root / "experiment.json").read_text())["unknown"]
    with pytest.raises(ValueError, match=r"cannot be seen of batches \(closure variable draws\).*describe="):
        own.run(tmp_path, [ct.Forward(), ct.Backward()], batches=batches)
    for _ in range(2):
        own.run(tmp_path, [ct.Forward()], batches=batches, describe={"batches": "my batches, version 1"})
    assert len(roots(tmp_path)) == 2


def test_a_step_that_reads_a_file_is_seen_to_behave_differently(tmp_path: Path) -> None:
    own = Small()
    file = tmp_path / "rate.txt"

    def step(state: dict, batch: nne.Batch, t: int) -> dict:
        rate = float(file.read_text())
        slopes = own.step.gradients(state, batch)[0]
        return {**state, "parameters": {k: v - rate * slopes[k] for k, v in state["parameters"].items()}}

    file.write_text("0.1")
    for _ in range(2):
        own.run(tmp_path / "out", [ct.Forward()], step=step)
    file.write_text("0.11")
    with pytest.raises(ValueError, match="which behaves differently: after T_1 T_2"):
        own.run(tmp_path / "out", [ct.Forward(), ct.Backward()], step=step)


@pytest.mark.control
@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"curves": [ct.CustomOrder(lambda n: range(1, n + 1))]}, "has no name"),
        ({"curves": []}, "curves must be a list"),
        ({"curves": ["decayed-5"]}, "for experiments of the catalogue"),
        ({"curves": [nne.ResetIfBetter("accuracy", every=2)]}, "a metric that is not measured; there are test_loss"),
        ({"name": "fig4"}, "not be one of the catalogue's"),
        ({"measure": {"my loss": lambda state: 0.0}}, "letters, digits"),
        ({"measure": {"iterate": lambda state: 0.0}}, "a metric cannot be called 'iterate': .*seed, order, iterate"),
        ({"measure": {"reset_at": lambda state: 0.0}}, "a metric cannot be called 'reset_at'"),
        ({"measure": {"weights": lambda state: state["parameters"]["0.weight"]}}, "must be one number"),
        ({"batches": lambda i: (X[:2], Y[:2]), "seeds": (0, 1)}, "a method with_seed"),
        ({"seeds": ()}, "must not be empty"),
        ({"engine": "warp"}, "unknown engine 'warp'"),
        ({"describe": {"steps": 1}}, "the parts are step, batches"),
        ({"at": []}, "names no iterate"),
    ],
)
def test_what_has_no_meaning_is_refused(tmp_path: Path, more: dict, message: str) -> None:
    given = dict(more)
    with pytest.raises(ValueError, match=message):
        Small().run(tmp_path, given.pop("curves", [ct.Forward()]), **given)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.control
@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"at": 10}, r"at must be a sequence of iterates, .* got 10"),
        ({"seeds": 3}, r"seeds must be a sequence of integers, .* got 3"),
        ({"measure": lambda state: 0.0}, "measure must map names to functions .* got function"),
        ({"state": torch.nn.Linear(1, 1).state_dict()}, "state must be a state, .* from_torch"),
    ],
)
def test_what_is_of_another_type_is_refused_by_the_name_of_its_argument(
    tmp_path: Path, more: dict, message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        Small().run(tmp_path, [ct.Forward()], **more)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.control
@pytest.mark.parametrize("name", ["seed", "order", "iterate", "gradients"])
def test_a_metric_does_not_take_the_name_of_a_column(name: str) -> None:
    own = Small()
    with pytest.raises(ValueError, match=f"a metric cannot be called '{name}'"):
        nne.iterates(own.step, own.batches, own.state, ct.Forward(), [0], {name: lambda state: torch.zeros(())})


def test_a_second_start_that_is_a_model_is_told_what_a_state_is() -> None:
    own = Small()
    with pytest.raises(TypeError, match=r"start must be a state, .* got Sequential"):
        nne.limit(own.step, own.batches, own.state, Small(seed=1).model, eps=0.1)


def test_a_state_takes_curves_and_no_names() -> None:
    own = Small()
    with pytest.raises(TypeError, match=r"such as contraction\.Backward\(\), got 'backward'"):
        nne.state_at(own.step, own.batches, own.state, "backward", 5)  # pyright: ignore[reportArgumentType]


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


@pytest.mark.control
def test_a_loss_that_is_a_class_is_told_to_be_an_instance() -> None:
    model = torch.nn.Linear(1, 1)
    message = r"the loss is the class MSELoss: give an instance of it, such as MSELoss\(\)"
    with pytest.raises(TypeError, match=message):
        nne.from_torch(model, torch.nn.MSELoss, torch.optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(TypeError, match=message):
        nne.measures(model, torch.nn.MSELoss, test=(X, Y))


CONSTANT = copy.deepcopy(Small().model)


@pytest.mark.control
def test_a_metric_that_does_not_look_at_the_state_gets_a_warning(tmp_path: Path) -> None:
    """One that reads a model in place of the state does; one of the state, one of its buffers, do not."""
    own = Small(norm=True)
    metrics = own.measure | {"mean": lambda state: state["buffers"]["1.running_mean"].sum()}
    own.run(tmp_path, [ct.Forward()], measure=metrics)
    with pytest.warns(UserWarning, match=r"metric of_the_model .*nne.measures") as caught:
        own.run(
            tmp_path, [ct.Forward()], measure=metrics | {"of_the_model": lambda state: MSE(CONSTANT(X), Y).detach()}
        )
    assert len(caught) == 1
    assert caught[0].filename == __file__ or "test_network" in caught[0].filename


def test_nothing_of_a_name_says_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere"):
        nne.load("network", out=tmp_path / "nowhere")
    Small().run(tmp_path, [ct.Forward()], name="mine")
    with pytest.raises(ValueError, match=r"no figure, experiment or folder 'mein'.* holds runs of mine"):
        nne.load("mein", out=tmp_path)


def test_a_curve_by_its_order(whole: nne.Curves) -> None:
    for name, order in (("forward", ct.Forward()), ("windowed-5", ct.Windowed(5)), ("ema-0.8", nne.EMA(0.8))):
        one, other = (whole.path("test_loss", seed=0, order=which)[1] for which in (name, order))
        assert np.array_equal(one, other)
    assert whole.select(orders=[ct.Backward()]).orders == ("backward",)
    with pytest.raises(KeyError, match="no order 'late-3'; recorded are forward, backward"):
        whole.path("test_loss", seed=0, order=ct.Late(3))


@pytest.mark.control
def test_an_unknown_order_is_told_all_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown order 'sideways'.*backward.*swa-START.*stop_when_settled-EPS"):
        Small().run(tmp_path, ["sideways"])


def test_swa_is_the_forward_path_before_its_start(tmp_path: Path) -> None:
    """Its statistics too; from the start on they are collected anew."""
    own = Small(norm=True)
    mean = {"mean": lambda state: state["buffers"]["1.running_mean"].sum()}
    found = own.run(tmp_path, [ct.Forward(), nne.SWA(6, refresh=3)], measure=mean)["mean"][0]
    assert np.array_equal(found[0, :2], found[1, :2])
    assert not np.isclose(found[0, 2:], found[1, 2:], rtol=1e-6).any()
    for n in (3, 6):
        one, other = (
            nne.state_at(own.step, own.batches, own.state, curve, n)["buffers"]["1.running_mean"]
            for curve in (ct.Forward(), nne.SWA(6, refresh=3))
        )
        assert torch.equal(one, other) == (n < 6)


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


def test_fingerprints_tell_code_and_data_apart() -> None:
    """Equal things agree; a constant, a closure, a default value, a buffer, a key or a type tells two apart."""

    def scaled(by: float):
        return lambda value: by * value

    module, moved = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    moved.load_state_dict(module.state_dict())
    assert fingerprint(scaled(2.0), "") == fingerprint(scaled(2.0), "")
    assert fingerprint(module, "") == fingerprint(moved, "")
    moved.weight.data.add_(1)
    different = [
        scaled(2.0),
        scaled(3.0),
        lambda value: 2.0 + value,
        lambda value, by=2.0: value + by,
        lambda value, by=3.0: value + by,
        module,
        moved,
        {"a": 1},
        {"b": 1},
        [1, 2],
        (1, [2]),
        1,
        1.0,
        True,
        torch.zeros(2),
        torch.zeros(2, dtype=torch.float64),
        torch.zeros(1, 2),
        np.zeros(2),
        {1, 2},
    ]
    assert len({fingerprint(one, "") for one in different}) == len(different)


@pytest.mark.parametrize(
    "module",
    [
        "engine.state_at",
        "paper.curve_names",
        "runs.fingerprint",
        "runs.network",
        "training.averages",
        "training.policies",
        "training.structure",
    ],
)
def test_examples_of_the_documentation(module: str) -> None:
    found = doctest.testmod(importlib.import_module(f"nn_experiments.{module}"))
    assert found.attempted > 0
    assert found.failed == 0
