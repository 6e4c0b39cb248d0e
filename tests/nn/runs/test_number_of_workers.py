"""Whether a run starts worker processes, and how many: none if it is short, otherwise one per core or per block."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from nn_experiments.paper.catalogue import EXPERIMENTS  # noqa: E402
from nn_experiments.runs import executors, run  # noqa: E402
from nn_experiments.runs.progress import Progress  # noqa: E402
from nn_experiments.runs.request import Request  # noqa: E402

SMALL = EXPERIMENTS["regression-square"].override({"model": "mlp-2x12"})


def runner(out: Path, *, workers: int | None = None) -> run.Runner:
    request = Request(experiment=SMALL, seeds=(0,), orders=("forward",), steps=4)
    options = run.Options(out=out, workers=workers, device="cpu")
    return run.Runner(run._problem(request, options), request.grid, options)


@pytest.mark.parametrize(
    ("asked", "seconds", "blocks", "processes"),
    [
        (None, 0.0, 9, 0),
        (None, 19.9, 9, 0),
        (None, 20.0, 9, 4),  # as many as there are cores
        (None, 20.0, 4, 4),
        (None, 20.0, 3, 3),  # a process more would have nothing to do
        (None, 1e6, 1, 1),
        (0, 1e6, 9, 0),  # what is asked for is done, however long the run is
        (1, 0.0, 9, 1),
        (7, 0.0, 2, 7),
    ],
)
def test_workers_are_started_where_they_are_worth_it(
    asked: int | None, seconds: float, blocks: int, processes: int, tmp_path: Path, monkeypatch
) -> None:
    """On four cores. Without worker processes, one job runs at a time, in this process."""
    monkeypatch.setattr(run, "available_cores", lambda: 4)
    made: list[int] = []
    monkeypatch.setattr(executors, "process_executor", lambda count, setup: made.append(count))
    with runner(tmp_path, workers=asked)._executor(Progress(seconds, 100, blocks)) as (make, at_once):
        executor = make()
    assert made == [processes] * (processes > 0)
    assert isinstance(executor, executors.InlineExecutor) == (processes == 0)
    assert at_once() == max(1, processes)


@pytest.mark.parametrize(
    ("asked", "seconds", "text"),
    [
        (None, (40.0, 30.0), "2 blocks, 8 steps, 70 s of one core, 35 s on 2"),  # one process a block
        (None, (10.0,) * 8, "8 blocks, 32 steps, 80 s of one core, 20 s on 4"),  # one process a core
        (None, (9.0, 9.0), "2 blocks, 8 steps, 18 s of one core, 18 s on 1"),  # short
        (0, (40.0, 30.0), "2 blocks, 8 steps, 70 s of one core, 70 s on 1"),
        (3, (15.0,) * 4, "4 blocks, 16 steps, 60 s of one core, 20 s on 3"),
        (8, (20.0, 20.0), "2 blocks, 8 steps, 40 s of one core, 20 s on 2"),
        (8, (10.0,) * 8, "8 blocks, 32 steps, 80 s of one core, 20 s on 4"),
        (None, (), "0 blocks, 0 steps, 0 s of one core, 0 s on 1"),
    ],
)
def test_what_a_plan_says_of_its_duration(asked, seconds: tuple[float, ...], text: str, tmp_path, monkeypatch) -> None:
    """On four cores: as many processes as the run starts, but not more than there are cores and blocks."""
    monkeypatch.setattr(run, "available_cores", lambda: 4)
    one = runner(tmp_path, workers=asked)
    one.prices = run.Prices(0.25, 0.5, 15.0)
    pieces = [run.Piece(k, "forward", "curves", (4,), 4, spent) for k, spent in enumerate(seconds)]
    lines = run.describe_plan(one, pieces).splitlines()
    assert lines[-1] == f"  still to do: {text}"
    assert lines[:2] == [f"regression-square into {one.root}", "  seeds 0; orders forward"]
