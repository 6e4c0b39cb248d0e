"""Every test of an audit on orders of a few indices: its law, its name, what it counts and its p-value."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from nn_experiments import audit_order
from nn_experiments.orders.audit import OrderAudit
from nn_experiments.orders.exact_tests import (
    SIGNS,
    arithmetic_chance,
    equal_places_chance,
    few_repeats_chance,
    matching_chance,
    sign_chance,
    uneven_chance,
)

Told = tuple[str, str, str, float]


def signs(law: str, what: str, sequences: Sequence[Sequence[int]], kinds: Sequence[str] = tuple(SIGNS)) -> list[Told]:
    found = []
    for name in kinds:
        k, m, p = sign_chance(name, [np.array(one) for one in sequences])
        found.append((law, f"{name} of {what}", f"{k} of {m} pairs ascend", p))
    return found


def by_hand(epochs: list[list[int]], population: int) -> list[Told]:
    """The tests of recorded epochs, in the order in which they are printed."""
    values = [i for epoch in epochs for i in epoch]
    often, several = [values.count(i) for i in values], len(epochs) > 1
    split = [[values.count(i) for i in epoch] for epoch in epochs]
    arrays = [np.array(epoch) for epoch in epochs]
    found = signs("iid", "indices", [values]) + signs("iid", "how often an index occurs", [often], ["drift"])
    if several:
        found += signs("iid", "indices within an epoch", epochs, ["drift"])
        found += signs("iid", "how often an index occurs within an epoch", split, ["drift"])
    seen, drawn, p = few_repeats_chance(arrays, population)
    found.append(("iid", "repeats within an epoch", f"{seen} among {drawn} draws", p))
    if several:
        both, pairs, p = matching_chance(*arrays[:2])
        found.append(("iid", "indices seen twice", f"{both} of {pairs} once in each of two epochs", p))
    repeats = sum(len(epoch) - len(set(epoch)) for epoch in epochs)
    found += [(law, "repeats within an epoch", str(repeats), float(not repeats)) for law in ("reshuffled", "repeated")]
    if not repeats:
        step, p = arithmetic_chance(arrays[0], population)
        said = f"{step} throughout" if step else "not constant"
        found += [(law, "steps of the first epoch", said, p) for law in ("reshuffled", "repeated")]
        found += signs("reshuffled", "indices", epochs) + signs("repeated", "indices of the first epoch", epochs[:1])
        if several:
            same = sum(all(a == b for a, b in zip(epochs[0], one, strict=False)) for one in epochs[1:])
            said = f"{same} of {len(epochs) - 1} later epochs have the first one's order"
            found.append(("repeated", "equal epochs", said, float(same == len(epochs) - 1)))
            places = [[a.index(i) for i in b if i in a] for a, b in itertools.pairwise(epochs)]
            found += signs("reshuffled", "places in the epoch before", places)
            most, p = equal_places_chance(arrays)
            found.append(("reshuffled", "places in which two epochs agree", f"up to {most}", p))
    return found


def sequential(audit: OrderAudit) -> str:
    (test,) = [test for test in audit.tests if test.law == "sequential"]
    assert (test.name, test.pvalue) == ("constant steps", float(test.measured == "yes"))
    return test.measured


@pytest.mark.parametrize(
    ("epochs", "population", "steps"),
    [
        ([[3, 1, 0, 2], [0, 3, 2, 1], [3, 1, 0, 2]], 4, "no"),
        ([[3, 1, 0, 2], [3, 1, 0, 2]], 4, "no"),
        ([[3, 1, 0, 2, 5], [6, 3, 2, 1, 0], [7, 1, 5, 2]], 8, "no"),  # some were not in the epoch before
        ([[3, 1, 0, 2, 5]], 6, "no"),
        ([[0, 1, 2, 3], [0, 1, 2, 3]], 4, "yes"),
        ([[0, 1, 2, 3], [0, 1, 2, 3]], 5, "yes"),  # up by one within each epoch, and each begins at 0
        ([[0, 1, 2, 3], [1, 2, 3, 4]], 5, "no"),  # another first index
        ([[0, 1, 2], [0, 2, 4]], 6, "no"),  # another step
        ([[0, 2, 4], [0, 2, 4], [0, 2]], 7, "yes"),  # the last one is cut off
        ([[0, 1, 2], [3, 4, 5]], 6, "yes"),  # one step throughout
        ([[3, 2, 1, 0], [3, 2, 1, 0]], 4, "yes"),
        ([[1, 1, 0, 2], [2, 3, 3, 0]], 4, "no"),
        ([[2, 2], [2, 2]], 3, "no"),  # a step of 0 is none
        ([[0, 1, 2, 4], [0, 1, 2]], 5, "no"),  # constant in one of two epochs
        ([[0, 1, 2, 4], [0, 1, 2, 4]], 5, "no"),  # two steps, 1 and 2
        ([[0, 1, 2], [0, 1, 2], [2, 3, 4]], 6, "no"),  # the third one begins elsewhere
    ],
    ids=str,
)
def test_every_test_by_hand(epochs: list[list[int]], population: int, steps: str) -> None:
    found = audit_order(epochs, population=population)
    told = [(test.law, test.name, test.measured, test.pvalue) for test in found.tests if test.law != "sequential"]
    assert told == by_hand(epochs, population)
    assert sequential(found) == steps


REASONS = {
    "iid": "Indices repeat within an epoch as in independent draws, and no trend or dependence is seen.",
    "reshuffled": "No index repeats within an epoch, and every epoch has another order.",
    "repeated": "No index repeats within an epoch, and every epoch has the same order, which is not sorted.",
    "sequential": "Indices go up or down by one constant step, in the same way in every epoch.",
}


def orders(law: str, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    one = rng.permutation(50)
    return {
        "iid": rng.integers(50, size=(3, 50)),
        "reshuffled": np.stack([rng.permutation(50) for _ in range(3)]),
        "repeated": np.stack([one] * 3),
        "sequential": np.stack([np.arange(50)] * 3),
        "other": np.stack([one, one[::-1], one]),
    }[law]


@pytest.mark.parametrize("law", REASONS)
def test_a_law_that_is_left_alone_is_the_verdict_and_has_its_reason(law: str) -> None:
    found = audit_order(orders(law), level=1e-4)
    assert (found.verdict, found.reason, found.possible) == (law, REASONS[law], (law,))


def test_an_order_of_no_law_names_the_strongest_test_against_two_of_them() -> None:
    found = audit_order(orders("other"))
    assert (found.verdict, found.possible) == ("other", ())
    parts = []
    for law in ("iid", "reshuffled"):
        strongest = min((test for test in found.tests if test.law == law), key=lambda test: test.pvalue)
        parts.append(f"{law} by {strongest.name} ({strongest.measured})")
    assert found.reason == f"Every law is refuted: {'; '.join(parts)}."


@pytest.mark.parametrize(
    ("epochs", "reason"),
    [
        ([[3, 1]], "Several laws agree with the indices: iid, reshuffled, repeated, sequential."),
        (orders("reshuffled")[:1], "One epoch was recorded: whether the next has the same order cannot be seen in it."),
        ([[3, 1], [1, 3]], "Several laws agree with the indices: iid, reshuffled."),
        ([[3, 1], [3, 1]], "Several laws agree with the indices: iid, reshuffled, repeated, sequential."),
    ],
    ids=["two indices", "one epoch", "two orders of two", "one order of two"],
)
def test_what_is_undecided_says_between_which_laws(epochs: np.ndarray, reason: str) -> None:
    found = audit_order(epochs, level=1e-4)
    assert (found.verdict, found.reason) == ("undecided", reason)


def test_equal_weights_are_tested_at_the_level_itself() -> None:
    """Two of four indices are drawn more often: at its own chance, and at any larger level, they are not even."""
    rng = np.random.default_rng(4)
    values = np.where(rng.random(60) < 0.85, rng.integers(2, size=60), 2 + rng.integers(2, size=60)).reshape(2, 30)
    chance = uneven_chance(values.ravel(), 4)[2]
    assert 1e-6 < chance < 0.2
    for level, even in ((chance, False), (chance * (1 - 1e-9), True)):
        found = audit_order(values, population=4, level=level)
        assert (found.verdict, found.even_weights) == ("iid", even)


def test_a_test_refutes_at_its_level_and_not_above() -> None:
    test = audit_order(orders("iid")).tests[0]
    assert dataclasses.replace(test, pvalue=test.level).refutes
    assert not dataclasses.replace(test, pvalue=float(np.nextafter(test.level, 1))).refutes


@pytest.mark.parametrize(("even", "title"), [(None, ""), (True, ", equal weights"), (False, ", unequal weights")])
def test_an_audit_prints_what_was_recorded_and_how_sure_it_is(even: bool | None, title: str) -> None:
    found = dataclasses.replace(audit_order(orders("iid"), level=0.01), even_weights=even)
    lines = str(found).splitlines()
    assert lines[0] == f"iid: independent draws with replacement{title}"
    assert lines[1] == f"  {REASONS['iid']}"
    assert lines[2] == "  150 indices below 50 in 3 epochs (recorded indices)"
    assert lines[3] == "  a law that the order does have is refuted with probability at most 0.01"
    for line, test in zip(lines[4:], found.tests, strict=False):
        word = "refutes" if test.pvalue <= test.level else "agrees with"
        assert line == f"  {word} {test.law}: {test.name}, {test.measured}, p = {test.pvalue:.2g}"
    one = str(audit_order(np.arange(1000)[None])).splitlines()[2]
    assert one == "  1,000 indices below 1,000 in 1 epoch (recorded indices)"
