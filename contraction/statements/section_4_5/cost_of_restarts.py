"""Section 5, the cost of the full backward order: N(N+1)/2 map applications, and every batch kept.

Problem
    The iterates 1 … N are computed by restarting from θ_0 at each n.
Guarantee (Exact)
    The backward order takes N(N+1)/2 map applications. Map i is used N−i+1 times, so every batch must be kept to the
    end. The forward order takes N applications. A window of w maps costs at most w per step. The wavefront evaluates
    the same N(N+1)/2 points in N batched calls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from contraction.maps.iterates import iterates, plain_iterates
from contraction.maps.operators import Operators, RandomOperator
from contraction.maps.orders import Backward, Forward, Order, Windowed, map_applications
from contraction.statements.records import Row, Statement, Tier, Verdict

NAME, ROWS = "cost_of_restarts", (72,)


def counted(engine, order: Order, N: int) -> tuple[Counter, Counter]:
    """Return calls and evaluated points of each map while an engine makes iterates 1 … N, without its probe."""
    calls, points = Counter(), Counter()

    def apply(theta: NDArray, i: int) -> NDArray:
        calls[i] += 1
        points[i] += theta.size
        return np.sin(theta) / 2 + i

    operators = Operators(RandomOperator(draw=lambda rng: 1, apply=apply), range(1, N + 1))
    engine(operators, 0.5, order, at=[0])
    probed = calls.copy(), points.copy()
    calls.clear()
    points.clear()
    engine(operators, 0.5, order, at=range(1, N + 1))
    calls.subtract(probed[0])
    points.subtract(probed[1])
    return calls, points


def windowed_cost(N: int, w: int) -> int:
    """Return the sum over n of the maps since the start of the window: q w(w+1)/2 + r(r+1)/2 for N = q w + r."""
    q, r = divmod(N, w)
    return q * (w * (w + 1) // 2) + r * (r + 1) // 2


def check(N: int, w: int = 5) -> Verdict:
    """Count the applications of the plain double loop; measured against N(N+1)/2."""
    calls, _ = counted(plain_iterates, Backward(), N)
    total = sum(calls.values())
    batched, points = counted(iterates, Backward(), N)
    forward, _ = counted(plain_iterates, Forward(), N)
    window, _ = counted(plain_iterates, Windowed(w), N)
    holds = total == N * (N + 1) // 2 == map_applications(Backward(), range(1, N + 1))
    holds &= all(calls[i] == points[i] == N - i + 1 and batched[i] == 1 for i in range(1, N + 1))
    holds &= sum(forward.values()) == N and sum(window.values()) == windowed_cost(N, w) <= N * w
    return Verdict(
        NAME,
        ROWS,
        "exact",
        holds,
        total,
        N * (N + 1) // 2,
        hypotheses="Each iterate restarts from θ_0, and the maps are arbitrary.",
        note=f"N={N}: forward {sum(forward.values())}, windows of {w} {sum(window.values())}",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: N up to 40 with random windows."""
    for N in (1, 2, 3, 40, *rng.integers(4, 40, 4).tolist()):
        yield {"N": int(N), "w": int(rng.integers(1, 12))}


STATEMENT = Statement(
    name=NAME,
    paper=("Section 5",),
    claim="iterates 1 … N by restarts cost N(N+1)/2 applications and keep all N batches",
    hypotheses="The maps are arbitrary. (Affine maps can be composed without restarts.)",
    rows=(Row(72, "Section 5, cost of the full backward order", "OK"),),
    check=check,
    cases=cases,
    test="tests/theory/statements/section_4_5/test_cost_of_restarts.py",
)
