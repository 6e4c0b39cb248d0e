"""Theorem 2.6 (row 36): the laws of both iterates are equal at every n, exactly, and tend to the law of θ*."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.maps.orders import Backward, Forward
from contraction.statements.cases.exact_words import affine_map, iid, iterate_law, wasserstein
from contraction.statements.section_2 import equality_of_laws as statement

fractions = st.fractions(-2, 2, max_denominator=6)
half = st.fractions(Fraction(-1, 2), Fraction(1, 2), max_denominator=6)


@st.composite
def finite_families(draw, most=3):
    maps = [
        statement.kink(draw(fractions), draw(fractions), draw(fractions)) for _ in range(draw(st.integers(1, most)))
    ]
    parts = draw(st.lists(st.integers(1, 9), min_size=len(maps), max_size=len(maps)))
    return maps, [Fraction(p, sum(parts)) for p in parts]


@given(family=finite_families(), theta0=st.lists(fractions, min_size=1, max_size=4), n=st.integers(0, 4))
def test_laws_are_equal_without_any_contraction(family, theta0, n):
    maps, weights = family
    verdict = statement.check(maps, weights, theta0, n)
    assert verdict, verdict


def test_three_smooth_maps_with_unequal_weights():
    """All 243 words of three smooth maps at n = 5: as many atoms as words, each with the same weight both ways."""
    weights = [Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)]
    parameters = [(Fraction(1, 2), 1, Fraction(1, 4)), (Fraction(-1, 3), 2, Fraction(1, 5)), (Fraction(1, 7), -1, 1)]
    verdict = statement.check([statement.bend(*p) for p in parameters], weights, [Fraction(1, 3)], 5)
    assert verdict, verdict
    assert verdict.note.endswith("243 atoms")


@given(
    slopes=st.lists(half, min_size=1, max_size=2),
    shifts=st.lists(fractions, min_size=2, max_size=2),
    theta0=fractions,
    n=st.integers(1, 4),
)
def test_forward_law_tends_to_the_law_of_the_backward_limit(slopes, shifts, theta0, n):
    """W_1(law θ_n^F, law θ_m^B) <= k^n E d(θ_0, T θ_0)/(1-k) for m > n, exactly; at m = n + 2."""
    a = (slopes * 2)[:2]
    maps, weights, k = [affine_map(*p) for p in zip(a, shifts, strict=True)], [Fraction(1, 2)] * 2, max(map(abs, a))
    D = sum(abs(m(theta0) - theta0) for m in maps) / 2
    near = iterate_law(maps, iid(weights, n), [theta0], Forward())
    far = iterate_law(maps, iid(weights, n + 2), [theta0], Backward())
    assert wasserstein(near, far) <= k**n * D / (1 - k)


@pytest.mark.control
def test_dependent_maps_are_caught():
    """Maps in a fixed cyclic order, the cheapest dependence: at n = 2 the two laws have no atom in common."""
    maps = [affine_map(Fraction(1, 2), 0), affine_map(Fraction(1, 2), Fraction(1, 2))]
    cyclic = {(0, 1): Fraction(1)}
    assert iterate_law(maps, cyclic, [0], Forward()) != iterate_law(maps, cyclic, [0], Backward())


@pytest.mark.control
def test_other_weights_on_one_side_are_caught(monkeypatch):
    """The forward law with the weights of two maps exchanged differs from the backward law."""
    real, calls = statement.iterate_law, []

    def tampered(maps, words, theta0, order):
        calls.append(order)
        if isinstance(order, Forward):
            words = dict(zip(words, reversed(words.values()), strict=True))
        return real(maps, words, theta0, order)

    monkeypatch.setattr(statement, "iterate_law", tampered)
    maps = [affine_map(Fraction(1, 2), 0), affine_map(Fraction(1, 3), 1)]
    assert not statement.check(maps, [Fraction(1, 4), Fraction(3, 4)], [1], 2)
    assert Forward in map(type, calls)


@pytest.mark.control
def test_backward_against_a_shorter_word_is_caught(monkeypatch):
    real = statement.iterate_law
    monkeypatch.setattr(
        statement,
        "iterate_law",
        lambda maps, words, theta0, order: real(
            maps, words if isinstance(order, Forward) else iid([Fraction(1, len(maps))] * len(maps), 1), theta0, order
        ),
    )
    assert not statement.check([affine_map(Fraction(1, 2), 1)], [Fraction(1)], [0], 3)
