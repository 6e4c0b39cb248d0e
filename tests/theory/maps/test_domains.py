"""Domains: searches, probes and certificates stay in them, and maps that leave them are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import contraction as ct
from contraction.maps.domains import Domain, Points, as_domain

DOMAINS = {
    "box": ct.Box([-1.0, 0.0], [1.0, np.inf]),
    "ball": ct.Ball([1.0, 0.0], 0.5),
    "half-space": ct.HalfSpace([1.0, 2.0], -1.0),
    "simplex": ct.Simplex(),
}


@given(name=st.sampled_from(list(DOMAINS)), seed=st.integers(0, 10**6), far=st.floats(-1e3, 1e3))
def test_points_are_inside(name, seed, far):
    domain = DOMAINS[name]
    points = domain.points(np.random.default_rng(seed), np.array([far, 0.5]), 40)
    assert points.shape == (40, 2)
    assert np.all(domain.contains(points))
    assert len(np.unique(points[:, 0])) > 2


def test_what_is_outside_is_known():
    outside = {"box": [2.0, 1.0], "ball": [1.0, 0.6], "half-space": [-2.0, 0.0], "simplex": [0.5, 0.6]}
    for name, point in outside.items():
        assert not DOMAINS[name].contains(np.array(point)), name


def hyperbolic(x, y):
    """Distance in the upper half-plane."""
    gap = np.sum((x - y) ** 2, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.arccosh(1 + gap / (2 * x[..., 1] * y[..., 1]))


def half_plane(**known):
    """T(x + iy) = (x/2 + u) + i (y/2 + 1): an isometry and a step away from the border, so 1-Lipschitz."""
    return ct.RandomOperator(
        lambda rng: rng.uniform(-1, 1),
        lambda z, u: z / 2 + np.array([u, 1.0]),
        contraction=1.0,
        space=hyperbolic,
        known=ct.Known(**known),
    )


def test_a_true_constant_of_the_half_plane_is_not_refuted():
    points = lambda rng, near, count: np.stack(  # noqa: E731
        [rng.normal(size=count), np.exp(rng.normal(size=count))], axis=-1
    )
    assert 0.5 < ct.search_violation(half_plane(domain=points), [0.0, 1.0]).largest_ratio <= 1
    with pytest.raises(ct.DeclarationRefuted):
        ct.search_violation(half_plane(), [0.0, 1.0])


def cubic(**known):
    """x - 0.1 (x³ + x - u), u in [-0.1, 0.1], contracts by 0.9 on [-1, 1] and keeps it."""
    return ct.RandomOperator(
        lambda rng: rng.uniform(-0.1, 0.1),
        lambda x, u: x - 0.1 * (x**3 + x - u),
        contraction=0.9,
        displacement=0.01,
        known=ct.Known(**known),
    )


def test_a_local_constant_certifies_on_its_domain():
    found = ct.backward_limit(cubic(domain=ct.Box(-1, 1)), 0.0, 1e-6)
    assert found.certified
    truth = ct.backward_iterates(cubic().sample(600), 0.0, at=[600])[0]
    assert abs(found.value - truth) <= 1e-6
    with pytest.raises(ct.DeclarationRefuted, match="contraction factor"):
        ct.backward_limit(cubic(), 0.0, 1e-6)


@pytest.mark.control
def test_maps_that_leave_their_domain_are_refused():
    family = ct.RandomOperator(
        lambda rng: rng.uniform(0, 1),
        lambda x, u: x / 2 + u,
        contraction=0.5,
        displacement=1.0,
        known=ct.Known(domain=ct.Box(0, 1)),
    )
    with pytest.raises(ct.DeclarationRefuted, match=r"the declared domain Box.* is not invariant"):
        ct.certify(family, 0.0)


@pytest.mark.control
def test_a_wrong_constant_is_found_inside_the_domain():
    family = ct.RandomOperator(
        lambda rng: rng.uniform(0, 0.1),
        lambda x, u: x * (1 - x) + u,
        contraction=0.5,
        known=ct.Known(domain=ct.Box(0, 1)),
    )
    with pytest.raises(ct.DeclarationRefuted, match="contraction factor"):
        ct.search_violation(family, 0.5)


def test_bad_domains():
    for make, rule in (
        (lambda: ct.Box(1, 0), "needs low < high"),
        (lambda: ct.Ball(0.0, 0.0), "radius of a ball must be a finite number > 0, got"),
        (lambda: ct.HalfSpace([0.0, 0.0]), "normal that is not zero"),
        (lambda: as_domain(3), "a domain is Box"),
        (lambda: as_domain(Domain), "a domain is Box"),
        (
            lambda: Points(lambda rng, near, count: near).points(np.random.default_rng(0), np.zeros(2), 3),
            r"shape \(3, 2\)",
        ),
    ):
        with pytest.raises((ValueError, TypeError), match=rule):
            make()


def test_a_simplex_allows_for_rounding_to_its_last_number():
    """x = (1 + t, -t) with t the slack itself is inside, and with the next larger t outside."""
    t = 0.0
    for _ in range(5):
        t = 2.0**-40 * (1 + (1 + t))
    assert t == 2.0**-40 * (1 + np.max(np.abs([1 + t, -t])))
    assert ct.Simplex().contains(np.array([1 + t, -t]))
    assert not ct.Simplex().contains(np.array([1 + t, -np.nextafter(t, 1)]))


def test_a_half_space_may_be_bounded_across_one_coordinate():
    right = ct.HalfSpace([1.0, 0.0], 0.5)
    assert right.contains(np.array([[0.5, -9.0], [0.4, 9.0]])).tolist() == [True, False]
    with pytest.raises(ValueError, match="a half-space needs a normal that is not zero"):
        ct.HalfSpace([0.0, 0.0], 0.5)
