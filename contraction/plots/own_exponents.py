"""Lyapunov exponents of any family with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from contraction.exponents.derivatives import OneDirection
from contraction.exponents.lyapunov import lyapunov_exponents
from contraction.maps.operators import RandomOperator
from contraction.plots.own_axes import axes_for, vector_of
from contraction.plots.style import BACKWARD, CLAIM, FORWARD

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["exponents"]


def exponents(
    family: RandomOperator,
    theta0: ArrayLike,
    n: int = 2000,
    which: Literal["top", "all"] = "all",
    *,
    jvp: OneDirection | None = None,
    replicas: int = 32,
    confidence: float = 0.95,
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw the Lyapunov exponents of a family with their intervals, and the line at zero.

    The numbers are those of `contraction.lyapunov_exponents`, whose documentation says what the intervals cover. An
    exponent of -inf (singular products) is drawn as a triangle at the lower edge and named in the legend.

    Parameters
    ----------
    family
        Maps of R^d that are i.i.d., or whose index law is ergodic.
    theta0
        The start of the forward paths, shape (d,).
    n, which, jvp, replicas, confidence, seed
        As in `contraction.lyapunov_exponents`; here ``which`` is "all" by default.
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
        If an argument is invalid, or points are not vectors.
    NotCertified
        If the law of the maps is not known to be ergodic.
    ArithmeticError
        If an iterate or a derivative is not finite.
    DeclarationRefuted
        If ``jvp`` disagrees with difference quotients.
    ImportError
        If matplotlib is not installed.
    MapRefused, NotDeterministic
        If a map breaks a rule of `RandomOperator` (`contraction.maps.probe`).

    Examples
    --------
    >>> import contraction as ct
    >>> family = ct.families.FiniteFamily([([[0.5, 3.0], [0.0, 0.25]], [0.0, 0.0])])
    >>> ax = ct.plots.exponents(family, [0.0, 0.0], n=200)
    >>> [round(float(y), 3) for y in ax.lines[0].get_ydata()]
    [-0.693, -1.386]
    >>> ax.figure.savefig("exponents.png")  # doctest: +SKIP
    """
    theta = vector_of(family, theta0, "exponents")
    estimate = lyapunov_exponents(family, theta, n, which, jvp=jvp, replicas=replicas, confidence=confidence, seed=seed)
    j = np.arange(1, len(estimate.values) + 1)
    values, lower, upper = (np.array(x) for x in (estimate.values, estimate.lower, estimate.upper))
    finite = np.isfinite(values)
    with axes_for(ax) as axes:
        if finite.any():
            reach = [values[finite] - lower[finite], upper[finite] - values[finite]]
            axes.errorbar(
                j[finite],
                values[finite],
                yerr=reach,
                fmt="o",
                ms=4,
                capsize=4,
                color=BACKWARD,
                label=f"{100 * confidence:g} % interval, {replicas} replicas of {n} maps",
            )
        axes.axhline(0, color=CLAIM, lw=0.9, ls="--", label="zero")
        if not finite.all():
            bottom = np.full(int((~finite).sum()), 0.02)
            place = axes.get_xaxis_transform()
            axes.plot(j[~finite], bottom, "v", color=FORWARD, transform=place, label="−∞ (singular products)")
        axes.set(xlabel="j", ylabel="exponent $\\lambda_j$, nats per map", xlim=(0.5, len(j) + 0.5))
        if len(j) <= 12:
            axes.set_xticks(j)
        axes.legend()
    return axes
