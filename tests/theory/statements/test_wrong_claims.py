"""Wrong claims just beyond the smallest that a statistical statement is to detect: each is refused, by a named part."""

from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import pytest
from scipy import stats

from contraction import __main__ as command_line
from contraction.statements import all_statements, find
from contraction.statements.cases.error_rates import (
    FALSE_ALARM,
    binomial_miss,
    binomial_range,
    chi_square_miss,
    chi_square_range,
    count_miss,
    count_range,
    off,
    statistical,
)
from contraction.statements.records import Control, Verdict
from contraction.statements.section_2 import time_averages
from contraction.statements.section_3 import log_moment, unbounded_noise
from contraction.statements.section_4_5 import settling_times
from tests.theory.verdicts import observed

STATISTICAL = ("log_moment", "unbounded_noise", "time_averages", "settling_times")
CONTROLS = [(s.name, control) for s in all_statements() for control in s.controls]


def test_every_statistical_statement_has_wrong_claims():
    """And says in its docstring what the smallest one is that it detects."""
    assert {name for name, _ in CONTROLS} >= set(STATISTICAL)
    for module in (log_moment, unbounded_noise, time_averages, settling_times):
        assert re.search("^Smallest wrong claim that is detected$", module.__doc__ or "", re.M)


@pytest.mark.control
@pytest.mark.parametrize(("name", "control"), CONTROLS, ids=[f"{n}: {c.wrong}" for n, c in CONTROLS])
def test_a_wrong_claim_is_refused(name, control):
    assert all(control.detected(seed) for seed in range(3))


@pytest.mark.control
@pytest.mark.parametrize("h", [0.3, 1.7])
def test_more_wrong_claims(h):
    """From the other side, and those of the audit: variances and scales off by far more."""
    scaled = time_averages._scaled
    for forward, backward in ((1 / 1.1, 1), (1, 1 / 1.1), (1.3, 1.3), (1 / 1.3, 1 / 1.3)):
        assert not time_averages.check(h, 50, 60_000, 1, scaled(forward, backward))
    for stationary in (lambda h: h / 2, lambda h: 1.04 * h / (2 - h), lambda h: h / (2 - h) / 1.04):
        assert not time_averages.check(h, 50, 60_000, 1, stationary=stationary)
    assert not unbounded_noise.check(
        h, 3, 9, 120_000, 1, lambda h, terms: 1.15 * unbounded_noise.stationary_sd(h, terms)
    )
    assert not log_moment.check(h, 3, 9, 200_000, 1, lambda h, n, N: 1.2 * log_moment.scale(h, n, N))
    for factor in (1.5, 4):
        bound = lambda h, factor=factor: round(factor * settling_times.backward_bound(h))  # noqa: E731
        assert not settling_times.check(h, 400, 1000, 1, bound)


def test_the_stated_miss_rates():
    """Chances to miss the smallest wrong claims of the docstrings, exactly, at half or a quarter of the alarm rate."""
    half, quarter = FALSE_ALARM / 2, FALSE_ALARM / 4
    for factor, rate in ((1.04, 1e-6), (1.05, 1e-9)):
        for scale in (factor, 1 / factor):
            assert binomial_miss(200_000, 0.5, log_moment.share_within(scale), half) <= rate
    for n, alpha, smallest in ((120_000, half, 1.05), (60_000, quarter, 1.07)):
        for factor, rate in ((smallest, 1e-6), (1.1, 1e-9)):
            assert max(chi_square_miss(n, x, alpha) for x in (factor, 1 / factor)) <= rate
    cases = {
        m: next(iter(m.cases(np.random.default_rng(0), "standard")))
        for m in (log_moment, unbounded_noise, time_averages)
    }
    for noise in (case for case in log_moment.cases(np.random.default_rng(0), "standard") if "noise" in case):
        assert max(log_moment.check(**noise).error_rates) <= 1e-9
    assert count_miss(20_000, 22_000) <= 1e-9
    assert count_miss(20_000, 20_000 / 1.1) <= 1e-9
    assert [case["replicas"] for case in cases.values()] == [200_000, 120_000, 60_000]
    for h in (0.3, 1.7):
        threshold = time_averages.second_moments(h, time_averages.LONG, 600, 0, time_averages.stationary_variance)[1][2]
        assert 2 * threshold <= 0.04


def test_ranges_are_left_with_the_stated_chance():
    for n in (10, 1000):
        low, high = (round(n * x) for x in binomial_range(n, 0.5, 1e-2))
        assert stats.binom.cdf(low - 1, n, 0.5) + stats.binom.sf(high, n, 0.5) <= 1e-2
        low, high = chi_square_range(n, 1e-2)
        assert stats.chi2.cdf(n * low, n) + stats.chi2.sf(n * high, n) == pytest.approx(1e-2, rel=1e-9)
    for n, p in ((50, 0.5), (2000, 0.01), (40_000, 0.5)):
        low, high = count_range(n * p, 1e-3)
        assert stats.binom.cdf(math.ceil(low) - 1, n, p) + stats.binom.sf(math.floor(high), n, p) <= 1e-3
        for factor in (0.7, 1.4):
            stays = stats.binom.cdf(math.floor(high), n, p * factor) - stats.binom.cdf(
                math.ceil(low) - 1, n, p * factor
            )
            assert stays <= count_miss(n * p, n * p * factor, 1e-3)
    assert count_range(0.5, 1e-3)[0] == 0
    assert count_miss(100.0, 101.0) == 1
    assert (off(1.5, 1, 0.5, 2), off(0.5, 1, 0.5, 2), off(2.5, 1, 0.5, 2)) == (0.5, 1, 1.5)


@pytest.mark.control
def test_the_worst_part_of_a_statistical_verdict_is_named():
    verdict = statistical("s", (1,), [("first", 1.0, 2.0), ("second", 3.0, 2.0), ("third", 0.0, 0.0)])
    assert (verdict.holds, verdict.part) == (False, "third")
    verdict = statistical("s", (1,), [("first", 1.0, 2.0), ("second", 3.0, 2.0)])
    assert (verdict.holds, verdict.part, verdict.measured) == (False, "second", 3.0)


@pytest.mark.control
def test_verify_fails_if_a_wrong_claim_passes(capsys, monkeypatch):
    """A control that holds, and one that fails by another part than the named one, are not detected."""
    holding = Control("two is one", lambda seed: Verdict("quadratic_sgd", (44,), "exact", True))
    other = Control("elsewhere", lambda seed: Verdict("quadratic_sgd", (44,), "exact", False, part="this"), "that")
    broken = dataclasses.replace(find("quadratic_sgd")[0], controls=(holding, other))
    monkeypatch.setattr("contraction.statements.find", lambda name: (broken,))
    assert command_line.main(["verify", "quadratic_sgd"]) == 1
    captured = capsys.readouterr()
    assert "2 wrong claims put to the checks, 0 refused" in captured.out
    assert "NOT DETECTED quadratic_sgd: the check holds with the wrong claim “two is one”" in captured.err


def test_the_table_shows_the_verdicts_of_checks_and_none_of_controls_and_summaries():
    seen: list[Verdict] = []
    make = Verdict.__post_init__
    (statement,) = find("quadratic_sgd")
    with observed(seen.append):
        assert CONTROLS[0][1].detected(0)
        assert seen == []
        verdicts = list(statement.run(0))
    assert len(seen) > len(verdicts)
    assert sum(v.cases for v in seen) == sum(v.cases for v in verdicts)
    assert Verdict.__post_init__ is make
