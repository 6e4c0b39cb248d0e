"""The order-averaging regulariser against plain SGD where each has the same choice of learning rates (torch).

Digits, two hidden layers of 100, batches of 256 images cut into c parts: one learning rate for each curve would decide
the comparison, since the regularised step moves at another rate than the paper's baselines. Every curve is run at every
rate of one grid, for as many steps and for as many multiply-adds. The top eigenvalue Λ of the batch's Hessian says
where the regularised step should be unstable: along its eigenvector the step multiplies by

    1 − hΛ + λ c(c − 1) Λ²

if the parts' Hessians are equal (row 66 of the audit has c = 2), which is above 1 for λ > h/(c(c − 1)Λ).

The derivation expands fields that are differentiable. The gradient of a ReLU network jumps where a unit switches on for
one of the images, which a step of ordinary size does to many; ``expansion`` says how much of T_perm − T_large is then
second order, for ReLU and for tanh.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from nn_experiments.paper import curve_names
from nn_experiments.paper.catalogue import EXPERIMENTS
from nn_experiments.results.studies import Study
from nn_experiments.runs.setup import Workplace, prepare
from nn_experiments.studies.made import Making
from nn_experiments.training.order_averaging_measures import order_averaging_measures
from nn_experiments.training.step import State
from nn_experiments.training.vector_fields import Layout, loss_fields, module_loss

__all__ = ["CURVES", "PARTS", "RATES", "run", "run_curves", "top_eigenvalue"]

PARTS = (2, 4)
RATES = (0.003125, 0.0125, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8)
#: λ of the paper's multiples and beyond; of the mean over all orders; the term of one order.
CURVES = (
    "forward",
    "small",
    "regularised-1-derived",
    "single_order-1-derived",
    "regularised-0.5",
    "regularised-1",
    "regularised-2",
    "regularised-4",
    "regularised-16",
)
STEPS, BATCH, ITERATIONS = 300, 256, 60
ACTIVATIONS, SIZES = ("relu", "tanh"), (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
_NAMES = ("train_loss", "test_loss", "train_accuracy", "test_accuracy")


def run(
    out: Path,
    *,
    seeds: int = 6,
    rates: Sequence[float] = RATES,
    curves: Sequence[str] = CURVES,
    parts: Sequence[int] = PARTS,
    steps: int = STEPS,
    data_dir: str | None = None,
    report: Callable[[str], object] | None = None,
) -> Study:
    """Compute what is missing and return the study.

    Parameters
    ----------
    out
        Folder of the parts, one for each seed, c and learning rate.
    seeds
        Seeds 0, 1, … .
    rates, curves, parts, steps
        Learning rates h, names of curves, values of c, and the number of plain steps.
    data_dir
        Not used: the digits are embedded.
    report
        Called with a line after each part.

    Returns
    -------
    Study
        ``ends`` (c, rate, curve, seed, 2, 4): train loss, test loss, train error, test error after ``steps`` steps, and
        after the steps of as many multiply-adds; ``eigenvalue`` (c, rate, seed, 2): Λ at θ_0 and at the end of plain
        SGD (NaN where that has diverged); ``expansion`` (activation, step size, seed, 2): cosine of T_perm − T_large
        and the regulariser, and the part of its norm that the derived λ leaves, at θ_0 with c = 2.
    """
    making = Making()
    ends = np.empty((len(parts), len(rates), len(curves), seeds, 2, 4))
    eigenvalue = np.empty((len(parts), len(rates), seeds, 2))
    for a, c in enumerate(parts):
        for b, rate in enumerate(rates):
            for seed in range(seeds):
                about = {"c": c, "rate": rate, "seed": seed, "curves": list(curves), "steps": steps, "batch": BATCH}
                path = out / "order-averaging.parts" / f"{c}-{rate:g}-{seed}.npz"
                part = making.part(path, about, lambda c=c, h=rate, k=seed: _part(c, h, k, curves, steps))
                ends[a, b, :, seed], eigenvalue[a, b, seed] = part["ends"], part["eigenvalue"]
                if report:
                    report(f"c = {c}, h = {rate:g}, seed {seed}")
    about = {"parts": list(parts), "rates": list(rates), "curves": list(curves), "seeds": seeds, "steps": steps}
    expansion = np.array(
        [[[_expansion(*setting, seed) for seed in range(seeds)] for setting in row] for row in _settings()]
    )
    prices = [curve_names.parse(name).price for name in curves]
    return Study(
        "order-averaging",
        {"ends": ends, "eigenvalue": eigenvalue, "expansion": expansion},
        about | {"batch": BATCH, "prices": prices, "activations": ACTIVATIONS, "sizes": SIZES} | making.about(),
    )


def _settings() -> list[list[tuple[str, float]]]:
    return [[(activation, h) for h in SIZES] for activation in ACTIVATIONS]


def _expansion(activation: str, h: float, seed: int) -> tuple[float, float]:
    changes = {"batch_size": str(BATCH), "parts": "2", "activation": activation, "initialisation": "he_normal"}
    place = prepare(EXPERIMENTS["mlp-digits"].override(changes), seed)
    loss = module_loss(place.model, place.step.loss)
    measures = order_averaging_measures(loss, place.state0["parameters"], place.batches(1), c=2, h=h)
    return measures["orders_alignment_cosine"], measures["orders_remainder"] / measures["orders_norm"]


def _part(c: int, rate: float, seed: int, curves: Sequence[str], steps: int) -> dict[str, np.ndarray]:
    changes = {"batch_size": str(BATCH), "parts": str(c), "learning_rate": str(rate), "initialisation": "he_normal"}
    return run_curves(prepare(EXPERIMENTS["mlp-digits"].override(changes), seed), curves, steps)


def run_curves(
    place: Workplace, curves: Sequence[str], steps: int, *, iterations: int = ITERATIONS
) -> dict[str, np.ndarray]:
    """Run the curves of one seed at one learning rate.

    Parameters
    ----------
    place
        The network, its batches and its start.
    curves
        Names of curves, ``forward`` among them if Λ at the end is wanted.
    steps
        Number of plain steps.
    iterations
        As in `top_eigenvalue`.

    Returns
    -------
    dict of str to ndarray
        ``ends`` (curve, 2, 4) and ``eigenvalue`` (2,), one entry of the arrays that `run` describes.
    """
    ends = np.full((len(curves), 2, 4), np.nan)
    after: State | None = None
    for k, name in enumerate(curves):
        curve = curve_names.parse(name)
        kernel, state, done = place.kernel(curve, "auto"), place.state0, 0
        for column, last in ((1, int(steps / curve.price)), (0, steps)):
            state, done = kernel.apply(state, range(done + 1, last + 1), done), last
            ends[k, column] = _numbers(place, state)
        after = state if name == "forward" else after
    eigenvalues = [top_eigenvalue(place, place.state0, iterations=iterations), np.nan]
    if after is not None and np.isfinite(ends[curves.index("forward"), 0]).all():
        eigenvalues[1] = top_eigenvalue(place, after, iterations=iterations)
    return {"ends": ends, "eigenvalue": np.array(eigenvalues)}


def _numbers(place: Workplace, state: State) -> list[float]:
    values = place.evaluation(state, None, None)
    numbers = [float(values[name]) for name in _NAMES]
    return [*numbers[:2], 1 - numbers[2], 1 - numbers[3]]


def top_eigenvalue(place: Workplace, state: State, *, iterations: int = ITERATIONS) -> float:
    """Return the eigenvalue of the Hessian of B_1's loss at a state that is largest in absolute value.

    Power iteration in float64 from a fixed vector; with a gap of a tenth to the next one, 60 iterations leave a
    relative error of 1e-5 (the Rayleigh quotient's is the square of the vector's).

    Parameters
    ----------
    place
        Whose loss and batches.
    state
        Where.
    iterations
        Number of Hessian-vector products.
    """
    batch = place.batches(1)
    inputs = batch.inputs.double()
    targets = batch.targets.double() if batch.targets.is_floating_point() else batch.targets
    double = {name: value.double() for name, value in state["parameters"].items()}
    layout = Layout.of(double)
    (field,) = loss_fields(module_loss(place.model, place.step.loss), [(inputs, targets)], layout)
    theta = layout.flatten(double)
    _, product = field.linearized(theta)
    vector = torch.from_numpy(np.random.default_rng(0).standard_normal(len(theta)))
    value = 0.0
    for _ in range(iterations):
        vector = vector / vector.norm()
        moved = -product(vector)  # the field is minus the gradient
        value, vector = float(vector @ moved), moved
    return value
