"""Lemma 2.5: the Lipschitz constant of a gradient step, from both sides.

Problem
    T x = x − hV(x), where ⟨V x − V y, x − y⟩ ≥ m|x − y|² and |V x − V y| ≤ M|x − y| with 0 < m ≤ M.
Guarantee (Exact, attained)
    For h ≥ 0, Lip(T) ≤ √(1 − 2hm + h²M²). This is an equality for V = [[m, −s], [s, m]] with m² + s² = M². The bound is
    below 1 if and only if 0 < h < 2m/M².
    If V is a gradient, then Lip(T) ≤ max(|1−hm|, |1−hM|) for any h. This is an equality for the V whose coordinate
    V_j(x) is m x_j where x_j < 0 and M x_j where x_j ≥ 0. The bound is below 1 if and only if 0 < h < 2/M, and it is
    smallest at h = 2/(m+M).
    For h ≥ 0 the square of the first bound is at least that of the second, so the second bound is never worse.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from contraction.families import GradientSteps, RidgeLogisticLoss
from contraction.maps.rounding import gamma
from contraction.statements import comparisons
from contraction.statements.records import Row, Statement, Tier, Verdict

ROWS = (28, 29, 30, 31)
NAME = "strongly_convex_step"


def printed_square(h, m, M):
    """1 - 2hm + h^2 M^2, the square of the constant of Lemma 2.5."""
    return 1 - 2 * h * m + h**2 * M**2


def sharp(h, m, M):
    """max(|1-hm|, |1-hM|), the constant for gradients."""
    return max(abs(1 - h * m), abs(1 - h * M))


def piecewise(m: Fraction, M: Fraction, x: NDArray) -> NDArray:
    """Gradient of sum_j (m x_j^2 if x_j < 0 else M x_j^2)/2, exactly."""
    return np.array([(m if v < 0 else M) * v for v in x], dtype=object)


def rotation(m: Fraction, s: Fraction, x: NDArray) -> NDArray:
    """[[m, -s], [s, m]] in each plane of R^(2p), exactly."""
    p, q = x[0::2], x[1::2]
    return np.stack([m * p - s * q, s * p + m * q], axis=-1).ravel()


def square(x: NDArray) -> Fraction:
    """|x|^2, exactly."""
    return sum((v * v for v in x), Fraction(0))


def rational_point(rng: np.random.Generator, dim: int) -> NDArray:
    """Return a point whose coordinates are Fractions with numerators up to 99 and denominators up to 8."""
    grid = rng.integers([-99, 1], [100, 9], (dim, 2)).tolist()
    return np.array([Fraction(a, b) for a, b in grid])


HYPOTHESES = "0 < m ≤ M. For gradients h is arbitrary, and for monotone fields h ≥ 0."


def check(kind: str, h: float, m: float, M: float, dim: int, seed: int) -> Verdict:
    """Check one of three theorems by name: see `check_gradients`, `check_monotone_fields`, `check_logistic_steps`."""
    if not 0 < m <= M:
        raise ValueError(f"the constants must satisfy 0 < m <= M, got m={m!r}, M={M!r}")
    if kind not in CHECKS:
        raise ValueError(f"kind must be {', '.join(CHECKS)}, got {kind!r}")
    return CHECKS[kind](h, m, M, dim, seed)


def check_gradients(h: float, m: float, M: float, dim: int, seed: int) -> Verdict:
    """Compare the largest square of |Tx - Ty|/|x - y| over drawn pairs and the axes with the sharp square, exactly.

    The gradient is `piecewise`. Every drawn pair satisfies the two conditions and the printed bound, the sharp constant
    is never above the printed one and is least at h = 2/(m+M), and it is below 1 iff 0 < h < 2/M.
    """
    rng = np.random.default_rng([seed, dim])
    rate, low, high = Fraction(h), Fraction(m), Fraction(M)
    constant, printed = sharp(rate, low, high), printed_square(rate, low, high)
    zero, axis = np.array([Fraction(0)] * dim), np.array([Fraction(1)] + [Fraction(0)] * (dim - 1))
    pairs = [(zero, axis), (zero, -axis), *((rational_point(rng, dim), rational_point(rng, dim)) for _ in range(4))]
    squares, conditions = [], True
    for x, y in pairs:
        gap, change = x - y, piecewise(low, high, x) - piecewise(low, high, y)
        if square(gap) > 0:
            squares.append(square(gap - rate * change) / square(gap))
            conditions &= bool((gap * change).sum() >= low * square(gap) and square(change) <= high**2 * square(gap))
    parts: dict[str, tuple] = {
        "sharp constant attained": (max(squares), constant**2),
        "the two conditions": (conditions, True),
        "printed bound": (rate < 0 or max(squares) <= printed, True),
        "sharp at most printed": (rate < 0 or constant**2 <= printed, True),
        "best h": (sharp(2 / (low + high), low, high) <= constant, True),
        "sharp range of h": (constant < 1, rate > 0 and rate * high < 2),
    }
    return _equal(parts, f"piecewise, h={h}, m={m}, M={M}, dim={dim}", seed)


def check_monotone_fields(h: float, m: float, M: float, dim: int, seed: int) -> Verdict:
    """Compare the square of every pair with the printed radicand, below 1 iff 0 < h < 2m/M^2, in Fractions.

    The field is `rotation`; m is replaced by M(1-t^2)/(1+t^2) with a rational t near sqrt((M-m)/(M+m)), so that the
    rotating part s is rational.
    """
    rng = np.random.default_rng([seed, dim])
    rate, high = Fraction(h), Fraction(M)
    t = Fraction(float(np.sqrt((M - m) / (M + m)))).limit_denominator(10**7)
    low, s = high * (1 - t**2) / (1 + t**2), high * 2 * t / (1 + t**2)
    printed = printed_square(rate, low, high)
    pairs = [(rational_point(rng, 2 * dim), rational_point(rng, 2 * dim)) for _ in range(3)]
    parts: dict[str, tuple] = {
        f"printed constant attained, pair {j}": (
            square(x - y - rate * (rotation(low, s, x) - rotation(low, s, y))) / square(x - y),
            printed,
        )
        for j, (x, y) in enumerate(pairs)
        if square(x - y) > 0
    }
    parts["printed range of h"] = (printed < 1, rate > 0 and rate * high**2 < 2 * low)
    return _equal(parts, f"rotation, h={h}, m={m}, M={M}, dim={dim}", seed)


def _equal(parts: dict[str, tuple], note: str, seed: int) -> Verdict:
    """Compare the two numbers of every named part; truth values count as 0 and 1."""
    measured, claimed = (
        [x if isinstance(x, Fraction) else int(x) for x in side] for side in zip(*parts.values(), strict=True)
    )
    return comparisons.equal(
        NAME, ROWS, measured, claimed, parts=list(parts), seed=seed, hypotheses=HYPOTHESES, note=note
    )


def check_logistic_steps(h: float, ridge: float, _: float, dim: int, seed: int) -> Verdict:
    """Compare pairs under drawn ridge-logistic steps with the sharp constant, in floats.

    m = ridge, M = ridge + s_max/4.

    Rounding: with R the largest row of X, one step at x commits at most gamma(6 dim + 60) S, S = |x| + |h|(R + R^2 |x|
    + ridge |x|); the two steps and the distance give 3 gamma S/|x - y|, and M carries gamma(60 dim) |h| M.
    """
    rng = np.random.default_rng([seed, dim])
    X = rng.standard_normal((12, dim)) * rng.choice([0.3, 3.0])
    loss = RidgeLogisticLoss(X, rng.choice([-1.0, 1.0], 12), ridge=ridge)
    batches = np.array([rng.choice(12, 4, replace=False) for _ in range(5)])
    family = GradientSteps(loss, h, batches=batches)
    m, M = loss.curvature(batches)
    m, M = float(m.min()), float(M.max())
    x = rng.standard_normal((200, dim)) * 10.0 ** rng.uniform(-2, 2, (200, 1))
    y = x + rng.standard_normal((200, dim)) * 10.0 ** rng.uniform(-2, 2, (200, 1))
    gap = np.linalg.norm(x - y, axis=-1)
    ratios = [np.linalg.norm(T(x) - T(y), axis=-1) / gap for T in family.sample(3, seed)]
    reach, rows = np.maximum(np.linalg.norm(x, axis=-1), np.linalg.norm(y, axis=-1)), np.linalg.norm(X, axis=-1).max()
    S = reach + abs(h) * (rows + rows**2 * reach + ridge * reach)
    rounding = 3 * gamma(6 * dim + 60) * S / gap + gamma(60 * dim) * (1 + abs(h) * M)
    return Verdict.upper(
        NAME,
        ROWS,
        np.max(ratios, axis=0),
        sharp(h, m, M),
        rounding=rounding,
        seed=seed,
        parts=["logistic steps below the sharp constant"] * 200,
        hypotheses=HYPOTHESES,
        note=f"logistic, h={h}, ridge={ridge}, dim={dim}",
    )


CHECKS = {"piecewise": check_gradients, "rotation": check_monotone_fields, "logistic": check_logistic_steps}


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: h at 0, at both thresholds, at the optimum, inside, beyond and negative; m/M from 1 to 1e-6."""
    for m, M in ((1.0, 10.0), (0.1, 0.1), (1e-6, 1.0), tuple(np.sort(rng.uniform(0.1, 5, 2)).tolist())):
        for h in (0.0, 2 * m / M**2, 2 / M, 2 / (m + M), float(rng.uniform(0, 2 / M)), 3 / M, -0.5 / M):
            for kind in ("piecewise", "rotation", "logistic"):
                if h >= 0 or kind != "rotation":
                    dim = int(rng.integers(1, 9 if tier == "standard" else 51))
                    yield {"kind": kind, "h": h, "m": m, "M": M, "dim": dim, "seed": int(rng.integers(2**31))}


def check_printed(slip: str) -> Verdict:
    """Check one slip: "strictly convex" (row 28), the "constant" (row 29), or the "interval" (row 30)."""
    one, ten, tenth = Fraction(1), Fraction(10), Fraction(1, 10)
    if slip == "strictly convex":
        x = Fraction(1, 10**6)  # theta^4: gradient 4 theta^3, slope 12 theta^2 below any m near 0, above any M far out
        slope_near, slope_far = (4 * (v**3 - (v / 2) ** 3) / (v - v / 2) for v in (x, 1 / x))
        # M > m excludes L = m|theta|^2/2, for which M = m serves, even with equality
        excluded = printed_square(tenth, ten / 2, ten / 2) == sharp(tenth, ten / 2, ten / 2) ** 2 == (1 - ten / 20) ** 2
        holds = slope_near < Fraction(1, 10**10) and slope_far > 10**10 and excluded
        return Verdict(
            NAME,
            (28,),
            "refuted",
            holds,
            float(slope_near),
            None,
            note="θ⁴ is strictly convex, and for it no m > 0 and no M serves",
        )
    if slip == "constant":
        step, printed = sharp(tenth, one, ten), printed_square(tenth, one, ten)
        holds = step < 1 < printed and sharp(tenth, one, ten) ** 2 == Fraction(81, 100)
        return Verdict(
            NAME,
            (29,),
            "loose",
            holds,
            float(step),
            float(printed) ** 0.5,
            note="factor of a gradient step at m=1, M=10, h=.1",
        )
    if slip == "interval":
        inside, outside = sharp(Fraction(1, 2), one, ten), sharp(Fraction(19), tenth, tenth)
        printed = [printed_square(Fraction(1, 2), one, ten) > 1, printed_square(Fraction(19), tenth, tenth) < 1]
        return Verdict(
            NAME,
            (30,),
            "beyond",
            inside > 1 > outside and all(printed),
            float(outside),
            1.0,
            note=f"m=M=1/10 at h=19: factor {outside}; m=1, M=10 at h=1/2, which is not small enough: factor {inside}",
        )
    raise ValueError(f"slip must be strictly convex, constant or interval, got {slip!r}")


def printed_cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: the three slips."""
    yield from ({"slip": slip} for slip in ("strictly convex", "constant", "interval"))


STATEMENT = Statement(
    name=NAME,
    paper=("Lemma 2.5", "Appendix F"),
    claim="Lip(θ − h∇L) ≤ max(|1−hm|, |1−hM|) ≤ √(1−2hm+h²M²), and both are attained (the second by rotating fields)",
    hypotheses="L is m-strongly convex with an M-Lipschitz gradient, 0 < m ≤ M, and h ≥ 0 for the second bound.",
    rows=(
        Row(
            28,
            "Section 2.1 and Appendix F, the two conditions",
            "HYP",
            quote="Recall that L is strictly convex if 1) there is a constant m > 0 such that ⟨∇L(θ_1) − ∇L(θ_2), "
            "θ_1 − θ_2⟩ ≥ m‖θ_1 − θ_2‖², where ⟨a, b⟩ = a^T b is the inner product between two vectors, and 2) there "
            "is a constant M > m such that ‖∇L(θ_1) − ∇L(θ_2)‖ ≤ M‖θ_1 − θ_2‖.",
            why="These conditions are strong convexity and a Lipschitz gradient. The function θ⁴ is strictly convex "
            "and satisfies neither, and M > m excludes L = m‖θ‖²/2. Appendix F has the same two conditions.",
            correct="L is m-strongly convex and its gradient is M-Lipschitz, with M ≥ m > 0.",
            severity="repairable",
        ),
        Row(
            29,
            "Lemma 2.5, the bound",
            "LOOSE",
            quote="Then ‖T(θ_1) − T(θ_2)‖ ≤ √(1 − 2hm + h²M²) ‖θ_1 − θ_2‖.",
            beyond="The bound is true for h ≥ 0, and it is sharp for monotone fields that are not gradients. For "
            "gradients the sharp factor is max(|1 − hm|, |1 − hM|), which is below 1 for 0 < h < 2/M; the printed "
            "factor is below 1 for 0 < h < 2m/M².",
        ),
        Row(
            30,
            "Lemma 2.5, the range of the learning rate",
            "OK",
            quote="In particular, for small enough h ∈ (0, 1) (depending on m and M) the map T is a uniform "
            "contraction.",
            beyond="The exact range is 0 < h < 2/M, which can reach far beyond 1; the printed bound gives 0 < h < "
            "2m/M².",
        ),
        Row(31, "Appendix F, the three displays (with h ≥ 0; then take square roots)", "OK"),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    printed_cases=printed_cases,
    derivation="proofs/symbolic/strongly_convex_step.py:step_square",
    test="tests/theory/statements/section_2/test_strongly_convex_step.py",
)
