"""Transforms of the gradients: what a plain loop does with them between the backward pass and the step."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

import nn_experiments as nne
from tests.nn.training.zoo.case import Setup, classes, images, mlp, refused, right, sgd

Gradients = dict[str, torch.Tensor]


def clipped(setup: Setup, most: float, kind: float = 2.0) -> Setup:
    """Add clipping of the norm, as a transform and as a line of the plain loop."""
    setup.options["transform"] = nne.clip_norm(most, kind)
    setup.between = lambda model: nn.utils.clip_grad_norm_(model.parameters(), most, kind)
    return setup


def changed(transform: Any, between: Any, make: Any = sgd, model: nn.Module | None = None) -> Setup:
    model = model or mlp()
    return Setup(model, make(model), *classes(3), options={"transform": transform}, between=between)


def of_each(function: Any) -> tuple[Any, Any]:
    """Return a function of single gradients as a transform and as lines of a plain loop."""

    def between(model: nn.Module) -> None:
        for p in model.parameters():
            if p.grad is not None:
                p.grad = function(p.grad)

    return lambda gradients: {name: function(slope) for name, slope in gradients.items()}, between


def plain(make: Any = sgd, model: nn.Module | None = None) -> Setup:
    model = model or mlp()
    return Setup(model, make(model), *classes(3))


@right
def clip_norm_that_clips_always() -> Setup:
    return clipped(plain(lambda m: sgd(m, lr=1.0)), 0.05)


@right
def clip_norm_that_clips_sometimes() -> Setup:
    return clipped(plain(lambda m: sgd(m, lr=1.0)), 0.6)


@right
def clip_norm_that_never_clips() -> Setup:
    return clipped(plain(), 1e6)


@right
def clip_norm_of_the_largest_entry() -> Setup:
    return clipped(plain(), 0.05, float("inf"))


@right
def clip_norm_of_the_sum() -> Setup:
    return clipped(plain(), 0.5, 1.0)


@right
def clip_norm_before_adam() -> Setup:
    return clipped(plain(lambda m: torch.optim.AdamW(m.parameters(), lr=0.01)), 0.05)


@right
def clip_norm_before_momentum_and_decay() -> Setup:
    return clipped(plain(lambda m: sgd(m, momentum=0.9, weight_decay=0.1)), 0.05)


@right
def clip_norm_before_rmsprop() -> Setup:
    return clipped(plain(lambda m: torch.optim.RMSprop(m.parameters(), lr=0.01)), 0.05)


@right
def clip_norm_of_convolutions() -> Setup:
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(1), nn.Linear(12, 4)).double()
    return clipped(Setup(model, sgd(model), *images()), 0.05)


@right
def clip_norm_with_dropout() -> Setup:
    return clipped(plain(model=mlp(nn.Dropout(0.5))), 0.05)


@right
def clip_norm_of_tied_weights() -> Setup:
    model = mlp(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6))
    model[4].weight = model[2].weight
    return clipped(plain(model=model), 0.05)


@right
def clip_norm_with_a_frozen_layer() -> Setup:
    model = mlp()
    model[0].requires_grad_(False)
    return clipped(plain(model=model), 0.05)


@right
def clip_norm_and_an_optimizer_of_ours() -> Setup:
    model = mlp()
    setup = clipped(plain(model=model), 0.05)
    setup.given = nne.Optimizer(learning_rate=0.1)
    return setup


@right
def clip_norm_and_a_schedule() -> Setup:
    setup = clipped(plain(), 0.05)
    setup.options["schedule"] = lambda t: 1 / t
    setup.before = lambda optimizer, t: optimizer.param_groups[0].update(lr=0.1 / t)
    return setup


@right
def unused_parameters_are_left_out() -> Setup:
    class Part(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.Linear(3, 4), nn.Linear(3, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.used(x) + (self.unused(x) if x[0, 0] > 0 else 0)

    return clipped(plain(lambda m: sgd(m, momentum=0.9, weight_decay=0.1), Part().double()), 0.05)


@right
def clamped_entries() -> Setup:
    return changed(*of_each(lambda slope: slope.clamp(-0.01, 0.01)))


@right
def signs_of_gradients() -> Setup:
    return changed(*of_each(torch.sign), make=lambda m: sgd(m, lr=0.01))


@right
def changed_in_place() -> Setup:
    return changed(*of_each(lambda slope: slope.mul_(0.5)))


@right
def centralised_gradients() -> Setup:
    return changed(*of_each(lambda slope: slope - slope.mean(0) if slope.ndim > 1 else slope))


@right
def one_layer_by_its_name() -> Setup:
    def transform(gradients: Gradients) -> Gradients:
        return gradients | {"0.weight": 3 * gradients["0.weight"]}

    return changed(transform, lambda model: model[0].weight.grad.mul_(3))


@right
def noise_from_frozen_generators() -> Setup:
    setup = changed(*of_each(lambda slope: slope + 0.1 * torch.randn_like(slope)))
    setup.options |= {"randomness": "frozen", "seed": 5}
    return setup


@refused("the transform or the optimizer draws from torch.*randomness='frozen'")
def noise_from_free_generators() -> Setup:
    return changed(*of_each(lambda slope: slope + 0.1 * torch.randn_like(slope)))


@refused("the transform .closure variable calls. is not part of the state")
def transform_that_counts() -> Setup:
    calls: list[int] = []

    def transform(gradients: Gradients) -> Gradients:
        calls.append(1)
        return {name: slope if len(calls) < 100 else 2 * slope for name, slope in gradients.items()}

    return changed(transform, None)


@refused("the transform.* is not part of the state")
def transform_with_momentum_of_its_own() -> Setup:
    kept: Gradients = {}

    def transform(gradients: Gradients) -> Gradients:
        for name, slope in gradients.items():
            kept[name] = 0.9 * kept[name] + slope if name in kept else slope
        return dict(kept)

    return changed(transform, None)


@refused("must return a dictionary with a gradient for each name.*got Tensor")
def transform_that_returns_the_norm() -> Setup:
    return changed(lambda gradients: gradients["0.bias"].norm(), None)


@refused("must return a dictionary.*got NoneType")
def transform_that_returns_nothing() -> Setup:
    return changed(lambda gradients: None, None)


@refused(r"these names differ: 0\.bias")
def transform_that_drops_a_gradient() -> Setup:
    return changed(lambda gradients: {name: slope for name, slope in gradients.items() if name != "0.bias"}, None)


@refused(r"that of 0\.weight was \(6, 3\) float64 on cpu, and is \(18,\) float64 on cpu")
def transform_that_flattens() -> Setup:
    return changed(lambda gradients: {name: slope.reshape(-1) for name, slope in gradients.items()}, None)


@refused("and is .6, 3. float16 on cpu")
def transform_that_rounds() -> Setup:
    return changed(lambda gradients: {name: slope.half() for name, slope in gradients.items()}, None)


@refused(r"a tensor; that of 0\.weight is a float")
def transform_that_returns_numbers() -> Setup:
    return changed(lambda gradients: dict.fromkeys(gradients, 0.0), None)


@refused("the transform must be a function of the gradients.*got float")
def a_number_for_a_transform() -> Setup:
    return changed(1.0, None)
