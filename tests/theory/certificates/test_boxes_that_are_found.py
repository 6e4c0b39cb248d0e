"""The smallest and the largest box of quadratic losses, and how far epochs lead, in numbers known by hand."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction.certificates.find_region import _largest, _minimum
from contraction.certificates.region_epochs import EpochBounds, drift
from contraction.certificates.step_bounds import StepBounds, curvature_bounds, gram_inverse, step_factor, sup_factor
from contraction.families import OwnLossSteps
from contraction.maps.domains import RotatedBox
from contraction.maps.errors import NotCertified
from contraction.maps.intervals import Intervals
from contraction.maps.step_enclosures import StepEnclosure, mean_step

H = 0.1


def quadratics(a: float = 2.0, b: float = 4.0, **options: Any) -> OwnLossSteps:
    """Minima at (x, 2x) for x = 1/2 and x = -1."""
    return OwnLossSteps(
        lambda t, x: (a * (t[0] - x) ** 2 + b * (t[1] - 2 * x) ** 2) / 2,
        ([0.5, -1.0],),
        2,
        **{"h": H, "batches": [[0], [1]], **options},
    )


@pytest.mark.parametrize("slack", [None, 0.25, 2.0])
def test_the_smallest_box_spans_the_minima_of_all_losses(slack: float | None) -> None:
    """Between (1/2, 1) and (-1, -2): centered at (-1/4, -1/2), with radii 3/4 and 3/2 and the share that is added."""
    options: Any = {} if slack is None else {"slack": slack}
    found = ct.find_region(quadratics(), [3.0, -5.0], grow=False, **options)
    share = inspect.signature(ct.find_region).parameters["slack"].default if slack is None else slack
    np.testing.assert_allclose(found.center, [-0.25, -0.5], atol=1e-6)
    np.testing.assert_allclose(np.abs(found.basis), np.eye(2), atol=1e-9)
    np.testing.assert_allclose(found.radii, np.array([0.75, 1.5]) * (1 + share), rtol=1e-4)
    assert ct.certify(quadratics(), found.center, region=found).certified


def test_a_box_of_quadratics_grows_up_to_2_to_the_40() -> None:
    start = RotatedBox(np.array([-0.25, -0.5]), np.array([1.0, 2.0]))
    found = _largest(quadratics(), start)
    scale = found.radii / start.radii
    assert scale[0] == scale[1]
    assert 2.0**40 / 1.1 <= scale[0] <= 2.0**40
    assert found.center.tolist() == start.center.tolist()


def test_a_box_grows_to_a_tenth_of_the_largest_one() -> None:
    """For t²/2 + t³/6 with h = 1/2 a step is u/2 - u²/4 - …: boxes of more than some radius are not certified."""
    family = OwnLossSteps(lambda t, x: x * t[0] ** 2 / 2 + t[0] ** 3 / 6, ([1.0],), 1, h=0.5, batches=[[0]])
    start = RotatedBox(np.zeros(1), np.array([1e-3]))
    found = _largest(family, start)
    assert ct.certify(family, [0.0], region=found).certified
    assert found.radii[0] > start.radii[0]
    with pytest.raises(NotCertified):
        ct.certify(family, [0.0], region=RotatedBox(np.zeros(1), 1.1 * found.radii))


def test_newtons_method_needs_one_step_for_a_quadratic_and_a_look_at_its_end() -> None:
    center, Q = _minimum(quadratics(), np.array([3.0, -5.0]), 2)
    np.testing.assert_allclose(center, [-0.25, -0.5], atol=1e-12)
    np.testing.assert_allclose(np.abs(Q), np.eye(2), atol=1e-12)
    with pytest.raises(NotCertified, match="found no minimum of the mean loss in 1 steps"):
        _minimum(quadratics(), np.array([3.0, -5.0]), 1)
    assert _minimum(quadratics(), np.array([-0.25, -0.5]), 1)[0].tolist() == [-0.25, -0.5]
    with pytest.raises(NotCertified, match="no invariant box was found in 1 rounds"):
        ct.find_region(quadratics(), [0.0, 0.0], rounds=1)
    saddle = quadratics(2.0, -4.0)
    with pytest.raises(NotCertified, match=r"least eigenvalue -4 of its Hessian; Newton's method ended at a saddle"):
        _minimum(saddle, np.array([-0.25, -0.5]), 3)


def bounds_of(pull: float, slope: float, variation: float) -> StepBounds:
    return StepBounds(H, Intervals([pull]), Intervals([[slope]]), np.array([[variation]]))


def test_an_epoch_leads_as_far_as_its_largest_pulls_one_way() -> None:
    """Pulls 3, -2 and 1 sum to 3, 4 and 4 one way; turns 5 (|a| + v/2) to 25, 35 and 45; h = 1/10 of their sums."""
    maps = [bounds_of(3.0, 1.0, 2.0), bounds_of(-2.0, 2.0, 0.0), bounds_of(1.0, -3.0, 4.0)]
    s, aside = drift(maps, H, np.array([5.0]))
    np.testing.assert_allclose(s, [4.9], rtol=1e-12)
    np.testing.assert_allclose(aside, [0.1 * 7 * (2.8 + 3.9)], rtol=1e-12)
    assert s[0] >= 4.9
    s, aside = drift([bounds_of(-p.pull.mid[0], p.slope.mid[0, 0], 0.0) for p in maps], H, np.array([5.0]))
    np.testing.assert_allclose(s, [0.1 * (4 + 5 * 6)], rtol=1e-12)  # the same pulls the other way, without variation
    np.testing.assert_allclose(aside, [0.1 * 3 * 0.1 * (3 + 15 + 4 + 25)], rtol=1e-12)
    s, aside = drift(maps[:1], H, np.array([5.0]))
    np.testing.assert_allclose(s, [0.1 * (3 + 10)], rtol=1e-12)
    assert aside[0] < 1e-200


def enclosed(*curvature: float) -> StepEnclosure:
    d = len(curvature)
    return StepEnclosure(H, Intervals(np.zeros(d)), Intervals(np.diag(curvature)), Intervals(np.zeros((d, d, d))))


@pytest.mark.parametrize(
    ("curvatures", "factor"),
    [
        ([(2.0,), (4.0,)], 0.8 * 0.6),  # the mean step has 1 - 0.2 · 3, and 0.2 · 0.4 more
        ([(2.0,), (-1.0,)], 0.8 * 1.1),  # 1 - 0.2 · 0.5 and 0.02 more
        ([(2.0, 0.0), (0.0, 2.0)], 0.8 + 0.04),  # no step contracts in both coordinates, and the mean step does
        ([(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)], 0.9 + 1.1**3 - 1 - 0.3),
        ([(4.0,)], 0.6),
    ],
)
def test_the_factor_of_an_epoch_is_the_smaller_of_two_bounds(curvatures: list, factor: float) -> None:
    box = RotatedBox(np.zeros(len(curvatures[0])), np.ones(len(curvatures[0])))
    enclosures = [enclosed(*one) for one in curvatures]
    none = np.zeros(len(box.radii))
    mean = StepBounds(H, Intervals(none), Intervals(np.diag(none)), np.diag(none))
    epoch = EpochBounds(box, enclosures, none, none + 0.25, mean)
    assert epoch.rate == pytest.approx(H * len(enclosures), rel=1e-15)
    found = epoch.factor()
    assert factor <= found <= factor * (1 + 1e-10)
    np.testing.assert_allclose(epoch.image(np.array([3.0] * len(none))), 3.25, rtol=1e-12)


def test_images_and_factors_of_single_steps_by_hand() -> None:
    """|1 - h a_jj| and h |a_jl|, each with its share of the variation."""
    one = StepBounds(
        H, Intervals([1.0, -2.0]), Intervals([[2.0, 1.0], [-3.0, 4.0]]), np.array([[1.0, 0.0], [2.0, 0.5]])
    )
    np.testing.assert_allclose(one.moduli(1.0), [[0.9, 0.1], [0.5, 0.65]], rtol=1e-12)
    np.testing.assert_allclose(one.moduli(0.5), [[0.85, 0.1], [0.4, 0.625]], rtol=1e-12)
    r = np.array([2.0, 10.0])
    np.testing.assert_allclose(one.image(r), [0.1 + 1.7 + 1.0, 0.2 + 0.8 + 6.25], rtol=1e-12)
    np.testing.assert_allclose(one.image(r, 1.0), [0.1 + 1.8 + 1.0, 0.2 + 1.0 + 6.5], rtol=1e-12)
    assert sup_factor([one], np.array([1.0, 2.0])) == pytest.approx(0.9 + 0.2, rel=1e-12)
    assert sup_factor([one], np.array([2.0, 1.0])) == pytest.approx(2 * 0.5 + 0.65, rel=1e-12)
    other = bounds_of(0.0, 1.0, 0.0)
    assert sup_factor([other, bounds_of(0.0, -1.0, 0.0)], np.ones(1)) == pytest.approx(1.1, rel=1e-12)
    for h, m, M, factor in ((0.1, 2.0, 4.0, 0.8), (0.1, 2.0, 19.0, 0.9), (0.1, -1.0, 4.0, 1.1), (0.0, 2.0, 4.0, 1.0)):
        assert factor <= step_factor(h, m, M) <= factor * (1 + 1e-12)


@pytest.mark.parametrize("frame", [np.eye(2), np.array([[0.6, -0.8], [0.8, 0.6]]), np.array([[2.0, 0.0], [1.0, 4.0]])])
def test_curvatures_of_a_box_are_the_extreme_ones_and_vary_with_it(frame: np.ndarray) -> None:
    """H = diag(2, 5) at the centre, in the coordinates of the box Qᵀ H Q; a third derivative 3 along u_0 adds 3 r_0."""
    box = RotatedBox(np.zeros(2), np.array([0.25, 7.0]), frame)
    curvature = frame.T @ np.diag([2.0, 5.0]) @ frame
    step = StepEnclosure(H, Intervals(np.zeros(2)), Intervals(curvature), Intervals(np.zeros((2, 2, 2))))
    m, M = curvature_bounds(step, box)
    assert 2 - 1e-8 <= m <= 2 + 1e-15
    assert 5 - 1e-15 <= M <= 5 + 1e-8
    third = np.zeros((2, 2, 2))
    third[0, 0, 0] = 3.0
    bent = curvature_bounds(step._replace(third=Intervals(third)), box)
    gram = np.linalg.inv(frame).T @ np.diag([3 * 0.25, 0.0]) @ np.linalg.inv(frame)
    low = np.linalg.eigvalsh(np.diag([2.0, 5.0]) - gram)[0]
    high = np.linalg.eigvalsh(np.diag([2.0, 5.0]) + gram)[-1]
    assert bent[0] <= low + 1e-12
    assert bent[1] >= high - 1e-12
    np.testing.assert_allclose(bent, [low, high], rtol=1e-4)
    inverse = gram_inverse(box)
    exact = np.linalg.inv(frame.T @ frame)
    assert np.all(inverse.low <= exact + 1e-15)
    assert np.all(exact - 1e-15 <= inverse.high)
    assert np.all(inverse.rad <= 1e-13)


def test_the_mean_of_steps_is_that_of_their_derivatives() -> None:
    a, b, c = (
        StepEnclosure(0.5, Intervals([g]), Intervals([[H]], [[0.25]]), Intervals([[[t]]]))
        for g, H, t in ((1.0, 2.0, 3.0), (-2.0, 4.0, 0.0), (7.0, 0.0, 9.0))
    )
    mean = mean_step([a, b, c], 0.1)
    assert mean.h == 0.1
    for part, value, radius in zip(mean[1:], (2.0, 2.0, 4.0), (0.0, 0.25, 0.0), strict=True):
        assert float(part.mid.ravel()[0]) == pytest.approx(value, rel=1e-15)
        assert radius <= float(part.rad.ravel()[0]) <= radius + 1e-14
    alone = mean_step([a], 0.1)
    assert float(alone.gradient.mid[0]) == 1.0
    assert math.isclose(float(a.variation(np.array([2.0]))[0, 0]), 6.0, rel_tol=1e-12)
