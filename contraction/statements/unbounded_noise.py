"""Section 3.2, "Theorem 2.2 tells us": with unbounded noise condition (2) fails, and so does the rate C k^n.

Problem
    T_i(theta) = (1-h) theta + h eps_i, eps standard Gaussian, 0 < h < 2, k = |1-h| > 0, d_n = |theta* - theta_n^B|.
Guarantee (Statistical, from exact laws)
    sup_i |eps_i| is infinite almost surely, so Theorem 2.2 does not apply. The iterates converge all the same, but
    (theta* - theta_n)/(1-h)^n is a stationary Gaussian sequence Z_n with variance h²/(1-k²) (from theta_0 = 0), whose
    largest value grows like sqrt(2 log n): no constant, random or not, serves in d_n <= C k^n. True rates: r^n for
    every r > k, C_omega k^n sqrt(log n), and C k^n in L^p with C = |d(theta_0, T theta_0)|_p / (1-k).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import signal, stats

from contraction.families import Gaussian, QuadraticSGD
from contraction.maps.iterates import backward_iterates
from contraction.statements._base import Row, Statement, Tier, Verdict
from contraction.statements._chance import FALSE_ALARM, deviation, distance_to

NAME, ROWS = "unbounded_noise", (51,)
BLOCK = 8


def normalised(h: float, eps: NDArray) -> NDArray:
    """Z_n = (theta* - theta_n^B)/(1-h)^n for n = 0 … N-1, theta* being iterate N, from theta_0 = 0.

    Z_n = h eps_{n+1} + (1-h) Z_{n+1}: no cancellation, unlike a difference of iterates.
    """
    return np.asarray(signal.lfilter([h], [1.0, h - 1.0], eps[::-1]))[::-1]


def stationary_sd(h: float, terms: float = math.inf) -> float:
    """Standard deviation of a Z_n that holds the next ``terms`` noises."""
    k = abs(1 - h)
    return abs(h) * math.sqrt((1 - k ** (2 * terms)) / (1 - k**2))


def check(h: float, n: int, N: int, replicas: int, seed: int) -> Verdict:
    """Compare the law of (theta_N^B - theta_n^B)/(1-h)^n with the claimed Gaussian one.

    Test: sup distance of distribution functions against the Dvoretzky-Kiefer-Wolfowitz-Massart bound. False alarm 1e-9;
    a law farther than twice the bound is missed with at most the same chance.
    """
    rows = backward_iterates(QuadraticSGD(h, Gaussian()).sample(N, seed, replicas=replicas), 0.0, at=[n, N])[:, :, 0]
    values = (rows[:, 1] - rows[:, 0]) / (1 - h) ** n / stationary_sd(h, N - n)
    distance = distance_to(values, stats.norm.cdf)
    return Verdict(
        NAME, ROWS, "statistical", distance <= deviation(replicas), distance, deviation(replicas), seed=seed,
        hypotheses="0 < h < 2, Gaussian noise: D = ∞", error_rates=(FALSE_ALARM, FALSE_ALARM), cases=replicas,
        note=f"h={h}: law of (θ_{N} − θ_{n})/(1−h)^{n}; a law at distance {2 * deviation(replicas):.3g} would be seen",
    )  # fmt: skip


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """h on both sides of 1, 3,000 paths; |1-h| at least 0.3, so that theta_N - theta_n keeps ten digits."""
    for away in (0.3, 0.7, *rng.uniform(0.3, 0.9, 2 if tier == "standard" else 40)):
        n, seed = int(rng.integers(0, 12)), int(rng.integers(2**31))
        h = float(1 + away * rng.choice([-1, 1]))
        yield {"h": h, "n": n, "N": n + int(rng.integers(1, 30)), "replicas": 3000, "seed": seed}


def sure_level(h: float, n: int, alpha: float = FALSE_ALARM) -> float:
    """A level that max_{j <= n} |Z_j| exceeds with probability at least 1 - alpha; it grows without bound with n.

    Z_j = W_j + (1-h)^L Z_{j+L}, the W_j of every L-th j independent. If all |Z_j| <= C, then all |W_j| <= (1 + k^L) C,
    which n/L independent Gaussian values do with probability (1-p)^(n/L) <= alpha for p = L log(1/alpha)/n.
    """
    p = BLOCK * math.log(1 / alpha) / n
    if p >= 1:
        return 0.0
    return float(stats.norm.isf(p / 2)) * stationary_sd(h, BLOCK) / (1 + abs(1 - h) ** BLOCK)


def check_printed(h: float = 0.3, seed: int = 0, lengths: tuple[int, ...] = (10**3, 10**4, 10**5)) -> Verdict:
    """max_{j <= n} d_j / k^j along one path exceeds levels that grow with n: no C serves in d_n <= C k^n.

    Measured is the largest d_j/k^j of the longest path, claimed the largest among the first ten, the constant that one
    would have believed there. False alarm 1e-9 for each length.
    """
    eps = Gaussian().sample(np.random.default_rng(seed), (lengths[-1] + 200 + math.ceil(60 / -math.log2(abs(1 - h))),))
    Z = np.abs(normalised(h, eps))
    levels = [sure_level(h, n) for n in lengths]
    reached = [float(np.max(Z[:n])) for n in lengths]
    holds = all(r > level for r, level in zip(reached, levels, strict=True)) and levels == sorted(set(levels))
    return Verdict(
        NAME, ROWS, "refuted", holds, reached[-1], float(np.max(Z[:10])), seed=seed,
        error_rates=(FALSE_ALARM * len(lengths), 0.0),
        note=f"h={h}: max d_j/k^j = {', '.join(f'{r:.3g}' for r in reached)} up to j = "
        f"{', '.join(f'{n:.0e}' for n in lengths)} (sure levels {', '.join(f'{x:.3g}' for x in levels)})",
    )  # fmt: skip


STATEMENT = Statement(
    name=NAME,
    paper=("Section 3.2", "Theorem 2.2"),
    claim="(θ* − θ_n)/(1−h)^n ~ N(0, h²/(1−k²)): rate k^n √log n almost surely, C k^n in L^p only",
    hypotheses="0 < h < 2, Gaussian noise",
    rows=(
        Row(
            51, "Section 3.2, “Theorem 2.2 tells us that the backward trajectory converges”", "HYP",
            "since ‖1 − hH‖ < 1, Theorem 2.2 tells us that the backward trajectory converges",
            "condition (2) needs sup‖ε_i‖ < ∞, which Gaussian noise violates; convergence survives, its rate does not",
            "bounded noise; or E log⁺‖ε‖ < ∞ with rate r^n for r > k; or C k^n in L^p, C = ‖d(θ0, Tθ0)‖_p/(1−k)",
            "repairable",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    proof="proofs/coq/linearized_sgd.v:linearized_backward_converges",
    test="tests/theory/test_unbounded_noise.py",
)  # fmt: skip
