"""Distance of backward and forward iterates of any family to the backward limit, with the bounds that are known."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_integer, check_seed
from contraction.certificates.certified_for import check_certified_for
from contraction.certificates.certify import certify
from contraction.certificates.error_bound import ErrorBound
from contraction.maps.errors import NotCertified
from contraction.maps.iterates import backward_iterates, forward_iterates
from contraction.maps.operators import RandomOperator
from contraction.plots.own_axes import axes_for, finite_rows, start_of
from contraction.plots.rate_parts import above_rounding, bound_label, bound_style, fitted_rate, rate_text
from contraction.plots.style import BACKWARD, FORWARD, positive

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["rates"]


def rates(
    family: RandomOperator,
    theta0: ArrayLike,
    n: int = 100,
    *,
    draws: int = 3,
    seed: int = 0,
    far: int | None = None,
    bounds: ErrorBound | Sequence[ErrorBound] | None = None,
    ax: Axes | None = None,
) -> Axes:
    r"""Draw the distance of iterates 0 … n to a far backward iterate, and bounds on the distance to the limit.

    For each draw of the maps, iterate T_1 … T_far θ_0 takes the place of the limit. Distances are those of the family's
    space, so that points may be of any kind. Those within rounding errors are left out.

    Sure bounds (dashed) lie above every backward path. Bounds on a moment (dash-dotted) are for the average over draws:
    a path may be above. Estimates (dotted) are not bounds. The legend says which is which.

    Parameters
    ----------
    family
        The maps.
    theta0
        The start, a single point.
    n
        Number of maps, at least 1 (default: 100).
    draws
        Number of independent draws of the maps (default: 3). Draw j is ``family.sample(far, seed + j)``.
    seed
        Seed of the first draw, and of the search for violations of declared constants (default: 0).
    far
        Index of the iterate that takes the place of the limit, above n (default: 3 n). Where maps contract by a factor
        k a map, it differs from the limit by a share k^(far - n) of what iterate n does.
    bounds
        Bounds to draw, certificates or estimates. The family and the start of certificates are compared with these
        (default: the sure one that ``certify(family, theta0)`` finds and, if smaller somewhere, that of
        ``certify(family, theta0, moment=2)``; the legend names the reason if there is neither). An empty sequence
        draws no bound.
    ax
        The axes to draw into (default: those of a new pyplot figure).

    Returns
    -------
    matplotlib.axes.Axes
        The axes; ``ax.figure`` is their figure. The distance axis is logarithmic.

    Raises
    ------
    TypeError
        If ``family`` is not a random operator, ``ax`` not axes, or ``bounds`` contains anything but bounds.
    ValueError
        If an argument is invalid, or a bound is one of drawn maps, which does not bound the distance to the limit,
        or a bound is in another metric than the family's.
    ArithmeticError
        If an iterate is not finite.
    ImportError
        If matplotlib is not installed.
    NotCertified
        If a certificate among ``bounds`` is for another start or another family.
    MapRefused, NotDeterministic, DeclarationRefuted
        If a map breaks a rule of `RandomOperator` (`contraction.maps.probe`), or a declared constant is violated.

    Examples
    --------
    >>> import contraction as ct
    >>> family = ct.families.QuadraticSGD(h=0.1)  # Gaussian noise: a bound in mean square, no sure one
    >>> ax = ct.plots.rates(family, 0.0, n=60)
    >>> print(ax.get_legend_handles_labels()[1][-1])
    certificate of $(E\,d^{2})^{1/2}$: a path may be above
    >>> ax.figure.savefig("rates.png")  # doctest: +SKIP
    """
    theta = start_of(family, theta0, "rates")
    check_integer("n", n, 1)
    check_integer("draws", draws, 1)
    check_seed(check_seed(seed) + draws - 1)
    last = 3 * n if far is None else check_integer("far", far, n + 1)
    drawn, reasons = _bounds(family, theta, n, bounds, seed)
    gaps = [_distances(family, theta, n, last, seed + j) for j in range(draws)]
    index = np.arange(n + 1)
    with axes_for(ax) as axes:
        for j, (forward, _, size) in enumerate(gaps):
            label = None if j else "forward"
            axes.plot(index, above_rounding(forward, size), ":", color=FORWARD, lw=1.2, label=label)
        for j, (_, backward, size) in enumerate(gaps):
            seen = above_rounding(backward, size)
            label = None if j else _backward_label(gaps)
            axes.plot(index, seen, "-", marker=_marker(seen), color=BACKWARD, lw=1.2, label=label)
        for bound in drawn:
            value = positive(np.asarray(bound.bound(index)))
            axes.plot(index, value, marker=_marker(value), label=bound_label(bound), **bound_style(bound))
        for reason in reasons:
            axes.plot([], [], " ", label=textwrap.fill(f"no certificate: {reason}", 56))
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        if high < 10 * low:
            axes.set_ylim(low / 10, high * 10)  # whole powers of ten on the axis
        axes.set(xlabel="n", ylabel=f"$d(\\theta_n,\\,\\theta^B_{{{last}}})$")
        axes.legend()
    return axes


def _bounds(
    family: RandomOperator, theta: NDArray, n: int, bounds: ErrorBound | Sequence[ErrorBound] | None, seed: int
) -> tuple[list[ErrorBound], list[str]]:
    """Return the bounds to draw, and the reasons if there are none."""
    if bounds is not None:
        given = [bounds] if isinstance(bounds, ErrorBound) else list(bounds)
        for bound in given:
            if not isinstance(bound, ErrorBound):
                raise TypeError(f"bounds must be certificates or estimates, such as those of certify(), got {bound!r}")
            if bound.horizon is not None:
                raise ValueError(
                    f"a bound of drawn maps is on the distance to {bound.target}, not to the limit: pass those of "
                    "certify(family, theta0)"
                )
            if bound.distance != repr(family.space):
                raise ValueError(
                    f"a bound must be in the family's metric {family.space!r}, in which distances are drawn, got one "
                    f"in {bound.distance}; a region's certificate is in it with space={family.space!r}"
                )
            if bound.start is not None:
                check_certified_for(bound, family, theta)
        return given, []
    certificates: dict[float, ErrorBound] = {}
    reasons: dict[str, list[str]] = {}
    for moment, words in ((None, "sure"), (2.0, "in mean square")):
        try:
            bound = certify(family, theta, moment=moment, seed=seed)
            certificates[bound.p] = bound
        except NotCertified as failed:
            reasons.setdefault(failed.hypothesis, []).append(words)
    if len(certificates) == 2 and not np.any(_values(certificates[2.0], n) < 0.99 * _values(certificates[math.inf], n)):
        del certificates[2.0]  # the sure bound says as much
    return list(certificates.values()), [] if certificates else [
        f"{why} ({', '.join(words)})" for why, words in reasons.items()
    ]


def _values(bound: ErrorBound, n: int) -> NDArray:
    return np.asarray(bound.bound(np.arange(n + 1)), dtype=float)


def _marker(values: NDArray) -> str:
    """Mark a point or two, which do not make a line."""
    return "." if np.isfinite(values).sum() < 3 else ""


def _distances(family: RandomOperator, theta: NDArray, n: int, far: int, seed: int) -> tuple[NDArray, NDArray, float]:
    """Distances of forward and backward iterates 0 … n to backward iterate ``far``, and the size of their numbers."""
    operators = family.sample(far, seed=seed)
    with np.errstate(over="ignore", invalid="ignore"):
        backward = backward_iterates(operators, theta, at=[*range(n + 1), far])
        forward = forward_iterates(operators, theta, at=range(n + 1))
    size = 0.0
    if backward.dtype.kind == "f":
        size = max(
            float(np.abs(finite_rows(rows, name)).max())
            for rows, name in ((backward, "backward"), (forward, "forward"))
        )
    limit = backward[-1]
    far_ones, near = (np.asarray(family.space.distance(rows, limit), dtype=float) for rows in (forward, backward[:-1]))
    return far_ones, near, size


def _backward_label(gaps: Sequence[tuple[NDArray, NDArray, float]]) -> str:
    """Return the legend of backward paths, with fitted rates, or with the n from which they equal the limit."""
    fits = [rate for _, backward, _ in gaps if (rate := fitted_rate(backward)) is not None]
    if fits:
        return f"backward, fit {rate_text(fits)}"
    seen = [np.flatnonzero(np.isfinite(above_rounding(backward, size))) for _, backward, size in gaps]
    equal = max(int(one[-1]) + 1 if one.size else 0 for one in seen)
    return f"backward, equal to the limit from n = {equal}" if equal < len(gaps[0][1]) else "backward"
