"""Small parts on which much rests: words of orders by hand, slices of maps, drawn factors, other metrics, verdicts."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import contraction as ct
from contraction import families as fam
from contraction.certificates.change_of_metric import displacement_in, equivalence
from contraction.certificates.drawn import prefix_lipschitz
from contraction.maps.iterates import paired_iterates
from contraction.maps.orders import Epochs, Late, PairedReversal, Repeated, Reset, Windowed
from contraction.maps.spaces import Euclidean, SupNorm, WeightedEuclidean
from contraction.statements.records import Verdict
from contraction.statements.section_4_5 import regression_grid


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (Windowed(3), [(0, [1]), (0, [1, 2]), (0, [1, 2, 3]), (3, [4]), (3, [4, 5]), (3, [4, 5, 6]), (6, [7])]),
        (Reset([2, 5]), [(0, [1]), (0, [1, 2]), (2, [3]), (2, [3, 4]), (2, [3, 4, 5]), (5, [6]), (5, [6, 7])]),
        (Late(3), [(0, [1]), (1, [2]), (2, [3]), (3, [4]), (3, [4, 5]), (3, [4, 5, 6])]),
        (Epochs(3), [(0, [1]), (1, [2]), (2, [3]), (3, [1]), (4, [2]), (5, [3]), (6, [1])]),
        (
            Epochs(3, forth_and_back=True),
            [(0, [1]), (1, [2]), (2, [3]), (3, [3]), (4, [2]), (5, [1]), (6, [1]), (7, [2]), (8, [3]), (9, [3])],
        ),
        (PairedReversal(), [(0, [1, 1]), (0, [1, 2, 2, 1]), (0, [1, 2, 3, 3, 2, 1])]),
        (Repeated(2), [(0, [1, 1]), (0, [1, 2, 1, 2])]),
    ],
)
def test_anchors_and_words_by_hand(order, words):
    """Iterate n is the word, outermost first, applied to the iterate at its anchor."""
    assert [(order.anchor(n), list(order.word(n))) for n in range(1, len(words) + 1)] == words
    with pytest.raises((ValueError, TypeError)):
        order.anchor(0)


def test_a_slice_of_maps_is_those_maps():
    maps = fam.QuadraticSGD(0.5, fam.Uniform(-1, 1)).sample(6, 3)
    for part in (slice(0, 6), slice(2, 5), slice(None, 3), slice(4, None), slice(-2, None), slice(1, 1)):
        chosen = maps[part]
        assert [float(chosen.draws[j][0]) for j in range(len(chosen))] == [
            float(maps.draws[j][0]) for j in range(6)[part]
        ]
        if len(chosen):
            start, x = range(6)[part][0], np.array([0.25])
            assert np.array_equal(chosen.apply(1, x), maps.apply(start + 1, x))
            assert np.array_equal(chosen[0](x), maps[start](x))
            assert np.array_equal(chosen[-1](x), chosen.apply(len(chosen), x))
    assert [maps[i].index for i in (0, 3, -1)] == [1, 4, 6]  # maps are named from T_1 on
    assert [maps[2:5][i].index for i in (0, -1)] == [3, 5]
    with pytest.raises(ValueError, match="must be contiguous"):
        _ = maps[::2]
    for beyond in (6, -7):
        with pytest.raises(IndexError, match="outside 0 … 5"):
            _ = maps[beyond]


@pytest.mark.parametrize("space", [Euclidean(), SupNorm(), WeightedEuclidean(np.array([[4.0, 1.0], [1.0, 9.0]]))])
@pytest.mark.parametrize("replicas", [None, 3])
def test_factors_of_drawn_matrices_are_their_norms_up_to_rounding(space, replicas):
    """‖A_1 … A_n‖ from above, by no more than 1e-12 of it and of the products of the norms."""
    rng = np.random.default_rng(5)
    family = fam.FiniteFamily([(A, np.zeros(2)) for A in 0.4 * rng.standard_normal((3, 2, 2))])
    operators = family.sample(12, 1, replicas=replicas)
    found = prefix_lipschitz(operators, space)
    assert found is not None
    maps = operators.affine()
    A = np.asarray(maps.A)
    for r in range(replicas or 1):
        product = np.eye(2)
        for n in range(13):
            value = found[0][n] if replicas is None else found[0][n, r]
            true = float(np.max(np.atleast_1d(space.operator_norm(product))))
            assert true <= value * (1 + 1e-15)
            assert value <= true + 1e-12
            if n < 12:
                product = product @ (A[n] if replicas is None else A[n, r])


@pytest.mark.parametrize("moment", [None, 1.0, 2.0, 3.5])
@pytest.mark.parametrize("space", [SupNorm(), Euclidean(), WeightedEuclidean(np.diag([4.0, 9.0]))])
def test_displacements_in_another_metric_are_means_over_the_maps(space, moment):
    """Two maps with chances 1/4 and 3/4: the largest move, or the p-th mean of both."""
    family = fam.FiniteFamily([(0.5, [1.0, 0.0]), (0.25, [0.0, -2.0])], [0.25, 0.75])
    theta = np.array([1.0, 3.0])
    moves = [float(space.distance(theta, 0.5 * theta + [1, 0])), float(space.distance(theta, 0.25 * theta - [0, 2]))]
    found = displacement_in(family, theta, space, moment)
    assert found is not None
    p = moment or 1.0
    mean = (0.25 * moves[0] ** p + 0.75 * moves[1] ** p) ** (1 / p)
    assert found.value == pytest.approx(max(moves) if moment is None else mean, rel=1e-12)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_norms_are_equivalent_with_the_stated_number(d):
    """‖x‖_new <= c ‖x‖_old for all x, and c is not ten times too large."""
    rng = np.random.default_rng(d)
    spaces = [Euclidean(), SupNorm(), WeightedEuclidean(4 * np.eye(d)), WeightedEuclidean(np.diag([1.0, 9.0, 4.0][:d]))]
    points = np.concatenate([rng.standard_normal((400, d)), list(itertools.product((-1.0, 0.0, 1.0), repeat=d))])
    points = points[np.any(points != 0, axis=1)]
    for old, new in itertools.product(spaces, repeat=2):
        ratios = new.distance(points, 0 * points) / old.distance(points, 0 * points)
        c = equivalence(old, new, d)
        assert np.max(ratios) <= c * (1 + 1e-12)
        assert c <= 10 * np.max(ratios)


@pytest.mark.parametrize("factor", [0.5, 3.0, 1e30])
def test_pairs_of_iterates_of_expanding_maps_are_those_of_the_plain_loop(factor):
    """Beyond the growth up to which products of factors are kept, the maps themselves are applied."""
    family = fam.FiniteFamily([(factor, 1.0), (-factor, 2.0)])
    operators = family.sample(9, 2)
    forward, backward = (path[:, 0] for path in paired_iterates(operators, 0.5))
    for n in range(10):
        x = y = np.array([0.5])
        for i in range(1, n + 1):
            x = operators.apply(i, x)
        for i in range(n, 0, -1):
            y = operators.apply(i, y)
        assert forward[n] == pytest.approx(float(x[0]), rel=1e-12)
        assert backward[n] == pytest.approx(float(y[0]), rel=1e-12)


@pytest.mark.control
@pytest.mark.parametrize("N", [1, 2, 7, 100])
def test_the_grid_of_the_regression_is_told_from_its_neighbours(N):
    points = np.array([-1 + 2 * i / N for i in range(N + 1)])
    assert regression_grid.check(N)
    assert regression_grid.check(N, points)
    moved = points.copy()
    moved[N // 2] += 1e-12
    repeated = np.append(points[:-1], points[-2])
    for wrong in (points[:-1], np.append(points, 1.0), moved, repeated, points + 2.0**-40, points[::-1]):
        assert not regression_grid.check(N, wrong)
    assert not regression_grid.check(N + 1, points)


@pytest.mark.control
def test_verdicts_name_the_pair_that_is_worst():
    tight = Verdict.tight("s", (1,), [1.0, 2.0, 3.0], [1.0, 2.5, 3.1], rounding=[0.0, 0.6, 0.05])
    assert (tight.holds, tight.measured, tight.claimed) == (False, 3.0, 3.1)
    tight = Verdict.tight("s", (1,), [1.0, 2.0], [1.0, 2.5], rounding=0.5)
    assert (tight.holds, tight.measured) == (True, 1.0 if 0 - 0.5 > 0.5 - 0.5 else 2.0)
    assert not Verdict.tight("s", (1,), [1.0, math.nan], [1.0, 2.0], rounding=9.0)
    upper = Verdict.upper("s", (1,), [1.0, 5.0, 3.0], [2.0, 4.0, 1.0], parts=["a", "b", "c"])
    assert (upper.holds, upper.measured, upper.part) == (False, 3.0, "c")  # by the excess where it fails
    upper = Verdict.upper("s", (1,), [1.0, 3.0, 0.0], [10.0, 4.0, 0.0], parts=["a", "b", "c"])
    assert (upper.holds, upper.part) == (True, "c")  # by the ratio where it holds; 0 of 0 is reached
    upper = Verdict.upper("s", (1,), [1.0, 3.0], [10.0, 4.0], rounding=[0.0, 96.0], parts=["a", "b"])
    assert (upper.holds, upper.part) == (True, "a")  # of the claim with its rounding
    assert not Verdict.upper("s", (1,), [math.nan], [1.0])
    with pytest.raises(ValueError, match="2 pairs of numbers are compared, but 1 are named"):
        Verdict.upper("s", (1,), [1.0, 2.0], [2.0, 3.0], parts=["a"])


@pytest.mark.parametrize("size", [None, 1, 4])
def test_stationary_draws_have_an_axis_where_there_are_several(size):
    found = ct.sample_stationary(fam.QuadraticSGD(0.5, fam.Uniform(-1, 1)), 0.1, 0, size=size)
    values = np.asarray(getattr(found, "value", found))
    assert values.shape == ((1,) if size is None else (size, 1))
    with pytest.raises(ValueError, match="size"):
        ct.sample_stationary(fam.QuadraticSGD(0.5, fam.Uniform(-1, 1)), 0.1, 0, size=0)
    with pytest.raises(ValueError, match="the order p of W_p must be a number >= 1"):
        ct.sample_stationary(fam.QuadraticSGD(0.5, fam.Uniform(-1, 1)), 0.1, 0, p=0.99)


@pytest.mark.parametrize("space", [SupNorm(), Euclidean(), WeightedEuclidean(np.diag([1.0, 4.0, 9.0]))])
@pytest.mark.parametrize("seed", range(4))
def test_the_steepest_direction_of_every_norm_is_searched(space, seed):
    """A matrix stretches one direction most, one of the corners ±1 in the sup norm. A declared factor one part in a
    million too small is refuted."""
    A = np.random.default_rng(seed).standard_normal((3, 3))
    norm = float(np.max(space.operator_norm(A)))

    def family(k: float) -> ct.RandomOperator:
        return ct.RandomOperator(
            lambda rng: rng.uniform(-1, 1, 3), lambda x, e: x @ A.T + e, vectorized=True, space=space, contraction=k
        )

    assert ct.search_violation(family(norm * (1 + 1e-9)), np.zeros(3), maps=2).largest_ratio <= norm * (1 + 1e-6)
    with pytest.raises(ct.DeclarationRefuted):
        ct.search_violation(family(norm * (1 - 1e-6)), np.zeros(3), maps=2)


def test_why_an_order_converges_names_its_last_iterate():
    assert ct.order_convergence(Reset([2, 5])).reason == "it is backward from iterate 5 on, and is reset no more"
    assert ct.order_convergence(Late(3)).reason == "it is backward from iterate 3 on"
    assert [ct.order_convergence(order).verdict for order in (Reset([2, 5]), Windowed(3), Epochs(1), Epochs(2))] == [
        "converges",
        "does not converge",
        "converges",
        "does not converge",
    ]
