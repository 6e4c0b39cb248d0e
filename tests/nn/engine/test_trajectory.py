"""Trajectories as tables and pictures."""

from __future__ import annotations

import csv
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nn_experiments.engine.trajectory import Trajectory  # noqa: E402

PATH = Trajectory(
    np.array([0, 2, 5]),
    {"loss": np.array([1.5, np.nan, 1 / 3]), "weights": np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])},
    np.array([0, 2, 5]),
    7,
)


def test_csv_is_read_back_bit_by_bit(tmp_path: Path) -> None:
    PATH.to_csv(tmp_path / "path.csv")
    with (tmp_path / "path.csv").open() as file:
        header, *rows = csv.reader(file)
    assert header == ["iterate", "gradients", "loss", "weights[0]", "weights[1]"]
    assert [row[:2] for row in rows] == [["0", "0"], ["2", "2"], ["5", "5"]]
    assert np.array([float(row[2]) for row in rows]).tobytes() == PATH["loss"].tobytes()
    assert [float(row[4]) for row in rows] == [2, 4, 6]


def test_a_data_frame_needs_pandas_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError, match=r"needs pandas \(pip install pandas\); to_csv does without"):
        PATH.to_frame()
    asked = types.SimpleNamespace(DataFrame=lambda rows, columns: (rows, columns))
    monkeypatch.setitem(sys.modules, "pandas", asked)
    rows, columns = PATH.to_frame()
    assert columns == ["iterate", "gradients", "loss", "weights[0]", "weights[1]"]
    assert rows[2] == dict(zip(columns, [5, 5, 1 / 3, 5.0, 6.0], strict=True))


def test_the_picture_has_a_panel_for_each_metric_and_a_line_for_each_number() -> None:
    drawn = PATH.plot()
    assert [axis.get_title() for axis in drawn.axes] == ["loss", "weights"]
    assert [len(axis.lines) for axis in drawn.axes] == [1, 2]
    assert drawn.axes[1].lines[1].get_ydata().tolist() == [2, 4, 6]
    assert len(PATH.plot(["loss"]).axes) == 1
    for one in (PATH.plot("loss"), PATH.plot(["loss"])):  # a name is no list of letters
        assert [axis.get_title() for axis in one.axes] == ["loss"]
        assert one.axes[0].get_xlabel() == "n"
        np.testing.assert_array_equal(one.axes[0].lines[0].get_xydata(), np.stack([PATH.at, PATH["loss"]], axis=1))
    with pytest.raises(KeyError, match="no metric 'x'"):
        PATH.plot(["x"])


def test_a_trajectory_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(PATH))["weights"].tolist() == PATH["weights"].tolist()
