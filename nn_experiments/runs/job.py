"""One block of iterates as an independent job: plain data in, plain arrays out, on any machine."""

from __future__ import annotations

import contextlib
import platform
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nn_experiments.engine import measure_path
from nn_experiments.engine.chain import averages, walk
from nn_experiments.engine.ensemble.wavefront import TOGETHER, Ensemble, wavefront
from nn_experiments.engine.gpu import limit_share, versions
from nn_experiments.engine.kernels.choose import make_kernel
from nn_experiments.engine.plan import Segment
from nn_experiments.paper import curve_names
from nn_experiments.paper.catalogue import Experiment
from nn_experiments.results.blocks import Block
from nn_experiments.runs.precision import by_autograd, products
from nn_experiments.runs.setup import Workplace, prepare
from nn_experiments.training.metrics import flat, parameter_distance
from nn_experiments.training.step import State

__all__ = ["Job", "run_job"]


@dataclass(frozen=True)
class Job:
    """What a worker needs to compute one block.

    Attributes
    ----------
    experiment, seed, variant
        Which maps, in which order.
    stream
        ``curves`` or ``diagnostics``.
    at
        The iterates of the block, increasing.
    last
        The last iterate N of the run: diagnostics measure the distance to it.
    engine
        As in `nn_experiments.iterates`.
    data_dir, official, device, chunk
        How this run finds its data and where it computes.
    convolutions, together
        For the ensemble: (shape, way) pairs that are to be used, and how many states are measured at once (see
        `nn_experiments.engine.ensemble.wavefront.Ensemble`).
    """

    experiment: Experiment
    seed: int
    variant: str
    stream: str
    at: tuple[int, ...]
    last: int = 0
    engine: str = "auto"
    data_dir: str | None = None
    official: bool = True
    device: str = "cpu"
    chunk: int | None = None
    convolutions: tuple[tuple[str, str], ...] = ()
    together: int | None = None

    def __str__(self) -> str:
        reach = f"{self.at[0]}-{self.at[-1]}" if self.at else "nothing"
        return f"{self.experiment.name}, seed {self.seed}, {self.variant} {reach} ({self.stream})"


States = Iterator[tuple[int, State, Segment | None]]


def _path(
    place: Workplace,
    job: Job,
    at: Sequence[int],
    start: State,
    *,
    ensemble: Ensemble,
    variant: str | None = None,
    other: bool = False,
) -> tuple[str, States]:
    """Return the kernel's name and the path of a variant (default: the job's) from a start."""
    path = curve_names.parse(variant or job.variant)
    step, batches = place.step_of(path), place.other_batches if other else place.batches
    engine = job.engine
    if engine == "auto" and job.device != "cpu":
        engine = "ensemble"
    averaged, other_step = isinstance(path, curve_names.Averaged), isinstance(path, curve_names.StepRule)
    if engine == "ensemble" and not averaged and not other_step:
        return "ensemble", wavefront(step, batches, path.order, at, start, ensemble=ensemble)
    plain = engine in ("mlp", "compiled", "channels_last", "ensemble") and (engine == "ensemble" or other_step)
    kernel = make_kernel(step, batches, by_autograd(step, "auto" if plain else engine, job.experiment))
    if isinstance(path, curve_names.Averaged):
        return kernel.name, averages(kernel, path.order, at, start, beta=path.beta)
    return kernel.name, walk(kernel, path.order, at, start)


def _diagnostics(place: Workplace, job: Job, ensemble: Ensemble) -> tuple[str, dict[str, np.ndarray]]:
    """Return increments, distances and norms of the job's iterates (see `nn_experiments.results.curves`)."""
    evaluation = place.evaluation
    name, main = _path(place, job, sorted({*job.at, *(n + 1 for n in job.at)}), place.state0, ensemble=ensemble)
    others = {
        "coupling": _path(place, job, job.at, place.second, ensemble=ensemble)[1],
        "independent": _path(place, job, job.at, place.state0, ensemble=ensemble, variant="forward", other=True)[1],
    }
    last = next(state for _, state, _ in _path(place, job, [job.last], place.state0, ensemble=ensemble)[1])
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
                "parameter_norm": float(flat(state["parameters"]).norm()),
                "gradient_norm": float(evaluation.gradient_norm(state)),
            }
            for what, path in others.items():
                _, twin, _ = next(path)
                row[f"parameter_{what}"] = parameter_distance(state, twin)
                row[f"function_{what}"] = _rms(outputs - evaluation.predictions(twin))
            rows[n] = row
            before = (n, state, outputs)
    return name, {key: np.array([rows[n][key] for n in job.at]) for key in rows[job.at[0]]}


def _rms(difference: torch.Tensor) -> float:
    return float(difference.double().square().sum(-1).mean().sqrt())


@lru_cache
def revision() -> str:
    """Return the commit this code was checked out at, with ``+changes`` if files differ from it.

    Where there is no repository, or no git to ask, the version of the installed package.
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
    """Compute one block. Divergence is a result: NaN and infinities are kept as they come.

    Threads of one process take turns: a module cannot be called with two states at once.
    """
    with _ONE_AT_A_TIME:
        return _run(job)


def _run(job: Job) -> Block:
    begin = time.perf_counter()
    if job.device == "cpu":
        torch.set_num_threads(1)
    limit_share(job.device)
    place = prepare(job.experiment, job.seed, data_dir=job.data_dir, official=job.official, device=job.device)
    ensemble = Ensemble(chunk=job.chunk, convolutions=dict(job.convolutions))
    batching: dict[str, Any] = {"chunk": job.chunk}
    with products(job.experiment, job.device):
        if job.stream == "diagnostics":
            name, values = _diagnostics(place, job, ensemble)
        else:
            name, path = _path(place, job, job.at, place.state0, ensemble=ensemble)
            together = (job.together or TOGETHER) if name == "ensemble" else 1
            found = list(measure_path(place.evaluation, path, place.batches, together=together))
            values = {key: np.array([float(row[key]) for _, _, row, _ in found]) for key in found[0][2]}
            if name == "ensemble":
                batching["metrics batched"] = any(with_others for *_, with_others in found)
    if name == "ensemble":
        batching |= ensemble.metadata()
    meta: dict[str, Any] = {
        "device": torch.cuda.get_device_name(job.device) if job.device.startswith("cuda") else platform.machine(),
        "kernel": name,
        **batching,
        "torch": torch.__version__,
        **(versions() if job.device.startswith("cuda") else {}),
        "revision": revision(),
        "numpy": np.__version__,
        "seconds": round(time.perf_counter() - begin, 3),
    }
    return Block(np.array(job.at), values, meta)
