"""Section 3.1 (rows 44-46): closed forms of both iterates and the factor |1 - h|, from both sides, at every h."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.statements.section_3 import quadratic_sgd


@given(
    h=st.one_of(st.sampled_from([0.0, 1.0, 2.0, -0.1, 2.1]), st.floats(-0.5, 2.5)),
    n=st.integers(1, 300),
    theta0=st.floats(-1e6, 1e6),
    seed=st.integers(0, 2**31),
)
def test_closed_forms_and_factor(h, n, theta0, seed):
    verdict = quadratic_sgd.check(h, n, theta0, seed)
    assert verdict, verdict


@pytest.mark.parametrize(("h", "k"), [(0.3, 0.7), (1.7, 0.7), (1.0, 0.0), (2.0, 1.0), (-0.1, 1.1), (2.1, 1.1)])
def test_factor_over_the_range_of_h(h, k):
    family = quadratic_sgd.QuadraticSGD(h)
    assert abs(family.contraction.value - k) <= 2**-52
    assert (family.contraction.value < 1) == (0 < h < 2)


def test_printed_label_and_printed_range_are_refuted():
    assert quadratic_sgd.check_printed(46)
    assert all(quadratic_sgd.check_printed(45, h) for h in (-0.1, 2.0, 2.1))
    assert set(quadratic_sgd.STATEMENT.refutations()) == {45, 46}


@pytest.mark.control
@pytest.mark.parametrize("arguments", [{"h": 2.0, "n": 7}, {"n": 1}, {"row": 45, "h": 1.7}])
def test_where_the_printed_form_happens_to_hold(arguments):
    """At h = 2 and odd n, and at n = 1, the two sums coincide; at h = 1.7 the map contracts: nothing is refuted."""
    assert not quadratic_sgd.check_printed(**arguments)


@pytest.mark.control
def test_swapped_order_is_caught(monkeypatch):
    real = quadratic_sgd.iterates
    swapped = {"Forward": quadratic_sgd.Backward(), "Backward": quadratic_sgd.Forward()}
    monkeypatch.setattr(
        quadratic_sgd, "iterates", lambda ops, theta, order, at: real(ops, theta, swapped[type(order).__name__], at=at)
    )
    assert not all(quadratic_sgd.check(**case) for case in quadratic_sgd.cases(np.random.default_rng(0), "standard"))


@pytest.mark.control
def test_a_factor_without_its_absolute_value_is_caught(monkeypatch):
    """Beyond h = 1 the factor 1 - h is negative: the quotient is not."""
    real = quadratic_sgd.quotient
    monkeypatch.setattr(quadratic_sgd, "quotient", lambda T, x, y: -real(T, x, y))
    assert not quadratic_sgd.check(1.7, 5, 1.0, 0)
