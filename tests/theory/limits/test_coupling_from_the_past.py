"""Coupling from the past: exact by enumeration, while stopping the forward composition is biased."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from fractions import Fraction as F

import numpy as np
import pytest

from contraction.families import Cyclic, FiniteFamily
from contraction.limits.coupling_from_the_past import coupling_from_the_past
from contraction.limits.result import NotSettled
from contraction.maps.iterates import backward_iterates, forward_iterates
from contraction.maps.operators import Operators
from contraction.statements.section_1 import coupling_from_the_past_exact as exact

# P(1 -> 1) = P(1 -> 2) = 1/2, P(2 -> 1) = 1: stationary law (2/3, 1/3)
CHAIN = ({1: 1, 2: 1}, {1: 2, 2: 1})


def family_of(tables, weights=None):
    maps = [np.vectorize(lambda s, t=t: t[int(s)], otypes=[int]) for t in tables]
    return FiniteFamily(maps, weights, dim=1)


def coalescence(tables, horizon, backward):
    """Law of the value at first coalescence of T_1 … T_n (backward) or T_n … T_1, over all words, in Fractions."""
    states, law, stopped = tuple(tables[0]), Counter(), F(0)
    live = {tuple(states): F(1)}  # composition so far, as the tuple of images of the states
    for _ in range(horizon):
        after: Counter = Counter()
        for images, mass in live.items():
            for t in tables:
                # backward, T_1 … T_n o T_{n+1}: the new map acts first; forward, T_{n+1} o T_n … T_1: last
                inner = tuple(images[states.index(t[s])] for s in states)
                new = inner if backward else tuple(t[x] for x in images)
                if len(set(new)) == 1:
                    law[new[0]] += mass / len(tables)
                    stopped += mass / len(tables)
                else:
                    after[new] += mass / len(tables)
        live = after
    return law, stopped


def test_backward_coalescence_is_exact():
    law, stopped = coalescence(CHAIN, 60, backward=True)
    assert 1 - stopped == F(1, 2**60)
    assert abs(law[1] - F(2, 3)) <= F(1, 2**59)
    short, _ = coalescence(CHAIN, 16, backward=True)
    assert float(short[1]) == pytest.approx(0.66666, abs=1e-5)
    assert [short[1], short[2]] == exact.stopped_law(exact.TWO_STATES, exact.HALVES, 16, backward=True)


@pytest.mark.control
def test_forward_coalescence_is_biased():
    """Forward coalescence of this chain stops at state 1 with probability 1."""
    law, stopped = coalescence(CHAIN, 60, backward=False)
    assert law[2] == 0
    assert law[1] == stopped == 1 - F(1, 2**60)
    assert [law[1], law[2]] == exact.stopped_law(exact.TWO_STATES, exact.HALVES, 60, backward=False)


def test_draws_follow_the_enumerated_value_for_every_word():
    """The sampler's value is T_1 … T_n of any state, for the same maps, at the horizon it reports and beyond."""
    family = family_of(CHAIN)
    for seed in range(60):
        found = coupling_from_the_past(family, seed, [1, 2])
        for n in (found.maps, found.maps + 7):
            letters = [family.sample(n, seed)[i].draw for i in range(n)]
            for s in (1, 2):
                for i in reversed(letters):
                    s = CHAIN[int(i)][s]
                assert found.value == s
        assert found.applications == 2 * found.maps  # doubling composes tables: every map is applied once a state


def test_law_of_draws():
    """6000 draws: |frequency - 2/3| within Hoeffding's distance at level 1e-6; forward's frequency 1 is far outside."""
    n = 6000
    found = coupling_from_the_past(family_of(CHAIN), 3, [1, 2], size=n)
    distance = math.sqrt(math.log(2 / 1e-6) / (2 * n))
    assert abs(np.mean(found.value == 1) - 2 / 3) <= distance < 1 / 3
    assert found.value.shape == (n, 1)
    assert found.maps.shape == (n,)


def test_random_chains_by_enumeration():
    """Every word up to length 10 of random maps on 3 states: the law at backward coalescence is stationary."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        tables = [dict(zip(range(3), rng.integers(0, 3, 3).tolist(), strict=True)) for _ in range(2)]
        tables.append(dict.fromkeys(range(3), int(rng.integers(3))))  # a constant map: coalescence is sure
        law, stopped = coalescence(tables, 40, backward=True)
        assert stopped > 1 - F(2, 3) ** 40 - F(1, 10**30)
        pushed: Counter = Counter()
        for s, mass in law.items():
            for t in tables:
                pushed[t[s]] += mass / 3
        images, thirds = [tuple(t[s] for s in range(3)) for t in tables], [F(1, 3)] * 3
        assert [law[s] for s in range(3)] == exact.stopped_law(images, thirds, 40, backward=True)
        pi = exact.stationary_law(exact.chain(images, thirds))
        assert all(abs(law[s] - pi[s]) <= 1 - stopped for s in range(3))
        # law is stationary up to the mass that has not stopped
        assert all(abs(pushed[s] - law[s]) <= 2 * (1 - stopped) for s in range(3))


def test_monotone_chains_need_two_states():
    """A lazy walk on 0 … 9: the two extremes give the same values as all states."""
    up, down = {s: min(s + 1, 9) for s in range(10)}, {s: max(s - 1, 0) for s in range(10)}
    family = family_of((up, down))
    for seed in range(10):
        every = coupling_from_the_past(family, seed, range(10))
        extremes = coupling_from_the_past(family, seed, [0, 9], monotone=True)
        assert every.value == extremes.value
        assert every.maps == extremes.maps


def test_stationary_law_over_exact_words_of_the_walk():
    """All words of length 6 of the reflected walk on 0 … 2: backward images are nested, forward images are not."""
    up, down = {0: 1, 1: 2, 2: 2}, {0: 0, 1: 0, 2: 1}
    family = family_of((up, down))
    forward_nested = 0
    for word in itertools.product((0, 1), repeat=6):
        paths = [
            np.stack([run(Operators(family, list(word)), [s])[:, 0] for s in range(3)])
            for run in (backward_iterates, forward_iterates)
        ]
        images = [[set(column.tolist()) for column in path.T] for path in paths]
        assert all(later <= earlier for earlier, later in itertools.pairwise(images[0]))
        forward_nested += all(later <= earlier for earlier, later in itertools.pairwise(images[1]))
    assert 0 < forward_nested < 2**6


def test_errors():
    flip = family_of(({0: 1, 1: 0}, {0: 0, 1: 1}))
    with pytest.raises(NotSettled, match="not coalesced by n = 64"):
        coupling_from_the_past(flip, 0, [0, 1], max_maps=64)
    family = family_of(CHAIN)
    for call, rule in (
        (lambda: coupling_from_the_past(family, 0), "defines no states"),
        (lambda: coupling_from_the_past(family, 0, [1, 1]), "different from one another"),
        (lambda: coupling_from_the_past(family, 0, [1]), "not among the states"),
        (lambda: coupling_from_the_past(family, 0, [1, 2], max_maps=0), "max_maps must be an integer of at least 1"),
        (lambda: coupling_from_the_past(family, 0, [1, 2], size=0), "size must be an integer of at least 1"),
        (lambda: coupling_from_the_past(family, -1, [1, 2]), "the seed must be an integer of at least 0"),
        (lambda: coupling_from_the_past(family, 0, [1, 2, 3], monotone=True), "takes two states"),
        (lambda: coupling_from_the_past(FiniteFamily([(0, 1), (0, 2)], law=Cyclic(2)), 0, [1, 2]), "independent maps"),
    ):
        with pytest.raises(ValueError, match=rule):
            call()
