"""Models by name. The plain modules are in the files beside this one; nothing here imports torch at once."""

from __future__ import annotations

import importlib
import importlib.util
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["ModelNotBuilt", "available", "build"]

_HOMES = {"resnet": "nn_experiments.models.resnet", "vgg": "nn_experiments.models.vgg"}


class ModelNotBuilt(NotImplementedError):
    """The catalogue names a model that this version of the package does not have."""


def _home(name: str) -> str:
    if re.fullmatch(r"mlp-\d+x\d+", name):
        return "nn_experiments.models.mlp"
    for prefix, home in _HOMES.items():
        if name.startswith(prefix):
            return home
    raise ValueError(f"unknown model {name!r}; known are mlp-LxW, {', '.join(f'{p}…' for p in _HOMES)}")


def available(name: str) -> bool:
    """Return whether `build` can build this model (without importing torch)."""
    return importlib.util.find_spec(_home(name)) is not None


def build(name: str, shape: tuple[int, ...], outputs: int, *, activation: str = "relu") -> torch.nn.Module:
    """Return the module with that name for inputs of one shape (without the batch axis).

    Its parameters are not drawn from torch's generator and have no meaning yet: see `nn_experiments.initial`.

    Raises
    ------
    ModelNotBuilt
        If the catalogue knows the model but this version has no file for it.
    ValueError
        If the name is unknown.
    """
    home = _home(name)
    if not available(name):
        raise ModelNotBuilt(f"the model {name} needs {home}, which this version of the package does not have")
    return importlib.import_module(home).build(name, shape, outputs, activation=activation)
