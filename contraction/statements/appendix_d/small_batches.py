"""Appendix D.1: c small batches against one large batch, to second order.

Problem
    T_small = (1+h'V_c) … (1+h'V_1) and T_large = 1 + hV_B, where h' = h/c and V_B is the field of the mean loss of all
    examples.
Guarantee (Exact)
    For batches of equal size hV_B = h' ΣV_i, and T_small = T_large + h'² Σ_{i>j} V_i'V_j + O(h³), since the outermost
    map is that of the last batch.
    The paper prints Σ_{i<j}, which is the sum of the reversed product. It states that the sizes are equal, but it does
    not exclude layers that couple the examples of a batch, and with batch normalisation hV_B = h' ΣV_i fails.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from contraction import expansions as ex
from contraction.statements import comparisons
from contraction.statements.cases.polynomials import Table, composed, descent_tables, fields_of, point
from contraction.statements.records import Row, Statement, Tier, Verdict

NAME, ROWS = "small_batches", (62, 63)


def mean_table(tables: list[Table], sizes: list[int]) -> Table:
    """Return the descent field of the mean loss over all examples, from those of batches of the given sizes."""
    total = sum(sizes)
    result: Table = [{} for _ in tables[0]]
    for table, size in zip(tables, sizes, strict=True):
        for component, polynomial in zip(result, table, strict=True):
            for e, c in polynomial.items():
                component[e] = component.get(e, Fraction(0)) + c * Fraction(size, total)
    return result


def pair_sum(fields: list[ex.VectorField], theta: np.ndarray, pairs: list[tuple[int, int]]) -> list[Fraction]:
    """Σ V_i'V_j over the pairs."""
    total = theta * 0
    for i, j in pairs:
        total = total + fields[i].differential(theta, (fields[j](theta),))
    return list(total)


def second_order(c: int, seed: int) -> tuple[list[Fraction], list[ex.VectorField], np.ndarray]:
    """Return the coefficient of h'² of T_small, by composing polynomials."""
    tables, theta = descent_tables(seed, c), point(seed)
    return composed(tables, range(c, 0, -1), theta, 2)[2], fields_of(tables), theta


def descent_behind_normalisation(x: Sequence[Fraction], coupled: bool = True) -> Fraction:
    """-L'(0) for L(w) = mean (w z_i - x_i)²/2, z the normalised batch ((x - mean)/sd) or, uncoupled, x itself.

    Raises
    ------
    ValueError
        If the variance of the batch is not the square of a rational number: then nothing here is exact.
    """
    z = list(x)
    if coupled:
        mean = sum(x, Fraction(0)) / len(x)
        variance = sum(((v - mean) ** 2 for v in x), Fraction(0)) / len(x)
        root = Fraction(math.isqrt(variance.numerator), math.isqrt(variance.denominator))
        if root**2 != variance:
            raise ValueError(f"the variance must be a rational square, got {variance}")
        z = [(v - mean) / root for v in x]
    return sum((a * b for a, b in zip(z, x, strict=True)), Fraction(0)) / len(x)


def normalised_fields(c: int, coupled: bool = True) -> tuple[Fraction, Fraction]:
    """V_B(0) and the mean of V_1(0), …, V_c(0), for batches {-a, a} of equal size whose union has a rational sd."""
    batches = [[Fraction(-a), Fraction(a)] for a in {2: (1, 7), 3: (1, 1, 5), 4: (1, 1, 3, 5)}[c]]
    large = descent_behind_normalisation([v for batch in batches for v in batch], coupled)
    return large, sum((descent_behind_normalisation(b, coupled) for b in batches), Fraction(0)) / c


def check(c: int, seed: int) -> Verdict:
    """Compare the coefficients of h'² and h' of T_small with Σ_{i>j} V_i'V_j and c times the large batch's field."""
    measured, fields, theta = second_order(c, seed)
    tables = descent_tables(seed, c)
    first = composed(tables, range(c, 0, -1), theta, 1)[1]
    (large,) = fields_of([mean_table(tables, [8] * c)])
    h = Fraction(1, 5)
    step = ex.large_batch_step(fields, theta, h)
    return comparisons.equal(
        NAME,
        ROWS,
        [measured, list(ex.fixed_order_term(fields, theta)), first, list(step)],
        [pair_sum(fields, theta, [(i, j) for i in range(c) for j in range(i)])] * 2
        + [list(c * large(theta)), list(theta + h * large(theta))],
        seed=seed,
        hypotheses="The batches have equal sizes and mean losses, and layers do not couple their examples.",
        note=f"c={c}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: one to five batches."""
    for c in range(1, 6):
        for _ in range(2 if tier == "standard" else 20):
            yield {"c": c, "seed": int(rng.integers(2**31))}


def check_printed(slip: str, c: int = 3, seed: int = 0) -> Verdict:
    """Check rows 62 and 63: Σ_{i<j} is not the h'² term, and batch normalisation makes V_B differ from the mean.

    "unequal sizes" is outside the printed setting, which asks for equal sizes, and so beyond it.

    Raises
    ------
    ValueError
        If the slip is none of "i < j", "batch normalisation" and "unequal sizes".
    """
    if slip == "batch normalisation":
        large, mean = normalised_fields(c)
        return Verdict(
            NAME,
            (63,),
            "refuted",
            large != mean,
            float(large),
            float(mean),
            note=f"V_B and the mean of the V_i at θ = 0 for {c} batches of two examples behind a batch normalisation",
        )
    second, fields, theta = second_order(c, seed)
    if slip == "i < j":
        printed = pair_sum(fields, theta, [(i, j) for j in range(c) for i in range(j)])
        return Verdict(
            NAME,
            (62,),
            "refuted",
            printed != second,
            float(second[0]),
            float(printed[0]),
            seed=seed,
            note=f"first coordinate of the h'² term of T_small, c={c}",
        )
    if slip != "unequal sizes":
        raise ValueError(f'the slip must be "i < j", "batch normalisation" or "unequal sizes", got {slip!r}')
    (large,) = fields_of([mean_table(descent_tables(seed, c), list(range(1, c + 1)))])
    weighted = ex.large_batch_step(fields, theta, Fraction(1), sizes=list(range(1, c + 1)))
    printed = ex.large_batch_step(fields, theta, Fraction(1))
    true = list(theta + large(theta))
    return Verdict(
        NAME,
        (63,),
        "beyond",
        list(weighted) == true != list(printed),
        float(true[0]),
        float(printed[0]),
        seed=seed,
        note=f"first coordinate of θ + hV_B and of θ + h'ΣV_i at h=1, sizes 1 … {c}",
    )


def printed_cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: both rows for two to four batches; the seed draws the losses of row 62."""
    for slip in ("i < j", "batch normalisation"):
        for c in (2, 3, 4):
            yield {"slip": slip, "c": c, "seed": int(rng.integers(2**31))}


STATEMENT = Statement(
    name=NAME,
    paper=("Appendix D.1",),
    claim="T_small = T_large + h'² Σ_{i>j} V_i'V_j + O(h³), hV_B = h' Σ V_i, h' = h/c",
    hypotheses="The batches have equal sizes and mean losses, and layers do not couple their examples.",
    rows=(
        Row(
            62,
            "Appendix D.1, the second order of T_small",
            "WRONG",
            quote="Then Lemma C.1 gives us immediately a second order approximation for the second setting: "
            "T_{small}(θ) = θ + h' Σ_{i=1}^c V_i(θ) + h'² Σ_{i<j} V'_i(θ)V_j(θ) + O(h³)",
            why="The outermost map is that of batch c, so the printed sum belongs to the reversed product. The "
            "second display of T_small has the same sum.",
            correct="h'² Σ_{i>j} V'_i(θ)V_j(θ).",
            severity="repairable",
        ),
        Row(
            63,
            "Appendix D.1, large and small batches",
            "HYP",
            quote="Now it is easy to see that hV_B(θ) = h' Σ_{i=1}^c V_i(θ).",
            why="This holds for batches of equal size, as printed, and for losses that are means, as in the rest of "
            "the paper. It fails if a layer couples the examples of a batch, as batch normalisation does.",
            correct="No layer couples the examples of a batch.",
            severity="repairable",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    printed_cases=printed_cases,
    derivation="proofs/symbolic/small_batches.py:outermost_is_last",
    test="tests/theory/statements/appendix_d/test_small_batches.py",
)
