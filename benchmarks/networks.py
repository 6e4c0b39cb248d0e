"""Speed of the network engines against the obvious way: ``python -m benchmarks.networks --out DIR [--quick]``.

``--convolutional`` takes the convolutional networks in place of the others: random images of 32×32, few steps, one
process on either side (a second one on a second core doubles ours). ``--own`` takes small networks of a user's own
through `from_torch`, one process on either side.

The obvious way is what a user would write: an ``nn.Module``, ``torch.optim.SGD``, and for every n a loop over the
batches B_n … B_1 from the start again, in one process with one thread. Both ways evaluate the training and the test
set at every iterate where it says so. Workers are started and compiled before the clock.
"""

from __future__ import annotations

import argparse
import copy
import functools
import itertools
import os
import time
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks._measure import Result, compare, write_results
from benchmarks.own_networks import measure_own_networks
from contraction.maps.orders import Backward
from nn_experiments.engine.chain import walk
from nn_experiments.engine.kernels.choose import make_kernel
from nn_experiments.runs.executors import process_executor
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
    """Return (step, batches, θ0, evaluation sets): Figure 4, or the network of another figure on random images."""
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


def spread(pool: ProcessPoolExecutor, kind: str, kernel: str, at: tuple[int, ...]) -> list[float]:
    """Return the same numbers, the iterates dealt to processes, longest first."""
    futures = [pool.submit(ours, kind, kernel, (n,)) for n in sorted(at, reverse=True)]
    return [value for future in reversed(futures) for value in future.result()]


def main() -> int:
    """Run everything; return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/benchmarks"))
    parser.add_argument("--quick", action="store_true", help="shorter words, one round")
    parser.add_argument("--convolutional", action="store_true", help="ResNet-18, VGG-19 and ResNet-50")
    parser.add_argument("--own", action="store_true", help="small networks of a user's own, against the plain loop")
    args = parser.parse_args()
    rounds = 1 if args.quick else 3
    if args.own:
        own = measure_own_networks(steps=200 if args.quick else 1000, rounds=3 * rounds)
        write_results(args.out / "own-networks.json", own)
        return int(not (args.quick or all(result.met for result in own)))
    words = {
        "regression": tuple(range(100, 701, 200)) if args.quick else tuple(range(200, 1401, 200)),
        "mlp": (40, 80) if args.quick else (100, 150, 200, 250),
    }
    goals = {
        ("regression", "mlp"): 6.0,
        ("regression", "compiled"): 14.0,
        ("mlp", "mlp"): 1.0,
        ("mlp", "compiled"): 3.0,
    }
    if args.convolutional:
        some = ["resnet18-7x7"] if args.quick else list(CONVOLUTIONAL)
        goals = {(kind, "channels_last"): 1.0 for kind in some}
        words = {kind: (2 if args.quick else CONVOLUTIONAL[kind],) for kind in some}
    results: list[Result] = []
    with process_executor(2) as pool:
        for (kind, kernel), goal in goals.items():
            at = words[kind]
            ready: set[int] = set()
            # until both workers have imported, compiled and drawn their batches
            while kind not in CONVOLUTIONAL and len(ready) < 2:
                ready |= {future.result() for future in [pool.submit(warm, kind, kernel, max(at)) for _ in range(2)]}
            right, found = obvious(kind, (1, 2)), ours(kind, kernel, (1, 2))
            assert np.allclose(right, found, rtol=1e-3), (right, found)
            text = f"backward iterates {at}, float32, two processes against one"
            way = functools.partial(spread, pool)
            if kind in CONVOLUTIONAL:
                text, way = f"backward iterate {at[0]}, float32, one process against one", ours
            names = {"regression": "regression, evaluated at every iterate", "mlp": "MLP 5x500, batch 8"}
            names |= {k: f"{k}, batch {16 if k.startswith('resnet50') else 8}" for k in CONVOLUTIONAL}
            results.append(
                compare(
                    f"{names[kind]}, {kernel}",
                    lambda w=way, k=kind, e=kernel, a=at: w(k, e, a),
                    lambda k=kind, a=at: obvious(k, a),
                    goal,
                    settings=text,
                    rounds=rounds,
                )
            )
    write_results(args.out / ("convolutional.json" if args.convolutional else "networks.json"), results)
    return int(not (args.quick or all(result.met for result in results)))


if __name__ == "__main__":
    raise SystemExit(main())
