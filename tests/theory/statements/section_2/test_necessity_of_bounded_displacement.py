"""Condition (2) (row 20): the divergent example, the convergent one, and the summability that decides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.maps.iterates import forward_iterates
from contraction.statements.section_2 import necessity_of_bounded_displacement as statement


@given(kind=st.sampled_from(["powers", "linear", "affine"]), n=st.integers(1, 80), seed=st.integers(0, 2**31))
def test_exact_sequences(kind, n, seed):
    verdict = statement.check(kind, n, seed=seed)
    assert verdict, verdict


@given(n=st.integers(1, 500), dim=st.integers(1, 50), seed=st.integers(0, 2**31))
def test_products_of_factors_bound_nonlinear_maps(n, dim, seed):
    verdict = statement.check("sine", n if dim < 10 else n % 60 + 1, dim, seed)
    assert verdict, verdict


def test_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="kind must be"):
        statement.check("cosine", 3)


def failures(kinds) -> list[bool]:
    cases = [c for c in statement.cases(np.random.default_rng(0), "standard") if c["kind"] in kinds and c["n"] > 2]
    return [not statement.check(**c) for c in cases]


@pytest.mark.control
def test_forward_order_is_caught(monkeypatch):
    monkeypatch.setattr(statement, "backward_iterates", forward_iterates)
    assert all(failures({"powers", "linear"}))
    assert any(failures({"sine"}))


@pytest.mark.control
def test_shifted_product_is_caught(monkeypatch):
    """K_1 … K_i instead of K_1 … K_{i-1}."""
    real = statement.certificate

    def shifted(K, delta):
        return real(K, [k * d for k, d in zip(K, delta, strict=True)])

    monkeypatch.setattr(statement, "certificate", shifted)
    assert any(failures({"affine"}))
