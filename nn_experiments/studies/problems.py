"""Data of the studies as arrays: digits, Fashion-MNIST, features of a trained network, least squares."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch

from nn_experiments.datasets import load_dataset
from nn_experiments.training.rng import generator

__all__ = ["Problem", "problem"]

#: Test inputs that outputs are compared on.
MOST = 500


class Problem(NamedTuple):
    """Inputs (N, D) and targets, labels (N,) or numbers (N, 1), of a training and a test set; number of outputs."""

    inputs: np.ndarray
    targets: np.ndarray
    test_inputs: np.ndarray
    test_targets: np.ndarray
    outputs: int


def _images(name: str, data_dir: str | None, *, most: int | None = MOST) -> Problem:
    data = load_dataset(name, data_dir=data_dir)
    flat = [part.reshape(len(part), -1) / data.levels for part in (data.train_inputs, data.test_inputs[:most])]
    return Problem(flat[0], data.train_targets, flat[1], data.test_targets[:most], data.classes or 1)


def _halves(whole: Problem) -> Problem:
    """Return the problem with two classes: the lower half of the labels against the upper half."""
    half = whole.outputs // 2
    labels = [(part >= half).astype(np.int64) for part in (whole.targets, whole.test_targets)]
    return Problem(whole.inputs, labels[0], whole.test_inputs, labels[1], 2)


def _least_squares(rows: int, columns: int) -> Problem:
    rng = generator(0, "least squares", rows, columns)
    inputs, test = (rng.standard_normal((count, columns)) / np.sqrt(columns) for count in (rows, 100))
    truth = rng.standard_normal((columns, 1))
    noise = rng.standard_normal((rows, 1)) if rows > columns else np.zeros((rows, 1))
    return Problem(inputs, inputs @ truth + 0.3 * noise, test, test @ truth, 1)


def _features(data_dir: str | None) -> Problem:
    """Return features of the second half of Fashion-MNIST's training images, from a network trained on the first half.

    The network has one hidden layer of 64 units and is trained by 2,000 steps of Adam with batches of 64. The features
    are its hidden activations, divided by the mean of their norms.
    """
    whole = _images("fashion_mnist", data_dir)
    half = len(whole.inputs) // 2
    inputs = torch.from_numpy(whole.inputs.astype(np.float32))
    labels = torch.from_numpy(whole.targets)
    rng = generator(0, "features")
    draw = [rng.normal(0, np.sqrt(2 / fan), (fan, out)).astype(np.float32) for fan, out in ((784, 64), (64, 10))]
    weights = [torch.from_numpy(value).requires_grad_() for value in draw]
    optimizer = torch.optim.Adam(weights, lr=1e-3)
    for _ in range(2000):
        rows = torch.from_numpy(rng.integers(half, size=64))
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(torch.relu(inputs[rows] @ weights[0]) @ weights[1], labels[rows])
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        parts = [
            torch.relu(torch.from_numpy(p).float() @ weights[0]).double().numpy()
            for p in (whole.inputs, whole.test_inputs)
        ]
    scale = np.linalg.norm(parts[0][:half], axis=1).mean()
    return Problem(parts[0][half:] / scale, whole.targets[half:], parts[1] / scale, whole.test_targets, 10)


@lru_cache(maxsize=4)
def problem(name: str, data_dir: str | None = None) -> Problem:
    """Return a problem by name.

    ``square``, ``cosine``, ``cube`` (the functions of Figures 4 to 6); ``digits``, ``fashion_mnist`` (pixels in [0, 1],
    500 test images), ``fashion_mnist-whole`` (all of them); ``digits-halves``, ``fashion_mnist-halves`` (two classes:
    labels 0–4 against 5–9); ``fashion_mnist-features``; ``least-squares-RxC`` (R data in C dimensions).

    Raises
    ------
    ValueError
        If the name is not that of a problem.
    MissingData
        If Fashion-MNIST's files are missing.
    DataError
        If they are truncated or altered.
    """
    if name.startswith("least-squares-"):
        rows, _, columns = name.removeprefix("least-squares-").partition("x")
        return _least_squares(int(rows), int(columns))
    if name == "fashion_mnist-features":
        return _features(data_dir)
    if name in ("square", "cosine", "cube"):
        return _images(name, data_dir)
    if name == "fashion_mnist-whole":
        return _images("fashion_mnist", data_dir, most=None)
    base, _, form = name.partition("-")
    if base in ("digits", "fashion_mnist") and form in ("", "halves"):
        images = _images(base, data_dir)
        return _halves(images) if form else images
    raise ValueError(
        f"unknown problem {name!r}; the known ones are square, cosine, cube, digits, fashion_mnist, the last two with "
        "-halves, fashion_mnist-whole, fashion_mnist-features and least-squares-RxC"
    )
