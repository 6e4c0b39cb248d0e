"""Appendix E.2 (row 38): whole images have one law both ways; their coordinates are not independent."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.maps.orders import Backward, Forward
from contraction.statements.appendix_e import coordinates_are_dependent as statement
from contraction.statements.cases.exact_words import overlap

fractions = st.fractions(-2, 2, max_denominator=4)


@st.composite
def families(draw):
    d = draw(st.integers(1, 3))
    vector = st.lists(fractions, min_size=d, max_size=d)
    matrix = st.lists(vector, min_size=d, max_size=d)
    maps = draw(st.lists(st.tuples(matrix, vector, fractions), min_size=1, max_size=2))
    starts = draw(st.lists(vector, min_size=1, max_size=2))
    parts = draw(st.lists(st.integers(1, 9), min_size=len(maps), max_size=len(maps)))
    return [statement.mixing(*m) for m in maps], [Fraction(p, sum(parts)) for p in parts], starts


@given(family=families(), n=st.integers(1, 3))
def test_joint_laws_of_several_starts_are_equal(family, n):
    verdict = statement.check(*family, n)
    assert verdict, verdict


@given(x0=st.tuples(*[st.integers(-3, 3)] * 2), gap=st.tuples(*[st.integers(1, 5)] * 2), n=st.integers(1, 4))
def test_printed_factorisation_fails(x0, gap, n):
    assert statement.check_printed(x0, tuple(a + b for a, b in zip(x0, gap, strict=True)), n)


@pytest.mark.control
def test_one_coordinate_does_factorise():
    """In dimension one the product has one factor: the refutation must not hold."""
    assert not statement.check_printed((0,), (1,), 3)


@pytest.mark.control
def test_marginals_alone_do_not_determine_the_joint_law():
    """Equal marginal laws of every coordinate are less than equal joint laws, which the check compares."""
    together = {(0, 0): Fraction(1, 2), (1, 1): Fraction(1, 2)}
    apart = {(0, 1): Fraction(1, 2), (1, 0): Fraction(1, 2)}
    assert overlap(together, apart) == 0


@pytest.mark.control
def test_dependent_maps_are_caught(monkeypatch):
    """With two maps in a fixed order the joint laws differ."""
    monkeypatch.setattr(statement, "iid", lambda weights, n: {(0, 1): Fraction(1)})
    maps = [statement.mixing([[0, 1], [1, 0]], [1, 0], Fraction(0)), statement.mixing([[1, 0], [0, 2]], [0, 1], 0)]
    assert statement.joint_law(maps, {(0, 1): Fraction(1)}, [[0, 0]], Forward()) != statement.joint_law(
        maps, {(0, 1): Fraction(1)}, [[0, 0]], Backward()
    )
    assert not statement.check(maps, [Fraction(1, 2)] * 2, [[0, 0]], 2)
