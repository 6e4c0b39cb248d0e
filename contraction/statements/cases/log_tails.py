"""Noises given by the tail of log |eps|, on both sides of the condition E log+ |eps| < infinity and close to it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import integrate, special

from contraction.families import Cauchy, Gaussian, LogHeavy

__all__ = ["LOG_TAILS", "LogTail"]

Log = Callable[[np.random.Generator, tuple[int, ...]], NDArray]


@dataclass(frozen=True)
class LogTail:
    """A noise eps, known by V = log |eps|.

    Attributes
    ----------
    tail : callable
        P(V > t), of an array of t >= 0.
    log_sample : callable
        Draws of V from a generator, of a shape; logarithms, because eps itself may exceed every float.
    log_moment : float
        E max(V, 0) = E log+ |eps|, the integral of the tail from 0; inf where it is infinite.
    truncated : callable
        E min(max(V, 0), t), the integral of the tail from 0 to t.
    """

    tail: Callable[[NDArray], NDArray]
    log_sample: Log
    log_moment: float
    truncated: Callable[[float], float]


def _of_family(noise, tail: Callable[[NDArray], NDArray], log_moment: float) -> LogTail:
    def log_sample(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray:
        return np.log(np.abs(noise.sample(rng, shape)))

    def truncated(t: float) -> float:
        end = min(t, 50.0)  # beyond it, less than exp(-50)
        return float(integrate.quad(lambda s: float(tail(np.asarray(s))), 0, end, epsabs=1e-12, limit=200)[0])

    return LogTail(tail, log_sample, log_moment, truncated)


def _inverted(
    tail: Callable[[NDArray], NDArray],
    inverse: Callable[[NDArray], NDArray],
    beyond: Callable[[float], float],
    total: float,
) -> LogTail:
    """Return a law with V >= 1: its tail, the tail's inverse, and the tail's integral from 1 to t and in total."""

    def log_sample(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray:
        return inverse(1 - rng.random(shape))

    return LogTail(lambda t: tail(np.maximum(t, 1.0)), log_sample, 1 + total, lambda t: t if t <= 1 else 1 + beyond(t))


def _lambert(z: NDArray) -> NDArray:
    return np.real(special.lambertw(z))


#: E log+ of a standard Cauchy variable is 2 G/pi, with Catalan's constant G; of a standard normal one, the integral.
LOG_TAILS: dict[str, LogTail] = {
    "Gaussian": _of_family(
        Gaussian(),
        lambda t: special.erfc(np.exp(np.minimum(t, 700.0)) / math.sqrt(2)),
        float(integrate.quad(lambda t: special.erfc(math.exp(t) / math.sqrt(2)), 0, 5, epsabs=1e-13)[0]),
    ),
    "Cauchy": _of_family(Cauchy(), lambda t: 2 / math.pi * np.arctan(np.exp(-t)), 2 / math.pi * 0.915965594177219015),
    "P(log|ε| > t) = t^(−3/2)": _inverted(lambda t: t**-1.5, lambda u: u ** (-2 / 3), lambda t: 2 * (1 - t**-0.5), 2.0),
    "P(log|ε| > t) = 1/(t (1 + log t)²)": _inverted(
        lambda t: 1 / (t * (1 + np.log(t)) ** 2),
        lambda u: np.exp(2 * _lambert(np.sqrt(math.e / u) / 2) - 1),
        lambda t: 1 - 1 / (1 + math.log(t)),
        1.0,
    ),
    "P(log|ε| > t) = 1/(t (1 + log t))": _inverted(
        lambda t: 1 / (t * (1 + np.log(t))),
        lambda u: np.exp(_lambert(math.e / u) - 1),
        lambda t: math.log(1 + math.log(t)),
        math.inf,
    ),
    "ε = exp(1/U)": LogTail(
        lambda t: 1 / np.maximum(t, 1.0),
        LogHeavy().log_sample,
        math.inf,
        lambda t: t if t <= 1 else 1 + math.log(t),
    ),
    "P(log|ε| > t) = t^(−1/2)": _inverted(lambda t: t**-0.5, lambda u: u**-2.0, lambda t: 2 * (t**0.5 - 1), math.inf),
}
