"""The state of a torch optimizer as a flat dictionary of tensors, and back with the Python type of each number.

A tensor ``state[p][slot]`` of the parameter ``name`` has the key ``slot:name``. The key of a value that is not a tensor
has its type in brackets, ``step[int]:name``, since ``beta ** step`` is rounded differently for a tensor and for a
number. State that belongs to no parameter has an empty name. An option of a parameter group that steps change has the
key ``group 0 option[float]:``.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch

__all__ = ["Options", "read_slots", "write_slots"]

#: The options of one parameter group of an optimizer, by name.
Options = dict[str, object]

_KINDS = {"bool": bool, "int": int, "float": float}


def _encoded(owner: str, slot: str, name: str, value: object) -> tuple[str, torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return f"{slot}:{name}", value.detach().clone()
    if value is None:
        return f"{slot}[none]:{name}", torch.zeros(())
    kind = type(value).__name__
    if type(value) not in _KINDS.values():
        raise TypeError(
            f"{owner} keeps {slot} as {kind}: not supported, since the state of a training step consists of tensors "
            "and numbers. Keep a tensor, an int or a float for each parameter in the optimizer's state"
        )
    return f"{slot}[{kind}]:{name}", torch.tensor(value, dtype=torch.float64 if kind == "float" else None)


def _decoded(key: str, value: torch.Tensor) -> tuple[str, str, torch.Tensor | bool | int | float | None]:
    slot, name = key.split(":", 1)
    if slot.endswith("]"):
        slot, kind = slot[:-1].rsplit("[", 1)
        return slot, name, None if kind == "none" else _KINDS[kind](value.item())
    return slot, name, value.clone()


def read_slots(
    optimizer: torch.optim.Optimizer, names: Mapping[int, str], options: list[Options]
) -> dict[str, torch.Tensor]:
    """Return the optimizer's state, and the options of its groups that differ from ``options``.

    Parameters
    ----------
    optimizer
        Any optimizer.
    names
        ``id`` of a parameter -> its name.
    options
        The options of each parameter group at the start.

    Raises
    ------
    TypeError
        If an entry of the state is neither a tensor nor a number; the message names it.
    """
    owner = type(optimizer).__name__
    encoded: dict[str, torch.Tensor] = {}
    for key, slots in optimizer.state.items():
        if isinstance(key, torch.Tensor):
            for slot, value in slots.items():
                encoded.update([_encoded(owner, str(slot), names[id(key)], value)])
        else:
            encoded.update([_encoded(owner, str(key), "", slots)])
    for k, (group, first) in enumerate(zip(optimizer.param_groups, options, strict=True)):
        for option, value in group.items():
            if option != "params" and (option not in first or not _same(value, first[option])):
                encoded.update([_encoded(owner, f"group {k} {option}", "", value)])
    return encoded


def _same(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor) or isinstance(b, torch.Tensor):
        return isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor) and torch.equal(a, b)
    return type(a) is type(b) and a == b


def write_slots(
    optimizer: torch.optim.Optimizer,
    named: Mapping[str, torch.Tensor],
    first: Mapping[torch.Tensor, object],
    options: list[Options],
    values: Mapping[str, torch.Tensor],
) -> None:
    """Set an optimizer to its state at the start, and then to what `read_slots` returned.

    Parameters
    ----------
    optimizer
        The optimizer; its state and the options of its groups are replaced.
    named
        Name -> the parameter that the optimizer holds.
    first, options
        State and group options at the start.
    values
        What `read_slots` returned. Anything that is missing in it is set to its value at the start.
    """
    optimizer.state.clear()
    for key, slots in first.items():
        copied = copy.deepcopy(slots)
        if isinstance(key, torch.Tensor) and isinstance(copied, dict):
            copied = {slot: _as(key, value) for slot, value in copied.items()}
        optimizer.state[key] = copied
    for group, at_start in zip(optimizer.param_groups, options, strict=True):
        for option in group.keys() - at_start.keys() - {"params"}:
            del group[option]
        group.update(copy.deepcopy(at_start))
    for key, value in values.items():
        slot, name, decoded = _decoded(key, value)
        if name:
            optimizer.state[named[name]][slot] = decoded
        elif slot.startswith("group "):
            _, k, option = slot.split(" ", 2)
            optimizer.param_groups[int(k)][option] = decoded
        else:
            optimizer.state[slot] = decoded  # type: ignore[index]


def _as(parameter: torch.Tensor, value: object) -> object:
    """Return a slot of the parameter's shape as the parameter is now, in precision and place; others as they are."""
    if isinstance(value, torch.Tensor) and value.shape == parameter.shape and value.is_floating_point():
        return value.to(parameter.device, parameter.dtype)
    return value
