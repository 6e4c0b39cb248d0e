"""Appendix E.1: almost sure convergence implies convergence in probability, which implies convergence in law.

Problem
    T_b(x) = (x + b)/M with b uniform on 0 … M−1, and X_n = θ_n^B. The limit θ* = lim T_1 … T_n θ_0 is uniform on [0,
    1]. Given the first n digits, θ* is uniform on the cell of these digits, which has the length M^{−n}.
Guarantee (Exact)
    Let s = θ_0 be in [0, 1] and r = max(s, 1−s). Almost surely, the largest possible |X_j − θ*| is r M^{−j} for every
    j. In probability, P(|X_n − θ*| > ε) = P(|U − s| > ε M^n) with U uniform on [0, 1]. In law, sup_x |F_n(x) − x| = r
    M^{−n}.
    The two implications are F_n(x) ≤ F(x + ε) + P(|X_n − θ*| > ε) and F(x − ε) ≤ F_n(x) + P(|X_n − θ*| > ε). They are
    attained at x = 0 for s = 0 and ε = M^{−n}. The function `check_implications` checks them in R^d for any iterates.
    The limit law depends on the start θ_0, for which the last line of Appendix E writes θ*.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from contraction.maps.orders import Backward, Forward, Order
from contraction.statements import comparisons
from contraction.statements.cases.exact_words import Law, Map, affine_map, all_words, iid, law_of, random_fraction, rows
from contraction.statements.records import Row, Statement, Tier, Verdict
from contraction.statements.section_2.equality_of_laws import kink, random_weights

NAME, ROWS = "convergence_modes", (43,)


def cdf(law: Law, x: Sequence[Fraction]) -> Fraction:
    """P(X <= x), componentwise."""
    return sum((w for p, w in law.items() if all(a <= b for a, b in zip(p, x, strict=True))), Fraction(0))


def sup_distance(x: NDArray, y: NDArray) -> NDArray:
    """Largest absolute difference of coordinates, exact."""
    return np.abs(x - y).max(axis=-1)


def digit_maps(M: int) -> list[Map]:
    """T_b(x) = (x + b)/M for b = 0 … M-1: iterate n puts the digits in front of the start."""
    return [affine_map(Fraction(1, M), Fraction(b, M)) for b in range(M)]


def cells(M: int, words: NDArray) -> list[Fraction]:
    """Left ends of the cells of the words' digits, from integers alone; each cell has length M^-n."""
    return [Fraction(int("".join(map(str, word)) or "0", M), M ** len(word)) for word in words.tolist()]


def far_from(x: Fraction, eps: Fraction, left: Fraction, length: Fraction) -> Fraction:
    """Return the share of [left, left + length] that is farther than eps from x."""
    near = min(left + length, x + eps) - max(left, x - eps)
    return 1 - max(near, Fraction(0)) / length


def uniform_cdf(x: Fraction) -> Fraction:
    """P(U <= x) on [0, 1]."""
    return min(max(x, Fraction(0)), Fraction(1))


def check(M: int, start: Fraction, n: int, more: int, eps: Fraction, order: Order | None = None) -> Verdict:
    """Compare the package's iterates n … n + more of all words of digits with the limit, whose law is known.

    Compared exactly: the largest distance from the limit at every step (almost surely), the chance of a distance above
    eps (in probability), the distance of distribution functions (in law), and the implications at every atom.
    """
    words = all_words(M, n + more)
    paths = rows(digit_maps(M), words, [start], order or Backward())[:, :, 0]
    left, length = cells(M, words), Fraction(1, M ** (n + more))
    reach = max(start, 1 - start)
    measured, claimed, parts = [], [], []
    for j in range(n, n + more + 1):
        measured.append(max(max(abs(x - a), abs(x - a - length)) for x, a in zip(paths[:, j], left, strict=True)))
        claimed.append(reach / M**j)
        parts.append(f"almost surely, iterate {j}")
    far = sum((far_from(x, eps, a, length) for x, a in zip(paths[:, n], left, strict=True)), Fraction(0)) / len(words)
    measured.append(far)
    claimed.append(far_from(start, eps * M**n, Fraction(0), Fraction(1)))
    parts.append("in probability")
    now = law_of(paths[:, n], [Fraction(1, len(words))] * len(words))
    steps, below = [], Fraction(0)
    for (x,), weight in sorted(now.items()):
        steps.append((x, below, below + weight))
        below += weight
    measured.append(max(max(abs(F - uniform_cdf(x)) for F in (before, after)) for x, before, after in steps))
    claimed.append(reach / M**n)
    parts.append("in law")
    implied = [after <= uniform_cdf(x + eps) + far for x, _, after in steps]
    implied += [uniform_cdf(x - eps) <= before + far for x, before, _ in steps]  # F_n is least just below its atoms
    return comparisons.equal(
        NAME,
        ROWS,
        [*measured, int(all(implied))],
        [*claimed, 1],
        [*parts, "in probability implies in law"],
        hypotheses="The maps append base-M digits, and θ_0 is in [0, 1], so that θ* is uniform.",
        note=f"M={M}, θ_0={start}, n={n}, eps={eps}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: two to four digits, starts in [0, 1] with both ends, thresholds below, at and above M^-n."""
    for k in range(8 if tier == "standard" else 60):
        M, n = int(rng.integers(2, 5)), int(rng.integers(0, 4))
        yield {
            "M": M,
            "n": n,
            "more": int(rng.integers(0, 3)),
            "start": Fraction(k % 2) if k < 4 else random_fraction(rng, 0, 1),
            "eps": Fraction(1, M**n) * (1 if k < 2 else Fraction(int(rng.integers(0, 13)), 12)),
        }


def check_implications(
    maps: Sequence[Map],
    weights: Sequence[Fraction],
    theta0: Sequence[Fraction],
    n: int,
    N: int,
    eps: Fraction,
    seed: int = 0,
    order: Order | None = None,
) -> Verdict:
    """Check the inequalities at every atom, with X_N as the limit; the verdict holds the worst pair.

    They hold for any random variables whatever, and so say nothing of the iterates that `check` does not say.
    """
    words = iid(weights, N)
    chances = list(words.values())
    paths = rows(maps, list(words), theta0, order or Backward())
    gaps = sup_distance(paths[:, n:], paths[:, N:])
    far_now = sum((w for w, gap in zip(chances, gaps[:, 0], strict=True) if gap > eps), Fraction(0))
    far_later = sum((w for w, gap in zip(chances, gaps.max(axis=1), strict=True) if gap > eps), Fraction(0))
    now, end = law_of(paths[:, n], chances), law_of(paths[:, N], chances)
    pairs = [(far_now, far_later)]
    for x in now:
        pairs.append((cdf(now, x), cdf(end, [a + eps for a in x]) + far_now))
    for x in end:
        pairs.append((cdf(end, x), cdf(now, [a + eps for a in x]) + far_now))
    measured, claimed = max(pairs, key=lambda p: (p[0] > p[1], p[0] / p[1] if p[1] else Fraction(1)))
    return Verdict(
        NAME,
        ROWS,
        "upper",
        all(m <= c for m, c in pairs),
        float(measured),
        float(claimed),
        seed=seed,
        hypotheses="The random variables are arbitrary; in R^d, F is taken componentwise.",
        note=f"n={n}, N={N}, eps={eps}, d={len(theta0)}",
    )


def implication_cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: 2 maps of R^d, d up to 3, contracting or not; n < N <= 6 and thresholds from tiny to large."""
    for k in range(8 if tier == "standard" else 60):
        N = int(rng.integers(2, 7))
        maps = [
            kink(random_fraction(rng, -1, 1, 4), random_fraction(rng, -1, 1, 3), random_fraction(rng, -1, 1, 6) / 2)
            for _ in range(2)
        ]
        yield {
            "maps": maps,
            "weights": random_weights(rng, 2),
            "N": N,
            "n": int(rng.integers(0, N)),
            "theta0": [random_fraction(rng, -2, 2) for _ in range(int(rng.integers(1, 4)))],
            "eps": Fraction(1, int(rng.choice([1, 3, 10, 1000]))),
            "seed": k,
        }


def check_start(k: Fraction, y0: Fraction, n: int) -> tuple[Law, Law]:
    """Compare the exact laws of both iterates of T(x, y) = (k x + b, y), b in {0, 1}: the limit keeps y."""
    maps: list[Map] = [lambda p, b=b: p * np.array([k, 1], dtype=object) + np.array([b, 0]) for b in (0, 1)]
    words = iid([Fraction(1, 2)] * 2, n)
    return tuple(  # type: ignore[return-value]
        law_of(rows(maps, list(words), [Fraction(0), y0], order, at=[n]), words.values())
        for order in (Forward(), Backward())
    )


def check_printed(k: Fraction = Fraction(1, 2), n: int = 5, starts: tuple[int, int] = (0, 1)) -> Verdict:
    """Check that the limit law depends on the start: T(x, y) = (x/2 + b, y) has another limit law for every y.

    Measured is the largest distance of distribution functions of iterate n from two starts; a limit law that named no
    start (θ* in its place) would give 0.
    """
    laws = [check_start(k, Fraction(y0), n) for y0 in starts]
    points = set(laws[0][0]) | set(laws[1][0])
    gap = max(abs(cdf(laws[0][1], x) - cdf(laws[1][1], x)) for x in points)
    return Verdict(
        NAME,
        (42,),
        "refuted",
        gap > 0 and all(f == b for f, b in laws),
        float(gap),
        0.0,
        note=f"T(x, y) = ({k} x + b, y): the largest difference of the distribution functions of θ_{n} from two starts",
    )


STATEMENT = Statement(
    name=NAME,
    paper=("Appendix E", "Theorem 2.6"),
    claim="a.s. ⇒ in probability ⇒ in law: F_n(x) ≤ F(x + ε) + P(|X_n − X| > ε)",
    hypotheses="The implications hold for any random variables; the check takes limits of known law.",
    rows=(
        Row(
            42,
            "Appendix E.2, last sentence",
            "TYPO",
            quote="The limiting stationary distribution μ_{θ*} is simply the probability measure corresponding to "
            "F_∞^{θ*}, i.e. μ_{θ*} := dF_∞^{θ*}.",
            why="The function was defined as F_∞^{θ_0}; the limit law may depend on the start θ_0.",
            correct="F_∞^{θ_0}, and μ_{θ*} := dF_∞^{θ_0}.",
            severity="typo",
        ),
        Row(43, "Appendix E.1, modes of convergence", "OK"),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    test="tests/theory/statements/appendix_e/test_convergence_modes.py",
)
