"""Section 2.2: what converges to the law along one forward path is the empirical measure, not the path.

Problem
    T_i(θ) = (1−h) θ + hε_i with standard Gaussian ε_i, from θ_0 = 0. The time means are those of one path of N
    iterates.
Guarantee (Statistical, from exact laws)
    In the forward order N^{−1} Σ θ_n has the law N(0, N^{−2} Σ_i (1 − (1−h)^{N−i+1})²) and tends to the mean of μ. In
    the backward order N^{−1} Σ θ_n has the law N(0, N^{−2} h² Σ_i ((N−i+1)(1−h)^{i−1})²) and tends to θ*, which is as
    random as one draw of μ.
    The empirical measure of a forward path tends to μ = N(0, h/(2−h)). The check follows its second moment.
Smallest wrong claim that is detected
    A variance of time means that is wrong by 7 % either way, from 60,000 paths: the chance to miss it is below 1e-6,
    and below 1e-9 at 10 %. A variance of μ that is wrong by 4 % at h = 0.3 (and at 1.7) is detected surely, up to the
    false alarm rate, since this is twice the threshold of the time mean of θ_n² over 600 paths of 2,000 iterates. The
    coefficients of the noises are compared to 1e-9.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from contraction.families import Gaussian, QuadraticSGD, TwoPoint
from contraction.maps.iterates import forward_iterates, paired_iterates
from contraction.maps.rounding import gamma
from contraction.statements.cases.error_rates import (
    FALSE_ALARM,
    Part,
    chi_square_miss,
    chi_square_range,
    off,
    statistical,
)
from contraction.statements.cases.exact_words import unit_noises
from contraction.statements.records import Control, Row, Statement, Tier, Verdict

NAME, ROWS = "time_averages", (35,)
Claim = Callable[[float, int], tuple[float, float]]
LONG = 2000  # iterates of a path whose empirical measure is compared with mu


def variances(h: float, N: int) -> tuple[float, float]:
    """Variance of the time mean of iterates 1 … N, forward and backward."""
    left = np.arange(N, 0, -1)  # N - i + 1 iterates hold eps_i
    forward = float(np.sum((1 - (1 - h) ** left) ** 2)) / N**2
    backward = float(np.sum((h * left * (1 - h) ** (N - left)) ** 2)) / N**2
    return forward, backward


def stationary_variance(h: float) -> float:
    """h/(2-h), the variance of mu."""
    return h / (2 - h)


def second_moments(h: float, N: int, replicas: int, seed: int, claimed: Callable[[float], float]) -> list[Part]:
    """Time means of theta_n² along forward paths, each path and all of them, against the variance s² of mu.

    E theta_n² = s² (1 - rho^(2n)), rho = 1-h. A quadratic form of Gaussians with eigenvalues l leaves its mean by more
    than 2 |l|_2 sqrt(x) + 2 |l|_inf x with probability at most 2 e^-x (Laurent and Massart, 2000, Lemma 1); here, over
    s² and for means over N steps, |l|_2² <= (1 + rho²)/(1 - rho²)/N and |l|_inf <= (1 + |rho|)/(1 - |rho|)/N.
    """
    paths = forward_iterates(QuadraticSGD(h, Gaussian()).sample(N, seed, replicas=replicas), 0.0)[:, 1:, 0]
    rho = abs(1 - h)
    result = np.mean(paths**2, axis=1) / claimed(h)
    expected = 1 - float(np.mean(rho ** (2 * np.arange(1, N + 1))))
    square, largest = (1 + rho**2) / (1 - rho**2) / N, (1 + rho) / (1 - rho) / N
    parts: list[Part] = []
    for name, gap, count in (
        ("empirical measure of every path", float(np.max(np.abs(result - expected))), 1),
        ("empirical measure of all paths", abs(float(np.mean(result)) - expected), replicas),
    ):
        x = math.log(2 * (replicas / count) / (FALSE_ALARM / 4))
        parts.append((name, gap, 2 * math.sqrt(square / count * x) + 2 * largest / count * x))
    return parts


def check(
    h: float,
    N: int,
    replicas: int,
    seed: int,
    claimed: Claim | None = None,
    stationary: Callable[[float], float] | None = None,
) -> Verdict:
    """Compare time means of independent paths with their variances, and empirical measures of forward paths against mu.

    Tests, at a quarter of the false alarm rate 1e-9 each: two two-sided chi-square tests, sums of squares of
    ``replicas`` standard normal values, one an order; `second_moments` for each of ``replicas``/100 longer paths and
    for all of them. The miss rate is that of a chi-square test for variances × 1.1. With ``replicas`` = 0: the sums of
    the squared coefficients of the noises in both time means, which are the variances, to rounding.
    """
    claimed, stationary = claimed or variances, stationary or stationary_variance
    if not replicas:
        return check_coefficients(h, N, claimed)
    operators, expected = QuadraticSGD(h, Gaussian()).sample(N, seed, replicas=replicas), claimed(h, N)
    low, high = chi_square_range(replicas, FALSE_ALARM / 4)
    parts = []
    for order, path, variance in zip(("forward", "backward"), paired_iterates(operators, 0.0), expected, strict=True):
        square = float(np.mean(np.mean(path[:, 1:, 0], axis=1) ** 2) / variance)
        parts.append((f"time mean, {order}", off(square, 1.0, low, high), 1.0))
    parts += second_moments(h, LONG, max(replicas // 100, 2), seed + 1, stationary)
    return statistical(
        NAME,
        ROWS,
        parts,
        paths=replicas + max(replicas // 100, 2),
        seed=seed,
        hypotheses="0 < h < 2, and the noise is Gaussian.",
        error_rates=(FALSE_ALARM, chi_square_miss(replicas, 1.1, FALSE_ALARM / 4)),
        note=f"h={h}, N={N}: variance of time means {expected[0]:.3g} forward, {expected[1]:.3g} backward",
    )


def check_coefficients(h: float, N: int, claimed: Claim | None = None) -> Verdict:
    """Compare both variances with sums of squared coefficients of the N noises in the time means.

    Rounding: a coefficient c is a mean of N words of at most N maps, each at most 2 in size and off by gamma(5N + 8)
    relatively, so c is off by e = 2 gamma(5N + 8), and the sum of squares by 2 e sum |c| + N e², doubled for the
    rounding of the sum.
    """
    claimed = claimed or variances
    paths = paired_iterates(unit_noises(QuadraticSGD(h, Gaussian()), N), 0.0)
    coefficients = [np.mean(path[:, 1:, 0], axis=1) for path in paths]
    e = 2 * gamma(5 * N + 8)
    rounding = [4 * e * float(np.abs(c).sum()) + 2 * N * e * e for c in coefficients]
    squares = [float(np.sum(c**2)) for c in coefficients]
    return Verdict.tight(
        NAME,
        ROWS,
        squares,
        claimed(h, N),
        rounding=rounding,
        part="coefficients",
        hypotheses="0 < h < 2, and the noise has variance 1.",
        note=f"h={h}, N={N}: variances of the time means",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: h over (0, 2), 60,000 paths of 50 iterates and 600 of 2,000; the coefficients of 200 noises."""
    for h in (0.3, 1.0, 1.7, *rng.uniform(0.2, 1.8, 3 if tier == "standard" else 60)):
        seed = int(rng.integers(2**31))
        yield {"h": float(h), "N": 50, "replicas": 60_000, "seed": seed}
        yield {"h": float(h), "N": 200, "replicas": 0, "seed": seed}


def _with(claimed: Claim | None = None, stationary=None, replicas: int = 60_000):
    return lambda seed: check(0.3, 50, replicas, seed, claimed, stationary)


def _scaled(forward: float, backward: float):
    return lambda h, N: (forward * variances(h, N)[0], backward * variances(h, N)[1])


CONTROLS = (
    Control("forward variance × 1.1", _with(_scaled(1.1, 1)), "time mean, forward"),
    Control("backward variance × 1.1", _with(_scaled(1, 1.1)), "time mean, backward"),
    Control("1/N and h/(2−h), the limits", _with(lambda h, N: (1 / N, h / (2 - h))), "time mean"),
    Control("the law μ with variance × 1.1", _with(stationary=lambda h: 1.1 * h / (2 - h)), "empirical measure of all"),
    Control("coefficients off by 1e-9", _with(_scaled(1 + 1e-9, 1), replicas=0), "coefficients"),
)


def check_printed(N: int = 400, seed: int = 0) -> Verdict:
    """Check that one forward path from 0 with h = 1/2 and noise ±1 does not converge.

    θ_n has the sign of eps_n, so each change of sign moves the path by 1/2 at least, surely. Measured: the
    largest increment after N/2; a path that converged would have 0.
    """
    path = QuadraticSGD(0.5, TwoPoint()).sample(N, seed)
    moves = np.abs(np.diff(forward_iterates(path, 0.0)[N // 2 :, 0]))
    return Verdict(
        NAME,
        ROWS,
        "refuted",
        float(np.max(moves)) >= 0.5,
        float(np.max(moves)),
        0.0,
        seed=seed,
        paths=1,
        hypotheses="h = 1/2, and the noise is ±1.",
        note=f"largest increment of one forward path over {N // 2} ≤ n < {N}",
    )


STATEMENT = Statement(
    name=NAME,
    paper=("Section 2.2",),
    claim="(1/N) Σ δ_{θ_n} → μ along one forward path, → δ_{θ*} along one backward path",
    hypotheses="0 < h < 2, and the noise is i.i.d.",
    rows=(
        Row(
            35,
            "Section 2.2, first sentence",
            "LOOSE",
            quote="As seen in Example 2.4, an actual realization of a forward trajectory converges to a distribution "
            "which is uniformly distributed between the two outcomes.",
            why="A realization is a sequence of points, and it does not converge. What converges to the distribution "
            "is the law of θ_n, and along one path the empirical measure.",
            correct="“… the law of a forward iterate converges to a distribution …”.",
            severity="typo",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    controls=CONTROLS,
    test="tests/theory/statements/section_2/test_time_averages.py",
)
