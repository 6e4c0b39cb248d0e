"""Training several starts of several draws under the same maps; see `nn_experiments.results.increments`."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from nn_experiments.engine.ensemble.starts import Draw, under_the_same_maps
from nn_experiments.engine.ensemble.wavefront import Ensemble, Stacked, split
from nn_experiments.engine.gpu import versions
from nn_experiments.paper.catalogue import Experiment, check_compares_orders
from nn_experiments.results.increments import (
    INDEPENDENT,
    NUDGE,
    Increments,
    UnreadableIncrements,
    check_keeps,
    check_same_settings,
    joined,
    load_increments,
)
from nn_experiments.runs.autotune import device_name
from nn_experiments.runs.job import revision
from nn_experiments.runs.precision import products
from nn_experiments.runs.setup import Workplace, prepare
from nn_experiments.training.rng import generator
from nn_experiments.training.step import State

__all__ = ["check_replaceable", "increments_by_draw", "measure_increments"]


def _refuse(experiment: Experiment) -> None:
    """Raise ValueError for an experiment for which the identity in law is not proved."""
    check_compares_orders(experiment)
    optimizer = experiment.optimizer
    if experiment.sampling != "iid":
        raise ValueError(f"the identity needs independent maps: sampling must be iid, got {experiment.sampling!r}")
    if optimizer.method != "sgd" or not optimizer.schedule.constant:
        what = f"{optimizer.method} with the schedule {optimizer.schedule.kind!r}"
        raise ValueError(f"the maps must not depend on their position: SGD with a constant rate, got {what}")


def _check(seeds: Sequence[int], steps: int, every: int, ahead: Sequence[int], images: int = 1) -> None:
    if not seeds or steps < 1 or every < 1 or not ahead or min(ahead) < 1 or images < 1:
        given = f"seeds={list(seeds)}, steps={steps}, every={every}, ahead={list(ahead)}, images={images}"
        raise ValueError(f"seeds and ahead must not be empty, and all numbers at least 1; got {given}")


def _nudged(state: State, seed: int) -> State:
    """Return a state whose parameters are moved by `NUDGE` times their norm in a random direction."""
    rng = generator(seed, "nudge")
    moves = {name: rng.standard_normal(tuple(value.shape)) for name, value in state["parameters"].items()}
    length = float(np.sqrt(sum((move**2).sum() for move in moves.values())))
    norm = float(torch.stack([value.double().norm() for value in state["parameters"].values()]).norm())
    parameters = {
        name: value + torch.from_numpy(moves[name] * (NUDGE * norm / length)).to(value)
        for name, value in state["parameters"].items()
    }
    return {**state, "parameters": parameters}


def _ahead(setups: Sequence[Workplace], steps: Sequence[int], ensemble: Ensemble) -> list[dict[int, State]]:
    """Return, for every draw, n -> the state of an independent run from θ_0 after n steps."""
    reached: list[dict[int, State]] = [{} for _ in setups]
    runs = [Draw(setup.other_batches, [setup.state0]) for setup in setups]
    for n, stacked in under_the_same_maps(setups[0].step, runs, steps, ensemble=ensemble):
        for states, state in zip(reached, split(stacked, len(setups)), strict=True):
            states[n] = state
    return reached


def _distances(state: Stacked, members: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Return (draw, start): distances in the parameters from each draw's first run, and norms."""
    far, norms = [], []
    for chains in members:
        squares = torch.zeros(2, len(chains), dtype=torch.float64)
        for value in state["parameters"].values():
            flat = value[chains].reshape(len(chains), -1)
            added = torch.stack([(flat - flat[:1]).double().square().sum(1), flat.double().square().sum(1)])
            squares = squares.to(added.device) + added
        far.append(squares[0].sqrt().cpu().numpy())
        norms.append(squares[1].sqrt().cpu().numpy())
    return np.stack(far), np.stack(norms)


def measure_increments(
    experiment: Experiment,
    seeds: Sequence[int],
    *,
    steps: int,
    every: int,
    ahead: Sequence[int] = (1, 10, 100, 1000),
    others: bool = True,
    images: int = 500,
    device: str = "cpu",
    data_dir: str | None = None,
    official: bool = True,
    ensemble: Ensemble | None = None,
    report: Callable[[int], object] | None = None,
) -> Increments:
    """Train several starts of several draws under the same maps and measure how far apart they are.

    Their distances have the law of backward increments (row 77 of the audit).

    Parameters
    ----------
    experiment
        An experiment with independent batches and SGD with a constant learning rate.
    seeds
        One for each draw; a seed has the maps and the θ_0 that it has in the figures.
    steps, every
        Measure at n = 0, ``every``, 2·``every``, …, ``steps``.
    ahead
        The k of the runs that are k steps ahead (default: 1, 10, 100, 1000).
    others
        Whether another start and a nudged start are trained as well (default: True).
    images
        The number of test images, the first in canonical order, on which outputs are compared (default: 500).
    device, data_dir, official
        As in ``python -m nn_experiments run``.
    ensemble
        How chains are batched (default: everything is chosen); choices that are made here are stored in it.
    report
        Called with every n that is measured (default: None).

    Returns
    -------
    Increments
        Arrays over (draw, n, start).

    Raises
    ------
    ValueError
        If the maps are not independent, or depend on their position; if there is nothing to measure.

    Notes
    -----
    The runs of a draw share their maps, so a draw is one replicate: compute intervals and tests over draws.
    """
    _refuse(experiment)
    _check(seeds, steps, every, ahead, images)
    at = _measured_at(steps, every)
    begin = time.perf_counter()
    prepare.cache_clear()  # it keeps the tensors of two seeds; here those of all seeds are in memory at once
    setups = [prepare(experiment, s, data_dir=data_dir, official=official, device=device) for s in seeds]
    first = setups[0]
    if first.step.gradients.random:
        raise ValueError("random masks are part of a map, and an independent run must draw its own: no frozen dropout")
    inputs, targets = (part[:images] for part in first.evaluation.sets["test"])
    names = _names(ahead, others=others)
    rows: dict[str, list[np.ndarray]] = {key: [] for key in ("parameter", "function", "norm", "loss", "accuracy")}
    with products(experiment, device):
        ensemble = ensemble or Ensemble(chunk=len(names) * len(setups))
        draws = _draws(setups, ahead, ensemble, others=others)
        count = len(names) - 1
        # of every draw: its starts under the same maps, then its independent run, which come after all of those
        members = [[*range(d * count, (d + 1) * count), len(setups) * count + d] for d in range(len(setups))]
        for n, state in under_the_same_maps(first.step, draws, at, ensemble=ensemble):
            far, norms = _distances(state, members)
            outputs = torch.stack([_outputs(first, state, chains, inputs) for chains in members])
            row = {"parameter": far, "norm": norms} | _judged(first, outputs, targets)
            for key, value in row.items():
                rows[key].append(value)
            if report:
                report(n)
    arrays = {key: np.stack(value, 1) for key, value in rows.items()}
    about = {
        "experiment": experiment.to_json(),
        "fingerprint": first.dataset.fingerprint,
        "images": len(inputs),
        "nudge": NUDGE,
        "chains": len(names) * len(setups),
        "form": ensemble.form,
        "convolutions": dict(ensemble.convolutions),
        "graphs": ensemble.graphs,
        "device": device_name(device),
        "torch": torch.__version__,
        **(versions() if device.startswith("cuda") else {}),
        "revision": revision(),
        "seconds": round(time.perf_counter() - begin, 1),
    }
    return Increments(np.array(seeds), np.array(at), names, **arrays, metadata=about)


def increments_by_draw(
    experiment: Experiment,
    seeds: Sequence[int],
    folder: Path,
    *,
    steps: int,
    every: int,
    ahead: Sequence[int],
    data_dir: str | None = None,
    official: bool = True,
    report: Callable[[int, int | None], object] | None = None,
) -> Increments:
    """Measure one draw after the other on the CPU, keep each in a file, and go on where a stopped run was.

    Parameters
    ----------
    experiment, seeds, steps, every, ahead, data_dir, official
        As in `measure_increments`.
    folder
        Where the files of the draws are, ``draw-SEED.npz``. A draw is measured again if its file has other iterates,
        starts or data, or cannot be read. A file that an older revision of this package wrote is used.
    report
        Called with every draw and n that is measured, and with a draw and None if its file is used (default: None).

    Returns
    -------
    Increments
        Of all draws.

    Raises
    ------
    ValueError
        As `measure_increments`; and if a file holds a draw of another experiment, or one that
        would lose steps or starts.
    """
    _check(seeds, steps, every, ahead)
    for seed in seeds:
        with contextlib.suppress(UnreadableIncrements):
            check_replaceable(folder / f"draw-{seed}.npz", experiment, [seed], steps=steps, every=every, ahead=ahead)
    parts = []
    for seed in seeds:
        path = folder / f"draw-{seed}.npz"
        part = _kept(path, experiment, seed, steps, every, ahead, data_dir=data_dir, official=official)
        if part is not None and report is not None:
            report(seed, None)
        if part is None:
            part = measure_increments(
                experiment,
                [seed],
                steps=steps,
                every=every,
                ahead=ahead,
                data_dir=data_dir,
                official=official,
                report=None if report is None else partial(report, seed),
            )
            part.save(path)
        parts.append(part)
    return joined(parts)


def check_replaceable(
    path: Path, experiment: Experiment, seeds: Sequence[int], *, steps: int, every: int, ahead: Sequence[int]
) -> None:
    """Check, before anything is computed, that a measurement may be written to a file.

    Parameters
    ----------
    path
        The file, which need not exist.
    experiment, seeds, steps, every, ahead
        As in `measure_increments`.

    Raises
    ------
    ValueError
        If the maps are not independent, or depend on their position; if there is nothing to measure; if the file holds
        increments of other settings, or draws, steps or starts that the measurement will not have.
    """
    _refuse(experiment)
    _check(seeds, steps, every, ahead)
    check_same_settings(path, experiment.to_json())
    check_keeps(path, seeds, _measured_at(steps, every), _names(ahead, others=True))


def _kept(
    path: Path,
    experiment: Experiment,
    seed: int,
    steps: int,
    every: int,
    ahead: Sequence[int],
    *,
    data_dir: str | None,
    official: bool,
) -> Increments | None:
    """Return the draw of a file, or None if there is none of these settings and data that can be read."""
    if not path.is_file():
        return None
    try:
        part = load_increments(path)
    except UnreadableIncrements:
        return None
    data = prepare(experiment, seed, data_dir=data_dir, official=official, device="cpu").dataset
    settings = [json.loads(json.dumps(experiment.to_json())), data.fingerprint, [seed], _measured_at(steps, every)]
    held = [part.metadata["experiment"], part.metadata["fingerprint"], part.draws.tolist(), part.at.tolist()]
    return part if held == settings and part.starts == _names(ahead, others=True) else None


def _measured_at(steps: int, every: int) -> list[int]:
    return sorted({*range(0, steps + 1, every), steps})


def _names(ahead: Sequence[int], *, others: bool) -> tuple[str, ...]:
    return ("θ0", *(f"{k} ahead" for k in ahead), *(("other start", "nudged") if others else ()), INDEPENDENT)


def _draws(setups: Sequence[Workplace], ahead: Sequence[int], ensemble: Ensemble, *, others: bool) -> list[Draw]:
    """Return the starts of every seed under its own maps, then the independent run of every seed."""
    draws = []
    for setup, reached in zip(setups, _ahead(setups, ahead, ensemble), strict=True):
        starts = [setup.state0, *(reached[k] for k in ahead)]
        starts += [setup.second, _nudged(setup.state0, setup.seed)] if others else []
        draws.append(Draw(setup.batches, starts))
    return [*draws, *(Draw(setup.other_batches, [setup.state0]) for setup in setups)]


def _outputs(workplace: Workplace, state: Stacked, members: Sequence[int], inputs: torch.Tensor) -> torch.Tensor:
    """Return the outputs (chain, image, output) of these chains in evaluation mode."""
    outputs = []
    with torch.no_grad():
        for c in members:
            single = {part: {key: value[c] for key, value in values.items()} for part, values in state.items()}
            rows = range(0, len(inputs), workplace.evaluation.rows)
            pieces = [workplace.evaluation.predict(single, inputs[k : k + workplace.evaluation.rows]) for k in rows]
            outputs.append(torch.cat(pieces))
    return torch.stack(outputs)


def _judged(workplace: Workplace, outputs: torch.Tensor, targets: torch.Tensor) -> dict[str, np.ndarray]:
    """Return (draw, start): distances of outputs from each draw's first run, losses and accuracies."""
    outputs = outputs.double()
    function = (outputs - outputs[:, :1]).square().sum(-1).mean(-1).sqrt()
    loss = torch.stack([torch.stack([workplace.evaluation.loss(run, targets) for run in draw]) for draw in outputs])
    accuracy = torch.full_like(loss, float("nan"))
    if workplace.dataset.classes:
        accuracy = (outputs.argmax(-1) == targets).double().mean(-1)
    return {
        key: value.cpu().numpy() for key, value in {"function": function, "loss": loss, "accuracy": accuracy}.items()
    }
