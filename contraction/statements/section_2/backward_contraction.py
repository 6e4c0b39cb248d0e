"""Theorem 2.2, the backward contraction principle, with the steps of its proof.

Problem
    The maps T_i of a complete metric space into itself are k-Lipschitz with a common k in [0, 1), and d(θ, T_i θ) ≤ D
    for all i.
Guarantee (Upper)
    The iterates θ_n = T_1 … T_n θ converge to one point θ*, which is the same for every start, and d(θ*, θ_n) ≤ D
    k^n/(1−k).
    The proof passes through d(θ_n, θ_m) ≤ k^n d(θ, T_{n+1} … T_m θ) ≤ k^n Σ_{j<m−n} d(y_j, y_{j+1}) with y_j = T_{n+1}
    … T_{n+j} θ, where each term is at most D k^j, and through d(T_1…T_n x, T_1…T_n y) ≤ k^n d(x, y).
    If k = 0 and n ≥ 1, the iterate is θ*. At n = 0 the bound uses 0⁰ = 1.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from contraction.certificates.certify import certify
from contraction.maps.iterates import backward_iterates
from contraction.maps.operators import RandomOperator
from contraction.maps.rounding import iterate_rounding
from contraction.statements.cases.random_contractions import KINDS, draw, spread
from contraction.statements.records import Row, Statement, Tier, Verdict

ROWS = (9, 11, 12, 15, 18)


def check(
    kind: str, k: float, D: float, dim: int, n: int, seed: int, reach: float = 1.0, segment: tuple[int, int] = (0, 1)
) -> Verdict:
    """Compare every distance in the theorem and its proof with its bound, for T_1 … T_n drawn by kind.

    ``segment`` = (a, m) are the two indices of the proof, a < m <= n; the gap m - a decides the cost.
    """
    T = draw(kind, k, D, dim, n, seed, reach)
    at = spread(n)
    limit, rows, others = T.limit_and_iterates(at)
    k_exact, D_exact = T.k, T.D
    powers = np.array([k_exact**j for j in at])
    to_limit = T.distance(limit, rows)
    two_starts = T.distance(rows, others)
    start_gap = T.distance(T.theta0, T.other_start)

    a, m = segment
    pieces = backward_iterates(T.operators[a:m], T.theta0)
    ends = backward_iterates(T.operators, T.theta0, at=[a, m])
    steps = T.distance(pieces[1:], pieces[:-1])
    across, within = T.distance(ends[0], ends[1]), T.distance(T.theta0, pieces[-1])
    gap_powers = np.array([k_exact**j for j in range(m - a)])

    measured = [*to_limit, *two_starts, across, within, *steps, across]
    claimed = [
        *(powers * D_exact / (1 - k_exact)),
        *(powers * start_gap),
        k_exact**a * within,
        np.sum(steps),
        *(gap_powers * D_exact),
        D_exact * k_exact**a / (1 - k_exact),
    ]
    parts = [
        *[f"distance of iterate {j} from the limit" for j in at],
        *[f"two starts at iterate {j}" for j in at],
        "k^n applied to T_{n+1} … T_m",
        "triangle inequality",
        *[f"step {j} of the telescope" for j in range(m - a)],
        "last bound of the proof",
    ]
    return Verdict.upper(
        "backward_contraction",
        ROWS,
        np.array(measured, dtype=float),
        np.array(claimed, dtype=float),
        parts=parts,
        rounding=T.rounding(n) * (2 + m - a),
        seed=seed,
        hypotheses="The space is complete, the maps have a common k < 1, and sup_i d(θ, T_iθ) ≤ D.",
        note=f"{kind}, k={k}, D={D}, dim={dim}, n={n}, segment={segment}",
    )


def check_family(family: RandomOperator, theta0: NDArray, n: int, seed: int) -> Verdict:
    """Compare d(θ_N, θ_n) for N = n drawn maps of any certified family with its certificate.

    Rounding: maps move points within R = |θ_0| + 2D/(1-k), which every fixed point shares; one application or one
    term of the affine path commits at most gamma(20 d + n + 200) times 4 (1 + sqrt d) R.

    Returns
    -------
    Verdict
        Of kind "upper", with one part per iterate.

    Examples
    --------
    >>> from contraction.families import QuadraticSGD, Uniform
    >>> bool(check_family(QuadraticSGD(0.5, Uniform(-1, 1)), np.zeros(1), 60, seed=0))
    True
    """
    certificate = certify(family, theta0)
    at = spread(n)
    rows = backward_iterates(family.sample(n, seed), theta0, at=at)
    measured = family.space.distance(rows[-1], rows)
    d = theta0.shape[-1]
    reach = float(np.linalg.norm(theta0)) + 2 * certificate.D / (1 - certificate.k)
    rounding = 2 * iterate_rounding(certificate.k, n, 4 * (1 + d**0.5) * reach, 20 * d + n + 200)
    return Verdict.upper(
        "backward_contraction",
        (9, 15),
        measured,
        certificate.bound(np.array(at)),
        rounding=rounding,
        seed=seed,
        parts=[f"certificate at iterate {j}" for j in at],
        hypotheses=f"The constants are those of a certificate, which are {certificate.origin}.",
        note=f"{family!r}, n={n}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: every kind, k from 0 to 1 - 1e-6, dimensions 1 to 50, n up to 2000, starts up to 1e6 away."""
    for _ in range(1 if tier == "standard" else 10):
        for k in (0.0, 0.3, 0.9, 0.999, 1 - 1e-6):
            for kind in KINDS:
                n = int(rng.choice([5, 60, 300]))
                a = int(rng.integers(0, n - 1))
                yield {
                    "kind": kind,
                    "k": k,
                    "D": float(rng.choice([0.0, 1e-3, 1.0, 1e3])),
                    "dim": int(rng.integers(1, 51)),
                    "n": n,
                    "seed": int(rng.integers(2**31)),
                    "reach": float(rng.choice([0.0, 1.0, 1e6])),
                    "segment": (a, min(n, a + int(rng.integers(1, 20)))),
                }
    for kind in ("aligned", "sine"):
        yield {"kind": kind, "k": 0.999, "D": 1.0, "dim": 3, "n": 2000, "seed": int(rng.integers(2**31))}


STATEMENT = Statement(
    name="backward_contraction",
    paper=("Theorem 2.2",),
    claim="d(θ*, T_1…T_n θ) ≤ D k^n/(1−k) with one θ* for every start",
    hypotheses="Ω ≠ ∅ is complete, the T_i are k-Lipschitz with a common k in [0, 1), and sup_i d(θ, T_iθ) ≤ D.",
    rows=(
        Row(9, "Theorem 2.2, statement", "OK"),
        Row(11, "proof of Theorem 2.2, the contraction applied n times", "OK"),
        Row(12, "proof of Theorem 2.2, triangle inequality", "OK"),
        Row(15, "proof of Theorem 2.2, last bound, Cauchy sequence and limit", "OK"),
        Row(
            18,
            "Theorem 2.2, the case k = 0",
            "BEYOND",
            beyond="The bound holds at k = 0 too, with 0⁰ = 1 at n = 0; the backward iterates are constant for n ≥ 1.",
        ),
    ),
    check=check,
    cases=cases,
    test="tests/theory/statements/section_2/test_backward_contraction.py",
)
