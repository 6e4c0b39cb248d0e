"""The exact paired test: a sign-flip comparison of forward and backward iterate n of the same draw (NumPy only).

If the word of maps is reversible in law (i.i.d., exchangeable, a repeated single shuffle, a reversible chain), then
reversing T_1 … T_n does not change its law and swaps the two iterates. So (θ_n^F, θ_n^B) is an exchangeable
pair at each fixed n, for any maps and any network. Hence f(θ_n^F) - f(θ_n^B) is symmetric about 0 for every f,
independent seeds have independent signs given the magnitudes, and the sign-flip test is exact for any number of seeds
(row 73).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_choice, check_integer
from contraction.maps.arrays import numbers
from contraction.maps.rounding import UNIT
from contraction.values import Value

__all__ = ["PairedResult", "sign_flip_test"]

Alternative = Literal["two-sided", "greater", "less"]
ALTERNATIVES = ("two-sided", "greater", "less")
STATISTICS = ("mean", "signed_rank", "sign")
ENUMERATED_PAIRS = 20
CHUNK = 2**12


@dataclass(frozen=True, eq=False)
class PairedResult(Value):
    """The result of a sign-flip test.

    Attributes
    ----------
    pvalue : float
        Probability, given the magnitudes, of a statistic at least as extreme if the pairs are exchangeable; never 0.
    statistic : float
        The observed value of the statistic.
    n : int
        Number of pairs.
    smallest_pvalue : float
        The smallest p-value that this test can give if no difference is 0, for example 1/16 for 5 seeds and a two-sided
        test.
    flips : int
        Number of compared sign vectors: 2^n if ``exact``, otherwise the drawn ones and the observed one.
    exact : bool
        True if all sign vectors were enumerated; otherwise p = (b+1)/(m+1), which is valid for every m.
    alternative : str
        The alternative hypothesis.
    seed : int or None
        Seed of the drawn sign vectors; None if all were enumerated.

    Examples
    --------
    >>> from contraction.laws import sign_flip_test
    >>> result = sign_flip_test([0.3, 0.1, 0.4, 0.2, 0.5])  # five seeds, all in favour of one order
    >>> result.pvalue, result.smallest_pvalue, result.flips, result.exact
    (0.0625, 0.0625, 32, True)
    >>> sign_flip_test([0.3, 0.1, 0.4, -0.2, 0.5]).pvalue
    0.1875
    """

    pvalue: float
    statistic: float
    n: int
    smallest_pvalue: float
    flips: int
    exact: bool
    alternative: str
    seed: int | None = None


def sign_flip_test(
    differences: ArrayLike,
    statistic: str | Callable[[NDArray], NDArray] = "mean",
    *,
    alternative: Alternative = "two-sided",
    n_resamples: int = 99_999,
    seed: int = 0,
) -> PairedResult:
    """Test that paired differences are symmetric about 0 by flipping their signs.

    Parameters
    ----------
    differences
        One difference per pair, forward minus backward, shape (n,), for independent pairs (seeds) and a single fixed
        iterate. Iterates at several n of one run are not jointly exchangeable: test each and divide the error rate.
    statistic
        "mean" (Student's t has the same p-value), "signed_rank" (magnitudes are replaced by their mid-ranks), "sign"
        (the number of positive differences), or a function of flipped differences, (B, n, …) -> (B,). For a function,
        differences may have more axes, such as several quantities of the same pair.
    alternative
        "two-sided" (large absolute value of the statistic), "greater" or "less".
    n_resamples
        Number of drawn sign vectors if there are more than 20 pairs; for up to 20 pairs all 2^n are enumerated.
    seed
        Seed of these draws.

    Returns
    -------
    PairedResult

    Raises
    ------
    ValueError
        If ``differences`` is empty, a difference is not finite (for diverged runs compare a bounded metric), or the
        name of a test or alternative is unknown.

    Notes
    -----
    Compute the values of both iterates in the same way. Values that differ from the observed statistic only by rounding
    count as ties, which can only increase the p-value.

    References
    ----------
    Phipson, B., and Smyth, G. K. (2010). Permutation p-values should never be zero: calculating exact p-values when
    permutations are randomly drawn. Statistical Applications in Genetics and Molecular Biology 9, article 39.

    Examples
    --------
    >>> from contraction import laws
    >>> laws.sign_flip_test([0.3, 0.1, 0.4, 0.2, 0.5]).pvalue
    0.0625
    """
    d = numbers("differences", differences)
    if d.ndim == 0 or d.shape[0] == 0:
        raise ValueError(f"a paired test needs at least one pair, got differences of shape {d.shape}")
    if not np.all(np.isfinite(d)):
        raise ValueError(f"differences must be finite, got {np.count_nonzero(~np.isfinite(d))} non-finite values")
    check_choice("alternative", alternative, ALTERNATIVES)
    check_integer("n_resamples", n_resamples, 1)
    n = d.shape[0]
    exact = n <= ENUMERATED_PAIRS
    if callable(statistic):
        observed = float(np.asarray(statistic(d[None]))[0])
        values = (np.asarray(statistic(_flipped(d, s)), dtype=float) for s in _signs(n, exact, n_resamples, seed))
        slack = 0.0
    else:
        check_choice("statistic, unless it is a function of differences,", statistic, STATISTICS)
        if d.ndim != 1:
            raise ValueError(f"statistic {statistic!r} takes one difference per pair, got shape {d.shape}")
        terms = _terms(d, statistic) / n
        observed = float(np.sum(terms))
        slack = 2 * (n + 1) * UNIT * float(np.sum(np.abs(terms)))
        values = [_all_sums(terms)] if exact else (s @ terms for s in _signs(n, exact, n_resamples, seed))
    count = 0
    for chunk in values:
        if np.isnan(chunk).any():
            raise ValueError("the statistic returned NaN for flipped differences")
        count += int(np.count_nonzero(_as_extreme(chunk, observed, alternative, slack)))
    if exact:
        flips, p = 2**n, count / 2**n
    else:
        flips, p = int(n_resamples) + 1, (count + 1) / (int(n_resamples) + 1)
    symmetric = alternative == "two-sided" and not callable(statistic)
    smallest = (2.0 if symmetric else 1.0) / 2**n if exact else 1 / flips
    return PairedResult(p, observed, n, smallest, flips, exact, alternative, None if exact else int(seed))


def _as_extreme(values: NDArray, observed: float, alternative: str, slack: float) -> NDArray:
    if alternative == "two-sided":
        return np.abs(values) >= abs(observed) - slack
    return values >= observed - slack if alternative == "greater" else values <= observed + slack


def _terms(d: NDArray, statistic: str) -> NDArray:
    """Terms whose signed sum is the statistic."""
    if statistic == "mean":
        return d
    if statistic == "sign":
        return np.sign(d)
    _, inverse, counts = np.unique(np.abs(d), return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2
    return np.sign(d) * middle[inverse]


def _all_sums(terms: NDArray) -> NDArray:
    """All 2^n signed sums, by doubling."""
    sums = np.zeros(1)
    for t in terms:
        sums = np.concatenate([sums + t, sums - t])
    return sums


def _signs(n: int, exact: bool, n_resamples: int, seed: int) -> Iterator[NDArray]:
    """Sign vectors (B, n) in chunks: all 2^n, or ``n_resamples`` drawn ones."""
    if exact:
        for first in range(0, 2**n, CHUNK):
            codes = np.arange(first, min(first + CHUNK, 2**n))
            yield 1.0 - 2.0 * (codes[:, None] >> np.arange(n) & 1)
        return
    rng = np.random.default_rng(seed)
    for first in range(0, n_resamples, CHUNK):
        yield 1.0 - 2.0 * rng.integers(0, 2, size=(min(CHUNK, n_resamples - first), n))


def _flipped(d: NDArray, signs: NDArray) -> NDArray:
    return signs.reshape(signs.shape + (1,) * (d.ndim - 1)) * d
