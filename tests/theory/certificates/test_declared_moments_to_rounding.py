"""Declared moments are compared with drawn maps up to rounding, and what is said names the power that is compared."""

from __future__ import annotations

import numpy as np
import pytest

import contraction as ct


def towards(c: float, declared: float = 0.0) -> ct.RandomOperator:
    """Return maps a x + (1 - a) c, which leave c in place but for a rounding."""
    return ct.RandomOperator(
        lambda rng: rng.choice([0.5, -0.3]),
        lambda x, a: a * x + (1 - a) * c,
        contraction=0.5,
        known=ct.Known(displacement_moment=lambda p, x: float(abs(x[0] - c)) * 1.5 + declared),
    )


@pytest.mark.parametrize("c", [1 / 3, 3.3, 0.1, 1e6 / 7, -1e12 / 3])
def test_a_start_that_maps_leave_in_place_but_for_a_rounding(c: float) -> None:
    moved = {abs(a * c + (1 - a) * c - c) for a in (0.5, -0.3)}
    assert max(moved) <= 2e-16 * abs(c)  # and is not 0 for all of them
    assert ct.certify(towards(c), [c], moment=2).bound(3) < 1e-12 * (1 + abs(c))


@pytest.mark.control
@pytest.mark.parametrize("c", [1 / 3, 3.3])
def test_more_than_a_rounding_is_refuted(c: float) -> None:
    family = ct.RandomOperator(
        lambda rng: rng.choice([0.5, -0.3]),
        lambda x, a: a * x + (1 - a) * c + 1e-9,
        contraction=0.5,
        known=ct.Known(displacement_moment=lambda p, x: 0.0),
    )
    with pytest.raises(ct.DeclarationRefuted, match=r"which may be 0 at most, is (1e-18|9\.99\d*e-19) over 2048 draws"):
        ct.certify(family, [c], moment=2)


@pytest.mark.control
def test_what_is_said_names_the_power_that_is_compared() -> None:
    """E a² = .17, so that ρ is the root of .17; and E d² from 1 about 0 is E (1 - a)² = .97."""
    family = ct.RandomOperator(
        lambda rng: rng.choice([0.5, -0.3]),
        lambda x, a: a * x,
        contraction=0.5,
        known=ct.Known(mean_square=0.17),
    )
    said = r"mean_square = 0.17 is violated: .*, whose mean may be 0.0289 at most, has a mean of 0.1[67]"
    with pytest.raises(ct.DeclarationRefuted, match=said):
        ct.certify(family, [0.0], moment=2)
    family = ct.RandomOperator(
        lambda rng: rng.choice([0.5, -0.3]),
        lambda x, a: a * x,
        contraction=0.5,
        known=ct.Known(displacement_moment=lambda p, x: 0.9),
    )
    said = r"displacement_moment\(2, theta0\) = 0.9 is violated: .*, which may be 0.81 at most, is 0.9"
    with pytest.raises(ct.DeclarationRefuted, match=said):
        ct.certify(family, np.ones(1), moment=2)
