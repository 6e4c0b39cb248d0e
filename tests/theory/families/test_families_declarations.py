"""The search for a violating pair: it finds what is false, leaves what is true, and shows the pair."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import contraction as ct
from contraction import families as fam
from contraction import strategies
from contraction.certificates.falsify import search_violation


def affine(A, b, **declared):
    A = np.asarray(A, dtype=float)
    return ct.RandomOperator(
        draw=lambda rng: rng.uniform(-1, 1, len(A)), apply=lambda x, e: x @ A.T + b + e, vectorized=True, **declared
    )


@given(st.integers(1, 8), st.sampled_from([0.3, 0.999, 1.0, 5.0]), st.integers(0, 2**31), st.data())
@settings(max_examples=settings().max_examples // 2)
def test_a_factor_one_part_in_a_million_too_small_is_found(d, norm, seed, data):
    """The derivative's steepest direction finds the norm of a matrix to the step's rounding."""
    A = data.draw(strategies.matrices_of_norm(d, norm))
    start = np.zeros(d)
    found = search_violation(affine(A, 0.0, contraction=norm * (1 + 1e-12)), start, seed, maps=2)
    assert found.largest_ratio <= norm * (1 + 1e-9)
    with pytest.raises(ct.DeclarationRefuted, match=r"x = \[.* y = \["):
        search_violation(affine(A, 0.0, contraction=norm * (1 - 1e-6)), start, seed, maps=2)


def test_local_expansion_far_from_the_start_is_found_when_points_are_given():
    """x + max(x - 100, 0) is the identity near 0: random scales or a region's own points reach the slope of 2."""
    family = ct.RandomOperator(
        draw=lambda rng: 0.0, apply=lambda x, e: x + np.maximum(x - 100, 0), contraction=1.0, displacement=0.0
    )
    with pytest.raises(ct.DeclarationRefuted, match="declared contraction factor"):
        search_violation(family, 0.0, points=lambda rng, count: rng.uniform(0, 300, (count, 1)))
    near = search_violation(family, 0.0, points=lambda rng, count: rng.uniform(-50, 50, (count, 1)))
    assert near.largest_ratio <= 1 + 1e-12


def test_a_displacement_that_one_map_exceeds_is_found():
    honest = affine(0.5 * np.eye(2), 0.0, displacement=np.sqrt(2.0))
    assert search_violation(honest, np.zeros(2)).largest_displacement <= np.sqrt(2.0)
    with pytest.raises(ct.DeclarationRefuted, match=r"declared displacement 0\.5 .* moves the start theta0"):
        search_violation(affine(0.5 * np.eye(2), 0.0, displacement=0.5), np.zeros(2))


def test_a_lipschitz_constant_of_single_maps_is_searched():
    family = ct.RandomOperator(
        draw=lambda rng: rng.uniform(0.5, 1.0),
        apply=lambda x, s: s * np.sin(x),
        lipschitz=lambda s: s - 0.2,
        contraction=1.0,
    )
    with pytest.raises(ct.DeclarationRefuted, match=r"lipschitz\(draw\) = .* is violated"):
        search_violation(family, 0.0)


def test_a_wrong_affine_form_is_found():
    family = ct.RandomOperator(
        draw=lambda rng: rng.uniform(-1, 1), apply=lambda x, e: 0.5 * x + e, affine=lambda e: (0.5, -e)
    )
    with pytest.raises(ct.DeclarationRefuted, match="is not the map"):
        search_violation(family, 0.0)


def test_rounding_of_a_cancelled_linear_part_is_no_violation():
    """I - h X'X with h |x|^2 near 1: A is small, yet the map's rounding is that of its argument."""
    x = 1.513
    family = fam.GradientSteps(fam.RidgeLoss([[x]], [0.3], 0.1), (1 - 2e-9) / (x * x + 0.1))
    for start in (0.0, 1e3, 1e9):
        search_violation(family, start, maps=2)


@pytest.mark.parametrize("far", [0.0, 1e6, 1e12])
def test_rounding_far_away_is_no_violation(far):
    """At 1e12 a difference of neighbours is mostly rounding: true constants stand."""
    A = np.array([[0.6, 0.3], [-0.2, 0.5]])
    norm = float(np.linalg.norm(A, 2))
    search_violation(affine(A, 1.0, contraction=norm * (1 + 1e-12)), np.full(2, far))


@pytest.mark.parametrize(
    "space", [ct.SupNorm(), ct.WeightedEuclidean(np.diag([1.0, 9.0])), ct.Metric(lambda x, y: np.abs(x - y).sum(-1))]
)
def test_other_metrics(space):
    A = np.array([[0.5, 0.4], [0.1, 0.2]])
    norm = {"SupNorm": 0.9, "Metric": 0.6}.get(type(space).__name__) or float(space.operator_norm(A))
    search_violation(affine(A, 0.0, contraction=norm * (1 + 1e-12), space=space), np.zeros(2))
    with pytest.raises(ct.DeclarationRefuted):
        search_violation(affine(A, 0.0, contraction=0.999 * norm, space=space), np.zeros(2))


def l1(x, y):
    return np.abs(x - y).sum(-1)


def test_the_column_of_the_largest_sum_is_tried():
    """In l1 a column of forty entries 1/40 has the norm 1; the singular vector, at an entry 0.9, sees 0.9 only."""
    A = np.zeros((40, 40))
    A[:, 3] = 1 / 40
    A[7, 7] = 0.9
    found = search_violation(affine(A, 0.0, contraction=1 + 1e-9, space=ct.Metric(l1)), np.zeros(40), maps=2)
    assert found.largest_ratio == pytest.approx(1.0, rel=1e-6)
    with pytest.raises(ct.DeclarationRefuted, match="declared contraction factor"):
        search_violation(affine(A, 0.0, contraction=0.95, space=ct.Metric(l1)), np.zeros(40), maps=2)


@pytest.mark.parametrize("space", [ct.SupNorm(), ct.Metric(l1)])
def test_signs_and_corner_of_the_best_direction_are_tried_in_large_dimensions(space):
    """w wᵀ/(max|w| Σ|w|), 600 coordinates: norm 1 in the sup norm along sign(w), and in l1 at the largest |w_j|.

    Along w itself the ratio is |w|²/(max|w| Σ|w|) = 0.7 in both, and the other one of the two directions sees less.
    """
    rng = np.random.default_rng(0)
    w = rng.uniform(0.1, 1.0, 600) * rng.choice([-1.0, 1.0], 600)
    A = np.outer(w, w) / (np.max(np.abs(w)) * np.sum(np.abs(w)))
    along = w @ w / (np.max(np.abs(w)) * np.sum(np.abs(w)))
    assert along < 0.75
    found = search_violation(affine(A, 0.0, contraction=1 + 1e-9, space=space), np.zeros(600), maps=1)
    assert found.largest_ratio == pytest.approx(1.0, rel=1e-6)
    with pytest.raises(ct.DeclarationRefuted, match="declared contraction factor"):
        search_violation(affine(A, 0.0, contraction=0.9, space=space), np.zeros(600), maps=1)


@pytest.mark.parametrize("d", [1, 3, 4, 600])
def test_every_replica_is_searched_along_its_own_derivative(d):
    """Of four maps only the third stretches one direction by 1; three points, as many as coordinates or not."""
    rng = np.random.default_rng(d)
    v = rng.standard_normal(d)
    A = np.stack([0.5 * np.eye(d)] * 4)
    A[2] = np.outer(v, v) / (v @ v)
    family = ct.RandomOperator(
        draw=lambda rng, size: np.arange(size),  # replica r has the map A_r
        apply=lambda x, r: np.einsum("...i,...ji->...j", x, A[r]),
        vectorized=True,
        contraction=1 + 1e-9,
    )
    found = search_violation(family.sample(2, replicas=4), np.zeros(d))
    assert found.largest_ratio == pytest.approx(1.0, rel=1e-6)
    assert search_violation(family.sample(2, replicas=2), np.zeros(d)).largest_ratio == pytest.approx(0.5, rel=1e-6)


def test_drawn_maps_and_replicas_are_searched():
    family = affine(0.5 * np.eye(2), 0.0, contraction=0.5)
    for replicas in (None, 3):
        found = search_violation(family.sample(40, seed=1, replicas=replicas), np.zeros(2))
        assert found.largest_ratio == pytest.approx(0.5, rel=1e-9)
        assert found.maps == 16
    with pytest.raises(ct.DeclarationRefuted, match=r"T_1 of .* \(seed 1\)"):
        search_violation(affine(0.5 * np.eye(2), 0.0, contraction=0.4).sample(3, seed=1, replicas=2), np.zeros(2))


def test_a_family_that_declares_nothing_is_only_measured():
    found = search_violation(affine(2 * np.eye(2), 0.0), np.zeros(2))
    assert found.largest_ratio == pytest.approx(2.0, rel=1e-9)
    with pytest.raises(ValueError, match="maps must be an integer of at least 0"):
        search_violation(affine(np.eye(1), 0.0), 0.0, maps=-1)
