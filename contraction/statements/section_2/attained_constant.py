"""The constant D/(1−k) of Theorem 2.2 is attained at every n, so it is the best; with a strict (2) it is never reached.

Problem
    The maps are T_i x = kx + D_i u on R^d with |u| = 1, and the iterates start at θ = 0.
Guarantee (Exact)
    If D_i = D for all i, then d(θ*, θ_n) = D k^n/(1−k) at every n. But then d(θ, T_i θ) = D is not strictly below D.
    If D_i < D, as a strict (2) demands, and k > 0, then d(θ*, θ_n) = Σ_{j≥n} k^j D_{j+1} < D k^n/(1−k), and the ratio
    of the two sides tends to 1 as D_i → D. So no smaller constant is valid, and (2) may be stated with ≤.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from contraction.maps.iterates import backward_iterates
from contraction.maps.operators import Operators
from contraction.maps.spaces import SupNorm
from contraction.statements import comparisons
from contraction.statements.cases.random_contractions import spread
from contraction.statements.records import Row, Statement, Tier, Verdict

ROWS = (17,)


def distances(k: Fraction, moves: list[Fraction], later: Fraction, dim: int, at: list[int]) -> list[Fraction]:
    """d(θ*, θ_n), n in at, for T_i x = k x + moves[i-1] u and T_i x = k x + later u beyond N; sup norm.

    θ* = T_1 … T_N p with p = later u/(1-k), the fixed point of all later maps.
    """
    u = np.array([Fraction((-1) ** j, 1 + j) for j in range(dim)], dtype=object)
    maps = [lambda x, move=move: k * x + move * u for move in moves]
    operators = Operators.from_maps(maps, space=SupNorm())
    starts = np.stack([0 * u, later / (1 - k) * u])
    rows = backward_iterates(operators, starts, at=[*at, len(moves)])
    return list(SupNorm().distance(rows[1, -1], rows[0, :-1]))


def check(k: Fraction, D: Fraction, n: int, dim: int = 1) -> Verdict:
    """Check equality at iterates 0 … n in Fractions, and a strict bound where (2) is strict.

    The second part takes D_i = D (1 - 2^-i) < D and asserts both sides: with c = D k^j/(1-k),
    (1 - 2^-(j+1)) c <= d(θ*, θ_j) < c, a ratio that tends to 1.
    """
    at = spread(n)
    claimed = [D * k**j / (1 - k) for j in at]
    attained = distances(k, [D] * n, D, dim, at)
    moves = [D * (1 - Fraction(1, 2**i)) for i in range(1, n + 2)]
    strict = distances(k, moves, moves[-1], dim, at)
    between = all(
        c * (1 - Fraction(1, 2 ** (j + 1))) <= s and (s < c or c == 0)
        for j, s, c in zip(at, strict, claimed, strict=True)
    )
    return comparisons.equal(
        "attained_constant",
        ROWS,
        [*attained, int(between)],
        [*claimed, 1],
        hypotheses="0 ≤ k < 1 and T_i x = kx + D.",
        note=f"k={k}, D={D}, n={n}, dim={dim}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: k = 0, 1/2 and within 1e-9 of 1, n up to 300, several dimensions."""
    for k in (Fraction(0), Fraction(1, 2), Fraction(9, 10), 1 - Fraction(1, 10**9)):
        yield {"k": k, "D": Fraction(1), "n": 5}
        yield {"k": k, "D": Fraction(7, 3), "n": 100 if tier == "standard" else 1000}
        yield {"k": k, "D": Fraction(7, 3), "n": int(rng.integers(1, 40)), "dim": int(rng.integers(2, 51))}


def check_printed(k: Fraction = Fraction(9, 10), D: Fraction = Fraction(1), n: int = 5) -> Verdict:
    """Check that the conclusion holds, and is attained, for T_i x = kx + D, which the strict (2) excludes."""
    to_limit = distances(k, [D] * n, D, 1, list(range(n + 1)))
    displacement = Operators.from_maps([lambda x: k * x + D]).apply(1, np.array([Fraction(0)]))[0]
    conclusion = all(d <= D * k**j / (1 - k) for j, d in enumerate(to_limit))
    return Verdict(
        "attained_constant",
        ROWS,
        "beyond",
        conclusion and not displacement < D,
        float(displacement),
        float(D),
        note=f"k={k}, n={n}, T_i x = kx + D at θ=0: d(θ, T_iθ) = D and d(θ*, θ_n) = D k^n/(1−k) exactly",
    )


STATEMENT = Statement(
    name="attained_constant",
    paper=("Theorem 2.2",),
    claim="d(θ*, θ_n) = D k^n/(1−k) at every n for T_i x = kx + D; no smaller constant is valid",
    hypotheses="0 ≤ k < 1 and T_i x = kx + D.",
    rows=(
        Row(
            17,
            "Theorem 2.2, condition (2): the strict sign",
            "LOOSE",
            quote="Assume T_i's are uniform contractions, with a certain k < 1 in common, and for some θ there is a "
            "constant D such that, d(θ, T_i(θ)) < D for all i.",
            beyond="The theorem also holds with ≤ in (2). Then D/(1 − k) is attained, at every n, by the maps T_i x "
            "= kx + D; under the strict sign it is the best constant and is not attained.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    test="tests/theory/statements/section_2/test_attained_constant.py",
)
