"""Where squares underflow in second moments, a certificate in mean square is Theorem 2.2's bound with the factor ρ.

The maps are x/4 - s and 3x/4 + s, with chance 1/2 each: E A = 1/2, E A² = 5/16 = ρ², E b = E θ* = 0 and E b² = s², so
E |θ* - θ_n|² = (5/16)^n 16 s² / 11 from θ_0 = 0, and Theorem 2.2 gives s ρ^n / (1 - ρ).
"""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

import contraction as ct
from contraction.certificates.majorants import MeanSquareMoments, Smaller
from contraction.certificates.mean_square import _factor
from contraction.families import RandomAffine
from contraction.maps.constants import Constant

RHO = math.sqrt(5 / 16)
#: Its square underflows.
TINY = 2.0**-700


def certified(s: float, **more: float) -> ct.Certificate:
    found = ct.certify(RandomAffine([0.25, 0.75], [[-s], [s]]), 0.0, moment=2, **more)
    assert isinstance(found, ct.Certificate)
    return found


@pytest.mark.parametrize("s", [1e-6, 1e-9, 1e-12, 1e-40, 2.0**-700])
@pytest.mark.parametrize("n", [0, 1, 2, 10, 100])
def test_bounds_of_small_noise_are_between_the_truth_and_theorem_2_2(s: float, n: int) -> None:
    """Before, the bound had a term of about 1e-8 for every s.

    ρ and D are rounded up by 65 · 2^-52 each, and ρ / (1 - ρ) < 2, so that the bound is larger by n + 3 such parts.
    """
    found, room = certified(s).bound(n) / s, 70 * (n + 3) * 2.0**-52
    assert RHO**n * math.sqrt(16 / 11) * (1 - room) <= found <= RHO**n / (1 - RHO) * (1 + room)


@pytest.mark.parametrize("s", [1.0, 1e-3, 1e-9, 1e-30])
def test_other_bounds_are_those_of_the_moments_alone(s: float) -> None:
    """They are sharp, up to roundings of the square of θ*, which is s² (16 / 11), at every scale."""
    found = certified(s)
    assert isinstance(found.majorant, MeanSquareMoments)
    assert set(found.constants) == {"rate", "D"}
    assert math.sqrt(16 / 11) * s <= found.bound(0) <= math.sqrt(16 / 11) * s * (1 + 1e-12)


def test_the_certificate_names_both_hypotheses_and_the_factor() -> None:
    found = certified(TINY)
    assert isinstance(found.majorant, Smaller)
    assert found.formula == f"min({MeanSquareMoments.formula.fget(found.majorant.one)}, D kⁿ/(1−k))"  # type: ignore[attr-defined]
    assert found.constants["rho"].value == pytest.approx(RHO, rel=1e-13)
    assert found.constants["rho"].value > RHO
    assert len(found.hypotheses) == 2
    assert found.origin == "proved"


def test_another_start_is_the_reference_of_both_bounds() -> None:
    """From 2 the first map moves by -3/2 - s or -1/2 + s: no noise is small there, and the moments are used."""
    near, far = certified(TINY, start=TINY), certified(TINY, start=2.0)
    assert isinstance(near.majorant, Smaller)
    assert isinstance(far.majorant, MeanSquareMoments)
    # from s: E (θ* - s)² = 16 s² / 11 + s², and D² = s² E ((A - 1) + b / s)² = s² ((-7/4)² + (3/4)²) / 2 = 29 s² / 16
    assert math.sqrt(27 / 11) * (1 - 1e-12) <= near.bound(0) / TINY <= math.sqrt(29 / 16) / (1 - RHO) * (1 + 1e-12)


@pytest.mark.control
def test_a_factor_that_is_less_certain_than_the_moments_is_not_used() -> None:
    def chosen(own: Constant | None, origin: str, common: Constant | None = None) -> Constant | None:
        return _factor(SimpleNamespace(mean_square_factor=own), 1, origin, common)  # type: ignore[arg-type]

    declared, proved = Constant(0.25, "declared", "a"), Constant(0.5, "proved", "b")
    assert chosen(declared, "proved") is None
    found = chosen(declared, "declared", proved)
    assert found is not None
    assert (found.source, found.origin) == ("a", "declared")
    found = chosen(declared, "proved", proved)
    assert found is not None
    assert (found.source, found.origin) == ("b", "proved")
    assert found.value == np.nextafter(0.5 + 64 * 0.5 * 2.0**-52, 1)
    assert chosen(Constant(1.0, "proved", "c"), "proved") is None
    assert chosen(Constant(1 - 2.0**-53, "proved", "d"), "proved") is None  # it rounds to 1
