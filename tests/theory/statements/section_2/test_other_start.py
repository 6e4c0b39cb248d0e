"""The constant from another start (row 16): sharp, attained exactly, and below the one of the proof."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.statements.cases.random_contractions import KINDS
from contraction.statements.section_2 import other_start


@given(
    kind=st.sampled_from(KINDS),
    k=st.one_of(st.sampled_from([0.0, 1 - 1e-9]), st.floats(0, 1 - 1e-6)),
    D=st.floats(0, 1e6, allow_subnormal=False),
    dim=st.integers(1, 50),
    n=st.one_of(st.integers(1, 100), st.just(600)),
    seed=st.integers(0, 2**31),
    reach=st.floats(1e-3, 1e9),
)
def test_sharp_constant_bounds_every_kind(kind, k, D, dim, n, seed, reach):
    verdict = other_start.check(kind, k, D, dim, n, seed, reach)
    assert verdict, verdict


@given(
    k=st.one_of(st.sampled_from([0.0, 1 - 2.0**-30]), st.floats(0, 0.999)),
    D=st.floats(0, 1e6),
    r=st.floats(0, 1e6),
    n=st.integers(0, 60),
)
def test_sharp_constant_is_attained(k, D, r, n):
    verdict = other_start.check("extremal", k, D, 1, n, 0, r)
    assert verdict, verdict


def test_constants_with_the_numbers_of_the_audit():
    """k = .9, D = 1, r = 5: exact 15, sharp 15, through the displacement 105."""
    verdict = other_start.check_printed()
    assert verdict
    assert verdict.kind == "beyond"
    k, D, r = Fraction(9, 10), Fraction(1), Fraction(5)
    assert other_start.extremal(k, D, r, [0, 3]) == [15, 15 * k**3]
    assert other_start.sharp(k, D, r) == 15
    assert other_start.through_displacement(k, D, r) == 105


@pytest.mark.control
@pytest.mark.parametrize("wrong", [lambda k, D, r: D / (1 - k), lambda k, D, r: D / (1 - k) + k * r])
def test_smaller_constants_are_caught(monkeypatch, wrong):
    monkeypatch.setattr(other_start, "sharp", wrong)
    verdicts = [other_start.check(**c) for c in other_start.cases(np.random.default_rng(0), "standard")]
    assert not all(v for v in verdicts if v.kind == "exact")
    assert not all(v for v in verdicts if v.kind == "upper")


@pytest.mark.control
def test_at_the_reference_point_the_constant_is_that_of_the_theorem():
    assert not other_start.check_printed(r=Fraction(0))
