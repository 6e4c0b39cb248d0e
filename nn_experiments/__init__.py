"""Forward and backward training of networks: any order of the steps, any model (names load on first use)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nn_experiments.engine import iterates
    from nn_experiments.engine.limit import Limit, limit
    from nn_experiments.engine.purity import NotReplayable
    from nn_experiments.engine.trajectory import Trajectory
    from nn_experiments.results.curves import Curves
    from nn_experiments.results.load import load
    from nn_experiments.training.batches import ArrayBatches, Batch
    from nn_experiments.training.dropout import FrozenDropout
    from nn_experiments.training.from_torch import from_torch
    from nn_experiments.training.optimizers import Optimizer, Schedule
    from nn_experiments.training.step import TorchOptimizerStep, TrainingStep, initial_state

_HOME = {
    "ArrayBatches": "training.batches",
    "Batch": "training.batches",
    "Curves": "results.curves",
    "FrozenDropout": "training.dropout",
    "Limit": "engine.limit",
    "NotReplayable": "engine.purity",
    "Optimizer": "training.optimizers",
    "Schedule": "training.optimizers",
    "TorchOptimizerStep": "training.step",
    "TrainingStep": "training.step",
    "Trajectory": "engine.trajectory",
    "from_torch": "training.from_torch",
    "iterates": "engine",
    "limit": "engine.limit",
    "load": "results.load",
    "initial_state": "training.step",
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
    "initial_state",
    "iterates",
    "limit",
    "load",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"nn_experiments.{_HOME[name]}"), name)
    raise AttributeError(f"module 'nn_experiments' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
