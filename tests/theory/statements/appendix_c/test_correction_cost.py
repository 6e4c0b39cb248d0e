"""What Corollary C.4 costs (row 61): evaluations counted, against the formulas and against backward iterates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contraction import expansions as ex
from contraction.statements.appendix_c import correction_cost as statement


@settings(max_examples=15)
@given(n=st.integers(1, 9), d=st.integers(1, 4), seed=st.integers(0, 2**31))
def test_counts(n, d, seed):
    verdict = statement.check(n, d, seed)
    assert verdict, verdict


@settings(max_examples=15)
@given(n=st.integers(1, 12), distinct=st.integers(1, 4), d=st.integers(1, 3), seed=st.integers(0, 2**31))
def test_few_distinct_batches_need_one_table(n, distinct, d, seed):
    """Every C_n and θ̃_n exactly, from N + M gradients and M² products."""
    verdict = statement.check(n, d, seed, distinct)
    assert verdict, verdict


def test_the_cost_can_be_made_smaller():
    """Appendix C, as printed: M = 5 distinct batches, N = 100, and d = 200 parameters, with N below 2d.

    130 evaluations in place of 5,050, counted while they are made, on quadratic losses with dense Hessians.
    """
    rng, n, distinct, d = np.random.default_rng(5), 100, 5, 200
    roots = rng.standard_normal((distinct, d, d)) / d**0.5
    fields = [ex.quadratic_field(root @ root.T, rng.standard_normal(d)) for root in roots]
    word, theta, counts = rng.integers(distinct, size=n).tolist(), rng.standard_normal(d), [0, 0]
    counting = statement.counted(fields, counts)
    for field in counting:  # a field is compared with its derivative once, which is no part of the cost
        field.check(theta)
    counts[:] = [0, 0]
    corrections, iterates = statement.from_table(counting, word, theta, 1e-3)
    assert counts == statement.table_cost(n, distinct) == [105, 25]
    assert sum(counts) == 130 < ex.correction_cost("exact", n, d).fields == 5050
    assert sum(counts) < min(sum(evaluations(way, n, d)) for way in ("dense", "replay"))
    drawn = [fields[b] for b in word]
    exact = ex.minus_lie_bracket_sum(drawn, theta)
    size = sum(np.linalg.norm(products) for products in corrections)
    assert np.linalg.norm(corrections[-1] - exact) <= 64 * n * d * 2.0**-53 * size
    assert np.allclose(iterates[-1], ex.approximate_backward_iterate(drawn, theta, 1e-3), rtol=0, atol=1e-10)


@pytest.mark.parametrize(("n", "distinct", "cheaper"), [(100, 5, True), (9, 5, True), (8, 5, False), (1, 1, False)])
def test_from_when_the_table_is_cheaper(n, distinct, cheaper):
    """About N = √2 · M, and a little later for small M."""
    total = sum(statement.table_cost(n, distinct))
    assert (total < n * (n + 1) // 2) == cheaper


def test_the_memory_is_not_that_of_c_alone():
    verdict = statement.check_printed()
    assert verdict, verdict
    assert (verdict.measured, verdict.claimed) == (24, 4)


def evaluations(way: str, n: int, d: int) -> tuple[int, int]:
    cost = ex.correction_cost(way, n, d)
    return cost.fields, cost.products


@pytest.mark.parametrize("case", [(1000, 1000), (1000, 10**6), (1000, 500)])
def test_with_a_new_batch_at_every_step_and_few_steps_it_is_not_cheaper(case):
    """For N <= 2d; a single θ̃_N takes more than the single exact iterate."""
    assert min(sum(evaluations(way, *case)) for way in ("dense", "replay")) >= sum(evaluations("exact", *case))
    assert sum(evaluations("two passes", *case)) > case[0]


@pytest.mark.control
def test_for_many_maps_in_a_low_dimension_it_is():
    assert sum(evaluations("dense", 1000, 10)) < sum(evaluations("exact", 1000, 10))


@pytest.mark.control
def test_a_table_with_a_wrong_sign_is_caught(monkeypatch):
    real = statement.from_table

    def turned(fields, word, theta, h):
        corrections, iterates = real(fields, word, theta, h)
        return [-C for C in corrections], iterates

    monkeypatch.setattr(statement, "from_table", turned)
    assert not statement.check(6, 2, 0, 3)


@pytest.mark.control
def test_a_cost_claimed_without_the_table_is_caught(monkeypatch):
    monkeypatch.setattr(statement, "table_cost", lambda n, distinct: [n, distinct**2])
    assert not statement.check(6, 2, 0, 3)


@pytest.mark.control
def test_with_as_many_batches_as_steps_nothing_is_saved():
    assert statement.check_printed(n=20)
    assert not statement.check_printed(n=20, distinct=20)


@pytest.mark.control
def test_a_table_that_evaluates_more_or_gives_other_iterates_is_caught(monkeypatch):
    """What is compared is counted: a table that takes every product at every step, and one with the wrong sign."""
    real = statement.from_table

    def wasteful(fields, word, theta, h):
        for _ in word:
            found = real(fields, word, theta, h)
        return found

    def turned(fields, word, theta, h):
        corrections, iterates = real(fields, word, theta, h)
        return corrections, [x - 2 * h * h * C for x, C in zip(iterates, corrections, strict=True)]

    for wrong in (wasteful, turned):
        monkeypatch.setattr(statement, "from_table", wrong)
        assert not statement.check_printed(n=20)


@pytest.mark.parametrize(("n", "distinct"), [(100, 5), (9, 5), (8, 5), (1, 1)])
def test_the_formula_of_the_table_is_what_is_counted(n, distinct):
    table, exact, same = statement.counts(n, distinct, 3)
    assert table == statement.table_cost(n, distinct)
    assert exact == [n * (n + 1) // 2, 0]
    assert same


@pytest.mark.control
def test_a_forgotten_product_is_caught(monkeypatch):
    real = statement.counted
    monkeypatch.setattr(statement, "counted", lambda fields, counts: [fields[0], *real(fields, counts)[1:]])
    assert not statement.check(3, 2, 0)


@pytest.mark.control
def test_an_iterate_that_is_wrong_in_one_coordinate_is_another(monkeypatch):
    real = statement.from_table

    def off(fields, word, theta, h):
        corrections, iterates = real(fields, word, theta, h)
        wrong = iterates[-1].copy()
        wrong[0] = wrong[0] + 1
        return corrections, [*iterates[:-1], wrong]

    assert statement.counts(6, 3, 4)[2]
    monkeypatch.setattr(statement, "from_table", off)
    assert not statement.counts(6, 3, 4)[2]
