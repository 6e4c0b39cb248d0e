"""Curves written by hand, and a figure to judge them by."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from nn_experiments.analysis import Pairing
from nn_experiments.paper import catalogue
from nn_experiments.paper.figure import Figure
from nn_experiments.results.curves import Curves


def made(metrics: dict[str, np.ndarray], orders: tuple[str, ...] = ("forward", "backward"), **more: Any) -> Curves:
    """Return curves of metrics (seed, order, iterate), all of them recorded, on iterates 0, 1, … by default."""
    first = next(iter(metrics.values()))
    iterates = more.pop("iterates", np.arange(first.shape[2]))
    recorded = more.pop("recorded", {name: np.ones(v.shape, bool) for name, v in metrics.items()})
    return Curves(tuple(range(len(first))), orders, iterates, metrics, recorded, more.pop("experiment", {}))


def view(**changes: Any) -> Figure:
    """Figure 4 with one curve, the training loss, and a window of ten iterates."""
    about: dict[str, Any] = {"metrics": ("train_loss",), "window": 10, "compared_at": (10, 20)}
    return dataclasses.replace(catalogue.find("fig4"), **(about | changes))


def pair(values: np.ndarray, metric: str = "train_loss", **changes: Any) -> Pairing:
    return Pairing(made({metric: values}), view(metrics=(metric,), **changes), "forward", "backward")


def waves(seeds: int = 5, last: int = 40) -> np.ndarray:
    """Return (seed, order, iterate): 2 plus a falling line plus waves, wider forward than backward."""
    n, rng = np.arange(last + 1), np.random.default_rng(2)
    noise = rng.standard_normal((seeds, 2, last + 1))
    return 2 - 0.01 * n + np.array([0.2, 0.05])[None, :, None] * noise
