"""Running: resumable after any interruption, never twice, on processes or a cluster, with the same numbers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import nn_experiments as nne  # noqa: E402
from nn_experiments.paper import curve_names  # noqa: E402
from nn_experiments.paper.catalogue import EXPERIMENTS, FIGURES  # noqa: E402
from nn_experiments.results.curves import metric_names  # noqa: E402
from nn_experiments.runs import executors  # noqa: E402
from nn_experiments.runs.job import run_job  # noqa: E402
from nn_experiments.runs.request import Prices, Request, cut, missing_iterates  # noqa: E402
from nn_experiments.runs.run import Options, run  # noqa: E402
from tests.nn.synthetic_results import assert_equal  # noqa: E402

SMALL = EXPERIMENTS["regression-square"].override({"model": "mlp-2x12"})
REQUEST = Request(
    experiment=SMALL,
    seeds=(0, 1),
    orders=("forward", "backward", "reset-10", "late-10", "polyak", "ema-0.9", "decayed-5"),
    steps=24,
    diagnostics_every=8,
)


def options(out: Path, **more) -> Options:
    return Options(**({"out": out, "workers": 0, "block_seconds": 0.002} | more))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> nne.Curves:
    """The small request, run at one go in one process."""
    outcome = run(REQUEST, options(tmp_path_factory.mktemp("whole"), block_seconds=1e9))
    assert outcome.missing == 0
    return nne.load(outcome.root)


def test_what_is_recorded(whole: nne.Curves) -> None:
    assert whole["train_loss"].shape == (2, 7, 25)
    assert np.isfinite(whole["train_loss"]).all()
    assert whole.complete("train_loss", range(25))
    assert not whole.recorded["newest_batch_loss"][:, :, 0].any()
    assert whole.recorded["newest_batch_loss"][:, :, 1:].all()
    place = {name: k for k, name in enumerate(whole.orders)}
    loss, newest, outer = (whole[f"{m}"] for m in ("train_loss", "newest_batch_loss", "outermost_batch_loss"))
    assert np.array_equal(newest[:, place["forward"], 1:], outer[:, place["forward"], 1:])
    assert not np.array_equal(newest[:, place["backward"], 1:], outer[:, place["backward"], 1:])
    assert np.array_equal(loss[:, place["forward"], :2], loss[:, place["backward"], :2])  # T_1 θ_0 is both
    assert np.array_equal(loss[:, place["reset-10"], :11], loss[:, place["backward"], :11])
    assert np.array_equal(loss[:, place["late-10"], :12], loss[:, place["forward"], :12])
    assert not np.array_equal(loss[:, place["reset-10"], 12:], loss[:, place["backward"], 12:])
    n, steps = whole.path("parameter_increment", seed=0, order="forward")
    assert n.tolist() == [0, 8, 16]
    assert (steps > 0).all()
    assert len(whole.path("parameter_increment", seed=0, order="polyak")[0]) == 0
    apart = whole.path("parameter_independent", seed=0, order="forward")[1]
    assert apart[0] == 0 < apart[1]
    coupled = whole.path("parameter_coupling", seed=0, order="backward")[1]
    assert coupled[0] > 1
    assert whole.experiment["to_last"] == 24
    assert whole.experiment["decides"]["fingerprint"] == "1808255b9ec2821c"
    assert len(whole.provenance) == 1


def test_curves_are_what_the_public_door_measures(whole: nne.Curves) -> None:
    """An independent path: plain tensors, a plain loss function, and `iterates`."""
    from nn_experiments.runs.setup import prepare

    place = prepare(SMALL, 1)
    x, y = (torch.linspace(-1, 1, 101)[:, None], torch.linspace(-1, 1, 101)[:, None] ** 2)

    def loss(state):
        with torch.no_grad():
            return ((torch.func.functional_call(place.model, state["parameters"], (x,)) - y) ** 2).mean()

    for order in ("backward", "reset-10"):
        word = curve_names.parse(order).order
        path = nne.iterates(place.step, place.batches, place.state0, word, [5, 17, 24], {"loss": loss}, engine="step")
        found = whole["train_loss"][1, whole.orders.index(order), [5, 17, 24]]
        assert np.allclose(path["loss"], found, rtol=1e-4)
        assert path.diverged is None
        text = f"Trajectory(3 iterates from 5 to 24, metrics loss, {path.applications} maps applied, engine step)"
        assert repr(path) == text


def test_however_it_is_cut_and_resumed_the_numbers_are_the_same(tmp_path: Path, whole: nne.Curves) -> None:
    """One order at a time, then fewer steps, then a coarse grid, then all; and lost blocks are made again."""
    for part in (
        replace(REQUEST, orders=("backward",), steps=13),
        replace(REQUEST, seeds=(1,), every=5),
        replace(REQUEST, seeds=(0,), orders=("ema-0.9", "late-10"), diagnostics_every=0),
        REQUEST,
    ):
        outcome = run(part, options(tmp_path))
        assert outcome.missing == 0
    assert_equal(nne.load(outcome.root), whole)
    lost = sorted(outcome.root.glob("*/*/*.npz"))[::3]
    for path in lost:
        path.unlink()
    assert run(REQUEST, options(tmp_path, block_seconds=0.01)).made > 0
    assert_equal(nne.load(outcome.root), whole)


def test_diagnostics_are_the_distances_they_say(whole: nne.Curves) -> None:
    """Each again from states made by the plain double loop."""
    from nn_experiments.engine.loop import double_loop
    from nn_experiments.runs.setup import prepare
    from nn_experiments.training.metrics import parameter_distance

    place = prepare(SMALL, 1)
    for name in ("backward", "reset-10"):
        order = curve_names.parse(name).order
        states = double_loop(place.step, place.batches, place.state0, order, [16, 17, 24])
        twin = double_loop(place.step, place.batches, place.second, order, [16])[16]
        apart = double_loop(place.step, place.other_batches, place.state0, curve_names.parse("forward").order, [16])[16]
        predictions = {n: place.evaluation.predictions(state) for n, state in states.items()}
        right = {
            "parameter_increment": parameter_distance(states[16], states[17]),
            "function_increment": float((predictions[16] - predictions[17]).double().square().mean().sqrt()),
            "parameter_coupling": parameter_distance(states[16], twin),
            "parameter_independent": parameter_distance(states[16], apart),
            "parameter_to_last": parameter_distance(states[16], states[24]),
            "function_to_last": float((predictions[16] - predictions[24]).double().square().mean().sqrt()),
        }
        for metric, value in right.items():
            n, found = whole.path(metric, seed=1, order=name)
            assert np.isclose(found[n.tolist().index(16)], value, rtol=2e-3), (name, metric)


def test_a_finished_run_is_not_repeated(tmp_path: Path) -> None:
    request = replace(REQUEST, seeds=(0,), orders=("backward",))
    first = run(request, options(tmp_path))
    files = {path: path.stat().st_mtime_ns for path in first.root.rglob("*.npz")}
    again = run(request, options(tmp_path))
    assert first.made > 0 == again.made == again.missing
    assert files == {path: path.stat().st_mtime_ns for path in first.root.rglob("*.npz")}


@pytest.mark.parametrize("engine", ["step", "mlp", "ensemble"])
def test_every_engine_gives_these_numbers_to_rounding(tmp_path: Path, whole: nne.Curves, engine: str) -> None:
    """In float32, 24 steps of relative rounding 6e-8 · 100 each, doubled at most at every third step: 2e-3."""
    outcome = run(REQUEST, options(tmp_path, engine=engine, block_seconds=1e9))
    found = nne.load(outcome.root)
    assert found.orders == whole.orders
    for name in ("train_loss", "test_loss", "newest_batch_loss", "parameter_coupling", "parameter_norm"):
        assert np.allclose(found[name], whole[name], rtol=2e-3, atol=1e-7, equal_nan=True), name
    assert {maker["kernel"] for maker in found.provenance} >= {engine}
    assert all(len(maker["revision"]) >= 5 for maker in found.provenance)


def test_a_time_limit_leaves_the_rest_for_later(tmp_path: Path, whole: nne.Curves) -> None:
    outcome = run(REQUEST, options(tmp_path, time_limit=0.0))
    assert outcome.made == 0 < outcome.missing
    assert run(REQUEST, options(tmp_path)).missing == 0
    assert_equal(nne.load(outcome.root), whole)


def test_divergence_is_recorded_and_stops_nobody_else(tmp_path: Path) -> None:
    wild = SMALL.override({"optimizer.learning_rate": "30"})
    request = Request(experiment=wild, seeds=(0, 1), orders=("forward", "backward"), steps=40, diagnostics_every=10)
    outcome = run(request, options(tmp_path))
    assert outcome.missing == 0
    curves = nne.load(outcome.root)
    assert curves.recorded["train_loss"].all()
    first = {(s, o): curves.diverged(seed=s, order=o) for s in (0, 1) for o in curves.orders}
    assert any(n is not None and 1 < n <= 40 for n in first.values())
    for (s, o), n in first.items():
        if n is not None:  # iterate 0 is sound, though its distance to the last iterate is not a number
            assert np.isnan(curves.path("parameter_to_last", seed=s, order=o)[1]).all()
            before = curves.path("train_loss", seed=s, order=o)[1][:n]
            assert n > 1
            assert np.isfinite(before).all()
    assert run(request, options(tmp_path)).made == 0


def test_an_identity_is_what_decides_the_numbers(tmp_path: Path) -> None:
    roots = [
        run(Request(experiment=experiment, seeds=(0,), orders=("forward",), steps=2), options(tmp_path)).root
        for experiment in (
            SMALL,
            replace(SMALL, name="another name", notes={}),
            SMALL.override({"dtype": "float64"}),
            SMALL.override({"batch_size": "2"}),
            SMALL.override({"sampling": "reshuffle"}),
            SMALL.override({"data": "cube"}),
            SMALL.override({"learning_rate": "0.04"}),
            SMALL.override({"optimizer.schedule.kind": "cosine", "optimizer.schedule.horizon": "30"}),
            SMALL.override({"optimizer.method": "adam", "optimizer.betas": "0.8,0.99"}),
        )
    ]
    assert roots[0] == roots[1]
    assert len(set(roots)) == 8
    settings = json.loads((roots[0] / "experiment.json").read_text())
    assert settings["identity"] == roots[0].name


def test_an_error_in_a_job_names_it() -> None:
    with pytest.raises(executors.JobFailed, match="0 failed: ZeroDivisionError"):
        list(executors.run_all(executors.InlineExecutor, lambda x: 1 / x, [1, 0, 2], at_once=lambda: 1))


def test_pieces_cover_what_is_wanted_exactly_once() -> None:
    for block_seconds in (1e-3, 0.02, 1e9):
        missing = missing_iterates(REQUEST.grid, None, lambda kind, n: metric_names(kind, 0, n, 24))
        pieces = cut(missing, 24, Prices(1e-3, 1e-4, block_seconds))
        seen: dict[tuple, list[int]] = {}
        for piece in pieces:
            seen.setdefault((piece.seed, piece.variant, piece.stream), []).extend(piece.at)
        for seed in (0, 1):
            assert sorted(seen[seed, "backward", "curves"]) == list(range(25))
            assert sorted(seen[seed, "reset-10", "curves"]) == list(range(11, 25))
            assert sorted(seen[seed, "late-10", "curves"]) == list(range(11, 25))
            assert sorted(seen[seed, "reset-10", "diagnostics"]) == [0, 8, 16]
        assert [piece.seconds for piece in pieces] == sorted((piece.seconds for piece in pieces), reverse=True)


def test_what_is_named_twice_is_wanted_once() -> None:
    request = Request.of(FIGURES["fig4"], SMALL, seeds=[1, 0, 1], orders=["reset:5", "forward", "reset-5"])
    assert (request.seeds, request.orders) == ((1, 0), ("reset-5", "forward"))


def test_progress_counts_work_not_blocks() -> None:
    """A third of the blocks with half of the work is 50 %; a terminal's line is rewritten, and ends with the run."""
    import io

    from nn_experiments.runs.progress import Progress, show
    from nn_experiments.runs.request import Piece

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    pieces = [Piece(0, "forward", "curves", (k,), 10, seconds) for k, seconds in enumerate((2.0, 1.0, 1.0))]
    progress, stream = Progress(4.0, 30, 3), Terminal()
    report = show(stream)
    report(progress)
    for piece in pieces:
        progress.add(piece)
        report(progress)
    first, half, _, last = stream.getvalue().split("\r")[1:]
    assert "3 blocks, 30 steps, about 4 s on 1 worker(s)" in first
    assert f"|{'█' * 10}{'·' * 10}|  50%  1/3 blocks" in half
    assert f"|{'█' * 20}| 100%  3/3 blocks" in last
    assert "done in 0 s" in last
    assert "left" not in last
    assert stream.getvalue().count("\n") == 1
    assert last.endswith("\n")


def test_a_job_is_plain_data() -> None:
    import pickle

    from nn_experiments.runs.job import Job
    from nn_experiments.runs.setup import ExperimentProblem

    job = Job(ExperimentProblem(SMALL), 0, "backward", "curves", (3, 4))
    assert (
        run_job(pickle.loads(pickle.dumps(job))).values["train_loss"].tobytes()
        == run_job(job).values["train_loss"].tobytes()
    )
