"""No rule that looks at finitely many iterates can always tell whether they have settled (row 87).

Problem
    T x is x/2, or x/2 + 2^{10/p} with the probability p. Theorem 2.2 applies with k = 1/2 and D = 2^{10/p}. A rule
    stops after N maps, and says that the iterate is within 1 of the limit.
Guarantee (Exact)
    From 0, all iterates are 0 until the rare map comes at a time τ, and then θ* ≥ 2^{10/p − τ + 1}. A rule that stops
    at N on zeros is wrong with a probability of at least (1−p)^N − (1−p)^{10/p + 1}, which is near 1 for N much less
    than 1/p.
What can be tested
    A rule can test the hypothesis P(d(θ_n, θ_{n+m}) > ε | T_1 … T_n) ≤ δ by K fresh runs of m maps: if it is false, all
    K agree with a probability of at most (1−δ)^K. The rule of `contraction.limits.settled` takes K such that this is at
    most α/(j(j+1)) at its j-th test, and so at most α in all.
Smallest wrong claim that is detected
    Chances are compared exactly, so every wrong claim is detected. Examples are one map more or fewer, and K smaller by
    one.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from contraction.limits.settled import Settling
from contraction.maps.orders import Backward
from contraction.statements import comparisons
from contraction.statements.cases.exact_words import affine_map, rows
from contraction.statements.records import Control, Row, Statement, Tier, Verdict

NAME, ROWS = "no_rule_can_tell", (87,)


def limits_by_first_time(p: Fraction, last: int) -> list[Fraction]:
    """Return the limit if the rare map comes at tau = 1 … last and never again: a lower bound of it otherwise."""
    jump = Fraction(2) ** int(10 / p)
    maps = [affine_map(Fraction(1, 2), 0), affine_map(Fraction(1, 2), jump)]
    words = np.zeros((last, last), dtype=int)
    np.fill_diagonal(words, 1)
    return rows(maps, words, [Fraction(0)], Backward(), at=[last])[:, 0, 0].tolist()


def chance_of_error(p: Fraction, N: int) -> Fraction:
    """P(the first N maps are x/2 and θ* > 1), at least: summed over the time of the first rare map."""
    last = int(10 / p) + 1
    later = limits_by_first_time(p, last)[N:]
    return sum(((1 - p) ** (tau - 1) * p for tau, limit in enumerate(later, N + 1) if limit >= 1), Fraction(0))


def check(p: Fraction, N: int, more: int = 0) -> Verdict:
    """Compare the chance of a wrong answer, summed over words with (1-p)^N - (1-p)^(10/p + 1)."""
    last = int(10 / p) + 1
    return comparisons.equal(
        NAME,
        ROWS,
        [chance_of_error(p, N)],
        [(1 - p) ** (N + more) - (1 - p) ** last],
        hypotheses="k = 1/2, and the rule stops after N maps.",
        note=f"p={p}, N={N}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: probabilities 1/2 to 1/12, rules that stop after 0 to 1/p maps."""
    for q in (2, 3, 5, 8, 12):
        for N in sorted({0, 1, int(rng.integers(0, q + 1)), q}):
            yield {"p": Fraction(1, q), "N": N}


def _chances_of_acceptance(alpha: float, delta: float, tests: int, fewer: int = 0) -> list[Fraction]:
    """Return (1-delta)^K of the rule's K at each test: a false hypothesis is accepted with this probability."""
    rule = Settling(1.0, alpha, delta)
    chances = []
    for _ in range(tests):
        chances.append((1 - Fraction(delta)) ** (rule.starts - fewer))
        rule.after([1.0], [1.0])
    return chances


def levels(alpha: float = 0.01, delta: float = 0.05, tests: int = 30, fewer: int = 0) -> Verdict:
    """(1-delta)^K of the rule's K at each test, exactly, against alpha/(j (j+1))."""
    reached = _chances_of_acceptance(alpha, delta, tests, fewer)
    allowed = [Fraction(alpha) / (j * (j + 1)) for j in range(1, tests + 1)]
    return comparisons.at_most(
        NAME,
        ROWS,
        [*reached, sum(reached, Fraction(0))],
        [*allowed, Fraction(alpha)],
        hypotheses="Each test makes K fresh runs of m maps.",
        note=f"alpha={alpha}, delta={delta}, {tests} tests",
    )


def check_printed() -> Verdict:
    """Check that stopping after 10 maps is wrong nine times out of ten at p = 1/100, and the rule's own levels."""
    p, N = Fraction(1, 100), 10
    wrong = (1 - p) ** N - (1 - p) ** 1001
    alpha, delta, tests = 0.01, 0.05, 30
    level = levels(alpha, delta, tests)
    accepted = sum(_chances_of_acceptance(alpha, delta, tests), Fraction(0))
    return Verdict(
        NAME,
        ROWS,
        "beyond",
        wrong > Fraction(9, 10) and bool(level),
        float(wrong),
        float((1 - p) ** N),
        note=f"x/2, or x/2 + 2^1000 once in a hundred: a rule that stops after {N} maps is wrong with probability "
        f"{float(wrong):.6g} at least; with K fresh runs in each of {tests} tests a false hypothesis is accepted with "
        f"probability {float(accepted):.3g} at most, where {alpha:g} is allowed",
    )


STATEMENT = Statement(
    name=NAME,
    paper=("Theorem 2.2",),
    claim="T = x/2, or x/2 + 2^(10/p) with chance p: a rule that stops at N errs with P ≥ (1−p)^N − (1−p)^(10/p+1)",
    hypotheses="Theorem 2.2 applies, and the rule does not know any of its constants.",
    rows=(
        Row(
            87,
            "Theorem 2.2, when to stop",
            "BEYOND",
            beyond="Convergence that is guaranteed cannot always be seen: even for maps of factor ½ no rule that looks "
            "at N iterates can tell whether they have settled, if a rare batch still comes. Therefore a limit is "
            "certified from constants, or it is an estimate that states which hypothesis about the next m batches was "
            "tested, and at which level.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    controls=(
        Control("one map more is seen", lambda seed: check(Fraction(1, 5), 3, more=1)),
        Control("one fresh run fewer", lambda seed: levels(fewer=1)),
    ),
    test="tests/theory/statements/section_2/test_no_rule_can_tell.py",
)
