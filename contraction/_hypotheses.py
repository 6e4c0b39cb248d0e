"""The constants that a certificate uses, rounded up, and what to say when a hypothesis fails."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction._change_of_metric import displacement_in, factor_in
from contraction.constants import Constant
from contraction.errors import NotCertified
from contraction.operators import RandomOperator, as_point

__all__ = [
    "contraction_constant",
    "displacement_constant",
    "point",
    "raise_no_contraction",
    "raised",
    "start_distance",
]

U = 2.0**-52


def point(theta0: ArrayLike, family: RandomOperator) -> NDArray:
    """One point of the family's space; ValueError for a batch, NaN or a wrong dimension."""
    theta = as_point(theta0, family.dim)
    if theta.ndim != family.space.event_ndim:
        raise ValueError(
            f"a certificate speaks of one point, with {family.space.event_ndim} axes; got shape {theta.shape}"
        )
    if theta.dtype.kind == "f" and not np.all(np.isfinite(theta)):
        raise ValueError("a reference point must be finite")
    return theta


def raised(c: Constant, slack: float) -> Constant:
    """A constant plus its rounding; declared numbers and exact zeros are what they are."""
    if c.origin == "declared" or c.value == 0 or not math.isfinite(c.value):
        return c
    return replace(c, value=math.nextafter(float(c.value) + slack, math.inf))


def raised_factor(c: Constant, theta: NDArray, family: RandomOperator) -> Constant:
    """A factor such as |1 - h lambda|: one product, one subtraction and, for d > 1, eigenvalues to within 2 d ulps."""
    if theta.dtype == object:
        return replace(c, value=float(c.value))
    d = theta.shape[-1] if theta.ndim else 1
    slack = (1 + c.value) * U * (1 if d == 1 else 2 * d)
    if c.value == 0 and c.origin == "proved" and not _exactly_zero(family):
        return replace(c, value=slack)
    return raised(c, slack)


def _exactly_zero(family: RandomOperator) -> bool:
    """Whether a factor 0 is exact and not 1 - h lambda rounded to 0."""
    H = getattr(family, "H", None)
    if H is None:
        return not hasattr(family, "curvature")
    h, entries = Fraction(float(family.h)), np.atleast_2d(H)  # type: ignore[attr-defined]
    return all(h * Fraction(float(x)) == (i == j) for (i, j), x in np.ndenumerate(entries))


def raised_displacement(c: Constant, theta: NDArray) -> Constant:
    """A distance d(theta, T theta): d + 4 rounded operations on numbers of the size of theta and of the distance."""
    if theta.dtype == object or not math.isfinite(c.value):
        return replace(c, value=float(c.value))
    size = float(np.max(np.abs(theta.astype(float)), initial=0.0))
    d = theta.shape[-1] if theta.ndim else 1
    return raised(c, (d + 4) * U * (c.value + math.sqrt(d) * size))


def contraction_constant(
    family: RandomOperator, theta: NDArray, space: Any, ball: float | None, seed: int
) -> Constant | None:
    """The common factor k, rounded up; None if nothing is known. Declared constants are searched first."""
    if ball is not None and (local := getattr(family, "local_contraction", None)) is not None:
        c = local(theta, ball)
        return None if c is None else raised_factor(c, theta, family)
    if space is None or space == family.space:
        c = family.contraction
        if c is not None:
            search_declared(family, theta, ball, seed)
        return None if c is None else raised_factor(c, theta, family)
    return factor_in(family, space)


def search_declared(family: RandomOperator, theta: NDArray, ball: float | None, seed: int) -> None:
    """Search declared constants for a violation (inside the ball, if they are claimed there only)."""
    declared = [c for c in (family.contraction, family.displacement(theta)) if c is not None and c.origin == "declared"]
    if not declared:
        return
    from contraction.declarations import search_violation

    def inside(rng: np.random.Generator, count: int) -> NDArray:
        steps = rng.standard_normal((count, *theta.shape))
        reach = np.asarray(family.space.distance(theta + steps, np.broadcast_to(theta, steps.shape)), dtype=float)
        scale = (ball or 1.0) * rng.uniform(0, 1, count) / np.where(reach > 0, reach, 1.0)
        return theta + steps * scale.reshape(-1, *[1] * theta.ndim) * (1 - 2.0**-40)

    search_violation(family, theta, seed, points=None if ball is None else inside)


def displacement_constant(
    family: RandomOperator, theta: NDArray, space: Any, moment: float | None, k: Constant | None
) -> Constant:
    """D, the supremum over the support of d(theta, T theta), or its p-th moment; rounded up."""
    if space is not None and space != family.space:
        c = displacement_in(family, theta, space, moment)
    else:
        c = family.displacement(theta) if moment is None else family.displacement_moment(theta, moment)
    factor = "" if k is None else f" (k = {k.value:.6g} is fine)"
    if c is None:
        raise NotCertified(
            f"D unknown: nothing is stated about sup d(θ0, Tθ0) over the support of {family!r}{factor}",
            ("declare displacement=", "certify the drawn operators", "estimate(family, theta0)"),
        )
    if not math.isfinite(c.value):
        if moment is None:
            raise NotCertified(
                f"D infinite: sup d(θ0, Tθ0) = ∞ over the support ({c.source}){factor}",
                ("moment=2 for a bound in L²", "certify the drawn operators, which bounds d(θ_N, θ_n)"),
            )
        raise NotCertified(
            f"‖d(θ0, Tθ0)‖_{moment:g} infinite ({c.source}){factor}", ("a smaller moment p", "certify drawn operators")
        )
    return raised_displacement(c, theta)


def start_distance(
    family: RandomOperator, theta: NDArray, start: NDArray | None, space: Any
) -> Constant | None:  # fmt: skip
    """d(theta0, start), rounded up; None without another start."""
    if start is None:
        return None
    value = float((space or family.space).distance(theta, start))
    return raised_displacement(Constant(value, "proved", "d(θ0, start), computed"), theta)


def raise_no_contraction(
    family: RandomOperator, k: Constant | None, tried: tuple[str, ...], moment: float | None, *more: str
) -> NoReturn:
    """Name why there is no common factor below 1."""
    others = [*more, "certify the drawn operators, which bounds d(θ_N, θ_n)"]
    if getattr(family, "linear_part", None) is None:  # one linear part for all maps: averages change nothing
        others.append("contraction on average: average_contraction")
        if moment is None:
            others.insert(0, "moment=p for contraction in p-mean")
    if tried:
        others.append("q= for contraction after q maps")
    if k is None:
        raise NotCertified(
            f"k unknown: no Lipschitz constant is stated for {family!r}",
            ("declare contraction=", "estimate(family, theta0)", *others[-1:]),
            tried,
        )
    raise NotCertified(why_not(family, k) + ("; no common norm found" if tried else ""), tuple(others), tried)


def why_not(family: RandomOperator, k: Constant) -> str:
    """The reason, by what the family says of its Hessian and learning rate."""
    h, H = getattr(family, "h", None), getattr(family, "H", None)
    if h is not None and H is not None and not hasattr(family, "beta"):
        H = np.atleast_2d(np.asarray(H, dtype=float))
        if H.shape[0] == H.shape[1]:
            return _why_not_hessian(float(h), np.linalg.eigvalsh(H), k)
    if h is not None and (curvature := getattr(family, "curvature", None)) is not None:
        m, M = curvature
        if m <= 0:
            return f"k ≥ 1: a loss is not strongly convex: m = {m:.6g}, so max(|1−hm|, |1−hM|) ≥ 1 for every h"
        return f"k ≥ 1: h = {h:.6g} is outside (0, 2/M) = (0, {2 / M:.6g}); k = {k.value:.6g} ({k.source})"
    if h is not None and np.ndim(h) == 0:
        return f"k ≥ 1: with h = {h:.6g}, k = {k.value:.6g} ({k.source})"
    return f"k ≥ 1: k = {k.value:.6g} ({k.source})"


def _why_not_hessian(h: float, eigenvalues: NDArray, k: Constant) -> str:
    low, high = float(eigenvalues[0]), float(eigenvalues[-1])
    negligible = 4 * len(eigenvalues) * U * max(abs(low), abs(high))
    if abs(low) <= negligible:
        return f"k ≥ 1: H is singular: λ_min = {low:.3g}, so ‖I−hH‖ ≥ 1 for every h (here {k.value:.6g})"
    if low < 0 < high:
        return f"k ≥ 1: H is indefinite: λ_min = {low:.6g}, λ_max = {high:.6g}, so ‖I−hH‖ > 1 for every h ≠ 0"
    if low < 0:
        return f"k ≥ 1: H is negative definite: λ_max = {high:.6g}, ‖I−hH‖ = {k.value:.6g}"
    return f"k ≥ 1: h = {h:.6g} is outside (0, 2/λ_max) = (0, {2 / high:.6g}); ‖I−hH‖ = {k.value:.6g}"
