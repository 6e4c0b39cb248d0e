"""Example 2.4: constant maps, whose forward iterates never stop jumping and whose backward iterates stop at once.

Problem
    Each T_i is S, with the value x_0, or U, with the value y_0, independently and with equal probability. More
    generally, T_i is one of finitely many constant maps with given weights.
Guarantee (Exact)
    For every n ≥ 1, forward iterate n is the value of T_n, and backward iterate n is the value of T_1, the same for all
    n. From any start, both have the law of the weights (1/2 and 1/2 in the paper). Almost surely the forward sequence
    never settles: the words of length n that are constant from position m on have the probability Σ_j p_j^{n−m+1}.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from itertools import product

import numpy as np

from contraction.maps.iterates import backward_iterates, forward_iterates
from contraction.maps.operators import Operators
from contraction.statements import comparisons
from contraction.statements.records import Row, Statement, Tier, Verdict

ROWS = (27,)

Law = dict[Fraction, Fraction]


def laws(weights: tuple[Fraction, ...], n: int, start: Fraction) -> tuple[Law, Law, Fraction, bool]:
    """Exact laws of forward and backward iterate n, and how often their sequences never move, by all words.

    Returns the two laws, the probability that the forward sequence never moves after its first iterate, and whether
    every backward sequence is constant from its first iterate on.
    """
    forward_law, backward_law = (defaultdict(Fraction) for _ in range(2))
    still, constant = Fraction(0), True
    maps = [lambda x, v=v: 0 * x + v for v in range(len(weights))]
    for word in product(range(len(weights)), repeat=n):
        probability = Fraction(1)
        for letter in word:
            probability *= weights[letter]
        operators = Operators.from_maps([maps[letter] for letter in word])
        forward = forward_iterates(operators, np.array([start]))[:, 0]
        backward = backward_iterates(operators, np.array([start]))[:, 0]
        forward_law[forward[-1]] += probability
        backward_law[backward[-1]] += probability
        still += probability * bool((forward[1:] == forward[1]).all())
        constant &= bool((backward[1:] == word[0]).all()) and bool((forward[1:] == np.array(word)).all())
    return forward_law, backward_law, still, constant


def check(weights: tuple[Fraction, ...] = (Fraction(1, 2), Fraction(1, 2)), n: int = 4, start: int = 7) -> Verdict:
    """Compare both laws with the weights, letter by letter; the sequences themselves; the chance of no jump."""
    if sum(weights) != 1 or min(weights) < 0:
        raise ValueError(f"weights must be non-negative and sum to 1, got {weights}")
    forward_law, backward_law, still, constant = laws(weights, n, Fraction(start))
    letters = range(len(weights))
    measured = [
        *(law.get(Fraction(v), 0) for law in (forward_law, backward_law) for v in letters),
        still,
        int(constant),
    ]
    return comparisons.equal(
        "constant_maps",
        ROWS,
        measured,
        [*weights, *weights, sum((p**n for p in weights), Fraction(0)), 1],
        hypotheses="k = 0, n ≥ 1, and the draws are independent.",
        note=f"weights={weights}, n={n}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: the paper's coin at n = 1 … 8 and drawn weights on up to four constants."""
    for n in range(1, 9 if tier == "standard" else 12):
        yield {"n": n}
    for size in (1, 2, 3, 4):
        parts = rng.integers(1, 9, size).tolist()
        yield {"weights": tuple(Fraction(p, sum(parts)) for p in parts), "n": 4, "start": int(rng.integers(-99, 99))}


STATEMENT = Statement(
    name="constant_maps",
    paper=("Example 2.4",),
    claim="forward iterate n = value of T_n, backward iterate n = value of T_1; both have law (½, ½) for n ≥ 1",
    hypotheses="The maps are constant and drawn independently.",
    rows=(Row(27, "Example 2.4 (forward: no convergence, almost surely)", "OK"),),
    check=check,
    cases=cases,
    test="tests/theory/statements/section_2/test_constant_maps.py",
)
