"""Learning rates by functions of the position, as torch's schedulers set them in a plain loop."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import nn_experiments as nne
from tests.nn.training.zoo.case import Setup, classes, images, mlp, refused, right, sgd

O = torch.optim


def scheduled(factor: Callable[[int], float], make: Any = sgd, model: nn.Module | None = None) -> Setup:
    """Add a function of the position, as a schedule and as a line of the plain loop."""
    model = model or mlp()
    optimizer = make(model)
    rates = [group["lr"] for group in optimizer.param_groups]

    def before(optimizer: Any, t: int) -> None:
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * factor(t)

    return Setup(model, optimizer, *classes(3), options={"schedule": factor}, before=before)


def halved(t: int) -> float:
    """Half the rate from the second step on, and so on."""
    return 0.5 ** (t - 1)


@right
def function_with_sgd() -> Setup:
    return scheduled(lambda t: 1 / t)


@right
def function_with_momentum() -> Setup:
    return scheduled(halved, lambda m: sgd(m, momentum=0.9, weight_decay=0.1))


@right
def function_with_adam() -> Setup:
    return scheduled(halved, lambda m: O.Adam(m.parameters(), lr=0.01))


@right
def function_with_adamw() -> Setup:
    return scheduled(halved, lambda m: O.AdamW(m.parameters(), lr=0.01, weight_decay=0.5))


@right
def function_with_convolutions() -> Setup:
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(1), nn.Linear(12, 4)).double()
    setup = scheduled(halved, model=model)
    setup.inputs, setup.targets = images()
    return setup


@right
def function_with_rmsprop() -> Setup:
    return scheduled(halved, lambda m: O.RMSprop(m.parameters(), lr=0.01, momentum=0.5))


@right
def function_with_parameter_groups() -> Setup:
    def make(m: nn.Module) -> Any:
        return O.SGD([{"params": m[0].parameters(), "lr": 0.2}, {"params": m[2].parameters()}], lr=0.05)

    return scheduled(halved, make)


@right
def function_with_a_hook() -> Setup:
    setup = scheduled(halved)
    setup.model[0].weight.register_hook(lambda slope: slope.clamp(-0.01, 0.01))
    return setup


@right
def function_with_amsgrad_and_a_rate_in_a_tensor() -> Setup:
    return scheduled(halved, lambda m: O.Adam(m.parameters(), lr=torch.tensor(0.01), amsgrad=True, foreach=False))


@right
def function_that_is_zero_at_times() -> Setup:
    return scheduled(lambda t: float(t % 2), lambda m: sgd(m, momentum=0.9))


@right
def function_that_returns_a_tensor() -> Setup:
    return scheduled(lambda t: torch.tensor(0.5, dtype=torch.float64) ** t)


@right
def function_of_a_table() -> Setup:
    table = [0.1, 1.0, 0.5, 0.2]
    return scheduled(lambda t: table[min(t, 3)])


@right
def warm_restarts() -> Setup:
    return scheduled(lambda t: 0.5 * (1 + math.cos(math.pi * ((t - 1) % 2) / 2)))


class OneCycle:
    """An object that is called with the position."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __call__(self, t: int) -> float:
        """Return the factor."""
        return min(t, self.length - t) / self.length


@right
def object_that_is_called() -> Setup:
    return scheduled(OneCycle(5))


@right
def function_in_an_optimizer_of_ours() -> Setup:
    setup = scheduled(halved)
    setup.given = nne.Optimizer(learning_rate=0.1, schedule=setup.options.pop("schedule"))
    return setup


@right
def schedule_with_rprop() -> Setup:
    """A `Schedule` with a slow optimizer."""
    schedule = nne.Schedule(kind="inverse", horizon=3)
    setup = scheduled(schedule.factor, lambda m: O.Rprop(m.parameters(), lr=0.01))
    setup.options["schedule"] = schedule
    return setup


@right
def step_decay_as_in_torch() -> Setup:
    """The numbers of ``StepLR`` itself, which is attached to another optimizer and read."""
    model = mlp()
    other = O.SGD([torch.zeros(1, requires_grad=True)], lr=0.4)
    scheduler, rates = O.lr_scheduler.StepLR(other, step_size=2, gamma=0.1), []
    for _ in range(4):
        rates.append(other.param_groups[0]["lr"])
        other.step()
        scheduler.step()
    setup = Setup(model, sgd(model, lr=0.4), *classes(3), options={"schedule": lambda t: 0.1 ** ((t - 1) // 2)})
    setup.before = lambda optimizer, t: optimizer.param_groups[0].update(lr=rates[t - 1])
    return setup


@refused("the schedule .closure variable calls. is not part of the state")
def function_that_counts() -> Setup:
    calls: list[int] = []

    def factor(t: int) -> float:
        calls.append(t)
        return 1.0 if len(calls) < 100 else 0.5

    return scheduled(factor)


@refused("randomness='frozen'")
def function_that_draws() -> Setup:
    return scheduled(lambda t: float(torch.rand(())))


@refused("finite number of at least 0 at every t, got -1.0 at t=1")
def function_that_is_negative() -> Setup:
    return scheduled(lambda t: -1.0)


@refused("finite number of at least 0 at every t, got nan at t=2")
def function_that_is_not_finite_later() -> Setup:
    return scheduled(lambda t: 1.0 if t == 1 else float("nan"))


@refused("finite number of at least 0 at every t, got None at t=1")
def function_that_returns_nothing() -> Setup:
    return scheduled(lambda t: None)  # type: ignore[arg-type,return-value]


@refused("must be a nn_experiments.Schedule, or a function of the position.*got StepLR")
def scheduler_of_torch() -> Setup:
    setup = scheduled(halved)
    setup.options["schedule"] = O.lr_scheduler.StepLR(sgd(mlp()), 10)
    return setup


class NoRate(O.Optimizer):
    """An optimizer whose learning rate has another name."""

    def __init__(self, params: Any) -> None:
        super().__init__(params, {"rate": 0.1})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """Step."""
        for group in self.param_groups:
            for p in group["params"]:
                p.add_(p.grad, alpha=-group["rate"])


@refused("multiplies the learning rate 'lr'.*NoRate has groups without one")
def optimizer_without_a_rate() -> Setup:
    model = mlp()
    return Setup(model, NoRate(model.parameters()), *classes(3), options={"schedule": halved})
