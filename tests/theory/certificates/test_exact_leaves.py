"""Leaves are invariant exactly, in rational arithmetic: what leaves one by a rounding may grow across it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import contraction as ct
from contraction.certificates.leaves import check_on_leaf, invariant_leaf

FiniteFamily, LeastSquares = ct.families.FiniteFamily, ct.families.LeastSquares


def test_a_leaf_that_is_kept_to_rounding_only_is_refused_with_the_factor_across():
    """A = v vᵀ/2 + 4 w wᵀ in floats sends v out of its line by 1e-16, which 40 maps multiply by 4^40 = 1e24."""
    v, w = np.array([1.0, 3.0]) / 10**0.5, np.array([-3.0, 1.0]) / 10**0.5
    A = 0.5 * np.outer(v, v) + 4 * np.outer(w, w)
    family = FiniteFamily([(A, v), (A, -v)])
    for ask in (ct.certify, ct.average_contraction, ct.leaf_basis):
        with pytest.raises(ct.NotCertified, match=r"a linear part moves .* out of it.*has the factor 4 across it"):
            ask(family, np.zeros(2), leaf=v[:, None])
    drawn = ct.backward_iterates(family.sample(60, 0), np.zeros(2))
    assert np.linalg.norm(drawn[40] - drawn[60]) > 1.0  # the limit that was certified to 1e-12 does not exist


def test_a_leaf_that_is_almost_a_coordinate_axis_is_refused():
    family = FiniteFamily([(np.diag([0.5, 3.0]), [1.0, 0.0])])
    with pytest.raises(ct.NotCertified, match=r"a linear part moves the leaf's directions by 2\.5e-14"):
        ct.certify(family, [0.0, 0.0], leaf=[[1.0], [1e-14]])
    exact = ct.certify(family, [0.0, 0.0], leaf=[[1.0], [0.0]])
    assert exact.k == pytest.approx(0.5, rel=1e-13)
    assert ct.certify(family, [0.0, 0.0], leaf=[[1.0], [0.0]], start=[2.0, 0.0]).bound(0) >= 2.0
    with pytest.raises(ct.NotCertified, match="start is off the leaf of θ_0 by 1e-14"):
        ct.certify(family, [0.0, 0.0], leaf=[[1.0], [0.0]], start=[1.0, 1e-14])


def test_displacements_are_checked_exactly_and_for_every_map():
    A, weights = np.diag([0.5, 3.0]), [Fraction(999_999, 10**6), Fraction(1, 10**6)]
    for off, kept in ((1e-300, False), (0.0, True)):
        family = FiniteFamily([(A, [1.0, 0.0]), (A, [1.0, off])], weights=weights)
        if kept:
            assert ct.certify(family, [0.0, 0.0], leaf=[[1.0], [0.0]]).certified
        else:
            with pytest.raises(ct.NotCertified, match="T θ_0 − θ_0 leaves the leaf's directions by 1e-300"):
                ct.certify(family, [0.0, 0.0], leaf=[[1.0], [0.0]])


def test_maps_that_cannot_be_listed_are_refused_on_a_given_leaf():
    family = ct.families.QuadraticSGD(0.5, ct.families.Gaussian(), dim=2)
    with pytest.raises(ct.NotCertified, match="cannot be listed"):
        ct.leaf_basis(family, np.zeros(2), [[1.0], [0.0]])
    assert ct.leaf_basis(family, np.zeros(2), np.eye(2)).shape == (2, 2)  # the whole space is always invariant


@pytest.mark.parametrize("size", [1.0, 2.0**40], ids=["moderate", "cancelling"])
def test_factors_along_a_leaf_are_those_of_the_exact_restriction(size: float):
    """A = [[s + 1/2, -s], [s, 1/2 - s]] sends (1, 1) to half of it, and any other vector across by s."""
    A = np.array([[size + 0.5, -size], [size, 0.5 - size]])
    leaf = invariant_leaf(FiniteFamily([(A, [0.0, 0.0])]), np.zeros(2), 3.0 * np.ones((2, 1)))
    assert leaf.error == 0
    assert 0.5 <= leaf.parts[0][0, 0] <= 0.5 * (1 + 2.0**-40)


def test_factors_along_an_oblique_plane():
    """B V = V M with integers: the restriction has the singular values of R M R⁻¹, V = Q R."""
    V = np.array([[1.0, 2.0], [0.0, 1.0], [2.0, -1.0]])
    M = np.array([[0.5, 0.25], [0.0, -0.5]])
    P = np.array([[1.0, -2.0, 0.0], [0.0, 1.0, 0.0]])  # P V = 1
    assert np.array_equal(P @ V, np.eye(2))
    leaf = invariant_leaf(FiniteFamily([(V @ M @ P, [0.0, 0.0, 0.0])]), np.zeros(3), V)
    R = np.linalg.qr(V)[1]
    expected = np.linalg.svd(R @ M @ np.linalg.inv(R))[1]
    np.testing.assert_allclose(np.linalg.svd(leaf.parts[0])[1], expected, rtol=1e-12)


def test_least_squares_knows_its_leaf_and_takes_it_as_a_basis_of_rows():
    X = np.random.default_rng(0).standard_normal((2, 5))
    family = LeastSquares(X, [1.0, 2.0], 0.1, label_noise=ct.families.Uniform(-1, 1))
    known, given = (invariant_leaf(family, np.zeros(5), leaf) for leaf in (True, X.T))
    np.testing.assert_allclose(known.Q @ known.Q.T, given.Q @ given.Q.T, atol=1e-13)
    assert 0 < known.error < 1e-10
    assert 0 < given.error < 1e-10
    with pytest.raises(ct.NotCertified, match="region not invariant"):
        ct.leaf_basis(family, np.zeros(5), X.T * (1 + 1e-12 * np.arange(5))[:, None])  # rows in other directions


def test_rows_that_are_dependent_to_rounding_only_are_refused():
    near = [[1.0, 0.0, 0.0], [1.0, 1e-17, 0.0]]
    with pytest.raises(ct.NotCertified, match="too nearly dependent"):
        ct.leaf_basis(LeastSquares(near, [1.0, 2.0], 0.1), np.zeros(3), True)
    twice = [[1.0, 3.0, 0.0], [2.0, 6.0, 0.0]]
    assert ct.leaf_basis(LeastSquares(twice, [1.0, 2.0], 0.1), np.zeros(3), True).shape == (3, 1)


def test_a_start_on_the_leaf_is_on_it_exactly():
    V = np.array([[1.0], [3.0]])
    check_on_leaf(np.zeros(2), np.array([0.5, 1.5]), V)
    check_on_leaf(np.zeros(2), np.array([Fraction(1, 3), Fraction(1)]), V)
    with pytest.raises(ct.NotCertified, match="in rational arithmetic"):
        check_on_leaf(np.zeros(2), np.array([0.1, 0.3]), V)  # 3 · 0.1 is not 0.3 in floats


def test_leaves_too_large_for_rational_arithmetic_are_refused_by_name():
    family = FiniteFamily([(0.5 * np.eye(200), np.zeros(200))])
    with pytest.raises(ct.NotCertified, match="too large to be checked in rational arithmetic"):
        ct.leaf_basis(family, np.zeros(200), np.eye(200)[:, :150])
