"""Convergence to a point: one verdict for several seeds, and the medians that the texts show."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nn_experiments.analysis import Finding, Pairing
from nn_experiments.analysis.points import _verdict, points
from tests.nn.analysis.hand_made import made, view

SETTLES, MOVES, TRAINS = "settles", "does not settle by N", "still training"
UNDECIDED, DIVERGED, NOTHING = "undecided", "diverged", "not measured"


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ([], NOTHING),
        ([NOTHING] * 7, NOTHING),
        ([SETTLES] * 4, "settles (4 of 4): too few to tell"),
        ([MOVES] * 4, "does not settle by N (4 of 4): too few to tell"),
        ([SETTLES] * 4 + [NOTHING] * 3, "settles (4 of 4): too few to tell"),  # what was not measured does not count
        ([SETTLES] * 5, "agrees"),
        ([SETTLES] * 5 + [NOTHING], "agrees"),
        ([MOVES] * 5, "disagrees"),
        ([MOVES] * 5 + [NOTHING], "disagrees"),
        ([TRAINS] * 5, TRAINS),  # neither for nor against
        ([UNDECIDED] * 5, UNDECIDED),
        ([DIVERGED] * 6, DIVERGED),
        ([SETTLES] * 4 + [MOVES], "mixed: settles (4 of 5), does not settle by N (1 of 5)"),
        (
            [MOVES, SETTLES, MOVES, DIVERGED, MOVES],
            "mixed: does not settle by N (3 of 5), settles (1 of 5), diverged (1 of 5)",
        ),
        ([MOVES, UNDECIDED, NOTHING], "does not settle by N (1 of 2), undecided (1 of 2): too few to tell"),
    ],
    ids=lambda value: str(len(value)) if isinstance(value, list) else None,
)
def test_one_verdict_for_several_seeds(verdicts: list[str], said: str) -> None:
    assert _verdict(verdicts, SETTLES, MOVES) == said


N = 40
SCALES = np.array([1.0, 2.0, 4.0, 5.0, 10.0])
#: Order -> what its distances are multiplied by.
SIZES = {"forward": 3.0, "backward": 0.5}


def distances(**changes: np.ndarray) -> Pairing:
    """Five seeds on iterates 0 … 40. Distances are SIZES·(seed + 1) times: increments 0.9ⁿ, couplings 0.8ⁿ, and
    √(0.01²(N − n)² + 0.2²) to the last iterate, of which 0.2 is not drift. Independent runs are SCALES apart."""
    n, seed = np.arange(N + 1), np.arange(1.0, 6)[:, None, None]
    size = np.array(list(SIZES.values()))[None, :, None] * seed
    metrics = {
        "parameter_increment": size * 0.9**n,
        "parameter_coupling": size * 0.8**n,
        "parameter_to_last": size * np.sqrt(1e-4 * (N - n) ** 2 + 0.04),
        "parameter_independent": np.broadcast_to(SCALES[:, None, None], (5, 2, N + 1)).copy(),
        "train_loss": np.ones((5, 2, N + 1)),
    }
    return Pairing(made(metrics | changes), view(), "forward", "backward")


def found(pair: Pairing) -> dict[str, Finding]:
    return {row.topic: row for row in points(pair)}


def middle(values: np.ndarray) -> str:
    return f"{np.median(values):.3g}"


def test_texts_show_medians_over_seeds_in_units_of_independent_runs() -> None:
    """The second half begins at 20, where increments, couplings and tails are largest, or in the middle of theirs."""
    rows, seed = found(distances()), np.arange(1.0, 6)
    path = rows["Convergence to a point: parameters"].measured
    assert path.startswith("N = 40, in units of two independent runs' distance, median over seeds. forward: ")
    for order, factor in SIZES.items():
        unit = factor * seed / SCALES
        tail, increment = math.sqrt(1e-4 * 20**2 + 0.04), 0.9**20
        assert (
            f"increment {middle(unit * increment)}, tail {middle(unit * tail)}, "
            f"movement beyond drift {middle(unit * 0.2)}."
        ) in path.split(f"{order}: ")[1]
    backward = SIZES["backward"] * seed
    near = rows["Forgets a near start: parameters"].measured
    assert "the distance of backward iterates n and n + 1, which" in near
    assert (
        f"at most {middle(backward * 0.9**20 / SCALES)} of two independent runs' distance, {0.9**20:.3g} of what"
    ) in near
    far = rows["Forgets an independent start: parameters"].measured
    late = np.median(0.8 ** np.arange(20, 41))
    assert f"; {middle(backward * late / SCALES)} of two independent runs' distance from one start" in far
    assert f"start, {late:.3g} of what they began with (medians over seeds)." in far


def test_what_was_measured_in_one_space_says_nothing_of_the_other() -> None:
    rows = found(distances())
    assert [topic for topic, row in rows.items() if row.verdict != NOTHING] == [
        "Convergence to a point: parameters",
        "Forgets a near start: parameters",
        "Forgets an independent start: parameters",
    ]
    other = rows["Convergence to a point: predictions on the test set"].measured
    assert other.count("not measured (5 of 5); increment not measured, tail not measured, movement") == 2
    evidence = rows["Convergence to a point: parameters"].evidence
    assert [len(row.evidence) for row in rows.values()] == [10, 0, 0, 10, 0, 0]
    assert [row.increment for row in evidence] == pytest.approx(
        [size * k * 0.9**20 for size in SIZES.values() for k in range(1, 6)]
    )  # both orders, seed by seed


def test_verdicts_are_those_of_the_other_order() -> None:
    """Forward starts are as far apart as ever; backward ones have met, and its path has ended."""
    n = np.arange(N + 1)
    apart = np.where(n == 0, 1.0, np.array([1.0, 1e-3])[:, None])
    both = np.broadcast_to(apart, (5, 2, N + 1)).copy()
    ones = np.ones((5, 2, N + 1))
    changes = {f"parameter_{name}": both for name in ("increment", "coupling", "to_last")}
    rows = found(distances(parameter_independent=ones, **changes))
    assert {row.verdict for topic, row in rows.items() if topic.endswith(": parameters")} == {"agrees"}
    swapped = {name: values[:, ::-1].copy() for name, values in changes.items()}
    rows = found(distances(parameter_independent=ones, **swapped))
    assert {row.verdict for topic, row in rows.items() if topic.endswith(": parameters")} == {"disagrees"}
    assert "does not forget by N (5 of 5)" in rows["Forgets an independent start: parameters"].measured


def test_starts_that_began_as_one_have_no_share_of_what_they_began_with() -> None:
    """A seed whose first distance is 0 has no such share; the medians are those of the other four."""
    pair = distances()
    for name in ("increment", "coupling"):
        pair.curves.metrics[f"parameter_{name}"][0, 1, 0] = 0.0
        pair.curves.metrics[f"parameter_{name}"][1, 1, 0] *= 2  # and another one began twice as far apart
    rows = found(pair)
    shares = [0.5, 1.0, 1.0, 1.0]
    assert (
        f"distance, {middle(0.9**20 * np.array(shares))} of what" in rows["Forgets a near start: parameters"].measured
    )
    pair.curves.metrics["parameter_increment"][:, 1, 0] = 0.0
    assert "distance, not measured of what" in found(pair)["Forgets a near start: parameters"].measured


def test_a_distance_that_is_not_finite_has_no_median() -> None:
    pair = distances()
    pair.curves.metrics["parameter_coupling"][2, 1, 30] = math.inf
    row = found(pair)["Forgets an independent start: parameters"]
    assert "diverged (1 of 5)" in row.measured
    assert "; not finite of two independent runs' distance from one start, not finite of what" in row.measured
