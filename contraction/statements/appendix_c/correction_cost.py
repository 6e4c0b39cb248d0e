"""Before Corollary C.4 and in Appendix C: what the approximate backward iterates cost.

Problem
    The check counts evaluations of a gradient, Hessian-vector products, and stored numbers, for θ̃_1 … θ̃_N in
    dimension d.
Guarantee (Exact)
    The exact backward iterates take N(N+1)/2 gradients. With a stored H, which has d² numbers and takes d products per
    step to form, the approximate ones take 2N−1 gradients and (N−1)(d+1) products. With replayed batches they take 2N−1
    gradients and (N−1)(N+2)/2 products, of which N(N−1)/2 form the terms H_n ∇L_n.
    A single final N takes two passes with 2N gradients (3N without a shared evaluation) and N products, whereas the
    exact iterate takes N gradients. A matrix H_n that can be multiplied by any gradient takes d(d+1)/2 numbers.
    With M distinct batches, a table of the products ∇²L_a ∇L_b at θ_0 and the number of times that each batch was seen
    give every C_n by additions alone. This takes N + M gradients and M² products, which is less than N(N+1)/2 once N
    exceeds about √2·M.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from contraction import expansions as ex
from contraction.statements import comparisons
from contraction.statements.cases.polynomials import descent_tables, fields_of, point
from contraction.statements.records import Row, Statement, Tier, Verdict

NAME, ROWS = "correction_cost", (61,)


def counted(fields: list[ex.VectorField], counts: list[int]) -> list[ex.VectorField]:
    """Return the same fields, counting values in ``counts[0]`` and products in ``counts[1]``."""

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


def from_table(
    fields: Sequence[ex.VectorField], word: Sequence[int], theta0: np.ndarray, h: Fraction
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """C_n and θ̃_n for n = 1 … N, batch ``word[n-1]`` at step n: one table of products, then additions only.

    C_n − C_{n−1} = Σ_a m_a (V_a'V_b − V_b'V_a) with b the batch of step n and m_a how often a came before, up to the
    sign of the losses: V = −∇L, and both factors change it.
    """
    first = [field(theta0) for field in fields]
    products = [[field.differential(theta0, (v,)) for v in first] for field in fields]
    seen, theta, C = [0] * len(fields), theta0, theta0 * 0
    corrections, iterates = [], []
    for b in word:
        theta = theta + h * fields[b](theta)
        for a, times in enumerate(seen):
            C = C + times * (products[a][b] - products[b][a])
        seen[b] += 1
        corrections.append(C)
        iterates.append(theta + h * h * C)
    return corrections, iterates


def table_cost(n: int, distinct: int) -> list[int]:
    """Gradients and products of `from_table`."""
    return [n + distinct, distinct**2]


def check_table(n: int, distinct: int, d: int, seed: int) -> Verdict:
    """Compare C_n and θ̃_n from the table with `expansions`, for some n, and the evaluations counted, all exactly."""
    fields, theta = fields_of(descent_tables(seed, distinct, d, degree=2)), point(seed, d)
    word = np.random.default_rng(seed).integers(distinct, size=n).tolist()
    counts, h = [0, 0], Fraction(1, 9)
    corrections, iterates = from_table(counted(fields, counts), word, theta, h)
    measured, claimed = [counts], [table_cost(n, distinct)]
    for m in sorted({1, min(2, n), n // 2, n} - {0}):
        drawn = [fields[b] for b in word[:m]]
        measured += [list(corrections[m - 1]), list(iterates[m - 1])]
        claimed += [list(ex.minus_lie_bracket_sum(drawn, theta))]
        claimed += [list(ex.approximate_backward_iterate(drawn, theta, h))]
    return comparisons.equal(NAME, ROWS, measured, claimed, seed=seed, note=f"N={n}, M={distinct}, d={d}")


def check(n: int, d: int, seed: int, distinct: int | None = None) -> Verdict:
    """Compare counted evaluations with the formulas for every way.

    With ``distinct`` batches they are those of the table of products.
    """
    if distinct is not None:
        return check_table(n, distinct, d, seed)
    claimed = {
        "exact": [n * (n + 1) // 2, 0],
        "dense": [2 * n - 1, (n - 1) * (d + 1)],
        "replay": [2 * n - 1, (n - 1) * (n + 2) // 2],
        "two passes": [3 * n, n],
        "exact, one": [n, 0],
    }
    table = [[c.fields, c.products] for c in (ex.correction_cost(way, n, d) for way in claimed)]
    measured = [spent(way, n, d, seed) for way in claimed]
    return comparisons.equal(
        NAME, ROWS, [*measured, *table], [*claimed.values()] * 2, seed=seed, hypotheses="", note=f"N={n}, d={d}"
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: one to eight maps in one to four dimensions; six steps with one to three distinct batches."""
    for n in range(1, 9 if tier == "standard" else 20):
        yield {"n": n, "d": int(rng.integers(1, 5)), "seed": int(rng.integers(2**31))}
    for distinct in (1, 2, 3):
        yield {"n": 6, "d": int(rng.integers(1, 5)), "seed": int(rng.integers(2**31)), "distinct": distinct}


def counts(n: int, distinct: int, d: int, seed: int = 0) -> tuple[list[int], list[int], bool]:
    """Return the evaluations that the table and the exact iterates 1 … n take, counted for drawn quadratic losses.

    The last value says whether the table's θ̃_n is that of `expansions` exactly. The backward iterates are counted in
    floats, on other quadratic losses drawn in the same order: what is counted does not depend on the values.
    """
    fields, theta = fields_of(descent_tables(seed, distinct, d, degree=2)), point(seed, d)
    rng, h = np.random.default_rng(seed), Fraction(1, 9)
    word = rng.integers(distinct, size=n).tolist()
    table, exact = [0, 0], [0, 0]
    iterates = from_table(counted(fields, table), word, theta, h)[1]
    right = ex.approximate_backward_iterate([fields[b] for b in word], theta, h)
    others = counted([ex.quadratic_field(np.eye(d), rng.standard_normal(d)) for _ in range(distinct)], exact)
    for m in range(1, n + 1):
        ex.compose([others[b] for b in word[:m]], range(1, m + 1), np.zeros(d), 0.1)
    return table, exact, bool(np.all(iterates[-1] == right))


def check_printed(n: int = 100, d: int = 4, distinct: int = 5, seed: int = 0) -> Verdict:
    """Check the memory of row 61, and that the cost "can be made smaller", which is true.

    Measured are the numbers that the recursion holds after two steps, claimed the d of C_n alone. With few distinct
    batches the table takes fewer evaluations than the backward iterates, both counted while they run; a product counts
    as one gradient.
    """
    stream = ex.ApproximateBackward(point(seed, d), Fraction(1, 9), "dense")
    for field in fields_of(descent_tables(seed, 2, d, degree=2)):
        stream.step(field)
    stored = sum(np.size(array) for array in (stream.correction, stream._g, stream._columns))
    table, exact, same = counts(n, distinct, d, seed)
    holds = stored == 2 * d + d * d and same and sum(table) < sum(exact) == n * (n + 1) // 2
    return Verdict(
        NAME,
        ROWS,
        "refuted",
        holds,
        stored,
        d,
        seed=seed,
        note=f"numbers kept for C_n, g_n and H_n, and for C_n alone, at d={d}; the cost can be smaller, as printed: "
        f"{sum(table)} evaluations for N={n} steps with M={distinct} distinct batches, in place of {sum(exact)}",
    )


STATEMENT = Statement(
    name=NAME,
    paper=("Corollary C.4, cost", "Appendix C, cost"),
    claim="θ̃_1…θ̃_N: 2N−1 gradients and (N−1)(d+1) or (N−1)(N+2)/2 products; N+M+M² in all with M distinct batches",
    hypotheses="A Hessian-vector product counts as one gradient.",
    rows=(
        Row(
            61,
            "Appendix C, before Corollary C.4: memory and cost",
            "LOOSE",
            quote="The following corollary tells us how the approximate backward iterates can be computed in an "
            "iterative fashion by keeping in memory an additional variable C_n of the same size as the network "
            "parameters:",
            why="The recursion keeps g_n and H_n as well. The first has the size of the parameters and the second "
            "has that size squared, unless the products with H_n are formed from the batches.",
            correct="“… by keeping in memory additional variables C_n, g_n and H_n …”, with their sizes.",
            severity="repairable",
            beyond="Appendix C says that the extra cost can be made smaller than that of the backward iterates, and "
            "this is true. With M distinct batches a table of the products ∇²L_a(θ_0)∇L_b(θ_0) costs N + M + M² "
            "evaluations for N steps, in place of N(N + 1)/2: it is cheaper once N exceeds about √2 · M. If every "
            "step has a new batch, the dense recursion is cheaper once N exceeds about 2d, with d² numbers in "
            "memory.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    derivation="proofs/symbolic/correction_recursion.py:two_passes",
    test="tests/theory/statements/appendix_c/test_correction_cost.py",
)
