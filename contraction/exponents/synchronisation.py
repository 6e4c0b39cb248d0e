"""The law of backward increments and tails at every n, from two forward runs under the same maps.

If the word T_1 … T_m is reversible in law, then for n <= m

    (T_1 … T_n θ_0, T_1 … T_m θ_0)  =law  (T_m … T_{m-n+1} θ_0, T_m … T_1 θ_0),

so d(θ_n^B, θ_{n+lag}^B) has the law of the distance of two forward runs under T_{lag+1}, …, T_{lag+n}: one from
θ_0, the other from X = T_lag … T_1 θ_0. Two runs give this law for every n at the cost of forward iterates. They
give the marginal laws, not the joint law over n, and hence not the law of a supremum over m. For i.i.d. maps of a
complete separable space, backward iterates converge in probability if and only if forward runs from θ_0 and from X
synchronise uniformly in the lag.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from contraction.arguments import check_integer, check_probability, check_seed
from contraction.exponents.law_of_maps import index_law, why_not_reversible
from contraction.maps.draws import sub_sequence
from contraction.maps.errors import NotCertified
from contraction.maps.operators import Operators, RandomOperator
from contraction.maps.points import as_point
from contraction.maps.probe import probe
from contraction.values import Value

__all__ = ["Synchronisation", "synchronisation"]

Question = Literal["a", "b", "c"]

QUESTIONS: dict[str, str] = {
    "a": "(a) are iterates from theta0 Cauchy: the law of d(θ_n^B, θ_(n+lag)^B) at each n, for this lag only",
    "b": "(b) is a nearby start forgotten: the law of the increment d(θ_n^B, θ_(n+1)^B) at each n",
    "c": "(c) is an independent start forgotten: the law of d(T_1…T_n θ_0, T_1…T_n θ̃_0) at each n",
}


@dataclass(frozen=True, eq=False)
class Synchronisation(Value):
    """Independent draws of a backward distance at each requested n, obtained from forward runs.

    Attributes
    ----------
    question : {"a", "b", "c"}
        The question that the draws answer: (a) whether iterates from θ_0 are Cauchy, (b) whether a nearby start is
        forgotten, (c) whether an independent start is forgotten. (a) implies (b) but not (c); (b) and (c) together do
        not imply (a).
    lag : int
        m - n; 0 for question (c).
    n : ndarray
        The requested n, shape (K,).
    distances : ndarray
        Shape (K, R): row k holds R independent draws from the law at n[k]. Different rows are dependent, and their
        joint law is not that of a backward path.
    applications : int
        The number of map applications per replica.
    confidence : float
        Level of every interval, at each n separately.
    seed : int
        Seed of the draws.

    Examples
    --------
    >>> import contraction as ct
    >>> family = ct.families.BernoulliConvolution(0.5)
    >>> answer = ct.synchronisation(family, [0.0], 4, replicas=50, start=[1.0])  # is another start forgotten?
    >>> median, low, high = answer.quantile(0.5)
    >>> median.tolist()  # every map halves the distance of the two paths
    [1.0, 0.5, 0.25, 0.125, 0.0625]
    >>> share, low, high = answer.exceeds(0.2)  # the share of replicas that are further apart, and its interval
    >>> share.tolist(), high.round(3).tolist()
    ([1.0, 1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.071, 0.071])
    >>> answer.mean()[0].tolist()
    [1.0, 0.5, 0.25, 0.125, 0.0625]
    """

    question: Question
    lag: int
    n: NDArray
    distances: NDArray
    applications: int
    confidence: float
    seed: int

    @property
    def replicas(self) -> int:
        """The number of independent draws at each n."""
        return self.distances.shape[1]

    def exceeds(self, eps: float) -> tuple[NDArray, NDArray, NDArray]:
        """P(distance > eps) at each n with its exact binomial interval (Clopper and Pearson).

        Parameters
        ----------
        eps
            A distance of at least 0.

        Returns
        -------
        share, lower, upper : ndarray
            Shape (K,) each.

        Raises
        ------
        ValueError
            If eps is negative or NaN.
        """
        if not eps >= 0:
            raise ValueError(f"eps must be a number of at least 0, got {eps!r}")
        R = self.replicas
        count = np.sum(~(self.distances <= eps), axis=1)  # NaN counts as above
        tail = (1 - self.confidence) / 2
        lower = np.where(count > 0, special.betaincinv(np.maximum(count, 1), R - count + 1, tail), 0.0)
        upper = np.where(count < R, special.betaincinv(count + 1, np.maximum(R - count, 1), 1 - tail), 1.0)
        return count / R, lower, upper

    def quantile(self, q: float = 0.5) -> tuple[NDArray, NDArray, NDArray]:
        """Return the q-quantile of the distance at each n with a distribution-free interval from order statistics.

        Parameters
        ----------
        q
            The order of the quantile, strictly between 0 and 1 (default: 0.5, the median).

        Returns
        -------
        quantile, lower, upper : ndarray
            Shape (K,) each; the ends are 0 and inf if there are too few replicas for the level.

        Raises
        ------
        ValueError
            If q is not strictly between 0 and 1.
        """
        if not 0 < q < 1:
            raise ValueError(f"q must be strictly between 0 and 1, got {q!r}")
        ordered, R = np.sort(self.distances, axis=1), self.replicas
        tail = (1 - self.confidence) / 2
        below = int(stats.binom.ppf(tail, R, q))  # P(at most below - 1 draws under the quantile) < tail
        above = int(stats.binom.isf(tail, R, q)) + 1
        lower = ordered[:, below - 1] if below >= 1 else np.zeros(len(ordered))
        upper = ordered[:, above - 1] if above <= R else np.full(len(ordered), np.inf)
        return ordered[:, max(math.ceil(q * R) - 1, 0)], lower, upper

    def mean(self) -> tuple[NDArray, NDArray, NDArray]:
        """Return the mean distance at each n with a normal interval.

        The level of the interval is asymptotic and needs a finite variance.

        Returns
        -------
        mean, lower, upper : ndarray
            Shape (K,) each.
        """
        value = self.distances.mean(axis=1)
        half = special.ndtri(0.5 + self.confidence / 2) * self.distances.std(axis=1, ddof=1) / math.sqrt(self.replicas)
        return value, value - half, value + half

    def __str__(self) -> str:
        median, low, high = self.quantile()
        lines = [
            f"question {QUESTIONS[self.question]}",
            f"  {self.replicas} independent draws at each n, {100 * self.confidence:g} % intervals, seed {self.seed}",
        ]
        for k in sorted({0, len(self.n) // 2, len(self.n) - 1}):
            lines.append(f"  n = {self.n[k]}: median {median[k]:.4g}, interval [{low[k]:.4g}, {high[k]:.4g}]")
        return "\n".join(lines)


def synchronisation(
    family: RandomOperator,
    theta0: ArrayLike,
    n: int,
    replicas: int = 200,
    *,
    lag: int = 1,
    start: ArrayLike | Callable[[np.random.Generator], ArrayLike] | None = None,
    at: Iterable[int] | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> Synchronisation:
    """Return the law of backward increments, tails or coupling distances at every n, at the cost of forward runs.

    For independent maps this is row 77 of the audit, a form of Theorem 2.6 for pairs of iterates. Row 78 says what such
    distances decide about convergence.

    Parameters
    ----------
    family
        Maps whose words are reversible in law at the required lengths: i.i.d. maps, or an index law such as an
        exchangeable mixture, a single shuffle that is repeated, or a reversible chain.
    theta0
        The start, one point.
    n
        The largest n, at least 1.
    replicas
        Number of independent copies, at least 2 (default: 200).
    lag
        The difference m - n. A lag of 1 gives increments and answers question (b); a larger lag gives tails and answers
        (a) for that lag (default: 1).
    start
        Another start, one point, or a function ``start(rng)`` that draws one for each replica. The result is then the
        distance of the images of the two starts under the same maps, which answers (c), and ``lag`` is not used.
    at
        The requested n, from 0 to ``n`` (default: all of them).
    confidence
        Level of each interval (default: 0.95).
    seed
        Seed of the draws.

    Returns
    -------
    Synchronisation

    Raises
    ------
    NotCertified
        If the word of maps is not reversible in law at a requested n, as under fresh shuffles beyond an epoch or a
        cyclic order, or if its law is not known: forward runs then do not determine the law of backward distances.
    ValueError
        If an argument is invalid.
    MapRefused, NotDeterministic
        If a map breaks a rule of `RandomOperator` (`contraction.maps.probe`).
    TypeError
        If ``family`` is not a random operator.

    References
    ----------
    Dherin, B., et al. (2025). Training in reverse. arXiv:2502.01557v1, Theorem 2.6.

    Examples
    --------
    >>> from contraction import synchronisation
    >>> from contraction.families import BernoulliConvolution
    >>> answer = synchronisation(BernoulliConvolution(0.5), [0.0], 3, replicas=50)
    >>> answer.question, answer.distances.max(axis=1).tolist()
    ('b', [0.5, 0.25, 0.125, 0.0625])
    """
    if not isinstance(family, RandomOperator):
        raise TypeError(f"synchronisation takes a random operator, got {family!r}")
    check_integer("n", n, 1)
    check_integer("replicas", replicas, 2)
    if start is None:
        check_integer("lag", lag, 1)
    check_probability("confidence", confidence)
    asked = range(n + 1) if at is None else sorted({check_integer("the index of an iterate", k) for k in at})
    if len(asked) == 0 or asked[-1] > n:
        raise ValueError(f"at lists numbers from 0 to n = {n}, got {list(asked)}")
    shift = lag if start is None else 0
    for k in asked:
        if (reason := why_not_reversible(index_law(family), k + shift)) is not None:
            raise NotCertified(
                f"n = {k} needs a word of {k + shift} maps that has the law of its reversal: {reason}",
                ("at= with values of n for which it has", "backward_iterates, at the cost of restarts"),
            )
    operators = family.sample(asked[-1] + shift, seed, replicas=replicas)
    first = _points(family, theta0, replicas)
    other = first if start is None else _other_start(family, start, replicas, seed)
    probe(operators, first, *(() if start is None else (other,))) if len(operators) else None
    distances, cost = _runs(operators, first, other, shift, asked)
    question: Question = "c" if start is not None else "b" if lag == 1 else "a"
    return Synchronisation(question, shift, np.array(asked, dtype=int), distances, cost, float(confidence), seed)


def _points(family: RandomOperator, theta: ArrayLike, replicas: int) -> NDArray:
    point = as_point(theta, family.dim)
    if point.ndim != family.space.event_ndim:
        raise ValueError(f"a start is one point with {family.space.event_ndim} axes, got the shape {point.shape}")
    return np.broadcast_to(point, (replicas, *point.shape)).copy()


def _other_start(
    family: RandomOperator,
    start: ArrayLike | Callable[[np.random.Generator], ArrayLike],
    replicas: int,
    seed: int,
) -> NDArray:
    if isinstance(start, Callable):
        return _drawn_starts(family, start, replicas, seed)
    return _points(family, start, replicas)


def _drawn_starts(
    family: RandomOperator, start: Callable[[np.random.Generator], ArrayLike], replicas: int, seed: int
) -> NDArray:
    root = sub_sequence(check_seed(seed), "starts")
    drawn = [as_point(start(np.random.default_rng(s)), family.dim) for s in root.spawn(replicas)]
    if any(p.ndim != family.space.event_ndim for p in drawn):
        raise ValueError(f"start(rng) must return one point with {family.space.event_ndim} axes")
    return np.stack(drawn)


def _runs(operators: Operators, first: NDArray, other: NDArray, lag: int, asked: Sequence[int]) -> tuple[NDArray, int]:
    """Distances at the requested n of two runs under T_{lag+1}, T_{lag+2}, …, the second from T_lag … T_1 (other)."""
    for i in range(1, lag + 1):
        other = operators.apply(i, other)
    pair = np.stack(np.broadcast_arrays(first.astype(np.result_type(first, other)), other))
    wanted, space, rows = set(asked), operators.family.space, []
    for k in range(asked[-1] + 1):
        if k:
            pair = np.asarray(operators.apply(lag + k, pair))
        if k in wanted:
            rows.append(np.asarray(space.distance(pair[0], pair[1]), dtype=float))
    return np.array(rows), lag + 2 * asked[-1]
