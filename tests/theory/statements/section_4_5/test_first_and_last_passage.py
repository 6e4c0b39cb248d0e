"""Row 84: forward enters a half-line at least as soon, backward stays at least as likely; orthants in closed form."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contraction.maps.orders import Backward, Forward
from contraction.statements.section_4_5 import first_and_last_passage as statement

ORDERS = [Forward(), Backward()]


@settings(max_examples=15)
@given(
    h=st.fractions(Fraction(1, 4), Fraction(7, 4), max_denominator=20).filter(lambda h: abs(h - 1) >= Fraction(3, 10)),
    start=st.floats(-1, 1),
    c=st.floats(-0.5, 0.5),
    n=st.integers(1, 2),
    steps=st.integers(1, 2),
)
def test_both_inequalities(h, start, c, n, steps):
    verdict = statement.check(h, start, c, n, n + steps)
    assert verdict, verdict


@pytest.mark.parametrize("order", ORDERS, ids=repr)
@pytest.mark.parametrize("h", [Fraction(3, 10), Fraction(8, 5)])
def test_orthants_in_closed_form(order, h):
    """From 0 with c = 0: 1/4 + asin(r)/2π for two coordinates, 1/8 + Σ asin(r)/4π for three; r exact."""
    C = statement.covariance(h, 3, order)
    r = {(i, j): float(C[i][j]) / math.sqrt(C[i][i] * C[j][j]) for i in range(3) for j in range(i)}
    two, error = statement.chance(float(h), 0.0, 0.0, 1, 2, order, below=True)
    assert two == pytest.approx(0.25 + math.asin(r[1, 0]) / (2 * math.pi), abs=error + 1e-10)
    three, error = statement.chance(float(h), 0.0, 0.0, 1, 3, order, below=False)
    assert three == pytest.approx(0.125 + sum(map(math.asin, r.values())) / (4 * math.pi), abs=error + 1e-10)


@pytest.mark.parametrize("p", [Fraction(1, 3), Fraction(4, 5)])
def test_bits_and_the_reversed_chain(p):
    verdict = statement.check_printed(p, 2, 6)
    assert verdict, verdict


@pytest.mark.control
def test_orders_exchanged_are_caught():
    for h in (Fraction(1, 2), Fraction(7, 5)):
        assert not statement.check(h, 0.2, 0.1, 1, 3, exchanged=True)
    names = statement.check(Fraction(1, 2), 0.2, 0.1, 1, 3, exchanged=True).part
    assert names in ("covariances", "forward stays", "backward enters")


@pytest.mark.control
@pytest.mark.parametrize("wrong", ["sign", "the later variance", "no factor"])
def test_other_covariances_are_caught(monkeypatch, wrong):
    real = statement.claimed_covariance

    def claimed(h, N, order):
        C = real(h, N, order)
        if wrong == "sign":
            return [[-x if n != m else x for m, x in enumerate(row)] for n, row in enumerate(C)]
        if wrong == "the later variance":
            return [[C[max(n, m)][max(n, m)] for m in range(N)] for n in range(N)]
        return real(h, N, Backward())

    monkeypatch.setattr(statement, "claimed_covariance", claimed)
    verdict = statement.check(Fraction(3, 10), 0.0, 0.1, 1, 3)
    assert not verdict
    assert verdict.part == "covariances"


@pytest.mark.control
def test_an_expanding_factor_is_outside():
    """|k| > 1: Cov^F = k^|n-m| S is above Cov^B, so the exact part refuses."""
    C = [statement.covariance(Fraction(5, 2), 2, order) for order in ORDERS]
    assert C[0][0][1] < C[1][0][1]  # k = -3/2: of the other sign
    C = [statement.covariance(Fraction(-1, 2), 2, order) for order in ORDERS]
    assert C[0][0][1] > C[1][0][1]  # k = 3/2


def test_controls_are_detected():
    assert all(control.detected(0) for control in statement.CONTROLS)
