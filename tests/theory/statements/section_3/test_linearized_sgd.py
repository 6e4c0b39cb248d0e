"""Section 3.2 (rows 49, 52): both sums exactly, and the package's family against them in floats."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.families import LinearizedSGD, Uniform
from contraction.maps.iterates import paired_iterates
from contraction.maps.rounding import gamma
from contraction.statements.section_3 import linearized_sgd as statement
from contraction.statements.section_3.taylor_of_gradient import symmetric

fractions = st.fractions(-3, 3, max_denominator=4)


@given(
    seed=st.integers(0, 2**31),
    d=st.integers(1, 3),
    n=st.integers(1, 5),
    h=st.fractions(-1, 3, max_denominator=10),
    data=st.data(),
)
def test_closed_forms(seed, d, n, h, data):
    vectors = data.draw(st.lists(st.lists(fractions, min_size=d, max_size=d), min_size=n + 2, max_size=n + 2))
    H = symmetric(np.random.default_rng(seed), d, 2)
    verdict = statement.check(H, vectors[0], h, vectors[2:], vectors[1])
    assert verdict, verdict


@given(d=st.integers(1, 50), n=st.integers(1, 40), top=st.floats(0.1, 1.9), seed=st.integers(0, 2**31))
def test_family_in_floats(d, n, top, seed):
    """LinearizedSGD with h lambda_max = top in a random basis, against the sums in that basis.

    Rounding: A = I - hH differs from Q (1 - h Lambda) Q^T, and its computed eigendecomposition from A, by at most
    E = gamma(64 d) sqrt(d) in norm (d rounded products and sums an entry; LAPACK's eigenvalue routines are accepted
    when residuals are below 30 d units). A power of A is then off by j k^(j-1) E, so a sum by E s sum (j+1) k^j, s the
    size of start and noise; applying the maps adds errors of the same form.
    """
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.standard_normal((d, d)))
    eigenvalues = np.sort(rng.uniform(0.0, 1.0, d)) * top
    eigenvalues[-1] = top
    H = (Q * eigenvalues) @ Q.T
    theta_star, theta = rng.standard_normal(d), 10 * rng.standard_normal(d)
    operators = LinearizedSGD(theta_star, (H + H.T) / 2, 1.0, Uniform(-1, 1)).sample(n, seed)
    eps = np.stack([operators[i].draw for i in range(n)]) @ Q
    a = 1 - eigenvalues
    drift = a**n * ((theta - theta_star) @ Q)
    powers = a ** np.arange(n)[:, None]
    claimed = [theta_star + (drift + np.sum(p * eps, axis=0)) @ Q.T for p in (powers[::-1], powers)]
    k = np.max(np.abs(a))
    size = np.linalg.norm(theta) + 2 * np.linalg.norm(theta_star) + np.sqrt(d)
    rounding = gamma(64 * d) * np.sqrt(d) * size * 4 * np.sum((np.arange(n + 1) + 1) * k ** np.arange(n + 1))
    for path, expected in zip(paired_iterates(operators, theta), claimed, strict=True):
        assert np.linalg.norm(path[n] - expected) <= rounding


def test_printed_sign_is_refuted():
    verdict = statement.check_printed()
    assert verdict
    assert (verdict.measured, verdict.claimed) == (1.9, 0.1)


@pytest.mark.control
def test_at_the_minimum_the_sign_cannot_be_seen():
    assert not statement.check_printed(theta=(1, 1))


@pytest.mark.control
def test_swapped_order_is_caught(monkeypatch):
    real = statement.closed_forms
    monkeypatch.setattr(statement, "closed_forms", lambda *a: real(*a)[::-1])
    assert not all(statement.check(**case) for case in statement.cases(np.random.default_rng(0), "standard"))


@pytest.mark.control
def test_a_missing_h_is_caught(monkeypatch):
    """Noise added without the factor h: the sums are for another map."""
    real = statement.sgd_maps
    monkeypatch.setattr(
        statement, "sgd_maps", lambda H, star, h, eps: real(H, star, h, [e / h if h else e + 1 for e in eps])
    )
    assert not statement.check([[Fraction(2)]], [0], Fraction(1, 3), [[Fraction(1)], [Fraction(2)]], [1])
