"""Section 2.2: what converges to the law along one forward path is the empirical measure, not the path.

Problem
    T_i(theta) = (1-h) theta + h eps_i, eps standard Gaussian, from theta_0 = 0; time means of one path of N iterates.
Guarantee (Statistical, from exact laws)
    forward: N^-1 sum theta_n ~ N(0, N^-2 sum_i (1 - (1-h)^(N-i+1))²) -> the mean of mu;
    backward: N^-1 sum theta_n ~ N(0, N^-2 h² sum_i ((N-i+1)(1-h)^(i-1))²) -> theta*, as random as one draw of mu.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from contraction.families import Gaussian, QuadraticSGD, TwoPoint
from contraction.maps.iterates import forward_iterates, paired_iterates
from contraction.statements._base import Row, Statement, Tier, Verdict
from contraction.statements._chance import FALSE_ALARM, chi_square_miss, chi_square_range

NAME, ROWS = "time_averages", (35,)


def variances(h: float, N: int) -> tuple[float, float]:
    """Variance of the time mean of iterates 1 … N, forward and backward."""
    left = np.arange(N, 0, -1)  # N - i + 1 iterates hold eps_i
    forward = float(np.sum((1 - (1 - h) ** left) ** 2)) / N**2
    backward = float(np.sum((h * left * (1 - h) ** (N - left)) ** 2)) / N**2
    return forward, backward


def check(h: float, N: int, replicas: int, seed: int) -> Verdict:
    """Two chi-square tests of time means over independent paths; measured is the mean square of the worse.

    Test: two-sided, sum of squares of ``replicas`` standard normal values, each at half the false alarm rate. Miss: the
    chance that forward time means with the variance of the backward ones pass.
    """
    operators = QuadraticSGD(h, Gaussian()).sample(N, seed, replicas=replicas)
    expected = variances(h, N)
    paths = paired_iterates(operators, 0.0)
    squares = [float(np.mean(np.mean(p[:, 1:, 0], axis=1) ** 2) / v) for p, v in zip(paths, expected, strict=True)]
    low, high = chi_square_range(replicas, FALSE_ALARM / 2)
    worst = max(squares, key=lambda s: abs(math.log(s)))
    return Verdict(
        NAME, ROWS, "statistical", low <= min(squares) and max(squares) <= high, worst, 1.0, cases=replicas, seed=seed,
        hypotheses="0 < h < 2, Gaussian noise",
        error_rates=(FALSE_ALARM, chi_square_miss(replicas, expected[1] / expected[0], FALSE_ALARM / 2)),
        note=f"h={h}, N={N}: variance of time means {expected[0]:.3g} forward, {expected[1]:.3g} backward",
    )  # fmt: skip


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """h over (0, 2), 200 paths of 400 iterates."""
    for h in (0.3, 1.0, 1.7, *rng.uniform(0.2, 1.8, 3 if tier == "standard" else 60)):
        yield {"h": float(h), "N": 400, "replicas": 200, "seed": int(rng.integers(2**31))}


def check_printed(N: int = 400, seed: int = 0) -> Verdict:
    """h = 1/2, noise ±1, one forward path from 0: theta_n has the sign of eps_n, so each change of sign moves the path
    by 1/2 at least, surely. Measured: the largest increment after N/2; a path that converged would have 0.
    """
    path = QuadraticSGD(0.5, TwoPoint()).sample(N, seed)
    moves = np.abs(np.diff(forward_iterates(path, 0.0)[N // 2 :, 0]))
    return Verdict(
        NAME, ROWS, "refuted", float(np.max(moves)) >= 0.5, float(np.max(moves)), 0.0, seed=seed,
        hypotheses="h = 1/2, noise ±1", note=f"largest increment of one forward path over {N // 2} ≤ n < {N}",
    )  # fmt: skip


STATEMENT = Statement(
    name=NAME,
    paper=("Section 2.2",),
    claim="(1/N) Σ δ_{θ_n} → μ along one forward path, → δ_{θ*} along one backward path",
    hypotheses="0 < h < 2, i.i.d. noise",
    rows=(
        Row(
            35, "Section 2.2, first sentence", "LOOSE",
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
    test="tests/theory/test_time_averages.py",
)  # fmt: skip
