"""Leaves in small numbers: when rows count as dependent, what may leave a leaf, and how large a check may be."""

from __future__ import annotations

import math
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

from contraction.certificates import leaves
from contraction.certificates.leaves import (
    _inverse,
    _of_steps,
    _product,
    _singular_basis,
    _Span,
    _times,
    check_on_leaf,
    invariant_leaf,
    leaf_basis,
)
from contraction.families import FiniteFamily
from contraction.maps.errors import NotCertified
from contraction.maps.rounding import EPS

E = np.eye(3)


@pytest.mark.parametrize("d", [2, 5, 40])
def test_directions_are_dependent_to_rounding_below_8_units_a_row(d: int) -> None:
    """The least singular value is compared with 8 d units of the largest one, which here is 3."""
    for share, fine in ((0.98, False), (1.02, True)):
        V = np.zeros((d, 2))
        least = share * 8 * d * EPS
        V[0, 0], V[1, 1] = 3.0, 3.0 * least
        if fine:
            Q, turned = _singular_basis(V)
            assert Q.shape == (d, 2)
            assert turned == pytest.approx(64 * d * EPS / least, rel=1e-9)
        else:
            with pytest.raises(NotCertified, match="too nearly dependent: 1 of them to rounding"):
                _singular_basis(V)
    twice = np.zeros((d, 2))
    twice[0] = [1.0, 2.0]  # dependent, and exactly so
    Q, turned = _singular_basis(twice)
    assert Q.shape == (d, 1)
    assert abs(Q[0, 0]) == 1
    assert turned == pytest.approx(64 * d * EPS, rel=1e-12, abs=0)


def half(offset: Any, A: Any) -> FiniteFamily:
    return FiniteFamily([(np.asarray(A, dtype=float), np.asarray(offset, dtype=float))])


@pytest.mark.parametrize("turned", [0.0, 1e-9])
def test_maps_may_leave_the_leaf_of_their_steps_by_rounding(turned: float) -> None:
    """64 d² units and four times the angle, of 1 + |A| for linear parts and of |step| + |θ| + 1 for steps."""
    theta, Q, room = np.array([3.0, 0.0]), np.array([[1.0], [0.0]]), 64 * 4 * EPS + 4 * turned
    for share, kept in ((0.98, True), (1.02, False)):
        delta = share * room * 1.5
        tilted = half([1.5, -3 * delta], [[0.5, 0.0], [delta, 0.5]])  # which does not move θ
        moved = half([0.0, share * room * (1.5 + 3 + 1)], [[0.5, 0.0], [0.0, 0.5]])
        for family, part, message in (
            (tilted, [[0.5, 0.0], [delta, 0.5]], "a linear part moves the leaf's"),
            (moved, [[0.5, 0.0], [0.0, 0.5]], "leaves the leaf's directions by"),
        ):
            A = np.array(part)
            if kept:
                leaf = _of_steps(family, theta, Q, turned, [A])
                np.testing.assert_allclose(leaf.parts[0], [[0.5]], rtol=1e-12)
                assert leaf.error == pytest.approx((3 * turned * (1 + turned) + 8 * 4 * EPS) * 0.5, rel=1e-6, abs=0)
            else:
                with pytest.raises(NotCertified, match=message):
                    _of_steps(family, theta, Q, turned, [A])


def test_the_largest_of_several_parts_counts_for_the_error() -> None:
    family = FiniteFamily([(0.5 * np.eye(2), [0.0, 0.0]), (np.diag([0.25, 0.75]), [0.0, 0.0])])
    leaf = _of_steps(family, np.zeros(2), np.array([[1.0], [0.0]]), 0.0, [0.5 * np.eye(2), np.diag([0.25, 0.75])])
    assert [part.tolist() for part in leaf.parts] == [[[0.5]], [[0.25]]]
    assert leaf.error == pytest.approx(8 * 4 * EPS * 0.75, rel=1e-12, abs=0)


@pytest.mark.parametrize(("limit", "products"), [(11, 12), (12, 26), (25, 26), (26, None)])
def test_a_check_in_rational_arithmetic_counts_its_products(
    limit: int, products: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """d min(d, r)² for the basis, and M d² r + r³ for the M parts: 3 · 2² = 12 and 9 · 2 + 2³ = 26."""
    monkeypatch.setattr(leaves, "EXACT", limit)
    family = half([0.0, 0.0, 0.0], np.diag([0.5, 0.25, 0.125]))
    if products is None:
        leaf = invariant_leaf(family, np.zeros(3), E[:, :2])
        assert leaf.Q.shape == (3, 2)
        norms = sorted(np.linalg.norm(leaf.parts[0], axis=0).tolist())
        np.testing.assert_allclose(norms, [0.25, 0.5], rtol=1e-12)
    else:
        with pytest.raises(NotCertified, match=rf"\({products} products\)"):
            invariant_leaf(family, np.zeros(3), E[:, :2])


@pytest.mark.parametrize(("shape", "products"), [((3, 2), 12), ((3, 4), 36), ((3, 1), 3)])
def test_the_check_of_a_start_counts_its_products(
    shape: tuple[int, int], products: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    V = np.zeros(shape)
    V[0] = 1.0
    monkeypatch.setattr(leaves, "EXACT", products)
    check_on_leaf(np.zeros(3), np.array([5.0, 0.0, 0.0]), V)
    with pytest.raises(NotCertified, match=r"the start is off the leaf of θ_0 by 5,? ?"):
        check_on_leaf(np.zeros(3), np.array([7.0, 3.0, -4.0]), V)
    monkeypatch.setattr(leaves, "EXACT", products - 1)
    with pytest.raises(NotCertified, match=rf"\({products} products\)"):
        check_on_leaf(np.zeros(3), np.zeros(3), V)


def test_spans_in_rational_arithmetic() -> None:
    rows = [[F(1), F(2), F(3)], [F(2), F(4), F(6)], [F(0), F(1), F(1)]]
    span = _Span(rows)
    assert len(span.rows) == 2
    for i, (row, pivot) in enumerate(zip(span.rows, span.pivots, strict=True)):
        assert row[pivot] == 1
        assert [other[pivot] for j, other in enumerate(span.rows) if j != i] == [0]
    for a, b in ((1, 0), (F(1, 3), -7), (0, 0)):
        x = [a * u + b * v for u, v in zip(rows[0], rows[2], strict=True)]
        assert span.contains(x)
        assert span.rest(x) == [0, 0, 0]
    assert not span.contains([F(1), F(2), F(3) + F(1, 10**30)])
    basis, coordinates, deviation = span.nearly_orthonormal(3)
    np.testing.assert_allclose(basis.T @ basis, np.eye(2), atol=1e-14)
    exact = _product([list(column) for column in zip(*span.rows, strict=True)], coordinates)
    gram = _product([list(column) for column in zip(*exact, strict=True)], exact)
    off = math.sqrt(sum(float(x - (i == j)) ** 2 for i, row in enumerate(gram) for j, x in enumerate(row)))
    assert off <= deviation <= off * (1 + 1e-5)


def test_inverses_and_products_in_rational_arithmetic() -> None:
    A = [[F(2), F(1, 3), F(-1)], [F(0), F(5), F(7)], [F(0), F(0), F(1, 9)]]
    identity = [[F(int(i == j)) for j in range(3)] for i in range(3)]
    assert _product(A, _inverse(A)) == identity == _product(_inverse(A), A)
    assert _times(A, [F(3), F(0), F(9)]) == [F(-3), F(63), F(1)]
    assert _product([[F(1), F(2)]], [[F(3)], [F(5)]]) == [[F(13)]]


@pytest.mark.parametrize(
    ("leaf", "message"),
    [
        (E[:2, :1], r"a leaf is a finite basis of shape \(3, r\), got shape \(2, 1\)"),
        (np.array([[np.nan], [0.0], [1.0]]), "a leaf is a finite basis"),
        (np.zeros((3, 2)), "at least one direction that is not zero"),
    ],
    ids=["rows", "nan", "zero"],
)
def test_a_basis_that_spans_nothing_is_refused(leaf: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        leaf_basis(half([0.0, 0.0, 0.0], 0.5 * E), np.zeros(3), leaf)


def test_a_leaf_with_a_direction_that_is_zero_has_the_others() -> None:
    V = np.array([[0.0, 3.0], [0.0, 0.0], [0.0, 4.0]])
    Q = leaf_basis(half([0.0, 0.0, 0.0], 0.5 * E), np.zeros(3), V)
    assert Q.shape == (3, 1)
    np.testing.assert_allclose(np.abs(Q[:, 0]), [0.6, 0.0, 0.8], rtol=1e-12)
