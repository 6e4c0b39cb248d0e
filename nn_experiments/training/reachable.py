"""Objects that a Python object reaches: attributes, closures, containers and globals that a function reads."""

from __future__ import annotations

import functools
import random
import types
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

__all__ = ["LIMIT", "attributes", "methods", "reachable", "reaches"]

#: At most this many things are looked at from one object.
LIMIT = 20_000

_OWN = (
    "_parameters",
    "_buffers",
    "_modules",
    "_non_persistent_buffers_set",
    "training",
    "_is_full_backward_hook",
    "_compiled_call_impl",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_version",
    "_forward_pre_hooks_with_kwargs",
    "call_super_init",
    "param_groups",
    "defaults",
    "_zero_grad_profile_name",
    "_warned_capturable_if_run_uncaptured",
    "_opt_called",
    "_patch_step_function",
)
_PLAIN = (type(None), bool, int, float, complex, str, bytes, torch.dtype, torch.device, torch.Size, range, slice)
_GENERATORS = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)


def attributes(one: object) -> Iterator[tuple[str, Any]]:
    """Yield (name, value) of the attributes of a module, an optimizer or another object that are not torch's own.

    Attributes of the user's classes are among them, since a step may count there.
    """
    for key, value in list(getattr(one, "__dict__", {}).items()):
        if key not in _OWN and not (key == "state" and isinstance(one, torch.optim.Optimizer)):
            yield key, value
    for kind in _own_classes(one):
        for key in getattr(kind, "__slots__", ()):
            if isinstance(key, str) and hasattr(one, key) and not key.startswith("__"):
                yield key, getattr(one, key)
        for key, value in list(vars(kind).items()):
            if not key.startswith("__") and isinstance(value, (int, float, list, dict, torch.Tensor)):
                yield f"{kind.__name__}.{key}", value


def _own_classes(one: object) -> list[type]:
    """Return the classes of an object that are the user's (or another library's), not torch's or Python's."""
    others = ("torch", "builtins", "typing", "nn_experiments", "collections", "abc", "enum", "functools")
    return [kind for kind in type(one).__mro__ if kind.__module__.split(".")[0] not in others]


def methods(one: object) -> Iterator[tuple[str, types.FunctionType]]:
    """Yield (name, function) of the methods of a module's or optimizer's own classes."""
    for kind in _own_classes(one):
        for key, value in list(vars(kind).items()):
            function = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
            if isinstance(function, types.FunctionType) and key != "__init__":
                yield key, function


def reachable(
    one: object, path: str, *, stop: Collection[int] = (), seen: dict[int, Any] | None = None
) -> Iterator[tuple[str, Any]]:
    """Yield (path, thing) for what is reached from an object, breadth first, each thing once.

    Parameters
    ----------
    one
        Where to begin.
    path
        What it is called.
    stop
        ``id`` of things that are yielded but not entered.
    seen
        ``id`` -> thing of what earlier calls have yielded, to be left out; what this one yields is added. The things
        are kept, so that no other one gets an ``id`` of theirs.
    """
    todo: deque[tuple[str, Any]] = deque([(path, one)])
    seen = {} if seen is None else seen
    most = len(seen) + LIMIT
    while todo and len(seen) < most:
        where, value = todo.popleft()
        if isinstance(value, _PLAIN):
            yield where, value
            continue
        if id(value) in seen:
            continue
        seen[id(value)] = value
        yield where, value
        if id(value) not in stop:
            todo.extend(_parts(where, value))


def _parts(path: str, value: object) -> Iterator[tuple[str, Any]]:
    """Yield (path, part) of what an object holds directly."""
    if isinstance(value, (torch.Tensor, np.ndarray, types.ModuleType, type, *_GENERATORS)):
        return
    if isinstance(value, Mapping):
        for key, part in list(value.items()):
            yield f"{path}[{key!r}]" if isinstance(key, _PLAIN) else f"{path}[…]", part
    elif isinstance(value, list | tuple | set | frozenset | deque):
        yield from ((f"{path}[{k}]", part) for k, part in enumerate(list(value)))
    elif isinstance(value, functools.partial):
        yield from ((path, value.func), (f"{path}.args", value.args), (f"{path}.keywords", value.keywords))
    elif isinstance(value, types.MethodType):
        yield from ((path, value.__self__), (path, value.__func__))
    elif isinstance(value, types.FunctionType):
        yield from _of_function(path, value)
    elif hasattr(value, "__dict__"):
        yield from _of_object(path, value)


def _of_object(path: str, value: object) -> Iterator[tuple[str, Any]]:
    if isinstance(value, nn.Module):
        for parts in (value._parameters, value._buffers, value._modules):
            yield from ((f"{path}.{name}", part) for name, part in parts.items() if part is not None)
    elif isinstance(value, torch.optim.Optimizer):
        yield from ((f"{path}.state", dict(value.state)), (f"{path}.param_groups", value.param_groups))
    yield from ((f"{path}.{key}", part) for key, part in attributes(value))


def _of_function(path: str, function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    if (function.__module__ or "").split(".")[0] in ("torch", "numpy", "nn_experiments"):
        return
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            yield f"{path} (closure variable {name})", cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    yield from ((f"{path} (default value {k})", part) for k, part in enumerate(function.__defaults__ or ()))
    yield from ((f"{path}.{key}", part) for key, part in vars(function).items())
    for name in sorted(_names(function.__code__)):
        part = function.__globals__.get(name)
        if part is not None and not isinstance(part, (types.ModuleType, type)):
            yield f"{path} (global variable {name})", part


def _names(code: types.CodeType) -> set[str]:
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= _names(constant)
    return found


def reaches(one: object, path: str, targets: Collection[int]) -> str | None:
    """Return the path on which one of some things (by ``id``) is reached from an object, or None."""
    return next((where for where, thing in reachable(one, path) if id(thing) in targets), None)
