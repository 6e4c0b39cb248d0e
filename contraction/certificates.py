"""Certificates: numbers that bound the distance of a backward iterate to its limit, or the hypothesis that fails.

A *certificate* holds for every n, under hypotheses that are proved for the family or declared by the user (declared
constants are searched for a violating pair first). An *estimate* has the same shape but rests on a measured constant,
which is only a lower bound of the true one: it is never called a certificate. Sizes of increments are never used: the
next map is new, so small increments prove nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction import bounds
from contraction._hypotheses import (
    contraction_constant,
    displacement_constant,
    point,
    raise_no_contraction,
    start_distance,
)
from contraction.bounds import check_index
from contraction.constants import Constant, Origin
from contraction.errors import NotCertified
from contraction.operators import Operators, RandomOperator

__all__ = ["Certificate", "ErrorBound", "Estimate", "certify", "estimate"]

WEAKEST: tuple[Origin, ...] = ("proved", "declared", "drawn", "measured")


@dataclass(frozen=True, eq=False)
class ErrorBound:
    """An upper bound on the distance of the n-th backward iterate to a target, with where its numbers come from.

    Attributes
    ----------
    statement : str
        The theorem behind it.
    k, D : float
        Contraction factor (per step, or per block of ``q``) and displacement, rounded up.
    target : str
        What it bounds the distance to: "θ*", or "T_1…T_N θ0" for drawn maps alone.
    formula : str
        The bound as mathematics.
    distance : str
        The metric it is measured in.
    hypotheses : tuple of str
        What it holds under, one line each.
    constants : mapping of str to Constant
        Every number with its origin and source.
    p : float
        inf: the bound holds surely; otherwise it bounds (E d^p)^(1/p).
    horizon : int or None
        Largest n it speaks of; None for all.
    """

    statement: str
    k: float
    D: float
    target: str
    formula: str
    distance: str
    hypotheses: tuple[str, ...]
    constants: Mapping[str, Constant]
    evaluate: Callable[[NDArray], Any] = field(repr=False)
    p: float = math.inf
    horizon: int | None = None
    word: ClassVar[str] = "bound"
    certified: ClassVar[bool] = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "constants", MappingProxyType(dict(self.constants)))

    @property
    def origin(self) -> Origin:
        """The weakest origin among its constants: proved, declared, drawn or measured."""
        origins = {c.origin for c in self.constants.values()}
        return next(o for o in reversed(WEAKEST) if o in origins)

    def bound(self, n: ArrayLike) -> Any:
        """Upper bound on the distance of iterate n, for an integer or an array of them.

        Returns
        -------
        float or ndarray
            The shape of n; with replicas a leading axis for them.

        Raises
        ------
        ValueError
            If n is negative, not an integer, or beyond the horizon of drawn maps.
        """
        n = check_index(n)
        if self.horizon is not None and n.size and n.max() > self.horizon:
            raise ValueError(f"this {self.word} speaks of n <= {self.horizon}, got n = {int(n.max())}")
        value = self.evaluate(n)
        return float(value) if np.ndim(value) == 0 else np.asarray(value)

    def steps(self, eps: float) -> int:
        """Least n whose bound is at most eps (> 0): the number of maps for that precision.

        Raises
        ------
        ValueError
            If eps is not a positive number, or no n reaches it (within the horizon or 2^60 maps).
        """
        if not (eps > 0 and math.isfinite(eps)):
            raise ValueError(f"eps must be a finite number > 0, got {eps!r}")
        if self.horizon is not None:
            table = self.bound(np.arange(self.horizon + 1))
            reached = np.flatnonzero(np.max(table.reshape(-1, table.shape[-1]), axis=0) <= eps)
            if not reached.size:
                raise ValueError(f"no n <= {self.horizon} has a bound of at most {eps!r}: draw more maps")
            return int(reached[0])
        if self.bound(0) <= eps:
            return 0
        low, high = 0, 1
        while self.bound(high) > eps:
            low, high = high, 2 * high
            if high > 2**60:
                raise ValueError(f"no n <= 2^60 has a bound of at most {eps!r}: k = {self.k!r} is too near 1")
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
        lines += [f"  holds if  {h}" for h in self.hypotheses]
        ends = [0, 10, 100, 1000] if self.horizon is None else sorted({0, self.horizon // 2, self.horizon})
        shown = ", ".join(f"n={n}: {np.max(self.bound(n)):.3g}" for n in ends)
        return "\n".join([*lines, f"  bound     {shown}"])

    def __repr__(self) -> str:
        return f"<{self.word} by {self.statement}: k={self.k:.6g}, D={self.D:.6g}, {self.origin}, {self.formula}>"


class Certificate(ErrorBound):
    """An `ErrorBound` whose constants are proved, declared, or exact for the drawn maps it speaks of."""

    word: ClassVar[str] = "certificate"
    certified: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.origin == "measured":
            raise ValueError("a measured constant is a lower bound: it makes an Estimate, never a Certificate")


class Estimate(ErrorBound):
    """An `ErrorBound` with a measured constant: a lower bound of the true one, so this may be too small."""

    word: ClassVar[str] = "estimate"


def made(constants: Mapping[str, Constant], **fields: Any) -> ErrorBound:
    """A certificate, or an estimate if a constant is measured."""
    measured = any(c.origin == "measured" for c in constants.values())
    return (Estimate if measured else Certificate)(constants=constants, **fields)


def certify(
    subject: RandomOperator | Operators,
    theta0: ArrayLike,
    *,
    start: ArrayLike | None = None,
    moment: float | None = None,
    space: Any = None,
    ball: float | None = None,
    q: int | None = None,
    leaf: ArrayLike | bool | None = None,
    rigorous: bool = False,
    seed: int = 0,
) -> ErrorBound:
    """Bound the distance of backward iterates to their limit, or say which hypothesis fails.

    Parameters
    ----------
    subject
        A family: the bound is on d(θ*, T_1 … T_n θ), with D the supremum over the support. Or drawn operators
        T_1 … T_N: it is on d(T_1 … T_N θ0, T_1 … T_n θ) and says nothing about maps that were not drawn.
    theta0
        The reference point of the displacement, one point.
    start
        Where the iterates start, if not at the reference point.
    moment
        p > 0: bound (E d^p)^(1/p) with ‖d(θ0, Tθ0)‖_p, for unbounded displacements or contraction in p-mean.
    space
        The metric to certify in, such as `WeightedEuclidean(P)`; the family's own unless given. Where the family does
        not contract in its own metric but its linear parts are known, common norms are searched.
    ball
        Radius r: the contraction factor is claimed on the closed ball B(θ0, r) only, which must be invariant:
        d(θ0, Tθ0) <= (1-k) r.
    q
        Contraction after q maps: every word of length q contracts (linear parts must be known).
    leaf
        Basis (d, r), or True for the family's own, of a linear space that contains every T θ0 - θ0 and is kept by
        every linear part: the bound holds along the leaf θ0 + span (with ``q`` and ``moment``, as for least squares).
    rigorous
        Constants in ball arithmetic (python-flint), rounded outwards.
    seed
        Seeds the search for a pair that violates declared constants.

    Returns
    -------
    Certificate
        Or an `Estimate`, where a constant that the family states is measured.

    Raises
    ------
    NotCertified
        Naming the hypothesis that fails (k >= 1, D infinite or unknown, H singular or indefinite, region not
        invariant, no common norm) and what to ask instead.
    DeclarationRefuted
        If a declared constant is violated by a pair that was found.
    ValueError
        If an argument has no meaning.
    """
    if not isinstance(subject, RandomOperator | Operators):
        raise TypeError(f"certify takes a random operator or drawn operators, got {subject!r}")
    if moment is not None and not (moment > 0 and math.isfinite(moment)):
        raise ValueError(f"moment must be a finite number p > 0, got {moment!r}")
    if ball is not None and not (ball > 0 and math.isfinite(ball)):
        raise ValueError(f"ball must be a finite radius > 0, got {ball!r}")
    family = subject.family if isinstance(subject, Operators) else subject
    reference = point(theta0, family)
    begin = None if start is None else point(start, family)
    if isinstance(subject, Operators):
        if any(x is not None for x in (moment, ball, q, leaf)) or rigorous:
            raise ValueError("moment, ball, q, leaf and rigorous speak of a family, not of drawn operators")
        from contraction._drawn import certify_drawn

        return certify_drawn(subject, reference, begin, space)
    if leaf is not None or q is not None:
        from contraction._word_bounds import certify_words

        return certify_words(family, reference, begin, 1 if q is None else q, moment, space, leaf, rigorous)
    if rigorous:
        from contraction.rigorous import certify_rigorous

        return certify_rigorous(family, reference, begin, space, ball, seed)
    return _uniform(family, reference, begin, moment, space, ball, seed)


def _uniform(
    family: RandomOperator, reference: NDArray, begin: NDArray | None, moment: float | None, space: Any,
    ball: float | None, seed: int,
) -> ErrorBound:  # fmt: skip
    """Theorem 2.2: a common factor k < 1 in one metric."""
    k = contraction_constant(family, reference, space, ball, seed)
    if k is None or k.value >= 1:
        if ball is None and moment is not None and space is None:
            from contraction._word_bounds import certify_p_mean

            found = certify_p_mean(family, reference, begin, moment)
            if found is not None:
                return found
        if ball is None and space is None:
            from contraction.norms import certify_common_norm

            found, tried = certify_common_norm(family, reference, begin, moment)
            if found is not None:
                return found
        else:
            tried = ()
        raise_no_contraction(family, k, tried, moment)
    D = displacement_constant(family, reference, space, moment, k)
    r = start_distance(family, reference, begin, space)
    constants = {"k": k, "D": D} | ({} if r is None else {"r": r})
    hypotheses = [f"every map has factor at most k{'' if ball is None else f' on the ball B(θ0, {ball:g})'}"]
    if ball is not None:
        _check_ball(k, D, r, ball)
        hypotheses.append(f"the ball is invariant: D = {D.value:.6g} ≤ (1−k)r = {(1 - k.value) * ball:.6g}")
    hypotheses.append("d(θ0, Tθ0) ≤ D over the support" if moment is None else f"‖d(θ0, Tθ0)‖_{moment:g} ≤ D, i.i.d.")
    radius = 0.0 if r is None else r.value
    tail = "D kⁿ/(1−k)" if r is None else "(D/(1−k) + r) kⁿ"
    if moment is not None and moment < 1:
        evaluate = _p_below_one(k.value, D.value, radius, moment)
        tail = "[Dᵖ/(1−kᵖ)" + ("" if r is None else " + rᵖ") + "]^(1/p) kⁿ"
    else:
        evaluate = lambda n: bounds.other_start(k.value, D.value, radius, n)  # noqa: E731
    return made(
        constants, statement="Theorem 2.2" + (" on an invariant ball" if ball is not None else ""), k=k.value,
        D=D.value, target="θ*", formula=tail, distance=repr(space or family.space), hypotheses=tuple(hypotheses),
        evaluate=evaluate, p=math.inf if moment is None else float(moment),
    )  # fmt: skip


def _p_below_one(k: float, D: float, r: float, p: float) -> Callable[[NDArray], Any]:
    """For p < 1 the triangle inequality is that of E d^p: factor k^p, then the root."""
    rho = 0.0 if k == 0 else float(bounds.rounded_up(k**p, 8))
    if rho >= 1:
        raise NotCertified(f"k^p = {k!r}^{p!r} rounds to 1", ("a larger p",))
    return lambda n: bounds.p_mean(rho, p, D, n, r)


def _check_ball(k: Constant, D: Constant, r: Constant | None, ball: float) -> None:
    room = bounds.down(1 - k.value) * ball
    if D.value > room:
        raise NotCertified(
            f"the ball B(θ0, {ball:g}) is not invariant: the displacement D = {D.value:.6g} is larger than "
            f"(1−k)r = {room:.6g}",
            (f"a radius of at least D/(1−k) = {D.value / (1 - k.value):.6g}, if k holds there", "another θ0"),
        )
    if r is not None and r.value > ball:
        raise NotCertified(f"the start lies outside the ball: d(θ0, start) = {r.value:.6g} > r = {ball:g}")


def estimate(
    family: RandomOperator, theta0: ArrayLike, *, maps: int = 200, seed: int = 0, start: ArrayLike | None = None
) -> Estimate:
    """Theorem 2.2's formula with measured constants: the largest factor and displacement that a search saw.

    Both are lower bounds of the true suprema, so the result may be too small: an estimate, never a certificate.

    Raises
    ------
    NotCertified
        If even the measured factor is at least 1.
    """
    from contraction.declarations import search_violation

    reference = point(theta0, family)
    begin = None if start is None else point(start, family)
    seen = search_violation(family, reference, seed, maps=maps)
    source = f"largest over {seen.maps} maps and {seen.pairs} pairs, seed {seed}"
    k = Constant(seen.largest_ratio, "measured", source)
    if k.value >= 1:
        raise NotCertified(f"k ≥ 1: a pair was seen with d(Tx, Ty)/d(x, y) = {k.value:.6g}")
    D = Constant(seen.largest_displacement, "measured", source)
    r = start_distance(family, reference, begin, None)
    radius = 0.0 if r is None else r.value
    return Estimate(
        constants={"k": k, "D": D} | ({} if r is None else {"r": r}), statement="Theorem 2.2, constants measured",
        k=k.value, D=D.value, target="θ*", formula="D kⁿ/(1−k)" if r is None else "(D/(1−k) + r) kⁿ",
        distance=repr(family.space), hypotheses=("the true suprema are the measured ones (they may be larger)",),
        evaluate=lambda n: bounds.other_start(k.value, D.value, radius, n),
    )  # fmt: skip
