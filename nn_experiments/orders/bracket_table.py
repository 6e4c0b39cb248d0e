"""The table of brackets, and its picture (no torch)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from contraction.files import replacing, write_atomically
from contraction.values import Value
from nn_experiments.tables import DataFrame, data_frame, write_csv

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

__all__ = ["Brackets"]

COLUMNS = (
    "bracket",
    "predicted",
    "measured",
    "error",
    "cosine",
    "rounding",
    "memory_predicted",
    "memory_measured",
    "memory_error",
)

#: How an optimizer's method is written in tables and titles.
METHODS = {"sgd": "SGD", "momentum": "SGD with momentum", "adam": "Adam", "adamw": "AdamW"}


@dataclass(frozen=True, eq=False)
class Brackets(Value):
    """What exchanging two batches changes, a row for each pair; made by `nn_experiments.brackets`.

    Attributes
    ----------
    pairs
        (P, 2) integers, the numbers i and j of the batches.
    bracket
        (P,), ‖[V_i, V_j]‖, with V = −∇L.
    predicted, measured, error
        (P,), Euclidean norms of the predicted and the measured T_i T_j θ − T_j T_i θ, and of their difference.
    cosine
        (P,), of the angle between the two; NaN where one is zero.
    rounding
        (P,), about how far rounding moves a measured difference; where it is not small beside ``measured``, the columns
        before it say little.
    memory_predicted, memory_measured, memory_error
        (P,), the same three norms for the optimizer's memory; NaN where it has none.
    method, dimension, t, dtype
        The optimizer's method, the number of parameters, the position of the first step, and the numbers' type.
    predicted_vectors, measured_vectors
        (P, dimension), the differences of the parameters in the order of the state, or None.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import torch
    >>> import nn_experiments as nne
    >>> model = torch.nn.Linear(1, 1, bias=False)
    >>> _ = torch.nn.init.ones_(model.weight)
    >>> step, state = nne.from_torch(model, torch.nn.functional.mse_loss, torch.optim.SGD(model.parameters(), lr=0.1))
    >>> data = {1: (torch.tensor([[1.0]]), torch.tensor([[0.0]])), 2: (torch.tensor([[2.0]]), torch.tensor([[4.0]]))}
    >>> table = nne.brackets(step, data.__getitem__, state, [(1, 2)])
    >>> row = next(table.rows())
    >>> row["i"], row["j"], round(row["predicted"], 4), round(row["measured"], 4)  # h²‖[V_1, V_2]‖ = 0.01 · 32
    (1, 2, 0.32, 0.32)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table.to_csv(Path(folder) / "brackets.csv")
    ...     figure = table.plot(Path(folder) / "brackets.png")
    ...     print(sorted(path.name for path in Path(folder).iterdir()))
    ['brackets.csv', 'brackets.png']
    >>> table.to_frame()  # doctest: +SKIP
    """

    pairs: NDArray
    bracket: NDArray
    predicted: NDArray
    measured: NDArray
    error: NDArray
    cosine: NDArray
    rounding: NDArray
    memory_predicted: NDArray
    memory_measured: NDArray
    memory_error: NDArray
    method: str
    dimension: int
    t: int
    dtype: str
    predicted_vectors: NDArray | None = None
    measured_vectors: NDArray | None = None

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.pairs)

    def __str__(self) -> str:
        """Return the table, as text."""
        names = [name for name in COLUMNS if not np.all(np.isnan(getattr(self, name)))]
        heads = {"memory_predicted": "memory: predicted", "memory_measured": "measured", "memory_error": "error"}
        method = METHODS.get(self.method, self.method)
        lines = [
            f"T_i T_j - T_j T_i for {method}, {self.dimension:,} parameters, first step at t = {self.t} ({self.dtype})",
            "     i     j  " + "  ".join(f"{heads.get(name, name):>10}" for name in names),
        ]
        for row in self.rows():
            numbers = (f"{row[name]:.3g}" for name in names)
            widths = (max(10, len(heads.get(name, name))) for name in names)
            cells = "  ".join(f"{text:>{width}}" for text, width in zip(numbers, widths, strict=True))
            lines.append(f"{row['i']:>6}{row['j']:>6}  {cells}")
        return "\n".join(lines)

    def rows(self) -> Iterator[dict[str, int | float]]:
        """Yield a row for each pair: ``i``, ``j`` and the numbers."""
        for k, (i, j) in enumerate(self.pairs):
            yield {"i": int(i), "j": int(j)} | {name: float(getattr(self, name)[k]) for name in COLUMNS}

    def to_csv(self, path: str | Path) -> None:
        """Write a line for each pair, with full precision."""
        with replacing(Path(path)) as temporary:
            write_csv(temporary, ("i", "j", *COLUMNS), self.rows())

    def to_frame(self) -> DataFrame:
        """Return a pandas data frame with a row for each pair.

        Raises
        ------
        ModuleNotFoundError
            If pandas is not installed.
        """
        return data_frame(("i", "j", *COLUMNS), self.rows())

    def plot(self, path: str | Path | None = None) -> Figure:
        """Return a picture of predicted against measured differences, and of the prediction's relative error.

        Parameters
        ----------
        path
            Where to write it, too, in the format of the name's ending (default: nowhere).
        """
        from contraction.plots.style import BACKWARD, CLAIM, FORWARD, SHADE, figure, style

        with style():
            fig, (left, right) = figure(1, 2, width=7.6, height=3.2)
            seen = (self.measured > 0) & (self.predicted > 0)
            if seen.any():
                ends = [f(v[seen]) for f, v in ((np.min, self.predicted), (np.max, self.predicted))]
                ends = [min(ends[0], self.measured[seen].min()) / 1.3, max(ends[1], self.measured[seen].max()) * 1.3]
                left.plot(ends, ends, color=CLAIM, lw=0.8, label="equal")
                left.plot(
                    self.predicted[seen], self.measured[seen], "o", ms=4, color=BACKWARD, label="a pair of batches"
                )
                left.set(xscale="log", yscale="log")
                right.plot(self.predicted[seen], self.error[seen] / self.measured[seen], "s", ms=4, color=FORWARD)
                right.plot(self.predicted[seen], self.rounding[seen] / self.measured[seen], ".", ms=4, color=SHADE)
                right.plot([], [], "s", ms=4, color=FORWARD, label="error of the prediction")
                right.plot([], [], ".", ms=4, color=SHADE, label="rounding, about")
                right.set(xscale="log", yscale="log")
                for axis in (left.xaxis, left.yaxis, right.xaxis, right.yaxis):
                    _few_ticks(axis)
                left.legend(loc="upper left")
                right.legend(loc="best")
            title = f"Exchanging two batches, {METHODS.get(self.method, self.method)}"
            what = "$\\|T_i T_j\\theta - T_j T_i\\theta\\|$"
            formula = " $= h^2\\|[V_i, V_j]\\|$" if self.method == "sgd" else ""
            left.set(xlabel=f"predicted{formula}", ylabel=f"measured {what}", title=title)
            right.set(
                xlabel=f"predicted{formula}", ylabel="relative to the measured difference", title="How exact it is"
            )
        if path is not None:
            write_atomically(Path(path), lambda temporary: fig.savefig(temporary))
        return fig


def _few_ticks(axis: Axis) -> None:
    """Label a logarithmic axis at 1, 2 and 5 of each power of ten, or at powers alone where it spans three or more.

    Where it spans so little that fewer than two of these are on it, the labels are evenly spaced.
    """
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

    low, high = sorted(axis.get_view_interval())
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    apart = -(-len(powers) // 6)
    digits = (1, 2, 5) if len(powers) < 4 else (1,)
    ticks = [digit * 10.0**k for k in powers[::apart] for digit in digits]
    if sum(low <= tick <= high for tick in ticks) < 2:
        ticks = MaxNLocator(4).tick_values(low, high)
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    axis.set_minor_formatter(NullFormatter())
