"""Engines: an order and batches in, metrics at every asked iterate out."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

from contraction.maps.orders import Order
from nn_experiments.engine.chain import walk
from nn_experiments.engine.checking import check_step, checked_kernel, why_not_ensemble
from nn_experiments.engine.ensemble.stacked_metrics import measure_together
from nn_experiments.engine.gpu import free, out_of_memory, repeatable
from nn_experiments.engine.kernels.choose import KERNELS
from nn_experiments.engine.plan import Segment, check_iterates
from nn_experiments.engine.purity import probe, probe_measurement
from nn_experiments.engine.trajectory import Trajectory
from nn_experiments.training.batches import check_batches
from nn_experiments.training.metrics import Functions, Measurement
from nn_experiments.training.step import State, TorchOptimizerStep, TrainingStep

__all__ = ["ENGINES", "Trajectory", "iterates", "measure", "measure_path"]

#: What `iterates` can be asked for: one chain at a time with a kernel, the plain double loop, all chains together.
ENGINES = (*KERNELS, "loop", "ensemble")


def measure(measurement: Measurement, state: State, n: int, outermost: int, batches: Any) -> dict[str, np.ndarray]:
    """Return a measurement of iterate n as float64 arrays."""
    pair = (None, None)
    if measurement.on_batches and n > 0:
        pair = (batches(n), batches(outermost))
    values = measurement(state, *pair)
    return {name: value.detach().cpu().double().numpy() for name, value in values.items()}


def measure_path(
    measurement: Measurement, path: Iterable[tuple[int, State, Segment | None]], batches: Any, *, together: int
) -> Iterator[tuple[int, Segment | None, dict[str, np.ndarray], bool]]:
    """Yield (n, run, values, whether they were batched) for a path of states, ``together`` of them at once.

    Where memory runs out, half as many are measured at once from there on, with a line on standard error.
    """
    waiting: list[tuple[int, State, Segment | None]] = []

    def ends() -> Iterator[tuple[int, Segment | None, dict[str, np.ndarray], bool]]:
        nonlocal together
        while waiting:
            some, rows, fits = waiting[:together], None, True
            if len(some) > 1:
                try:
                    rows = measure_together(measurement, some, batches)
                except RuntimeError as error:
                    if not out_of_memory(error):
                        raise
                    fits = False
            if not fits:
                together = (len(some) + 1) // 2
                print(f"out of memory measuring {len(some)} states: going on with {together}", file=sys.stderr)
                free()
                continue
            for k, (n, state, run) in enumerate(some):
                outermost = run.outermost if run else 0
                one = measure(measurement, state, n, outermost, batches) if rows is None else rows[k]
                yield n, run, one, rows is not None
            del waiting[: len(some)]

    for item in path:
        if item[0] == 0 or together < 2:
            yield from ends()
            waiting.append(item)
            yield from ends()
        else:
            waiting.append(item)
            if len(waiting) >= together:
                yield from ends()
    if waiting:
        yield from ends()


@repeatable()
def iterates(
    step: Callable[[State, Any, int], State],
    batches: Callable[[int], Any],
    state0: State,
    order: Order,
    at: Iterable[int],
    metrics: Mapping[str, Callable[[State], torch.Tensor]] | Measurement,
    *,
    engine: str = "auto",
    chunk: int | None = None,
) -> Trajectory:
    """Train in any order and measure the asked iterates.

    Parameters
    ----------
    step
        ``step(state, batch, t) -> state``, pure; t is the position in the run, innermost 1. From `TrainingStep`,
        `from_torch`, or your own.
    batches
        ``batches(i)`` is B_i, i = 1, 2, …, the same whenever it is asked.
    state0
        θ0: a nested dictionary of tensors, the same for every iterate.
    order
        From ``contraction.maps.orders``, or your own: for each n an anchor and a word.
    at
        Which iterates, such as ``range(0, 2001, 10)``.
    metrics
        Name -> function of one state, returning a scalar or a small tensor; or a `Measurement`. A module with batch
        norm or dropout is to be evaluated through a copy in evaluation mode, with the state's buffers:
        ``functional_call(still, state["parameters"] | state["buffers"], (x,))``, ``still = deepcopy(model).eval()``.
    engine
        ``auto``: one chain at a time on the CPU, with a hand-written kernel where there is one (``mlp``,
        ``compiled``, ``channels_last``), else the step itself (``step``); on a GPU ``ensemble``. ``loop``: the plain
        double loop.
    chunk
        For ``ensemble``: how many chains run together (default: all).

    Returns
    -------
    Trajectory
        Metrics as float64 arrays, one row per iterate. ``metadata`` records the engine, the result of the self-check,
        and under ``not used`` a kernel that differs from the step, with what differs; the step itself then runs.

    Raises
    ------
    ValueError
        If there is no such engine, with the names there are; if a chunk is given to another than the ensemble; or if
        the self-check of a step made by `from_torch` finds a difference from the user's own training loop.
    NotDeterministic
        If the step, the batches or the metrics are not pure functions (they are applied twice and compared bitwise).
    """
    if engine not in ENGINES:
        raise ValueError(f"unknown engine {engine!r}; the known ones are {', '.join(ENGINES)}")
    batches = check_batches(batches)
    numbers = check_iterates(at, None)
    measurement = Functions(metrics) if isinstance(metrics, Mapping) else metrics
    begin = time.perf_counter()
    notes: dict[str, Any] = {}
    if max(numbers) > 0:
        notes |= check_step(step, batches, state0)
        probe(step, batches, state0)
    probe_measurement(lambda state: measure(measurement, state, 0, 0, batches), state0)
    on_gpu = any(value.is_cuda for value in state0["parameters"].values())
    together_on_gpu = engine == "auto" and on_gpu and isinstance(step, TrainingStep)
    if max(numbers) > 0 and (engine == "ensemble" or together_on_gpu):
        reason = why_not_ensemble(step, batches, state0)
        if reason and engine == "ensemble":
            raise TypeError(f"{reason}" if "cannot run" in reason else f"the ensemble cannot run this step: {reason}")
        if reason:
            together_on_gpu, notes["not used"] = False, f"ensemble: {reason}"
    if engine == "ensemble" or together_on_gpu:
        from nn_experiments.engine.ensemble.wavefront import TOGETHER, Ensemble, wavefront

        ensemble, kernel = Ensemble(chunk=chunk), None
        path = wavefront(step, batches, order, numbers, state0, ensemble=ensemble)
        name = "ensemble"
    else:
        if chunk is not None:
            raise ValueError(f"chunk is for the ensemble engine, got chunk={chunk} with engine={engine!r}")
        ensemble = None
        kernel, more = checked_kernel(step, batches, state0, "step" if engine == "loop" else engine)
        notes |= more
        name = kernel.name
        path = walk(kernel, order, numbers, state0)
    rows: list[dict[str, np.ndarray]] = []
    gradients, applied, batched = [], 0, False
    together = (ensemble.together or TOGETHER) if ensemble else 1
    for _, run, row, with_others in measure_path(measurement, path, batches, together=together):
        rows.append(row)
        batched = batched or with_others
        gradients.append(run.depth if run else 0)
        applied += len(run.indices) if run else 0
    values = {}
    for metric in measurement.names:
        shape = next((row[metric].shape for row in rows if metric in row), ())
        values[metric] = np.stack([row.get(metric, np.full(shape, np.nan)) for row in rows])
    slow = {"slow": step.slow} if isinstance(step, TorchOptimizerStep) else {}
    batching = ensemble.metadata() if ensemble else {}
    if refused := getattr(kernel, "refused", None):
        name, notes["not used"] = "step", f"{name}: {refused}"
    metadata = (
        slow | batching | notes | {"engine": name, "metrics batched": batched, "seconds": time.perf_counter() - begin}
    )
    return Trajectory(np.array(numbers), values, np.array(gradients), applied, metadata)
