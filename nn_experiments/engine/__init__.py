"""Engines, which compute the iterates of a training run in any order and measure them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch

from contraction.arguments import check_choice, check_integer
from contraction.maps.orders import Order
from nn_experiments.engine.chain import walk
from nn_experiments.engine.checking import check_step, checked_kernel, describe, why_not_ensemble
from nn_experiments.engine.gpu import repeatable
from nn_experiments.engine.kernels.choose import KERNELS
from nn_experiments.engine.measuring import Measured, measure, measure_path
from nn_experiments.engine.plan import check_iterates
from nn_experiments.engine.purity import check_first_batches, probe, probe_measurement
from nn_experiments.engine.recorded import check_recorded
from nn_experiments.engine.trajectory import Trajectory
from nn_experiments.training.batches import Batches, check_batches
from nn_experiments.training.metrics import Measurement, check_measurement
from nn_experiments.training.signatures import check_is_step
from nn_experiments.training.states import State, check_state
from nn_experiments.training.step import Step, TorchOptimizerStep, TrainingStep

__all__ = ["ENGINES", "Measured", "Trajectory", "iterates", "measure", "measure_path"]

#: Engines of `iterates`: a kernel for one chain at a time, the plain double loop, and all chains together.
ENGINES = (*KERNELS, "loop", "ensemble")


@repeatable()
def iterates(
    step: Step,
    batches: Batches,
    state0: State,
    order: Order,
    at: Iterable[int],
    metrics: Mapping[str, Callable[[State], torch.Tensor]] | Measurement,
    *,
    engine: str = "auto",
    chunk: int | None = None,
) -> Trajectory:
    """Train in any order and measure iterates.

    Parameters
    ----------
    step
        ``step(state, batch, t) -> state``, pure; t is the position in the run, innermost 1. From `TrainingStep`,
        `from_torch`, or your own.
    batches
        ``batches(i)`` is B_i, i = 1, 2, …, and returns the same batch at every call.
    state0
        θ_0: a nested dictionary of tensors, the same for every iterate.
    order
        From ``contraction.maps.orders``, or your own: for each n an anchor and a word.
    at
        Which iterates, such as ``range(0, 2001, 10)``.
    metrics
        Name -> function of one state, returning a scalar or a small tensor; or a `Measurement`. Evaluate a module with
        batch norm or dropout through a copy in evaluation mode, with the state's buffers:
        ``functional_call(copied, state["parameters"] | state["buffers"], (x,))``, ``copied = deepcopy(model).eval()``.
    engine
        ``auto`` (default): on the CPU one chain at a time, with a hand-written kernel if one can run the step
        (``mlp``, ``compiled``, ``channels_last``), or the user's own loop (``own_loop``), or the step itself
        (``step``); on a GPU ``ensemble``, all chains together. ``loop``: the plain double loop.
    chunk
        For ``ensemble``: how many chains run together (default: as many as fit into memory).

    Returns
    -------
    Trajectory
        Metrics as float64 arrays, one row per iterate. ``metadata`` records the engine and the result of the
        self-check. If a kernel gave other numbers than the step, the step itself was used, and ``not used`` names the
        kernel and the difference.

    Raises
    ------
    TypeError
        If an argument has another type, what a metric returns is not a real number or an array of them, or the ensemble
        cannot run the step.
    ValueError
        If the tensors of ``state0`` are not those of the step's model; if a metric changes its shape, or has the name
        of a column of `Trajectory.to_csv`; if `from_loop` has recorded fewer batches than are needed, or there is no
        B_1 or B_2; if the engine is unknown; or if ``chunk`` is given and the engine is not the ensemble.
    CannotReplay
        If the self-check of a step made by `from_torch` finds a difference from the user's own training loop.
    NotDeterministic
        If the step, the batches or the metrics are not pure functions (they are applied twice and compared bitwise).

    Examples
    --------
    >>> import torch
    >>> import contraction as ct
    >>> import nn_experiments as nne
    >>> model, loss = torch.nn.Linear(1, 1, bias=False), torch.nn.functional.mse_loss
    >>> step, state = nne.from_torch(model, loss, torch.optim.SGD(model.parameters(), lr=0.2))
    >>> targets = torch.tensor([1.0, -1.0]).repeat(10)[:, None]
    >>> batches = nne.ArrayBatches(torch.ones(20, 1), targets, batch_size=2, seed=0)
    >>> weight = {"weight": lambda s: s["parameters"]["weight"]}
    >>> for order in (ct.Forward(), ct.Backward()):  # the first goes on moving, the second settles
    ...     path = nne.iterates(step, batches, state, order, [20, 30, 40, 50], weight)
    ...     print(order, path["weight"].ravel().round(2))
    Forward() [-0.1   0.12 -0.8   0.45]
    Backward() [-0.18 -0.18 -0.18 -0.18]
    """
    check_choice("engine", engine, ENGINES)
    if chunk is not None:
        check_integer("chunk", chunk, 1)
    check_is_step(step)
    batches = check_batches(batches)
    numbers = check_iterates(at)
    measurement = check_measurement("metrics", metrics)
    check_state("state0", state0, step)
    check_recorded(step, batches, [order], numbers, least=max(numbers) if measurement.on_batches else 0)
    begin = time.perf_counter()
    notes: dict[str, object] = {}
    if max(numbers) > 0:
        check_first_batches(step, batches)
        notes |= check_step(step, batches, state0)
        probe(step, batches, state0)
    probe_measurement(lambda state: measure(measurement, state, 0, 0, batches), state0)
    batched, more = _batched(step, batches, state0, engine, trained=max(numbers) > 0)
    notes |= more
    ensemble, kernel, together = None, None, 1
    if batched:
        from nn_experiments.engine.ensemble.wavefront import TOGETHER, Ensemble, wavefront

        ensemble, together = Ensemble(chunk=chunk), TOGETHER
        path = wavefront(step, batches, order, numbers, state0, ensemble=ensemble)
    elif chunk is not None:
        raise ValueError(f"chunk is for the ensemble engine, got chunk={chunk} with engine={engine!r}")
    else:
        kernel, more = checked_kernel(step, batches, state0, "step" if engine == "loop" else engine)
        notes |= more
        path = walk(kernel, order, numbers, state0)
    rows = list(_of_one_shape(measure_path(measurement, path, batches, together=together)))
    if isinstance(step, TorchOptimizerStep):
        notes = {"slow": step.slow} | notes
    notes |= ensemble.metadata() | {"engine": "ensemble"} if ensemble else {}
    notes |= describe(kernel) if kernel else {}
    return Trajectory(
        np.array(numbers),
        _stacked(measurement.names, [row.values for row in rows]),
        np.array([row.segment.depth if row.segment else 0 for row in rows]),
        sum(len(row.segment.indices) for row in rows if row.segment),
        notes | {"metrics batched": any(row.batched for row in rows), "seconds": time.perf_counter() - begin},
    )


def _batched(step: Step, batches: Batches, state0: State, engine: str, *, trained: bool) -> tuple[bool, dict[str, str]]:
    """Return whether chains run together, and what to record if they should but cannot.

    Raises
    ------
    TypeError
        If ``engine`` is "ensemble" and the ensemble cannot run the step, with the reason.
    """
    on_gpu = any(value.is_cuda for value in state0["parameters"].values())
    if engine != "ensemble" and not (engine == "auto" and on_gpu and isinstance(step, TrainingStep)):
        return False, {}
    reason = why_not_ensemble(step, batches, state0) if trained else None
    if reason and engine == "ensemble":
        raise TypeError(reason if "cannot run" in reason else f"the ensemble cannot run this step: {reason}")
    return reason is None, {"not used": f"ensemble: {reason}"} if reason else {}


def _of_one_shape(rows: Iterable[Measured]) -> Iterator[Measured]:
    """Yield the rows; raise ValueError at the first metric whose shape is not that of an earlier row."""
    first: dict[str, tuple[int, tuple[int, ...]]] = {}
    for row in rows:
        for name, value in row.values.items():
            n, shape = first.setdefault(name, (row.n, value.shape))
            if value.shape != shape:
                raise ValueError(
                    f"the metric {name!r} must have one shape along the path, and has {shape} at iterate {n} and "
                    f"{value.shape} at iterate {row.n}"
                )
        yield row


def _stacked(names: Sequence[str], rows: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return metric -> values of all rows, NaN in those that lack it."""
    shapes = {name: next((row[name].shape for row in rows if name in row), ()) for name in names}
    return {name: np.stack([row.get(name, np.full(shapes[name], np.nan)) for row in rows]) for name in names}
