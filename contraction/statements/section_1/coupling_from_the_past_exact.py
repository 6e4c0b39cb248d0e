"""Section 1.1, Propp and Wilson: the backward composition, once constant, is an exact sample; it is not faster.

Problem
    Finitely many maps of finitely many states are drawn independently with given weights. Let π be the stationary law
    of the chain, let F_n = T_1 … T_n as a map of the states, and let c_n(s) be the probability that F_n is constant
    with the value s.
Guarantee (Exact, for every n)
    The image of π under F_n has the mean π: Σ_F P(F_n = F) F_* π = π. Hence c_n(s) + Σ P(F) π(F^{-1} s) = π(s), where
    the sum runs over the maps F that are not constant, and c_n ≤ π ≤ c_n + P(F_n is not constant).
    A composition that is constant stays constant. Its value is a sample of π itself, and c_n increases to π.
    The law of F_n(x) is that of the forward chain at n, so at a fixed n it is not closer to π. Stopping the *forward*
    composition when it becomes constant is biased: with P(0→0) = P(0→1) = 1/2 and P(1→0) = 1 it always stops at 0,
    although π = (2/3, 1/3).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from contraction.statements import comparisons
from contraction.statements.records import Row, Statement, Tier, Verdict

ROWS = (2,)
NAME = "coupling_from_the_past_exact"

Map = tuple[int, ...]
Law = dict[Map, Fraction]

#: P(0->0) = P(0->1) = 1/2, P(1->0) = 1, as two equally likely maps
TWO_STATES: tuple[Map, ...] = ((0, 0), (1, 0))
HALVES = (Fraction(1, 2), Fraction(1, 2))


def compose(f: Map, g: Map) -> Map:
    """Return f after g."""
    return tuple(f[s] for s in g)


def composition_law(maps: Sequence[Map], weights: Sequence[Fraction], n: int, backward: bool) -> Law:
    """Exact law of T_1 … T_n (a new map goes inside) or of T_n … T_1 (a new map goes outside)."""
    law: Law = {tuple(range(len(maps[0]))): Fraction(1)}
    for _ in range(n):
        following: Law = defaultdict(Fraction)
        for f, p in law.items():
            for g, w in zip(maps, weights, strict=True):
                following[compose(f, g) if backward else compose(g, f)] += p * w
        law = dict(following)
    return law


def stopped_law(maps: Sequence[Map], weights: Sequence[Fraction], n: int, backward: bool) -> list[Fraction]:
    """Law of the constant at the first time the composition is constant, with the mass stopped by n."""
    states = len(maps[0])
    law: Law = {tuple(range(states)): Fraction(1)}
    stopped = [Fraction(0)] * states
    if states == 1:
        return [Fraction(1)]
    for _ in range(n):
        following: Law = defaultdict(Fraction)
        for f, p in law.items():
            for g, w in zip(maps, weights, strict=True):
                new = compose(f, g) if backward else compose(g, f)
                if len(set(new)) == 1:
                    stopped[new[0]] += p * w
                else:
                    following[new] += p * w
        law = dict(following)
    return stopped


def chain(maps: Sequence[Map], weights: Sequence[Fraction]) -> list[list[Fraction]]:
    """Transition matrix P[s][t] of the forward chain."""
    states = len(maps[0])
    return [
        [sum((w for f, w in zip(maps, weights, strict=True) if f[s] == t), Fraction(0)) for t in range(states)]
        for s in range(states)
    ]


def stationary_law(P: list[list[Fraction]]) -> list[Fraction]:
    """Return the stationary law by exact elimination; ValueError unless it is unique."""
    n = len(P)
    rows = [[P[s][t] - (s == t) for s in range(n)] + [Fraction(0)] for t in range(n - 1)] + [[Fraction(1)] * (n + 1)]
    for c in range(n):
        pivot = next((r for r in range(c, n) if rows[r][c] != 0), None)
        if pivot is None:
            raise ValueError("the chain has more than one stationary law")
        rows[c], rows[pivot] = rows[pivot], rows[c]
        rows[c] = [v / rows[c][c] for v in rows[c]]
        for r in range(n):
            if r != c:
                rows[r] = [a - rows[r][c] * b for a, b in zip(rows[r], rows[c], strict=True)]
    return [row[n] for row in rows]


def check(maps: Sequence[Map] = TWO_STATES, weights: Sequence[Fraction] = HALVES, n: int = 8) -> Verdict:
    """Check the identity for pi, the bracket and constants that stay; compare the law at n with the forward chain."""
    if len(maps) != len(weights) or sum(weights) != 1 or min(weights) < 0:
        raise ValueError(f"weights must be non-negative, one per map, and sum to 1, got {tuple(map(str, weights))}")
    P = chain(maps, weights)
    pi, states = stationary_law(P), range(len(maps[0]))
    law = composition_law(maps, weights, n, backward=True)
    pushed = [sum((p * pi[x] for f, p in law.items() for x in states if f[x] == s), Fraction(0)) for s in states]
    constant = [law.get((s,) * len(states), Fraction(0)) for s in states]
    rest = 1 - sum(constant)
    bracket = all(c <= q <= c + rest for c, q in zip(constant, pi, strict=True))
    stays = stopped_law(maps, weights, n, backward=True) == constant
    backward_value = [[sum((p for f, p in law.items() if f[x] == s), Fraction(0)) for s in states] for x in states]
    power = [[Fraction(int(x == s)) for s in states] for x in states]
    for _ in range(n):
        power = [[sum((r[t] * P[t][s] for t in states), Fraction(0)) for s in states] for r in power]
    measured = [*pushed, int(bracket), int(stays), *(v for r in backward_value for v in r)]
    claimed = [*pi, 1, 1, *(v for r in power for v in r)]
    return comparisons.equal(
        NAME,
        ROWS,
        measured,
        claimed,
        hypotheses="There are finitely many states, the maps are i.i.d., and the stationary law is unique.",
        note=f"{len(maps)} maps, {len(states)} states, n={n}, P(not constant)={float(rest):.3g}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: the two-state chain up to n = 16 and drawn maps of two to four states with one stationary law."""
    for n in (0, 1, 2, 16):
        yield {"n": n}
    wanted = 12 if tier == "standard" else 120
    while wanted:
        states, count = int(rng.integers(2, 5)), int(rng.integers(1, 4))
        maps = tuple(tuple(rng.integers(0, states, states).tolist()) for _ in range(count))
        parts = rng.integers(1, 9, count).tolist()
        weights = tuple(Fraction(p, sum(parts)) for p in parts)
        try:
            stationary_law(chain(maps, weights))
        except ValueError:
            continue
        wanted -= 1
        yield {"maps": maps, "weights": weights, "n": int(rng.integers(1, 8))}


def check_printed(n: int = 16) -> Verdict:
    """Check that backward order does not accelerate: its law is as far from pi as the forward chain's, at every n."""
    pi, P = stationary_law(chain(TWO_STATES, HALVES)), chain(TWO_STATES, HALVES)
    law = composition_law(TWO_STATES, HALVES, n, backward=True)
    row = [Fraction(1), Fraction(0)]
    for _ in range(n):
        row = [sum((row[t] * P[t][s] for t in range(2)), Fraction(0)) for s in range(2)]
    distance_forward = abs(row[0] - pi[0])
    distance_backward = abs(sum((p for f, p in law.items() if f[0] == 0), Fraction(0)) - pi[0])
    biased = stopped_law(TWO_STATES, HALVES, n, backward=False)
    holds = distance_backward == distance_forward > 0 and biased[1] == 0
    return Verdict(
        NAME,
        ROWS,
        "refuted",
        holds,
        float(distance_backward),
        float(distance_forward),
        hypotheses="The chain has finitely many states.",
        note=f"two states, n={n}: the laws of both orders are equally far from π; a forward chain stopped when it "
        f"coalesces is in state 0 with probability {float(biased[0]):.5f}",
    )


STATEMENT = Statement(
    name=NAME,
    paper=("Section 1.1", "Section 1"),
    claim="P(F_n constant s) + Σ_{F not constant} P(F) π(F^{-1}s) = π(s): a coalesced value is an exact sample",
    hypotheses="There are finitely many states, the maps are i.i.d., and the stationary law is unique.",
    rows=(
        Row(
            2,
            "Section 1.1, Propp and Wilson",
            "LOOSE",
            quote="The Propp-Wilson algorithm uses a form of backward iterations to accelerate the convergence "
            "toward samples from the distribution (see [32]).",
            why="At every fixed n the value of the backward composition has the law of the forward chain, so nothing "
            "is accelerated. What is gained is exactness: once the composition is constant, its value is a sample of "
            "the distribution.",
            correct="“… uses a form of backward iterations to obtain exact samples from the distribution”.",
            severity="typo",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    test="tests/theory/statements/section_1/test_coupling_from_the_past_exact.py",
)
