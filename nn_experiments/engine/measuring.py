"""Measurements along a path of iterates, of several states at once if they can be batched."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from nn_experiments.engine.ensemble.stacked_metrics import measure_together
from nn_experiments.engine.gpu import attempt
from nn_experiments.engine.plan import Segment
from nn_experiments.training.batches import Batches
from nn_experiments.training.metrics import Measurement
from nn_experiments.training.step import State

__all__ = ["Measured", "Path", "measure", "measure_path", "numbers_of"]

#: (n, iterate n, its segment; None for iterate 0), by increasing n.
Path = Iterable[tuple[int, State, Segment | None]]


class Measured(NamedTuple):
    """The measurement of one iterate.

    Attributes
    ----------
    n
        Number of the iterate.
    segment
        The maps that computed it from its anchor; None for iterate 0.
    values
        Metric -> float64 array.
    batched
        Whether it was computed together with those of other iterates, which can change the last bits.
    """

    n: int
    segment: Segment | None
    values: dict[str, np.ndarray]
    batched: bool


def measure(measurement: Measurement, state: State, n: int, outermost: int, batches: Batches) -> dict[str, np.ndarray]:
    """Return a measurement of iterate n as float64 arrays.

    Parameters
    ----------
    measurement
        What is measured.
    state
        Iterate n.
    n, outermost
        Numbers of the newest batch and of the batch whose map was applied last; not used at n = 0.
    batches
        i -> B_i.

    Raises
    ------
    TypeError
        If a metric returns anything but real numbers.
    """
    pair = (None, None)
    if measurement.on_batches and n > 0:
        pair = (batches(n), batches(outermost))
    return {name: numbers_of(name, value) for name, value in measurement(state, *pair).items()}


def numbers_of(name: str, value: object) -> np.ndarray:
    """Return the value of a metric as a float64 array.

    Raises
    ------
    TypeError
        If it is not a number or an array of real numbers.
    """
    try:
        tensor = torch.as_tensor(value).detach()
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(
            f"the metric {name!r} must return a number or a small tensor of numbers, got {value!r}"
        ) from None
    if tensor.is_complex():
        raise TypeError(
            f"the metric {name!r} must return real numbers, got {tensor.dtype}: return the real part, the imaginary "
            "part or abs() of it"
        )
    return tensor.cpu().double().numpy()


def measure_path(measurement: Measurement, path: Path, batches: Batches, *, together: int) -> Iterator[Measured]:
    """Measure every state of a path.

    Parameters
    ----------
    measurement
        What is measured.
    path
        As `nn_experiments.engine.chain.walk` and `nn_experiments.engine.ensemble.wavefront.wavefront` yield it.
    batches
        i -> B_i.
    together
        How many states are measured at once. If memory runs out, half as many are measured from then on, and a line on
        standard error says so.

    Yields
    ------
    Measured
        In the order of the path.
    """
    group = _Group(measurement, batches, together)
    for item in path:
        group.waiting.append(item)
        if item[0] == 0 or len(group.waiting) >= group.together:  # iterate 0 has no batches: it is measured alone
            yield from group.measured()
    yield from group.measured()


class _Group:
    """States that wait to be measured, and how many of them are measured at once."""

    def __init__(self, measurement: Measurement, batches: Batches, together: int) -> None:
        self.measurement, self.batches, self.together = measurement, batches, together
        self.waiting: list[tuple[int, State, Segment | None]] = []

    def measured(self) -> Iterator[Measured]:
        """Yield the measurements of all waiting states and remove these from the queue."""
        while self.waiting:
            part = self.waiting[: self.together]
            fits = attempt(partial(self._values, part)) if len(part) > 1 else (self._values(part),)
            if fits is None:
                self.together = (len(part) + 1) // 2
                print(f"out of memory measuring {len(part)} states: going on with {self.together}", file=sys.stderr)
                continue
            (rows,) = fits
            yield from rows
            del self.waiting[: len(part)]

    def _values(self, part: Sequence[tuple[int, State, Segment | None]]) -> list[Measured]:
        together = measure_together(self.measurement, part, self.batches) if len(part) > 1 else None
        if together is not None:
            return [Measured(n, segment, row, True) for (n, _, segment), row in zip(part, together, strict=True)]
        return [
            Measured(
                n,
                segment,
                measure(self.measurement, state, n, segment.outermost if segment else 0, self.batches),
                False,
            )
            for n, state, segment in part
        ]
