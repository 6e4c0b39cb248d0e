"""Changes that a training step makes outside of parameters, buffers and the optimizer's state.

A counter, a list of losses or a random generator can make T_i depend on how often it was applied, perhaps only after
thousands of steps, which no comparison of results would show.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import nn

from nn_experiments.training.reachable import attributes, methods, reachable

__all__ = ["Frozen", "changed", "hidden_state"]

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
    modules = dict(model.named_modules())
    known = {id(p) for p in model.parameters()} | {id(module) for module in modules.values()}
    if optimizer is not None:
        known.add(id(optimizer))
    stop = known | {id(value) for value in model.buffers()}
    values: dict[str, Frozen] = {}
    for name, module in modules.items():
        values[f"the module's {name}.{_BUFFERS}" if name else f"the module's {_BUFFERS}"] = ("keys", *module._buffers)
    seen: dict[int, object] = {}
    for path, root in _roots(modules, functions, optimizer, dict(model.named_parameters())):
        for where, part in reachable(root, path, stop=stop, seen=seen):
            value = None if id(part) in stop else _frozen(part)
            if value is not None:
                values.setdefault(where, value)
    return values


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
        for kind in ("_backward_hooks", "_post_accumulate_grad_hooks"):
            for k, hook in enumerate(list((getattr(parameter, kind, None) or {}).values())):
                yield f"hook {k} of {name}", hook


def _frozen(part: object) -> Frozen | None:
    """Return a copy of an object's value, or None if the object has no value besides its parts."""
    if isinstance(part, torch.Tensor):
        if part.numel() > LARGE or part.layout is not torch.strided or part.is_meta:
            return ("tensor", part._version, tuple(part.shape), id(part))
        value = part.detach().cpu().contiguous()
        return ("tensor", tuple(part.shape), str(part.dtype), value.reshape(-1).view(torch.uint8).numpy().tobytes())
    if isinstance(part, np.ndarray):
        return ("array", part.shape, part.dtype.str, part.tobytes() if part.dtype != object else repr(part))
    if isinstance(part, torch.Generator):
        return ("generator", part.get_state().numpy().tobytes())
    if isinstance(part, np.random.Generator):
        return ("generator", repr(part.bit_generator.state))
    if isinstance(part, np.random.RandomState):
        return ("generator", repr(part.get_state()))
    if isinstance(part, random.Random):
        return ("generator", part.getstate())
    if isinstance(part, (list, tuple, set, frozenset, dict)):
        return ("entries", len(part))
    if isinstance(part, (bool, int, float, complex, str, bytes)):
        return (type(part).__name__, repr(part))
    return ("none",) if part is None else None


def changed(before: dict[str, Frozen], after: dict[str, Frozen]) -> dict[str, str]:
    """Return path -> how the value changed, for all differences between two results of `hidden_state`."""
    changes: dict[str, str] = {}
    for path in [*before, *(path for path in after if path not in before)]:
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
