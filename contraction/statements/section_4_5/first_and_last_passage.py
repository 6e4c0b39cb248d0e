"""Section 4: forward paths enter a half-line at least as soon; backward paths are at least as likely to stay in it.

Problem
    The model is that of Section 3.1 with Gaussian noise, T_i(θ) = kθ + hε_i with k = 1 − h and |k| < 1. The target is a
    half-line {θ < c}.
Guarantee (Upper)
    At each n the two orders have the same law, and Cov(θ_n^B, θ_m^B) = S_{n∧m} ≥ k^{|n−m|} S_{n∧m} = Cov(θ_n^F, θ_m^F).
    By Slepian's inequality, for all n ≤ N,
        P(forward enters {θ < c} by N) ≥ P(backward enters it by N), and
        P(backward is in {θ < c} at n, …, N) ≥ P(forward is in it at n, …, N).
    Under Theorem 2.2 with i.i.d. maps, let f be a continuous score with 0 < μ{f < c} < 1 and μ{f = c} = 0. Almost
    surely, forward enters {f < c} and leaves it infinitely often. Backward stays in it from some n on with the chance
    μ{f < c}. For other maps this is a tendency: in the chain of row 78 the roles are reversed.
Smallest wrong claim that is detected
    Covariances are compared exactly, and probabilities to about 1e-12 (by Gauss-Legendre rules of two sizes). So the
    check detects the two orders exchanged in either inequality, and any covariance other than S_{n∧m}.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from contraction.maps.iterates import iterates
from contraction.maps.operators import Operators, RandomOperator
from contraction.maps.orders import Backward, Forward, Order
from contraction.statements.cases.exact_words import affine_map, iid, rows
from contraction.statements.records import Control, Row, Statement, Tier, Verdict
from contraction.statements.section_2.synchronisation import descending_chain

NAME, ROWS = "first_and_last_passage", (84,)
NODES = 120
REACH = 9.0  # standard deviations beyond which a Gaussian has mass below 1e-18


def covariance(h: Fraction, N: int, order: Order) -> list[list[Fraction]]:
    """Cov(θ_n, θ_m), n, m = 1 … N, exactly: replica i of the package's iterates has unit noise in its map i."""
    family = RandomOperator(draw=lambda rng: 0, apply=lambda x, e: (1 - h) * x + h * e, vectorized=True)
    units = np.array([[Fraction(int(i == j)) for j in range(N)] for i in range(N)], dtype=object)
    result = iterates(Operators(family, list(units[:, :, None]), replicas=N), np.array([Fraction(0)]), order)
    weights = result[:, 1:, 0]
    return [[sum(weights[:, n] * weights[:, m], Fraction(0)) for m in range(N)] for n in range(N)]


def claimed_covariance(h: Fraction, N: int, order: Order) -> list[list[Fraction]]:
    """S_{n∧m}, times k^|n-m| for the forward order; S_n = h² (1 + k² + … + k^(2n-2))."""
    k = 1 - h
    S = [h * h * sum(k ** (2 * j) for j in range(n)) for n in range(1, N + 1)]
    forward = isinstance(order, Forward)
    return [[S[min(n, m)] * (k ** abs(n - m) if forward else 1) for m in range(N)] for n in range(N)]


def chance_to_stay(h: float, start: float, c: float, n: int, N: int, order: Order, below: bool, nodes: int) -> float:
    """P(θ_n, …, θ_N all below c, or all at least c), by Gauss-Legendre rules on the half-line that is allowed.

    Both paths are Markov chains with Gaussian steps: forward x -> k x + h e, backward x -> x + k^n h (e - θ_0).
    """
    k = 1 - h
    mean, sd = k**n * start, h * np.sqrt(np.sum(k ** (2.0 * np.arange(n))))
    wide = max(abs(k**j * start) for j in range(N + 1)) + REACH * h / np.sqrt(1 - k * k)
    low, high = (-wide, c) if below else (c, wide)
    z, w = np.polynomial.legendre.leggauss(nodes)
    x, w = low + (high - low) * (z + 1) / 2, w * (high - low) / 2
    density = _gaussian(x, mean, sd)
    for j in range(n, N):
        forward = isinstance(order, Forward)
        centers = k * x if forward else x - k**j * h * start
        density = _gaussian(x[:, None], centers, h if forward else abs(k**j) * h) @ (w * density)
    return float(w @ density)


def _gaussian(x: NDArray, mean: float | NDArray, sd: float) -> NDArray:
    return np.exp(-(((x - mean) / sd) ** 2) / 2) / (sd * np.sqrt(2 * np.pi))


def chance(h: float, start: float, c: float, n: int, N: int, order: Order, below: bool) -> tuple[float, float]:
    """`chance_to_stay` and a bound on its error: the change from a rule of half the size, which is far larger."""
    coarse, fine = (chance_to_stay(h, start, c, n, N, order, below, m) for m in (NODES, 2 * NODES))
    return fine, abs(fine - coarse) + 1e-12


def check(h: Fraction, start: float, c: float, n: int, N: int, exchanged: bool = False) -> Verdict:
    """Check both inequalities at (n, N), and count the covariances that differ from the claim (threshold 1/2).

    ``exchanged`` puts each order in the other's place.
    """
    orders = (Backward(), Forward()) if exchanged else (Forward(), Backward())
    exact = [covariance(h, N, order) for order in (Forward(), Backward())]
    wrong = sum(
        c != s for order, C in zip(orders, exact, strict=True) for c, s in _pairs(C, claimed_covariance(h, N, order))
    )
    wrong += sum(f > b for f, b in _pairs(*exact)) + sum(exact[0][j][j] != exact[1][j][j] for j in range(N))
    stay = [chance(float(h), start, c, n, N, order, below=True) for order in orders]
    never = [chance(float(h), start, c, 1, N, order, below=False) for order in orders]
    return Verdict.upper(
        NAME,
        ROWS,
        [wrong, stay[0][0], 1 - never[1][0]],
        [0.5, stay[1][0] + stay[0][1] + stay[1][1], 1 - never[0][0] + never[0][1] + never[1][1]],
        parts=["covariances", "forward stays", "backward enters"],
        hypotheses="The noise is Gaussian, |1 − h| < 1, and the target is a half-line.",
        note=f"h={h}, from {start}, c={c}, n={n}, N={N}",
    )


def _pairs(A: list[list[Fraction]], B: list[list[Fraction]]) -> Iterator[tuple[Fraction, Fraction]]:
    for left, right in zip(A, B, strict=True):
        yield from zip(left, right, strict=True)


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: h on both sides of 1, starts and levels on both sides of the minimum, paths of 2 to 4 maps."""
    for h in (Fraction(3, 10), Fraction(1, 2), Fraction(7, 5), Fraction(8, 5)):
        for _ in range(2 if tier == "standard" else 12):
            n = int(rng.integers(1, 3))
            yield {
                "h": h,
                "start": float(rng.uniform(-1, 1)),
                "c": float(rng.uniform(-0.3, 0.3)),
                "n": n,
                "N": n + int(rng.integers(1, 3)),
            }


def bits(p: Fraction, n: int, N: int, order: Order) -> tuple[Fraction, Fraction]:
    """P(in {θ < 1/2} at some step to N) and P(there at n, …, N) for x/2 and x/2 + 1/2 (weight 1 - p), from 0."""
    words = iid([p, 1 - p], N)
    maps = [affine_map(Fraction(1, 2), 0), affine_map(Fraction(1, 2), Fraction(1, 2))]
    paths = rows(maps, list(words), [Fraction(0)], order)[:, 1:, 0].tolist()
    enters = stays = Fraction(0)
    for path, chance in zip(paths, words.values(), strict=True):
        inside = [x < Fraction(1, 2) for x in path]
        enters += chance * any(inside)
        stays += chance * all(inside[n - 1 :])
    return enters, stays


def check_printed(p: Fraction = Fraction(1, 3), n: int = 2, N: int = 7) -> Verdict:
    """Check the other half of the row over all words: bits decide a half-line, and a chain reverses the roles.

    For x/2 + b/2 from 0 the half-line {θ < 1/2} is decided by the outermost bit: forward enters by N with chance
    1 - (1-p)^N and stays with p^(N-n+1), backward both with p = mu{θ < 1/2}. Measured and claimed are the chances
    that backward stays. In the chain of row 78 it is forward that stays in {1} and backward that leaves it.
    """
    forward, backward = bits(p, n, N, Forward()), bits(p, n, N, Backward())
    holds = forward == (1 - (1 - p) ** N, p ** (N - n + 1)) and backward == (p, p)
    maps, weights = descending_chain(3)
    words = iid(weights, 3)
    forward_path, backward_path = (
        rows(maps, list(words), [Fraction(0)], o)[:, 1:, 0] == 1 for o in (Forward(), Backward())
    )
    left = [bool((path[:, :-1] & ~path[:, 1:]).any()) for path in (forward_path, backward_path)]
    return Verdict(
        NAME,
        ROWS,
        "beyond",
        holds and left == [False, True],
        float(backward[1]),
        float(p),
        note=f"x/2 + b/2 with P(b = 0) = {p}, all words of {N}: in {{θ < 1/2}} at {n}, …, {N} with chance "
        f"{float(forward[1]):.6g} forward and {float(backward[1]):.6g} backward, entered by {N} with "
        f"{float(forward[0]):.6g} and {float(backward[0]):.6g}; in the chain of row 78 forward paths never leave 1, "
        "and backward paths do",
    )


CONTROLS = (
    Control(
        "backward enters sooner and forward stays longer",
        lambda seed: check(Fraction(1, 2), 0.2, 0.1, 1, 3, exchanged=True),
    ),
)

STATEMENT = Statement(
    name=NAME,
    paper=("Section 4", "Section 3.1"),
    claim="P(F enters {θ < c} by N) ≥ P(B enters), P(B in {θ < c} on n…N) ≥ P(F in): by Slepian, as Cov^B ≥ Cov^F",
    hypotheses="The model is that of Section 3.1, the noise is Gaussian, |1 − h| < 1, and the target is a half-line.",
    rows=(
        Row(
            84,
            "Section 4, first and last passage",
            "BEYOND",
            beyond="In the model of Section 3.1 with Gaussian noise the two orders trade places along a path: forward "
            "enters a half-line {θ < c} by step N at least as probably as backward, and backward stays in it from "
            "n to N at least as probably as forward. For i.i.d. contractions in general, and a score f that is "
            "below c with a chance strictly between 0 and 1 in the limit, forward enters {f < c} and leaves it "
            "infinitely often, and backward stays in it from some step on with exactly this chance. For other "
            "maps it is a tendency that has to be measured, and there are chains in which the roles are reversed.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    controls=CONTROLS,
    test="tests/theory/statements/section_4_5/test_first_and_last_passage.py",
)
