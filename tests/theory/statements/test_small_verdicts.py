"""What a row is told of several verdicts, which pair a verdict names, and a printed text that is run as it is."""

from __future__ import annotations

import math

import numpy as np
import pytest

from contraction.statements import comparisons
from contraction.statements.appendix_e import convergence_modes
from contraction.statements.records import Row, Statement, Verdict, _text_of, combine


def test_the_report_of_a_failure_ends_with_its_note_or_its_numbers():
    assert Verdict("a", (1,), "upper", False, 2.0, 1.0).failure == "a: measured 2.0, claimed 1.0"
    assert Verdict("a", (1,), "upper", False, 2.0, 1.0, note="n = 3").failure == "a: measured 2.0, claimed 1.0; n = 3"


@pytest.mark.control
def test_a_row_has_the_verdicts_that_speak_of_few_others():
    """Row 1 has a verdict of its own beside one on rows 1 and 2; row 2 has the latter, and row 3 none."""

    def printed(slip: str) -> Verdict:
        rows, holds = {"own": ((1,), True), "both": ((1, 2), False)}[slip]
        return Verdict("shared", rows, "refuted", holds, note=slip)

    rows = tuple(Row(i, "here", "TYPO", quote="Quoted.", correct="Right.", severity="typo") for i in (1, 2, 3))
    statement = Statement(
        "shared",
        (),
        "",
        "",
        rows,
        lambda: Verdict("shared", (1, 2, 3), "exact", True),
        lambda rng, tier: [{}],
        check_printed=printed,
        printed_cases=lambda rng, tier: [{"slip": "both"}, {"slip": "own"}],
    )
    found = statement.refutations()
    assert {row: (v.rows, v.holds, v.note) for row, v in found.items()} == {
        1: ((1,), True, "own"),
        2: ((1, 2), False, "both"),
    }


@pytest.mark.control
@pytest.mark.parametrize(
    ("measured", "claimed", "named", "holds"),
    [
        ([1, 3, 2], [4, 4, 4], (3, 4), True),  # the nearest to its claim
        (
            [-1, 5],
            [-2, 5],
            (-1, -2),
            False,
        ),  # the one that fails, though its ratio is below that of the pair that holds
        ([5, -1], [5, -2], (-1, -2), False),
        ([3, 5], [2, 2], (5, 2), False),  # the worst of those that fail
        ([0, 1], [0, 2], (0, 0), True),
        ([1, 0], [2, 0], (0, 0), True),
        ([1, 7], [0, 6], (1, 0), False),
    ],
)
def test_the_verdict_on_upper_bounds_names_the_worst_pair(measured, claimed, named, holds):
    verdict = comparisons.at_most("s", (1,), measured, claimed)
    assert ((verdict.measured, verdict.claimed), verdict.holds) == (named, holds)


@pytest.mark.control
@pytest.mark.parametrize("seed", range(40))
def test_a_verdict_on_many_pairs_is_that_of_its_worst_one(seed):
    """By a loop over the pairs, each with its own rounding: whether it holds, and which pair and part it names."""
    rng = np.random.default_rng(seed)
    measured, claimed, rounding = rng.integers(1, 9, (3, 6)) / 4
    if seed % 4 == 0:
        claimed = claimed + 2  # so that they hold
    if seed % 7 == 3:
        measured[seed % 6] = np.nan
    pairs = list(zip(measured, claimed, rounding, strict=True))
    holds = all(m <= c + r for m, c, r in pairs)
    over = [m / (c + r) if holds else math.inf if math.isnan(m) else m - c - r for m, c, r in pairs]
    off = [math.inf if math.isnan(m) else abs(m - c) - r for m, c, r in pairs]
    upper = Verdict.upper("s", (1,), measured, claimed, rounding=rounding, parts=list("abcdef"))
    tight = Verdict.tight("s", (1,), measured, claimed, rounding=rounding)
    assert (upper.holds, tight.holds) == (holds, max(off) <= 0)
    k, j = int(np.argmax(over)), int(np.argmax(off))
    assert upper.part == "abcdef"[k]
    np.testing.assert_array_equal([upper.measured, upper.claimed], [measured[k], claimed[k]])
    np.testing.assert_array_equal([tight.measured, tight.claimed], [measured[j], claimed[j]])


def test_the_limit_law_that_names_no_start_is_refuted():
    verdict = convergence_modes.check_printed()
    assert verdict
    assert verdict.measured > 0


@pytest.mark.control
def test_checks_that_failed_add_up_and_the_case_is_that_of_the_numbers():
    """A verdict that holds has no failed checks, whatever it is told; one that fails has one at least."""
    near, far = (Verdict("a", (1,), "upper", False, m, 1.0, case=f"case {m}") for m in (2, 3))
    right = Verdict("a", (1,), "upper", True, 1.0, 1.0, failed=3)
    both = combine([right, near, far, near])
    assert (right.failed, near.failed, both.failed, both.case) == (0, 1, 3, "case 3")
    assert (combine([both, right, near]).failed, combine([right, right]).failed) == (4, 0)
    assert both.failure == "a: measured 3.0, claimed 1.0; case 3"


def test_a_long_argument_is_cut_and_stays_on_one_line():
    assert _text_of("check", 2, {"n": 3, "x": "a" * 300}, 4) == "case 2: check(n=3, x='aaa…)"
    assert _text_of("check", 1, {"x": np.eye(2)}) == "case 1: check(x=array([[1., 0.], [0., 1.]]))"
    assert _text_of("check_printed", 1, {}) == "case 1: check_printed()"
