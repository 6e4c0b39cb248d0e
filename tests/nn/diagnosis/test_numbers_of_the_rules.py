"""The written rules name the numbers that the code uses."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from nn_experiments.diagnosis.coupled import BOUND
from nn_experiments.diagnosis.measured import NEAR
from nn_experiments.diagnosis.rules import CONFIDENCE, GROWTH, LEAST, REACH, RULES, SHARE, SHRUNK

TEXT = " ".join(RULES.values())


@pytest.mark.parametrize(
    ("number", "value", "texts"),
    [
        (BOUND, 1e6, ["grown by more than 10⁶(1 + ‖θ_0‖)"]),
        (CONFIDENCE, 0.95, ["exact upper 95 % bound", "exact lower 95 % bound", "95 % interval"]),
        (SHARE, 1 / 4, ["apart is at most 1/4", "is above 1/4"]),
        (SHRUNK, 1 / 2, ["has not fallen to half of what it was"]),
        (GROWTH, 1 / 100, ["lies above 0.01/N", "which is a growth of 1 % over the run"]),
        (REACH, 10, ["lies within 10 N"]),
        (NEAR, 1 / 10, ["pairs held eps/10 units apart"]),
    ],
    ids=["bound", "confidence", "share", "half", "growth", "reach", "pairs"],
)
def test_numbers_of_the_rules(number: float, value: float, texts: list[str]) -> None:
    assert number == value
    for text in texts:
        assert text in TEXT


def test_so_many_replicates_are_the_least_that_can_settle() -> None:
    """(1 − 1/4)^R ≤ 5 % from R = 11 on: with fewer, none above would still not show that at most a quarter are."""
    assert (1 - SHARE) ** LEAST <= 1 - CONFIDENCE < (1 - SHARE) ** (LEAST - 1)
