"""Learning rate schedulers of torch that change an optimizer: those that exist, and those that a function makes."""

from __future__ import annotations

import contextlib
import functools
import gc
from collections.abc import Callable, Iterator, Sequence

import torch
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

__all__ = ["remedy", "schedulers_made", "schedulers_of"]


def remedy(names: Sequence[str]) -> str:
    """Return what to do in place of schedulers of these classes, as the end of a message.

    Examples
    --------
    >>> remedy(["ReduceLROnPlateau"]).partition(". ")[0]
    'ReduceLROnPlateau sets the rate by earlier losses, so that the step on a batch depends on the batches before it'
    """
    fixed = (
        'give from_torch schedule=Schedule(kind="cosine", horizon=1000), "linear" or "inverse", or a function of '
        "t = 1, 2, … such as schedule=lambda t: 0.1 ** ((t - 1) // 300), which is StepLR(optimizer, 300)"
    )
    if "ReduceLROnPlateau" not in names:
        return f"Instead, {fixed}"
    return (
        "ReduceLROnPlateau sets the rate by earlier losses, so that the step on a batch depends on the batches before "
        f"it. No order of fixed maps stands for that: decide on the rates beforehand, and {fixed}"
    )


def schedulers_of(optimizer: torch.optim.Optimizer) -> list[str]:
    """Return the classes of the schedulers in memory that change an optimizer, by name.

    Some leave a mark in the optimizer and others none, such as `ReduceLROnPlateau`, so what refers to it is looked at.

    Examples
    --------
    >>> optimizer = torch.optim.SGD(torch.nn.Linear(1, 1).parameters(), lr=0.1)
    >>> scheduler = ReduceLROnPlateau(optimizer)
    >>> schedulers_of(optimizer)
    ['ReduceLROnPlateau']
    """
    holders: list[object] = []
    for one in gc.get_referrers(optimizer):
        attributes = isinstance(one, dict) and one.get("optimizer") is optimizer
        holders += gc.get_referrers(one) if attributes else [one]
    return sorted(
        {
            type(one).__name__
            for one in holders
            if issubclass(type(one), LRScheduler) and getattr(one, "optimizer", None) is optimizer
        }
    )


@contextlib.contextmanager
def schedulers_made(optimizer: torch.optim.Optimizer) -> Iterator[list[str]]:
    """Yield a list, to which the class of every scheduler is added that is made for an optimizer in the body."""
    made: list[str] = []

    def noted(begin: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(begin)
        def init(self: LRScheduler, of: torch.optim.Optimizer, *args: object, **options: object) -> None:
            if of is optimizer and type(self).__name__ not in made:
                made.append(type(self).__name__)
            begin(self, of, *args, **options)

        return init

    kinds = (LRScheduler, ReduceLROnPlateau)  # the latter does not call the former's
    own = [kind.__init__ for kind in kinds]
    try:
        for kind, begin in zip(kinds, own, strict=True):
            kind.__init__ = noted(begin)  # type: ignore[method-assign]
        yield made
    finally:
        for kind, begin in zip(kinds, own, strict=True):
            kind.__init__ = begin  # type: ignore[method-assign]
