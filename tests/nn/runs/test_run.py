"""Running: resumable after any interruption, never twice, on processes or a cluster, with the same numbers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import nn_experiments as nne  # noqa: E402
from contraction.files import replacing  # noqa: E402
from nn_experiments.cli import main  # noqa: E402
from nn_experiments.paper import catalogue, curve_names  # noqa: E402
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
    assert np.array_equal(loss[:, place["forward"], :2], loss[:, place["backward"], :2])  # T_1 θ0 is both
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
        list(executors.run_all(executors.InlineExecutor, lambda x: 1 / x, [1, 0, 2], at_once=1))


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    text = capsys.readouterr().out
    assert all(f"fig{k} " in text for k in range(2, 20))
    assert main(["list", "fig7"]) == 0
    text = capsys.readouterr().out
    assert "batch 8, sgd with learning rate 0.001" in text
    assert "scaling = unit: left open" in text
    assert "run fig7 --set FIELD=VALUE" in text
    assert "backward 2,001,000" in text
    small = ["run", "fig5", "--seeds", "0", "--steps", "6", "--set", "model=mlp-1x4", "--out", str(tmp_path)]
    assert main([*small, "--dry-run"]) == 0
    assert "backward curves: 7 iterates, 21 steps" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
    assert main([*small, "--orders", "backward", "windowed:3"]) == 0
    assert "complete" in capsys.readouterr().out
    assert nne.load("regression-cosine", out=tmp_path).orders == ("backward", "windowed-3")
    assert main(["merge", str(tmp_path), "--out", str(tmp_path / "b")]) == 0
    assert_equal(
        nne.load("fig5", out=tmp_path, orders=["backward"]), nne.load("fig5", out=tmp_path / "b", orders=["backward"])
    )
    assert main(["data", "square"]) == 0
    assert "101 training and 100 test items" in capsys.readouterr().out


def test_a_reader_that_leaves_early_is_no_error() -> None:
    """As ``… | head`` does: nothing on standard error, and no failure."""
    command = [sys.executable, "-m", "nn_experiments", "list", "fig2"]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=root) as started:
        assert started.stdout
        assert started.stderr
        started.stdout.close()
        assert started.stderr.read() == b""
    assert started.returncode == 0


def test_every_option_states_its_default() -> None:
    from nn_experiments import cli
    from nn_experiments.report import page, plotting

    (subparsers,) = (action for action in cli._arguments()._actions if action.dest == "command")
    parsers = [subparsers.choices[name] for name in ("run", "increments", "record", "merge")]
    assert all(parser.description for parser in parsers)
    for parser in (*parsers, plotting._arguments(), page._arguments()):
        taking = [a for a in parser._actions if a.option_strings and a.nargs != 0]
        assert taking
        for action in taking:
            text = action.help % {"default": action.default} if action.help else ""
            assert re.search(r"\(default: [^()]+\)$", text), (parser.prog, action.option_strings)
            if action.default not in (None, []):
                values = action.default if isinstance(action.default, list) else [action.default]
                default = " ".join(f"{one:g}" if isinstance(one, float) else str(one) for one in values)
                assert text.endswith(f"(default: {default})"), (parser.prog, action.option_strings)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "fig99"], "no figure 'fig99'; the known ones are fig2"),
        (["run", "fig4", "--orders", "sideways"], "unknown order 'sideways'; the known ones are forward"),
        (["run", "fig4", "--set", "speed=3"], "no field 'speed'; the known ones are data, model"),
        (["run", "fig4", "--set", "batch_size=many"], "batch_size is of type int, got 'many'"),
        (["run", "fig4", "--set", "scaling=loud"], "scaling must be one of unit, standard"),
        (["run", "fig4", "--set", "model=mlp"], "unknown model 'mlp'"),
        (["run", "fig4", "--steps", "0"], "steps >= 1"),
        (["run", "fig4", "--workers", "-1"], "workers must be at least 0, got -1"),
        (["run", "fig4", "--chunk", "0"], "chunk must be at least 1, got 0"),
        (
            ["run", "fig4", "--chunk", "2", "--device", "cpu"],
            "ensemble engine, got chunk=2, engine=auto on cpu",
        ),
        (["run", "fig4", "--time-limit", "-1"], "time_limit must be at least 0, got -60"),
        (["run", "fig4", "--block-seconds", "0"], "block_seconds must be positive"),
        (["run", "fig4", "--device", "abacus"], "unknown device 'abacus'"),
        pytest.param(
            ["run", "fig4", "--device", "cuda"],
            "torch finds no GPU here",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU"),
        ),
        (["run", "fig4", "--seeds", "-3"], "the seed must be an integer of at least 0"),
        (["run", "fig7", "--data-dir", "/nowhere"], "the data folder /nowhere does not exist"),
        (["merge", "/nowhere"], "there is no folder /nowhere"),
    ],
)
def test_mistakes_on_the_command_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--out", str(tmp_path)]) == 1
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_catalogue_holds_the_papers_settings() -> None:
    table = {
        "fig2": ("cifar10", "resnet18", 8, 0.025, 2000),
        "fig3": ("fashion_mnist", "mlp-5x500", 8, 0.001, 2000),
        "fig4": ("square", "mlp-3x300", 1, 0.05, 1400),
        "fig5": ("cosine", "mlp-3x300", 1, 0.02, 1400),
        "fig6": ("cube", "mlp-3x300", 1, 0.02, 1400),
        "fig7": ("fashion_mnist", "mlp-5x500", 8, 0.001, 2000),
        "fig8": ("cifar10", "vgg19", 8, 0.001, 2000),
        "fig9": ("cifar100", "resnet50", 16, 0.001, 2000),
        "fig10": ("fashion_mnist", "mlp-5x500", 8, 0.001, 2000),
        "fig11": ("cifar10", "resnet18", 8, 0.025, 25_000),
        "fig12": ("cifar10", "resnet18", 8, 0.025, 2000),
        "fig13": ("fashion_mnist", "mlp-5x500", 8, 0.001, 2000),
    }
    for name, (data, model, batch, rate, steps) in table.items():
        figure = FIGURES[name]
        e = EXPERIMENTS[figure.experiment]
        assert (e.data, e.model, e.batch_size, e.optimizer.learning_rate) == (data, model, batch, rate)
        assert (e.optimizer.method, e.optimizer.weight_decay, figure.steps) == ("sgd", 0, steps)
    assert FIGURES["fig3"].orders == FIGURES["fig13"].orders == ("forward", "reset-1000")
    assert FIGURES["fig10"].orders == ("forward", "late-1000")
    assert FIGURES["fig12"].experiment == FIGURES["fig2"].experiment
    assert catalogue.find("7") is FIGURES["fig7"]


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


def test_the_number_of_cores_is_known_where_linux_is_not(monkeypatch, capsys) -> None:
    """macOS and Windows have no ``os.sched_getaffinity``."""
    from nn_experiments.cores import available_cores

    assert available_cores() == len(os.sched_getaffinity(0))
    monkeypatch.delattr(os, "sched_getaffinity")
    assert available_cores() == os.cpu_count()
    assert main(["list"]) == 0
    assert "fig4" in capsys.readouterr().out
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available_cores() == 1


def test_a_dry_run_needs_no_data_and_counts_what_list_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the data is not there, steps are timed on random images; nothing is downloaded or written."""
    from nn_experiments.datasets import sources
    from nn_experiments.datasets.errors import MissingData
    from nn_experiments.paper.cost import figure_seconds

    def missing(name: str, folder: object, *, download: bool, **_: object) -> None:
        assert not download
        raise MissingData(f"{name} is missing")

    monkeypatch.setattr(sources, "load", missing)
    tiny = ["--set", "model=mlp-1x4", "--set", "train_evaluation=50", "--set", "test_evaluation=50"]
    assert main(["run", "fig7", "--seeds", "0", "--steps", "10", "--dry-run", "--out", str(tmp_path), *tiny]) == 0
    text = capsys.readouterr().out
    assert "the data is not here: steps were timed on random images" in text
    assert "backward curves: 11 iterates, 55 steps" in text
    assert list(tmp_path.iterdir()) == []
    for name in ("digits", "fig3", "fig10", "fig14"):  # with shared iterates, policies of appendix D, diagnostics
        figure = FIGURES[name]
        request = Request.of(figure, EXPERIMENTS[figure.experiment])
        missing_of = missing_iterates(request.grid, None, lambda kind, n: metric_names(kind, 0, n, 10))
        whole = cut(missing_of, figure.steps, Prices(1e-9, 0.0, 1e9))
        assert figure_seconds(figure, EXPERIMENTS[figure.experiment], 1e9)[0] == sum(piece.maps for piece in whole)


def test_errors_of_the_operating_system_name_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "below"
    assert main(["run", "fig4", "--seeds", "0", "--steps", "2", "--set", "model=mlp-1x2", "--out", str(out)]) == 1
    assert str(out) in capsys.readouterr().err
    with pytest.raises(OSError, match=r"No space left on device: .*block\.npz"), replacing(tmp_path / "block.npz"):
        raise OSError(28, "No space left on device")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
