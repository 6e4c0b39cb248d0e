"""Theorem 2.6, scope: equal laws need only that the word T_1 … T_n and its reversal have the same law.

Problem
    The maps are numbered 0 … M−1, and a law on words of indices chooses among them.
Guarantee (Exact)
    If the word is reversible in law at n, then θ_n^F and θ_n^B have the same law for all maps and starts. The converse
    holds as well for the prefix maps x → (x + a)/M, whose iterates tell words apart.
    Words that are reversible at every n: i.i.d. maps, exchangeable maps, one shuffle repeated, and a stationary
    reversible chain. Words that are not: a fixed cyclic order of M maps (from n = 2 on, although for M = 2 and odd n
    the words are palindromes), and a chain that is not reversible (at n = 2). With fresh shuffles of N maps the word is
    reversible if and only if n ≤ N or N divides n.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from contraction.families.index_laws import (
    IID,
    Cyclic,
    ExchangeableMixture,
    IndexLaw,
    Reshuffled,
    ShuffledOnce,
)
from contraction.families.markov_modulated import MarkovModulated
from contraction.maps.orders import Backward, Forward
from contraction.statements.cases.exact_words import affine_map, iterate_law, law_of_words, overlap
from contraction.statements.records import Row, Statement, Tier, Verdict

NAME, ROWS = "reversible_words", (39,)


def check(law: IndexLaw, n: int, reversible: bool) -> Verdict:
    """Compare the word law with that of reversed words, and the laws of both iterates of prefix maps, with the claim.

    Measured is the mass that the two laws of iterates share, claimed the mass that the two word laws share: the prefix
    maps turn one into the other. ``reversible`` is what the row says of this law at this n.
    """
    words = law_of_words(law, n)
    reverse = {word[::-1]: weight for word, weight in words.items()}
    maps = [affine_map(Fraction(1, law.size), Fraction(a, law.size)) for a in range(law.size)]
    forward, backward = (iterate_law(maps, words, [0], order) for order in (Forward(), Backward()))
    holds = (words == reverse) == (forward == backward) == law.is_reversible(n) == reversible
    return Verdict(
        NAME,
        ROWS,
        "exact",
        holds,
        float(overlap(forward, backward)),
        float(overlap(words, reverse)),
        hypotheses="The word is reversible in law; the maps need not be i.i.d.",
        note=f"{law!r}, n={n}: {'reversible' if reversible else 'not reversible'}",
    )


def fresh_is_reversible(size: int, n: int) -> bool:
    """Row 39 for a fresh shuffle of ``size`` maps in every epoch."""
    return n <= size or n % size == 0


def cyclic_is_reversible(size: int, n: int) -> bool:
    """Return a fixed cyclic order: its only word is a palindrome for n = 1, for one map, and for two maps at odd n."""
    return n <= 1 or size == 1 or (size == 2 and n % 2 == 1)


def reversible_chain(*conductances: int) -> MarkovModulated:
    """Return a random walk on a path or triangle of letters with positive conductances (detailed balance holds)."""
    a, b, c = conductances
    edges = {(0, 1): a, (1, 2): b, (0, 2): c, (0, 0): 1, (1, 1): 2, (2, 2): 1}
    weight = [[Fraction(edges.get((min(i, j), max(i, j)), 0)) for j in range(3)] for i in range(3)]
    total = sum(map(sum, weight))
    return MarkovModulated([[w / sum(row) for w in row] for row in weight], [sum(row) / total for row in weight])


def rotating_chain(p: Fraction) -> MarkovModulated:
    """Three letters, one step ahead with probability p and back with 1 - p: reversible iff p = ½."""
    return MarkovModulated([[0, p, 1 - p], [1 - p, 0, p], [p, 1 - p, 0]], [Fraction(1, 3)] * 3)


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: every law of row 39 at every n up to 8 (up to 7 where there are many words)."""
    longest = 7 if tier == "standard" else 9
    coins = [[Fraction(1, 4), Fraction(3, 4)], [Fraction(int(rng.integers(1, 9)), 9)] * 2]
    coins[1][1] = 1 - coins[1][0]
    for n in range(1, longest + 1):
        yield {"law": ExchangeableMixture(coins), "n": n, "reversible": True}
        for size in (2, 3, 4):
            yield {"law": Cyclic(size), "n": n, "reversible": cyclic_is_reversible(size, n)}
            yield {"law": ShuffledOnce(size), "n": n, "reversible": True}
            yield {"law": Reshuffled(size), "n": n, "reversible": fresh_is_reversible(size, n)}
    for n in range(1, 6):
        yield {"law": IID([Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)]), "n": n, "reversible": True}
        yield {"law": reversible_chain(*map(int, rng.integers(1, 9, 3))), "n": n, "reversible": True}
        yield {"law": rotating_chain(Fraction(1)), "n": n, "reversible": n == 1}
        yield {"law": rotating_chain(Fraction(int(rng.integers(1, 9)), 17)), "n": n, "reversible": n == 1}


STATEMENT = Statement(
    name=NAME,
    paper=("Theorem 2.6", "Appendix E"),
    claim="(T_1 … T_n) =law (T_n … T_1) ⇒ law(θ_n^F) = law(θ_n^B); fresh shuffles of N: iff n ≤ N or N | n",
    hypotheses="The word is reversible in law.",
    rows=(
        Row(
            39,
            "Theorem 2.6, i.i.d. maps",
            "OK",
            quote="Consider a sequence {T_i}, i = 1, 2, … of independent and identically distributed random operators.",
            beyond="It is enough that (T_1, …, T_n) and (T_n, …, T_1) have one law. Exchangeable maps, one shuffle "
            "that is repeated, and reversible chains have this property at every n; a fresh shuffle of N batches in "
            "each epoch has it only at n ≤ N and where N divides n.",
        ),
    ),
    check=check,
    cases=cases,
    test="tests/theory/statements/section_2/test_reversible_words.py",
)
