"""How far two evaluations of the same steps may differ by rounding, measured on perturbed starts.

Two programs that compute the same maps in another order of operations give what one of them gives for inputs moved by
a few units in the last place. So the reference is run again from starts whose parameters are moved by `UNITS` units,
`TRIALS` times (once if there are more than `MANY` parameters). What is allowed is `FACTOR` times the largest change
that this makes in a tensor, plus `FLOOR` units in the last place of the tensor's largest entry. Where a step magnifies
rounding (the bias before batch norm, whose gradient is zero but for rounding, divided by its own size in Adam), the
measured change is magnified in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from nn_experiments.training.batches import Batch

__all__ = ["FACTOR", "FLOOR", "TRIALS", "UNITS", "allowances", "as_double", "first_difference", "moved"]

UNITS, TRIALS, FACTOR, FLOOR, MANY = 8, 2, 100, 1000, 1_000_000

State = dict[str, dict[str, torch.Tensor]]


def as_double(tree: Any) -> Any:  # noqa: ANN401 - a tree of tensors, and one of the same form
    """Return a tensor, state or batch with floating point numbers in float64; everything else is unchanged."""
    if isinstance(tree, torch.Tensor):
        return tree.double() if tree.is_floating_point() else tree
    if isinstance(tree, Batch):
        return Batch(as_double(tree.inputs), as_double(tree.targets), tree.index)
    if isinstance(tree, dict):
        return {key: as_double(value) for key, value in tree.items()}
    if type(tree) in (list, tuple):
        return type(tree)(as_double(value) for value in tree)
    return tree


def moved(state: State, trial: int) -> State:
    """Return a state whose parameters are moved by up to `UNITS` units in the last place, at random."""
    draw = torch.Generator().manual_seed(trial)

    def move(value: torch.Tensor) -> torch.Tensor:
        if not value.is_floating_point():
            return value
        noise = torch.rand(value.shape, generator=draw, dtype=torch.float64) * 2 - 1
        unit = torch.finfo(value.dtype).eps
        return (value.double() * (1 + UNITS * unit * noise.to(value.device))).to(value.dtype)

    return {**state, "parameters": {name: move(value) for name, value in state["parameters"].items()}}


def allowances(ends: Sequence[State], run: Callable[[State], Sequence[State]], start: State) -> list[dict[str, float]]:
    """Return, for each step, the name of a tensor -> how far another evaluation may be from ``ends``.

    Parameters
    ----------
    ends
        The states after each step from ``start``.
    run
        The function that computed them: start -> the state after each step.
    start
        The state before the first step.
    """
    found = [{name: _floor(value) for name, value in _tensors(end).items()} for end in ends]
    many = sum(value.numel() for value in start["parameters"].values()) > MANY
    for trial in range(1 if many else TRIALS):
        for allowed, end, other in zip(found, ends, run(moved(start, trial)), strict=True):
            twin = _tensors(other)
            for name, value in _tensors(end).items():
                allowed[name] = max(allowed[name], _floor(value) + FACTOR * _distance(value, twin[name]))
    return found


def first_difference(
    expected: Sequence[State], found: Sequence[State], allowed: Sequence[dict[str, float]]
) -> tuple[int, str, float, float] | None:
    """Return (step, name, difference, allowed difference) of the first tensor that differs by more, or None.

    A tensor that is missing differs by infinity, and so does one that is not finite where the other is.
    """
    for t, (end, other, limits) in enumerate(zip(expected, found, allowed, strict=True), 1):
        right, ours = _tensors(end), _tensors(other)
        for name, value in right.items():
            difference = _distance(value, ours[name]) if name in ours else float("inf")
            if not difference <= limits[name]:
                return t, name, difference, limits[name]
        if ours.keys() - right.keys():
            return t, min(ours.keys() - right.keys()), float("inf"), 0.0
    return None


def _tensors(state: State) -> dict[str, torch.Tensor]:
    return {**state["parameters"], **state.get("buffers", {})}


def _floor(value: torch.Tensor) -> float:
    if not value.numel() or not (value.is_floating_point() or value.is_complex()):
        return 0.0
    return FLOOR * torch.finfo(value.dtype).eps * float(value.detach().abs().nan_to_num(0, 0, 0).max())


def _distance(one: torch.Tensor, two: torch.Tensor) -> float:
    """Return the largest difference of entries; entries that are not finite in both count as equal."""
    if one.shape != two.shape:
        return float("inf")
    if not one.numel():
        return 0.0
    wide = torch.complex128 if one.is_complex() else torch.float64
    a, b = (value.detach().to(wide).cpu() for value in (one, two))
    both = ~(torch.isfinite(a) | torch.isfinite(b))
    gap = torch.where(both, torch.zeros_like(a.abs()), (a - b).abs())
    return float(gap.nan_to_num(nan=float("inf")).max())
