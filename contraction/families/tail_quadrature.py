"""Absolute moments of laws without a second moment, from their distribution function, by sums that are upper bounds.

E |X - a|^p is the integral of p t^(p-1) S(t) over t > 0, with S(t) = P(|X - a| > t) decreasing. So on a grid of t

    E |X - a|^p <= t_0^p + sum_i (t_(i+1)^p - t_i^p) S(t_i) + tail,

whatever S is. The tail is that beyond the largest t at which S is a normal float. There S is assumed to keep falling at
least like t^-q, with q the least exponent over the last octaves. Finitely many values cannot show that it does.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.stats.distributions import rv_frozen

__all__ = ["absolute_moment", "least_moment"]

PER_OCTAVE = 64  # grid points: the sum is at most a factor 2^(p/64) too large
OCTAVES = range(-100, 1000)
LEAST = 1e-280  # values of S below it are not used
LAST = 40  # octaves from which the exponent of the tail is taken
COARSE = 4  # grid points per octave of the lower bound
MARGIN = 0.01  # an exponent that exceeds p by less is not told from p


def absolute_moment(law: rv_frozen, p: float, about: float = 0.0) -> float:
    """E |X - about|^p of a frozen law of SciPy without a second moment, at most 2 % too large, by quadrature.

    Parameters
    ----------
    law
        The frozen law; its ``cdf`` and ``sf`` are trusted to nine digits.
    p
        Exponent, 0 < p < 2.
    about
        The point a.

    Returns
    -------
    float
        The bound; inf if the tail falls too slowly for a finite moment, or too irregularly to tell.

    Examples
    --------
    Student's law with 1.5 degrees of freedom has E |X| = 2 √1.5 Γ(1.25) / (0.5 √π Γ(0.75)) = 2.0445…:

    >>> from scipy import stats
    >>> 2.0 < absolute_moment(stats.t(1.5), 1.0) < 2.1
    True
    """
    t = np.exp2(np.arange(OCTAVES[0] * PER_OCTAVE, OCTAVES[-1] * PER_OCTAVE + 1) / PER_OCTAVE)
    with np.errstate(all="ignore"):
        S = np.asarray(law.cdf(about - t), dtype=float) + np.asarray(law.sf(about + t), dtype=float)
    last = int(np.argmax(~(S >= LEAST))) - 1 if not np.all(S >= LEAST) else len(S) - 1
    back = last - LAST * PER_OCTAVE
    if back <= 100 * PER_OCTAVE or not np.all(np.diff(S[: last + 1]) <= 1e-9 * S[:last]):  # t = 1 is at 100 octaves
        return math.inf
    falls = -np.log2(S[back + PER_OCTAVE : last + 1] / S[back : last + 1 - PER_OCTAVE])
    q = float(np.min(falls))
    if not q > p + MARGIN:
        return math.inf
    logs = p * np.log(t[:last]) + np.log(S[:last]) + math.log(2 ** (p / PER_OCTAVE) - 1)
    tail = math.exp(p * math.log(t[last]) + math.log(S[last])) * p / (q - p - MARGIN / 2)
    return float(t[0] ** p + np.sum(np.exp(logs)) + tail) * (1 + 1e-8)


def least_moment(law: rv_frozen, p: float, about: float = 0.0) -> float:
    """Return a lower bound on E |X - about|^p, by a coarse sum; large or inf where the moment is infinite.

    With S(t) <= P(|X - a| >= t) decreasing, E |X - a|^p >= sum_i (t_i^p - t_(i-1)^p) S(t_i).

    Examples
    --------
    >>> from scipy import stats
    >>> 0.5 < least_moment(stats.norm(), 2.0) < 1, least_moment(stats.invweibull(0.8), 1.0) > 1e10
    (True, True)
    """
    t = np.exp2(np.arange(-10 * COARSE, 300 * COARSE + 1) / COARSE)
    with np.errstate(all="ignore"):
        S = np.asarray(law.cdf(about - t), dtype=float) + np.asarray(law.sf(about + t), dtype=float)
        S = np.where(S >= LEAST, S, 0.0)
        terms = np.diff(t**p, prepend=0.0) * S
    return float(np.sum(terms[S > 0])) * (1 - 1e-6)
