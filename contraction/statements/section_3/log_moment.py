"""Section 3.1, convergence "for any i.i.d. noise": a finite logarithmic moment is necessary and sufficient.

Problem
    T_i(θ) = (1−h) θ + hε_i with k = |1−h| in (0, 1), and θ* = h Σ_i (1−h)^{i−1} ε_i if the series converges.
Guarantee (Statistical, and exact in the coefficients of the noise)
    The backward iterates converge almost surely if and only if E log⁺|ε| < ∞. Cauchy noise does not have a mean, but it
    has a logarithmic moment: from θ_0 = 0, θ_N^B − θ_n^B is exactly Cauchy with the scale h k^n (1 − k^{N−n})/(1−k).
    A counterexample to the printed form is ε = exp(1/U) with U uniform on (0, 1). Here P(h k^{i−1} ε_i > 1) = 1/max(1,
    t_i) with t_i = (i−1) log(1/k) − log h, and the sum of these chances diverges, so infinitely many increments exceed
    1.
    The function `check_noise` checks both directions for seven noises with E log⁺|ε| finite or infinite, two of them
    next to the border. Increment i exceeds r^i if and only if log|ε_i| > a + i log(r/k). The chances of these events
    add up to at most E log⁺|ε| / log(r/k) + 1. So for r = √k < 1 all but finitely many increments are below r^i, and
    the iterates converge. If E log⁺|ε| is infinite, then for r = 1 the chances add up to infinity, so infinitely many
    increments exceed 1.
Smallest wrong claim that is detected
    A scale that is wrong by 4 % either way, from 200,000 paths: the chance to miss it is below 1e-6, and below 1e-9 at
    5 %. The coefficients of the noise, which the check reads off the library's maps one noise at a time, are compared
    to 1e-9. Numbers of large increments that are wrong by 10 %, for each of the seven noises: at least 20,000 are
    expected, and the chance to miss the error is below 1e-9.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from scipy import stats

from contraction.families import Cauchy, LogHeavy, QuadraticSGD
from contraction.maps.iterates import backward_iterates
from contraction.maps.rounding import gamma
from contraction.statements.cases.error_rates import (
    FALSE_ALARM,
    binomial_miss,
    binomial_range,
    count_miss,
    count_range,
    deviation,
    distance_to,
    off,
    statistical,
)
from contraction.statements.cases.increments import coefficients, increment_cases
from contraction.statements.cases.log_tails import LOG_TAILS, LogTail
from contraction.statements.records import Control, Row, Statement, Tier, Verdict

NAME, ROWS = "log_moment", (47,)
Claim = Callable[[float, int, int], float]
LARGE_INCREMENTS = 20_000  # expected in each check of a noise
FINITE, INFINITE = "P(log|ε| > t) = 1/(t (1 + log t)²)", "P(log|ε| > t) = 1/(t (1 + log t))"


def scale(h: float, n: int, N: int) -> float:
    """Return h k^n (1 - k^(N-n))/(1-k), the scale of θ_N^B - θ_n^B under standard Cauchy noise."""
    k = abs(1 - h)
    return h * k**n * (1 - k ** (N - n)) / (1 - k)


def share_within(factor: float) -> float:
    """P(|X| <= 1) for a Cauchy variable of scale ``factor``; 1/2 for a claimed scale that is right."""
    return 2 / math.pi * math.atan(1 / factor)


def check(
    h: float, n: int, N: int, replicas: int, seed: int, claimed: Claim | None = None, noise: str | None = None
) -> Verdict:
    """Compare the law of θ_N^B - θ_n^B under Cauchy noise with the Cauchy law of the claimed scale.

    Tests, at half the false alarm rate 1e-9 each: the sup distance of distribution functions against the
    Dvoretzky-Kiefer-Wolfowitz-Massart bound (a law farther than twice the bound is missed with at most the same
    chance), and the share of paths within one scale of 0, exactly binomial with probability 1/2. The miss rate is that
    of the second for a scale off by 5 %. With ``replicas`` = 0: the sum of the absolute coefficients of the noises,
    which is the scale, to rounding. With the name of a noise of `LOG_TAILS`: `check_noise`.
    """
    if noise is not None:
        return check_noise(noise, h, N, replicas, seed)
    claimed = claimed or scale
    if not replicas:
        return check_coefficients(h, n, N, claimed)
    rows = backward_iterates(QuadraticSGD(h, Cauchy()).sample(N, seed, replicas=replicas), 0.0, at=[n, N])[:, :, 0]
    scaled, half = (rows[:, 1] - rows[:, 0]) / claimed(h, n, N), FALSE_ALARM / 2
    within = off(float(np.mean(np.abs(scaled) <= 1)), 0.5, *binomial_range(replicas, 0.5, half))
    miss = binomial_miss(replicas, 0.5, share_within(1.05), half)
    return statistical(
        NAME,
        ROWS,
        [
            ("distribution function", distance_to(scaled, stats.cauchy.cdf), deviation(replicas, half)),
            ("share within one scale", within, 1.0),
        ],
        seed=seed,
        hypotheses="0 < h < 2, h ≠ 1, and E log⁺|ε| < ∞.",
        error_rates=(FALSE_ALARM, miss),
        paths=replicas,
        note=f"h={h}: law of θ_{N} − θ_{n} against Cauchy of scale {claimed(h, n, N):.3g}",
    )


def check_coefficients(h: float, n: int, N: int, claimed: Claim | None = None) -> Verdict:
    """Compare the Cauchy scale of θ_N - θ_n with the sum of the absolute coefficients of the noises.

    Rounding: a word of N maps with points of size at most 2 commits gamma(4N + 8) each, and N of them are added.
    """
    claimed = claimed or scale
    rounding = 4 * N * gamma(4 * N + 8)
    return Verdict.tight(
        NAME,
        ROWS,
        float(np.abs(coefficients(QuadraticSGD(h, Cauchy()), n, N)).sum()),
        claimed(h, n, N),
        rounding=rounding,
        part="coefficients",
        hypotheses="0 < h < 2 and h ≠ 1.",
        note=f"h={h}: sum of coefficients of θ_{N} − θ_{n}",
    )


def thresholds(tail: LogTail, h: float, N: int) -> tuple[np.ndarray, float]:
    """Return t_i >= 0, i <= N, such that increment i exceeds r^i iff log |eps_i| > t_i; and their distance log(r/k).

    r = sqrt(k) for a noise with a logarithmic moment, r = 1 for one without. Where t_i would be negative, for a few
    first i, the increment is not looked at.
    """
    k = abs(1 - h)
    step = math.log(1 / k) / (2 if math.isfinite(tail.log_moment) else 1)
    t = np.arange(1, N + 1) * step + math.log(k / h)
    return t[t >= 0], step


def expected_number(tail: LogTail, h: float, N: int) -> float:
    """Return the expected number of large increments of one path, 0 … N."""
    return float(np.sum(tail.tail(thresholds(tail, h, N)[0])))


def maps_for(tail: LogTail) -> int:
    """How many maps show the side: few where most large increments come early, more where they never stop."""
    return 60 if math.isfinite(tail.log_moment) else 120


def check_noise(
    noise: str, h: float, N: int, replicas: int, seed: int, claimed: str = "", factor: float = 1
) -> Verdict:
    """Count the large increments of all paths, which says on which side of the condition the noise is.

    Increments are |h (1-h)^(i-1) eps_i| in logarithms, with the coefficients that `check_coefficients` reads off the
    library. Their number is a sum of independent indicators of known chances; Chernoff's bound gives its range, left
    with probability at most 1e-9. The expected number itself lies between two integrals of the tail, of which the upper
    one is at most E log+ |eps| / log(r/k) + 1 for any N, or the lower one grows beyond any level with N.

    Parameters
    ----------
    noise : str
        A key of `LOG_TAILS`.
    h : float
        Learning rate.
    N : int
        Number of maps of each path.
    replicas : int
        Number of paths.
    seed : int
        Of the draws.
    claimed, factor : str, float, optional
        A noise whose tail is claimed in place of that of the noise, and a factor on the expected number.
    """
    tail, wrong = LOG_TAILS[noise], LOG_TAILS[claimed or noise]
    t, step = thresholds(tail, h, N)
    logs = tail.log_sample(np.random.default_rng(seed), (replicas, N))[:, N - len(t) :]
    each = factor * float(np.sum(wrong.tail(t)))
    mean = replicas * each
    count = off(float(np.count_nonzero(logs > t)), mean, *count_range(mean))
    first, last = float(t[0]), float(t[-1])
    lower = (wrong.truncated(last + step) - wrong.truncated(first)) / step
    if math.isfinite(tail.log_moment):
        side = ("finite for all N", each, 1 + wrong.log_moment / step)
    else:
        side = ("grows with N", lower, each)
    return statistical(
        NAME,
        ROWS,
        [("number of large increments", count, 1.0), side],
        seed=seed,
        hypotheses=f"0 < h < 2, h ≠ 1, and E log⁺|ε| {'<' if math.isfinite(tail.log_moment) else '='} ∞.",
        error_rates=(FALSE_ALARM, max(count_miss(mean, 1.1 * mean), count_miss(mean, mean / 1.1))),
        paths=replicas,
        note=f"h={h}, {noise}: {each:.3g} large increments per path expected among {N}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases of increments with 200,000 paths, then one case for each of the seven noises."""
    yield from increment_cases(rng, tier, 0.8, 200_000)
    for noise, tail in LOG_TAILS.items():
        h = float(1 + rng.uniform(0.4, 0.6) * rng.choice([-1, 1]))
        N = maps_for(tail)
        replicas = math.ceil(LARGE_INCREMENTS / expected_number(tail, h, N))
        yield {"h": h, "n": 0, "N": N, "replicas": replicas, "seed": int(rng.integers(2**31)), "noise": noise}


def _with(wrong: Claim, replicas: int = 200_000):
    return lambda seed: check(0.3, 2, 5, replicas, seed, wrong)


def _noise(noise: str, claimed: str = "", factor: float = 1):
    N = maps_for(LOG_TAILS[noise])
    replicas = math.ceil(LARGE_INCREMENTS / expected_number(LOG_TAILS[noise], 0.5, N))
    return lambda seed: check_noise(noise, 0.5, N, replicas, seed, claimed, factor)


CONTROLS = (
    Control("the scale × 1.05", _with(lambda h, n, N: 1.05 * scale(h, n, N)), "share within one scale"),
    Control("the scale / 1.05", _with(lambda h, n, N: scale(h, n, N) / 1.05), "share within one scale"),
    Control("without the factor 1 − k^(N−n)", _with(lambda h, n, N: h * abs(1 - h) ** n / (1 - abs(1 - h)))),
    Control("k^(n+1) in place of k^n", _with(lambda h, n, N: abs(1 - h) * scale(h, n, N))),
    Control("coefficients off by 1e-9", _with(lambda h, n, N: (1 + 1e-9) * scale(h, n, N), 0), "coefficients"),
    Control("the noise next to the border claimed to be on its other side", _noise(FINITE, INFINITE)),
    Control("and the one on that other side claimed to be on this", _noise(INFINITE, FINITE)),
    Control("ten per cent more large increments", _noise("Gaussian", factor=1.1), "number of large increments"),
    Control("ten per cent fewer", _noise("ε = exp(1/U)", factor=1 / 1.1), "number of large increments"),
)


def exceedance_chances(h: float, n: int) -> np.ndarray:
    """P(h k^(i-1) eps_i > 1) for i = 1 … n under eps = exp(1/U): 1/t where t > 1, else 1."""
    t = np.arange(n) * math.log(1 / abs(1 - h)) - math.log(h)
    return 1 / np.maximum(t, 1.0)


def check_printed(h: float = 0.3, n: int = 20_000, replicas: int = 40, seed: int = 0) -> Verdict:
    """Count the increments |θ_{i+1}^B - θ_i^B| above 1 for i in (n/100, n] without a logarithmic moment.

    Logarithms of the increments are used, for eps overflows. Test: the total count is a sum of independent indicators
    of known chances; it leaves the Bernstein bound with probability at most 1e-9. The printed claim (any noise,
    decaying increments) gives none beyond some index; measured and claimed are counts a path.
    """
    log_eps = LogHeavy().log_sample(np.random.default_rng(seed), (replicas, n))
    log_increment = math.log(h) + np.arange(n) * math.log(abs(1 - h)) + log_eps
    late = slice(n // 100, None)
    count = int(np.sum(log_increment[:, late] > 0))
    chances = exceedance_chances(h, n)[late]
    mean, spread = replicas * chances.sum(), replicas * np.sum(chances * (1 - chances))
    log = math.log(2 / FALSE_ALARM)
    slack = math.sqrt(2 * spread * log) + log / 3
    return Verdict(
        NAME,
        ROWS,
        "refuted",
        abs(count - mean) <= slack and mean - slack > 0,
        count / replicas,
        0.0,
        seed=seed,
        error_rates=(FALSE_ALARM, FALSE_ALARM),
        paths=replicas,
        note=f"h={h}: increments above 1 a path among {n // 100} < i ≤ {n}, expected {mean / replicas:.3g}; largest "
        f"logarithm {log_increment.max():.0f}",
    )


STATEMENT = Statement(
    name=NAME,
    paper=("Section 3.1",),
    claim="θ_n^B converges a.s. ⇔ E log⁺|ε| < ∞",
    hypotheses="0 < h < 2, h ≠ 1, and the noise is i.i.d.",
    rows=(
        Row(
            47,
            "Section 3.1, convergence of the backward iterates",
            "HYP",
            quote="We see that the forward iterates receive at each step n an additional error hε_n which stays "
            "constant during the whole trajectory preventing point-convergence, while for backward iterates that "
            "same error h(1 − h)^{n−1}ε_n is decaying to zero as the trajectory progresses.",
            why="The error decays only if the tails of the noise are not too heavy: for ε = exp(1/U), with U uniform "
            "on (0, 1), infinitely many of these errors exceed 1.",
            correct="E log⁺|ε_i| < ∞, where log⁺ x = max(log x, 0). For 0 < |1 − h| < 1 this is necessary and "
            "sufficient for almost sure convergence, and any moment implies it.",
            severity="repairable",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    controls=CONTROLS,
    test="tests/theory/statements/section_3/test_log_moment.py",
)
