"""Exact tests of exchangeability, repeats and equal orders, for sequences of indices (NumPy and SciPy).

Four of the tests count signs. If a sequence is exchangeable, the two numbers of a pair at fixed places are as likely in
one order as in the other, independently for disjoint pairs, so the number of pairs that ascend is binomial with
probability 1/2, given the number of pairs whose members differ. No test here rests on an approximation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

__all__ = [
    "SIGNS",
    "arithmetic_chance",
    "equal_places_chance",
    "few_repeats_chance",
    "matching_chance",
    "sign_chance",
    "uneven_chance",
]

#: A probability that is not zero is never reported as zero.
LEAST = float(np.finfo(float).tiny)

Signs = Callable[[NDArray], tuple[int, int]]


def _drift(values: NDArray) -> tuple[int, int]:
    half = len(values) // 2
    return _ascending(values[:half], values[len(values) - half :])


def _ascents(values: NDArray) -> tuple[int, int]:
    last = 2 * (len(values) // 2)
    return _ascending(values[:last:2], values[1:last:2])


def _nearness(values: NDArray) -> tuple[int, int]:
    third = len(values) // 3
    first, second, far = values[: 2 * third : 2], values[1 : 2 * third : 2], values[2 * third : 3 * third]
    return _ascending(np.abs(first - second), np.abs(first - far))


def _ascending(a: NDArray, b: NDArray) -> tuple[int, int]:
    return int(np.count_nonzero(a < b)), int(np.count_nonzero(a != b))


#: Name -> (how many of the disjoint pairs ascend, how many have unequal members). ``drift`` compares place i with place
#: i + n/2, ``ascents`` neighbours, and ``nearness`` the distance to the next number with that to one far away.
SIGNS: dict[str, Signs] = {"drift": _drift, "ascents": _ascents, "nearness": _nearness}


def sign_chance(name: str, sequences: Iterable[NDArray]) -> tuple[int, int, float]:
    """Return the sign test of one kind on several exchangeable sequences, pooled.

    Parameters
    ----------
    name
        One of `SIGNS`.
    sequences
        Each (n,) signed integers or floats. Given the sequences before it, each is exchangeable under the hypothesis.

    Returns
    -------
    ascending, pairs, pvalue
        The counts and the two-sided binomial probability of a split at least as uneven.

    Examples
    --------
    >>> sign_chance("drift", [np.arange(20)])
    (10, 10, 0.001953125)
    """
    counts = [SIGNS[name](np.asarray(sequence)) for sequence in sequences]
    k, m = sum(count for count, _ in counts), sum(count for _, count in counts)
    return k, m, max(float(stats.binomtest(k, m).pvalue), LEAST) if m else 1.0


def few_repeats_chance(epochs: Sequence[NDArray], population: int) -> tuple[int, int, float]:
    """Return the test of whether independent draws would repeat so little, whatever the weights of the indices.

    The number of different indices in a window is stochastically largest for equal weights (Wong and Yue, Discrete
    Mathematics 6, 1973), so its exact law under equal weights bounds the probability for all weights. Windows are the
    first max(2000, 8 √M) indices of each epoch, which makes the computation fast.

    Parameters
    ----------
    epochs
        Each (L,) integers.
    population
        M, the number of indices to draw from.

    Returns
    -------
    repeats, drawn, pvalue
        Repeats within the windows, indices in them, and the largest probability of so few repeats.

    Examples
    --------
    >>> seen, drawn, chance = few_repeats_chance([np.arange(3)], 3)
    >>> seen, drawn, round(27 * chance, 6)  # three different ones of three: 3!/3^3
    (0, 3, 6.0)
    """
    windows = [epoch[: max(2000, 8 * math.isqrt(population))] for epoch in epochs]
    seen = sum(len(window) - len(np.unique(window)) for window in windows)
    total = np.array([1.0])
    for window in windows:
        total = np.convolve(total, _repeats_law(len(window), population, seen))[: seen + 1]
    return seen, sum(map(len, windows)), max(min(1.0, float(total.sum())), LEAST)


def _repeats_law(drawn: int, population: int, most: int) -> NDArray:
    """Return the probabilities of 0, …, ``most`` repeats in ``drawn`` independent uniform draws."""
    law = np.zeros(most + 1)
    law[0] = 1.0
    repeats = np.arange(most + 1)
    for j in range(drawn):
        known = np.clip(j - repeats, 0, population) / population
        again = law * known
        law = law * (1 - known)
        law[1:] += again[:-1]
    return law


def matching_chance(first: NDArray, second: NDArray) -> tuple[int, int, float]:
    """Return the test of how the indices that occur exactly twice are divided between two epochs.

    Given which places they take, an exchangeable sequence pairs these places uniformly. With a places in one epoch and
    b in the other, c pairs are in both with probability C(a, c) C(b, c) c! (a − c − 1)!! (b − c − 1)!! / (a + b − 1)!!.

    Parameters
    ----------
    first, second
        Integers, (L,) and (K,).

    Returns
    -------
    both, pairs, pvalue
        Pairs with a member in each epoch, pairs, and twice the smaller tail probability.

    Examples
    --------
    >>> matching_chance(np.array([0, 1]), np.array([1, 0]))
    (2, 2, 1.0)
    """
    values, counts = np.unique(np.concatenate([first, second]), return_counts=True)
    twice = values[counts == 2]
    a, b = int(np.isin(first, twice).sum()), int(np.isin(second, twice).sum())
    both = int(np.isin(twice, np.intersect1d(first, second)).sum())
    if not len(twice):
        return 0, 0, 1.0
    c = np.arange(a % 2, min(a, b) + 1, 2)
    logs = -_log_pairings(a + b) + sum(
        special.gammaln(n + 1) - special.gammaln(c + 1) - special.gammaln(n - c + 1) + _log_pairings(n - c)
        for n in (a, b)
    )
    law = np.exp(logs + special.gammaln(c + 1))
    law /= law.sum()
    tail = min(float(law[c <= both].sum()), float(law[c >= both].sum()))
    return both, len(twice), max(min(1.0, 2 * tail), LEAST)


def _log_pairings(n: NDArray | int) -> NDArray:
    """Return log (n − 1)!!, the logarithm of the number of ways to pair n places (n even)."""
    return special.gammaln(np.asarray(n) + 1) - special.gammaln(np.asarray(n) / 2 + 1) - np.asarray(n) / 2 * math.log(2)


def equal_places_chance(epochs: Sequence[NDArray]) -> tuple[int, float]:
    """Return the test of whether two epochs agree in more places than independent shuffles would.

    Independent shuffles agree in k places or more with probability at most 1/k!, the expected number of sets of k
    places in which they agree; all pairs of epochs are compared, and the probability is multiplied by their number.

    Parameters
    ----------
    epochs
        Each (L,) integers without repeats.

    Returns
    -------
    places, pvalue
        The largest number of places in which two epochs agree, and the bound.

    Examples
    --------
    >>> places, chance = equal_places_chance([np.array([2, 0, 1, 3]), np.array([2, 0, 1, 3])])
    >>> places, round(24 * chance, 6)
    (4, 1.0)
    """
    most, pairs = 0, 0
    for j, epoch in enumerate(epochs):
        for other in epochs[:j]:
            n = min(len(epoch), len(other))
            most, pairs = max(most, int(np.count_nonzero(epoch[:n] == other[:n]))), pairs + 1
    return most, max(min(1.0, pairs * math.exp(-math.lgamma(most + 1))), LEAST) if pairs else 1.0


def arithmetic_chance(epoch: NDArray, population: int) -> tuple[int, float]:
    """Return whether the indices ascend by one constant step (modulo M), and the chance of that in a random order.

    There are M(M − 1) such orders of L indices, of M!/(M − L)!.

    Parameters
    ----------
    epoch
        (L,) integers without repeats.
    population
        M.

    Returns
    -------
    step, pvalue
        The step, 0 if there is none, and the probability (1 if there is none).

    Examples
    --------
    >>> step, chance = arithmetic_chance(np.array([1, 4, 7, 0]), 10)
    >>> step, round(chance * 10 * 9 * 8 * 7, 6)
    (3, 90.0)
    """
    steps = np.unique(np.diff(epoch) % population)
    if len(steps) != 1 or steps[0] == 0:
        return 0, 1.0
    orders = math.lgamma(population + 1) - math.lgamma(population - len(epoch) + 1)
    return int(steps[0]), max(min(1.0, math.exp(math.log(population * (population - 1)) - orders)), LEAST)


def uneven_chance(values: NDArray, population: int) -> tuple[int, int, float]:
    """Return the test of whether independent draws have equal weights.

    The first half of the draws names the indices that it holds most often, at most half of all; the number of draws of
    the second half among these is binomial if the weights are equal.

    Parameters
    ----------
    values
        (n,) integers, independent draws under the hypothesis.
    population
        M, the number of indices to draw from.

    Returns
    -------
    among, drawn, pvalue
        Draws of the second half among the frequent indices, draws in the second half, and the one-sided probability.

    Examples
    --------
    >>> uneven_chance(np.array([0, 0, 1, 0, 0, 0]), 4)  # of the three later draws, all are among the two seen before
    (3, 3, 0.125)
    """
    half = len(values) // 2
    seen, counts = np.unique(values[:half], return_counts=True)
    frequent = seen[np.argsort(-counts, kind="stable")][: population // 2]
    among, drawn = int(np.isin(values[half:], frequent).sum()), len(values) - half
    if not len(frequent) or not drawn:
        return among, drawn, 1.0
    chance = stats.binomtest(among, drawn, len(frequent) / population, alternative="greater").pvalue
    return among, drawn, max(float(chance), LEAST)
