"""The runner with a problem of two curves: lengths of blocks, what is skipped and stored, devices, what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nn_experiments.results import blocks  # noqa: E402
from nn_experiments.results.blocks import Block  # noqa: E402
from nn_experiments.runs import run as runs  # noqa: E402
from nn_experiments.runs.request import Grid, Piece, Prices  # noqa: E402
from nn_experiments.runs.run import Options, Runner, device_of  # noqa: E402

GRID = Grid(seeds=(0, 2), orders=("forward", "backward"), at=(0, 2, 4, 6, 8), last=8)


def runner_of(out: Path, *, device: str = "cpu", **options: Any) -> Runner:
    problem: Any = SimpleNamespace(
        device=device,
        name="toy",
        settings=lambda: {"identity": "abc"},
        metric_names=lambda kind, n, last: ("loss",) if n else ("loss", "start"),
    )
    return Runner(problem, GRID, Options(out=out, **options))


def piece(*at: int, seconds: float = 1.0) -> Piece:
    return Piece(0, "forward", "curves", at, at[-1], seconds)


# --- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("workers", [None, 0, 1, 9], [-1, 1.0, "1", True]),
        ("chunk", [None, 1, 9], [0, -1, 1.0]),
        ("time_limit", [None, 0, 0.5, float("inf")], [-1, float("nan"), "1"]),
        ("block_seconds", [1, 0.5, float("inf")], [0, -1, float("nan"), None]),
        ("dask", [None, "tcp://host:1"], [1, b"x"]),
    ],
)
def test_options_that_have_a_meaning(name: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert getattr(Options(out=Path("out"), **{name: value}), name) == value
    for value in bad:
        with pytest.raises((TypeError, ValueError), match=name):
            Options(out=Path("out"), **{name: value})


@pytest.mark.parametrize(
    ("options", "device", "refused"),
    [
        ({}, "cpu", ""),
        ({"workers": 5}, "cpu", ""),
        ({"workers": 1}, "cuda", ""),
        ({"workers": 0}, "cuda:1", ""),
        ({"workers": 2}, "cuda", "a GPU is used by one process, got workers=2 on cuda"),
        ({"chunk": 4}, "cpu", "chunk is for the ensemble engine, got chunk=4, engine=auto on cpu"),
        ({"chunk": 4}, "cuda", ""),
        ({"chunk": 4, "engine": "ensemble"}, "cpu", ""),
        ({"chunk": 4, "engine": "ensemble"}, "cuda", ""),
        ({"chunk": 4, "engine": "step"}, "cuda", "chunk is for the ensemble engine, got chunk=4, engine=step on cuda"),
    ],
)
def test_options_that_do_not_fit_the_device(options: dict, device: str, refused: str) -> None:
    if not refused:
        runs._check(Options(out=Path("out"), **options), device)
        return
    with pytest.raises(ValueError, match=refused):
        runs._check(Options(out=Path("out"), **options), device)


@pytest.mark.parametrize("card", [False, True])
def test_the_device_that_is_meant(card: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: card)
    plain = Options(out=Path("out"))
    assert device_of(plain) == ("cuda" if card else "cpu")
    assert device_of(replace(plain, device="cpu")) == "cpu"
    with pytest.raises(ValueError, match="unknown device 'card'; such as cpu, cuda"):
        device_of(replace(plain, device="card"))
    for name in ("cuda", "cuda:1"):
        if card:
            assert device_of(replace(plain, device=name)) == name
        else:
            with pytest.raises(ValueError, match=f"device {name}: torch finds no GPU here"):
                device_of(replace(plain, device=name))


# --- lengths of blocks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("device", "chunk", "limit", "seconds"),
    [
        ("cpu", None, None, 3.0),
        ("cpu", 2, 10.0, 3.0),  # chunks do not matter on a CPU
        ("meta", None, None, 3.0),
        ("meta", 2, None, 2 * (8 * 0.5 + 1.0)),  # two chains of eight steps and an evaluation each
        ("meta", 4, None, 4 * (8 * 0.5 + 1.0)),
        ("meta", 99, None, 5 * (8 * 0.5 + 1.0)),  # there are five iterates
        ("meta", 4, 50.0, 10.0),  # a fifth of the limit
        ("meta", 4, 100.0, 20.0),
        ("meta", 4, 5.0, 3.0),  # and never less than what was asked for
    ],
)
def test_a_block_is_the_work_of_a_chunk_on_a_card(
    device: str, chunk: int | None, limit: float | None, seconds: float, tmp_path: Path
) -> None:
    runner = runner_of(tmp_path, device=device, time_limit=limit, block_seconds=3.0)
    runner.ensemble.chunk = chunk
    assert runner._block_seconds(0.5, 1.0) == seconds
    assert runner._block_seconds(0.0) == 3.0


@pytest.mark.parametrize("asked", [None, 0, 1])
def test_a_card_is_used_by_this_process(asked: int | None, tmp_path: Path) -> None:
    """However long a run takes, and however many pieces it has; on a CPU what is asked for decides."""
    assert runner_of(tmp_path, device="meta", workers=asked).workers(1e6, 9) == 0
    assert runner_of(tmp_path, workers=1).workers(1e6, 9) == 1


# --- what is skipped ------------------------------------------------------------------------------------------------


def test_a_piece_that_somebody_else_has_written_is_not_computed(tmp_path: Path) -> None:
    """All its iterates with all metrics that it needs; it counts as done, but not as made here."""
    runner = runner_of(tmp_path)
    progress: Any = SimpleNamespace(added=[])
    progress.add = progress.added.append
    asked = piece(2, 4, 6)
    assert not runner._skipped(progress, asked)

    def write(at: list[int], *names: str) -> Path:
        return blocks.write_block(
            runner.root, 0, "forward", Block(np.array(at), {name: np.zeros(len(at)) for name in names}, {})
        )

    path = runner._path(asked)
    for at, names, there in (
        ([2, 4, 6], ["other"], False),
        ([2, 6], ["loss"], False),
        ([2, 4, 6], ["loss"], True),
        ([2, 3, 4, 6], ["loss", "other"], True),
    ):
        path.unlink(missing_ok=True)
        assert write(at, *names) == path
        progress.added.clear()
        assert runner._skipped(progress, asked) == there
        assert progress.added == [asked] * there
    path.write_bytes(b"?")
    assert not runner._skipped(progress, asked)
    first = piece(0)
    write([0], "loss")
    assert not runner._skipped(progress, first)  # iterate 0 needs another metric
    runner._path(first).unlink()
    write([0], "loss", "start")
    assert runner._skipped(progress, first)
    assert runner.made == 0


@pytest.mark.parametrize(
    ("limit", "made", "seconds", "skipped"),
    [
        (10.0, 1, 3.9, False),
        (10.0, 1, 4.0, False),  # it ends at the limit
        (10.0, 1, 4.1, True),
        (10.0, 0, 4.1, False),  # a run with any time makes one piece
        (None, 1, 1e9, False),
    ],
)
def test_a_piece_that_would_not_end_in_time_is_left(
    limit: float | None, made: int, seconds: float, skipped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six of the ten seconds have gone."""
    now = [100.0]
    monkeypatch.setattr(runs.time, "monotonic", lambda: now[0])
    runner = runner_of(tmp_path, time_limit=limit)
    now[0], runner.made = 106.0, made
    assert runner._skipped(SimpleNamespace(), piece(2, seconds=seconds)) == skipped  # type: ignore[arg-type]


# --- what is stored -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("device", "dask", "meant", "took", "left"),
    [
        ("meta", None, 8, 4, 4),  # the memory held four chains, which is noted for the blocks that follow
        ("meta", None, 8, 8, 8),
        ("meta", None, 8, 16, 8),
        ("meta", None, 8, 0, 8),
        ("meta", None, 8, None, 8),
        ("meta", None, None, 4, None),
        ("meta", "tcp://host:1", 8, 4, 8),  # another machine's memory
        ("cpu", None, 8, 4, 8),
    ],
)
def test_a_smaller_chunk_is_kept_for_what_follows(
    device: str,
    dask: str | None,
    meant: int | None,
    took: int | None,
    left: int | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pins: list[Any] = []
    monkeypatch.setattr(runs, "write_pins", lambda root, where, ensemble: pins.append((root, where, ensemble.chunk)))
    runner = runner_of(tmp_path, device=device, dask=dask)
    runner.ensemble.chunk = meant
    asked = piece(2, 4)
    unfinished = runner._path(asked).with_name("unfinished-4.pt")
    unfinished.parent.mkdir(parents=True)
    unfinished.touch()
    runner.store(asked, Block(np.array([2, 4]), {"loss": np.array([1.0, 2.0])}, {"chunk": took}))
    assert runner.ensemble.chunk == left
    assert pins == ([(runner.root, device, left)] if left != meant else [])
    assert runner.made == 1
    assert not unfinished.exists()
    (kept,) = blocks.blocks(runner.root, 0, "forward")
    assert kept.values["loss"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_job_has_what_its_piece_and_the_options_say(device: str, tmp_path: Path) -> None:
    runner = runner_of(tmp_path, device=device, engine="ensemble", chunk=3, block_seconds=7.0)
    runner.ensemble.chunk, runner.ensemble.together, runner.ensemble.convolutions = 2, 5, {"b": "x", "a": "y"}
    job = runner.job(Piece(2, "backward", "diagnostics", (4, 6), 10, 1.0))
    assert (job.problem, job.seed, job.variant, job.stream, job.at) == (
        runner.problem,
        2,
        "backward",
        "diagnostics",
        (4, 6),
    )
    assert (job.last, job.engine, job.together, job.every) == (8, "ensemble", 5, 7.0)
    assert job.chunk == (3 if device == "cpu" else 2)
    assert job.convolutions == (("a", "y"), ("b", "x"))
    assert job.unfinished is not None
    assert job.unfinished.name == "unfinished-6.pt"
    assert str(job) == "toy, seed 2, backward 4-6 (diagnostics)"
    assert str(replace(job, at=())) == "toy, seed 2, backward nothing (diagnostics)"


# --- what is said ---------------------------------------------------------------------------------------------------


def test_what_would_be_done_is_said_curve_by_curve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forward up to 8 in two blocks, the second of which begins at 4: four steps of it are taken again."""
    monkeypatch.setattr(runs, "available_cores", lambda: 4)
    runner = runner_of(tmp_path, workers=2)
    runner.prices = Prices(0.5, 2.0)
    pieces = [Piece(0, "forward", "curves", (2, 4), 4, 60.0), Piece(0, "forward", "curves", (6, 8), 8, 180.0)]
    text = runs.describe_plan(runner, pieces)
    lines = text.splitlines()
    assert lines[0] == f"toy into {tmp_path / 'abc'}"
    assert lines[1] == "  seeds 0, 2; orders forward, backward"
    assert lines[2] == "  one step 500 ms, one evaluation 2 s (measured, one thread)"
    again = "8 steps (4 more are taken again by blocks that begin within a path)"
    assert lines[3].startswith(f"  forward curves: 4 iterates, {again}, ")
    assert lines[4].startswith(f"  still to do: 2 blocks, {again}, ")
    assert lines[4].endswith("on 2")
    assert len(lines) == 5
    assert "one step" not in runs.describe_plan(runner, [])
    assert "still to do: 0 blocks, 0 steps" in runs.describe_plan(runner, [])
    assert runs._steps(pieces[:1], 8) == "4 steps"
