"""Runs: the missing iterates are computed in blocks, on all cores; a run can be interrupted and resumed at any time."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import torch

from contraction.arguments import check_integer, check_positive
from nn_experiments.cores import available_cores
from nn_experiments.datasets import MissingData, load_dataset
from nn_experiments.paper.cost import clock, span
from nn_experiments.results import blocks
from nn_experiments.results.blocks import Block
from nn_experiments.runs import executors
from nn_experiments.runs.autotune import pinned, write_pins
from nn_experiments.runs.job import Job, run_job
from nn_experiments.runs.problem import Problem
from nn_experiments.runs.progress import Progress
from nn_experiments.runs.rates import measure_rates
from nn_experiments.runs.request import Grid, Piece, Prices, Request, cut, missing_iterates, path_cost, total_cost
from nn_experiments.runs.setup import ExperimentProblem
from nn_experiments.runs.unfinished import unfinished_path

__all__ = ["Options", "Outcome", "Runner", "device_of", "foresee", "run"]

#: A run that takes fewer seconds than this is done in this process, since starting workers would take longer.
SHORT = 20.0
#: Makes an executor, again if a worker broke it; and counts the jobs that run there at once.
Executors: TypeAlias = tuple[Callable[[], Executor], Callable[[], int]]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a request is run; the numbers do not depend on it, except by rounding.

    Attributes
    ----------
    out
        Output folder.
    workers
        Number of worker processes; 0 runs in this process (default: one per core; 0 if the run is short).
    engine, device, chunk
        As in `nn_experiments.iterates`; the device ``auto`` is ``cuda`` if this machine has a GPU.
    data_dir, official
        As in `load_dataset`.
    time_limit
        Seconds after which no new block is started (default: no limit).
    dask
        Address of a dask.distributed scheduler (default: none).
    block_seconds
        About how many seconds of work are lost if a worker is killed (default: 15), or the seconds between two recorded
        iterates if these are more. On a GPU it is the work of a chunk of chains; with Dask, or for an average or a
        policy, that of a path up to the last iterate of a block.
    """

    out: Path
    workers: int | None = None
    engine: str = "auto"
    device: str = "auto"
    chunk: int | None = None
    data_dir: str | None = None
    official: bool = True
    time_limit: float | None = None
    dask: str | None = None
    block_seconds: float = 15.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name, least in (("workers", 0), ("chunk", 1)):
            value = getattr(self, name)
            if value is not None:
                check_integer(name, value, least)
        if self.time_limit is not None:
            check_positive("time_limit", self.time_limit, zero=True, infinite=True)
        check_positive("block_seconds", self.block_seconds, infinite=True)
        if self.dask is not None:
            expected = f"dask must be the address of a scheduler, such as 'tcp://host:8786', got {self.dask!r}"
            if not isinstance(self.dask, str):
                raise TypeError(expected)
            if not self.dask:
                raise ValueError(expected)
            if self.workers is not None:
                raise ValueError(f"workers are processes of this machine, and dask has its own: got {self.workers} too")


@dataclass(frozen=True)
class Outcome:
    """The outcome of a run: its folder and run ID, blocks computed, blocks still missing, and seconds."""

    root: Path
    identity: str
    made: int
    missing: int
    seconds: float


class Runner:
    """One run of a problem: the missing blocks are planned, submitted and stored.

    Parameters
    ----------
    problem
        What is trained.
    grid
        The requested numbers.
    options
        How they are computed.
    report
        Called with the progress, at the beginning and after every block (default: None).
    setup
        Called by every worker process before its first job (default: None).
    """

    def __init__(
        self,
        problem: Problem,
        grid: Grid,
        options: Options,
        *,
        report: Callable[[Progress], None] | None = None,
        setup: Callable[[], object] | None = None,
    ) -> None:
        _check(options, problem.device)
        self.begin = time.monotonic()
        self.deadline = None if options.time_limit is None else self.begin + options.time_limit
        self.problem, self.grid, self.options, self.report, self.setup = problem, grid, options, report, setup
        self.on_cpu = problem.device == "cpu"
        self.settings = problem.settings()
        self.root = options.out / self.settings["identity"]
        self.ensemble = pinned(self.root, problem.device, chunk=options.chunk)
        self.made = 0

    def run(self) -> Outcome:
        """Compute the missing iterates and write them block by block."""
        pieces = self.plan()
        progress = Progress(sum(piece.seconds for piece in pieces), total_cost(pieces), len(pieces))
        for piece, block in self.submit(pieces, progress):
            self.store(piece, block)
            self.show(progress, piece)
        left = len(pieces) - progress.done_blocks
        return Outcome(self.root, self.settings["identity"], self.made, left, time.monotonic() - self.begin)

    def plan(self) -> list[Piece]:
        """Check that the data is available, and return the missing iterates in pieces for the speed of this machine."""
        missing = missing_iterates(self.grid, self.root, self._metric_names)
        for kind in blocks.KINDS:
            self.problem.require(kind, sorted({seed for seed, _, k in missing if k == kind}), self.grid.last)
        if not missing:
            return []
        return cut(missing, self.grid.last, self.tune())

    def tune(self) -> Prices:
        """Check determinism, and time a step and an evaluation; on a GPU, also choose how chains are batched."""
        with self.problem.arithmetic():
            setup = self.problem.prepare(self.grid.seeds[0])
            engine, chains = self.options.engine, len(self.grid.at)
            step, evaluation = measure_rates(
                setup, self.problem.device, self.ensemble, engine=engine, chains=chains, last=self.grid.last
            )
        self.prices = Prices(step, evaluation, self._block_seconds(step, evaluation))
        return self.prices

    def submit(self, pieces: Sequence[Piece], progress: Progress) -> Iterator[tuple[Piece, Block]]:
        """Yield pieces with their blocks as they are finished."""
        if not pieces:
            return
        blocks.write_settings(self.root, self.settings)
        if not self.on_cpu:
            write_pins(self.root, self.problem.device, self.ensemble)
        with self._executor(progress) as (make, at_once):
            progress.workers = at_once()
            self.show(progress)
            skip = functools.partial(self._skipped, progress)
            yield from executors.run_all(
                make, run_job, pieces, at_once=at_once, job=self.job, skip=skip, deadline=self.deadline
            )

    def store(self, piece: Piece, block: Block) -> None:
        """Write a block; if less than the chunk fitted into memory, later blocks start with the smaller chunk."""
        blocks.write_block(self.root, piece.seed, piece.variant, block, kind=piece.stream)
        unfinished_path(self._path(piece)).unlink(missing_ok=True)
        self.made += 1
        chunk = block.meta.get("chunk")
        fewer = isinstance(chunk, int) and 0 < chunk < (self.ensemble.chunk or 0)
        if isinstance(chunk, int) and fewer and not self.on_cpu and not self.options.dask:
            self.ensemble.chunk = chunk
            write_pins(self.root, self.problem.device, self.ensemble)

    def show(self, progress: Progress, piece: Piece | None = None) -> None:
        """Count a finished piece, and report."""
        if piece is not None:
            progress.add(piece)
        if self.report:
            self.report(progress)

    def job(self, piece: Piece) -> Job:
        """Return the job of a piece, with the current choices of chunk and convolutions."""
        return Job(
            self.problem,
            piece.seed,
            piece.variant,
            piece.stream,
            piece.at,
            last=self.grid.last,
            engine=self.options.engine,
            chunk=self.options.chunk if self.on_cpu else self.ensemble.chunk,
            convolutions=tuple(sorted(self.ensemble.convolutions.items())),
            together=self.ensemble.together,
            unfinished=None if self.options.dask else unfinished_path(self._path(piece)),
            every=self.options.block_seconds,
        )

    def _path(self, piece: Piece) -> Path:
        return blocks.block_path(self.root, piece.seed, piece.variant, piece.stream, piece.at[0], piece.at[-1])

    def _metric_names(self, kind: str, n: int) -> tuple[str, ...]:
        return self.problem.metric_names(kind, n, self.grid.last)

    def _executor(self, progress: Progress) -> contextlib.AbstractContextManager[Executors]:
        """Return functions that make executors, and that count the jobs that they run at once now."""
        if self.options.dask:
            return executors.dask_executor(self.options.dask, self.setup)
        workers = self.workers(progress.seconds, progress.blocks)
        if workers:
            make: Callable[[], Executor] = functools.partial(executors.process_executor, workers, self.setup)
        else:
            make = executors.InlineExecutor
        return contextlib.nullcontext((make, lambda: max(1, workers)))

    def workers(self, seconds: float, count: int) -> int:
        """Return how many worker processes compute so many pieces, which take so long in all; 0 is this process."""
        if not self.on_cpu:
            return 0  # a GPU is used by this process
        if self.options.workers is not None:
            return self.options.workers
        return 0 if seconds < SHORT else min(count, available_cores())

    def _skipped(self, progress: Progress, piece: Piece) -> bool:
        """Whether not to start a piece: it would not end in time, or another process has written it meanwhile."""
        if self.deadline is not None and self.made and time.monotonic() + piece.seconds > self.deadline:
            return True  # a shorter piece may end in time
        path = self._path(piece)
        if not path.exists():
            return False
        with contextlib.suppress(blocks.BrokenBlock):
            block = blocks.read_block(path)
            needed = self._metric_names(piece.stream, piece.at[0])
            if set(piece.at) <= set(block.iterate.tolist()) and set(needed) <= set(block.values):
                self.show(progress, piece)
                return True
        return False

    def _block_seconds(self, step: float, evaluation: float = 0.0) -> float:
        """Return the seconds of a block; on a GPU, those of a whole chunk of the longest chains, with evaluations.

        With a time limit, a block is at most a fifth of the limit, since an unfinished block is lost.
        """
        options, chunk = self.options, self.ensemble.chunk
        if self.on_cpu or chunk is None:
            return options.block_seconds
        whole = min(chunk, len(self.grid.at)) * (self.grid.last * step + evaluation)
        if options.time_limit is not None:
            whole = min(whole, options.time_limit / 5)
        return max(options.block_seconds, whole)


def run(request: Request, options: Options, *, report: Callable[[Progress], None] | None = None) -> Outcome:
    """Compute the missing iterates of a request and write them block by block.

    If nothing is missing, only the folder is read. The same call resumes an interrupted run. Two calls may use the same
    folder at the same time; they share most of the work.

    Raises
    ------
    NotDeterministic
        If the step is not a pure function.
    JobFailed
        If a block cannot be computed.
    MissingData
        If the data set is missing and cannot be downloaded.
    DataError
        If the data is truncated or altered, or a data subset lacks an image that is needed.
    ValueError
        If the device does not exist, or ``chunk`` is given and the engine is not the ensemble.
    """
    return Runner(_problem(request, options), request.grid, options, report=report).run()


def foresee(request: Request, options: Options) -> str:
    """Return a description of what a run would do, with times for this machine; nothing is written or downloaded."""
    problem = _problem(request, options)
    try:
        load_dataset(request.experiment.data, data_dir=options.data_dir, official=options.official, download=False)
    except MissingData:
        problem = replace(problem, random_data=True)
    runner = Runner(problem, request.grid, options)
    lines = [describe_plan(runner, runner.plan())]
    if problem.random_data:
        lines.append("  the data is not here: steps were timed on random images of the same size")
    return "\n".join(lines)


def describe_plan(runner: Runner, pieces: Sequence[Piece]) -> str:
    """Return a description of what a run would do."""
    grid, device = runner.grid, runner.problem.device
    seconds = sum(piece.seconds for piece in pieces)
    workers = max(1, min(runner.workers(seconds, len(pieces)), len(pieces), available_cores()))
    lines = [
        f"{runner.problem.name} into {runner.root}",
        f"  seeds {', '.join(map(str, grid.seeds))}; orders {', '.join(grid.orders)}",
    ]
    if pieces:
        step, evaluation = runner.prices.step, runner.prices.evaluation
        lines.append(f"  one step {span(step)}, one evaluation {span(evaluation)} (measured, one thread)")
    by_order: dict[str, list[Piece]] = {}
    for piece in pieces:
        by_order.setdefault(f"{piece.variant} {piece.stream}", []).append(piece)
    for name, part in sorted(by_order.items()):
        count, spent = sum(len(piece.at) for piece in part), sum(piece.seconds for piece in part)
        lines.append(f"  {name}: {count} iterates, {_steps(part, grid.last)}, {clock(spent)}")
    where = f"of one core, {clock(seconds / workers)} on {workers}" if device == "cpu" else f"on {device}"
    lines.append(f"  still to do: {len(pieces)} blocks, {_steps(pieces, grid.last)}, {clock(seconds)} {where}")
    return "\n".join(lines)


def _steps(pieces: Sequence[Piece], last: int) -> str:
    """Return how many steps pieces take: those of `list`, and those that blocks within a path take again."""
    once = path_cost(pieces, last)
    again = total_cost(pieces) - once
    return f"{once:,} steps" + (
        f" ({again:,} more are taken again by blocks that begin within a path)" if again else ""
    )


def _problem(request: Request, options: Options) -> ExperimentProblem:
    device = device_of(options)  # checked before the data is loaded, which may mean a download
    _check(options, device)
    return ExperimentProblem(request.experiment, options.data_dir, options.official, device)


def device_of(options: Options) -> str:
    """Return the name of the device; ``auto`` is replaced by ``cuda`` or ``cpu``.

    Raises
    ------
    ValueError
        If the device is unknown, or this machine does not have it.
    """
    if options.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(options.device).type
    except RuntimeError:
        kind = ""
    if kind not in ("cpu", "cuda"):
        raise ValueError(f"unknown device {options.device!r}; such as cpu, cuda, cuda:1, auto")
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device {options.device}: torch finds no GPU here; --device cpu or auto does without")
    return options.device


def _check(options: Options, device: str) -> None:
    if device != "cpu" and (options.workers or 0) > 1:
        raise ValueError(f"a GPU is used by one process, got workers={options.workers} on {device}")
    if options.chunk is not None and options.engine != "ensemble" and (device == "cpu" or options.engine != "auto"):
        asked = f"chunk={options.chunk}, engine={options.engine} on {device}"
        raise ValueError(f"chunk is for the ensemble engine, got {asked}")
