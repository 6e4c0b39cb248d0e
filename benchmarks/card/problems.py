"""The paper's networks as they train in its figures, on random images: for measurements that need no data set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from nn_experiments.paper.catalogue import EXPERIMENTS
from nn_experiments.training import models
from nn_experiments.training.batches import ArrayBatches
from nn_experiments.training.initialisation import initialise
from nn_experiments.training.step import LOSSES, State, TrainingStep, initial_state

__all__ = ["NETWORKS", "problem"]

#: Short name -> experiment of the catalogue, model (the experiment's own if None).
NETWORKS: dict[str, tuple[str, str | None]] = {
    "regression": ("regression-square", None),
    "mlp": ("mlp-fashion", None),
    "resnet18": ("resnet18-cifar10", None),
    "vgg19": ("vgg19-cifar10", None),
    "resnet50": ("resnet50-cifar100", None),
    "resnet18-7x7": ("resnet18-cifar10", "resnet18-7x7"),
    "resnet50-7x7": ("resnet50-cifar100", "resnet50-7x7"),
}
_SHAPES = {"square": (1,), "fashion_mnist": (1, 28, 28), "cifar10": (3, 32, 32), "cifar100": (3, 32, 32)}
_CLASSES = {"fashion_mnist": 10, "cifar10": 10, "cifar100": 100}


def problem(
    name: str, device: str, *, dtype: torch.dtype = torch.float32, images: int = 64, slower: float = 1.0
) -> tuple[TrainingStep, ArrayBatches, State]:
    """Return (step, batches, θ_0) of a network with its figure's optimizer, batch size and initialisation, seed 0.

    Parameters
    ----------
    name
        A key of `NETWORKS`.
    images
        How many random inputs in [0, 1] batches are drawn from.
    slower
        The figure's learning rate is divided by this.
    """
    key, other = NETWORKS[name]
    experiment = EXPERIMENTS[key]
    shape, classes = _SHAPES[experiment.data], _CLASSES.get(experiment.data, 0)
    rng = np.random.default_rng(1)
    inputs = torch.from_numpy(rng.random((images, *shape))).to(dtype).to(device)
    targets = torch.from_numpy(rng.integers(classes, size=images)).to(device) if classes else inputs**2
    model = models.build(other or experiment.model, shape, classes or 1, activation=experiment.activation)
    model = model.to(dtype=dtype, device=device)
    drawn = initialise(model, 0, initialisation=experiment.initialisation, dtype=dtype)
    state0 = initial_state(model, {key: value.to(device) for key, value in drawn.items()})
    batches = ArrayBatches(inputs, targets, batch_size=experiment.batch_size, seed=0)
    optimizer = replace(experiment.optimizer, learning_rate=experiment.optimizer.learning_rate / slower)
    return TrainingStep(model, LOSSES[experiment.loss], optimizer), batches, state0
