"""What the probe sees of one pair, one point or one replica among several that are as they should be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction.maps.affine import AffineMaps
from contraction.maps.errors import DeclarationRefuted, MapRefused
from contraction.maps.probe_checks import _stacks, _Tried, points_around
from contraction.maps.probe_family_checks import _check_axioms, _every, _same, check_distance
from contraction.maps.rounding import gamma
from contraction.maps.spaces import Euclidean, Metric

POINTS = [np.array([0.0]), np.array([1.0]), np.array([5.0])]  # pairs at distances 1, 4 and 5


@pytest.mark.parametrize("wrong", [1.0, 4.0, 5.0])
def test_one_distance_that_depends_on_the_batch_is_enough(wrong: float) -> None:
    def distance(x: Any, y: Any) -> Any:
        d = np.abs(x - y)[..., 0]
        return d if np.ndim(d) == 0 else np.where(d == wrong, d + 0.5, d)

    check_distance(Metric(lambda x, y: np.abs(x - y)[..., 0]), POINTS)
    with pytest.raises(MapRefused, match="must treat every pair independently"):
        check_distance(Metric(distance), POINTS)


@pytest.mark.parametrize("single", [0, 1, 2])
def test_one_distance_of_another_shape_is_enough(single: int) -> None:
    calls: list[int] = []

    def distance(x: Any, y: Any) -> Any:
        d = np.abs(x - y)[..., 0]
        if np.ndim(d):
            return d
        calls.append(1)
        return np.array([d]) if len(calls) == single + 1 else d

    with pytest.raises(MapRefused, match="must give one number per pair"):
        check_distance(Metric(distance), POINTS)


@pytest.mark.parametrize(
    ("table", "axiom"),
    [
        ({}, None),
        ({"aa": 0.1}, r"d\(x, x\) = 0"),
        ({"ab": -1.0, "ba": -1.0}, r"d\(x, y\) ≥ 0"),
        ({"bc": -1.5}, r"d\(x, y\) ≥ 0"),
        ({"ac": -2.0, "ca": -2.0}, r"d\(x, y\) ≥ 0"),
        ({"ba": 1.1}, r"d\(x, y\) = d\(y, x\)"),
        ({"ca": 2.1}, r"d\(x, y\) = d\(y, x\)"),
        ({"ac": 2.6, "ca": 2.6}, r"d\(x, z\)"),
        ({"ab": 3.6, "ba": 3.6}, r"d\(x, z\)"),
        ({"bc": 3.1}, r"d\(x, z\)"),
        ({"bc": 3.0}, None),
        ({"ac": np.nan, "bc": 0.0}, None),
        ({"aa": np.inf}, None),
        ({"ba": 1 + 1.9e-6}, None),  # a millionth of the largest distance, which is 2
        ({"ba": 1 + 2.1e-6}, r"d\(x, y\) = d\(y, x\)"),
    ],
)
def test_axioms_of_three_points(table: dict[str, float], axiom: str | None) -> None:
    """d(a, b) = 1, d(b, c) = 3/2 and d(a, c) = 2 but for what the table says."""
    known = {"aa": 0.0, "ab": 1.0, "ba": 1.0, "ac": 2.0, "ca": 2.0, "bc": 1.5} | table
    names = {0.0: "a", 1.0: "b", 5.0: "c"}
    space = Metric(lambda x, y: known[names[float(x[0])] + names[float(y[0])]])
    if axiom is None:
        _check_axioms(space, POINTS)
    else:
        with pytest.raises(MapRefused, match=rf"violates {axiom}"):
            _check_axioms(space, POINTS)


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("replicas", [2, 40])
def test_forms_of_replicas_have_the_room_of_one_point(d: int, replicas: int) -> None:
    """γ(64 + 16 d) whatever the number of replicas: (1 + d/2) (1 + 8) + 4 + 0 for halves at (8, …)."""
    slack = gamma(64 + 16 * d) * ((1 + d / 2) * 9 + 4)
    for share in (0.99, 1.01):

        class Shifted(ct.RandomOperator):
            """x/2, and a share of the room more in the last replica."""

            def affine(self, draw: Any) -> AffineMaps:
                return AffineMaps(np.array(0.5), np.zeros(d), "scalar")

            @property
            def is_affine(self) -> bool:
                return True

        def apply(x: Any, u: Any, share: float = share) -> Any:
            y = x / 2
            if y.ndim > 1:
                y[..., -1, :] += share * slack * (x[..., -1, :] == 8)
            return y

        family = Shifted(lambda rng: 0.0, apply, vectorized=True)
        T = _Tried(family.sample(1, 0, replicas), 1, "")
        points = [np.zeros((replicas, d)), np.full((replicas, d), 8.0)]
        if share < 1:
            T.compare_affine(points)
        else:
            with pytest.raises(DeclarationRefuted, match=r"is not the map: .* sends x = \[8\.0"):
                T.compare_affine(points)


@pytest.mark.parametrize("d", [1, 3, 4, 32, 33])
def test_stacks_of_points(d: int) -> None:
    """Of as many points as there are coordinates, too, for 4 to 32 coordinates."""
    shapes = [shape for shape, _ in _stacks(np.zeros(d), 1)]
    assert shapes[:3] == [(2,), (3,), (2, 3)]
    assert ((d,) in shapes[3:]) is (3 < d <= 32)
    for shape, chosen in _stacks(np.zeros(d), 1):
        assert len(chosen) == np.prod(shape)
        assert {*chosen} <= {0, 1, 2}
    assert [shape for shape, _ in _stacks(np.zeros((5, d)), 1)] == [(2,), (3,), (2, 3)]
    assert [shape for shape, _ in _stacks(np.zeros(2**12), 1)] == [(2,), (3,), (2, 3)]
    assert [shape for shape, _ in _stacks(np.zeros(2**12 + 1), 1)] == [(2,), (1, 2)]


def test_points_to_try_are_near_the_start_and_far_from_it() -> None:
    family = ct.RandomOperator(lambda rng: 0.0, lambda x, u: x, space=Euclidean())
    start = np.array([100.0, np.inf, -3.0] * 50)
    near, far = points_around(family, start, None)
    center = np.where(np.isfinite(start), start, 0)
    for point, s in ((near, 0.4), (far, 30.0)):
        steps = (point - center) / (101 * s)
        assert abs(np.std(steps) - 1) < 6 / np.sqrt(2 * 150)
        assert abs(np.mean(steps)) < 6 / np.sqrt(150)
    whole = points_around(family, np.array([5, -5] * 100), None)
    for point, low, high in zip(whole, (1, 100), (3, 999), strict=True):
        moved = point - np.array([5, -5] * 100)
        assert moved.min() == low or low == 100
        assert low <= moved.min() <= moved.max() <= high
    exact = points_around(family, np.array([5], dtype=object), None)
    assert [type(x[0]) for x in exact] == [int, int]
    single = points_around(family, np.array([1.0], dtype=np.float32), None)
    assert [x.dtype for x in single] == [np.float32, np.float32]


@pytest.mark.parametrize(
    ("a", "b", "answer"),
    [
        (1.0, 1.0, True),
        (1.0, 2.0, False),
        (np.nan, np.nan, True),
        (np.array([1.0, 2.0]), np.array([1.0, 3.0]), False),
        (np.array([1.0]), np.array([1.0, 1.0]), False),
        ({"x": 1, "y": 2}, {"x": 1, "y": 2}, True),
        ({"x": 1, "y": 2}, {"x": 1, "y": 3}, False),
        ({"x": 1}, {"x": 1, "y": 3}, False),
        ([1, (2, 3)], [1, (2, 3)], True),
        ([1, (2, 3)], [1, (2, 4)], False),
        ([1], [1, 2], False),
        (None, None, True),
        (None, 1, False),
        (len, len, None),
        ([1, len], [1, len], None),
        ([1, len], [2, len], False),
    ],
    ids=str,
)
def test_which_draws_are_equal(a: Any, b: Any, answer: bool | None) -> None:
    assert _same(a, b) is answer
    assert _every([True, answer]) is answer
    assert _every([]) is True
