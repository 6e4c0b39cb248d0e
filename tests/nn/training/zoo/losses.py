"""Losses: those of torch, closures over the model, and what they may return."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from tests.nn.training.zoo.case import Setup, classes, mlp, refused, right, sgd


def with_loss(make: Any, **more: Any) -> Setup:
    model = mlp()
    return Setup(model, sgd(model), *classes(3), loss=make(model), **more)


@right
def cross_entropy_module() -> Setup:
    return with_loss(lambda m: nn.CrossEntropyLoss())


@right
def label_smoothing() -> Setup:
    return with_loss(lambda m: nn.CrossEntropyLoss(label_smoothing=0.1))


@right
def class_weights() -> Setup:
    return with_loss(lambda m: nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2, 3, 4]).double()))


@right
def class_weights_in_a_closure() -> Setup:
    weight = torch.tensor([1.0, 2, 3, 4]).double()
    return with_loss(lambda m: lambda o, y: F.cross_entropy(o, y, weight=weight))


@right
def sum_reduction() -> Setup:
    return with_loss(lambda m: lambda o, y: F.cross_entropy(o, y, reduction="sum") / 7)


@right
def weight_penalty_in_the_loss() -> Setup:
    return with_loss(lambda m: lambda o, y: F.cross_entropy(o, y) + 0.05 * sum(p.pow(2).sum() for p in m.parameters()))


@right
def penalty_of_one_layer() -> Setup:
    return with_loss(lambda m: lambda o, y, w=None: F.cross_entropy(o, y) + m[0].weight.abs().sum() * 0.01)


class Penalised(nn.Module):
    """A loss that is a module and holds the model."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the loss with its penalty."""
        return F.cross_entropy(outputs, targets) + 0.1 * self.model[0].weight.pow(2).sum()


@right
def loss_module_that_holds_the_model() -> Setup:
    return with_loss(Penalised)


class OnParameter:
    """A loss that holds a parameter."""

    def __init__(self, parameter: nn.Parameter) -> None:
        self.parameter = parameter

    def __call__(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the loss with its penalty."""
        return F.cross_entropy(outputs, targets) + self.parameter.pow(4).sum()


@right
def loss_object_that_holds_a_parameter() -> Setup:
    return with_loss(lambda m: OnParameter(m[2].bias))


@right
def one_entry_of_shape_one() -> Setup:
    return with_loss(lambda m: lambda o, y: F.cross_entropy(o, y).reshape(1))


@refused("got tuple")
def loss_returns_a_tuple() -> Setup:
    return with_loss(lambda m: lambda o, y: (F.cross_entropy(o, y), o.pow(2).mean()))


@refused("got dict")
def loss_returns_a_dict() -> Setup:
    return with_loss(lambda m: lambda o, y: {"loss": F.cross_entropy(o, y)})


@refused("got float")
def loss_returns_a_number() -> Setup:
    return with_loss(lambda m: lambda o, y: F.cross_entropy(o, y).item())


@refused("a tensor of shape")
def loss_of_each_example() -> Setup:
    return with_loss(lambda m: nn.CrossEntropyLoss(reduction="none"))


class Counting:
    """A loss that anneals by counting its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the loss; more of it after a hundred calls."""
        self.calls += 1
        return F.cross_entropy(outputs, targets) * (2 if self.calls > 100 else 1)


@refused("the loss.calls is not part of the state")
def loss_that_counts() -> Setup:
    return with_loss(lambda m: Counting())


@refused("is not part of the state")
def loss_that_keeps_a_list() -> Setup:
    kept: list[float] = []

    def loss(o: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        value = F.cross_entropy(o, y)
        kept.append(float(value))
        return value

    return with_loss(lambda m: loss)


@refused("not the model's")
def loss_with_parameters() -> Setup:
    model, extra = mlp(), nn.Linear(4, 4).double()
    return Setup(
        model,
        torch.optim.SGD([*model.parameters(), *extra.parameters()], lr=0.1),
        *classes(3),
        loss=lambda o, y: F.cross_entropy(extra(o), y),
    )


@refused("must be a function")
def loss_by_name() -> Setup:
    return with_loss(lambda m: "cross_entropy")


@refused("randomness='frozen'")
def noise_in_the_loss() -> Setup:
    return with_loss(lambda m: lambda o, y: F.cross_entropy(o + 0.1 * torch.randn_like(o), y))


@right
def noise_in_the_loss_frozen() -> Setup:
    return with_loss(
        lambda m: lambda o, y: F.cross_entropy(o + 0.1 * torch.randn_like(o), y), options={"randomness": "frozen"}
    )


@right
def regression() -> Setup:
    model = nn.Sequential(nn.Linear(3, 5), nn.GELU(), nn.Linear(5, 1)).double()
    x, _ = classes(3)
    return Setup(model, sgd(model), x, x.sum(1, keepdim=True), loss=F.mse_loss)


@right
def gradient_penalty() -> Setup:
    """A loss with a gradient of its own: twice differentiated."""
    model = mlp()

    def loss(o: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        (slope,) = torch.autograd.grad(F.cross_entropy(o, y), model[2].weight, create_graph=True)
        return F.cross_entropy(o, y) + 0.1 * slope.pow(2).sum()

    return Setup(model, sgd(model), *classes(3), loss=loss)


@right
def distillation() -> Setup:
    teacher = mlp().eval()
    model = mlp()

    def loss(o: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(o, y) + F.mse_loss(o, teacher[2](torch.ones(6).double()).detach().expand_as(o))

    return Setup(model, sgd(model), *classes(3), loss=loss)
