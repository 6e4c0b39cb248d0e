"""What a user's lists, linear parts, moments and regions are compared with: the allowances, and who is named."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction.certificates import overrides
from contraction.certificates.majorants import InRegion
from contraction.certificates.overrides import (
    _points,
    _search_linear_parts,
    _search_support,
    labelled,
    search_lists,
    search_log_mean,
    search_region,
    search_stated_moments,
)
from contraction.certificates.region import RegionCertificate
from contraction.families import FiniteFamily, FunctionNoise, QuadraticSGD, Uniform
from contraction.maps.constants import Constant
from contraction.maps.domains import RotatedBox
from contraction.maps.draws import sub_sequence
from contraction.maps.errors import DeclarationRefuted
from contraction.maps.rounding import gamma
from contraction.maps.spaces import Euclidean


@pytest.fixture(autouse=True)
def _fewer_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (overrides.DRAWS, overrides.FEW, overrides.FALSE_ALARM) == (2048, 64, 1e-9)
    monkeypatch.setattr(overrides, "DRAWS", 512)


def halves(*offsets: float) -> ct.RandomOperator:
    """T(x) = x/2 + u, u one of these numbers, each as often."""
    return ct.RandomOperator(lambda rng: float(rng.choice(offsets)), lambda x, u: x / 2 + u)


@pytest.mark.parametrize("d", [1, 3])
def test_points_of_a_search_are_the_start_and_normal_ones_about_it(d: int) -> None:
    theta = np.linspace(-5.0, 9.0, d)
    found = _points(halves(0.0), theta, 7, 4)
    assert found.shape == (5, d)
    assert found[0].tolist() == theta.tolist()
    steps = np.random.default_rng(sub_sequence(7, "overrides")).standard_normal((4, d))
    np.testing.assert_allclose((found[1:] - theta) / (1 + np.abs(theta)), steps, rtol=1e-9)
    assert len(_points(halves(0.0), theta, 7)) == 4
    given: list[Any] = []
    family = halves(0.0)
    family.random_points = lambda rng, near, count: given.extend([rng, near, count]) or np.ones((count, d))  # type: ignore[method-assign,func-returns-value]
    assert _points(family, theta, 7, 2).tolist() == [theta.tolist(), [1.0] * d, [1.0] * d]
    assert isinstance(given[0], np.random.Generator)
    assert given[1] is theta
    assert given[2] == 2


@pytest.mark.parametrize("side", [1, -1])
def test_a_listed_map_may_differ_by_the_roundings_of_the_largest_numbers(side: int) -> None:
    """γ(64 + 16 d) · 4 · (1 + max |x| + max |T x|) over all points that are tried."""
    family, theta = halves(1.0), np.array([3.0, -8.0])
    x = _points(family, theta, 0)
    slack = gamma(64 + 32) * 4 * (1 + np.max(np.abs(x)) + np.max(np.abs(x / 2 + 1)))
    _search_support(family, theta, [(1.0, 1.0 + side * 0.995 * slack)], 0)
    with pytest.raises(DeclarationRefuted, match=r"does not list T_1 .* sends x = \[3\.0, -8\.0\] to \[2\.5, -3\.0\]"):
        _search_support(family, theta, [(1.0, 1.0 + side * 1.005 * slack)], 0)


def test_the_first_map_that_is_not_listed_is_named() -> None:
    family, theta = halves(1.0, 2.0, 3.0), np.array([4.0])
    operators = family.sample(64, 5)
    seen = [float(operators.draws[i]) for i in range(64)]
    for missing in (1.0, 2.0, 3.0):
        listed: list = [(0.5, u) for u in (1.0, 2.0, 3.0) if u != missing]
        first = seen.index(missing) + 1
        with pytest.raises(
            DeclarationRefuted, match=rf"does not list T_{first} of .* sends x = \[4\.0\] to \[{2 + missing}\]"
        ):
            _search_support(family, theta, listed, 5)
    _search_support(family, theta, [(1 / 3, u) for u in (1.0, 2.0, 3.0)], 5)
    _search_support(family, theta, [(None, u) for u in (1.0, 2.0, 3.0)], 5)


@pytest.mark.parametrize("j", [0, 1])
def test_a_map_that_is_drawn_more_often_than_stated_is_named(j: int) -> None:
    family, theta, stated = halves(1.0, 2.0), np.array([0.0]), [0.5, 0.5]
    _search_support(family, theta, list(zip(stated, (1.0, 2.0), strict=True)), 3)
    stated[j], stated[1 - j] = 0.3, 0.7
    with pytest.raises(DeclarationRefuted, match=rf"gives map {j} the probability 0\.3, but 0\.(4|5)\d* of 512 draws"):
        _search_support(family, theta, list(zip(stated, (1.0, 2.0), strict=True)), 3)
    _search_support(family, theta, [(0.3, 1.0), (0.2, 1.0), (0.5, 2.0)], 3)  # equal maps count together
    _search_support(family, theta, [(None, 1.0), (0.3, 2.0)], 3)  # without a number nothing is counted


def test_maps_that_agree_at_the_start_alone_are_different_maps() -> None:
    """x/2 and x/4 have the same image of 0."""
    family = ct.RandomOperator(lambda rng: float(rng.choice([0.5, 0.25])), lambda x, u: u * x)
    theta = np.array([0.0])
    _search_support(family, theta, [(0.5, 0.5), (0.5, 0.25)], 3)
    for listed in (0.5, 0.25):
        with pytest.raises(DeclarationRefuted, match="does not list T_"):
            _search_support(family, theta, [(1.0, listed)], 3)
    with pytest.raises(DeclarationRefuted, match=r"gives map 1 the probability 0\.25, but 0\.(4|5)\d* of 512 draws"):
        _search_support(family, theta, [(0.75, 0.5), (0.25, 0.25)], 3)


@pytest.mark.parametrize(
    ("d", "large", "count"), [(1, 200, 100), (1, 199, 99), (2, 400, 100), (2, 100, 64), (1, 10**6, 512)]
)
def test_as_many_maps_are_drawn_as_there_is_room_for(
    d: int, large: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For images of two maps of d numbers, at least 64 and at most 2048 (here 512)."""
    monkeypatch.setattr(overrides, "LARGE", large)
    with pytest.raises(DeclarationRefuted, match=rf" of {count} draws \(seed 3\) are this map"):
        _search_support(halves(1.0, 2.0), np.zeros(d), [(0.01, 1.0), (0.99, 2.0)], 3)


@pytest.mark.parametrize("size", [0.5, 30.0])
def test_a_linear_part_may_differ_by_the_roundings_of_its_largest_entry(size: float) -> None:
    """γ(64 + 16 d) (1 + max |A|), in the entry that differs most."""
    A = np.array([[size, 0.0], [0.25, -size]])
    family = ct.RandomOperator(lambda rng: 0.0, lambda x, u: x @ A.T, affine=lambda u: (A, [0.0, 0.0]))
    slack = gamma(64 + 32) * (1 + size)
    for place in ((0, 0), (0, 1), (1, 1)):
        other = np.zeros((2, 2))
        other[place] = 1.0
        _search_linear_parts(family, [np.zeros((2, 2)), A + 0.993 * slack * other], [0.0])
        mixed = ct.RandomOperator(
            lambda rng: 0.0, lambda x, u: x @ A.T, affine=lambda u, other=other: (A + u * other, [0.0, 0.0])
        )
        with pytest.raises(DeclarationRefuted, match=r"linear part of T_2 of .* not among the 1 of "):
            _search_linear_parts(mixed, [A], [0.993 * slack, 1.007 * slack])


class Stated(QuadraticSGD):
    """x/2 + Z/2 with Z uniform on [-1, 1], of which a user states the moments and the mean logarithm."""

    stated_moment: float = 1.0
    stated_factor: float | None = None
    stated_square: float | None = None
    stated_log: float | None = None

    def __init__(self, **stated: Any) -> None:
        super().__init__(0.5, Uniform(-1, 1))
        for name, value in stated.items():
            object.__setattr__(self, name, value)

    def displacement_moment(self, theta: Any, p: float) -> Constant:
        assert np.shape(theta) == (1,)
        return Constant(self.stated_moment, "declared", "own")

    def factor_moment(self, p: float) -> float | None:
        return self.stated_factor

    @property
    def mean_square_factor(self) -> Constant | None:
        return None if self.stated_square is None else Constant(self.stated_square, "declared", "own")

    @property
    def log_mean(self) -> float | None:
        return self.stated_log


Stated.__module__ = "mine"


@pytest.mark.parametrize("p", [1.0, 2.0, 4.0])
def test_moments_of_the_displacement_are_powers(p: float) -> None:
    """At 0 the map moves by |Z| / 2, of which E |Z/2|^p is 2^-p / (p + 1)."""
    true = 0.5 * (1 / (p + 1)) ** (1 / p)
    theta = np.array([0.0])
    search_stated_moments(Stated(stated_moment=true), theta, p, 0)
    search_stated_moments(Stated(stated_moment=np.inf), theta, p, 0)
    search_stated_moments(Stated(stated_moment=0.0), np.array([F(0)], dtype=object), p, 0)  # exact points are not asked
    wrong = true * 0.6 ** (1 / min(p, 2))
    with pytest.raises(DeclarationRefuted) as refused:
        search_stated_moments(Stated(stated_moment=wrong), theta, p, 0)
    text = str(refused.value)
    assert text.startswith(f"displacement_moment(theta0, {p:g}) = {wrong!r} of ")
    assert f"which may be {wrong**p:.6g} at most" in text
    seen = float(text.split("at most, is ")[1].split(" over")[0])
    assert seen == pytest.approx(true**p, rel=0.3)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_factors_are_compared_as_powers_of_ratios(p: float) -> None:
    """Every ratio is 1/2: a moment of 2^-p is true, and one of 0.9 · 2^-p is refuted."""
    theta = np.array([0.5])
    search_stated_moments(Stated(stated_factor=0.5**p), theta, p, 0)
    search_stated_moments(Stated(stated_factor=np.inf), theta, p, 0)
    with pytest.raises(DeclarationRefuted, match=rf"factor_moment\({p:g}\) of .*\^{p:g} is at most {0.9 * 0.5**p:.6g}"):
        search_stated_moments(Stated(stated_factor=0.9 * 0.5**p), theta, p, 0)
    search_stated_moments(Stated(stated_square=0.5), theta, p, 0)
    if p == 2:
        with pytest.raises(DeclarationRefuted, match=r"mean_square_factor of .* is at most 0\.2025"):
            search_stated_moments(Stated(stated_square=0.45), theta, p, 0)
    else:
        search_stated_moments(Stated(stated_square=0.1), theta, p, 0)  # it is about p = 2


def test_a_mean_logarithm_below_that_of_every_map_is_refused() -> None:
    half = math.log(0.5)
    for stated, good in (
        (half, True),
        (0.0, True),
        (half - 0.9 * 2.0**-30, True),
        (half - 1.1 * 2.0**-30, False),
        (half - 1e-8, False),
        (None, True),
    ):
        if good:
            search_log_mean(Stated(stated_log=stated), np.array([0.5]), 0)
        else:
            with pytest.raises(DeclarationRefuted, match=r"log_mean = -0\.69.* is at least -0\.693147 for each of 512"):
                search_log_mean(Stated(stated_log=stated), np.array([0.5]), 0)


def region_of(k: float, D: float, q: int, radius: float = 3.0) -> RegionCertificate:
    box = RotatedBox(np.zeros(1), np.array([radius]))
    majorant = InRegion(k, D, 2 * radius, q)
    constants = {"k": Constant(k, "proved", "k"), "D": Constant(D, "proved", "D")}
    return RegionCertificate(
        statement="a region",
        k=k,
        D=D,
        target="θ*",
        majorant=majorant,
        distance="Euclidean()",
        hypotheses=(),
        constants=constants,
        region=box,
        space=Euclidean(),
    )


class Steps(QuadraticSGD):
    """x/2 + 1/2, and 1/2 more at every third map."""

    def apply(self, theta: Any, draw: Any) -> Any:
        return theta / 2 + draw

    def draws(self, n: int, seed: int, replicas: int | None) -> Any:
        return [np.array([1.0 if i % 3 == 2 else 0.5]) for i in range(n)]


Steps.__module__ = "mine"


def test_a_region_is_compared_with_single_maps_or_with_epochs() -> None:
    """From 2 the maps lead to 1.5 and 2, and three of them together to T_3 T_2 T_1 (2) = 1.6875."""
    family, theta = Steps(0.5, Uniform(-1, 1)), np.array([2.0])
    search_region(family, region_of(0.5, 0.5, 1), theta, 0)
    search_region(family, region_of(0.125, 0.0, 3), theta, 0)
    for k, D, q, message in (
        (0.49, 0.5, 1, r"k = 0\.49 on the region is violated by T_1 of "),
        (0.12, 0.0, 3, r"k = 0\.12 on the region is violated by epoch 1 of "),
        (0.5, 0.49, 1, r"D = 0\.49 on the region is violated by T_1 of "),
    ):
        with pytest.raises(DeclarationRefuted, match=message):
            search_region(family, region_of(k, D, q), theta, 0)
    with pytest.raises(DeclarationRefuted, match=r"the region is not invariant: T_3 of .* leads out of it"):
        search_region(family, region_of(0.5, 0.5, 1, 1.9), np.array([1.0]), 0)


ORIGINS: dict[str, Any] = {"k": "proved", "D": "proved", "r": "proved", "c": "proved", "lip": "drawn"}


@pytest.mark.parametrize(
    ("family", "drawn", "declared"),
    [
        (QuadraticSGD(0.5, Uniform(-1, 1)), False, ()),
        (Stated(), False, ("k", "D")),
        (QuadraticSGD(0.5, FunctionNoise(lambda rng, size: rng.uniform(-1, 1, size), interval=(-1, 1))), False, ("D",)),
        (Stated(), True, ("k", "D")),
        (QuadraticSGD(0.5, Uniform(-1, 1)), True, ()),
    ],
    ids=["ours", "maps", "noise", "drawn maps of a user", "drawn maps of ours"],
)
def test_what_rests_on_an_override_is_declared(family: Any, drawn: bool, declared: tuple[str, ...]) -> None:
    """All constants that are proved of the maps but distances of points and norms; of noise the displacement alone."""
    bound = region_of(0.5, 1.0, 1)
    origins: dict[str, Any] = ORIGINS | ({"k": "drawn"} if drawn else {})
    constants = {name: Constant(1.0, origin, name) for name, origin in origins.items()}
    bound = dataclasses.replace(bound, constants=constants)
    found = labelled(bound, family)
    assert {name: c.origin for name, c in found.constants.items()} == origins | dict.fromkeys(declared, "declared")
    assert (found is bound) is (family.__class__ is QuadraticSGD and not declared)


class Listed(FiniteFamily):
    """x/2 and x/4 + 1, of which a user lists what he likes."""

    listed: Any = None
    parts: Any = None

    def finite_support(self) -> Any:
        return super().finite_support() if self.listed is None else self.listed

    def linear_support(self) -> Any:
        return super().linear_support() if self.parts is None else self.parts


Listed.__module__ = "mine"


def test_lists_of_maps_and_of_linear_parts_are_searched() -> None:
    theta = np.array([3.0])
    family = Listed([(0.5, 0.0), (0.25, 1.0)])
    search_lists(family, theta, 0)
    half, quarter = (np.array([[x]]) for x in (0.5, 0.25))
    for listed, parts, message in (
        ([(1.0, 0)], None, r"finite_support\(\) does not list T_"),
        ([(0.9, 0), (0.1, 1)], None, "gives map 1 the probability 0.1"),
        (None, [(1.0, half)], "not among the 1 of linear_part"),
        (None, [(0.5, half), (0.5, 2 * half)], "not among the 2 of linear_part"),
    ):
        wrong = Listed([(0.5, 0.0), (0.25, 1.0)])
        object.__setattr__(wrong, "listed", listed)
        object.__setattr__(wrong, "parts", parts)
        with pytest.raises(DeclarationRefuted, match=message):
            search_lists(wrong, theta, 0)
        search_lists(wrong, np.array([F(3)], dtype=object), 0)  # exact points are not asked
    good = Listed([(0.5, 0.0), (0.25, 1.0)])
    object.__setattr__(good, "parts", [(0.5, quarter), (0.5, half)])
    search_lists(good, theta, 0)
    search_lists(FiniteFamily([(0.5, 0.0)]), theta, 0)
