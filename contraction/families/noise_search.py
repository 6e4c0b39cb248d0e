"""A search for violations of what a user states about a noise: its interval, mean, variance and moments.

An interval is refused if one of `COUNT` numbers lies outside. Means and moments are refused by tests that hold for
every law with the stated ones, whatever its shape: a true statement is refused with a probability of at most 1e-9.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from contraction.families.noise import Noise
from contraction.maps.draws import sub_sequence
from contraction.maps.errors import DeclarationRefuted
from contraction.maps.supermartingales import differs, exceeds

__all__ = ["search_noise"]

COUNT = 8192  # so many numbers, or vectors, are drawn
FALSE_ALARM = 1e-9
ROOM = 1 + 2.0**-30  # stated moments count as accurate to nine digits
CENTERS, POWERS = (0.0, 1.0), (1.0, 2.0)
TESTS = 3 + len(CENTERS) * len(POWERS)


def search_noise(noise: Noise) -> None:
    """Refuse a noise of a user's own whose draws contradict what it states.

    Raises
    ------
    DeclarationRefuted
        If a number lies outside the stated interval, or a test rejects a stated mean, variance or moment.
    """
    shape = (COUNT,) if noise.dim is None else (COUNT, noise.dim)
    drawn = np.asarray(noise.sample(np.random.Generator(np.random.PCG64(sub_sequence(0, "noise"))), shape), dtype=float)
    alpha = FALSE_ALARM / (TESTS * (noise.dim or 1))
    if noise.dim is None:
        low, high = noise.interval
        _search_interval(noise, drawn, low, high)
        _search_mean_and_variance(
            noise, drawn, _value(lambda: noise.mean), _value(lambda: noise.variance), (low, high), alpha
        )
    else:
        means, covariance = noise.mean_vector(noise.dim), noise.covariance(noise.dim)
        for j in range(noise.dim):
            ends = -math.inf, math.inf
            _search_mean_and_variance(noise, drawn[:, j], float(means[j]), float(covariance[j, j]), ends, alpha)
    rows = drawn.reshape(COUNT, -1)
    for about in CENTERS:
        center = np.full(rows.shape[1], about)
        far = np.linalg.norm(rows - center, axis=1)
        reach = noise.reach(center)
        if np.any(far > reach * ROOM):
            raise DeclarationRefuted(
                f"{noise!r} states that no number is further than {reach!r} from {about:g}, but {float(far.max())!r} "
                "is the distance of one of its draws"
            )
        for p in POWERS:
            stated = _moment(noise, center, p)
            if stated is not None and exceeds(far**p, stated**p * ROOM, alpha):
                raise DeclarationRefuted(
                    f"{noise!r} states E |ε − {about:g}|^{p:g} ≤ {stated**p:.6g}, but the mean over {COUNT} draws is "
                    f"{float(np.mean(far**p)):.6g}"
                )


def _value(stated: Callable[[], float]) -> float | None:
    """Return a stated mean or variance; None if it does not exist or is unknown."""
    try:
        value = float(stated())
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _moment(noise: Noise, center: NDArray, p: float) -> float | None:
    try:
        value = float(noise.norm_moment(center, p))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _search_interval(noise: Noise, drawn: NDArray, low: float, high: float) -> None:
    if not low <= high:
        raise DeclarationRefuted(f"the interval of {noise!r} is ({low!r}, {high!r}): its ends must be low <= high")
    outside = drawn[(drawn < low) | (drawn > high)]
    if outside.size:
        raise DeclarationRefuted(
            f"{noise!r} states that all numbers lie in [{low!r}, {high!r}], but {float(outside[0])!r} was drawn"
        )


def _search_mean_and_variance(
    noise: Noise,
    drawn: NDArray,
    mean: float | None,
    variance: float | None,
    ends: tuple[float, float],
    alpha: float,
) -> None:
    low, high = ends
    rejected = False
    if mean is not None:
        slack = (ROOM - 1) * (abs(mean) + 1e-300)
        if variance is not None and not rejected:
            rejected = differs(drawn, mean, variance * ROOM + slack**2, alpha)
        for distance, sign, end in ((mean - low, 1, low), (high - mean, -1, high)):
            if math.isfinite(distance) and not rejected:
                rejected = distance < -slack or exceeds(sign * (drawn - end), distance + slack, alpha / 2)
        if rejected:
            raise DeclarationRefuted(
                f"{noise!r} states the mean {mean!r}"
                + ("" if variance is None else f" and the variance {variance!r}")
                + f", but the mean of {len(drawn)} draws is {float(np.mean(drawn)):.6g}"
            )
    if variance is None:
        return
    if mean is None:
        halves = drawn[: len(drawn) // 2 * 2].reshape(-1, 2)
        squares = (halves[:, 0] - halves[:, 1]) ** 2 / 2
        top = (high - low) ** 2 / 2
    else:
        squares, top = (drawn - mean) ** 2, max((high - mean) ** 2, (mean - low) ** 2)
    too_small = exceeds(squares, variance * ROOM, alpha / 2)
    gap = top - variance / ROOM
    if too_small or (
        math.isfinite(top) and (gap < 0 or exceeds(np.maximum(top - squares, 0.0), gap * ROOM, alpha / 2))
    ):
        raise DeclarationRefuted(
            f"{noise!r} states the variance {variance!r}, but that of {len(drawn)} draws is "
            f"{float(np.mean(squares)):.6g}"
        )
