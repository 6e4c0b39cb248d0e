"""`certify`: the theorem that applies, its constants and the bound, or the name of the hypothesis that fails."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_positive
from contraction.certificates import bounds
from contraction.certificates.drawn import certify_drawn
from contraction.certificates.error_bound import ErrorBound, Estimate, made
from contraction.certificates.hypotheses import (
    contraction_constant,
    displacement_constant,
    point,
    raise_no_contraction,
    start_distance,
)
from contraction.certificates.norms import certify_common_norm
from contraction.certificates.rigorous import certify_rigorous
from contraction.certificates.words import certify_p_mean, certify_words
from contraction.maps.constants import Constant
from contraction.maps.errors import NotCertified
from contraction.maps.operators import Operators, RandomOperator
from contraction.maps.probe import probe, probe_family
from contraction.maps.spaces import as_space

__all__ = ["certify", "estimate"]


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
        The metric to certify in, such as `WeightedEuclidean(P)` (default: the family's). Where the family does
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
        If a declared constant is violated by a pair that was found, of drawn operators as of a family.
    MapRefused, NotDeterministic
        If a map breaks a rule of `RandomOperator` (`contraction.maps.probe`).
    ValueError
        If an argument has no meaning.
    """
    if not isinstance(subject, RandomOperator | Operators):
        raise TypeError(f"certify takes a random operator or drawn operators, got {subject!r}")
    if moment is not None:
        check_positive("moment", moment)
    if ball is not None:
        check_positive("ball", ball)
    space = None if space is None else as_space(space)
    family = subject.family if isinstance(subject, Operators) else subject
    reference = point(theta0, family)
    begin = None if start is None else point(start, family)
    starts = (reference,) if begin is None else (reference, begin)
    if isinstance(subject, Operators):
        if any(x is not None for x in (moment, ball, q, leaf)) or rigorous:
            raise ValueError("moment, ball, q, leaf and rigorous speak of a family, not of drawn operators")
        probe(subject, *starts)
        return certify_drawn(subject, reference, begin, space, seed)
    compared = rigorous and leaf is None and q is None  # with enclosures, which say more than affine forms
    probe_family(family, *starts, seed=seed, affine=not compared)
    if leaf is not None or q is not None:
        return certify_words(family, reference, begin, 1 if q is None else q, moment, space, leaf, rigorous)
    if rigorous:
        found = certify_rigorous(family, reference, begin, space, ball, seed)
        probe_family(family, *starts, seed=seed)
        return found
    return _uniform(family, reference, begin, moment, space, ball, seed)


def _uniform(
    family: RandomOperator,
    reference: NDArray,
    begin: NDArray | None,
    moment: float | None,
    space: Any,
    ball: float | None,
    seed: int,
) -> ErrorBound:
    """Theorem 2.2: a common factor k < 1 in one metric."""
    k = contraction_constant(family, reference, space, ball, seed)
    if k is None or k.value >= 1:
        if ball is None and moment is not None and space is None:
            found = certify_p_mean(family, reference, begin, moment)
            if found is not None:
                return found
        if ball is None and space is None:
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
        constants,
        statement="Theorem 2.2" + (" on an invariant ball" if ball is not None else ""),
        k=k.value,
        D=D.value,
        target="θ*",
        formula=tail,
        distance=repr(space or family.space),
        hypotheses=tuple(hypotheses),
        evaluate=evaluate,
        p=math.inf if moment is None else float(moment),
    )


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
    MapRefused, NotDeterministic, DeclarationRefuted
        If a map breaks a rule of `RandomOperator` (`contraction.maps.probe`), or a declared constant is violated.
    """
    from contraction.certificates.falsify import search_violation

    reference = point(theta0, family)
    begin = None if start is None else point(start, family)
    probe_family(family, reference, *(() if begin is None else (begin,)), seed=seed)
    seen = search_violation(family, reference, seed, maps=maps)
    source = f"largest over {seen.maps} maps and {seen.pairs} pairs, seed {seed}"
    k = Constant(seen.largest_ratio, "measured", source)
    if k.value >= 1:
        raise NotCertified(f"k ≥ 1: a pair was seen with d(Tx, Ty)/d(x, y) = {k.value:.6g}")
    D = Constant(seen.largest_displacement, "measured", source)
    r = start_distance(family, reference, begin, None)
    radius = 0.0 if r is None else r.value
    return Estimate(
        constants={"k": k, "D": D} | ({} if r is None else {"r": r}),
        statement="Theorem 2.2, constants measured",
        k=k.value,
        D=D.value,
        target="θ*",
        formula="D kⁿ/(1−k)" if r is None else "(D/(1−k) + r) kⁿ",
        distance=repr(family.space),
        hypotheses=("the true suprema are the measured ones (they may be larger)",),
        evaluate=lambda n: bounds.other_start(k.value, D.value, radius, n),
    )
