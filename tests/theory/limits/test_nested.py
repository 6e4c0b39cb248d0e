"""Nested sets: a-posteriori brackets of the limit from an invariant set, without a contraction factor."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import contraction as ct
from contraction.families import BernoulliConvolution, FiniteFamily
from contraction.limits.nested_boxes import nested_boxes
from contraction.maps.rounding import gamma


@given(seed=st.integers(0, 2**31), n=st.integers(1, 60))
def test_boxes_are_nested_and_hold_the_limit(seed, n):
    operators = BernoulliConvolution(0.5).sample(60, seed)
    limit = ct.backward_iterates(operators, 0.5)[-1]
    boxes = nested_boxes(operators, 0.0, 1.0, at=[0, n // 2, n])
    assert np.all(np.diff(boxes.low[:, 0]) >= 0)
    assert np.all(np.diff(boxes.high[:, 0]) <= 0)
    assert np.all(boxes.low[2] - 1e-15 <= limit)
    assert np.all(limit <= boxes.high[2] + 1e-15)
    # each end is moved outwards by gamma(4) a map at most (|A| <= 1/2, |b| <= 1/2 on [0, 1]), and halved by the next
    assert boxes.width == pytest.approx([1.0, 0.5 ** (n // 2), 0.5**n], abs=5 * gamma(4))


def test_monotone_maps_that_are_no_contractions():
    """Monotone maps of [.1, 1] with slope up to 1.4: no k < 1 on it, yet the boxes shrink."""
    family = FiniteFamily([lambda x: x**2 / 2 + 0.25, lambda x: 0.9 * np.sqrt(x)])
    operators = family.sample(80, 4)
    boxes = nested_boxes(operators, 0.1, 1.0, at=[1, 5, 20, 80])
    assert np.all(np.diff(boxes.width) < 0)
    assert boxes.width[-1] < 1e-6
    inside = ct.backward_iterates(operators, 0.5)[-1]
    assert np.all((boxes.low <= inside + 1e-15) & (inside <= boxes.high + 1e-15))


def test_affine_boxes_with_signs():
    """Interval arithmetic for maps that are not monotone; the extremes alone would be wrong there."""
    A = np.array([[0.3, -0.4], [0.2, 0.3]])
    family = FiniteFamily([(A, [0.2, 0.1]), (-A, [0.1, 0.2])])
    operators = family.sample(40, 1)
    boxes = nested_boxes(operators, [-1.0, -1.0], [1.0, 1.0], maps="affine")
    assert np.all(np.diff(boxes.low, axis=0) >= -1e-15)
    assert boxes.width[-1] < 1e-4
    starts = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    for n, low, high in zip(boxes.n, boxes.low, boxes.high, strict=True):
        ends = ct.backward_iterates(operators, starts, at=[int(n)])[:, 0]
        assert np.all((low - 1e-15 <= ends) & (ends <= high + 1e-15))
    own = nested_boxes(operators, [-1.0, -1.0], [1.0, 1.0], maps=lambda i, x, y: interval(family, i, x, y))
    assert np.allclose(own.low, boxes.low)


def interval(family, i, x, y):
    form = family.affine(i)
    middle, radius = (x + y) / 2, (y - x) / 2
    return form.A @ middle - abs(form.A) @ radius + form.b, form.A @ middle + abs(form.A) @ radius + form.b


@pytest.mark.control
def test_forward_images_are_not_nested():
    operators = BernoulliConvolution(0.5).sample(30, 0)
    forward = np.stack([ct.forward_iterates(operators, x)[:, 0] for x in (0.0, 1.0)])
    assert np.any(np.diff(forward[0]) < 0)


def test_a_box_that_is_not_invariant_at_a_small_scale_is_refused():
    """The limit 2e-17 lies outside [-1e-20, 1e-20]; rounding at this scale is far smaller than the way out."""
    for maps in ("monotone", "affine"):
        with pytest.raises(ct.NotCertified, match="region not invariant"):
            nested_boxes(FiniteFamily([(0.5, 1e-17)]).sample(5), -1e-20, 1e-20, maps=maps)


def test_exact_boxes_are_exact():
    halves = FiniteFamily([(F(1, 2), 0), (F(1, 2), F(1, 2))])
    boxes = nested_boxes(halves.sample(9, 0), np.array([F(0)], object), np.array([F(1)], object), at=[9])
    assert boxes.width.tolist() == [F(1, 2**9)]


def test_errors():
    leaving = FiniteFamily([(0.5, 0.6)]).sample(5)
    with pytest.raises(ct.NotCertified, match="region not invariant: T_1 sends the box"):
        nested_boxes(leaving, -1.0, 1.0)
    for call, rule in (
        (lambda: nested_boxes(leaving, 1.0, -1.0), "low <= high"),
        (lambda: nested_boxes(FiniteFamily([(-0.5, 0.0)]).sample(3), -1.0, 1.0), "T_1 is not monotone"),
        (lambda: nested_boxes(FiniteFamily([(0.5, 0.0)]).sample(3), -1.0, 1.0, at=[4]), "iterate 4 was asked for"),
        (
            lambda: nested_boxes(FiniteFamily([(0.5, 0.0)]).sample(3, replicas=2), -1.0, 1.0),
            "a single copy of the maps",
        ),
        (
            lambda: nested_boxes(FiniteFamily([lambda x: x / 2]).sample(3), -1.0, 1.0, maps="affine"),
            "not known to be affine",
        ),
        (lambda: nested_boxes(leaving, -1.0, 2.0, maps="convex"), "maps must be 'monotone', 'affine' or a function"),
    ):
        with pytest.raises(ValueError, match=rule):
            call()
