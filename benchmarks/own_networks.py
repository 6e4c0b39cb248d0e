"""A user's own small networks: iterates by `from_torch` against the plain PyTorch loop, one process each."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from benchmarks._measure import Result, compare
from nn_experiments import ArrayBatches, from_torch
from nn_experiments.engine.kernels.choose import make_kernel

__all__ = ["CASES", "measure_own_networks"]

Make = Callable[[list[nn.Parameter]], torch.optim.Optimizer]


@dataclass(frozen=True)
class Case:
    """A network, an optimizer, a batch size, and how many times faster than the plain loop it has to be."""

    name: str
    sizes: tuple[int, ...]
    activation: type[nn.Module]
    make: Make
    batch: int
    goal: float

    def network(self) -> nn.Sequential:
        """Return the network."""
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        for k in range(len(self.sizes) - 1):
            layers += [nn.Linear(self.sizes[k], self.sizes[k + 1]), self.activation()]
        return nn.Sequential(*layers[:-1])


def _sgd(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.01)


def _momentum(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.01, momentum=0.9, weight_decay=1e-4)


def _adam(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=1e-3)


def _rmsprop(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.RMSprop(parameters, lr=1e-3)


CASES = (
    Case("MLP 20-64-64-5, SGD, batch 8", (20, 64, 64, 5), nn.ReLU, _sgd, 8, 2.0),
    Case("MLP 64-256-256-10, SGD, batch 8", (64, 256, 256, 10), nn.ReLU, _sgd, 8, 2.0),
    Case("regression 1-64-64-1, SGD, batch 1", (1, 64, 64, 1), nn.Tanh, _sgd, 1, 4.0),
    Case("regression 1-64-64-1, SGD, batch 8", (1, 64, 64, 1), nn.Tanh, _sgd, 8, 4.0),
    Case("MLP 20-64-64-5, momentum, batch 8", (20, 64, 64, 5), nn.ReLU, _momentum, 8, 1.0),
    Case("MLP 20-64-64-5, Adam, batch 8", (20, 64, 64, 5), nn.ReLU, _adam, 8, 1.0),
    Case("MLP 20-64-64-5, SGD, batch 128", (20, 64, 64, 5), nn.ReLU, _sgd, 128, 1.0),
    Case("MLP 20-64-64-5, RMSprop (own loop), batch 8", (20, 64, 64, 5), nn.ReLU, _rmsprop, 8, 1.0),
)


def measure_own_networks(*, steps: int, rounds: int) -> list[Result]:
    """Return one result per case: backward iterate ``steps``, by the library and by the plain loop, in turn."""
    torch.set_num_threads(1)
    return [_measured(case, steps, rounds) for case in CASES]


def _measured(case: Case, steps: int, rounds: int) -> Result:
    model = case.network()
    inputs, outputs = case.sizes[0], case.sizes[-1]
    x = torch.rand(500, inputs)
    squares = outputs == 1
    y = torch.sin(3 * x[:, :1]) if squares else torch.randint(outputs, (500,))
    loss = nn.functional.mse_loss if squares else nn.functional.cross_entropy
    batches = ArrayBatches(x, y, batch_size=case.batch, seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that RMSprop goes through the user's own loop is what is measured
        step, state = from_torch(model, loss, case.make(list(model.parameters())))
    kernel = make_kernel(step, batches)

    def ours() -> float:
        return float(kernel.apply(state, range(steps, 0, -1), 0)["parameters"]["0.weight"].double().sum())

    def plain() -> float:
        own = copy.deepcopy(model)
        optimizer = case.make(list(own.parameters()))
        for i in range(steps, 0, -1):
            batch = batches(i)
            optimizer.zero_grad()
            loss(own(batch.inputs), batch.targets).backward()
            optimizer.step()
        return float(own[0].weight.detach().double().sum())

    first, second = ours(), plain()  # compiles, draws the batches
    assert abs(first - second) <= 1e-3 * max(1.0, abs(second)), (case.name, first, second)
    settings = f"backward iterate {steps}, float32, kernel {kernel.name}, one thread each"
    return compare(f"own {case.name}", ours, plain, case.goal, settings=settings, rounds=rounds)
