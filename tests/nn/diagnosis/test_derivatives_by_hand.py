"""Exponents from derivatives against recursions in NumPy: least squares with SGD, momentum, Adam and AdamW."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import nn_experiments as nne  # noqa: E402
from nn_experiments.diagnosis.derivative import BURN, Tangents, exponents, why_no_derivative  # noqa: E402
from nn_experiments.training.rng import generator  # noqa: E402

RATE, SEEDS = 0.05, (4, 9)
OPTIMIZERS: dict[str, Any] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=RATE),
    "sgd, decay": lambda p: torch.optim.SGD(p, lr=RATE, weight_decay=0.3),
    "momentum": lambda p: torch.optim.SGD(p, lr=RATE, momentum=0.8),
    "adam": lambda p: torch.optim.Adam(p, lr=RATE, betas=(0.7, 0.9), eps=0.1),
    "adam, decay": lambda p: torch.optim.Adam(p, lr=RATE, betas=(0.7, 0.9), eps=0.1, weight_decay=0.3),
    "adamw": lambda p: torch.optim.AdamW(p, lr=RATE, betas=(0.7, 0.9), eps=0.1, weight_decay=0.3),
}


def data(r: int, i: int, dead: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return three rows of two inputs, the second of them always 0 if it is dead, and their targets."""
    rng = np.random.default_rng([r, i])
    x, y = rng.standard_normal((3, 2)), rng.standard_normal(3)
    return x * [1, not dead], y


def factor(t: int) -> float:
    """Return the factor on the learning rate at position t."""
    return 1 / (1 + 0.1 * t)


def by_hand(name: str, theta: np.ndarray, r: int, steps: int, *, dead: bool = False, scheduled: bool = False) -> float:
    """Return the mean growth of one tangent after the first quarter, from the recursions of θ, its memory and both."""
    method, decay = name.split(",")[0], 0.3 if "decay" in name or name == "adamw" else 0.0
    b1, b2, eps = (0.8, 0.0, 0.0) if method == "momentum" else (0.7, 0.9, 0.1)
    seed = SEEDS[r]
    d = np.concatenate([generator(seed, f"tangent {n}").standard_normal(k) for n, k in (("weight", 2), ("bias", 1))])
    m = v = dm = dv = np.zeros(3)
    d = d / np.linalg.norm(d)
    total = 0.0
    for t in range(1, steps + 1):
        x, y = data(r, t, dead)
        z = np.column_stack([x, np.ones(3)])
        h = RATE * (factor(t) if scheduled else 1.0)
        g, turned = 2 / 3 * z.T @ (z @ theta - y), 2 / 3 * z.T @ z @ d
        if method != "adamw":
            g, turned = g + decay * theta, turned + decay * d
        if method == "sgd":
            theta, d = theta - h * g, d - h * turned
        elif method == "momentum":
            m, dm = b1 * m + g, b1 * dm + turned
            theta, d = theta - h * m, d - h * dm
        else:
            m, dm = b1 * m + (1 - b1) * g, b1 * dm + (1 - b1) * turned
            v, dv = b2 * v + (1 - b2) * g**2, b2 * dv + (1 - b2) * 2 * g * turned
            root = np.sqrt(v / (1 - b2**t))
            below, along = root + eps, np.zeros(3)
            moved = v > 0
            along[moved] = dv[moved] / (1 - b2**t) / (2 * root[moved])
            if method == "adamw":
                theta, d = theta * (1 - h * decay), d * (1 - h * decay)
            hat, turn = m / (1 - b1**t), dm / (1 - b1**t)
            theta, d = theta - h * hat / below, d - h * (turn / below - hat * along / below**2)
            d = np.where(moved, d, 0.0)  # a weight that never moves has no direction
        length = math.sqrt(sum(np.sum(part**2) for part in (d, dm, dv)))
        d, dm, dv = d / length, dm / length, dv / length
        if t > math.ceil(BURN * steps):
            total += math.log(length)
    return total / (steps - math.ceil(BURN * steps))


def measured(name: str, steps: int, *, dead: bool = False, scheduled: bool = False, replicates: int = 2) -> Any:
    torch.manual_seed(1)
    model = nn.Linear(2, 1).double()
    options = {"schedule": factor} if scheduled else {}
    step, state = nne.from_torch(
        model, lambda a, b: ((a[:, 0] - b) ** 2).mean(), OPTIMIZERS[name](model.parameters()), **options
    )

    def batches(r: int) -> Any:
        return lambda i: tuple(torch.from_numpy(part) for part in data(r, i, dead))

    assert why_no_derivative(step, state, batches(0)(1)) is None
    theta = np.concatenate([model.weight.detach().numpy()[0], model.bias.detach().numpy()])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sources = [batches(r) for r in range(replicates)]
        return theta, exponents(step, [state] * replicates, sources, SEEDS[:replicates], 0, steps)  # type: ignore[arg-type]


@pytest.mark.parametrize("steps", [9, 12])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_exponents_are_those_of_the_recursions(name: str, steps: int) -> None:
    """Ten maps of numbers of size 1: rounding moves the logarithm of a length by 1e-13 or so, where nothing cancels."""
    theta, found = measured(name, steps)
    assert found == pytest.approx([by_hand(name, theta, r, steps) for r in range(2)], abs=1e-10)


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "adamw"])
def test_the_learning_rate_is_that_of_the_position(name: str) -> None:
    theta, found = measured(name, 9, scheduled=True)
    assert found == pytest.approx([by_hand(name, theta, r, 9, scheduled=True) for r in range(2)], abs=1e-10)
    assert abs(found - [by_hand(name, theta, r, 9) for r in range(2)]).min() > 1e-3


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_a_weight_that_adam_never_moves_has_no_direction(name: str) -> None:
    """Its second moment stays 0, where a square root has no derivative."""
    theta, found = measured(name, 9, dead=True)
    assert found == pytest.approx([by_hand(name, theta, r, 9, dead=True) for r in range(2)], abs=1e-10)


@pytest.mark.parametrize(("i", "t"), [(7, 2), (2, 7)])
def test_a_map_has_the_batch_of_its_index_and_the_rate_of_its_position(i: int, t: int) -> None:
    """One step of SGD turns a direction d into d - h 2/3 Z'Z d, with the batch B_i and the rate of position t."""
    torch.manual_seed(1)
    model = nn.Linear(2, 1).double()
    sgd = torch.optim.SGD(model.parameters(), lr=RATE)
    step, state = nne.from_torch(model, lambda a, b: ((a[:, 0] - b) ** 2).mean(), sgd, schedule=factor)
    tangents = Tangents(step, [state], [lambda k: tuple(map(torch.from_numpy, data(0, k)))], [4])  # type: ignore[arg-type]
    d = np.concatenate([generator(4, f"tangent {n}").standard_normal(k) for n, k in (("weight", 2), ("bias", 1))])
    z = np.column_stack([data(0, i)[0], np.ones(3)])
    turned = d - RATE * factor(t) * 2 / 3 * z.T @ z @ d
    assert float(tangents.advance(i, t)) == pytest.approx(
        math.log(np.linalg.norm(turned) / np.linalg.norm(d)), abs=1e-12
    )


class Idle(nn.Linear):
    """A linear module with a parameter that its outputs may not depend on."""

    def __init__(self, used: bool) -> None:
        super().__init__(2, 1)
        self.idle, self.used = nn.Parameter(torch.ones(())), used

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) + (self.idle if self.used else 0)


@pytest.mark.parametrize("used", [True, False])
def test_a_parameter_that_the_loss_ignores_is_said(used: bool) -> None:
    model = Idle(used).double()
    step, state = nne.from_torch(model, nn.functional.mse_loss, torch.optim.SGD(model.parameters(), lr=RATE))
    batch = torch.ones(3, 2).double(), torch.ones(3, 1).double()
    tangents = Tangents(step, [state], [lambda i: batch], [0])  # type: ignore[arg-type]
    if used:
        assert torch.isfinite(tangents.advance(1, 1)).all()
        return
    with pytest.raises(ValueError, match="the loss does not depend on all parameters"):
        tangents.advance(1, 1)


def test_a_parameter_may_be_one_number() -> None:
    """Two replicates, one step: Z has a column for the bias and one for the number."""
    model = Idle(used=True).double()
    step, state = nne.from_torch(
        model, lambda a, b: ((a[:, 0] - b) ** 2).mean(), torch.optim.SGD(model.parameters(), lr=RATE)
    )
    sources = [lambda i, r=r: tuple(map(torch.from_numpy, data(r, i))) for r in range(2)]
    tangents = Tangents(step, [state] * 2, sources, SEEDS)  # type: ignore[arg-type]
    found = tangents.advance(1, 1)
    for r, seed in enumerate(SEEDS):
        sizes = {name: value.numel() for name, value in state["parameters"].items()}
        d = np.concatenate([generator(seed, f"tangent {name}").standard_normal(k) for name, k in sizes.items()])
        x = data(r, 1)[0]
        z = np.concatenate([{"weight": x}.get(name, np.ones((3, 1))) for name in sizes], axis=1)
        turned = d - RATE * 2 / 3 * z.T @ z @ d
        assert float(found[r]) == pytest.approx(math.log(np.linalg.norm(turned) / np.linalg.norm(d)), abs=1e-12)


def test_one_replicate_is_the_first_of_two() -> None:
    assert measured("adam", 9, replicates=1)[1] == pytest.approx(measured("adam", 9)[1][:1], rel=1e-12)


@pytest.mark.parametrize("name", ["weight", "bias", None])
def test_one_parameter_of_another_type_is_named_by_its_type(name: str | None) -> None:
    model = nn.Linear(2, 1)
    step, state = nne.from_torch(model, nn.functional.mse_loss, torch.optim.SGD(model.parameters(), lr=0.1))
    if name:
        state["parameters"][name] = state["parameters"][name].bfloat16()
    why = why_no_derivative(step, state, (torch.ones(3, 2), torch.ones(3, 1)))
    assert why == ("parameters are torch.bfloat16" if name else None)


@pytest.mark.parametrize("randomness", ["refused", "frozen"])
def test_frozen_randomness_has_no_derivative(randomness: str) -> None:
    model = nn.Linear(2, 1)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    step, state = nne.from_torch(model, nn.functional.mse_loss, sgd, randomness=randomness)
    why = why_no_derivative(step, state, nne.Batch(torch.ones(3, 2), torch.ones(3, 1), 1))
    assert (why is not None and "frozen randomness" in why) == (randomness == "frozen")


def test_a_step_of_ones_own_has_no_derivative() -> None:
    why = why_no_derivative(lambda state, batch, t: state, {"parameters": {}}, (None, None))  # type: ignore[arg-type]
    assert why is not None
    assert why.startswith("the step is not one of SGD, momentum, Adam or AdamW on a module")
