"""Searches whose pairs coincide, whose lists have no probabilities, and boxes that an epoch leaves."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction.certificates.moments import _pair, search_declared_moments
from contraction.certificates.overrides import search_lists, search_stated_moments
from contraction.families import FiniteFamily, OwnLossSteps, Reshuffled
from contraction.limits.composed import composed
from contraction.maps.constants import Constant
from contraction.maps.domains import RotatedBox
from contraction.maps.errors import DeclarationRefuted, NotCertified
from contraction.maps.known import Known


def always(point: float) -> Any:
    return lambda rng, near, count: np.full((count, 1), point)


def test_pairs_are_drawn_from_the_declared_domain() -> None:
    """A function gives the points; where all are the same there is no pair whose factor could be compared."""
    rng = np.random.default_rng(0)
    maps = lambda rng: rng.choice([-1.0, 1.0]), lambda x, u: 0.9 * x + u
    one = ct.RandomOperator(*maps, known=Known(mean_square=0.5, domain=always(2.0)))
    x, y = _pair(one, np.zeros(1), rng)
    assert x.tolist() == y.tolist() == [2.0]
    search_declared_moments(one, np.array([2.0]), 2.0, 0)
    spread = lambda rng, near, count: rng.uniform(1, 3, (count, 1))  # noqa: E731
    wide = ct.RandomOperator(*maps, known=Known(mean_square=0.5, domain=spread))
    x, y = _pair(wide, np.zeros(1), rng)
    assert 1 <= x[0] <= 3
    assert 1 <= y[0] <= 3
    assert x[0] != y[0]
    with pytest.raises(DeclarationRefuted, match=r"the declared mean_square = 0\.5 is violated"):
        search_declared_moments(wide, np.array([2.0]), 2.0, 0)


def test_stated_factors_are_not_compared_at_equal_points() -> None:
    class Own(ct.RandomOperator):
        def factor_moment(self, p: float) -> float:
            return 0.25

        def displacement_moment(self, theta0: Any, p: float) -> Constant:
            return Constant(9.0, "proved", "mine")

    maps = lambda rng: rng.choice([-1.0, 1.0]), lambda x, u: 0.9 * x + u
    search_stated_moments(Own(*maps, known=Known(domain=always(0.0))), np.zeros(1), 2.0, 0)
    with pytest.raises(DeclarationRefuted, match="its mean"):
        search_stated_moments(Own(*maps), np.zeros(1), 2.0, 0)


@pytest.mark.parametrize("known", [False, True])
def test_probabilities_are_compared_where_the_list_has_them(known: bool) -> None:
    """Map 0 is drawn nine times of ten; a list may say that it has half the probability, or nothing."""

    class Own(FiniteFamily):
        def finite_support(self) -> Any:
            return [(F(1, 2) if known else None, i) for i in range(2)]

    own = Own([(0.5, 0.0), (0.5, 1.0)], [F(9, 10), F(1, 10)])
    if known:
        with pytest.raises(DeclarationRefuted, match=r"gives map 0 the probability 0\.5, but 0\.\d+ of \d+ draws"):
            search_lists(own, np.zeros(1), 0)
    else:
        search_lists(own, np.zeros(1), 0)


def steps(h: float) -> OwnLossSteps:
    return OwnLossSteps(
        lambda t, x: (2 * (t[0] - x) ** 2 + (t[1] + 3 * x) ** 2) / 2,
        ([1.0, -1.0],),
        2,
        h=h,
        batches=[[0], [1]],
        law=Reshuffled,
    )


def test_an_epoch_that_leaves_a_small_box_names_the_coordinate() -> None:
    family = steps(0.02)
    region = ct.find_region(family, [0.0, 0.0], grow=False)
    for j in range(2):
        radii = region.radii.copy()
        radii[j] *= 0.5
        with pytest.raises(
            NotCertified, match=rf"an epoch may send coordinate {j} of the box to 1\.\d+ r_{j}"
        ) as error:
            ct.certify(family, region.center, region=RotatedBox(region.center, radii, region.basis))
        assert "every single map" in str(error.value.tried)
        start = region.center + 0.999 * region.radii[j] * region.basis[:, j]
        with pytest.raises(
            NotCertified, match=rf"an unfinished epoch from theta0 .* coordinate {j} may reach 1\.\d+ r_{j}"
        ):
            ct.certify(family, start, region=region)


def test_fractions_that_maps_make_of_floats_are_points_of_floats() -> None:
    family = ct.RandomOperator(lambda rng: 0.0, lambda x, u: np.array([F(1, 3)]) + 0 * x.astype(int), contraction=0.0)
    value, rounding = composed(family.sample(2), np.array([2.0]), 2, np.array([1.0, 0.0, 0.0]))
    assert value.dtype == float
    assert value.tolist() == [1 / 3]
    assert rounding > 0
