"""Modules that are unusual objects: counters, clocks and logs, compiled, traced and wrapped ones, nothing to train."""

from __future__ import annotations

import logging
import time
import warnings

import torch
from torch import nn

import nn_experiments as nne
from tests.nn.training.zoo.case import Setup, classes, mlp, refused, right, sgd, trained

TALLY = {"calls": 0}
LOGGER = logging.getLogger("zoo")


class InAMethod(nn.Module):
    """A helper method counts in a global dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(3, 4)

    def helper(self, h: torch.Tensor) -> torch.Tensor:
        """Count."""
        TALLY["calls"] += 1
        return h if TALLY["calls"] < 10**6 else 2 * h

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, 3) to (B, 4)."""
        return self.helper(self.one(x))


@refused("global variable TALLY.* is not part of the state")
def counter_in_a_global_variable() -> Setup:
    return trained(InAMethod())


@refused("depends on no parameter that requires gradients")
def outputs_detached() -> Setup:
    class Detached(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Linear(3, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.one(x).detach()

    return trained(Detached())


@refused("no parameters that require gradients")
def nothing_to_train() -> Setup:
    model = mlp().requires_grad_(False)
    return Setup(model, nne.Optimizer(learning_rate=0.1), *classes(3))


@refused("must be a torch.nn.Module")
def a_function_for_a_module() -> Setup:
    setup = trained(nn.Linear(3, 4))
    whole = setup.model
    setup.model = Callable(whole)  # type: ignore[assignment]
    return setup


class Callable:
    """Something that is called like a module, and has a module's state."""

    def __init__(self, model: nn.Module) -> None:
        self.state_dict = model.state_dict
        self.model = model

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, 3) to (B, 4)."""
        return self.model(x)


@right
def compiled_module() -> Setup:
    """``torch.compile``, without a compiler."""
    model = mlp()
    return Setup(torch.compile(model, backend="eager"), sgd(model), *classes(3))  # type: ignore[arg-type]


@refused("in the same memory")
def weights_tied_by_their_data() -> Setup:
    model = mlp(nn.Linear(6, 6), nn.Linear(6, 6))
    model[3].weight.data = model[2].weight.data
    return Setup(model, sgd(model), *classes(3))


@refused("in the same memory")
def buffer_that_views_a_parameter() -> Setup:
    model = mlp()
    model.register_buffer("top", model[0].weight.data[:2])
    return Setup(model, sgd(model), *classes(3))


@refused("scripted or traced")
def traced_module() -> Setup:
    model = mlp()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(model, classes(3)[0])
    return Setup(traced, sgd(traced), *classes(3))


@refused("is not part of the state")
def clock_in_an_attribute() -> Setup:
    class Timed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.seconds = nn.Linear(3, 4), 0.0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.seconds = time.perf_counter()
            return self.one(x)

    return trained(Timed())


@right
def one_buffer_under_two_names() -> Setup:
    class Aliased(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Linear(3, 4)
            self.register_buffer("u", torch.ones(4).double())
            self.register_buffer("v", self.u)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                self.u.mul_(0.9)
            return self.one(x) * self.v

    model = Aliased()
    model.one.double()
    return Setup(model, sgd(model), *classes(3))


@right
def data_parallel() -> Setup:
    return trained(nn.DataParallel(mlp()))


@right
def averaged_model_of_torch() -> Setup:
    return trained(nn.Sequential(torch.optim.swa_utils.AveragedModel(nn.Linear(3, 4))))


@right
def forward_pass_that_logs() -> Setup:
    class Logging(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Linear(3, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            LOGGER.debug("forward")
            return self.one(x)

    return trained(Logging())
