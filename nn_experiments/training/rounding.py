"""How far two evaluations of the same steps may differ by rounding, measured with perturbed starts.

Two programs that compute the same maps with another order of operations differ about as much as one program does when
its inputs are changed by a few units in the last place. So the reference is run again from starts whose parameters are
changed by up to `UNITS` units, `TRIALS` times (once if there are more than `MANY` parameters). The allowed difference
is `FACTOR` times the largest change of a tensor that results, plus `FLOOR` units in the last place of the tensor's
largest entry. Differences below that floor are allowed in any case, so that the reference is run again only for larger
ones. If a step magnifies rounding, the measured change is magnified in the same way. An example is the bias
before a batch norm, whose gradient is zero but for rounding and is divided by its own size in Adam.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import numpy as np
import torch

from nn_experiments.training.batches import Batch
from nn_experiments.training.step import State

__all__ = [
    "FACTOR",
    "FLOOR",
    "TRIALS",
    "UNITS",
    "Difference",
    "allowances",
    "as_double",
    "converted",
    "first_difference",
    "floor_of",
    "moved",
]

UNITS, TRIALS, FACTOR, FLOOR, MANY = 8, 2, 100, 1000, 1_000_000
#: How many differences are taken at a time: few enough for the processor's cache.
CHUNK = 32_768

Tree = TypeVar("Tree")
#: (step, name of a tensor, difference, allowed difference).
Difference = tuple[int, str, float, float]


def as_double(tree: Tree) -> Tree:
    """Return a tensor, state or batch with floating point numbers in float64; everything else is unchanged."""
    return converted(tree, double=True)


def converted(tree: Tree, *, double: bool, device: str | None = None) -> Tree:
    """Return a tensor, state or batch in another precision or on another device.

    Parameters
    ----------
    tree
        Tensors in dictionaries, lists, tuples and batches; everything else is unchanged.
    double
        Whether floating point numbers become float64; they stay as they are otherwise.
    device
        Where tensors are put (default: where they are).
    """
    return cast(Tree, _converted(tree, double, device))


def _converted(tree: object, double: bool, device: str | None) -> object:
    if isinstance(tree, torch.Tensor):
        value = tree if device is None else tree.to(device)
        return value.double() if double and value.is_floating_point() else value
    if isinstance(tree, Batch):
        return Batch(*(_converted(value, double, device) for value in tree[:2]), tree.index)  # type: ignore[arg-type]
    if isinstance(tree, dict):
        return {key: _converted(value, double, device) for key, value in tree.items()}
    if type(tree) in (list, tuple):
        return type(tree)(_converted(value, double, device) for value in tree)  # type: ignore[attr-defined]
    return tree


def moved(state: State, trial: int) -> State:
    """Return a state whose parameters are changed at random by up to `UNITS` units in the last place."""
    draw = torch.Generator().manual_seed(trial)

    def move(value: torch.Tensor) -> torch.Tensor:
        if not value.is_floating_point():
            return value
        noise = torch.rand(value.shape, generator=draw, dtype=torch.float64) * 2 - 1
        unit = torch.finfo(value.dtype).eps
        return (value.double() * (1 + UNITS * unit * noise.to(value.device))).to(value.dtype)

    return {**state, "parameters": {name: move(value) for name, value in state["parameters"].items()}}


def allowances(ends: Sequence[State], run: Callable[[State], Sequence[State]], start: State) -> list[dict[str, float]]:
    """Return, for each step, the name of a tensor -> how far another evaluation may differ from ``ends``.

    Parameters
    ----------
    ends
        The states after each step from ``start``.
    run
        The function that computed them: start -> the state after each step.
    start
        The state before the first step.
    """
    limits = [{name: floor_of(value) for name, value in _tensors(end).items()} for end in ends]
    floors = [dict(limit) for limit in limits]
    many = sum(value.numel() for value in start["parameters"].values()) > MANY
    for trial in range(1 if many else TRIALS):
        for allowed, floor, end, other in zip(limits, floors, ends, run(moved(start, trial)), strict=True):
            perturbed = _tensors(other)
            for name, value in _tensors(end).items():
                if name not in perturbed:  # a gradient that is None from there
                    continue
                allowed[name] = max(allowed[name], floor[name] + FACTOR * _distance(value, perturbed[name]))
    return limits


def first_difference(
    expected: Sequence[State], actual: Sequence[State], allowed: Sequence[dict[str, float]] | None = None
) -> Difference | None:
    """Return (step, name, difference, allowed difference) for the first tensor that differs by more, or None.

    The difference is infinite for a tensor that is missing, and for one that is not finite where the other one is.

    Parameters
    ----------
    expected, actual
        The states after each step.
    allowed
        What `allowances` returns (default: `FLOOR` units in the last place, the least that it allows).
    """
    for t, (end, other) in enumerate(zip(expected, actual, strict=True), 1):
        reference, tensors = _tensors(end), _tensors(other)
        for name, value in reference.items():
            least = floor_of(value[:1] if value.ndim else value) if allowed is None else allowed[t - 1][name]
            if name in tensors and _surely_within(value, tensors[name], least):
                continue
            difference = _distance(value, tensors[name]) if name in tensors else float("inf")
            if difference > 0:
                limit = floor_of(value) if allowed is None else allowed[t - 1][name]
                if difference > limit:
                    return t, name, difference, limit
        if tensors.keys() - reference.keys():
            return t, min(tensors.keys() - reference.keys()), float("inf"), 0.0
    return None


def _tensors(state: State) -> dict[str, torch.Tensor]:
    return {**state["parameters"], **state.get("buffers", {})}


def floor_of(value: torch.Tensor) -> float:
    """Return `FLOOR` units in the last place of a tensor's largest entry; 0 for integers."""
    if not value.numel() or not (value.is_floating_point() or value.is_complex()):
        return 0.0
    largest = _largest(value.detach())
    if not math.isfinite(largest):
        largest = float(value.detach().abs().nan_to_num(0, 0, 0).max())
    return FLOOR * torch.finfo(value.dtype).eps * largest


def _largest(value: torch.Tensor) -> float:
    """Return the largest absolute value of the entries: NaN or infinite if an entry is."""
    if value.is_complex():
        return float(value.abs().max())
    low, high = torch.aminmax(value)
    return max(-float(low), float(high)) if math.isfinite(low) else math.inf


def _surely_within(first: torch.Tensor, second: torch.Tensor, limit: float) -> bool:
    """Return True only if no entries of two tensors differ by more; False says nothing.

    The largest of some differences is at most the root of the sum of their squares, which is faster to compute: for
    float64 on the CPU, since that is what a self-check spends its time on.
    """
    plain = all(v.dtype == torch.float64 and v.is_cpu and v.layout is torch.strided for v in (first, second))
    if not plain or first.shape != second.shape or not first.ndim or not first.numel():
        return False
    if not 1e-100 < limit < 1e100:  # its square may be rounded to 0 or overflow
        return False
    a, b = (value.detach().resolve_neg().numpy() for value in (first, second))
    if a.flags.c_contiguous and b.flags.c_contiguous:
        a, b = a.reshape(-1), b.reshape(-1)
    rows = max(1, CHUNK * len(a) // a.size)
    room = np.empty(rows * (a.size // len(a)))
    with np.errstate(all="ignore"):  # what is not finite is not within any limit
        for k in range(0, len(a), rows):
            part = a[k : k + rows]
            gaps = room[: part.size]
            np.subtract(part, b[k : k + rows], out=gaps.reshape(part.shape))
            if not np.dot(gaps, gaps) <= limit**2 * (1 - 1e-9):  # 1e-9: more than the sum's rounding
                return False
    return True


def _distance(first: torch.Tensor, second: torch.Tensor) -> float:
    """Return the largest difference of entries; entries that are not finite in both count as equal."""
    if first.shape != second.shape:
        return float("inf")
    first, second = first.detach(), second.detach()
    same_kind = first.dtype == second.dtype and first.device == second.device
    if not first.numel() or (same_kind and torch.equal(first, second)):
        return 0.0
    wide = torch.complex128 if first.is_complex() else torch.float64
    a, b = (value.to(wide).cpu() for value in (first, second))
    gap = a - b
    largest = _largest(gap)
    if math.isfinite(largest):
        return largest
    gap, neither = gap.abs(), ~(torch.isfinite(a) | torch.isfinite(b))
    return float(torch.where(neither, torch.zeros_like(gap), gap).nan_to_num(nan=math.inf, posinf=math.inf).max())
