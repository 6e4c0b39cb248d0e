"""Both sides of branches of the findings that recorded results take on one side alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nn_experiments.analysis import Pairing, findings
from nn_experiments.analysis.choices import choice_findings, choice_table
from nn_experiments.analysis.run_summary import path_start, recorded_grid, spacing
from nn_experiments.analysis.values import best, detectable, fixed_steps
from nn_experiments.paper.catalogue import EXPERIMENTS
from nn_experiments.results.studies import Study
from tests.nn.analysis.hand_made import made, pair, view, waves


@pytest.mark.parametrize(
    ("section", "place"), [("-", "not in the paper"), ("4", "Section 4"), ("A.1", "Appendix A.1"), ("", "Appendix ")]
)
def test_where_a_claim_is_in_the_paper(section: str, place: str) -> None:
    rows = findings(made({"train_loss": waves()}), view(section=section))
    assert rows[0].topic.startswith("Variability")
    assert rows[0].place == place


@pytest.mark.parametrize(("sampling", "iid"), [("iid", True), ("reshuffle", False), (None, True)])
def test_a_law_is_shared_where_batches_are_independent(sampling: str | None, iid: bool) -> None:
    settings: dict[str, Any] = {"experiment": {"sampling": sampling} if sampling else {}}
    rows = {row.topic: row for row in findings(made({"train_loss": waves()}, experiment=settings), view())}
    assert ("equal in law" in rows["Value at a fixed step"].verdict) == iid


@pytest.mark.parametrize("order", ["reset-20", "backward", "late-20"])
@pytest.mark.parametrize("last", [20, 30])
def test_only_a_path_after_its_reset_has_another_point(order: str, last: int) -> None:
    """A reset at the last iterate is none; the sentence on windows is that of every path with a reset."""
    orders = ("forward", order) if order == "backward" else ("forward", order, "backward")
    values = np.concatenate([waves(last=last), waves(last=last)[:, :1]], 1)[:, : len(orders)]
    rows = findings(made({"train_loss": values}, orders), view(orders=("forward", order), window=10, compared_at=(10,)))
    assert (rows[0].topic == "Another point after the reset") == (order == "reset-20" and last > 20)
    (variability,) = (row for row in rows if row.topic.startswith("Variability"))
    assert (variability.place == "Section 5") == order.startswith("reset")


@pytest.mark.parametrize("compared", [("forward", "windowed-5"), ("late-5", "backward")])
def test_orders_that_were_not_recorded_are_named(compared: tuple[str, str]) -> None:
    missing = [name for name in compared if name not in ("forward", "backward")]
    with pytest.raises(ValueError, match=f"not recorded: {', '.join(missing)}"):
        findings(made({"train_loss": waves()}), view(orders=compared))


@pytest.mark.parametrize("seeds", [1, 4, 5])
def test_the_best_of_few_seeds_is_a_count(seeds: int) -> None:
    found = best(pair(waves(seeds)))
    assert ("too few to tell" in found.verdict) == (seeds < 5)
    if seeds < 5:
        assert found.verdict.endswith(f" of {seeds} comparisons, {seeds} seeds: too few to tell")
    broken = waves(seeds)
    broken[:, 1, 5] = math.nan
    assert best(pair(broken)).verdict == "undecided"


@pytest.mark.parametrize(("n", "level", "possible"), [(5, 1 / 16, True), (5, 0.0624, False), (6, 1 / 32, True)])
def test_so_few_pairs_never_reject(n: int, level: float, possible: bool) -> None:
    """2/2ⁿ is the smallest two-sided p-value. z at 1 − level/2 and at 0.8, over √n."""
    assert math.isfinite(detectable(n, level)) == possible
    assert detectable(25, 0.05) == pytest.approx((1.959963984540054 + 0.8416212335729143) / 5, rel=1e-9)


@pytest.mark.parametrize(
    ("iid", "seeds", "shift", "verdict"),
    [
        (True, 5, 0.0, "equal in law (proved); too few seeds to test"),
        (True, 12, 0.0, "equal in law (proved); not contradicted"),
        (True, 12, 9.0, "rejected: a false alarm or a defect"),
        (False, 5, 0.0, "5 seeds: too few to tell"),
        (False, 12, 0.0, "no difference shown"),
        (False, 12, 9.0, "differ"),
    ],
)
def test_verdicts_on_a_fixed_step(iid: bool, seeds: int, shift: float, verdict: str) -> None:
    values = waves(seeds)
    values[:, 1] = values[:, 0] + 0.1 * (-1.0) ** np.arange(seeds)[:, None] + shift  # as often above as below, or above
    found = fixed_steps(pair(values), iid=iid)
    assert found.verdict == verdict
    assert len(found.comparisons) == 2  # iterates 10 and 20
    assert ("Rejected: train loss at n = 10, train loss at n = 20." in found.measured) == (shift > 0)


@pytest.mark.parametrize("broken", [(), ((2, 10),), ((2, 20),), ((2, 10), (2, 20)), ((1, 20), (4, 10))], ids=str)
@pytest.mark.parametrize("order", [0, 1])
def test_every_seed_that_a_comparison_leaves_out_is_named_once(broken: tuple, order: int) -> None:
    """Iterates 10 and 20 are compared; a path is left out where it is not finite, and its best value everywhere."""
    values = waves(6)
    for seed, n in broken:
        values[seed, order, n] = math.nan
    named = dict.fromkeys(f"seed {seed}: not finite" for n in (10, 20) for seed, at in broken if at == n)
    text = f" Left out, and shown: {'; '.join(named)}." if named else ""
    measured = fixed_steps(pair(values), iid=True).measured
    assert measured.partition(" Left out")[1:] == ("", "") if not text else measured.count(text) == 1
    said = " Left out, and shown: " + "; ".join(sorted(named)) + "."
    found = best(pair(values)).measured
    assert ("Left out" in found) == bool(named)
    assert found.endswith(said) == bool(named)


@pytest.mark.parametrize("lost", ["train_loss", "test_loss"])
def test_a_seed_that_only_the_second_curve_lacks_is_named(lost: str) -> None:
    metrics = {"train_loss": waves(6), "test_loss": waves(6)}
    metrics[lost][3, 0, 15] = math.nan
    both = Pairing(made(metrics), view(metrics=("train_loss", "test_loss")), "forward", "backward")
    assert best(both).measured.endswith(" Left out, and shown: seed 3: not finite.")


def test_steps_that_were_not_recorded_are_not_compared() -> None:
    assert fixed_steps(pair(waves(), compared_at=(41, 99)), iid=True).verdict == "not measured"
    assert len(fixed_steps(pair(waves(), compared_at=(40, 41)), iid=True).comparisons) == 1  # the last one is


def test_recomputed_statistics_are_shown_unless_none_was_measured() -> None:
    """A setting with one recomputed value is shown with it, one without any is not."""
    rng = np.random.default_rng(3)
    paths = 1 + 0.1 * rng.random((2, 2, 3, 6, 4))
    paths[0, ..., 3] = math.nan
    paths[1, 0, 1, 2, 3] = math.nan  # one path of one seed diverges
    about = {"settings": [{"name": "plain", "steps": 60}, {"name": "normed", "steps": 60}], "seeds": 3}
    study = Study("choices", {"n": np.tile(np.arange(10, 70, 10), (2, 1)), "paths": paths}, about)
    names = ["plain", "normed", "normed, statistics recomputed"]
    assert [line[0] for line in choice_table(study)[1]] == names
    found = choice_findings(study)
    assert [row.topic for row in found] == [f"Choices: {name}" for name in names]
    assert "Left out: seed 1: not finite." in found[2].measured
    assert "Left out" not in found[1].measured
    ends = choice_table(study)[1][2][2:4]
    assert all("diverge" not in text for text in ends)  # the last values are all finite


@pytest.mark.parametrize(
    ("order", "last", "start"),
    [
        ("reset-10-20", 20, 10),
        ("reset-10-20", 21, 20),
        ("reset-10-20", 10, 0),
        ("late-10", 10, 0),
        ("late-10", 11, 10),
        ("backward", 50, 0),
        ("forward", 50, 0),
    ],
)
def test_where_the_last_path_begins(order: str, last: int, start: int) -> None:
    assert path_start(order, last) == start


@pytest.mark.parametrize(
    ("n", "gap", "words"),
    [
        ([5], 1, "every iterate"),
        ([0, 4], 4, "every 4th iterate"),
        ([0, 4, 8], 4, "every 4th iterate"),
        ([0, 4, 6], 4, "every 4th iterate"),
        ([0, 4, 9], 0, "3 iterates 4 to 5 apart"),
        ([0, 4, 5, 9], 0, "4 iterates 1 to 4 apart"),
    ],
)
def test_the_gap_between_iterates(n: list[int], gap: int, words: str) -> None:
    assert spacing(np.array(n)) == gap
    assert recorded_grid(np.array(n)) == words


def test_the_experiments_of_hand_made_figures_exist() -> None:
    assert view().experiment in EXPERIMENTS
