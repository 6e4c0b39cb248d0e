"""Before a long run on a GPU: choose chunk and convolutions once, measure a map, and write the choice down."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch

from contraction.files import write_text
from contraction.orders import CustomOrder
from nn_experiments.engine.ensemble import Ensemble, wavefront
from nn_experiments.steps import State
from nn_experiments.store import PINS

__all__ = ["device_name", "pinned", "rehearse", "write_pins"]


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
    path = root / PINS
    if not path.exists():
        return Ensemble(chunk=chunk)
    try:
        found = json.loads(path.read_text()).get(device_name(device), {})
        own = Ensemble(chunk=chunk or found.get("chunk"), convolutions=dict(found.get("convolutions", {})))
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{path} cannot be read ({error}); delete it to choose again") from error
    return own


def write_pins(root: Path, device: str, ensemble: Ensemble) -> None:
    """Write the choices of an ensemble beside the blocks, atomically; those of other devices stay."""
    path = root / PINS
    everything: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    everything[device_name(device)] = {"chunk": ensemble.chunk, "convolutions": ensemble.convolutions}
    write_text(path, json.dumps(everything, indent=1, sort_keys=True) + "\n")


def rehearse(step: Any, batches: Any, state0: State, ensemble: Ensemble, *, chains: int) -> float:
    """Run up to ``chains`` chains of B_1 B_2 twice; return the seconds of one map of one chain, the second time.

    The ensemble then has its chunk (halved where it did not fit) and a way for every convolution.
    """
    order = CustomOrder(lambda n: [1, 2])
    some = next(iter(state0["parameters"].values()))
    seconds = 0.0
    for _ in range(2):
        ensemble.prepare(step, batches, state0, 1)
        count = max(1, min(chains, ensemble.chunk or 1))
        begin = time.perf_counter()
        for _ in wavefront(step, batches, order, range(1, count + 1), state0, ensemble=ensemble):
            pass
        if some.is_cuda:
            torch.cuda.synchronize(some.device)
        seconds = (time.perf_counter() - begin) / (2 * count)
    return seconds
