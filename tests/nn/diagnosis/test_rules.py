"""The verdict as a function of what was measured: one made-up measurement for each word, and its negative controls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from nn_experiments.diagnosis.coupled import grid
from nn_experiments.diagnosis.measured import Measured
from nn_experiments.diagnosis.rules import RULES, judge

PAGE = Path(__file__).parents[3] / "docs" / "diagnosis.md"
STEPS = 400


def made(
    *,
    rate: float = -0.05,
    outputs: float | None = None,
    derivative: float | None = None,
    pairs: float | None = None,
    jumps: float = 0.0,
    replicates: int = 20,
    above: int = 0,
    homogeneous: bool = True,
    diverged: bool = False,
) -> Measured:
    """Return distances that change by ``rate`` a step from 1 (predictions by ``outputs``), in units of 1.

    In ``above`` replicates they stay at 1. Exponents have a spread of 1e-5 over replicates.
    """
    n = grid(STEPS)
    noise = np.linspace(-1, 1, replicates) * 1e-5

    def distances(slope: float) -> np.ndarray:
        found = np.ones((replicates, len(n), 5))
        found[above:, :, :2] = np.exp((slope + noise[above:, None]) * n)[..., None]
        found[..., 3] = 2.0
        found[:, 0, 2] = 0.0
        found[..., 4] = np.nan
        return found

    gone = np.full(replicates, -1)
    if diverged:
        gone[3] = 30
    sizes = np.zeros((replicates, 4))
    sizes[0, 0] = jumps
    return Measured(
        STEPS,
        STEPS // 2,
        0.05,
        n,
        distances(rate),
        distances(rate if outputs is None else outputs),
        gone,
        (rate if derivative is None else derivative) + noise,
        "derivatives",
        (rate if pairs is None else pairs) + noise,
        sizes,
        homogeneous,
    )


WORDS = {
    "diverged": made(diverged=True),
    "contracting": made(),
    "too early": made(rate=-0.001),
    "settled up to symmetry or flat directions": made(rate=0.0, outputs=-0.05),
    "expanding": made(rate=0.001),
    "discontinuous": made(rate=0.0, derivative=-0.01, pairs=0.01, jumps=0.5),
    "undecided": made(rate=0.0),
}


@pytest.mark.parametrize("word", WORDS)
def test_each_word_has_a_measurement_that_gives_it(word: str) -> None:
    assert judge(WORDS[word]).verdict == word


def test_the_words_are_those_of_the_rules_and_of_the_page() -> None:
    assert set(WORDS) == set(RULES)
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| *")]
    assert rows == [f"| *{word}* | {rule} |" for word, rule in RULES.items()]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"above": 1}, "contracting"),  # 1 of 20: the upper bound is .216
        ({"above": 2}, "undecided"),  # 2 of 20: .283
        ({"above": 9}, "undecided"),  # 9 of 20: the lower bound is .26, but nothing else is shown
        ({"replicates": 11}, "contracting"),
        ({"replicates": 10}, "undecided"),
        ({"rate": -0.001, "homogeneous": False}, "undecided"),
        ({"rate": -0.001, "derivative": 0.001}, "expanding"),
        ({"rate": 0.001, "pairs": 0.01, "jumps": 0.5}, "discontinuous"),  # jumps make nine tenths of the growth
        ({"rate": 0.001, "pairs": 0.0019, "jumps": 0.5}, "expanding"),  # the derivative makes more than half of it
        ({"rate": 0.001, "pairs": 0.0021, "jumps": 0.5}, "discontinuous"),
        ({"rate": 0.001, "pairs": 0.01}, "expanding"),  # no jump was found
        ({"rate": -0.001, "pairs": 0.01, "jumps": 0.5}, "discontinuous"),
        ({"rate": -0.001, "pairs": 0.01}, "undecided"),  # no jump was found
        ({"rate": -0.0001}, "undecided"),  # predicted beyond 10 N
        ({"rate": 0.001, "homogeneous": False}, "undecided"),
        ({"rate": 0.0, "derivative": -0.01, "pairs": 0.01}, "undecided"),
        ({"rate": 0.0, "derivative": -0.01, "pairs": -0.01, "jumps": 0.5}, "undecided"),  # pairs come together
        ({"rate": 0.0, "derivative": 0.0, "pairs": 0.0, "jumps": 0.5}, "undecided"),  # no more than the derivative says
    ],
)
def test_what_changes_the_word(change: dict, word: str) -> None:
    assert judge(made(**change)).verdict == word


def test_a_distance_that_never_moved_has_not_settled() -> None:
    """All runs are 1e-9 apart from the beginning: small, and no evidence."""
    measured = made()
    still = measured.parameter.copy()
    still[..., :2] = 1e-9
    again = Measured(**{**fields(measured), "parameter": still, "function": still})
    assert judge(again).verdict == "undecided"


def test_a_small_increment_is_not_enough() -> None:
    """Lag 1 settles, lag N/2 stays at 1: a random walk of small steps looks like this."""
    measured = made()
    far = measured.parameter.copy()
    far[..., 1] = 1.0
    again = Measured(**{**fields(measured), "parameter": far, "function": far})
    assert judge(again).verdict == "undecided"


def fields(measured: Measured) -> dict:
    """Return the constructor's arguments."""
    return {name: getattr(measured, name) for name in measured.__dataclass_fields__}


def test_the_predicted_n() -> None:
    """From exp(-0.4) at N = 400 and -0.001 a step, 0.05 is reached at -1000 log 0.05 = 2,995.7."""
    found = judge(WORDS["too early"]).predicted
    assert found is not None
    assert found[1] <= 2995.8
    assert found[2] >= 2995.6
    assert abs(found[0] - 2995.7) < 5


def test_when_it_settles() -> None:
    """exp(-0.05 n) <= 0.05 from n = 59.9 on; the grid has every tenth n."""
    finding = judge(WORDS["contracting"]).findings[f"parameters, lag {STEPS // 2}"]
    assert finding.settles == (60.0, 60.0, 60.0)


def changed(measured: Measured, **values: np.ndarray) -> Measured:
    """Return a measurement with other values in some fields."""
    return Measured(**{**fields(measured), **values})


def test_growth_has_to_be_significant() -> None:
    """Exponents with mean 0.001 and standard deviation 0.01 over 20 replicates: the interval holds 0."""
    measured = made(rate=0.001)
    spread = 0.001 + 0.01 * np.tile([-1.0, 1.0], 10)
    assert judge(measured).verdict == "expanding"
    assert judge(changed(measured, derivative=spread)).verdict == "undecided"


def test_predictions_have_to_settle_at_both_lags() -> None:
    measured = made(rate=0.0, outputs=-0.05)
    for column in (0, 1):
        far = measured.function.copy()
        far[..., column] = 1.0
        assert judge(changed(measured, function=far)).verdict == "undecided"


def test_the_unit_has_a_floor() -> None:
    """Two independent runs 0.001 apart after a way of 2: the unit is 0.01 · 2, not 0.001."""
    measured = made()
    near = measured.parameter.copy()
    near[..., 2] = 0.001
    unit = changed(measured, parameter=near).unit("parameters")
    assert np.all(unit == 0.02)
    assert np.all(measured.unit("parameters")[:, 1:] == 1.0)


def test_the_prediction_is_for_three_quarters_of_the_draws() -> None:
    """Eight of 20 draws are at exp(-0.4), the others at exp(-1.4): the upper quartile is that of the eight."""
    measured = made(rate=-0.001)
    lower = measured.parameter.copy()
    lower[8:, :, :2] *= np.exp(-1)
    found = judge(changed(measured, parameter=lower)).predicted
    assert found is not None
    assert abs(found[0] - 2995.7) < 5  # of the lower ones it is 1,000 less
