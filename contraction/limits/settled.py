"""The rule by which a backward path counts as settled if no constant is proved, for `backward_limit` and for networks.

No finite test can decide this for all families: let T(x) = x/2 + 2^(10/p) with a small probability p and T(x) = x/2
otherwise. All maps are contractions, and a test that stops after fewer than 1/p maps is nearly always wrong. The rule
therefore tests a hypothesis about the maps that come next, and not the limit:

    P(d(θ_n, θ_(n+m)) > eps | T_1 … T_n) <= delta, where θ_(n+m) = T_1 … T_n X and X = T'_1 … T'_m θ_0.

At a horizon n, K fresh starts X are drawn, each with m new maps, and the hypothesis is accepted only if every
T_1 … T_n X is within eps of T_1 … T_n θ_0. If the hypothesis is false, this happens with probability at most
(1 - delta)^K. The lengths m are pairwise coprime, so that they are not all multiples of a period of the path, and they
grow with n. Test j has (1 - delta)^K <= alpha / (j (j + 1)), so over all horizons a false hypothesis is accepted with
probability at most alpha.

Two more conditions prevent slow movement from being taken for a limit. For every X that differs from θ_0, the
distance must have shrunk by the factor `SHRUNK`; and if no X differs from θ_0, the test is undecided.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from contraction.arguments import check_probability

__all__ = ["AGREEING_HORIZONS", "SHRUNK", "Answer", "Settling", "judged", "lengths"]

#: The number of successive horizons at which the test must accept.
AGREEING_HORIZONS = 2
#: The distance of a second start must shrink by this factor; a distance that stays does not indicate a limit.
SHRUNK = 0.5
SHORTEST = 16  # the least number of new maps for a fresh start

Answer = Literal["agree", "apart", "undecided"]


def lengths(n: int) -> tuple[int, int, int]:
    """Numbers of new maps for the fresh starts at horizon n: pairwise coprime, and at least n.

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
        d(θ_0, X) for every second start X, any shape.
    after
        d(T_1 … T_n θ_0, T_1 … T_n X), the same shape.
    eps
        The largest distance that counts as agreement.

    Returns
    -------
    {"agree", "apart", "undecided"}
        "undecided" if every X equals θ_0. A NaN distance does not agree.

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
    """Decide, horizon by horizon, whether a path has settled to ``eps``; the result is an estimate, not a certificate.

    Parameters
    ----------
    eps
        The largest allowed distance.
    alpha
        Bound on the probability that a false hypothesis is accepted at any horizon.
    delta
        Bound in the hypothesis on the probability that the iterate moves by more than eps within m further maps.

    Attributes
    ----------
    tests : int
        The number of horizons that were tested.
    agreeing : int
        The number of successive last horizons at which the test accepted.
    answer : {"agree", "apart", "undecided"}
        The answer of the last test.

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
            check_probability(name, value)

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
