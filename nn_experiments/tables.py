"""Rows of results as CSV and as data frames (no torch; pandas is optional)."""

from __future__ import annotations

import csv
import importlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias  # Any: pandas is optional, and so are its types

__all__ = ["DataFrame", "data_frame", "write_csv"]

#: A ``pandas.DataFrame``.
DataFrame: TypeAlias = Any


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows as CSV, floating point numbers with all their digits, and None as an empty cell."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in rows:
            cells = (row[name] for name in columns)
            writer.writerow(["" if cell is None else repr(cell) if isinstance(cell, float) else cell for cell in cells])


def data_frame(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> DataFrame:
    """Return rows as a pandas data frame.

    Raises
    ------
    ModuleNotFoundError
        If pandas is not installed.
    """
    try:
        pandas = importlib.import_module("pandas")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "to_frame needs pandas (pip install pandas); to_csv does without", name="pandas"
        ) from error
    return pandas.DataFrame(list(rows), columns=list(columns))
