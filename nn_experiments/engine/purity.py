"""Checks that a step, batches and metrics are pure functions, before quadratic compute is spent on them."""

from __future__ import annotations

import contextlib
import copy
import random
import time
from collections.abc import Callable, Mapping

import numpy as np
import torch

from contraction.maps.errors import NotDeterministic
from nn_experiments.engine.gpu import wait
from nn_experiments.training.batches import Batches, check_batch
from nn_experiments.training.self_check import SelfCheck
from nn_experiments.training.signatures import check_takes
from nn_experiments.training.states import Fits, State, check_is_state
from nn_experiments.training.step import Step
from nn_experiments.training.torch_randomness import (
    GeneratorStates,
    changed_generators,
    generator_states,
    restored_generators,
)
from nn_experiments.training.trees import tensors_of

__all__ = ["check_first_batches", "probe", "probe_measurement"]


def _differ(first: object, second: object) -> str | None:
    before, after = tensors_of(first), tensors_of(second)
    if before.keys() != after.keys():
        return f"keys {sorted(before.keys() ^ after.keys())}"
    for name, value in before.items():
        other = after[name]
        if value.shape != other.shape or value.dtype != other.dtype:
            return f"{name} is {tuple(value.shape)} {value.dtype}, then {tuple(other.shape)} {other.dtype}"
        same = (value == other) | ((value != value) & (other != other))  # NaN is the same as NaN alone
        if not bool(same.all()):
            apart = float((value.double() - other.double())[~same].abs().max())
            return f"{name} by up to {apart:.3g}"
    return None


def check_first_batches(step: Step, batches: Batches) -> None:
    """Check that there are B_1 and B_2 and, if the step is made of a model, that they have inputs and targets.

    Raises
    ------
    TypeError
        If ``batches`` does not take one argument, or does not return a tuple or list of at least two entries.
    ValueError
        If it raises an error, which is the cause.
    """
    check_takes("batches", batches, ("i",))
    of_model = isinstance(getattr(step, "fits", None), Fits)
    for i in (2, 1):
        try:
            batch = batches(i)
        except (LookupError, TypeError, AttributeError, ArithmeticError) as error:
            raise ValueError(
                f"batches({i}) raises {type(error).__name__}: {error}. B_1 and B_2 are needed at least, whatever the "
                "iterates are, since the step is checked on them first"
            ) from error
        if of_model:  # a step of the user's own takes whatever it can
            check_batch(i, batch)


def probe(step: Step, batches: Batches, state0: State) -> float:
    """Apply T_1 and T_2 twice and compare bitwise; return the seconds that one map takes.

    What a module keeps at its first call, such as a table that it computes once, is as before afterwards, so that the
    self-check, which may run in float64, finds nothing in single precision.

    Raises
    ------
    TypeError
        If the step does not return a state.
    NotDeterministic
        If a batch or the result of a step differs the second time, if a step changes the state that it was given, or if
        a step draws from a global generator of torch, NumPy or Python. The message says what differs.
    """
    check = getattr(step, "self_check", None)
    with check.kept_caches(step) if isinstance(check, SelfCheck) else contextlib.nullcontext():
        return _applied_twice(step, batches, state0)


def _applied_twice(step: Step, batches: Batches, state0: State) -> float:
    before = copy.deepcopy(state0)
    seconds = 0.0
    given = {i: tensors_of(copy.deepcopy(batches(i))) for i in (2, 1)}
    for i, once in given.items():
        if difference := _differ(once, tensors_of(batches(i))):
            raise NotDeterministic(f"batch {i} is not the same when asked for again: {difference} differ")
    results: list[dict[str, torch.Tensor]] = []
    generators: list[tuple[GeneratorStates, GeneratorStates]] = []
    with restored_generators():
        for _ in range(2):
            drawn_before = generator_states()
            begin = time.perf_counter()
            end = step(check_is_state("what the step returns", step(state0, batches(2), 1)), batches(1), 2)
            wait(next((value.device for value in tensors_of(state0).values()), "cpu"))
            seconds = (time.perf_counter() - begin) / 2
            # copies: a loop that returns its own tensors would change them the second time
            results.append({name: value.detach().clone() for name, value in tensors_of(end).items()})
            generators.append((drawn_before, generator_states()))
            # the second run starts from other states: a step that seeds a generator ends in the same one
            _move_generators()
    if difference := _differ(before, state0):
        raise NotDeterministic(f"the step alters the state it is given: {difference}")
    if difference := _differ(*results):
        _refuse_changed_batches(given, batches)
        raise NotDeterministic(
            f"the same step on the same state and batch gives different results: {difference} differ. A step must "
            "compute from the state it is given, and not go on from tensors, counters or generators of its own"
        )
    (began, ended), (_, ended_again) = generators
    again = changed_generators(ended, ended_again)
    if drawn := [name for name in changed_generators(began, ended) if name in again]:
        raise NotDeterministic(
            f"the step draws from {' and '.join(drawn)}, so that the same batch gives another map each time. Pass "
            "randomness='frozen' to from_torch, or draw from a generator that is made of the batch's index"
        )
    return seconds


def _move_generators() -> None:
    """Draw a number from each of the global generators of the CPU."""
    torch.rand(())
    np.random.random_sample()  # noqa: NPY002 - the user's code may use it
    random.random()


def _refuse_changed_batches(given: Mapping[int, dict[str, torch.Tensor]], batches: Batches) -> None:
    """Refuse a step that has changed a batch; ``given`` has the tensors of batches before it, by their indices."""
    for i, before in given.items():
        if difference := _differ(before, tensors_of(batches(i))):
            part = {"0": "inputs", "1": "targets"}.get(difference[:1], "entries")
            raise NotDeterministic(
                f"the step changes the {part} of batch {i} in place, so that it is another batch the next time. Leave "
                "out operations in place in the module, hooks and the loss, such as x.mul_(2), or ReLU(inplace=True) "
                "as the first layer, or let them change a copy, x.clone()"
            )


def probe_measurement(measure: Callable[[State], Mapping[str, torch.Tensor | np.ndarray]], state: State) -> None:
    """Measure a state twice and compare: a measurement must neither change the state nor be random.

    Raises
    ------
    NotDeterministic
        If the state was altered, or the second result differs, with the usual reason: a module in training mode.
    """
    before, state = state, copy.deepcopy(state)
    recorded = [name for name, value in tensors_of(state).items() if not value.requires_grad]
    once, again = (
        {name: torch.as_tensor(value) for name, value in copy.deepcopy(dict(measure(state))).items()} for _ in range(2)
    )
    why = "evaluate with a copy of the module in evaluation mode: copy.deepcopy(model).eval()"
    if difference := _differ(before, state):
        raise NotDeterministic(f"a metric alters the state it is given: {difference} differ; {why}")
    now = tensors_of(state)
    if changed := [name for name in recorded if now[name].requires_grad]:
        raise NotDeterministic(
            f"a metric alters the state it is given: {changed[0]} requires gradients afterwards; write "
            "value.detach().requires_grad_() for a tensor of the state"
        )
    if difference := _differ(once, again):
        raise NotDeterministic(f"a metric is not the same when asked for again: {difference} differ; {why}")
