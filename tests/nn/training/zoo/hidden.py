"""State in other places than parameters and buffers, and buffers that a forward pass replaces."""

from __future__ import annotations

import torch
from torch import nn

from tests.nn.training.zoo.case import Setup, classes, mlp, refused, right, sgd


def trained(model: nn.Module, **more) -> Setup:
    model = model.double()
    return Setup(model, sgd(model, **more), *classes(3))


class Base(nn.Module):
    """Two layers; subclasses do something between them."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(3, 6), nn.Linear(6, 4)
        self.prepare()

    def prepare(self) -> None:
        """Make what is needed between the layers."""

    def between(self, h: torch.Tensor) -> torch.Tensor:
        """Change the hidden layer."""
        return h

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, 3) to (B, 4)."""
        return self.two(self.between(torch.tanh(self.one(x))))


class Assigned(Base):
    def prepare(self) -> None:
        self.register_buffer("ema", torch.zeros(6))

    def between(self, h: torch.Tensor) -> torch.Tensor:
        self.ema = 0.9 * self.ema + 0.1 * h.mean(0).detach()
        return h - self.ema


@right
def buffer_by_assignment() -> Setup:
    return trained(Assigned())


@right
def buffer_by_assignment_with_momentum() -> Setup:
    return trained(Assigned(), momentum=0.9)


class AssignedWithGraph(Assigned):
    def between(self, h: torch.Tensor) -> torch.Tensor:
        before = self.ema.detach()
        self.ema = 0.9 * before + 0.1 * h.mean(0)
        return h - self.ema


@right
def buffer_with_a_graph() -> Setup:
    return trained(AssignedWithGraph())


class InPlace(Base):
    def prepare(self) -> None:
        self.register_buffer("ema", torch.zeros(6))

    def between(self, h: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            self.ema.lerp_(h.mean(0), 0.1)
        return h - self.ema


@right
def buffer_in_place() -> Setup:
    return trained(InPlace())


class CountsInABuffer(Base):
    def prepare(self) -> None:
        self.register_buffer("steps", torch.tensor(0))

    def between(self, h: torch.Tensor) -> torch.Tensor:
        self.steps += 1
        return h / self.steps


@right
def counter_in_a_buffer() -> Setup:
    return trained(CountsInABuffer())


class NotPersistent(Base):
    def prepare(self) -> None:
        self.register_buffer("last", torch.zeros(6), persistent=False)

    def between(self, h: torch.Tensor) -> torch.Tensor:
        out = h + self.last
        self.last = h.mean(0).detach()
        return out


@right
def buffer_that_is_not_saved() -> Setup:
    return trained(NotPersistent())


class Counts(Base):
    n = 0

    def between(self, h: torch.Tensor) -> torch.Tensor:
        self.n += 1
        return 2 * h if self.n > 8 else h


@refused("the module's n is not part of the state|n is not part of the state")
def counter_that_matters_later() -> Setup:
    return trained(Counts())


class CountsEarly(Base):
    def prepare(self) -> None:
        self.n = 0

    def between(self, h: torch.Tensor) -> torch.Tensor:
        self.n += 1
        return h * (1 + 1 / self.n)


@refused("the module's n is not part of the state")
def counter_that_matters_at_once() -> Setup:
    return trained(CountsEarly())


class CountsInADictionary(Base):
    def prepare(self) -> None:
        self.stats = {"calls": 0}

    def between(self, h: torch.Tensor) -> torch.Tensor:
        self.stats["calls"] += 1
        return 2 * h if self.stats["calls"] > 1000 else h


@refused("is not part of the state")
def counter_in_a_dictionary() -> Setup:
    return trained(CountsInADictionary())


class CountsOnTheClass(Base):
    calls = 0

    def between(self, h: torch.Tensor) -> torch.Tensor:
        type(self).calls += 1
        return 2 * h if type(self).calls > 10**6 else h


@refused("calls is not part of the state")
def counter_on_the_class() -> Setup:
    return trained(CountsOnTheClass())


class PlainTensor(Base):
    def prepare(self) -> None:
        self.ema = torch.zeros(6, dtype=torch.float64)

    def between(self, h: torch.Tensor) -> torch.Tensor:
        self.ema = 0.9 * self.ema + 0.1 * h.mean(0).detach()
        return h - self.ema


@refused("register_buffer")
def average_in_a_plain_attribute() -> Setup:
    return trained(PlainTensor())


class PlainTensorInPlace(PlainTensor):
    def between(self, h: torch.Tensor) -> torch.Tensor:
        self.ema.lerp_(h.mean(0).detach(), 0.1)
        return h - self.ema


@refused("register_buffer")
def average_in_a_plain_attribute_in_place() -> Setup:
    return trained(PlainTensorInPlace())


class Started(Base):
    def prepare(self) -> None:
        self.started = False

    def between(self, h: torch.Tensor) -> torch.Tensor:
        first, self.started = not self.started, True
        return 3 * h if first else h


@refused("the first step changes it")
def flag_set_by_the_first_step() -> Setup:
    return trained(Started())


class Cache(Base):
    def prepare(self) -> None:
        self.mask = None

    def between(self, h: torch.Tensor) -> torch.Tensor:
        if self.mask is None:
            self.mask = torch.arange(6, device=h.device, dtype=h.dtype)
        return h * self.mask


@right
def cache_filled_by_the_first_step() -> Setup:
    return trained(Cache())


class Logs(Base):
    def prepare(self) -> None:
        self.activations = None

    def between(self, h: torch.Tensor) -> torch.Tensor:
        self.activations = h
        return h


@right
def activations_kept_to_look_at() -> Setup:
    return trained(Logs())


class GrowsAList(Base):
    def prepare(self) -> None:
        self.norms = []

    def between(self, h: torch.Tensor) -> torch.Tensor:
        self.norms.append(float(h.detach().norm()))
        return h


@refused("norms")
def list_that_grows() -> Setup:
    return trained(GrowsAList())


class Memory(Base):
    """A list of earlier activations that later steps read."""

    def prepare(self) -> None:
        self.bank = []

    def between(self, h: torch.Tensor) -> torch.Tensor:
        out = h + sum(self.bank) if self.bank else h
        self.bank.append(h.mean(0).detach())
        return out


@refused("bank")
def memory_bank_in_a_list() -> Setup:
    return trained(Memory())


class Ring(Base):
    """A queue of earlier activations in a buffer."""

    def prepare(self) -> None:
        self.register_buffer("queue", torch.zeros(3, 6))
        self.register_buffer("place", torch.zeros((), dtype=torch.long))

    def between(self, h: torch.Tensor) -> torch.Tensor:
        self.queue[int(self.place) % 3] = h.mean(0).detach()
        self.place += 1
        return h + self.queue.sum(0)


@right
def memory_bank_in_a_buffer() -> Setup:
    return trained(Ring())


class NewBuffer(Base):
    def between(self, h: torch.Tensor) -> torch.Tensor:
        self.register_buffer("late", h.mean(0).detach())
        return h


@refused("adds or removes buffers")
def buffer_made_in_the_forward_pass() -> Setup:
    return trained(NewBuffer())


@right
def evaluation_mode_with_batch_norm() -> Setup:
    return trained(mlp(nn.BatchNorm1d(6)).eval())


@right
def batch_norm_in_evaluation_mode_alone() -> Setup:
    model = mlp(nn.BatchNorm1d(6), nn.Linear(6, 6), nn.BatchNorm1d(6))
    model[2].eval()
    return trained(model)


@right
def batch_norm() -> Setup:
    return trained(mlp(nn.BatchNorm1d(6)))


@right
def batch_norm_cumulative() -> Setup:
    return trained(mlp(nn.BatchNorm1d(6, momentum=None)))


@right
def batch_norm_without_statistics() -> Setup:
    return trained(mlp(nn.BatchNorm1d(6, track_running_stats=False)))
