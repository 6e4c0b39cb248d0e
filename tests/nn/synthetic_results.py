"""A writer of synthetic results: AR(1) paths with known properties, in the layout that
``nn_experiments.load`` reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nn_experiments.paper import catalogue, curve_names
from nn_experiments.results import blocks
from nn_experiments.results.curves import DIAGNOSTICS, Curves
from nn_experiments.training.averages import EMA, Polyak


def write_synthetic(
    out: Path,
    figure: str = "fig4",
    *,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    orders: Sequence[str] | None = None,
    steps: int = 200,
    every: int = 1,
    diagnostics_every: int = 20,
    h: float = 0.1,
    diverges_at: dict[tuple[int, str], int] | None = None,
    identity: str = "synthetic0",
) -> Path:
    """Write results of the scalar quadratic θ ↦ (1 − h)θ + hε for every order; return the identity's folder.

    Loss = ½(θ² + 1), accuracy = exp(−θ²): forward paths wander for ever, backward ones settle exponentially, a
    backward path settles to the value its own seed decides. ``diverges_at`` (seed, order) -> n makes
    everything NaN from iterate n on. Blocks are 64 iterates long, so that loading has to join them.
    """
    entry = catalogue.find(figure)
    experiment = catalogue.EXPERIMENTS[entry.experiment]
    root = out / identity
    blocks.write_settings(
        root,
        {"identity": identity, "experiment": experiment.to_json(), "decides": {"synthetic": h}, "data": {}},
    )
    for seed in seeds:
        noise, more = (np.random.default_rng([seed, k]).standard_normal(steps + 1) for k in (0, 1))
        independent = _path(curve_names.parse("forward"), more, h, 3.0)
        for name in orders if orders is not None else entry.all_orders:
            path = {start: _path(curve_names.parse(name), noise, h, start) for start in (3.0, -2.0)}
            broken = (diverges_at or {}).get((seed, name), steps + 2)
            for kind, step in (("curves", every), ("diagnostics", diagnostics_every)):
                at = np.arange(0, steps + (kind == "curves"), step)
                theta, other, after = path[3.0][at], path[-2.0][at], path[3.0][np.minimum(at + 1, steps)]
                if kind == "curves":
                    values = dict.fromkeys(("train_loss", "test_loss", "newest_batch_loss"), 0.5 * (theta**2 + 1))
                    if "train_accuracy" in entry.metrics or "test_accuracy" in entry.metrics:
                        values |= {m: np.exp(-(theta**2)) for m in ("train_accuracy", "test_accuracy")}
                else:
                    increment, coupling = np.abs(after - theta), np.abs(other - theta)
                    apart, end = np.abs(independent[at] - theta), np.abs(path[3.0][steps] - theta)
                    pairs = [(d, 0.1 * d) for d in (increment, coupling, apart, end)]
                    names = (*DIAGNOSTICS[:6], f"parameter_to_{steps}", f"function_to_{steps}", *DIAGNOSTICS[6:])
                    rows = (*(d for pair in pairs for d in pair), np.abs(theta), np.abs(theta))
                    values = {m: d.copy() for m, d in zip(names, rows, strict=True)}
                for value in values.values():
                    value[at >= broken] = np.nan
                for first in range(0, len(at), 64):
                    part = slice(first, first + 64)
                    block = blocks.Block(at[part], {m: v[part] for m, v in values.items()}, {"device": "synthetic"})
                    blocks.write_block(root, seed, name, block, kind=kind)
    return root


def _path(curve: curve_names.OrderCurve, noise: np.ndarray, h: float, start: float) -> np.ndarray:
    theta = np.empty(len(noise))
    theta[0] = start
    for n in range(1, len(noise)):
        value = theta[curve.order.anchor(n)]
        for t, i in enumerate(reversed(curve.order.word(n)), curve.order.anchor(n) + 1):
            rate = h / (1 + (t - 1) / curve.tau) if isinstance(curve, curve_names.Decayed) else h
            value = (1 - rate) * value + rate * noise[i]
        theta[n] = value
    average = curve.average if isinstance(curve, curve_names.Averaged) else None
    if isinstance(average, Polyak):
        theta[1:] = np.cumsum(theta[1:]) / np.arange(1, len(noise))
    elif isinstance(average, EMA):
        for n in range(1, len(noise)):
            theta[n] = average.beta * theta[n - 1] + (1 - average.beta) * theta[n]
    return theta


def assert_equal(first: Curves, second: Curves) -> None:
    """Assert that two results are equal bit by bit."""
    assert (first.seeds, first.orders) == (second.seeds, second.orders)
    assert np.array_equal(first.iterates, second.iterates)
    assert first.metrics.keys() == second.metrics.keys()
    for name, value in first.metrics.items():
        assert np.array_equal(first.recorded[name], second.recorded[name]), name
        assert value.tobytes() == second[name].tobytes(), name


def write_images(folder: Path, *, train: int, test: int) -> Path:
    """Write random images in CIFAR-10's shape as a data folder, small enough to look at all of them; return it."""
    rng = np.random.default_rng(0)
    parts = {}
    for part, count in (("train", train), ("test", test)):
        parts[f"{part}_images"] = rng.integers(256, size=(count, 32, 32, 3), dtype=np.uint8)
        parts[f"{part}_labels"] = rng.integers(10, size=count, dtype=np.uint8)
    np.savez(folder / "cifar10.npz", **parts)
    return folder
