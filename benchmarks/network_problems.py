"""One problem a network, the obvious way to its backward iterates, and ours: what `benchmarks.networks` compares.

A module of its own, so that worker processes can import these functions.
"""

from __future__ import annotations

import copy
import itertools
import os
import time
from functools import lru_cache

import numpy as np
import torch
from torch import nn

from contraction.maps.orders import Backward
from nn_experiments.engine.chain import walk
from nn_experiments.engine.kernels.choose import make_kernel
from nn_experiments.training import models
from nn_experiments.training.batches import ArrayBatches
from nn_experiments.training.initialisation import initialise
from nn_experiments.training.models.mlp import MLP
from nn_experiments.training.optimizers import Optimizer
from nn_experiments.training.step import LOSSES, TrainingStep, initial_state

SIZES = {"regression": (1, 300, 300, 300, 1), "mlp": (784, 500, 500, 500, 500, 500, 10)}
CONVOLUTIONAL = {"resnet18-7x7": 16, "resnet18": 4, "vgg19": 4, "resnet50-7x7": 4}  # and how many steps


@lru_cache
def problem(kind: str):
    """Return (step, batches, θ_0, evaluation sets): Figure 4, or the network of another figure on random images."""
    torch.set_num_threads(1)
    if kind in CONVOLUTIONAL:
        batch, classes = (16, 100) if kind.startswith("resnet50") else (8, 10)
        net = models.build(kind, (3, 32, 32), classes)
        pixels = np.random.default_rng(0).random((200, 3, 32, 32), np.float32)
        labels = torch.from_numpy(np.random.default_rng(1).integers(classes, size=200))
        step = TrainingStep(net, LOSSES["cross_entropy"], Optimizer(learning_rate=0.001))
        inputs = ArrayBatches(torch.from_numpy(pixels), labels, batch_size=batch, seed=0)
        return step, inputs, initial_state(net, initialise(net, 0)), []
    model = MLP(SIZES[kind])
    if kind == "regression":
        x = torch.linspace(-1, 1, 101)[:, None]
        test = torch.linspace(-0.99, 0.99, 100)[:, None]
        step = TrainingStep(model, LOSSES["mse"], Optimizer(learning_rate=0.05))
        batches, sets = ArrayBatches(x, x**2, batch_size=1, seed=0), [(x, x**2), (test, test**2)]
    else:
        rng = np.random.default_rng(0)
        images = torch.from_numpy(rng.random((2000, 784), np.float32) * (rng.random((2000, 784)) < 0.5))
        labels = torch.from_numpy(rng.integers(10, size=2000))
        step = TrainingStep(model, LOSSES["cross_entropy"], Optimizer(learning_rate=0.001))
        batches, sets = ArrayBatches(images.float(), labels, batch_size=8, seed=0), []
    return step, batches, initial_state(model, initialise(model, 0)), sets


def obvious(kind: str, at: tuple[int, ...]) -> list[float]:
    """Return the losses of backward iterates by the double loop with nn.Module, autograd and torch.optim.SGD."""
    step, batches, state0, sets = problem(kind)
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise(SIZES.get(kind, ())):
        layers += [nn.Linear(a, b), nn.ReLU()]
    first = copy.deepcopy(step.model) if kind in CONVOLUTIONAL else nn.Sequential(*layers[:-1])
    for value, own in zip(first.parameters(), state0["parameters"].values(), strict=True):
        value.data.copy_(own)
    losses = []
    for n in at:
        model = copy.deepcopy(first)
        optimizer = torch.optim.SGD(model.parameters(), lr=step.optimizer.learning_rate)
        for j in range(n, 0, -1):
            batch = batches(j)
            optimizer.zero_grad()
            step.loss(model(batch.inputs), batch.targets).backward()
            optimizer.step()
        with torch.no_grad():
            losses += [float(step.loss(model(x), y)) for x, y in sets]
            losses += [float(list(model.parameters())[-2].double().sum())]  # the last layer's weights
    return losses


def ours(kind: str, kernel: str, at: tuple[int, ...]) -> list[float]:
    """Return the same numbers by one of our kernels."""
    step, batches, state0, sets = problem(kind)
    losses = []
    last = list(state0["parameters"])[-2]
    for _, state, _ in walk(make_kernel(step, batches, kernel), Backward(), at, state0):
        with torch.no_grad():
            losses += [
                float(step.loss(torch.func.functional_call(step.model, state["parameters"], (x,)), y)) for x, y in sets
            ]
            losses += [float(state["parameters"][last].double().sum())]
    return losses


def warm(kind: str, kernel: str, n: int) -> int:
    """Run a kernel once in this worker, keep it long enough for the other one to get its turn; return who it was."""
    ours(kind, kernel, (n,))
    time.sleep(0.5)
    return os.getpid()
