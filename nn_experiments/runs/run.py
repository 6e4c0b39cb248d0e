"""Running a request: what is missing, in blocks, on all cores, resumable at any moment."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from nn_experiments.cores import available_cores
from nn_experiments.datasets import Dataset, load_dataset
from nn_experiments.engine import measure
from nn_experiments.engine.ensemble.wavefront import Ensemble
from nn_experiments.engine.gpu import limit_share
from nn_experiments.engine.kernels.choose import make_kernel
from nn_experiments.engine.purity import probe
from nn_experiments.paper.cost import clock
from nn_experiments.results import blocks
from nn_experiments.results.blocks import Block
from nn_experiments.results.curves import metric_names
from nn_experiments.runs import executors
from nn_experiments.runs.autotune import pinned, rehearse, rehearse_evaluation, write_pins
from nn_experiments.runs.data_subset import require_rows
from nn_experiments.runs.job import Job, run_job
from nn_experiments.runs.precision import by_autograd, products
from nn_experiments.runs.progress import Progress
from nn_experiments.runs.request import Piece, Request, missing_pieces, total_cost
from nn_experiments.runs.setup import prepare, settings

__all__ = ["Options", "Outcome", "run"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a request is run; nothing here decides its numbers (but to rounding).

    Attributes
    ----------
    out
        Output folder.
    workers
        Number of worker processes; 0 runs in this process. None: one per core, or this process if the run is short.
    engine, device, chunk
        As in `nn_experiments.iterates`; device ``auto`` is ``cuda`` where there is one.
    data_dir, official
        As in `load_dataset`.
    time_limit
        Seconds after which nothing new is started.
    dask
        Address of a dask.distributed scheduler.
    block_seconds
        How much work is lost at most when a worker is killed.
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
        for name, least in (("workers", 0), ("chunk", 1), ("time_limit", 0)):
            value = getattr(self, name)
            if value is not None and not value >= least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        if not self.block_seconds > 0:
            raise ValueError(f"block_seconds must be positive, got {self.block_seconds}")


@dataclass(frozen=True)
class Outcome:
    """What a run did: its folder, blocks made, blocks that are still missing, seconds."""

    root: Path
    identity: str
    made: int
    missing: int
    seconds: float


def rates(request: Request, options: Options, ensemble: Ensemble) -> tuple[float, float]:
    """Probe determinism and return the seconds of one map and of one evaluation, measured on this machine.

    On a GPU the map is that of one chain of an ensemble, which gets its chunk and its convolutions here. Only batches
    that the request draws (and B_2) are asked for: a cut data folder holds no others.
    """
    with products(request.experiment, device_of(options)):
        return _rates(request, options, device_of(options), ensemble)


def _rates(request: Request, options: Options, device: str, ensemble: Ensemble) -> tuple[float, float]:
    experiment, seed = request.experiment, request.seeds[0]
    torch.set_num_threads(1)
    limit_share(device)
    place = prepare(experiment, seed, data_dir=options.data_dir, official=options.official, device=device)
    slow = probe(place.step, place.batches, place.state0)
    if device != "cpu" and options.engine in ("auto", "ensemble"):
        evaluation = rehearse_evaluation(place.evaluation, place.batches, place.state0, ensemble)
        chains = len(request.wanted("curves"))
        return rehearse(place.step, place.batches, place.state0, ensemble, chains=chains), evaluation
    begin = time.perf_counter()
    measure(place.evaluation, place.state0, 1, 1, place.batches)
    evaluation = time.perf_counter() - begin
    if options.engine == "step" or device != "cpu":
        return slow, evaluation
    name = "auto" if options.engine == "ensemble" else options.engine
    kernel = make_kernel(place.step, place.batches, by_autograd(place.step, name, experiment))
    count, spent = 2, 0.0
    kernel.apply(place.state0, range(count, 0, -1), 0)  # compiles, fills the table of batches
    while spent < 0.05 and count < min(1000, request.steps):
        count = min(4 * count, request.steps)
        begin = time.perf_counter()
        kernel.apply(place.state0, range(count, 0, -1), 0)
        spent = time.perf_counter() - begin
    return spent / count if spent else slow, evaluation


def _block_seconds(
    request: Request, options: Options, ensemble: Ensemble, step: float, evaluation: float = 0.0
) -> float:
    """Return the seconds of a block: on a GPU enough for a whole chunk of the longest chains, evaluation included.

    Where there is a limit of time, a block is at most a fifth of it: what is not finished then is lost.
    """
    if device_of(options) == "cpu" or ensemble.chunk is None:
        return options.block_seconds
    whole = min(ensemble.chunk, len(request.wanted("curves"))) * (request.steps * step + evaluation)
    if options.time_limit is not None:
        whole = min(whole, options.time_limit / 5)
    return max(options.block_seconds, whole)


def foresee(request: Request, options: Options) -> str:
    """Return what a run would do, with rates measured on this machine; nothing is written."""
    experiment = request.experiment
    device = device_of(options)
    _check(options, device)
    dataset = load_dataset(experiment.data, data_dir=options.data_dir, official=options.official)
    root = options.out / settings(experiment, dataset)["identity"]
    ensemble = pinned(root, device, chunk=options.chunk)
    nominal = {"step_seconds": 1e-3, "evaluation_seconds": 1e-3}
    _require_images(request, dataset, missing_pieces(request, root, classes=dataset.classes, **nominal))
    step, evaluation = rates(request, options, ensemble)
    pieces = missing_pieces(
        request,
        root,
        classes=dataset.classes,
        step_seconds=step,
        evaluation_seconds=evaluation,
        block_seconds=_block_seconds(request, options, ensemble, step, evaluation),
    )
    workers = min(options.workers or len(pieces), len(pieces), available_cores()) or 1
    seconds = sum(piece.seconds for piece in pieces)
    lines = [
        f"{experiment.name} into {root}",
        f"  seeds {', '.join(map(str, request.seeds))}; orders {', '.join(request.orders)}",
        f"  one step {1e3 * step:.3g} ms, one evaluation {1e3 * evaluation:.3g} ms (measured, one thread)",
    ]
    by_order: dict[str, list[Piece]] = {}
    for piece in pieces:
        by_order.setdefault(f"{piece.variant} {piece.stream}", []).append(piece)
    for name, part in sorted(by_order.items()):
        count, spent = sum(len(piece.at) for piece in part), sum(piece.seconds for piece in part)
        lines.append(f"  {name}: {count} iterates, {total_cost(part):,} steps, {clock(spent)}")
    where = f"of one core, {clock(seconds / workers)} on {workers}" if device == "cpu" else f"on {device}"
    lines.append(f"  still to do: {len(pieces)} blocks, {clock(seconds)} {where}")
    return "\n".join(lines)


def device_of(options: Options) -> str:
    """Return the device's name, ``auto`` resolved.

    Raises
    ------
    ValueError
        If torch knows no such device, or this machine has none.
    """
    if options.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(options.device).type
    except RuntimeError:
        raise ValueError(f"unknown device {options.device!r}; such as cpu, cuda, cuda:1, auto") from None
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device {options.device}: torch finds no GPU here; --device cpu or auto does without")
    return options.device


def _check(options: Options, device: str) -> None:
    if device != "cpu" and (options.workers or 0) > 1:
        raise ValueError(f"a GPU is used by one process, got workers={options.workers} on {device}")
    if options.chunk is not None and options.engine != "ensemble" and (device == "cpu" or options.engine != "auto"):
        asked = f"chunk={options.chunk}, engine={options.engine} on {device}"
        raise ValueError(f"chunk is for the ensemble engine, got {asked}")


def _require_images(request: Request, dataset: Dataset, pieces: Sequence[Piece]) -> None:
    """Refuse a cut data folder that lacks an image of what is still to do, rather than in the middle of it."""
    for stream in blocks.KINDS:
        seeds = sorted({piece.seed for piece in pieces if piece.stream == stream})
        require_rows(dataset, request.experiment, seeds, request.steps, diagnostics=stream == "diagnostics")


def run(
    request: Request,
    options: Options,
    *,
    report: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Compute what a request lacks and write it block by block.

    A finished request costs a look at the folder. The same call resumes an interrupted one; two calls on the
    same folder at once do no harm, and mostly share the work.

    Raises
    ------
    NotDeterministic
        If the step is not a pure function.
    JobFailed
        If a block cannot be computed.
    DataError
        If the data is not there or not right, or a cut of it lacks an image that is still to be drawn.
    ValueError
        If there is no such device, or a chunk is given to another engine than the ensemble.
    """
    begin = time.monotonic()
    experiment = request.experiment
    device = device_of(options)  # refused before data is looked for, which may mean a download
    _check(options, device)
    dataset = load_dataset(experiment.data, data_dir=options.data_dir, official=options.official)
    about = settings(experiment, dataset)
    root = options.out / about["identity"]

    ensemble = pinned(root, device, chunk=options.chunk)

    def lacking(step_seconds: float, evaluation_seconds: float) -> list[Piece]:
        return missing_pieces(
            request,
            root,
            classes=dataset.classes,
            step_seconds=step_seconds,
            evaluation_seconds=evaluation_seconds,
            block_seconds=_block_seconds(request, options, ensemble, step_seconds, evaluation_seconds),
        )

    pieces = lacking(1e-3, 1e-3)
    if not pieces:
        return Outcome(root, about["identity"], 0, 0, time.monotonic() - begin)
    _require_images(request, dataset, pieces)
    step_seconds, evaluation_seconds = rates(request, options, ensemble)
    blocks.write_settings(root, about)
    if device != "cpu":
        write_pins(root, device, ensemble)
    pieces = lacking(step_seconds, evaluation_seconds)
    template = Job(
        experiment,
        0,
        "forward",
        "curves",
        (),
        last=request.steps,
        engine=options.engine,
        data_dir=options.data_dir,
        official=options.official,
        device=device,
        chunk=options.chunk if device == "cpu" else ensemble.chunk,
        convolutions=tuple(sorted(ensemble.convolutions.items())),
        together=ensemble.together,
    )
    jobs = {replace(template, seed=p.seed, variant=p.variant, stream=p.stream, at=p.at): p for p in pieces}
    progress = Progress(sum(p.seconds for p in pieces), total_cost(pieces), len(pieces))

    def to_skip(job: Job) -> bool:
        if deadline is not None and made and time.monotonic() + jobs[job].seconds > deadline:
            return True  # it would not end in time; a shorter one may
        path = blocks.block_path(root, job.seed, job.variant, job.stream, job.at[0], job.at[-1])
        if not path.exists():
            return False
        with contextlib.suppress(blocks.BrokenBlock):
            found = blocks.read_block(path)
            needed = metric_names(job.stream, dataset.classes, job.at[0], job.last)
            if set(job.at) <= set(found.iterate.tolist()) and set(needed) <= set(found.values):
                progress.add(jobs[job])
                return True
        return False

    deadline = None if options.time_limit is None else begin + options.time_limit
    made = 0
    with contextlib.ExitStack() as stack:
        if options.dask:
            executor, at_once = stack.enter_context(executors.dask_executor(options.dask))
            make = lambda: executor  # noqa: E731
        else:
            workers = 0 if device != "cpu" else options.workers  # a card is used by this process
            if workers is None:
                workers = 0 if progress.seconds < 20 else min(len(pieces), available_cores())
            at_once = max(1, workers)
            make = (lambda: executors.process_executor(at_once)) if workers else executors.InlineExecutor
        progress.workers = at_once
        if report:
            report(progress)
        inline = device != "cpu" and not options.dask

        def work(job: Job) -> Block:
            return run_job(replace(job, chunk=ensemble.chunk))  # as it is by now

        finished = executors.run_all(
            make, work if inline else run_job, list(jobs), at_once=at_once, skip=to_skip, deadline=deadline
        )
        for job, block in finished:
            blocks.write_block(root, job.seed, job.variant, block, kind=job.stream)
            made += 1
            if inline and block.meta.get("chunk") and block.meta["chunk"] < (ensemble.chunk or 0):
                ensemble.chunk = block.meta["chunk"]
                write_pins(root, device, ensemble)
            progress.add(jobs[job])
            if report:
                report(progress)
    return Outcome(
        root, about["identity"], made, len(lacking(step_seconds, evaluation_seconds)), time.monotonic() - begin
    )
