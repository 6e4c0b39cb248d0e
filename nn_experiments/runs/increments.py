"""Train several starts of several draws under the same maps.

`nn_experiments.results.increments` says what that shows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from nn_experiments.engine.ensemble.starts import Draw, under_the_same_maps
from nn_experiments.engine.ensemble.wavefront import Ensemble, Stacked, split
from nn_experiments.engine.gpu import versions
from nn_experiments.paper.catalogue import Experiment
from nn_experiments.results.increments import INDEPENDENT, NUDGE, Increments
from nn_experiments.runs.autotune import device_name
from nn_experiments.runs.job import revision
from nn_experiments.runs.precision import products
from nn_experiments.runs.setup import Workplace, prepare
from nn_experiments.training.rng import generator
from nn_experiments.training.step import State

__all__ = ["measure_increments"]


def _refuse(experiment: Experiment) -> None:
    """Refuse what the identity in law is not proved for here."""
    optimizer = experiment.optimizer
    if experiment.sampling != "iid":
        raise ValueError(f"the identity needs independent maps: sampling must be iid, got {experiment.sampling!r}")
    if optimizer.method != "sgd" or not optimizer.schedule.constant:
        what = f"{optimizer.method} with the schedule {optimizer.schedule.kind!r}"
        raise ValueError(f"the maps must not depend on their position: SGD with a constant rate, got {what}")


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


def _ahead(places: Sequence[Workplace], steps: Sequence[int], ensemble: Ensemble) -> list[dict[int, State]]:
    """Return, for every draw, the states that an independent run from θ0 has reached after so many steps."""
    found: list[dict[int, State]] = [{} for _ in places]
    runs = [Draw(place.other_batches, [place.state0]) for place in places]
    for n, state in under_the_same_maps(places[0].step, runs, steps, ensemble=ensemble):
        for own, one in zip(found, split(state, len(places)), strict=True):
            own[n] = one
    return found


def _distances(state: Stacked, members: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Return (draw, start): distances in the parameters from each draw's first run, and norms."""
    far, norms = [], []
    for own in members:
        squares = torch.zeros(2, len(own), dtype=torch.float64)
        for value in state["parameters"].values():
            flat = value[own].flatten(1)
            both = torch.stack([(flat - flat[:1]).double().square().sum(1), flat.double().square().sum(1)])
            squares = squares.to(both.device) + both
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

    Parameters
    ----------
    experiment
        With independent batches and SGD of a constant rate.
    seeds
        Draws: each seed has its own maps and its own θ0, those of the paper's figures.
    steps, every
        Measure at n = 0, ``every``, 2·``every``, …, ``steps``.
    ahead
        The k of the runs that are k steps ahead (default: 1, 10, 100, 1000).
    others
        Whether the other start and the nudged one are run as well (default: yes).
    images
        How many test images (the first in canonical order) outputs are compared on (default: 500).
    device, data_dir, official
        As in ``python -m nn_experiments run``.
    ensemble
        How chains are batched; what it leaves open is chosen and kept in it (default: everything is chosen).
    report
        Called with every n that is measured.

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
    Runs of one draw share their maps, so one draw is one replicate: intervals and tests are to be taken over draws.
    """
    _refuse(experiment)
    if not seeds or steps < 1 or every < 1 or not ahead or min(ahead) < 1 or images < 1:
        asked = f"seeds={list(seeds)}, steps={steps}, every={every}, ahead={list(ahead)}, images={images}"
        raise ValueError(f"seeds and ahead must not be empty, and all numbers at least 1; got {asked}")
    at = sorted({*range(0, steps + 1, every), steps})
    begin = time.perf_counter()
    prepare.cache_clear()  # of the last two: here all seeds' are held at once
    places = [prepare(experiment, s, data_dir=data_dir, official=official, device=device) for s in seeds]
    first = places[0]
    if first.step.gradients.random:
        raise ValueError("random masks are part of a map, and an independent run must draw its own: no frozen dropout")
    inputs, targets = (one[:images] for one in first.evaluation.sets["test"])
    names = ["θ0", *(f"{k} ahead" for k in ahead), *(("other start", "nudged") if others else ()), INDEPENDENT]
    count = len(names) - 1
    rows: dict[str, list[np.ndarray]] = {key: [] for key in ("parameter", "function", "norm", "loss", "accuracy")}
    with products(experiment, device):
        ensemble = ensemble or Ensemble(chunk=len(names) * len(places))
        draws = []
        for place, reached in zip(places, _ahead(places, ahead, ensemble), strict=True):
            starts = [place.state0, *(reached[k] for k in ahead)]
            starts += [place.second, _nudged(place.state0, place.seed)] if others else []
            draws.append(Draw(place.batches, starts))
        draws += [Draw(place.other_batches, [place.state0]) for place in places]
        # of every draw: its starts under the same maps, then its independent run, which are behind all of those
        members = [[*range(d * count, (d + 1) * count), len(places) * count + d] for d in range(len(places))]
        for n, state in under_the_same_maps(first.step, draws, at, ensemble=ensemble):
            far, norms = _distances(state, members)
            outputs = torch.stack([_outputs(first, state, own, inputs) for own in members])
            found = {"parameter": far, "norm": norms} | _judged(first, outputs, targets)
            for key, value in found.items():
                rows[key].append(value)
            if report:
                report(n)
    arrays = {key: np.stack(value, 1) for key, value in rows.items()}
    about = {
        "experiment": experiment.to_json(),
        "fingerprint": first.dataset.fingerprint,
        "images": len(inputs),
        "nudge": NUDGE,
        "chains": len(names) * len(places),
        "form": ensemble.form,
        "convolutions": dict(ensemble.convolutions),
        "graphs": ensemble.graphs,
        "device": device_name(device),
        "torch": torch.__version__,
        **(versions() if device.startswith("cuda") else {}),
        "revision": revision(),
        "seconds": round(time.perf_counter() - begin, 1),
    }
    return Increments(np.array(seeds), np.array(at), tuple(names), **arrays, metadata=about)


def _outputs(place: Workplace, state: Stacked, members: Sequence[int], inputs: torch.Tensor) -> torch.Tensor:
    """Return the outputs (chain, image, output) of some chains in evaluation mode."""
    found = []
    with torch.no_grad():
        for c in members:
            own = {part: {key: value[c] for key, value in values.items()} for part, values in state.items()}
            rows = range(0, len(inputs), place.evaluation.rows)
            pieces = [place.evaluation.predict(own, inputs[k : k + place.evaluation.rows]) for k in rows]
            found.append(torch.cat(pieces))
    return torch.stack(found)


def _judged(place: Workplace, outputs: torch.Tensor, targets: torch.Tensor) -> dict[str, np.ndarray]:
    """Return (draw, start): distances of outputs from each draw's first run, losses and accuracies."""
    outputs = outputs.double()
    function = (outputs - outputs[:, :1]).square().sum(-1).mean(-1).sqrt()
    loss = torch.stack([torch.stack([place.evaluation.loss(one, targets) for one in own]) for own in outputs])
    accuracy = torch.full_like(loss, float("nan"))
    if place.dataset.classes:
        accuracy = (outputs.argmax(-1) == targets).double().mean(-1)
    return {
        key: value.cpu().numpy() for key, value in {"function": function, "loss": loss, "accuracy": accuracy}.items()
    }
