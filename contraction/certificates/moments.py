"""A search for violations of declared moments: exact tests with a total false-alarm probability of 1e-9.

The tests are those of `contraction.maps.supermartingales`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contraction.certificates.falsify import least_distances
from contraction.maps.draws import sub_sequence
from contraction.maps.errors import DeclarationRefuted
from contraction.maps.operators import Operators, RandomOperator, drawn
from contraction.maps.points import apply_read_only, declared_number
from contraction.maps.second_moments import SecondMoments
from contraction.maps.supermartingales import exceeds

__all__ = ["search_declared_moments", "search_second_moments"]

FALSE_ALARM = 1e-9
DRAWS, PAIRS = 2048, 12


def search_declared_moments(family: RandomOperator, theta: NDArray, p: float, seed: int) -> None:
    """Refuse declared p-th moments, of the displacement and of the Lipschitz constant, that draws contradict.

    For p = 2 a declared factor in mean square is searched as well.

    Raises
    ------
    DeclarationRefuted
        If a test rejects a declared moment; the message states the pair of points (or the start) and both numbers.
    """
    known = family.known
    if known.displacement_moment is None and known.lipschitz_moment is None and (p != 2 or known.mean_square is None):
        return
    rng = np.random.default_rng(sub_sequence(seed, "mean square"))
    operators = drawn(family, DRAWS, int(rng.integers(2**63)))
    rho = known.mean_square if p == 2 else None
    of_maps = None
    if known.lipschitz_moment is not None:
        of_maps = declared_number("known.lipschitz_moment", known.lipschitz_moment(p))
    pairs = [] if rho is None and of_maps is None else [_pair(family, theta, rng) for _ in range(PAIRS)]
    points = np.stack([theta.astype(float), *(x for pair in pairs for x in pair)])
    images = np.stack(
        [apply_read_only(family, points, operators.draws[i], f"T_{i + 1}") for i in range(len(operators))]
    )
    distance, alpha = family.space.distance, FALSE_ALARM / (2 * PAIRS + 2)
    if known.displacement_moment is not None:
        _search_displacement(family, theta, images[:, 0], p, alpha, seed)
    if of_maps is not None:
        _search_stated(family, operators, of_maps, p, alpha, seed)
    for j, (x, y) in enumerate(pairs):
        before = float(distance(x, y))
        if before == 0:
            continue
        ratios = (np.asarray(distance(images[:, 2 * j + 1], images[:, 2 * j + 2]), dtype=float) / before) ** p
        for name, declared, bound in (
            ("mean_square", rho, None if rho is None else float(rho) ** 2),
            (f"lipschitz_moment({p:g})", of_maps, of_maps),
        ):
            if bound is not None and exceeds(ratios, bound * (1 + 2.0**-30), alpha):
                raise DeclarationRefuted(
                    f"the declared {name} = {declared!r} is violated: (d(Tx, Ty) / d(x, y))^{p:g}, whose mean may be "
                    f"{bound:.6g} at most, has a mean of {np.mean(ratios):.6g} over {DRAWS} draws (seed {seed}) at "
                    f"x = {x.tolist()}, y = {y.tolist()}"
                )


def search_second_moments(family: RandomOperator, theta: NDArray, moments: SecondMoments, seed: int) -> None:
    """Refuse given moments of (A, b) that draws contradict: E |T x - c|² at a few points x and c.

    Raises
    ------
    DeclarationRefuted
        If a test rejects a mean; the message states the points and both numbers.
    """
    rng = np.random.default_rng(sub_sequence(seed, "mean square"))
    operators = drawn(family, DRAWS, int(rng.integers(2**63)))
    d = theta.shape[-1]
    scales = (0.0, 1.0, 1.0, 1.0, 10.0, 0.1)
    points = np.stack([s * (1 + np.abs(theta)) * rng.standard_normal(d) for s in scales])
    images = np.stack(
        [apply_read_only(family, points, operators.draws[i], f"T_{i + 1}") for i in range(len(operators))]
    )
    signs = rng.standard_normal((len(points), d))
    for j, x in enumerate(points):
        mean = moments.EA @ x + moments.Eb
        square = moments.EAA @ np.kron(x, x) + (moments.EAb + moments.EbA) @ x + moments.Ebb
        length = float(np.trace(square.reshape(d, d)))
        for c in (np.zeros(d), *(sign * (1 + np.sqrt(abs(length))) * signs[j] for sign in (-1, 1))):
            claimed = length - 2 * float(c @ mean) + float(c @ c)
            rounding = 2.0**-30 * (abs(length) + float(c @ c))
            values = np.sum((images[:, j] - c) ** 2, axis=-1)
            if claimed < -rounding or exceeds(values, claimed + rounding, FALSE_ALARM / (3 * len(points))):
                raise DeclarationRefuted(
                    f"the given moments= of {family!r} are violated: they say that the mean of |T x - c|² is "
                    f"{claimed:.6g} at x = {x.tolist()}, c = {c.tolist()}; over {DRAWS} draws (seed {seed}) it is "
                    f"{values.mean():.6g}"
                )


def _search_displacement(
    family: RandomOperator, theta: NDArray, images: NDArray, p: float, alpha: float, seed: int
) -> None:
    assert family.known.displacement_moment is not None
    declared = declared_number("known.displacement_moment", family.known.displacement_moment(p, theta))
    powers = least_distances(family.space, theta, images) ** p
    if exceeds(powers, declared**p * (1 + 2.0**-30), alpha):
        raise DeclarationRefuted(
            f"the declared displacement_moment({p:g}, theta0) = {declared!r} is violated: the mean of "
            f"d(theta0, T theta0)^{p:g}, which may be {declared**p:.6g} at most, is {np.mean(powers):.6g} over {DRAWS} "
            f"draws (seed {seed}) at theta0 = {theta.tolist()}"
        )


def _search_stated(
    family: RandomOperator, operators: Operators, declared: float, p: float, alpha: float, seed: int
) -> None:
    """Compare a declared moment of Lipschitz constants with those that are stated for each map."""
    stated = [family.lipschitz(operators.draws[i]) for i in range(len(operators))]
    if any(K is None for K in stated):
        return
    powers = np.array([float(K) for K in stated]) ** p
    if exceeds(powers, declared * (1 + 2.0**-30), alpha):
        raise DeclarationRefuted(
            f"the declared lipschitz_moment({p:g}) = {declared!r} is violated: the mean of lipschitz(draw)^{p:g} over "
            f"{DRAWS} draws (seed {seed}) is {np.mean(powers):.6g}"
        )


def _pair(family: RandomOperator, theta: NDArray, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    result = family.random_points(rng, theta, 2)
    if result is not None:
        return result[0], result[1]
    scale = (1 + np.max(np.abs(theta), initial=0.0)) * 10.0 ** rng.uniform(-2, 3, 2)
    x = theta + scale[0] * rng.standard_normal(theta.shape)
    return x, x + scale[1] * rng.standard_normal(theta.shape)
