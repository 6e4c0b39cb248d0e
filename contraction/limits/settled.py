"""When a backward path counts as settled, where no constant is proved: one rule for `backward_limit` and networks.

No rule can always tell: T(x) = x/2, or x/2 + 2^(10/p) with a small probability p, is a contraction, and whoever stops
after fewer than 1/p maps is wrong nearly always. So what is tested is a stated hypothesis about the maps that come
next, not the limit:

    P(d(theta_n, theta_(n+m)) > eps | T_1 … T_n) <= delta, where theta_(n+m) = T_1 … T_n X and X = T'_1 … T'_m theta0.

At a horizon n, K fresh X are made from theta0 by m new maps each, and the hypothesis is accepted only if every
T_1 … T_n X is within eps of T_1 … T_n theta0. If the hypothesis is false, that happens with probability at most
(1 - delta)^K. The lengths m are pairwise coprime, so that a path with a period is not looked at in step with it, and
grow with n. Test j has (1 - delta)^K <= alpha / (j (j + 1)), so over all horizons a false hypothesis is accepted with
probability at most alpha.

Two more conditions keep small moves from passing for a limit: every X that differs from theta0 must have come nearer
to it, by the factor `SHRUNK`; and if no X differs from theta0, nothing is decided.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["AGREEING_HORIZONS", "SHRUNK", "Answer", "Settling", "judged", "lengths"]

#: At so many successive horizons the test must accept.
AGREEING_HORIZONS = 2
#: A second start must come nearer by this factor: a distance that stays is none that a limit forgets.
SHRUNK = 0.5
SHORTEST = 16  # new maps behind a fresh start, at least

Answer = Literal["agree", "apart", "undecided"]


def lengths(n: int) -> tuple[int, int, int]:
    """Numbers of new maps behind the fresh starts at horizon n: pairwise coprime, and at least n.

    Examples
    --------
    >>> lengths(1), lengths(64)
    ((16, 17, 33), (64, 65, 129))
    """
    m = max(n, SHORTEST)
    return m, m + 1, 2 * m + 1


def judged(before: ArrayLike, after: ArrayLike, eps: float) -> Answer:
    """Whether second starts agree with the first at one horizon.

    Parameters
    ----------
    before
        d(theta0, X) for every second start X, any shape.
    after
        d(T_1 … T_n theta0, T_1 … T_n X), the same shape.
    eps
        The largest distance that agrees.

    Returns
    -------
    {"agree", "apart", "undecided"}
        "undecided" if every X is theta0 itself. A distance that is NaN does not agree.

    Examples
    --------
    >>> judged([1.0, 0.5], [1e-7, 0.0], eps=1e-6), judged([1e-8], [1e-8], eps=1e-6), judged([0.0], [0.0], eps=1e-6)
    ('agree', 'apart', 'undecided')
    """
    d0, d = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    if not np.all((d <= eps) & (d <= SHRUNK * d0)):
        return "apart"
    return "agree" if np.any(d0 > 0) else "undecided"


@dataclass
class Settling:
    """Decide, horizon by horizon, whether a path has settled to ``eps``. It is an estimate, never a certificate.

    Parameters
    ----------
    eps
        What no distance may exceed.
    alpha
        Probability with which a false hypothesis may be accepted, over all horizons.
    delta
        Probability in the hypothesis: that of the iterate to move by more than eps within m further maps.

    Attributes
    ----------
    tests : int
        How many horizons were tested.
    agreeing : int
        At how many of the last horizons the test accepted.
    answer : {"agree", "apart", "undecided"}
        That of the last test.

    Examples
    --------
    >>> rule = Settling(eps=0.1)
    >>> rule.starts
    104
    >>> [rule.after([1.0, 2.0], [gap, gap / 2]) for gap in (0.3, 0.05, 0.02)]
    [False, False, True]
    """

    eps: float
    alpha: float = 0.01
    delta: float = 0.05
    tests: int = field(default=0, init=False)
    agreeing: int = field(default=0, init=False)
    answer: Answer = field(default="apart", init=False)

    def __post_init__(self) -> None:
        for name, value in (("alpha", self.alpha), ("delta", self.delta)):
            if not 0 < value < 1:
                raise ValueError(f"{name} must be between 0 and 1, got {value!r}")

    @property
    def starts(self) -> int:
        """K, the number of fresh starts of each length that the next test needs."""
        level = self.alpha / ((self.tests + 1) * (self.tests + 2))
        return math.ceil(math.log(level) / math.log1p(-self.delta))

    def after(self, before: ArrayLike, after: ArrayLike) -> bool:
        """Return whether the path has settled, given the distances of `judged` at the next horizon."""
        self.tests += 1
        self.answer = judged(before, after, self.eps)
        self.agreeing = self.agreeing + 1 if self.answer == "agree" else 0
        return self.agreeing >= AGREEING_HORIZONS
