"""``nn_experiments.run``, which trains a user's network as the experiments of the catalogue are trained."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor
from torch.nn import Module

from contraction.arguments import check_flag, check_seed
from contraction.maps.orders import Order
from nn_experiments.engine import measure as measure_once
from nn_experiments.engine.checking import check_step, checked_kernel, why_not_ensemble
from nn_experiments.engine.kernels.choose import KERNELS
from nn_experiments.engine.plan import check_iterates
from nn_experiments.engine.purity import check_first_batches, probe_measurement
from nn_experiments.engine.recorded import check_recorded
from nn_experiments.paper import catalogue, curve_names
from nn_experiments.results import blocks
from nn_experiments.results.curves import Curves
from nn_experiments.results.run_folders import load_run
from nn_experiments.runs.own import Delivery, Network, NetworkProblem, NetworkSetup, StateOfSeed, forget
from nn_experiments.runs.progress import one_line, show
from nn_experiments.runs.request import Grid
from nn_experiments.runs.run import Options, Runner, describe_plan
from nn_experiments.training.averages import Average
from nn_experiments.training.batches import Batches, check_batches
from nn_experiments.training.metrics import Measurement, check_measurement
from nn_experiments.training.policies import METRIC_NAME, Policy, ResetIfBetter
from nn_experiments.training.signatures import check_is_step, check_takes
from nn_experiments.training.states import State, check_state
from nn_experiments.training.step import Step, TrainingStep

__all__ = ["run"]


def run(
    step: Step,
    batches: Batches,
    state: StateOfSeed,
    curves: Sequence[Order | Average | Policy | str],
    *,
    at: Iterable[int] | None = None,
    measure: Mapping[str, Callable[[State], Tensor | float]] | Measurement | None = None,
    seeds: Iterable[int] | None = None,
    out: str | Path = "out",
    name: str = "network",
    workers: int | None = None,
    engine: str = "auto",
    time_limit: float | None = None,
    block_seconds: float = 15.0,
    dask: str | None = None,
    describe: Mapping[str, object] | None = None,
    progress: bool = True,
    dry_run: bool = False,
) -> Curves:
    """Train your own network in several orders and write the results to a folder; resume an interrupted run.

    Iterates are computed in blocks, on all cores, and each finished block is written immediately. The same call
    continues after Ctrl-C, a crash or a time limit. If iterates, curves or seeds are added, only these are computed.

    Parameters
    ----------
    step, batches
        As in `iterates`: ``step(state, batch, t) -> state`` and i -> B_i, for example from `from_torch` and
        `ArrayBatches`.
    state
        θ_0, or a function of the seed that returns it.
    curves
        Orders of ``contraction`` (`Forward`, `Backward`, `Windowed`, `Reset`, `Late`), averages of the forward path
        (`EMA`, `Polyak`, `SuffixMean`, `SWA`), policies (`ResetIfBetter`, `StopWhenSettled`), or their names.
    at
        The iterates to compute, such as ``range(0, 2001, 10)``. Required.
    measure
        Required. Name -> function of one state that returns a number, such as `measures` returns, or a `Measurement`.
    seeds
        The seeds of batches and frozen randomness (default: the seed of the batches, or 0 if they have none). For
        several seeds the batches need a method ``with_seed(seed)``, which `ArrayBatches` has.
    out
        Output folder (default: ``out`` in the working directory). The run has a folder below it, whose name is a hash
        of everything that the numbers depend on.
    name
        Name of the run in plots, reports and `load`; a part of the identity (default: ``network``).
    workers
        Number of worker processes, which need cloudpickle; 0 computes in this process (default: one per core; 0 for
        short runs and on a GPU).
    engine
        As in `iterates`, except ``loop`` (default: ``auto``).
    time_limit
        Seconds after which no new block is started (default: no limit).
    block_seconds
        About how many seconds of work are lost if a worker is killed (default: 15), or the seconds between two recorded
        iterates if these are more. On a GPU it is the work of a chunk of chains; with Dask, or for an average or a
        policy, that of a path up to the last iterate of a block.
    dask
        Address of the scheduler of a dask.distributed cluster (default: none, this machine).
    describe
        ``"step"``, ``"batches"``, ``"state"`` or ``"measure"`` -> plain data that replaces the hash of its code and
        data in the identity (default: none). You are then responsible that equal descriptions mean equal numbers.
    progress
        Whether to report the progress on standard error (default: True).
    dry_run
        Whether only to print what would be done and how long it would take (default: False).

    Returns
    -------
    Curves
        The recorded results of these seeds and curves; they are complete unless a time limit stopped the run.

    Raises
    ------
    TypeError
        If ``at`` or ``measure`` is missing, or if ``at``, ``seeds``, ``state``, ``measure`` or ``out`` has another
        type.
    ValueError
        If a curve has no name; if a metric is unknown or has the name of a column of `Curves.to_csv`; if `from_loop`
        has recorded fewer batches than are needed; or if the folder has a run that cannot be identified as the same
        (see Notes).
    CannotReplay
        If the self-check of a step made by `from_torch` finds a difference from the user's own training loop.
    CallFailed
        If the model, the loss or a metric raises an error.
    Broadcasts
        If a loss of torch compares outputs and targets of different shapes.
    NotDeterministic
        If the step, the batches or the metrics are not pure functions.
    JobFailed
        If a block cannot be computed.
    KeyboardInterrupt
        After Ctrl-C. A script that lets it pass ends with one line that says what is kept, and exit status 130.

    Notes
    -----
    The identity of a run is a hash of its name, the initial state, the data and sampling of the batches, the code of
    the step and of the metrics with everything that they read (closures, globals, modules), and the optimizer's
    settings. Code of installed libraries is identified by its name. Objects that cannot be hashed, such as open files,
    are listed under ``unknown`` in ``experiment.json``; such a run is continued only if ``describe`` identifies them.
    Before a run is continued, T_1 T_2 is applied to θ_0 and must give the recorded result.

    Examples
    --------
    >>> import tempfile
    >>> import torch
    >>> import contraction as ct
    >>> import nn_experiments as nne
    >>> x = torch.linspace(-1, 1, 20)[:, None]
    >>> model = torch.nn.Linear(1, 1)
    >>> loss = torch.nn.functional.mse_loss
    >>> step, state = nne.from_torch(model, loss, torch.optim.SGD(model.parameters(), lr=0.1))
    >>> batches = nne.ArrayBatches(x, 2 * x, batch_size=4, seed=0)
    >>> weight = {"weight": lambda s: s["parameters"]["weight"]}
    >>> curves = [ct.Forward(), ct.Backward(), nne.EMA(0.9)]
    >>> with tempfile.TemporaryDirectory() as out:
    ...     result = nne.run(
    ...         step, batches, state, curves, at=range(11), measure=weight, seeds=(0, 1), out=out, progress=False
    ...     )
    >>> result["weight"].shape
    (2, 3, 11)
    """
    _check_given(at, measure, out)
    assert at is not None  # _check_given has seen to it
    numbers = tuple(check_iterates(at))
    measurement = check_measurement("measure", measure)
    if not measurement.names:
        raise ValueError(f"measure names no metric, got {measure!r}")
    check_is_step(step)
    batches = check_batches(batches)
    check_first_batches(step, batches)
    _check_name(name)
    check_flag("progress", progress)
    check_flag("dry_run", dry_run)
    if describe is not None and not isinstance(describe, Mapping):
        raise TypeError(f"describe must map parts of the run to plain data, such as {{'step': 'v2'}}; got {describe!r}")
    names = _check_curves(curves, measurement)
    chosen = _check_seeds(seeds, batches)
    _check_state(state, chosen[0], step)
    check_recorded(step, batches, [curve_names.curve_of(curve) for curve in names], numbers, least=max(*numbers, 2))
    forget()
    network = Network(step, batches, state, measurement)
    engine, notes = _check_network(network, chosen[0], engine)
    problem = NetworkProblem(network, name, described=describe or {}, seed=chosen[0], notes=notes)
    options = Options(
        out=Path(out),
        workers=workers,
        engine=engine,
        time_limit=time_limit,
        block_seconds=block_seconds,
        dask=dask,
    )
    grid = Grid(seeds=chosen, orders=names, at=numbers, last=max(numbers))
    runner = Runner(problem, grid, options, report=show() if progress else None, setup=Delivery(problem))
    if any(runner.root.glob("*/*/*.npz")):
        problem.check_same(blocks.read_settings(runner.root), str(runner.root))
    if dry_run:
        print(describe_plan(runner, runner.plan()))
    else:
        _run(runner, progress)
    return _recorded(runner)


def _run(runner: Runner, progress: bool) -> None:
    try:
        outcome = runner.run()
    except KeyboardInterrupt:
        done = len(list(runner.root.glob("*/*/*.npz")))
        stop = KeyboardInterrupt(
            f"interrupted; {runner.root} keeps the {done} blocks that are done, and the same call goes on from there"
        )
        one_line(stop)
        raise stop from None
    if outcome.missing and progress:
        print(f"{outcome.missing} blocks are still missing; the same call goes on", file=sys.stderr)


def _recorded(runner: Runner) -> Curves:
    """Return the recorded results of the requested seeds and curves."""
    grid = runner.grid
    if not any(runner.root.glob("*/*/*.npz")):
        return Curves((), (), np.array([], np.int64), {}, {}, runner.settings)
    recorded = load_run(runner.root, grid.orders)
    return recorded.select(
        seeds=[seed for seed in grid.seeds if seed in recorded.seeds],
        orders=[order for order in grid.orders if order in recorded.orders],
        at=grid.at,
    )


def _check_given(at: object, measure: object, out: object) -> None:
    if at is None:
        raise TypeError("run needs at=, the iterates to compute, such as at=range(0, 1001, 10)")
    if measure is None:
        raise TypeError(
            "run needs measure=, what is measured of each iterate, such as "
            "measure=nne.measures(model, loss, test=(inputs, targets))"
        )
    if not isinstance(out, str | os.PathLike) or not os.fspath(out):
        raise TypeError(f"out must be the name of a folder, in which the results are kept, such as 'out'; got {out!r}")


def _check_state(state: object, seed: int, step: Step) -> None:
    """Check that a state, or what a function of the seed returns for the first one, can be trained by the step."""
    if not callable(state) or isinstance(state, Module):
        check_state("state", state, step)
        return
    check_takes("state", state, ("seed",))
    check_state(f"state({seed})", state(seed), step)


def _check_name(name: str) -> None:
    taken = {*catalogue.EXPERIMENTS, *catalogue.FIGURES, "overview", "increments"}
    text = name if isinstance(name, str) else ""
    if text in taken or text.startswith("-") or not METRIC_NAME.fullmatch(text.replace("-", "_")):
        raise ValueError(
            "name must begin with a letter or '_', have letters, digits, '_', '-' and '.' only, and not be one of the "
            f"catalogue's; got {name!r}"
        )


def _check_curves(curves: Sequence[Order | Average | Policy | str], measurement: Measurement) -> tuple[str, ...]:
    """Return the names of the curves, each once."""
    if isinstance(curves, str) or not isinstance(curves, Sequence) or not curves:
        raise ValueError(f"curves must be a list of orders, averages and policies, got {curves!r}")
    for name in measurement.names:
        if not METRIC_NAME.fullmatch(name):
            raise ValueError(
                "the name of a metric begins with a letter or '_' and has letters, digits, '_' and '.' only; got "
                f"{name!r}"
            )
    chosen = {}
    for given in curves:
        name = curve_names.parse(given if isinstance(given, str) else curve_names.name_of(given)).name
        curve = curve_names.curve_of(name)
        if isinstance(curve, ResetIfBetter) and curve.metric not in measurement.names:
            raise ValueError(f"{name} looks at a metric that is not measured; there are {', '.join(measurement.names)}")
        chosen[name] = curve
    return tuple(chosen)


def _check_seeds(seeds: Iterable[int] | None, batches: Batches) -> tuple[int, ...]:
    if seeds is None:
        return (getattr(getattr(batches, "sampler", None), "seed", 0),)
    if not isinstance(seeds, Iterable):
        raise TypeError(f"seeds must be a sequence of integers, such as range(3) or [3]; got {seeds!r}")
    chosen = tuple(dict.fromkeys(check_seed(seed) for seed in seeds))
    if not chosen:
        raise ValueError("seeds must not be empty")
    if len(chosen) > 1 and not hasattr(batches, "with_seed"):
        raise ValueError(
            f"seeds={list(chosen)} need batches with a method with_seed(seed), as ArrayBatches has: these batches are "
            "the same for every seed"
        )
    return chosen


def _blind(setup: NetworkSetup, row: Mapping[str, np.ndarray]) -> list[str]:
    """Return the metrics that do not change when all parameters of θ_0 do.

    Parameters
    ----------
    setup
        The tensors of one seed.
    row
        The metrics of θ_0. They are compared with those of T_1 T_2 θ_0 and, where these are equal, of other parameters.
    """

    def equal(state: State, names: Iterable[str]) -> list[str]:
        other = measure_once(setup.measurement, state, 0, 0, setup.batches)
        return [name for name in names if np.array_equal(row[name], other[name], equal_nan=True)]

    moved = setup.step(setup.step(setup.state0, setup.batches(2), 1), setup.batches(1), 2)
    names = equal(moved, row)
    for factor in (2, -2):
        if names:
            others = {name: factor * value + 1 for name, value in setup.state0["parameters"].items()}
            names = equal({**setup.state0, "parameters": others}, names)
    return names


def _check_network(network: Network, seed: int, engine: str) -> tuple[str, dict[str, object]]:
    """Return the engine to use, and notes to record: the self-check, and a kernel that is not used.

    Raises
    ------
    ValueError
        If the engine is unknown or cannot run the step, or a metric is not a number.
    NotDeterministic
        If a metric is not a pure function of the state.
    """
    if engine not in (*KERNELS, "ensemble"):
        raise ValueError(f"unknown engine {engine!r}; the known ones are {', '.join((*KERNELS, 'ensemble'))}")
    setup = network.setup(seed)
    batches = setup.batches
    notes: dict[str, object] = dict(check_step(network.step, batches, setup.state0))
    row = measure_once(setup.measurement, setup.state0, 0, 0, batches)
    for name, value in row.items():
        if value.size != 1:
            raise ValueError(f"the metric {name} must be one number, got an array of shape {value.shape}")
    probe_measurement(lambda state: measure_once(setup.measurement, state, 0, 0, batches), setup.state0)
    if fixed := _blind(setup, row):
        warnings.warn(
            f"the metric {', '.join(fixed)} has the same value whatever the parameters of the state are: it may read "
            "the model in place of the state that it is given. nne.measures makes metrics that use the state",
            stacklevel=3,
        )
    on_gpu = any(value.is_cuda for value in setup.state0["parameters"].values())
    if engine == "ensemble" or (engine == "auto" and on_gpu and isinstance(network.step, TrainingStep)):
        reason = why_not_ensemble(network.step, batches, setup.state0)
        if reason and engine == "ensemble":
            raise ValueError(f"the ensemble cannot run this step: {reason}")
        return ("step", notes | {"not used": f"ensemble: {reason}"}) if reason else ("ensemble", notes)
    kernel, more = checked_kernel(network.step, batches, setup.state0, engine)
    return kernel.name, notes | more
