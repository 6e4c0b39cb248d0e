"""A table of brackets as text and as rows."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from nn_experiments.orders.bracket_table import COLUMNS
from tests.nn.orders.test_pictures_of_brackets import ERROR, MEASURED, PREDICTED, ROUNDING, table

FIRST = ["bracket", "predicted", "measured", "error", "cosine", "rounding"]


def line(i: str, j: str, cells: list[str], wide: int = 10) -> str:
    """Two numbers of six characters, and cells of ten; the seventh may be wider."""
    widths = [wide if k == 6 else 10 for k in range(len(cells))]
    return f"{i:>6}{j:>6}  " + "  ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))


def test_a_table_has_a_line_for_each_pair_and_leaves_out_what_no_pair_has() -> None:
    head, names, first, second, *others = str(table()).splitlines()
    assert head == "T_i T_j - T_j T_i for SGD, 7 parameters, first step at t = 1 (float64)"
    assert names == line("i", "j", FIRST)
    assert first == line("1", "2", ["1", "0.02", "0.04", "0.01", "1", "1e-06"])
    assert second == line("2", "3", ["1", "0.5", "0.4", "0.2", "1", "2e-06"])
    assert len(others) == 3
    assert str(dataclasses.replace(table(), dimension=12345, t=7, dtype="float32", method="adamw")).startswith(
        "T_i T_j - T_j T_i for AdamW, 12,345 parameters, first step at t = 7 (float32)\n"
    )


def test_memory_is_shown_where_one_pair_has_some() -> None:
    memory = np.array([math.nan, 0.5, 0.25, 0.125, 1.0])
    found = dataclasses.replace(table(), memory_predicted=memory, memory_measured=2 * memory, memory_error=3 * memory)
    names, first, second = str(found).splitlines()[1:4]
    wide = len("memory: predicted")
    assert names == line("i", "j", [*FIRST, "memory: predicted", "measured", "error"], wide)
    assert first == line("1", "2", ["1", "0.02", "0.04", "0.01", "1", "1e-06", "nan", "nan", "nan"], wide)
    assert second == line("2", "3", ["1", "0.5", "0.4", "0.2", "1", "2e-06", "0.5", "1", "1.5"], wide)
    part = dataclasses.replace(table(), memory_error=memory)
    assert str(part).splitlines()[1].split() == ["i", "j", *FIRST, "error"]


def test_rows_have_every_column() -> None:
    found = table()
    rows = list(found.rows())
    assert len(found) == len(rows) == 5
    assert [(row["i"], row["j"]) for row in rows] == [(k, k + 1) for k in range(1, 6)]
    assert list(rows[0]) == ["i", "j", *COLUMNS]
    for name, values in (("predicted", PREDICTED), ("measured", MEASURED), ("error", ERROR), ("rounding", ROUNDING)):
        assert [row[name] for row in rows] == values.tolist()
    assert all(math.isnan(row["memory_error"]) for row in rows)
