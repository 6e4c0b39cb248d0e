"""A small network with everything that `nn_experiments.run` takes."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import nn_experiments as nne  # noqa: E402

X = torch.linspace(-1, 1, 24, dtype=torch.float64)[:, None]
Y = torch.sin(3 * X)
MSE = torch.nn.functional.mse_loss
AT = range(0, 13, 3)


class Small:
    """A small network: everything that `nn_experiments.run` takes."""

    def __init__(self, *, width: int = 4, lr: float = 0.1, norm: bool = False, seed: int = 0) -> None:
        torch.manual_seed(seed)
        layers = [torch.nn.Linear(1, width), torch.nn.Tanh(), torch.nn.Linear(width, 1)]
        if norm:
            layers.insert(1, torch.nn.BatchNorm1d(width))
        self.model = torch.nn.Sequential(*layers).double()
        optimizer = torch.optim.SGD(self.model.parameters(), lr=lr)
        self.step, self.state = nne.from_torch(self.model, MSE, optimizer)
        self.batches = nne.ArrayBatches(X, Y, batch_size=4, seed=0)
        still = copy.deepcopy(self.model).eval()

        def test_loss(state: dict) -> torch.Tensor:
            return MSE(torch.func.functional_call(still, state["parameters"] | state["buffers"], (X,)), Y)

        self.measure = {"test_loss": test_loss}

    def run(self, out: Path, curves: list, **more) -> nne.Curves:
        given = {"at": AT, "measure": self.measure, "out": out, "workers": 0, "progress": False} | more
        step, batches, state = (given.pop(name, getattr(self, name)) for name in ("step", "batches", "state"))
        return nne.run(step, batches, state, curves, **given)
