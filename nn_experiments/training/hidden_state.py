"""Changes that a training step makes outside of parameters, buffers and the optimizer's state.

A counter, a list of losses or a random generator can make T_i depend on how often it was applied, perhaps only after
thousands of steps, which no comparison of results would show.
"""

from __future__ import annotations

import os
import random
import types
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import nn

from nn_experiments.training.reachable import CACHED, ITERATORS, attributes, has_own_attributes, methods, reachable
from nn_experiments.training.trees import bytes_of

__all__ = ["Frozen", "changeable", "changed", "hidden_state", "iterators"]

#: Tensors with more entries than this are compared by their version and address.
LARGE = 1_000_000
#: A copy of a value that can be compared with ``==``: its kind, and what it consists of.
Frozen = tuple[object, ...]
#: Where a module keeps its buffers.
_BUFFERS = "_buffers"


def hidden_state(
    model: nn.Module, functions: Mapping[str, object], optimizer: torch.optim.Optimizer | None
) -> dict[str, Frozen]:
    """Return path -> value for everything that a step could change outside of the training state.

    Parameters
    ----------
    model, optimizer
        The user's own objects.
    functions
        The user's functions that a step calls, such as the loss, by the names that they have in the paths.
    """
    values: dict[str, Frozen] = {f"os.environ[{key!r}]": ("str", repr(value)) for key, value in os.environ.items()}
    for name, module in model.named_modules():
        values[f"the module's {name}.{_BUFFERS}" if name else f"the module's {_BUFFERS}"] = ("keys", *module._buffers)
    for where, part in _reached(model, functions, optimizer):
        value = _frozen(part)
        if value is not None:
            values.setdefault(where, value)
    return values


def changeable(
    model: nn.Module, functions: Mapping[str, object], optimizer: torch.optim.Optimizer | None
) -> tuple[list[object], list[list[object] | dict[object, object] | set[object]]]:
    """Return what a step could use as a cache: objects with attributes; and lists, dictionaries and sets.

    The arguments are those of `hidden_state`.
    """
    owners: list[object] = list(model.modules())
    containers: list[list[object] | dict[object, object] | set[object]] = []
    for _, part in _reached(model, functions, optimizer):
        if type(part) in (list, dict, set):
            containers.append(part)  # type: ignore[arg-type]  # one of the three
        elif has_own_attributes(part):
            owners.append(part)
    return owners, containers


def _reached(
    model: nn.Module, functions: Mapping[str, object], optimizer: torch.optim.Optimizer | None
) -> Iterator[tuple[str, object]]:
    """Yield (path, object) for everything that a step can reach, but for the training state itself."""
    modules = dict(model.named_modules())
    stop = {id(p) for p in model.parameters()} | {id(module) for module in modules.values()}
    stop |= {id(value) for value in model.buffers()} | ({id(optimizer)} if optimizer is not None else set())
    seen: dict[int, object] = {}
    for path, root in _roots(modules, functions, optimizer, dict(model.named_parameters())):
        for where, part in reachable(root, path, stop=stop, seen=seen):
            if id(part) not in stop:
                yield where, part


def _roots(
    modules: dict[str, nn.Module],
    functions: Mapping[str, object],
    optimizer: torch.optim.Optimizer | None,
    parameters: dict[str, nn.Parameter],
) -> Iterator[tuple[str, object]]:
    """Yield (path, object) for attributes, functions and hooks through which a step could change something."""
    for name, module in modules.items():
        for key, value in [*attributes(module), *methods(module)]:
            yield f"the module's {name}.{key}" if name else f"the module's {key}", value
    if optimizer is not None:
        for key, value in [*attributes(optimizer), *methods(optimizer)]:
            yield f"the optimizer's {key}", value
    yield from functions.items()
    for name, parameter in parameters.items():
        for key, value in list(vars(parameter).items()):
            yield f"{name}.{key}", value
        for kind in ("_backward_hooks", "_post_accumulate_grad_hooks"):
            for k, hook in enumerate(list((getattr(parameter, kind, None) or {}).values())):
                yield f"hook {k} of {name}", hook


def _frozen(part: object) -> Frozen | None:
    """Return a copy of an object's value, or None if the object has no value besides its parts."""
    if isinstance(part, torch.Tensor):
        if part.numel() > LARGE or part.layout is not torch.strided or part.is_meta:
            return ("tensor", part._version, tuple(part.shape), id(part))
        return ("tensor", tuple(part.shape), str(part.dtype), bytes_of(part))
    if isinstance(part, np.ndarray):
        return ("array", part.shape, part.dtype.str, part.tobytes() if part.dtype != object else repr(part))
    if isinstance(part, (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)):
        return ("generator", _drawn(part))
    if isinstance(part, ITERATORS):
        ended = isinstance(part, types.GeneratorType) and part.gi_frame is None
        return None if ended else ("iterator", type(part).__name__)
    if isinstance(part, (list, tuple, set, frozenset, dict)):
        return ("entries", len(part))
    if isinstance(part, (bool, int, float, complex, str, bytes)):
        return (type(part).__name__, repr(part))
    return ("none",) if part is None else None


def _drawn(source: torch.Generator | np.random.Generator | np.random.RandomState | random.Random) -> object:
    """Return the state of a random generator, to be compared."""
    if isinstance(source, torch.Generator):
        return source.get_state().numpy().tobytes()
    if isinstance(source, np.random.Generator):
        return repr(source.bit_generator.state)
    return repr(source.get_state()) if isinstance(source, np.random.RandomState) else source.getstate()


def iterators(values: dict[str, Frozen]) -> dict[str, str]:
    """Return path -> class for all iterators, whose place cannot be read, in a result of `hidden_state`."""
    return {path: str(value[1]) for path, value in values.items() if value[0] == "iterator"}


def changed(before: dict[str, Frozen], after: dict[str, Frozen]) -> dict[str, str]:
    """Return path -> how the value changed, for all differences between two results of `hidden_state`.

    A value that a table of `functools.lru_cache` has got or lost is none: the function gives it again.
    """
    changes: dict[str, str] = {}
    for path in [*before, *(path for path in after if path not in before)]:
        if CACHED in path and (path not in before or path not in after):
            continue
        old, new = before.get(path), after.get(path)
        if old != new:
            changes[path] = f"{_shown(old)} became {_shown(new)}"
    return changes


def _shown(value: Frozen | None) -> str:
    if value is None:
        return "nothing"
    if value[0] in ("int", "float", "bool", "str", "complex"):
        return str(value[1])[:40]
    if value[0] == "entries":
        return f"{value[1]} entries"
    return {"none": "None", "generator": "a generator's state", "keys": ", ".join(map(str, value[1:]))}.get(
        str(value[0]), f"a {value[0]}" if value[0] != "array" else "an array"
    )
