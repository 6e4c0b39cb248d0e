"""The points that a long forward path of any family visits, as a histogram or in a plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from contraction.arguments import check_integer, check_seed
from contraction.maps.iterates import forward_iterates
from contraction.maps.operators import RandomOperator
from contraction.plots.own_axes import axes_for, chosen, finite_rows, vector_of
from contraction.plots.style import FORWARD

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["attractor"]


def attractor(
    family: RandomOperator,
    theta0: ArrayLike,
    n: int = 20_000,
    *,
    burn_in: int = 100,
    seed: int = 0,
    coordinates: int | Sequence[int] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw n iterates of one forward path, after ``burn_in`` others ("chaos game").

    For i.i.d. maps that contract on average the share of iterates in a set tends to its probability under the
    stationary law (Elton 1987), so the picture shows this law and its support, the attractor. One coordinate is drawn
    as a histogram of total area one, two as points in the plane.

    Parameters
    ----------
    family
        The maps. Their points are vectors of d numbers.
    theta0
        The start, shape (d,); a number for one coordinate.
    n
        Number of iterates that are drawn, at least 1 (default: 20,000).
    burn_in
        Number of maps before the first of them (default: 100).
    seed
        Seed of the maps (default: 0).
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

    References
    ----------
    Elton, J. H. (1987). An ergodic theorem for iterated maps. Ergodic Theory and Dynamical Systems 7, 481-488.

    Examples
    --------
    The Sierpinski triangle, from three maps that halve the distance to a corner:

    >>> import numpy as np
    >>> import contraction as ct
    >>> corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 1.0]])
    >>> triangle = ct.families.FiniteFamily([(0.5 * np.eye(2), 0.5 * c) for c in corners])
    >>> ax = ct.plots.attractor(triangle, np.zeros(2), n=5000)
    >>> len(ax.lines[0].get_xdata())
    5000
    >>> ax.figure.savefig("triangle.png")  # doctest: +SKIP
    """
    theta = vector_of(family, theta0, "attractor")
    check_integer("n", n, 1)
    check_integer("burn_in", burn_in)
    check_seed(seed)
    shown = chosen(coordinates, theta.shape[-1], "attractor")
    with np.errstate(over="ignore", invalid="ignore"):
        rows = forward_iterates(family.sample(burn_in + n, seed), theta, at=range(burn_in + 1, burn_in + n + 1))
    points = finite_rows(rows, "forward")[:, list(shown)]
    label = f"forward iterates {burn_in + 1} … {burn_in + n}"
    with axes_for(ax, height=3.4 if len(shown) == 1 else 5.0) as axes:
        if len(shown) == 1:
            bins = min(200, max(10, round(n**0.5)))
            axes.hist(points[:, 0], bins=bins, density=True, color=FORWARD, label=label)
            of = "" if theta.shape[-1] == 1 else f", coordinate {shown[0]}"
            axes.set(xlabel=f"$\\theta_n${of}", ylabel="density")
        else:
            size = min(2.0, max(0.4, 150 / n**0.5))
            axes.plot(*points.T, ".", ms=size, mew=0, color=FORWARD, rasterized=True, label=label)
            axes.set(xlabel=f"coordinate {shown[0]}", ylabel=f"coordinate {shown[1]}")
        axes.set_title(label)
    return axes
