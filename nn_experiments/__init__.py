"""Forward and backward training of networks: any order of the steps, any model (names load on first use)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nn_experiments.curves import Curves, load

_HOME = {
    "Curves": "curves",
    "load": "curves",
}

__all__ = ["Curves", "load"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"nn_experiments.{_HOME[name]}"), name)
    raise AttributeError(f"module 'nn_experiments' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
