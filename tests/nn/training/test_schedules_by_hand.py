"""Learning rates at every position by their formulas, what optimizers say of themselves, and layers one by one."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nn_experiments.training.models.mlp import MLP, build  # noqa: E402
from nn_experiments.training.optimizers import FunctionSchedule, Optimizer, Schedule, as_schedule  # noqa: E402

POSITIONS = (1, 2, 3, 4, 5, 6, 9, 1000)


@pytest.mark.parametrize("horizon", [4, 2.5, 0.5, 100])
@pytest.mark.parametrize("warmup", [0, 1, 3])
@pytest.mark.parametrize("kind", ["inverse", "linear", "cosine", "constant"])
def test_factors_are_their_formulas(kind: str, warmup: int, horizon: float) -> None:
    """Of the share of the horizon that is behind: 0 at the first step. Beyond the horizon a rate stays at 0."""
    schedule = Schedule(kind=kind, horizon=None if kind == "constant" else horizon, warmup=warmup)
    for t in POSITIONS:
        behind = Fraction(t - 1) / Fraction(horizon)
        right = {
            "constant": 1.0,
            "inverse": float(1 / (1 + behind)),
            "linear": float(1 - behind) if behind < 1 else 0.0,
            "cosine": (1 + math.cos(math.pi * float(behind))) / 2 if behind < 1 else 0.0,
        }[kind]
        right *= min(Fraction(1), Fraction(t, warmup)) if warmup else 1
        assert schedule.factor(t) == pytest.approx(right, rel=1e-12, abs=1e-15)
    assert schedule.constant == (kind == "constant" and warmup == 0)


@pytest.mark.parametrize(
    "make", [lambda: Schedule(kind="inverse", horizon=2), lambda: as_schedule(lambda t: 2 / (1 + t))]
)
def test_positions_may_be_any_kind_of_number_from_one_on(make: Any) -> None:
    schedule = make()
    for one in (1, 1.0, np.int64(1), np.float32(1)):
        assert schedule.factor(one) == 1.0
    assert schedule.factor(np.int64(3)) == schedule.factor(3.0) == 0.5
    for bad in (0, 0.5, np.int64(0), -1.0):
        with pytest.raises(ValueError, match="t counts from 1, got"):
            schedule.factor(bad)


@pytest.mark.parametrize("index", ["position", "batch"])
def test_a_rate_is_that_of_the_position_or_of_the_batch(index: str) -> None:
    rule = Optimizer(learning_rate=0.5, schedule=Schedule(kind="linear", horizon=8, index=index))
    for t, i in ((1, 5), (5, 1), (3, 3), (9, 2), (2, 9)):
        assert rule.rate(t, i) == 0.5 * (1 - ((t if index == "position" else i) - 1) / 8)
    assert Optimizer(learning_rate=0.5).rate(7, 9) == 0.5


def test_a_decayed_rate_is_the_inverse_of_one_and_the_steps_over_tau() -> None:
    rule = Optimizer(learning_rate=0.5, method="momentum", momentum=0.25, schedule=Schedule(warmup=7))
    decayed = rule.decayed(4.0)
    assert decayed.schedule == Schedule(kind="inverse", horizon=4.0)
    assert (decayed.method, decayed.momentum, decayed.learning_rate) == ("momentum", 0.25, 0.5)
    assert [decayed.rate(t, 1) for t in (1, 5, 13)] == [0.5, 0.25, 0.125]


@pytest.mark.parametrize(
    ("changes", "slots", "plain"),
    [
        ({}, (), True),
        ({"weight_decay": 0.1}, (), False),
        ({"schedule": Schedule(warmup=2)}, (), True),
        ({"method": "momentum", "momentum": 0.5}, ("velocity",), False),
        ({"method": "adam"}, ("first", "second"), False),
        ({"method": "adamw", "weight_decay": 0.1}, ("first", "second"), False),
    ],
)
def test_what_an_optimizer_remembers(changes: dict[str, Any], slots: tuple[str, ...], plain: bool) -> None:
    rule = Optimizer(learning_rate=0.1, **changes)
    assert (rule.slots, rule.is_plain_sgd) == (slots, plain)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"momentum": 0.5}, "sgd and momentum=0.5 do not go together"),
        ({"method": "momentum"}, "momentum and momentum=0.0 do not go together"),
        ({"nesterov": True}, "nesterov needs the method momentum, not sgd"),
        ({"method": "adam", "nesterov": True}, "nesterov needs the method momentum, not adam"),
        ({"betas": (0.5,)}, "betas must be two numbers"),
        ({"betas": (0.5, 1.0)}, "betas must be two numbers"),
        ({"betas": (1.0, 0.5)}, "betas must be two numbers"),
        ({"betas": (-0.1, 0.5)}, "betas must be two numbers"),
        ({"betas": 0.5}, "betas must be two numbers"),
    ],
)
def test_what_does_not_go_together_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Optimizer(learning_rate=0.1, **changes)
    with pytest.raises(ValueError, match="a cosine schedule and horizon=None do not go together"):
        Schedule(kind="cosine")
    with pytest.raises(ValueError, match="a constant schedule and horizon=3 do not go together"):
        Schedule(horizon=3)


def test_settings_are_plain_data_with_the_schedule_inside() -> None:
    rule = Optimizer(learning_rate=0.1, betas=(0.5, 0.25), schedule=Schedule(kind="inverse", horizon=3, warmup=2))
    found = rule.to_json()
    assert found["betas"] == [0.5, 0.25]
    assert found["schedule"] == {"kind": "inverse", "horizon": 3, "warmup": 2, "index": "position"}
    assert (found["learning_rate"], found["method"], found["nesterov"]) == (0.1, "sgd", False)


@pytest.mark.parametrize("bad", [-0.5, math.inf, math.nan, None, "x", [1.0, 2.0]], ids=str)
def test_a_function_of_the_position_returns_a_finite_number_of_at_least_zero(bad: Any) -> None:
    schedule = FunctionSchedule(function=lambda t: 1 / t if t < 3 else 0 if t == 3 else bad)
    assert [schedule.factor(t) for t in (1, 2, 3)] == [1.0, 0.5, 0.0]
    with pytest.raises(ValueError, match=r"a finite number of at least 0 at every t, got .* at t=4"):
        schedule.factor(4)
    assert not schedule.constant
    assert as_schedule(None) == Schedule()
    assert as_schedule(schedule) is schedule
    with pytest.raises(ValueError, match="at t=1"):
        as_schedule(lambda t: bad)


@pytest.mark.parametrize("kind", ["relu", "tanh", "gelu"])
@pytest.mark.parametrize("sizes", [(6, 2), (6, 3, 2), (6, 3, 5, 2), (6, 4, 4, 4, 1)], ids=str)
def test_a_network_is_its_layers_with_activations_between_them(sizes: tuple[int, ...], kind: str) -> None:
    """Inputs of any shape are flattened; nothing follows the last layer."""
    model = MLP(sizes, activation=kind).double()
    draw = torch.Generator().manual_seed(len(sizes))
    for value in model.parameters():
        value.data = torch.randn(value.shape, generator=draw, dtype=torch.float64)
    x = torch.randn(4, 2, 3, generator=draw, dtype=torch.float64)
    apply = {"relu": torch.relu, "tanh": torch.tanh, "gelu": torch.nn.functional.gelu}[kind]
    value = x.reshape(4, 6)
    for k, (weight, bias) in enumerate(zip(*[iter(model.parameters())] * 2, strict=True)):
        assert weight.shape == (sizes[k + 1], sizes[k])
        value = value @ weight.T + bias
        if k < len(sizes) - 2:
            value = apply(value)
    torch.testing.assert_close(model(x), value, rtol=1e-12, atol=1e-12)


def test_a_name_has_the_number_of_hidden_layers_and_their_width() -> None:
    assert build("mlp-3x7", (2, 3, 4), 5).sizes == (24, 7, 7, 7, 5)
    assert build("mlp-1x1", (1,), 1).sizes == (1, 1, 1)
    for sizes in ((3,), (), (3, 0), (0, 3), (3, 2, -1)):
        with pytest.raises(ValueError, match="an MLP needs at least an input and an output size"):
            MLP(sizes)
