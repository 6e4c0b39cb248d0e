"""What a search for violations and the probe put down to rounding: the formula of each, on both sides of its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction.certificates.falsify import (
    _allowance,
    _check_affine,
    _check_displacement,
    _check_domain,
    _check_pairs,
    _Map,
    _size,
    check_enclosures,
    least_distances,
)
from contraction.maps.balls import AffineEnclosure, matrix, vector
from contraction.maps.constants import Constant
from contraction.maps.domains import Box
from contraction.maps.errors import DeclarationRefuted
from contraction.maps.known import Known
from contraction.maps.probe_checks import _Tried
from contraction.maps.rounding import gamma
from contraction.maps.spaces import BoxNorm, Euclidean, SupNorm, WeightedEuclidean

A, B = np.array([[0.0, -3.0], [1.0, 0.0]]), np.array([5.0, -7.0])
POINT = np.array([10.0, -20.0])  # its image is (65, 3)


def fixed(apply: Callable[[Any, Any], Any], **options: Any) -> ct.RandomOperator:
    """One map, of which every draw is 0."""
    return ct.RandomOperator(lambda rng: 0.0, apply, **options)


def first(family: ct.RandomOperator) -> _Map:
    return _Map(family.sample(1, 0), 1)


def searched(family: ct.RandomOperator, points: list[np.ndarray]) -> None:
    _check_affine(first(family), np.stack(points))


def probed(family: ct.RandomOperator, points: list[np.ndarray]) -> None:
    _Tried(family.sample(1, 0), 1, "").compare_affine(points)


@pytest.mark.parametrize("check", [searched, probed])
@pytest.mark.parametrize("coordinate", [0, 1])
@pytest.mark.parametrize("side", [1, -1])
def test_an_affine_form_may_differ_by_the_roundings_of_all_its_terms(
    check: Callable, coordinate: int, side: int
) -> None:
    """γ(64 + 16 d) times (1 + d |A|) (1 + |x|) + |T x| + |b|, in largest entries, at the point itself."""
    slack = gamma(64 + 32) * ((1 + 2 * 3) * (1 + 20) + 65 + 7)
    for share in (0.99, 1.01):
        shift = side * share * slack * np.eye(2)[coordinate]
        family = fixed(
            lambda x, u, shift=shift: x @ A.T + B + np.where(x[..., :1] == 10, shift, 0), affine=lambda u: (A, B)
        )
        points = [np.zeros(2), POINT, np.ones(2)]
        if share < 1:
            check(family, points)
        else:
            with pytest.raises(DeclarationRefuted, match=r"is not the map: .* sends x = \[10\.0, -20\.0\] to "):
                check(family, points)


@pytest.mark.parametrize("check", [searched, probed])
def test_the_first_of_several_points_where_the_form_is_wrong_is_named(check: Callable) -> None:
    family = fixed(lambda x, u: x @ A.T + B + (x[..., :1] > 1), affine=lambda u: (A, B))
    with pytest.raises(DeclarationRefuted, match=r"sends x = \[2\.0, 0\.0\] to \[6\.0, -4\.0\].*\[5\.0, -5\.0\]"):
        check(family, [np.ones(2), np.array([2.0, 0.0]), np.array([3.0, 0.0])])


@pytest.mark.parametrize("overflow", [[np.inf, 0.0], [0.0, np.nan], [-np.inf, np.inf]])
def test_a_form_is_not_compared_where_a_coordinate_overflows(overflow: list[float]) -> None:
    family = fixed(lambda x, u: x @ A.T + B + np.where(x[..., :1] == 10, overflow, 0), affine=lambda u: (A, B))
    probed(family, [np.zeros(2), POINT])


def test_the_rounding_of_a_distance_is_that_of_both_images() -> None:
    """γ(64 + 16 d) times the four sizes; each image may move both ways, by that in every coordinate."""
    x, y = np.array([[2.0, -1.0]]), np.array([[0.5, 3.0]])
    zero, fx, fy = np.zeros((1, 2)), np.array([[4.0, 0.0]]), np.array([[0.0, -8.0]])
    weighted, box = WeightedEuclidean(np.diag([4.0, 1.0])), BoxNorm(np.array([[1.0, 1.0], [0.0, 2.0]]))
    for images, size in (((zero, zero), 5.0), ((fx, zero), 9.0), ((fx, fy), 17.0)):
        error = gamma(64 + 32) * size
        exact = images[0] is images[1]
        for space, factor in ((Euclidean(), 4 * np.sqrt(2)), (SupNorm(), 4.0), (box, 8.0)):
            found = _allowance(space, x, y, *images)
            assert found == pytest.approx([factor * error], rel=1e-12 if exact else 0.02, abs=0)
        assert _allowance(weighted, x, y, *images) == pytest.approx([2 * 2 * np.sqrt(2) * error], rel=1e-12, abs=0)


def test_exact_points_with_exact_images_have_no_rounding() -> None:
    whole, real = np.array([[3]]), np.array([[3.0]])
    assert _allowance(Euclidean(), whole, whole, whole, whole) == 0.0
    for x, fx in ((whole, real), (real, whole)):
        assert np.all(_allowance(Euclidean(), x, x, fx, fx) > 0)


def test_sizes_are_those_of_points() -> None:
    x = np.array([[[1.0, -5.0], [2.0, 0.0]], [[0.0, 0.0], [7.0, -3.0]]])
    assert _size(x, 1).tolist() == [[5.0, 2.0], [0.0, 7.0]]
    assert _size(x, 2).tolist() == [5.0, 7.0]
    assert _size(x[0, 0], 1).tolist() == 5.0


def test_distances_less_what_rounding_may_have_added() -> None:
    theta, images = np.array([0.0, 0.0]), np.array([[3.0, 4.0], [1e-300, 0.0], [-6.0, 8.0]])
    found = least_distances(SupNorm(), theta, images)
    room = 4 * gamma(64 + 32) * 2 * np.array([4.0, 1e-300, 8.0])
    assert found == pytest.approx(np.array([4.0, 1e-300, 8.0]) - room, rel=1e-15, abs=0)
    assert np.all((4 - found[0]) / room[0] == pytest.approx(1, rel=0.02))
    near = least_distances(SupNorm(), np.array([1.0]), np.array([[1 + 2.0**-52], [1.5]]))
    assert near[0] == 0.0
    assert 0.5 - 1e-12 < near[1] < 0.5


@pytest.mark.parametrize("replicas", [None, 3])
def test_a_displacement_may_exceed_the_stated_one_by_its_rounding(replicas: int | None) -> None:
    """The start 3 has an image near 5, so that the four sizes are 16, and each end may move both ways."""
    slack = 4 * gamma(64 + 16) * (2 * 3 + 2 * 5)
    stated = Constant(2.0, "declared", "displacement=")
    for share in (0.993, 1.007):
        T = _Map(fixed(lambda x, u, share=share: x + 2 + share * slack).sample(1, 0, replicas), 1)
        if share < 1:
            assert _check_displacement(T, np.array([3.0]), stated) == pytest.approx(2 + share * slack, rel=1e-15)
        else:
            with pytest.raises(DeclarationRefuted, match=r"displacement 2\.0 .* is violated: .* \[3\.0\] by 2\.0000"):
                _check_displacement(T, np.array([3.0]), stated)
        assert _check_displacement(T, np.array([3.0]), None) == pytest.approx(2 + share * slack, rel=1e-15)


def test_the_largest_of_several_displacements_is_returned_and_compared() -> None:
    T = first(fixed(lambda x, u: x * 2))
    starts = np.array([[1.0], [-5.0], [3.0]])
    assert _check_displacement(T, starts, None) == 5.0
    assert _check_displacement(T, starts, Constant(5.0, "declared", "d")) == 5.0
    with pytest.raises(DeclarationRefuted, match=r"by 5\.0"):
        _check_displacement(T, starts, Constant(4.0, "declared", "d"))
    assert _check_displacement(T, np.zeros((0, 1)), Constant(1.0, "declared", "d")) == 0.0


@pytest.mark.parametrize(("more", "refused"), [(0, False), (90, False), (102, True)])
def test_a_ratio_of_exact_distances_may_exceed_the_factor_by_64_roundings(more: int, refused: bool) -> None:
    """3 (1 + 64 · 2^-53) 2^52 is 3 · 2^52 + 96."""
    T = first(fixed(lambda x, u: 3 * x + more * (x > 0)))
    x, y = np.array([[0]]), np.array([[2**52]])
    if refused:
        with pytest.raises(DeclarationRefuted, match=r"lipschitz\(draw\) = 3\.0 is violated"):
            _check_pairs(T, x, y, [("unknown", None), ("larger", 4.0), ("lipschitz(draw)", 3.0)])
    else:
        found = _check_pairs(T, x, y, [("unknown", None), ("larger", 4.0), ("lipschitz(draw)", 3.0)])
        assert found == (3 * 2**52 + more) / 2**52


def test_the_steepest_of_the_pairs_that_violate_a_factor_is_named() -> None:
    T = first(fixed(lambda x, u: np.where(x == 1, 4, np.where(x == 2, 10, np.where(x == 9, 27, 0)))))
    x, y = np.zeros((4, 1), dtype=int), np.array([[1], [2], [9], [0]])
    assert _check_pairs(T, x, y, [("a", 5.0)]) == 5.0
    assert _check_pairs(T, x[3:], y[3:], [("a", 0.0)]) == 0.0
    with pytest.raises(DeclarationRefuted, match=r"the a = 3\.5 is violated: .* = 5\.0 at x = \[0\], y = \[2\]"):
        _check_pairs(T, x, y, [("a", 3.5)])
    with pytest.raises(DeclarationRefuted, match=r"the declared contraction factor \(k=\) = 4\.5 is violated"):
        _check_pairs(T, x, y, [(Constant(4.5, "declared", "k="), 4.5)])


def test_every_replica_is_compared_with_its_own_constant() -> None:
    family = ct.RandomOperator(lambda rng: rng.integers(1, 4), lambda x, u: u * x, lipschitz=lambda u: float(u))
    T = _Map(family.sample(1, 1, 6), 1)
    slopes = np.array([int(u) for u in T.draw])
    assert {*slopes.tolist()} == {1, 2, 3}
    x, y = T.spread(np.array([[0], [0]])), T.spread(np.array([[1], [5]]))
    assert x.shape == (2, 6, 1)
    assert T.lipschitz.tolist() == slopes.tolist()
    assert _check_pairs(T, x, y, [("own", T.lipschitz)]) == 3.0
    for wrong in range(6):
        less = slopes - 0.5 * (np.arange(6) == wrong)
        with pytest.raises(DeclarationRefuted, match=rf"the own = {less[wrong]} is violated: .* = {slopes[wrong]}\.0 "):
            _check_pairs(T, x, y, [("own", less)])


def test_the_first_point_that_leaves_a_domain_is_named_and_points_outside_are_not_asked() -> None:
    family = fixed(lambda x, u: 2 * x, known=Known(domain=Box([-4.0], [4.0])))
    _check_domain(first(family), np.array([[1.0], [-2.0], [5.0], [-9.0]]))
    with pytest.raises(DeclarationRefuted, match=r"is not invariant: .* sends x = \[-3\.0\] to \[-6\.0\]"):
        _check_domain(first(family), np.array([[1.0], [9.0], [-3.0], [4.0]]))
    _check_domain(first(family), np.array([[3]]))  # exact points are not asked
    _check_domain(first(fixed(lambda x, u: 2 * x)), np.array([[3.0]]))


def enclosure(slope: Any, center: float, low: float | None, high: float | None) -> AffineEnclosure:
    ends = [None if end is None else vector([end]) for end in (low, high)]
    return AffineEnclosure(matrix([[slope]]), vector([center]), *ends)


def lifted(e: float) -> ct.RandomOperator:
    """T(x) = 2 - 3 (x - 2), and at the start 10 e more."""
    return fixed(lambda x, u: 2 - 3 * (x - 2) + np.where(x == 10, e, 0.0))


@pytest.mark.parametrize("side", [1, -1])
def test_a_map_may_leave_its_enclosure_by_the_roundings_of_all_terms(side: int) -> None:
    """γ(64 + 16 d) times |T x| + |c| + |A| (|x| + |c|) + |low| + |high|."""
    low, high = -4.0, 1.0
    end = high if side == 1 else low
    slack = gamma(64 + 16) * (abs(-22 + end) + 2 + 3 * (10 + 2) + 4 + 1)
    check_enclosures(lifted(end + side * 0.99 * slack), np.array([10.0]), [enclosure(-3.0, 2.0, low, high)], 0)
    outside = lifted(end + side * 1.01 * slack)
    for maps in ([enclosure(-3.0, 2.0, low, high)], [enclosure(-3.0, 2.0, low, high), enclosure(-2.0, 2.0, -0.1, 0.1)]):
        with pytest.raises(DeclarationRefuted, match=r"does not contain T_1 .* sends x = \[10\.0\] to \["):
            check_enclosures(outside, np.array([10.0]), maps, 0)
    check_enclosures(outside, np.array([10.0]), [enclosure(-3.0, 2.0, 0.0, 0.0), enclosure(-3.0, 2.0, -5.0, 5.0)], 0)


def test_an_enclosure_without_an_end_binds_at_the_other_one_alone() -> None:
    for e, low, high, good in (
        (-1e9, None, 1.0, True),
        (1.1, None, 1.0, False),
        (1e9, -1.0, None, True),
        (-1.1, -1.0, None, False),
        (1e9, None, None, True),
    ):
        if good:
            check_enclosures(lifted(e), np.array([10.0]), [enclosure(-3.0, 2.0, low, high)], 0)
        else:
            with pytest.raises(DeclarationRefuted, match="does not contain"):
                check_enclosures(lifted(e), np.array([10.0]), [enclosure(-3.0, 2.0, low, high)], 0)


def test_the_radius_of_the_linear_part_counts_by_the_distance_from_the_center() -> None:
    """|x - c| = 8 and the slope is known to 2^-10: e may be 8 / 1024 beyond the ends."""
    slope = matrix([[-3.0]])[0][0]
    slope = slope + type(slope)(0, 2.0**-10)
    for share, good in ((0.99, True), (1.01, False)):
        maps = [AffineEnclosure([[slope]], vector([2.0]), vector([0.0]), vector([0.5]))]
        family = lifted(0.5 + share * 8 / 1024)
        if good:
            check_enclosures(family, np.array([10.0]), maps, 0)
        else:
            with pytest.raises(DeclarationRefuted, match="does not contain"):
                check_enclosures(family, np.array([10.0]), maps, 0)


def test_each_of_the_drawn_maps_must_lie_in_an_enclosure() -> None:
    """Of the maps x/2 + u with u in {0, 1} each has an enclosure; a list that lacks one of them is refused."""
    family = ct.RandomOperator(lambda rng: float(rng.integers(2)), lambda x, u: x / 2 + u)
    both = [enclosure(0.5, 0.0, u, u) for u in (0.0, 1.0)]
    check_enclosures(family, np.array([3.0]), both, 0)
    for one in both:
        with pytest.raises(DeclarationRefuted, match="does not contain"):
            check_enclosures(family, np.array([3.0]), [one], 0)
