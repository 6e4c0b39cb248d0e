"""A family answers for itself: attributes that resemble those of another family bring none of its constants.

The disguises are families that a user could write. Their attributes have the names that earlier versions looked for,
and mean something else; each certificate must follow what the family states, or be refused.
"""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest

import contraction as ct
from contraction.certificates.average import average_contraction
from contraction.families import (
    FiniteFamily,
    GradientSteps,
    LeastSquares,
    LinearizedSGD,
    QuadraticSGD,
    RidgeLoss,
    Uniform,
)
from contraction.laws import affine_moments, exact_law
from tests.theory.families.disguises import (
    Bent,
    Clipped,
    Damped,
    EnclosedDamped,
    LookAhead,
    Mixture,
    Named,
    Own,
    Persistent,
    Relaxed,
    SlowSteps,
    Tempered,
    largest_excess,
    refused_or_right,
)


def test_a_family_with_h_and_noise_gets_no_factor_of_section_3_1():
    """|1 - h| = 1/2 was certified as proved for T x = 0.9 x + h eps, and violated 6,200-fold."""
    family = Damped()
    assert ct.certify(family, 0.0).k >= 0.9
    reason = refused_or_right(family, 0.0, 0.9, rigorous=True)
    assert reason is not None
    assert "affine_enclosures()" in reason


def test_a_family_that_states_its_enclosures_gets_its_own_constants():
    family = EnclosedDamped()
    c = ct.certify(family, 3.0, rigorous=True)
    assert F(9, 10) <= F(c.k) < F(9, 10) + F(1, 2**50)
    assert F(3, 10) + F(1, 2) <= F(c.D) < F(8, 10) + F(1, 2**50)
    assert largest_excess(family, c, [3.0]) <= 0
    assert refused_or_right(family, 3.0, 0.9, rigorous=True) is None


def test_a_family_with_h_H_noise_and_theta_star_gets_no_factor_of_section_3_2():
    assert refused_or_right(Relaxed(), [0.0, 0.0], 0.96, rigorous=True)
    assert ct.certify(Relaxed(), [0.0, 0.0]).k >= 0.96


def test_a_beta_that_is_no_momentum_changes_nothing():
    tempered, plain = Tempered(0.3, Uniform(-1, 1)), QuadraticSGD(0.3, Uniform(-1, 1))
    assert ct.certify(tempered, 1.0, rigorous=True).k == ct.certify(plain, 1.0, rigorous=True).k
    damped = type("DampedWithBeta", (Damped,), {"beta": 0.5})
    assert refused_or_right(damped(), 0.0, 0.9, rigorous=True)


@pytest.mark.parametrize(
    "asked", [{"rigorous": True}, {"space": ct.SupNorm()}, {"q": 2}, {"q": 2, "moment": 1.0}], ids=str
)
def test_maps_and_weights_that_are_no_list_of_the_maps(asked):
    """Draws 0 and 1 were taken for the support in another metric, with D = 10 at x = 20 where it is 20."""
    family = Mixture()
    refused_or_right(family, [20.0], 0.25 if "q" in asked else 0.5, **asked)
    assert family.finite_support() is None
    with pytest.raises(TypeError, match="FiniteFamily or a list of maps"):
        exact_law(family, 2)


def test_batches_and_a_loss_give_no_gradient_steps():
    """The step h was certified for steps of length h/10."""
    family = SlowSteps()
    assert refused_or_right(family, [0.0, 0.0], family.factor, rigorous=True)
    assert ct.certify(family.inner_steps, [0.0, 0.0], rigorous=True).k >= family.factor


@pytest.mark.parametrize("asked", [{"space": ct.SupNorm()}, {"q": 2}, {"q": 3, "moment": 1.0}], ids=str)
def test_steps_that_are_a_part_of_the_map(asked):
    """The factor 1/2 of the inner steps was certified for a map with the factor 7/8."""
    reason = refused_or_right(LookAhead(), [3.0, -1.0], 0.875, **asked)
    assert reason is not None
    assert "linear parts" in reason


@pytest.mark.parametrize("asked", [{"space": ct.SupNorm()}, {"q": 2}, {"rigorous": True}], ids=str)
def test_a_linear_part_of_maps_that_are_not_affine(asked):
    """0.2 was certified as the factor of 0.2 x + 0.7 sin(x)."""
    assert refused_or_right(Bent(), [2.0], 0.9**2 if "q" in asked else 0.9, **asked)
    with pytest.raises(ValueError, match="it needs affine"):
        affine_moments(Bent())


def test_an_inherited_enclosure_is_compared_with_the_maps():
    """A subclass with another ``apply`` inherits |1 - h| = 1/2, which its maps refute."""
    with pytest.raises(ct.DeclarationRefuted, match=r"affine_enclosures\(\) does not contain T_1"):
        ct.certify(Clipped(0.5, Uniform(-1, 1)), 0.0, rigorous=True)


def test_enclosures_may_be_wide():
    """A ball for a random factor in [0.3, 0.5]: the midpoint alone is no enclosure."""
    import flint

    from contraction.maps.balls import AffineEnclosure, ball

    class RandomFactor(Own):
        radius = 0.1

        def draw_block(self, rng, replicas):
            return rng.uniform(-1, 1, (2,) if replicas is None else (replicas, 2))

        def apply(self, theta, draw):
            return (0.4 + 0.1 * draw[..., :1]) * theta + draw[..., 1:]

        def affine_enclosures(self):
            wide = flint.arb(ball(F(4, 10)), ball(self.radius))
            return [AffineEnclosure([[wide]], [ball(0)], [ball(-1)], [ball(1)])]

    family = RandomFactor()
    c = ct.certify(family, 2.0, rigorous=True)
    assert 0.5 <= c.k < 0.5 + 1e-8
    assert largest_excess(family, c, [2.0]) <= 0
    family.radius = 1e-6
    with pytest.raises(ct.DeclarationRefuted):
        ct.certify(family, 2.0, rigorous=True)


def test_a_declared_factor_needs_a_declared_displacement():
    """A displacement that was computed in floating point is no exact number, and was taken for one."""

    class HalfDeclared(Own):
        @property
        def contraction(self):
            return ct.Constant(0.9, "declared", "by a user")

    with pytest.raises(ct.NotCertified, match=r"D unknown in ball arithmetic: .* is proved in floating point"):
        ct.certify(HalfDeclared(), 0.0, rigorous=True)


def test_a_law_that_is_a_name_does_not_make_maps_dependent():
    assert average_contraction(Named(), 0.0).contracts
    assert ct.sample_stationary(Named(), 1e-3).error <= 1e-3


def test_maps_that_are_not_drawn_one_by_one_are_not_taken_for_independent():
    """A family that overrides ``draws`` without saying that its maps are independent."""
    with pytest.raises(ValueError, match="independent maps"):
        ct.sample_stationary(Persistent(), 1e-3)
    with pytest.raises(ct.NotCertified, match="independent maps"):
        average_contraction(Persistent(), 0.0)
    assert not Persistent().is_iid
    independent = type("Independent", (Persistent,), {"is_iid": True})
    assert ct.sample_stationary(independent(), 1e-3).error <= 1e-3


def test_a_factor_that_rounds_to_zero_is_not_zero():
    """9 h = 1 in floats for h = 1/9, and 1 - 9 h = 2^-54 exactly."""
    h = 1 / 9
    exact = abs(1 - 9 * F(h))
    assert exact > 0 == 1 - 9 * h
    loss = RidgeLoss([[3.0]], [1.0])
    rounded = (LeastSquares(loss.X, loss.y, h), GradientSteps(loss, h), LinearizedSGD([0.0], [[9.0]], h, Uniform()))
    for family in rounded:
        assert F(ct.certify(family, 0.0).k) >= exact
    assert ct.certify(QuadraticSGD(1.0, Uniform()), 0.0).k == 0


def test_declared_constants_of_a_finite_family_are_called_declared():
    family = FiniteFamily([np.sin, np.cos], lipschitz=[1, 1], dim=1)
    assert ct.certify(family.sample(5), [0.0]).constants["k"].origin == "declared"
    assert family.lipschitz_origin == "declared"
    assert ct.certify(FiniteFamily([(0.5, 1.0)]).sample(5), [0.0]).constants["k"].origin == "drawn"


def test_a_quadratic_loss_of_ones_own():
    """phi = 2 (z - y)^2 is quadratic with phi'' = 4: the affine form follows its slope, not that of `RidgeLoss`."""

    class Steep(RidgeLoss):
        low = high = 4.0

        def slope(self, z, y):
            return 4 * (z - y)

        def value(self, z, y):
            return 2 * (z - y) ** 2

    family = GradientSteps(Steep([[1.0, 0.5], [0.0, 1.0]], [1.0, -2.0], 0.3), 0.05)
    rows, x = family.batches[0], np.array([0.7, -1.3])
    assert family.affine(rows)(x) == pytest.approx(family.apply(x, rows), rel=1e-14)
    assert family.affine_enclosures() is None
    assert refused_or_right(family, [0.0, 0.0], family.contraction.value, rigorous=True) is None  # right: φ'' = 4
    steep = GradientSteps(Steep([[1.0, 0.5], [0.0, 1.0]], [1.0, -2.0], 0.3), 0.4)
    assert refused_or_right(steep, [0.0, 0.0], 0.4 * (0.3 + 4 * 1.25) - 1, rigorous=True)  # φ'' = 1 would give 0.88


def test_a_factor_on_a_ball_is_used_and_searched():
    """x^2/2 + 1/10 contracts on |x| <= 0.8 only, by the factor 0.8."""

    class Square(Own):
        local = 0.8
        contraction = None

        def draw_block(self, rng, replicas):
            return np.zeros(1 if replicas is None else (replicas, 1))

        def inner(self, theta):
            return theta**2 / 2 + 0.1

        def displacement(self, theta0):
            return ct.Constant(0.1, "declared", "by a user")

        def contraction_on_ball(self, theta0, radius):
            return ct.Constant(self.local, "declared", "by a user")

    family = Square()
    assert ct.certify(family, 0.0, ball=0.8).k == 0.8
    assert ct.certify(family, 0.0, ball=0.8, rigorous=True).k == 0.8
    with pytest.raises(ct.NotCertified, match="k unknown"):
        ct.certify(family, 0.0)
    family.local = 0.5
    for rigorous in (False, True):
        with pytest.raises(ct.DeclarationRefuted):
            ct.certify(family, 0.0, ball=0.8, rigorous=rigorous)
