"""Section 2.2, "do not converge to a point": when forward iterates do, and how far they keep moving when they do not.

Problem
    The maps are i.i.d. contractions. X has the stationary law μ, and T is independent of X.
Guarantee (Exact)
    The following are equivalent: the forward iterates converge (in probability), μ is a Dirac measure, and all maps
    share a fixed point. Otherwise E d(θ_{n+1}^F, θ_n^F)² → E d(T X, X)² > 0.
    For T(x) = (1−h) x + hε, where ε has the mean m and the variance σ², let S = hσ²/(2−h) and S_n = S(1 − (1−h)^{2n}).
    Then E(θ_{n+1} − θ_n)² = h²σ² + h²(S_n + (1−h)^{2n} (θ_0 − m)²), which tends to 2h²σ²/(2−h). For h = ½ and fair bits
    the limit is 1/12.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from contraction.maps.orders import Forward
from contraction.statements.cases.exact_words import affine_map, all_words, iid, random_fraction, rows
from contraction.statements.records import Row, Statement, Tier, Verdict
from contraction.statements.section_2.equality_of_laws import random_weights

NAME, ROWS = "forward_convergence", (76,)


def step_formula(
    h: Fraction, eps: Sequence[Fraction], weights: Sequence[Fraction], theta0: Fraction, n: int
) -> Fraction:
    """E (θ_{n+1}^F - θ_n^F)² in closed form."""
    mean = sum((w * e for w, e in zip(weights, eps, strict=True)), Fraction(0))
    variance = sum((w * (e - mean) ** 2 for w, e in zip(weights, eps, strict=True)), Fraction(0))
    fading = (1 - h) ** (2 * n)
    S = sum((h * h * (1 - h) ** (2 * j) for j in range(n)), Fraction(0)) * variance
    return h * h * (variance + S + fading * (theta0 - mean) ** 2)


def check(
    h: Fraction, eps: Sequence[Fraction], weights: Sequence[Fraction], theta0: Fraction, n: int, seed: int = 0
) -> Verdict:
    """Compare E (θ_{n+1} - θ_n)² over all words with the formula, exactly, and its distance to the limit.

    The dichotomy: the limit 2 h² sigma²/(2-h) is positive unless all noises are equal, which is when the maps share a
    fixed point.
    """
    words = iid(weights, n + 1)
    path = rows([affine_map(1 - h, h * e) for e in eps], list(words), [theta0], Forward(), at=[n, n + 1])[:, :, 0]
    chances = np.array(list(words.values()), dtype=object)
    result = Fraction(np.sum(chances * (path[:, 1] - path[:, 0]) ** 2))
    claimed = step_formula(h, eps, weights, theta0, n)
    holds = result == claimed
    if 0 < h < 2:
        far = step_formula(h, eps, weights, theta0, n + 40)
        mean = sum((w * e for w, e in zip(weights, eps, strict=True)), Fraction(0))
        variance = sum((w * (e - mean) ** 2 for w, e in zip(weights, eps, strict=True)), Fraction(0))
        limit = 2 * h * h * variance / (2 - h)
        start = h * h * (theta0 - mean) ** 2
        holds &= abs(far - limit) <= (1 - h) ** (2 * n + 80) * (start + limit)
        holds &= (limit == 0) == (len({e for e, w in zip(eps, weights, strict=True) if w}) == 1)
    return Verdict(
        NAME,
        ROWS,
        "exact",
        holds,
        float(result),
        float(claimed),
        seed=seed,
        hypotheses="The maps are i.i.d., and 0 < h < 2 for the limit.",
        note=f"h={h}, {len(eps)} noises, n={n}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: fair bits at h = ½ (limit 1/12), one noise (a shared fixed point), three noises, h in [0, 2]."""
    bits = {"eps": [Fraction(0), Fraction(1)], "weights": [Fraction(1, 2)] * 2}
    yield {"h": Fraction(1, 2), **bits, "theta0": Fraction(0), "n": 8}
    yield {"h": Fraction(1, 3), "eps": [Fraction(2)], "weights": [Fraction(1)], "theta0": Fraction(5), "n": 9}
    for k in range(8 if tier == "standard" else 60):
        M = int(rng.integers(2, 4))
        yield {
            "h": random_fraction(rng, 0, 2, 10),
            "eps": [random_fraction(rng, -2, 2, 3) for _ in range(M)],
            "seed": k,
            "weights": random_weights(rng, M),
            "theta0": random_fraction(rng, -3, 3),
            "n": int(rng.integers(0, 9 - M)),
        }


def check_printed(
    slopes: Sequence[Fraction] = (Fraction(1, 2), Fraction(-3, 4)),
    fixed: Fraction = Fraction(2),
    theta0: Fraction = Fraction(0),
    n: int = 9,
) -> Verdict:
    """Check that forward paths of contractions x -> p + a_i (x - p) converge to their common fixed point p.

    Measured is the largest distance to p at n over all words, claimed the start's: it would not fall otherwise.
    """
    maps = [affine_map(a, (1 - a) * fixed) for a in slopes]
    ends = rows(maps, all_words(len(slopes), n), [theta0], Forward(), at=[n])[:, 0, 0]
    k, distance = max(map(abs, slopes)), np.max(np.abs(ends - fixed))
    start = abs(theta0 - fixed)
    return Verdict(
        NAME,
        ROWS,
        "beyond",
        bool(distance == k**n * start and distance < start),
        float(distance),
        float(start),
        note=f"{len(maps)} maps with fixed point {fixed}: after {n} steps the largest distance to it over all words is "
        f"{float(distance):.6g} = k^{n} |θ_0 − {fixed}|",
    )


STATEMENT = Statement(
    name=NAME,
    paper=("Section 2.2",),
    claim="forward iterates converge ⇔ all maps share a fixed point; otherwise E d(θ_{n+1}, θ_n)² → E d(TX, X)² > 0",
    hypotheses="The maps are i.i.d. contractions with finite second moments.",
    rows=(
        Row(
            76,
            "Section 2.2, forward iterates",
            "OK",
            quote="Many previous works (see related work in Section 1.1) have shown under different assumptions that "
            "this sequence of forward iterates do not converge to a point when using fixed learning rates, but "
            "rather their probability distributions μ_n converge to a limiting probability distribution, called the "
            "stationary distribution of the Markov chain.",
            beyond="For i.i.d. contractions there is a dichotomy: the forward iterates converge in probability if "
            "and only if all maps share a fixed point, as in Remark 2.3. Otherwise E d(θ_{n+1}, θ_n)² has a positive "
            "limit.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    derivation="proofs/symbolic/laws.py:forward_increments_do_not_vanish",
    test="tests/theory/statements/section_2/test_forward_convergence.py",
)
