"""Searches for violations of what a user's class overrides, and the label of the certificates that rest on it.

What a class overrides of ``apply``, a draw, an answer or a part of a family (`contraction.maps.stated`) is a statement
of the user. Factors, displacements and affine forms are searched by `search_violation`. This module compares lists of
maps, linear parts and moments with drawn maps. The tests of moments and probabilities refuse a true statement with a
probability of at most 1e-9 each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from contraction.certificates.error_bound import ErrorBound
from contraction.certificates.falsify import least_distances
from contraction.certificates.majorants import InRegion
from contraction.certificates.region import RegionCertificate
from contraction.maps.affine import as_matrix
from contraction.maps.draws import sub_sequence
from contraction.maps.errors import DeclarationRefuted
from contraction.maps.operators import RandomOperator, drawn
from contraction.maps.points import apply_read_only
from contraction.maps.rounding import gamma
from contraction.maps.stated import stated_about_maps, stated_about_noise
from contraction.maps.supermartingales import exceeds
from contraction.types import Draw, Number

__all__ = ["labelled", "search_lists", "search_log_mean", "search_region", "search_stated_moments"]

FALSE_ALARM = 1e-9
DRAWS, FEW, PAIRS, REGION_BLOCKS = 2048, 64, 6, 8
LARGE = 2**20  # at most so many numbers are compared at a time
ABOUT_NOISE = frozenset({"D"})  # noise is added; a family with a factor that depends on it gives k that origin
COMPUTED = frozenset({"r", "c"})  # distances between given points, and constants between norms


def labelled(bound: ErrorBound, family: RandomOperator) -> ErrorBound:
    """Return a bound with constants that are "declared" instead of "proved" where they rest on a user's override."""
    maps, noise = stated_about_maps(family), stated_about_noise(family)
    if not maps and not noise:
        return bound
    constants = dict(bound.constants)
    for name, c in constants.items():
        about_noise = bool(noise) and c.origin == "proved" and name in ABOUT_NOISE
        about_maps = bool(maps) and (
            name not in COMPUTED if c.origin == "proved" else c.origin == "drawn" and name == "k"
        )
        if about_noise or about_maps:
            constants[name] = replace(c, origin="declared")
    return replace(bound, constants=constants)


def search_lists(family: RandomOperator, theta: NDArray, seed: int) -> None:
    """Compare a user's list of maps, and the linear parts, with drawn maps.

    Raises
    ------
    DeclarationRefuted
        If a drawn map is none of those of ``finite_support()``, a map is drawn more often than its probability allows,
        or the linear part of a drawn map is not among those that are stated.
    """
    if not stated_about_maps(family) or theta.dtype == object:
        return
    support = family.finite_support()
    if support is not None:
        _search_support(family, theta, support, seed)
    known = family.linear_support() if family.is_affine else None
    if known is not None:
        operators = family.sample(FEW, seed)
        _search_linear_parts(family, [A for _, A in known], [operators.draws[i] for i in range(FEW)])


def _points(family: RandomOperator, theta: NDArray, seed: int, count: int = 3) -> NDArray:
    rng = np.random.default_rng(sub_sequence(seed, "overrides"))
    near = family.random_points(rng, theta, count)
    if near is None:
        near = theta + (1 + np.abs(theta)) * rng.standard_normal((count, *theta.shape))
    return np.concatenate([theta[None].astype(float), np.asarray(near, dtype=float)])


def _images(family: RandomOperator, x: NDArray, draws: Sequence[Draw]) -> NDArray:
    return np.stack([np.asarray(apply_read_only(family, x, draw, "a map"), dtype=float).ravel() for draw in draws])


def _search_support(
    family: RandomOperator, theta: NDArray, support: Sequence[tuple[Number | None, Draw]], seed: int
) -> None:
    count = max(FEW, min(DRAWS, LARGE // max(1, len(support) * theta.size)))
    x = _points(family, theta, seed)
    operators = family.sample(count, seed)
    listed = _images(family, x, [draw for _, draw in support])
    seen = _images(family, x, [operators.draws[i] for i in range(count)])
    slack = gamma(64 + 16 * theta.size) * 4 * (1 + np.max(np.abs(x)) + np.max(np.abs(seen), axis=1))
    near = np.stack([np.max(np.abs(listed - image), axis=1) <= room for image, room in zip(seen, slack, strict=True)])
    if not np.all(near.any(axis=1)):
        i = int(np.argmin(near.any(axis=1)))
        raise DeclarationRefuted(
            f"finite_support() does not list T_{i + 1} of {family!r} (seed {seed}), which sends x = {x[0].tolist()} to "
            f"{seen[i].reshape(x.shape)[0].tolist()}"
        )
    if not family.is_iid or any(w is None for w, _ in support):
        return
    weights = np.array([float(w) for w, _ in support if w is not None])
    same = np.stack([np.max(np.abs(listed - one), axis=1) <= np.max(slack) for one in listed])  # maps that are equal
    for j, total in enumerate(same @ weights):
        if exceeds(
            near[:, same[j]].any(axis=1).astype(float), float(total) * (1 + 2.0**-30), FALSE_ALARM / len(support)
        ):
            share = float(np.mean(near[:, same[j]].any(axis=1)))
            raise DeclarationRefuted(
                f"finite_support() of {family!r} gives map {j} the probability {float(total):.6g}, but {share:.6g} of "
                f"{count} draws (seed {seed}) are this map"
            )


def _search_linear_parts(family: RandomOperator, parts: Sequence[NDArray], draws: Sequence[Draw]) -> None:
    stacked = np.stack([np.asarray(A, dtype=float) for A in parts])
    for i, draw in enumerate(draws):
        form = family.affine(draw)
        if form is None:
            continue
        A = as_matrix(form, stacked.shape[-1])
        room = gamma(64 + 16 * len(A)) * (1 + float(np.max(np.abs(A))))
        if not np.any(np.max(np.abs(stacked - A), axis=(1, 2)) <= room):
            raise DeclarationRefuted(
                f"the linear part of T_{i + 1} of {family!r} is {A.tolist()} by affine(draw), which is not among the "
                f"{len(parts)} of linear_part or linear_support(), such as {stacked[0].tolist()}"
            )


def search_stated_moments(family: RandomOperator, theta: NDArray, p: float, seed: int) -> None:
    """Compare moments that a user's class states with drawn maps: of the displacement, and of the factors.

    Raises
    ------
    DeclarationRefuted
        If a test rejects one; the message states the points and both numbers.
    """
    if not stated_about_maps(family) or theta.dtype == object or not family.is_iid:
        return
    moved, factor = family.displacement_moment(theta, p), family.factor_moment(p)
    rho = family.mean_square_factor if p == 2 else None
    x, rng = _points(family, theta, seed, PAIRS), np.random.default_rng(sub_sequence(seed, "overridden moments"))
    operators = drawn(family, DRAWS, int(rng.integers(2**63)))
    images = np.stack([apply_read_only(family, x, operators.draws[i], "a map") for i in range(DRAWS)]).astype(float)
    distance, alpha = family.space.distance, FALSE_ALARM / (2 * PAIRS + 1)
    if moved is not None and math.isfinite(moved.value):
        powers = least_distances(family.space, x[0], images[:, 0]) ** p
        if exceeds(powers, moved.value**p * (1 + 2.0**-30), alpha):
            raise DeclarationRefuted(
                f"displacement_moment(theta0, {p:g}) = {moved.value!r} of {family!r} is violated: the mean of "
                f"d(theta0, T theta0)^{p:g}, which may be {moved.value**p:.6g} at most, is {np.mean(powers):.6g} over "
                f"{DRAWS} draws (seed {seed})"
            )
    for name, bound in (
        (f"factor_moment({p:g})", factor),
        ("mean_square_factor", None if rho is None else rho.value**2),
    ):
        if bound is None or not math.isfinite(bound):
            continue
        for j in range(1, len(x)):
            before = float(distance(x[0], x[j]))
            if before == 0:
                continue
            ratios = (np.asarray(distance(images[:, 0], images[:, j]), dtype=float) / before) ** p
            if exceeds(ratios, bound * (1 + 2.0**-30), alpha):
                raise DeclarationRefuted(
                    f"{name} of {family!r} says that E (d(Tx, Ty) / d(x, y))^{p:g} is at most {bound:.6g}: its mean "
                    f"over {DRAWS} draws (seed {seed}) is {np.mean(ratios):.6g} at x = {x[0].tolist()}, "
                    f"y = {x[j].tolist()}"
                )


def search_log_mean(family: RandomOperator, theta: NDArray, seed: int) -> None:
    """Refuse a user's ``log_mean`` if every one of 2048 drawn maps contracts a pair of points less than it says.

    A true value is refused with a probability above 1e-9 only if fewer than 1 % of the maps have a smaller log factor.

    Raises
    ------
    DeclarationRefuted
        If that is so.
    """
    if not stated_about_maps(family) or theta.dtype == object or (mean := family.log_mean) is None:
        return
    x = _points(family, theta, seed)[:2]
    before = float(family.space.distance(x[0], x[1]))
    operators = family.sample(DRAWS, seed)
    images = np.stack([apply_read_only(family, x, operators.draws[i], "a map") for i in range(DRAWS)]).astype(float)
    after = np.asarray(family.space.distance(images[:, 0], images[:, 1]), dtype=float)
    if before > 0 and np.all(after > before * math.exp(mean) * (1 + 2.0**-30)):
        least = float(np.min(np.log(after / before)))
        raise DeclarationRefuted(
            f"log_mean = {mean!r} of {family!r} is violated: log d(Tx, Ty) / d(x, y) is at least {least:.6g} for each "
            f"of {DRAWS} draws (seed {seed}) at x = {x[0].tolist()}, y = {x[1].tolist()}"
        )


def search_region(family: RandomOperator, bound: RegionCertificate, theta: NDArray, seed: int) -> None:
    """Compare a factor on a region with drawn maps, or with whole epochs of them, for overrides of a user.

    Raises
    ------
    DeclarationRefuted
        If a pair of points of the region violates the factor, the start moves further than D, or a map leaves the
        region.
    """
    if not stated_about_maps(family):
        return
    q = bound.majorant.q if isinstance(bound.majorant, InRegion) else 1
    region, distance = bound.region, bound.space.distance
    rng = np.random.default_rng(sub_sequence(seed, "overridden region"))
    x = np.concatenate([theta[None], region.points(rng, theta, 24)])
    operators, name = family.sample(REGION_BLOCKS * q, seed), f"{family!r} (seed {seed})"
    for block in range(REGION_BLOCKS):
        fx = x
        for i in range(block * q, (block + 1) * q):
            fx = apply_read_only(family, fx, operators.draws[i], f"T_{i + 1}")
        which = f"T_{block + 1}" if q == 1 else f"epoch {block + 1}"
        apart, images = (np.asarray(distance(z[:-1], z[1:]), dtype=float) for z in (x, fx))
        room = 1e-9 * (1 + np.max(np.abs(x)))
        if np.any(images > bound.k * apart * (1 + 2.0**-30) + room):
            raise DeclarationRefuted(f"k = {bound.k:.6g} on the region is violated by {which} of {name}")
        if not np.all(region.contains(theta + (fx - theta) * (1 - 1e-9))):
            raise DeclarationRefuted(f"the region is not invariant: {which} of {name} leads out of it")
        if q == 1 and float(distance(theta, fx[0])) > bound.D + room:
            raise DeclarationRefuted(f"D = {bound.D:.6g} on the region is violated by {which} of {name}")
