"""Error bounds of backward iterates as objects: a bound for every n, its hypotheses, and constants with their origin.

A *certificate* holds for every n, under hypotheses that are proved for the family or declared by the user (a search
first tries to refute declared constants). An *estimate* has the same attributes but uses a measured constant, which is
only a lower bound of the true one, so it is never called a certificate. Neither uses the sizes of increments: the next
map is new, so small increments prove nothing.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, NotRequired, SupportsIndex, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_positive
from contraction.certificates.bounds import check_index
from contraction.certificates.majorants import Majorant
from contraction.maps.constants import Constant, Origin
from contraction.maps.spaces import Space
from contraction.types import Numbers
from contraction.values import Value

__all__ = ["Certificate", "ErrorBound", "Estimate", "certificate_or_estimate"]

WEAKEST: tuple[Origin, ...] = ("proved", "declared", "drawn", "measured")


@dataclass(frozen=True, eq=False)
class ErrorBound(Value):
    """An upper bound on the distance of the n-th backward iterate to a target, with the origin of its constants.

    Attributes
    ----------
    statement : str
        The theorem on which the bound rests.
    k, D : float
        Contraction factor (per step, or per block of ``q``) and displacement, rounded up.
    target : str
        The target to which the distance is bounded: "θ*", or "T_1…T_N θ_0" for drawn maps.
    majorant : Majorant
        The bound as a function of n, with its formula.
    distance : str
        The metric of the distance.
    hypotheses : tuple of str
        The hypotheses of the bound, one line each.
    constants : mapping of str to Constant
        Every number with its origin and source.
    p : float
        inf: the bound holds surely; otherwise it bounds (E d^p)^(1/p).
    horizon : int or None
        Largest n for which the bound is stated; None for all n.
    start : ndarray or None
        The start of the iterates that `certify` bounded; None for a bound that was put together by hand.
    images : ndarray or None
        Images of the start and of points around it under some maps of the family; with ``stated``, they tell another
        family from it.
    stated : ndarray or None
        Numbers that the family states, such as its factor and those of some maps.
    metric : Space or None
        The metric of the distance as an object; None if it is not known, or cannot be pickled and was.

    Examples
    --------
    >>> import contraction as ct
    >>> family = ct.families.BernoulliConvolution(0.5)
    >>> bound = ct.certify(family, [0.0])
    >>> bound
    <certificate by Theorem 2.2: k=0.5, D=0.5, proved, D kⁿ/(1−k)>
    >>> bound.bound([0, 10, 20])
    array([1.00000000e+00, 9.76562500e-04, 9.53674316e-07])
    >>> bound.steps(1e-6)  # so many maps are needed
    20
    >>> bound.constants["k"].origin
    'proved'
    """

    statement: str
    k: float
    D: float
    target: str
    majorant: Majorant
    distance: str
    hypotheses: tuple[str, ...]
    constants: Mapping[str, Constant]
    p: float = math.inf
    horizon: int | None = None
    start: NDArray | None = field(default=None, compare=False, repr=False)
    images: NDArray | None = field(default=None, compare=False, repr=False)
    stated: NDArray | None = field(default=None, compare=False, repr=False)
    metric: Space | None = field(default=None, compare=False, repr=False)
    word: ClassVar[str] = "bound"
    certified: ClassVar[bool] = False

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[object, ...]:
        """Pickle without a metric that cannot be pickled, such as one of a lambda."""
        try:
            pickle.dumps(self.metric)
        except Exception:  # what a metric holds decides which
            return replace(self, metric=None).__reduce__()
        return self.__reduce__()

    @property
    def formula(self) -> str:
        """The bound as a mathematical formula."""
        return self.majorant.formula

    @property
    def origin(self) -> Origin:
        """The weakest origin among its constants: proved, declared, drawn or measured."""
        origins = {c.origin for c in self.constants.values()}
        return next(o for o in reversed(WEAKEST) if o in origins)

    def bound(self, n: ArrayLike) -> Numbers:
        """Upper bound on the distance of iterate n, for an integer or an array of them.

        Returns
        -------
        float or ndarray
            Has the shape of n, with replicas along an additional leading axis.

        Raises
        ------
        ValueError
            If n is negative, not an integer, or beyond the horizon of drawn maps.
        """
        n = check_index(n)
        if self.horizon is not None and n.size and n.max() > self.horizon:
            raise ValueError(f"this {self.word} holds for n <= {self.horizon}, got n = {int(n.max())}")
        value = self.majorant.bound(n)
        return float(value) if np.ndim(value) == 0 else np.asarray(value)

    def steps(self, eps: float) -> int:
        """Return the least n whose bound is at most eps (> 0), the number of maps needed for that precision.

        Raises
        ------
        ValueError
            If eps is not a positive number, or no n reaches it (within the horizon or 2^60 maps).
        """
        check_positive("eps", eps)
        if self.horizon is not None:
            table = self.bound(np.arange(self.horizon + 1))
            reached = np.flatnonzero(np.max(table.reshape(-1, table.shape[-1]), axis=0) <= eps)
            if not reached.size:
                raise ValueError(f"no n <= {self.horizon} has a bound of at most {eps!r}: draw more maps")
            return int(reached[0])
        if self.bound(0) <= eps:
            return 0
        low, high = 0, 1
        while not self.bound(high) <= eps:
            low, high = high, 2 * high
            if high > 2**60:
                reason = f"k = {self.k!r} is too near 1" if math.isfinite(self.bound(0)) else "the bound is infinite"
                raise ValueError(f"no n <= 2^60 has a bound of at most {eps!r}: {reason}")
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.bound(middle) <= eps else (middle, high)
        return high

    def __str__(self) -> str:
        left = f"d({self.target}, T_1…T_n θ)"
        if math.isfinite(self.p):
            left = f"(E {left}^{self.p:g})^(1/{self.p:g})" if self.p != 1 else f"E {left}"
        distance = " ".join(self.distance.replace(", event_ndim=1", "").replace("event_ndim=1", "").split())
        distance = distance if len(distance) <= 80 else f"{distance[:77]}…)"
        lines = [f"{self.word} ({self.statement}): {left} ≤ {self.formula}", f"  distance  {distance}"]
        width = max(map(len, self.constants), default=1)
        for name, c in self.constants.items():
            lines.append(f"  {name.ljust(width)} = {c.value:<12.6g} {c.origin:<9} {c.source}")
        holds = "holds if " if self.horizon is None else "holds for"  # drawn maps: T_1 … T_N
        lines += [f"  {holds} {h}" for h in self.hypotheses]
        ends = [0, 10, 100, 1000] if self.horizon is None else sorted({0, self.horizon // 2, self.horizon})
        shown = ", ".join(f"n={n}: {np.max(self.bound(n)):.3g}" for n in ends)
        return "\n".join([*lines, f"  bound     {shown}"])

    def __repr__(self) -> str:
        return f"<{self.word} by {self.statement}: k={self.k:.6g}, D={self.D:.6g}, {self.origin}, {self.formula}>"


class Certificate(ErrorBound):
    """An `ErrorBound` whose constants are proved, declared, or exact for the drawn maps that it covers.

    Examples
    --------
    >>> import contraction as ct
    >>> certificate = ct.certify(ct.families.BernoulliConvolution(0.5), [0.0])
    >>> round(certificate.bound(10), 9), certificate.steps(1e-3)
    (0.000976563, 10)
    """

    word: ClassVar[str] = "certificate"
    certified: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.origin == "measured":
            raise ValueError("a measured constant is only a lower bound: use an Estimate, not a Certificate")


class Estimate(ErrorBound):
    """An `ErrorBound` with a measured constant, which is a lower bound of the true one; the bound may be too small.

    Examples
    --------
    >>> import contraction as ct
    >>> import numpy as np
    >>> mine = ct.RandomOperator(lambda rng: rng.uniform(-1, 1), lambda x, u: 0.5 * np.sin(x) + u)
    >>> answer = ct.estimate(mine, [0.0], seed=0)
    >>> answer.certified, answer.origin
    (False, 'measured')
    >>> answer.k <= 0.5  # measured, and so at most the true constant
    True
    """

    word: ClassVar[str] = "estimate"


class _Fields(TypedDict):
    """The fields of an `ErrorBound` other than ``constants``."""

    statement: str
    k: float
    D: float
    target: str
    majorant: Majorant
    distance: str
    hypotheses: tuple[str, ...]
    p: NotRequired[float]
    horizon: NotRequired[int | None]


def certificate_or_estimate(constants: Mapping[str, Constant | None], **fields: Unpack[_Fields]) -> ErrorBound:
    """Return a certificate with the constants that are not None, or an estimate if one of them is measured."""
    known = {name: constant for name, constant in constants.items() if constant is not None}
    measured = any(constant.origin == "measured" for constant in known.values())
    return (Estimate if measured else Certificate)(constants=known, **fields)
