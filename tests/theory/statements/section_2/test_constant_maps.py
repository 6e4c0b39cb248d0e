"""Example 2.4 (row 27): the exact laws of both orders, and long sequences in many dimensions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.maps.iterates import backward_iterates, forward_iterates
from contraction.maps.operators import Operators, RandomOperator
from contraction.statements.section_2 import constant_maps


@given(parts=st.lists(st.integers(0, 20), min_size=1, max_size=3).filter(any), n=st.integers(1, 3), start=st.integers())
def test_laws(parts, n, start):
    verdict = constant_maps.check(tuple(Fraction(p, sum(parts)) for p in parts), n, start)
    assert verdict, verdict


@given(dim=st.integers(1, 50), n=st.integers(1, 300), seed=st.integers(0, 2**31))
def test_long_sequences_bitwise(dim, n, seed):
    values = np.random.default_rng(seed).standard_normal((2, dim))
    family = RandomOperator(lambda rng: rng.integers(2), lambda x, i: np.broadcast_to(values[i], x.shape))
    operators = family.sample(n, seed)
    drawn = values[[operators[i].draw for i in range(n)]]
    theta0 = np.full(dim, 1e9)
    assert (forward_iterates(operators, theta0)[1:] == drawn).all()
    assert (backward_iterates(operators, theta0)[1:] == drawn[0]).all()


def test_weights_are_checked():
    with pytest.raises(ValueError, match="sum to 1"):
        constant_maps.check((Fraction(1, 2), Fraction(1, 3)))


@pytest.mark.control
def test_swapped_orders_are_caught(monkeypatch):
    """The laws of the two orders are equal, so only the sequences can tell; they do."""
    monkeypatch.setattr(constant_maps, "forward_iterates", backward_iterates)
    monkeypatch.setattr(constant_maps, "backward_iterates", forward_iterates)
    assert not any(constant_maps.check(n=n) for n in range(2, 5))


@pytest.mark.control
def test_maps_that_are_not_constant_are_caught(monkeypatch):
    class Leaky(Operators):
        @classmethod
        def from_maps(cls, maps):
            return Operators.from_maps([lambda x, T=T: T(x) + x / 1000 for T in maps])

    monkeypatch.setattr(constant_maps, "Operators", Leaky)
    assert not constant_maps.check(n=3)
