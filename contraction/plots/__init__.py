"""Empirical convergence-rate plots and their companions; matplotlib is imported when a plot is drawn."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from contraction.files import check_writable_folder
from contraction.plots._style import save, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PLOTS", "draw", "draw_all"]

#: name -> (module, function, one line for the report)
PLOTS: dict[str, tuple[str, str, str]] = {}


def draw(name: str) -> Figure:
    """Draw one plot by name.

    Raises
    ------
    KeyError
        If there is no such plot; the message lists what is known.
    """
    if name not in PLOTS:
        raise KeyError(f"no plot is called {name!r}. Known: {', '.join(PLOTS)}")
    module, function, _ = PLOTS[name]
    with style():
        return getattr(importlib.import_module(module), function)()


def draw_all(folder: str | Path, names: Sequence[str] = ()) -> list[Path]:
    """Draw the named plots (all if none) as PNG and SVG into the folder; return the files written."""
    for name in names:
        if name not in PLOTS:
            raise KeyError(f"no plot is called {name!r}. Known: {', '.join(PLOTS)}")
    check_writable_folder(folder)
    return [path for name in (names or PLOTS) for path in save(draw(name), folder, name)]
