"""Forward and backward paths of any family, against n or in a plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from contraction.arguments import check_integer, check_seed
from contraction.maps.iterates import backward_iterates, forward_iterates
from contraction.maps.operators import RandomOperator
from contraction.plots.own_axes import axes_for, chosen, finite_rows, vector_of
from contraction.plots.style import BACKWARD, CLAIM, FORWARD

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["paths"]


def paths(
    family: RandomOperator,
    theta0: ArrayLike,
    n: int = 200,
    *,
    draws: int = 1,
    seed: int = 0,
    coordinates: int | Sequence[int] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw forward and backward iterates 0 … n of the same maps.

    One coordinate is drawn against n, two are drawn as a path in the plane, whose last iterates are marked.

    Parameters
    ----------
    family
        The maps. Their points are vectors of d numbers.
    theta0
        The start, shape (d,); a number for one coordinate.
    n
        Number of maps, at least 1 (default: 200).
    draws
        Number of independent draws of the maps (default: 1). Draw j is ``family.sample(n, seed + j)``.
    seed
        Seed of the first draw (default: 0).
    coordinates
        One coordinate or two, counted from 0; needed if d is above 2.
    ax
        The axes to draw into (default: those of a new pyplot figure).

    Returns
    -------
    matplotlib.axes.Axes
        The axes; ``ax.figure`` is their figure.

    Raises
    ------
    TypeError
        If ``family`` is not a random operator, or ``ax`` not axes.
    ValueError
        If an argument is invalid, points are not vectors, or d is above 2 and no coordinates are chosen.
    ArithmeticError
        If an iterate is not finite.
    ImportError
        If matplotlib is not installed.
    MapRefused, NotDeterministic, DeclarationRefuted
        If a map breaks a rule of `RandomOperator` (`contraction.maps.probe`).

    Examples
    --------
    >>> import numpy as np
    >>> import contraction as ct
    >>> turn = 0.9 * np.array([[0.8, -0.6], [0.6, 0.8]])
    >>> mine = ct.RandomOperator(lambda rng: rng.uniform(-1, 1, 2), lambda theta, u: theta @ turn.T + u)
    >>> ax = ct.plots.paths(mine, np.zeros(2), n=50)
    >>> ax.get_xlabel(), len(ax.lines[0].get_xdata())
    ('coordinate 0', 51)
    >>> ax.figure.savefig("paths.png")  # doctest: +SKIP
    """
    theta = vector_of(family, theta0, "paths")
    check_integer("n", n, 1)
    check_integer("draws", draws, 1)
    check_seed(check_seed(seed) + draws - 1)
    shown = chosen(coordinates, theta.shape[-1], "paths")
    with axes_for(ax) as axes:
        for j in range(draws):
            operators = family.sample(n, seed + j)
            fade = 1.0 if draws == 1 else 0.35 + 0.65 * (draws - j) / draws
            for iterate, name, line, color in (
                (forward_iterates, "forward", "--", FORWARD),
                (backward_iterates, "backward", "-", BACKWARD),
            ):
                with np.errstate(over="ignore", invalid="ignore"):
                    rows = finite_rows(iterate(operators, theta), name)[:, list(shown)]
                label = f"{name}, {draws} draws" if draws > 1 else name
                against = (np.arange(n + 1), rows[:, 0]) if len(shown) == 1 else (rows[:, 0], rows[:, 1])
                axes.plot(*against, line, color=color, lw=1.0, alpha=fade, label=None if j else label)
                if len(shown) == 2:
                    last = None if j else f"{name}, iterate {n}"
                    axes.plot(*rows[-1], "o", color=color, mec=CLAIM, ms=5, alpha=fade, label=last)
        if len(shown) == 2:
            axes.plot(*theta[list(shown)], "+", color=CLAIM, ms=9, mew=1.5, label="start")
        _label(axes, shown, theta.shape[-1])
    return axes


def _label(axes: Axes, shown: tuple[int, ...], d: int) -> None:
    if len(shown) == 1:
        of = "" if d == 1 else f", coordinate {shown[0]}"
        axes.set(xlabel="n", ylabel=f"$\\theta_n${of}")
    else:
        axes.set(xlabel=f"coordinate {shown[0]}", ylabel=f"coordinate {shown[1]}")
    axes.legend()
