"""Section 5, "the only order": every order whose j-th outermost map is eventually constant, for each j, converges.

Problem
    The maps have a common factor k < 1 and d(θ_0, T_i θ_0) ≤ D. Iterate n is a word of T_1 … T_n applied to θ_0.
Guarantee (Upper)
    If two words agree on their p outermost maps, their values differ by at most 2 k^p D/(1−k). So the iterates converge
    wherever the agreement of word n with later words tends to infinity. Examples are T_2 T_1 T_3 … T_n, and each new
    map inserted at a depth that grows without bound. The constant is sharp: take all maps inside as x → kx + D in one
    word and x → kx − D in the other.
Printed (true in its own words)
    "The only order in which the sequence of the last examples … remains consistent at each training step." Let w_n be
    the word of iterate n, outermost map first, and suppose that (a) w_n holds each of 1 … n exactly once, and (b) at
    each step n ≥ 2 the outermost maps of iterate n−1 stay where they are, so that w_n begins with w_{n−1}. Then w_n is
    (1, …, n). The proof is by induction. By (a), w_1 = (1). If w_{n−1} = (1, …, n−1), then by (b) w_n begins with these
    n−1 letters, by (a) it has n letters, and the letter that is left is n. The function `consistent_words` obtains the
    same by search.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import numpy as np

from contraction.maps.iterates import iterates
from contraction.maps.operators import Operators, RandomOperator
from contraction.maps.orders import Backward, CustomOrder, Order
from contraction.statements.cases.exact_words import random_fraction
from contraction.statements.records import Row, Statement, Tier, Verdict

NAME, ROWS = "other_convergent_orders", (71,)


def inserted(depth: Callable[[int], int]) -> CustomOrder:
    """Return the order that puts map n under min(depth(n), n-1) maps of word n-1, at every n."""
    words: list[tuple[int, ...]] = [()]

    def word(n: int) -> tuple[int, ...]:
        while len(words) <= n:
            m, last = len(words), words[-1]
            at = min(depth(m), m - 1)
            words.append((*last[:at], m, *last[at:]))
        return words[n]

    return CustomOrder(words=word)


#: Orders other than backward whose outermost maps are eventually constant, made anew by calling.
ORDERS: dict[str, Callable[[], Order]] = {
    "T_2 T_1 T_3 … T_n": lambda: CustomOrder(words=lambda n: (1,) if n == 1 else (2, 1, *range(3, n + 1))),
    "new map in the middle": lambda: inserted(lambda n: n // 2),
    "new map under √n others": lambda: inserted(lambda n: int(n**0.5)),
    "backward": Backward,
}


def agreement(first: Sequence[int], second: Sequence[int]) -> int:
    """Return the number of outermost maps that two words share."""
    p = 0
    for a, b in zip(first, second, strict=False):
        if a != b:
            break
        p += 1
    return p


def bound(k: Fraction, p: int, D: Fraction) -> Fraction:
    """2 k^p D/(1-k)."""
    return 2 * k**p * D / (1 - k)


def attained(k: Fraction, p: int, D: Fraction, inner: int) -> tuple[Fraction, Fraction]:
    """Return the distance of two words that share p maps x -> k x and go on with ``inner`` maps k x + D, or k x - D.

    It is computed from the package's iterates; the second number is what it must be, the bound times 1 - k^inner, which
    tends to 1.
    """
    letters = [Fraction(0)] * p + [D] * inner + [-D] * inner
    words = {1: range(1, p + inner + 1), 2: [*range(1, p + 1), *range(p + inner + 1, p + 2 * inner + 1)]}
    family = RandomOperator(draw=lambda rng: letters[0], apply=lambda x, b: k * x + b)
    order = CustomOrder(words=lambda n: tuple(words[n]))
    ends = iterates(Operators(family, letters), np.array([Fraction(0)], dtype=object), order, at=[1, 2])[:, 0]
    return abs(ends[0] - ends[1]), bound(k, p, D) * (1 - k**inner)


def values(order: Order, k: Fraction, shifts: Sequence[Fraction], theta0: Fraction) -> list[Fraction]:
    """Return iterates 0 … N of T_i(x) = θ_0 + b_i + k |x - θ_0|, exactly.

    Factor k, displacement |b_i| at θ_0.
    """
    family = RandomOperator(draw=lambda rng: shifts[0], apply=lambda x, b: theta0 + b + k * np.abs(x - theta0))
    return iterates(Operators(family, list(shifts)), np.array([theta0], dtype=object), order)[:, 0].tolist()


def consistent_words(n: int) -> list[tuple[int, ...]]:
    """Every word of n maps that a consistent order can have.

    A word is a permutation of 1 … m at every m <= n, and begins with the one before. All permutations are tried at each
    step.
    """
    result: list[tuple[int, ...]] = [()]
    for m in range(1, n + 1):
        before = set(result)
        result = [w for w in itertools.permutations(range(1, m + 1)) if w[:-1] in before]
    return result


def check(order: str | Order, k: Fraction, shifts: Sequence[Fraction], theta0: Fraction = Fraction(0)) -> Verdict:
    """Compare |θ_n - θ_m| for all n < m with 2 k^p D/(1-k), p the agreement of the two words, in rationals.

    From below as well: for every p that occurs, `attained` with the same k and D must give the bound times 1 - k^inner
    exactly, inner the number of maps. The ratio shown is the largest of all.
    """
    chosen = ORDERS[order]() if isinstance(order, str) else order
    theta, N = values(chosen, k, shifts, theta0), len(shifts)
    D = max((abs(b) for b in shifts), default=Fraction(0))
    words = [()] + [tuple(chosen.word(n)) for n in range(1, N + 1)]
    result: list[tuple[bool, Fraction, Fraction, str]] = []
    agreements = set()
    for m in range(1, N + 1):
        for n in range(m):
            p = agreement(words[n], words[m])
            agreements.add(p)
            pair = abs(theta[m] - theta[n]), bound(k, p, D)
            result.append((pair[0] > pair[1], *pair, "words that agree outside"))
    for p in sorted(agreements):
        reached, predicted = attained(k, p, D, N)
        result.append((reached != predicted, reached, bound(k, p, D), "attained by all +D against all -D"))
    worst = max(result, key=lambda f: (f[0], f[1] / f[2] if f[2] else Fraction(0)), default=(False, D, D, ""))
    return Verdict(
        NAME,
        ROWS,
        "upper",
        not any(f[0] for f in result),
        float(worst[1]),
        float(worst[2]),
        part=worst[3],
        hypotheses="The maps have a common k < 1, D < ∞, and the words agree on their outermost maps.",
        note=f"{order}, k={k}, N={N}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: every order of `ORDERS`, k from 0 to 19/20, up to 24 maps."""
    for order in ORDERS:
        for k in (Fraction(0), Fraction(19, 20), *(Fraction(int(rng.integers(1, 20)), 20) for _ in range(2))):
            N = int(rng.integers(2, 16 if tier == "standard" else 40))
            yield {
                "order": order,
                "k": k,
                "shifts": [random_fraction(rng, -2, 2, 8) for _ in range(N)],
                "theta0": random_fraction(rng, -3, 3),
            }


def check_printed(
    k: Fraction = Fraction(1, 2), N: int = 60, seed: int = 0, orders: Sequence[str] = tuple(ORDERS)
) -> Verdict:
    """Check the printed sentence, and count the orders other than backward whose iterates settle.

    The sentence: `consistent_words` up to n = 6 are those of the backward order alone. Settled: the exact diameter of
    iterates N/2 … N is at most 2 k^p D/(1-k) with p, the least agreement among their words, at least sqrt(N)/2, and the
    words are not those of the backward order.
    """
    rng = np.random.default_rng(seed)
    shifts = [random_fraction(rng, -2, 2, 8) for _ in range(N)]
    result, note = 0, []
    for name in orders:
        order = ORDERS[name]()
        tail = values(order, k, shifts, Fraction(0))[N // 2 :]
        p = min(agreement(order.word(n), order.word(n + 1)) for n in range(N // 2, N))
        diameter = max(tail) - min(tail)
        consistent = p >= N**0.5 / 2 and diameter <= bound(k, p, max(map(abs, shifts)))
        if consistent and any(tuple(order.word(n)) != tuple(range(1, n + 1)) for n in range(1, N + 1)):
            result += 1
            note.append(f"{name}: diameter {float(diameter):.1e} beyond n = {N // 2}")
    alone = all(consistent_words(n) == [tuple(range(1, n + 1))] for n in range(1, 7))
    return Verdict(
        NAME,
        ROWS,
        "beyond",
        result > 0 and alone,
        result,
        0.0,
        seed=seed,
        note="consistent at each training step: the backward order alone, by trying all orders of up to 6 maps; "
        "consistent from some step on: " + "; ".join(note),
    )


STATEMENT = Statement(
    name=NAME,
    paper=("Section 5",),
    claim="words that agree on p outermost maps differ by at most 2k^p D/(1−k); agreement → ∞ ⇒ convergence",
    hypotheses="The maps have a common k < 1, and D < ∞.",
    rows=(
        Row(
            71,
            "Section 5, the only order",
            "OK",
            quote="Indeed, the backward order is the only order in which the sequence of the last examples used to "
            "produce a parameter iterate remains consistent at each training step.",
            beyond="In these words it is true, and it can be proved. Suppose that iterate n applies each of T_1, …, "
            "T_n once and that at each training step the outermost maps of the previous iterate stay where they are. "
            "Iterate 1 is T_1, and each new map can only be the innermost one, so iterate n is T_1 ⋯ T_n. For "
            "convergence under the hypotheses of Theorem 2.2 less is enough: the j-th outermost map must be the same "
            "from some step on, for each j. So other orders converge too, for example T_2T_1T_3 ⋯ T_n.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    test="tests/theory/statements/section_4_5/test_other_convergent_orders.py",
)
