"""Tests of laws against SciPy's statistics, thresholds in closed form, and enumeration of all sign vectors."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
from scipy import stats

from contraction.laws import Rates
from contraction.statements import comparisons
from contraction.statements.library.oracle import Bend, Check, Function, Oracle
from contraction.statements.records import Verdict
from contraction.types import Numbers

RATES = Rates(1e-9, 1e-3)
GRID = [0.02, 0.05, 0.3]


def _root(x: float) -> float:
    return math.sqrt(math.log(x))


def sample_size(f: Function, seed: int) -> Verdict:
    """Compare with the least n with (sqrt(log 4/a) + sqrt(log 1/b))/sqrt(2n) at most the discrepancy."""
    width = _root(4 / RATES.false_alarm) + _root(1 / RATES.miss)
    return comparisons.equal("sample_size", (), [f(d, RATES) for d in GRID], [_least(width, d) for d in GRID])


def two_sample_size(f: Function, seed: int) -> Verdict:
    """Compare with the least n with 2 (sqrt(log 4/a) + sqrt(log 2/b))/sqrt(2n) at most the discrepancy."""
    width = 2 * (_root(4 / RATES.false_alarm) + _root(2 / RATES.miss))
    return comparisons.equal("two_sample_size", (), [f(d, RATES) for d in GRID], [_least(width, d) for d in GRID])


def mean_sample_size(f: Function, seed: int) -> Verdict:
    """Compare with the least n with w (sqrt(log 2/a) + sqrt(log 1/b))/sqrt(2n) at most the discrepancy.

    w is the width of the support.
    """
    width = 3 * (_root(2 / RATES.false_alarm) + _root(1 / RATES.miss))
    return comparisons.equal(
        "mean_sample_size", (), [f(d, RATES, -1.0, 2.0) for d in GRID], [_least(width, d) for d in GRID]
    )


def _least(width: float, discrepancy: float) -> int:
    """Return the least n with width/sqrt(2n) <= discrepancy, by bisection on the inequality itself."""
    low, high = 0, 1
    while width / math.sqrt(2 * high) > discrepancy:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if width / math.sqrt(2 * middle) > discrepancy else (low, middle)
    return high


def _statistic(test: Function, *arguments: object) -> float:
    return float(test(*arguments).statistic)


def one_sample_test(f: Function, seed: int) -> Verdict:
    """Compare with SciPy's Kolmogorov-Smirnov statistic.

    Draws of the law must pass, and draws of another law must fail.
    """
    x = np.random.default_rng([seed, 10]).random(2000)
    result, wrong = f(x, stats.uniform.cdf, RATES), f(x**2, stats.uniform.cdf, RATES)
    return Verdict.tight(
        "one_sample_test",
        (),
        [result.statistic, wrong.statistic, float(result.passes), float(wrong.passes)],
        [_statistic(stats.kstest, x, "uniform"), _statistic(stats.kstest, x**2, "uniform"), 1.0, 0.0],
        rounding=1e-12,
    )


def two_sample_test(f: Function, seed: int) -> Verdict:
    """Compare with SciPy's statistic; two samples of one law must pass, and two of different laws must fail."""
    rng = np.random.default_rng([seed, 11])
    x, y = rng.random(3000), rng.random(2500)
    result, wrong = f(x, y, RATES), f(x, y**2, RATES)
    return Verdict.tight(
        "two_sample_test",
        (),
        [result.statistic, wrong.statistic, float(result.passes), float(wrong.passes)],
        [_statistic(stats.ks_2samp, x, y), _statistic(stats.ks_2samp, x, y**2), 1.0, 0.0],
        rounding=1e-12,
    )


def mean_test(f: Function, seed: int) -> Verdict:
    """Compare |mean - claim| with the width times sqrt(log(2/a)/2n); a claim that is off by 0.2 must fail."""
    x = np.random.default_rng([seed, 12]).uniform(-1, 2, 2000)
    right, wrong = (f(x, mean, RATES, low=-1.0, high=2.0) for mean in (0.5, 0.9))
    threshold = 3 * math.sqrt(math.log(2 / RATES.false_alarm) / 4000)
    return Verdict.tight(
        "mean_test",
        (),
        [right.statistic, right.threshold, float(right.passes), float(wrong.passes)],
        [abs(float(np.mean(x)) - 0.5), threshold, 1.0, 0.0],
        rounding=1e-12,
    )


def pvalue_guard(f: Function, seed: int) -> Verdict:
    """Compare the decision with Fisher's combined p-values of SciPy on both sides.

    Uniform p-values must pass; p-values that are all small or all near 1 must fail.
    """
    rng = np.random.default_rng([seed, 13])
    samples = [rng.random(40), rng.random(40) ** 6, 1 - rng.random(40) ** 6, np.full(5, 0.5), [1e-9], [0.02, 0.9, 0.4]]
    claimed = [min(_fisher(p), _fisher(1 - np.asarray(p))) > 0.005 for p in samples]
    return comparisons.equal("pvalue_guard", (), [int(f(p, 0.01)) for p in samples], [int(one) for one in claimed])


def _fisher(p: Numbers) -> float:
    with np.errstate(divide="ignore"):
        return float(np.asarray(stats.combine_pvalues(p))[1])


def sign_flip_test(f: Function, seed: int) -> Verdict:
    """Compare with the share of all 2^9 sign vectors with a mean at least as extreme, and with SciPy's sign test."""
    d = np.random.default_rng([seed, 14]).integers(-20, 40, 9).astype(float) + 0.5
    sums = np.array([np.dot(d, signs) for signs in itertools.product((-1.0, 1.0), repeat=9)])
    positive = int(np.sum(d > 0))
    return Verdict.tight(
        "sign_flip_test",
        (),
        [
            f(d).pvalue,
            f(d, alternative="greater").pvalue,
            f(d, "sign", alternative="greater").pvalue,
        ],
        [
            float(np.mean(np.abs(sums) >= abs(d.sum()))),
            float(np.mean(sums >= d.sum())),
            stats.binomtest(positive, 9, alternative="greater").pvalue,
        ],
        rounding=1e-12,
    )


def _halved(f: Function) -> Function:
    def bent(*arguments: object, **named: object) -> object:
        result = f(*arguments, **named)
        return dataclasses.replace(result, statistic=result.statistic / 2)

    return bent


def _passing(f: Function) -> Function:
    def bent(*arguments: object, **named: object) -> object:
        return dataclasses.replace(f(*arguments, **named), passes=True)

    return bent


def _one_sided(f: Function) -> Function:
    def bent(d: Numbers, statistic: str = "mean", alternative: str = "two-sided") -> object:
        return f(d, statistic, alternative="greater" if alternative == "two-sided" else "less")

    return bent


def _oracle(check: Check, against: str, wrong: str, bent: Bend) -> Oracle:
    return Oracle(f"contraction.laws.{check.__name__}", against, check, wrong, bent)


ORACLES = [
    _oracle(sample_size, "the inequality, by bisection", "one draw fewer", lambda f: lambda d, rates: f(d, rates) - 1),
    _oracle(
        two_sample_size, "the inequality, by bisection", "one draw fewer", lambda f: lambda d, rates: f(d, rates) - 1
    ),
    _oracle(
        mean_sample_size,
        "the inequality, by bisection",
        "the width left out",
        lambda f: lambda d, rates, low, high: f(d, rates, 0.0, 1.0),
    ),
    _oracle(one_sample_test, "scipy.stats.kstest", "half of the statistic", _halved),
    _oracle(two_sample_test, "scipy.stats.ks_2samp", "everything passes", _passing),
    _oracle(mean_test, "Hoeffding's threshold in closed form", "everything passes", _passing),
    _oracle(
        pvalue_guard,
        "scipy.stats.combine_pvalues on both sides",
        "one side",
        lambda f: lambda p, a: f(np.minimum(p, 0.5), a),
    ),
    _oracle(sign_flip_test, "all 512 sign vectors, and scipy.stats.binomtest", "the other side", _one_sided),
]
