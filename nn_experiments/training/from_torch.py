"""From what a user of torch has (module, loss, optimizer) to a step and a state."""

from __future__ import annotations

import copy
import dataclasses
import warnings
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import nn

from nn_experiments.training.dropout import freeze_dropout
from nn_experiments.training.optimizers import Optimizer, Schedule
from nn_experiments.training.step import Loss, State, TorchOptimizerStep, TrainingStep, start

__all__ = ["from_torch"]


def from_torch(
    model: nn.Module,
    loss: Loss,
    optimizer: torch.optim.Optimizer | Optimizer,
    *,
    seed: int = 0,
    schedule: Schedule | None = None,
) -> tuple[TrainingStep | TorchOptimizerStep, State]:
    """Return the training step and the state θ0 of a module as it is; nothing of the user's is altered.

    Parameters
    ----------
    model
        Any module. Its parameters and buffers become the state (running statistics are carried through); its
        ``nn.Dropout`` layers are replaced, in a copy, by dropout with masks frozen by the batch's index. Parameters
        that do not require gradients stay constant.
    loss
        (outputs, targets) -> scalar, such as ``torch.nn.functional.cross_entropy``.
    optimizer
        A fresh ``torch.optim`` optimizer of the model's parameters. SGD, Adam and AdamW become pure functions;
        any other goes through its own ``step`` (slower, and a warning says so). Or an `Optimizer`.
    seed
        Of the dropout masks.
    schedule
        Takes the place of a learning rate scheduler, whose steps count calls and could not be replayed.

    Raises
    ------
    ValueError
        For an optimizer that has already taken steps, is driven by a scheduler, does not cover the parameters that
        require gradients, or for parts of the model whose randomness cannot be frozen.
    TypeError
        For something else than a module and an optimizer.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"the model must be a torch.nn.Module, got {type(model).__name__}")
    ours = copy.deepcopy(model)
    freeze_dropout(ours)
    state = start(ours)
    for name, value in ours.named_parameters():
        if not value.requires_grad:
            state["buffers"][name] = state["parameters"].pop(name)
    if isinstance(optimizer, Optimizer):
        if schedule is not None:
            optimizer = dataclasses.replace(optimizer, schedule=schedule)
        return TrainingStep(ours, loss, optimizer, seed=seed), state
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(f"the optimizer must be of torch.optim or an Optimizer, got {type(optimizer).__name__}")
    _check(model, optimizer)
    pure = _pure(optimizer, schedule)
    if pure is not None:
        return TrainingStep(ours, loss, pure, seed=seed), state
    if schedule is not None:
        raise ValueError(f"a schedule is supported for SGD, Adam and AdamW, not for {type(optimizer).__name__}")
    step = TorchOptimizerStep(ours, loss, _maker(model, optimizer), seed=seed)
    warnings.warn(f"{type(optimizer).__name__}: {step.slow}", stacklevel=2)
    return step, state


def _check(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    used = [slots for slots in optimizer.state.values() if float(slots.get("step", 1)) > 0]
    if used:
        raise ValueError("the optimizer has already taken steps; make a fresh one, since iterate 0 is the start")
    if any("initial_lr" in group for group in optimizer.param_groups):
        raise ValueError(
            "the optimizer is driven by a learning rate scheduler, whose steps cannot be replayed; "
            "pass schedule=Schedule(...) instead"
        )
    trained = {id(p) for p in model.parameters() if p.requires_grad}
    given = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if trained - given:
        names = [name for name, p in model.named_parameters() if id(p) in trained - given]
        raise ValueError(f"the optimizer lacks {', '.join(names[:5])}: freeze them (requires_grad_(False)) or add them")
    if given - trained:
        raise ValueError("the optimizer holds parameters that are not the model's, or that require no gradient")


def _pure(optimizer: torch.optim.Optimizer, schedule: Schedule | None) -> Optimizer | None:
    """Return our form of an optimizer, or None if it has none."""
    if len(optimizer.param_groups) != 1:
        return None
    group = optimizer.param_groups[0]
    if group.get("maximize") or group.get("amsgrad") or group.get("dampening"):
        return None
    more: dict[str, Any] = {} if schedule is None else {"schedule": schedule}
    rate, decay = float(group["lr"]), float(group.get("weight_decay", 0))
    if type(optimizer) is torch.optim.SGD:
        momentum = float(group["momentum"])
        method = "momentum" if momentum else "sgd"
        nesterov = bool(group["nesterov"])
        return Optimizer(
            method=method, learning_rate=rate, momentum=momentum, nesterov=nesterov, weight_decay=decay, **more
        )
    if type(optimizer) in (torch.optim.Adam, torch.optim.AdamW):
        decoupled = type(optimizer) is torch.optim.AdamW or group.get("decoupled_weight_decay")
        a, b = group["betas"]
        return Optimizer(
            method="adamw" if decoupled else "adam",
            learning_rate=rate,
            betas=(float(a), float(b)),
            eps=float(group["eps"]),
            weight_decay=decay,
            **more,
        )
    return None


def _maker(model: nn.Module, optimizer: torch.optim.Optimizer) -> Callable[[list[torch.Tensor]], torch.optim.Optimizer]:
    """Return a function that makes the same optimizer for other tensors, group by group."""
    place = {id(p): k for k, p in enumerate(p for p in model.parameters() if p.requires_grad)}
    groups = [
        ([place[id(p)] for p in group["params"]], {key: value for key, value in group.items() if key != "params"})
        for group in optimizer.param_groups
    ]
    kind: Callable[[list[dict[str, Any]]], torch.optim.Optimizer] = cast(Any, type(optimizer))

    def make(leaves: list[torch.Tensor]) -> torch.optim.Optimizer:
        if len(leaves) < len(place):  # a trial without the model: one tensor in the first group
            return kind([{"params": leaves, **groups[0][1]}])
        return kind([{"params": [leaves[k] for k in rows], **options} for rows, options in groups])

    return make
