"""Norms of words, changes of metric and moments of factors as the formulas that they stand for."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction.certificates import words as module
from contraction.certificates.bounds import steps
from contraction.certificates.change_of_metric import (
    displacement_in,
    equivalence,
    factor_in,
    norm_of_parts,
    operator_norm_up,
)
from contraction.certificates.leaves import invariant_leaf
from contraction.certificates.moments import _search_stated
from contraction.certificates.words import _mean_power, listed_words, p_mean_factor, word_norms, word_weights
from contraction.families import FiniteFamily, LeastSquares, QuadraticSGD, Uniform
from contraction.maps.errors import DeclarationRefuted, NotCertified
from contraction.maps.known import Known
from contraction.maps.rounding import EPS, cancelled
from contraction.maps.spaces import Euclidean, L1Simplex, Metric, Space, SupNorm, WeightedEuclidean

WEIGHTED = WeightedEuclidean(np.diag([4.0, 9.0]))  # of condition 3/2


def units(found: float, exact: float) -> float:
    return float((F(found) - F(exact)) / F(EPS))


@pytest.mark.parametrize(("space", "condition"), [(Euclidean(), 1.0), (SupNorm(), 1.0), (WEIGHTED, 1.5)])
def test_the_norm_of_one_map_is_rounded_up_by_eight_units_an_entry(space: Space, condition: float) -> None:
    (found,) = word_norms([np.diag([0.5, 0.25])], 1, space)
    assert units(float(found), 0.5) == pytest.approx(8 * 4 * condition * 0.5, abs=1)
    assert word_norms([np.zeros((2, 2))], 1, space).tolist() == [0.0]


@pytest.mark.parametrize("size", [0.5, 3.0])
@pytest.mark.parametrize("q", [2, 3])
def test_norms_of_words_are_rounded_up_by_those_of_their_letters(size: float, q: int) -> None:
    """8 d² units of the norm and of q |A|^q, where the largest Frobenius norm of a letter counts as 1 if it is less."""
    parts = [np.diag([size, 0.0]), np.diag([0.0, 0.25])]
    found = word_norms(parts, q, Euclidean())
    assert found.shape == (2**q,)
    room = q * max(1.0, size) ** q
    for norm, word in zip(found.tolist(), itertools.product(range(2), repeat=q), strict=True):
        exact = size**q if sum(word) == 0 else 0.25**q if sum(word) == q else 0.0
        wanted = 32 * ((exact if exact else 0.0) + room)
        assert units(norm, exact) == pytest.approx(wanted, abs=2 * max(1.0, exact / 0.5))


@pytest.mark.parametrize("q", [1, 2, 3])
def test_an_error_of_each_letter_counts_once_for_every_place(q: int) -> None:
    """q e (|A| + e)^(q - 1), with the largest norm of a letter, and at least 1."""
    for size, top in ((0.5, 1.0), (3.0, 3.0)):
        parts, error = [np.diag([size, 0.0])], 1e-3
        plain, moved = (float(word_norms(parts, q, Euclidean(), e)[0]) for e in (0.0, error))
        assert moved - plain == pytest.approx(q * error * (top + error) ** (q - 1), rel=1e-11)
        assert moved - plain >= q * error * (top + error) ** (q - 1) * (1 - 1e-12)


def test_words_are_listed_with_the_outermost_letter_slowest() -> None:
    parts = [np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [3.0, 1.0]]), np.diag([2.0, 0.5])]
    weights = np.array([0.2, 0.3, 0.5])
    products = module._matrix_words(parts, 2)
    assert word_weights(weights, 1).tolist() == weights.tolist()
    for k, (i, j) in enumerate(itertools.product(range(3), repeat=2)):
        assert products[k].tolist() == (parts[i] @ parts[j]).tolist()
        assert word_weights(weights, 2)[k] == pytest.approx(weights[i] * weights[j], rel=1e-15)
    assert word_weights(weights, 3).shape == (27,)


@pytest.mark.parametrize(("limit", "listed"), [(8, True), (7, False)])
def test_words_are_listed_up_to_a_number(limit: int, listed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORDS_LIMIT", limit)
    parts = [0.5 * np.eye(2), 0.25 * np.eye(2)]
    affine = FiniteFamily([(A, [0.0, 0.0]) for A in parts])
    other = FiniteFamily([lambda x: x / 2, lambda x: x / 4], lipschitz=[0.5, 0.25], dim=2)
    if listed:
        assert module._matrix_words(parts, 3).shape == (8, 2, 2)
        for family in (affine, other):
            found = listed_words(family, 3)
            assert found is not None
            assert found[0].tolist() == [0.125] * 8
            exact = [0.5**3 * 0.5 ** sum(word) for word in itertools.product(range(2), repeat=3)]
            np.testing.assert_allclose(found[1], exact, rtol=1e-10)
    else:
        with pytest.raises(NotCertified, match=r"2\^3 words of length 3 are more than 7 to list"):
            module._matrix_words(parts, 3)
        for family in (affine, other):
            assert listed_words(family, 3) is None
    assert listed_words(FiniteFamily([(0.5 * np.eye(2), [1.0, 0.0])]), 3) is not None  # one map has one word


@pytest.mark.parametrize("p", [0.5, 1.0, 3.0])
def test_means_of_powers_are_rounded_up_by_their_terms(p: float) -> None:
    """2 M + 8 units; a power that underflows counts as 2^-1000, and only the power of 0 is 0."""
    weights, factors = np.array([0.25, 0.75]), np.array([4.0, 1.0])
    exact = 0.25 * 4**p + 0.75
    assert units(_mean_power(weights, factors, p), exact) == pytest.approx(12 * exact, abs=2 * exact)
    assert _mean_power(np.array([0.5, 0.5]), np.array([0.0, 0.0]), p) == 0.0
    assert _mean_power(np.array([1.0]), np.array([1e-200]), 3 * p) >= 2.0**-1000 or p < 1
    assert 2.0**-1000 <= _mean_power(np.array([1.0]), np.array([1e-300]), 4.0) <= 2.0**-1000 * (1 + 1e-14)
    assert _mean_power(np.array([0.5, 0.5]), np.array([1e200, 0.0]), 4.0) == math.inf


def test_which_moments_of_factors_are_known() -> None:
    family = FiniteFamily([(0.5, 1.0), (0.25, 0.0)], [F(1, 4), F(3, 4)])
    single = p_mean_factor(family, 2.0)
    assert single is not None
    assert single.value == pytest.approx(0.25 * 0.25 + 0.75 * 0.0625, rel=1e-12)
    assert single.value >= 0.25 * 0.25 + 0.75 * 0.0625
    double = p_mean_factor(family, 2.0, 2)
    assert double is not None
    assert double.value == pytest.approx(float(single.value) ** 2, rel=1e-10)
    assert double.source == "E Lip^2 over 4 words"
    declared = ct.RandomOperator(
        lambda rng: rng.uniform(), lambda x, u: u * x, known=Known(lipschitz_moment=lambda p: 1 / (p + 1))
    )
    found = p_mean_factor(declared, 3.0)
    assert found is not None
    assert 0.25 * (1 + 64 * EPS) <= found.value <= 0.25 * (1 + 66 * EPS)
    assert (found.origin, found.source) == ("declared", "known.lipschitz_moment(3)")
    assert p_mean_factor(declared, 3.0, 2) is None
    assert p_mean_factor(ct.RandomOperator(lambda rng: 0.0, lambda x, u: x), 1.0) is None


CASES: list[tuple[Space, Space, float]] = [
    (Euclidean(), Euclidean(), 1.0),
    (SupNorm(), Euclidean(), 2.0),
    (Euclidean(), SupNorm(), 1.0),
    (L1Simplex(), Euclidean(), 1.0),
    (Euclidean(), L1Simplex(), 2.0),
    (SupNorm(), L1Simplex(), 4.0),
    (L1Simplex(), SupNorm(), 1.0),
]


@pytest.mark.parametrize(("old", "new", "factor"), CASES, ids=str)
def test_norms_of_four_coordinates_are_compared_by_hand(old: Space, new: Space, factor: float) -> None:
    found = equivalence(old, new, 4)
    assert factor <= found <= factor * (1 + 8 * EPS)
    assert (found == 1.0) is (old == new)
    for x in ([1.0, 0, 0, 0], [1.0, 1, 1, 1], [1.0, -2, 3, 0.5]):
        zero = np.zeros(4)
        assert float(new.distance(x, zero)) <= found * float(old.distance(x, zero))


def test_weighted_norms_are_compared_by_their_singular_values() -> None:
    """8 d² units of the largest one, above and below: |x|_P is at most 3 |x|, and |x| at most |x|_P / 2."""
    room = 8 * 4 * EPS * 3
    assert equivalence(Euclidean(), WEIGHTED, 2) == pytest.approx(3 + room, rel=8 * EPS)
    assert equivalence(WEIGHTED, Euclidean(), 2) == pytest.approx(1 / (2 - room), rel=8 * EPS)
    assert equivalence(SupNorm(), WEIGHTED, 2) == pytest.approx((3 + room) * math.sqrt(2), rel=8 * EPS)
    assert equivalence(Euclidean(), WEIGHTED, 2) > 3
    assert equivalence(WEIGHTED, Euclidean(), 2) > 0.5
    with pytest.raises(NotCertified, match="is not a norm that can be compared"):
        equivalence(Metric(lambda x, y: 0.0), Euclidean(), 2)


@pytest.mark.parametrize(("space", "condition"), [(Euclidean(), 1.0), (SupNorm(), 1.0), (WEIGHTED, 1.5)])
def test_the_largest_norm_of_several_matrices_is_rounded_up(space: Space, condition: float) -> None:
    found = operator_norm_up(space, [np.diag([0.25, 0.0]), np.diag([0.5, -0.125]), np.zeros((2, 2))])
    assert units(found, 0.5) == pytest.approx(32 * condition * 0.5, abs=1.5)
    assert operator_norm_up(space, [np.zeros((2, 2))] * 2) == 0.0
    family = FiniteFamily([(np.diag([0.25, 0.0]), [0.0, 0.0]), (np.diag([0.5, 0.0]), [0.0, 0.0])])
    assert norm_of_parts(family, space, [np.diag([0.5, 0.0])]) == operator_norm_up(space, [np.diag([0.5, 0.0])])
    constant = factor_in(family, space)
    assert constant.value == operator_norm_up(space, [np.diag([0.5, 0.0])])
    assert constant.source == f"largest ‖A_i‖ of 2 in {type(space).__name__}"
    with pytest.raises(NotCertified, match="it has no operator norm"):
        factor_in(family, Metric(lambda x, y: 0.0))
    with pytest.raises(NotCertified, match=r"the linear parts of .* are not known"):
        factor_in(ct.RandomOperator(lambda rng: 0.0, lambda x, u: x), space)


def test_displacements_of_listed_maps_in_another_metric() -> None:
    """From (1, 1) the maps lead by (3, -4) and (0, 1): 4 and 1 in the largest coordinate."""
    family = FiniteFamily([(0.0, [4.0, -3.0]), (0.0, [1.0, 2.0])], [F(1, 4), F(3, 4)])
    theta = np.array([1.0, 1.0])
    surely = displacement_in(family, theta, SupNorm(), None)
    assert surely is not None
    assert (surely.value, surely.source) == (4.0, "largest of 2 maps")
    for p in (1.0, 2.0, 0.5, 40.0):
        mean = displacement_in(family, theta, SupNorm(), p)
        assert mean is not None
        exact = (0.25 * 4**p + 0.75) ** (1 / p)
        assert exact <= mean.value <= exact * (1 + 1e-13 * max(1, 1 / p))
        assert mean.source == "mean over 2 maps"
    one = displacement_in(
        FiniteFamily([(0.0, [4.0, -3.0]), (0.0, [1.0, 1.0])], [F(1, 4), F(3, 4)]), theta, SupNorm(), 2.0
    )
    assert one is not None
    assert 2.0 <= one.value <= 2.0 * (1 + 1e-13)  # the other map does not move
    still = displacement_in(FiniteFamily([(0.5, [0.0, 0.0])]), np.zeros(2), SupNorm(), 2.0)
    assert still is not None
    assert still.value == 0.0


def test_displacements_of_maps_that_are_not_listed_are_those_of_the_family_times_a_factor() -> None:
    family = QuadraticSGD(0.5, Uniform(-1, 1), 4)
    theta = np.ones(4)
    own = family.displacement(theta)
    assert own is not None
    for space, factor in ((SupNorm(), 1.0), (L1Simplex(), 2.0)):
        found = displacement_in(family, theta, space, None)
        assert found is not None
        assert own.value * factor <= found.value <= own.value * factor * (1 + 32 * EPS)
        assert found.source == f"{factor:.4g} times ({own.source})"
        moment, mean = displacement_in(family, theta, space, 2.0), family.displacement_moment(theta, 2.0)
        assert moment is not None
        assert mean is not None
        assert moment.value == pytest.approx(mean.value * factor, rel=1e-13)
    assert displacement_in(ct.RandomOperator(lambda rng: 0.0, lambda x, u: x), theta, SupNorm(), None) is None


def test_letters_on_a_leaf_have_the_error_of_the_leaf_and_that_of_their_terms() -> None:
    family = LeastSquares([[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]], [1.0, 2.0], 0.1)
    theta = np.zeros(3)
    leaf = invariant_leaf(family, theta, True)
    known = family.linear_support()
    assert known is not None
    lost = module.letters_rounding(family, [A for _, A in known], Euclidean())
    assert leaf.error > 0
    assert lost > 0
    parts, weights, metric, error = module.letters(family, theta, True, None)
    assert error == leaf.error + lost
    assert parts is not None
    assert [part.tolist() for part in parts] == [part.tolist() for part in leaf.parts]
    assert weights is not None
    assert weights.tolist() == [0.5, 0.5]
    assert isinstance(metric, Euclidean)
    assert module.letters(family, theta, None, None)[3] == lost
    largest = max(float(np.linalg.norm(A)) for _, A in known)
    assert lost == pytest.approx(float(cancelled(family.linear_terms, 3, largest)), rel=1e-14, abs=0)
    with pytest.raises(ValueError, match="a leaf is certified in the Euclidean distance"):
        module.letters(family, theta, True, SupNorm())
    assert module.letters(QuadraticSGD(0.5, Uniform(-1, 1)), np.zeros(1), None, SupNorm())[2] == SupNorm()
    unknown = ct.RandomOperator(lambda rng: 0.0, lambda x, u: x)
    assert module.letters(unknown, theta, None, None)[:2] == (None, None)


@pytest.mark.parametrize(
    ("k", "C", "eps", "n"), [(0.0, 2.0, 2.0, 0), (0.0, 2.0, 1.0, 1), (0.5, 2.0, 2.0, 0), (0.5, 2.0, 3.0, 0)]
)
def test_no_step_is_needed_where_the_bound_is_small_enough_at_once(k: float, C: float, eps: float, n: int) -> None:
    assert steps(k, C, eps) == n


def test_a_moment_of_factors_is_not_compared_where_one_factor_is_unknown() -> None:
    class Some(ct.RandomOperator):
        def lipschitz(self, draw: Any) -> Any:
            return None if draw == 0 else 5.0

    family = Some(lambda rng: int(rng.integers(3)), lambda x, u: x / 2)
    operators = family.sample(60, 0)
    assert {*operators.draws} == {0, 1, 2}
    _search_stated(family, operators, 0.5, 1.0, 1e-3, 0)
    known = ct.Operators(family, [1, 2] * 30)
    with pytest.raises(DeclarationRefuted, match=r"lipschitz_moment\(1\) = 0\.5 is violated: .* is 5"):
        _search_stated(family, known, 0.5, 1.0, 1e-3, 0)
