"""Declared properties of a family beyond its Lipschitz constants: moments, contraction in mean square, its domain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.maps.domains import Domain, as_domain
from contraction.maps.draws import takes

__all__ = ["Known"]


@dataclass(frozen=True)
class Known:
    """Declarations for ``RandomOperator(…, known=Known(…))``; certificates first search for a violation of them.

    Parameters
    ----------
    mean_square
        rho with (E d(Tx, Ty)²)^(1/2) ≤ rho d(x, y) for all points x and y: contraction in mean square, if below 1.
    displacement_moment
        ``(p, theta0) -> (E d(theta0, T theta0)^p)^(1/p)``, or an upper bound; inf where it is infinite.
    lipschitz_moment
        ``p -> E K^p``, K the Lipschitz constant of the random map, or an upper bound.
    domain
        The set on which the maps are defined and which they send into itself: a `Box`, `Ball`, `HalfSpace` or
        `Simplex`, or a function ``points(rng, near, count)`` that returns points of the set, shape (count, d).

    Raises
    ------
    TypeError
        If a moment is not a function, or the domain is neither a domain object nor a function.
    ValueError
        If ``mean_square`` is negative or not a number.

    Examples
    --------
    An AR(1) process x ↦ 0.9 x + ε with standard normal, hence unbounded, ε has a certificate in mean square:

    >>> from contraction import Known, RandomOperator, certify
    >>> ar1 = RandomOperator(
    ...     lambda rng: rng.standard_normal(),
    ...     lambda x, e: 0.9 * x + e,
    ...     contraction=0.9,
    ...     known=Known(displacement_moment=lambda p, x: (1 + (0.1 * x[0]) ** 2) ** 0.5 if p <= 2 else float("inf")),
    ... )
    >>> round(certify(ar1, 0.0, moment=2).bound(100), 6)
    0.000266
    """

    mean_square: float | None = None
    displacement_moment: Callable[[float, NDArray], float] | None = None
    lipschitz_moment: Callable[[float], float] | None = None
    domain: Domain | Callable[[np.random.Generator, NDArray, int], ArrayLike] | None = None

    def __post_init__(self) -> None:
        for name, given, arguments in (
            ("displacement_moment", self.displacement_moment, ("p", "theta0")),
            ("lipschitz_moment", self.lipschitz_moment, ("p",)),
        ):
            if given is not None and not (callable(given) and takes(given, len(arguments))):
                raise TypeError(f"known.{name} must be a function of ({', '.join(arguments)}), got {given!r}")
        rho = self.mean_square
        if rho is not None and not (isinstance(rho, Real) and not isinstance(rho, bool) and 0 <= float(rho) < np.inf):
            raise ValueError(f"known.mean_square must be a finite number >= 0, got {rho!r}")
        if self.domain is not None:
            as_domain(self.domain)

    @property
    def region(self) -> Domain | None:
        """The domain as a `Domain` object, also if a function was given."""
        return None if self.domain is None else as_domain(self.domain)
