"""Section 2: Banach's fixed point theorem, and PageRank's "50 to 100" iterations as an instance.

Problem
    T is a k-Lipschitz map with k < 1 of a non-empty complete metric space into itself, and p is its fixed point.
Guarantee (Upper, attained)
    For every x, d(T^n x, p) ≤ k^n d(x, p), so the fixed point is unique, and d(T^n x, p) ≤ k/(1−k) d(T^n x, T^{n−1} x).
    Lipschitz maps are continuous. The forward and the backward iterates of a single map are the same powers.
    PageRank iterates T x = a Pᵀx + (1−a) v with the damping a = .85. Its error in ℓ1 is at most .85^n d(x, p) ≤ 2 ·
    .85^n. For two pages that link to each other this is an equality with d(x, p) = 1. The two powers that the paper
    speaks of are .85^50 = 3.0e-4 and .85^100 = 8.7e-8.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from contraction.maps.iterates import backward_iterates, forward_iterates
from contraction.maps.operators import Operators
from contraction.maps.rounding import iterate_rounding
from contraction.maps.spaces import L1Simplex
from contraction.statements import comparisons
from contraction.statements.cases.random_contractions import draw, spread
from contraction.statements.records import Row, Statement, Tier, Verdict

ROWS = (3, 5)
NAME = "banach_fixed_point"


def check(kind: str, k: float, dim: int, n: int, seed: int, reach: float = 1.0) -> Verdict:
    """Compare powers of one drawn map with k^n d(x, p) and the a-posteriori bound.

    A kind of the drawn sequences with D = 0 has θ_0 as its fixed point. "two pages" is the case of equality with
    damping k, in Fractions; "pages" mixes drawn permutations, with the uniform vector as fixed point.
    """
    note = f"{kind}, k={k}, dim={dim}, n={n}, reach={reach}"
    hypotheses = "Ω ≠ ∅ is complete, and T is k-Lipschitz with k < 1."
    at = spread(n)
    if kind == "two pages":
        a = Fraction(k).limit_denominator(10**6)
        swap = np.array([[Fraction(0), Fraction(1)], [Fraction(1), Fraction(0)]])
        T = Operators.from_maps([lambda x: a * (x @ swap) + (1 - a) / 2] * n, space=L1Simplex())
        rows = forward_iterates(T, np.array([Fraction(1), Fraction(0)]), at)
        p = np.array([Fraction(1, 2)] * 2)
        return comparisons.equal(
            NAME, ROWS, L1Simplex().distance(rows, p), [a**j for j in at], hypotheses=hypotheses, note=note
        )
    if kind == "pages":
        T, p, start, rounding, space = _pages(k, max(dim, 2), n, seed)
    else:
        one = draw(kind, k, 0.0, dim, 1, seed, reach)
        T = Operators.from_maps([one.operators[0]] * n, space=one.space)
        p, start, rounding, space, k = one.theta0, one.other_start, one.rounding(n), one.space, one.k
    forward, backward = forward_iterates(T, start, at), backward_iterates(T, start, at)
    before = forward_iterates(T, start, [max(j - 1, 0) for j in at])
    gap = float(space.distance(start, p))
    to_fixed = np.array([float(d) for d in space.distance(forward, p)])
    steps = np.array([float(d) for d in space.distance(forward, before)])
    factor = float(k)
    posteriori = np.where(np.array(at) > 0, factor / (1 - factor) * steps, gap)
    measured = [*to_fixed, *to_fixed, *(float(d) for d in space.distance(forward, backward))]
    claimed = [*(gap * factor**j for j in at), *posteriori, *(0.0 for _ in at)]
    return Verdict.upper(
        NAME,
        ROWS,
        measured,
        claimed,
        rounding=rounding * (1 + factor / (1 - factor)),
        seed=seed,
        hypotheses=hypotheses,
        note=note,
    )


def _pages(k: float, dim: int, n: int, seed: int):
    """Return x -> k x P + (1-k)/d with a doubly stochastic P: three permutations with drawn weights."""
    rng = np.random.default_rng([seed, dim])
    weights, permutations = rng.dirichlet(np.ones(3)), [rng.permutation(dim) for _ in range(3)]
    uniform = np.full(dim, 1 / dim)

    def step(x):
        return k * sum(w * x[..., s] for w, s in zip(weights, permutations, strict=True)) + (1 - k) * uniform

    # Every entry commits gamma(12) of itself, of l1 size at most 1, and a map keeps errors at most: n gamma(12) in all.
    rounding = 4 * iterate_rounding(k, n, 1.0, 12 + dim)
    return Operators.from_maps([step] * n, space=L1Simplex()), uniform, np.eye(dim)[0], rounding, L1Simplex()


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: every kind, k from 0 to 1 - 1e-6; PageRank with damping .85 at n = 50 and 100."""
    for kind in ("two pages", "pages"):
        for n in (50, 100):
            for dim in (2, 50):
                yield {"kind": kind, "k": 0.85, "dim": dim, "n": n, "seed": int(rng.integers(2**31))}
    for kind in ("reflection", "sine", "threshold", "aligned", "maxima", "pages"):
        for k in (0.0, 0.5, 0.99, 1 - 1e-6):
            yield {
                "kind": kind,
                "k": k,
                "dim": int(rng.integers(1, 51)),
                "n": int(rng.choice([1, 20, 400])),
                "seed": int(rng.integers(2**31)),
                "reach": float(rng.choice([1.0, 1e6])),
            }


STATEMENT = Statement(
    name=NAME,
    paper=("Section 2",),
    claim="d(T^n x, p) ≤ k^n d(x, p) with one fixed point p; PageRank: .85^50 = 3.0e-4, .85^100 = 8.7e-8",
    hypotheses="Ω ≠ ∅ is complete, and T is k-Lipschitz with k < 1, so that it is continuous.",
    rows=(
        Row(3, "Section 2, Banach's fixed point theorem", "OK"),
        Row(5, "Section 2, PageRank from 50 to 100 iterations", "OK"),
    ),
    check=check,
    cases=cases,
    test="tests/theory/statements/section_2/test_banach_fixed_point.py",
)
