"""Random images in place of a data set that is not on this machine, to measure how long steps on it take (no torch)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from nn_experiments.datasets.dataset import Dataset
from nn_experiments.datasets.sources import SOURCES

__all__ = ["stand_in"]

#: Numbers of training and test images, and the shape of one.
_SIZES = {
    "fashion_mnist": (60_000, 10_000, (28, 28, 1)),
    "cifar10": (50_000, 10_000, (32, 32, 3)),
    "cifar100": (50_000, 10_000, (32, 32, 3)),
}


@lru_cache(maxsize=1)
def stand_in(name: str) -> Dataset:
    """Return random images and labels with the shapes of a data set and the fingerprint of its official files.

    Use it for timing only: results that are computed from it would be recorded as results of the official data.

    Parameters
    ----------
    name
        ``fashion_mnist``, ``cifar10`` or ``cifar100``; the other data sets come with the package.

    Examples
    --------
    >>> stand_in("fashion_mnist").shape
    (1, 28, 28)
    """
    train, test, shape = _SIZES[name]
    source, rng = SOURCES[name], np.random.default_rng(0)
    arrays = [
        part
        for count in (train, test)
        for part in (
            rng.integers(256, size=(count, *shape), dtype=np.uint8),
            rng.integers(source.classes, size=count, dtype=np.int64),
        )
    ]
    return Dataset(name, *arrays, classes=source.classes, levels=255, fingerprint=source.fingerprint)
