"""The pictures of the paper's examples, by name; matplotlib is imported when one is drawn."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from contraction.files import check_writable_folder
from contraction.plots.style import save, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PLOTS", "draw", "draw_all"]

#: name -> (module, function, one line for the report)
PLOTS: dict[str, tuple[str, str, str]] = {
    "convergence_rates": (
        "contraction.plots.showcase",
        "convergence_rates",
        "Distance to the backward limit θ* against n, one panel per family: backward iterates (solid) converge at "
        "least as fast as the bound states, down to rounding; forward iterates of the same maps (dotted) do not "
        "converge. Dashed bounds hold for every path. Dash-dotted ones bound a moment, so that one path may be above. "
        "The fit is a least-squares line through log d over 1e-12 < d/d_0 < 1/2.",
    ),
    "sample_paths": (
        "contraction.plots.sample_paths",
        "sample_paths",
        "One draw of the maps in both orders. Left, Example 2.4: forward iterates never stop jumping between the two "
        "values, backward iterates stay at the value of the first map. Right, Section 3.1: forward iterates keep "
        "moving, backward iterates converge, to a different point for every draw.",
    ),
    "plane_paths": (
        "contraction.plots.sample_paths",
        "plane_paths",
        "Section 3.2 in the plane, the same maps in both orders: forward iterates fill the stationary law, backward "
        "ones settle at one draw from it, which need not be nearer to the minimum.",
    ),
    "increments": (
        "contraction.plots.increments",
        "increments",
        "Mean squared increments over 2000 replicas against their closed forms: forward increments tend to a positive "
        "limit, backward ones to zero. Below, the means divided by the closed forms, with 95 % intervals.",
    ),
    "law_distance": (
        "contraction.plots.law_distance",
        "law_distance",
        "Distance of the law of iterate n (the same forward and backward) to the stationary law. Left: the coupling "
        "bound is attained. Right: with Gaussian noise from a mean-zero start the law converges at k²ⁿ, twice as fast "
        "as the coupled points.",
    ),
    "correction_reach": (
        "contraction.plots.corrections",
        "correction_reach",
        "Appendix C: error of forward iterates corrected toward backward ones to order 1 (none) … 5, relative to the "
        "distance to be corrected, against n·h. Below the line at one a correction helps; higher orders reach a "
        "little further, and beyond n·h of about one (network) to three (quadratics) they all harm.",
    ),
    "correction_growth": (
        "contraction.plots.corrections",
        "correction_growth",
        "Where the second-order correction breaks: in Section 3.1 its standard deviation grows like n^(3/2) while "
        "both iterates stay bounded, so it is of use for n·h well below one only.",
    ),
    "non_normal": (
        "contraction.plots.misleading",
        "non_normal",
        "Maps x ↦ Ax + b with A = [[½, 10], [0, ½]]. Both eigenvalues are ½, but taken for k they give a bound that "
        "fails; contraction after eight maps and a weighted norm give certificates that hold.",
    ),
    "contraction_on_average": (
        "contraction.plots.misleading",
        "contraction_on_average",
        "x ↦ Kx + 1 with K = 2 or ¼, equally likely, from 0: no common k < 1 exists, and the mean diverges "
        "(E K = 1.125), but E log K < 0 and backward iterates settle; forward iterates have a heavy tail.",
    ),
}


def draw(name: str) -> Figure:
    """Draw one plot by name.

    Raises
    ------
    KeyError
        If ``name`` is not the name of a plot. The message lists the names of all plots.

    Examples
    --------
    >>> from contraction import plots
    >>> list(plots.PLOTS)[:4]  # their names
    ['convergence_rates', 'sample_paths', 'plane_paths', 'increments']
    >>> figure = plots.draw("sample_paths")
    >>> figure.savefig("sample_paths.png")  # doctest: +SKIP
    >>> len(figure.axes), figure.axes[0].get_title()
    (2, 'Example 2.4: constant maps')
    """
    if name not in PLOTS:
        raise KeyError(f"no plot is called {name!r}. Known: {', '.join(PLOTS)}")
    module, function, _ = PLOTS[name]
    with style():
        return getattr(importlib.import_module(module), function)()


def draw_all(folder: str | Path, names: Sequence[str] = ()) -> list[Path]:
    """Draw the named plots (all if none) as PNG and SVG into the folder; return the files written.

    Raises
    ------
    KeyError
        If one of the names is not that of a plot. Nothing is drawn then.

    Examples
    --------
    >>> import tempfile
    >>> from contraction import plots
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     print([path.name for path in plots.draw_all(folder, ["sample_paths"])])
    ['sample_paths.png', 'sample_paths.svg']
    """
    for name in names:
        if name not in PLOTS:
            raise KeyError(f"no plot is called {name!r}. Known: {', '.join(PLOTS)}")
    check_writable_folder(folder)
    return [path for name in (names or PLOTS) for path in save(draw(name), folder, name)]
