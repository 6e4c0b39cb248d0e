"""Limits, draws and boxes with coordinates of very different sizes, and with as many replicas as asked for."""

from __future__ import annotations

from fractions import Fraction as F
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction.certificates.majorants import Geometric, InRegion
from contraction.families import FiniteFamily, MarkovModulated
from contraction.limits.certified import _is_common_factor
from contraction.limits.composed import compose, composed, in_floats
from contraction.limits.nested_boxes import _rounding
from contraction.limits.stationary import _check_precision, _draw
from contraction.maps.errors import MapRefused
from contraction.maps.rounding import TINY, UNIT, gamma
from contraction.maps.spaces import Metric

MAPS = [(0.5, [0.0, 30.0]), (0.5, [1.0, 0.0]), (0.25, [3.0, -7.0])]
RING = MarkovModulated([[F(0), F(1), F(0)], [F(0), F(0), F(1)], [F(1), F(0), F(0)]], [F(1, 3)] * 3)


@pytest.mark.parametrize("replicas", [None, 1, 2, 5])
@pytest.mark.parametrize("chain", [True, False])
def test_draws_have_the_shape_of_their_start(replicas: int | None, chain: bool) -> None:
    family = FiniteFamily(MAPS, law=RING) if chain else FiniteFamily(MAPS)
    operators = family.sample(4, 2, replicas)
    lead = () if replicas is None else (replicas,)
    start = np.full((*lead, 2), [2.0, -1.0])
    found = _draw(operators, start)
    assert found.shape == (*lead, 2)
    letters = np.array([np.asarray(draw) for draw in operators.draws]).reshape(4, -1)
    for r, point in enumerate(found.reshape(-1, 2)):
        x = np.array([2.0, -1.0])
        for i in range(4) if chain else reversed(range(4)):
            slope, offset = MAPS[int(letters[i, r])]
            x = slope * x + np.array(offset)
        np.testing.assert_allclose(point, x, rtol=1e-14)


@pytest.mark.parametrize("place", [0, 1])
def test_the_rounding_of_a_box_is_that_of_its_farthest_coordinate(place: int) -> None:
    """γ(64 + 16 d) · 2 times the largest number of the box and of its image, for maps of unknown form."""
    maps = ct.RandomOperator(lambda rng: 0.0, lambda x, u: x / 2).sample(1, 0)
    near, far = np.full(2, -0.125), np.full(2, 0.25)
    for ends, largest in (((near, far), 0.25), ((near, far + 8 * np.eye(2)[place]), 8.25), ((near - 9, far), 9.125)):
        image = np.stack([end / 2 for end in ends])
        slack = _rounding(maps, 1, *ends, image)
        assert slack == pytest.approx(gamma(64 + 32) * 2 * largest, rel=1e-12, abs=0)
    wide = np.array([[-0.5, 0.0], [0.0, 0.5]]) + 16 * np.eye(2)[place]
    assert _rounding(maps, 1, near, far, wide) == pytest.approx(gamma(64 + 32) * 2 * 16.5, rel=0.04, abs=0)
    single = _rounding(maps, 1, near, far, np.zeros((2, 2), np.float32))
    assert single == pytest.approx(gamma(64 + 32, 2.0**-24) * 2 * 0.25, rel=1e-12)
    assert _rounding(maps, 1, near, far, np.zeros((2, 2), dtype=int)) == 0


def test_the_rounding_of_a_box_under_an_affine_map_is_that_of_each_row() -> None:
    """γ(2 d + 2) (|A| |x| + |b|), or γ(5 d + 6) where Fractions meet floats, and what underflow may lose."""
    A, b = np.array([[0.5, -0.25], [0.0, 0.125]]), np.array([3.0, -1.0])
    maps = FiniteFamily([(A, b)]).sample(1, 0)
    low, high = np.array([-8.0, 1.0]), np.array([2.0, 4.0])
    size = np.array([0.5 * 8 + 0.25 * 4 + 3, 0.125 * 4 + 1])
    np.testing.assert_allclose(_rounding(maps, 1, low, high, np.zeros((2, 2))), gamma(6) * size, rtol=1e-12)
    exact = np.array([F(-8), F(1)], dtype=object)
    for ends in ((exact, high), (low, exact + 3)):
        sizes = np.abs(A) @ np.maximum(*(np.abs(end.astype(float)) for end in ends)) + np.abs(b)
        np.testing.assert_allclose(_rounding(maps, 1, *ends, np.zeros((2, 2))), gamma(16) * sizes, rtol=1e-12)
    zero = FiniteFamily([(np.zeros((2, 2)), np.zeros(2))]).sample(1, 0)
    assert np.all(_rounding(zero, 1, low * 0, high * 0, np.zeros((2, 2))) == 4 * TINY)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_draw_with_the_largest_coordinate_decides_on_the_precision(place: int) -> None:
    """2 γ(64 + 16 d) √d max |x_j|, over all draws."""
    family = FiniteFamily([(0.5, [0.0, 0.0])])
    draws = np.ones((3, 2))
    draws[place] = [0.5, -1024.0]
    rounding = np.sqrt(2) * gamma(64 + 32) * 2 * 1024
    _check_precision(rounding * 1.001, family, draws)
    with pytest.raises(ValueError, match="is below the precision of float64 here"):
        _check_precision(rounding * 0.999, family, draws)
    _check_precision(1e-300, family, np.array([[F(1, 3), F(2)]], dtype=object))


def test_in_a_metric_of_ones_own_each_map_is_rounded_at_the_numbers_met_so_far() -> None:
    """3 max |x_j|: 1.05 · 3 γ(64 + 16 d) times the largest number of the argument, the image and all before."""
    space = Metric(lambda x, y: 3 * np.max(np.abs(x - y), axis=-1))
    maps = ct.Operators.from_maps([lambda x: x / 64, lambda x: -x, lambda x: x + np.array([6.0, 0.0])], space=space)
    prefixes = np.array([1.0, 0.5, 0.25, 9.0])
    value, rounding = composed(maps, np.array([2.0, 4.0]), 3, prefixes)
    assert value.tolist() == [-0.125, -0.0625]
    each = 1.05 * 3 * gamma(64 + 32)
    assert rounding == pytest.approx(each * 8 * (0.25 + 0.5 + 1.0), rel=0.02, abs=0)
    smaller = composed(maps, np.array([-4.0, 1.0]), 3, prefixes)[1]  # the start is the largest: 4, then 2
    assert smaller == pytest.approx(each * 4 * (0.25 + 0.5 + 1.0), rel=0.02, abs=0)


def test_compositions_begin_and_end_where_asked() -> None:
    maps = ct.Operators.from_maps([lambda x: x / 2, lambda x: x + 3, lambda x: 10 * x])
    start = np.array([1.0])
    assert compose(maps, start).tolist() == [6.5]
    assert compose(maps, start, 2).tolist() == [2.0]
    assert compose(maps, start, 3, 2).tolist() == [13.0]
    assert compose(maps, start, 0).tolist() == [1.0]
    assert compose(maps, np.broadcast_to(1.0, (2, 1)), 0).flags.writeable
    assert in_floats(np.array([1]), maps).dtype == float
    whole = ct.Operators.from_maps([lambda x: 2 * x])
    assert in_floats(np.array([1]), whole).dtype == object
    assert in_floats(np.array([1]), maps[:0]).dtype == int
    assert in_floats(np.array([1.0], np.float32), maps).dtype == np.float32
    assert np.finfo(float).eps == UNIT * 2


@pytest.mark.parametrize("place", [0, 1])
def test_one_coordinate_that_is_not_finite_is_refused(place: int) -> None:
    for bad in (np.inf, np.nan):
        image = np.where(np.arange(2) == place, bad, 1.0)
        maps = ct.Operators.from_maps([lambda x, image=image: 0 * x + image])
        with pytest.raises(MapRefused, match="the iterates are not finite"):
            composed(maps, np.zeros(2), 1, np.ones(2))


@pytest.mark.parametrize(
    ("statement", "q", "common"),
    [
        ("Theorem 2.2", None, True),
        ("Theorem 2.2 in a common norm", None, False),
        ("contraction in p-mean", None, False),
        ("Theorem 2.2 on a certified region (row 85)", 1, True),
        ("Theorem 2.2 on a certified region (row 85)", 2, False),
        ("Theorem 2.2 on a certified region (row 85)", 5, False),
    ],
)
def test_the_factor_of_an_epoch_or_of_another_norm_is_none_of_every_map(
    statement: str, q: int | None, common: bool
) -> None:
    majorant = Geometric(0.5, 1.0) if q is None else InRegion(0.5, 1.0, 2.0, q)
    certificate: Any = SimpleNamespace(statement=statement, majorant=majorant)
    assert _is_common_factor(certificate) is common
