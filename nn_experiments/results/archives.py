"""Reading of NumPy archives: a file that is truncated, altered or something else is one error."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile

from contraction.files import UNREADABLE, check_numpy_file

__all__ = ["read_archive"]


@contextlib.contextmanager
def read_archive(path: Path, failure: Callable[[Exception], Exception]) -> Iterator[NpzFile]:
    """Open an ``.npz`` without pickles; whatever fails while it is read becomes one error.

    Parameters
    ----------
    path
        The file.
    failure
        Exception -> the error to raise in its place.

    Yields
    ------
    NpzFile
        The arrays by name, read when they are asked for. The file is closed at the end.

    Raises
    ------
    Exception
        What ``failure`` returns, if the file cannot be read, or an array or an entry of it is missing.
    """
    try:
        with path.open("rb") as raw:
            check_numpy_file(raw)
            with np.load(raw, allow_pickle=False) as file:
                yield file
    except UNREADABLE as error:
        raise failure(error) from error
