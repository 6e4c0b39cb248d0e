"""Files of someone else's where results are expected: one line that names the file and says what is wrong with it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("torch")

from nn_experiments.cli import main
from nn_experiments.datasets.formats import read_arrays
from nn_experiments.datasets.subset import read_subset
from nn_experiments.orders.recording import read_indices
from nn_experiments.results.blocks import read_block
from nn_experiments.results.increments import load_increments
from nn_experiments.results.records import load_record
from nn_experiments.results.studies import Study, find_studies, load_study, study_path


def archive(about: object, **arrays: Any) -> bytes:
    """Return an archive with JSON under ``about``."""
    file = io.BytesIO()
    np.savez(file, about=np.array(json.dumps(about)), **arrays)
    return file.getvalue()


@pytest.mark.parametrize("data", [b"abc", b"", b"\x93NUMPY"], ids=["text", "nothing", "the beginning of an array"])
@pytest.mark.parametrize("read", [load_record, load_study, load_increments, read_block], ids=lambda f: f.__name__)
def test_nobody_is_advised_to_load_a_pickle(tmp_path: Path, data: bytes, read: Callable[[Path], object]) -> None:
    """NumPy takes every unknown file for a pickle, and names the option that executes what is in it."""
    path = tmp_path / "file.npz"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"file\.npz .*it is not an archive of NumPy arrays") as refused:
        read(path)
    assert "pickle" not in str(refused.value)


@pytest.mark.parametrize("read", [read_arrays, read_subset, read_indices], ids=lambda f: f.__name__)
def test_nor_where_data_or_recorded_indices_are_read(tmp_path: Path, read: Callable[[Path], object]) -> None:
    path = tmp_path / "file.npy"
    path.write_bytes(b"abc")
    with pytest.raises(ValueError, match=r"file\.npy.*it is not (an archive of|a) NumPy array") as refused:
        read(path)
    assert "pickle" not in str(refused.value)


def measured(
    starts: list[str], draws: int = 1, at: int = 2, shape: tuple[int, ...] | None = None, **about: Any
) -> bytes:
    """Return a file of increments with two steps of one draw."""
    names = ("parameter", "function", "norm", "loss", "accuracy")
    arrays = {name: np.ones((draws, at, len(starts)) if shape is None else shape) for name in names}
    metadata = {"experiment": {"name": "x", "model": "m"}} | about
    return archive({"starts": starts, "about": metadata}, draws=np.arange(draws), at=np.arange(at), **arrays)


STARTS = ["θ0", "1 ahead", "independent"]
INCREMENTS = {
    "no experiment": (measured(STARTS, experiment={}), "'name'"),
    "no start ahead": (measured(["θ0", "independent"]), "the starts are θ0, independent"),
    "no independent run": (measured(["θ0", "1 ahead"]), "the starts are θ0, 1 ahead"),
    "no draws": (measured(STARTS, draws=0), r"\(0, 2, 3\), or there are none"),
    "another shape": (measured(STARTS, shape=(1, 2, 2)), r"than its draws, steps and starts, \(1, 2, 3\)"),
}


@pytest.mark.parametrize("kind", INCREMENTS)
def test_increments_that_are_not_whole_are_refused(tmp_path: Path, kind: str, capsys) -> None:
    data, said = INCREMENTS[kind]
    path = tmp_path / "increments-x.npz"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"increments-x\.npz does not hold increments \(.*{said}"):
        load_increments(path)
    assert main(["plot", "increments", "--out", str(tmp_path)]) == 2
    assert str(path) in capsys.readouterr().err
    path.write_bytes(measured(STARTS))
    assert load_increments(path).starts == tuple(STARTS)


def test_a_record_whose_arrays_do_not_fit_is_refused(tmp_path: Path) -> None:
    about = {"orders": ["forward", "backward"], "experiment": {"identity": "a"}, "provenance": []}
    path = tmp_path / "regression-square.npz"
    for orders in (1, 2):
        values, marks = np.ones((1, orders, 4)), np.packbits(np.ones((1, orders, 4), bool))
        more = {"metric/loss": values, "recorded/loss": marks}
        path.write_bytes(archive(about, seeds=np.arange(1), iterates=np.arange(4), **more))
        if orders == 2:
            assert load_record(path).orders == ("forward", "backward")
            continue
        with pytest.raises(ValueError, match=r"is not a file of results: a metric has another shape .*\(1, 2, 4\)"):
            load_record(path)


def test_a_study_under_the_name_of_another_is_refused(tmp_path: Path, capsys) -> None:
    path = study_path("atlas", tmp_path)
    Study("quadratics", {}, {}).save(path)
    with pytest.raises(ValueError, match=r"atlas\.npz holds the results of the study 'quadratics'"):
        find_studies([tmp_path])
    assert main(["plot", "atlas", "--out", str(tmp_path)]) == 2
    assert "holds the results of the study 'quadratics'" in capsys.readouterr().err
    Study("atlas", {}, {}).save(path)
    assert main(["plot", "atlas", "--out", str(tmp_path)]) == 2
    assert f"{path} lacks 'runs', which its picture shows" in capsys.readouterr().err
