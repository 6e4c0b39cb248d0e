"""Values in nested dictionaries, lists and tuples, and tensors as one vector."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar, cast

import torch
from torch.utils._pytree import tree_map

__all__ = ["bytes_of", "flatten", "leaves", "numbers_in", "rows_of", "stack_trees", "tensors_of", "widened"]

Tree = TypeVar("Tree")


def stack_trees(trees: Sequence[Tree]) -> Tree:
    """Return one tree with the tensors of several trees of the same form, stacked along a new first axis.

    Examples
    --------
    >>> stack_trees([{"x": torch.zeros(2)}, {"x": torch.ones(2)}])["x"].shape
    torch.Size([2, 2])
    """
    return cast(Tree, tree_map(lambda *parts: torch.stack(parts), *trees))


def rows_of(tree: Tree, rows: torch.Tensor | slice) -> Tree:
    """Return the tree of these rows of every tensor in a tree.

    Examples
    --------
    >>> rows_of((torch.arange(3), torch.arange(6).reshape(3, 2)), slice(1, 2))
    (tensor([1]), tensor([[2, 3]]))
    """
    return cast(Tree, tree_map(lambda part: part[rows], tree))


def numbers_in(tree: object) -> int:
    """Return how many numbers the tensors of a tree have in all.

    Examples
    --------
    >>> numbers_in({"x": torch.zeros(2, 3), "note": "y"})
    6
    """
    return sum(value.numel() for value in tensors_of(tree).values())


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


def widened(tensor: torch.Tensor) -> torch.Tensor:
    """Return the numbers of a tensor in float64, of which distances are computed; a complex one gives both its parts.

    Examples
    --------
    >>> widened(torch.tensor([3 + 4j])).norm()
    tensor(5., dtype=torch.float64)
    """
    plain = tensor.detach()
    return torch.view_as_real(plain.to(torch.complex128)) if plain.is_complex() else plain.double()


def bytes_of(tensor: torch.Tensor) -> bytes:
    r"""Return the bytes of the numbers of a tensor on any device, row by row; NumPy has no bfloat16.

    A view that torch keeps as another tensor and a mark, such as ``x.conj()``, gives the bytes of its own numbers.

    Examples
    --------
    >>> bytes_of(torch.tensor([1, 2], dtype=torch.uint8))
    b'\x01\x02'
    """
    plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
    return plain.view(torch.uint8).numpy().tobytes() if plain.numel() else b""


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
