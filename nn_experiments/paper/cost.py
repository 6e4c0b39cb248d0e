"""The cost of experiments, and the time they take on this machine (NumPy only, so that `list` is fast)."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Sequence

import numpy as np

from nn_experiments.cores import available_cores
from nn_experiments.paper import curve_names
from nn_experiments.paper.catalogue import EXPERIMENTS, FIGURES, Experiment, Figure

__all__ = [
    "DIAGNOSTIC_EVALUATIONS",
    "clock",
    "curve_cost",
    "figure_rows",
    "figure_seconds",
    "flops_per_item",
    "peak",
    "span",
]

_SIZES = {"digits": (64, 10), "fashion_mnist": (784, 10), "cifar10": (3072, 10), "cifar100": (3072, 100)}
# Multiply-adds of one forward pass on a 32x32 image, counted layer by layer; the first name that matches is used.
_CONVOLUTIONAL = {
    "resnet18-7x7": 37e6,
    "resnet18": 555e6,
    "resnet50-7x7": 83.6e6,
    "resnet50": 1298e6,
    "vgg19-4096": 417e6,
    "vgg19": 398e6,
}
# Fractions of a matrix product's peak speed that training on small batches and evaluating large ones reach.
_TRAINING, _EVALUATION = 0.4, 0.9
#: Training on batches of at least this many items is as near to the peak as evaluation.
_LARGE = 256
#: Number of evaluations for an iterate with diagnostics: predictions of four states and a gradient.
DIAGNOSTIC_EVALUATIONS = 5


def flops_per_item(experiment: Experiment) -> float:
    """Return the floating point operations of one forward pass on one item.

    Raises
    ------
    ValueError
        If the model is unknown.
    """
    match = re.fullmatch(r"mlp-(\d+)x(\d+)", experiment.model)
    if match:
        inputs, outputs = _SIZES.get(experiment.data, (1, 1))
        depth, width = int(match[1]), int(match[2])
        return 2.0 * (inputs * width + (depth - 1) * width**2 + width * outputs)
    for name, count in _CONVOLUTIONAL.items():
        if experiment.model.startswith(name):
            return 2.0 * count
    raise ValueError(f"no estimate for the model {experiment.model!r}")


def peak() -> float:
    """Measure the floating point operations per second of a float32 matrix product on all cores (takes 0.1 s)."""
    matrix = np.ones((768, 768), np.float32)
    product = np.empty_like(matrix)
    np.matmul(matrix, matrix, out=product)
    begin, count = time.perf_counter(), 0
    while time.perf_counter() - begin < 0.1:
        np.matmul(matrix, matrix, out=product)
        count += 1
    return count * 2 * 768**3 / (time.perf_counter() - begin)


def _items(experiment: Experiment) -> int:
    sizes = {"digits": (1438, 359), "fashion_mnist": (60_000, 10_000)}
    train, test = sizes.get(experiment.data, (50_000, 10_000) if experiment.data in _SIZES else (101, 100))
    return min(train, experiment.train_evaluation or train) + min(test, experiment.test_evaluation or test)


def _split_measures(c: int) -> float:
    """Return what an iterate of appendix D costs beside its losses, in steps: gradients in float64 at every order.

    That is one gradient for each beginning of an order, and the Hessian-vector products of the regulariser
    (`nn_experiments.training.order_averaging_measures`); products in float64 take twice the time.
    """
    beginnings = sum(math.perm(c, k) for k in range(1, c + 1))
    return 2 * (beginnings / c - 1 + curve_names.parse("regularised-1").price)


def curve_cost(curve: curve_names.OrderCurve, at: Sequence[int], kind: str, last: int) -> int:
    """Return how many maps iterates of a curve take, with the anchors that they need.

    Parameters
    ----------
    curve
        The curve. For a policy, the result is that of a path without any reset or stop.
    at
        The iterates.
    kind
        ``curves``, or ``diagnostics``: these add iterates n + 1, a second start, an independent forward run, and the
        last iterate.
    last
        The last iterate of the run.
    """
    if kind == "diagnostics":
        with_next = curve.path_cost({*at, *(n + 1 for n in at)})
        return with_next + curve.path_cost(at) + max(at) + curve.path_cost([last])
    if isinstance(curve, curve_names.Averaged):
        return max(at)
    if isinstance(curve, curve_names.Decided):
        return curve.path_cost({*at, *curve.policy.looks_at(max(at))})
    return curve.path_cost(at)


def figure_seconds(figure: Figure, experiment: Experiment, speed: float) -> tuple[int, float]:
    """Return the steps that a figure takes, and an estimate of the seconds, at a speed in operations per second.

    The steps include those of baselines and diagnostics, but not those that several blocks of one path repeat.
    """
    flops, seeds = flops_per_item(experiment), len(figure.seeds)
    overhead = 25e-6  # of a step, whatever its size
    fraction = _TRAINING if experiment.batch_size < _LARGE else _EVALUATION
    step = overhead + 3 * flops * experiment.batch_size / (fraction * speed)
    evaluation = flops * _items(experiment) / (_EVALUATION * speed)
    if experiment.parts:
        evaluation += _split_measures(experiment.parts) * step
    at = [*range(0, figure.steps + 1, figure.every)]
    coarse = [*range(0, figure.steps, figure.diagnostics_every)] if figure.diagnostics_every else []
    iterates: dict[str, set[int]] = {}  # an iterate that two curves share is computed once
    for name in figure.all_orders:
        for n in at:
            iterates.setdefault(curve_names.home(name, n), set()).add(n)
    maps = seconds = 0
    for name, numbers in iterates.items():
        curve = curve_names.parse(name)
        cost = curve_cost(curve, sorted(numbers), "curves", figure.steps)
        maps += seeds * cost
        seconds += seeds * (cost * curve.price * step + len(numbers) * evaluation)
    for curve in map(curve_names.parse, figure.all_orders):
        if coarse and not curve.baseline:
            rare = curve_cost(curve, coarse, "diagnostics", figure.steps)
            maps += seeds * rare
            seconds += seeds * (rare * step + DIAGNOSTIC_EVALUATIONS * len(coarse) * evaluation)
    return maps, seconds


def figure_rows() -> Iterator[str]:
    """Yield the lines of `list`, one per figure, with its settings, cost in steps and expected time."""
    speed = peak()
    cores = available_cores()
    heads = f"{'steps':>7}{'every':>6}{'seeds':>6}  {'steps in all':>13}  {'time':>9}"
    yield f"{'figure':<8}{'experiment':<20}{heads}  orders"
    for figure in FIGURES.values():
        experiment = EXPERIMENTS[figure.experiment]
        yield _row(f"{figure.name:<8}{figure.experiment}", figure, experiment, speed, ", ".join(figure.orders))
        if figure.reduced:
            smaller, changes = figure.smaller()
            what = f"model {changes['model']}" if "model" in changes else "losses on fewer images"
            yield _row(f"{'':<8}  --reduced", smaller, experiment.override(changes), speed, what)
    yield f"time: an estimate for the {cores} cores here, {speed / 1e9:.0f} Gflop/s now; `run --dry-run` measures"


def _row(head: str, figure: Figure, experiment: Experiment, speed: float, tail: str) -> str:
    maps, seconds = figure_seconds(figure, experiment, speed)
    return (
        f"{head:<28}{figure.steps:>7}{figure.every:>6}{len(figure.seeds):>6}  {maps:>13,}  {clock(seconds):>9}  {tail}"
    )


def settings_lines(figure: Figure) -> Iterator[str]:
    """Yield the lines of `list FIGURE`: the experiment, its cost, and notes on what the paper leaves open."""
    experiment = EXPERIMENTS[figure.experiment]
    optimizer = experiment.optimizer
    yield f"{figure.name}: {figure.title} (paper, {figure.section})"
    yield (
        f"  {experiment.model} on {experiment.data}, {experiment.loss}, batch {experiment.batch_size}, "
        f"{optimizer.method} with learning rate {optimizer.learning_rate:g}, {experiment.dtype}"
    )
    yield f"  orders {', '.join(figure.orders)}; baselines {', '.join(figure.baselines)}"
    costs = {
        name: curve_names.parse(name).path_cost([*range(0, figure.steps + 1, figure.every)]) for name in figure.orders
    }
    yield "  steps per seed: " + ", ".join(f"{name} {count:,}" for name, count in costs.items())
    if figure.reduced:
        form = figure.reduced
        fields = ", ".join(f"{name} = {value}" for name, value in form.settings.items())
        yield (
            f"  run {figure.name} --reduced: N = {form.steps:,}, {curve_names.every_iterate(form.every)}, seeds "
            f"{', '.join(map(str, form.seeds))}; {fields}"
        )
    for name, note in experiment.notes.items():
        yield f"  {name} = {getattr(experiment, name)}: {note}"
    yield f"  any of them can be varied: run {figure.name} --set FIELD=VALUE (an unknown FIELD lists those there are)"


def span(seconds: float) -> str:
    """Return a short or long duration as text with a unit and three digits.

    Examples
    --------
    >>> [span(seconds) for seconds in (2.5e-6, 0.0123, 2.5, 61.0, 7200.0)]
    ['2.5 µs', '12.3 ms', '2.5 s', '61 s', '2 h']
    """
    for limit, unit, name in ((1e-3, 1e-6, "µs"), (1.0, 1e-3, "ms"), (90.0, 1.0, "s")):
        if seconds < limit:
            return f"{seconds / unit:.3g} {name}"
    return clock(seconds)


def clock(seconds: float) -> str:
    """Return a duration as text with a unit."""
    for limit, unit, name in ((90, 1, "s"), (5400, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86_400:.0f} days"
