"""The ensemble in runs: what is recorded, evaluation over chains, memory that runs out, bfloat16 products."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import nn_experiments as nne  # noqa: E402
from nn_experiments import engine as engines  # noqa: E402
from nn_experiments.cli import main  # noqa: E402
from nn_experiments.engine import measure, measuring  # noqa: E402
from nn_experiments.engine.ensemble import stacked_metrics  # noqa: E402
from nn_experiments.engine.ensemble.stacked_metrics import measure_together  # noqa: E402
from nn_experiments.engine.ensemble.wavefront import TOGETHER, Ensemble, wavefront  # noqa: E402
from nn_experiments.engine.kernels.convnet import ChannelsLastKernel  # noqa: E402
from nn_experiments.engine.kernels.mlp import StepKernel  # noqa: E402
from nn_experiments.engine.loop import double_loop  # noqa: E402
from nn_experiments.paper.catalogue import EXPERIMENTS  # noqa: E402
from nn_experiments.results import blocks as store  # noqa: E402
from nn_experiments.runs.job import Job, run_job  # noqa: E402
from nn_experiments.runs.precision import by_autograd, products  # noqa: E402
from nn_experiments.runs.setup import ExperimentProblem  # noqa: E402
from nn_experiments.training.metrics import Evaluation, Functions  # noqa: E402
from nn_experiments.training.optimizers import Optimizer  # noqa: E402
from tests.nn.conv_problems import SLOW, conv_problem, whole  # noqa: E402
from tests.nn.problems import ORDERS, SGD, problem  # noqa: E402
from tests.nn.synthetic_results import write_images  # noqa: E402

SMALL = {"model": "convnet-group", "batch_size": "2", "train_evaluation": "6", "test_evaluation": "5"}
OLD = {name: EXPERIMENTS[name] for name in ("mlp-fashion", "regression-square")}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("data"), train=40, test=12)


def tiny(**changes: str):
    """Return Figure 2's experiment in small, with group norm: over two images batch norm is next to singular."""
    return EXPERIMENTS["resnet18-cifar10"].override(SMALL | changes)


@pytest.mark.parametrize("kind", ["basic-batch", "basic-group", "plain-none"])
def test_chains_are_evaluated_together_as_alone(kind: str, monkeypatch) -> None:
    """Batch norm with each chain's own running statistics, three slices of unequal size, and the chains' batches."""
    step, batches, state0 = conv_problem(kind, SLOW)
    x, y = (torch.cat([batches(i)[k] for i in (20, 21)]) for k in (0, 1))
    evaluation = Evaluation(step.model, step.loss, (x, y), (x[:4], y[:4]), classes=3, rows=5)
    path = list(wavefront(step, batches, ORDERS["backward"], range(1, 6), state0))
    alone = [measure(evaluation, state, n, run.outermost, batches) for n, state, run in path if run]
    wide = measure_together(evaluation, path, batches)
    assert stacked_metrics._WIDE[evaluation] is not None
    stacked_metrics._WIDE[evaluation] = None  # as for a module without a wide form
    by_vmap = measure_together(evaluation, path, batches)
    for rows in (wide, by_vmap):
        assert rows is not None
        for one, row in zip(alone, rows, strict=True):
            assert list(row) == list(evaluation.names)
            for name in evaluation.names:
                assert np.allclose(row[name], one[name], rtol=1e-9, atol=0), name
    mixed = [(n, {**state, "buffers": path[0][1]["buffers"]}, run) for n, state, run in path]
    if kind == "basic-batch":  # another chain's running statistics are seen
        wrong = measure_together(evaluation, mixed, batches)
        assert wrong is not None
        assert not np.allclose(wrong[4]["train_loss"], alone[4]["train_loss"], rtol=1e-6)
    assert step.model.training


@pytest.mark.parametrize(("room", "tried"), [(3, [8, 4, 2, 2, 2, 2]), (1, [8, 4, 2])])
def test_out_of_memory_measures_fewer_at_once(room: int, tried: list[int], monkeypatch, capsys) -> None:
    step, batches, state0 = conv_problem("basic-batch", SLOW)
    x, y = batches(20)[:2]
    evaluation = Evaluation(step.model, step.loss, (x, y), (x[:2], y[:2]), classes=3)
    path = list(wavefront(step, batches, ORDERS["backward"], range(9), state0))
    right = list(engines.measure_path(evaluation, path, batches, together=1))
    sizes = []

    def scarce(measurement, some, batches):
        sizes.append(len(some))
        if len(some) > room:
            raise torch.OutOfMemoryError("injected")
        return measure_together(measurement, some, batches)

    monkeypatch.setattr(measuring, "measure_together", scarce)
    found = list(engines.measure_path(evaluation, path, batches, together=8))
    assert sizes == tried
    assert [n for n, *_ in found] == list(range(9))
    assert [with_others for *_, with_others in found] == [False, *[room > 1] * 8]
    for (_, _, one, _), (_, _, other, _) in zip(found, right, strict=True):
        assert list(one) == list(other)
        assert all(np.allclose(one[name], other[name], rtol=1e-9, atol=0) for name in one)
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "out of memory measuring 8 states: going on with 4"
    assert len(said) == (2 if room > 1 else 3)


def test_running_out_of_memory_is_not_taken_for_what_cannot_be_batched(monkeypatch) -> None:
    step, batches, state0 = conv_problem("plain-none", SLOW)
    path = list(wavefront(step, batches, ORDERS["backward"], range(1, 4), state0))

    def scarce(state):
        raise torch.OutOfMemoryError("injected")

    with pytest.raises(torch.OutOfMemoryError):
        measure_together(Functions({"loss": scarce}), path, batches)

    def unfit(state):
        raise RuntimeError("data-dependent")

    assert measure_together(Functions({"loss": unfit}), path, batches) is None


def test_an_ensemble_run_from_the_command_line(data: Path, tmp_path: Path) -> None:
    """Curves and diagnostics equal to the chain engine's, in float64, to 1e-6."""
    size = ["--steps", "3", "--every", "1", "--diagnostics-every", "2", "--orders", "backward", "--seeds", "0"]
    command = ["run", "fig2", *size, "--any-data", "--data-dir", str(data), "--workers", "0", "--dtype", "float64"]
    for name, value in SMALL.items():
        command += ["--set", f"{name}={value}"]
    found = {}
    for engine, more in (("auto", []), ("ensemble", ["--chunk", "2"])):
        out = tmp_path / engine
        assert main([*command, "--out", str(out), "--engine", engine, *more]) == 0
        found[engine] = nne.load("fig2", out=out)
    metas = found["ensemble"].provenance
    assert {meta["kernel"] for meta in metas} == {"ensemble"}
    assert {(meta["chunk"], meta["form"]) for meta in metas if meta.get("form")} == {(2, "wide")}
    assert any(meta.get("metrics batched") for meta in metas)
    assert "train_loss" in found["auto"].metrics
    for name in found["auto"].metrics:
        assert np.allclose(found["auto"][name], found["ensemble"][name], rtol=1e-6, equal_nan=True), name


def test_memory_that_runs_out_in_a_job_is_recorded(data: Path, monkeypatch, capsys) -> None:
    from nn_experiments.engine.ensemble import graphs

    job = Job(
        ExperimentProblem(tiny(dtype="float64"), str(data), official=False),
        0,
        "backward",
        "curves",
        (1, 2, 3),
        last=3,
        engine="ensemble",
        chunk=3,
    )
    right = run_job(job)
    true = graphs.sweep

    def scarce(form, step, batches, state, now, wide):
        if now.live == 3:
            raise torch.OutOfMemoryError("injected")
        true(form, step, batches, state, now, wide)

    monkeypatch.setattr(graphs, "sweep", scarce)
    found = run_job(job)
    assert (right.meta["chunk"], "halved" in right.meta) == (3, False)
    assert (found.meta["chunk"], found.meta["halved"]) == (2, [3])
    assert "out of memory with 3 chains" in capsys.readouterr().err
    for name, values in right.values.items():
        assert np.allclose(values, found.values[name], rtol=1e-9, atol=0), name


def test_what_is_chosen_before_a_run_is_pinned_and_resumed(data: Path, tmp_path: Path) -> None:
    """The way of a GPU, on a device whose name is not just ``cpu``: rehearsed, pinned, whole chunks in a block."""
    words = [
        "run",
        "fig2",
        "--every",
        "1",
        "--diagnostics-every",
        "0",
        "--seeds",
        "0",
        "--orders",
        "backward",
        "--any-data",
        "--data-dir",
        str(data),
        "--device",
        "cpu:0",
        "--out",
        str(tmp_path),
    ]
    for name, value in SMALL.items():
        words += ["--set", f"{name}={value}"]
    assert main([*words, "--steps", "2", "--block-seconds", "1e-9"]) == 0
    pins = next(tmp_path.rglob(store.TUNING_FILE))
    found = json.loads(pins.read_text())["cpu"]
    assert found.pop("together") in (1, TOGETHER)
    assert found == {"chunk": 32, "convolutions": {}}
    assert sorted(path.stem for path in tmp_path.rglob("*-*.npz")) == ["0-0", "1-2"]  # not one iterate a block
    pins.write_text(json.dumps({"cpu": {"chunk": 3, "convolutions": {}}}))
    assert main([*words, "--steps", "4"]) == 0
    metas = nne.load("fig2", out=tmp_path).provenance
    assert {meta["chunk"] for meta in metas if meta.get("form")} == {32, 3}
    assert {meta["kernel"] for meta in metas} == {"ensemble"}
    assert main(["run", "--dry-run", *words[1:], "--steps", "6"]) == 0


# ---- precision ----------------------------------------------------------------------------------------------------


def test_the_precision_is_part_of_the_identity_only_where_it_is_given() -> None:
    for experiment in OLD.values():
        assert "precision" not in experiment.decides()
        assert "parts" not in experiment.decides()
    changed = OLD["mlp-fashion"].override({"precision": "bf16"})
    assert changed.decides() == OLD["mlp-fashion"].decides() | {"precision": "bf16"}
    assert changed.override({"precision": "none"}) == OLD["mlp-fashion"]
    with pytest.raises(ValueError, match="precision, unless it is none, must be one of bf16"):
        changed.override({"precision": "fp8"})
    with pytest.raises(ValueError, match="needs dtype=float32"):
        changed.override({"dtype": "float64"})


@pytest.mark.parametrize("engine", ["auto", "ensemble", "step"])
def test_bfloat16_products_run_and_differ_as_rounding_does(data: Path, engine: str) -> None:
    """bfloat16 keeps 8 bits: losses differ from float32's by more than its rounding and by less than a tenth."""
    blocks = {}
    for precision in ("none", "bf16"):
        job = Job(
            ExperimentProblem(tiny(precision=precision), str(data), official=False),
            0,
            "backward",
            "curves",
            (1, 2, 3),
            last=3,
            engine=engine,
        )
        blocks[precision] = run_job(job)
    one, two = (blocks[p].values["train_loss"] for p in ("none", "bf16"))
    assert np.isfinite(two).all()
    assert 1e-6 < float(np.abs(two / one - 1).max()) < 0.1


def test_bfloat16_steps_are_the_same_in_all_engines_to_its_rounding() -> None:
    """Within what rounding eight steps of twenty products to 8 bits amounts to."""
    step, batches, state0 = conv_problem("basic-batch", SLOW)
    single = {p: {k: v.float() if v.is_floating_point() else v for k, v in d.items()} for p, d in state0.items()}
    step.model.float()
    to_single = lambda i: type(batches(i))(batches(i).inputs.float(), batches(i).targets, i)  # noqa: E731
    experiment = tiny(precision="bf16")
    exact = double_loop(step, to_single, single, ORDERS["backward"], [8])[8]
    moved = float((whole(exact) - whole(single)).norm())
    with products(experiment, "cpu"):
        ends = [double_loop(step, to_single, single, ORDERS["backward"], [8])[8]]
        ends.append(ChannelsLastKernel(step, to_single).apply(single, range(8, 0, -1), 0))
        path = wavefront(step, to_single, ORDERS["backward"], [7, 8], single)
        ends.append(list(path)[-1][1])
        with pytest.raises(TypeError, match="no batch norm of bfloat16"):
            next(wavefront(step, to_single, ORDERS["backward"], [8], single, ensemble=Ensemble(form="vmap")))
    for end in ends:  # 2^-8 a product, some twenty of them in a row
        assert float((whole(end) - whole(exact)).norm()) < 0.1 * moved
        assert not torch.equal(whole(end), whole(exact))


def test_bfloat16_products_see_the_parameters_of_every_step() -> None:
    """Two steps in one context are two steps in contexts of their own, bitwise: autocast keeps no rounded copies."""
    step, batches, state0 = conv_problem("plain-none", Optimizer(learning_rate=0.5))
    single = {p: {k: v.float() for k, v in d.items()} for p, d in state0.items()}
    step.model.float()
    to_single = lambda i: type(batches(i))(batches(i).inputs.float(), batches(i).targets, i)  # noqa: E731
    for kernel in (ChannelsLastKernel(step, to_single), StepKernel(step, to_single)):
        with products(tiny(precision="bf16"), "cpu"):
            together = whole(kernel.apply(single, [1, 2], 0)).clone()
            state = kernel.apply(single, [1], 0)
        with products(tiny(precision="bf16"), "cpu"):
            assert torch.equal(whole(kernel.apply(state, [2], 1)), together)


def test_kernels_by_hand_do_not_pass_for_bfloat16() -> None:
    experiment = OLD["mlp-fashion"].override({"precision": "bf16"})
    assert by_autograd(None, "auto", experiment) == "step"
    assert by_autograd(conv_problem("plain-none", SLOW)[0], "auto", experiment) == "channels_last"
    assert by_autograd(None, "auto", OLD["mlp-fashion"]) == "auto"
    for kernel in ("mlp", "compiled"):
        with pytest.raises(ValueError, match="knows no precision=bf16"):
            by_autograd(None, kernel, experiment)
    step, batches, state0 = problem("classification", SGD)
    for form in ("wide", "vmap"):
        ensemble = Ensemble(form=None if form == "wide" else form)
        with products(experiment, "cpu"):
            next(wavefront(step, batches, ORDERS["backward"], [2, 3], state0, ensemble=ensemble))
        assert ensemble.form == form
        assert "autocast" in ensemble.reason
