"""Synthetic results of one figure, for the tests of drawings and of the command that draws."""

from __future__ import annotations

from pathlib import Path

import pytest

from nn_experiments import load
from nn_experiments.results.curves import Curves
from tests.nn.synthetic_results import write_synthetic


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs")
    write_synthetic(out, "fig4", steps=120, seeds=(0, 1, 2), diverges_at={(1, "forward"): 50, (2, "backward"): 0})
    return out


@pytest.fixture(scope="module")
def curves(folder) -> Curves:
    return load("fig4", out=folder)
