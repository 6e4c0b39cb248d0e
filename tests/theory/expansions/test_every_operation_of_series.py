"""Every operation of series, with every pair of shapes and on either side, against polynomials at exact points.

A series of three coefficients is a polynomial of degree 2. NumPy applies the operation to its values at exact points,
and interpolation gives the coefficients of the result, of which the first three count.
"""

from __future__ import annotations

import itertools
import operator
from fractions import Fraction

import numpy as np
import pytest

from contraction.expansions.formal import labelled_symmetry
from contraction.expansions.series import Series
from contraction.expansions.trees import density, increasing_maps, order_of, rooted_trees, symmetry

Q = 3
SHAPES = ((), (1,), (2,), (3,), (2, 2), (3, 2), (2, 1))


def rationals(shape: tuple[int, ...], seed: int) -> np.ndarray:
    rng = np.random.default_rng([seed, *shape])
    flat = [Fraction(int(a), int(b)) for a, b in zip(rng.integers(-4, 5, 200), rng.integers(1, 4, 200), strict=True)]
    size = int(np.prod(shape))
    result = np.empty(size, dtype=object)
    result[:] = [x if x else Fraction(1, 2) for x in flat[:size]]
    return result.reshape(shape)


def value(x, t: int) -> np.ndarray:
    """A polynomial at a point; a constant is itself."""
    return sum(c * Fraction(t) ** k for k, c in enumerate(x.coefficients)) if isinstance(x, Series) else x


def interpolated(values: list[np.ndarray]) -> list[np.ndarray]:
    """Coefficients of the polynomial with these values at 0, 1, …, by Newton's divided differences."""
    table, m = [np.asarray(v, dtype=object) for v in values], len(values)
    differences = [table[0]]
    for k in range(1, m):
        table = [(table[i + 1] - table[i]) / Fraction(k) for i in range(len(table) - 1)]
        differences.append(table[0])
    result = [table[0] * 0] * m
    for k in reversed(range(m)):  # Horner in Newton's form
        shifted = [table[0] * 0, *result[:-1]]
        result = [s - k * r for s, r in zip(shifted, result, strict=True)]
        result[0] = result[0] + differences[k]
    return result


def same(series: Series, function, arguments: tuple, degree: int) -> None:
    expected = interpolated([function(*(value(x, t) for x in arguments)) for t in range(degree + 1)])[:Q]
    assert series.shape == np.shape(expected[0])
    assert len(series.coefficients) == Q
    for found, right in zip(series.coefficients, expected, strict=True):
        assert np.array_equal(np.asarray(found, dtype=object), np.asarray(right, dtype=object))


BINARY = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "@": operator.matmul,
    "dot": np.dot,
    "outer": np.outer,
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "matmul": np.matmul,
}


@pytest.mark.parametrize("name", BINARY)
def test_operations_with_two_arguments(name):
    """Two series, a series and an array, an array and a series: whatever NumPy does with arrays of these shapes."""
    function, tried = BINARY[name], 0
    for left, right in itertools.product(SHAPES, repeat=2):
        if name == "outer" and (len(left) != 1 or len(right) != 1):
            continue
        if name == "dot" and (not left or not right or len(right) > 2):
            continue
        a, b = Series(rationals((Q, *left), 3)), Series(rationals((Q, *right), 4))
        pairs = ((a, b), (a, rationals(right, 5)), (rationals(left, 6), b))
        try:
            function(rationals(left, 1), rationals(right, 2))
        except (ValueError, TypeError):
            for x, y in pairs:
                with pytest.raises((ValueError, TypeError)):
                    function(x, y)
            continue
        for x, y in pairs:
            same(function(x, y), function, (x, y), 2 * (Q - 1))
            tried += 1
    assert tried >= 12


@pytest.mark.parametrize("shape", SHAPES)
def test_quotients_times_their_divisor_are_the_dividend(shape):
    a, b = Series(rationals((Q, *shape), 7)), Series(rationals((Q, *shape), 8))
    constant = rationals(shape, 9)
    for x, y in ((a, b), (constant, b), (Fraction(3), b)):
        back = (x / y) * y
        expected = x.coefficients if isinstance(x, Series) else [x * np.ones(shape, dtype=int), *[0] * (Q - 1)]
        for found, right in zip(back.coefficients, expected, strict=True):
            assert np.array_equal(found, np.broadcast_to(right, shape))
    same(a / constant, operator.truediv, (a, constant), Q - 1)


@pytest.mark.parametrize("exponent", range(4))
@pytest.mark.parametrize("shape", [(), (2,), (2, 2)])
def test_powers(shape, exponent):
    a = Series(rationals((Q, *shape), 10))
    same(a**exponent, lambda x: x**exponent, (a,), max(1, exponent) * (Q - 1))
    back = a ** (-exponent) * a**exponent
    assert np.array_equal(back.coefficients[0], np.ones(shape))
    assert not np.any(back.coefficients[1:] != 0)


UNARY = {
    "negative": operator.neg,
    "positive": operator.pos,
    "transpose": np.transpose,
    "T": lambda x: x.T,
    "sum": np.sum,
    "mean": np.mean,
    "sum of rows": lambda x: x.sum(axis=0),
    "mean of the last axis": lambda x: x.mean(axis=-1),
    "ravel": np.ravel,
    "first": lambda x: x[0],
    "last": lambda x: x[..., -1],
    "slice": lambda x: x[1:],
    "reshape": lambda x: x.reshape(-1, 1),
    "square": np.square,
    "stack": lambda x: np.stack([x, x * 2]),
    "concatenate": lambda x: np.concatenate([x, x[:1]], axis=0),
}


@pytest.mark.parametrize("name", UNARY)
def test_operations_with_one_argument(name):
    for shape in ((1,), (2,), (3,), (2, 2), (3, 2), (2, 1)):
        a = Series(rationals((Q, *shape), 11))
        same(UNARY[name](a), UNARY[name], (a,), 2 * (Q - 1))


def test_shape_is_that_of_a_coefficient():
    for shape in SHAPES:
        a = Series(rationals((Q, *shape), 12))
        assert (a.shape, a.ndim, a.size) == (shape, len(shape), int(np.prod(shape)))
        if shape:
            assert len(a) == shape[0] == len(list(a))
        else:
            with pytest.raises(TypeError, match="scalars has no length"):
                len(a)


def test_series_of_unlike_truncations_do_not_mix():
    short, long = Series(rationals((2, 2), 1)), Series(rationals((3, 2), 1))
    for function in (operator.add, operator.sub, operator.mul, operator.truediv, operator.matmul):
        with pytest.raises(ValueError, match="series of one truncation are needed, got 2 and 3 coefficients"):
            function(short, long)


# --- trees ----------------------------------------------------------------------------------------------------------


#: Of seven nodes: each branch may be turned, and both may be exchanged.
TWO_CHERRIES = (((), ()), ((), ()))


def nodes(tree, label=None) -> tuple[list, list[int]]:
    """(labels, parents) of a tree, plain or labelled: node 0 is the root."""
    labels, parents = [], []

    def walk(node, parent: int) -> None:
        here = len(labels)
        children = node[1] if label else node
        labels.append(node[0] if label else None)
        parents.append(parent)
        for child in children:
            walk(child, here)

    walk(tree, -1)
    return labels, parents


def automorphisms(tree, label=None) -> int:
    """Permutations of the nodes that keep the root, every parent and every label."""
    labels, parents = nodes(tree, label)
    count = 0
    for rest in itertools.permutations(range(1, len(labels))):
        p = (0, *rest)
        count += all(
            labels[p[i]] == labels[i] and (i == 0 or p[parents[i]] == parents[p[i]]) for i in range(len(labels))
        )
    return count


@pytest.mark.parametrize("order", range(1, 7))
def test_trees_against_their_nodes(order):
    trees = rooted_trees(order)
    assert len(set(trees)) == len(trees) == (1, 1, 2, 4, 9, 20)[order - 1]
    for tree in trees:
        _, parents = nodes(tree)
        assert order_of(tree) == len(parents) == order
        assert symmetry(tree) == automorphisms(tree)
        subtree = [1] * order
        for i in reversed(range(1, order)):
            subtree[parents[i]] += subtree[i]
        assert density(tree) == int(np.prod(subtree))
        if order <= 4:
            for n in range(5):
                maps = itertools.product(range(n), repeat=order)
                rising = sum(all(m[parents[i]] < m[i] for i in range(1, order)) for m in maps)
                assert increasing_maps(tree, n) == rising


def labelled(tree, labels: tuple[int, ...]):
    """The tree with labels in the order of its nodes; equal children need not be sorted."""
    left = iter(labels)

    def walk(node):
        here = next(left)
        return here, tuple(sorted(walk(child) for child in node))

    return walk(tree)


def test_a_branch_that_is_repeated_may_be_turned_each_time():
    assert symmetry(TWO_CHERRIES) == automorphisms(TWO_CHERRIES) == 8


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5, 7])
def test_symmetries_of_labelled_trees(order):
    """Leaves and longer branches that are repeated, with one label, with two, and with unlike ones."""
    for tree in rooted_trees(order) if order < 7 else [TWO_CHERRIES]:
        for labels in ((1,) * order, tuple(1 + (i == order - 1) for i in range(order)), tuple(range(order))):
            one = labelled(tree, labels)
            assert labelled_symmetry(one) == automorphisms(one, label=True)
