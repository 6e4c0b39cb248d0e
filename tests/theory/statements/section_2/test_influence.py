"""Row 86: the influence of the j-th outermost map, exactly."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contraction.maps.orders import Forward
from contraction.statements.section_2 import influence as statement


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), tenths=st.integers(1, 9), n=st.integers(1, 7))
def test_influence_falls_with_the_depth(seed, tenths, n):
    rng, k = np.random.default_rng(seed), Fraction(tenths, 10)
    maps, others = statement.contracting(rng, k, n), statement.contracting(rng, k, n)
    verdict = statement.check(maps, others, k, Fraction(1, 3))
    assert verdict, verdict


def test_it_is_attained():
    assert statement.check_printed()
    assert statement.check_printed(Fraction(2, 3), 3)


@pytest.mark.control
def test_wrong_claims_are_noticed():
    assert statement.STATEMENT.undetected() == []
    maps, others = statement.aligned(Fraction(1, 2), 4)
    assert not statement.check(maps, others, Fraction(1, 2), Fraction(3), order=Forward())


@pytest.mark.control
def test_the_point_behind_the_map_matters():
    """T_1 and T'_1 agree at theta0 = 0 and differ at z = T_2 0 = 2: the claim at theta0 is refused."""
    maps = [statement.affine_map(Fraction(1, 2), 0), statement.affine_map(Fraction(1, 2), 2)]
    others = [statement.affine_map(Fraction(-1, 2), 0), maps[1]]
    assert statement.check(maps, others, Fraction(1, 2), Fraction(0))
    assert not statement.check(maps, others, Fraction(1, 2), Fraction(0), inner=False)
