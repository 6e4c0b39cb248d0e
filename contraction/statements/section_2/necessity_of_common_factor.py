"""Theorem 2.2 without a common factor: contractions with bounded displacement whose backward iterates diverge.

Problem
    The maps are T_i x = K_i x + D with K_i = 1 − 1/(i+a)² and a ≥ 1. Each K_i is below 1, their supremum is 1, and the
    displacement at 0 is D.
Guarantee (Exact)
    The product telescopes: K_1 … K_j = a(a+j+1)/((a+1)(a+j)), which is bounded below by a/(a+1). Hence the iterates
    from 0 are θ_n = D Σ_{j<n} K_1 … K_j ≥ D n a/(a+1). For a = 1 and D = 1 they are θ_n = n/2 + H_n/2, with the
    harmonic numbers H_n.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from contraction.maps.iterates import backward_iterates
from contraction.maps.operators import Operators
from contraction.statements import comparisons
from contraction.statements.records import Row, Statement, Tier, Verdict

ROWS = (19, 22)


def factors(a: Fraction, n: int) -> list[Fraction]:
    """K_1 … K_n, each below 1."""
    return [1 - 1 / (i + a) ** 2 for i in range(1, n + 1)]


def backward(a: Fraction, D: Fraction, at: list[int], theta0: Fraction) -> list[Fraction]:
    """Backward iterates of the maps x -> K_i x + D, by applying them."""
    maps = [lambda x, K=K: K * x + D for K in factors(a, max(at))]
    return list(backward_iterates(Operators.from_maps(maps), np.array([theta0]), at=at)[:, 0])


def closed_form(a: Fraction, D: Fraction, n: int, theta0: Fraction) -> Fraction:
    """D sum_{j<n} a (a+j+1)/((a+1)(a+j)) + θ_0 a (a+n+1)/((a+1)(a+n))."""
    products = [a * (a + j + 1) / ((a + 1) * (a + j)) for j in range(n + 1)]
    return D * sum(products[:n], Fraction(0)) + theta0 * products[n]


def check(a: Fraction, D: Fraction, n: int, theta0: Fraction = Fraction(0)) -> Verdict:
    """Compare iterates n/2 and n with the telescoped sum; every factor below 1 and iterate n at least D n a/(a+1)."""
    at = sorted({n // 2, n})
    rows = backward(a, D, at, theta0)
    claimed = [closed_form(a, D, j, theta0) for j in at]
    contractions = all(0 <= K < 1 for K in factors(a, n))
    diverges = rows[-1] - theta0 * a * (a + n + 1) / ((a + 1) * (a + n)) >= D * n * a / (a + 1)
    return comparisons.equal(
        "necessity_of_common_factor",
        ROWS,
        [*rows, int(contractions), int(diverges)],
        [*claimed, 1, 1],
        hypotheses="Every K_i < 1, sup_i K_i = 1, and the displacement is bounded.",
        note=f"a={a}, D={D}, n={n}, theta={theta0}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: the counterexample of the audit up to n = 1000 and its neighbours."""
    for n in (1, 10, 1000):
        yield {"a": Fraction(1), "D": Fraction(1), "n": n}
    for _ in range(5 if tier == "standard" else 50):
        yield {
            "a": Fraction(int(rng.integers(2, 30)), 2),
            "D": Fraction(int(rng.integers(1, 99)), 10),
            "n": int(rng.integers(1, 200)),
            "theta0": Fraction(int(rng.integers(-99, 99)), 4),
        }


def check_printed(n: int = 400) -> Verdict:
    """Check that backward iterates of contractions can exceed n/2 without a common factor k."""
    theta = backward(Fraction(1), Fraction(1), [n], Fraction(0))[0]
    contractions = all(0 <= K < 1 for K in factors(Fraction(1), n))
    return Verdict(
        "necessity_of_common_factor",
        (22,),
        "beyond",
        contractions and theta > Fraction(n, 2),
        float(theta),
        n / 2,
        hypotheses="The maps do not have a common factor k < 1.",
        note=f"without a common k, θ_{n} = {float(theta):.6g} grows like n/2 though every T_i is a contraction",
    )


STATEMENT = Statement(
    name="necessity_of_common_factor",
    paper=("Theorem 2.2", "Section 2"),
    claim="T_i x = (1 − (i+1)^{−2}) x + 1 are contractions with D = 1 and θ_n = n/2 + H_n/2 → ∞",
    hypotheses="Every K_i < 1, but the maps do not have a common factor k < 1.",
    rows=(
        Row(
            19,
            "Theorem 2.2, the common k",
            "BEYOND",
            beyond="The common k cannot be dropped: the maps T_i x = (1 − (i + 1)^{−2}) x + 1 are contractions with "
            "bounded displacement, and their backward iterates tend to infinity.",
        ),
        Row(
            22,
            "Section 2, the paragraph after Remark 2.3",
            "OK",
            quote="As the next example demonstrates, it is not enough for the operator T_i's to be uniform "
            "contractions for the forward sequence of iterates to converge, while this is always true for the "
            "backward sequence because of Theorem 2.2.",
            beyond="The last words carry the common k and condition (2) of Theorem 2.2. Contractions without a "
            "common k can have divergent backward iterates.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    test="tests/theory/statements/section_2/test_necessity_of_common_factor.py",
)
