"""`python -m nn_experiments run`, `list` and `merge`: their output, their options and their refusals."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import nn_experiments as nne  # noqa: E402
from contraction.files import replacing  # noqa: E402
from nn_experiments.cli import main  # noqa: E402
from nn_experiments.paper import catalogue  # noqa: E402
from nn_experiments.paper.catalogue import EXPERIMENTS, FIGURES  # noqa: E402
from nn_experiments.results.curves import metric_names  # noqa: E402
from nn_experiments.runs.request import Prices, Request, cut, missing_iterates  # noqa: E402
from tests.nn.synthetic_results import assert_equal  # noqa: E402


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
        (["run", "fig4", "--steps", "0"], "steps must be an integer >= 1, got 0"),
        (["run", "fig4", "--workers", "-1"], "workers must be an integer of at least 0, got -1"),
        (["run", "fig4", "--chunk", "0"], "chunk must be an integer of at least 1, got 0"),
        (
            ["run", "fig4", "--chunk", "2", "--device", "cpu"],
            "ensemble engine, got chunk=2, engine=auto on cpu",
        ),
        (["run", "fig4", "--time-limit", "-1"], "time_limit must be a number >= 0, got -60"),
        (["run", "fig4", "--block-seconds", "0"], "block_seconds must be a number > 0, got 0"),
        (["run", "fig4", "--device", "abacus"], "unknown device 'abacus'"),
        pytest.param(
            ["run", "fig4", "--device", "cuda"],
            "torch finds no GPU here",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU"),
        ),
        (["run", "fig4", "--seeds", "-3"], "the seed must be an integer of at least 0"),
        (["run", "fig4", "--seeds", "4294967296"], "the seed must be below 2^32"),
        (["run", "fig4", "--device", "meta"], "unknown device 'meta'"),
        (["run", "fig4", "--dtype", "float32", "--set", "dtype=float64"], "--dtype float32 contradicts --set dtype="),
        (["run", "fig4", "--no-baselines", "--orders", "forward", "ema-0.9"], "leaves out what --orders asks for: ema"),
        (["run", "fig4", "--dask", ""], "dask must be the address of a scheduler, such as 'tcp://host:8786', got ''"),
        (["run", "fig4", "--dask", "tcp://host:1", "--workers", "2"], "workers are processes of this machine"),
        (["run", "fig7", "--data-dir", "/nowhere"], "the data folder /nowhere does not exist"),
        (["run", "fig7", "--data-dir", __file__], f"the data folder {__file__} is not a folder"),
        (["run", "digit"], "digits. Did you mean digits?"),
        (["merge", "/nowhere"], "there is no folder /nowhere"),
    ],
)
def test_mistakes_on_the_command_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--out", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_too_little_memory_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is wrong with the words: a larger machine could do it."""
    assert main(["run", "digits", "--set", "batch_size=1000000000000000", "--out", str(tmp_path)]) == 1
    assert "there is not enough memory for this" in capsys.readouterr().err
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
    assert main(["run", "fig4", "--seeds", "0", "--steps", "2", "--set", "model=mlp-1x2", "--out", str(out)]) == 2
    assert str(out) in capsys.readouterr().err
    with pytest.raises(OSError, match=r"No space left on device: .*block\.npz"), replacing(tmp_path / "block.npz"):
        raise OSError(28, "No space left on device")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
