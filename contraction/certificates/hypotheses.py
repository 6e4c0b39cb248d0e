"""The constants that a certificate uses, rounded up, and the errors for hypotheses that fail."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_type
from contraction.certificates.change_of_metric import displacement_in, factor_in
from contraction.maps.constants import Constant
from contraction.maps.errors import NotCertified
from contraction.maps.operators import Operators, RandomOperator, how_to_state
from contraction.maps.points import as_point
from contraction.maps.rounding import EPS, float_up, round_up
from contraction.maps.spaces import Space
from contraction.maps.stated import stated_about_maps

__all__ = [
    "NO_NORM_EXISTS",
    "contraction_constant",
    "displacement_constant",
    "no_contraction",
    "point",
    "search_declared",
    "search_declared_drawn",
    "start_distance",
]

NO_NORM_EXISTS = "no common norm exists"


def point(theta0: ArrayLike, family: RandomOperator) -> NDArray:
    """Return ``theta0`` as one point of the family's space; ValueError for a batch, NaN or a wrong dimension."""
    check_type("the family", family, RandomOperator, "a family of maps, such as RandomOperator(draw, apply)")
    theta = as_point(theta0, family.dim)
    if theta.ndim != family.space.event_ndim:
        axes = family.space.event_ndim
        raise ValueError(
            f"a certificate needs a single point, and in {type(family.space).__name__} a point is an array with {axes} "
            f"{'axis' if axes == 1 else 'axes'}; got shape {theta.shape}. Where points have more axes, as matrices do, "
            "declare space=Metric(distance, event_ndim=2)"
        )
    if theta.dtype.kind == "f" and not np.all(np.isfinite(theta)):
        raise ValueError("a reference point must be finite")
    region = family.known.region
    if region is not None:
        try:
            region.points(np.random.default_rng(0), theta, 1)
            inside = bool(np.all(region.contains(theta.astype(float))))
        except ValueError as error:
            raise ValueError(f"the domain {region!r} is not one of points like {theta.tolist()}: {error}") from None
        if not inside:
            raise ValueError(f"the point {theta.tolist()} is not in the domain {region!r} declared for the maps")
    return theta


def check_constant(family: RandomOperator, name: str, found: object, form: str) -> None:
    """Raise TypeError unless what a family's own class answers is a `Constant` or None."""
    if found is not None and not isinstance(found, Constant):
        raise TypeError(
            f"{name} of {family!r} must be {form} that returns ct.Constant(value, origin, source) or None, "
            f"got {found!r}"
        )


def _with_slack(c: Constant, slack: float) -> Constant:
    """Add the rounding error to a constant; declared numbers, infinity, and 0 without any error stay unchanged."""
    total = float(c.value) + slack
    if c.origin == "declared" or total == 0 or not math.isfinite(total):
        return replace(c, value=float_up(c.value))
    return replace(c, value=float(round_up(total)))


def factor_rounded_up(c: Constant, theta: NDArray, family: RandomOperator) -> Constant:
    """Round up a factor such as |1 - h lambda|: a product, a subtraction and, for d > 1, eigenvalues to 2 d ulps.

    A factor of 0 is exact where every map is constant, or where it is not computed but measured or declared.
    """
    if theta.dtype == object:
        return replace(c, value=float_up(c.value))
    d = theta.shape[-1] if theta.ndim else 1
    slack = (1 + c.value) * EPS * (1 if d == 1 else 2 * d)
    if c.value == 0:
        return replace(c, value=slack) if c.origin == "proved" and not family.is_constant else c
    return _with_slack(c, slack)


def displacement_rounded_up(c: Constant, theta: NDArray) -> Constant:
    """Round up d(θ, T θ): d + 4 rounded operations on numbers of the size of θ and of the distance.

    A distance that is computed as 0 away from 0 need not be 0: 0.9 · 1 + 0.1 is 1 in floats and a little more in truth.
    """
    if theta.dtype == object or not math.isfinite(c.value):
        return replace(c, value=float_up(c.value))
    size = float(np.max(np.abs(theta.astype(float)), initial=0.0))
    d = theta.shape[-1] if theta.ndim else 1
    return _with_slack(c, (d + 4) * EPS * (c.value + math.sqrt(d) * size))


def contraction_constant(
    family: RandomOperator, theta: NDArray, space: Space | None, ball: float | None, seed: int
) -> Constant | None:
    """Return the common factor k, rounded up; None if unknown. First search for a violation of declared constants."""
    if space is None or space == family.space:
        c = family.contraction if ball is None else family.contraction_on_ball(theta, ball)
        check_constant(family, "contraction", c, "a property")
        search_declared(family, theta, c, ball, seed)
        return None if c is None else factor_rounded_up(c, theta, family)
    if ball is None:
        search_declared(family, theta, family.contraction, None, seed)
    return factor_in(family, space)


def search_declared(family: RandomOperator, theta: NDArray, k: Constant | None, ball: float | None, seed: int) -> None:
    """Search for a violation of the declared k, D and constants of each map (inside the ball, if declared there).

    What a user's class overrides is declared, whatever it is called (`contraction.maps.stated`).
    """
    moved = family.displacement(theta)
    check_constant(family, "contraction", k, "a property")
    check_constant(family, "displacement", moved, "a method of theta0")
    declared = [c for c in (k, moved) if c is not None and c.origin == "declared"]
    if not declared and family.lipschitz_origin != "declared" and not stated_about_maps(family):
        return
    from contraction.certificates.falsify import search_violation

    def inside(rng: np.random.Generator, count: int) -> NDArray:
        steps = rng.standard_normal((count, *theta.shape))
        reach = np.asarray(family.space.distance(theta + steps, np.broadcast_to(theta, steps.shape)), dtype=float)
        scale = (ball or 1.0) * rng.uniform(0, 1, count) / np.where(reach > 0, reach, 1.0)
        return theta + steps * scale.reshape(-1, *[1] * theta.ndim) * (1 - 2.0**-40)

    search_violation(family, theta, seed, factor=k, points=None if ball is None else inside)


def search_declared_drawn(operators: Operators, theta: NDArray, seed: int) -> None:
    """Search drawn maps for a violation of the declared common factor, D or constants of each map."""
    family = operators.family
    common = [c for c in (family.contraction, family.displacement(theta)) if c is not None]
    declared = family.lipschitz_origin == "declared" or any(c.origin == "declared" for c in common)
    if len(operators) and (declared or stated_about_maps(family)):
        from contraction.certificates.falsify import search_violation

        search_violation(operators, theta, seed)


def displacement_constant(
    family: RandomOperator, theta: NDArray, space: Space | None, moment: float | None, k: Constant | None
) -> Constant:
    """D, the supremum over the support of d(θ, T θ), or the p-norm of d(θ, T θ); rounded up."""
    if space is not None and space != family.space:
        c = displacement_in(family, theta, space, moment)
    else:
        c = family.displacement(theta) if moment is None else family.displacement_moment(theta, moment)
        check_constant(family, "displacement", c, "a method of theta0")
    factor = "" if k is None else f" (k = {k.value:.6g} is fine)"
    if c is None:
        raise NotCertified(
            f"D unknown: nothing is stated about {_displacement_sought(moment)} of {family!r}{factor}",
            (
                "declare displacement=" if moment is None else "declare known=Known(displacement_moment=)",
                "certify the drawn operators",
                "estimate(family, theta0)",
            ),
        )
    if not math.isfinite(c.value):
        if moment is None:
            raise NotCertified(
                f"D infinite: sup d(θ_0, Tθ_0) = ∞ over the support ({c.source}){factor}",
                ("moment=2 for a bound in L²", "certify the drawn operators, which bounds d(θ_N, θ_n)"),
            )
        raise NotCertified(
            f"‖d(θ_0, Tθ_0)‖_{moment:g} infinite, or no bound of it is known ({c.source}){factor}",
            ("a smaller moment p", "noise whose moments are known", "certify drawn operators"),
        )
    return displacement_rounded_up(c, theta)


def _displacement_sought(moment: float | None) -> str:
    return "sup d(θ_0, Tθ_0) over the support" if moment is None else f"‖d(θ_0, Tθ_0)‖_{moment:g}"


def start_distance(
    family: RandomOperator, theta: NDArray, start: NDArray | None, space: Space | None
) -> Constant | None:
    """d(θ_0, start), rounded up; None if no other start is given."""
    if start is None:
        return None
    value = float((space or family.space).distance(theta, start))
    return displacement_rounded_up(Constant(value, "proved", "d(θ_0, start), computed"), theta)


def no_contraction(
    family: RandomOperator, k: Constant | None, tried: tuple[str, ...], moment: float | None, *more: str
) -> NotCertified:
    """Return an error with the reason why the maps have no common contraction factor below 1."""
    others = [*more, "certify the drawn operators, which bounds d(θ_N, θ_n)"]
    if family.linear_part is None:  # one linear part for all maps: averages change nothing
        others.append("contraction on average: average_contraction")
        if moment is None:
            others.insert(0, "moment=p for contraction in p-mean")
    expands = any(line.startswith(NO_NORM_EXISTS) for line in tried)  # then so does a word of q maps, for every q
    if tried and not (expands and (moment is None or family.linear_part is not None)):
        others.append("q= for contraction after q maps")
    if k is None:
        return _nothing_stated(family, moment, others[-1:], tried)
    stated, seen = family.contraction, f"k = {k.value:.6g}"
    if stated is not None and stated.source == k.source and stated.value < 1 <= k.value:
        seen = f"k = {stated.value!r} is {k.value!r} when rounded up"
    reason = family.why_not_contracting(k) or f"k ≥ 1: {seen} ({k.source})"
    return NotCertified(reason + ("; no common norm was found" if tried else ""), tuple(others), tried)


def _nothing_stated(
    family: RandomOperator, moment: float | None, others: Sequence[str], tried: tuple[str, ...]
) -> NotCertified:
    """Return the error for a family without a common factor, which names what was stated in its place."""
    rho = family.known.mean_square
    if rho is not None and moment == 2:
        reason = f"k ≥ 1: known.mean_square = {rho:g} is not below 1"
        return NotCertified(f"{reason}, and no Lipschitz constant is stated for {family!r}", tuple(others), tried)
    ways = [how_to_state(family, one_for_all=True), "estimate(family, theta0)", *others]
    if moment is not None and family.known.lipschitz_moment is None:
        ways.insert(1, "declare known=ct.Known(lipschitz_moment=…, displacement_moment=…)")
    if type(family).step_enclosures is not RandomOperator.step_enclosures:  # gradient steps, near a minimum
        ways.insert(0, "region=ct.find_region(family, theta0)")
    if rho is not None:
        ways.insert(0, "moment=2, for which known.mean_square= is stated")
    if family.lipschitz_origin == "declared":
        reason = f"k unknown: lipschitz= is stated for each map, but no bound for all maps of {family!r} is"
    else:
        reason = f"k unknown: no Lipschitz constant is stated for {family!r}"
    return NotCertified(reason, tuple(ways), tried)
