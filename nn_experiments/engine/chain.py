"""Iterates under an order, computed one chain at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import torch

from contraction.maps.orders import Order
from nn_experiments.engine.kernels.mlp import Kernel
from nn_experiments.engine.plan import Segment, plan
from nn_experiments.training.averages import Average
from nn_experiments.training.step import State

__all__ = ["averages", "walk"]


def walk(
    kernel: Kernel, order: Order, at: Sequence[int], state0: State, *, reached: tuple[int, State] | None = None
) -> Iterator[tuple[int, State, Segment | None]]:
    """Yield (n, iterate n, its segment) for n in increasing order; anchors are kept only as long as they are needed.

    Iterate 0 has no segment; None is yielded in its place. With ``reached``, one of the `bottlenecks` of the path and
    its iterate, only the iterates after it are yielded, the same bit by bit.
    """
    segments, wanted = plan(order, at), set(at)
    states: dict[int, State] = {0: state0}
    if reached is not None:
        segments, states = [segment for segment in segments if segment.n > reached[0]], dict([reached])
    elif 0 in wanted:
        yield 0, state0, None
    needed = Counter(segment.anchor for segment in segments)
    for segment in segments:
        state = kernel.apply(states[segment.anchor], segment.indices, segment.before)
        needed[segment.anchor] -= 1
        if not needed[segment.anchor]:
            del states[segment.anchor]
        if needed[segment.n]:
            states[segment.n] = state
        if segment.n in wanted:
            yield segment.n, state, segment


def averages(
    kernel: Kernel, order: Order, at: Sequence[int], state0: State, average: Average
) -> Iterator[tuple[int, State, Segment | None]]:
    """Yield (n, average of the iterates up to n, segment of iterate n); the average of θ_0 is θ_0.

    All iterates up to the last requested one are computed. Only parameters and buffers of floating point or complex
    numbers are averaged; other buffers, such as counters, are those of iterate n.
    """
    wanted = set(at)
    mean: State | None = None
    for n, state, segment in walk(kernel, order, range(max(at) + 1), state0):
        if mean is None:
            mean = {part: {k: v.clone() for k, v in values.items()} for part, values in state.items()}
        elif weight := average.weight(n):
            for part in ("parameters", "buffers"):
                for key, value in state.get(part, {}).items():
                    if _averaged(value):
                        mean[part][key].lerp_(value, weight)
        if n in wanted:
            copied = {part: {k: v.clone() for k, v in values.items()} for part, values in mean.items()}
            others = {k: v.clone() for k, v in state.get("buffers", {}).items() if not _averaged(v)}
            yield n, {**copied, "buffers": copied["buffers"] | others} if others else copied, segment


def _averaged(value: torch.Tensor) -> bool:
    return value.is_floating_point() or value.is_complex()
