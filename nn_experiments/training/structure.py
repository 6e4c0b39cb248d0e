"""What a module is, apart from the values that a state holds: its classes, shapes, modes and attributes."""

from __future__ import annotations

from typing import Any

from torch import nn

from nn_experiments.training.reachable import attributes

__all__ = ["own_attributes", "structure"]


def own_attributes(thing: object) -> dict[str, Any]:
    """Return the attributes of an object that are not torch's own, by name.

    Hooks are a list: torch keeps them under numbers that count all hooks of the process.
    """
    return {
        name: list(value.values()) if name.endswith("_hooks") and isinstance(value, dict) else value
        for name, value in sorted(attributes(thing))
    }


def structure(model: nn.Module) -> dict[str, Any]:
    """Return the structure of a module, by the names of its submodules, without the values of its tensors.

    Examples
    --------
    >>> structure(nn.Linear(2, 3))[""]["tensors"]["weight"]
    ((3, 2), 'torch.float32', True)
    """
    found = {}
    for name, module in model.named_modules():
        tensors = {**module._parameters, **module._buffers}
        found[name] = {
            "class": type(module),
            "training": module.training,
            "tensors": {
                key: None if value is None else (tuple(value.shape), str(value.dtype), value.requires_grad)
                for key, value in tensors.items()
            },
            "attributes": {key: value for key, value in own_attributes(module).items() if value is not module},
        }
    return found
