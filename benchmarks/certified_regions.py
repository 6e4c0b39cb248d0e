"""Which trained networks have a certified region: ``python -m benchmarks.certified_regions --data FOLDER``.

T-shirts and sandals against trousers and bags of Fashion-MNIST (``--data`` holds the files), two whitened principal
components, a hidden layer of tanh, logistic loss, weight decay, 12,000 images in fixed batches: a problem that one unit
does not solve (71 % of the images) and two do (88 %). For each case the search for a box, the certificate or the
coordinate that fails, and the seconds; then logistic regression on hundreds of components, on balls. ``--only`` chooses
cases by their numbers, and ``--figure OUT`` draws the certified bound and both paths of the case ``FIGURE``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

import contraction as ct
from contraction.families import GradientSteps, OwnLossSteps, Reshuffled, RidgeLogisticLoss
from contraction.plots.style import BACKWARD, CLAIM, FORWARD, figure, positive, save, style
from nn_experiments.datasets import load_dataset

POSITIVE, NEGATIVE = (0, 5), (1, 8)  # T-shirts and sandals, trousers and bags
IMAGES, RESTARTS = 12_000, 16


class Case(NamedTuple):
    """A network, its batches, and whether they are reshuffled every epoch or drawn independently."""

    units: int
    components: int
    decay: float
    batches: int
    h: float
    epochs: bool


CASES = (
    Case(1, 2, 0.02, 2, 0.1, False),
    Case(1, 2, 0.02, 8, 0.1, False),
    Case(2, 2, 0.02, 2, 0.1, False),
    Case(2, 2, 0.02, 4, 0.1, False),
    Case(2, 2, 0.02, 8, 0.05, True),
    Case(2, 2, 0.02, 60, 0.005, True),
    Case(3, 2, 0.02, 2, 0.1, False),
    Case(3, 2, 0.02, 8, 0.001, True),
    Case(4, 2, 0.01, 8, 0.0005, True),
    Case(4, 4, 0.01, 8, 0.0003, True),
)
FIGURE = Case(2, 2, 0.02, 8, 0.05, True)


@lru_cache
def components(data: str, count: int, images: int) -> tuple[NDArray, NDArray]:
    """Whitened principal components (images, count) and labels ±1, in a random order of images that is fixed."""
    whole = load_dataset("fashion_mnist", data_dir=data)
    labels = np.asarray(whole.train_targets)
    chosen = np.random.default_rng(0).permutation(np.flatnonzero(np.isin(labels, POSITIVE + NEGATIVE)))[:images]
    X = np.asarray(whole.train_inputs[chosen], dtype=float).reshape(len(chosen), -1)
    X = X - X.mean(axis=0)
    vectors = np.linalg.eigh(X.T @ X)[1][:, ::-1][:, :count]
    Z = X @ vectors
    return Z / Z.std(axis=0), np.where(np.isin(labels[chosen], POSITIVE), 1.0, -1.0)


def network(units: int, inputs: int) -> Callable:
    """The logistic loss of one row, as `OwnLossSteps` takes it."""

    def loss(theta, x, y):
        w, b = theta[: units * inputs].reshape(units, inputs), theta[units * inputs : units * (inputs + 1)]
        v, c = theta[units * (inputs + 1) : -1], theta[-1]
        return np.log1p(np.exp(-y * (v @ np.tanh(w @ x + b) + c)))

    return loss


def train(case: Case, X: NDArray, y: NDArray) -> tuple[NDArray, float]:
    """The best of a few minima of the regularised mean loss, and the share of images on the right side."""
    u, p = case.units, case.components

    def objective(theta: NDArray, rows: slice) -> tuple[float, NDArray]:
        w, b, v, c = theta[: u * p].reshape(u, p), theta[u * p : u * (p + 1)], theta[u * (p + 1) : -1], theta[-1]
        t = np.tanh(X[rows] @ w.T + b)
        margin = -y[rows] * (t @ v + c)
        slope = -y[rows] / (1 + np.exp(-margin)) / len(t)
        back = slope[:, None] * v * (1 - t * t)
        parts = (back.T @ X[rows]).ravel(), back.sum(axis=0), t.T @ slope, [slope.sum()]
        value = np.mean(np.logaddexp(0, margin)) + case.decay / 2 * theta @ theta
        return float(value), np.concatenate(parts) + case.decay * theta

    def descend(start: NDArray, rows: slice) -> optimize.OptimizeResult:
        return optimize.minimize(objective, start, args=(rows,), jac=True, method="BFGS", options={"gtol": 1e-8})

    starts = [np.random.default_rng(s).standard_normal(u * (p + 2) + 1) for s in range(RESTARTS)]
    best = min((descend(start, slice(4000)) for start in starts), key=lambda one: one.fun)
    theta = descend(best.x, slice(None)).x
    output = np.tanh(X @ theta[: u * p].reshape(u, p).T + theta[u * p : u * (p + 1)]) @ theta[u * (p + 1) : -1]
    return theta, float(np.mean(np.sign(output + theta[-1]) == y))


def steps(case: Case, X: NDArray, y: NDArray) -> OwnLossSteps:
    """The gradient steps of a case."""
    return OwnLossSteps(
        network(case.units, case.components),
        (X, y),
        case.units * (case.components + 2) + 1,
        h=case.h,
        batches=np.arange(len(X)).reshape(case.batches, -1),
        ridge=case.decay,
        law=Reshuffled if case.epochs else None,
    )


def report(case: Case, data: str, images: int) -> None:
    """Print one line for a case."""
    X, y = components(data, case.components, images)
    theta, accuracy = train(case, X, y)
    family, start = steps(case, X, y), time.perf_counter()
    try:
        region = ct.find_region(family, theta, rounds=12)
        found = ct.certify(family, region.center, region=region)
        answer = f"k = {found.k:.6f}, {found.hypotheses[1]}, radii {region.radii.min():.2g} … {region.radii.max():.2g}"
    except ct.NotCertified as failure:
        answer = f"not certified: {failure.hypothesis}"
    seconds = time.perf_counter() - start
    print(f"{case}, d = {family.dim}, {accuracy:.3f} right: {answer} ({seconds:.0f} s)", flush=True)


def report_logistic(data: str, images: int, count: int = 200, batches: int = 10, decay: float = 0.01) -> None:
    """Logistic regression on many components: the factor everywhere, and on the smallest invariant ball."""
    X, y = components(data, count, images)
    loss = RidgeLogisticLoss(X, y, decay)
    rows = np.arange(len(X)).reshape(batches, -1)
    family = GradientSteps(loss, 0.1, batches=rows)
    everything = np.arange(len(X))
    theta = optimize.minimize(
        lambda t: (float(loss.loss(t, everything)), loss.gradient(t, everything)), np.zeros(count), jac=True, tol=1e-9
    ).x
    whole = ct.certify(family, theta)
    for radius in np.geomspace(0.01, 100, 25):
        try:
            local = ct.certify(family, theta, ball=float(radius))
        except ct.NotCertified:
            continue
        n = whole.steps(1e-6), local.steps(1e-6)
        print(
            f"logistic regression, d = {count}, {batches} batches, decay {decay}: 1 - k = {1 - whole.k:.3g} everywhere "
            f"and {1 - local.k:.3g} on the ball of radius {radius:.3g}; {n[0]} and {n[1]} maps to 1e-6",
            flush=True,
        )
        return
    print(
        f"logistic regression, d = {count}: no invariant ball of radius up to 100; 1 - k = {1 - whole.k:.3g} everywhere"
    )


def draw(folder: Path, data: str, images: int, maps: int, seed: int = 0) -> None:
    """The certified bound and measured distances; how far out in the box both paths are, at the ends of epochs."""
    X, y = components(data, FIGURE.components, images)
    family, N = steps(FIGURE, X, y), FIGURE.batches
    region = ct.find_region(family, train(FIGURE, X, y)[0])
    start = region.center
    found = ct.certify(family, start, region=region)
    at = np.arange(0, maps + 1, N)
    backward_at = np.unique(np.r_[0, np.geomspace(N, maps, 40).astype(int) // N * N])
    operators = family.sample(maps, seed)
    backward = ct.backward_iterates(operators, start, at=backward_at)
    forward = ct.forward_iterates(operators, start, at=at)
    with style():
        fig, (left, right) = figure(1, 2)
        left.semilogy(at, found.bound(at), color=CLAIM, linestyle="--", label="certified")
        gap = np.linalg.norm(backward - backward[-1], axis=1)
        left.semilogy(backward_at, positive(gap), color=BACKWARD, label="backward")
        away = np.linalg.norm(forward - backward[-1], axis=1)
        left.semilogy(at, away, color=FORWARD, linestyle=":", label="forward")
        left.set(xlabel="maps n", ylabel="distance to the last backward iterate")
        left.legend()
        for n, path, color, line in ((at, forward, FORWARD, ":"), (backward_at, backward, BACKWARD, "-")):
            right.semilogy(
                n, positive(np.max(np.abs(region.coordinates(path)) / region.radii, axis=1)), line, color=color
            )
        right.axhline(1.0, color=CLAIM, linestyle="--")
        right.set(xlabel="maps n", ylabel="largest $|u_j|/r_j$ (edge of the box: 1)")
    save(fig, folder, "certified-region")


def main() -> None:
    """Run the cases asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="the folder with the files of Fashion-MNIST")
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--only", type=int, nargs="*", help="numbers of the cases; -1 for logistic regression")
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--maps", type=int, default=4000, help="length of the paths of the figure")
    args = parser.parse_args()
    wanted = [*range(len(CASES)), -1] if args.only is None else args.only
    for number in wanted:
        if number == -1:
            report_logistic(args.data, args.images)
        else:
            report(CASES[number], args.data, args.images)
    if args.figure:
        draw(args.figure, args.data, args.images, args.maps)


if __name__ == "__main__":
    main()
