"""Numbers of the recorded findings, compared with plain NumPy on the arrays themselves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nn_experiments import load
from nn_experiments.analysis import Pairing
from nn_experiments.analysis.passages import passages
from nn_experiments.analysis.variability import law_shares, variability
from nn_experiments.paper import catalogue

RESULTS = Path(__file__).parents[3] / "results"


def arrays(name: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Return n (K,) and values (seed, order, K) of forward and backward, straight from the file."""
    with np.load(RESULTS / f"{name}.npz", allow_pickle=False) as file:
        orders = json.loads(str(file["about"]))["orders"]
        values = file[f"metric/{metric}"].astype(float)
        recorded = np.unpackbits(file[f"recorded/{metric}"], count=values.size).reshape(values.shape).astype(bool)
        places = [orders.index(order) for order in ("forward", "backward")]
        kept = recorded[:, places].all((0, 1))
        return file["iterates"][kept], values[:, places][:, :, kept]


def pairing(figure: str) -> Pairing:
    entry = catalogue.find(figure)
    return Pairing(load(figure, out=RESULTS), entry, "forward", "backward")


def residuals(n: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the residuals of lines through (…, K)."""
    design = np.stack([np.ones(len(n)), n], 1)
    fit, *_ = np.linalg.lstsq(design, np.moveaxis(values, -1, 0).reshape(len(n), -1), rcond=None)
    return values - np.moveaxis((design @ fit).reshape(len(n), *values.shape[:-1]), 0, -1)


@pytest.mark.parametrize(
    ("figure", "name", "metric", "logarithm"),
    [
        ("fig4", "regression-square", "train_loss", True),
        ("fig6", "regression-cube", "test_loss", True),
        ("fig7", "mlp-fashion", "test_accuracy", False),
        ("fig7", "mlp-fashion", "train_loss", True),
    ],
)
def test_shares_of_the_law_are_those_of_plain_numpy(figure, name, metric, logarithm):
    """Deviation within a path over that between seeds, one denominator for both orders."""
    n, values = arrays(name, metric)
    kept = n > n[-1] - 200
    v = np.log(values[..., kept]) if logarithm else values[..., kept]
    within = np.sqrt(((residuals(n[kept], v) ** 2).sum(-1) / (kept.sum() - 2)).mean(0))
    between = np.sqrt(v.var(axis=0, ddof=1).mean())
    assert law_shares(pairing(figure), metric) == pytest.approx(tuple(within / between))


def test_deviations_of_logarithms_are_those_of_plain_numpy():
    n, values = arrays("regression-square", "train_loss")
    kept = n > n[-1] - 200
    v = np.log(values[..., kept])
    deviation = np.sqrt((residuals(n[kept], v) ** 2).sum(-1) / (kept.sum() - 2))
    row = variability(pairing("fig4"), "", "")[0]
    main = row.comparisons[0]
    assert main.what.startswith("deviation of the logarithm")
    assert main.reference == pytest.approx(tuple(deviation[:, 0]))
    assert main.other == pytest.approx(tuple(deviation[:, 1]))
    change = row.comparisons[2]
    steps = np.sqrt(np.mean(np.diff(values[..., kept], axis=-1) ** 2, axis=-1))
    assert change.what.startswith("root-mean-square change")
    assert change.reference == pytest.approx(tuple(steps[:, 0]))
    ratios = deviation[:, 0] / deviation[:, 1]
    assert f"{np.median(ratios):.2g} ({ratios.min():.2g} to {ratios.max():.2g})" in row.measured
    longer = n > n[-1] - 700
    wide = np.sqrt((residuals(n[longer], np.log(values[..., longer])) ** 2).sum(-1))
    assert f"{np.median(wide[:, 0] / wide[:, 1]):.2g} on the last 700" in row.measured


@pytest.mark.parametrize(("figure", "name"), [("fig4", "regression-square"), ("fig5", "regression-cosine")])
def test_passages_are_those_of_plain_numpy(figure, name):
    """First and last passage below .9, .5, .1 and .01 of the start, over all curves and seeds."""
    counts = {"first": np.zeros(3, int), "last": np.zeros(3, int)}
    for metric in ("train_loss", "test_loss"):
        n, values = arrays(name, metric)
        for q in (0.9, 0.5, 0.1, 0.01):
            below = values <= q * values[:, :, :1]
            if not below.any():
                continue
            for which in counts:
                times = np.full(below.shape[:2], np.inf)
                for s, o in np.ndindex(times.shape):
                    for i in range(len(n)):
                        if below[s, o, i] and (which == "first" or below[s, o, i:].all()):
                            times[s, o] = n[i]
                            break
                sooner = (times[:, 1] < times[:, 0]).sum()
                later = (times[:, 1] > times[:, 0]).sum()
                counts[which] += (sooner, later, len(times) - sooner - later)
    for finding, which in zip(passages(pairing(figure)), counts, strict=True):
        sooner, later, equal = counts[which]
        assert finding.verdict.endswith(f"{sooner} sooner, {later} later, {equal} equal")


@pytest.mark.control
def test_the_two_passages_favour_opposite_orders():
    """x²: backward is below a value later the first time, and stays below it sooner, in most comparisons."""
    first, last = passages(pairing("fig4"))
    sooner = [sum(row.larger for row in finding.comparisons) for finding in (first, last)]
    later = [sum(row.smaller for row in finding.comparisons) for finding in (first, last)]
    assert sooner[0] < later[0]
    assert sooner[1] > later[1]
