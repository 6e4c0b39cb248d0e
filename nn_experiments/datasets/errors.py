"""Errors about data files."""

from __future__ import annotations

from collections.abc import Sequence

from contraction.maps.errors import TrainingInReverseError

__all__ = ["DataError", "MissingData", "missing_text"]


class DataError(TrainingInReverseError, ValueError):
    """A data file is truncated or altered, or holds other data than is expected; replace it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from nn_experiments import DataError
    >>> from nn_experiments.datasets import load_dataset
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "fashion_mnist.npz").write_bytes(b"half a file")
    ...     try:
    ...         load_dataset("fashion_mnist", data_dir=folder)
    ...     except DataError as error:
    ...         print("truncated or altered" in str(error))
    True
    """


class MissingData(TrainingInReverseError, FileNotFoundError):
    """A data set is not on this machine; download it or pass the folder that has it.

    Examples
    --------
    >>> from nn_experiments import MissingData
    >>> from nn_experiments.datasets import load_dataset
    >>> try:
    ...     load_dataset("cifar10", data_dir="no-such-folder", download=False)
    ... except MissingData as error:
    ...     print(str(error).splitlines()[0])
    the data folder no-such-folder does not exist
    """


def missing_text(what: str, searched: Sequence[str], remedy: str) -> str:
    """Return the message for a missing data set: what is missing, one line per place searched, and what to do."""
    return "\n".join([what, *(f"  searched {place}" for place in searched), remedy])
