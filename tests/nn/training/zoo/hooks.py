"""Hooks of parameters, modules and optimizers, parametrisations and pruning."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from tests.nn.training.zoo.case import Setup, classes, images, mlp, refused, right, sgd


def with_model(change: Any, *, make: Any = sgd, model: nn.Module | None = None) -> Setup:
    model = model or mlp()
    change(model)
    return Setup(model, make(model), *classes(3))


@right
def gradient_hook_that_clips() -> Setup:
    def change(model: nn.Module) -> None:
        for p in model.parameters():
            p.register_hook(lambda g: g.clamp(-0.01, 0.01))

    return with_model(change)


@right
def gradient_hook_with_adam() -> Setup:
    return with_model(
        lambda m: m[0].weight.register_hook(lambda g: 2 * g.sign()),
        make=lambda m: torch.optim.Adam(m.parameters(), lr=0.01),
    )


@right
def post_accumulate_hook() -> Setup:
    def shrink(p: torch.Tensor) -> None:
        p.grad.mul_(0.5)

    return with_model(lambda m: m[0].weight.register_post_accumulate_grad_hook(shrink))


@right
def optimizer_pre_hook_that_clips() -> Setup:
    setup = with_model(lambda m: None, make=lambda m: sgd(m, lr=1.0))
    setup.optimizer.register_step_pre_hook(
        lambda o, a, k: nn.utils.clip_grad_norm_(o.param_groups[0]["params"], 0.1) and None
    )
    return setup


@right
def optimizer_post_hook_that_clamps() -> Setup:
    setup = with_model(lambda m: None)

    def clamp(optimizer: Any, args: Any, kwargs: Any) -> None:
        with torch.no_grad():
            for p in optimizer.param_groups[0]["params"]:
                p.clamp_(-0.2, 0.2)

    setup.optimizer.register_step_post_hook(clamp)
    return setup


@right
def optimizer_hook_of_rmsprop() -> Setup:
    setup = with_model(lambda m: None, make=lambda m: torch.optim.RMSprop(m.parameters()))
    setup.optimizer.register_step_pre_hook(lambda o, a, k: nn.utils.clip_grad_value_(o.param_groups[0]["params"], 0.01))
    return setup


@right
def forward_hook() -> Setup:
    return with_model(lambda m: m[0].register_forward_hook(lambda module, inputs, output: output * 2))


@right
def forward_pre_hook() -> Setup:
    return with_model(lambda m: m[2].register_forward_pre_hook(lambda module, inputs: (inputs[0] ** 2,)))


@right
def full_backward_hook() -> Setup:
    return with_model(lambda m: m[2].register_full_backward_hook(lambda module, inner, outer: (inner[0] * 3,)))


@right
def forward_hook_that_reads_the_model() -> Setup:
    return with_model(lambda m: m[2].register_forward_hook(lambda a, b, out: out * m[0].weight.pow(2).sum()))


@right
def hook_on_a_pointwise_convolution() -> Setup:
    model = nn.Sequential(nn.Conv2d(2, 3, 1), nn.ReLU(), nn.Flatten(1), nn.Linear(48, 4)).double()
    model[0].register_forward_hook(lambda module, inputs, output: output * 2)
    return Setup(model, sgd(model), *images())


@refused("is not part of the state")
def hook_that_counts() -> Setup:
    seen: list[int] = []
    return with_model(lambda m: m[0].weight.register_hook(lambda g: seen.append(1)))


@right
def spectral_norm() -> Setup:
    return with_model(lambda m: None, model=mlp(parametrizations.spectral_norm(nn.Linear(6, 6))))


@right
def weight_norm() -> Setup:
    return with_model(lambda m: None, model=mlp(parametrizations.weight_norm(nn.Linear(6, 6))))


@right
def orthogonal() -> Setup:
    return with_model(lambda m: None, model=mlp(parametrizations.orthogonal(nn.Linear(6, 6).double())))


@right
def spectral_norm_of_a_pointwise_convolution() -> Setup:
    layer = parametrizations.spectral_norm(nn.Conv2d(2, 3, 1))
    model = nn.Sequential(layer, nn.ReLU(), nn.Flatten(1), nn.Linear(48, 4)).double()
    return Setup(model, sgd(model), *images())


@right
def weight_norm_of_a_pointwise_convolution() -> Setup:
    layer = parametrizations.weight_norm(nn.Conv2d(2, 3, 1))
    model = nn.Sequential(layer, nn.ReLU(), nn.Flatten(1), nn.Linear(48, 4)).double()
    return Setup(model, sgd(model), *images())


@right
def old_spectral_norm() -> Setup:
    return with_model(lambda m: None, model=mlp(nn.utils.spectral_norm(nn.Linear(6, 6))))


@right
def pruned() -> Setup:
    def change(model: nn.Module) -> None:
        prune.l1_unstructured(model[0], "weight", amount=0.3)

    return with_model(change)


class Doubled(nn.Module):
    """A parametrisation."""

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Return twice the lower triangle."""
        return 2 * weight.tril()


@right
def own_parametrisation() -> Setup:
    return with_model(lambda m: nn.utils.parametrize.register_parametrization(m[2], "weight", Doubled()))


@right
def exponential_average_in_a_post_hook() -> Setup:
    """An average kept in buffers of the model, moved by a hook of the optimizer."""
    model = mlp()
    model.register_buffer("average", model[0].weight.detach().clone())
    optimizer = sgd(model)

    def move(o: Any, args: Any, kwargs: Any) -> None:
        with torch.no_grad():
            model.average.lerp_(model[0].weight, 0.1)

    optimizer.register_step_post_hook(move)
    return Setup(model, optimizer, *classes(3))
