"""Updates of all parameters as one vector are those of the plain step, parameter by parameter, memory included."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from nn_experiments.engine.kernels.flat_state import FlatState  # noqa: E402
from nn_experiments.training.optimizers import Optimizer  # noqa: E402
from nn_experiments.training.step import LOSSES, TrainingStep  # noqa: E402

RULES = {
    "sgd": Optimizer(learning_rate=0.1),
    "decay": Optimizer(learning_rate=0.1, weight_decay=0.25),
    "momentum": Optimizer(method="momentum", momentum=0.5, learning_rate=0.1),
    "nesterov": Optimizer(method="momentum", momentum=0.5, learning_rate=0.1, nesterov=True, weight_decay=0.25),
    "adam": Optimizer(method="adam", learning_rate=0.1, betas=(0.8, 0.9), weight_decay=0.25),
    "adamw": Optimizer(method="adamw", learning_rate=0.1, betas=(0.8, 0.9), weight_decay=0.25),
}


@pytest.mark.parametrize("rule", RULES)
def test_three_updates_and_one_more_from_their_memory(rule: str) -> None:
    """Of a matrix and a vector, with another rate at each position."""
    draw = torch.Generator().manual_seed(0)
    shapes = {"a": (2, 3), "b": (4,)}
    optimizer = RULES[rule]
    step = TrainingStep(nn.Linear(1, 1), LOSSES["mse"], optimizer)

    def drawn() -> dict[str, torch.Tensor]:
        return {name: torch.randn(shape, generator=draw, dtype=torch.float64) for name, shape in shapes.items()}

    start: Any = {"parameters": drawn(), "buffers": {}, "optimizer": {}}
    kept = {name: value.clone() for name, value in start["parameters"].items()}
    right, flat = start, FlatState(start, optimizer)
    for t, rate in ((1, 0.5), (2, 0.25), (3, 0.125), (4, 0.5)):
        if t == 4:
            flat = FlatState(flat.state(), optimizer)
        slopes = drawn()
        for name, slope in slopes.items():
            flat.slopes[name].copy_(slope)
        flat.update(rate, t)
        right = step.update(right, slopes, {}, rate, t)
        found = flat.state()
        assert found["buffers"] == {}
        for part in ("parameters", "optimizer"):
            assert set(found[part]) == set(right[part])
            for name, value in right[part].items():
                assert torch.allclose(found[part][name], value, rtol=1e-12, atol=1e-15), name
        for name, value in found["parameters"].items():
            assert torch.equal(value, flat.parameters[name])
            assert value.data_ptr() != flat.parameters[name].data_ptr()  # new tensors
    assert all(torch.equal(value, kept[name]) for name, value in start["parameters"].items())


def test_steps_that_were_missed_are_for_the_plain_step() -> None:
    state: Any = {"parameters": {"a": torch.ones(1)}, "optimizer": {"missed:a": torch.tensor(1)}}
    with pytest.raises(ValueError, match="a state with missed:a is for engine='step'"):
        FlatState(state, RULES["adam"])
