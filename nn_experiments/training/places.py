"""Where a step is compared with the user's own loop, and a part of the batches for a place where it will not run."""

from __future__ import annotations

import torch

from nn_experiments.training.batches import Batch, BatchLike
from nn_experiments.training.rounding import converted
from nn_experiments.training.step import State
from nn_experiments.training.trees import leaves, rows_of

__all__ = ["ROWS", "few", "place_of", "start_of"]

#: How many examples of a batch are used on the CPU, where a step that runs elsewhere is compared as well.
ROWS = 8


def place_of(state: State) -> str:
    """Return the device of a state, that of its first parameter, as text.

    Examples
    --------
    >>> place_of({"parameters": {"w": torch.zeros(2)}})
    'cpu'
    """
    return str(next((value.device for value in state["parameters"].values()), "cpu"))


def few(batch: BatchLike) -> BatchLike:
    """Return the first `ROWS` examples of a batch, if all its tensors have one row for each; otherwise the batch.

    Examples
    --------
    >>> few((torch.zeros(20, 3), torch.zeros(20)))[0].shape
    torch.Size([8, 3])
    """
    rows = set()
    for _, value in leaves((batch[0], batch[1])):
        if not isinstance(value, torch.Tensor) or not value.ndim:
            return batch
        rows.add(len(value))
    if len(rows) != 1:
        return batch
    inputs, targets = (rows_of(value, slice(ROWS)) for value in batch[:2])
    return Batch(inputs, targets, batch.index) if isinstance(batch, Batch) else (inputs, targets)


def start_of(state: State, *, double: bool, device: str | None = None) -> State:
    """Return copies of the parameters and buffers of a state, in float64 or on another device if asked for.

    Parameters
    ----------
    state
        Its optimizer's part is left out.
    double
        Whether floating point numbers become float64.
    device
        Where the copies are (default: where the state is).
    """

    def copied(value: torch.Tensor) -> torch.Tensor:
        other = converted(value, double=double, device=device)
        return value.clone() if other is value else other

    parts = {
        part: {key: copied(value) for key, value in state.get(part, {}).items()} for part in ("parameters", "buffers")
    }
    return {**parts, "optimizer": {}}
