"""The counts and probabilities of the exact tests against plain loops, enumerations and sums of binomials."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import pytest

from nn_experiments.orders.exact_tests import (
    LEAST,
    arithmetic_chance,
    equal_places_chance,
    few_repeats_chance,
    matching_chance,
    sign_chance,
    uneven_chance,
)


def pairs_of(name: str, v: list[int]) -> list[tuple[int, int]]:
    """The disjoint pairs whose members are compared: places, or distances to a near and to a far number."""
    n = len(v)
    if name == "drift":
        return [(v[i], v[i + n - n // 2]) for i in range(n // 2)]  # the middle of an odd number is left out
    if name == "ascents":
        return [(v[i], v[i + 1]) for i in range(0, n - 1, 2)]
    third = n // 3
    return [(abs(v[2 * i] - v[2 * i + 1]), abs(v[2 * i] - v[2 * third + i])) for i in range(third)]


def two_sided(k: int, m: int) -> float:
    """Of a fair coin: both tails that are as far from the middle."""
    return sum(math.comb(m, j) for j in range(m + 1) if abs(2 * j - m) >= abs(2 * k - m)) / 2**m


@pytest.mark.parametrize("name", ["drift", "ascents", "nearness"])
@pytest.mark.parametrize("lengths", [(0,), (1,), (2,), (3,), (5, 4), (7,), (12, 1, 11), (20, 21, 22)], ids=str)
def test_ascending_pairs_are_counted_and_ties_are_left_out(name: str, lengths: tuple[int, ...]) -> None:
    rng = np.random.default_rng(sum(lengths))
    for most in (2, 5, 1000):
        sequences = [rng.integers(most, size=n) for n in lengths]
        pairs = [pair for sequence in sequences for pair in pairs_of(name, sequence.tolist())]
        k, m = sum(a < b for a, b in pairs), sum(a != b for a, b in pairs)
        ascending, unequal, chance = sign_chance(name, sequences)
        assert (ascending, unequal) == (k, m)
        assert chance == pytest.approx(two_sided(k, m))


def matchings(places: list[int]) -> Iterator[list[tuple[int, int]]]:
    """Yield every way to pair places."""
    if not places:
        yield []
        return
    first, *rest = places
    for other in rest:
        for more in matchings([place for place in rest if place != other]):
            yield [(first, other), *more]


RNG = np.random.default_rng(0)
EPOCHS = [
    ([0, 1, 2, 3, 4, 5], [5, 3, 1, 0, 2, 4]),  # all six pairs across: 720 of 10,395 pairings
    ([0, 0, 1, 1, 2, 2], [3, 3, 4, 4, 5, 5]),  # none: 225
    ([0, 0, 1, 1, 2, 3], [2, 3, 4, 4, 5, 5]),
    ([0, 1, 2, 3, 4, 4, 6, 6, 6], [0, 1, 2, 3, 7]),
    ([0, 0, 1, 1, 2, 2, 3, 3], [4, 4, 5]),
    ([0, 1, 2], [0, 1, 2, 3, 3, 4, 4, 5, 5]),
    *((RNG.integers(6, size=3 + case % 5).tolist(), RNG.integers(6, size=7 - case % 4).tolist()) for case in range(8)),
]


@pytest.mark.parametrize(("one", "other"), EPOCHS, ids=str)
def test_pairs_across_two_epochs_against_all_pairings(one: list[int], other: list[int]) -> None:
    """The places of the indices that occur twice are paired uniformly: of a places in one epoch and b in the other."""
    first, second = np.array(one), np.array(other)
    every = [*first.tolist(), *second.tolist()]
    twice = [i for i in set(every) if every.count(i) == 2]
    a, b = (sum(i in twice for i in epoch.tolist()) for epoch in (first, second))
    both = sum(i in first and i in second for i in twice)
    across = [sum((x < a) != (y < a) for x, y in pairs) for pairs in matchings(list(range(a + b)))]
    tail = min(np.mean([c <= both for c in across]), np.mean([c >= both for c in across]))
    found = matching_chance(first, second)
    assert found[:2] == (both, len(twice))
    assert found[2] == pytest.approx(min(1.0, 2 * tail))


@pytest.mark.parametrize(
    ("population", "drawn"), [(10, 2000), (62_500, 2000), (63_000, 2000), (63_001, 2008), (90_000, 2400)]
)
def test_repeats_are_looked_for_in_the_first_indices_of_each_epoch(population: int, drawn: int) -> None:
    """The larger of 2000 and 8 ⌊√M⌋ of each of two epochs, the second of which is short; 251² = 63,001."""
    long = np.zeros(3000, np.int64)
    long[:drawn] = np.arange(drawn) % 7  # beyond the window all are 0, and do not count
    found = few_repeats_chance([long, np.arange(5) % 2], population)
    assert found[:2] == (drawn - 7 + 3, drawn + 5)


@pytest.mark.parametrize("lengths", [(4,), (3, 2), (1, 4), (2, 2, 2)], ids=str)
@pytest.mark.parametrize("population", [1, 2, 3, 5])
def test_the_chance_of_so_few_repeats_against_all_words(lengths: tuple[int, ...], population: int) -> None:
    def repeats(word: tuple[int, ...]) -> int:
        ends = np.cumsum(lengths)
        return sum(n - len(set(word[end - n : end])) for n, end in zip(lengths, ends, strict=True))

    words = list(itertools.product(range(population), repeat=sum(lengths)))
    counts = np.array([repeats(word) for word in words])
    for word in words[:: max(1, len(words) // 40)]:
        ends = np.cumsum(lengths)
        epochs = [np.array(word[end - n : end]) for n, end in zip(lengths, ends, strict=True)]
        seen, drawn, chance = few_repeats_chance(epochs, population)
        assert (seen, drawn) == (repeats(word), sum(lengths))
        assert chance == pytest.approx(np.mean(counts <= seen))


@pytest.mark.parametrize(
    ("epochs", "places", "chance"),
    [
        ([[0, 1, 2, 3, 4], [0, 1, 2, 4, 3], [4, 3, 2, 1, 0]], 3, 3 / 6),  # three pairs of epochs, 1/3! each
        ([[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [0, 1, 2, 4, 3]], 3, 3 / 6),
        ([[0, 1, 2, 3], [0, 1, 2]], 3, 1 / 6),  # as far as the shorter one goes
        ([[0, 1, 2], [0, 1, 2, 3, 4]], 3, 1 / 6),
        ([[0, 1], [1, 0]], 0, 1.0),
        ([[0, 1, 2], [0, 2, 1], [1, 0, 2]], 1, 1.0),  # three pairs, and never more than 1
        ([[3, 1, 0, 2]] * 4, 4, 6 / 24),
        ([[3, 1]], 0, 1.0),
    ],
)
def test_places_in_which_epochs_agree(epochs: list[list[int]], places: int, chance: float) -> None:
    found = equal_places_chance([np.array(epoch) for epoch in epochs])
    assert found == (places, pytest.approx(chance))


@pytest.mark.parametrize(
    ("epoch", "population", "step"),
    [
        ([0, 1, 2], 3, 1),
        ([2, 1, 0], 3, 2),  # down by one is up by M − 1
        ([1, 4, 0], 7, 3),
        ([1, 4, 0], 8, 0),
        ([5, 5, 5], 8, 0),
        ([2, 4], 9, 2),
        ([2], 9, 0),
    ],
)
def test_constant_steps_and_how_many_orders_have_them(epoch: list[int], population: int, step: int) -> None:
    """M first indices and M − 1 steps, of M (M − 1) … (M − L + 1) orders."""
    found, chance = arithmetic_chance(np.array(epoch), population)
    orders = math.prod(range(population - len(epoch) + 1, population + 1))
    assert found == step
    assert chance == pytest.approx(population * (population - 1) / orders if step else 1.0)


@pytest.mark.parametrize("case", range(12))
def test_uneven_draws_against_sums_of_binomials(case: int) -> None:
    """The most frequent half of the indices, ties by the smaller one, are named by the first half of the draws."""
    rng = np.random.default_rng(case)
    population, n = int(rng.integers(1, 9)), int(rng.integers(1, 30))
    values = rng.integers(population, size=n)
    half = n // 2
    early, late = values[:half].tolist(), values[half:].tolist()
    named = sorted(set(early), key=lambda i: (-early.count(i), i))[: population // 2]
    among, m = sum(i in named for i in late), len(late)
    p = len(named) / population
    tail = sum(math.comb(m, j) * p**j * (1 - p) ** (m - j) for j in range(among, m + 1))
    assert uneven_chance(values, population) == (among, m, pytest.approx(tail if named else 1.0))


def test_no_draws_have_no_weights() -> None:
    assert uneven_chance(np.zeros(0, np.int64), 4) == (0, 0, 1.0)


def test_a_probability_that_is_not_zero_is_never_reported_as_zero() -> None:
    """Each is below 10^−308: 2 · 2^−2500, a ratio near 2^−2500, 2000!/2000^2000, 1/200!, 200 · 199/200! and 4^−2500."""
    long = np.arange(5000)
    chances = (
        sign_chance("drift", [long])[2],
        matching_chance(long, long)[2],
        few_repeats_chance([np.arange(2000)], 2000)[2],
        equal_places_chance([np.arange(200)] * 2)[1],
        arithmetic_chance(np.arange(200), 200)[1],
        uneven_chance(np.zeros(5000, np.int64), 4)[2],
    )
    assert chances == (LEAST,) * 6
    assert 0 < LEAST < 1e-307
