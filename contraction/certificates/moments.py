"""A search for violations of declared moments: exact tests with a total false-alarm probability of 1e-9.

For independent Z_i >= 0 with E Z_i <= m, the product of 1 + c (Z_i/m - 1) is a non-negative supermartingale for every
c in [0, 1]: its mean over a few c exceeds 1/alpha with probability at most alpha (Ville's inequality).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contraction.maps.draws import sub_sequence
from contraction.maps.errors import DeclarationRefuted
from contraction.maps.operators import RandomOperator, drawn
from contraction.maps.points import apply_read_only

__all__ = ["search_declared_moments"]

FALSE_ALARM = 1e-9
DRAWS, PAIRS = 2048, 12
BETS = (0.01, 0.03, 0.1, 0.3, 0.9)


def exceeds(values: NDArray, mean: float, alpha: float) -> bool:
    """Whether non-negative independent values refute a bound on their mean, at level alpha."""
    if mean == 0:
        return bool(np.any(values > 0))
    if not np.isfinite(mean):
        return False
    with np.errstate(over="ignore", divide="ignore"):
        logs = [float(np.sum(np.log1p(c * (values / mean - 1)))) for c in BETS]
    return max(logs) > np.log(len(BETS) / alpha)


def search_declared_moments(family: RandomOperator, theta: NDArray, seed: int) -> None:
    """Refuse a declared mean-square factor, or second moment of the displacement, if draws contradict it.

    Raises
    ------
    DeclarationRefuted
        If a test rejects a declared moment; the message states the pair of points (or the start) and both numbers.
    """
    known = family.known
    if known.mean_square is None and known.displacement_moment is None:
        return
    rng = np.random.default_rng(sub_sequence(seed, "mean square"))
    operators = drawn(family, DRAWS, int(rng.integers(2**63)))
    pairs = [] if known.mean_square is None else [_pair(family, theta, rng) for _ in range(PAIRS)]
    points = np.stack([theta.astype(float), *(x for pair in pairs for x in pair)])
    images = np.stack(
        [apply_read_only(family, points, operators.draws[i], f"T_{i + 1}") for i in range(len(operators))]
    )
    distance, alpha = family.space.distance, FALSE_ALARM / (PAIRS + 1)
    if known.displacement_moment is not None:
        declared = float(known.displacement_moment(2.0, theta))
        squares = np.asarray(distance(points[:1], images[:, 0]), dtype=float).ravel() ** 2
        if exceeds(squares, declared**2 * (1 + 2.0**-30), alpha):
            raise DeclarationRefuted(
                f"the declared displacement_moment(2, theta0) = {declared!r} is violated: the mean of "
                f"d(theta0, T theta0)² over {DRAWS} draws (seed {seed}) is {np.mean(squares):.6g} "
                f"at theta0 = {theta.tolist()}"
            )
    for j, (x, y) in enumerate(pairs):
        before = float(distance(x, y))
        after = np.asarray(distance(images[:, 2 * j + 1], images[:, 2 * j + 2]), dtype=float)
        if before > 0 and exceeds((after / before) ** 2, float(known.mean_square or 0) ** 2 * (1 + 2.0**-30), alpha):
            raise DeclarationRefuted(
                f"the declared mean_square = {known.mean_square!r} is violated: (d(Tx, Ty) / d(x, y))² has a mean of "
                f"{np.mean((after / before) ** 2):.6g} over {DRAWS} draws (seed {seed}) at x = {x.tolist()}, "
                f"y = {y.tolist()}"
            )


def _pair(family: RandomOperator, theta: NDArray, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    found = family.random_points(rng, theta, 2)
    if found is not None:
        return found[0], found[1]
    scale = (1 + np.max(np.abs(theta), initial=0.0)) * 10.0 ** rng.uniform(-2, 3, 2)
    x = theta + scale[0] * rng.standard_normal(theta.shape)
    return x, x + scale[1] * rng.standard_normal(theta.shape)
