"""The bound on the largest second moment of data is proved and close: pivots in ball arithmetic on both sides."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest

from contraction.certificates.rigorous import positive_definite
from contraction.maps import gram
from contraction.maps.balls import ball, matrix, product, transpose
from contraction.maps.errors import NotCertified
from contraction.maps.gram import largest_second_moment


def is_a_bound(X: np.ndarray, bound: float) -> bool:
    """Whether bound n I - X^T X is positive definite, with X as it is in exact numbers."""
    n, d = X.shape
    G = product(transpose(matrix(X)), matrix(X))
    return positive_definite([[(ball(bound) * n if i == j else 0) - G[i][j] for j in range(d)] for i in range(d)])


@pytest.mark.parametrize("shape", [(1, 1), (12, 4), (4, 12), (9, 9)])
@pytest.mark.parametrize("seed", range(3))
def test_the_bound_holds_and_is_close(shape, seed):
    X = np.random.default_rng([seed, *shape]).standard_normal(shape)
    bound = largest_second_moment(X)
    assert is_a_bound(X, bound * (1 + 1e-14))
    assert not is_a_bound(X, bound * (1 - 1e-12))


def test_one_number_is_squared_and_rounded_up(monkeypatch):
    """x² in rationals; without outward rounding some squares come out too small."""
    numbers = np.random.default_rng(0).standard_normal(40)
    assert all(F(largest_second_moment(np.array([[x]]))) >= F(float(x)) ** 2 for x in numbers)
    monkeypatch.setattr("contraction.maps.intervals.above", lambda x, operations: np.asarray(x, dtype=float) * 0)
    monkeypatch.setattr(gram, "above", lambda x, operations: np.asarray(x, dtype=float))
    monkeypatch.setattr(gram.Intervals, "magnitude", property(lambda self: np.abs(self.mid)))
    assert not all(F(largest_second_moment(np.array([[x]]))) >= F(float(x)) ** 2 for x in numbers)


def test_vectors_far_from_orthogonal_are_refused_or_paid_for(monkeypatch):
    """Stretched eigenvectors widen the bound, far too long ones are refused; the bound is never too small."""
    X = np.random.default_rng(1).standard_normal((20, 3))
    true, real = np.linalg.eigvalsh(X.T @ X / 20)[-1], np.linalg.eigh
    for stretch, refused in ((0.9, False), (1.1, False), (1.4, True)):
        monkeypatch.setattr(np.linalg, "eigh", lambda G, s=stretch: (real(G)[0], s * real(G)[1]))
        if refused:
            with pytest.raises(NotCertified, match="not orthogonal"):
                largest_second_moment(X)
        else:
            assert true < largest_second_moment(X) < 2 * true
