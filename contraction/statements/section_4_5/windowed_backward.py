"""Sections 4 and 5, "intermittent backward": backward inside windows of w maps, each from the end of the one before.

Problem
    Iterate n is T_{m+1} … T_n applied to iterate m, where m = w ⌊(n−1)/w⌋ and the maps are i.i.d.
Guarantee (Exact)
    At every n its law is that of the forward iterate. At the ends of windows it is a forward chain S_m … S_1 θ_0 of the
    blocks S_j = T_{(j−1)w+1} … T_{jw}. It approaches a point only inside a window, and a window forgets its start up to
    k^w.
    For additive noise, T(x) = (1−h) x + hε, let a = (1−h)^w and S = hσ²/(2−h). Successive ends from θ_0 = E ε differ by
    E(θ_{(m+1)w} − θ_{mw})² = S((1−a)² (1−a^{2m}) + 1 − a²), which tends to 2S(1−a).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from contraction.maps.orders import Backward, Forward, Windowed
from contraction.statements.cases.exact_words import (
    affine_map,
    all_words,
    iid,
    iterate_law,
    law_of,
    overlap,
    random_fraction,
    rows,
)
from contraction.statements.records import Row, Statement, Tier, Verdict
from contraction.statements.section_2.equality_of_laws import kink, random_weights

NAME, ROWS = "windowed_backward", (74,)
Parameters = Sequence[tuple[Fraction, Fraction, Fraction]]


def check(
    parameters: Parameters, weights: Sequence[Fraction], theta0: Sequence[Fraction], w: int, n: int, seed: int = 0
) -> Verdict:
    """Compare, exactly, the laws of windowed and forward iterate n; measured is the mass that they share.

    Also: windowed iterates at window ends are blocks applied one after another (by separate backward runs), and two
    starts of the last window end within k^w of each other, k the largest |a| + |c| of the maps x -> a x + c |x| + b.
    """
    maps, words = [kink(*p) for p in parameters], iid(weights, n)
    array = np.array(list(words), dtype=int)
    windowed, forward = (iterate_law(maps, words, theta0, order) for order in (Windowed(w), Forward()))
    path = rows(maps, array, theta0, Windowed(w))
    blocks = law_of(path[:, 0], words.values()) == {tuple(theta0): Fraction(1)}
    for end in range(w, n + 1, w):
        block = rows(maps, array[:, end - w : end], path[:, end - w], Backward(), at=[w])[:, 0]
        blocks &= bool(np.all(block == path[:, end]))
    k, starts = max(abs(a) + abs(c) for a, _, c in parameters), [np.array(theta0), np.array(theta0) + 1]
    size = min(w, n)
    ends = [rows(maps, array[:, :size], s, Backward(), at=[size])[:, 0] for s in starts]
    forgets = np.max(np.abs(ends[0] - ends[1])) <= k**size
    return Verdict(
        NAME,
        ROWS,
        "exact",
        windowed == forward and blocks and forgets,
        float(overlap(windowed, forward)),
        1.0,
        seed=seed,
        hypotheses="The maps are i.i.d.",
        note=f"w={w}, n={n}, {len(windowed)} atoms",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: w = 3 with n up to 8 as audited, and random windows; two nonlinear maps, any slopes."""
    for k in range(10 if tier == "standard" else 60):
        w, n = (3, 8 - k) if k < 3 else (int(rng.integers(1, 5)), int(rng.integers(1, 7)))
        parameters = [
            (random_fraction(rng, -1, 1, 4), random_fraction(rng, -2, 2, 3), random_fraction(rng, -1, 1, 4) / 2)
            for _ in range(2)
        ]
        yield {
            "parameters": parameters,
            "weights": random_weights(rng, 2),
            "theta0": [random_fraction(rng, -2, 2)],
            "w": w,
            "n": n,
            "seed": k,
        }


def step_between_ends(h: Fraction, w: int, m: int) -> tuple[Fraction, Fraction]:
    """E (θ_{(m+1)w} - θ_{mw})² for eps = ±1 from 0: over all words, and by the formula (sigma = 1)."""
    words = all_words(2, (m + 1) * w)
    maps = [affine_map(1 - h, -h), affine_map(1 - h, h)]
    path = rows(maps, words, [Fraction(0)], Windowed(w), at=[m * w, (m + 1) * w])
    result = Fraction(np.sum((path[:, 1, 0] - path[:, 0, 0]) ** 2)) / len(words)
    a, S = (1 - h) ** w, h / (2 - h)
    return result, S * ((1 - a) ** 2 * (1 - a ** (2 * m)) + 1 - a * a)


def check_printed(h: Fraction = Fraction(1, 2), w: int = 3, m: int = 3) -> Verdict:
    """Check that the mean square distance of successive window ends (measured) is not 0."""
    result, formula = step_between_ends(h, w, m)
    return Verdict(
        NAME,
        ROWS,
        "beyond",
        result == formula and result > 0,
        float(result),
        0.0,
        note=f"quadratic of Section 3.1, h={h}, w={w}: E|θ_{(m + 1) * w} − θ_{m * w}|² is {float(result):.6g}, and "
        f"its limit is {2 * h / (2 - h) * (1 - (1 - h) ** w)}",
    )


STATEMENT = Statement(
    name=NAME,
    paper=("Section 4", "Section 5"),
    claim="windowed iterates have the forward law at every n; at window ends they are a forward chain of blocks",
    hypotheses="The maps are i.i.d., and 0 < h < 2 for the limit of the steps.",
    rows=(
        Row(
            74,
            "Section 5, the reset of the starting point",
            "OK",
            quote="We see that this approach leads to convergence and increased stability in Figure 3; however the "
            "backward trajectory may change and converge to a different point at each reset.",
            beyond="For i.i.d. maps the ends of the windows are a forward chain of blocks, with the law of forward "
            "SGD. The point that a window approaches does not depend on the point of reset; after w steps this is "
            "true up to a term of order k^w.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    test="tests/theory/statements/section_4_5/test_windowed_backward.py",
)
