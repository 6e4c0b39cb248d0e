"""The searches for a common norm: what they find, and why they find none."""

from __future__ import annotations

import math

import numpy as np
import pytest

import contraction as ct
from contraction.certificates.best_norm import certify_in_norm
from contraction.certificates.norms import _optimised, _sum_lyapunov, certify_common_norm
from contraction.maps.spaces import Euclidean, SupNorm

#: Both have spectral radius 1/2, and the first a Euclidean norm above 1.
SHEARS = [np.array([[0.5, 1.0], [0.0, 0.5]]), np.array([[0.5, 0.0], [0.0625, 0.5]])]


def test_the_search_over_triangular_factors_improves_on_its_start() -> None:
    before = max(np.linalg.norm(A, 2) for A in SHEARS)
    found = _optimised(SHEARS, np.eye(2))
    after = max(float(found.operator_norm(A)) for A in SHEARS)
    assert before > 1.2
    assert after < 0.999  # where the search stops
    assert after >= math.sqrt(max(abs(np.linalg.eigvals(SHEARS[0] @ SHEARS[1])))) - 1e-9  # no norm is below


def test_the_sum_over_words_is_a_norm_in_which_every_map_contracts() -> None:
    """Σ_w A_wᵀA_w / k^(2|w|) with k = (1 + r)/2, r² the spectral radius of Σ A⊗A."""
    small = [0.5 * A for A in SHEARS]
    P = _sum_lyapunov(small)
    assert P is not None
    r = math.sqrt(max(abs(np.linalg.eigvals(sum(np.kron(A, A) for A in small)))))
    k = (1 + r) / 2
    for A in small:
        assert np.linalg.eigvalsh(k**2 * P - A.T @ P @ A)[0] > 0
    words = np.eye(2) + sum(A.T @ P @ A for A in small) / k**2
    np.testing.assert_allclose(P, words, rtol=1e-12, atol=1e-12)  # the sum without its first letter is the sum again


def test_the_norm_in_mean_square_is_a_sum_over_words_that_begins_with_the_identity() -> None:
    """P = 1 + S(P) / goal with S(P) = Σ w AᵀPA and goal = r + (1 - r) / 100; in this norm S(P) <= goal P."""
    small, weights = [0.5 * A for A in SHEARS], [0.25, 0.75]
    r = max(abs(np.linalg.eigvals(sum(w * np.kron(A, A) for w, A in zip(weights, small, strict=True)))))
    goal = r + (1 - r) / 100
    space, factor = ct.mean_square_norm(small, weights)
    image = sum(w * A.T @ space.P @ A for w, A in zip(weights, small, strict=True))
    np.testing.assert_allclose(space.P, np.eye(2) + image / goal, rtol=1e-10, atol=1e-10)
    assert r <= factor <= goal * (1 + 1e-9)


def test_no_sum_above_12_dimensions() -> None:
    assert _sum_lyapunov([np.eye(13) / 4] * 2) is None
    assert _sum_lyapunov([np.eye(12) / 4] * 2) is not None


def test_a_moment_below_1_is_named() -> None:
    family = ct.families.FiniteFamily([(A, [1.0, 0.0]) for A in SHEARS])
    bound, reasons = certify_common_norm(family, np.zeros(2), None, 0.5)
    assert bound is None
    assert reasons[-1].startswith("a common norm with factor 0.")
    assert reasons[-1].endswith("needs a moment p ≥ 1, got 0.5")
    assert certify_common_norm(family, np.zeros(2), None, 1.0)[0] is not None


def test_why_a_given_norm_does_not_contract_in_mean_square() -> None:
    family = ct.families.FiniteFamily([(A, [1.0, 0.0]) for A in SHEARS])
    bound, reasons = certify_in_norm(family, np.zeros(2), None, SupNorm())
    assert bound is None
    assert "factors are known in quadratic norms only" in reasons[0]
    mean = sum(A.T @ A for A in SHEARS) / 2
    rho = math.sqrt(np.linalg.eigvalsh(mean)[-1])
    twice = ct.families.FiniteFamily([(2 * A, [1.0, 0.0]) for A in SHEARS])
    bound, reasons = certify_in_norm(twice, np.zeros(2), None, Euclidean())
    assert bound is None
    assert reasons[0].startswith("the factor in mean square in ")
    assert reasons[0].endswith(f" is {2 * rho:.6g}")
    assert rho < 1
    bound, _ = certify_in_norm(family, np.zeros(2), None, Euclidean())
    assert bound is not None
    assert bound.p == 2


def test_matrices_without_probabilities_have_no_mean_square() -> None:
    class Listed(ct.RandomOperator):
        """Independent maps that are listed without their probabilities."""

        def linear_support(self):
            return [(None, SHEARS[0]), (None, SHEARS[1])]

    family = Listed(lambda rng: SHEARS[rng.integers(2)], lambda x, A: x @ A.T + 1)
    bound, reasons = certify_in_norm(family, np.zeros(2), None, Euclidean())
    assert bound is None
    assert "needs independent affine maps that are listed" in reasons[0]


@pytest.mark.control
def test_the_shears_do_not_contract_in_the_norms_that_are_tried_first() -> None:
    assert all(np.linalg.norm(SHEARS[0], p) > 1 for p in (1, 2, np.inf))
