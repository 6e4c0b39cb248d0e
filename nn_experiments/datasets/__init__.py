"""Data sets by name, in one canonical order, with a fingerprint (NumPy only)."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from nn_experiments.datasets import sources, synthetic
from nn_experiments.datasets.dataset import Dataset, canonical_order, fingerprint_of, from_images
from nn_experiments.datasets.errors import DataError, MissingData

__all__ = ["NAMES", "DataError", "Dataset", "MissingData", "canonical_order", "from_images", "load_dataset"]

VARIABLE = "TRAINING_IN_REVERSE_DATA"
NAMES = (*synthetic.FUNCTIONS, "digits", "fashion_mnist", "cifar10", "cifar100")


def load_dataset(
    name: str, *, data_dir: str | Path | None = None, official: bool = True, download: bool = True
) -> Dataset:
    """Load a data set by name.

    Parameters
    ----------
    name
        One of `NAMES`.
    data_dir
        A folder with files in one of the known formats (default: the environment variable
        ``TRAINING_IN_REVERSE_DATA``). If the folder holds only a subset of the data
        (``data --for FIGURE --into FOLDER``), the subset is loaded: it has the lengths, the fingerprint and the
        statistics of the whole set, and raises an error for images that it does not hold. If the folder has neither,
        the official files are downloaded into a cache.
    official
        Whether to refuse files whose fingerprint is not the official data set's (a subset stores that of the whole
        set).
    download
        Whether downloading is allowed.

    Returns
    -------
    Dataset
        Arrays in canonical order.

    Raises
    ------
    MissingData
        If the data set is neither in the folder nor in the cache and cannot be downloaded.
    DataError
        If a file is truncated, altered, or not the official data. The arrays of a subset also raise it later, for an
        image that the subset does not hold.
    ValueError
        If the name is unknown.
    """
    if name not in NAMES:
        raise ValueError(f"unknown data set {name!r}; the known ones are {', '.join(NAMES)}")
    folder = data_dir if data_dir is not None else os.environ.get(VARIABLE)
    return _load(name, str(folder) if folder else None, official, download)


@lru_cache(maxsize=4)
def _load(name: str, folder: str | None, official: bool, download: bool) -> Dataset:
    if name in synthetic.FUNCTIONS:
        arrays = synthetic.regression(name)
        return Dataset(name, *arrays, classes=0, levels=1, fingerprint=fingerprint_of(*arrays))
    if name == "digits":
        train, test = synthetic.digits()
        return from_images(name, train, test, classes=10, levels=16)
    return sources.load(name, Path(folder) if folder else None, official=official, download=download)
