"""Mean-square contraction in quadratic norms that are given, or found by iteration above 20 dimensions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg

import contraction as ct
from contraction.certificates import best_norm
from contraction.families import FiniteFamily, MarkovModulated

A = [np.array([[0.5, 2.0], [0.0, 0.5]]), np.array([[0.4, 0.0], [0.3, -0.6]])]
B = [np.array([1.0, 0.0]), np.array([-1.0, 0.5])]
SMALL = FiniteFamily(list(zip(A, B, strict=True)))


def copies(count: int, **law) -> FiniteFamily:
    """The two maps of the plane on ``count`` planes at once: mean squares are ``count`` times those of one plane."""
    maps = [(np.kron(np.eye(count), M), np.tile(v, count)) for M, v in zip(A, B, strict=True)]
    return FiniteFamily(maps, **law)


@pytest.mark.parametrize("count", [11, 20])
def test_the_bound_above_20_dimensions_is_between_once_and_five_times_the_exact_mean_square(count):
    """Every single map expands (norm 2.1), and so does E AᵀA (radius 2.4); the radius of E A⊗A is 0.51."""
    certificate = ct.certify(copies(count), np.zeros(2 * count), moment=2)
    exact = ct.certify(SMALL, np.zeros(2), moment=2)
    n = np.arange(60)
    ratio = certificate.bound(n) / (np.sqrt(count) * exact.bound(n))
    assert certificate.p == 2
    assert "quadratic norm" in certificate.statement
    assert np.all(ratio >= 1)
    assert np.all(ratio <= 5)
    assert exact.k <= certificate.k <= exact.k + 0.01


def test_words_are_enumerated():
    """E ‖θ_12 - θ_n‖² over all words of 12 maps in the plane; the limit is farther by one more bound at most."""
    count, theta, start = 11, np.zeros(22), np.tile([3.0, -2.0], 11)
    certificate = ct.certify(copies(count), theta, moment=2, start=start)
    words = np.array(np.meshgrid(*[[0, 1]] * 12)).reshape(12, -1).T
    paths = {n: np.empty((len(words), 2)) for n in (0, 3, 6, 12)}
    for n, rows in paths.items():
        x = np.broadcast_to(start[:2], (len(words), 2)).copy()
        for i in range(n - 1, -1, -1):
            x = np.einsum("wij,wj->wi", np.stack(A)[words[:, i]], x) + np.stack(B)[words[:, i]]
        rows[:] = x
    for n in (0, 3, 6):
        moved = np.sqrt(count * np.mean(np.sum((paths[12] - paths[n]) ** 2, axis=-1)))
        assert moved - certificate.bound(12) <= certificate.bound(n)
        assert certificate.bound(n) <= 12 * moved


def test_a_given_norm_is_used():
    """The factor is the root of the largest generalised eigenvalue, and distances are measured in the norm."""
    P = np.array([[1.0, 0.0], [0.0, 9.0]])
    space = ct.WeightedEuclidean(P)
    certificate = ct.certify(SMALL, np.zeros(2), moment=2, space=space)
    image = sum(0.5 * M.T @ P @ M for M in A)
    assert certificate.k == pytest.approx(linalg.eigh(image, P, eigvals_only=True)[-1] ** 0.5, rel=1e-9)
    assert pytest.approx(np.sqrt(np.mean([v @ P @ v for v in B])), rel=1e-9) == certificate.D
    assert max(float(space.operator_norm(M)) for M in A) > 0.84 > certificate.k
    rows = ct.backward_iterates(SMALL.sample(200, replicas=2000), np.zeros(2), at=[0, 2, 5, 200])
    seen = np.sqrt(np.mean(np.einsum("rni,ij,rnj->rn", *(d := [rows[:, :3] - rows[:, 3:]]), P, *d), axis=0))
    assert np.all(seen <= certificate.bound(np.array([0, 2, 5])))


def test_what_is_not_searched_for_is_said_by_name():
    with pytest.raises(ct.NotCertified, match="in quadratic norms only, not in SupNorm"):
        ct.certify(SMALL, np.zeros(2), moment=2, space=ct.SupNorm())
    chain = MarkovModulated([[0.5, 0.5], [0.1, 0.9]])
    with pytest.raises(ct.NotCertified, match="needs independent affine maps that are listed"):
        ct.certify(copies(11, law=chain), np.zeros(22), moment=2)
    with pytest.raises(ct.NotCertified, match="E A⊗A has radius about 4"):
        ct.certify(FiniteFamily([(2.0 * np.eye(21), np.ones(21))]), np.zeros(21), moment=2)


def test_a_search_that_would_take_too_long_is_not_begun(monkeypatch):
    monkeypatch.setattr(best_norm, "WORK", 1e5)
    with pytest.raises(ct.NotCertified, match=r"8 steps with 2 matrices of 22 by 22 numbers take about 1\.0e\+06"):
        ct.certify(copies(11), np.zeros(22), moment=2)


def test_the_smaller_of_two_factors_is_used():
    """Where E AᵀA is a multiple of the identity the Euclidean norm is best and its bound has no constant."""
    turn = linalg.block_diag(*[[[0.6, -0.3], [0.3, 0.6]]] * 11)
    certificate = ct.certify(FiniteFamily([(turn, np.ones(22)), (-turn, np.ones(22))]), np.zeros(22), moment=2)
    assert certificate.k == pytest.approx(0.45**0.5, rel=1e-9)
    assert certificate.formula == "D kⁿ/(1−k)"


@pytest.mark.control
def test_a_factor_of_the_wrong_side_is_seen():
    """A P Aᵀ in place of Aᵀ P A has another largest eigenvalue here."""
    P = np.array([[1.0, 0.0], [0.0, 9.0]])
    wrong = linalg.eigh(sum(0.5 * M @ P @ M.T for M in A), P, eigvals_only=True)[-1]
    right = best_norm.factor_in_norm([(0.5, M) for M in A], ct.WeightedEuclidean(P))
    assert abs(wrong - right) > 0.5
