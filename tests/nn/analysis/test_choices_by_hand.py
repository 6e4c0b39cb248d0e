"""The study of choices on random paths: deviations about a line, end values and verdicts against plain NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nn_experiments.analysis.choices import RECOMPUTED, TEST, choice_findings, choice_table, deviations
from nn_experiments.results.studies import Study

SEEDS, ITERATES = 6, 9
N = np.array([[3, 5, 6, 9, 12, 13, 17, 18, 20], [40, 50, 60, 70, 80, 90, 100, 110, 120]])


def study() -> Study:
    """Two settings: statistics are recomputed in the second alone, where backward is wilder on two seeds."""
    rng = np.random.default_rng(7)
    wide = np.array([1.0, 0.2])[:, None, None, None]
    paths = np.exp(wide * rng.standard_normal((2, 2, SEEDS, ITERATES, 4)) - 0.02 * N[:, None, None, :, None])
    paths[1, :, 4:] = paths[1, ::-1, 4:]
    paths[0, ..., RECOMPUTED] = math.nan
    about = {"settings": [{"name": "plain", "steps": 20}, {"name": "normed", "steps": 120}], "seeds": SEEDS}
    return Study("choices", {"n": N, "paths": paths}, about)


def about_a_line(n: np.ndarray, path: np.ndarray) -> float:
    """Return the deviation of a path's logarithm about its least-squares line, with I - 2 in the denominator."""
    logs = np.log(path)
    rest = logs - np.polyval(np.polyfit(n, logs, 1), n)
    return math.sqrt(np.sum(rest**2) / (len(n) - 2))


def text(values: Any, digits: int) -> str:
    low, middle, high = (f"{float(f(values)):.{digits}g}" for f in (np.min, np.median, np.max))
    return f"{middle} ({low} to {high})"


@pytest.mark.parametrize("metric", range(4))
@pytest.mark.parametrize("k", [0, 1])
def test_deviations_are_those_of_all_recorded_iterates(k: int, metric: int) -> None:
    made = study()
    found = deviations(made, k, metric)
    if (k, metric) == (0, RECOMPUTED):
        assert np.isnan(found).all()
        return
    expected = [[about_a_line(N[k], path[:, metric]) for path in order] for order in made["paths"][k]]
    assert found == pytest.approx(np.array(expected), rel=1e-9)


def test_without_another_word_the_deviation_is_that_of_the_test_loss() -> None:
    assert np.array_equal(deviations(study(), 1), deviations(study(), 1, TEST))
    assert not np.allclose(deviations(study(), 1), deviations(study(), 1, 0))


def test_the_table_has_last_values_and_ratios_of_deviations() -> None:
    made = study()
    header, rows = choice_table(made)
    names = ["plain", "normed", "normed, statistics recomputed"]
    assert [row[0] for row in rows] == names
    assert len(header) == len(rows[0]) == 6
    for row, (k, metric) in zip(rows, [(0, TEST), (1, TEST), (1, RECOMPUTED)], strict=True):
        forward, backward = deviations(made, k, metric)
        last = made["paths"][k, :, :, ITERATES - 1, metric]
        assert row[1] == ("20", "120")[k]
        assert row[2:4] == (text(last[0], 3), text(last[1], 3))
        assert row[4] == text(forward / backward, 2)
        assert row[5] == f"{int((forward > backward).sum())} of {SEEDS}"


def test_a_finding_says_the_ratio_the_iterates_and_the_verdict() -> None:
    made = study()
    found = choice_findings(made)
    assert [row.topic for row in found] == [
        "Choices: plain",
        "Choices: normed",
        "Choices: normed, statistics recomputed",
    ]
    for row, (k, metric) in zip(found, [(0, TEST), (1, TEST), (1, RECOMPUTED)], strict=True):
        forward, backward = deviations(made, k, metric)
        more = int((forward > backward).sum())
        assert f"iterates {N[k, 0]} to {N[k, -1]} (9 recorded): {text(forward / backward, 2)}. " in row.measured
        assert row.measured.endswith(f"Backward is less variable on {more} of 6 seeds.")
        assert row.verdict == ("agrees" if more == 6 else f"mixed: {more} of 6")
        assert row.comparisons[0].reference == tuple(forward)
        assert row.comparisons[0].what == (
            f"deviation of the log test loss{', statistics recomputed' if metric == RECOMPUTED else ''}, "
            f"{made.about['settings'][k]['name']}"
        )
        assert row.test == f"exact sign-flip test, two-sided: p = {row.comparisons[0].pvalue:.3g}"


@pytest.mark.parametrize(
    ("lost", "forward", "last"),
    [(0, None, None), (2, 4, "2 of 6 diverge"), (6, 0, "6 of 6 diverge")],
)
def test_seeds_that_diverge_are_counted_beside_the_others(lost: int, forward: int | None, last: str | None) -> None:
    made = study()
    paths = np.array(made["paths"])
    paths[1, 0, :lost, -1, TEST] = math.nan
    row = choice_table(Study("choices", {"n": N, "paths": paths}, made.about))[1][1]
    ends = paths[1, 0, lost:, -1, TEST]
    shown = text(ends, 3) if lost < 6 else ""
    assert row[2] == "; ".join(part for part in (shown, last or "") if part)
    assert row[4] == (text(np.divide(*deviations(made, 1))[lost:], 2) if lost < 6 else "diverges")
    assert "diverge" not in row[3]
    found = choice_findings(Study("choices", {"n": N, "paths": paths}, made.about))[1]
    assert ("Left out: seed 0: not finite; seed 1: not finite" in found.measured) == (lost > 0)
    assert (found.test == "not finite") == (lost == 6)
    assert forward is None or len(found.comparisons[0].seeds) == forward
