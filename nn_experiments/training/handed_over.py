"""Recorded batches in the place of a loader, each in the form in which the loader yielded it."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import SupportsIndex

import torch
from torch.utils._pytree import tree_map

__all__ = ["HandedOver", "copied", "in_form", "pair_form"]


class HandedOver(list[object]):
    """A list of batches that announces each batch before it gives a copy of it.

    Parameters
    ----------
    batches
        The batches.
    announce
        Called with the place of a batch in the list, 0, 1, …, before that batch is given.

    Examples
    --------
    >>> announced = []
    >>> [batch for batch in HandedOver(["a", "b"], announced.append)], announced
    (['a', 'b'], [0, 1])
    """

    def __init__(self, batches: Sequence[object], announce: Callable[[int], object]) -> None:
        super().__init__(batches)
        self.announce = announce

    def __iter__(self) -> Iterator[object]:
        """Yield copies of the batches, one after the other."""
        return (self[k] for k in range(len(self)))

    def __getitem__(self, place: SupportsIndex | slice) -> object:  # type: ignore[override]  # entries are objects
        """Return a copy of a batch, or of several."""
        chosen = range(len(self))[place]
        if isinstance(chosen, range):
            return [self[k] for k in chosen]
        self.announce(chosen)
        return copied(super().__getitem__(chosen))


def pair_form(batch: object) -> type | None:
    """Return the class of a batch that is a pair, a list or tuple of two entries, or None for any other batch."""
    return type(batch) if isinstance(batch, (list, tuple)) and len(batch) == 2 else None


def in_form(form: type | None, inputs: object, targets: object) -> object:
    """Return a batch in the form in which it was recorded: a pair of this class, or its inputs alone if it is None.

    Examples
    --------
    >>> in_form(tuple, "x", None), in_form(list, "x", "y"), in_form(None, "x", None)
    (('x', None), ['x', 'y'], 'x')
    """
    if form is None:
        return inputs
    make = getattr(form, "_make", form)  # a named tuple takes its entries one by one
    return make((inputs, targets))


def copied(tree: object) -> object:
    """Return a batch with copies of its tensors, so that code which changes them does not change the batch.

    Examples
    --------
    >>> batch = {"x": torch.zeros(2), "name": "first"}
    >>> copied(batch)["x"].add_(1), batch["x"]
    (tensor([1., 1.]), tensor([0., 0.]))
    """
    return tree_map(_copied_leaf, tree)


def _copied_leaf(leaf: object) -> object:
    if isinstance(leaf, torch.Tensor):
        return leaf.detach().clone()
    if not dataclasses.is_dataclass(leaf) or isinstance(leaf, type):
        return leaf
    other = copy.copy(leaf)
    for field in dataclasses.fields(leaf):
        object.__setattr__(other, field.name, copied(getattr(leaf, field.name)))  # it may be frozen
    return other
