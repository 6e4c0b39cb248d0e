"""Results in memory on two seeds, two curves and four iterates: what was recorded, diverged, and is written."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from nn_experiments import load
from nn_experiments.results.curves import DIAGNOSTICS, Curves, _some, metric_names

NAN, INF = np.nan, np.inf
AT = np.array([0, 1, 5, 9])


def curves() -> Curves:
    """Return losses that are all recorded, and an accuracy that is recorded at iterates 1 and 9 of seed 7 alone."""
    loss = np.arange(16.0).reshape(2, 2, 4) / 4
    accuracy = np.full((2, 2, 4), NAN)
    accuracy[1, :, [1, 3]] = [[0.25, 0.5], [0.75, 1.0]]
    recorded = {"loss": np.ones((2, 2, 4), bool), "accuracy": ~np.isnan(accuracy)}
    return Curves((3, 7), ("backward", "polyak"), AT, {"loss": loss, "accuracy": accuracy}, recorded, {"identity": "x"})


def test_paths_have_what_was_recorded() -> None:
    whole = curves()
    n, values = whole.path("accuracy", seed=7, order="polyak")
    assert (n.tolist(), values.tolist()) == ([1, 9], [0.5, 1.0])
    assert whole.path("accuracy", seed=3, order="polyak")[0].tolist() == []
    assert whole.path("loss", seed=7, order="backward")[1].tolist() == [2.0, 2.25, 2.5, 2.75]
    assert whole.complete("loss", [0, 9])
    assert not whole.complete("accuracy", [1, 9])
    assert whole.select(seeds=[7]).complete("accuracy", [9, 1])
    assert not whole.select(seeds=[7]).complete("accuracy", [1, 5])
    assert not whole.complete("gone", [0])


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize("metric", ["loss", "parameter_norm"])
def test_the_first_number_that_is_not_finite_is_divergence(bad: float, metric: str) -> None:
    """In any metric but a distance; NaN where nothing was recorded is none."""
    whole = curves()
    values = np.zeros((2, 2, 4))
    values[0, 1, 2:] = bad
    later = np.zeros((2, 2, 4))
    later[0, 1, 3] = bad
    for more in (
        {metric: values},
        {metric: values, "other": later},
        {"a": later, metric: values, "z": later},
        {metric: later, "z": values},
    ):
        one = dataclasses.replace(
            whole,
            metrics={**whole.metrics, **more},
            recorded={**whole.recorded, **{name: np.ones((2, 2, 4), bool) for name in more}},
        )
        assert one.diverged(seed=3, order="polyak") == 5
        assert one.diverged(seed=3, order="backward") is one.diverged(seed=7, order="polyak") is None
    for end in ("increment", "coupling", "independent", "to_last"):
        name = f"parameter_{end}"
        one = dataclasses.replace(
            whole,
            metrics={**whole.metrics, name: values},
            recorded={**whole.recorded, name: np.ones((2, 2, 4), bool)},
        )
        assert one.diverged(seed=3, order="polyak") is None


def test_costs_are_of_an_iterate_or_of_the_path_to_it() -> None:
    whole = curves()
    assert whole.gradients("backward").tolist() == [0, 1, 5, 9]
    assert whole.gradients("backward", path=True).tolist() == [0, 1, 6, 15]
    assert whole.gradients("polyak", path=True).tolist() == [0, 1, 5, 9]
    assert whole.gradients("reset-4").tolist() == [0, 1, 5, 9]
    assert whole.gradients("reset_if_better-loss-3").dtype == np.int64
    with pytest.raises(ValueError, match="depends on its decisions"):
        whole.gradients("reset_if_better-loss-3", path=True)


def test_a_part_has_the_order_that_is_asked_for() -> None:
    part = curves().select(seeds=[7, 3], orders=["polyak"], at=[9, 1, 4], metrics=["loss"])
    assert (part.seeds, part.orders, part.iterates.tolist()) == ((7, 3), ("polyak",), [1, 9])
    assert part["loss"].tolist() == [[[3.25, 3.75]], [[1.25, 1.75]]]
    assert list(part.metrics) == list(part.recorded) == ["loss"]
    assert part.experiment == {"identity": "x"}
    assert curves().select() == curves()
    assert curves().select(seeds=[], orders=[], at=[], metrics=[]).iterates.tolist() == []


def test_rows_have_the_cells_that_were_recorded(tmp_path: Path) -> None:
    """Also those that are NaN; a row without any is left out."""
    whole = curves()
    nothing = whole.recorded["loss"].copy()
    nothing[0, 0, :3] = False
    one = dataclasses.replace(whole, recorded={**whole.recorded, "loss": nothing})
    rows = list(one.rows())
    assert len(rows) == 16 - 3
    assert rows[0] == {"seed": 3, "order": "backward", "iterate": 9, "gradients": 9, "accuracy": None, "loss": 0.75}
    assert rows[2] == {"seed": 7, "order": "backward", "iterate": 1, "gradients": 1, "accuracy": 0.25, "loss": 2.25}
    assert [row["order"] for row in rows] == ["backward"] * 5 + ["polyak"] * 8
    one.to_csv(tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(newline="") as file:
        written = list(csv.DictReader(file))
    assert list(written[0]) == ["seed", "order", "iterate", "gradients", "accuracy", "loss"]
    assert [row["accuracy"] for row in written] == [
        "" if row["accuracy"] is None else str(row["accuracy"]) for row in rows
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_file_of_record_has_everything(dtype: str, tmp_path: Path) -> None:
    """Masks of 16 bits and of 9, which do not fill their last byte."""
    for whole in (curves(), curves().select(at=[0, 1, 9], seeds=[7], metrics=["accuracy"])):
        third = {**whole.metrics, "accuracy": whole["accuracy"] / 3}
        one = dataclasses.replace(whole, metrics=third, provenance=[{"device": "cpu", "blocks": 2}])
        one.save(tmp_path / "one.npz", dtype=dtype)
        back = load(tmp_path / "one.npz")
        assert back.metrics["accuracy"].dtype == np.float64
        rounded = {name: value.astype(dtype).astype(float) for name, value in one.metrics.items()}
        assert back == dataclasses.replace(one, metrics=rounded)
        assert (back == one) == (dtype == "float64")
    one.save(tmp_path / "default.npz")
    assert load(tmp_path / "default.npz")["accuracy"][0, 0, 1] == float(np.float32(0.25 / 3))


def test_names_of_what_a_block_has() -> None:
    losses = ("train_loss", "test_loss")
    batches = ("newest_batch_loss", "outermost_batch_loss")
    accuracies = ("train_accuracy", "test_accuracy")
    assert metric_names("curves", 0, 0, 9) == losses
    assert metric_names("curves", 0, 1, 9) == losses + batches
    assert metric_names("curves", 10, 0, 9) == losses + accuracies
    assert metric_names("curves", 1, 2, 9) == losses + batches + accuracies
    ends = ("parameter_to_9", "function_to_9")
    assert metric_names("diagnostics", 10, 0, 9) == metric_names("diagnostics", 0, 1, 9) == DIAGNOSTICS + ends


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((), "none"),
        ((4,), "4"),
        (tuple(range(10)), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
        (tuple(range(11)), "0, 1 … 10 (11 of them)"),
        ((2, 5, *range(20, 40)), "2, 5 … 39 (22 of them)"),
    ],
    ids=["none", "one", "ten", "eleven", "many"],
)
def test_many_numbers_are_shortened(numbers: tuple[int, ...], text: str) -> None:
    assert _some(numbers) == text
    assert _some((1, 2, 3), 2) == "1, 2 … 3 (3 of them)"
