"""Section 4, "converges faster" along one path: the backward path settles early, the forward path never does.

Problem
    T_i(θ) = (1−h) θ + hε_i with ε_i uniform on [−1, 1], from θ_0 = 0 and for N steps. The settling time of a path is
    the first n from which it stays within h/4 of its last iterate.
Guarantee (Statistical; the backward half is sure)
    The backward path settles by n_B = ⌈log((1−k)/4) / log k⌉, whatever N is. The forward path settles at N − m or later
    except with probability 2^{−(m−1)}, because in a settled stretch every step is shorter than h/2, which has a
    conditional probability of at most ½.
Smallest wrong claim that is detected
    A backward bound that is wrong by one step either way is detected surely: the path with all noise at the end of its
    range settles exactly there. The forward bound is one-sided: its m is larger than it need be, and the check refuses
    a claim only if one of the paths settles earlier, as about one in twenty does before N − 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from contraction.families import QuadraticSGD, Uniform
from contraction.maps.iterates import backward_iterates, paired_iterates
from contraction.maps.operators import Operators
from contraction.statements.cases.error_rates import FALSE_ALARM, statistical
from contraction.statements.records import Control, Row, Statement, Tier, Verdict

NAME, ROWS = "settling_times", (73,)


def settling(paths: NDArray, tolerance: float) -> NDArray:
    """First index from which each path (R, N+1) stays within the tolerance of its last point."""
    away = np.abs(paths - paths[:, -1:]) > tolerance
    last = paths.shape[1] - 1 - np.argmax(away[:, ::-1], axis=1)
    return np.where(away.any(axis=1), last + 1, 0)


def backward_bound(h: float) -> int:
    """Return the least n with k^n <= (1-k)/4, exactly.

    |θ_N - θ_n| <= k^n h/(1-k) <= h/4 for backward iterates from 0.

    The logarithms are good to one unit, which integers decide.
    """
    k = Fraction(abs(1 - h))
    if k == 0:
        return 1
    n = max(0, math.ceil(math.log((1 - float(k)) / 4) / math.log(float(k))))
    while n and k ** (n - 1) <= (1 - k) / 4:
        n -= 1
    while k**n > (1 - k) / 4:
        n += 1
    return n


def late_steps(replicas: int) -> int:
    """Return m = 1 + log2(replicas/1e-9).

    One of so many forward paths settles before N - m with probability at most 1e-9.
    """
    return 1 + math.ceil(math.log2(replicas / FALSE_ALARM))


def worst_settling(h: float) -> int:
    """Settling time of the backward path with every noise at an end of its range: it goes one way with each step.

    As many maps as it takes for k^N to be below 2^-60; the tolerance has room for rounding, as in `check`.
    """
    k = abs(1 - h)
    N = 3 if k == 0 else 3 + math.ceil(60 / -math.log2(k))
    ends = [np.array([math.copysign(1.0, (1 - h)) ** i]) for i in range(N)]
    path = backward_iterates(Operators(QuadraticSGD(h, Uniform(-1, 1)), ends), 0.0)[None, :, 0]
    return int(settling(path, h / 4 * (1 + 2.0**-40))[0])


def check(
    h: float,
    N: int,
    replicas: int,
    seed: int,
    claimed: Callable[[float], int] | None = None,
    late: Callable[[int], int] | None = None,
) -> Verdict:
    """Compare settling times with their bounds, and the backward bound from below: one path attains it.

    Parts: the backward times are at most the sure bound; the path with extreme noise settles exactly there; the forward
    times are at least N - m: false alarm 1e-9. Orders exchanged would fail surely once N - m exceeds the backward
    bound, which N is required to. The distance of two integers is shown with threshold 1/2.

    Raises
    ------
    ValueError
        If N is not above the backward bound by more than m.
    """
    m, bound = (late or late_steps)(replicas), (claimed or backward_bound)(h)
    if N - m <= bound:
        raise ValueError(f"N must exceed {bound + m} for h = {h} and {replicas} paths, got {N}")
    paths = paired_iterates(QuadraticSGD(h, Uniform(-1, 1)).sample(N, seed, replicas=replicas), 0.0)
    forward, backward = (settling(p[:, :, 0], h / 4 * (1 + 2.0**-40)) for p in paths)
    return statistical(
        NAME,
        ROWS,
        [
            ("backward bound attained", abs(worst_settling(h) - bound), 0.5),
            ("backward settling times", float(backward.max()), max(bound, 0.5)),
            ("forward settling times", float(N - forward.min()), float(m)),
        ],
        seed=seed,
        paths=replicas,
        hypotheses="0 < h < 2, and the noise is bounded.",
        error_rates=(FALSE_ALARM, 0.0),
        note=f"h={h}, N={N}: backward median {np.median(backward):g} (sure bound {bound}), forward median "
        f"{np.median(forward):g} (at least {N - m})",
    )


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: h = 0.1 with N = 400 as in the figure of the audit, and others on both sides of 1; 1,000 paths."""
    for h in (0.1, 1.0, 1.8, *rng.uniform(0.1, 1.9, 2 if tier == "standard" else 40)):
        yield {"h": float(h), "N": 400, "replicas": 1000, "seed": int(rng.integers(2**31))}


def _with(claimed: Callable[[float], int] | None = None, late: Callable[[int], int] | None = None):
    return lambda seed: check(0.1, 400, 1000, seed, claimed, late)


CONTROLS = (
    Control("the backward bound × 1.5", _with(lambda h: math.ceil(1.5 * backward_bound(h))), "backward bound attained"),
    Control("the backward bound + 1", _with(lambda h: backward_bound(h) + 1), "backward bound attained"),
    Control("the backward bound − 1", _with(lambda h: backward_bound(h) - 1), "backward bound attained"),
    Control("forward paths do not settle before N − 1", _with(late=lambda replicas: 1), "forward settling times"),
)


STATEMENT = Statement(
    name=NAME,
    paper=("Section 4", "Appendix A"),
    claim="a backward path settles within ⌈log((1−k)/4)/log k⌉ steps, a forward path not before N − O(1)",
    hypotheses="0 < h < 2, and the noise is bounded.",
    rows=(
        Row(
            73,
            "Section 4, stability along a path",
            "OK",
            quote="We observe that the training loss for the backward trajectory is more stable, converges faster, "
            "and has less variability than the forward trajectory, and similarly for all the other learning curves.",
            beyond="The notes at the head of Section 4 and of Appendices A and B say that variability is meant per "
            "realization. In this sense the model of Section 3.1 agrees: a backward path stays within any given "
            "distance of its limit after finitely many steps, and a forward path leaves every small neighbourhood "
            "again and again.",
        ),
    ),
    check=check,
    cases=cases,
    controls=CONTROLS,
    test="tests/theory/statements/section_4_5/test_settling_times.py",
)
