"""The runs against backward iterates themselves, tangents against differences, jumps against formulas."""

from __future__ import annotations

import copy
import itertools
import math
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import contraction as ct
import nn_experiments as nne
from nn_experiments.diagnosis.coupled import grid, maps_applied, run_coupled
from nn_experiments.diagnosis.derivative import Tangents, why_no_derivative
from nn_experiments.diagnosis.measured import AHEAD, INDEPENDENT
from nn_experiments.diagnosis.pairs import jump
from nn_experiments.diagnosis.subject import Outputs, Replicate
from tests.nn.diagnosis.subjects import Maps

STEPS, LAG = 12, 6


def network(
    make=lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.5, weight_decay=0.01),
) -> tuple[Any, Any, Any, Any, Any]:
    """Return a tanh network in float64 with its step, θ_0 and batches."""
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)).double()
    x = torch.randn(40, 2, dtype=torch.float64)
    step, state = nne.from_torch(model, torch.nn.functional.mse_loss, make(model.parameters()))
    return model, step, state, nne.ArrayBatches(x, x.sum(1, keepdim=True).sin(), batch_size=3, seed=0), x


@pytest.mark.parametrize("kind", ["momentum", "adam", "rmsprop"])
@pytest.mark.filterwarnings("ignore:.*slower path")
def test_the_second_run_is_the_later_backward_iterate(kind: str) -> None:
    """Row 77 as an identity: on the batches in reverse the two runs are backward iterates N and N + lag, to rounding.

    Adam knows its position, so the run that is ahead must have the position that goes with it.
    """
    make = {
        "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.5),
        "adam": lambda p: torch.optim.Adam(p, lr=0.05),
        "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.05),
    }[kind]
    model, step, state, batches, x = network(make)

    def reverse(i: int) -> object:
        return batches(STEPS + 1 - i if i <= STEPS else (2 * STEPS + LAG + 1 - i if i <= STEPS + LAG else i))

    outputs = Outputs(model, x)
    kernel = "own_loop" if kind == "rmsprop" else "step"
    found = run_coupled(
        Replicate(step, reverse, state),  # type: ignore[arg-type]
        outputs,
        grid(STEPS),
        LAG,
        eps=0.05,
        kernel=kernel,
        independent=True,
        tiny=False,
    )
    flat = {"w": lambda s: torch.cat([v.flatten() for v in s["parameters"].values()]), "f": outputs}
    path = nne.iterates(step, batches, state, ct.Backward(), [STEPS, STEPS + LAG], flat)
    expected = np.linalg.norm(path["w"][0] - path["w"][1])
    assert found.parameter[-1, AHEAD] == pytest.approx(expected, rel=1e-9)
    apart = np.sqrt(((path["f"][0] - path["f"][1]) ** 2).sum(-1).mean())
    assert found.function[-1, AHEAD] == pytest.approx(apart, rel=1e-9)
    assert abs(found.parameter[-2, AHEAD] / expected - 1) > 1e-3  # one step fewer is another distance


def test_the_independent_run_has_other_batches_and_the_same_start() -> None:
    model, step, state, batches, x = network()
    found = run_coupled(
        Replicate(step, batches, state),
        Outputs(model, x),
        grid(STEPS),
        LAG,
        eps=0.05,
        kernel="step",
        independent=True,
        tiny=False,
    )
    ends = []
    for first in (0, STEPS):
        end = state
        for t in range(1, STEPS + 1):
            end = step(end, batches(first + t), t)
        ends.append(torch.cat([v.flatten() for v in end["parameters"].values()]))
    assert found.parameter[-1, INDEPENDENT] == pytest.approx(float((ends[0] - ends[1]).norm()), rel=1e-9)
    assert found.parameter[0, INDEPENDENT] == 0


@pytest.mark.parametrize("kind", ["sgd", "momentum", "adam"])
def test_tangents_are_those_of_the_jacobian(kind: str) -> None:
    """Two steps, three replicates at once: each tangent against the derivative of the whole step by differences."""
    make = {
        "sgd": lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.02),
        "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.5, nesterov=True),
        "adam": lambda p: torch.optim.Adam(p, lr=0.05),
    }[kind]
    _, step, state, batches, _ = network(make)
    for t in (1, 2):  # with memory
        state = step(state, batches(t), t)
    sources = [batches.with_seed(seed) for seed in (1, 2, 3)]
    assert why_no_derivative(step, state, batches(1)) is None
    tangents = Tangents(step, [state] * 3, sources, [4, 5, 6])
    before = {name: value.clone() for name, value in tangents.vectors.items()}
    grown = tangents.advance(3, 3) + tangents.advance(4, 4)
    for r, source in enumerate(sources):
        ends = []
        for sign in (1, -1):
            end = copy.deepcopy(state)
            for name, vector in before.items():
                part, _, key = name.partition("/")
                end[part][key] = end[part][key] + sign * 1e-6 * vector[r]
            for t in (3, 4):
                end = step(end, source(t), t)
            ends.append(end)
        moved = {
            name: (
                ends[0][name.partition("/")[0]][name.partition("/")[2]]
                - ends[1][name.partition("/")[0]][name.partition("/")[2]]
            )
            / 2e-6
            for name in before
        }
        length = math.sqrt(sum(float((value**2).sum()) for value in moved.values()))
        assert float(grown[r]) == pytest.approx(math.log(length), abs=1e-5)
        for name, value in moved.items():
            assert torch.allclose(tangents.vectors[name][r], value / length, atol=1e-5), name


class Scaled(torch.nn.Module):
    """A linear layer whose outputs are multiplied by a running mean, which every forward pass moves."""

    mean: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(2, 1).double()
        self.register_buffer("mean", torch.ones((), dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            self.mean.mul_(0.9).add_(0.1 * x.mean())
        return self.linear(x) * self.mean.clone()


def test_what_has_no_derivative_says_why() -> None:
    _, _, state, batches, _ = network()
    assert "SGD, momentum, Adam" in str(why_no_derivative(lambda s, b, t: s, state, batches(1)))
    scaled = Scaled()
    other, start = nne.from_torch(scaled, torch.nn.functional.mse_loss, torch.optim.SGD(scaled.parameters(), lr=0.1))
    assert "reads buffers that its steps change" in str(why_no_derivative(other, start, batches(1)))
    normed = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1)).double()
    made, start = nne.from_torch(normed, torch.nn.functional.mse_loss, torch.optim.SGD(normed.parameters(), lr=0.1))
    assert why_no_derivative(made, start, batches(1)) is None  # running statistics are not read in training


def neuron(h: float, x: float, y: float, smooth: bool):
    """Return a step of SGD on ½(relu(wx) − y)², or with the softplus of 20 w x."""

    def step(state: dict, batch: object, t: int) -> dict:
        w = state["parameters"]["w"]
        if smooth:
            value, slope = torch.nn.functional.softplus(20 * w * x) / 20, torch.sigmoid(20 * w * x) * x
        else:
            value, slope = torch.relu(w * x), (w * x > 0).double() * x
        return {"parameters": {"w": w - h * (value - y) * slope}}

    return step


def test_the_size_of_a_jump() -> None:
    """Row 79: at w = 0 the map jumps by h |xy|; the two states are 0.02 apart."""
    first, second = ({"parameters": {"w": torch.tensor([w], dtype=torch.float64)}} for w in (-0.013, 0.007))
    found = jump(neuron(0.1, 1.5, 2.0, smooth=False), (), 1, first, second)
    assert found == pytest.approx(0.1 * 1.5 * 2.0 / 0.02, rel=1e-4)
    assert jump(neuron(0.1, 1.5, 0.0, smooth=False), (), 1, first, second) == 0  # δ = 0: a kink without a jump
    assert jump(neuron(0.1, 1.5, 2.0, smooth=True), (), 1, first, second) == 0
    above = {"parameters": {"w": torch.tensor([0.02], dtype=torch.float64)}}
    assert jump(neuron(0.1, 1.5, 2.0, smooth=False), (), 1, second, above) == 0  # no kink between them


@pytest.mark.parametrize("steps", [48, 96])
def test_the_maps_of_a_replicate_are_counted(steps: int) -> None:
    """Counted while they run: a second start, a tiny pair and a longer lag add as many as the estimate says.

    What the estimate leaves out are the few maps of the jumps that are examined, the same for all of these.
    """
    left_out = set()
    for lag, start, tiny in itertools.product((1, 7), (None, [2.0]), (False, True)):
        applied = []
        subject = Maps(lambda theta, draw: (applied.append(1), 0.9 * theta + draw)[1], _normal, [1.0], start)  # noqa: B023
        run_coupled(
            subject.replicate(0),
            subject.outputs,
            grid(steps),
            lag,
            eps=0.05,
            kernel="step",
            independent=True,
            tiny=tiny,
        )
        left_out.add(len(applied) - maps_applied(steps, lag, start=start is not None, tiny=tiny))
    assert len(left_out) == 1
    assert left_out.pop() >= 0


def _normal(rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(1)
