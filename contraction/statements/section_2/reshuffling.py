"""Fresh shuffles in every epoch: the smallest case where forward and backward iterates differ in law.

Problem
    T_a(x) = x/2 + a/2 with a in {0, 1}. Each epoch of two steps uses both maps in a fresh, uniformly random order, and
    θ_0 = 0.
Guarantee (Exact)
    At n = 3 the forward law is uniform on {1/8, 1/4, 5/8, 3/4}, and the backward law is uniform on {1/4, 3/8, 1/2,
    5/8}.
    For every n, Var θ_n^B = (1 − 16^{−⌈n/2⌉})/60, plus 4^{−n}/20 if n is odd, so it tends to 1/60. For even n, Var
    θ_n^F = Var θ_n^B. For odd n, Var θ_n^F = (1 − 16^{−(n−1)/2})/240 + 1/16. So the variance of the forward law
    oscillates between about 1/60 and 1/15. For i.i.d. maps the variance tends to 1/12.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from contraction.families.index_laws import Reshuffled
from contraction.maps.orders import Backward, Forward
from contraction.statements.cases.exact_words import Law, affine_map, expectation, iterate_law, law_of_words, variance
from contraction.statements.records import Row, Statement, Tier, Verdict

NAME, ROWS = "reshuffling", (40,)
MAPS = [affine_map(Fraction(1, 2), 0), affine_map(Fraction(1, 2), Fraction(1, 2))]
AT_THREE = ((1, 2, 5, 6), (2, 3, 4, 5))  # atoms at n = 3 in eighths, forward and backward


def laws(n: int, start: Fraction = Fraction(0)) -> tuple[Law, Law]:
    """Exact laws of forward and backward iterate n."""
    words = law_of_words(Reshuffled(2), n)
    forward, backward = (iterate_law(MAPS, words, [start], order) for order in (Forward(), Backward()))
    return forward, backward


def claimed_variances(n: int) -> tuple[Fraction, Fraction]:
    """Variances forward and backward.

    A whole epoch at depth j (its maps are the j+1st and j+2nd outermost) adds 4^-j / 64: its letter a enters as a
    2^-(j+1) + (1-a) 2^-(j+2). A single map at depth j adds 4^-j / 16.
    """
    epochs, odd = divmod(n, 2)
    whole = sum((Fraction(1, 64 * 16**e) for e in range(epochs)), Fraction(0))
    single = Fraction(odd, 16)
    return single + whole / 4**odd, whole + single / 16**epochs


def check(n: int, start: Fraction = Fraction(0)) -> Verdict:
    """Compare exact variances with the closed forms; measured and claimed are the forward ones.

    At n = 3 from 0 the atoms themselves; at even n the two laws are equal, at odd n from 3 on they are not.
    """
    forward, backward = laws(n, start)
    expected = claimed_variances(n)
    holds = (variance(forward), variance(backward)) == expected
    holds &= (forward == backward) == (n <= 2 or n % 2 == 0)
    if n == 3 and start == 0:
        atoms = [{(Fraction(a, 8),): Fraction(1, 4) for a in row} for row in AT_THREE]
        holds &= [forward, backward] == atoms and expectation(forward) == expectation(backward) == Fraction(7, 16)
    return Verdict(
        NAME,
        ROWS,
        "exact",
        holds,
        float(variance(forward)),
        float(expected[0]),
        hypotheses="Each epoch uses two maps in a fresh random order.",
        note=f"n={n}, backward variance {variance(backward)}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: all n up to 16 from 0 (256 words), and random starts."""
    for n in range(17 if tier == "standard" else 20):
        yield {"n": n}
    for _ in range(4):
        yield {"n": int(rng.integers(1, 10)), "start": Fraction(int(rng.integers(-50, 50)), 7)}


STATEMENT = Statement(
    name=NAME,
    paper=("Theorem 2.6",),
    claim="fresh shuffles of T_a = x/2 + a/2: forward variance → 1/60 (n even), 1/15 (n odd), backward → 1/60",
    hypotheses="Each epoch is a fresh shuffle, so the maps are not i.i.d. and the conclusion of Theorem 2.6 fails.",
    rows=(
        Row(
            40,
            "Theorem 2.6 under fresh reshuffling",
            "BEYOND",
            beyond="The smallest counterexample has N = 2 batches and n = 3: T_0 x = x/2 and T_1 x = x/2 + 1/2 from "
            "0 give the forward values 1/8, 1/4, 5/8, 3/4 and the backward values 1/4, 3/8, 1/2, 5/8, each with "
            "probability 1/4.",
        ),
    ),
    check=check,
    cases=cases,
    derivation="proofs/symbolic/laws.py:reshuffling_variances",
    test="tests/theory/statements/section_2/test_reshuffling.py",
)
