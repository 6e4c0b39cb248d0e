"""Difference quotients, their floors, ranks and detailed balance, in numbers that are known by hand."""

from __future__ import annotations

import math
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction.exponents.derivatives import (
    DIFFERENCES,
    STEP,
    _differences,
    _linear,
    _with_floor,
    depends_on_step,
    derivative_of,
    exact_rank,
)
from contraction.exponents.law_of_maps import is_reversible_chain
from contraction.families import BernoulliConvolution, FiniteFamily, MarkovModulated
from contraction.maps.affine import AffineMaps
from contraction.maps.errors import DeclarationRefuted
from contraction.maps.rounding import EPS

A = np.array([[0.5, -2.0], [1.0, 0.25]])


def plane(apply: Any, **options: Any) -> ct.RandomOperator:
    return ct.RandomOperator(lambda rng: rng.uniform(), apply, **options)


@pytest.mark.parametrize("d", [1, 3])
def test_the_floor_of_a_frame_is_that_of_its_longest_image(d: int) -> None:
    """8 d units of the longest image of each replica; a single direction has none."""
    images = np.zeros((2, 3, d))
    images[0, :, 0], images[1, :, 0] = [1.0, 5.0, 0.0], [-4.0, 2.0, 0.0]
    found, floors = _with_floor(images, d)
    assert found.tolist() == images.tolist()
    assert floors.tolist() == [[8 * d * EPS * x for x in (4.0, 5.0, 0.0)]] * 2
    alone = _with_floor(images[:1], d)[1]
    assert alone.tolist() == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize("kind", ["scalar", "diagonal", "matrix"])
def test_images_under_linear_parts_have_the_floor_of_their_terms(kind: str) -> None:
    """A v, and 8 d units of | |A| |v| |, which does not cancel."""
    part = {"scalar": np.array(-3.0), "diagonal": np.array([2.0, -0.5]), "matrix": A}[kind]
    full = part if kind == "matrix" else np.diag(np.broadcast_to(part, (2,)))
    V = np.array([[[4.0, 1.0]], [[1.0, -1.0]]])  # two directions of one replica; A (4, 1) = (0, 4.25)
    images, floors = _linear(AffineMaps(part, np.zeros(2), kind), V, 2)
    np.testing.assert_allclose(images, V @ full.T, rtol=1e-15)
    np.testing.assert_allclose(floors, 16 * EPS * np.linalg.norm(np.abs(V) @ np.abs(full).T, axis=-1), rtol=1e-14)
    with pytest.raises(ValueError, match="without an affine form"):
        _linear(None, V, 2)


@pytest.mark.parametrize("far", [0.0, 1.0, 500.0])
def test_quotients_are_central_with_a_step_that_grows_with_the_point(far: float) -> None:
    """Of x² the slope is exact to rounding, from the points θ ± h v with h = STEP max(1, |θ|)."""
    seen: list[np.ndarray] = []

    def apply(x: Any, u: Any) -> Any:
        seen.append(np.array(x))
        return x**2

    operators = plane(apply).sample(2, 0, replicas=2)
    theta, V = np.array([[0.6 * far, 0.8 * far], [0.0, 0.0]]), np.array([[[1.0, 0.0], [0.6, 0.8]]])
    images, floors = _differences(operators, 2, theta, V)
    h = STEP * np.array([max(1.0, far), 1.0])
    np.testing.assert_allclose(images, 2 * theta * V, atol=1e-9 * max(1.0, far))
    for r, points in enumerate(seen):
        np.testing.assert_allclose(points, [theta[r] + h[r] * V[0, r], theta[r] - h[r] * V[0, r]], rtol=1e-12)
    assert len(seen) == 2
    for r in range(2):
        larger = max(np.linalg.norm((theta[r] + s * h[r] * V[0, r]) ** 2) for s in (1, -1))
        assert floors[0, r] == pytest.approx(8 * EPS * larger / h[r], rel=1e-9, abs=0)


def test_a_step_matters_if_the_quotient_changes_by_more_than_a_quarter() -> None:
    """At 0, of c x + x^3 K the two quotients are c + K h² and c + K h²/256."""
    h = STEP
    for share, matters in ((0.2, False), (0.24, False), (0.27, True), (0.9, True), (-0.2, False), (-0.9, True)):
        K = share / ((255 / 256) * h**2)  # the gap is this share of 1
        base = 1.0 - share if share > 0 else 1.0  # so that the larger of the two quotients is 1
        operators = plane(lambda x, u, K=K, base=base: base * x + K * x**3).sample(1, 0, replicas=1)
        found = depends_on_step(operators, 1, np.zeros((1, 1)), np.ones((1, 1, 1)))
        assert found.tolist() == [[matters]]
    flat = plane(lambda x, u: 0 * x).sample(1, 0, replicas=1)
    assert depends_on_step(flat, 1, np.zeros((1, 1)), np.ones((1, 1, 1))).tolist() == [[False]]


@pytest.mark.parametrize(("units", "matters"), [(16, False), (18, True)])
def test_a_change_within_the_rounding_of_both_steps_does_not_matter(units: int, matters: bool) -> None:
    """Values 3/2 ± m 2^-52 at the narrow step, h/16: three quarters of 16 m against (8 + 8 · 16) 3/2 = 12 · 17."""
    operators = plane(
        lambda x, u: 1.5 + units * EPS * np.sign(x) * (np.abs(x) < STEP / 2),
    ).sample(1, 0, replicas=1)
    assert depends_on_step(operators, 1, np.zeros((1, 1)), np.ones((1, 1, 1))).tolist() == [[matters]]


@pytest.mark.parametrize(
    ("matrix", "rank"),
    [
        ([[0.0, 0.0], [0.0, 0.0]], 0),
        ([[1.0, 2.0], [2.0, 4.0]], 1),
        ([[0.0, 1.0], [0.0, 5.0]], 1),
        ([[0.0, 1.0], [1.0, 0.0]], 2),
        ([[0.1, 0.3], [0.1 * 3, 0.9]], 2),  # 0.1 · 3 is not 0.3 in floats
        ([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]], 2),
        ([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]], 2),
        ([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [1.0, 1.0, 2.0]], 2),
        ([[0.0, 2.0, 1.0], [3.0, 0.0, 1.0], [0.0, 0.0, 1e-300]], 3),
    ],
    ids=str,
)
def test_ranks_in_rational_arithmetic(matrix: list[list[float]], rank: int) -> None:
    d = len(matrix)
    other = np.eye(d)
    assert exact_rank(AffineMaps(np.array(matrix), np.zeros(d), "matrix"), 0, d) == rank
    both = AffineMaps(np.stack([other, np.array(matrix)]), np.zeros((2, d)), "matrix")
    assert exact_rank(both, 1, d) == rank
    assert exact_rank(both, 0, d) == d


def test_ranks_of_numbers_and_diagonals_and_beyond_twelve_coordinates() -> None:
    assert exact_rank(AffineMaps(np.array(2.0), np.zeros(3), "scalar"), 0, 3) == 3
    assert exact_rank(AffineMaps(np.array([2.0, 0.0]), np.zeros((2, 3)), "scalar"), 1, 3) == 0
    assert exact_rank(AffineMaps(np.array([2.0, 0.0, 1.0]), np.zeros(3), "diagonal"), 0, 3) == 2
    assert exact_rank(AffineMaps(np.array([[1.0, 1.0], [0.0, 0.0]]), np.zeros((2, 2)), "diagonal"), 1, 2) == 0
    assert exact_rank(None, 0, 4) == 4
    for d, rank in ((12, 0), (13, 13)):
        assert exact_rank(AffineMaps(np.zeros((d, d)), np.zeros(d), "matrix"), 0, d) == rank


def test_where_a_derivative_comes_from() -> None:
    theta = np.zeros((2, 2))
    affine = FiniteFamily([(A, [0.0, 0.0])]).sample(3, 0, replicas=2)
    assert derivative_of(affine, theta, None)[1] == "the maps' linear parts"
    assert derivative_of(plane(lambda x, u: x / 2).sample(3, 0, replicas=2), theta, None)[1] == DIFFERENCES
    given, source = derivative_of(affine, theta, lambda x, v, draw: A @ v)
    assert source == "given as jvp="
    V = np.array([[[1.0, 0.0], [0.0, 1.0]]])
    images, floors = given(1, theta, V)
    assert images.tolist() == [[A[:, 0].tolist(), A[:, 1].tolist()]]
    assert floors.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("wrong", [None, 1, 2, 3, 4, 5])
def test_a_derivative_is_compared_at_the_first_a_middle_and_the_last_map(wrong: int | None) -> None:
    """Of five maps x/2 + u at the maps 1, 3 and 5, to one part in 10^4."""
    family = ct.RandomOperator(lambda rng: rng.uniform(), lambda x, u: x / 2 + u)
    operators = family.sample(5, 0, replicas=2)
    special = None if wrong is None else float(operators.draws[wrong - 1][1])

    def jvp(share: float) -> Any:
        return lambda x, v, u: 0.5 * v * (1 + share * (special is not None and float(u) == special))

    derivative_of(operators, np.zeros((2, 1)), jvp(0.9e-4))
    if wrong in (1, 3, 5):
        with pytest.raises(DeclarationRefuted, match=rf"jvp= is not the derivative of T_{wrong}: at theta"):
            derivative_of(operators, np.zeros((2, 1)), jvp(1.1e-4))
    else:
        derivative_of(operators, np.zeros((2, 1)), jvp(1.1e-4))


@pytest.mark.parametrize(("units", "reversible"), [(0, True), (4, True), (-4, True), (5, False), (-5, False)])
def test_flows_of_a_chain_may_differ_by_four_units(units: int, reversible: bool) -> None:
    """1/4 one way, and 1/4 (1 + units · 2^-52) the other."""
    off = units * EPS / 2
    chain = MarkovModulated([[0.5, 0.5], [0.5 + off, 0.5 - off]], [0.5, 0.5])
    assert is_reversible_chain(chain) is reversible
    if units:
        exact = MarkovModulated([[F(1, 2), F(1, 2)], [F(1, 2) + F(off), F(1, 2) - F(off)]], [F(1, 2), F(1, 2)])
        assert not is_reversible_chain(exact)


@pytest.mark.parametrize("bad", [0, 1, 4])
def test_every_start_that_is_drawn_is_one_point(bad: int) -> None:
    calls: list[int] = []

    def start(rng: np.random.Generator) -> Any:
        calls.append(1)
        return np.zeros((3, 1)) if len(calls) == bad + 1 else np.ones(1)

    with pytest.raises(ValueError, match=r"start\(rng\) must return one point with 1 axes"):
        ct.synchronisation(BernoulliConvolution(0.5), [0.0], 2, 5, start=start)


@pytest.mark.parametrize("at", [None, [2], [0, 3], [3, 1, 1]])
@pytest.mark.parametrize("lag", [1, 3])
def test_distances_of_two_runs_under_the_same_maps(at: list[int] | None, lag: int) -> None:
    """The second run has gone through T_lag … T_1 before; both then go through T_(lag + 1), T_(lag + 2), …."""
    family = FiniteFamily([(0.5, [0.0, 3.0]), (-0.25, [1.0, 1.0])])
    found = ct.synchronisation(family, [2.0, -1.0], 3, 4, lag=lag, at=at, seed=6)
    asked = list(range(4)) if at is None else sorted({*at})
    operators = family.sample(asked[-1] + lag, 6, replicas=4)
    x = np.broadcast_to([2.0, -1.0], (4, 2))
    y = x
    for i in range(1, lag + 1):
        y = operators.apply(i, y)
    rows = []
    for k in range(asked[-1] + 1):
        if k:
            x, y = operators.apply(lag + k, x), operators.apply(lag + k, y)
        if k in asked:
            rows.append(np.linalg.norm(x - y, axis=-1))
    assert found.n.tolist() == asked
    np.testing.assert_allclose(found.distances, rows, rtol=1e-13)
    assert found.applications == lag + 2 * asked[-1]
    assert (found.question, found.lag) == ("b" if lag == 1 else "a", lag)
    assert math.isclose(found.confidence, 0.95)
