"""Distances of integer points, and iterates from integer starts, do not wrap around at the ends of their type."""

from __future__ import annotations

import numpy as np
import pytest

import contraction as ct

TYPES = (np.int8, np.uint8, np.int16, np.uint32, np.int64, np.uint64, bool)
SPACES = (
    ct.Euclidean(),
    ct.SupNorm(),
    ct.L1Simplex(),
    ct.WeightedEuclidean(np.eye(2)),
    ct.GridFunctions(np.array([0.0, 1.0])),
)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("space", SPACES, ids=lambda space: type(space).__name__)
def test_a_distance_of_integers_is_that_of_floats(space: ct.Euclidean, kind: type) -> None:
    x, y = np.array([0, 1]), np.array([1, 0])
    expected = float(space.distance(x.astype(float), y.astype(float)))
    assert float(space.distance(x.astype(kind), y.astype(kind))) == expected


@pytest.mark.parametrize(
    "space", [ct.Euclidean(), ct.SupNorm(), ct.L1Simplex()], ids=lambda space: type(space).__name__
)
@pytest.mark.parametrize("kind", [np.int8, np.int64])
def test_the_ends_of_a_type_are_its_whole_width_apart(space: ct.Euclidean, kind: type) -> None:
    ends = np.iinfo(kind)
    distance = space.distance(np.array([ends.min], dtype=kind), np.array([ends.max], dtype=kind))
    assert int(distance) == int(ends.max) - int(ends.min)


@pytest.mark.parametrize("kind", TYPES)
def test_iterates_do_not_depend_on_the_integer_type_of_the_start(kind: type) -> None:
    family = ct.RandomOperator(lambda rng: int(rng.integers(2)), lambda x, u: (x + 200 * u) // 2)
    maps = family.sample(8, seed=0)
    rows = ct.forward_iterates(maps, np.array([1], dtype=kind))
    assert rows[:, 0].tolist() == ct.forward_iterates(maps, [1])[:, 0].tolist()
    assert (
        ct.backward_iterates(maps, np.array([1], dtype=kind))[-1].tolist()
        == ct.backward_iterates(maps, [1])[-1].tolist()
    )
