"""Section 3.2, "Theorem 2.2 tells us": with unbounded noise condition (2) fails, and so does the rate C k^n.

Problem
    T_i(θ) = (1−h) θ + hε_i with standard Gaussian ε_i, 0 < h < 2, k = |1−h| > 0, and d_n = |θ* − θ_n^B|.
Guarantee (Statistical, from exact laws)
    Almost surely sup_i |ε_i| is infinite, so Theorem 2.2 does not apply. The iterates converge all the same. But from
    θ_0 = 0, Z_n = (θ* − θ_n)/(1−h)^n is a stationary Gaussian sequence with the variance h²/(1−k²), whose largest value
    grows like √(2 log n). So d_n ≤ C k^n does not hold for any constant C, random or not. The rates that hold are r^n
    for every r > k, C_ω k^n √(log n) with a random C_ω, and C k^n in L^p with C = ‖d(θ_0, T θ_0)‖_p/(1−k).
Smallest wrong claim that is detected
    A variance that is wrong by 5 % either way, from 120,000 paths: the chance to miss it is below 1e-6, and below 1e-9
    at 10 %. The coefficients of the noise, which the check reads off the library's maps one noise at a time, are
    compared to 1e-9.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import signal, stats

from contraction.families import Gaussian, QuadraticSGD
from contraction.maps.iterates import backward_iterates
from contraction.maps.rounding import gamma
from contraction.statements.cases.error_rates import (
    FALSE_ALARM,
    chi_square_miss,
    chi_square_range,
    deviation,
    distance_to,
    off,
    statistical,
)
from contraction.statements.cases.increments import coefficients, increment_cases
from contraction.statements.records import Control, Row, Statement, Tier, Verdict

NAME, ROWS = "unbounded_noise", (51,)
Claim = Callable[[float, float], float]


def normalised(h: float, eps: NDArray) -> NDArray:
    """Z_n = (θ* - θ_n^B)/(1-h)^n for n = 0 … N-1, θ* being iterate N, from θ_0 = 0.

    Z_n = h eps_{n+1} + (1-h) Z_{n+1}: no cancellation, unlike a difference of iterates.
    """
    return np.asarray(signal.lfilter([h], [1.0, h - 1.0], eps[::-1]))[::-1]


def stationary_sd(h: float, terms: float = math.inf) -> float:
    """Return the standard deviation of a Z_n that holds the next ``terms`` noises."""
    k = abs(1 - h)
    return abs(h) * math.sqrt((1 - k ** (2 * terms)) / (1 - k**2))


def check(h: float, n: int, N: int, replicas: int, seed: int, claimed: Claim | None = None) -> Verdict:
    """Compare the law of (θ_N^B - θ_n^B)/(1-h)^n with the claimed Gaussian one.

    Tests, at half the false alarm rate 1e-9 each: the sup distance of distribution functions against the
    Dvoretzky-Kiefer-Wolfowitz-Massart bound (a law farther than twice the bound is missed with at most the same
    chance), and the mean square, exactly chi-square. The miss rate is that of the second for a variance × 1.1. With
    ``replicas`` = 0: the sum of the squared coefficients of the noises, which is the variance, to rounding.
    """
    claimed = claimed or stationary_sd
    if not replicas:
        return check_coefficients(h, n, N, claimed)
    rows = backward_iterates(QuadraticSGD(h, Gaussian()).sample(N, seed, replicas=replicas), 0.0, at=[n, N])[:, :, 0]
    values, half = (rows[:, 1] - rows[:, 0]) / (1 - h) ** n / claimed(h, N - n), FALSE_ALARM / 2
    return statistical(
        NAME,
        ROWS,
        [
            ("distribution function", distance_to(values, stats.norm.cdf), deviation(replicas, half)),
            ("variance", off(float(np.mean(values**2)), 1.0, *chi_square_range(replicas, half)), 1.0),
        ],
        seed=seed,
        hypotheses="0 < h < 2, and the noise is Gaussian, so that D = ∞.",
        paths=replicas,
        error_rates=(FALSE_ALARM, chi_square_miss(replicas, 1.1, half)),
        note=f"h={h}: law of (θ_{N} − θ_{n})/(1−h)^{n}",
    )


def check_coefficients(h: float, n: int, N: int, claimed: Claim | None = None) -> Verdict:
    """Compare the variance of (θ_N - θ_n)/(1-h)^n with the sum of the squared coefficients of the noises.

    Rounding: a coefficient of θ_N - θ_n is off by 2 gamma(4N + 8), so its quotient by k^n by as much over k^n;
    the quotients are at most 2 and N of them are squared and added.
    """
    claimed = claimed or stationary_sd
    scaled = coefficients(QuadraticSGD(h, Gaussian()), n, N) / (1 - h) ** n
    rounding = 8 * N * gamma(4 * N + 8) / abs(1 - h) ** n
    return Verdict.tight(
        NAME,
        ROWS,
        float(np.sum(scaled**2)),
        claimed(h, N - n) ** 2,
        rounding=rounding,
        part="coefficients",
        hypotheses="0 < h < 2, and the noise has variance 1.",
        note=f"h={h}: variance of (θ_{N} − θ_{n})/(1−h)^{n}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Return cases of increments with 120,000 paths."""
    return increment_cases(rng, tier, 0.9, 120_000)


def _with(wrong: Claim, replicas: int = 120_000):
    return lambda seed: check(0.3, 2, 12, replicas, seed, wrong)


def _nearly_right(h: float, terms: float = math.inf) -> float:
    """(1-k)(1 + .9k) in place of 1-k²: off by 4 % of the variance at k = 0.7."""
    k = abs(1 - h)
    return abs(h) * math.sqrt((1 - k ** (2 * terms)) / ((1 - k) * (1 + 0.9 * k)))


CONTROLS = (
    Control("the variance × 1.1", _with(lambda h, terms=math.inf: 1.1**0.5 * stationary_sd(h, terms)), "variance"),
    Control("the variance / 1.1", _with(lambda h, terms=math.inf: stationary_sd(h, terms) / 1.1**0.5), "variance"),
    Control("h/(1−k) in place of h/√(1−k²)", _with(lambda h, terms=math.inf: abs(h) / (1 - abs(1 - h)))),
    Control("the wrong stationary law (1−k)(1+.9k)", _with(_nearly_right, 0), "coefficients"),
)


def needed_length(h: float, level: float, alpha: float = FALSE_ALARM, spacings: range = range(1, 40)) -> int:
    """How many Z_j make max |Z_j| > level with probability at least 1 - alpha, for Gaussian noise of variance one.

    Given the later noises, Z_j is Gaussian with the variance of its next L terms and some mean, so it stays within the
    level with probability at most 1 - p(L), p(L) for mean 0 (Anderson's inequality); every L-th j gives such a factor.
    """
    chances = ((L, 2 * float(stats.norm.sf(level / stationary_sd(h, L)))) for L in spacings)
    return min(L * math.ceil(math.log(1 / alpha) / p) for L, p in chances if p > 0)


def check_printed(h: float = 0.3, seed: int = 0, bound: float = 3**0.5) -> Verdict:
    """Check that no C gives d_j <= C k^j for all j under Gaussian noise.

    With noise in [-B, B], Theorem 2.2 gives it with C = h B/(1-k).

    The noise is asked for its bound. If it is finite, C is that of the noise, and no path ever exceeds it (up to
    rounding): nothing is refuted, whatever the seed. Gaussian noise has none; the path is then held against the C of
    every noise bounded by ``bound``, and is as long as it takes to exceed it with probability 1 - 1e-9. Measured is the
    largest d_j/k^j, claimed is C.
    """
    noise = Gaussian()
    k = abs(1 - h)
    B = noise.bound if math.isfinite(noise.bound) else bound
    C = abs(h) * B / (1 - k)
    n = needed_length(h, abs(h) * bound / (1 - k))
    eps = noise.sample(np.random.default_rng(seed), (n + math.ceil(60 / -math.log2(k)),))
    reached = float(np.max(np.abs(normalised(h, eps)[:n])))
    return Verdict(
        NAME,
        ROWS,
        "refuted",
        reached > C * (1 + 2.0**-40),
        reached,
        C,
        seed=seed,
        error_rates=(FALSE_ALARM, 0.0),
        paths=1,
        hypotheses="The noise is i.i.d., and k = |1 − h| > 0.",
        note=f"h={h}, Gaussian noise of variance 1: the largest d(θ*, θ_j)/k^j for j < {n} is {reached:.6g}, where "
        f"every noise bounded by {B:.6g} stays below {C:.6g}",
    )


def printed_cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: h on both sides of 1; sqrt(3) bounds the uniform noise of variance 1."""
    for h in (0.3, 1.5):
        yield {"h": h, "seed": int(rng.integers(2**31))}


STATEMENT = Statement(
    name=NAME,
    paper=("Section 3.2", "Theorem 2.2"),
    claim="(θ* − θ_n)/(1−h)^n ~ N(0, h²/(1−k²)): rate k^n √log n almost surely, C k^n in L^p only",
    hypotheses="0 < h < 2, and the noise is Gaussian.",
    rows=(
        Row(
            51,
            "Section 3.2, the use of Theorem 2.2",
            "HYP",
            quote="Since ‖T_i(θ_1) − T_i(θ_2)‖ ≤ ‖1 − hH‖ ‖θ_1 − θ_2‖ and since ‖1 − hH‖ < 1 for h strictly smaller "
            "than 2/λ_{max} (as in Example 2.1), Theorem 2.2 tells us that the backward trajectory converges.",
            why="The conclusion stands, but it does not follow from Theorem 2.2, because condition (2) asks for "
            "bounded noise. Noise with zero mean, as in the text, gives convergence without a bound. The rate is "
            "another one: with Gaussian noise no constant C gives d(θ*, θ_n) ≤ C k^n for all n.",
            correct="The noise is bounded. Without a bound the trajectory converges at rate r^n for every r > k if E "
            "log⁺‖ε_i‖ < ∞, and at rate C k^n in L^p if the noise has a p-th moment, with C = ‖d(θ_0, Tθ_0)‖_p/(1 − "
            "k).",
            severity="repairable",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    printed_cases=printed_cases,
    controls=CONTROLS,
    test="tests/theory/statements/section_3/test_unbounded_noise.py",
)
