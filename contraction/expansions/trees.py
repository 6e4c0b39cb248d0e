"""Rooted trees: generation, symmetry, density, increasing maps (standard library only).

A tree is the sorted tuple of its children, a leaf is ``()``: ``((), ())`` is the cherry, ``(((),),)`` the chain of
three. Trees index the coefficients of Lemma C.1 to every order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from math import factorial, prod
from typing import TypeAlias

from contraction.arguments import check_integer, check_type

__all__ = ["RootedTree", "density", "increasing_maps", "order_of", "rooted_trees", "symmetry"]

RootedTree: TypeAlias = tuple["RootedTree", ...]


@cache
def rooted_trees(order: int) -> tuple[RootedTree, ...]:
    """Return all rooted trees with ``order`` nodes, each once.

    Parameters
    ----------
    order
        Number of nodes, at least 1.

    Returns
    -------
    tuple of trees
        1, 1, 2, 4, 9, 20, 48, 115, … of them (OEIS A000081).

    Raises
    ------
    ValueError
        If ``order`` is not a positive integer.

    References
    ----------
    Hairer, E., Lubich, C., and Wanner, G. (2006). Geometric Numerical Integration. Second edition, Springer,
    Chapter III.

    Examples
    --------
    >>> from contraction import expansions as ex
    >>> [len(ex.rooted_trees(order)) for order in (1, 2, 3, 4, 5)]
    [1, 1, 2, 4, 9]
    """
    check_integer("the order of a tree", order, 1)
    smaller = [tree for size in range(1, order) for tree in rooted_trees(size)]
    return tuple(tuple(sorted(children)) for children in _multisets(smaller, order - 1, 0))


def _multisets(trees: list[RootedTree], nodes: int, start: int) -> Iterator[tuple[RootedTree, ...]]:
    """Multisets of ``trees[start:]`` (sorted by size) with ``nodes`` nodes in all."""
    if nodes == 0:
        yield ()
        return
    for position in range(start, len(trees)):
        size = order_of(trees[position])
        if size > nodes:
            return
        for rest in _multisets(trees, nodes - size, position):
            yield (trees[position], *rest)


def _check_tree(tree: RootedTree) -> None:
    """Raise TypeError unless a tree is a tuple, that of the trees at its root's children."""
    check_type("a rooted tree", tree, tuple, "a tuple of the trees of its children, () for one node,")


@cache
def order_of(tree: RootedTree) -> int:
    """Return the number of nodes.

    Examples
    --------
    >>> from contraction import expansions as ex
    >>> [ex.order_of(tree) for tree in ex.rooted_trees(3)]
    [3, 3]
    """
    _check_tree(tree)
    return 1 + sum(order_of(child) for child in tree)


@cache
def symmetry(tree: RootedTree) -> int:
    """Return σ(τ), the number of automorphisms of the unlabelled tree: Π mᵢ! σ(τᵢ)^mᵢ over distinct children.

    See Hairer, Lubich and Wanner (2006), Chapter III.

    Examples
    --------
    >>> from contraction import expansions as ex
    >>> sorted(ex.symmetry(tree) for tree in ex.rooted_trees(4))
    [1, 1, 2, 6]
    """
    _check_tree(tree)
    return prod(factorial(m) * symmetry(child) ** m for child, m in Counter(tree).items())


@cache
def density(tree: RootedTree) -> int:
    """Return γ(τ), the tree factorial: |τ| Π γ(children).

    See Hairer, Lubich and Wanner (2006), Chapter III.

    Examples
    --------
    >>> from contraction import expansions as ex
    >>> sorted(ex.density(tree) for tree in ex.rooted_trees(3))
    [3, 6]
    """
    return order_of(tree) * prod(density(child) for child in tree)


def increasing_maps(tree: RootedTree, n: int) -> int:
    """Return the number of maps nodes → {1, …, n} that strictly increase from each parent to each child.

    The maps need not be injective: siblings may share a position. This is the strict order polynomial of the
    tree at n, asymptotically n^|τ| / γ(τ): C(n, 3) for the chain of three, (n−1)n(2n−1)/6 for the cherry.

    The expansion of Lemma C.1 has one term at a tree for each of them (row 56).

    Raises
    ------
    ValueError
        If ``n`` is not an integer of at least 0.

    Examples
    --------
    >>> from contraction.expansions import increasing_maps
    >>> chain, cherry = (((),),), ((), ())
    >>> increasing_maps(chain, 5), increasing_maps(cherry, 5)  # 5 · 4 · 3 / 6 and 4 · 5 · 9 / 6
    (10, 30)
    """
    check_integer("the number of positions", n, 0)

    def counts(node: RootedTree) -> list[int]:  # counts(node)[u]: maps with the root at position u (0-based)
        here = [1] * n
        for child in node:
            below = counts(child)
            later = 0
            for u in range(n - 1, -1, -1):
                here[u] *= later
                later += below[u]
        return here

    return sum(counts(tree))
