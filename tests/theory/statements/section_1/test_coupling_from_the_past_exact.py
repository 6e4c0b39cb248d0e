"""Coupling from the past (row 2): exact by enumeration; no acceleration; forward coalescence is biased."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from contraction.statements.section_1 import coupling_from_the_past_exact as statement


@st.composite
def chains(draw):
    states = draw(st.integers(1, 4))
    state = st.integers(0, states - 1)
    maps = draw(st.lists(st.tuples(*[state] * states), min_size=1, max_size=3))
    parts = draw(st.lists(st.integers(1, 9), min_size=len(maps), max_size=len(maps)))
    return tuple(maps), tuple(Fraction(p, sum(parts)) for p in parts)


@given(chain=chains(), n=st.integers(0, 7))
def test_identity_at_every_horizon(chain, n):
    try:
        statement.stationary_law(statement.chain(*chain))
    except ValueError:
        assume(False)
    verdict = statement.check(*chain, n)
    assert verdict, verdict


def test_numbers_of_the_audit():
    """Two states, truncated at 16: (.6667, .3333) against (2/3, 1/3); forward coalescence stops at the first state."""
    backward = statement.stopped_law(statement.TWO_STATES, statement.HALVES, 16, backward=True)
    assert [round(float(p), 4) for p in backward] == [0.6667, 0.3333]
    assert [Fraction(2, 3) - backward[0], Fraction(1, 3) - backward[1]] == [
        Fraction(1, 3 * 2**15),
        Fraction(1, 3 * 2**16),
    ]
    forward = statement.stopped_law(statement.TWO_STATES, statement.HALVES, 16, backward=False)
    assert forward == [1 - Fraction(1, 2**16), 0]


def test_acceleration_is_refuted():
    assert statement.check_printed()


@pytest.mark.parametrize("weights", [(Fraction(1, 2), Fraction(1, 3)), (Fraction(1),)])
def test_weights_are_checked(weights):
    with pytest.raises(ValueError, match="sum to 1"):
        statement.check(weights=weights)


def test_two_stationary_laws_are_refused():
    with pytest.raises(ValueError, match="more than one"):
        statement.check(((0, 1),), (Fraction(1),))


@pytest.mark.control
def test_forward_coalescence_is_caught(monkeypatch):
    """Stopping the forward composition at coalescence does not sample pi."""
    real = statement.stopped_law
    monkeypatch.setattr(statement, "stopped_law", lambda m, w, n, backward: real(m, w, n, backward=False))
    assert not statement.check(n=16)


@pytest.mark.control
def test_another_target_is_caught(monkeypatch):
    monkeypatch.setattr(statement, "stationary_law", lambda P: [Fraction(1, len(P))] * len(P))
    assert not statement.check(n=8)


@pytest.mark.control
def test_coupled_draws_are_caught(monkeypatch):
    """One map repeated n times instead of n independent ones: pi is not kept."""
    power = statement.compose
    once = statement.composition_law

    def repeated(maps, weights, n, backward):
        law = {}
        for f, p in once(maps, weights, 1, backward).items():
            g = tuple(range(len(f)))
            for _ in range(n):
                g = power(f, g)
            law[g] = law.get(g, 0) + p
        return law

    monkeypatch.setattr(statement, "composition_law", repeated)
    assert not statement.check(n=8)
