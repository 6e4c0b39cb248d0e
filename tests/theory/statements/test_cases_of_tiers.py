"""The thorough tier of a statement checks more than the standard one, unless its cases are a list of their own.

Then thorough cases may be larger in place of more: more dimensions, or a longer path.
"""

from __future__ import annotations

import numpy as np
import pytest

from contraction.statements import all_statements
from contraction.statements.records import Cases

#: Statements whose two tiers have as many cases, and statements whose printed text has.
FIXED = {
    *("banach_fixed_point", "cauchy_footnote", "full_batch_step", "attained_constant", "common_fixed_point"),
    *("over_parameterized", "strongly_convex_step", "invariant_ball", "convergence_in_law_alone"),
    *("regulariser_settings", "regression_grid", "other_convergent_orders", "cost_of_restarts"),
    *("increments_from_forward_runs", "no_rule_can_tell"),
}
FIXED_TEXTS = {
    *("full_batch_step", "geometric_sum", "common_fixed_point", "strongly_convex_step", "quadratic_sgd"),
    *("linearized_contraction", "unbounded_noise", "composition_expansion", "order_difference"),
    *("streamed_correction", "small_batches"),
}
GENERATORS = [
    pytest.param(cases, statement.name in fixed, id=f"{statement.name}{of}")
    for statement in all_statements()
    for cases, fixed, of in ((statement.cases, FIXED, ""), (statement.printed_cases, FIXED_TEXTS, ", printed text"))
    if cases is not None
]


@pytest.mark.parametrize(("cases", "fixed"), GENERATORS)
def test_the_thorough_tier_has_more_cases(cases: Cases, fixed: bool) -> None:
    standard, thorough = (len(list(cases(np.random.default_rng(3), tier))) for tier in ("standard", "thorough"))
    assert standard > 0
    assert thorough == standard if fixed else thorough > standard


@pytest.mark.control
def test_these_lists_name_statements_that_there_are() -> None:
    names = {statement.name for statement in all_statements()}
    assert names >= FIXED | FIXED_TEXTS
    assert len(GENERATORS) > len(FIXED) + len(FIXED_TEXTS)
