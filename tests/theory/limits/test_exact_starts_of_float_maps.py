"""An exact start makes a limit exact only where the maps are exact, and declared Fractions are rounded up."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import contraction as ct
from contraction import families

FLOATS = {
    "finite": families.FiniteFamily([(0.1, [0.3]), (0.7, [0.1])]),
    "quadratic": families.QuadraticSGD(0.3, families.Uniform(-1, 1)),
    "own": ct.RandomOperator(
        lambda rng: int(rng.integers(2)), lambda x, i: 0.7 * x + 0.1 * i, contraction=0.7, displacement=0.1
    ),
}


@pytest.mark.parametrize("name", FLOATS)
def test_rounding_of_float_maps_counts_from_an_exact_start(name):
    family = FLOATS[name]
    with pytest.raises(ValueError, match="rounding alone"):
        ct.backward_limit(family, [Fraction(0)], 1e-25)
    found = ct.backward_limit(family, [Fraction(0)], 1e-9)
    assert found.certified
    assert 0 < found.rounding < found.error <= 1e-9


def test_the_stated_error_holds_in_exact_arithmetic():
    pairs = [(0.1, 0.3), (0.7, 0.1)]
    family = FLOATS["finite"]
    found = ct.backward_limit(family, [Fraction(0)], 1e-9, seed=1)
    value = Fraction(0)
    for draw in family.sample(found.maps + 200, 1).draws[::-1]:
        A, b = pairs[int(draw)]
        value = Fraction(A) * value + Fraction(b)
    assert abs(Fraction(float(found.value[0])) - value) <= Fraction(found.error)


def test_exact_maps_from_an_exact_start_have_no_rounding():
    tenths = [(Fraction(1, 10), [Fraction(3, 10)]), (Fraction(7, 10), [Fraction(1, 10)])]
    found = ct.backward_limit(families.FiniteFamily(tenths), [Fraction(0)], 1e-25)
    assert found.rounding == 0
    assert found.error <= 1e-25
    assert isinstance(found.value[0], Fraction)


@pytest.mark.parametrize("start", [0.0, Fraction(0)], ids=["float", "exact"])
@pytest.mark.parametrize("kind", [Fraction, np.longdouble], ids=["Fraction", "longdouble"])
def test_a_declared_constant_is_rounded_up(kind, start):
    """x/3 + {0, 1}: θ* is 3/2 where 1 is always drawn, so that d(θ*, θ_n) may be 3^-n 3/2."""
    third = kind(1) / kind(3)
    family = ct.RandomOperator(
        lambda rng: int(rng.integers(2)), lambda x, i: x / 3 + i, contraction=third, displacement=1
    )
    certificate = ct.certify(family, [start])
    assert certificate.k >= third
    if kind is Fraction:
        for n in (0, 2, 100, 500):
            assert Fraction(float(certificate.bound(n))) >= Fraction(1, 3**n) * Fraction(3, 2)
    half = ct.RandomOperator(lambda rng: 1.0, lambda x, u: x / 2 + u, contraction=Fraction(1, 2), displacement=1)
    assert ct.certify(half, [start]).k == 0.5
