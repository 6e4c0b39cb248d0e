"""Section 3.2, when the linearised maps contract: H positive definite and 0 < h < 2/λ_max.

Problem
    T(θ) = θ − h(H(θ − θ*) − ε), where H is symmetric with the eigenvalues λ_i.
Guarantee (Tight)
    Lip T = ‖I − hH‖ = max_i |1 − hλ_i|, which is attained along an eigenvector. It is below 1 if and only if 0 < hλ_i <
    2 for all i. For h > 0 this means that H is positive definite and h < 2/λ_max. A negative h contracts around a
    maximum, where H is negative definite.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from contraction.families import LinearizedSGD
from contraction.maps.rounding import gamma
from contraction.statements.cases.exact_words import random_fraction
from contraction.statements.records import Row, Statement, Tier, Verdict
from contraction.statements.section_3.linearized_sgd import sgd_maps

NAME, ROWS = "linearized_contraction", (50,)


def reflection(v: Sequence[int]) -> NDArray:
    """Return the rational orthogonal matrix I - 2 v v^T / v^T v."""
    w = np.array([Fraction(int(x)) for x in v], dtype=object)
    eye = np.array([[Fraction(int(a == b)) for b in range(len(w))] for a in range(len(w))], dtype=object)
    return eye - 2 * np.outer(w, w) / (w @ w)


def factors(eigenvalues: Sequence[Fraction], h: Fraction, v: Sequence[int]) -> tuple[list[Fraction], NDArray]:
    """|T(θ* + q) - T(θ*)| / |q| along each column q of a rational eigenbasis, exactly, and H itself.

    The images are multiples of q (checked), and the columns are orthonormal: the largest is the Lipschitz constant.

    Raises
    ------
    ArithmeticError
        If a column is not mapped to a multiple of itself.
    """
    Q = reflection(v)
    H = (Q * np.array(eigenvalues, dtype=object)) @ Q.T
    zero = 0 * Q[0]
    T = sgd_maps(H, zero, h, [zero + 1])[0]
    result = []
    for q in Q.T:
        moved = T(q) - T(zero)
        scale = moved @ q
        if np.any(moved != scale * q):
            raise ArithmeticError("a column of the eigenbasis is not mapped to a multiple of itself")
        result.append(abs(scale))
    return result, H


def check(eigenvalues: Sequence[Fraction], h: Fraction, v: Sequence[int]) -> Verdict:
    """Compare with max |1 - h lambda_i| the exact largest quotient and the constant that the family proves.

    Rounding of the latter: entries of H, products with h and LAPACK's eigenvalues (30 d units) move an eigenvalue of
    I - hH by at most gamma(34 d) sqrt(d) (1 + |h| max |lambda|).
    """
    exact, H = factors(eigenvalues, h, v)
    d, claimed = len(exact), max(abs(1 - h * x) for x in eigenvalues)
    largest = max(exact)
    family = LinearizedSGD(np.zeros(d), H.astype(float), float(h)).contraction.value
    if h > 0:
        range_of_h = min(eigenvalues) > 0 and h < 2 / max(eigenvalues)
    else:
        range_of_h = h < 0 and max(eigenvalues) < 0 and h > 2 / min(eigenvalues)
    slack = gamma(34 * d) * d**0.5 * (1 + abs(float(h)) * max(abs(float(x)) for x in eigenvalues))
    holds = largest == claimed and (largest < 1) == range_of_h and abs(family - float(claimed)) <= slack
    return Verdict(
        NAME,
        ROWS,
        "tight",
        holds,
        family,
        float(claimed),
        hypotheses="H is symmetric. For h > 0 the map contracts if and only if H ≻ 0 and h < 2/λ_max.",
        note=f"h={h}, eigenvalues {min(eigenvalues)} … {max(eigenvalues)}, d={d}: exact {largest}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: dimensions 1 to 6, any signature, h at 0, at 2/lambda_max, inside, beyond and negative."""
    for k in range(10 if tier == "standard" else 100):
        d = int(rng.integers(1, 7))
        low = -2 if k % 3 == 0 else 0
        eigenvalues = [random_fraction(rng, low, 4, 6) + (Fraction(1, 10) if k % 3 == 1 else 0) for _ in range(d)]
        edge = 2 / max(eigenvalues) if max(eigenvalues) > 0 else Fraction(1)
        for h in (Fraction(0), edge, edge * random_fraction(rng, 0, 1), -edge / 3, edge * Fraction(11, 10)):
            yield {"eigenvalues": eigenvalues, "h": h, "v": [1, *rng.integers(-3, 4, d - 1).tolist()]}


#: The setting of the text, around a minimum with h > 0; and examples outside of it, which refute nothing.
PRINTED = (((0, 4), Fraction(2, 5)), ((0, 1, 4), Fraction(1, 10)))
OUTSIDE = (((Fraction(-1, 10), 4), Fraction(2, 5)), ((1, 4), Fraction(-1, 10)))


def check_printed(
    eigenvalues: Sequence = PRINTED[0][0], h: Fraction = PRINTED[0][1], v: Sequence[int] | None = None
) -> Verdict:
    """Check that the map need not contract although 0 < h < 2/lambda_max; measured is its exact factor."""
    v = [1, *range(2, len(eigenvalues) + 1)] if v is None else v
    exact, _ = factors([Fraction(x) for x in eigenvalues], h, v)
    holds = min(eigenvalues) >= 0 and 0 < h < Fraction(2) / max(eigenvalues) and max(exact) >= 1
    return Verdict(
        NAME,
        ROWS,
        "refuted",
        holds,
        float(max(exact)),
        1.0,
        note=f"eigenvalues {', '.join(map(str, eigenvalues))}, h={h} < 2/λ_max: the norm is {max(exact)}, not below 1",
    )


def printed_cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: a flat direction."""
    for eigenvalues, h in PRINTED:
        yield {"eigenvalues": eigenvalues, "h": h}


STATEMENT = Statement(
    name=NAME,
    paper=("Section 3.2",),
    claim="‖I − hH‖ = max_i |1 − hλ_i| < 1 ⇔ 0 < hλ_i < 2 for all i ⇔ (h > 0) H ≻ 0 and h < 2/λ_max",
    hypotheses="H is symmetric.",
    rows=(
        Row(
            50,
            "Section 3.2, range of the learning rate",
            "HYP",
            quote="Since ‖T_i(θ_1) − T_i(θ_2)‖ ≤ ‖1 − hH‖ ‖θ_1 − θ_2‖ and since ‖1 − hH‖ < 1 for h strictly smaller "
            "than 2/λ_{max} (as in Example 2.1), Theorem 2.2 tells us that the backward trajectory converges.",
            why="As in Example 2.1: around a minimum with a flat direction H is singular, and ‖1 − hH‖ ≥ 1 for every "
            "h.",
            correct="H is positive definite.",
            severity="repairable",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    printed_cases=printed_cases,
    test="tests/theory/statements/section_3/test_linearized_contraction.py",
)
