"""Models by name. The modules are defined in the other files of this package; torch is imported on first use."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["KNOWN", "build"]

KNOWN = (
    "mlp-LxW",
    "convnet[-group|-none]",
    "resnet18[-7x7][-group|-none]",
    "resnet50[-7x7][-group|-none]",
    "vgg19[-4096][-group|-none]",
)
_HOMES = {name: f"nn_experiments.training.models.{name}" for name in ("convnet", "resnet", "vgg")}


def _home(name: str) -> str:
    if re.fullmatch(r"mlp-\d+x\d+", name):
        return "nn_experiments.training.models.mlp"
    for prefix, home in _HOMES.items():
        if name.startswith(prefix):
            return home
    raise ValueError(f"unknown model {name!r}; known are {', '.join(KNOWN)}")


def build(name: str, shape: tuple[int, ...], outputs: int, *, activation: str = "relu") -> torch.nn.Module:
    """Return the module with this name for inputs of one shape (without the batch axis).

    Its parameters are uninitialised memory, so that torch's generator is not used: see
    `nn_experiments.training.initialisation`.

    Raises
    ------
    ValueError
        If the name is unknown, or the model cannot take such inputs.
    """
    return importlib.import_module(_home(name)).build(name, shape, outputs, activation=activation)
