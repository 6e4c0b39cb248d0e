"""Forward and backward training of networks: any order of the steps, any model (names load on first use)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nn_experiments.batches import ArrayBatches, Batch
    from nn_experiments.curves import Curves
    from nn_experiments.engine import iterates
    from nn_experiments.engine.limit import Limit, limit
    from nn_experiments.engine.probe import NotReplayable
    from nn_experiments.engine.trajectory import Trajectory
    from nn_experiments.frozen import FrozenDropout
    from nn_experiments.loading import load
    from nn_experiments.optimizers import Optimizer, Schedule
    from nn_experiments.steps import TorchOptimizerStep, TrainingStep, start
    from nn_experiments.torch_adapter import from_torch

_HOME = {
    "ArrayBatches": "batches",
    "Batch": "batches",
    "Curves": "curves",
    "FrozenDropout": "frozen",
    "Limit": "engine.limit",
    "NotReplayable": "engine.probe",
    "Optimizer": "optimizers",
    "Schedule": "optimizers",
    "TorchOptimizerStep": "steps",
    "TrainingStep": "steps",
    "Trajectory": "engine.trajectory",
    "from_torch": "torch_adapter",
    "iterates": "engine",
    "limit": "engine.limit",
    "load": "loading",
    "start": "steps",
}

__all__ = [
    "ArrayBatches",
    "Batch",
    "Curves",
    "FrozenDropout",
    "Limit",
    "NotReplayable",
    "Optimizer",
    "Schedule",
    "TorchOptimizerStep",
    "TrainingStep",
    "Trajectory",
    "from_torch",
    "iterates",
    "limit",
    "load",
    "start",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"nn_experiments.{_HOME[name]}"), name)
    raise AttributeError(f"module 'nn_experiments' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
