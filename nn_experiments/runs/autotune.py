"""Autotuning before a run on a GPU: choose chunk size and convolutions, time one step, keep the choice in a file."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from contraction.files import write_text
from contraction.maps.orders import CustomOrder
from nn_experiments.engine import measure
from nn_experiments.engine.ensemble.stacked_metrics import measure_together
from nn_experiments.engine.ensemble.wavefront import TOGETHER, Ensemble, wavefront
from nn_experiments.engine.gpu import free, out_of_memory, wait
from nn_experiments.engine.plan import Segment
from nn_experiments.results.blocks import TUNING_FILE
from nn_experiments.training.batches import Batches
from nn_experiments.training.metrics import Evaluation
from nn_experiments.training.step import State, TrainingStep

#: How many times B_1 B_2 is repeated to measure how long a map takes.
LONGER = 4

__all__ = ["device_name", "pinned", "rehearse", "rehearse_evaluation", "write_pins"]


def device_name(device: str) -> str:
    """Return the key of the choices for a device: the name of the GPU, or ``cpu``."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu"


def pinned(root: Path, device: str, *, chunk: int | None = None) -> Ensemble:
    """Return the choices of an earlier run in a folder on such a device; ``chunk``, if given, replaces its chunk.

    Raises
    ------
    ValueError
        If the file cannot be read as such choices.
    """
    path = root / TUNING_FILE
    if not path.exists():
        return Ensemble(chunk=chunk)
    try:
        choices = json.loads(path.read_text()).get(device_name(device), {})
        ensemble = Ensemble(chunk=chunk or choices.get("chunk"), convolutions=dict(choices.get("convolutions", {})))
        ensemble.together = choices.get("together")
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{path} cannot be read ({error}); delete it to choose again") from error
    return ensemble


def write_pins(root: Path, device: str, ensemble: Ensemble) -> None:
    """Write the choices of an ensemble to a file beside the blocks, atomically; those for other devices are kept."""
    path = root / TUNING_FILE
    everything: dict[str, object] = json.loads(path.read_text()) if path.exists() else {}
    everything[device_name(device)] = {
        "chunk": ensemble.chunk,
        "convolutions": ensemble.convolutions,
        "together": ensemble.together,
    }
    write_text(path, json.dumps(everything, indent=1, sort_keys=True) + "\n")


def rehearse(step: TrainingStep, batches: Batches, state0: State, ensemble: Ensemble, *, chains: int) -> float:
    """Run up to ``chains`` chains of B_1 B_2, then of longer words; return the seconds of one map of one chain.

    Afterwards the ensemble has its chunk (halved if it did not fit) and a way for every convolution. The start and the
    end of a run take as long as several maps, so the result is computed from the difference of the two times.
    """
    like = next(iter(state0["parameters"].values()))
    times: list[float] = []
    count = 1
    for repeats in (1, 1, LONGER):
        ensemble.prepare(step, batches, state0, 1)
        count = max(1, min(chains, ensemble.chunk or 1))
        order = CustomOrder(lambda n, repeats=repeats: [1, 2] * repeats)
        begin = time.perf_counter()
        for _ in wavefront(step, batches, order, range(1, count + 1), state0, ensemble=ensemble):
            pass
        wait(like.device)
        times.append(time.perf_counter() - begin)
    free()
    return max(times[2] - times[1], 0.1 * times[2]) / (2 * (LONGER - 1) * count)


def rehearse_evaluation(evaluation: Evaluation, batches: Batches, state: State, ensemble: Ensemble) -> float:
    """Choose whether one or `TOGETHER` states are measured at once; return the seconds of one measurement.

    A choice that the ensemble already has is kept.

    Raises
    ------
    RuntimeError
        If the measurement fails for another reason than that memory runs out.
    """
    like = next(iter(state["parameters"].values()))
    iterates = [(1, state, Segment(1, 0, range(1, 0, -1), 0, 1))] * TOGETHER

    def seconds(states: Sequence[tuple[int, State, Segment | None]]) -> float:
        for _ in range(2):  # the first time libraries load and plan
            begin = time.perf_counter()
            if len(states) == 1:
                measure(evaluation, state, 1, 1, batches)
            elif measure_together(evaluation, states, batches) is None:
                return math.inf
            wait(like.device)
        return (time.perf_counter() - begin) / len(states)

    alone = seconds(iterates[:1])
    try:
        together = seconds(iterates)
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        together = math.inf
    if ensemble.together is None:
        ensemble.together = TOGETHER if together < alone else 1
    free()
    return together if ensemble.together > 1 and math.isfinite(together) else alone
