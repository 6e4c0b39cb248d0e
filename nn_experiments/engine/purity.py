"""Checks that a step, batches and metrics are pure functions, before quadratic compute is spent on them."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

from contraction.maps.errors import NotDeterministic
from nn_experiments.engine.gpu import wait
from nn_experiments.training.batches import Batches
from nn_experiments.training.step import State, Step
from nn_experiments.training.torch_randomness import changed_generators, generator_states, restored_generators
from nn_experiments.training.trees import leaves

__all__ = ["probe", "probe_measurement"]


def _tensors(tree: object) -> dict[str, torch.Tensor]:
    return {"/".join(path): value for path, value in leaves(tree) if isinstance(value, torch.Tensor)}


def _differ(first: object, second: object) -> str | None:
    one, two = _tensors(first), _tensors(second)
    if one.keys() != two.keys():
        return f"keys {sorted(one.keys() ^ two.keys())}"
    for name, value in one.items():
        other = two[name]
        if value.shape != other.shape or value.dtype != other.dtype:
            return f"{name} is {tuple(value.shape)} {value.dtype}, then {tuple(other.shape)} {other.dtype}"
        if not torch.equal(value.nan_to_num(), other.nan_to_num()):
            return f"{name} by up to {float((value.double() - other.double()).abs().max()):.3g}"
    return None


def probe(step: Step, batches: Batches, state0: State) -> float:
    """Apply T_1 and T_2 twice and compare bitwise; return the seconds that one map takes.

    Raises
    ------
    NotDeterministic
        If a batch or a step differs the second time, a step alters the state it was given, with what differs, or a
        step draws from a global generator of torch, NumPy or Python.
    """
    before = copy.deepcopy(state0)
    seconds = 0.0
    for i in (2, 1):
        once = _tensors(copy.deepcopy(batches(i)))
        if difference := _differ(once, _tensors(batches(i))):
            raise NotDeterministic(f"batch {i} is not the same when asked for again: {difference} differ")
    results: list[Any] = []
    generators: list[tuple[Any, Any]] = []
    with restored_generators():
        for _ in range(2):
            drawn_before = generator_states()
            begin = time.perf_counter()
            end: Any = step(step(state0, batches(2), 1), batches(1), 2)
            wait(next((value.device for value in _tensors(state0).values()), "cpu"))
            seconds = (time.perf_counter() - begin) / 2
            # copies: a loop that returns its own tensors would change them the second time
            results.append({name: value.detach().clone() for name, value in _tensors(end).items()})
            generators.append((drawn_before, generator_states()))
            torch.rand(
                ()
            )  # the second run starts from another state: a step that seeds the generator still ends in the same one
    if difference := _differ(before, state0):
        raise NotDeterministic(f"the step alters the state it is given: {difference}")
    if difference := _differ(*results):
        raise NotDeterministic(
            f"the same step on the same state and batch gives different results: {difference} differ. A step must "
            "compute from the state it is given, and not go on from tensors, counters or generators of its own"
        )
    (one, ended), (_, ended_again) = generators
    if changed_generators(one, ended) and (drawn := changed_generators(ended, ended_again)):
        raise NotDeterministic(
            f"the step draws from {' and '.join(drawn)}, so that the same batch gives another map each time. Pass "
            "randomness='frozen' to from_torch, or draw from a generator that is made of the batch's index"
        )
    return seconds


def probe_measurement(measure: Callable[[State], Mapping[str, Any]], state: State) -> None:
    """Measure a state twice and compare: a measurement must neither change the state nor be random.

    Raises
    ------
    NotDeterministic
        If the state was altered, or the second result differs, with the usual reason: a module in training mode.
    """
    before, state = state, copy.deepcopy(state)
    once, again = (
        {name: torch.as_tensor(value) for name, value in copy.deepcopy(dict(measure(state))).items()} for _ in range(2)
    )
    why = "evaluate with a copy of the module in evaluation mode: copy.deepcopy(model).eval()"
    if difference := _differ(before, state):
        raise NotDeterministic(f"a metric alters the state it is given: {difference} differ; {why}")
    if difference := _differ(once, again):
        raise NotDeterministic(f"a metric is not the same when asked for again: {difference} differ; {why}")
