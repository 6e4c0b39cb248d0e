"""Counters that matter after many calls are refused by name, wherever in the user's code they are kept."""

from __future__ import annotations

import itertools
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

torch = pytest.importorskip("torch")

import contraction as ct  # noqa: E402
import nn_experiments as nne  # noqa: E402

ROWS = torch.rand(12, 2, generator=torch.Generator().manual_seed(1))
#: The call from which the loss is another one: long after the self-check.
LATE = 1000


def iterated(loss: Callable, model: torch.nn.Module | None = None, optimizer: Callable = torch.optim.SGD) -> object:
    model = torch.nn.Linear(2, 1) if model is None else model
    step, state = nne.from_torch(model, loss, optimizer(model.parameters(), lr=0.1), form="loop")
    batches = nne.ArrayBatches(ROWS, ROWS.sum(1, keepdim=True), batch_size=4, seed=0)
    metric = {"w": lambda state: state["parameters"]["weight"].sum()}
    return nne.iterates(step, batches, state, ct.Backward(), [2], metric)


def squares(outputs: torch.Tensor, targets: torch.Tensor, calls: int = 0) -> torch.Tensor:
    return (outputs - targets).square().mean() * (1 if calls < LATE else 0.1)


class Settings:
    """A class whose attributes are read as a global variable's."""

    calls = 0
    limit = LATE


class Derived(Settings):
    """The counter is in the base."""


@dataclass(slots=True)
class Slots:
    calls: int = 0


class Private:
    """A slot whose name Python changes."""

    __slots__ = ("__calls",)

    def __init__(self) -> None:
        self.__calls = 0

    def count(self) -> int:
        """Count."""
        self.__calls += 1
        return self.__calls


OWN = types.ModuleType("own")
OWN.calls = 0
OWN.inner = types.ModuleType("own.inner")
OWN.inner.calls = 0
SLOTS, PRIVATE = Slots(), Private()


def on_a_class(outputs, targets):
    Settings.calls += 1
    return squares(outputs, targets, Settings.calls)


def on_a_base(outputs, targets):
    Settings.calls += 1
    return squares(outputs, targets, Derived.calls)


def in_a_module(outputs, targets):
    OWN.calls += 1
    return squares(outputs, targets, OWN.calls)


def in_a_module_of_a_module(outputs, targets):
    OWN.inner.calls += 1
    return squares(outputs, targets, OWN.inner.calls)


def in_slots(outputs, targets):
    SLOTS.calls += 1
    return squares(outputs, targets, SLOTS.calls)


def in_a_private_slot(outputs, targets):
    return squares(outputs, targets, PRIVATE.count())


def in_a_module_of_a_closure() -> Callable:
    own = types.ModuleType("own")
    own.calls = 0

    def loss(outputs, targets):
        own.calls += 1
        return squares(outputs, targets, own.calls)

    return loss


@pytest.mark.parametrize(
    ("loss", "path"),
    [
        (on_a_class, r"global variable Settings\)\.calls"),
        (on_a_base, r"global variable (Settings|Derived)\)\.calls"),
        (in_a_module, r"global variable OWN\)\.calls"),
        (in_a_module_of_a_module, r"global variable OWN\)\.inner\.calls"),
        (in_slots, r"global variable SLOTS\)\.calls"),
        (in_a_private_slot, r"global variable PRIVATE\)\._Private__calls"),
        (in_a_module_of_a_closure(), r"closure variable own\)\.calls"),
    ],
    ids=["class", "base", "module", "module of a module", "slots", "private slot", "closure"],
)
def test_a_counter_in_an_unusual_place(loss: Callable, path: str) -> None:
    with pytest.raises(nne.CannotReplay, match=rf"{path} is not part of the state.*: \d+ became \d+ in a step"):
        iterated(loss)


def reads_all(outputs, targets):
    limits = Settings.limit, OWN.calls, OWN.inner.calls, SLOTS.calls, Derived.limit
    return squares(outputs, targets, -sum(limits))


@pytest.mark.control
def test_what_is_read_alone_is_no_counter() -> None:
    assert iterated(reads_all).metadata["self-check"] == "passed in float64"


def annealing() -> Iterator[float]:
    yield from itertools.repeat(1.0, LATE)
    yield from itertools.repeat(0.1)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (itertools.count, "count"),
        (annealing, "generator"),
        (lambda: iter([1.0] * LATE), "list_iterator"),
        (lambda: itertools.cycle([1.0] * LATE), "cycle"),
    ],
    ids=["count", "generator", "list", "cycle"],
)
def test_an_iterator_is_refused_by_name(make: Callable, kind: str) -> None:
    factors = make()
    message = rf"closure variable factors\) is not part of the state: it is an iterator \({kind}\)"
    with pytest.raises(nne.CannotReplay, match=message):
        iterated(lambda outputs, targets: squares(outputs, targets, next(factors)))


@pytest.mark.control
def test_a_generator_that_has_ended_is_no_matter() -> None:
    model = torch.nn.Linear(2, 1)
    model.kept = model.named_parameters()
    list(model.kept)
    assert iterated(squares, model).metadata["self-check"] == "passed in float64"


class Counts(torch.optim.SGD):
    """Keeps a count on every parameter."""

    counts = True

    def step(self, closure: None = None) -> None:
        """Take a step, and count it."""
        for group in self.param_groups:
            for p in group["params"]:
                p.calls = getattr(p, "calls", 0) + self.counts
        super().step()


class Labels(Counts):
    counts = False


def test_a_counter_on_a_parameter() -> None:
    with pytest.raises(nne.CannotReplay, match=r"weight\.calls is not part of the state .and 1 more.: \d+ became"):
        iterated(squares, optimizer=Counts)


@pytest.mark.control
def test_an_attribute_of_a_parameter_that_stays_as_it_is() -> None:
    assert iterated(squares, optimizer=Labels).metadata["self-check"] == "passed in float64"
