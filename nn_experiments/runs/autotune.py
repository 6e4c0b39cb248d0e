"""Autotuning before a run on a GPU: choose chunk size and convolutions, time one step, keep the choice in a file."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from contraction.files import write_text
from contraction.maps.orders import CustomOrder
from nn_experiments.engine import measure
from nn_experiments.engine.ensemble.stacked_metrics import measure_together
from nn_experiments.engine.ensemble.wavefront import TOGETHER, Ensemble, wavefront
from nn_experiments.engine.gpu import free, out_of_memory, wait
from nn_experiments.results.blocks import TUNING_FILE
from nn_experiments.training.batches import Batches
from nn_experiments.training.metrics import Evaluation
from nn_experiments.training.step import State, TrainingStep

#: How many times B_1 B_2 is repeated to see how long a map takes.
LONGER = 4

__all__ = ["device_name", "pinned", "rehearse", "rehearse_evaluation", "write_pins"]


def device_name(device: str) -> str:
    """Return what the choices on a device are kept under: the name of the card, or ``cpu``."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu"


def pinned(root: Path, device: str, *, chunk: int | None = None) -> Ensemble:
    """Return the choices of an earlier run in a folder on such a device; a given ``chunk`` replaces theirs.

    Raises
    ------
    ValueError
        If the file is there and says something else.
    """
    path = root / TUNING_FILE
    if not path.exists():
        return Ensemble(chunk=chunk)
    try:
        found = json.loads(path.read_text()).get(device_name(device), {})
        own = Ensemble(chunk=chunk or found.get("chunk"), convolutions=dict(found.get("convolutions", {})))
        own.together = found.get("together")
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{path} cannot be read ({error}); delete it to choose again") from error
    return own


def write_pins(root: Path, device: str, ensemble: Ensemble) -> None:
    """Write the choices of an ensemble beside the blocks, atomically; those of other devices stay."""
    path = root / TUNING_FILE
    everything: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    everything[device_name(device)] = {
        "chunk": ensemble.chunk,
        "convolutions": ensemble.convolutions,
        "together": ensemble.together,
    }
    write_text(path, json.dumps(everything, indent=1, sort_keys=True) + "\n")


def rehearse(step: TrainingStep, batches: Batches, state0: State, ensemble: Ensemble, *, chains: int) -> float:
    """Run up to ``chains`` chains of B_1 B_2, then longer words of them; return the seconds of one map of one chain.

    The ensemble then has its chunk (halved where it did not fit) and a way for every convolution. What begins and ends
    a run takes as long as several maps: the second time is that of the longer words less the shorter ones.
    """
    some = next(iter(state0["parameters"].values()))
    times: list[float] = []
    count = 1
    for repeats in (1, 1, LONGER):
        ensemble.prepare(step, batches, state0, 1)
        count = max(1, min(chains, ensemble.chunk or 1))
        order = CustomOrder(lambda n, repeats=repeats: [1, 2] * repeats)
        begin = time.perf_counter()
        for _ in wavefront(step, batches, order, range(1, count + 1), state0, ensemble=ensemble):
            pass
        wait(some.device)
        times.append(time.perf_counter() - begin)
    free()
    return max(times[2] - times[1], 0.1 * times[2]) / (2 * (LONGER - 1) * count)


def rehearse_evaluation(evaluation: Evaluation, batches: Batches, state: State, ensemble: Ensemble) -> float:
    """Choose whether one or `TOGETHER` states are measured at once, unless it is chosen; return the seconds of one."""
    some = next(iter(state["parameters"].values()))
    run = SimpleNamespace(outermost=1)
    found = [(1, state, run)] * TOGETHER

    def seconds(states: Sequence[Any]) -> float:
        for _ in range(2):  # the first time libraries load and plan
            begin = time.perf_counter()
            if len(states) == 1:
                measure(evaluation, state, 1, 1, batches)
            elif measure_together(evaluation, states, batches) is None:
                return math.inf
            wait(some.device)
        return (time.perf_counter() - begin) / len(states)

    alone = seconds(found[:1])
    try:
        both = seconds(found)
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        both = math.inf
    if ensemble.together is None:
        ensemble.together = TOGETHER if both < alone else 1
    free()
    return both if ensemble.together > 1 and math.isfinite(both) else alone
