"""Corollary C.4: three ways to one correction, their counts, and the slips that must not pass."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction import expansions as ex
from tests.theory.expansions.test_expansions_exact import POINT, rational_fields


def random_words(seed: int, n: int) -> list[ex.VectorField]:
    pool = rational_fields(seed)
    return [pool[i] for i in np.random.default_rng(seed).integers(0, 4, n)]


@given(seed=st.integers(0, 10**6), n=st.integers(1, 6))
def test_all_variants_are_the_sum_of_brackets_exactly(seed, n):
    fields = random_words(seed, n)
    h = POINT[0] / 7
    forward = ex.compose(fields, range(n, 0, -1), POINT, h)
    streams = [ex.ApproximateBackward(POINT, h, variant) for variant in ("dense", "replay")]
    for field in fields:
        for stream in streams:
            stream.step(field)
    brackets = POINT * 0
    for i in range(n):
        for j in range(i + 1, n):
            brackets = brackets + ex.minus_lie_bracket(fields[i], fields[j], POINT)
    expected = list(forward + h * h * brackets)
    for stream in streams:
        assert stream.n == n
        assert list(stream.forward) == list(forward)
        assert list(stream.correction) == list(brackets)
        assert list(stream.iterate) == expected
    assert list(ex.approximate_backward_iterate(fields, POINT, h)) == expected


def test_corrected_iterates_agree_with_backward_ones_to_second_order():
    fields = rational_fields()
    difference = ex.difference_coefficients(fields, (1, 2, 3, 4), (4, 3, 2, 1), POINT, 2)
    assert list(ex.minus_lie_bracket_sum(fields, POINT)) == list(difference[1])


def recursion(fields, *, correction_first: bool = False, from_zero: bool = False):
    """Corollary C.4 as printed, with the slips: C before g and H, or python's index −1 for L_0."""
    d, n = len(POINT), len(fields)
    values = [f(POINT) for f in fields]
    jacobians = [np.stack([f.differential(POINT, (e,)) for e in np.eye(d, dtype=int)], axis=1) for f in fields]
    g, hessian, c = POINT * 0, np.zeros((d, d), dtype=object), POINT * 0
    for k in range(0 if from_zero else 1, n):
        if correction_first:
            c = c + hessian @ values[k] - jacobians[k] @ g
        g, hessian = g + values[k - 1], hessian + jacobians[k - 1]
        if not correction_first:
            c = c + hessian @ values[k] - jacobians[k] @ g
    return list(c)


@pytest.mark.control
def test_update_order_and_index_slips_change_the_correction():
    fields = rational_fields()
    right = list(ex.minus_lie_bracket_sum(fields, POINT))
    assert recursion(fields) == right
    assert recursion(fields, correction_first=True) != right
    assert recursion(fields, from_zero=True) != right


@pytest.mark.control
def test_bracket_with_the_other_sign_is_not_the_difference():
    fields = rational_fields()
    difference = ex.difference_coefficients(fields, (1, 2, 3, 4), (4, 3, 2, 1), POINT, 2)[1]
    assert list(-ex.minus_lie_bracket_sum(fields, POINT)) != list(difference)


def counted(fields, counts):
    def wrap(field):
        def value(theta):
            counts["fields"] += 1
            return field(theta)

        def jvp(theta, v):
            counts["products"] += 1
            return field.differential(theta, (v,))

        return ex.VectorField(value=value, jvp=jvp)

    return [wrap(field) for field in fields]


@pytest.mark.parametrize("n", [1, 2, 5])
def test_costs_are_what_the_table_says(n):
    for way in ("dense", "replay"):
        counts = {"fields": 0, "products": 0}
        stream = ex.ApproximateBackward(POINT, POINT[0], way)
        for field in counted(random_words(3, n), counts):
            stream.step(field)
        cost = ex.correction_cost(way, n, 2)
        assert (counts["fields"], counts["products"]) == (cost.fields, cost.products)
        assert stream.cost == cost
    for way, call in (
        ("two passes", lambda fields: ex.approximate_backward_iterate(fields, POINT, POINT[0])),
        ("exact, one", lambda fields: ex.compose(fields, range(1, n + 1), POINT, POINT[0])),
        ("exact", lambda fields: [ex.compose(fields, range(1, k + 1), POINT, POINT[0]) for k in range(1, n + 1)]),
    ):
        counts = {"fields": 0, "products": 0}
        call(counted(random_words(3, n), counts))
        cost = ex.correction_cost(way, n, 2)
        assert (counts["fields"], counts["products"]) == (cost.fields, cost.products)


def test_streaming_is_no_cheaper_than_backward_iterates_until_n_passes_2d():
    """N = 1000: 499 500 products for H_n V_n alone, against 500 500 evaluations for all exact backward iterates."""
    assert ex.correction_cost("exact", 1000, 10**6).fields == 500_500
    assert ex.correction_cost("replay", 1000, 10**6).products - 999 == 499_500
    for d in (10, 1000):
        for n, cheaper in ((2 * d, False), (2 * d + 8, True)):
            dense, exact = ex.correction_cost("dense", n, d), ex.correction_cost("exact", n, d)
            assert (dense.fields + dense.products < exact.fields) == cheaper
    assert ex.correction_cost("two passes", 50, 9).fields > ex.correction_cost("exact, one", 50, 9).fields


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="variant"):
        ex.ApproximateBackward(POINT, 0.1, "sparse")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="vector"):
        ex.ApproximateBackward(np.eye(2), 0.1)
    with pytest.raises(ValueError, match="way"):
        ex.correction_cost("free", 3, 3)
    with pytest.raises(ValueError, match="at least 1"):
        ex.correction_cost("dense", 0, 3)
    with pytest.raises(ValueError, match="at least one field"):
        ex.minus_lie_bracket_sum([], POINT)
