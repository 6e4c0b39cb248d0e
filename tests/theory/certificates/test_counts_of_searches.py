"""How many maps, starts and pairs a search for violations compares, at the dimensions where the number changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction.certificates import falsify
from contraction.certificates.falsify import _farthest, _Map
from contraction.families import QuadraticSGD, Uniform
from contraction.maps.constants import Constant
from contraction.maps.domains import Box
from contraction.maps.errors import DeclarationRefuted
from contraction.maps.known import Known


@pytest.mark.parametrize(
    ("d", "steep", "points"),
    [(1, 6, 3), (8, 6, 3), (9, 6, 1), (16, 6, 1), (17, 2, 1)],
)
def test_pairs_along_steep_directions_are_fewer_in_high_dimension(
    d: int, steep: int, points: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each map 3 random pairs; of some maps 3 directions on 3 scales through some of these points."""
    assert (falsify.SMALL, falsify.FULL_JACOBIAN, falsify.STEEPEST_MAPS) == (64, 512, 6)
    monkeypatch.setattr(falsify, "SMALL", 8)
    monkeypatch.setattr(falsify, "FULL_JACOBIAN", 16)
    found = ct.search_violation(QuadraticSGD(0.5, Uniform(-1, 1), d), np.zeros(d), maps=7, pairs=3)
    assert found.pairs == 7 * 3 + steep * 9 * points
    assert found.maps == 7


@pytest.mark.parametrize("d", [9, 16, 17])
def test_the_first_derivative_is_a_whole_matrix_up_to_a_dimension(d: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(falsify, "SMALL", 8)
    monkeypatch.setattr(falsify, "FULL_JACOBIAN", 16)
    seen: list[int] = []
    monkeypatch.setattr(falsify, "_of_products", lambda T, x: seen.append(1))
    ct.search_violation(QuadraticSGD(0.5, Uniform(-1, 1), d), np.zeros(d), maps=3, pairs=3)
    assert len(seen) == 2  # of three maps the first has a matrix, or two of three maps have products


@pytest.mark.parametrize("wrong", [None, 0, 1])
def test_forms_and_domains_of_replicas_are_compared_point_by_point(wrong: int | None) -> None:
    """Three replicas of maps of the plane: x/2 + u, of which a form with another offset is refused."""

    def affine(u: Any) -> tuple[float, Any]:
        return 0.5, np.asarray(u) + (0 if wrong is None else 1e-3 * np.eye(2)[wrong])

    family = ct.RandomOperator(lambda rng: rng.uniform(-1, 1, 2), lambda x, u: x / 2 + u, affine=affine)
    T = _Map(family.sample(2, 0, 3), 1)
    x = T.spread(np.array([[1.0, 2.0], [-3.0, 4.0], [5.0, 0.0], [7.0, 7.0]]))
    assert x.shape == (4, 3, 2)
    if wrong is None:
        falsify._check_affine(T, x)
    else:
        with pytest.raises(DeclarationRefuted, match=r"is not the map: .* sends x = \[1\.0, 2\.0\] to "):
            falsify._check_affine(T, x)
    box = Box([-np.inf, -np.inf], [2.0, 2.0])
    inside = ct.RandomOperator(lambda rng: rng.uniform(0, 1, 2), lambda x, u: x / 2 + u, known=Known(domain=box))
    falsify._check_domain(_Map(inside.sample(1, 0, 3), 1), x)
    leaving = ct.RandomOperator(
        lambda rng: rng.uniform(0, 1, 2),
        lambda x, u: x / 2 + u + (x[..., 1:] == 2) * np.array([0, 9]),
        known=Known(domain=box),
    )
    with pytest.raises(DeclarationRefuted, match=r"is not invariant: .* sends x = \[1\.0, 2\.0\] to "):
        falsify._check_domain(_Map(leaving.sample(1, 0, 3), 1), x)


@pytest.mark.parametrize("d", [2, 5])
def test_directions_of_replicas_are_those_of_each_replica(d: int) -> None:
    """Replica r stretches coordinate r by 3 + r, and all others by 1: one pair along its axis has this ratio."""

    def apply(x: Any, u: Any) -> Any:
        return x * np.asarray(u)

    family = ct.RandomOperator(lambda rng: 1 + (2 + rng.integers(5)) * np.eye(d)[rng.integers(d)], apply)
    T = _Map(family.sample(1, 3, 6), 1)
    largest = np.array([np.max(u) for u in T.draw])
    x = T.spread(np.random.default_rng(0).standard_normal((3, d)))
    for directions in (falsify._of_jacobian(T, x), falsify._of_products(T, x)):
        assert directions is not None
        best = np.zeros((3, 6))
        for v in directions:
            v = np.broadcast_to(v, x.shape)
            best = np.maximum(best, np.linalg.norm(v * np.stack(T.draw), axis=-1) / np.linalg.norm(v, axis=-1))
        np.testing.assert_allclose(best, np.broadcast_to(largest, (3, 6)), rtol=1e-3)


@pytest.mark.parametrize(("d", "count"), [(1, 256), (2**13, 128), (2**16, 16), (2**17, 16)])
def test_a_stated_displacement_is_compared_with_many_fresh_maps(d: int, count: int) -> None:
    """As many as there is room for 2^20 numbers, at least 16 and at most 256."""
    seen: list[float] = []

    def apply(x: Any, u: float) -> Any:
        seen.append(u)
        return x / 2 + u

    family = ct.RandomOperator(lambda rng: rng.uniform(0, 1), apply, displacement=np.sqrt(d))
    start, reach = np.zeros(d), Constant(np.sqrt(d), "declared", "displacement=")
    largest = _farthest(family, start, reach, 0)
    assert len({*seen}) == count
    assert largest == pytest.approx(max(seen) * np.sqrt(d), rel=1e-12)
    assert _farthest(family, start, None, 0) == 0.0
    assert _farthest(family, start, Constant(np.sqrt(d), "proved", "a proof"), 0) == 0.0
    assert _farthest(family.sample(3), start, reach, 0) == 0.0
    assert len({*seen}) == count
