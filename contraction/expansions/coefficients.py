"""Lemma C.1 to every order, over labelled rooted trees, by suffix sums.

For a word T_1 … T_n of maps T_u = 1 + hV_u (position 1 outermost, applied last) the coefficient of h^p is

    E_p = Σ_{|τ|=p} 1/σ(τ) Σ_ℓ F_ℓ(τ),   F_ℓ(•) = V_ℓ,   F_ℓ([τ_1 … τ_m]) = V_ℓ^(m)(F(τ_1), …, F(τ_m)),

ℓ running over the maps nodes → positions that strictly increase from parent to child (an inner map is applied first,
and its displacement is what an outer map is evaluated at). With S_τ(u) = Σ_{v>u} F_v(τ) this costs one differential
for each position and each tree with at most p nodes.

Two orders agree at h and differ at h² by the bracket [V, W] = V'W − W'V of the paper, which is *minus* the Lie bracket
of differential geometry, (DW)V − (DV)W; hence the name `minus_lie_bracket`.
"""

from __future__ import annotations

from collections.abc import Sequence

from contraction.arguments import check_integer
from contraction.expansions.fields import VectorField, check_fields, check_theta, check_word
from contraction.expansions.trees import RootedTree, rooted_trees, symmetry
from contraction.types import Vector

__all__ = [
    "difference_coefficients",
    "minus_lie_bracket",
    "minus_lie_bracket_sum",
    "tree_sums",
    "word_coefficients",
]


def check_order_of_expansion(order: int, least: int = 1) -> int:
    """Return ``order`` if it is an integer of at least ``least``; ValueError otherwise."""
    return check_integer("the order of an expansion", order, least)


def tree_sums(
    fields: Sequence[VectorField], word: Sequence[int], theta: Vector, order: int
) -> dict[RootedTree, Vector]:
    """Return Σ_ℓ F_ℓ(τ) for every tree τ with at most ``order`` nodes; None if no increasing map ℓ exists.

    They are the terms of Lemma C.1, continued to every order (row 56).

    Parameters
    ----------
    fields
        V_1, …, V_N; ``fields[0]`` is V_1.
    word
        1-based indices, leftmost outermost.
    theta
        The point, shape (d,).
    order
        Largest number of nodes, at least 1.

    Raises
    ------
    ValueError
        If the word names a map that does not exist (the empty word names none), or the order is not a positive integer.
    MissingDerivative
        If a field lacks a derivative of order at most ``order`` − 1.

    Examples
    --------
    >>> from contraction import expansions as ex
    >>> fields = [ex.polynomial_field([{(2,): 1}]), ex.polynomial_field([{(1,): 2}])]  # V_1 = θ², V_2 = 2θ
    >>> sums = ex.tree_sums(fields, (1, 2), ex.rational_vector([3]), 2)
    >>> sums[()], sums[((),)]  # V_1 + V_2 = 9 + 6 at θ = 3, and V_1'V_2 = 6 · 6
    (array([Fraction(15, 1)], dtype=object), array([Fraction(36, 1)], dtype=object))
    """
    word, theta = check_word(word, len(check_fields(fields))), check_theta(theta)
    trees = [tree for p in range(1, check_order_of_expansion(order) + 1) for tree in rooted_trees(p)]
    sums: dict[RootedTree, Vector] = dict.fromkeys(trees)
    for index in reversed(word):  # innermost first: sums[τ] is S_τ(u) = Σ_{v>u} F_v(τ)
        here = {
            tree: fields[index - 1].differential(theta, [sums[child] for child in tree])
            for tree in trees
            if all(sums[child] is not None for child in tree)
        }
        for tree, value in here.items():
            sums[tree] = value if sums[tree] is None else sums[tree] + value
    return sums


def word_coefficients(fields: Sequence[VectorField], word: Sequence[int], theta: Vector, order: int) -> list[Vector]:
    """Return [E_1, …, E_p] with T_word(θ) = θ + Σ E_q h^q + O(h^{p+1}) (Lemma C.1 to order p).

    Exact for exact fields and vectors (Fractions, SymPy expressions). Parameters and errors as `tree_sums`.

    Returns
    -------
    list
        ``order`` vectors of shape (d,).

    Examples
    --------
    >>> import numpy as np
    >>> from contraction import expansions as ex
    >>> fields = [ex.quadratic_field(np.array([[a]]), np.array([0.0])) for a in (1.0, 2.0)]
    >>> [float(e[0]) for e in ex.word_coefficients(fields, [1, 2], np.array([1.0]), 2)]
    [-3.0, 2.0]
    """
    theta = check_theta(theta)
    sums = tree_sums(fields, word, theta, order)
    zero = theta * 0
    coefficients = []
    for p in range(1, order + 1):
        total = zero
        for tree in rooted_trees(p):
            if sums[tree] is not None:
                total = total + (sums[tree] if symmetry(tree) == 1 else sums[tree] / symmetry(tree))
        coefficients.append(total)
    return coefficients


def difference_coefficients(
    fields: Sequence[VectorField], left: Sequence[int], right: Sequence[int], theta: Vector, order: int
) -> list[Vector]:
    """Return [D_1, …, D_p]: T_left(θ) − T_right(θ) = Σ D_q h^q + O(h^{p+1}), for any two words.

    For left = (1, …, n) and right = (n, …, 1) this is Theorem C.2 to order p: D_1 = 0 and D_2 is the sum of
    brackets [V_i, V_j] = V_i'V_j − V_j'V_i over i < j (`minus_lie_bracket_sum`).

    Examples
    --------
    >>> from contraction import expansions as ex
    >>> fields = [ex.polynomial_field([{(1,): 1}]), ex.polynomial_field([{(2,): 1}])]  # V_1 = θ, V_2 = θ²
    >>> first, second, third = ex.difference_coefficients(fields, (1, 2), (2, 1), ex.rational_vector([3]), 3)
    >>> first, second  # T_1 T_2 - T_2 T_1 has no term in h; the term in h² is [V_1, V_2] = -θ²
    (array([Fraction(0, 1)], dtype=object), array([Fraction(-9, 1)], dtype=object))
    >>> third
    array([Fraction(-9, 1)], dtype=object)
    """
    return [
        a - b
        for a, b in zip(
            word_coefficients(fields, left, theta, order),
            word_coefficients(fields, right, theta, order),
            strict=True,
        )
    ]


def minus_lie_bracket(v: VectorField, w: VectorField, theta: Vector) -> Vector:
    """Return [V, W] = V'W − W'V at θ, the paper's bracket: the h² coefficient of (1+hV)(1+hW) − (1+hW)(1+hV).

    It is minus the Lie bracket of differential geometry, and V'W is a Jacobian-vector product (V need not be
    a gradient). For V_i = −∇L_i it equals H_i ∇L_j − H_j ∇L_i (Theorem C.2).

    Examples
    --------
    >>> import numpy as np
    >>> from contraction import expansions as ex
    >>> v = ex.quadratic_field(np.array([[1.0]]), np.array([1.0]))  # V(θ) = 1 - θ
    >>> w = ex.quadratic_field(np.array([[2.0]]), np.array([0.0]))  # W(θ) = -2θ
    >>> ex.minus_lie_bracket(v, w, np.array([0.0]))
    array([2.])
    """
    check_fields((v, w))
    theta = check_theta(theta)
    return v.differential(theta, (w(theta),)) - w.differential(theta, (v(theta),))


def minus_lie_bracket_sum(fields: Sequence[VectorField], theta: Vector) -> Vector:
    """Return Σ_{i<j} [V_i, V_j] at θ in two passes: Σ_i V_i'w_i, w_i = Σ_{j>i} V_j − Σ_{j<i} V_j.

    This is the h² term of the backward minus the forward iterate (Theorem C.2). It costs n values, n products and O(d)
    memory if the fields have `VectorField.linearize`, and n more values otherwise.

    Raises
    ------
    ValueError
        If the sequence of vector fields is empty.

    Examples
    --------
    >>> from contraction import expansions as ex
    >>> fields = [ex.polynomial_field([{(1,): 1}]), ex.polynomial_field([{(2,): 1}])]  # V_1 = θ, V_2 = θ²
    >>> ex.minus_lie_bracket_sum(fields, ex.rational_vector([3]))  # V_1'V_2 - V_2'V_1 = θ² - 2θ²
    array([Fraction(-9, 1)], dtype=object)
    """
    if not check_fields(fields):
        raise ValueError("a sum of brackets needs at least one field")
    theta = check_theta(theta)
    later = sum((field(theta) for field in fields[1:]), fields[0](theta))
    earlier = later * 0
    total = later * 0
    for field in fields:
        value, product = field.linearized(theta)
        later = later - value
        total = total + product(later - earlier)
        earlier = earlier + value
    return total
