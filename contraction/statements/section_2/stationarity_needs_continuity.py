"""Theorem 2.6, "stationary": the law of θ* is invariant if the maps are continuous, and need not be otherwise.

Problem
    The T_i are i.i.d. maps of a finite space, where every map is continuous, and θ_n^B = T_1 … T_n θ_0.
Guarantee (Upper)
    If T is almost surely continuous, then θ* = T_1(θ*'), where θ*' is a copy of θ* that is independent of T_1, so that
    μP = μ. On a finite space the backward iterates stop as soon as T_1 … T_n is constant. Hence, if π = πP, the total
    variation distance of π and the law of θ_n is at most P(T_1 … T_n is not constant).
Counterexample to the printed form (exact)
    On [0, 1] let T(x) = kx for x ≠ 0 and T(0) = c, with 0 < k < 1 and 0 < c ≤ 1. The backward iterates, which are also
    the forward ones, tend to 0. Yet T_* δ_0 = δ_c, and there is not any invariant law: μ{0} = μ(T^{−1}{0}) = μ(∅) = 0,
    then μ(k, 1] = μ(T^{−1}(k, 1]) = 0, and μ(k^{j+1}, k^j] = μ(k^j, k^{j−1}] = 0 for every j, so the total would be 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from contraction.maps.orders import Backward, Forward
from contraction.statements.cases.exact_words import Law, Map, iid, law_of, overlap, rows
from contraction.statements.records import Row, Statement, Tier, Verdict
from contraction.statements.section_2.equality_of_laws import random_weights

NAME, ROWS = "stationarity_needs_continuity", (37,)


def table_map(images: Sequence[int]) -> Map:
    """Return the map of {0, …, m-1} with the given images."""
    table = np.array([int(x) for x in images], dtype=object)
    return lambda x: table[x.astype(int)]


def stationary_law(tables: Sequence[Sequence[int]], weights: Sequence[Fraction]) -> Law | None:
    """Return the invariant law pi = pi P of i.i.d. maps of {0, …, m-1}, exactly; None if there are several."""
    import sympy

    m = len(tables[0])
    P = sympy.zeros(m, m)
    for images, w in zip(tables, weights, strict=True):
        for x, y in enumerate(images):
            P[x, int(y)] += sympy.Rational(w.numerator, w.denominator)
    null = (P.T - sympy.eye(m)).nullspace()
    if len(null) > 1:
        return None
    total = sum(null[0])
    return {(x,): Fraction(int(v.p), int(v.q)) for x, v in enumerate(v / total for v in null[0]) if v != 0}


def check(
    tables: Sequence[Sequence[int]], weights: Sequence[Fraction], n: int, theta0: int = 0, seed: int = 0
) -> Verdict:
    """Compare the distance of the law of forward iterate n to pi with the chance that the backward words have not met.

    Measured and claimed are exact rationals. Where pi is not unique nothing is claimed: that chance is then 1.
    """
    words, m = iid(weights, n), len(tables[0])
    maps = [table_map(t) for t in tables]
    starts = [rows(maps, list(words), [x], Backward(), at=[n])[:, 0, 0] for x in range(m)]
    meet = np.all(np.stack(starts) == starts[0], axis=0)
    apart = sum((w for w, met in zip(words.values(), meet, strict=True) if not met), Fraction(0))
    pi = stationary_law(tables, weights)
    forward = law_of(rows(maps, list(words), [theta0], Forward(), at=[n]), words.values())
    measured = Fraction(0) if pi is None else 1 - overlap(forward, pi)
    holds = measured <= apart and (pi is not None or apart == 1)
    return Verdict(
        NAME,
        ROWS,
        "upper",
        holds,
        float(measured),
        float(apart),
        seed=seed,
        hypotheses="The maps are i.i.d. and continuous.",
        note=f"{len(maps)} maps of {m} points, n={n}, from {theta0}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: 2 or 3 random maps of 2 to 5 points, words up to length 7."""
    for k in range(8 if tier == "standard" else 100):
        M, m = int(rng.integers(2, 4)), int(rng.integers(2, 6))
        yield {
            "tables": rng.integers(0, m, (M, m)).tolist(),
            "weights": random_weights(rng, M),
            "n": int(rng.integers(1, 8 if M == 2 else 6)),
            "theta0": int(rng.integers(m)),
            "seed": k,
        }


def jump(k: Fraction, c: Fraction) -> Map:
    """Return the map x -> k x for x != 0, 0 -> c: Lipschitz away from 0, discontinuous at 0."""
    values = np.frompyfunc(lambda x: c if x == 0 else k * x, 1, 1)
    return lambda x: values(x)


def check_printed(k: Fraction = Fraction(1, 2), c: Fraction = Fraction(1), start: Fraction = Fraction(1)) -> Verdict:
    """Check that the jump map satisfies every printed hypothesis, has backward limit 0, and moves 0 by c.

    Measured is d(θ*, T θ*) at the limit θ* = 0; a stationary delta_0 would give 0. Both iterates are run
    for 60 maps in exact arithmetic: they are k^60 start, as close to 0 as one likes and never 0.
    """
    T = jump(k, c)
    ends = [rows([T], [[0] * 60], [start], order, at=[60])[0, 0, 0] for order in (Forward(), Backward())]
    near = all(0 < end <= k**60 * start for end in ends)
    moved = T(np.array([Fraction(0)], dtype=object))[0]
    return Verdict(
        NAME,
        ROWS,
        "refuted",
        near and moved != 0,
        float(abs(moved)),
        0.0,
        note=f"T(x) = {k} x, T(0) = {c} from {start}: θ_60 = {float(ends[1]):.3g} → 0, but T(0) = {moved}",
    )


STATEMENT = Statement(
    name=NAME,
    paper=("Theorem 2.6", "Appendix E"),
    claim="T a.s. continuous and T_1…T_n θ_0 → θ* ⇒ law(θ*) P = law(θ*)",
    hypotheses="The maps are i.i.d. and almost surely continuous, which is needed.",
    rows=(
        Row(
            37,
            "Theorem 2.6, “stationary”",
            "HYP",
            quote="Then the probability distribution of the forward iterates from θ_0 converge (in distribution) to "
            "a stationary probability measure μ_{θ*}.",
            why="Convergence in distribution is true as printed. That the limit is stationary needs continuity, and "
            "Appendix E does not prove it: T(x) = x/2 for x ≠ 0 and T(0) = 1 on [0, 1] has backward limit 0, and no "
            "law is stationary. Contractions are continuous, so nothing is missing in the setting of Theorem 2.2.",
            correct="The maps are almost surely continuous. Then θ* = T_1(θ') with θ' independent of T_1 and "
            "distributed like θ*, so the law of θ* is stationary.",
            severity="repairable",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    test="tests/theory/statements/section_2/test_stationarity_needs_continuity.py",
)
