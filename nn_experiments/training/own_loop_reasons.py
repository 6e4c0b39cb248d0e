"""Reasons to take steps with the user's own module and optimizer, because a pure function would differ from them."""

from __future__ import annotations

import copy
import sys
import types

import torch
from torch import nn

from nn_experiments.training.reachable import OF_PARAMETERS, attributes, methods, reachable, reaches

__all__ = ["hook_of", "hooks_of_all", "why_own_loop"]

_OF_MODULES = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_GLOBAL = ("_global_forward_hooks", "_global_forward_pre_hooks", "_global_backward_hooks", "_global_backward_pre_hooks")
_GLOBAL_OF_OPTIMIZERS = ("_global_optimizer_pre_hooks", "_global_optimizer_post_hooks")
_OF_OPTIMIZERS = ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks")


def hook_of(model: nn.Module) -> str | None:
    """Return which submodule or parameter of a module has a hook, in words, or None.

    Examples
    --------
    >>> model = nn.Linear(2, 1)
    >>> handle = model.weight.register_hook(lambda slope: slope.clamp(-1, 1))
    >>> hook_of(model)
    'the parameter weight has a hook'
    """
    if any(getattr(nn.modules.module, key, None) for key in _GLOBAL):
        return "there is a hook for all modules"
    for name, module in model.named_modules():
        if any(getattr(module, key, None) for key in _OF_MODULES):
            return f"the submodule {name} has a hook" if name else "the module has a hook"
    for name, parameter in model.named_parameters():
        if any(getattr(parameter, key, None) for key in OF_PARAMETERS):
            return f"the parameter {name} has a hook"
    return None


def hooks_of_all() -> dict[str, list[object]]:
    """Return the hooks that are there for all modules or for all optimizers, by where torch keeps them.

    Examples
    --------
    >>> handle = nn.modules.module.register_module_forward_hook(lambda module, inputs, outputs: None)
    >>> list(hooks_of_all())
    ['_global_forward_hooks']
    >>> handle.remove()
    >>> hooks_of_all()
    {}
    """
    places = [(nn.modules.module, key) for key in _GLOBAL]
    places += [(sys.modules[torch.optim.Optimizer.__module__], key) for key in _GLOBAL_OF_OPTIMIZERS]
    hooks = {key: list((getattr(module, key, None) or {}).values()) for module, key in places}
    return {key: several for key, several in hooks.items() if several}


def why_own_loop(model: nn.Module, loss: object, optimizer: torch.optim.Optimizer) -> str | None:
    """Return why a pure function of parameters and buffers would differ from the user's loop, or None.

    Parameters
    ----------
    model, loss, optimizer
        The user's own objects.

    Returns
    -------
    str or None
        The first reason, in words.
    """
    return (
        hook_of(model)
        or _hook_of_optimizer(optimizer)
        or _of_dtypes(model)
        or _of_modules(model)
        or _shared(model, loss, optimizer)
        or _of_copies(model)
    )


def _hook_of_optimizer(optimizer: torch.optim.Optimizer) -> str | None:
    if any(getattr(optimizer, key, None) for key in _OF_OPTIMIZERS) or "step" in vars(optimizer):
        return "the optimizer has a hook"
    if any(getattr(sys.modules[torch.optim.Optimizer.__module__], key, None) for key in _GLOBAL_OF_OPTIMIZERS):
        return "there is a hook for all optimizers"
    return None


def _of_dtypes(model: nn.Module) -> str | None:
    for name, p in model.named_parameters():
        if p.is_floating_point() and p.element_size() < 4:
            return f"the parameter {name} is in half precision, where the order of operations matters"
    for name, p in model.named_parameters():
        if p.is_complex():
            return f"the parameter {name} is complex"
    return None


def _shared(model: nn.Module, loss: object, optimizer: torch.optim.Optimizer) -> str | None:
    """Return how the loss uses the model or the optimizer, or a module uses what is registered in another one."""
    parts = {id(p) for p in model.parameters()} | {id(b) for b in model.buffers()}
    modules = {id(m) for m in model.modules()}
    if where := reaches(loss, "the loss", {*parts, *modules, id(optimizer)}):
        return f"{where} uses the model or the optimizer"
    seen: dict[int, object] = {}
    for name, module in model.named_modules():
        if type(module).__module__.startswith(("torch.nn.modules", "nn_experiments.")):
            continue
        for key, value in [*attributes(module), *methods(module)]:
            code = isinstance(value, types.FunctionType)
            for where, part in reachable(value, key, stop=modules, seen=seen if code else None):
                if id(part) in parts or (code and id(part) in modules):
                    return f"{where} of {name or 'the module'} holds a parameter, buffer or layer that is registered"
    return None


def _of_modules(model: nn.Module) -> str | None:
    for name, module in model.named_modules():
        if "forward" in vars(module):
            return f"the forward pass of {name or 'the module'} is replaced on the object"
        if isinstance(module, nn.Embedding | nn.EmbeddingBag) and module.max_norm is not None:
            return f"{name or 'the module'} changes its weights in the forward pass (max_norm)"
    return None


def _of_copies(model: nn.Module) -> str | None:
    tensors = {id(value): value for value in (*model.parameters(), *model.buffers())}  # not copied: they may be large
    try:
        copies = dict(copy.deepcopy(model, tensors).named_parameters())
    except Exception as error:  # deep copies run the user's own code
        return f"the module cannot be copied ({type(error).__name__}: {error})"
    if copies.keys() != dict(model.named_parameters()).keys():
        return "a copy of the module has other parameters"
    return None
