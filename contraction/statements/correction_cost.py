"""Before Corollary C.4 and in Appendix C: what the approximate backward iterates cost.

Problem
    Evaluations of a gradient, Hessian-vector products, and numbers stored, for θ̃_1 … θ̃_N in dimension d.
Guarantee (Exact)
    Exact backward iterates: N(N+1)/2 gradients. With H stored (d² numbers, formed with d products a step):
    2N−1 gradients, (N−1)(d+1) products. With replayed batches: 2N−1 gradients, (N−1)(N+2)/2 products, of which
    N(N−1)/2 are H_n ∇L_n. One final N in two passes: 2N gradients (3N without a shared evaluation) and N products,
    where the exact iterate takes N gradients. An H_n that serves every next gradient is d(d+1)/2 numbers.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from contraction import expansions as ex
from contraction.statements import _exact
from contraction.statements._base import Row, Statement, Tier, Verdict
from contraction.statements._polynomials import descent_tables, fields_of, point

NAME, ROWS = "correction_cost", (61,)


def counted(fields: list[ex.VectorField], counts: list[int]) -> list[ex.VectorField]:
    """The same fields, counting values in ``counts[0]`` and products in ``counts[1]``."""

    def wrap(field: ex.VectorField) -> ex.VectorField:
        def value(theta):
            counts[0] += 1
            return field(theta)

        def jvp(theta, v):
            counts[1] += 1
            return field.differential(theta, (v,))

        return ex.VectorField(value=value, jvp=jvp)

    return [wrap(field) for field in fields]


def spent(way: str, n: int, d: int, seed: int) -> list[int]:
    """Values and products that one way really takes."""
    counts = [0, 0]
    theta = point(seed, d)
    fields = counted(fields_of(descent_tables(seed, n, d, degree=2)), counts)
    h = theta[0] / 9
    if way in ("dense", "replay"):
        stream = ex.ApproximateBackward(theta, h, way)
        for field in fields:
            stream.step(field)
    elif way == "two passes":
        ex.approximate_backward_iterate(fields, theta, h)
    else:
        for k in [n] if way == "exact, one" else range(1, n + 1):
            ex.compose(fields, range(1, k + 1), theta, h)
    return counts


def check(n: int, d: int, seed: int) -> Verdict:
    """Counted evaluations against the formulas, for every way."""
    claimed = {
        "exact": [n * (n + 1) // 2, 0],
        "dense": [2 * n - 1, (n - 1) * (d + 1)],
        "replay": [2 * n - 1, (n - 1) * (n + 2) // 2],
        "two passes": [3 * n, n],
        "exact, one": [n, 0],
    }
    table = [[c.fields, c.products] for c in (ex.correction_cost(way, n, d) for way in claimed)]
    measured = [spent(way, n, d, seed) for way in claimed]
    return _exact.equal(
        NAME, ROWS, [*measured, *table], [*claimed.values()] * 2, seed=seed, hypotheses="", note=f"N={n}, d={d}"
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """One to eight maps in one to four dimensions."""
    for n in range(1, 9 if tier == "standard" else 20):
        yield {"n": n, "d": int(rng.integers(1, 5)), "seed": int(rng.integers(2**31))}


def check_printed(n: int = 1000, d: int = 1000) -> Verdict:
    """ "Extra cost … smaller": with N <= 2d every exact way takes no fewer evaluations than backward iterates.

    Replaying, the products of a step beside its gradients; dense, (d + 1) of them; a product counts as one gradient,
    which flatters it.
    """
    exact = ex.correction_cost("exact", n, d).fields
    ways = [ex.correction_cost(way, n, d) for way in ("dense", "replay")]
    least = min(c.fields + c.products for c in ways)
    single = ex.correction_cost("two passes", n, d)
    holds = least >= exact and single.fields + single.products > n and ways[0].numbers > d
    return Verdict(
        NAME, ROWS, "refuted", holds, least, exact,
        note=f"evaluations for iterates 1 … {n}, d={d}: cheapest correction, exact backward iterates",
    )  # fmt: skip


def printed_cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Square, few maps in a high dimension, and the edge N = 2d."""
    yield {"n": 1000, "d": 1000}
    yield {"n": 1000, "d": 10**6}
    yield {"n": 1000, "d": 500}


STATEMENT = Statement(
    name=NAME,
    paper=("Corollary C.4, cost", "Appendix C, cost"),
    claim="θ̃_1…θ̃_N: 2N−1 gradients and (N−1)(d+1) or (N−1)(N+2)/2 products, d² numbers or every batch; exact: N(N+1)/2",
    hypotheses="a Hessian-vector product counts as one gradient",
    rows=(
        Row(
            61, "Appendix C, first paragraph and before Corollary C.4", "WRONG",
            "an additional variable C_n of the same size as the network parameters; extra cost … can be made smaller",
            "beside C_n it takes g_n (d) and H_n (d²), or a product with every past batch at every step, N(N−1)/2",
            "cheaper than exact backward iterates only for N ≳ 2d, with d² memory; a single θ̃_N is dearer than θ_N^B",
            "changes a conclusion",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    printed_cases=printed_cases,
    proof="proofs/coq/correction_recursion.v:correction_two_passes",
    derivation="proofs/symbolic/correction_recursion.py:two_passes",
    test="tests/theory/test_correction_cost.py",
)  # fmt: skip
