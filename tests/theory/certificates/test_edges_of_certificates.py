"""Certificates and domains at their edges: replicas, rounding that must be covered, boundaries, the last map."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import contraction as ct
from contraction import families as fam
from contraction.certificates import average, norms
from contraction.certificates import certify as certify_module
from contraction.limits.composed import _of_coordinates
from contraction.maps.domains import Ball, Box, HalfSpace, Simplex
from contraction.maps.points import as_point
from contraction.maps.rounding import gamma
from contraction.maps.spaces import Euclidean, L1Simplex, SupNorm, WeightedEuclidean


@pytest.mark.parametrize("replicas", [None, 1, 4])
def test_steps_of_drawn_maps_are_enough_for_every_replica(replicas):
    """Factors differ between replicas; the least n at which the bound of the slowest of them is at most eps."""
    family = fam.FiniteFamily([(0.9, 1.0), (0.2, -1.0)])
    certificate = ct.certify(family.sample(40, 3, replicas=replicas), 0.0)
    table = np.reshape(certificate.bound(np.arange(41)), (-1, 41))
    assert len(table) == (replicas or 1)
    for eps in (1.0, 1e-2, 1e-3):
        enough = [n for n in range(41) if all(row[n] <= eps for row in table)]
        assert certificate.steps(eps) == enough[0]
    few = ct.certify(family.sample(3, 3, replicas=replicas), 0.0)
    least = float(np.max(np.reshape(few.bound(np.arange(4)), (-1, 4)), axis=0).min())
    if least > 0:
        with pytest.raises(ValueError, match="no n <= 3 has a bound of at most"):
            few.steps(least / 2)


@pytest.mark.parametrize("log", [-0.5, -40.0, -600.0])
def test_the_upper_end_of_a_mean_logarithm_covers_its_rounding(log):
    """E log |K| as the sum of two logarithms is off by a few units in its last place, however large it is."""
    family = fam.ExpandingOnAverage([math.exp(log), math.exp(log / 2)], offset=fam.Gaussian())
    found = ct.average_contraction(family, 0.0)
    mean = (math.log(math.exp(log)) + math.log(math.exp(log / 2))) / 2
    ulp = math.ulp(mean)
    assert abs(found.exponent - mean) <= 4 * ulp
    assert (found.confidence, found.interval_confidence, found.interval) == (1.0, 1.0, (found.exponent, found.upper))
    assert 8 * ulp <= found.upper - found.exponent <= 1e-12 * (1 + abs(mean))


def test_points_on_the_boundary_lie_in_a_domain_and_points_beyond_do_not():
    angle = np.linspace(0, 2 * np.pi, 50)
    circle = np.stack([np.cos(angle), np.sin(angle)], 1)
    for radius in (0.1, 1.0, 7.3):
        ball = Ball([0.3, -0.1], radius)
        assert ball.contains(np.array([0.3, -0.1]) + radius * circle).all()
        assert not ball.contains(np.array([0.3, -0.1]) + (radius + 1e-9) * circle).any()
    box = Box([0.0, -0.1], [0.3, np.inf])
    assert box.contains(np.array([[0.0, -0.1], [0.3, 5.0], [0.1 + 0.2, 0.0]])).all()
    assert not box.contains(np.array([[-1e-9, 0.0], [0.3 + 1e-9, 0.0], [0.1, -0.1 - 1e-9]])).any()
    half = HalfSpace([3.0, 4.0], 1.0)
    assert half.contains(np.array([[0.12, 0.16], [1 / 3, 0.0], [0.0, 0.25]])).all()
    assert not half.contains(np.array([[0.12 - 1e-9, 0.16], [0.0, 0.0]])).any()
    simplex = Simplex()
    assert simplex.contains(np.array([[0.1] * 10, [1.0] + [0.0] * 9])).all()
    assert not simplex.contains(np.array([[0.1] * 9 + [0.2], [1.1, -0.1] + [0.0] * 8])).any()


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_norms_are_bounded_by_the_largest_coordinate(d):
    """c max |v_j| is at least ‖v‖, and is reached by ±1 in every coordinate for multiples of the identity."""
    rng = np.random.default_rng(d)
    root = rng.standard_normal((d, d)) + 2 * np.eye(d)
    corners = np.array(list(itertools.product((-1.0, 1.0), repeat=d)))
    spaces = [Euclidean(), SupNorm(), L1Simplex(), WeightedEuclidean(4 * np.eye(d)), WeightedEuclidean(root.T @ root)]
    for space in spaces:
        c = _of_coordinates(space, np.zeros(d))
        assert c is not None
        norms = {"L1Simplex": np.abs(corners).sum(1), "SupNorm": np.abs(corners).max(1)}.get(type(space).__name__)
        if norms is None:
            P = getattr(space, "P", np.eye(d))
            norms = np.sqrt(np.einsum("ij,jk,ik->i", corners, P, corners))
        assert max(norms) <= c * (1 + 1e-12)
    assert _of_coordinates(WeightedEuclidean(4 * np.eye(d)), np.zeros(d)) == pytest.approx(2 * math.sqrt(d))


@pytest.mark.parametrize("leaves", range(1, 5))
def test_every_drawn_map_must_keep_the_box(leaves):
    """x/2 keeps [0, 1], and x/2 + 3 does not: the first of the maps to leave it is named, the last one too."""
    family = fam.FiniteFamily([(0.5, 0.0)] * (leaves - 1) + [(0.5, 3.0)], law=fam.Cyclic(leaves))
    good = fam.FiniteFamily([(0.5, 0.0)] * leaves, law=fam.Cyclic(leaves))
    boxes = ct.nested_boxes(good.sample(leaves, 0), [0.0], [1.0])
    assert 0.5**leaves <= boxes.high[-1, 0] <= 0.5**leaves + 2 * gamma(4)  # rounded outwards by gamma(4)/2 a map
    with pytest.raises(ct.NotCertified, match=f"region not invariant: T_{leaves} sends the box"):
        ct.nested_boxes(family.sample(leaves, 0), [0.0], [1.0])


@pytest.mark.parametrize("dim", [None, 1, 2, 3, 7])
def test_a_number_as_a_start_stands_for_every_coordinate(dim):
    assert np.array_equal(as_point(1.5, dim), [1.5] * (dim or 1))
    if dim:
        assert np.array_equal(as_point(np.arange(float(dim)), dim), np.arange(float(dim)))
        with pytest.raises(ValueError, match=f"acts on points with {dim} coordinates"):
            as_point(np.zeros(dim + 1), dim)


@pytest.mark.parametrize(
    ("d", "optimised"), [(2, True), (norms.LARGEST_OPTIMISED, True), (norms.LARGEST_OPTIMISED + 1, False)]
)
def test_a_norm_is_optimised_up_to_the_largest_dimension(d, optimised, monkeypatch):
    monkeypatch.setattr(norms, "_optimised", lambda matrices, P: WeightedEuclidean(P))
    matrices = [0.5 * np.eye(d), 0.25 * np.eye(d)]
    assert ("‖·‖_P (optimised)" in [name for name, _ in norms._candidates(matrices)]) == optimised
    expanding = [2 * np.eye(d), 0.25 * np.eye(d)]  # no norm contracts both
    assert "‖·‖_P (optimised)" not in [name for name, _ in norms._candidates(expanding)]


@pytest.mark.parametrize(("drawn", "maps", "searched"), [(3, 10, 3), (10, 10, 10), (50, 10, 10), (5, 1, 1)])
def test_a_search_tells_how_many_of_the_drawn_maps_it_saw(drawn, maps, searched):
    """Each of the drawn maps x/2 + b is applied to two points and more, and no other map is."""
    family = fam.QuadraticSGD(0.5, fam.Uniform(-1, 1))
    found = ct.search_violation(family.sample(drawn, 0), [0.0], maps=maps, pairs=4)
    assert found.maps == searched
    assert found.pairs >= 4 * searched
    assert found.largest_ratio == pytest.approx(0.5, rel=1e-6)


def test_a_map_that_is_random_in_one_coordinate_alone_is_refused():
    """The first coordinate is a function of the point; the second one changes from call to call."""
    calls = itertools.count()

    def apply(theta, u):
        return theta / 2 + np.array([0.0, 1e-3 * next(calls)])

    family = ct.RandomOperator(lambda rng: rng.random(), apply, contraction=0.5, displacement=9.0)
    with pytest.raises(ct.NotDeterministic):
        ct.certify(family, np.array([1.0, 2.0]))


@pytest.mark.parametrize("drawn", [False, True])
def test_constants_of_single_maps_are_searched_although_nothing_else_is_declared(drawn):
    """s sin x with s - 0.2 declared for its constant: no common factor and no displacement is stated."""
    family = ct.RandomOperator(
        lambda rng: rng.uniform(0.5, 0.9), lambda x, s: s * np.sin(x), lipschitz=lambda s: s - 0.2
    )
    with pytest.raises(ct.DeclarationRefuted, match=r"lipschitz\(draw\)"):
        ct.certify(family.sample(4) if drawn else family, 0.0)


def test_a_mean_with_an_infinite_value_has_an_infinite_interval():
    assert average._normal(np.array([-1.0, -np.inf, -2.0]), 0.9) == (-math.inf, (-math.inf, -math.inf))
    mean, (low, high) = average._normal(np.array([-1.0, -3.0]), 0.9)
    half = 1.6448536269514722 * math.sqrt(2) / math.sqrt(2)
    assert (mean, low, high) == (-2.0, pytest.approx(-2.0 - half), pytest.approx(-2.0 + half))


@pytest.mark.parametrize(("distance", "good"), [(math.nan, False), (math.inf, False), (3.0, True)])
def test_a_start_at_which_the_metric_gives_no_number_is_refused(distance, good):
    """Two finite points at an infinite distance; an infinite image is for the probe of the maps to refuse."""
    space = ct.Metric(lambda x, y: np.where(np.all(x == y, axis=-1), 0.0, distance))
    family = ct.RandomOperator(lambda rng: rng.uniform(), lambda x, u: x / 2 + u, space=space)
    if good:
        certify_module._check_start(family, np.array([1.0]), 0)
    else:
        with pytest.raises(ct.MapRefused, match="start inside the domain of the maps and of the metric"):
            certify_module._check_start(family, np.array([1.0]), 0)
