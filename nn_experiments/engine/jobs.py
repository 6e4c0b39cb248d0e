"""One block of iterates as an independent job: plain data in, plain arrays out, on any machine."""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from nn_experiments import variants
from nn_experiments.catalogue import Experiment
from nn_experiments.curves import DIAGNOSTICS
from nn_experiments.engine import measure
from nn_experiments.engine.kernels import choose
from nn_experiments.engine.plan import Run
from nn_experiments.engine.walk import averages, walk
from nn_experiments.metrics import parameter_distance
from nn_experiments.steps import State
from nn_experiments.store import Block
from nn_experiments.workplace import Workplace, prepare

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
    engine
        As in `nn_experiments.iterates`.
    data_dir, official, device, chunk
        How this run finds its data and where it computes.
    """

    experiment: Experiment
    seed: int
    variant: str
    stream: str
    at: tuple[int, ...]
    engine: str = "auto"
    data_dir: str | None = None
    official: bool = True
    device: str = "cpu"
    chunk: int | None = None

    def __str__(self) -> str:
        reach = f"{self.at[0]}-{self.at[-1]}" if self.at else "nothing"
        return f"{self.experiment.name}, seed {self.seed}, {self.variant} {reach} ({self.stream})"


def _path(
    place: Workplace, job: Job, at: Sequence[int], start: State
) -> tuple[str, Iterator[tuple[int, State, Run | None]]]:
    variant = variants.parse(job.variant)
    step = place.step_of(variant)
    engine = job.engine
    if engine == "auto" and job.device != "cpu":
        engine = "ensemble"
    if engine == "ensemble" and not variant.average and variant.rule is None:
        from nn_experiments.engine.ensemble import wavefront

        return "ensemble", wavefront(step, place.batches, variant.order, at, start, chunk=job.chunk)
    plain = engine in ("mlp", "compiled", "ensemble") and (engine == "ensemble" or variant.rule is not None)
    kernel = choose(step, place.batches, "auto" if plain else engine)
    if variant.average:
        path = averages(kernel, variant.order, at, start, average=variant.average, beta=variant.beta)
        return kernel.name, path
    return kernel.name, walk(kernel, variant.order, at, start)


def _diagnostics(place: Workplace, job: Job) -> tuple[str, dict[str, np.ndarray]]:
    """Return increments, couplings and norms; iterate n + 1 and a second start are computed beside iterate n."""
    evaluation = place.evaluation
    both = sorted({*job.at, *(n + 1 for n in job.at)})
    name, main = _path(place, job, both, place.state0)
    _, other = _path(place, job, job.at, place.second)
    rows: list[dict[str, float]] = []
    waiting: tuple[int, State, torch.Tensor] | None = None
    for n, state, _ in main:
        outputs = evaluation.predictions(state)
        if waiting is not None and waiting[0] == n - 1:
            rows[-1]["parameter_increment"] = parameter_distance(state, waiting[1])
            rows[-1]["function_increment"] = _rms(outputs - waiting[2])
        if n in job.at:
            _, twin, _ = next(other)
            zero = {"parameters": {k: torch.zeros_like(v) for k, v in state["parameters"].items()}}
            rows.append(
                {
                    "parameter_coupling": parameter_distance(state, twin),
                    "function_coupling": _rms(outputs - evaluation.predictions(twin)),
                    "parameter_norm": parameter_distance(state, zero),
                    "gradient_norm": float(evaluation.gradient_norm(state)),
                }
            )
            waiting = (n, state, outputs)
    return name, {key: np.array([row[key] for row in rows]) for key in DIAGNOSTICS}


def _rms(difference: torch.Tensor) -> float:
    return float(difference.double().square().sum(-1).mean().sqrt())


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
    torch.backends.cuda.matmul.allow_tf32 = job.experiment.tf32
    torch.backends.cudnn.allow_tf32 = job.experiment.tf32
    place = prepare(job.experiment, job.seed, data_dir=job.data_dir, official=job.official, device=job.device)
    if job.stream == "diagnostics":
        name, values = _diagnostics(place, job)
    else:
        name, path = _path(place, job, job.at, place.state0)
        rows = [
            measure(place.evaluation, state, n, run.outermost if run else 0, place.batches) for n, state, run in path
        ]
        values = {key: np.array([float(row[key]) for row in rows]) for key in rows[0]}
    meta: dict[str, Any] = {
        "device": torch.cuda.get_device_name(job.device) if job.device.startswith("cuda") else platform.machine(),
        "kernel": name,
        "chunk": job.chunk,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "seconds": round(time.perf_counter() - begin, 3),
    }
    return Block(np.array(job.at), values, meta)
