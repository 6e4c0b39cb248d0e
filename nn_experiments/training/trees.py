"""Tensors in nested dictionaries, lists and tuples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["leaves"]


def leaves(
    tree: object, path: tuple[str, ...] = (), *, sequences: bool = True
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield (keys from the outside in, value) of everything in a tree that is not itself a container.

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
