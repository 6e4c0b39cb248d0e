"""What a metric is refused for: each axiom broken at one pair alone, and by how much rounding may break it."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction.maps.errors import MapRefused, NotDeterministic
from contraction.maps.probe_family_checks import _every, _same, check_distance

POINTS = [np.array([0.0]), np.array([1.0]), np.array([2.0])]
NAN = float("nan")


def table(**changed: float) -> ct.Metric:
    """d(a, b) = 3, d(b, c) = 4 and d(a, c) = 5 at the points a, b, c = 0, 1, 2, with some of the entries changed."""
    numbers = {"aa": 0.0, "bb": 0.0, "cc": 0.0}
    for pair, value in (("ab", 3.0), ("bc", 4.0), ("ac", 5.0)):
        numbers[pair] = numbers[pair[::-1]] = value
    numbers |= changed
    grid = np.array([[numbers[a + b] for b in "abc"] for a in "abc"])
    return ct.Metric(lambda x, y: grid[x[..., 0].astype(int), y[..., 0].astype(int)])


BROKEN = {
    "d(x, x) = 0": [{"aa": 0.1}, {"aa": -0.1}],
    "d(x, y) ≥ 0": [{"ab": -3.0, "ba": -3.0}, {"ac": -5.0, "ca": -5.0}, {"bc": -4.0, "cb": -4.0}],
    "d(x, y) = d(y, x)": [{"ba": 3.5}, {"ba": 2.5}, {"ca": 5.5}, {"ca": 4.5}],
    "d(x, z) ≤ d(x, y) + d(y, z)": [
        {"ac": 7.5, "ca": 7.5},
        {"ab": 9.5, "ba": 9.5},
        {"bc": 8.5, "cb": 8.5},
    ],
}


def test_the_table_is_a_metric_also_where_a_triangle_is_flat() -> None:
    check_distance(table(), POINTS)
    for side, sum_of_others in (("ac", 7.0), ("ab", 9.0), ("bc", 8.0)):
        check_distance(table(**{side: sum_of_others, side[::-1]: sum_of_others}), POINTS)


@pytest.mark.parametrize(("axiom", "changed"), [(a, c) for a, cs in BROKEN.items() for c in cs], ids=str)
def test_every_axiom_is_tried_at_every_pair(axiom: str, changed: dict[str, float]) -> None:
    with pytest.raises(MapRefused, match=r"must be a metric: .* violates ") as refused:
        check_distance(table(**changed), POINTS)
    assert f"violates {axiom} at" in str(refused.value)


@pytest.mark.parametrize(("size", "refused"), [(1.0, False), (1e6, False), (1e6 * 2.0**20, False)])
def test_rounding_is_measured_by_the_largest_distance(size: float, refused: bool) -> None:
    """An error of four roundings of the largest distance is none of the metric."""
    error = size * 2.0**-50
    check_distance(table(ac=size, ca=size + error, ab=size, ba=size, bc=size, cb=size), POINTS)
    with pytest.raises(MapRefused, match=r"d\(x, y\) = d\(y, x\)"):
        check_distance(table(ac=size, ca=size * 1.01, ab=size, ba=size, bc=size, cb=size), POINTS)


@pytest.mark.parametrize("value", [NAN, np.inf])
@pytest.mark.parametrize("pair", ["aa", "ab", "ac", "bc"])
def test_distances_that_are_not_finite_are_left_out_and_hide_no_others(pair: str, value: float) -> None:
    unknown = {pair: value, pair[::-1]: value}
    check_distance(table(**unknown), POINTS)
    for axiom, changes in BROKEN.items():
        for changed in changes:
            alone = {"d(x, z) ≤ d(x, y) + d(y, z)": {"ab", "ac", "bc"}}.get(axiom, {min(changed)})
            if not {"".join(sorted(one)) for one in alone} & {pair}:
                with pytest.raises(MapRefused, match="must be a metric"):
                    check_distance(table(**unknown | changed), POINTS)


def test_a_metric_that_cannot_be_asked_there_is_not_refused() -> None:
    """Points may lie outside its domain: pairs that raise are left out, and there may be none."""

    def nowhere(x: Any, y: Any) -> Any:
        raise ValueError("not here")

    check_distance(ct.Metric(nowhere), POINTS)

    def single_pairs_raise_at_two(x: Any, y: Any) -> Any:
        if np.ndim(x) == 1 and 2.0 in (x[0], y[0]):
            raise ArithmeticError("outside")
        return np.abs(x - y)[..., 0]

    check_distance(ct.Metric(single_pairs_raise_at_two), POINTS)

    def wrong_where_it_can_be_asked(x: Any, y: Any) -> Any:
        single_pairs_raise_at_two(x, y)
        return np.abs(x - y).sum() if x.ndim == 1 else np.abs(x - y).sum() + 0 * x[..., 0]

    points = [np.array([0.0]), np.array([1.0]), np.array([0.5]), np.array([2.0])]
    check_distance(ct.Metric(single_pairs_raise_at_two), points)
    with pytest.raises(MapRefused, match="must treat every pair independently"):
        check_distance(ct.Metric(wrong_where_it_can_be_asked), points)


COMPARED = [
    (1, 1, True),
    (1, 2, False),
    (1, 1.0, True),
    (NAN, NAN, True),
    ("a", "a", True),
    ("a", "b", False),
    (np.array([1.0, NAN]), np.array([1.0, NAN]), True),
    (np.array([1.0, 2.0]), np.array([1.0, 3.0]), False),
    (np.array([1.0, 1.0]), np.array([[1.0, 1.0]]), False),
    (1.0, np.array([1.0]), False),
    (complex(0, NAN), complex(0, NAN), True),
    (1.0, print, None),
    (print, print, None),
    (None, None, True),
    (None, 1, False),
    (1, None, False),
    ({"a": 1}, {"a": 1}, True),
    ({"a": 1}, {"a": 2}, False),
    ({"a": 1}, {"b": 1}, False),
    ({"a": 1, "b": print}, {"a": 2, "b": print}, False),
    ({"a": 1, "b": print}, {"a": 1, "b": print}, None),
    ([1, 2], (1, 2), True),
    ([1, 2], [1], False),
    ([1, print], [1, print], None),
    ([], [], True),
]


@pytest.mark.parametrize(("a", "b", "same"), COMPARED, ids=[str(n) for n in range(len(COMPARED))])
def test_whether_two_draws_are_equal(a: Any, b: Any, same: bool | None) -> None:
    if a is not None or b is None:  # None beside something else is seen from the other side
        assert _same(a, b) is same
    assert _every([True, same]) is same


def test_one_difference_decides_and_otherwise_one_that_is_unknown() -> None:
    for answers in itertools.product((True, False, None), repeat=3):
        expected = False if False in answers else None if None in answers else True
        assert _every(iter(answers)) is expected
    assert _every([]) is True


class Counted:
    """A draw that has no equality, and whose number counts the draws of the whole program."""

    drawn = 0

    def __init__(self) -> None:
        type(self).drawn += 1
        self.number = type(self).drawn

    __eq__ = None  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("counts", [False, True])
def test_draws_without_equality_are_told_apart_by_their_maps(counts: bool) -> None:
    family = ct.RandomOperator(
        lambda rng: Counted(), lambda x, one: x / 2 + (one.number if counts else 1.0), vectorized=False
    )
    if counts:
        with pytest.raises(NotDeterministic, match=r"draw\(rng\) must depend on rng alone"):
            ct.backward_iterates(family.sample(3), 0.0)
    else:
        assert ct.backward_iterates(family.sample(3), 0.0)[-1].tolist() == [1.75]
