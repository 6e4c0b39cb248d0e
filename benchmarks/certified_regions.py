"""Which trained networks have a certified region: ``python -m benchmarks.certified_regions --data FOLDER``.

Fashion-MNIST (``--data`` holds the files), two or four whitened principal components, a hidden layer of tanh, weight
decay, 12,000 images in fixed batches. With two classes, T-shirts and sandals against trousers and bags: logistic loss,
a problem that one unit does not solve (71 % of the images) and two do (88 %). With three, T-shirts, trousers and
sandals: softmax loss. For each case a row of the table of ``docs/certified-region.md``: the certificate, or the
coordinate that fails. ``--only`` chooses cases by their numbers, ``--figure OUT`` draws the certified bound and both
paths of the case ``FIGURE``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

import contraction as ct
from contraction.families import OwnLossSteps, Reshuffled
from contraction.plots.style import BACKWARD, CLAIM, FORWARD, figure, positive, save, style
from nn_experiments.datasets import load_dataset

POSITIVE, NEGATIVE = (0, 5), (1, 8)  # T-shirts and sandals, trousers and bags
THREE = ((0,), (1,), (5,))
IMAGES, RESTARTS = 12_000, 16


class Case(NamedTuple):
    """A network, its batches, whether they are reshuffled every epoch or drawn independently, and its classes."""

    units: int
    components: int
    decay: float
    batches: int
    h: float
    epochs: bool
    classes: int = 2

    @property
    def dim(self) -> int:
        """The number of parameters: weights and biases of the hidden layer, then those of the output."""
        outputs = 1 if self.classes == 2 else self.classes
        return self.units * (self.components + 1) + outputs * (self.units + 1)


CASES = (
    Case(1, 2, 0.02, 2, 0.1, False),
    Case(1, 2, 0.02, 8, 0.1, False),
    Case(2, 2, 0.02, 2, 0.1, False),
    Case(2, 2, 0.02, 8, 0.05, True),
    Case(3, 2, 0.02, 8, 0.005, True),
    Case(3, 2, 0.02, 8, 0.001, True),
    Case(4, 4, 0.01, 8, 0.002, True),
    Case(4, 4, 0.01, 8, 0.0003, True),
    Case(6, 4, 0.01, 8, 0.0001, True),
    Case(1, 2, 0.02, 2, 0.1, False, 3),
    Case(1, 2, 0.02, 8, 0.002, True, 3),
    Case(1, 2, 0.02, 8, 0.0003, True, 3),
    Case(2, 2, 0.02, 8, 0.02, True, 3),
    Case(2, 2, 0.02, 8, 0.001, True, 3),
)
FIGURE = Case(2, 2, 0.02, 8, 0.05, True)


@lru_cache
def components(data: str, count: int, images: int, classes: int = 2) -> tuple[NDArray, NDArray]:
    """Whitened principal components (images, count) and targets, in a random order of images that is fixed.

    Targets are labels ±1 for two classes, and rows of 0 and one 1 for three.
    """
    whole = load_dataset("fashion_mnist", data_dir=data)
    labels = np.asarray(whole.train_targets)
    groups = (POSITIVE, NEGATIVE) if classes == 2 else THREE
    chosen = np.random.default_rng(0).permutation(np.flatnonzero(np.isin(labels, sum(groups, ()))))[:images]
    X = np.asarray(whole.train_inputs[chosen], dtype=float).reshape(len(chosen), -1)
    X = X - X.mean(axis=0)
    vectors = np.linalg.eigh(X.T @ X)[1][:, ::-1][:, :count]
    Z = X @ vectors
    belongs = np.stack([np.isin(labels[chosen], group) for group in groups], axis=1).astype(float)
    return Z / Z.std(axis=0), belongs if classes > 2 else belongs @ [1.0, -1.0]


def layers(case: Case, theta: NDArray) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """W, b, V, c of c + V tanh(W x + b); V has one row for two classes."""
    u, p = case.units, case.components
    w, b, rest = theta[: u * p].reshape(u, p), theta[u * p : u * (p + 1)], theta[u * (p + 1) :]
    outputs = len(rest) // (u + 1)
    return w, b, rest[: outputs * u].reshape(outputs, u), rest[outputs * u :]


def network(case: Case) -> Callable:
    """The loss of one row, as `OwnLossSteps` takes it."""

    def loss(theta, x, y):
        w, b, v, c = layers(case, theta)
        z = v @ np.tanh(w @ x + b) + c
        return np.log1p(np.exp(-y * z[0])) if case.classes == 2 else np.log(np.sum(np.exp(z))) - y @ z

    return loss


def train(case: Case, X: NDArray, y: NDArray) -> tuple[NDArray, float]:
    """The best of a few minima of the regularised mean loss, and the share of images on the right side."""

    def objective(theta: NDArray, rows: slice) -> tuple[float, NDArray]:
        w, b, v, c = layers(case, theta)
        t = np.tanh(X[rows] @ w.T + b)
        z, target = t @ v.T + c, y[rows]
        if case.classes == 2:
            margin = -target[:, None] * z
            value, slope = np.mean(np.logaddexp(0, margin)), -target[:, None] * special.expit(margin) / len(t)
        else:
            value = np.mean(special.logsumexp(z, axis=1) - np.sum(target * z, axis=1))
            slope = (special.softmax(z, axis=1) - target) / len(t)
        back = slope @ v * (1 - t * t)
        parts = (back.T @ X[rows]).ravel(), back.sum(axis=0), (slope.T @ t).ravel(), slope.sum(axis=0)
        return float(value + case.decay / 2 * theta @ theta), np.concatenate(parts) + case.decay * theta

    def descend(start: NDArray, rows: slice) -> optimize.OptimizeResult:
        return optimize.minimize(objective, start, args=(rows,), jac=True, method="BFGS", options={"gtol": 1e-8})

    starts = [np.random.default_rng(s).standard_normal(case.dim) for s in range(RESTARTS)]
    best = min((descend(start, slice(4000)) for start in starts), key=lambda one: one.fun)
    theta = descend(best.x, slice(None)).x
    w, b, v, c = layers(case, theta)
    z = np.tanh(X @ w.T + b) @ v.T + c
    hits = np.sign(z[:, 0]) == y if case.classes == 2 else np.argmax(z, axis=1) == np.argmax(y, axis=1)
    return theta, float(np.mean(hits))


def steps(case: Case, X: NDArray, y: NDArray) -> OwnLossSteps:
    """The gradient steps of a case."""
    return OwnLossSteps(
        network(case),
        (X, y),
        case.dim,
        h=case.h,
        batches=np.arange(len(X)).reshape(case.batches, -1),
        ridge=case.decay,
        law=Reshuffled if case.epochs else None,
    )


def report(case: Case, data: str, images: int) -> None:
    """Print one row of the table for a case."""
    X, y = components(data, case.components, images, case.classes)
    theta, accuracy = train(case, X, y)
    family = steps(case, X, y)
    try:
        region = ct.find_region(family, theta, rounds=12)
        found = ct.certify(family, region.center, region=region)
        per = "an epoch" if case.epochs else "a map"
        reach = found.constants["reach"].value
        answer = f"certified, 1 - k = {1 - found.k:.3g} {per}, D = {found.D:.2g}, reach {reach:.2g}; "
        answer += f"radii {region.radii.min():.2g} to {region.radii.max():.2g}"
    except ct.NotCertified as failure:
        answer = f"not certified: {failure.hypothesis}"
    order = "reshuffled" if case.epochs else "any"
    print(
        f"| {case.classes} | {case.units} on {case.components} | {case.dim} | {case.decay} | {case.batches} of "
        f"{images // case.batches:,} | {case.h} | {order} | {accuracy:.0%} | {answer} |",
        flush=True,
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
    parser.add_argument("--only", type=int, nargs="*", help="numbers of the cases (default: all)")
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--maps", type=int, default=4000, help="length of the paths of the figure")
    args = parser.parse_args()
    print("| classes | units | parameters | decay | batches | h | order | right | result |")
    print("|---|---|---|---|---|---|---|---|---|")
    for number in range(len(CASES)) if args.only is None else args.only:
        report(CASES[number], args.data, args.images)
    if args.figure:
        draw(args.figure, args.data, args.images, args.maps)


if __name__ == "__main__":
    main()
