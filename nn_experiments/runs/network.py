"""``nn_experiments.run``: the catalogue's machinery for a user's own network."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from contraction.arguments import check_seed
from contraction.maps.orders import Order
from nn_experiments.engine import measure as measure_once
from nn_experiments.engine.checking import check_step, checked_kernel, why_not_ensemble
from nn_experiments.engine.kernels.choose import KERNELS
from nn_experiments.engine.plan import check_iterates
from nn_experiments.engine.purity import probe_measurement
from nn_experiments.engine.recorded import check_recorded
from nn_experiments.paper import catalogue, curve_names
from nn_experiments.results import blocks
from nn_experiments.results.curves import Curves
from nn_experiments.results.load import load
from nn_experiments.runs.own import Delivery, Network, NetworkProblem, NetworkSetup, StateOfSeed
from nn_experiments.runs.progress import one_line, show
from nn_experiments.runs.request import Grid
from nn_experiments.runs.run import Options, Runner, describe_plan
from nn_experiments.training.averages import Average
from nn_experiments.training.batches import Batches, check_batches
from nn_experiments.training.metrics import Measurement, check_measurement
from nn_experiments.training.policies import METRIC_NAME, Policy, ResetIfBetter
from nn_experiments.training.step import State, TrainingStep, check_state

__all__ = ["run"]


def run(
    step: Callable[[State, Any, int], State],
    batches: Callable[[int], Any],
    state: StateOfSeed,
    curves: Sequence[Order | Average | Policy | str],
    *,
    at: Iterable[int],
    measure: Mapping[str, Callable[[State], Any]] | Measurement,
    seeds: Iterable[int] | None = None,
    out: str | Path = "out",
    name: str = "network",
    workers: int | None = None,
    engine: str = "auto",
    time_limit: float | None = None,
    block_seconds: float = 15.0,
    dask: str | None = None,
    describe: Mapping[str, Any] | None = None,
    progress: bool = True,
    dry_run: bool = False,
) -> Curves:
    """Train a network of one's own in several orders, into a folder; go on where an earlier call was stopped.

    Iterates are computed in blocks, on all cores, and each finished block is written at once. The same call goes on
    after Ctrl-C, a crash or a time limit, and computes only what is missing when iterates, curves or seeds are added.

    Parameters
    ----------
    step, batches
        As in `iterates`: ``step(state, batch, t) -> state`` and i -> B_i, from `from_torch` and `ArrayBatches` for
        example.
    state
        θ0, or a function of the seed that returns it.
    curves
        Orders of ``contraction`` (`Forward`, `Backward`, `Windowed`, `Reset`, `Late`), averages of the forward path
        (`EMA`, `Polyak`, `SuffixMean`, `SWA`), policies (`ResetIfBetter`, `StopWhenSettled`), or their names.
    at
        Which iterates, such as ``range(0, 2001, 10)``.
    measure
        Name -> function of one state that returns a number, or a `Measurement` such as that of `measures`.
    seeds
        Each seed draws batches and frozen randomness of its own: the batches need a method ``with_seed(seed)``, as
        `ArrayBatches` has. (default: the seed of the batches; 0 if they have none)
    out
        Output folder (default: ``out`` in the working directory). The run is in a folder below it, named by a hash of
        what decides the numbers.
    name
        What the run is called in plots, reports and `load`; a part of the identity (default: ``network``).
    workers
        Number of worker processes; 0 computes in this one (default: one per core; 0 for short runs and on a GPU).
        They need cloudpickle.
    engine
        As in `iterates`, but for ``loop`` (default: ``auto``).
    time_limit
        Seconds after which no block is begun (default: no limit).
    block_seconds
        An interrupted worker loses at most about this much work (default: 15). A curve with a policy is one block.
    dask
        Address of the scheduler of a dask.distributed cluster (default: this machine alone).
    describe
        ``"step"``, ``"batches"``, ``"state"`` or ``"measure"`` -> plain data that stands for it in the
        identity, in place of the hash of its code and data. With it you vouch that equal descriptions mean equal
        numbers.
    progress
        Whether to report on standard error, the expected time first (default: yes).
    dry_run
        Whether only to print what would be done and how long it would take (default: no).

    Returns
    -------
    Curves
        What has been recorded of these seeds and curves; everything, unless a time limit stopped the run.

    Raises
    ------
    TypeError
        If ``at``, ``seeds``, ``state`` or ``measure`` is of another type.
    ValueError
        If a curve has no name, a metric is unknown or has the name of a column of `Curves.to_csv`, fewer batches were
        recorded by `from_loop` than are needed, the folder holds a run that cannot be seen to be the same (see
        Notes), or the self-check of a step made by `from_torch` finds a difference from the user's own training loop.
    NotDeterministic
        If the step, the batches or the metrics are not pure functions.
    JobFailed
        If a block cannot be computed.
    KeyboardInterrupt
        After Ctrl-C. A script that lets it pass ends with one line that says what is kept, and exit status 130.

    Notes
    -----
    A run's identity is a hash of its name, the initial state, the data and the rule of the batches, the code of the
    step and of the metrics with everything they read (closures, globals, modules), and the optimizer's settings. What
    comes from an installed library counts by its name. What cannot be hashed, such as an open file, is listed under
    ``unknown`` in ``experiment.json``, and such a run is not continued unless ``describe`` says what it is. Moreover
    T_1 T_2 is applied to θ0 before a run is continued, and must do what it did.

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
    ...     found = nne.run(
    ...         step, batches, state, curves, at=range(11), measure=weight, seeds=(0, 1), out=out, progress=False
    ...     )
    >>> found["weight"].shape
    (2, 3, 11)
    """
    numbers = tuple(check_iterates(at))
    measurement = check_measurement("measure", measure)
    batches = check_batches(batches)
    _check_name(name)
    names = _check_curves(curves, measurement)
    chosen = _check_seeds(seeds, batches)
    if not callable(state):
        check_state("state", state)
    check_recorded(step, batches, [curve_names.curve_of(curve) for curve in names], numbers, least=max(*numbers, 2))
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
    """Return what has been recorded of the wanted seeds and curves."""
    grid = runner.grid
    if not any(runner.root.glob("*/*/*.npz")):
        return Curves((), (), np.array([], np.int64), {}, {}, runner.settings)
    found = load(runner.root)
    return found.select(
        seeds=[seed for seed in grid.seeds if seed in found.seeds],
        orders=[order for order in grid.orders if order in found.orders],
        at=grid.at,
    )


def _check_name(name: str) -> None:
    taken = {*catalogue.EXPERIMENTS, *catalogue.FIGURES, "overview", "increments"}
    if name in taken or name.isdigit() or not METRIC_NAME.fullmatch(name.replace("-", "_")):
        raise ValueError(
            f"name must have letters, digits, '_', '-' and '.' only, and not be one of the catalogue's; got {name!r}"
        )


def _check_curves(curves: Sequence[Order | Average | Policy | str], measurement: Measurement) -> tuple[str, ...]:
    """Return the names of the curves, each once."""
    if isinstance(curves, str) or not isinstance(curves, Sequence) or not curves:
        raise ValueError(f"curves must be a list of orders, averages and policies, got {curves!r}")
    for name in measurement.names:
        if not METRIC_NAME.fullmatch(name):
            raise ValueError(f"the name of a metric has letters, digits, '_' and '.' only; got {name!r}")
    found = {}
    for one in curves:
        name = curve_names.parse(one if isinstance(one, str) else curve_names.name_of(one)).name
        curve = curve_names.curve_of(name)
        if isinstance(curve, ResetIfBetter) and curve.metric not in measurement.names:
            raise ValueError(f"{name} looks at a metric that is not measured; there are {', '.join(measurement.names)}")
        found[name] = curve
    return tuple(found)


def _check_seeds(seeds: Iterable[int] | None, batches: Batches) -> tuple[int, ...]:
    if seeds is None:
        return (getattr(getattr(batches, "sampler", None), "seed", 0),)
    if not isinstance(seeds, Iterable):
        raise TypeError(f"seeds must be a sequence of integers, such as range(3) or [3]; got {seeds!r}")
    found = tuple(dict.fromkeys(check_seed(seed) for seed in seeds))
    if not found:
        raise ValueError("seeds must not be empty")
    if len(found) > 1 and not hasattr(batches, "with_seed"):
        raise ValueError(
            f"seeds={list(found)} need batches with a method with_seed(seed), as ArrayBatches has: these batches are "
            "the same for every seed"
        )
    return found


def _blind(setup: NetworkSetup, row: Mapping[str, np.ndarray]) -> list[str]:
    """Return the metrics that do not change when all parameters of θ0 do.

    Parameters
    ----------
    setup
        The tensors of one seed.
    row
        The metrics of θ0. They are compared with those of T_1 T_2 θ0 and, where these are equal, of other parameters.
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


def _check_network(network: Network, seed: int, engine: str) -> tuple[str, dict[str, Any]]:
    """Return the engine that will run, and what to record: the self-check, and what is not used.

    Raises
    ------
    ValueError
        If the step is not the user's own loop, or a metric is no number.
    NotDeterministic
        If a metric is not a pure function of the state.
    """
    if engine not in (*KERNELS, "ensemble"):
        raise ValueError(f"unknown engine {engine!r}; the known ones are {', '.join((*KERNELS, 'ensemble'))}")
    setup = network.setup(seed)
    batches = setup.batches
    notes: dict[str, Any] = dict(check_step(network.step, batches, setup.state0))
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
