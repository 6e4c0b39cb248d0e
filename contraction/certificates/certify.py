"""`certify`: select the theorem that applies and return its constants and bound, or name the hypothesis that fails."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_flag, check_positive
from contraction.certificates.best_norm import certify_in_norm
from contraction.certificates.certified_for import signed
from contraction.certificates.drawn import certify_drawn
from contraction.certificates.error_bound import ErrorBound, Estimate, certificate_or_estimate
from contraction.certificates.hypotheses import (
    contraction_constant,
    displacement_constant,
    no_contraction,
    point,
    search_declared,
    start_distance,
)
from contraction.certificates.majorants import Geometric, GeometricMoment, Majorant, MeanSquareMoments, Smaller
from contraction.certificates.mean_square import certify_mean_square
from contraction.certificates.moments import search_declared_moments, search_second_moments
from contraction.certificates.norms import certify_common_norm
from contraction.certificates.overrides import labelled, search_lists, search_region, search_stated_moments
from contraction.certificates.region import RegionCertificate, certify_region
from contraction.certificates.rigorous import certify_rigorous
from contraction.certificates.words import certify_p_mean, certify_words
from contraction.maps.comparing import shown
from contraction.maps.constants import Constant
from contraction.maps.domains import RotatedBox
from contraction.maps.errors import MapRefused, NotCertified
from contraction.maps.operators import Operators, RandomOperator, drawn
from contraction.maps.probe import probe, probe_family
from contraction.maps.rounding import round_down, round_up
from contraction.maps.spaces import Space, as_space

__all__ = ["certify", "estimate"]

START_MAPS = 16  # so many drawn maps are tried at the start


def certify(
    subject: RandomOperator | Operators,
    theta0: ArrayLike,
    *,
    start: ArrayLike | None = None,
    moment: float | None = None,
    space: Space | None = None,
    ball: float | None = None,
    region: RotatedBox | None = None,
    q: int | None = None,
    leaf: ArrayLike | bool | None = None,
    rigorous: bool = False,
    seed: int = 0,
) -> ErrorBound:
    """Bound the distance of backward iterates to their limit, or raise an error that names the hypothesis that fails.

    Parameters
    ----------
    subject
        A family: the bound is on d(θ*, T_1 … T_n θ), with D the supremum over the support. Or drawn operators
        T_1 … T_N: the bound is on d(T_1 … T_N θ_0, T_1 … T_n θ) and does not cover maps that were not drawn.
    theta0
        The reference point of the displacement, a single point.
    start
        The start of the iterates (default: the reference point).
    moment
        An exponent p > 0: bound (E d^p)^(1/p) with ‖d(θ_0, Tθ_0)‖_p, for unbounded displacements or contraction in
        p-mean (default: a sure bound).
    space
        The metric of the certificate, such as `WeightedEuclidean(P)` (default: the family's). If the family does not
        contract in its own metric but its linear parts are known, the default also searches for a common norm.
    ball
        Radius r: the family need contract only on the closed ball B(θ_0, r), which must be invariant:
        d(θ_0, Tθ_0) <= (1-k) r for every map, also with ``moment``, which then only sharpens the bound.
    region
        A `RotatedBox`: the maps are gradient steps that need contract only on it, and it must be invariant; both are
        proved with outward rounding (`contraction.certificates.region`, row 85). ``space`` then chooses the norm:
        `Euclidean`, `SupNorm` for a weighted maximum norm in the box's coordinates, or the better of the two.
    q
        Contraction after q maps: every word of length q contracts (linear parts must be known).
    leaf
        Basis (d, r) of a linear space that contains every T θ_0 - θ_0 and that every linear part sends into itself, or
        True for ``family.leaf_basis``. This is checked in rational arithmetic (`leaf_basis`).
        The bound then holds along the leaf θ_0 + span (together with ``q`` and ``moment``, as for least squares).
    rigorous
        If true, compute the constants in ball arithmetic (python-flint) and round them outwards.
    seed
        Seed of the search for a pair that violates declared constants.

    Returns
    -------
    Certificate
        Or an `Estimate`, if a constant that the family states is measured.

    Raises
    ------
    NotCertified
        If a hypothesis fails (k >= 1, D infinite or unknown, H singular or indefinite, region not invariant, no common
        norm). The message names it, together with alternative calls.
    DeclarationRefuted
        If the search finds a pair of points that violates a declared constant of the family or of drawn operators.
    MapRefused, NotDeterministic
        If a map breaks a rule of `RandomOperator` (`contraction.maps.probe`).
    ValueError
        If an argument, or a combination of arguments, is invalid.
    TypeError
        If ``subject`` is neither a family nor drawn operators.

    References
    ----------
    Dherin, B., et al. (2025). Training in reverse. arXiv:2502.01557v1, Theorem 2.2.

    Diaconis, P., and Freedman, D. (1999). Iterated random functions. SIAM Review 41, 45-76.

    Examples
    --------
    >>> import contraction as ct
    >>> family = ct.families.QuadraticSGD(h=0.1, noise=ct.families.Uniform(-1, 1))
    >>> certificate = ct.certify(family, [0.0])
    >>> round(certificate.k, 6), round(certificate.D, 6), certificate.steps(1e-3)
    (0.9, 0.1, 66)
    """
    check_flag("rigorous", rigorous)
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
    if isinstance(subject, Operators) and region is None:
        if any(x is not None for x in (moment, ball, q, leaf)) or rigorous:
            raise ValueError("moment, ball, q, leaf and rigorous apply to a family, not to drawn operators")
        probe(subject, *((reference,) if begin is None else (reference, begin)))
        return labelled(certify_drawn(subject, reference, begin, space, seed), family)
    if region is not None:
        _only_region(subject, moment, ball, q, leaf, start)
        probe_family(family, reference, seed=seed)
        bound: ErrorBound = certify_region(family, reference, region, space)
        assert isinstance(bound, RegionCertificate)
        search_region(family, bound, reference, seed)
    else:
        bound = _of_family(family, reference, begin, moment, space, ball, q, leaf, rigorous, seed)
    return signed(labelled(bound, family), family, reference if begin is None else begin, space)


def _of_family(
    family: RandomOperator,
    reference: NDArray,
    begin: NDArray | None,
    moment: float | None,
    space: Space | None,
    ball: float | None,
    q: int | None,
    leaf: ArrayLike | bool | None,
    rigorous: bool,
    seed: int,
) -> ErrorBound:
    """Bound the distance to θ*, by the theorem that the arguments ask for."""
    starts = (reference,) if begin is None else (reference, begin)
    compared = rigorous and leaf is None and q is None  # with enclosures, which are checked instead of affine forms
    probe_family(family, *starts, seed=seed, affine=not compared)
    _check_start(family, reference, seed)
    search_lists(family, reference, seed)
    if moment is not None:
        search_stated_moments(family, reference, moment, seed)
    if leaf is not None or q is not None:
        if rigorous:
            raise ValueError("rigorous=True is available for uniform contraction only: omit q and leaf")
        search_declared(family, reference, family.contraction, None, seed)
        return certify_words(family, reference, begin, 1 if q is None else q, moment, space, leaf)
    if rigorous:
        result = certify_rigorous(family, reference, begin, space, ball, seed)
        probe_family(family, *starts, seed=seed)
        return result
    return _uniform(family, reference, begin, moment, space, ball, seed)


def _check_start(family: RandomOperator, theta0: NDArray, seed: int) -> None:
    """Refuse a start at which a map or the metric gives no number, since no hypothesis holds there."""
    for operator in drawn(family, START_MAPS, seed):
        with np.errstate(all="ignore"):
            image = np.asarray(operator(theta0.copy()))
            try:
                distance = float(family.space.distance(theta0, image))
            except OverflowError:  # of exact numbers
                raise MapRefused(
                    f"T_{operator.index} of {family!r} moves theta0 farther than the largest float, 1.8e308: start "
                    "nearer"
                ) from None
        if np.isnan(distance) or (np.isinf(distance) and image.dtype.kind == "f" and np.all(np.isfinite(image))):
            raise MapRefused(
                f"d(theta0, T_{operator.index} theta0) of {family!r} is {distance} at theta0 = {shown(theta0)} "
                f"(seed {seed}): start inside the domain of the maps and of the metric"
            )


def _only_region(subject: RandomOperator | Operators, *others: ArrayLike | None) -> None:
    if isinstance(subject, Operators) or any(x is not None for x in others):
        raise ValueError("region applies to a family and to theta0 as the start: omit start, moment, ball, q, leaf")


def _uniform(
    family: RandomOperator,
    reference: NDArray,
    begin: NDArray | None,
    moment: float | None,
    space: Space | None,
    ball: float | None,
    seed: int,
) -> ErrorBound:
    """Theorem 2.2: a common factor k < 1 in one metric, or the bound in mean square if that is sharper."""
    k = contraction_constant(family, reference, space, ball, seed)
    if moment is not None:
        search_declared_moments(family, reference, moment, seed)
        if family.given_moments and (given := family.second_moments()) is not None:
            search_second_moments(family, reference, given, seed)
    tried: tuple[str, ...] = ()
    if moment == 2 and ball is None:
        result, tried = _in_mean_square(family, reference, begin, None if space == family.space else space, k)
        if result is not None and (k is None or result.k < k.value * (1 - 2.0**-30)):
            return _smaller(result, _in_p_mean(family, reference, begin, moment, space, ball))
    if k is None or k.value >= 1:
        searched = ball is None and space is None
        return _without_common_factor(family, reference, begin, moment, k, tried, searched=searched)
    D = displacement_constant(family, reference, space, moment, k)
    r = start_distance(family, reference, begin, space)
    largest: Constant | None = None
    factor = "every map has factor at most k"
    moves = "d(θ_0, Tθ_0) ≤ D over the support" if moment is None else f"‖d(θ_0, Tθ_0)‖_{moment:g} ≤ D for every map"
    if ball is None:
        statement, hypotheses = "Theorem 2.2", (factor, moves)
    else:
        # a p-norm within (1-k) r would let rare maps leave the ball, outside which k need not hold
        largest = D if moment is None else _largest_displacement(family, reference, space, k, ball)
        _check_ball(k, largest, r, ball)
        name = "D" if moment is None else "sup d(θ_0, Tθ_0)"
        room = f"the ball is invariant: {name} = {largest.value:.6g} ≤ (1−k)r = {(1 - k.value) * ball:.6g}"
        statement = "Theorem 2.2 on an invariant ball"
        hypotheses = (f"{factor} on the ball B(θ_0, {ball:g})", room, moves)
    constants = {"k": k, "D": D, "r": r} | ({} if largest is None or largest is D else {"sup": largest})
    uniform = certificate_or_estimate(
        constants,
        statement=statement,
        k=k.value,
        D=D.value,
        target="θ*",
        majorant=_geometric(k.value, D.value, None if r is None else r.value, moment),
        distance=repr(space or family.space),
        hypotheses=hypotheses,
        p=math.inf if moment is None else float(moment),
    )
    return _smaller(uniform, _in_p_mean(family, reference, begin, moment, space, ball))


def _in_p_mean(
    family: RandomOperator,
    reference: NDArray,
    begin: NDArray | None,
    moment: float | None,
    space: Space | None,
    ball: float | None,
) -> ErrorBound | None:
    """Return the bound of p-mean contraction where p-th moments of the maps' constants are known, or None."""
    if moment is None or ball is not None or space not in (None, family.space) or family.factor_moment(moment) is None:
        return None
    return certify_p_mean(family, reference, begin, moment)


def _smaller(one: ErrorBound, other: ErrorBound | None) -> ErrorBound:
    """Return the bound that falls faster, ``one`` if both do alike; a certificate comes before an estimate."""
    if other is None or one.certified != other.certified:
        return one if other is None or one.certified else other
    return other if other.k < one.k * (1 - 2.0**-30) else one


def _in_mean_square(
    family: RandomOperator, reference: NDArray, begin: NDArray | None, space: Space | None, k: Constant | None
) -> tuple[ErrorBound | None, tuple[str, ...]]:
    """Return the bound with the smallest mean-square factor, in ``space`` (None: the family's), and what was tried."""
    of_moments: tuple[str, ...] = ()
    try:
        known = certify_mean_square(family, reference, begin, k) if space is None else None
    except NotCertified as error:
        known, of_moments = None, (str(error).removeprefix("not certified: "),)
    if known is not None and isinstance(known.majorant, MeanSquareMoments | Smaller):
        return known, ()  # exact
    result, tried = certify_in_norm(family, reference, begin, space)
    if result is None or (known is not None and known.k <= result.k * (1 + 2.0**-30)):
        return known, (*of_moments, *tried)
    return result, (*of_moments, *tried)


def _without_common_factor(
    family: RandomOperator,
    reference: NDArray,
    begin: NDArray | None,
    moment: float | None,
    k: Constant | None,
    tried: tuple[str, ...],
    *,
    searched: bool,
) -> ErrorBound:
    """Contraction in p-mean or in a common norm; ``searched`` is false if the caller gave a ball or a metric."""
    if searched:
        bound = None if moment is None else certify_p_mean(family, reference, begin, moment)
        if bound is None:
            bound, more = certify_common_norm(family, reference, begin, moment)
            tried = (*tried, *more)
        if bound is not None:
            return bound
    raise no_contraction(family, k, tried, moment)


def _geometric(k: float, D: float, r: float | None, moment: float | None) -> Majorant:
    """D kⁿ/(1−k) for the supremum and for moments p >= 1; the corresponding bound from E d^p for p < 1."""
    if moment is None or moment >= 1:
        return Geometric(k, D, r)
    rho = 0.0 if k == 0 else float(round_up(k**moment, 8))
    if rho >= 1:
        raise NotCertified(f"k^p = {k!r}^{moment!r} rounds to 1", ("a larger p",))
    return GeometricMoment(rho, moment, D, r)


def _largest_displacement(
    family: RandomOperator, reference: NDArray, space: Space | None, k: Constant, ball: float
) -> Constant:
    """Return the supremum of d(θ_0, Tθ_0), which decides whether a ball is invariant, whatever the moment is."""
    try:
        return displacement_constant(family, reference, space, None, k)
    except NotCertified as error:
        raise NotCertified(
            f"the ball B(θ_0, {ball:g}) is not known to be invariant: with moment=, too, no map may leave it, which "
            f"needs a finite supremum of d(θ_0, Tθ_0); {error.hypothesis}",
            ("bounded noise, or displacement= declared", "leave out ball=, if k holds in the whole space"),
        ) from None


def _check_ball(k: Constant, D: Constant, r: Constant | None, ball: float) -> None:
    room = round_down(1 - k.value) * ball
    if D.value > room:
        raise NotCertified(
            f"the ball B(θ_0, {ball:g}) is not invariant: the displacement D = {D.value:.6g} is larger than "
            f"(1−k)r = {room:.6g}",
            (f"a radius of at least D/(1−k) = {D.value / (1 - k.value):.6g}, if k holds there", "another θ_0"),
        )
    if r is not None and r.value > ball:
        raise NotCertified(f"the start lies outside the ball: d(θ_0, start) = {r.value:.6g} > r = {ball:g}")


def estimate(
    family: RandomOperator, theta0: ArrayLike, *, maps: int = 200, seed: int = 0, start: ArrayLike | None = None
) -> Estimate:
    """Theorem 2.2's formula with measured constants: the largest factor and displacement that a search has seen.

    Both are lower bounds of the true suprema, so the result may be too small; it is an estimate, never a certificate.

    Raises
    ------
    NotCertified
        If even the measured factor is at least 1.
    MapRefused, NotDeterministic, DeclarationRefuted
        If a map breaks a rule of `RandomOperator` (`contraction.maps.probe`), or a declared constant is violated.

    References
    ----------
    Dherin, B., et al. (2025). Training in reverse. arXiv:2502.01557v1, Theorem 2.2.

    Examples
    --------
    >>> import contraction as ct
    >>> import numpy as np
    >>> sine = ct.RandomOperator(lambda rng: rng.uniform(-1, 1), lambda x, u: np.sin(x) / 2 + u)
    >>> found = ct.estimate(sine, [0.0])
    >>> found.k <= 0.5, found.D <= 1
    (True, True)
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
    return Estimate(
        constants={"k": k, "D": D} | ({} if r is None else {"r": r}),
        statement="Theorem 2.2, constants measured",
        k=k.value,
        D=D.value,
        target="θ*",
        majorant=Geometric(k.value, D.value, None if r is None else r.value),
        distance=repr(family.space),
        hypotheses=("the true suprema are the measured ones (they may be larger)",),
    )
