"""Convex losses at real size, certified: ``python -m benchmarks.convex_certificates --data FOLDER``.

Fashion-MNIST (``--data`` holds the files, ``--images`` says how many training images are used), in fixed batches of
3,000, one of which is drawn for every map:

- ``logistic``: T-shirts and sandals against trousers and bags on all 784 pixels and a bias, 785 parameters;
- ``softmax``: all ten classes on all pixels and a bias, 7,850 parameters;
- ``probe``: all ten classes on the 64 features of the last hidden layer of a network that is trained here
  (784-256-64-10, tanh, three epochs of Adam) and then frozen, 650 parameters.

For each: k and D, which ``ct.certify(family, theta0, rigorous=True)`` proves with outward rounding, and the largest
curvature M that it uses; the share of images on the right side; how many maps bring the bound below ``EPS``; backward
distances to the last iterate and the largest ratio to their bound; and where the forward iterates are in the second
half of their path, in distances to the limit.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import optimize

import contraction as ct
from benchmarks.certified_regions import NEGATIVE, POSITIVE
from contraction.families import DataLoss, GradientSteps, RidgeLogisticLoss, RidgeSoftmaxLoss
from nn_experiments.datasets import load_dataset

BATCH, EPS = 3000, 1e-2  # images of a batch; the limit is certified to this distance


class Problem(NamedTuple):
    """Data and labels to a loss, and the learning rate."""

    loss: Callable[[NDArray, NDArray], DataLoss]
    h: float


PROBLEMS = {
    "logistic": Problem(lambda X, y: two_sides(X, y, 0.05), 0.2),
    "probe": Problem(lambda X, y: RidgeSoftmaxLoss(with_bias(features(X, y)), y, 0.05), 0.05),
    "softmax": Problem(lambda X, y: RidgeSoftmaxLoss(with_bias(X), y, 0.05), 0.1),
}


def images(data: str) -> tuple[NDArray, NDArray]:
    """Return pixels (60000, 784) in [0, 1] minus their means, and labels 0 … 9, in a random order that is fixed."""
    whole = load_dataset("fashion_mnist", data_dir=data)
    order = np.random.default_rng(0).permutation(len(whole.train_targets))
    X = np.asarray(whole.train_inputs[order], dtype=float).reshape(len(order), -1) / 255
    return X - X.mean(axis=0), np.asarray(whole.train_targets)[order]


def with_bias(X: NDArray) -> NDArray:
    """Return rows with a last entry 1."""
    return np.hstack([X, np.ones((len(X), 1))])


def two_sides(X: NDArray, y: NDArray, decay: float) -> RidgeLogisticLoss:
    """Logistic regression of four classes in two pairs."""
    return RidgeLogisticLoss(with_bias(X), np.where(np.isin(y, POSITIVE), 1.0, -1.0), decay)


def features(X: NDArray, y: NDArray, epochs: int = 3, seed: int = 0) -> NDArray:
    """The last hidden layer (n, 64) of a network that is trained on all images, centred and with deviations 1."""
    torch.manual_seed(seed)
    hidden = torch.nn.Sequential(
        torch.nn.Linear(X.shape[1], 256), torch.nn.Tanh(), torch.nn.Linear(256, 64), torch.nn.Tanh()
    )
    head = torch.nn.Linear(64, 10)
    inputs, targets = torch.tensor(X, dtype=torch.float32), torch.tensor(y)
    optimizer = torch.optim.Adam([*hidden.parameters(), *head.parameters()], lr=1e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(inputs)).split(128):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(head(hidden(inputs[rows])), targets[rows]).backward()
            optimizer.step()
    with torch.no_grad():
        Z = hidden(inputs).numpy().astype(float)
    Z = Z - Z.mean(axis=0)
    return Z / Z.std(axis=0)


def right(loss: DataLoss, theta: NDArray) -> float:
    """The share of rows on the right side, or of the right class."""
    if isinstance(loss, RidgeSoftmaxLoss):
        return float(np.mean(np.argmax(loss.X @ theta.reshape(loss.classes, -1).T, axis=1) == loss.y))
    return float(np.mean(np.sign(loss.X @ theta) == loss.y))


def report(name: str, X: NDArray, y: NDArray) -> None:
    """Print what is certified of a problem, and what is measured."""
    begin = time.perf_counter()
    loss, h = PROBLEMS[name].loss(X, y), PROBLEMS[name].h
    everything = np.arange(len(loss.X))
    batches = everything.reshape(-1, BATCH)
    family = GradientSteps(loss, h, batches=batches)
    theta = optimize.minimize(
        lambda t: (float(loss.loss(t, everything)), loss.gradient(t, everything)),
        np.zeros(family.dim),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 40},
    ).x
    trained = time.perf_counter()
    found = ct.certify(family, theta, rigorous=True)
    certified = time.perf_counter()
    print(
        f"{name}, d = {family.dim}, {len(batches)} batches of {BATCH}, ridge {loss.ridge}, h = {h}: "
        f"{right(loss, theta):.3f} right; 1 - k = {1 - found.k:.6g}, D = {found.D:.4g} ({found.constants['k'].source})",
        flush=True,
    )
    maps = found.steps(EPS)
    at = np.unique(np.r_[0, np.geomspace(1, maps, 8).astype(int), maps])
    operators = family.sample(maps, seed=0)
    backward = ct.backward_iterates(operators, theta, at=at)
    forward = ct.forward_iterates(operators, theta, at=range(maps // 2, maps + 1))
    gap, bound = np.linalg.norm(backward[:-1] - backward[-1], axis=1), found.bound(at[:-1]) + found.bound(maps)
    away = np.linalg.norm(forward - backward[-1], axis=1)
    moves = np.linalg.norm(np.diff(forward, axis=0), axis=1)
    paths = ", ".join(f"{g:.2g} (n = {n})" for n, g in zip(at[:-1], gap, strict=True))
    print(
        f"    limit {right(loss, backward[-1]):.3f} right, certified to {EPS} by {maps} maps, D/(1-k) = "
        f"{found.bound(0):.4g}; backward distances {paths}: at most {np.max(gap / bound):.3g} of the bound; forward, "
        f"n >= {maps // 2}: {np.min(away):.3g} to {np.max(away):.3g} from the limit, steps of {np.min(moves):.3g} to "
        f"{np.max(moves):.3g}; {trained - begin:.0f} s training, {certified - trained:.0f} s certificate, "
        f"{time.perf_counter() - certified:.0f} s paths",
        flush=True,
    )


def main() -> None:
    """Run the problems asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="the folder with the files of Fashion-MNIST")
    parser.add_argument("--images", type=int, default=60_000, help="a multiple of 3,000 (default: 60000)")
    parser.add_argument("--only", nargs="*", choices=PROBLEMS, default=list(PROBLEMS))
    args = parser.parse_args()
    X, y = images(args.data)
    for name in args.only:
        if name == "logistic":
            chosen = np.flatnonzero(np.isin(y, POSITIVE + NEGATIVE))[: args.images]
        else:
            chosen = np.arange(args.images)
        report(name, X[chosen], y[chosen])


if __name__ == "__main__":
    main()
