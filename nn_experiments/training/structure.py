"""The structure of a module without the values of its tensors: classes, shapes, modes and attributes."""

from __future__ import annotations

import torch
from torch import nn

from nn_experiments.training.reachable import OF_PARAMETERS, attributes

__all__ = ["kept_on", "own_attributes", "structure"]


def own_attributes(owner: object) -> dict[str, object]:
    """Return the attributes of an object that torch did not set itself, by name.

    Hooks become a list, since torch keeps them under numbers that count all hooks of the process.
    """
    return {
        name: list(value.values()) if name.endswith("_hooks") and isinstance(value, dict) else value
        for name, value in sorted(attributes(owner))
    }


def kept_on(tensor: torch.Tensor) -> dict[str, object]:
    """Return the attributes and the hooks of a tensor, by name; most have none.

    Examples
    --------
    >>> weight = nn.Parameter(torch.ones(2))
    >>> kept_on(weight)
    {}
    >>> handle = weight.register_hook(lambda slope: slope.clamp(-1, 1))
    >>> list(kept_on(weight))
    ['_backward_hooks']
    """
    kept: dict[str, object] = dict(sorted(vars(tensor).items()))
    for name in OF_PARAMETERS:
        if hooks := getattr(tensor, name, None):
            kept[name] = list(hooks.values())
    return kept


def structure(model: nn.Module) -> dict[str, dict[str, object]]:
    """Return the structure of a module, by the names of its submodules, without the values of its tensors.

    Examples
    --------
    >>> structure(nn.Linear(2, 3))[""]["tensors"]["weight"]
    ((3, 2), 'torch.float32', True)
    """
    described: dict[str, dict[str, object]] = {}
    for name, module in model.named_modules():
        tensors = {**module._parameters, **module._buffers}
        kept = {key: kept_on(value) for key, value in tensors.items() if value is not None}
        described[name] = {
            "class": type(module),
            "training": module.training,
            "tensors": {
                key: None if value is None else (tuple(value.shape), str(value.dtype), value.requires_grad)
                for key, value in tensors.items()
            },
            "attributes": {key: value for key, value in own_attributes(module).items() if value is not module},
            **{f"kept on {key}": value for key, value in kept.items() if value},
        }
    return described
