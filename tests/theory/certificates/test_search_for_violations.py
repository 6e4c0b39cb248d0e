"""Pieces of the search for a violation: which maps, which pairs, which directions, and what rounding excuses."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import contraction as ct
from contraction import families as fam
from contraction.certificates import falsify
from contraction.certificates.falsify import (
    FULL_JACOBIAN,
    SMALL,
    _best,
    _inner,
    _Map,
    _of_jacobian,
    _of_products,
    _spread,
)


def affine(A: np.ndarray, **declared) -> ct.RandomOperator:
    """x ↦ A x + e with e uniform, for a matrix or a diagonal."""
    d = len(A)
    return ct.RandomOperator(
        lambda rng: rng.uniform(-1, 1, d),
        lambda x, e: (x @ A.T if A.ndim == 2 else x * A) + e,
        vectorized=True,
        **declared,
    )


@pytest.mark.parametrize("total", range(12))
@pytest.mark.parametrize("count", range(1, 14))
def test_maps_that_are_searched_are_spread_from_the_first_to_the_last(total, count):
    chosen = _spread(total, count)
    assert len(chosen) == min(total, count)
    assert chosen == sorted(set(chosen))
    if chosen:
        assert chosen[0] == 1
        assert chosen[-1] == (total if count > 1 else 1)
        gaps = np.diff(chosen)
        assert not len(gaps) or gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize("d", [2, SMALL, SMALL + 1, FULL_JACOBIAN + 1])
@pytest.mark.parametrize("place", ["first", "last"])
def test_one_coordinate_that_expands_is_found_in_every_dimension(d, place):
    """A diagonal with one entry 1.5 among numbers below 1/2: a declared 1.49 is refuted, 1.5 stands."""
    a = np.linspace(0.1, 0.5, d)
    a[0 if place == "first" else -1] = 1.5
    found = ct.search_violation(affine(a, contraction=1.5 * (1 + 1e-9)), np.zeros(d), maps=1, pairs=4)
    assert found.largest_ratio == pytest.approx(1.5, rel=1e-4)
    with pytest.raises(ct.DeclarationRefuted, match=r"= 1\.49 is violated"):
        ct.search_violation(affine(a, contraction=1.49), np.zeros(d), maps=1, pairs=4)


@pytest.mark.parametrize("seed", range(3))
def test_directions_of_a_derivative_are_the_three_steepest(seed):
    """In the Euclidean norm the first right singular vector, in the sup norm the signs of the largest row, in l1 the
    coordinate of the largest column; at each point its own."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((4, 4))
    operators = affine(A).sample(1)
    points = rng.standard_normal((3, 4))
    singular, signs, column, *_ = _of_jacobian(_Map(operators, 1), points)
    top = np.linalg.svd(A)[2][0]
    row = A[np.argmax(np.abs(A).sum(axis=1))]
    for i in range(3):
        assert abs(singular[i] @ top) == pytest.approx(1, abs=1e-6)
        assert signs[i].tolist() == np.where(row < 0, -1.0, 1.0).tolist()
        assert column[i].tolist() == np.eye(4)[np.argmax(np.abs(A).sum(axis=0))].tolist()


def test_products_find_the_steepest_direction_of_a_symmetric_map():
    """Without a matrix: the direction, its signs and its largest coordinate, scaled to have a largest entry of 1."""
    rng = np.random.default_rng(3)
    d = 40
    Q = np.linalg.qr(rng.standard_normal((d, d)))[0]
    H = (Q * np.array([3.0, *np.linspace(-0.5, 0.5, d - 1)])) @ Q.T
    v, signs, corner = (x[0] for x in _of_products(_Map(affine(H).sample(1), 1), rng.standard_normal((1, d))))
    top = Q[:, 0] / np.max(np.abs(Q[:, 0]))
    assert v == pytest.approx(top * np.sign(v @ top), abs=1e-4)
    assert np.max(np.abs(v)) == 1
    assert signs.tolist() == np.where(v < 0, -1.0, 1.0).tolist()
    assert corner.tolist() == np.where(np.abs(v) == 1, 1.0, 0.0).tolist()
    assert corner.sum() == 1


@pytest.mark.parametrize("lead", [(), (2,)])
def test_the_best_combination_of_vectors_has_the_longest_image(lead):
    rng = np.random.default_rng(4)
    K = rng.standard_normal((3, *lead, 6))
    J = rng.standard_normal((6, 6))
    JK = K @ J.T
    coefficients = _best(_inner(K), _inner(JK), 1)[..., 0, :]
    for at in itertools.product(*(range(k) for k in lead)):
        basis = np.linalg.qr(K[(slice(None), *at)].T)[0]
        best = np.linalg.svd(J @ basis)[1][0]
        v = coefficients[at] @ K[(slice(None), *at)]
        assert np.linalg.norm(v) == pytest.approx(1, rel=1e-9)
        assert np.linalg.norm(J @ v) == pytest.approx(best, rel=1e-9)


def test_combinations_without_images_are_orthonormal():
    rng = np.random.default_rng(5)
    K = rng.standard_normal((4, 7))
    K[3] = K[0] + K[1]  # three directions
    two = _best(_inner(K), None, 2) @ K
    assert two @ two.T == pytest.approx(np.eye(2), abs=1e-9)


@pytest.mark.parametrize("size", [0.0, 1.0, 1e6])
def test_rounding_is_excused_and_a_thousand_times_as_much_is_not(size):
    """A wrong offset in the affine form, one part in 10^9 of the numbers: found. One rounding: not."""
    for off, wrong in ((1e-9, True), (1e-17, False)):
        shift = off * (1 + size)
        family = ct.RandomOperator(
            lambda rng: rng.uniform(-1, 1),
            lambda x, e: 0.5 * x + e,
            affine=lambda e, shift=shift: (0.5, e + shift),
        )
        points = lambda rng, count: rng.uniform(-1, 1, (count, 1)) * (1 + size)  # noqa: E731
        if wrong:
            with pytest.raises(ct.DeclarationRefuted, match="is not the map"):
                ct.search_violation(family, np.array([size]), points=points)
        else:
            ct.search_violation(family, np.array([size]), points=points)


@pytest.mark.parametrize("coordinate", range(3))
@pytest.mark.parametrize("part", ["A", "b"])
def test_an_affine_form_that_is_wrong_in_one_coordinate_is_found(coordinate, part):
    A, b = np.diag([0.5, 0.25, 0.125]), np.ones(3)
    wrong_A, wrong_b = A.copy(), b.copy()
    if part == "A":
        wrong_A[coordinate, (coordinate + 1) % 3] += 1e-3
    else:
        wrong_b[coordinate] += 1e-3
    family = ct.RandomOperator(
        lambda rng: rng.uniform(), lambda x, u: x @ A.T + b, affine=lambda u: (wrong_A, wrong_b), vectorized=False
    )
    with pytest.raises(ct.DeclarationRefuted, match="is not the map"):
        ct.search_violation(family, np.zeros(3))


@pytest.mark.parametrize("replicas", [None, 3])
def test_declared_displacements_are_compared_with_every_replica(replicas):
    """Of drawn maps those that are searched, of a family 256 fresh ones too: the largest of uniform moves is near 1."""
    family = ct.RandomOperator(lambda rng: rng.uniform(), lambda x, u: x / 2 + u, contraction=0.5, displacement=1.0)
    fresh = ct.search_violation(family, 0.0, maps=2)
    assert 0.95 < fresh.largest_displacement <= 1
    operators = family.sample(5, seed=1, replicas=replicas)
    largest = float(np.max([np.asarray(draw, dtype=float) for draw in operators.draws]))
    assert ct.search_violation(operators, 0.0).largest_displacement == pytest.approx(largest, rel=1e-12)
    few = ct.RandomOperator(lambda rng: rng.uniform(), lambda x, u: x / 2 + u, contraction=0.5, displacement=0.95)
    with pytest.raises(ct.DeclarationRefuted, match=r"declared displacement 0\.95"):
        ct.search_violation(few, 0.0, maps=2)


@pytest.mark.parametrize("pairs", [0, 1, 24])
def test_pairs_are_counted(pairs):
    """So many random ones a map, and three scales along three directions (and a metric's own) from three points."""
    family = fam.QuadraticSGD(0.5, fam.Uniform(-1, 1), 2)
    found = ct.search_violation(family, np.zeros(2), maps=2, pairs=pairs)
    along = 9 * min(pairs, 3)
    assert found.pairs == 2 * (pairs + along)
    inside = ct.search_violation(
        family, np.zeros(2), maps=2, pairs=pairs, points=lambda rng, n: rng.uniform(0, 1, (n, 2))
    )
    assert inside.pairs == 2 * pairs


def test_random_pairs_lie_on_every_scale_about_the_start():
    operators = affine(np.eye(2)).sample(1)
    near = np.array([5.0, -1.0])
    x, y = falsify._pairs(_Map(operators, 1), near, np.random.default_rng(0), 3000, None)
    for distance in (np.linalg.norm(x - near, axis=1), np.linalg.norm(y - x, axis=1)):
        scales = np.log10(distance / 6)  # the largest coordinate of the start, and one
        assert np.percentile(scales, 2) < -2.5
        assert np.percentile(scales, 98) > 2.5
        assert abs(np.median(scales)) < 0.4
