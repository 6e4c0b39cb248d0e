"""What a search for a backward limit returns, and the error that it raises."""

from __future__ import annotations

import math
from dataclasses import dataclass

from numpy.typing import NDArray

from contraction.certificates.error_bound import ErrorBound
from contraction.maps.errors import TrainingInReverseError
from contraction.values import Value

__all__ = ["BackwardLimit", "NotSettled"]


class NotSettled(TrainingInReverseError, ArithmeticError):
    """Backward iterates did not settle within the allowed number of maps; the message states the measured distances.

    Raise ``max_maps``, ask for a larger ``eps``, or look for the hypothesis that fails with `certify`.

    Examples
    --------
    >>> import contraction as ct
    >>> rotation = ct.RandomOperator(lambda rng: rng.choice([-1.0, 1.0]), lambda x, u: u * x)
    >>> try:
    ...     ct.backward_limit(rotation, [1.0], eps=1e-3, max_maps=1024)
    ... except ct.NotSettled:
    ...     print("not settled")
    not settled
    """


@dataclass(frozen=True, eq=False)
class BackwardLimit(Value):
    """A backward limit within ``eps``.

    Attributes
    ----------
    value : ndarray
        T_1 … T_maps (θ_0), the point.
    error : float
        Certified: a bound on its distance to the limit, ``truncation + rounding``; with a finite ``p`` a bound on
        (E d^p)^(1/p), which the distance of one draw may exceed. Estimate: the largest distance that was seen, plus the
        rounding of one map. It is 0 only in exact arithmetic.
    certificate : Certificate or Estimate
        The error bound; ``certificate.certified`` tells the two apart.
    maps : int
        The number of maps T_1 … T_n on which the value depends; further maps move it by at most ``error``.
    applications : int
        The total number of applications of a map to a point.
    truncation, rounding : float
        The two parts of ``error``: from the maps that were omitted, and from floating point.
    alpha, delta : float or None
        For an estimate: with confidence 1 - alpha, given T_1 … T_maps, the iterate moves by more than eps within
        ``lengths`` further maps with probability at most delta. None if certified.
    lengths : tuple of int
        These numbers of further maps, pairwise coprime; () if certified.
    far : float or None
        For an estimate with ``start=``: the distance from T_1 … T_maps (start) to the value. It shows whether the path
        forgets its start and is not part of the estimate of the limit.

    Examples
    --------
    >>> import contraction as ct
    >>> limit = ct.backward_limit(ct.families.BernoulliConvolution(0.5), [0.0], eps=1e-6, seed=0)
    >>> limit.certified, limit.error <= 1e-6, limit.maps
    (True, True, 20)
    >>> limit.certificate.formula
    'D kⁿ/(1−k)'
    >>> longer = ct.backward_limit(ct.families.BernoulliConvolution(0.5), [0.0], eps=1e-12, seed=0)
    >>> bool(abs(limit.value - longer.value)[0] <= limit.error + longer.error)  # one point, bounded twice
    True
    """

    value: NDArray
    error: float
    certificate: ErrorBound
    maps: int
    applications: int
    truncation: float
    rounding: float
    alpha: float | None = None
    delta: float | None = None
    lengths: tuple[int, ...] = ()
    far: float | None = None

    @property
    def p(self) -> float:
        """Order of the moment that ``error`` bounds: infinity for a bound on the distance itself."""
        return self.certificate.p

    def __str__(self) -> str:
        kind = "certified" if self.certified else f"estimate, alpha = {self.alpha:g}, delta = {self.delta:g}"
        sense = "" if math.isinf(self.p) else f" in the sense of (E d^{self.p:g})^(1/{self.p:g})"
        return f"limit {self.value} within {self.error:.3g}{sense} after {self.maps} maps ({kind})"

    @property
    def certified(self) -> bool:
        """Whether ``error`` is a certified bound."""
        return self.certificate.certified
