"""Values in nested dictionaries, lists and tuples, and tensors as one vector."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import torch

__all__ = ["flatten", "leaves", "tensors_of"]


def flatten(tensors: Iterable[torch.Tensor]) -> torch.Tensor:
    """Concatenate tensors, each in row-major order, to one vector.

    Parameters
    ----------
    tensors
        At least one tensor; all of them on one device.

    Returns
    -------
    Tensor
        (d,), a copy, in the order given; differentiable if the tensors are.

    Examples
    --------
    >>> flatten([torch.ones(2, 1), torch.zeros(1)])
    tensor([1., 1., 0.])
    """
    return torch.cat([value.reshape(-1) for value in tensors])


def tensors_of(tree: object) -> dict[str, torch.Tensor]:
    """Return the tensors in a tree, by their keys from the outside in joined by ``/``; other values are left out.

    Examples
    --------
    >>> list(tensors_of({"parameters": {"weight": torch.ones(2)}, "note": "x"}))
    ['parameters/weight']
    """
    return {"/".join(path): value for path, value in leaves(tree) if isinstance(value, torch.Tensor)}


def leaves(
    tree: object, path: tuple[str, ...] = (), *, sequences: bool = True
) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield (keys from the outside in, value) for every value in a tree that is not itself a container.

    Parameters
    ----------
    tree
        A value, or a mapping, list or tuple of trees.
    path
        Keys that lead to the tree.
    sequences
        Whether lists and tuples are containers too; they count as values otherwise.

    Yields
    ------
    path, value
        In the order of the containers.

    Examples
    --------
    >>> list(leaves({"a": 1, "b": {"c": (2, 3)}}))
    [(('a',), 1), (('b', 'c', '0'), 2), (('b', 'c', '1'), 3)]
    """
    if isinstance(tree, Mapping):
        parts = [(str(key), value) for key, value in tree.items()]
    elif sequences and isinstance(tree, list | tuple):
        parts = [(str(k), value) for k, value in enumerate(tree)]
    else:
        yield path, tree
        return
    for key, value in parts:
        yield from leaves(value, (*path, key), sequences=sequences)
