"""The analysis at its edges, by hand: ends that are not finite, levels met exactly, second halves of late starts."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from nn_experiments.analysis.paths import settling_time, summarise
from nn_experiments.analysis.run_summary import _untrained, circumstances
from nn_experiments.analysis.seeds import compare
from nn_experiments.analysis.settling import _beyond_drift, evidence, judge_start
from nn_experiments.paper import catalogue
from nn_experiments.report.panels import logarithmic
from nn_experiments.results.curves import Curves


def curves(rows: dict[str, np.ndarray], orders: tuple[str, ...], iterates: np.ndarray) -> Curves:
    """Curves of metrics (S, O, I), all of them recorded."""
    seeds = tuple(range(len(next(iter(rows.values())))))
    recorded = {name: np.ones(values.shape, bool) for name, values in rows.items()}
    return Curves(seeds, orders, iterates, rows, recorded, {})


def test_a_path_whose_last_value_is_not_finite_never_settles():
    n = np.arange(5)
    assert settling_time(n, [1.0, 1.0, 1.0, 1.0, math.nan], 0.1) == math.inf
    assert settling_time(n, [5.0, math.nan, 1.0, 1.0, 1.0], 0.1) == 2
    assert settling_time(n, [3.0, 3.0, 1.0, 9.0, 1.0], 0.1) == 4


def test_the_best_of_nothing_finite_is_at_the_beginning():
    found = summarise([3, 5, 7, 9], [math.nan] * 4, window=10)
    assert (found.best, found.best_at, found.diverged_at) == (math.inf, 3, 3)
    found = summarise([3, 5, 7, 9], [math.nan, 4.0, 2.0, 2.0], window=10)
    assert (found.best, found.best_at, found.diverged_at) == (2.0, 7, 3)


@pytest.mark.parametrize(
    ("jump", "start", "seen"), [(450, 0, False), (500, 0, True), (650, 400, False), (700, 400, True)]
)
def test_the_second_half_of_a_path_begins_at_its_start(jump, start, seen):
    """1000 iterates, still but for one jump: the second half is that from 500 on, or from 700 if it starts at 400."""
    n = np.arange(0, 1001, 50)
    values = np.where(n == jump, 5.0, 1.0)
    assert summarise(n, values, window=200, start=start).tail_diameter == (4.0 if seen else 0.0)
    about = {"space": "parameter", "seed": 0, "order": "late-400", "last": 1000}
    verdict = evidence(distances(jump), **about, start=start).verdict
    assert verdict == ("does not settle by N" if seen else "settles")


def distances(jump: int) -> Curves:
    """One path on iterates 0, 50, …, 950 of 1000, which stands still but for one jump; its twin begins 3 apart."""
    n = np.arange(0, 1000, 50)
    moving = np.where(n == jump, 2.0, 0.0)
    apart = np.where(n == 0, 3.0, 0.01)
    rows = {"increment": moving, "to_last": moving, "coupling": apart, "independent": np.ones(len(n))}
    metrics = {f"parameter_{name}": values[None, None] for name, values in rows.items()}
    return dataclasses.replace(curves(metrics, ("late-400",), n), experiment={"to_last": 1000})


def test_where_two_starts_began_is_told_from_iterate_zero_alone():
    about = {"space": "parameter", "seed": 0, "order": "late-400", "last": 1000}
    found = evidence(distances(50), **about, start=400)
    assert (found.coupling_start, found.coupling, found.scale) == (3.0, 0.01, 1.0)
    whole = distances(50)
    later = dataclasses.replace(
        whole,
        iterates=whole.iterates[1:],
        metrics={name: values[..., 1:] for name, values in whole.metrics.items()},
        recorded={name: values[..., 1:] for name, values in whole.recorded.items()},
    )
    assert evidence(later, **about, start=400).coupling_start is None


@pytest.mark.parametrize(("last", "known"), [(1000, True), (900, False)])
def test_distances_to_another_iterate_are_no_tail(last, known):
    """They were recorded to iterate 1000: of the path up to 900 they say nothing."""
    found = evidence(distances(500), space="parameter", seed=0, order="late-400", last=last)
    assert (found.tail, found.moved is not None, found.travelled) == (
        (2.0, True, 0.0) if known else (None, False, None)
    )
    assert found.increment == 2.0


def test_effects_are_medians_of_differences():
    """Of the differences 5, -1 and 2, not of the values on one side."""
    row = compare("loss", range(3), [10.0, 20.0, 30.0], [5.0, 21.0, 28.0])
    assert row.effect == 2.0
    assert (row.larger, row.smaller) == (2, 1)


def test_a_p_value_at_the_level_rejects():
    row = compare("loss", range(6), [2.0, 3, 4, 5, 6, 7], [1.0] * 6)
    assert row.rejects(row.pvalue or 0)
    assert not row.rejects(np.nextafter(row.pvalue, 0))


@pytest.mark.parametrize(("falls", "said"), [((0.02, 0.05), "by 5.0% of its start"), ((0.02, 0.3), "")])
def test_hardly_trained_is_said_where_no_path_has_trained(falls, said):
    """The largest fall of all paths counts: one that has trained is enough."""
    n = np.arange(1401)
    rows = np.array([[1 - a * n / 1400, 1 - a * n / 2800] for a in falls])
    made = curves({"train_loss": rows, "test_loss": rows}, ("forward", "backward"), n)
    found = circumstances(made, catalogue.find("fig4")).untrained
    assert found == "" if not said else said in found


@pytest.mark.parametrize(
    ("apart", "scale", "verdict"),
    [
        (0.5, 2.0, "undecided"),
        (1.0, 2.0, "does not forget by N"),
        (0.2, 2.0, "forgets"),
        (0.1, 0.2, "does not forget by N"),
    ],
)
def test_two_starts_are_judged_by_parts_of_the_scale(apart, scale, verdict):
    """A tenth of it or less, half of it or more, or between."""
    assert judge_start(apart, scale) == verdict


def test_an_axis_is_logarithmic_where_a_loss_spans_a_factor_of_thirty():
    n = np.arange(4)

    def spans(*values: float) -> bool:
        rows = {"train_loss": np.array([[values]])}
        return logarithmic(curves(rows, ("forward",), n), "train_loss", ("forward",), "auto")

    assert spans(1.0, 2.0, 31.0, 5.0)
    assert not spans(1.0, 2.0, 30.0, 5.0)
    assert not spans(0.0, 2.0, 31.0, 5.0)
    assert not spans(100.0, 100.0, 100.0, 100.0)


@pytest.mark.parametrize(
    ("paths", "most"),
    [
        ([[1.0, 2.0, 0.96]], "4.0%"),  # of the first value, and not of a later one
        ([[1.0, 0.93, 1.5]], "7.0%"),  # to the smallest value on the way
        ([[1.0, 0.96, 0.95], [2.0, 1.98, 1.94]], "5.0%"),  # the largest of two
        ([[0.0, 5.0, 1.0], [1.0, 0.97, 0.98]], "3.0%"),  # from 0 on nothing can fall
        ([[-1.0, -9.0, -9.0], [1.0, 0.97, 0.98]], "3.0%"),
        ([[1.0, 1.5, 2.0]], "0.0%"),
        ([[1.0, 0.96, 0.95], [1.0, 0.5, 0.9]], None),
        ([[0.0, 0.0, 0.0]], None),
    ],
)
def test_how_far_the_training_loss_fell_at_most(paths: list[list[float]], most: str | None) -> None:
    """One path a seed; curves that are not compared do not count, nor does a path with one number."""
    values = np.array([[path, [8.0, 4.0, 2.0]] for path in paths])
    orders, n = ("forward", "polyak"), np.arange(3)
    whole = curves({"train_loss": values}, orders, n)
    said = f"HARDLY TRAINED: the training loss fell by {most} of its start at most" if most else ""
    assert _untrained(whole, ("forward",)) == said
    assert _untrained(whole, orders) == ""
    assert _untrained(curves({"test_loss": values}, orders, n), ("forward",)) == ""
    assert _untrained(curves({"train_loss": values[..., :1]}, orders, n[:1]), ("forward",)) == ""


@pytest.mark.parametrize(("v", "c"), [(0.5, 4.0), (2.0, 0.25), (0.0, 9.0), (1.0, 0.0)])
def test_what_is_beyond_drift_is_the_part_that_does_not_depend_on_the_steps_left(v: float, c: float) -> None:
    """Squared distances v²(N − n)² + c; rounding of numbers below 500, whose root is taken where c is 0."""
    n, last = np.array([2, 3, 7, 8, 11]), 20
    away = np.sqrt(v**2 * (last - n) ** 2 + c)
    assert _beyond_drift(n, away, last) == pytest.approx(np.sqrt(c), rel=1e-9, abs=3e-6)
    assert _beyond_drift(n[:3], away[:3], last) == pytest.approx(np.sqrt(c), rel=1e-9, abs=3e-6)
    assert _beyond_drift(n[:2], away[:2], last) is None
    assert np.isnan(_beyond_drift(n, np.append(away[:-1], np.inf), last))  # type: ignore[arg-type]


def test_distances_that_grow_towards_the_end_have_no_drift() -> None:
    """A line that falls with the steps left would be no path: then all of the mean square is beyond drift."""
    n, last = np.array([2, 4, 6]), 8
    away = np.array([1.0, 2.0, 4.0])
    assert _beyond_drift(n, away, last) == pytest.approx(np.sqrt((1 + 4 + 16) / 3))
    steep = np.array([5.0, 1.0, 0.1])  # the line is below 0 where no steps are left
    assert _beyond_drift(n, steep, last) == 0.0
