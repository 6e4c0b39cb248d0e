"""Random images in place of a data set that is not there, to measure how long steps on it would take (NumPy only)."""

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
    """Return random images and labels of the sizes of a data set, under the fingerprint of its official files.

    It is for timing alone: nothing that is computed from it may be kept.

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
