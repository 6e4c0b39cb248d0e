"""Appendix D.2.1: the settings of the experiment, and their possible readings.

Problem
    The settings are h = .001, h' = h/c, c ∈ {2, 3, 4}, λ ∈ {½, 1, 2, 4}h², and batches of 2048, "or the closest integer
    divisible by c".
Guarantee (Exact)
    λ = m h² is 2mc² times the derived λ = h'²/2, which is 16 to 128 times at c = 4. If the h in λ means h', it is 2m =
    1 to 8 times. The paper does not print the update rule, and θ + hV_B + λΣ, which is the literal reading, and θ +
    h'V_B + λΣ are different maps. The multiple of 3 that is nearest to 2048 is 2049.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from contraction import expansions as ex
from contraction.statements import comparisons
from contraction.statements.cases.polynomials import descent_tables, fields_of, point, total
from contraction.statements.records import Row, Statement, Tier, Verdict

NAME, ROWS = "regulariser_settings", (68, 69)
MULTIPLES = (Fraction(1, 2), Fraction(1), Fraction(2), Fraction(4))


def nearest_multiple(size: int, c: int) -> int:
    """Return the multiple of c nearest to size."""
    return min((c * (size // c), c * (size // c + 1)), key=lambda m: abs(m - size))


def check(c: int, seed: int) -> Verdict:
    """Compare λ over the derived λ in both units; both rates of the step with their formulas; the batch size."""
    h = Fraction(1, 1000)
    derived = ex.regularisation_strength(1, h, c, unit="derived")
    literal = [ex.regularisation_strength(m, h, c) / derived for m in MULTIPLES]
    small = [ex.regularisation_strength(m, h, c, unit="h/c") / derived for m in MULTIPLES]
    fields, theta = fields_of(descent_tables(seed, c)), point(seed)
    drift = total([f(theta) for f in fields]) / c
    term = theta * 0
    for i in range(c):
        for j in range(c):
            if i != j:
                term = term + fields[i].differential(theta, (fields[j](theta),))
    lam = ex.regularisation_strength(2, h, c)
    steps = [list(ex.regularised_step(fields, theta, h, lam, rate=rate)) for rate in ("h", "h/c")]
    return comparisons.equal(
        NAME,
        ROWS,
        [literal, small, *steps, [nearest_multiple(2048, c)]],
        [
            [c * c * m for m in (1, 2, 4, 8)],
            [1, 2, 4, 8],
            list(theta + h * drift + 2 * h * h * term),
            list(theta + h / c * drift + 2 * h * h * term),
            [{2: 2048, 3: 2049, 4: 2048}[c]],
        ],
        seed=seed,
        hypotheses="c is 2, 3 or 4.",
        note=f"c={c}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: the three numbers of small batches."""
    for c in (2, 3, 4):
        yield {"c": c, "seed": int(rng.integers(2**31))}


def check_printed(c: int = 4, seed: int = 0) -> Verdict:
    """Check that the printed rule is ambiguous: λ = ½h² is h²/2 or h'²/2, and the two rates give different steps."""
    h = Fraction(1, 1000)
    fields, theta = fields_of(descent_tables(seed, c)), point(seed)
    lam = [ex.regularisation_strength(Fraction(1, 2), h, c, unit=unit) for unit in ("h", "h/c")]
    steps = [list(ex.regularised_step(fields, theta, h, lam[0], rate=rate)) for rate in ("h", "h/c")]
    return Verdict(
        NAME,
        (68,),
        "beyond",
        steps[0] != steps[1] and lam[0] != lam[1],
        float(lam[0]),
        float(lam[1]),
        seed=seed,
        note=f"h=.001, c={c}: h²/2 is {float(lam[0]):.6g} and h'²/2 is {float(lam[1]):.6g}, and the two "
        "rates give different steps",
    )


STATEMENT = Statement(
    name=NAME,
    paper=("Appendix D.2.1",),
    claim="λ = mh² is 2mc² times the derived λ = h'²/2 (2m times, if h means h'); 2049 = 3·683 is nearest to 2048",
    hypotheses="c is 2, 3 or 4.",
    rows=(
        Row(
            68,
            "Appendix D.2.1, the settings",
            "LOOSE",
            quote="In each setting, we test the values of λ ∈ {0.5h², h², 2h², 4h²}.",
            beyond="We have a question: which update rule was used? We could not determine it from the text. Whether "
            "the large-batch part takes h or h', and whether λ is in units of h² or of h'², changes the step. The "
            "value that the derivation gives is λ = h'²/2.",
        ),
        Row(69, "Appendix D.2.1, footnote", "OK"),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    derivation="proofs/symbolic/small_batches.py:small_batch_regulariser",
    test="tests/theory/statements/appendix_d/test_regulariser_settings.py",
)
