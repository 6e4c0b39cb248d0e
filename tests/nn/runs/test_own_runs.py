"""Runs of one's own: weights loaded into the model, options changed after from_torch, Ctrl-C, what a dry run says."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import contraction as ct  # noqa: E402
import nn_experiments as nne  # noqa: E402
from nn_experiments.cli import main  # noqa: E402
from nn_experiments.paper.catalogue import EXPERIMENTS, FIGURES  # noqa: E402
from nn_experiments.paper.cost import figure_seconds, span  # noqa: E402
from nn_experiments.results.run_folders import describe_runs  # noqa: E402
from nn_experiments.runs.request import Prices, Request, cut, missing_iterates, path_cost, total_cost  # noqa: E402
from tests.nn.runs.small_network import AT, MSE, Small, X, Y  # noqa: E402
from tests.nn.runs.test_interruptions import blocks, environment, interrupt  # noqa: E402


def closing_over(model: torch.nn.Module):
    """A metric that takes the structure from the user's own model, as README once did."""

    def test_loss(state: dict) -> torch.Tensor:
        return MSE(torch.func.functional_call(model, state["parameters"], (X,)), Y)

    return {"test_loss": test_loss}


@pytest.mark.parametrize("check", [True, False])
def test_weights_loaded_into_the_model_begin_no_other_run(tmp_path: Path, check: bool) -> None:
    """A metric closes over the model: its weights come from the state, so they decide nothing."""
    own = Small()
    optimizer = torch.optim.SGD(own.model.parameters(), lr=0.1)
    own.step, own.state = nne.from_torch(own.model, MSE, optimizer, check=check)
    measure = closing_over(own.model)
    first = own.run(tmp_path, [ct.Forward()], measure=measure)
    own.model.load_state_dict({name: 3 * value for name, value in own.model.state_dict().items()})
    again = own.run(tmp_path, [ct.Forward(), ct.Backward()], measure=measure)
    assert len(list(tmp_path.iterdir())) == 1
    assert (first["test_loss"] == again["test_loss"][:, :1]).all()


@pytest.mark.control
def test_a_metric_that_reads_the_loaded_weights_is_not_continued(tmp_path: Path) -> None:
    """The identity does not see them, the second look at the first steps does."""
    own = Small()
    model = own.model
    measure = {"gap": lambda state: (state["parameters"]["0.bias"] - model[0].bias).detach().norm()}
    own.run(tmp_path, [ct.Forward()], measure=measure)
    own.model.load_state_dict({name: 3 * value for name, value in own.model.state_dict().items()})
    with pytest.raises(ValueError, match="behaves differently"):
        own.run(tmp_path, [ct.Forward(), ct.Backward()], measure=measure)


@pytest.mark.control
def test_another_model_that_a_metric_closes_over_does_decide(tmp_path: Path) -> None:
    own = Small()
    teacher = torch.nn.Linear(1, 1).double()
    measure = {"far": lambda state: (MSE(teacher(X), Y) * state["parameters"]["0.bias"].sum()).detach()}
    own.run(tmp_path, [ct.Forward()], measure=measure)
    with torch.no_grad():
        teacher.weight += 1
    own.run(tmp_path, [ct.Forward()], measure=measure)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.RMSprop])
@pytest.mark.filterwarnings("ignore:the optimizer is RMSprop")
def test_a_learning_rate_changed_after_from_torch_is_refused(kind: type, check: bool) -> None:
    """On the fast path and on the slow one, before the first run and after it, by name and with both values."""
    own = Small()
    optimizer = kind(own.model.parameters(), lr=0.1)
    step, state = nne.from_torch(own.model, MSE, optimizer, check=check)
    weight = {"w": lambda s: s["parameters"]["0.weight"].norm()}
    given = (step, own.batches, state, ct.Forward(), [4], weight)
    nne.iterates(*given)
    optimizer.param_groups[0]["lr"] = 0.01
    with pytest.raises(ValueError, match=r"the optimizer's lr was 0\.1 when .* is 0\.01 now.*Call from_torch again"):
        nne.iterates(*given)
    optimizer.param_groups[0]["lr"] = 0.1
    optimizer.param_groups[0]["foreach"] = False  # how, not which
    nne.iterates(*given)
    fresh = nne.ArrayBatches(X, Y, batch_size=4, seed=1)
    optimizer.param_groups[0]["weight_decay"] = 0.5
    with pytest.raises(ValueError, match="weight_decay"):
        nne.iterates(step, fresh, state, ct.Forward(), [4], weight)


class InFile(torch.utils.data.Dataset):
    """Rows of a file, read when they are asked for."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __len__(self) -> int:
        return 24

    def __getitem__(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        table = np.load(self.path)
        return table[row, :1], table[row, 1:]


def test_a_run_into_another_folder_reads_its_data_anew(tmp_path: Path) -> None:
    """The same identity, in one process: what an earlier run has read of a file is not used again."""
    path, own = tmp_path / "rows.npy", Small()
    np.save(path, np.concatenate([X.numpy(), Y.numpy()], 1))

    def batches() -> nne.DatasetBatches:
        return nne.DatasetBatches(InFile(path), batch_size=4, seed=0)

    before = own.run(tmp_path / "one", [ct.Forward()], batches=batches())
    np.save(path, np.concatenate([X.numpy(), -Y.numpy()], 1))
    after = own.run(tmp_path / "two", [ct.Forward()], batches=batches())
    fresh = nne.iterates(own.step, batches(), own.state, ct.Forward(), list(AT), own.measure)
    assert [p.name for p in (tmp_path / "one").iterdir()] == [p.name for p in (tmp_path / "two").iterdir()]
    assert np.array_equal(after["test_loss"][0, 0], fresh["test_loss"])
    assert not np.array_equal(after["test_loss"], before["test_loss"])


SCRIPT = """
import signal, sys, torch
signal.signal(signal.SIGINT, signal.default_int_handler)
import contraction as ct
import nn_experiments as nne
torch.manual_seed(0)
x = torch.linspace(-1, 1, 24)[:, None]
model = torch.nn.Sequential(torch.nn.Linear(1, 9), torch.nn.Tanh(), torch.nn.Linear(9, 1))
step, state = nne.from_torch(model, torch.nn.functional.mse_loss, torch.optim.SGD(model.parameters(), lr=0.01))
batches = nne.ArrayBatches(x, 2 * x, batch_size=4, seed=0)
nne.run(step, batches, state, [ct.Backward()], at=range(4001), out=sys.argv[1], workers=int(sys.argv[2]),
        measure={"w": lambda s: s["parameters"]["0.weight"].norm()}, block_seconds=0.05)
"""


@pytest.mark.parametrize("workers", ["0", "1"])
def test_ctrl_c_ends_a_script_with_one_line(tmp_path: Path, workers: str) -> None:
    """What is kept is said, there is no traceback, and a shell sees status 130 (a process that ended by SIGINT)."""
    (tmp_path / "script.py").write_text(SCRIPT)
    started = subprocess.Popen(
        [sys.executable, "script.py", "out", workers],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    errors = interrupt(started, tmp_path)
    assert started.returncode in (-signal.SIGINT, 130)
    assert "Traceback" not in errors
    last = errors.strip().splitlines()[-1]
    found = re.fullmatch(r"interrupted; out/\w+ keeps the (\d+) blocks that are done, .* goes on from there", last)
    assert found, errors
    assert int(found[1]) == blocks(tmp_path)


def test_every_figure_has_one_count_of_steps() -> None:
    """`list` and the dry run count each path once, however blocks are cut; what blocks take again is beside it."""
    for figure in FIGURES.values():
        forms = [(figure, {})] + ([figure.smaller()] if figure.reduced else [])
        for form, changes in forms:
            experiment = EXPERIMENTS[form.experiment].override(changes)
            grid = Request.of(form, experiment).grid
            pieces = cut(missing_iterates(grid, None, lambda kind, n: ()), grid.last, Prices(0.05, 1.0))
            assert path_cost(pieces, grid.last) == figure_seconds(form, experiment, 1e11)[0], form.name
            assert total_cost(pieces) >= path_cost(pieces, grid.last)
    assert total_cost(pieces) > path_cost(pieces, grid.last)


def test_a_dry_run_says_what_blocks_take_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Small().run(tmp_path, [ct.Forward()], at=range(0, 41, 10), dry_run=True, block_seconds=1e-9)
    text = capsys.readouterr().out
    again = r"forward curves: 5 iterates, 40 steps \((\d+) more are taken again by blocks that begin within a path\)"
    assert 10 <= int(re.search(again, text)[1]) <= 60, text
    assert re.search(r"one step [\d.e+]+ (µs|ms|s), one evaluation [\d.e+]+ (µs|ms|s) \(measured", text)


def test_durations_have_a_unit_that_fits() -> None:
    assert [span(s) for s in (3e-5, 0.0521, 61.2, 100.0)] == ["30 µs", "52.1 ms", "61.2 s", "2 min"]


def test_runs_to_choose_from_say_when_they_were_written(tmp_path: Path) -> None:
    for width in (3, 4):
        Small(width=width).run(tmp_path, [ct.Forward()])
    lines = describe_runs(sorted(tmp_path.iterdir())).splitlines()
    assert len(lines) == 2
    assert all(re.match(r"  \w{16} \(last written \d{4}-\d\d-\d\d \d\d:\d\d\): ", one) for one in lines)


def test_list_shows_the_runs_of_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Small().run(tmp_path, [ct.Forward(), ct.Backward()])
    (root,) = tmp_path.iterdir()
    assert main(["list", "--out", str(tmp_path)]) == 0
    head, line = capsys.readouterr().out.splitlines()
    assert head.split() == ["last", "written", "experiment", "run", "ID", "seeds;", "curves"]
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\d \d\d:\d\d  network +{root.name}  0; forward, backward", line)
    assert main(["list", "--out", str(tmp_path / "none")]) == 2
    assert "none holds no runs" in capsys.readouterr().err
    assert main(["list", "fig4", "--out", str(tmp_path)]) == 2
    assert "either a figure or --out" in capsys.readouterr().err


class Rows:
    """Data that notes in a file whenever a process gets a copy of it."""

    def __init__(self, note: Path) -> None:
        self.note, self.x, self.y = note, X, Y

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        with self.note.open("a") as file:
            file.write("loaded\n")


class FromRows:
    """Batches of one's own, with seeds, over such data."""

    def __init__(self, rows: Rows, seed: int = 0) -> None:
        self.rows, self.seed = rows, seed

    def with_seed(self, seed: int) -> FromRows:
        return FromRows(self.rows, seed)

    def describe(self) -> str:
        return "rows"

    def __call__(self, i: int) -> nne.Batch:
        k = (7 * i + self.seed) % 20
        return nne.Batch(self.rows.x[k : k + 4], self.rows.y[k : k + 4], i)


def test_data_reach_a_process_once(tmp_path: Path) -> None:
    """However many blocks and seeds it computes."""
    note = tmp_path / "note"
    note.write_text("")
    found = Small().run(
        tmp_path / "out",
        [ct.Forward(), ct.Backward()],
        batches=FromRows(Rows(note)),
        seeds=(0, 1, 2),
        workers=1,
        block_seconds=1e-6,
    )
    assert found["test_loss"].shape == (3, 2, 5)
    assert blocks(tmp_path) > 12
    assert note.read_text().splitlines() == ["loaded"]
