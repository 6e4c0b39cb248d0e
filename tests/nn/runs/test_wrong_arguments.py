"""Wrong arguments of `run`, of `load` and `plot`, and of a `Trajectory` are refused, with the rule and the value."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import contraction as ct  # noqa: E402
import nn_experiments as nne  # noqa: E402
from tests.nn.refusals import assert_refused  # noqa: E402

MODEL, LOSS = torch.nn.Linear(2, 1), torch.nn.functional.mse_loss
STEP, STATE = nne.from_torch(MODEL, LOSS, torch.optim.SGD(MODEL.parameters(), lr=0.1))
BATCHES = nne.ArrayBatches(torch.ones(4, 2), torch.zeros(4, 1), batch_size=2, seed=0)
PATH = nne.Trajectory(np.arange(2), {"m": np.zeros(2)}, np.arange(2), 1)
ONE = np.zeros((1, 1, 2))
CURVES = nne.Curves((0,), ("forward",), np.arange(2), {"m": ONE}, {"m": np.isfinite(ONE)}, {})


def norm(state: Any) -> torch.Tensor:
    return state["parameters"]["weight"].norm()


def run(folder: Path, **changes: Any) -> Any:
    given = {"state": STATE, "curves": [ct.Backward()], "at": [1], "measure": {"m": norm}, "progress": False}
    return nne.run(STEP, BATCHES, **(given | {"out": folder, "workers": 0} | changes))


STATE_IS = r"\w+(\(0\))? must be a state, a dictionary"
#: Argument -> a right value, a wrong one, the error, and words of its message.
OF_RUN: dict[str, tuple[str, Any, Any, type[Exception], str]] = {
    "no metrics": ("measure", {"m": norm}, {}, ValueError, r"measure names no metric, got \{\}"),
    "workers in words": ("workers", 0, "a", ValueError, "workers must be an integer of at least 0, got 'a'"),
    "half a worker": ("workers", 0, 1.5, ValueError, "workers must be an integer of at least 0, got 1.5"),
    "a time limit in words": ("time_limit", 1000, "a", ValueError, "time_limit must be a number >= 0, got 'a'"),
    "a block in words": ("block_seconds", 1.0, "a", ValueError, "block_seconds must be a number > 0, got 'a'"),
    "a number as the name": ("name", "net", 3, ValueError, "name must begin with a letter or '_', .*; got 3"),
    "a number as the description": (
        "describe",
        {"step": 1},
        3,
        TypeError,
        "describe must map parts of the run .*got 3",
    ),
    "a number as the scheduler": ("dask", None, 3, TypeError, "dask must be the address of a scheduler, .*, got 3"),
    "progress in words": ("progress", False, "x", TypeError, "progress must be True or False, got 'x'"),
    "dry_run in words": ("dry_run", True, "x", TypeError, "dry_run must be True or False, got 'x'"),
    "a function without a state": ("state", lambda seed: STATE, lambda seed: None, TypeError, STATE_IS + ".*NoneType"),
    "a function of another state": (
        "state",
        lambda seed: STATE,
        lambda seed: {"parameters": {"weight": STATE["parameters"]["weight"]}},
        ValueError,
        r"state\(0\) lacks bias of the model",
    ),
    "a function without a seed": (
        "state",
        lambda seed: STATE,
        lambda: STATE,
        TypeError,
        r"state must be a function \(seed\); got one with the arguments \(\)",
    ),
    "a module as the state": ("state", STATE, MODEL, TypeError, STATE_IS + ".*got Linear"),
}


@pytest.mark.parametrize("what", OF_RUN)
def test_an_argument_of_run(what: str, tmp_path: Path) -> None:
    name, right, wrong, error, words = OF_RUN[what]
    with pytest.raises(error, match=words):
        run(tmp_path, **{name: wrong})
    assert not list(tmp_path.iterdir())
    run(tmp_path, **{name: right})


def test_results_need_a_folder_with_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TypeError, match=r"out must be the name of a folder, .*; got ''"):
        run("")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
    run("there")  # type: ignore[arg-type]
    assert [folder.name for folder in tmp_path.iterdir()] == ["there"]


ROWS: dict[str, tuple[Callable[[Any], Any], Any, Any, type[Exception], str]] = {
    "a plot of no metric": (PATH.plot, ["m"], [], ValueError, "there is nothing to draw: no metric is named"),
    "a plot of a number": (PATH.plot, "m", 3, TypeError, "metrics must be a name, or a list of names, got 3"),
    "a plot of no curves": (
        nne.plot,
        CURVES,
        None,
        TypeError,
        "curves must be what nn_experiments.run or load returns",
    ),
}


@pytest.mark.parametrize("what", ROWS)
def test_the_wrong_value_is_refused_and_the_right_one_is_taken(what: str) -> None:
    assert_refused(ROWS[what])


def test_files_need_a_name(tmp_path: Path) -> None:
    PATH.to_csv(tmp_path / "path.csv")
    with pytest.raises(TypeError, match=r"path must be the name of a file, such as 'path.csv', got None"):
        PATH.to_csv(None)  # type: ignore[arg-type]
    CURVES.save(tmp_path / "mine.npz")
    assert nne.load(tmp_path / "mine.npz") == CURVES
    with pytest.raises(TypeError, match=r"source must be a name, such as 'fig4', or a folder or file .*, got None"):
        nne.load(None)  # type: ignore[arg-type]
