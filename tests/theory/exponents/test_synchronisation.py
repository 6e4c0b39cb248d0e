"""Backward distances from forward runs against exact enumeration of backward pairs; refusals and intervals."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

import contraction as ct
from contraction.exponents import law_of_maps
from contraction.families import (
    IID,
    BernoulliConvolution,
    Cyclic,
    ExchangeableMixture,
    FiniteFamily,
    LeastSquares,
    MarkovModulated,
    QuadraticSGD,
    Reshuffled,
    ShuffledOnce,
    Uniform,
)
from contraction.maps.orders import Backward
from contraction.statements.cases.error_rates import deviation
from contraction.statements.cases.exact_words import rows
from contraction.statements.section_2.reversible_words import reversible_chain, rotating_chain

HALF, THIRD = Fraction(1, 2), Fraction(1, 3)
MAPS = [lambda x: x / 2 + abs(x) / 4 + 1, lambda x: abs(x) / 3 - 2, lambda x: -x / 2]
COIN = ExchangeableMixture([[HALF, HALF, 0], [0, THIRD, 1 - THIRD]], [THIRD, 1 - THIRD])
LAWS = {
    "independent": IID([HALF, THIRD, Fraction(1, 6)]),
    "a mixture": COIN,
    "one shuffle": ShuffledOnce(3),
    "fresh shuffles": Reshuffled(3),
    "a reversible chain": reversible_chain(1, 2, 3),
}


def exact_law(law, theta0, other, n, m):
    """{distance: probability} of d(T_1 … T_n theta0, T_1 … T_m other), by enumeration of every word."""
    words = law.word_law(max(m, 1))
    array = np.array(list(words), dtype=int)
    near = rows(MAPS, array, [theta0], Backward(), at=[n])[:, 0, 0]
    far = rows(MAPS, array, [other], Backward(), at=[m])[:, 0, 0]
    found: dict[float, float] = {}
    for a, b, p in zip(near, far, words.values(), strict=True):
        found[float(abs(a - b))] = found.get(float(abs(a - b)), 0.0) + float(p)
    return found


def distance_of_laws(sample, law):
    """sup |F_R - F| on both sides of every exact atom: atoms computed in floats sit within 1e-9 of it."""
    atoms = np.array(sorted(law))
    after = np.cumsum([law[a] for a in atoms])
    before = np.append(0.0, after[:-1])
    gaps = [np.mean(sample[:, None] <= atoms + s, axis=0) - F for s, F in ((1e-9, after), (-1e-9, before))]
    return float(np.max(np.abs(gaps)))


REPLICAS = 4000
ALLOWED = deviation(REPLICAS, 1e-9)  # Dvoretzky, Kiefer, Wolfowitz, Massart: a false alarm in 10^9; .052


@pytest.mark.parametrize("name", sorted(LAWS))
@pytest.mark.parametrize("lag", [1, 2])
def test_increments_and_tails_have_the_law_of_backward_ones(name, lag):
    law, theta0 = LAWS[name], HALF
    last = 3 - lag if name == "fresh shuffles" else 3
    found = ct.synchronisation(FiniteFamily(MAPS, law=law, dim=1), [0.5], last, REPLICAS, lag=lag)
    assert found.question == ("b" if lag == 1 else "a")
    assert found.applications == lag + 2 * last
    for n in found.n:
        exact = exact_law(law, theta0, theta0, n, n + lag)
        assert distance_of_laws(found.distances[n], exact) <= ALLOWED


@pytest.mark.parametrize("name", sorted(LAWS))
def test_two_starts_have_the_law_of_the_coupling_distance(name):
    law = LAWS[name]
    found = ct.synchronisation(FiniteFamily(MAPS, law=law, dim=1), [0.5], 3, REPLICAS, start=[-2.0], seed=1)
    assert (found.question, found.lag) == ("c", 0)
    for n in found.n:
        assert distance_of_laws(found.distances[n], exact_law(law, HALF, Fraction(-2), n, n)) <= ALLOWED


@pytest.mark.control
@pytest.mark.parametrize("law", [Cyclic(3), Reshuffled(2), rotating_chain(Fraction(1, 9))])
def test_laws_that_are_refused_have_other_laws(law, monkeypatch):
    """The refusal is needed: without it the same runs give another law than the backward one."""
    maps = MAPS[: law.size]
    family = FiniteFamily(maps, law=law, dim=1)
    with pytest.raises(ct.NotCertified, match="the law of its reversal"):
        ct.synchronisation(family, [0.5], 4)
    monkeypatch.setattr("contraction.exponents.synchronisation.why_not_reversible", lambda law, n: None)
    found = ct.synchronisation(family, [0.5], 4, REPLICAS)
    gaps = [distance_of_laws(found.distances[n], exact_law(law, HALF, HALF, n, n + 1)) for n in found.n]
    assert max(gaps) > 2 * ALLOWED


@pytest.mark.control
def test_an_independent_map_is_no_next_map():
    """Without replacement from {x/2 + 1, 0}: the increment at n = 1 from 0 is always 0, with an independent map not."""
    family = FiniteFamily([lambda x: x / 2 + 1, lambda x: 0 * x], law=Reshuffled(2), dim=1)
    found = ct.synchronisation(family, [0.0], 1, 400)
    assert np.all(found.distances[1] == 0)
    independent = FiniteFamily(family.maps, dim=1)
    assert np.mean(ct.synchronisation(independent, [0.0], 1, 400).distances[1] == 0.5) > 0.1


def test_rules_against_enumeration():
    """Every index law at n up to 6, by `is_reversible`."""
    laws = [*LAWS.values(), *(kind(size) for kind in (Cyclic, Reshuffled, ShuffledOnce) for size in (1, 2, 3))]
    laws += [rotating_chain(Fraction(1, 9)), MarkovModulated([[0.9, 0.1], [0.3, 0.7]])]
    laws += [MarkovModulated([[HALF, HALF], [THIRD, 1 - THIRD]], [1, 0])]
    for law in laws:
        for n in range(7):
            rule = law_of_maps.why_not_reversible(law, n)
            if isinstance(law, MarkovModulated) and rule is not None:
                continue  # a chain is refused at every n > 1, because it fails at n = 2
            assert (rule is None) == law.is_reversible(n), (law, n)
        if isinstance(law, MarkovModulated):
            assert (law_of_maps.why_not_reversible(law, 2) is None) == law.is_reversible(2)


def test_fresh_shuffles_at_whole_epochs():
    family = FiniteFamily(MAPS, law=Reshuffled(3), dim=1)
    with pytest.raises(ct.NotCertified, match=r"n = 3 needs a word of 4 maps.*only for n ≤ 3 and where 3 divides n"):
        ct.synchronisation(family, [0.5], 6)
    found = ct.synchronisation(family, [0.5], 5, REPLICAS, at=[2, 5])
    assert found.n.tolist() == [2, 5]
    assert distance_of_laws(found.distances[1], exact_law(family.law, HALF, HALF, 5, 6)) <= ALLOWED


def test_maps_of_unknown_law_are_refused():
    class Sticky(ct.RandomOperator):
        def draws(self, n, seed, replicas):
            return [1.0] * n

    family = Sticky(lambda rng: rng.uniform(), lambda x, u: x / 2 + u)
    with pytest.raises(ct.NotCertified, match="not declared independent"):
        ct.synchronisation(family, [0.0], 3)


def test_three_questions_of_least_squares_with_more_unknowns_than_rows():
    """Near starts and tails vanish, an independent start keeps its distance off the row space: (a) without (c)."""
    rng = np.random.default_rng(0)
    family = LeastSquares(rng.standard_normal((2, 5)), rng.standard_normal(2), 0.1, 1, Uniform(-1, 1))
    zero = np.zeros(5)
    tail = ct.synchronisation(family, zero, 1000, 40, lag=50, at=[0, 1000])
    assert tail.distances[0].min() > 0.1
    assert tail.distances[1].max() < 1e-8
    apart = ct.synchronisation(family, zero, 1000, 40, start=lambda rng: rng.standard_normal(5), at=[1000])
    assert apart.distances.min() > 0.1
    assert len(np.unique(apart.distances)) == 40
    assert "question (c)" in str(apart)


def test_increments_of_the_section_on_quadratic_losses():
    """Gaussian increments of variance k^2n h^2 (σ² + (θ_0)²) in law: the chi-square range at 1e-9."""
    h, k, R, n = 0.3, 0.7, 2000, 6
    found = ct.synchronisation(QuadraticSGD(h, ct.families.Gaussian(1.0)), [0.0], n, R)
    z = found.distances / (h * k ** np.arange(n + 1))[:, None]
    low, high = stats.chi2.ppf([5e-10, 1 - 5e-10], R) / R
    assert np.all((low < (z**2).mean(axis=1)) & ((z**2).mean(axis=1) < high))
    wrong = found.distances / (h * k ** np.arange(1, n + 2))[:, None]
    assert not np.any((low < (wrong**2).mean(axis=1)) & ((wrong**2).mean(axis=1) < high))


def test_intervals_are_the_exact_ones():
    family = BernoulliConvolution(0.5)
    found = ct.synchronisation(family, [0.0], 4, 60, confidence=0.9)
    share, low, high = found.exceeds(0.2)
    for s, a, b in zip(share, low, high, strict=True):
        exact = stats.binomtest(round(60 * s), 60).proportion_ci(0.9)
        assert (a, b) == pytest.approx((exact.low, exact.high), abs=1e-12)
    assert found.exceeds(1e9)[0].max() == found.exceeds(1e9)[1].max() == 0
    halves = ct.synchronisation(ct.families.BernoulliConvolution(0.5), [0.0], 2, replicas=50, start=[1.0])
    assert halves.distances.tolist() == [[1.0] * 50, [0.5] * 50, [0.25] * 50]
    assert halves.exceeds(0.5)[0].tolist() == [1.0, 0.0, 0.0]  # a distance that is eps does not exceed it
    mean, low, high = found.mean()
    assert np.all((low <= mean) & (mean <= high))


@pytest.mark.parametrize("q", [0.1, 0.5, 0.97])
@pytest.mark.parametrize("R", [5, 60])
def test_coverage_of_quantiles_is_a_binomial_sum(q, R):
    """Distances that are the ranks 1 … R: the two ends are order statistics, and their coverage is known exactly."""
    found = ct.synchronisation(BernoulliConvolution(0.5), [0.0], 1, R, at=[1])
    ranks = ct.Synchronisation("b", 1, found.n, np.arange(1.0, R + 1)[None], 3, 0.9, 0)
    _, (low,), (high,) = ranks.quantile(q)
    missed_below = stats.binom.cdf(low - 1, R, q) if low else 0.0  # fewer than ``low`` draws at or below the quantile
    missed_above = stats.binom.sf(high - 1, R, q) if math.isfinite(high) else 0.0
    assert missed_below <= 0.05
    assert missed_above <= 0.05
    assert missed_below + missed_above <= 0.1


def test_what_has_no_meaning_is_refused():
    family = BernoulliConvolution(0.5)
    found = ct.synchronisation(family, [0.0], 2, 5)
    for call, rule in (
        (lambda: ct.synchronisation(family, [0.0], 0), "n must be an integer of at least 1"),
        (lambda: ct.synchronisation(family, [0.0], 3, 1), "replicas must be an integer of at least 2"),
        (lambda: ct.synchronisation(family, [0.0], 3, lag=0), "lag must be an integer of at least 1"),
        (lambda: ct.synchronisation(family, [0.0], 3, at=[4]), "from 0 to n = 3"),
        (lambda: ct.synchronisation(family, [[0.0]], 3), "one point with 1 axes"),
        (lambda: ct.synchronisation(family, [0.0], 3, start=lambda rng: [[0.0]]), "must return one point"),
        (lambda: ct.synchronisation(family, [0.0], 3, confidence=0), "between 0 and 1"),
        (lambda: found.exceeds(-1.0), "eps must be a number of at least 0"),
        (lambda: found.quantile(1.0), "strictly between 0 and 1"),
    ):
        with pytest.raises(ValueError, match=rule):
            call()
    with pytest.raises(TypeError, match="takes a random operator"):
        ct.synchronisation(lambda x: x, [0.0], 3)  # type: ignore[arg-type]
