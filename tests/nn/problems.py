"""Small networks, orders and a rounding bound that the tests of the engines share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from contraction.maps.orders import Backward, CustomOrder, Forward, Late, Reset, Windowed
from nn_experiments.training.batches import ArrayBatches
from nn_experiments.training.initialisation import initialise
from nn_experiments.training.models.mlp import MLP
from nn_experiments.training.optimizers import Optimizer
from nn_experiments.training.step import LOSSES, State, TrainingStep, initial_state
from nn_experiments.training.trees import flatten

N = 12
ORDERS: dict[str, Any] = {
    "forward": Forward(),
    "backward": Backward(),
    "windowed": Windowed(5),
    "reset": Reset([4, 9]),
    "late": Late(6),
    "shuffled": CustomOrder(lambda n: [1 + (7 * k) % n for k in range(n)]),
    "pairs": CustomOrder(lambda n: (n, max(1, n - 1)), lambda n: n // 2),
}
SGD = Optimizer(learning_rate=0.05)


def flat(tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return all tensors as one float64 vector, in their order."""
    return flatten(value.detach().double() for value in tensors.values())


def problem(kind: str, optimizer: Optimizer, *, activation: str = "relu") -> tuple[TrainingStep, ArrayBatches, State]:
    """Return (step, batches, θ_0) of a small regression (batch 1) or classification (batch 3 or 6), float64."""
    rng = np.random.default_rng(7)
    if kind == "regression":
        sizes, loss, batch = (2, 9, 7, 1), "mse", 1
        targets = torch.from_numpy(rng.standard_normal((20, 1)))
    else:
        sizes, loss, batch = (2, 9, 7, 4), "cross_entropy", {"classification": 3, "batch of 6": 6}[kind]
        targets = torch.from_numpy(rng.integers(4, size=20))
    inputs = torch.from_numpy(rng.standard_normal((20, 2)))
    model = MLP(sizes, activation=activation).double()
    state0 = initial_state(model, initialise(model, 1, dtype=torch.float64))
    batches = ArrayBatches(inputs, targets, batch_size=batch, seed=3)
    return TrainingStep(model, LOSSES[loss], optimizer), batches, state0


def bound(depth: int, state0: State) -> float:
    """Return the rounding that two evaluation orders of ``depth`` steps may differ by.

    A step sums at most 9 · 6 products in each of two passes through three layers: a relative error of less than
    100 units in the last place of ‖θ‖; it is carried on by steps whose Lipschitz constant, measured in
    ``test_the_lipschitz_constant_that_the_bound_assumes``, is below 1.5 (no ReLU of these
    problems is within rounding of its kink).
    """
    return 100 * np.finfo(float).eps * sum(1.5**k for k in range(depth)) * float(flat(state0["parameters"]).norm())
