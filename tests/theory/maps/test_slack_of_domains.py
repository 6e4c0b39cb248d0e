"""Membership in sets of points on both sides of the slack for rounding, and which points of a set are drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from contraction.maps.domains import (
    Ball,
    Box,
    Domain,
    HalfSpace,
    Points,
    RotatedBox,
    Simplex,
    _around,
    _slack,
    as_domain,
)

rotated: Any = RotatedBox  # which takes lists as well
WIDE = 30.0  # the largest coordinate of the points that are tested
SLACK = 2.0**-40 * (1 + WIDE)
BASIS = np.array([[2.0, 0.0], [1.0, 4.0]])  # its inverse [[1/2, 0], [-1/8, 1/4]] has the row sums 1/2 and 3/8
NORMAL = np.array([3.0, 0.0, -4.0])

#: A set, a point of its boundary whose largest coordinate is 30, and a direction out of it: once the slack is its edge
EDGES: dict[str, tuple[Domain, list[float], list[float]]] = {
    "box below": (Box([-1.0, -50.0], [2.0, 50.0]), [-1.0, -WIDE], [-1.0, 0.0]),
    "box above": (Box([-1.0, -50.0], [2.0, 50.0]), [2.0, WIDE], [1.0, 0.0]),
    "second coordinate": (Box([-50.0, -1.0], [50.0, 2.0]), [WIDE, 2.0], [0.0, 1.0]),
    "one number for all": (Box(-50.0, 2.0), [-WIDE, 2.0], [0.0, 1.0]),
    "half-bounded": (Box([-np.inf, -50.0], [2.0, np.inf]), [2.0, WIDE], [1.0, 0.0]),
    "rotated box": (rotated([28.0, 9.0], [1.0, 10.0], BASIS), [WIDE, 10.0], [1.0, 0.5]),
    "rotated box below": (rotated([32.0, 11.0], [1.0, 10.0], BASIS), [WIDE, 10.0], [-1.0, -0.5]),
    "rotated box, second": (rotated([WIDE, 9.0], [10.0, 2.0], BASIS), [WIDE, 17.0], [0.0, 2.0]),
    "ball": (Ball([WIDE, 1.0], 5.0), [WIDE, 6.0], [0.0, 1.0]),
    "half-space": (HalfSpace(NORMAL, -130.0), [-10.0, 7.0, 25.0], [-7 / 5 * 3 / 5, 0.0, 7 / 5 * 4 / 5]),
}


@pytest.mark.parametrize("name", EDGES)
def test_a_point_may_lie_outside_by_the_slack_and_no_farther(name: str) -> None:
    domain, edge, out = EDGES[name]
    slack = SLACK if name != "half-space" else 2.0**-40 * 26  # its largest coordinate is 25
    share = np.array([-1.0, 0.0, 0.98, 1.02, 100.0])[:, None]
    points = np.array(edge) + share * slack * np.array(out)
    assert domain.contains(points).tolist() == [True, True, True, False, False]
    assert domain.contains(points[2]).shape == ()
    assert domain.contains(points[None]).shape == (1, 5)
    far = np.array([*edge[:-1], 1e9])
    assert not domain.contains(far) or name in ("half-bounded", "half-space")


def test_the_slack_grows_with_the_largest_coordinate() -> None:
    assert _slack(np.array([[3.0, -5.0], [0.0, 0.0]])).tolist() == [6 * 2.0**-40, 2.0**-40]
    assert _slack(np.zeros((2, 0))).tolist() == [2.0**-40] * 2


def test_probability_vectors_may_be_negative_by_the_slack_and_sum_to_one_up_to_2_to_the_minus_30() -> None:
    small = 2.0**-40 * 2
    for x, good in (
        ([0.0, 1.0], True),
        ([-0.98 * small, 1.0], True),
        ([-1.03 * small, 1.0], False),
        ([0.5, 0.5 + 2.0**-30], True),
        ([0.5, 0.5 - 2.0**-30], True),
        ([0.5, 0.5 + 1.01 * 2.0**-30], False),
        ([0.5, 0.5 - 1.01 * 2.0**-30], False),
        ([0.5, 0.25, 0.25], True),
        ([2.0, -1.0], False),
    ):
        assert bool(Simplex().contains(np.array(x))) is good
    assert Simplex().contains(np.array([[0.5, 0.5], [1.0, 1.0], [1.0, 0.0]])).tolist() == [True, False, True]


def test_points_around_a_point_are_on_all_scales_about_it_or_about_zero_where_it_is_not_finite() -> None:
    near = np.array([9.0, np.nan, -np.inf, 0.0])
    x = _around(np.random.default_rng(0), near, 4000)
    assert x.shape == (4000, 4)
    away = np.abs(x - [9.0, 0.0, 0.0, 0.0]) / (1 + 9.0)  # a scale between 1e-3 and 1e3, times a standard normal number
    assert np.max(away) < 1e3 * 8
    for scale in (1e-2, 1e-1, 1.0, 10.0, 100.0):  # a sixth of the logarithm of the scale between each and the next
        share = np.mean((scale / 10 < away) & (away < scale))
        assert 1 / 6 - 0.03 < share < 1 / 6 + 0.03
    assert _around(np.random.default_rng(0), np.zeros((2, 3)), 5).shape == (5, 2, 3)


@pytest.mark.parametrize("name", [*EDGES, "simplex"])
def test_drawn_points_lie_in_the_set(name: str) -> None:
    domain, edge = (Simplex(), [0.5, 0.25, 0.25]) if name == "simplex" else EDGES[name][:2]
    x = domain.points(np.random.default_rng(1), np.array(edge), 300)
    assert x.shape == (300, len(edge))
    assert np.all(domain.contains(x))
    assert np.all(np.std(x, axis=0) > 0)


def test_every_other_point_of_a_box_is_anywhere_in_it_and_the_rest_is_near_the_start_or_on_its_edge() -> None:
    box, near = Box([0.0, -np.inf], [10.0, 3.0]), np.array([2.0, -7.0])
    x = box.points(np.random.default_rng(2), near, 4000)
    inside, clipped = x[::2, 0], x[1::2, 0]
    assert {*np.floor(inside).astype(int).tolist()} == set(range(10))
    assert abs(np.mean(inside) - 5) < 6 * 10 / np.sqrt(12 * 2000)  # uniform on [0, 10]
    assert not np.any((inside == 0) | (inside == 10))
    assert np.mean(clipped == 0) > 0.1
    assert np.mean(clipped == 10) > 0.1
    assert np.mean(np.abs(clipped - 2) < 0.1) > 0.1  # of which few would be uniform on the box
    for column in (x[::2, 1], x[1::2, 1]):
        assert np.mean(column == 3) > 0.1
        assert np.mean(np.abs(column + 7) < 0.1) > 0.1
        assert np.min(column) < -1000


def test_points_of_a_rotated_box_are_inside_and_on_faces_by_turns() -> None:
    box = rotated([5.0, -1.0, 0.0], [1.0, 2.0, 3.0], np.array([[0.0, 1.0, 0.0], [2.0, 0.0, 0.0], [1.0, 0.0, 1.0]]))
    x = box.points(np.random.default_rng(3), np.zeros(3), 1000)
    u = box.coordinates(x) / box.radii
    on = np.isclose(np.abs(u), 1, rtol=0, atol=1e-12)
    assert np.all(on[::2].any(axis=1))
    assert not np.any(on[1::2])
    assert np.all(np.abs(u) <= 1 + 1e-12)
    assert {*on[::2].sum(axis=1).tolist()} == {1, 2, 3}  # faces, edges and corners
    for side in (u[::2], u[1::2]):
        assert np.all(np.mean(side > 0, axis=0) > 0.4)
        assert np.all(np.mean(side < 0, axis=0) > 0.4)
    assert np.all(np.abs(np.mean(np.abs(u[1::2]), axis=0) - 0.5) < 6 / np.sqrt(12 * 500))
    np.testing.assert_allclose(box.center + box.basis @ (box.radii * u[7]), x[7], atol=1e-12)


def test_coordinates_are_those_along_the_basis() -> None:
    box = rotated([1.0, -2.0], [1.0, 1.0], BASIS)
    assert box.coordinates(np.array([[1.0, -2.0], [3.0, -1.0], [1.0, 2.0]])).tolist() == [[0, 0], [1, 0], [0, 1]]
    assert rotated([1.0], [2.0]).basis.tolist() == [[1.0]]


def test_points_in_a_ball_are_kept_and_points_beyond_it_are_moved_into_it_along_their_direction() -> None:
    center, radius, near = np.array([1.0, -2.0]), 3.0, np.array([2.0, -2.0])
    ball = Ball(center, radius)
    x = ball.points(np.random.default_rng(4), near, 2000)
    plain = _around(np.random.default_rng(4), near, 2000)
    sizes, found = (np.linalg.norm(v - center, axis=1) for v in (plain, x))
    kept = sizes <= radius
    assert 0.2 < np.mean(kept) < 0.8
    np.testing.assert_allclose(x[kept], plain[kept], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose((x - center) / found[:, None], (plain - center) / sizes[:, None], atol=1e-9)
    moved = found[~kept] / radius
    assert np.all(moved <= 1 + 1e-12)
    assert abs(np.mean(moved) - 0.5) < 6 / np.sqrt(12 * len(moved))  # uniform on [0, 1]
    at_center = Ball(center, radius).points(_Zeros(), center, 3)
    assert at_center.tolist() == [center.tolist()] * 3


class _Zeros(np.random.Generator):
    """Draws zeros where standard normal numbers are asked for."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def standard_normal(self, size: Any = None, *_: Any, **__: Any) -> Any:
        return np.zeros(size)


def test_points_of_a_half_space_are_kept_reflected_or_moved_in_between() -> None:
    offset, near = 2.0, np.array([1.0, 1.0, 1.0])
    x = HalfSpace(NORMAL, offset).points(np.random.default_rng(5), near, 2000)
    plain = _around(np.random.default_rng(5), near, 2000)
    before, after = plain @ NORMAL - offset, x @ NORMAL - offset
    kept = before >= 0
    assert 0.2 < np.mean(kept) < 0.8
    assert x[kept].tolist() == plain[kept].tolist()
    share = after[~kept] / -before[~kept]  # 0 on the boundary, 1 where a point is reflected
    assert np.all(share >= -1e-6)
    assert np.all(share <= 1 + 1e-6)
    assert abs(np.mean(share) - 0.5) < 6 / np.sqrt(12 * len(share))
    along = (x - plain)[~kept]
    np.testing.assert_allclose(np.cross(along / np.linalg.norm(along, axis=1)[:, None], NORMAL), 0, atol=1e-9)


def test_every_third_probability_vector_is_a_vertex() -> None:
    x = Simplex().points(np.random.default_rng(6), np.array([0.5, 0.25, 0.25]), 301)
    vertex = np.max(x, axis=1) == 1
    assert vertex.tolist() == [k % 3 == 0 for k in range(301)]
    assert np.all(x[::3].sum(axis=0) > 10)
    assert np.all(np.abs(np.mean(x[~vertex], axis=0) - 1 / 3) < 6 * np.sqrt(1 / 18 / 200))


@pytest.mark.parametrize("shape", [(5, 2), (4, 3), (5,), (5, 2, 1)])
def test_points_of_a_function_have_the_shape_that_was_asked_for(shape: tuple[int, ...]) -> None:
    given: list[Any] = []

    def function(rng: np.random.Generator, near: np.ndarray, count: int) -> np.ndarray:
        given.extend([rng, near, count])
        return np.ones(shape)

    domain, rng, near = as_domain(function), np.random.default_rng(0), np.zeros(2)
    assert isinstance(domain, Points)
    if shape == (5, 2):
        assert domain.points(rng, near, 5).tolist() == [[1.0, 1.0]] * 5
    else:
        with pytest.raises(ValueError, match=r"must give shape \(5, 2\), got "):
            domain.points(rng, near, 5)
    assert given[0] is rng
    assert given[1] is near
    assert given[2] == 5
    assert domain.contains(np.zeros((4, 3, 2))).tolist() == [[True] * 3] * 4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Box([0.0, 1.0], [1.0]), "must have one shape"),
        (lambda: Box([0.0, 1.0], [1.0, 1.0]), "needs low < high"),
        (lambda: Box(2.0, [3.0, 1.0]), "needs low < high"),
        (lambda: rotated([[0.0]], [[1.0]]), r"shape \(d,\)"),
        (lambda: rotated([0.0, 1.0], [1.0]), r"shape \(d,\)"),
        (lambda: rotated([0.0, 1.0], [1.0, 1.0], np.eye(3)), r"must have shape \(2, 2\)"),
        (lambda: rotated([0.0, np.nan], [1.0, 1.0]), "finite entries"),
        (lambda: rotated([0.0, 1.0], [1.0, np.inf]), "finite entries"),
        (lambda: rotated([0.0, 1.0], [1.0, 1.0], [[1.0, np.nan], [0.0, 1.0]]), "finite entries"),
        (lambda: rotated([0.0, 1.0], [2.0, 0.0]), r"must be positive, got 0\.0"),
        (lambda: rotated([0.0, 1.0], [-2.0, 1.0]), r"must be positive, got -2\.0"),
        (lambda: rotated([0.0, 1.0], [1.0, 1.0], [[1.0, 2.0], [2.0, 4.0]]), "singular"),
        (lambda: Ball([0.0, np.inf], 1.0), "finite entries"),
        (lambda: Ball([0.0, 0.0], 0.0), "radius of a ball"),
        (lambda: HalfSpace([0.0, np.nan]), "finite entries"),
        (lambda: HalfSpace([0.0, 0.0]), "not zero"),
        (lambda: HalfSpace([1.0, 0.0], np.inf), "offset of a half-space"),
    ],
    ids=lambda x: x if isinstance(x, str) else None,
)
def test_sets_that_are_none_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_half_space_without_an_offset_is_bounded_at_the_origin() -> None:
    assert HalfSpace([1.0, 0.0]).contains(np.array([[0.0, 5.0], [-1.0, 5.0]])).tolist() == [True, False]
    with pytest.raises(TypeError, match="a domain is Box"):
        as_domain(dict)
    with pytest.raises(TypeError, match="a domain is Box"):
        as_domain(5)
    box = Box([0.0], [1.0])
    assert as_domain(box) is box
