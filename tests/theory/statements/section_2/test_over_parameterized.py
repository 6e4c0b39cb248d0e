"""Over-parameterised least squares (row 26): no contraction, exactly; contraction along the leaves."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.maps.iterates import forward_iterates
from contraction.maps.operators import Operators
from contraction.statements.section_2 import over_parameterized as statement


@given(
    h=st.floats(-1, 10),
    N=st.integers(1, 6),
    extra=st.integers(1, 10),
    seed=st.integers(0, 2**31),
    interpolate=st.booleans(),
)
def test_null_directions_and_leaves_exactly(h, N, extra, seed, interpolate):
    verdict = statement.check("null", h, N, N + extra, seed, interpolate=interpolate)
    assert verdict, verdict


@given(
    h=st.floats(0.01, 1.99),
    N=st.integers(1, 4),
    extra=st.integers(1, 46),
    seed=st.integers(0, 2**31),
    epochs=st.integers(1, 60),
    interpolate=st.booleans(),
)
def test_epochs_contract_the_leaf_in_both_orders(h, N, extra, seed, epochs, interpolate):
    verdict = statement.check("leaf", h, N, N + extra, seed, epochs, interpolate)
    assert verdict, verdict


def test_two_common_zeros_exclude_contraction():
    verdict = statement.check_printed()
    assert verdict
    assert verdict.kind == "beyond"


@pytest.mark.parametrize("h", [Fraction(1, 100), Fraction(1), Fraction(-3)])
def test_a_product_network_is_fixed_along_a_curve_of_zeros(h):
    """f(x) = a b x fitted to y = 6 at x = 2: zeros a b = 3, Hessian x^2 (b, a)(b, a)^T of rank one at each of them.

    Any two zeros, however near, stay as far apart as they are, in both orders of the package's iterates: no ball around
    an interpolating point helps. A start that is no zero moves.
    """

    def move(x):
        a, b = x[..., 0], x[..., 1]
        error = 2 * a * b - 6
        return np.stack([a - h * error * 2 * b, b - h * error * 2 * a], axis=-1)

    operators = Operators.from_maps([move] * 3)
    for a in (Fraction(1), Fraction(1) + Fraction(1, 10**9), Fraction(-7, 3)):
        for run in (statement.backward_iterates, forward_iterates):
            zero = np.array([a, 3 / a], dtype=object)
            assert (run(operators, zero) == zero).all()
            other = zero + np.array([0, 1])
            assert (run(operators, other)[1] != other).all()
        H = 4 * np.array([[(3 / a) ** 2, Fraction(3)], [Fraction(3), a**2]])
        assert (H @ np.array([a, -3 / a]) == 0).all()


def test_audit_example_reaches_machine_precision():
    """Batch 1, d = 2, one drawn order: all norms 1, backward increments fall below 1e-12 (two rows span the plane)."""
    angle = 0.6
    X = np.array([[1.0, 0.0], [np.cos(angle), np.sin(angle)]])
    order = np.random.default_rng(3).integers(0, 2, 300)
    operators = Operators.from_maps([statement.step(X[i : i + 1], np.array([1.0 + i]), 1.0) for i in order])
    rows = statement.backward_iterates(operators, np.array([5.0, -3.0]))
    norms = [np.linalg.norm(np.eye(2) - np.outer(x, x), 2) for x in X]
    assert norms == pytest.approx([1, 1], abs=1e-15)
    # with s switches of the row among the first n, |P_n| = cos(angle)^s
    switches = int(np.sum(order[1:] != order[:-1]))
    assert np.linalg.norm(rows[-1] - rows[-2]) <= 20 * np.cos(angle) ** (switches - 1) + 1e-13


@pytest.mark.parametrize(
    ("arguments", "rule"), [(("null", 1.0, 3, 3, 0), "1 <= N < dim"), (("tree", 1.0, 1, 3, 0), "kind must be")]
)
def test_bad_input(arguments, rule):
    with pytest.raises(ValueError, match=rule):
        statement.check(*arguments)


def test_full_rank_has_no_null_vector():
    with pytest.raises(ValueError, match="no null vector"):
        statement.null_vector([[Fraction(1), Fraction(2)], [Fraction(0), Fraction(1)]])


def failures(kind) -> list[bool]:
    cases = statement.cases(np.random.default_rng(0), "standard")
    return [not statement.check(**c) for c in cases if c["kind"] == kind and c["h"] > 0]


@pytest.mark.control
def test_weight_decay_is_caught(monkeypatch):
    """A ridge term makes the step a contraction: null directions shrink and the leaves are left."""
    real = statement.step
    monkeypatch.setattr(statement, "step", lambda X, y, h: lambda t: real(X, y, h)(t) - h * t / 8)
    assert all(failures("null"))


@pytest.mark.control
def test_missing_a_row_is_caught(monkeypatch):
    """Runs whose outermost map is left out do not contract the leaf as an epoch does."""

    class Skipping(Operators):
        @classmethod
        def from_maps(cls, maps):
            return Operators.from_maps([lambda x: x, *maps[1:]])

    monkeypatch.setattr(statement, "Operators", Skipping)
    assert any(failures("leaf"))
