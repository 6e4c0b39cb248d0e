"""The rule for estimates: false answers are not above alpha, and none where maps are deterministic."""

from __future__ import annotations

from dataclasses import replace
from math import gcd

import numpy as np
import pytest
from scipy import stats

import contraction as ct
from contraction.families import FiniteFamily
from contraction.limits.backward import backward_limit
from contraction.limits.result import NotSettled
from contraction.limits.settled import SHRUNK, Settling, judged, lengths
from tests.theory.limits.settling_paths import FAMILIES, answers, sign_sgd

PATHS, ALPHA, DELTA = 200, 0.05, 0.2
TOO_MANY = 1e-6  # a rule of level alpha gives so many false answers or more with no more than this probability


def too_many(false: int, paths: int = PATHS) -> bool:
    return bool(stats.binom.sf(false - 1, paths, ALPHA) < TOO_MANY)


@pytest.mark.parametrize("name", [n for n in FAMILIES if n != "lazy maps, 0.99"])
def test_false_answers_are_not_above_alpha(name):
    """200 paths a family, at alpha = 5 % and delta = 20 % (cheap); the defaults are in the table of the docs."""
    maps = FAMILIES[name]
    found = answers(maps, PATHS, seed=4, alpha=ALPHA, delta=DELTA)
    assert not too_many(found.false(maps.eps))
    if maps.settles:
        assert np.sum(found.n > 0) >= 0.9 * PATHS
    else:
        assert not found.n.any()


def test_lazy_maps_that_stay_99_times_of_100():
    """Half of them settle by 4096 maps, some 40 of which move: none of these falsely."""
    maps = FAMILIES["lazy maps, 0.99"]
    found = answers(maps, 50, seed=4, alpha=ALPHA, delta=0.5)
    assert found.n.any()
    assert found.false(maps.eps) == 0


@pytest.mark.control
def test_lengths_that_share_a_factor_are_fooled_by_a_period():
    """With even lengths only, sign-SGD is looked at in step with its own parity, and many paths settle: none may."""
    maps = sign_sgd(1.0, 1.0)
    fooled = answers(maps, PATHS, seed=4, chosen=lambda n: (16, 32), alpha=ALPHA, delta=DELTA)
    assert too_many(int(np.sum(fooled.n > 0)))
    assert not answers(maps, PATHS, seed=4, alpha=ALPHA, delta=DELTA).n.any()


@pytest.mark.control
def test_one_short_fresh_start_gives_too_many_false_answers():
    maps = FAMILIES["queue, xi in [−1.05, 0.95]"]
    found = answers(maps, 1000, seed=4, chosen=lambda n: (16,), fresh=1)
    assert too_many(found.false(maps.eps), 1000)


@pytest.mark.parametrize("delta", [0.05, 0.3])
def test_a_false_hypothesis_is_accepted_at_most_at_the_stated_rate(delta):
    """X fails to agree with probability 1.2 delta: over 12 horizons, 10^4 paths accept no more than alpha of them."""
    rng, paths, alpha = np.random.default_rng(7), 10_000, 0.05
    accepted = np.zeros(paths, dtype=bool)
    rule = Settling(1.0, alpha, delta)
    for _ in range(12):
        count = rule.starts
        accepted |= rng.binomial(count, 1.2 * delta, paths) == 0
        rule.after([2.0], [2.0])
    assert stats.binom.sf(accepted.sum() - 1, paths, alpha) > TOO_MANY
    # the level is used up, not only kept: with half the starts it is exceeded
    loose = np.zeros(paths, dtype=bool)
    rule = Settling(1.0, alpha, delta)
    for _ in range(12):
        loose |= rng.binomial(rule.starts // 2, 1.2 * delta, paths) == 0
        rule.after([2.0], [2.0])
    assert stats.binom.sf(loose.sum() - 1, paths, alpha) < TOO_MANY


def test_number_of_starts_is_the_least_that_keeps_the_level():
    rule = Settling(1.0, alpha=0.01, delta=0.05)
    spent = 0.0
    for _ in range(50):
        level = 0.01 / ((rule.tests + 1) * (rule.tests + 2))
        assert 0.95**rule.starts <= level < 0.95 ** (rule.starts - 1)
        spent += level
        rule.after([1.0], [1.0])
    assert spent < 0.01


def test_lengths_are_pairwise_coprime():
    for n in [2**j for j in range(20)] + [3, 17, 100]:
        m = lengths(n)
        assert all(gcd(a, b) == 1 for i, a in enumerate(m) for b in m[:i])
        assert min(m) >= max(n, 16)


def test_what_agrees():
    assert judged([1.0, 0.0], [1e-7, 0.0], 1e-6) == "agree"
    assert judged([0.0, 0.0], [0.0, 0.0], 1e-6) == "undecided"
    assert judged([1.0, 2.0], [1e-7, 1e-5], 1e-6) == "apart"
    assert judged([1e-9], [SHRUNK * 1.01e-9], 1e-6) == "apart"  # small before, and no nearer
    assert judged([1.0], [np.nan], 1e-6) == "apart"
    rule = Settling(1e-6)
    assert [rule.after([1.0], [d]) for d in (0.0, 1.0, 0.0, 0.0)] == [False, False, False, True]
    assert replace(rule).tests == 0
    for bad in ({"alpha": 0}, {"delta": 1}, {"delta": float("nan")}):
        with pytest.raises(ValueError, match=r"must be (between 0 and 1|a finite number), got"):
            Settling(1.0, **bad)


# --- the same through backward_limit ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "theta0"),
    [
        (lambda t, u: -t, 1.0),
        (lambda t, u: t - 0.1 * np.sign(t - 0.05 * u), 0.0),
        (lambda t, u: t @ np.array([[0.0, 1.0], [-1.0, 0.0]]), [1.0, 0.0]),
        (lambda t, u: (t + 1) % 5, 0.0),
        (lambda t, u: t + 1e-12 * u, 0.0),
    ],
    ids=["-x", "sign-SGD", "rotation", "chain", "a slow walk"],
)
def test_paths_without_a_limit_are_refused_early(step, theta0):
    family = ct.RandomOperator(
        lambda rng, size: rng.standard_normal(size), lambda t, u: step(t, u[..., None]), vectorized=True
    )
    with pytest.raises(NotSettled, match="no start comes nearer"):
        backward_limit(family, theta0, 1e-3, patience=256)


def test_lazy_maps_through_backward_limit():
    family = FiniteFamily([(1.0, 0.0), (0.5, 0.5), (0.5, -0.5)], [0.8, 0.1, 0.1])
    for seed in range(5):
        found = backward_limit(family, 0.0, 1e-6, seed)
        truth = ct.backward_iterates(family.sample(4096, seed), 0.0, at=[4096])[0]
        assert not found.certified
        assert abs(found.value - truth) <= 1e-6
        assert found.error > 0
