"""Common style of all plots: readable in print and for colour-blind readers (colours of Okabe and Ito)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from contraction.files import check_writable_folder, write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

__all__ = ["BACKWARD", "CLAIM", "FORWARD", "MOMENT", "OTHER", "SHADE", "figure", "positive", "save", "style"]

BACKWARD = "#0072B2"  # blue, solid
FORWARD = "#E69F00"  # orange, dashed or dotted
CLAIM = "#000000"  # sure certificates (dashed) and closed forms
MOMENT = "#CC79A7"  # bounds on a moment of the distance, dash-dotted
OTHER = "#009E73"  # bluish green
SHADE = "#999999"

#: Of matplotlib: one axes or an array of them, and its settings. Any: the arguments of `figure` decide which of the two
#: it is, and settings have values of many types.
Panels: TypeAlias = Any
Settings: TypeAlias = dict[Any, Any]

_RC: Settings = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.3,
    "figure.dpi": 110,
    "savefig.dpi": 160,
    "svg.fonttype": "path",
    "svg.hashsalt": "training-in-reverse",
}


@contextmanager
def style() -> Iterator[None]:
    """Apply the common style inside a with block.

    Raises
    ------
    ImportError
        If matplotlib is not installed. The message says how to install it.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise ImportError(
            'plots need matplotlib: pip install matplotlib, or in a checkout pip install -e ".[plots]"'
        ) from error
    with matplotlib.rc_context(_RC):
        yield


def figure(
    rows: int = 1,
    columns: int = 1,
    *,
    width: float = 7.2,
    height: float = 2.8,
    sharex: bool | Literal["none", "all", "row", "col"] = False,
    sharey: bool | Literal["none", "all", "row", "col"] = False,
    squeeze: bool = True,
) -> tuple[Figure, Panels]:
    """Return a figure and its axes, sized in inches and drawn without a display.

    The last three parameters are those of `matplotlib.figure.Figure.subplots`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fig = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(fig)
    return fig, fig.subplots(rows, columns, sharex=sharex, sharey=sharey, squeeze=squeeze)


def positive(values: ArrayLike) -> NDArray:
    """Return distances for a logarithmic axis: exact zeros become gaps (NaN) instead of vertical drops."""
    import numpy as np

    values = np.asarray(values, dtype=float)
    return np.where(values > 0, values, np.nan)


def save(fig: Figure, folder: str | Path, name: str) -> list[Path]:
    """Write ``name``.png and ``name``.svg into the folder, each atomically; return their paths."""
    folder = check_writable_folder(folder)
    with style():
        png = write_atomically(folder / f"{name}.png", lambda path: fig.savefig(path))
        svg = write_atomically(folder / f"{name}.svg", lambda path: fig.savefig(path, metadata={"Date": None}))
    return [png, svg]
