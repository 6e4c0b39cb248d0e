"""Stacks of affine maps, ties of stationary moments, roundings of iterates, kept draws, and what a probe tries."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction.maps import draws
from contraction.maps.affine import AffineMaps, as_matrix, stack_affine
from contraction.maps.errors import DeclarationRefuted, MapRefused
from contraction.maps.order_convergence import order_convergence
from contraction.maps.probe import _memory, _some, probe_family
from contraction.maps.rounding import gamma, iterate_rounding
from contraction.maps.second_moments import SecondMoments

KINDS: dict[str, Callable[[int], AffineMaps]] = {
    "number": lambda r: AffineMaps(np.arange(1.0, r + 1), np.ones((r, 3)), "scalar"),
    "diagonal": lambda r: AffineMaps(np.arange(3.0 * r).reshape(r, 3), np.ones((r, 3)), "diagonal"),
    "matrix": lambda r: AffineMaps(np.arange(9.0 * r).reshape(r, 3, 3), np.ones((r, 3)), "matrix"),
}


@pytest.mark.parametrize("replicas", [2, 4])
@pytest.mark.parametrize("first", KINDS)
@pytest.mark.parametrize("second", KINDS)
def test_maps_of_replicas_are_stacked_in_the_wider_kind(first: str, second: str, replicas: int) -> None:
    maps = [KINDS[first](replicas), KINDS[second](replicas)]
    found = stack_affine(maps)
    names = list(KINDS)
    assert found.kind == {"number": "scalar"}.get(wide := names[max(names.index(first), names.index(second))], wide)
    assert found.b.shape == (2, replicas, 3)
    for i, one in enumerate(maps):
        for r in range(replicas):
            alone = as_matrix(AffineMaps(one.A[r], one.b[r], one.kind), 3)
            assert as_matrix(AffineMaps(found.A[i, r], found.b[i, r], found.kind), 3).tolist() == alone.tolist()
    for wrong in ([], [maps[0], None]):
        with pytest.raises(ValueError, match="every map must be affine, and there must be at least one"):
            stack_affine(wrong)


@pytest.mark.parametrize("slope", [1.0, -1.0, 1.5])
def test_moments_of_maps_that_do_not_contract_are_refused_at_the_tie(slope: float) -> None:
    moments = SecondMoments.from_maps([np.array([[slope]])], [np.array([1.0])], [1.0])
    assert moments.radius == slope**2
    with pytest.raises(ValueError, match=r"the spectral radius of E A⊗A must be below one, got "):
        moments.stationary()
    with pytest.raises(ValueError, match=r"the spectral radius of E A must be below one, got "):
        moments.stationary_mean()
    alternating = SecondMoments.from_maps([np.array([[1.0]]), np.array([[-1.0]])], [np.array([1.0])] * 2, [0.5, 0.5])
    assert alternating.stationary_mean().tolist() == [1.0]  # E A = 0, although E A⊗A = 1
    with pytest.raises(ValueError, match="no stationary law with a second moment"):
        alternating.stationary()
    half = SecondMoments.from_maps([np.array([[0.5]])], [np.array([1.0])], [1.0])
    mean, square = half.stationary()
    assert (mean.tolist(), square.tolist()) == ([2.0], [4.0])


@pytest.mark.parametrize(
    ("k", "n", "terms"), [(0.5, 3, 2.0), (0.5, 1, 1.0), (0.9, 5, 5.0), (1.0, 7, 7.0), (2.0, 3, 24.0)]
)
def test_the_rounding_of_iterates_is_that_of_one_map_times_a_sum_of_powers(k: float, n: int, terms: float) -> None:
    """1 + k + … + k^(n-1) is at most n, and 1/(1 - k) for k < 1; for k > 1 n k^n is more."""
    exact = sum(F(k) ** j for j in range(n))
    found = iterate_rounding(k, n, 3.0, 10)
    assert found == pytest.approx(gamma(10) * 3.0 * terms, rel=1e-12, abs=0)
    assert F(found) >= F(gamma(10)) * 3 * exact * (1 - F(2.0**-50))


@pytest.mark.parametrize("horizon", [1, 2, 5])
def test_the_last_word_up_to_the_horizon_is_checked(horizon: int) -> None:
    def order(last: int) -> ct.CustomOrder:
        return ct.CustomOrder(lambda n: (0,) if n == last else tuple(range(1, n + 1)))

    with pytest.raises(ValueError, match=r"0|maps"):
        order_convergence(order(horizon), horizon)
    assert order_convergence(order(horizon + 1), horizon).horizon == horizon


def test_draws_are_kept_if_all_of_them_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def draw(rng: np.random.Generator) -> np.ndarray:
        made.append(1)
        return rng.uniform(size=4)

    family = ct.RandomOperator(draw, lambda x, u: x / 2)
    for room, calls in ((32 * 3, 1), (32 * 3 - 1, 2)):
        monkeypatch.setattr(draws, "CACHED_BYTES", room)
        lazy = draws.LazyDraws(family, 3, 0, None)
        made.clear()
        first, again = lazy[1], lazy[1]
        assert first.tolist() == again.tolist()
        assert len(made) == calls
        assert len(lazy) == 3
        for beyond in (3, -4):
            with pytest.raises(IndexError):
                lazy[beyond]
    assert draws._nbytes(np.zeros(3)) == 24
    assert draws._nbytes({"a": np.zeros(3), "b": (np.zeros(2), 5)}) == 24 + 16 + 64


@pytest.mark.parametrize(
    "part", [slice(1, 4), slice(None), slice(-2, None), slice(None, None, -2), slice(4, 1), slice(7)]
)
def test_draws_take_slices_and_negative_indices_as_a_list_does(part: slice) -> None:
    family = ct.RandomOperator(lambda rng: rng.uniform(), lambda x, u: x / 2 + u)
    lazy = draws.LazyDraws(family, 5, 3, None)
    plain = [lazy[i] for i in range(5)]
    assert len({*plain}) == 5
    assert lazy[part] == plain[part]
    assert [lazy[-i] for i in range(1, 6)] == plain[::-1]
    assert family.sample(5, 3).draws[part] == plain[part]
    with pytest.raises(TypeError):
        lazy[1.0]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_every_point_inside_is_tried(place: int) -> None:
    """The map adds 1 to a whole batch in which one point occurs: it is refused only if that point is tried."""
    points = np.array([[0.25], [0.5], [2.0]])

    def mixing(bad: float) -> ct.RandomOperator:
        return ct.RandomOperator(lambda rng: 0.0, lambda x, u: x / 2 + float((np.abs(x - bad) < 0.01).any()))

    with pytest.raises(MapRefused, match="apply must treat every point independently"):
        probe_family(mixing(float(points[place, 0])), *points, inside=True)
    probe_family(mixing(7.0), *points, inside=True)


def test_points_of_another_number_of_coordinates_are_tried_anew() -> None:
    def apply(x: np.ndarray, u: float) -> np.ndarray:
        return x / 2 if x.shape[-1] == 1 else x[..., :1]

    family = ct.RandomOperator(lambda rng: 0.0, apply)
    probe_family(family, np.zeros(1))
    with pytest.raises(MapRefused, match="maps must keep the shape of a point"):
        probe_family(family, np.zeros(2))


@pytest.mark.parametrize("image", [F(1, 3), 2])
def test_exact_numbers_are_real_numbers_and_complex_ones_are_not(image: Any) -> None:
    exact = ct.RandomOperator(lambda rng: 0.0, lambda x, u: x * 0 + image)
    assert ct.backward_iterates(exact.sample(2), np.array([F(1)])).tolist()[-1] == [image]
    mixed = ct.RandomOperator(lambda rng: 0.0, lambda x, u: x * 0 + image + np.array([0, 1j], dtype=object))
    with pytest.raises(MapRefused, match="maps must give real numbers"):
        ct.backward_iterates(mixed.sample(2), np.array([F(1), F(2)]))


@pytest.mark.parametrize(("low", "high", "worst"), [(0.0, 1.0, 4.0), (3.0, 5.0, 1.0), (0.0, 3.9, 4.0)])
def test_a_loss_that_bends_more_than_it_says_is_refused_with_its_slope(low: float, high: float, worst: float) -> None:
    """phi' has slope 4 below 0 and 1 above it."""

    class Bent(ct.families.DataLoss):
        def value(self, z: Any, y: Any) -> Any:
            return np.where(z < 0, 2 * z**2, z**2 / 2)

        def slope(self, z: Any, y: Any) -> Any:
            return np.where(z < 0, 4 * z, z)

    Bent.low, Bent.high = low, high
    with pytest.raises(
        DeclarationRefuted, match=r"states phi'' in \[.*\], but the slope of phi' is ([0-9.]+) "
    ) as refused:
        ct.certify(ct.families.GradientSteps(Bent([[1.0]], [0.0]), 0.1, 1), [0.0])
    seen = float(str(refused.value).split("slope of phi' is ")[1].split(" ")[0])
    assert seen == pytest.approx(worst, rel=1e-3)
    assert math.isfinite(seen)


@pytest.mark.parametrize(("count", "places"), [(1, [0]), (2, [0, 1]), (3, [0, 1, 2]), (7, [0, 3, 6]), (8, [0, 4, 7])])
def test_the_first_a_middle_and_the_last_start_are_tried(count: int, places: list[int]) -> None:
    starts = np.arange(count * 2.0).reshape(count, 2)
    assert [point.tolist() for point in _some((starts,), (2,), np.dtype(float))] == starts[places].tolist()
    both = _some((starts, np.array([9.0, 9.0])), (2,), np.dtype(np.float32))
    assert [point.tolist() for point in both] == [*starts[places].tolist(), [9.0, 9.0]]
    assert all(point.dtype == np.float32 for point in both)


def test_what_has_passed_is_remembered_with_the_object_and_not_for_numbers() -> None:
    family = ct.RandomOperator(lambda rng: 0.0, lambda x, u: x / 2)
    _memory(family)["key"] = np.dtype(float)
    assert _memory(family) == {"key": np.dtype(float)}
    other = ct.RandomOperator(lambda rng: 0.0, lambda x, u: x / 2)
    assert _memory(other) == {}
    _memory(5)["key"] = np.dtype(float)  # a number cannot be told from another one that is equal
    assert _memory(5) == {}


def only_near_zero(x: np.ndarray, u: float) -> np.ndarray:
    if np.any(np.abs(x) > 1):
        raise ArithmeticError("too far")
    return x / 2


def roots(x: np.ndarray, u: float) -> np.ndarray:
    return np.sqrt(x.astype(complex)) if np.any(x < 0) else np.sqrt(x)


@pytest.mark.parametrize("apply", [only_near_zero, roots], ids=["raises", "complex"])
def test_a_map_need_not_be_defined_far_from_the_start(apply: Callable) -> None:
    family = ct.RandomOperator(lambda rng: 0.0, apply)
    assert probe_family(family, np.array([0.5])) is None
    with pytest.raises(MapRefused, match=r"cannot be applied|must give real numbers"):
        probe_family(ct.RandomOperator(lambda rng: 0.0, apply), np.array([-2.0]))
