"""Appendix E.2, the step from independence to equal laws: the maps are independent, the coordinates are not.

Problem
    The T_i are i.i.d. maps of R^d, so the words (T_1, …, T_n) and (T_n, …, T_1) have the same law.
Guarantee (Exact)
    Every functional of the composed map has the same law forward and backward. The check takes the joint law of the
    images of several starts, with all coordinates together, and its distribution function at every point. The printed
    product of marginal distribution functions is not the distribution function of θ_n. If it were, equal laws would not
    follow from it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from contraction.maps.orders import Backward, Forward, Order
from contraction.statements.cases.exact_words import Law, Map, WordLaw, equal_laws, iid, law_of, random_fraction, rows
from contraction.statements.records import Row, Statement, Tier, Verdict
from contraction.statements.section_2.equality_of_laws import random_weights
from contraction.types import Numbers

NAME, ROWS = "coordinates_are_dependent", (38,)


def mixing(A: Numbers, b: Sequence[Fraction], c: Fraction) -> Map:
    """Return the map x -> A x + c |x| + b of R^d, exact in rationals, that mixes coordinates."""
    matrix, shift = np.array(A, dtype=object), np.array(list(b), dtype=object)
    return lambda x: x @ matrix.T + c * np.abs(x) + shift


def joint_law(maps: Sequence[Map], words: WordLaw, starts: Numbers, order: Order) -> Law:
    """Return the law of the images of all starts, every coordinate: starts (S, d) -> points of S d numbers."""
    n = len(next(iter(words)))
    images = [rows(maps, list(words), start, order, at=[n])[:, 0] for start in starts]
    return law_of(np.stack(images, axis=1), words.values())


def distribution(law: Law) -> dict[tuple, tuple[Fraction, Fraction]]:
    """At every point of the grid of atoms: P(X <= x) and the product of the marginal P(X_j <= x_j)."""
    axes = [sorted(set(axis)) for axis in zip(*law, strict=True)]
    below = [
        {x: sum((w for p, w in law.items() if p[j] <= x), Fraction(0)) for x in axis} for j, axis in enumerate(axes)
    ]
    out = {}
    for x in itertools.product(*axes):
        joint = sum((w for p, w in law.items() if all(a <= b for a, b in zip(p, x, strict=True))), Fraction(0))
        product = Fraction(1)
        for j, value in enumerate(x):
            product *= below[j][value]
        out[x] = (joint, product)
    return out


def check(maps: Sequence[Map], weights: Sequence[Fraction], starts: Numbers, n: int, seed: int = 0) -> Verdict:
    """Compare the joint laws of the images of several starts, forward and backward; measured is their common mass."""
    words = iid(weights, n)
    forward, backward = (joint_law(maps, words, starts, order) for order in (Forward(), Backward()))
    return equal_laws(
        NAME,
        ROWS,
        forward,
        backward,
        seed=seed,
        hypotheses="The maps are i.i.d.; the space and the functional are arbitrary.",
        note=f"{len(maps)} maps, {len(starts)} starts in dimension {len(starts[0])}, n={n}",
    )


def random_mixing(rng: np.random.Generator, d: int) -> Map:
    """Return a random map of R^d of the form A x + c |x| + b."""
    A = [[random_fraction(rng, -1, 1, 3) for _ in range(d)] for _ in range(d)]
    return mixing(A, [random_fraction(rng, -2, 2, 2) for _ in range(d)], random_fraction(rng, -1, 1, 2))


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: 1 to 3 maps of R^2 or R^3, one to three starts, words up to length 5."""
    for k in range(8 if tier == "standard" else 60):
        M, d = int(rng.integers(1, 4)), int(rng.integers(2, 4))
        yield {
            "maps": [random_mixing(rng, d) for _ in range(M)],
            "weights": random_weights(rng, M),
            "starts": [[random_fraction(rng, -2, 2) for _ in range(d)] for _ in range(int(rng.integers(1, 4)))],
            "n": int(rng.integers(1, 6)),
            "seed": k,
        }


def check_printed(x0: Sequence[int] = (0, 0), y0: Sequence[int] = (1, 1), n: int = 3) -> Verdict:
    """Compare P(θ_n <= x0) = 1/2 with the printed product of its coordinates, 1/4 (Example 2.4 in the plane).

    Also: at n = 2 with two fixed maps that do not commute every distribution function factorises (nothing is random),
    and the two iterates differ all the same, so factorisation would not prove the theorem.
    """
    maps: list[Map] = [lambda x: 0 * x + np.array(x0, dtype=object), lambda x: 0 * x + np.array(y0, dtype=object)]
    values = distribution(joint_law(maps, iid([Fraction(1, 2)] * 2, n), [[0] * len(x0)], Forward()))
    joint, product = max(values.values(), key=lambda pair: abs(pair[0] - pair[1]))
    fixed = {(0, 1): Fraction(1)}
    laws = [joint_law(maps, fixed, [[0] * len(x0)], order) for order in (Forward(), Backward())]
    factorises = all(p == q for law in laws for p, q in distribution(law).values())
    return Verdict(
        NAME,
        ROWS,
        "refuted",
        joint != product and factorises and laws[0] != laws[1],
        float(joint),
        float(product),
        note=f"P(θ_{n} ≤ x) in Example 2.4 with x0={tuple(x0)}, y0={tuple(y0)}",
    )


STATEMENT = Statement(
    name=NAME,
    paper=("Theorem 2.6", "Appendix E"),
    claim="(T_1 … T_n) and (T_n … T_1) have the same law, and so has any functional of them",
    hypotheses="The maps are i.i.d.; reversibility in law is enough.",
    rows=(
        Row(
            38,
            "Appendix E.2, “By independence”",
            "WRONG",
            quote="By independence of the random operators T_i's we know that F_n^{θ_0}(θ) := ℙ((Y_n^{θ_0})_1 ≤ "
            "θ^1)ℙ((Y_n^{θ_0})_2 ≤ θ^2) … ℙ((Y_n^{θ_0})_d ≤ θ^d), and as such it is clear that the order of the "
            "random variables has no impact on the distribution.",
            why="The maps are independent, and the coordinates of Y_n need not be. A product over coordinates would "
            "not remove the order of the maps either. The conclusion of the sentence is right.",
            correct="(T_1, …, T_n) and (T_n, …, T_1) have one law, so T_1 ⋯ T_n(θ_0) and T_n ⋯ T_1(θ_0) have one "
            "law. This needs no coordinates and holds on every Ω.",
            severity="repairable",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    test="tests/theory/statements/appendix_e/test_coordinates_are_dependent.py",
)
