"""Banach's theorem and PageRank (rows 3, 5): every start, both bounds, and the case of equality."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.maps.iterates import forward_iterates
from contraction.maps.operators import Operators
from contraction.maps.spaces import L1Simplex
from contraction.statements.section_2 import banach_fixed_point as statement

KINDS = ("reflection", "sine", "threshold", "aligned", "maxima", "pages")


@given(
    kind=st.sampled_from(KINDS),
    k=st.one_of(st.sampled_from([0.0, 0.85, 1 - 1e-9]), st.floats(0, 1 - 1e-6)),
    dim=st.integers(1, 50),
    n=st.one_of(st.integers(1, 60), st.just(500)),
    seed=st.integers(0, 2**31),
    reach=st.sampled_from([0.0, 1.0, 1e9]),
)
def test_powers_of_one_map(kind, k, dim, n, seed, reach):
    verdict = statement.check(kind, k, dim, n, seed, reach)
    assert verdict, verdict


@given(k=st.floats(0, 0.999), n=st.integers(1, 100))
def test_two_pages_attain_the_rate(k, n):
    verdict = statement.check("two pages", k, 2, n, 0)
    assert verdict, verdict


def test_fifty_to_a_hundred_iterations():
    """The numbers of the audit, .85^50 = 3.0e-4 and .85^100 = 8.7e-8, by the package's PageRank iterates."""
    damping = Fraction(17, 20)
    swap = np.array([[Fraction(0), Fraction(1)], [Fraction(1), Fraction(0)]])
    T = Operators.from_maps([lambda x: damping * (x @ swap) + (1 - damping) / 2] * 100, space=L1Simplex())
    rows = forward_iterates(T, np.array([Fraction(1), Fraction(0)]), at=[50, 100])
    found = [float(d) for d in L1Simplex().distance(rows, np.array([Fraction(1, 2)] * 2))]
    assert (round(found[0], 5), round(found[1], 9)) == (3.0e-4, 8.7e-8)


def failures(kinds) -> list[bool]:
    cases = statement.cases(np.random.default_rng(0), "standard")
    return [not statement.check(**c) for c in cases if c["kind"] in kinds and c["n"] > 2]


@pytest.mark.control
def test_maps_that_change_are_caught(monkeypatch):
    """A fresh map for every n is not one map: no fixed point is approached."""
    real = statement.draw

    def another(kind, k, D, dim, n, seed, reach):
        return real(kind, k, 1e-3, dim, n, seed, reach)

    monkeypatch.setattr(statement, "draw", another)
    assert any(failures(KINDS))


@pytest.mark.control
def test_a_factor_below_the_lipschitz_constant_is_caught(monkeypatch):
    real = statement.draw

    def smaller(*arguments):
        T = real(*arguments)
        object.__setattr__(T, "k", 0.9 * T.k)
        return T

    monkeypatch.setattr(statement, "draw", smaller)
    assert any(failures({"reflection", "aligned"}))
    assert any(failures({"maxima"}))
