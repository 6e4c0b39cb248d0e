"""Where an optional package is missing, the message has the name that pip installs, and no extra of this package."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

from nn_experiments.datasets.errors import MissingData
from nn_experiments.datasets.sources import SOURCES, fetch
from nn_experiments.datasets.synthetic import digits
from nn_experiments.runs.executors import dask_executor


def test_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "nn_experiments.engine.kernels.mlp_numba", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"needs numba \(pip install numba\)"):
        import_module("nn_experiments.engine.kernels.mlp_numba")


def test_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ModuleNotFoundError, match=r"scikit-learn \(pip install scikit-learn\)"):
        digits()


def test_distributed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ModuleNotFoundError, match=r"\(pip install distributed\)"), dask_executor("nowhere:1"):
        pass


def test_pooch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(MissingData, match=r"pooch, .* is not installed \(pip install pooch\)"):
        fetch("fashion_mnist", SOURCES["fashion_mnist"], tmp_path)
