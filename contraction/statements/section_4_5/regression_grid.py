"""Appendix A.1: the training points are 101, equally spaced and not sampled.

Problem
    The points are x_i = −1 + 2i/N for i = 0, …, N. In the paper N = 100.
Guarantee (Exact)
    These are N + 1 distinct points with both ends included, and every gap is 2/N. The check compares the formula with
    the points of a data set if there is one (the test passes the training data of the networks), and otherwise with
    NumPy's ``linspace(-1, 1, N + 1)``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from contraction.statements.records import Row, Statement, Tier, Verdict

NAME, ROWS = "regression_grid", (70,)


def grid(N: int = 100) -> list[Fraction]:
    """Return the points x_i = -1 + 2i/N, i = 0, …, N."""
    return [Fraction(-1) + Fraction(2 * i, N) for i in range(N + 1)]


def check(N: int = 100, points: ArrayLike | None = None) -> Verdict:
    """Compare the given points, floats with x_i = -1 + 2i/N; measured and claimed are their numbers.

    Rounding: a point of a data set is one division, or a multiplication and an addition of numbers up to 2, so it lies
    within 4 u of x_i, u = 2^-53, far less than a gap.
    """
    result = np.linspace(-1.0, 1.0, N + 1) if points is None else np.asarray(points, dtype=float).ravel()
    x = grid(N)
    close = len(result) == len(x) and all(
        abs(Fraction(float(a)) - b) <= Fraction(4, 2**53) for a, b in zip(result, x, strict=True)
    )
    ends = bool(len(result)) and (result[0], result[-1]) == (-1.0, 1.0)
    gaps = {b - a for a, b in itertools.pairwise(x)}
    holds = close and ends and gaps == {Fraction(2, N)} and len(set(result.tolist())) == N + 1
    return Verdict(NAME, ROWS, "exact", holds, len(set(result.tolist())), N + 1, note=f"N={N}, gaps {gaps}")


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: the paper's N = 100, and others."""
    for N in (100, 1, 2, 7, 1000):
        yield {"N": N}


def check_printed(printed: int = 100) -> Verdict:
    """Compare the 100 points of the text with the 101 different points of the formula, in floats too."""
    count = len({-1 + 2 * i / 100 for i in range(101)})
    return Verdict(NAME, ROWS, "refuted", count != printed, count, printed, note="points x_i, i = 0, …, 100")


STATEMENT = Statement(
    name=NAME,
    paper=("Appendix A.1",),
    claim="x_i = −1 + 2i/100, i = 0, …, 100: 101 equally spaced points",
    hypotheses="There are none.",
    rows=(
        Row(
            70,
            "Appendix A.1, the data",
            "TYPO",
            quote="In this experiment, to verify the increased stability of backward SGD over the standard forward "
            "version, we trained with both algorithms a neural network with 3 layers of 300 neurons with no "
            "regularization each to regress 100 points uniformly sampled from function graphs D = {(x_i, y_i) : y_i "
            "= f(x_i)} with x_i = −1 + (2i)/(100), i = 0, …, 100} using the functions f(x) = x² (Figure 4), f(x) = "
            "cos(10x) (Figure 5), and f(x) = x³ (Figure 6).",
            why="The indices 0, …, 100 name 101 points, the points are equally spaced, and one brace is closed twice.",
            correct="101 equally spaced points, D = {(x_i, f(x_i)) : x_i = −1 + 2i/100, i = 0, …, 100}.",
            severity="typo",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    test="tests/theory/statements/section_4_5/test_regression_grid.py",
)
