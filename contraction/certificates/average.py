"""Contraction on average: (1/q) E log Lip(T_1 … T_q) < 0, or E Lip(T_1 … T_q)^p < 1, also along invariant leaves.

For i.i.d. maps with E log+ K < inf and E log+ d(θ_0, T θ_0) < inf, a negative exponent gives
d(θ*, θ_n) <= C_omega r^n almost surely for every r above its exponential, by the root test on the series of
K_1 … K_(n-1) D_n. The constant C_omega is random; a numerical bound needs a moment, E Lip^p = rho_p < 1 (the exponent
is then negative by Jensen's inequality).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from contraction.arguments import check_integer, check_positive, check_probability, check_seed
from contraction.certificates.hypotheses import point, search_declared
from contraction.certificates.leaves import leaf_basis
from contraction.certificates.overrides import search_lists, search_log_mean
from contraction.certificates.words import (
    WORDS_LIMIT,
    letters,
    listed_words,
    p_mean_factor,
    word_norms,
    word_weights,
)
from contraction.concentration import empirical_bernstein, hoeffding
from contraction.maps.constants import Origin
from contraction.maps.draws import derived_seed
from contraction.maps.errors import DeclarationRefuted, NotCertified
from contraction.maps.operators import Operators, RandomOperator, drawn, how_to_state
from contraction.maps.probe import probe_family
from contraction.maps.rounding import EPS, round_up
from contraction.maps.spaces import Space
from contraction.maps.stated import stated_about_maps
from contraction.values import Value

__all__ = ["AverageContraction", "average_contraction", "confidence_upper", "p_mean_factor"]

BLOCK_NUMBERS = 2**24  # products of sampled words are held in memory at once up to this many numbers


@dataclass(frozen=True, eq=False)
class AverageContraction(Value):
    """The exponent (1/q) E log Lip(T_1 … T_q), its bounds and the rate of convergence that follows.

    Attributes
    ----------
    exponent : float
        If not measured, an upper bound: by enumeration, with factors that are rounded up (a product of several maps
        that is zero, or nearly so, counts as its rounding, so a value of -inf may be bounded by a number), or from
        stated factors. If measured, the mean over sampled words.
    upper : float
        An upper bound that holds with probability ``confidence``; inf if none is available.
    confidence : float
        1 if the bound is certain, as it is if ``certified``; 0 if ``upper`` is inf because no bound on the maps'
        constants is known.
    interval : tuple of float
        A two-sided normal interval at ``interval_confidence``, asymptotic in the number of words. It assumes no bound
        on the constants, so it can miss a rare expanding map. (exponent, upper) if ``certified``.
    interval_confidence : float
        Level of ``interval``; 1 if ``certified``.
    origin : str
        "proved" or "declared" if all words were enumerated, "measured" if words were sampled; a measured exponent is an
        estimate and not a certificate.
    q, words : int
        Length of the words, and the number of words that were listed or drawn.

    Examples
    --------
    >>> import contraction as ct
    >>> maps = ct.families.FiniteFamily([(2.0, [0.0]), (0.25, [1.0])])  # one map expands, one contracts
    >>> answer = ct.average_contraction(maps, [0.0])
    >>> print(answer)
    contraction on average: (1/q) E log Lip(T_1…T_q) ≤ -0.346574, q = 1
      proved    all 2 words of length 1
      d(θ*, θ_n) ≤ C_ω rⁿ a.s. for every r > 0.707107, if E log⁺ d(θ_0, Tθ_0) < ∞
    >>> answer.certified, answer.contracts, round(answer.rate, 4)  # the rate is √(2 · 1/4)
    (True, True, 0.7071)
    """

    exponent: float
    upper: float
    confidence: float
    origin: Origin
    q: int
    words: int
    source: str
    interval: tuple[float, float]
    interval_confidence: float

    @property
    def certified(self) -> bool:
        """Whether the exponent is a bound over all words and not an estimate from samples."""
        return self.origin != "measured"

    @property
    def contracts(self) -> bool:
        """Whether the upper bound of the exponent is negative (with the stated confidence)."""
        return self.upper < 0

    @property
    def rate(self) -> float:
        """d(θ*, θ_n) <= C_omega r^n almost surely for every r above this rate, if E log+ d(θ_0, Tθ_0) < inf."""
        return math.exp(self.upper) if self.upper < 709 else math.inf

    def __str__(self) -> str:
        lines = [
            f"contraction on average: (1/q) E log Lip(T_1…T_q) ≤ {self.upper:.6g}, q = {self.q}"
            if self.certified
            else f"estimate of (1/q) E log Lip(T_1…T_q): {self.exponent:.6g}, q = {self.q}",
            f"  {self.origin:<9} {self.source}",
        ]
        if not self.certified:
            low, high = self.interval
            lines.append(
                f"  {100 * self.interval_confidence:g} % normal interval [{low:.6g}, {high:.6g}], asymptotic; "
                + (
                    f"upper bound {self.upper:.6g} with confidence {self.confidence:g}"
                    if self.confidence
                    else "no upper bound, because no bound on the maps' constants is known (largest=)"
                )
            )
        if self.contracts:
            lines.append(f"  d(θ*, θ_n) ≤ C_ω rⁿ a.s. for every r > {self.rate:.6g}, if E log⁺ d(θ_0, Tθ_0) < ∞")
        elif self.certified:
            lines.append("  words of this length do not contract on average; longer ones (a larger q) may")
        else:
            lines.append("  no contraction on average is shown for words of this length")
        return "\n".join(lines)


def confidence_upper(values: ArrayLike, largest: float, confidence: float, lowest: float) -> float:
    """Upper confidence bound for the mean of i.i.d. numbers <= ``largest``, by Hoeffding or by Maurer and Pontil.

    Values below ``lowest``, which must not depend on the values, are replaced by ``lowest``. This only raises their
    mean, so no lower bound is assumed. Each of the two inequalities gets half of 1 - confidence.

    Raises
    ------
    ValueError
        If there are fewer than two values, one is above ``largest``, or ``lowest`` is.
    """
    x = np.maximum(np.asarray(values, dtype=float), lowest)
    n, width = len(x), largest - lowest
    if n < 2 or width < 0 or x.max() > largest + 1e-9 * max(1.0, abs(largest)):
        raise ValueError(
            f"needs at least two values <= {largest!r}, and lowest <= largest; got {n} values, max {x.max()!r}"
        )
    error = (1 - confidence) / 2
    return float(np.mean(x)) + min(hoeffding(n, width, error), empirical_bernstein(x, width, error))


def average_contraction(
    family: RandomOperator,
    theta0: ArrayLike,
    q: int = 1,
    *,
    leaf: ArrayLike | bool | None = None,
    space: Space | None = None,
    words: int = 2000,
    confidence: float = 0.99,
    largest: float | None = None,
    seed: int = 0,
) -> AverageContraction:
    """(1/q) E log Lip(T_1 … T_q): enumerated if the maps can be listed, otherwise estimated with a confidence bound.

    A negative number means contraction on average: backward iterates converge at a geometric rate, and forward iterates
    have one stationary law (Diaconis and Freedman 1999).

    Parameters
    ----------
    family
        Independent maps with known Lipschitz constants or affine forms.
    theta0
        A point, through which the leaf passes.
    q
        Length of the words; along multiples of q the exponent decreases to the top Lyapunov exponent.
    leaf
        Basis (d, r) of a space of directions that is exactly invariant, or True for ``family.leaf_basis``: Lipschitz
        constants are then those along θ_0 + span only.
    space
        The metric (default: the family's).
    words, confidence, seed
        If there are more than 200,000 words, or they cannot be listed: the number of independent words to draw, the
        level of the upper bound and of the normal interval, and the seed of the draws.
    largest
        A bound on every map's Lipschitz constant (default: ``family.contraction``). Without one, an estimate has no
        confidence bound (``upper`` is inf), because the sample may miss a rare expanding map.

    Raises
    ------
    NotCertified
        If the maps are not independent, or their Lipschitz constants are not known.
    MapRefused, NotDeterministic, DeclarationRefuted
        If a map breaks a rule of `RandomOperator` (`contraction.maps.probe`), or a declared constant is violated.

    References
    ----------
    Diaconis, P., and Freedman, D. (1999). Iterated random functions. SIAM Review 41, 45-76.

    Furstenberg, H., and Kesten, H. (1960). Products of random matrices. Annals of Mathematical Statistics 31,
    457-469.

    Examples
    --------
    >>> import contraction as ct
    >>> family = ct.families.ExpandingOnAverage()
    >>> found = ct.average_contraction(family, [0.0])
    >>> round(found.exponent, 6), found.source
    (-0.346574, 'E log |K| in closed form')
    """
    theta = point(theta0, family)
    check_seed(seed)
    if largest is not None:
        check_positive("largest", largest, zero=True)
    probe_family(family, theta, seed=seed)
    check_integer("q", q, 1)
    check_probability("confidence", confidence)
    if not family.is_iid:
        raise NotCertified("contraction on average is stated for independent maps with one law")
    search_declared(family, theta, family.contraction, None, seed)
    search_lists(family, theta, seed)
    search_log_mean(family, theta, seed)
    return _labelled(_average(family, theta, q, leaf, space, words, confidence, largest, seed), family)


def _labelled(found: AverageContraction, family: RandomOperator) -> AverageContraction:
    """Return the result with the origin "declared" in place of "proved" if a user's class overrides something."""
    return replace(found, origin="declared") if found.origin == "proved" and stated_about_maps(family) else found


def _average(
    family: RandomOperator,
    theta: NDArray,
    q: int,
    leaf: ArrayLike | bool | None,
    space: Space | None,
    words: int,
    confidence: float,
    largest: float | None,
    seed: int,
) -> AverageContraction:
    parts, weights, metric, error = letters(family, theta, leaf, space)
    if parts is not None and weights is not None and len(parts) ** q <= WORDS_LIMIT:
        listed = word_weights(weights, q), word_norms(parts, q, metric, error), "proved"
    else:
        listed = None if leaf is not None or space is not None else listed_words(family, q)
    if listed is not None:
        return _enumerated(listed[0], listed[1], listed[2], q)
    if leaf is None and space is None and (mean := family.log_mean) is not None:
        # the exponent of one map bounds that of words, and equals it where factors multiply; 64 ulps cover its sum
        upper = mean if math.isinf(mean) else mean + 64 * EPS * (1 + abs(mean))
        return _exact(mean, upper, "proved", q, 1, "E log |K| in closed form")
    if leaf is None and space is None and q == 1 and (k := family.contraction) is not None and k.value < 1:
        value = math.log(k.value) if k.value > 0 else -math.inf
        return _exact(value, float(round_up(value, 4)), k.origin, 1, 1, f"log k, k from {k.source}")
    return _sampled(family, theta, q, leaf, metric, words, confidence, largest, seed)


def _enumerated(weights: NDArray, factors: NDArray, origin: Origin, q: int) -> AverageContraction:
    live = weights > 0
    with np.errstate(divide="ignore"):
        logs = np.log(factors[live])
    value = -math.inf if np.any(np.isneginf(logs)) else float(weights[live] @ logs) / q
    slack = (len(factors) + 8) * EPS * float(weights[live] @ np.abs(np.where(np.isfinite(logs), logs, 0.0)))
    upper, count = value if math.isinf(value) else value + slack, int(live.sum())
    return _exact(value, upper, origin, q, count, f"all {count} words of length {q}")


def _exact(value: float, upper: float, origin: Origin, q: int, words: int, source: str) -> AverageContraction:
    return AverageContraction(value, upper, 1.0, origin, q, words, source, (value, upper), 1.0)


def _sampled(
    family: RandomOperator,
    theta: NDArray,
    q: int,
    leaf: ArrayLike | bool | None,
    metric: Space,
    words: int,
    confidence: float,
    largest: float | None,
    seed: int,
) -> AverageContraction:
    check_integer("words", words, 4)
    Q = None if leaf is None else leaf_basis(family, theta, leaf)
    pilot = max(2, words // 8)
    logs = _log_lipschitz(family, q, words + pilot, Q, metric, theta.shape[-1], seed) / q
    if largest is None:
        c = family.contraction if metric == family.space else None
        largest = None if c is None or not math.isfinite(c.value) else c.value
    remaining = logs[pilot:]
    mean, interval = _normal(remaining, confidence)
    source = f"mean over {words} independent words of length {q}, seed {seed}"
    if largest is None:
        return AverageContraction(mean, math.inf, 0.0, "measured", q, words, source, interval, confidence)
    top = math.log(largest) if largest > 0 else -700.0
    if (found := float(np.max(logs))) > top + 1e-9 * max(1.0, abs(top)):
        raise DeclarationRefuted(
            f"a bound on every map's Lipschitz constant of {largest!r} is too small: a drawn word of length {q} has "
            f"the factor {np.exp(q * found):.6g}"
        )
    lowest = min(float(np.min(logs[:pilot])), top)  # the pilot words determine the truncation and are not used again
    lowest = max(lowest, top - 700.0)
    upper = confidence_upper(remaining, top, confidence, lowest)
    return AverageContraction(mean, upper, confidence, "measured", q, words, source, interval, confidence)


def _normal(values: NDArray, confidence: float) -> tuple[float, tuple[float, float]]:
    """Return the mean and its two-sided normal interval; both are -inf if a value is -inf."""
    if np.isneginf(values).any():
        return -math.inf, (-math.inf, -math.inf)
    mean = float(np.mean(values))
    half = float(special.ndtri(0.5 + confidence / 2) * np.std(values, ddof=1) / math.sqrt(len(values)))
    return mean, (mean - half, mean + half)


def _log_lipschitz(
    family: RandomOperator, q: int, count: int, Q: NDArray | None, metric: Space, d: int, seed: int
) -> NDArray:
    """Return log Lip of independent words of length q, from matrix products or as a sum over their single maps."""
    products = family.is_affine and metric.is_normed
    block = max(1, BLOCK_NUMBERS // (d * d)) if products else count
    result = []
    for first in range(0, count, block):
        operators = drawn(family, q, _block_seed(seed, first), replicas=min(block, count - first))
        result.append(_of_products(operators, Q, metric, d) if products else _of_single_maps(operators))
    return np.concatenate(result)


def _block_seed(seed: int, first: int) -> int:
    return derived_seed(seed, "blocks of words", first)


def _of_products(operators: Operators, Q: NDArray | None, metric: Space, d: int) -> NDArray:
    """Return log ‖A_1 … A_q‖ of each replica, along a leaf with basis Q; -inf where the product is zero."""
    count = operators.replicas or 1
    product = np.broadcast_to(np.eye(d) if Q is None else Q, (count, d, d if Q is None else Q.shape[1]))
    scale, gone = np.zeros(count), np.zeros(count, dtype=bool)
    for i in range(len(operators) - 1, -1, -1):
        form = operators.family.affine(operators.draws[i])
        assert form is not None
        A = np.asarray(form.A, dtype=float)
        if form.kind == "matrix":
            product = A @ product
        else:
            product = (A[..., None, None] if form.kind == "scalar" else A[..., :, None]) * product
        size = np.abs(product).max(axis=(-2, -1))
        gone |= size == 0
        size = np.where(gone, 1.0, size)
        product, scale = product / size[:, None, None], scale + np.log(size)
    norms = np.asarray(metric.operator_norm(product if Q is None else np.swapaxes(Q, 0, 1) @ product), dtype=float)
    gone |= norms == 0
    return np.where(gone, -np.inf, scale + np.log(np.where(gone, 1.0, norms)))


def _of_single_maps(operators: Operators) -> NDArray:
    """Return the sum of log Lip(T_i) over the maps of each replica, a bound on log Lip of the word."""
    total = np.zeros(operators.replicas or 1)
    for draw in operators.draws:
        K = operators.family.lipschitz(draw)
        if K is None:
            raise NotCertified(
                f"no Lipschitz constants are known for {operators.family!r}", (how_to_state(operators.family),)
            )
        with np.errstate(divide="ignore"):
            total = total + np.log(np.asarray(K, dtype=float))
    return total
