"""Lemma C.1: a composition of steps 1 + hV_i in powers of h, to every order.

Problem
    The steps are T_i = 1 + hV_i. The word T_{i_1} … T_{i_k} is a composition, whose leftmost map is applied last.
Guarantee (Exact)
    T_{i_1} … T_{i_k} = 1 + h Σ V_{i_l} + h² Σ_{u<v} V'_{i_u} V_{i_v} + O(h³). For fields with p derivatives and a fixed
    k, the coefficient of h^p is Σ_{|τ|=p} 1/σ(τ) Σ_ℓ F_ℓ(τ), a sum over labelled rooted trees.
    In the paper, display (4) writes a product for the composition, and the lemma does not demand any smoothness. But
    for V_1 = |x|^{3/2} and V_2 = 1 at 0 the remainder is exactly h^{5/2}.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from contraction import expansions as ex
from contraction.statements import comparisons
from contraction.statements.cases.polynomials import composed, fields_of, point, random_tables, steps_apart, total
from contraction.statements.records import Row, Statement, Tier, Verdict

NAME, ROWS = "composition_expansion", (54, 56)


def check(word: Sequence[int], order: int, seed: int) -> Verdict:
    """Compare the coefficients of the composed polynomials with the lemma's terms and with the sums over trees."""
    tables, theta = random_tables(seed, max(word)), point(seed)
    fields = fields_of(tables)
    measured = composed(tables, word, theta, order)
    values = [fields[i - 1](theta) for i in word]
    second = theta * 0
    for u, i in enumerate(word):
        for v in values[u + 1 :]:
            second = second + fields[i - 1].differential(theta, (v,))
    lemma = [list(theta), list(total(values)), list(second)]
    trees = ex.word_coefficients(fields, word, theta, order)
    return comparisons.equal(
        NAME,
        ROWS,
        [*measured[1:], *measured[: order + 1][:3]],
        [*map(list, trees), *lemma[: order + 1]],
        seed=seed,
        hypotheses="The fields are polynomials, and the length of the word is fixed.",
        note=f"word {tuple(word)}, order {order}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: words with and without repetitions, up to five maps, to order 5."""
    for word in ((1, 2), (1, 2, 3), (3, 2, 1), (4, 2, 1, 3), (2, 2, 2, 2), (1, 1, 2)):
        yield {"word": word, "order": 4, "seed": int(rng.integers(2**31))}
    for k in range(4 if tier == "standard" else 40):
        word = tuple(int(i) for i in rng.integers(1, 5, int(rng.integers(1, 6))))
        yield {"word": word, "order": 5 if k % 4 == 0 else 3, "seed": int(rng.integers(2**31))}


def check_printed(reading: str, k: int = 8) -> Verdict:
    """Check two readings of the print: (4) as a product, and fields that are only C¹.

    As a product, (4) differs at order 0 already; with C¹ fields only, the remainder over h³ is 2^k → ∞.

    Raises
    ------
    ValueError
        If the reading is neither "product" nor "no smoothness".
    """
    if reading == "product":
        tables, theta = random_tables(k, 2, d=1), point(k, d=1)
        composition = composed(tables, (1, 2), theta, 0)[0][0]
        product = theta[0] * theta[0]
        return Verdict(
            NAME,
            (54,),
            "refuted",
            composition != product,
            float(composition),
            float(product),
            seed=k,
            note="coefficient of h^0 of (1+hV_1)(θ)·(1+hV_2)(θ) is θ², of the composition θ",
        )
    if reading != "no smoothness":
        raise ValueError(f'the reading must be "product" or "no smoothness", got {reading!r}')
    outer, _, h = steps_apart(k)
    remainder = outer - h  # the expansion to order 2 is h(V_1 + V_2) + h²V_1'V_2 = h at 0
    first = ex.VectorField(value=lambda x: np.abs(x) ** 1.5, jvp=lambda x, v: 1.5 * np.sqrt(np.abs(x)) * np.sign(x) * v)
    second = ex.VectorField(value=np.ones_like, jvp=lambda x, v: 0 * v)
    series = ex.word_series([first, second], (1, 2), np.zeros(1), 2)[:, 0]
    holds = remainder**2 == h**5 and list(series) == [0.0, 1.0, 0.0]
    return Verdict(
        NAME,
        (56,),
        "refuted",
        holds,
        float(remainder / h**3),
        ratio=float(remainder / h**3),
        note=f"V_1 = |x|^(3/2), V_2 = 1 at 0, h = 4^-{k}: the remainder is h^(5/2) = {float(remainder / h**3):g} h³, "
        "and the factor grows without bound as h → 0",
    )


def printed_cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: both readings; h from 4^-2 to 4^-30."""
    yield {"reading": "product", "k": 2}
    for k in (2, 10, 30):
        yield {"reading": "no smoothness", "k": k}


STATEMENT = Statement(
    name=NAME,
    paper=("Lemma C.1", "Appendix C"),
    claim="T_{i_1}…T_{i_k} = 1 + hΣV_{i_l} + h²Σ_{u<v}V'_{i_u}V_{i_v} + O(h³); order p: Σ_τ 1/σ(τ) Σ_ℓ F_ℓ(τ)",
    hypotheses="The V_i are in C^{1,1} near θ (for order p: C^{p−1,1}), and k is fixed; indices may repeat.",
    rows=(
        Row(
            54,
            "Appendix C, equation (4)",
            "TYPO",
            quote="The main idea is to expand a generic k term iterate T_{i_1} ⋯ T_{i_k}(θ) = (1 + hV_{i_1})(θ) ⋯ (1 "
            "+ hV_{i_k})(θ) in Taylor's series in the learning rate.",
            why="The right side reads as a product of vectors; the maps are composed.",
            correct="(1 + hV_{i_1}) ⋯ (1 + hV_{i_k})(θ), as in Appendix D.1.",
            severity="typo",
        ),
        Row(
            56,
            "Lemma C.1",
            "HYP",
            quote="Then for any choice of indices i_1, …, i_k we have that T_{i_1} ⋯ T_{i_k} = 1 + h Σ_{l=1}^k "
            "V_{i_l} + h² Σ_{1≤u<v≤k} V'_{i_u}V_{i_v} + O(h³)",
            why="Without smoothness the remainder can be larger: for V_1(x) = |x|^{3/2} and V_2 = 1 it is h^{5/2} at "
            "0.",
            correct="The V_i are C^{1,1} near θ, and k is fixed as h → 0; the remainder grows like (kh)³.",
            severity="repairable",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    printed_cases=printed_cases,
    derivation="proofs/symbolic/composition_expansion.py:second_order",
    test="tests/theory/statements/appendix_c/test_composition_expansion.py",
)
