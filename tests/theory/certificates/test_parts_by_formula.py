"""Small parts of certificates as the formulas that their docstrings state, with exact ties among the arguments."""

from __future__ import annotations

import math
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction.certificates.best_norm import factor_in_norm
from contraction.certificates.blocks import after_blocks, p_after_blocks
from contraction.certificates.change_of_metric import equivalence, factor_in, operator_norm_up
from contraction.certificates.hypotheses import displacement_rounded_up, factor_rounded_up
from contraction.certificates.leaves import check_on_leaf
from contraction.certificates.mean_square import EXACT_DIM, certify_mean_square, mean_square_norm
from contraction.certificates.moments import search_declared_moments, search_second_moments
from contraction.certificates.norms import _optimised
from contraction.certificates.overrides import search_lists
from contraction.certificates.region_epochs import drift
from contraction.certificates.step_bounds import StepBounds, curvature_bounds, step_factor
from contraction.families import Cyclic, FiniteFamily, LinearizedSGD, Reshuffled
from contraction.maps.constants import Constant
from contraction.maps.domains import RotatedBox
from contraction.maps.errors import DeclarationRefuted, NotCertified
from contraction.maps.intervals import Intervals
from contraction.maps.known import Known
from contraction.maps.rounding import EPS, round_up
from contraction.maps.second_moments import SecondMoments
from contraction.maps.spaces import Euclidean, L1Simplex, Metric, SupNorm, WeightedEuclidean
from contraction.maps.step_enclosures import StepEnclosure


@pytest.mark.parametrize(
    ("ball", "D", "good"), [(4.0, 2.0, True), (4.0, 2.0 + 1e-9, False), (0.5, 0.25, True), (0.5, 0.3, False)]
)
def test_a_ball_is_invariant_up_to_the_tie_in_ball_arithmetic(ball: float, D: float, good: bool) -> None:
    """With k = 1/2 the ball of radius r is invariant if and only if D <= r/2, and all numbers are exact."""
    family = ct.RandomOperator(lambda rng: 0.0, lambda x, u: x / 2 + u, contraction=0.5, displacement=D)
    if good:
        assert ct.certify(family, [0.0], ball=ball, rigorous=True).D == D
    else:
        with pytest.raises(NotCertified, match=rf"the ball B\(θ_0, {ball:g}\) is not invariant"):
            ct.certify(family, [0.0], ball=ball, rigorous=True)


def test_the_exact_dimension_is_the_last_in_which_the_norm_is_solved_for() -> None:
    """With slack 1 the goal is the factor 1: P = I + S(P), which for A = I/2 is 4/3 I; the iteration scales P to I."""
    for d, scale in ((EXACT_DIM, 4 / 3), (EXACT_DIM + 1, 1.0)):
        space, factor = mean_square_norm([np.eye(d) / 2], [1.0], slack=1.0)
        np.testing.assert_allclose(space.P, scale * np.eye(d), rtol=1e-9, atol=1e-12)
        assert factor == pytest.approx(0.25, rel=1e-6)


@pytest.mark.parametrize("d", [1, 3])
def test_a_proved_factor_in_mean_square_is_rounded_up_by_64_d_units(d: int) -> None:
    class Own(ct.RandomOperator):
        @property
        def mean_square_factor(self) -> ct.Constant:
            return ct.Constant(0.5, "proved", "mine")

        def displacement_moment(self, theta0: Any, p: float) -> ct.Constant:
            return ct.Constant(1.0, "proved", "mine")

    own = Own(lambda rng: rng.choice([-1.0, 1.0]), lambda x, u: np.sin(x) / 2 + u * np.eye(d)[0])
    found = ct.certify(own, np.zeros(d), moment=2.0)
    assert found.statement == "mean-square contraction"
    assert found.k == float(round_up(0.5, 64 * d))
    stated = ct.RandomOperator(
        lambda rng: rng.choice([-1.0, 1.0]),
        lambda x, u: np.sin(x) / 2 + u * np.eye(d)[0],
        known=Known(mean_square=0.5, displacement_moment=lambda p, theta: 1.0),
    )
    assert ct.certify(stated, np.zeros(d), moment=2.0).k == 0.5  # as declared


@pytest.mark.parametrize("ratio", [1.0, 16.0, 1024.0])
def test_a_mean_square_factor_allows_for_the_condition_of_its_norm_squared(ratio: float) -> None:
    """‖A‖_P² is 1/4 for A = I/2; the room is 8 d² (M + 8) ε κ² max(1, Σ w ‖A‖_F²), κ the condition."""
    space = WeightedEuclidean(np.diag([1.0, ratio**2]))
    for parts, size in (([(1.0, np.eye(2) / 2)], 1.0), ([(0.5, 4 * np.eye(2))] * 2, 32.0)):
        exact = 0.25 if size == 1 else 16.0
        room = 8 * 4 * (len(parts) + 8) * EPS * ratio**2 * size
        assert factor_in_norm(parts, space) - exact == pytest.approx(room, rel=0.02, abs=4 * EPS * exact)


def test_norms_in_other_spaces_are_rounded_up_and_zeros_stay() -> None:
    zero, A = np.zeros((2, 2)), np.array([[0.5, 0.0], [0.0, 0.25]])
    assert operator_norm_up(SupNorm(), [zero, zero]) == 0.0
    for parts in ([zero, A], [A, zero], [A]):
        assert operator_norm_up(SupNorm(), parts) == float(round_up(0.5, 8 * 4))
    stretched = WeightedEuclidean(np.diag([1.0, 100.0]))
    assert operator_norm_up(stretched, [A]) == pytest.approx(float(round_up(0.5, 8 * 4 * 10)), abs=4 * EPS)
    one, two = FiniteFamily([(A, [0.0, 1.0])]), FiniteFamily([(A, [0.0, 1.0]), (zero, [1.0, 0.0])])
    assert factor_in(one, SupNorm()).source == "‖A‖ in SupNorm"
    assert factor_in(two, SupNorm()).source == "largest ‖A_i‖ of 2 in SupNorm"
    with pytest.raises(NotCertified, match="it has no operator norm"):
        factor_in(one, Metric(lambda x, y: np.abs(x - y).sum(axis=-1)))
    with pytest.raises(NotCertified, match="are not known"):
        factor_in(ct.RandomOperator(lambda rng: 0.0, lambda x, u: np.sin(x)), SupNorm())


@pytest.mark.parametrize("d", [1, 2, 5])
def test_norms_are_within_their_equivalence_and_attain_it(d: int) -> None:
    P = WeightedEuclidean(np.diag(4.0 ** np.arange(d)))
    spaces = {"2": Euclidean(), "sup": SupNorm(), "1": L1Simplex(), "P": P}
    exact = {
        ("2", "sup"): 1.0,
        ("sup", "2"): d**0.5,
        ("1", "2"): 1.0,
        ("2", "1"): d**0.5,
        ("2", "P"): 2.0 ** (d - 1),
        ("P", "2"): 1.0,
        ("P", "P"): 1.0,
    }
    for (old, new), c in exact.items():
        assert equivalence(spaces[old], spaces[new], d) == pytest.approx(c, rel=1e-9)
        assert equivalence(spaces[old], spaces[new], d) >= c
    with pytest.raises(NotCertified, match="is not a norm that can be compared"):
        equivalence(Metric(lambda x, y: np.abs(x - y).sum(axis=-1)), Euclidean(), d)


@pytest.mark.parametrize("scale", [1.0, 1e-20, 1e20])
def test_the_length_of_the_vectors_of_a_leaf_does_not_matter(scale: float) -> None:
    family = ct.families.LeastSquares(np.eye(3)[:2], [1.0, 2.0], h=0.5)
    Q = ct.leaf_basis(family, np.zeros(3), scale * np.array([[1.0, 1.0], [0.0, 1.0], [0.0, 0.0]]))
    assert Q.shape == (3, 2)
    np.testing.assert_allclose(Q @ Q.T, np.diag([1.0, 1.0, 0.0]), atol=1e-14)
    twice = ct.leaf_basis(family, np.zeros(3), scale * np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]))
    assert twice.shape == (3, 2)
    line = FiniteFamily([(np.eye(3) / 2, [1.0, 0.0, 0.0])])
    almost = ct.leaf_basis(line, np.zeros(3), scale * np.array([[1.0, 1.0], [0.0, 1e-17], [0.0, 0.0]]))
    assert almost.shape == (3, 2)  # the numbers of a basis are taken as exact
    with pytest.raises(ValueError, match="at least one direction that is not zero"):
        ct.leaf_basis(family, np.zeros(3), np.zeros((3, 2)))


@pytest.mark.parametrize("kappa", [0.0, 0.25])
def test_blocks_by_fractions(kappa: float) -> None:
    """D (L_s + … + L_(q-1) + kappa/(1 - kappa) Σ L) kappa^m + r L_s kappa^m at n = m q + s."""
    L = [1.0, 3.0, 0.5]
    for D, r in ((2.0, 0.0), (0.0, 3.0), (2.0, 3.0), (0.0, 0.0)):
        for n in range(8):
            m, s = divmod(n, 3)
            whole = F(kappa) / (1 - F(kappa)) * sum(map(F, L))
            exact = (F(D) * (sum(map(F, L[s:])) + whole) + F(r) * F(L[s])) * F(kappa) ** m
            found = float(after_blocks(L, kappa, D, n, r))
            assert exact <= F(found) <= exact * (1 + F(2.0**-44))
    assert float(after_blocks([1.0, 0.0], 0.5, 0.0, 1, 3.0)) == 0.0
    assert float(after_blocks([1.0, 1e-200], 0.0, 0.0, 1, 1e-200)) > 0  # positive although the product underflows
    assert float(after_blocks([1.0, 1e-200], 0.0, 1e-200, 1, 0.0)) > 0
    half = float(p_after_blocks([1.0], 0.25, 0.5, 4.0, 1))  # E √d <= 2 (1/4) / (3/4), squared
    assert F(4, 9) <= F(half) <= F(4, 9) * (1 + F(2.0**-44))
    two = float(p_after_blocks([1.0], 0.25, 2.0, 4.0, 1))  # kappa = 1/2
    assert 4 <= two <= 4 * (1 + 2.0**-44)


def test_true_moments_of_maps_without_offsets_are_accepted() -> None:
    """At x = 0 and c = 0 the claimed mean of |T x - c|² is exactly 0, and so is what is drawn."""
    family = FiniteFamily([(0.5, 0.0), (-0.5, 0.0)])
    moments = family.second_moments()
    assert moments is not None
    search_second_moments(family, np.zeros(1), moments, 0)
    for of, wrong in (("EAA", 0.2), ("EA", 0.4), ("Ebb", -0.01)):
        numbers = {name: getattr(moments, name) for name in ("EA", "Eb", "EAA", "EAb", "EbA", "Ebb")}
        numbers[of] = np.full_like(numbers[of], wrong)
        with pytest.raises(DeclarationRefuted, match=r"the given moments= of .* are violated"):
            search_second_moments(family, np.zeros(1), SecondMoments(**numbers), 0)


def test_moments_of_offsets_enter_with_their_sign() -> None:
    """T x = a x + b with (a, b) = (1/2, 1) or (1/4, 3): E a b differs from 0."""
    family = FiniteFamily([(0.5, 1.0), (0.25, 3.0)])
    moments = family.second_moments()
    assert moments is not None
    search_second_moments(family, np.array([2.0]), moments, 1)
    numbers = {name: getattr(moments, name) for name in ("EA", "Eb", "EAA", "EAb", "EbA", "Ebb")}
    with pytest.raises(DeclarationRefuted, match=r"the given moments= of .* are violated"):
        search_second_moments(family, np.array([2.0]), SecondMoments(**numbers | {"EAb": -numbers["EAb"]}), 1)


@pytest.mark.parametrize(("p", "refused"), [(2.0, True), (1.0, False), (3.0, False)])
def test_a_factor_in_mean_square_is_searched_for_the_second_moment_alone(p: float, refused: bool) -> None:
    wrong = ct.RandomOperator(
        lambda rng: rng.choice([-1.0, 1.0]), lambda x, u: 0.9 * x + u, known=Known(mean_square=0.5)
    )
    if refused:
        with pytest.raises(DeclarationRefuted, match=r"the declared mean_square = 0\.5 is violated"):
            search_declared_moments(wrong, np.zeros(1), p, 0)
    else:
        search_declared_moments(wrong, np.zeros(1), p, 0)


def steps(pulls: list[list[float]], slope: float = 0.0, rad: float = 0.0) -> list[StepBounds]:
    d = len(pulls[0])
    return [
        StepBounds(0.1, Intervals(np.array(p), np.full(d, rad)), Intervals(slope * np.eye(d)), np.zeros((d, d)))
        for p in pulls
    ]


def test_how_far_an_epoch_leads_by_hand() -> None:
    """Pulls 1, -2, 4: the largest sums of one, two and three of one sign are 4, 5 and 5; h = 1/10."""
    s, aside = drift(steps([[1.0], [-2.0], [4.0]]), 0.1, np.array([2.0]))
    assert s.tolist() == pytest.approx([0.5], rel=1e-12)
    assert aside.tolist() == [pytest.approx(0.0, abs=1e-290)]
    # with curvature 1/2 over a box of radius 2 each step may turn by 1 more: sums 5, 7 and 8, and h · 1/2 · h (5 + 7)
    s, aside = drift(steps([[1.0], [-2.0], [4.0]], 0.5), 0.1, np.array([2.0]))
    assert s.tolist() == pytest.approx([0.8], rel=1e-12)
    assert aside.tolist() == pytest.approx([0.1 * 0.5 * 0.1 * 12], rel=1e-12)
    s, _ = drift(steps([[1.0], [-2.0], [4.0]], rad=0.5), 0.1, np.array([2.0]))  # pulls of up to 1.5, -2.5 and 4.5
    assert s.tolist() == pytest.approx([0.6], rel=1e-12)
    s, aside = drift(steps([[-3.0, 1.0]], 0.5), 0.1, np.array([2.0, 4.0]))
    assert s.tolist() == pytest.approx([0.4, 0.3], rel=1e-12)
    assert aside.tolist() == [pytest.approx(0.0, abs=1e-290)] * 2


def test_curvature_of_a_matrix_that_varies_on_one_side_only() -> None:
    """H = [[2, e], [e, 1]] with |e| <= 1/2, as one of the two radii says: eigenvalues within 3/2 ± √(1/2)."""
    exact = 1.5 - math.sqrt(0.5), 1.5 + math.sqrt(0.5)
    region = RotatedBox(np.zeros(2), np.ones(2), np.eye(2))
    for rad in ([[0.0, 0.5], [0.0, 0.0]], [[0.0, 0.0], [0.5, 0.0]], [[0.0, 0.5], [0.5, 0.0]]):
        step = StepEnclosure(
            0.1, Intervals(np.zeros(2)), Intervals(np.diag([2.0, 1.0]), np.array(rad)), Intervals(np.zeros((2, 2, 2)))
        )
        m, M = curvature_bounds(step, region)
        assert m <= exact[0]
        assert exact[1] <= M < 3.3
        assert m > 0.5
    assert step_factor(0.1, -1.0, 5.0) == pytest.approx(1.1, rel=1e-12)
    assert step_factor(0.5, 1.0, 5.0) == pytest.approx(1.5, rel=1e-12)


def test_the_factor_of_drawn_maps_is_the_largest_ratio_of_their_products() -> None:
    for slopes, k in (((0.5, 0.25), 0.5), ((2.0, 0.25), 2.0)):
        operators = FiniteFamily([(a, 1.0) for a in slopes]).sample(12, 1)
        assert {int(d) for d in operators.draws} == {0, 1}
        assert ct.certify(operators, 0.0).k == pytest.approx(k, rel=1e-9)
    gone = FiniteFamily([(0.0, 1.0)]).sample(3)
    assert ct.certify(gone, 0.0).k == 0.0


@pytest.mark.parametrize("bad", [[np.inf, 0.0], [0.0, -np.inf], [np.nan, 0.0]], ids=str)
def test_every_coordinate_of_a_reference_point_is_finite(bad: list[float]) -> None:
    family = FiniteFamily([(np.eye(2) / 2, [0.0, 1.0])])
    with pytest.raises(ValueError, match=r"must be finite|must not contain NaN"):
        ct.certify(family, bad)


@pytest.mark.parametrize("listed", [3, 2])
def test_a_list_that_lacks_one_of_the_maps_is_refused(listed: int) -> None:
    """Three maps of equal chance, of which a user's class lists all or two."""

    class Own(FiniteFamily):
        def finite_support(self) -> Any:
            return [(F(1, listed), i) for i in range(listed)]

    own = Own([(0.5, 0.0), (0.5, 1.0), (0.5, 2.0)])
    if listed == 3:
        search_lists(own, np.zeros(1), 0)
    else:
        with pytest.raises(DeclarationRefuted, match=r"finite_support\(\) does not list T_\d+ of "):
            search_lists(own, np.zeros(1), 0)


@pytest.mark.parametrize("shear", [0.0, 3.0, -5.0])
def test_the_optimised_norm_is_the_one_in_which_sheared_rotations_are_short(shear: float) -> None:
    """A = S^-1 (0.6 Q) S with rotations Q have norm 0.6 for P = SᵀS, and for no P near SSᵀ."""
    S = np.array([[1.0, shear], [0.0, 1.0]])
    turns = [np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]]) for a in (0.3, 1.7)]
    matrices = [np.linalg.inv(S) @ (0.6 * Q) @ S for Q in turns]
    space = _optimised(matrices, np.eye(2))
    assert max(float(space.operator_norm(A)) for A in matrices) < 0.999
    if shear:
        assert max(float(Euclidean().operator_norm(A)) for A in matrices) > 1.5


def test_a_start_lies_on_the_leaf_through_the_point() -> None:
    V, theta = np.array([[1.0], [0.0], [0.0]]), np.array([5.0, -2.0, 1.0])
    check_on_leaf(theta, theta + 7 * V[:, 0], V)
    check_on_leaf(theta, theta, V)
    for off in (np.array([0.0, 1e-6, 0.0]), -2 * theta):
        with pytest.raises(NotCertified, match="the start is off the leaf of θ_0 by"):
            check_on_leaf(theta, theta + off, V)


def test_mean_squares_need_independent_maps_and_floats() -> None:
    maps = [(0.5, 1.0), (0.25, 0.0)]
    assert certify_mean_square(FiniteFamily(maps), np.zeros(1), None, None) is not None
    assert certify_mean_square(FiniteFamily(maps), np.array([F(1)]), None, None) is None
    assert certify_mean_square(FiniteFamily(maps, law=Reshuffled(2)), np.zeros(1), None, None) is None
    for law in (Reshuffled(2), Cyclic(2)):
        with pytest.raises(NotCertified, match="contraction in p-mean needs independent maps with one law"):
            ct.certify(FiniteFamily(maps, law=law), 0.0, q=2, moment=1.0)
    assert ct.certify(FiniteFamily(maps), 0.0, q=2, moment=1.0).certified


@pytest.mark.parametrize("theta", [[0.0, 1e8], [1e8, 0.0], [-3.0, 1.0], [0.0, 0.0]], ids=str)
def test_displacements_are_rounded_up_by_the_largest_coordinate(theta: list[float]) -> None:
    """(d + 4) ε (D + √d max |θ_j|), d = 2, and one float more."""
    for value in (1.0, 1e-3):
        found = displacement_rounded_up(Constant(value, "proved", ""), np.array(theta)).value
        slack = 6 * EPS * (value + math.sqrt(2) * max(map(abs, theta)))
        assert value + slack <= found <= np.nextafter(np.nextafter(value + slack, 9e9), 9e9)
    unmoved = displacement_rounded_up(Constant(0.0, "proved", ""), np.array(theta)).value
    slack = 6 * EPS * math.sqrt(2) * max(map(abs, theta))
    assert slack <= unmoved <= np.nextafter(np.nextafter(slack, 9e9), 9e9)
    assert displacement_rounded_up(Constant(0.0, "proved", ""), np.zeros(2)).value == 0.0
    assert displacement_rounded_up(Constant(0.0, "declared", ""), np.array(theta)).value == 0.0
    assert displacement_rounded_up(Constant(1.0, "declared", ""), np.array(theta)).value == 1.0
    assert displacement_rounded_up(Constant(math.inf, "proved", ""), np.array(theta)).value == math.inf
    assert displacement_rounded_up(Constant(1.0, "proved", ""), np.array([F(1), F(2)])).value == 1.0


@pytest.mark.parametrize(
    ("origin", "constant", "found"),
    [("proved", False, EPS), ("proved", True, 0.0), ("declared", False, 0.0), ("measured", False, 0.0)],
)
def test_a_factor_of_zero_is_exact_unless_it_is_computed(origin: str, constant: bool, found: float) -> None:
    """0.1 · 10 is 1 in floats and not in truth, 0.5 · 2 is 1 in both."""
    family = LinearizedSGD([0.0], [[2.0]], 0.5) if constant else LinearizedSGD([0.0], [[10.0]], 0.1)
    assert family.is_constant == constant
    assert factor_rounded_up(Constant(0.0, origin, ""), np.ones(1), family).value == found


@pytest.mark.parametrize(("slope", "start"), [(0.9, 1.0), (0.7, 3.0), (0.3, 1e6), (-0.6, -7.0)])
def test_a_displacement_computed_as_zero_covers_the_true_one(slope: float, start: float) -> None:
    """The map of floats x ↦ slope x + (start - slope start) moves the start by some roundings, which floats do not see.

    Its fixed point is exact in Fractions; at the start 0 of x ↦ slope x nothing rounds, and D = 0 is right.
    """
    shift = start - slope * start
    certificate = ct.certify(ct.families.RandomAffine([slope], [[shift]]), start)
    assert abs(F(shift) / (1 - F(slope)) - F(start)) <= F(float(certificate.bound(0)))
    assert 1e-13 * abs(start) > certificate.D  # and by no more than some roundings
    assert ct.certify(ct.families.RandomAffine([slope], [[0.0]]), 0.0).D == 0


@pytest.mark.parametrize("d", [1, 2, 5])
def test_factors_are_rounded_up_by_the_units_of_their_eigenvalues(d: int) -> None:
    """(1 + k) ε for a number, 2 d times as much for matrices; a proved factor of 0 only if the maps are constant."""
    family, constant = ct.families.QuadraticSGD(0.5, dim=d), ct.families.ConstantMaps(np.zeros((1, d)))
    units = 1 if d == 1 else 2 * d
    found = factor_rounded_up(Constant(0.5, "proved", ""), np.zeros(d), family).value
    assert found == np.nextafter(0.5 + 1.5 * EPS * units, 1)
    assert factor_rounded_up(Constant(0.5, "declared", ""), np.zeros(d), family).value == 0.5
    assert factor_rounded_up(Constant(0.0, "proved", ""), np.zeros(d), family).value == EPS * units
    assert factor_rounded_up(Constant(0.0, "proved", ""), np.zeros(d), constant).value == 0.0
    assert factor_rounded_up(Constant(0.5, "proved", ""), np.array([F(1)] * d), family).value == 0.5


def test_the_source_of_constants_in_balls_says_how_many_maps_there_are() -> None:
    one, two = (ct.certify(FiniteFamily([(F(1, 2), F(1))] * n), 0.0, rigorous=True) for n in (1, 2))
    assert one.constants["k"].source == "ball arithmetic"
    assert two.constants["k"].source == "ball arithmetic over 2 affine maps"
