"""A set-up of the zoo, the plain double loop it is held to, and the registry of all."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

import nn_experiments as nne
from nn_experiments.training.dropout import freeze_dropout, frozen_randomness
from nn_experiments.training.torch_randomness import seeded

__all__ = ["CASES", "Case", "Setup", "classes", "images", "made", "mlp", "oracle", "refused", "right", "sgd"]


@dataclass
class Setup:
    """What a user has.

    Attributes
    ----------
    model, optimizer, loss
        As they are given to from_torch.
    inputs, targets
        30 rows, float64; or tuples and dictionaries of them.
    options
        Of from_torch.
    batches
        In place of `ArrayBatches` of the rows.
    before, between
        What the user's plain loop does, with the optimizer and the position t, before the forward pass, and, with the
        module, between the backward pass and the optimizer's step.
    given
        The optimizer that from_torch is given in place of the one of the plain loop.
    call
        How the user's plain loop calls the module on the inputs.
    """

    model: nn.Module
    optimizer: Any
    inputs: Any
    targets: Any
    loss: Any = F.cross_entropy
    options: dict[str, Any] = field(default_factory=dict)
    batches: Callable[[int], Any] | None = None
    before: Callable[[Any, int], None] = lambda optimizer, t: None
    between: Callable[[nn.Module], object] = lambda model: None
    given: nne.Optimizer | None = None
    call: Callable[[Any, Any], Any] = lambda model, inputs: model(inputs)

    def source(self) -> Callable[[int], Any]:
        """Return i -> B_i."""
        return self.batches or nne.ArrayBatches(self.inputs, self.targets, batch_size=5, seed=0)


@dataclass
class Case:
    """One set-up: a function that makes it afresh, and what from_torch must do with it."""

    name: str
    make: Callable[[], Setup]
    match: str | None = None


CASES: dict[str, Case] = {}


def right(make: Callable[[], Setup]) -> Callable[[], Setup]:
    """Declare a set-up as one that must train exactly as in a plain loop."""
    assert make.__name__ not in CASES
    CASES[make.__name__] = Case(make.__name__, make)
    return make


def refused(match: str) -> Callable[[Callable[[], Setup]], Callable[[], Setup]]:
    """Declare a set-up as one that must be refused with a text."""

    def declare(make: Callable[[], Setup]) -> Callable[[], Setup]:
        assert make.__name__ not in CASES
        CASES[make.__name__] = Case(make.__name__, make, match)
        return make

    return declare


def made(case: Case) -> Setup:
    """Return the set-up, the same every time."""
    with torch.random.fork_rng():
        torch.manual_seed(sum(map(ord, case.name)))
        return case.make()


def _draw(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def classes(*shape: int, count: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Return 30 inputs of a shape and their classes."""
    return _draw(30, *shape), torch.randint(count, (30,), generator=torch.Generator().manual_seed(2))


def images(channels: int = 2, size: int = 4, count: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Return 30 square images and their classes."""
    return classes(channels, size, size, count=count)


def mlp(*middle: nn.Module, width: int = 6) -> nn.Sequential:
    """Return Linear, Tanh, some layers, Linear, in float64, from three numbers to four."""
    return nn.Sequential(nn.Linear(3, width), nn.Tanh(), *middle, nn.Linear(width, 4)).double()


def sgd(model: nn.Module, lr: float = 0.1, **more: Any) -> torch.optim.SGD:
    """Return plain SGD of a model."""
    return torch.optim.SGD(model.parameters(), lr=lr, **more)


def from_torch(setup: Setup, **more: Any) -> tuple[Any, Any]:
    """Call from_torch; the warning that a step is slow is no matter here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(?s).*a slower path")
        return nne.from_torch(setup.model, setup.loss, setup.given or setup.optimizer, **(setup.options | more))


def oracle(case: Case, word: list[int]) -> dict[str, torch.Tensor]:
    """Return parameters and buffers after the user's plain loop over batches, innermost first, from scratch."""
    setup = made(case)
    source = setup.source()
    frozen = setup.options.get("randomness") == "frozen"
    seed = setup.options.get("seed", 0)
    optimizer = setup.optimizer
    # dropout is compared with the same frozen masks; the optimizer and hooks keep the parameters they have
    freeze_dropout(setup.model, others=True)
    for t, i in enumerate(word, 1):
        batch = source(i)
        index = getattr(batch, "index", i)
        setup.before(optimizer, t)
        optimizer.zero_grad()
        torch_too = seeded(seed, index) if frozen else contextlib.nullcontext()
        with frozen_randomness(seed, index), torch_too:
            setup.loss(setup.call(setup.model, batch[0]), batch[1]).backward()
            setup.between(setup.model)
            optimizer.step()
    values = {**dict(setup.model.named_parameters()), **dict(setup.model.named_buffers())}
    return {name: value.detach().clone() for name, value in values.items()}


def trained(model: nn.Module, make: Any = sgd, *shape: int) -> Setup:
    """Return the set-up of a module in float64 on a classification of inputs of one shape (default: three numbers)."""
    model = model.double()
    return Setup(model, make(model), *classes(*(shape or (3,))))
