"""How much one map matters: the j-th outermost map moves the limit by at most k^{j−1} times what it moves (row 86).

Problem
    The maps have factors of at most k < 1. T'_j replaces T_j in the word T_1 … T_n, or in the limit.
Guarantee (Upper, attained)
    d(T_1 … T_j … T_n θ_0, T_1 … T'_j … T_n θ_0) ≤ k^{j−1} d(T_j z, T'_j z) with z = T_{j+1} … T_n θ_0, and the limits
    satisfy the same bound. It is an equality for T_i x = kx + b_i. In the backward order it is the first batches that
    matter.
Smallest wrong claim that is detected
    The check detects k^j for k^{j−1}, z without the maps inside, and the forward order, in which the last maps matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from contraction.maps.orders import Backward, Forward, Order
from contraction.statements import comparisons
from contraction.statements.cases.exact_words import Map, affine_map, random_fraction, rows
from contraction.statements.records import Control, Row, Statement, Tier, Verdict
from contraction.statements.section_2.equality_of_laws import kink

NAME, ROWS = "influence", (86,)


def influences(
    maps: Sequence[Map], others: Sequence[Map], theta0: Fraction, order: Order, inner: bool = True
) -> tuple[list[Fraction], list[Fraction]]:
    """For each j: how far the last iterate moves if T_j becomes T'_j, and d(T_j z, T'_j z), z behind T_j or θ_0."""
    n = len(maps)
    moved, caused = [], []
    plain = rows(maps, [range(n)], [theta0], order, at=[n])[0, 0, 0]
    for j in range(n):
        swapped = [*maps[:j], others[j], *maps[j + 1 :]]
        moved.append(abs(rows(swapped, [range(n)], [theta0], order, at=[n])[0, 0, 0] - plain))
        z = np.array([theta0], dtype=object)
        for T in reversed(maps[j + 1 :] if inner else ()):
            z = T(z)
        caused.append(abs((maps[j](z) - others[j](z))[0]))
    return moved, caused


def check(
    maps: Sequence[Map],
    others: Sequence[Map],
    k: Fraction,
    theta0: Fraction,
    seed: int = 0,
    order: Order | None = None,
    shift: int = 0,
    inner: bool = True,
) -> Verdict:
    """Check the influence of every map of one word; ``order``, ``shift`` and ``inner`` are for wrong claims."""
    moved, caused = influences(maps, others, theta0, Backward() if order is None else order, inner)
    claimed = [k ** (j + shift) * c for j, c in enumerate(caused)]
    return comparisons.at_most(
        NAME,
        ROWS,
        moved,
        claimed,
        seed=seed,
        hypotheses="The factors of the maps are at most k < 1.",
        note=f"{len(maps)} maps, k={k}",
    )


def contracting(rng: np.random.Generator, k: Fraction, count: int) -> list[Map]:
    """Return maps a x + c |x| + b with |a| + |c| <= k."""

    def half() -> Fraction:
        return k * random_fraction(rng, -1, 1, 6) / 2

    return [kink(half(), random_fraction(rng, -3, 3, 4), half()) for _ in range(count)]


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: words of up to 8 piecewise linear maps."""
    for seed in range(12 if tier == "standard" else 80):
        k, n = Fraction(int(rng.integers(1, 10)), 10), int(rng.integers(1, 9))
        yield {
            "maps": contracting(rng, k, n),
            "others": contracting(rng, k, n),
            "k": k,
            "theta0": random_fraction(rng, -3, 3),
            "seed": seed,
        }


def aligned(k: Fraction, n: int) -> tuple[list[Map], list[Map]]:
    """T_i x = k x + i and T'_i x = k x + i + 1: equality at every j."""
    return [affine_map(k, i) for i in range(n)], [affine_map(k, i + 1) for i in range(n)]


def check_printed(k: Fraction = Fraction(1, 2), n: int = 8) -> Verdict:
    """Check that maps k x + b_i attain the bound.

    In backward order the first map has influence 1 and the last k^(n-1); in forward order it is the reverse.
    """
    maps, others = aligned(k, n)
    backward, caused = influences(maps, others, Fraction(3), Backward())
    forward, _ = influences(maps, others, Fraction(3), Forward())
    equal = backward == [k**j * c for j, c in enumerate(caused)] and forward == backward[::-1]
    return Verdict(
        NAME,
        ROWS,
        "beyond",
        equal,
        float(backward[-1]),
        float(k ** (n - 1)),
        note=f"k x + b_i, k={k}: another T_1 moves the iterate of {n} maps by {float(backward[0]):.6g} and another "
        f"T_{n} by {float(backward[-1]):.6g}, forward by {float(forward[0]):.6g} and {float(forward[-1]):.6g}",
    )


def _wrong(**arguments):
    def run(seed: int) -> Verdict:
        k = Fraction(1, 2)
        return check(*aligned(k, 6), k, Fraction(3), seed, **arguments)

    return run


STATEMENT = Statement(
    name=NAME,
    paper=("Theorem 2.2",),
    claim="another j-th outermost map moves iterates and limit by at most k^(j−1) d(T_j z, T'_j z), "
    "z = T_(j+1)…T_n θ_0",
    hypotheses="The factors of the maps are at most k < 1.",
    rows=(
        Row(
            86,
            "Theorem 2.2, the influence of one map",
            "BEYOND",
            beyond="In the backward order the batch drawn first is applied last. Replacing the j-th batch moves the "
            "limit by at most k^(j−1) times what it moves where it acts, so the limit is decided by some 1/(1−k) first "
            "batches, to a factor e. In the forward order the most recent batches have that influence on the iterate.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    controls=(
        Control("k^j for k^(j−1)", _wrong(shift=1)),
        Control("the forward order", _wrong(order=Forward())),
    ),
    test="tests/theory/statements/section_2/test_influence.py",
)
