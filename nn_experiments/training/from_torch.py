"""A training step and a state from a torch module, a loss and an optimizer."""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
import warnings
from collections.abc import Callable

import torch
from torch import nn

from contraction.arguments import check_choice, check_flag, check_integer
from nn_experiments.training.choices import RANDOMNESS
from nn_experiments.training.dropout import freeze_dropout
from nn_experiments.training.loop_step import OwnLoopStep
from nn_experiments.training.optimizers import Optimizer, Schedule, as_schedule
from nn_experiments.training.own_loop import OwnLoop
from nn_experiments.training.own_loop_reasons import why_own_loop
from nn_experiments.training.refusals import check_is_module, check_module
from nn_experiments.training.scalar_loss import Criterion, check_loss
from nn_experiments.training.schedulers import remedy, schedulers_of
from nn_experiments.training.self_check import SelfCheck, Unchecked
from nn_experiments.training.step import State, TrainingStep, initial_state
from nn_experiments.training.transforms import GradientTransform, check_transform

__all__ = ["check_optimizer", "from_torch"]


def from_torch(
    model: nn.Module,
    loss: Criterion,
    optimizer: torch.optim.Optimizer | Optimizer,
    *,
    seed: int = 0,
    schedule: Schedule | Callable[[int], float] | None = None,
    transform: GradientTransform | None = None,
    randomness: str = "refused",
    form: str = "auto",
    check: bool = True,
) -> tuple[TrainingStep | OwnLoopStep, State]:
    """Return a training step and the state θ_0 for a module; the user's objects are not changed.

    Parameters
    ----------
    model
        Any module. Its parameters and buffers (such as running statistics) become the state. In a copy of the module,
        ``nn.Dropout`` layers are replaced by dropout whose masks are determined by the index of the batch. Parameters
        that do not require gradients stay constant, and submodules in evaluation mode stay in evaluation mode.
    loss
        (outputs, targets) -> scalar, such as ``torch.nn.functional.cross_entropy``. It may use the model's parameters.
    optimizer
        An `Optimizer`, or a new ``torch.optim`` optimizer of the model's parameters. SGD, Adam and AdamW become pure
        functions. For other optimizers, modules with hooks, and losses that use the model, the user's own model and
        optimizer take every step, which is slower; a warning says so.
    seed
        Seed of the dropout masks, and of torch's generators if ``randomness`` is "frozen".
    schedule
        Replaces a learning rate scheduler, which counts its calls and cannot be replayed: a `Schedule`, or a function
        of the position t = 1, 2, … in the run that returns the factor on the learning rate, such as
        ``lambda t: 0.1 ** ((t - 1) // 300)``, which is that of ``StepLR(optimizer, 300)`` (default: constant).
    transform
        What a training loop does with the gradients between ``backward()`` and ``step()``: `clip_norm`, or another
        function of a dictionary ``{name of the parameter: gradient}`` that returns such a dictionary. With a transform
        the user's own model and optimizer take every step. (default: none)
    randomness
        ``"refused"`` (default): a module that draws from torch's generators raises an error, except for ``nn.Dropout``.
        ``"frozen"``: the generators are seeded by (seed, index of the batch) for every step, so that other dropout and
        noise are the same whenever the map is applied.
    form
        ``"auto"`` (default), or ``"loop"``: the user's own model and optimizer take every step.
    check
        Whether `iterates` and `limit` compare three steps with the user's own training loop before they begin
        (default: True). The result is recorded in ``metadata``. In either case they refuse an optimizer whose options
        were changed after this call, because the step has the former ones.

    Returns
    -------
    step, state
        ``step(state, batch, t) -> state``, and the state before the first step.

    Raises
    ------
    ValueError
        If the optimizer has already taken steps, is driven by a scheduler, or lacks parameters that require gradients;
        if the model has random layers that cannot be frozen; or if the seed is not an integer of at least 0.
    TypeError
        If an argument has another type, the optimizer's step needs a closure, or it has no learning rate ``lr`` for a
        schedule.

    Examples
    --------
    >>> import torch
    >>> from nn_experiments import from_torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    >>> step, state = from_torch(model, torch.nn.functional.mse_loss, torch.optim.SGD(model.parameters(), lr=0.1))
    >>> after = step(state, (torch.ones(4, 2), torch.zeros(4, 1)), 1)
    >>> sorted(after["parameters"]) == sorted(dict(model.named_parameters()))
    True
    """
    _check_arguments(model, loss, optimizer, randomness, form)
    check_integer("the seed", seed)
    check_flag("check", check)
    check_transform(transform)
    factors = as_schedule(schedule)
    frozen = randomness == "frozen"
    freeze_dropout(_of_dropout(model), others=frozen)
    check_module(model)
    if isinstance(optimizer, Optimizer):
        pure = optimizer if schedule is None else dataclasses.replace(optimizer, schedule=factors)
        factors = pure.schedule
        torch_optimizer = _of_torch(pure, [p for p in model.parameters() if p.requires_grad])
    else:
        check_optimizer(model, optimizer)
        pure, torch_optimizer = _pure(optimizer, factors), optimizer
    _check_rates(torch_optimizer, factors)
    reason = why_own_loop(model, loss, torch_optimizer)
    if reason is None and transform is not None:
        reason = "the gradients are transformed"
    if reason is None and pure is None:
        reason = f"the optimizer is {_with_options(torch_optimizer)}"
    if reason is None and form == "loop":
        reason = "form='loop'"
    vet = None if torch_optimizer is not optimizer else functools.partial(check_optimizer, model, torch_optimizer)
    loop = OwnLoop(model, loss, torch_optimizer, seed=seed, frozen=frozen, schedule=factors, transform=transform)
    if reason is None:
        assert pure is not None
        copied = copy.deepcopy(model)
        freeze_dropout(copied, others=frozen)
        state = initial_state(copied)
        for name, value in copied.named_parameters():
            if not value.requires_grad:
                state["buffers"][name] = state["parameters"].pop(name)
        step: TrainingStep | OwnLoopStep = TrainingStep(copied, loss, pure, seed=seed, frozen=frozen)
    else:
        step = OwnLoopStep(
            model, loss, torch_optimizer, seed=seed, frozen=frozen, schedule=factors, transform=transform
        )
        state = step.loop.start()
        if form == "auto":
            warnings.warn(f"{reason}: {step.slow}", stacklevel=2)
    step.self_check = SelfCheck(loop, vet=vet) if check else Unchecked(loop)
    return step, state


def _check_arguments(model: object, loss: object, optimizer: object, randomness: str, form: str) -> None:
    check_is_module(model)
    check_loss(loss)
    if isinstance(optimizer, list | tuple | dict):
        raise TypeError(
            f"the optimizer must be one optimizer, got a {type(optimizer).__name__}; with several optimizers, make one "
            "with several parameter groups, or write step(state, batch, t) yourself"
        )
    if not isinstance(optimizer, Optimizer | torch.optim.Optimizer):
        raise TypeError(f"the optimizer must be of torch.optim or an Optimizer, got {type(optimizer).__name__}")
    check_choice("randomness", randomness, RANDOMNESS)
    check_choice("form", form, ("auto", "loop"))


def _check_rates(optimizer: torch.optim.Optimizer, schedule: Schedule) -> None:
    """Check that every parameter group has a learning rate that a schedule can multiply."""
    if not schedule.constant and any("lr" not in group for group in optimizer.param_groups):
        raise TypeError(
            f"a schedule multiplies the learning rate 'lr' of every parameter group, and {type(optimizer).__name__} "
            "has groups without one; name it 'lr', or pass schedule=None"
        )


def _of_dropout(model: nn.Module) -> nn.Module:
    """Return a module with the dropout layers alone, under their names, to find out which of them cannot be frozen."""
    bare = nn.Module()
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            bare.add_module(name.replace(".", "/") or "model", module)
    return bare


def check_optimizer(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Check that an optimizer can be replayed and has exactly the model's parameters.

    Raises
    ------
    TypeError
        If its step needs a closure.
    ValueError
        If it has taken steps, is driven by a scheduler, lacks parameters of the model, or has others.
    """
    if isinstance(optimizer, torch.optim.LBFGS):
        raise TypeError("LBFGS evaluates the loss several times per step through a closure: not supported; use another")
    closure = inspect.signature(type(optimizer).step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        raise TypeError(
            f"{type(optimizer).__name__}.step needs a closure that evaluates the loss again: not supported. Write "
            "step(state, batch, t) yourself with torch.func.functional_call"
        )
    builtin = type(optimizer).__module__.startswith("torch.")
    used = [s for s in optimizer.state.values() if isinstance(s, dict) and float(s.get("step", int(builtin))) > 0]
    if used:
        raise ValueError("the optimizer has already taken steps; make a fresh one, since iterate 0 is the start")
    names = schedulers_of(optimizer)
    if names or any("initial_lr" in group for group in optimizer.param_groups):
        which = f" ({', '.join(names)})" if names else ""
        raise ValueError(
            f"the optimizer is driven by a learning rate scheduler{which}, whose "
            f"steps cannot be replayed: the iterates would be those of a constant rate. {remedy(names)}"
        )
    trained = {id(p) for p in model.parameters() if p.requires_grad}
    given = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if trained - given:
        names = [name for name, p in model.named_parameters() if id(p) in trained - given]
        raise ValueError(f"the optimizer lacks {', '.join(names[:5])}: freeze them (requires_grad_(False)) or add them")
    if given - {id(p) for p in model.parameters()}:
        raise ValueError(
            "the optimizer holds parameters that are not the model's. Make them parameters of the model: a loss with "
            "parameters of its own can be a submodule that the forward pass calls"
        )


def _with_options(optimizer: torch.optim.Optimizer) -> str:
    """Return the optimizer's class and, for SGD, Adam and AdamW, the option that prevents a pure function."""
    name = type(optimizer).__name__
    if type(optimizer) not in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW):
        return name
    if len(optimizer.param_groups) > 1:
        return f"{name} with {len(optimizer.param_groups)} parameter groups"
    group = optimizer.param_groups[0]
    options = [key for key in ("maximize", "amsgrad", "dampening") if group.get(key)]
    return f"{name} with {options[0]}" if options else f"{name} with lr={float(group['lr'])}"


def _of_torch(optimizer: Optimizer, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """Return the ``torch.optim`` optimizer that corresponds to an `Optimizer`, for the self-check."""
    rate, decay = optimizer.learning_rate, optimizer.weight_decay
    if optimizer.method in ("sgd", "momentum"):
        momentum, nesterov = optimizer.momentum, optimizer.nesterov
        return torch.optim.SGD(parameters, lr=rate, momentum=momentum, nesterov=nesterov, weight_decay=decay)
    kind = torch.optim.Adam if optimizer.method == "adam" else torch.optim.AdamW
    return kind(parameters, lr=rate, betas=optimizer.betas, eps=optimizer.eps, weight_decay=decay)


def _pure(optimizer: torch.optim.Optimizer, schedule: Schedule) -> Optimizer | None:
    """Return the `Optimizer` that corresponds to a ``torch.optim`` optimizer, or None if there is none."""
    if type(optimizer) not in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW):
        return None
    if len(optimizer.param_groups) != 1:
        return None
    group = optimizer.param_groups[0]
    if group.get("maximize") or group.get("amsgrad") or group.get("dampening"):
        return None
    rate, decay = float(group["lr"]), float(group.get("weight_decay", 0))
    if rate <= 0 or any(isinstance(value, torch.Tensor) for value in (group["lr"], *group.get("betas", ()))):
        return None
    if type(optimizer) is torch.optim.SGD:
        momentum = float(group["momentum"])
        if momentum >= 1:
            return None
        method = "momentum" if momentum else "sgd"
        nesterov = bool(group["nesterov"])
        return Optimizer(
            method=method,
            learning_rate=rate,
            momentum=momentum,
            nesterov=nesterov,
            weight_decay=decay,
            schedule=schedule,
        )
    decoupled = type(optimizer) is torch.optim.AdamW or group.get("decoupled_weight_decay")
    a, b = group["betas"]
    return Optimizer(
        method="adamw" if decoupled else "adam",
        learning_rate=rate,
        betas=(float(a), float(b)),
        eps=float(group["eps"]),
        weight_decay=decay,
        schedule=schedule,
    )
