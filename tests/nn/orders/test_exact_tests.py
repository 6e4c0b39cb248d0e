"""The exact tests against enumeration of every equally likely sequence."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from nn_experiments.orders.exact_tests import (
    SIGNS,
    arithmetic_chance,
    equal_places_chance,
    few_repeats_chance,
    matching_chance,
    sign_chance,
    uneven_chance,
)


def is_a_pvalue(chances: list[float], weights: list[float] | None = None, *, exact: bool = True) -> None:
    """P(p <= a) <= a for every attained a, under the uniform law (or the weights); equal if one-sided."""
    p, w = np.array(chances), np.ones(len(chances)) if weights is None else np.array(weights)
    for a in np.unique(p):
        reached = w[p <= a + 1e-12].sum() / w.sum()
        assert reached <= a + 1e-9
        if exact and a < 1:
            assert reached == pytest.approx(a, rel=1e-9)


@pytest.mark.parametrize("name", SIGNS)
@pytest.mark.parametrize("letters", [(0, 1, 2, 3, 4, 5, 6), (0, 0, 1, 2, 2, 2)])
def test_signs_of_all_orders(name: str, letters: tuple[int, ...]) -> None:
    is_a_pvalue([sign_chance(name, [np.array(o)])[2] for o in itertools.permutations(letters)], exact=False)


@pytest.mark.parametrize("name", SIGNS)
def test_pairs_are_disjoint_and_take_part_once(name: str) -> None:
    """Whether a pair ascends is a fair coin, independent of the others: every pattern has one number of orders."""
    counts: dict[int, int] = {}
    for order in itertools.permutations(range(6)):
        ascending, pairs = SIGNS[name](np.array(order))
        counts[ascending] = counts.get(ascending, 0) + 1
        if name != "nearness":
            assert pairs == 3
    if name != "nearness":
        assert counts == {0: 90, 1: 270, 2: 270, 3: 90}


def test_repeats_of_all_words() -> None:
    words = list(itertools.product(range(4), repeat=5))
    found = [few_repeats_chance([np.array(w[:3]), np.array(w[3:])], 4) for w in words]
    assert found[0][:2] == (3, 5)
    is_a_pvalue([one[2] for one in found])


@pytest.mark.parametrize("weights", [(0.7, 0.1, 0.1, 0.1), (0.4, 0.3, 0.2, 0.1)])
def test_repeats_of_unequal_weights_are_bounded(weights: tuple[float, ...]) -> None:
    words = list(itertools.product(range(4), repeat=5))
    chances = [few_repeats_chance([np.array(w)], 4)[2] for w in words]
    is_a_pvalue(chances, [float(np.prod([weights[i] for i in w])) for w in words], exact=False)


@pytest.mark.parametrize("letters", [(0, 0, 1, 1, 2, 2, 3), (0, 0, 0, 1, 1, 2, 2, 3)])
def test_matching_of_all_orders(letters: tuple[int, ...]) -> None:
    found = [matching_chance(np.array(o[:4]), np.array(o[4:])) for o in set(itertools.permutations(letters))]
    assert {one[1] for one in found} == {letters.count(1) + (letters.count(0) == 2) + letters.count(2) - 2}
    is_a_pvalue([one[2] for one in found], exact=False)
    assert min(one[2] for one in found) < 1


def test_equal_places_of_all_pairs_of_shuffles() -> None:
    first = np.arange(5)
    found = [equal_places_chance([first, np.array(o)]) for o in itertools.permutations(range(5))]
    assert max(one[0] for one in found) == 5
    is_a_pvalue([one[1] for one in found], exact=False)
    part = [equal_places_chance([np.arange(3), np.array(o)]) for o in itertools.permutations(range(5), 3)]
    is_a_pvalue([one[1] for one in part], exact=False)
    assert equal_places_chance([first]) == (0, 1.0)


def test_constant_steps_are_counted() -> None:
    orders = list(itertools.permutations(range(5), 4))
    found = [arithmetic_chance(np.array(o), 5) for o in orders]
    assert sum(step > 0 for step, _ in found) == 5 * 4
    assert [p for step, p in found if step] == pytest.approx([20 / len(orders)] * 20)


def test_unequal_weights_of_all_words() -> None:
    words = list(itertools.product(range(3), repeat=6))
    is_a_pvalue([uneven_chance(np.array(w), 3)[2] for w in words], exact=False)
    rng = np.random.default_rng(0)
    assert uneven_chance(rng.choice(4, 400, p=[0.4, 0.4, 0.1, 0.1]), 4)[2] < 1e-9


@pytest.mark.control
def test_a_number_used_in_two_pairs_would_not_be_exact() -> None:
    """Overlapping neighbours do not ascend independently: all six ascend in 1 of 5040 orders, not in 1 of 64."""
    ascending = [int(np.sum(np.diff(o) > 0)) for o in itertools.permutations(range(7))]
    assert ascending.count(6) == 1
    assert 5040 / 64 > 78
