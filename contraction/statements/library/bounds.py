"""The formulas of `contraction.certificates.bounds` in rationals: maps that attain them, sums term by term."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from contraction.maps.orders import Backward
from contraction.statements import comparisons
from contraction.statements.cases.exact_words import affine_map, rows
from contraction.statements.library.oracle import Bend, Check, Function, Oracle
from contraction.statements.records import Verdict
from contraction.types import Numbers

ORACLES: list[Oracle] = []
HOME = "contraction.certificates.bounds"
K, D, R = Fraction(7, 10), Fraction(3, 2), Fraction(5)


def _add(name: str, against: str, check: Check, wrong: str, bent: Bend) -> None:
    ORACLES.append(Oracle(f"{HOME}.{name}", against, check, wrong, bent))


def _distances(displacement: Fraction, start: Fraction, n: int) -> list[Fraction]:
    """Return |θ* - θ_j|, j = 0 … n, for x -> K x + displacement from a start, by iterating."""
    path = rows([affine_map(K, displacement)], [[0] * n], [start], Backward())[0, :, 0]
    return [abs(displacement / (1 - K) - x) for x in path]


def _equal(name: str, measured: Numbers, claimed: Numbers) -> Verdict:
    return comparisons.equal(name, (), measured, claimed)


def _geometric(f: Function, seed: int) -> Verdict:
    return _equal("geometric", [f(K, D, n) for n in range(13)], _distances(D, Fraction(0), 12))


def _other_start(f: Function, seed: int) -> Verdict:
    return _equal("other_start", [f(K, D, R, n) for n in range(13)], _distances(D, -R, 12))


def _printed_other_start(f: Function, seed: int) -> Verdict:
    wide = D + (1 + K) * R
    return _equal("printed_other_start", [f(K, D, R, n) for n in range(13)], _distances(wide, Fraction(0), 12))


def _agreeing_orders(f: Function, seed: int) -> Verdict:
    """Compare the bound with the distance of the words whose inner maps are all +D and all -D.

    The distance is the bound times 1 - k^inner exactly.
    """
    inner, result = 9, []
    for p in range(5):
        word = [0] * p + [1] * inner
        ends = [
            rows([affine_map(K, 0), affine_map(K, sign * D)], [word], [Fraction(0)], Backward(), at=[p + inner])[
                0, 0, 0
            ]
            for sign in (1, -1)
        ]
        result.append(abs(ends[0] - ends[1]) / (1 - K**inner))
    return _equal("agreeing_orders", [f(K, D, p) for p in range(5)], result)


def _after_q(f: Function, seed: int) -> Verdict:
    """Compare with sums over M blocks of q terms D max(1, lip)^(q-1) kappa^floor(m/q): the bound times 1 - kappa^M."""
    measured, claimed = [], []
    for q, lip in ((1, Fraction(1, 2)), (3, Fraction(4)), (4, Fraction(9, 10))):
        for n in (0, 1, 5, 12):
            first, M = q * (n // q), 6
            terms = [D * max(1, lip) ** (q - 1) * K ** (m // q) for m in range(first, first + q * M)]
            claimed.append(sum(terms, Fraction(0)) / (1 - K**M))
            measured.append(f(q, K, lip, D, n))
    return (
        comparisons.at_most("after_q", (), claimed, measured)
        if measured != claimed
        else _equal("after_q", measured, claimed)
    )


def _check_factor(f: Function, seed: int) -> Verdict:
    """Check that the factors in [0, 1) are accepted and all others refused."""
    passed = []
    for k in (0, Fraction(1, 2), 1 - 2.0**-53, 1, 1.0, -1e-300, Fraction(-1, 9), math.inf, math.nan):
        try:
            f(k)
            passed.append(1)
        except ValueError:
            passed.append(0)
    return _equal("check_factor", passed, [1, 1, 1, 0, 0, 0, 0, 0, 0])


def _p_mean(f: Function, seed: int) -> Verdict:
    """Compare with (E |θ_12 - θ_n|^p)^(1/p) over all words of Kx + 1, K in {3/2, 1/4}.

    It is at most the bound, and one map attains the bound for p = 2.
    """
    from contraction.statements.cases.exact_words import all_words

    words, N = all_words(2, 8), 8
    path = rows([affine_map(Fraction(3, 2), 1), affine_map(Fraction(1, 4), 1)], words, [Fraction(0)], Backward())
    gaps = np.abs(path[:, :, 0] - path[:, -1:, 0]).astype(float)
    measured, claimed = [], []
    for p in (0.5, 1.0):
        rho = (1.5**p + 0.25**p) / 2
        measured += [float(np.mean(gaps[:, n] ** p) ** (1 / p)) for n in range(N)]
        claimed += [float(f(rho, p, 1.0, n)) for n in range(N)]
    single = [float(x) for x in _distances(D, Fraction(0), 8)]
    two = [float(f(float(K) ** 2, 2.0, float(D), n)) for n in range(9)]
    measured += single + two
    claimed += two + [x * (1 + 1e-12) for x in single]  # within the rounding that the bound adds
    return Verdict.upper("p_mean", (), measured, claimed, rounding=1e-15)


def _prefix_tail(f: Function, seed: int) -> Verdict:
    rng = np.random.default_rng([seed, 1])
    L = [Fraction(1), *(Fraction(int(x), 7) for x in rng.integers(0, 12, 6))]
    d = [Fraction(int(x), 5) for x in rng.integers(0, 9, 6)]
    sums = [sum((L[i] * d[i] for i in range(n, 6)), Fraction(0)) for n in range(7)]
    return _equal("prefix_tail", list(f(np.array(L, dtype=object), np.array(d, dtype=object))), sums)


def _product_tail(f: Function, seed: int) -> Verdict:
    rng = np.random.default_rng([seed, 2])
    factors = [Fraction(int(x), 9) for x in rng.integers(1, 9, 6)]
    products = [math.prod(factors[:n], start=Fraction(1)) * D / (1 - K) for n in range(7)]
    return _equal("product_tail", list(f(np.array(factors, dtype=object), K, D)), products)


def _steps(f: Function, seed: int) -> Verdict:
    """Compare with the least n with C k^n <= eps in rationals, away from ties."""
    measured, claimed = [], []
    for k in (0.0, 0.1, 0.5, 0.99):
        for C, eps in ((1.0, 1e-3), (7.3, 1.1e-9), (1e-5, 1.0), (3.0, 3.0)):
            n, value = 0, Fraction(C)
            while value > Fraction(eps):
                n, value = n + 1, value * Fraction(k)
            claimed.append(n)
            measured.append(int(f(k, C, eps)))
    return _equal("steps", measured, claimed)


_add(
    "geometric",
    "the distances of x → kx + D from 0 to its fixed point, in rationals",
    _geometric,
    "k^(n+1) for k^n",
    lambda f: lambda k, D, n: f(k, D, n + 1),
)
_add(
    "other_start",
    "the same from a start at distance r on the other side",
    _other_start,
    "the start left out",
    lambda f: lambda k, D, r, n: f(k, D, 0, n),
)
_add(
    "printed_other_start",
    "the distances of x → kx + D + (1+k)r from 0",
    _printed_other_start,
    "D + r for D + (1+k)r",
    lambda f: lambda k, D, r, n: f(k, D, r / (1 + k), n),
)
_add(
    "agreeing_orders",
    "words that agree on p maps and are as far apart inside as can be, in rationals",
    _agreeing_orders,
    "D for 2D",
    lambda f: lambda k, D, p: f(k, D / 2, p),
)
_add(
    "after_q",
    "the sum of its terms over six blocks, in rationals",
    _after_q,
    "a block too many",
    lambda f: lambda q, kappa, lip, D, n, r=0: f(q, kappa, lip, D, n + q, r),
)
_add(
    "check_factor",
    "the list of what lies in [0, 1)",
    _check_factor,
    "1 is let pass",
    lambda f: lambda k, name="k": None if k == 1 else f(k, name),
)
_add(
    "p_mean",
    "moments over all 256 words of an expanding family, and one map that attains p = 2",
    _p_mean,
    "half of the bound",
    lambda f: lambda *a, **k: f(*a, **k) / 2,
)
_add(
    "prefix_tail",
    "the sums term by term, in rationals",
    _prefix_tail,
    "the first term left out",
    lambda f: lambda L, d: [*f(L, d)[1:], Fraction(0)],
)
_add(
    "product_tail",
    "the products term by term, in rationals",
    _product_tail,
    "the factors in reverse",
    lambda f: lambda K, k, D: f(K[::-1], k, D),
)
_add(
    "steps",
    "the least n by multiplication of rationals",
    _steps,
    "one step fewer",
    lambda f: lambda k, C, eps: max(f(k, C, eps) - 1, 0),
)
