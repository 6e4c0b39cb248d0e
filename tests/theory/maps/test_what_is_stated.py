"""What counts as a statement of the user: overrides of classes, objects and their parts, and declared functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from contraction.families import GradientSteps, QuadraticSGD, RidgeLoss, Uniform
from contraction.maps.known import Known
from contraction.maps.second_moments import SecondMoments
from contraction.maps.stated import _parts, overridden, stated_about_maps, stated_about_noise


class Mine(QuadraticSGD):
    def apply(self, theta: Any, draw: Any) -> Any:
        return super().apply(theta, draw)

    def something_new(self) -> int:
        return 1


class Later(Mine):
    def displacement(self, theta0: Any) -> Any:
        return super().displacement(theta0)

    def something_new(self) -> int:
        return 2


class Step(RidgeLoss):
    def slope(self, z: Any, y: Any) -> Any:
        return super().slope(z, y)


class Wide(Uniform):
    origin = "declared"

    @property
    def interval(self) -> tuple[float, float]:
        return -1.0, 1.0


def test_overrides_of_a_class_are_those_of_names_that_the_package_has() -> None:
    assert overridden(QuadraticSGD(0.1)) == ()
    assert overridden(Mine(0.1)) == ("Mine.apply",)
    assert overridden(Later(0.1)) == ("Later.displacement", "Mine.apply")


@pytest.mark.parametrize("name", ["apply", "lipschitz", "displacement", "draw_block"])
def test_a_method_that_is_set_on_an_object_counts(name: str) -> None:
    family = QuadraticSGD(0.1)
    setattr(family, name, lambda *given: None)
    assert overridden(family) == (f"QuadraticSGD.{name}",)
    family.own_helper = lambda *given: None  # type: ignore[attr-defined]
    family.name = "another"  # no function
    assert overridden(family) == (f"QuadraticSGD.{name}",)


def test_parts_of_a_family_count_and_noise_apart() -> None:
    steps = GradientSteps(Step([[1.0], [2.0]], [0.0, 1.0]), 0.1, 1)
    assert overridden(steps) == ()
    assert stated_about_maps(steps) == ("Step.slope",)
    assert stated_about_noise(steps) == ()
    noisy = QuadraticSGD(0.1, Wide(-1.0, 1.0))
    assert stated_about_maps(noisy) == ()
    assert stated_about_noise(noisy) == ("Wide",)
    assert stated_about_noise(QuadraticSGD(0.1, Uniform(-1, 1))) == ()


def test_parts_of_parts_are_looked_at_and_no_further() -> None:
    class Box(QuadraticSGD):
        def __init__(self, inside: object = None) -> None:
            super().__init__(0.1)
            self.__dict__.clear()
            self.inside = inside

    fourth = Box()
    third = Box(fourth)
    second = Box(third)
    first = Box(second)
    assert list(_parts(first)) == [second, third]
    assert list(_parts(first, 1)) == [second]
    assert list(_parts(first, 3)) == [second, third, fourth]
    fourth.inside = first  # a cycle ends as well
    assert len(list(_parts(first))) == 2
    assert list(_parts(Box(Box))) == []  # a class is no part
    assert list(_parts(Box(5))) == list(_parts(Box("text"))) == []  # nor are numbers and texts
    assert list(_parts(5)) == []
    family = QuadraticSGD(0.1, Uniform(-1, 1))
    assert list(_parts(family)) == [family.noise, family.space]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"displacement_moment": lambda p: 1.0},
            r"known\.displacement_moment must be a function of \(p, theta0\), got",
        ),
        ({"displacement_moment": 1.0}, r"known\.displacement_moment must be a function of \(p, theta0\), got 1\.0"),
        ({"lipschitz_moment": lambda p, x: 1.0}, r"known\.lipschitz_moment must be a function of \(p\), got"),
        ({"lipschitz_moment": "a"}, r"known\.lipschitz_moment must be a function of \(p\), got 'a'"),
    ],
    ids=["one argument", "a number", "two arguments", "text"],
)
def test_declared_functions_take_their_arguments(given: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Known(**given)
    right = Known(displacement_moment=lambda p, theta0: 1.0, lipschitz_moment=lambda p: 0.5)
    assert right.lipschitz_moment is not None
    assert right.lipschitz_moment(2.0) == 0.5


@pytest.mark.parametrize("value", [-0.5, np.inf, np.nan, True, "0.5", 1j])
def test_a_declared_factor_is_a_finite_number_of_at_least_zero(value: Any) -> None:
    with pytest.raises(ValueError, match=r"known\.mean_square must be a finite number >= 0, got "):
        Known(mean_square=value)
    assert [Known(mean_square=x).mean_square for x in (0, 0.5, np.float32(2.0))] == [0, 0.5, 2.0]


@pytest.mark.parametrize("maps", [1, 2, 5])
def test_moments_count_the_terms_of_their_sums(maps: int) -> None:
    """M products of a weight and two numbers."""
    found = SecondMoments.from_maps(np.ones((maps, 2, 2)), np.ones((maps, 2)), np.full(maps, 1 / maps))
    assert found.terms == maps + 2


@pytest.mark.parametrize("size", [1, 2, 3])
def test_moments_of_batches_are_those_of_all_batches(size: int) -> None:
    """Means of maps over all subsets of three, listed."""
    from itertools import combinations

    rng = np.random.default_rng(0)
    A, b = rng.standard_normal((3, 2, 2)), rng.standard_normal((3, 2))
    listed = list(combinations(range(3), size))
    direct = SecondMoments.from_maps(
        [A[list(rows)].mean(axis=0) for rows in listed],
        [b[list(rows)].mean(axis=0) for rows in listed],
        [1 / len(listed)] * len(listed),
    )
    found = SecondMoments.of_batches(A, b, size)
    for name in ("EA", "Eb", "EAA", "EAb", "EbA", "Ebb"):
        np.testing.assert_allclose(getattr(found, name), getattr(direct, name), atol=1e-14)
