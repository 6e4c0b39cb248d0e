"""Section 3.1 (rows 44-46): closed forms of both iterates, from both sides, at every h."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.statements import quadratic_sgd


@given(
    h=st.one_of(st.sampled_from([0.0, 1.0, 2.0, -0.1, 2.1]), st.floats(-0.5, 2.5)),
    n=st.integers(1, 300),
    theta0=st.floats(-1e6, 1e6),
    seed=st.integers(0, 2**31),
)
def test_closed_forms(h, n, theta0, seed):
    verdict = quadratic_sgd.check(h, n, theta0, seed)
    assert verdict, verdict


def test_printed_label_is_refuted():
    assert quadratic_sgd.check_printed()


@pytest.mark.control
def test_swapped_order_is_caught(monkeypatch):
    real = quadratic_sgd.iterates
    swapped = {"Forward": quadratic_sgd.Backward(), "Backward": quadratic_sgd.Forward()}
    monkeypatch.setattr(
        quadratic_sgd, "iterates", lambda ops, theta, order, at: real(ops, theta, swapped[type(order).__name__], at=at)
    )
    assert not all(quadratic_sgd.check(**case) for case in quadratic_sgd.cases(np.random.default_rng(0), "standard"))
