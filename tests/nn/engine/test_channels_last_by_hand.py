"""The kernel for convolutions takes the plain step's steps: at every position, with every rule and kind of tensor."""

from __future__ import annotations

import copy
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from nn_experiments.engine.kernels.convnet import ChannelsLastKernel, convolutional  # noqa: E402
from nn_experiments.engine.kernels.mlp import StepKernel  # noqa: E402
from nn_experiments.training.batches import ArrayBatches  # noqa: E402
from nn_experiments.training.optimizers import Optimizer, Schedule  # noqa: E402
from nn_experiments.training.step import LOSSES, TrainingStep, initial_state  # noqa: E402

DRAW = torch.Generator().manual_seed(0)
X = torch.rand(8, 2, 4, 4, generator=DRAW, dtype=torch.float64)
Y = torch.rand(8, 2, generator=DRAW, dtype=torch.float64)
BATCHES = ArrayBatches(X, Y, batch_size=3, seed=0)
RULES = {
    "sgd": Optimizer(learning_rate=0.1),
    "decay": Optimizer(learning_rate=0.1, weight_decay=0.1),
    "momentum": Optimizer(method="momentum", momentum=0.5, learning_rate=0.1),
    "adam": Optimizer(method="adam", learning_rate=0.01, eps=1e-3),
    "adamw": Optimizer(method="adamw", learning_rate=0.01, eps=1e-3, weight_decay=0.1),
    "by position": Optimizer(learning_rate=0.1, schedule=Schedule(kind="inverse", horizon=2)),
    "by batch": Optimizer(learning_rate=0.1, schedule=Schedule(kind="inverse", horizon=2, index="batch")),
}


def network() -> nn.Sequential:
    """Return a network with a small and a larger convolution and running statistics; one bias is not trained."""
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.Tanh(),
        nn.Conv2d(3, 3, 3, stride=2),
        nn.Flatten(),
        nn.Linear(3, 2),
    ).double()
    model[5].bias.requires_grad_(False)
    return model


def tensors(state: Any) -> dict[str, torch.Tensor]:
    return {f"{part} {name}": value for part in state for name, value in state[part].items()}


@pytest.mark.parametrize("before", [0, 4])
@pytest.mark.parametrize("rule", RULES)
def test_parameters_memory_and_statistics_are_those_of_the_step(rule: str, before: int) -> None:
    """Three maps, and two more from where these end, beginning at a position in the middle of a run as well."""
    model = network()
    step, start = TrainingStep(model, LOSSES["mse"], RULES[rule]), initial_state(model)
    start["parameters"].pop("5.bias", None)
    start["buffers"]["5.bias"] = torch.tensor([0.5, -0.5], dtype=torch.float64)
    kernel, plain = ChannelsLastKernel(step, BATCHES), StepKernel(step, BATCHES)
    kept = copy.deepcopy(start)
    found = right = start
    for indices, at in (([2, 1, 3], before), ([5, 4], before + 3)):
        found, right = (one.apply(state, indices, at) for one, state in ((kernel, found), (plain, right)))
        assert kernel.refused is None
        ones, others = tensors(found), tensors(right)
        assert ones.keys() == others.keys()
        for name, value in others.items():
            assert torch.allclose(ones[name].double(), value.double(), rtol=1e-11, atol=1e-13), name
    assert all(torch.equal(value, tensors(start)[name]) for name, value in tensors(kept).items())
    assert kernel.apply(found, [], 9) is found
    if rule in ("adam", "adamw", "by position"):
        other = kernel.apply(start, [2, 1, 3], before + 1)["parameters"]
        assert not torch.allclose(other["0.weight"], kernel.apply(start, [2, 1, 3], before)["parameters"]["0.weight"])


class Own(nn.Parameter):
    """A class of parameters of the user's own."""


class Scaled(nn.Module):
    """Has a parameter of some class, which its forward pass reads."""

    def __init__(self, kind: type[nn.Parameter]) -> None:
        super().__init__()
        self.conv, self.scale = nn.Conv2d(2, 2, 4), kind(torch.ones(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x).flatten(1) * self.scale


@pytest.mark.parametrize("kind", [nn.Parameter, Own])
def test_parameters_of_a_class_of_their_own_stay_of_that_class(kind: type[nn.Parameter]) -> None:
    torch.manual_seed(0)
    model = Scaled(kind).double()
    model.scale = kind(torch.ones(2, dtype=torch.float64))
    step, start = TrainingStep(model, LOSSES["mse"], RULES["sgd"]), initial_state(model)
    kernel = ChannelsLastKernel(step, BATCHES)
    assert type(kernel.model.scale) is kind
    assert kernel.model.scale is not model.scale
    found, right = (one.apply(start, [1, 2], 0)["parameters"] for one in (kernel, StepKernel(step, BATCHES)))
    assert kernel.refused is None
    for name, value in right.items():
        assert torch.allclose(found[name], value, rtol=1e-11, atol=1e-13)


def test_plain_parameters_share_their_numbers_with_the_module_until_the_first_map() -> None:
    """Nothing is copied that a state replaces anyway."""
    model = network()
    kernel = ChannelsLastKernel(TrainingStep(model, LOSSES["mse"], RULES["sgd"]), BATCHES)
    for name, value in model.named_parameters():
        copied = kernel.model.get_parameter(name)
        assert copied is not value
        assert copied.data_ptr() == value.data_ptr()
        assert copied.requires_grad == value.requires_grad


def test_which_steps_are_convolutional() -> None:
    step = TrainingStep(network(), LOSSES["mse"], RULES["sgd"])
    assert convolutional(step)
    assert not convolutional(print)  # type: ignore[arg-type]
    assert not convolutional(TrainingStep(nn.Linear(2, 2), LOSSES["mse"], RULES["sgd"]))
    step.model[2].register_forward_hook(lambda *given: None)
    assert not convolutional(step)
    with pytest.raises(TypeError, match="it trains no module with convolutions"):
        ChannelsLastKernel(step, BATCHES)
