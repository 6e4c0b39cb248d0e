"""Distances of laws and their moments against closed forms, rationals and enumeration."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from contraction.families import FiniteFamily, Gaussian, MarkovModulated, QuadraticSGD
from contraction.laws import AffineMoments, ExactLaw
from contraction.laws import wasserstein_to_uniform as to_uniform
from contraction.maps.orders import Forward
from contraction.statements import comparisons
from contraction.statements.cases.exact_words import affine_map, iid, iterate_law
from contraction.statements.cases.exact_words import wasserstein as integral
from contraction.statements.library.oracle import Bend, Check, Function, Oracle
from contraction.statements.records import Verdict

HALF, THIRD = Fraction(1, 2), Fraction(1, 3)
BITS = [(HALF, 0), (HALF, HALF)]


def wasserstein(f: Function, seed: int) -> Verdict:
    """Compare W_1 with the integral of |F - G| in rationals, and W_2 of equal weights with an optimal assignment."""
    rng = np.random.default_rng([seed, 8])
    laws = [{Fraction(int(x), 3): Fraction(1, 5) for x in rng.choice(60, 5, replace=False)} for _ in range(2)]
    exact = [ExactLaw(law) for law in laws]
    one = integral(*({(x,): p for x, p in law.items()} for law in laws))
    points = [np.array([float(x) for x in law]) for law in laws]
    cost = (points[0][:, None] - points[1]) ** 2
    two = math.sqrt(cost[optimize.linear_sum_assignment(cost)].mean())
    return Verdict.tight(
        "wasserstein", (), [float(f(*exact, 1)), float(f(*exact, 2))], [float(one), two], rounding=1e-12
    )


def wasserstein_to_uniform(f: Function, seed: int) -> Verdict:
    """Compare the left ends j/2^n of n bits with the uniform law: W_1 = 2^-n/2 and W_inf = 2^-n."""
    measured, claimed = [], []
    for n in range(1, 7):
        law = ExactLaw({Fraction(j, 2**n): Fraction(1, 2**n) for j in range(2**n)})
        measured += [f(law, 0, 1, 1), f(law, 0, 1, math.inf)]
        claimed += [Fraction(1, 2 ** (n + 1)), Fraction(1, 2**n)]
    return comparisons.equal("wasserstein_to_uniform", (), measured, claimed)


def coupling_bound(f: Function, seed: int) -> Verdict:
    """Compare with W_inf of the iterates of one map k x + D to its fixed point, which attains the bound."""
    k, D = Fraction(2, 3), Fraction(5, 4)
    return comparisons.equal(
        "coupling_bound",
        (),
        [f(k, D, n) for n in range(9)],
        [
            abs(D / (1 - k) - next(iter(iterate_law([affine_map(k, D)], iid([Fraction(1)], n), [0], Forward())))[0])
            if n
            else D / (1 - k)
            for n in range(9)
        ],
    )


def exact_bracket(f: Function, seed: int) -> Verdict:
    """Check that the bracket for bits from 0 contains W_inf = 2^-n to the uniform law; a known limit makes it exact."""
    measured, claimed = [], []
    for n in range(1, 6):
        bracket = f(BITS, n, 0, later=n + 4)
        known = f(BITS, n, 0, limit=lambda law: to_uniform(law, 0, 1, math.inf))
        exact = Fraction(1, 2**n)
        measured += [int(bracket.lower <= exact <= bracket.upper), bracket.upper, known.lower, known.upper]
        claimed += [1, exact, exact, exact]
    return comparisons.equal("exact_bracket", (), measured, claimed)


def moment_bracket(f: Function, seed: int) -> Verdict:
    """Compare with W_2 = s (1 - sqrt(1 - k^2n)), the lower end, and s k^n, the upper one, for Gaussian noise."""
    h, sd = 0.3, 2.0
    k, s = 1 - h, h * sd / math.sqrt(1 - (1 - h) ** 2)
    family, measured, claimed = QuadraticSGD(h, Gaussian(sd)), [], []
    for n in (1, 2, 5, 9):
        bracket = f(family, n, 0.0)
        measured += [float(bracket.lower), float(bracket.upper)]
        claimed += [s * (1 - math.sqrt(1 - k ** (2 * n))), s * k**n]
    return Verdict.tight("moment_bracket", (), measured, claimed, rounding=1e-7)


def lipschitz_lower_bound(f: Function, seed: int) -> Verdict:
    """Compare with 1 less both Hoeffding radii sqrt(log(4/a)/2n) and the distance of the limit.

    All draws of one sample are 0, all of the other are 1.
    """
    a, r, s = 1e-3, 4000, 9000
    result = f(np.zeros(r), np.ones(s), lambda x: x, low=0.0, high=1.0, false_alarm=a, far_distance=0.125)
    claimed = 1 - sum(math.sqrt(math.log(4 / a) / (2 * n)) for n in (r, s)) - 0.125
    return Verdict.tight("lipschitz_lower_bound", (), result, claimed, rounding=1e-14)


def rate_bracket(f: Function, seed: int) -> Verdict:
    """Compare with (3/8)^(1/2) and (5/2)^(1/2) for the brackets [2, 8] at n = 3 and [3, 5] at n = 5."""
    from contraction.laws import Bracket

    low, high = f(Bracket(2.0, 8.0, 1, 3, "", ""), Bracket(3.0, 5.0, 1, 5, "", ""))
    return Verdict.tight("rate_bracket", (), [low, high], [math.sqrt(3 / 8), math.sqrt(5 / 2)], rounding=1e-15)


def gelbrich_distance(f: Function, seed: int) -> Verdict:
    """Compare with the root of |m - m'|² + Σ (s_i - s'_i)² for covariances with one eigenbasis."""
    rng = np.random.default_rng([seed, 9])
    Q = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    (m, n), (s, t) = rng.standard_normal((2, 3)), rng.uniform(0.2, 3, (2, 3))
    result = f(m, (Q * s**2) @ Q.T, n, (Q * t**2) @ Q.T)
    claimed = math.sqrt(float(np.sum((m - n) ** 2) + np.sum((s - t) ** 2)))
    return Verdict.tight("gelbrich_distance", (), result, claimed, rounding=1e-7)


def _turning(transitions: np.ndarray) -> FiniteFamily:
    maps = [(0.25, 1.0), (-0.2, -2.0), (0.1, 3.0)]
    return FiniteFamily(maps, law=MarkovModulated(transitions.tolist()))


TURN = np.array([[0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.8, 0.1, 0.1]])  # doubly stochastic: its reversal is TURN.T


def _backwards(family: FiniteFamily) -> FiniteFamily:
    return _turning(TURN.T)


def modulated_moments(f: Function, seed: int) -> Verdict:
    """Mean and variance of three maps of the line over all words of 11 letters of a chain that is not reversible.

    Factors of at most 1/4 leave less than 2·10⁻⁵ to later letters, in the mean and in the variance.
    """
    moments = f(_turning(TURN))
    values, weights = [np.zeros(1)] * 3, [np.full(1, 1 / 3)] * 3  # by the last letter; the first step ignores it
    for n in range(11):
        before, mass = np.concatenate(values), [TURN[c] if n else np.full(3, 1 / 3) for c in range(3)]
        values = [a * before + b for a, b in ((0.25, 1.0), (-0.2, -2.0), (0.1, 3.0))]
        old = weights
        weights = [np.concatenate([old[c] * mass[c][a] for c in range(3)]) for a in range(3)]
    x, w = np.concatenate(values), np.concatenate(weights)
    mean = float(x @ w)
    measured = [float(moments.stationary_mean[0]), float(moments.stationary_covariance[0, 0])]
    return Verdict.tight("modulated_moments", (), measured, [mean, float((x - mean) ** 2 @ w)], rounding=2e-5)


def affine_moments(f: Function, seed: int) -> Verdict:
    """Compare mean and variance of iterate 6 with those over all 2^6 words, for one common factor and for several."""
    measured, claimed = [], []
    for pairs in ([(Fraction(3, 4), 1), (Fraction(3, 4), -2)], [(Fraction(3, 4), 1), (Fraction(-1, 2), 3)]):
        weights = [THIRD, 1 - THIRD]
        law = iterate_law([affine_map(*p) for p in pairs], iid(weights, 6), [Fraction(2)], Forward())
        mean = sum((p * x[0] for x, p in law.items()), Fraction(0))
        moments = f(FiniteFamily(pairs, weights), 2.0)
        measured += [float(moments.mean(6)[0]), float(moments.covariance(6)[0, 0])]
        claimed += [float(mean), float(sum((p * (x[0] - mean) ** 2 for x, p in law.items()), Fraction(0)))]
    return Verdict.tight("affine_moments", (), measured, claimed, rounding=1e-12)


class _Shifted:
    """Moments at the next iterate."""

    def __init__(self, moments: AffineMoments) -> None:
        self.moments = moments

    def mean(self, n: int) -> NDArray:
        return self.moments.mean(n + 1)

    def covariance(self, n: int) -> NDArray:
        return self.moments.covariance(n + 1)


def _wide(f: Function) -> Function:
    def bent(*arguments: object, **named: object) -> object:
        result = f(*arguments, **named)
        return dataclasses.replace(result, upper=result.upper * 2)

    return bent


def _oracle(check: Check, against: str, wrong: str, bent: Bend) -> Oracle:
    return Oracle(f"contraction.laws.{check.__name__}", against, check, wrong, bent)


ORACLES = [
    _oracle(
        wasserstein,
        "∫|F − G| in rationals, and optimal assignment",
        "p = 1 for p = 2",
        lambda f: lambda a, b, p: f(a, b, 1),
    ),
    _oracle(
        wasserstein_to_uniform,
        "2⁻ⁿ/2 and 2⁻ⁿ for n bits",
        "a longer interval",
        lambda f: lambda law, low, high, p: f(law, low, 2 * high, p),
    ),
    _oracle(coupling_bound, "one map that attains it", "k^(n+1) for k^n", lambda f: lambda k, D, n: f(k, D, n + 1)),
    _oracle(exact_bracket, "2⁻ⁿ, the distance of n bits to the uniform law", "an upper end twice as large", _wide),
    _oracle(moment_bracket, "closed forms for Gaussian noise from the mean", "an upper end twice as large", _wide),
    _oracle(
        lipschitz_lower_bound,
        "Hoeffding's radii",
        "one radius left out",
        lambda f: lambda near, far, g, **k: f(near, np.repeat(far, 100), g, **k),
    ),
    _oracle(rate_bracket, "square roots of 3/8 and 5/2", "the ends exchanged", lambda f: lambda a, b: f(a, b)[::-1]),
    _oracle(
        gelbrich_distance,
        "covariances with one eigenbasis",
        "the means left out",
        lambda f: lambda m, S, n, R: f(m, S, m, R),
    ),
    _oracle(modulated_moments, "all words of a chain", "the chain run backwards", lambda f: lambda x: f(_backwards(x))),
    _oracle(affine_moments, "all words, in rationals", "one map more", lambda f: lambda *a: _Shifted(f(*a))),
]
