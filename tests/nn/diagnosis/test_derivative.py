"""Exponents of derivatives as mean growth, and buffers that a derivative would have to know."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import nn_experiments as nne  # noqa: E402
from nn_experiments.diagnosis import derivative  # noqa: E402


@pytest.mark.parametrize(("first", "last", "burnt"), [(0, 8, 2), (4, 9, 2), (3, 5, 1)])
@pytest.mark.parametrize("together", [2**24, 1, 2])
def test_exponents_are_mean_growth_after_the_first_quarter(first, last, burnt, together, monkeypatch) -> None:
    """w ← w − 0.1 · 2x_i(x_i w − y): derivatives 1 − 0.2 x_i². Three replicates, carried one, two or three at once."""
    monkeypatch.setattr(derivative, "TOGETHER", together)
    model = nn.Linear(1, 1, bias=False).double()
    step, state = nne.from_torch(model, nn.functional.mse_loss, torch.optim.SGD(model.parameters(), lr=0.1))

    def batches(r: int):
        return lambda i: (torch.full((1, 1), float(i + r), dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64))

    found = derivative.exponents(step, [state] * 3, [batches(r) for r in range(3)], [1, 2, 3], first, last)
    expected = [
        np.mean([math.log(abs(1 - 0.2 * (i + r) ** 2)) for i in range(first + burnt + 1, last + 1)]) for r in range(3)
    ]
    assert found.tolist() == pytest.approx(expected, rel=1e-9)


class Counting(nn.Module):
    """Outputs are multiplied by a running mean, which every forward pass moves; another buffer counts the passes."""

    mean: torch.Tensor
    count: torch.Tensor

    def __init__(self, reads: bool) -> None:
        super().__init__()
        self.linear, self.reads = nn.Linear(2, 1).double(), reads
        self.register_buffer("mean", torch.ones((), dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            self.mean.mul_(0.9).add_(0.1 * x.mean())
            self.count.add_(1)
        return self.linear(x) * (self.mean.clone() if self.reads else 1.0)


@pytest.mark.parametrize("reads", [True, False])
def test_one_buffer_that_is_read_is_enough_to_have_no_derivative(reads: bool) -> None:
    model = Counting(reads)
    step, state = nne.from_torch(model, nn.functional.mse_loss, torch.optim.SGD(model.parameters(), lr=0.1))
    batch = torch.full((3, 2), 2.0).double(), torch.zeros(3, 1).double()
    why = derivative.why_no_derivative(step, state, batch)
    assert (why is not None) == reads
    assert why is None or "reads buffers that its steps change" in why
