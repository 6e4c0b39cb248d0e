"""Advice: its numbers are those of the verdict, and it recommends what the verdict allows."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from nn_experiments.diagnosis.advice import advice_on
from nn_experiments.diagnosis.rules import judge
from tests.nn.diagnosis.test_rule_edges import bent, with_distances
from tests.nn.diagnosis.test_rules import STEPS, WORDS, made

KINKS = "a smooth activation in place of ReLU removes these jumps"


def advice(word: str) -> str:
    """Return all advice on the measurement that gives a word."""
    return " ".join(advice_on(judge(WORDS[word]), STEPS))


def test_the_cost_of_the_path_and_of_an_average() -> None:
    """1 + 2 + … + 400 maps for the path, 400 for an average; where neither settles, the average is the remedy."""
    cost = "The path of backward iterates up to N = 400 costs 80,200 maps"
    for word in WORDS:
        recommended = word in ("too early", "expanding", "discontinuous", "undecided")
        assert (cost in advice(word)) == recommended, word
        assert ("nne.EMA(0.99), costs 400 and" in advice(word)) == recommended, word


@pytest.mark.parametrize(
    ("word", "remedies", "others"),
    [
        ("contracting", ["is the limit for its sequence", "repeat it with other seeds"], ["learning rate"]),
        ("too early", ["A larger learning rate"], ["smaller learning rate"]),
        (
            "settled up to symmetry or flat directions",
            ["average predictions, not weights", "Weight decay removes flat directions"],
            ["learning rate"],
        ),
        (
            "expanding",
            ["Repeat with three times the steps", "Weight decay pulls runs together", "A smaller learning rate"],
            ["ReLU", "larger learning rate"],
        ),
        ("discontinuous", ["ReLU by GELU", "proportional to the learning rate"], ["Weight decay"]),
        ("diverged", ["Take a smaller learning rate, or clip gradients"], ["larger"]),
        ("undecided", ["Take more replicates", "or more steps"], ["learning rate"]),
    ],
)
def test_each_word_has_its_remedies_and_not_those_of_others(word: str, remedies: list[str], others: list[str]) -> None:
    text = advice(word)
    assert all(remedy in text for remedy in remedies)
    assert not any(other in text for other in others)


def test_the_iterate_that_is_the_limit_is_that_of_the_longer_lag() -> None:
    """Lag 1 settles by 30, lag N/2 by 60."""
    measured = made()
    paths = {"next": bent(measured, -0.1, -0.1), "ahead": bent(measured, -0.05, -0.05)}
    text = advice_on(judge(with_distances(measured, **paths)), STEPS)[0]
    assert "One backward iterate near n = 60 (n maps from the start)" in text


def test_how_far_to_train_is_the_latest_that_is_predicted() -> None:
    found = judge(WORDS["too early"])
    assert found.predicted is not None
    earliest, latest = found.predicted[1:]
    assert f"{earliest:,.0f}" != f"{latest:,.0f}"
    assert f"Train to n = {latest:,.0f}, and ask again" in advice("too early")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"rate": -0.001}, "too early"),
        ({"rate": 0.001}, "expanding"),
        ({"rate": 0.0, "pairs": -0.01}, "undecided"),
    ],
)
def test_kinks_are_named_where_a_jump_was_found(change: dict, word: str) -> None:
    """The bisections examined maps in both cases, and found a jump in one."""
    for jumps in (0.5, 0.0):
        found = judge(made(**{"jumps": jumps} | change))
        assert found.verdict == word
        assert found.jumps[0] > 0
        assert (KINKS in advice_on(found, STEPS)[-1]) == (jumps > 0)
    assert KINKS not in " ".join(advice_on(judge(made(jumps=0.5)), STEPS))  # contracting all the same
