"""One block of iterates as an independent job, from plain data to plain arrays, which can run on any machine."""

from __future__ import annotations

import contextlib
import dataclasses
import platform
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch

from nn_experiments.engine import measure, measure_path
from nn_experiments.engine.batch_norm import StatisticsRefresh
from nn_experiments.engine.chain import averages, walk
from nn_experiments.engine.ensemble.wavefront import TOGETHER, Ensemble, wavefront
from nn_experiments.engine.gpu import limit_share, versions
from nn_experiments.engine.kernels.mlp import Kernel
from nn_experiments.engine.plan import Segment, bottlenecks, plan
from nn_experiments.engine.policies import reset_if_better, stop_when_settled
from nn_experiments.paper import curve_names
from nn_experiments.paper.curve_names import Averaged, Decided, OrderCurve, StepRule
from nn_experiments.results.blocks import Block
from nn_experiments.runs.problem import Problem, Setup
from nn_experiments.runs.setup import Workplace
from nn_experiments.runs.unfinished import Keeper, Rows
from nn_experiments.training.averages import SWA
from nn_experiments.training.metrics import parameter_distance, parameter_norm
from nn_experiments.training.policies import ResetIfBetter, StopWhenSettled
from nn_experiments.training.step import State

__all__ = ["Job", "one_thread", "run_job"]


@dataclass(frozen=True)
class Job:
    """The data that a worker needs to compute one block.

    Attributes
    ----------
    problem, seed, variant
        The problem, the seed, and the name of the curve.
    stream
        ``curves`` or ``diagnostics``.
    at
        The iterates of the block, increasing.
    last
        The last iterate N of the run: diagnostics measure the distance to it.
    engine
        As in `nn_experiments.iterates`.
    chunk, convolutions, together
        For the ensemble: how many chains run together, the ways to convolve as (shape, way), and how many states are
        measured at once (see `nn_experiments.engine.ensemble.wavefront.Ensemble`).
    unfinished, every
        The file that keeps how far a path has come that is computed one step after the other, so that a stopped run
        goes on from there, and the seconds between two writings (default: none is kept).
    """

    problem: Problem
    seed: int
    variant: str
    stream: str
    at: tuple[int, ...]
    last: int = 0
    engine: str = "auto"
    chunk: int | None = None
    convolutions: tuple[tuple[str, str], ...] = ()
    together: int | None = None
    unfinished: Path | None = None
    every: float = 15.0

    def __str__(self) -> str:
        """Return a description of the job for messages."""
        reach = f"{self.at[0]}-{self.at[-1]}" if self.at else "nothing"
        return f"{self.problem.name}, seed {self.seed}, {self.variant} {reach} ({self.stream})"


States = Iterator[tuple[int, State, Segment | None]]


def _kernel(setup: Setup, job: Job, curve: OrderCurve) -> Kernel | None:
    """Return what computes a curve one step after the other, or None if the ensemble computes it."""
    engine = job.engine
    if engine == "auto" and job.problem.device != "cpu":
        engine = "ensemble"
    alone = isinstance(curve, Averaged | Decided | StepRule)
    if engine == "ensemble" and not alone:
        return None
    if engine == "ensemble" or (isinstance(curve, StepRule) and engine in ("mlp", "compiled", "channels_last")):
        engine = "auto"  # an average, a policy or a step of appendix D is a single chain
    return setup.kernel(curve, engine)


def _path(
    setup: Setup, job: Job, curve: OrderCurve, at: Sequence[int], start: State, *, ensemble: Ensemble
) -> tuple[str, States]:
    """Return the kernel's name and the path of a curve from a start."""
    kernel = _kernel(setup, job, curve)
    if kernel is None:
        return "ensemble", wavefront(setup.step_of(curve), setup.batches, curve.order, at, start, ensemble=ensemble)
    if isinstance(curve, Averaged):
        return kernel.name, _averaged(setup, kernel, curve, at, start)
    return kernel.name, walk(kernel, curve.order, at, start)


def _kept(setup: Setup, job: Job, curve: OrderCurve, kernel: Kernel, file: Path) -> tuple[Rows, float]:
    """Return the metrics of a path and its seconds, of earlier runs too; go on from where a stopped run has left it."""
    metrics = ", ".join(sorted(job.problem.metric_names(job.stream, job.at[-1], job.last)))
    maker = {"kernel": kernel.name, "torch": str(torch.__version__), "revision": revision(), "metrics": metrics}
    keeper, passages = Keeper(file, job.every, maker), bottlenecks(plan(curve.order, job.at))
    before = keeper.read(job.at, passages, job.problem.device)
    path = walk(kernel, curve.order, job.at, setup.state0, reached=(before.n, before.state) if before else None)
    newest: dict[str, State] = {}

    def noted() -> States:
        for n, state, segment in path:
            newest["state"] = state
            yield n, state, segment

    measured = measure_path(setup.measurement, noted(), setup.batches, together=1)
    rows = keeper.watch(measured, lambda: newest["state"], passages, before)
    return rows, before.seconds if before else 0.0


def _averaged(setup: Setup, kernel: Kernel, curve: Averaged, at: Sequence[int], start: State) -> States:
    average = curve.average
    path = averages(kernel, curve.order, at, start, average)
    if not isinstance(average, SWA):
        return path
    refreshed = StatisticsRefresh(setup.step, setup.batches, average.refresh)
    return ((n, refreshed(state) if average.refreshes(n) else state, run) for n, state, run in path)


def _decided(setup: Setup, job: Job, curve: Decided) -> tuple[str, dict[str, np.ndarray]]:
    """Return the kernel's name and the metrics of the curve of a policy, with its decisions."""
    policy, measurement = curve.policy, setup.measurement
    kernel = setup.kernel(curve, "auto" if job.engine == "ensemble" else job.engine)
    if isinstance(policy, ResetIfBetter):
        metric = policy.metric

        def judge(state: State) -> float:
            return measure(measurement, state, 0, 0, setup.batches)[metric].item()

        path = reset_if_better(kernel, job.at, setup.state0, policy, judge)
    else:
        assert isinstance(policy, StopWhenSettled)
        path = stop_when_settled(kernel, job.at, setup.state0, policy)
    rows = []
    for n, state, run, decision in path:
        row = measure(measurement, state, n, run.outermost if run else 0, setup.batches)
        rows.append({name: value.item() for name, value in row.items()} | {policy.records: float(decision)})
    return kernel.name, {key: np.array([row[key] for row in rows]) for key in rows[0]}


def _diagnostics(setup: Workplace, job: Job, ensemble: Ensemble) -> tuple[str, dict[str, np.ndarray]]:
    """Return increments, distances and norms of the job's iterates (see `nn_experiments.results.curves`)."""
    evaluation, curve = setup.evaluation, curve_names.parse(job.variant)
    apart = dataclasses.replace(setup, batches=setup.other_batches)
    name, main = _path(setup, job, curve, sorted({*job.at, *(n + 1 for n in job.at)}), setup.state0, ensemble=ensemble)
    others = {
        "coupling": _path(setup, job, curve, job.at, setup.second, ensemble=ensemble)[1],
        "independent": _path(apart, job, curve_names.parse("forward"), job.at, setup.state0, ensemble=ensemble)[1],
    }
    last = next(state for _, state, _ in _path(setup, job, curve, [job.last], setup.state0, ensemble=ensemble)[1])
    end = evaluation.predictions(last)
    rows: dict[int, dict[str, float]] = {}
    before: tuple[int, State, torch.Tensor] | None = None
    for n, state, _ in main:
        outputs = evaluation.predictions(state)
        if before is not None and before[0] == n - 1:
            rows[n - 1]["parameter_increment"] = parameter_distance(state, before[1])
            rows[n - 1]["function_increment"] = _rms(outputs - before[2])
        before = None
        if n in job.at:
            row = {
                f"parameter_to_{job.last}": parameter_distance(state, last),
                f"function_to_{job.last}": _rms(outputs - end),
                "parameter_norm": float(parameter_norm(state["parameters"])),
                "gradient_norm": float(evaluation.gradient_norm(state)),
            }
            for what, path in others.items():
                _, other, _ = next(path)
                row[f"parameter_{what}"] = parameter_distance(state, other)
                row[f"function_{what}"] = _rms(outputs - evaluation.predictions(other))
            rows[n] = row
            before = (n, state, outputs)
    return name, {key: np.array([rows[n][key] for n in job.at]) for key in rows[job.at[0]]}


def _rms(difference: torch.Tensor) -> float:
    return float(difference.double().square().sum(-1).mean().sqrt())


@lru_cache
def revision() -> str:
    """Return the commit that is checked out, with ``+changes`` if files differ from it.

    Without a repository or without git, return the version of the installed package.
    """
    root = Path(__file__).parents[2]
    command = ["git", "-C", str(root), "describe", "--always", "--exclude=*", "--abbrev=12", "--dirty=+changes"]
    if (root / ".git").exists():
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    with contextlib.suppress(PackageNotFoundError):
        return version("training-in-reverse")
    return "unknown"


_ONE_AT_A_TIME = threading.Lock()


def run_job(job: Job) -> Block:
    """Compute one block. NaN and infinities are recorded, since divergence is a result.

    Threads of one process take turns, since a module cannot be called with two states at once.
    """
    with _ONE_AT_A_TIME:
        return _run(job)


def _run(job: Job) -> Block:
    begin = time.perf_counter()
    device = job.problem.device
    limit_share(device)
    curve = curve_names.parse(job.variant)
    ensemble = Ensemble(chunk=job.chunk, convolutions=dict(job.convolutions))
    batching: dict[str, object] = {"chunk": job.chunk}
    earlier = 0.0  # seconds of the runs that were stopped before
    with one_thread(device), job.problem.arithmetic():
        setup = job.problem.prepare(job.seed)
        if job.stream == "diagnostics":
            assert isinstance(setup, Workplace)  # only the catalogue's grids have diagnostics
            name, values = _diagnostics(setup, job, ensemble)
        elif isinstance(curve, Decided):
            name, values = _decided(setup, job, curve)
        elif job.unfinished and not isinstance(curve, Averaged) and (kernel := _kernel(setup, job, curve)):
            name = kernel.name
            rows_of, earlier = _kept(setup, job, curve, kernel, job.unfinished)
            values = {key: np.array([rows_of[n][key] for n in job.at]) for key in rows_of[job.at[0]]}
        else:
            name, path = _path(setup, job, curve, job.at, setup.state0, ensemble=ensemble)
            together = (job.together or TOGETHER) if name == "ensemble" else 1
            rows = list(measure_path(setup.measurement, path, setup.batches, together=together))
            values = {key: np.array([row.values[key].item() for row in rows]) for key in rows[0].values}
            if name == "ensemble":
                batching["metrics batched"] = any(row.batched for row in rows)
    if name == "ensemble":
        batching |= ensemble.metadata()
    meta: dict[str, object] = {
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else platform.machine(),
        "kernel": name,
        **batching,
        "torch": torch.__version__,
        **(versions() if device.startswith("cuda") else {}),
        "revision": revision(),
        "numpy": np.__version__,
        "seconds": round(earlier + time.perf_counter() - begin, 3),
    }
    return Block(np.array(job.at), values, meta)


@contextlib.contextmanager
def one_thread(device: str) -> Iterator[None]:
    """Make torch compute on one thread in the body, on a CPU, so that the numbers are the same in every process."""
    before = torch.get_num_threads()
    if device == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
