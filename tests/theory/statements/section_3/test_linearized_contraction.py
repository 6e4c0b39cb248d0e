"""Section 3.2 (row 50): the factor of the linearised maps, exactly, over every signature of H and every h."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.families import LinearizedSGD
from contraction.maps.rounding import gamma
from contraction.statements.section_3 import linearized_contraction as statement

eigenvalue = st.fractions(-2, 5, max_denominator=8)


@given(
    eigenvalues=st.lists(eigenvalue, min_size=1, max_size=4),
    h=st.one_of(st.sampled_from([Fraction(0), Fraction(1), Fraction(2)]), st.fractions(-1, 3, max_denominator=20)),
    data=st.data(),
)
def test_factor_and_range(eigenvalues, h, data):
    d = len(eigenvalues)
    v = [1, *data.draw(st.lists(st.integers(-3, 3), min_size=d - 1, max_size=d - 1))]
    verdict = statement.check(eigenvalues, h, v)
    assert verdict, verdict


@given(d=st.integers(1, 50), seed=st.integers(0, 2**31), h=st.floats(-1, 3))
def test_no_pair_of_points_is_stretched_further(d, seed, h):
    """Floats up to dimension 50: quotients of random pairs stay below the constant that is proved."""
    rng = np.random.default_rng(seed)
    B = rng.standard_normal((d, d)) / d**0.5
    family = LinearizedSGD(rng.standard_normal(d), (B + B.T) / 2, h)
    T = family.sample(1, seed)[0]
    x, y = rng.standard_normal((2, 20, d))
    quotient = np.linalg.norm(T(x) - T(y), axis=-1) / np.linalg.norm(x - y, axis=-1)
    size = 1 + abs(h) * (1 + d) * (1 + np.linalg.norm(x, axis=-1) + np.linalg.norm(y, axis=-1))
    assert np.all(quotient <= family.contraction.value + gamma(64 * d) * size / np.linalg.norm(x - y, axis=-1))


@pytest.mark.parametrize(("eigenvalues", "h"), statement.PRINTED)
def test_printed_range_is_refuted(eigenvalues, h):
    assert statement.check_printed(eigenvalues, h)


@pytest.mark.control
@pytest.mark.parametrize(("eigenvalues", "h"), statement.OUTSIDE)
def test_outside_the_printed_setting_nothing_is_refuted(eigenvalues, h):
    """An indefinite H or h < 0: the factor is not below 1, but the text speaks of a minimum and a learning rate."""
    assert max(statement.factors([Fraction(x) for x in eigenvalues], h, (1, 2))[0]) > 1
    assert not statement.check_printed(eigenvalues, h)


def test_a_negative_rate_contracts_around_a_maximum():
    """H ≺ 0 and h < 0: gradient ascent towards a maximum; "iff H ≻ 0 and 0 < h < 2/λ_max" needs h > 0."""
    verdict = statement.check([Fraction(-2), Fraction(-1)], Fraction(-1, 3), [1, 2])
    assert verdict, verdict
    assert verdict.claimed < 1


@pytest.mark.control
def test_inside_the_range_nothing_is_refuted():
    assert not statement.check_printed((1, 4), Fraction(2, 5))


@pytest.mark.control
def test_the_spectral_maximum_in_place_of_the_norm_is_caught(monkeypatch):
    """max(1 - h lambda) without the absolute value is not the factor once h lambda_max > 1."""
    real = statement.factors

    def signed(eigenvalues, h, v):
        return [1 - h * x for x in eigenvalues], real(eigenvalues, h, v)[1]

    monkeypatch.setattr(statement, "factors", signed)
    assert not all(statement.check(**case) for case in statement.cases(np.random.default_rng(0), "standard"))
