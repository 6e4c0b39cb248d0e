"""A trajectory's line, rows, divergence and picture, from values written by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from nn_experiments.engine.trajectory import Trajectory

AT = np.array([0, 3, 1000, 20000])


def path(loss: list[float] | None = None, **more: Any) -> Trajectory:
    values = {"loss": np.array(loss or [4.0, 3.0, 2.0, 1.0]), "w": np.arange(24.0).reshape(4, 2, 3)}
    return Trajectory(AT, more.pop("values", values), 2 * AT, 12345, more.pop("metadata", {}))


@pytest.mark.parametrize(
    ("loss", "diverged"),
    [
        ([1, 2, 3, 4], None),
        ([math.nan, 2, 3, 4], None),  # a batch loss has no value at the start
        ([1, math.nan, 3, 4], 3),
        ([1, 2, math.inf, math.nan], 1000),
        ([1, 2, 3, -math.inf], 20000),
    ],
)
def test_a_path_diverges_at_its_first_number_that_is_not_finite(loss: list[float], diverged: int | None) -> None:
    found = path(loss)
    assert found.diverged == diverged
    assert repr(found) == (
        "Trajectory(4 iterates from 0 to 20,000, metrics loss, w, 12,345 maps applied"
        f"{'' if diverged is None else f', diverged at {diverged}'})"
    )


@pytest.mark.parametrize("metric", ["loss", "w"])
def test_one_number_of_one_metric_is_enough(metric: str) -> None:
    found = path()
    found.values[metric].reshape(4, -1)[2, -1] = math.nan
    assert found.diverged == 1000


def test_the_line_names_the_engine_and_says_where_there_is_no_metric() -> None:
    assert repr(path(values={}, metadata={"engine": "loop"})) == (
        "Trajectory(4 iterates from 0 to 20,000, metrics none, 12,345 maps applied, engine loop)"
    )
    assert path(values={}).diverged is None


def test_rows_have_a_column_for_every_number() -> None:
    rows = list(path().rows())
    names = [f"w[{i}, {j}]" for i in range(2) for j in range(3)]
    assert list(rows[0]) == ["iterate", "gradients", "loss", *names]
    assert [list(row.values()) for row in rows] == [
        [n, 2 * n, 4.0 - k, *range(6 * k, 6 * k + 6)] for k, n in enumerate(AT)
    ]
    assert {type(row["iterate"]) for row in rows} == {type(row["gradients"]) for row in rows} == {int}


def test_metrics_are_asked_for_by_name() -> None:
    assert path()["loss"].tolist() == [4, 3, 2, 1]
    with pytest.raises(KeyError, match="no metric 'x'; there are loss, w"):
        path()["x"]


@pytest.mark.parametrize("name", [3, None, ["path.csv"]], ids=str)
def test_a_table_is_written_to_a_file(name: Any, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"path must be the name of a file, such as 'path\.csv', got "):
        path().to_csv(name)
    path().to_csv(tmp_path / "path.csv")
    path().to_csv(str(tmp_path / "again.csv"))
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "path.csv").read_bytes()


@pytest.mark.parametrize(("count", "dots"), [(9, True), (10, False)])
def test_few_iterates_are_dots(count: int, dots: bool) -> None:
    drawn = Trajectory(np.arange(count), {"a_loss": np.arange(count) * 1.0}, np.arange(count), 1).plot()
    (axis,) = drawn.axes
    assert (axis.lines[0].get_marker() == ".") == dots
    assert axis.get_title() == "a loss"


def test_what_cannot_be_drawn_is_said() -> None:
    with pytest.raises(ValueError, match="there is nothing to draw: no metric is named"):
        path().plot([])
    with pytest.raises(ValueError, match="there is nothing to draw"):
        path(values={}).plot()
    with pytest.raises(TypeError, match="metrics must be a name, or a list of names, got 3"):
        path().plot(3)  # type: ignore[arg-type]
    wide, narrow = path().plot(["loss", "w", "loss"]), path().plot("loss")
    assert [fig.get_size_inches()[0] for fig in (wide, narrow)] == pytest.approx([9.3, 4.2], rel=0.01)


def test_what_made_a_path_is_no_part_of_its_equality() -> None:
    assert path() == path(metadata={"engine": "loop"})
    assert path() != path([4.0, 3.0, 2.0, 1.5])
