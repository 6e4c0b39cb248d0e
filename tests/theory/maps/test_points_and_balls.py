"""Starts, functions of one point, numbers as balls, and what a family answers of which nothing is stated."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import flint
import numpy as np
import pytest

import contraction as ct
from contraction.families import FiniteFamily
from contraction.maps.answers import Answers
from contraction.maps.balls import ball, upper, upper_end
from contraction.maps.constants import Constant
from contraction.maps.points import as_point, each_point
from contraction.maps.spaces import as_space


@pytest.mark.parametrize(
    ("start", "dim", "point"),
    [
        (2, None, [2]),
        (2, 1, [2]),
        (2, 3, [2, 2, 2]),
        ([2.0, 3.0], 2, [2.0, 3.0]),
        ([2.0, 3.0], None, [2.0, 3.0]),
        ([[2.0, 3.0]], 2, [[2.0, 3.0]]),
        (Fraction(1, 3), 2, [Fraction(1, 3)] * 2),
        (True, None, [True]),
        (np.inf, None, [np.inf]),
    ],
    ids=str,
)
def test_a_number_is_a_point_of_equal_coordinates(start: Any, dim: int | None, point: list) -> None:
    found = as_point(start, dim)
    assert found.tolist() == point
    assert found.ndim >= 1


@pytest.mark.parametrize(
    ("start", "dim", "message"),
    [
        ([2.0], 3, "acts on points with 3 coordinates, got a start of shape"),
        ([2.0, 3.0], 1, "acts on points with 1 coordinates"),
        ([0.0, np.nan], None, "must not contain NaN"),
        ([[1.0], [1.0, 2.0]], None, "must be an array of one shape"),
        (1j, None, "must be made of real numbers"),
        ("a", None, "must be made of real numbers"),
        ([None], None, "must be made of real numbers"),
        (np.array([Fraction(1), "a"], dtype=object), None, "must be made of real numbers"),
        (np.array([{}, 1], dtype=object), None, "must be made of real numbers"),
    ],
    ids=str,
)
def test_what_is_no_start(start: Any, dim: int | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        as_point(start, dim)


@pytest.mark.parametrize("lead", [(), (3,), (2, 3), (0,), (2, 0)], ids=str)
@pytest.mark.parametrize("event", [(), (2,), (2, 2)], ids=str)
def test_a_function_of_one_point_is_applied_to_each(lead: tuple[int, ...], event: tuple[int, ...]) -> None:
    seen: list[tuple[int, ...]] = []
    buffer = np.empty(event)

    def function(x: np.ndarray) -> np.ndarray:
        seen.append(x.shape)
        buffer[...] = 2 * x + 1
        return buffer

    theta = np.arange(float(np.prod((*lead, *event)))).reshape((*lead, *event))
    found = each_point(function, theta, len(event))
    assert np.array_equal(found, 2 * theta + 1)
    assert found.shape == theta.shape
    assert found is not theta
    assert seen == [event] * int(np.prod(lead))


@pytest.mark.parametrize("number", [0.1, -3, np.int64(7), Fraction(1, 3), 2**200, np.float64(0.5)], ids=repr)
def test_a_number_as_a_ball(number: Any) -> None:
    one = ball(number)
    exact = Fraction(number) if not isinstance(number, np.integer) else Fraction(int(number))
    if exact.denominator == 3:
        assert one * 3 - 1 in flint.arb(0, 1e-10)
        assert float(one.rad()) > 0
    else:
        assert upper_end(one) == exact
        if float(exact) == exact:
            assert upper(one) == float(exact)  # and not the float above it
    assert ball(one) is one
    assert Fraction(upper(one)) >= exact
    assert Fraction(upper(one)) <= exact * (1 + Fraction(2) ** -51) or exact < 0


@pytest.mark.parametrize("number", [np.inf, -np.inf, np.nan])
def test_what_is_not_finite_is_no_ball(number: float) -> None:
    with pytest.raises(ValueError, match="ball arithmetic needs finite numbers"):
        ball(number)


class Silent(Answers):
    """A family that states nothing."""


def test_a_family_that_states_nothing_answers_that_nothing_is_known() -> None:
    one: Any = Silent()
    assert (one.contraction, one.displacement(np.zeros(1)), one.affine(None)) == (None, None, None)
    assert (one.is_iid, one.is_affine, one.given_moments) == (False, False, False)
    assert (one.log_mean, one.leaf_basis, one.states, one.dim) == (None, None, None, None)
    assert one.why_not_contracting(Constant(2.0, "proved", "")) is None
    assert one.second_moments() is None
    assert one.mean_square_factor is None
    assert float(Constant(0.25, "declared", "")) == 0.25


def of_listed(weights: Any, form: Any) -> Any:
    """A family of the maps x/2 + 1 and -x, each of which has a form, or only one of which has."""

    class Listed(Silent):
        is_iid = is_affine = True
        linear_part = offset_mean = offset_covariance = None

        def finite_support(self) -> Any:
            return None if weights is None else list(zip(weights, (0, 1), strict=True))

        def affine(self, draw: int) -> Any:
            return form[draw]

    return Listed()


def test_second_moments_need_every_map_and_its_probability() -> None:
    forms = [FiniteFamily([m]).affine(0) for m in ((0.5, 1.0), (-1.0, 0.0))]
    found = of_listed([0.25, 0.75], forms).second_moments()
    assert (found.EA.tolist(), found.Eb.tolist()) == ([[-0.625]], [0.25])
    assert (found.EAA.tolist(), found.EAb.tolist(), found.Ebb.tolist()) == ([[0.8125]], [[0.125]], [0.25])
    assert of_listed([0.25, 0.75], [forms[0], None]).second_moments() is None
    assert of_listed([0.25, 0.75], [None, forms[1]]).second_moments() is None
    assert of_listed([None, None], forms).second_moments() is None
    assert of_listed(None, forms).second_moments() is None


class Taxi:
    """A distance that is no `Space`."""

    def __init__(self, scale: float, event_ndim: int = 1) -> None:
        self.scale, self.event_ndim = scale, event_ndim

    def distance(self, x: Any, y: Any) -> list[float]:
        return (self.scale * np.abs(np.asarray(x) - np.asarray(y)).sum(axis=-1)).tolist()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Taxi) and self.scale == other.scale

    def __hash__(self) -> int:
        return hash(self.scale)

    def __repr__(self) -> str:
        return f"Taxi({self.scale})"


def test_an_object_with_a_distance_is_a_space() -> None:
    one, same, other = (as_space(Taxi(scale)) for scale in (2.0, 2.0, 3.0))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one == Taxi(2.0)
    assert repr(one) == "Taxi(2.0)"
    assert one.event_ndim == 1
    assert as_space(Taxi(2.0, 2)).event_ndim == 2
    found = one.distance([[1.0, 2.0], [0.0, 0.0]], [0.0, 0.0])
    assert isinstance(found, np.ndarray)
    assert found.tolist() == [6.0, 0.0]
    assert as_space(None) == ct.Euclidean()
    assert as_space(one) is one
    for wrong in (3, Taxi, "Euclidean", [1.0]):
        with pytest.raises(TypeError, match="a space is one of"):
            as_space(wrong)


def test_random_words_agree_on_none_to_many_letters() -> None:
    """Each number of common letters from 0 to 11 has the chance 1/12, so that a third of 400 words share 8 or more."""
    space, first = ct.Words(3), 3**12 - 1
    points = space.random_points(np.random.default_rng(0), np.array([first], dtype=object), 400)
    common = [12 if v is None else v for v in (space.first_difference(first, int(p)) for p in points[:, 0])]
    assert points.shape == (400, 1)
    assert 400 / 6 < sum(v >= 8 for v in common) < 400 / 2
    assert sum(v == 0 for v in common) > 5
