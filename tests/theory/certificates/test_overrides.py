"""A user's class that overrides a part of a family is searched for violations, and its certificates are declared."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import contraction as ct
from contraction.certificates.overrides import search_lists
from contraction.families import (
    BellmanOperators,
    FiniteFamily,
    GradientSteps,
    QuadraticSGD,
    Reshuffled,
    RidgeLogisticLoss,
    Uniform,
)
from contraction.maps.stated import overridden, stated_about_maps
from tests.theory.family_examples import EXAMPLES, NAMES

X = np.random.default_rng(0).normal(size=(6, 2))
LOSS = RidgeLogisticLoss(X, [1.0, -1.0, 1.0, -1.0, 1.0, -1.0], 0.5)


class Expanding(GradientSteps):
    def apply(self, theta, draw):
        return -1.2 * theta


class Faithful(GradientSteps):
    def apply(self, theta, draw):
        return super().apply(theta, draw)


class Louder(BellmanOperators):
    def apply(self, theta, draw):
        return 1.3 * super().apply(theta, draw)


class Farther(QuadraticSGD):
    """Twice the noise: the factor is as before, the displacement is not, and affine(draw) agrees with the maps."""

    def draw_block(self, rng, replicas):
        return 2 * super().draw_block(rng, replicas)


BELLMAN = ([[1.0]], [[[1.0]]], 0.9)
REFUSED = {
    "apply": (lambda: Expanding(LOSS, 0.3), np.zeros(2)),
    "apply, Bellman": (lambda: Louder(*BELLMAN), np.ones(1)),
    "draw_block": (lambda: Farther(0.1, Uniform(-1, 1)), np.zeros(1)),
}


@pytest.mark.parametrize(("build", "theta"), REFUSED.values(), ids=REFUSED.keys())
def test_inherited_constants_are_searched_under_an_override(build, theta):
    family = build()
    with pytest.raises(ct.DeclarationRefuted, match="is violated"):
        ct.certify(family, theta)
    with pytest.raises(ct.DeclarationRefuted, match="is violated"):
        ct.certify(family.sample(20), theta)
    parent = type(family).__mro__[1]
    same = (
        parent(LOSS, 0.3) if parent is GradientSteps else parent(*(BELLMAN if parent is BellmanOperators else (0.1,)))
    )
    assert overridden(same) == ()


def test_an_override_on_the_object_counts():
    family = GradientSteps(LOSS, 0.3)
    assert ct.certify(family, [0.0, 0.0]).origin == "proved"
    family = GradientSteps(LOSS, 0.3)
    family.apply = lambda theta, draw: -1.2 * theta
    with pytest.raises(ct.DeclarationRefuted, match="is violated"):
        ct.certify(family, [0.0, 0.0])


def test_certificates_of_overrides_are_declared():
    """The same numbers, and another word; a subclass that overrides nothing keeps the first."""

    class Renamed(GradientSteps):
        def __repr__(self):
            return "Renamed()"

        def another(self):
            return 1

    plain, faithful, renamed = (ct.certify(cls(LOSS, 0.3), [0.0, 0.0]) for cls in (GradientSteps, Faithful, Renamed))
    assert (plain.origin, faithful.origin, renamed.origin) == ("proved", "declared", "proved")
    assert (plain.k, plain.D) == (faithful.k, faithful.D)
    drawn = [ct.certify(cls(LOSS, 0.3).sample(9), [0.0, 0.0]).constants["k"] for cls in (GradientSteps, Faithful)]
    assert [k.origin for k in drawn] == ["drawn", "declared"]
    assert stated_about_maps(Faithful(LOSS, 0.3)) == ("Faithful.apply",)


def uniform(rng):
    return rng.uniform(-1, 1)


def family(base, factor=0.9, draw=uniform, **stated):
    return base(draw, lambda x, u: factor * x + u, affine=lambda u: (factor, [u]), **stated)


class WrongLinear(ct.RandomOperator):
    linear_part = np.array([[0.1]])


class RightLinear(ct.RandomOperator):
    linear_part = np.array([[0.9]])


def test_a_linear_part_is_compared_with_the_maps():
    with pytest.raises(ct.DeclarationRefuted, match="linear part of T_1"):
        ct.certify(family(WrongLinear, displacement=1.0), [0.0], space=ct.SupNorm())
    right = ct.certify(family(RightLinear, displacement=1.0), [0.0], space=ct.SupNorm())
    assert right.constants["k"].origin == "declared"
    assert right.k == pytest.approx(0.9)


class Signs(ct.RandomOperator):
    def finite_support(self):
        return [(Fraction(1, 2), -1.0), (Fraction(1, 2), 1.0)]


class SignsWrongly(Signs):
    def finite_support(self):
        return [(Fraction(1, 4), -1.0), (Fraction(3, 4), 1.0)]


@pytest.mark.parametrize("asked", [{"moment": 2}, {"space": ct.SupNorm()}], ids=["moment", "space"])
def test_a_list_of_maps_is_compared_with_the_draws(asked):
    with pytest.raises(ct.DeclarationRefuted, match="does not list T_1"):
        ct.certify(family(Signs, 0.5, lambda rng: rng.normal(), contraction=0.5, displacement=9.0), [0.0], **asked)
    with pytest.raises(ct.DeclarationRefuted, match=r"gives map 0 the probability 0\.25"):
        ct.certify(
            family(SignsWrongly, 0.5, lambda rng: rng.choice([-1.0, 1.0]), contraction=0.5, displacement=9.0),
            [0.0],
            **asked,
        )
    right = ct.certify(
        family(Signs, 0.5, lambda rng: rng.choice([-1.0, 1.0]), contraction=0.5, displacement=9.0), [0.0], **asked
    )
    assert right.origin == "declared"


def test_the_first_map_that_a_list_lacks_is_named_with_its_value():
    maps = family(Signs, 0.5, lambda rng: rng.choice([-1.0, 1.0, 5.0]), contraction=0.5, displacement=9.0)
    draws = {seed: [float(maps.sample(64, seed).draws[i]) for i in range(64)] for seed in range(9)}
    seed, first = next((s, drawn.index(5.0)) for s, drawn in draws.items() if drawn[0] != 5.0)  # others come before it
    with pytest.raises(ct.DeclarationRefuted, match=rf"does not list T_{first + 1} of .* x = \[0\.0\] to \[5\.0\]$"):
        search_lists(maps, np.zeros(1), seed)


def own_moments(**stated):
    class Own(ct.RandomOperator):
        mean_square_factor = ct.Constant(stated["rho"], "proved", "mine") if "rho" in stated else None  # type: ignore[assignment]

        def factor_moment(self, p):
            return stated.get("factor")

        def displacement_moment(self, theta0, p):
            return ct.Constant(stated["moved"], "proved", "mine")

    return Own(uniform, lambda x, u: 0.9 * x + u)


@pytest.mark.parametrize(
    ("wrong", "right", "named"),
    [
        ({"rho": 0.1, "moved": 1.0}, {"rho": 0.9, "moved": 1.0}, "mean_square_factor"),
        ({"factor": 0.1, "moved": 1.0}, {"factor": 0.81, "moved": 1.0}, r"factor_moment\(2\)"),
        ({"factor": 0.81, "moved": 0.1}, {"factor": 0.81, "moved": 0.6}, "displacement_moment"),
    ],
    ids=["mean square", "factor", "displacement"],
)
def test_stated_moments_are_tested(wrong, right, named):
    """The factor is 0.9, its square 0.81, and E |u|^2 = 1/3, of which 0.6 is above the root."""
    with pytest.raises(ct.DeclarationRefuted, match=named):
        ct.certify(own_moments(**wrong), [0.0], moment=2)
    assert ct.certify(own_moments(**right), [0.0], moment=2).origin == "declared"


def test_a_log_mean_is_compared_with_the_maps():
    class Wrong(ct.RandomOperator):
        log_mean = -3.0  # type: ignore[assignment]

    class Right(ct.RandomOperator):
        log_mean = float(np.log(0.9))  # type: ignore[assignment]

    maps = uniform, lambda x, u: 0.9 * x + u
    with pytest.raises(ct.DeclarationRefuted, match="log_mean"):
        ct.average_contraction(Wrong(*maps), [0.0])
    found = ct.average_contraction(Right(*maps), [0.0])
    assert (found.origin, found.exponent) == ("declared", pytest.approx(np.log(0.9)))


class Tenfold(ct.Euclidean):
    def distance(self, x, y):
        return 10 * super().distance(x, y)


def test_a_metric_of_ones_own_is_not_taken_for_the_euclidean_one():
    """Every map moves 0 by 10 in that metric. Of x/2 ± 1, the limit may be 2, which is 20 from 0."""
    expanding = [([[1.2, 0.0], [0.0, 0.1]], [1.0, 0.0]), ([[0.2, 0.0], [0.0, 0.1]], [-1.0, 0.0])]
    assert pytest.approx(1) == ct.certify(FiniteFamily(expanding), [0.0, 0.0], moment=2).D
    assert pytest.approx(10) == ct.certify(FiniteFamily(expanding, space=Tenfold()), [0.0, 0.0], moment=2).D
    halves = FiniteFamily([(0.5, [1.0]), (0.5, [-1.0])], space=Tenfold())
    for moment in (None, 2):
        assert ct.certify(halves, [0.0], moment=moment).bound(0) >= 20
    shear = [([[0.5, 10.0], [0.0, 0.5]], [1.0, 0.0]), ([[0.5, 10.0], [0.0, 0.5]], [-1.0, 0.0])]
    assert ct.certify(FiniteFamily(shear), [0.0, 0.0]).certified
    with pytest.raises(ct.NotCertified, match="not a norm that can be compared"):
        ct.certify(FiniteFamily(shear, space=Tenfold()), [0.0, 0.0])


@pytest.mark.parametrize("name", NAMES)
def test_no_family_of_the_package_overrides_itself(name):
    assert stated_about_maps(EXAMPLES[name][0]) == ()


BATCHES = [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("law", [None, Reshuffled], ids=["independent", "epochs"])
def test_regions_are_searched_under_an_override(law):
    """-1.2 θ has the factor 1.2 on every region, and a map that is the package's own keeps its factor."""
    plain = GradientSteps(LOSS, 0.3, batches=BATCHES, law=law)
    region = ct.find_region(plain, np.zeros(2))
    certificate = ct.certify(plain, region.center, region=region)
    assert certificate.origin == "proved"
    faithful = ct.certify(Faithful(LOSS, 0.3, batches=BATCHES, law=law), region.center, region=region)
    assert (faithful.origin, faithful.k) == ("declared", certificate.k)
    with pytest.raises(ct.DeclarationRefuted, match="region"):
        ct.certify(Expanding(LOSS, 0.3, batches=BATCHES, law=law), region.center, region=region)
