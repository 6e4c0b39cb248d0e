"""Bounds on errors of solutions, tails, words and norms as the formulas that they stand for, ties included."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction.certificates import best_norm, norms
from contraction.certificates.average import _enumerated
from contraction.certificates.best_norm import factor_in_norm, iterated_norm
from contraction.certificates.bounds import prefix_tail, product_tail
from contraction.certificates.certify import _check_ball
from contraction.certificates.hypotheses import displacement_rounded_up, no_contraction
from contraction.certificates.mean_square import _factor, _moved, _sizes_about, _textbook
from contraction.certificates.norms import expanding_word
from contraction.certificates.rigorous import operator_norm_ball, positive_definite, vector_norm_ball
from contraction.families import FiniteFamily, QuadraticSGD, Uniform
from contraction.maps.balls import matrix, upper_end, vector
from contraction.maps.constants import Constant
from contraction.maps.errors import NotCertified
from contraction.maps.known import Known
from contraction.maps.rounding import EPS, gamma
from contraction.maps.second_moments import SecondMoments
from contraction.maps.spaces import Euclidean, L1Simplex, SupNorm, WeightedEuclidean


def test_the_error_of_a_solution_is_a_quarter_more_than_its_condition_times_the_changes() -> None:
    """5/4 κ (‖ΔB‖ + (‖ΔL‖ + solved ‖L‖) ‖X‖), with κ = 4, ‖L‖ = √(1/4 + 1/16) and ‖X‖ = 5."""
    found = _moved(np.diag([0.5, 0.25]), 1e-3, np.array([3.0, -4.0]), 1e-2, 1e-4)
    assert found == pytest.approx(1.25 * 4 * (1e-2 + (1e-3 + 1e-4 * math.sqrt(0.3125)) * 5), rel=1e-12)


def test_a_matrix_that_may_be_singular_has_no_solution() -> None:
    """κ (‖ΔL‖ + solved ‖L‖) may be 1/16, and no more; an error that is not finite is none."""
    L, X = np.array([[0.5]]), np.array([1.0])
    assert _moved(L, 2.0**-5, X, 0.0, 0.0) == pytest.approx(2.5 * 2.0**-5, rel=1e-15)
    assert _moved(L, 2.0**-6, X, 0.0, 2.0**-5) == pytest.approx(2.5 * 2.0**-5, rel=1e-15)
    for of_matrix, right, solved in (
        (math.nextafter(2.0**-5, 1), 0.0, 0.0),
        (2.0**-6, 0.0, 2.0**-5 * (1 + 4 * EPS)),
        (0.0, math.inf, 0.0),
        (0.0, math.nan, 0.0),
    ):
        with pytest.raises(NotCertified, match="too ill-conditioned for a bound: condition number 2"):
            _moved(L, of_matrix, X, right, solved)


def test_what_cancels_in_moments_is_counted_by_the_sizes_in_mean_square() -> None:
    """E |A|² = (25 + 1)/2 and E |b|² = (1 + 9)/2 in Frobenius norms; a |θ| + b + |θ| at |θ| = 5."""
    A = np.array([[[3.0, 0.0], [4.0, 0.0]], [[0.0, 1.0], [0.0, 0.0]]])
    moments = SecondMoments.from_maps(A, np.array([[1.0, 0.0], [0.0, -3.0]]), np.array([0.5, 0.5]))
    theta = np.array([3.0, -4.0])
    about = moments.about(theta)
    share, a, moved = _sizes_about(moments, about, theta)
    assert share == pytest.approx(2 * gamma(about.terms + 2 * 4 + 8), rel=1e-12, abs=0)
    assert a == pytest.approx(math.sqrt(13), rel=1e-12)
    assert moved == pytest.approx(math.sqrt(13) * 5 + math.sqrt(5) + 5, rel=1e-12)


@pytest.mark.parametrize("d", [1, 7])
def test_a_factor_in_mean_square_is_the_least_that_is_known_as_well(d: int) -> None:
    """64 d units more, and None where that is 1; a declared factor does not count beside what is proved."""
    family = ct.RandomOperator(lambda rng: 0.0, lambda x, u: x / 2, known=Known(mean_square=0.75))
    common = Constant(0.5, "proved", "k")
    found = _factor(family, d, "declared", None)
    assert found is not None
    assert 0.75 * (1 + 64 * d * EPS) <= found.value <= 0.75 * (1 + (64 * d + 2) * EPS)
    assert _factor(family, d, "proved", None) is None
    least, declared = _factor(family, d, "proved", common), _factor(family, d, "declared", common)
    assert least is not None
    assert declared is not None
    assert 0.5 * (1 + 64 * d * EPS) <= least.value == declared.value <= 0.5 * (1 + (64 * d + 2) * EPS)
    assert _factor(family, d, "proved", Constant(1.0, "proved", "k")) is None
    assert _factor(family, d, "proved", Constant(1 - 30 * d * EPS, "proved", "k")) is None
    near = _factor(family, d, "proved", Constant(1 - 70 * d * EPS, "proved", "k"))
    assert near is not None
    assert near.value < 1


def test_a_stated_factor_in_mean_square_is_taken_as_it_is() -> None:
    family = ct.RandomOperator(
        lambda rng: rng.uniform(-1, 1),
        lambda x, u: x / 2 + u,
        known=Known(mean_square=0.75, displacement_moment=lambda theta, p: 2.0),
    )
    rho = family.mean_square_factor
    assert rho is not None
    bound = _textbook(family, rho, np.zeros(1), None)
    assert bound.k == 0.75
    assert 2.0 <= bound.D <= 2.0 * (1 + 1e-14)
    proved = _textbook(family, Constant(0.75, "proved", "rho"), np.zeros(1), None)
    assert 0.75 * (1 + 64 * EPS) <= proved.k <= 0.75 * (1 + 66 * EPS)
    assert _textbook(family, Constant(0.0, "proved", "rho"), np.zeros(1), None).k == 0.0
    with pytest.raises(NotCertified, match="rounds to 1"):
        _textbook(family, Constant(1 - 30 * EPS, "proved", "rho"), np.zeros(1), None)


def test_a_displacement_is_rounded_up_by_its_size_and_that_of_the_start() -> None:
    """(d + 4) 2^-52 (D + √d max |θ|), and the next float of an exact number."""
    c = Constant(2.0, "proved", "D")
    theta = np.array([1.0, -30.0, 0.0])
    added = F(displacement_rounded_up(c, theta).value) - 2
    assert 7 * EPS * (2 + math.sqrt(3) * 30) <= added <= 7 * EPS * (2 + math.sqrt(3) * 30) + 4 * EPS
    alone = F(displacement_rounded_up(c, np.array(0.0)).value) - 2
    assert 5 * EPS * 2 <= alone <= 5 * EPS * 2 + 4 * EPS
    third = Constant(F(1, 3), "proved", "D")  # type: ignore[arg-type]
    exact = displacement_rounded_up(third, np.array([F(1)], dtype=object)).value
    assert F(math.nextafter(exact, 0)) < F(1, 3) <= F(exact)
    assert displacement_rounded_up(Constant(math.inf, "proved", "D"), theta).value == math.inf


def test_tails_of_products_stop_at_a_factor_of_zero() -> None:
    """K_1 … K_n D / (1 - k), rounded up; exact for Fractions."""
    found = product_tail([0.5, 0.3, 0.0, 0.5], 0.5, 3.0)
    exact = [F(6), F(3), F(3) * F(0.3), F(0), F(0)]
    for value, true in zip(found.tolist(), exact, strict=True):
        assert true <= F(value) <= true * (1 + 24 * F(EPS))
    assert product_tail([0.5], 0.5, 0.0).tolist() == [0.0, 0.0]
    small = product_tail([1e-200, 1e-200], 0.5, 1e-10)
    assert small[2] == 5e-324 or small[2] == 1e-323
    rational = product_tail(np.array([F(1, 2), F(1, 3)], dtype=object), F(1, 2), 3)
    assert rational.tolist() == [F(6), F(3), F(1)]
    replicas = product_tail(np.array([[0.5, 0.25], [0.5, 0.0]]), 0.5, 1.0)
    assert replicas.shape == (3, 2)
    assert replicas[2, 1] == 0.0


def test_tails_of_prefixes_are_sums_from_the_end() -> None:
    """Σ_(i > n) L_(i-1) d_i: 2 + 1.5 + 0.25 = 3.75, 1.75, 0.25 and 0."""
    L, d = np.array([1.0, 0.5, 0.25, 7.0]), np.array([2.0, 3.0, 1.0])
    found = prefix_tail(L, d)
    for value, true in zip(found.tolist(), (3.75, 1.75, 0.25, 0.0), strict=True):
        assert true * (1 + 16 * EPS) <= value <= true * (1 + 24 * EPS)
    exact = prefix_tail(np.array([F(1), F(1, 2), F(1, 4)], dtype=object), np.array([2, 3]))
    assert exact.tolist() == [F(7, 2), F(3, 2), F(0)]
    assert prefix_tail([1.0], []).tolist() == [0.0]
    both = prefix_tail(np.ones((3, 2)), np.array([[1.0, 2.0], [3.0, 4.0]]))
    np.testing.assert_allclose(both, [[4, 6], [3, 4], [0, 0]], rtol=1e-13)
    for wrong in (np.ones(2), np.ones(5)):
        with pytest.raises(ValueError, match="is needed for n = 0 … N"):
            prefix_tail(wrong, d)


@pytest.mark.parametrize("count", [2, 50])
def test_a_mean_of_logarithms_is_off_by_its_terms(count: int) -> None:
    """(M + 8) 2^-52 Σ w |log K| for M words, those without weight included; no word with weight may vanish."""
    weights = np.array([0.5, 0.5, *[0.0] * (count - 2)])
    found = _enumerated(weights, np.array([0.5, 0.5, *[0.0] * (count - 2)]), "proved", 1)
    units = (found.upper - found.exponent) / EPS
    assert (count + 8) * math.log(2) - 0.5 <= units <= (count + 8) * math.log(2) + 0.5
    assert found.exponent == pytest.approx(math.log(0.5), rel=1e-15)
    assert found.words == 2
    mixed = _enumerated(np.array([0.25, 0.75]), np.array([4.0, 0.5]), "proved", 2)
    assert mixed.exponent == pytest.approx((0.25 * math.log(4) + 0.75 * math.log(0.5)) / 2, rel=1e-14)
    zero = _enumerated(np.array([0.25, 0.75]), np.array([4.0, 0.0]), "proved", 2)
    assert (zero.exponent, zero.upper) == (-math.inf, -math.inf)


def test_expanding_words_are_looked_for_as_far_as_it_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both squares vanish, and the product has the eigenvalue 2: four words of two maps, 4 · 2 · 2³ multiplications."""
    A, B = np.array([[0.0, 2.0], [0.0, 0.0]]), np.array([[0.0, 0.0], [1.0, 0.0]])
    assert expanding_word([A, B]) == ((1, 2), 2.0)
    assert expanding_word([A, B], 2) == ((1, 2), 2.0)
    assert expanding_word([A, B], 1) is None
    assert expanding_word([B, 0.5 * A]) == ((1, 2), 1.0)
    assert expanding_word([np.array([[1.0]])], 1) == ((1,), 1.0)
    for name, least in (("WORDS_TRIED", 4), ("WORK", 64)):
        with monkeypatch.context() as patched:
            patched.setattr(norms, name, least)
            assert expanding_word([A, B]) == ((1, 2), 2.0)
            patched.setattr(norms, name, least - 1)
            assert expanding_word([A, B]) is None
            assert expanding_word([3 * np.eye(2), B]) == ((1,), 3.0)  # one map alone is always looked at


SPD: list[list[list[float]]] = [
    [[1.0, 0.0], [0.0, 1.0]],
    [[2.0, 1.0], [1.0, 2.0]],
    [[1.0, 1 - 2.0**-20], [1 - 2.0**-20, 1.0]],
    [[1.0, 1 - 2.0**-30], [1 - 2.0**-30, 1.0]],
]


def is_definite(S: list[list[F]]) -> bool:
    return S[0][0] >= 0 and S[1][1] >= 0 and S[0][0] * S[1][1] - S[0][1] ** 2 >= 0


def of_fractions(P: Any, A: Any, s: F) -> list[list[F]]:
    """s² P - Aᵀ P A in rational numbers."""
    P, A = ([[F(x) for x in row] for row in M] for M in (P, A))
    return [
        [s * s * P[i][j] - sum(A[k][i] * P[k][m] * A[m][j] for k in range(2) for m in range(2)) for j in range(2)]
        for i in range(2)
    ]


@pytest.mark.parametrize("P", SPD, ids=["I", "moderate", "2^-20", "2^-30"])
def test_a_proved_norm_bounds_the_exact_one_and_is_near_it(P: list[list[float]]) -> None:
    """s² P - Aᵀ P A is positive semidefinite in rational numbers; for a moderate P s is near the least."""
    space = Euclidean() if SPD[0] == P else WeightedEuclidean(np.array(P))
    for a, b, c, d in itertools.product((1.0, -0.3), (0.7, 2.0), (0.1, -3.0), (0.9,)):
        A = [[a, b], [c, d]]
        s = upper_end(operator_norm_ball(space, matrix(A)))
        assert is_definite(of_fractions(P, A, s))
        if P in SPD[:2]:
            assert not is_definite(of_fractions(P, A, s * (1 - F(1, 2**40))))


def test_norms_in_balls_by_hand() -> None:
    A = matrix([[1.0, -2.0], [0.5, 3.0]])
    assert upper_end(operator_norm_ball(SupNorm(), A)) == F(7, 2)
    assert upper_end(operator_norm_ball(L1Simplex(), A)) == 5
    assert upper_end(operator_norm_ball(Euclidean(), matrix([[1.0, 0.0], [0.0, -3.0]]))) == 3
    assert upper_end(operator_norm_ball(Euclidean(), matrix([[-4.0, 0.0], [0.0, 3.0]]))) == 4
    v = vector([3.0, -4.0])
    norms_of_v = (
        (Euclidean(), 5),
        (SupNorm(), 4),
        (L1Simplex(), 7),
        (WeightedEuclidean(np.diag([1.0, 0.25])), F(13) ** F(1, 2)),
    )
    for space, value in norms_of_v:
        assert float(upper_end(vector_norm_ball(space, v))) == pytest.approx(float(value), rel=1e-15)
    for M, good in (
        ([[2.0, 1.0], [1.0, 2.0]], True),
        ([[1.0, 1.0], [1.0, 1.0]], False),
        ([[0.0, 0.0], [0.0, 1.0]], False),
        ([[4.0, 2.0, 0.0], [2.0, 2.0, 1.0], [0.0, 1.0, 1.5]], True),
        ([[4.0, 2.0, 0.0], [2.0, 2.0, 1.0], [0.0, 1.0, 0.5]], False),
        ([[4.0, 4.0, 0.0], [4.0, 2.0, 0.0], [0.0, 0.0, 1.0]], False),
    ):
        assert positive_definite(matrix(M)) is good


def test_the_room_of_a_factor_in_mean_square_is_that_of_its_sums() -> None:
    """8 d² (M + 8) 2^-52 times the condition squared and the size of E |A|², or 1 if that is less."""
    for parts, top, size in (
        ([(1.0, np.diag([0.5, 0.25]))], 0.25, 1.0),
        ([(0.5, np.diag([30.0, 0.0])), (0.5, np.diag([0.0, 40.0]))], 800.0, 1250.0),
        ([(1.0, np.zeros((2, 2)))], 0.0, 1.0),
    ):
        found = factor_in_norm(parts, WeightedEuclidean(np.eye(2)))
        room = 8 * 4 * (len(parts) + 8) * EPS * size
        assert found - top == pytest.approx(room, rel=0.01 if top < 1 else 0.01 + 2 * EPS * top / room, abs=0)


def test_a_search_for_a_norm_needs_room_for_a_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """6 M d³ multiplications a step."""
    parts = [(0.5, np.array([[0.5, 1.0], [0.0, 0.25]])), (0.5, np.array([[0.25, 0.0], [-1.0, 0.5]]))]
    step = 6 * 2 * 8
    monkeypatch.setattr(best_norm, "WORK", best_norm.FEWEST * step)
    assert iterated_norm(parts)[1] < 1.2
    monkeypatch.setattr(best_norm, "WORK", best_norm.FEWEST * step - 1)
    with pytest.raises(NotCertified, match=r"is not searched for: .* with 2 matrices of 2 by 2 numbers"):
        iterated_norm(parts)


def test_why_there_is_no_contraction_and_what_may_help() -> None:
    family, k = QuadraticSGD(2.5, Uniform(-1, 1)), Constant(1.5, "proved", "|1 − h|")
    different = FiniteFamily([(2.0, 0.0), (0.5, 1.0)])
    for one, moment, tried, offered in (
        (family, None, (), ()),
        (family, None, ("Euclidean norm 1.5",), ("q= for contraction after q maps",)),
        (different, None, (), ("moment=p for contraction in p-mean", "contraction on average: average_contraction")),
        (different, 2.0, (), ("contraction on average: average_contraction",)),
    ):
        error = no_contraction(one, k, tried, moment, "another way")
        assert error.tried == tried
        assert ("; no common norm was found" in error.hypothesis) is bool(tried)
        assert {*error.alternatives} == {
            *offered,
            "another way",
            "certify the drawn operators, which bounds d(θ_N, θ_n)",
        }
    assert no_contraction(different, k, (), None).alternatives[0] == "moment=p for contraction in p-mean"


def test_a_start_may_lie_on_the_edge_of_the_ball() -> None:
    """(1 - k) r, with 1 - k rounded down, may be D itself, and r the distance of the start."""
    k, room = Constant(0.5, "proved", "k"), math.nextafter(0.5, 0) * 2.0
    _check_ball(k, Constant(room, "proved", "D"), Constant(2.0, "proved", "r"), 2.0)
    _check_ball(k, Constant(room, "proved", "D"), None, 2.0)
    with pytest.raises(NotCertified, match=r"the start lies outside the ball: d\(θ_0, start\) = 2 > r = 2"):
        _check_ball(k, Constant(room, "proved", "D"), Constant(math.nextafter(2.0, 3), "proved", "r"), 2.0)
    with pytest.raises(NotCertified, match=r"is larger than \(1−k\)r = 1") as refused:
        _check_ball(k, Constant(math.nextafter(room, 2), "proved", "D"), None, 2.0)
    assert refused.value.alternatives[0] == "a radius of at least D/(1−k) = 2, if k holds there"
