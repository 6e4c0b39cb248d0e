"""The coefficients of Lemma C.1 as formal sums of labelled rooted trees with rational weights.

A labelled tree is ``(label, children)``; ``(1, ((2, ()), (3, ())))`` stands for V_1''(V_2, V_3). Two words agree to
order p for all fields exactly when their formal coefficients do, since distinct labelled trees have linearly
independent elementary differentials.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import permutations
from math import factorial, prod
from typing import TypeAlias

import numpy as np

from contraction.arguments import check_integer
from contraction.expansions.coefficients import check_order_of_expansion
from contraction.expansions.fields import VectorField, check_theta, check_word
from contraction.types import Vector

__all__ = [
    "LabelledTree",
    "average_coefficient",
    "average_coefficient_by_enumeration",
    "evaluate_formal",
    "formal_coefficient",
    "formal_difference",
    "labelled_symmetry",
    "tree_text",
]

LabelledTree: TypeAlias = tuple[int, tuple["LabelledTree", ...]]
Formal: TypeAlias = dict[LabelledTree, Fraction]


def labelled_symmetry(tree: LabelledTree) -> int:
    """Return the number of automorphisms that keep the labels.

    Trees with labels stand for the terms of Lemma C.1, continued to every order (row 56).

    Examples
    --------
    >>> from contraction.expansions import labelled_symmetry
    >>> labelled_symmetry((1, ((2, ()), (2, ()))))  # V_1''(V_2, V_2)
    2
    >>> labelled_symmetry((1, ((2, ()), (3, ()))))  # V_1''(V_2, V_3)
    1
    """
    return prod(factorial(m) * labelled_symmetry(child) ** m for child, m in Counter(tree[1]).items())


def formal_coefficient(word: Sequence[int], order: int) -> Formal:
    """Return the coefficient of h^order of the composition T_word: labelled tree → rational weight.

    This is Lemma C.1 continued to every order (row 56).

    Parameters
    ----------
    word
        1-based indices, leftmost outermost; indices may be repeated.
    order
        At least 1.

    Raises
    ------
    ValueError
        If an index is not a positive integer.

    Examples
    --------
    >>> from contraction.expansions import formal_coefficient, tree_text
    >>> coefficient = formal_coefficient((1, 2, 3), 3)  # of h³ in T_1 T_2 T_3
    >>> {tree_text(tree): str(weight) for tree, weight in coefficient.items()}
    {"V1''(V2, V2)": '1/2', "V1''(V2, V3)": '1', "V1''(V3, V3)": '1/2', "V1'V2'V3": '1', "V2''(V3, V3)": '1/2'}
    """
    check_order_of_expansion(order)
    word = tuple(word) if isinstance(word, Iterable) else word
    word = check_word(word, max((int(i) for i in word if isinstance(i, int | np.integer)), default=1))
    result: Formal = {}
    for tree in _increasing_trees(0, len(word), order):
        weight = Fraction(1, labelled_symmetry(tree))  # the positions' own symmetry, before labels are merged
        label = _relabel(tree, word)
        result[label] = result.get(label, Fraction(0)) + weight
    return result


def formal_difference(left: Sequence[int], right: Sequence[int], order: int) -> Formal:
    """Return the coefficient of h^order of T_left − T_right, without the trees that cancel.

    For h² this is Theorem C.2 (row 57).

    Examples
    --------
    >>> from contraction.expansions import formal_difference, tree_text
    >>> difference = formal_difference((1, 2), (2, 1), 2)  # Theorem C.2 for two maps: the bracket [V_1, V_2]
    >>> {tree_text(tree): str(weight) for tree, weight in difference.items()}
    {"V1'V2": '1', "V2'V1": '-1'}
    """
    result = formal_coefficient(left, order)
    for tree, weight in formal_coefficient(right, order).items():
        result[tree] = result.get(tree, Fraction(0)) - weight
    return {tree: weight for tree, weight in result.items() if weight}


def average_coefficient(c: int, order: int) -> Formal:
    """Return the coefficient of h^order of the mean over all c! orders of T_1, …, T_c, in closed form (eq. 9).

    A labelled tree with k distinct labels has weight e/(k!·σ), where e counts the linear orders of its labels in
    which every parent stands before its children, and σ is its symmetry; with distinct labels e/k! = 1/γ. At
    order 2 this is ½ Σ_{i≠j} V_i'V_j.

    Equation (9) is in Appendix D.2, which has the coefficient of h² (rows 64 and 65).

    Raises
    ------
    ValueError
        If c or the order is not a positive integer.

    Examples
    --------
    >>> from contraction.expansions import average_coefficient, tree_text
    >>> {tree_text(tree): str(weight) for tree, weight in average_coefficient(2, 2).items()}
    {"V1'V2": '1/2', "V2'V1": '1/2'}
    """
    check_order_of_expansion(order)
    check_integer("c", c, 1)
    result: Formal = {}
    for tree in _all_trees(c, order):
        edges = set(_edges(tree))
        labels = sorted({label for edge in edges for label in edge} | {tree[0]})
        extensions = _linear_extensions(labels, edges)
        if extensions:
            result[tree] = Fraction(extensions, factorial(len(labels)) * labelled_symmetry(tree))
    return result


def average_coefficient_by_enumeration(c: int, order: int) -> Formal:
    """Return what `average_coefficient` returns, by expanding all c! words.

    This is equation (9) of Appendix D.2, term by term (row 64).

    Examples
    --------
    >>> from contraction.expansions import average_coefficient, average_coefficient_by_enumeration
    >>> average_coefficient_by_enumeration(3, 3) == average_coefficient(3, 3)
    True
    """
    result: Formal = {}
    for word in permutations(range(1, check_integer("c", c, 1) + 1)):
        for tree, weight in formal_coefficient(word, order).items():
            result[tree] = result.get(tree, Fraction(0)) + weight
    return {tree: weight / factorial(c) for tree, weight in result.items()}


def evaluate_formal(formal: Mapping[LabelledTree, Fraction], fields: Sequence[VectorField], theta: Vector) -> Vector:
    """Return Σ weight · F(tree)(θ), shape (d,); every subtree is evaluated once.

    Examples
    --------
    >>> from contraction import expansions as ex
    >>> fields = [ex.polynomial_field([{(1,): 1}]), ex.polynomial_field([{(2,): 1}])]  # V_1 = θ, V_2 = θ²
    >>> ex.evaluate_formal(ex.formal_difference((1, 2), (2, 1), 2), fields, ex.rational_vector([3]))  # -θ²
    array([Fraction(-9, 1)], dtype=object)
    """
    known: dict[LabelledTree, Vector] = {}

    def value(tree: LabelledTree) -> Vector:
        if tree not in known:
            known[tree] = fields[tree[0] - 1].differential(theta, [value(child) for child in tree[1]])
        return known[tree]

    check_word([label for tree in formal for label in _labels(tree)], len(fields))
    theta = check_theta(theta)
    exact = isinstance(theta, np.ndarray) and theta.dtype.kind == "O"
    total = theta * 0
    for tree, weight in formal.items():
        total = total + value(tree) * (weight if exact else float(weight))
    return total


def tree_text(tree: LabelledTree) -> str:
    """Return the elementary differential as text: ``V1''(V2, V3'V4)``.

    Raises
    ------
    TypeError
        If ``tree`` is not a pair (label, trees of the children).

    Examples
    --------
    >>> from contraction.expansions import tree_text
    >>> tree_text((1, ((2, ()), (3, ((4, ()),)))))
    "V1''(V2, V3'V4)"
    """
    if not isinstance(tree, tuple) or len(tree) != 2 or not isinstance(tree[1], tuple):
        raise TypeError(f"a labelled tree must be a pair (label, trees of its children), as in (1, ()), got {tree!r}")
    label, children = tree
    if not children:
        return f"V{label}"
    inner = [tree_text(child) for child in children]
    if len(children) == 1:
        return f"V{label}'{inner[0]}"
    return f"V{label}{chr(39) * len(children)}({', '.join(inner)})"


def _relabel(tree: LabelledTree, word: Sequence[int]) -> LabelledTree:
    return (word[tree[0]], tuple(sorted(_relabel(child, word) for child in tree[1])))


def _forests(
    pool: Callable[[int], list[LabelledTree]], nodes: int, least: tuple[int, LabelledTree]
) -> Iterator[tuple[LabelledTree, ...]]:
    """Multisets of trees from ``pool(size)`` with ``nodes`` nodes in all, in increasing (size, tree)."""
    if nodes == 0:
        yield ()
        return
    for size in range(least[0], nodes + 1):
        for tree in pool(size):
            if (size, tree) >= least:
                for rest in _forests(pool, nodes - size, (size, tree)):
                    yield (tree, *rest)


def _increasing_trees(first: int, n: int, order: int) -> list[LabelledTree]:
    """Trees of ``order`` nodes with positions in [first, n) increasing from parent to child, each once."""
    known: dict[tuple[int, int], list[LabelledTree]] = {}

    def pool(start: int, size: int) -> list[LabelledTree]:
        if (start, size) not in known:
            known[start, size] = [
                (u, tuple(sorted(children)))
                for u in range(start, n)
                for children in _forests(lambda s, u=u: pool(u + 1, s), size - 1, (1, (-1, ())))
            ]
        return known[start, size]

    return pool(first, order)


def _all_trees(c: int, order: int) -> list[LabelledTree]:
    """All trees of ``order`` nodes with labels 1 … c, each once."""
    known: dict[int, list[LabelledTree]] = {}

    def pool(size: int) -> list[LabelledTree]:
        if size not in known:
            known[size] = [
                (label, tuple(sorted(children)))
                for label in range(1, c + 1)
                for children in _forests(pool, size - 1, (1, (-1, ())))
            ]
        return known[size]

    return pool(order)


def _edges(tree: LabelledTree) -> Iterator[tuple[int, int]]:
    for child in tree[1]:
        yield (tree[0], child[0])
        yield from _edges(child)


def _labels(tree: LabelledTree) -> Iterator[int]:
    yield tree[0]
    for child in tree[1]:
        yield from _labels(child)


def _linear_extensions(labels: Sequence[int], edges: set[tuple[int, int]]) -> int:
    """Return the number of orders of the labels with a before b for every edge (a, b); 0 if the edges have a cycle."""
    remaining = frozenset(labels)
    known: dict[frozenset[int], int] = {frozenset(): 1}

    def count(left: frozenset[int]) -> int:
        if left not in known:
            blocked = {b for a, b in edges if a in left}
            known[left] = sum(count(left - {x}) for x in left if x not in blocked)
        return known[left]

    return count(remaining)
