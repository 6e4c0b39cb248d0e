"""What certificates answer where a norm, a list of words or a probability is missing, or a number reaches its limit."""

from __future__ import annotations

import math
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction.certificates.best_norm import certify_in_norm, iterated_norm
from contraction.certificates.bounds import prefix_tail, product_tail
from contraction.certificates.certified_for import check_certified_for
from contraction.certificates.change_of_metric import displacement_in
from contraction.certificates.drawn import prefix_lipschitz
from contraction.certificates.falsify import _check_affine, _check_displacement, _Map, _of_products
from contraction.certificates.find_region import _outweighed
from contraction.certificates.mean_square import EXACT_DIM, mean_square_norm
from contraction.certificates.norms import expanding_word
from contraction.certificates.step_bounds import StepBounds
from contraction.certificates.words import WORDS_LIMIT, _no_contraction, _why_no_words, listed_words
from contraction.exponents.lyapunov import LyapunovExponents
from contraction.families import Cyclic, FiniteFamily
from contraction.maps.constants import Constant
from contraction.maps.errors import DeclarationRefuted, NotCertified
from contraction.maps.intervals import Intervals
from contraction.maps.rounding import EPS
from contraction.maps.spaces import Metric, SupNorm


def cycle(d: int, factor: float = 1.1) -> list[np.ndarray]:
    """Matrices E_j with one entry, from coordinate j to j + 1: of all words only the whole cycle returns to a start."""
    out = []
    for j in range(d):
        E = np.zeros((d, d))
        E[j, (j + 1) % d] = factor
        out.append(E)
    return out


@pytest.mark.parametrize("d", [2, 3, 4])
def test_the_shortest_word_that_expands_is_found(d: int) -> None:
    found = expanding_word(cycle(d))
    assert found is not None
    assert found[0] == tuple(range(1, d + 1))
    assert found[1] == pytest.approx(1.1**d, rel=1e-12)
    assert expanding_word(cycle(d), d - 1) is None
    assert expanding_word(cycle(d, 0.9), d) is None


def test_words_are_tried_up_to_a_number() -> None:
    """A cycle of four matrices beside others that vanish: 8^4 = 4,096 words are tried, and 9^4 = 6,561 are not."""
    assert expanding_word([*cycle(4), *[np.zeros((4, 4))] * 4]) is not None
    assert expanding_word([*cycle(4), *[np.zeros((4, 4))] * 5]) is None


def test_a_word_of_radius_one_counts_as_expanding() -> None:
    assert expanding_word([np.array([[1.0]])], 1) == ((1,), 1.0)
    assert expanding_word([np.array([[np.nextafter(1.0, 0.0)]])], 1) is None


def test_a_norm_of_nilpotent_maps_is_found_although_their_products_vanish() -> None:
    """S(P) = AᵀPA vanishes at its second application: ρ² may be as small as the goal of the search asks."""
    space, square = iterated_norm([(1.0, np.array([[0.0, 1.0], [0.0, 0.0]]))])
    assert 0 < square < 0.011
    assert space.operator_norm(np.array([[0.0, 1.0], [0.0, 0.0]])) ** 2 <= square
    with pytest.raises(NotCertified, match=r"E A⊗A has radius about 4"):
        iterated_norm([(1.0, 2 * np.eye(2))])
    with pytest.raises(NotCertified, match=r"E A⊗A has radius about inf$"):
        iterated_norm([(1.0, 1e200 * np.eye(2))])


def test_above_the_exact_dimension_the_norm_is_iterated() -> None:
    """Diagonal maps 1/4 and 3/4 of equal chance have E A² = 5/16 in every quadratic norm that is diagonal."""
    for d in (EXACT_DIM, EXACT_DIM + 1):
        space, square = mean_square_norm([np.eye(d) / 4, 3 * np.eye(d) / 4], [0.5, 0.5])
        assert 5 / 16 <= square < 5 / 16 + 1e-6
        assert len(space.P) == d


def test_a_start_that_is_not_one_vector_of_floats_has_no_norm() -> None:
    family = FiniteFamily([(np.eye(2) / 2, [0.0, 1.0])])
    assert certify_in_norm(family, np.array([F(1), F(2)]), None, None) == (None, ())
    assert certify_in_norm(family, np.zeros((3, 2)), None, None) == (None, ())
    bound, reasons = certify_in_norm(family, np.zeros(2), None, None)
    assert bound is not None
    assert reasons == ()


def test_the_displacement_in_another_norm_is_the_largest_where_maps_have_no_probabilities() -> None:
    """Maps that move 0 by (3, 4) and (0, 1): 4 and 1 in the sup norm."""
    maps = [(np.eye(2) / 2, [3.0, 4.0]), (np.eye(2) / 2, [0.0, 1.0])]
    for law, moment, value, source in (
        (Cyclic(2), None, 4.0, "largest of 2 maps"),
        (None, None, 4.0, "largest of 2 maps"),
        (None, 2.0, math.sqrt(8.5), "mean over 2 maps"),
        (None, 1.0, 2.5, "mean over 2 maps"),
    ):
        found = displacement_in(FiniteFamily(maps, law=law), np.zeros(2), SupNorm(), moment)
        assert found is not None
        assert found.value == pytest.approx(value, rel=1e-12)
        assert found.value >= value * (1 - 1e-15)
        assert found.source == source

    class Unweighted(FiniteFamily):
        def finite_support(self) -> Any:
            return [(None, draw) for _, draw in super().finite_support()]

    found = displacement_in(Unweighted(maps), np.zeros(2), SupNorm(), 2.0)
    assert found == Constant(4.0, "proved", "largest of 2 maps")
    still = displacement_in(FiniteFamily([(np.eye(2), [0.0, 0.0])]), np.zeros(2), SupNorm(), 2.0)
    assert still == Constant(0.0, "proved", "mean over 1 maps")


def test_factors_in_another_metric_are_unknown() -> None:
    family = ct.RandomOperator(lambda rng: rng.uniform(), lambda x, u: u * np.sin(x), lipschitz=lambda u: u)
    operators = family.sample(2)
    assert prefix_lipschitz(operators, SupNorm()) is None
    known = prefix_lipschitz(operators, family.space)
    assert known is not None
    assert known[1:] == ("K_1…K_n", "declared")
    affine = FiniteFamily([(0.5, 1.0)]).sample(2)
    assert prefix_lipschitz(affine, SupNorm())[0].tolist() == pytest.approx([1.0, 0.5, 0.25])  # type: ignore[index]


def test_exact_tails_are_sums_of_fractions() -> None:
    L, d = np.array([F(1), F(1, 2), F(1, 6)]), np.array([F(3), F(5)])
    assert prefix_tail(L, d).tolist() == [F(3) + F(5, 2), F(5, 2), F(0)]
    nothing = prefix_tail(np.array([F(1)]), np.array([], dtype=object))
    assert nothing.tolist() == [F(0)]
    assert isinstance(nothing[0], F)
    mixed = prefix_tail(np.array([F(1), F(1, 2)]), np.array([3]))
    assert mixed.tolist() == [F(3), F(0)]
    assert all(isinstance(x, F | int) for x in mixed)
    with pytest.raises(ValueError, match="got 2 values for N = 2 displacements"):
        prefix_tail(L[:2], d)
    assert product_tail(np.array([F(1, 2), F(1, 3)]), F(1, 4), F(3)).tolist() == [F(4), F(2), F(2, 3)]


@pytest.mark.parametrize("exponents", [(-700, 0), (-1074, -1), (0, 900)], ids=str)
def test_tails_of_floats_are_above_the_exact_sums(exponents: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    L, d = (10.0 ** rng.uniform(-3, 0, n) * 2.0**e for n, e in ((6, exponents[0]), (5, 0)))
    d = d * 2.0 ** min(exponents[1], 900)
    found = prefix_tail(L, d)
    exact = [sum((F(a) * F(b) for a, b in zip(L[n:-1].tolist(), d[n:].tolist(), strict=True)), F(0)) for n in range(6)]
    for value, total in zip(found.tolist(), exact, strict=True):
        assert total <= F(value) <= total * (1 + F(2.0**-40)) + 12 * F(5e-324)
    assert found[-1] == 0.0


def test_no_point_moves_nothing() -> None:
    T = _Map(FiniteFamily([(0.5, 1.0)]).sample(1), 1)
    assert _check_displacement(T, np.zeros((0, 1)), Constant(0.5, "declared", "")) == 0.0
    assert _check_displacement(T, np.zeros((1, 1)), Constant(1.0, "declared", "")) == 1.0
    with pytest.raises(DeclarationRefuted, match=r"moves the start theta0 = \[\[0\.0\]\] by 1\.0"):
        _check_displacement(T, np.zeros((1, 1)), Constant(0.999, "declared", ""))


def with_form(form: Any) -> _Map:
    family = ct.RandomOperator(lambda rng: 1.0, lambda x, u: x / 2 + u, affine=lambda u: form)
    return _Map(family.sample(1), 1)


def test_an_affine_form_is_compared_at_every_point_of_the_search() -> None:
    """x/2 + 1 and a form that differs from it by 10^-3 x_0: at the points 0 the two agree."""
    x = np.array([[0.0], [0.0], [2.0]])
    _check_affine(with_form((0.5, 1.0)), x)
    _check_affine(with_form((0.501, 1.0)), x[:2])
    with pytest.raises(DeclarationRefuted, match=r"sends x = \[2\.0\] to \[2\.0\], but A x \+ b = \[2\.002"):
        _check_affine(with_form((0.501, 1.0)), x)
    _check_affine(with_form((0.501, 1.0)), x.astype(int))  # exact points are left to others


def test_a_derivative_that_is_not_finite_has_no_directions() -> None:
    family = ct.RandomOperator(lambda rng: 1.0, lambda x, u: np.where(x == 0, 0.0, np.inf * x))
    with np.errstate(all="ignore"):
        assert _of_products(_Map(family.sample(1), 1), np.zeros((1, 3))) is None
    smooth = ct.RandomOperator(lambda rng: 1.0, lambda x, u: x / 2)
    assert _of_products(_Map(smooth.sample(1), 1), np.zeros((1, 3))) is not None


def bounds(slope: Any, rad: float = 0.0, variation: float = 0.0) -> StepBounds:
    slope = np.array(slope)
    return StepBounds(0.1, Intervals(np.zeros(2)), Intervals(slope, rad), np.full((2, 2), variation))


def test_the_curvature_that_is_outweighed_most_is_named() -> None:
    """Diagonals (2, 1) and (4, 1); the off-diagonals push coordinate 1 of the second map hardest."""
    i, j, reason = _outweighed([bounds([[2.0, 1.0], [0.5, 1.0]]), bounds([[4.0, 1.0], [2.0, 1.0]])], np.ones(2))
    # the best weights w solve max(w_1/2, w_1/4) = λ w_0, max(w_0/2, 2 w_0) = λ w_1, so that λ = 1 and w_0 = w_1 / 2
    assert (i, j) in ((0, 0), (1, 1))
    assert "has a curvature of at least" in reason
    assert "times what that pulls back" in reason
    i, j, reason = _outweighed([bounds([[2.0, 1.0], [0.5, 1.0]]), bounds([[-3.0, 1.0], [2.0, -1.0]])], np.ones(2))
    assert (i, j, reason) == (1, 0, "is only known to have a curvature of at least -3")
    i, j, reason = _outweighed([bounds(np.eye(2)), bounds([[1.0, 0.0], [0.0, 0.5]], 0.25, 0.5)], np.ones(2))
    assert (i, j, reason) == (1, 1, "is only known to have a curvature of at least 0")


@pytest.mark.parametrize("start", [[1.0, 1.0], [1.0, 4.0], [1.0, 100.0]], ids=str)
def test_the_push_of_the_other_coordinates_by_hand(start: list[float]) -> None:
    """One map with diagonal (2, 1) and off-diagonals 1 and 8: the weights w = (1, 4) balance both at 4/2 = 8/4."""
    maps = [bounds([[2.0, 1.0], [8.0, 1.0]]), bounds([[9.0, 0.0], [0.0, 9.0]])]
    i, j, reason = _outweighed(maps, np.array(start))
    assert i == 0
    assert reason.endswith("and the other coordinates push it by 2 times what that pulls back")
    assert reason.startswith(f"has a curvature of at least {2 - j}, ")


def test_the_push_in_the_best_weights_is_the_spectral_radius() -> None:
    diagonal = np.array([1.0, 2.0, 4.0])
    others = np.array([[0.0, 1.0, 3.0], [0.5, 0.0, 1.0], [2.0, 1.0, 0.0]])
    slope = Intervals(np.diag(diagonal) + others)
    one = StepBounds(0.1, Intervals(np.zeros(3)), slope, np.zeros((3, 3)))
    radius = float(np.max(np.abs(np.linalg.eigvals(others / diagonal[:, None]))))
    reason = _outweighed([one], np.array([1.0, 0.1, 5.0]))[2]
    assert f"push it by {radius:.4g} times" in reason


def test_a_coordinate_that_nothing_pushes_is_not_named() -> None:
    slope = np.array([[2.0, 1.0, 0.0], [8.0, 1.0, 0.0], [0.0, 0.0, 0.5]])
    one = StepBounds(0.1, Intervals(np.zeros(3)), Intervals(slope), np.zeros((3, 3)))
    _, j, reason = _outweighed([one], np.ones(3))
    assert j < 2
    assert reason.endswith("push it by 2 times what that pulls back")


def test_words_that_cannot_be_listed() -> None:
    halves = FiniteFamily([(0.5, 1.0)])
    weights, factors, origin = listed_words(halves, 50)  # type: ignore[misc]
    assert (weights.tolist(), origin) == ([1.0], "proved")
    assert 2.0**-50 <= factors[0] <= 2.0**-50 + 8.1 * 50 * EPS  # eight roundings a factor, of numbers up to 1
    pair = FiniteFamily([(0.5, 1.0), (0.25, 0.0)], [0.75, 0.25])
    weights, factors, _ = listed_words(pair, 2)  # type: ignore[misc]
    assert sorted(zip(weights.tolist(), factors.round(12).tolist(), strict=True)) == [
        (0.0625, 0.0625),
        (0.1875, 0.125),
        (0.1875, 0.125),
        (0.5625, 0.25),
    ]
    assert listed_words(pair, 60) is None
    assert listed_words(FiniteFamily([(0.5, 1.0), (0.25, 0.0)], law=Cyclic(2)), 2) is None

    class Curved(ct.RandomOperator):
        is_iid = True

        def finite_support(self) -> Any:
            return [(F(1, 2), 0.5), (F(1, 2), 0.25)]

    curved = Curved(lambda rng: rng.choice([0.5, 0.25]), lambda x, a: a * np.sin(x), lipschitz=lambda a: a)
    weights, factors, _ = listed_words(curved, 2)  # type: ignore[misc]
    assert sorted(factors.tolist()) == [0.0625, 0.125, 0.125, 0.25]
    assert weights.tolist() == [0.25] * 4
    assert listed_words(curved, 60) is None
    assert listed_words(Curved(lambda rng: 0.5, lambda x, a: a * np.sin(x)), 2) is None


def test_why_no_words_contract() -> None:
    metric = Metric(lambda x, y: np.abs(x - y)[..., 0])
    assert "is not a norm" in _why_no_words(FiniteFamily([(0.5, 1.0)]), metric)
    drawn = ct.RandomOperator(lambda rng: rng.uniform(), lambda x, u: u * x, affine=lambda u: (u, 0.0))
    assert "draws its affine maps one at a time" in _why_no_words(drawn, ct.Euclidean())
    other = ct.RandomOperator(lambda rng: rng.uniform(), lambda x, u: np.sin(x))
    assert _why_no_words(other, ct.Euclidean()).startswith("no linear parts are known for ")
    kappa = Constant(1.25, "proved", "")
    plain, of_moment = _no_contraction("words of length 2", kappa, None), _no_contraction("words", kappa, 1.5)
    assert (
        plain.hypothesis
        == "kappa ≥ 1: words of length 2 give 1.25 (kappa is the largest Lipschitz constant of a word of q maps)"
    )
    assert plain.alternatives == ("a larger q", "moment=p for contraction in p-mean")
    assert of_moment.hypothesis == "kappa ≥ 1: words give 1.25 (kappa is the mean of Lip(T_1 … T_q)^1.5)"
    assert of_moment.alternatives == ("a larger q",)


def test_what_is_printed_of_exponents_and_of_words_that_expand() -> None:
    found = ct.average_contraction(FiniteFamily([(2.0, 0.0), (0.75, 1.0)]), 0.0)
    assert not found.contracts
    assert found.certified
    last = str(found).splitlines()[-1]
    assert last == "  words of this length do not contract on average; longer ones (a larger q) may"
    contracting = str(ct.average_contraction(FiniteFamily([(2.0, 0.0), (0.25, 1.0)]), 0.0))
    assert "a larger q" not in contracting
    assert "a.s. for every r > 0.707107" in contracting
    exponents = LyapunovExponents(
        (-0.5, -1.25), (-0.75, -1.5), (-0.25, -1.0), (0.1, 0.1), 0.99, 60, 10, 3, "the maps' linear parts", 7
    )
    assert str(exponents).splitlines() == [
        "Lyapunov exponents, estimated: 3 replicas of 60 maps after 10 maps, seed 7; "
        "derivatives: the maps' linear parts",
        "  λ_1 = -0.5, 99 % interval [-0.75, -0.25]",
        "  λ_2 = -1.25, 99 % interval [-1.5, -1]",
    ]


def test_the_largest_certified_multiple_of_a_box() -> None:
    """Logistic regression with one weight: the box that is returned is certified, and one 10 % wider is not."""

    def loss(t: Any, x: Any, y: Any) -> Any:
        return np.log1p(np.exp(-y * t[0] * x))

    data = ([2.0, -1.0, 1.0, 2.0], [1.0, 1.0, 1.0, -1.0])
    family = ct.families.OwnLossSteps(loss, data, dim=1, h=0.1, batches=[[0, 1], [2, 3]], ridge=0.5)
    small, grown = (ct.find_region(family, [0.0], grow=grow) for grow in (False, True))
    assert grown.center == small.center
    assert grown.basis == small.basis
    assert grown.radii[0] > 2 * small.radii[0]
    assert ct.certify(family, grown.center, region=grown).certified
    with pytest.raises(NotCertified):
        ct.certify(family, grown.center, region=ct.RotatedBox(grown.center, 1.1 * grown.radii, grown.basis))


def test_the_length_of_words_is_at_most_the_number_that_can_be_listed() -> None:
    family = FiniteFamily([(0.5, 1.0)])
    with pytest.raises(ValueError, match=f"q must be at most {WORDS_LIMIT}, the number of words that can be listed"):
        ct.certify(family, 0.0, q=WORDS_LIMIT + 1)
    for q in (0, -1):
        with pytest.raises(ValueError, match="q must be an integer of at least 1"):
            ct.certify(family, 0.0, q=q)


@pytest.mark.parametrize("size", [1e-8, 1e-3, 0.9])
def test_the_search_for_a_norm_is_the_same_at_every_scale(size: float) -> None:
    """For a multiple of the identity every norm has the factor size², and the search keeps its numbers near 1."""
    _, square = iterated_norm([(1.0, size * np.eye(2))])
    assert size**2 <= square <= size**2 * (1 + 1e-9) + 1e-12


def test_exponents_of_ones_own_maps_are_declared_and_sampled_ones_measured() -> None:
    class Own(FiniteFamily):
        def apply(self, theta: Any, draw: Any) -> Any:
            return super().apply(theta, draw)

    maps = [(0.5, 1.0), (0.25, 0.0)]
    assert ct.average_contraction(FiniteFamily(maps), 0.0).origin == "proved"
    own = ct.average_contraction(Own(maps), 0.0)
    assert own.origin == "declared"
    assert own.exponent == pytest.approx(math.log(0.125) / 2, rel=1e-12)

    class Drawn(ct.RandomOperator):
        def lipschitz(self, draw: Any) -> Any:
            return draw

    sampled = ct.average_contraction(Drawn(lambda rng: rng.uniform(0.1, 0.5), lambda x, u: u * np.sin(x)), 0.0)
    assert sampled.origin == "measured"


@pytest.mark.parametrize(("off", "same"), [(0.0, True), (1e-13, True), (1e-10, False), (1.0, False)])
def test_a_certificate_is_for_families_whose_images_agree_to_rounding(off: float, same: bool) -> None:
    certificate = ct.certify(FiniteFamily([(0.5, 1.0)]), 0.0)
    other = FiniteFamily([(0.5, 1.0 + off)])
    if same:
        check_certified_for(certificate, other, np.zeros(1))
    else:
        with pytest.raises(NotCertified, match="the certificate is for another family than"):
            check_certified_for(certificate, other, np.zeros(1))
    with pytest.raises(NotCertified, match=r"the certificate is for iterates from .*, not from theta0 = "):
        check_certified_for(certificate, FiniteFamily([(0.5, 1.0)]), np.ones(1))
    with pytest.raises(ValueError, match="eps is in the family's metric"):
        check_certified_for(certificate, FiniteFamily([(0.5, 1.0)], space=SupNorm()), np.zeros(1))
    check_certified_for(ct.certify(other.sample(2), 0.0), FiniteFamily([(0.25, 3.0)]), np.ones(1))  # left to the caller
