"""Contraction on average: (1/q) E log Lip(T_1 … T_q) < 0, or E Lip(T_1 … T_q)^p < 1, also along invariant leaves.

For i.i.d. maps with E log+ K < inf and E log+ d(theta0, T theta0) < inf, a negative exponent gives
d(theta*, theta_n) <= C_omega r^n almost surely for every r above its exponential, by the root test on the series of
K_1 … K_(n-1) D_n. The constant is random; a bound with numbers needs a mean, E Lip^p = rho_p < 1 (by Jensen the
exponent is then negative).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_integer, check_probability
from contraction.certificates import bounds
from contraction.certificates.hypotheses import U, point, search_declared
from contraction.certificates.words import (
    WORDS_LIMIT,
    leaf_basis,
    letters,
    listed_words,
    p_mean_factor,
    word_norms,
    word_weights,
)
from contraction.maps.affine import as_matrix
from contraction.maps.constants import Origin
from contraction.maps.errors import NotCertified
from contraction.maps.operators import RandomOperator
from contraction.maps.probe import probe_family

__all__ = ["AverageContraction", "average_contraction", "confidence_upper", "leaf_basis", "p_mean_factor"]


@dataclass(frozen=True)
class AverageContraction:
    """The exponent (1/q) E log Lip(T_1 … T_q) and what follows.

    Attributes
    ----------
    exponent : float
        Its value (exact enumeration, rounded up) or the mean over sampled words.
    upper : float
        An upper bound that holds with probability ``confidence``; inf where none can be given.
    confidence : float
        1 where exact.
    origin : str
        "proved" or "declared" where enumerated, "measured" where sampled: then this is an estimate, no certificate.
    q, words : int
        Length of the words, and how many were listed or drawn.
    """

    exponent: float
    upper: float
    confidence: float
    origin: Origin
    q: int
    words: int
    source: str

    @property
    def certified(self) -> bool:
        """Whether the exponent is known, not sampled."""
        return self.origin != "measured"

    @property
    def contracts(self) -> bool:
        """Whether the upper bound of the exponent is negative (with the stated confidence)."""
        return self.upper < 0

    @property
    def rate(self) -> float:
        """d(theta*, theta_n) <= C_omega r^n almost surely for every r above this, given a log moment."""
        return math.exp(min(self.upper, 700.0))

    def __str__(self) -> str:
        kind = "contraction on average" if self.certified else f"estimate of the exponent, confidence {self.confidence}"
        meaning = (
            f"d(θ*, θ_n) ≤ C_ω rⁿ a.s. for every r > {self.rate:.6g}, if E log⁺ d(θ0, Tθ0) < ∞"
            if self.contracts
            else "words of this length show no contraction on average; longer ones (a larger q) may"
        )
        return (
            f"{kind}: (1/q) E log Lip(T_1…T_q) = {self.exponent:.6g} ≤ {self.upper:.6g}, q = {self.q}\n"
            f"  {self.origin:<9} {self.source}\n  {meaning}"
        )


def confidence_upper(values: ArrayLike, largest: float, confidence: float, lowest: float) -> float:
    """Upper confidence bound for the mean of i.i.d. numbers <= ``largest``: Hoeffding's or Maurer–Pontil's.

    Values below ``lowest`` (chosen without looking at them) are replaced by it, which only raises their mean, so no
    lower bound is assumed. Each of the two inequalities gets half of 1 - confidence.
    """
    x = np.maximum(np.asarray(values, dtype=float), lowest)
    n, width = len(x), largest - lowest
    if n < 2 or width < 0 or x.max() > largest + 1e-9 * max(1.0, abs(largest)):
        raise ValueError(f"needs at least two values <= {largest!r}, and lowest <= largest; got {n}, max {x.max()!r}")
    log = math.log(2 / (1 - confidence))
    hoeffding = width * math.sqrt(log / (2 * n))
    bernstein = math.sqrt(2 * float(np.var(x, ddof=1)) * math.log(4 / (1 - confidence)) / n)
    bernstein += 7 * width * math.log(4 / (1 - confidence)) / (3 * (n - 1))
    return float(np.mean(x)) + min(hoeffding, bernstein)


def average_contraction(
    family: RandomOperator,
    theta0: ArrayLike,
    q: int = 1,
    *,
    leaf: ArrayLike | bool | None = None,
    space: Any = None,
    words: int = 2000,
    confidence: float = 0.99,
    largest: float | None = None,
    seed: int = 0,
) -> AverageContraction:
    """(1/q) E log Lip(T_1 … T_q): enumerated where the maps can be listed, otherwise estimated with a confidence bound.

    Parameters
    ----------
    family
        Independent maps with known Lipschitz constants or affine forms.
    theta0
        A point (it fixes the leaf).
    q
        Length of the words; the exponent decreases to the top Lyapunov exponent along multiples.
    leaf
        Basis (d, r), or True for the family's own, of an invariant space of directions: Lipschitz constants along
        theta0 + span only.
    space
        The metric (default: the family's).
    words, confidence, seed
        Independent words to draw and the confidence of the upper bound, where words cannot be listed.
    largest
        A bound on every map's Lipschitz constant (default: ``family.contraction``). Without one, an estimate has no
        confidence bound (``upper`` is inf): a rare expanding map could hide.

    Raises
    ------
    NotCertified
        If maps are not independent or nothing is known of their Lipschitz constants.
    MapRefused, NotDeterministic, DeclarationRefuted
        If a map breaks a rule of `RandomOperator` (`contraction.maps.probe`), or a declared constant is violated.
    """
    theta = point(theta0, family)
    probe_family(family, theta, seed=seed)
    check_integer("q", q, 1)
    check_probability("confidence", confidence)
    if not family.is_iid:
        raise NotCertified("contraction on average is stated for independent maps with one law")
    search_declared(family, theta, family.contraction, None, seed)
    parts, weights, metric = letters(family, theta, leaf, space)
    if parts is not None and weights is not None and len(parts) ** q <= WORDS_LIMIT:
        listed = word_weights(np.array([float(w) for w in weights]), q), word_norms(parts, q, metric), "proved"
    else:
        listed = None if leaf is not None or space is not None else listed_words(family, q)
    if listed is not None:
        return _enumerated(listed[0], listed[1], listed[2], q)
    if leaf is None and space is None and (mean := family.log_mean) is not None:
        # the exponent of one map bounds that of words, and equals it where factors multiply; 64 ulps cover its sum
        upper = mean if math.isinf(mean) else mean + 64 * U * (1 + abs(mean))
        return AverageContraction(mean, upper, 1.0, "proved", q, 1, "E log |K| in closed form")
    if leaf is None and space is None and q == 1 and (k := family.contraction) is not None and k.value < 1:
        value = math.log(k.value) if k.value > 0 else -math.inf
        return AverageContraction(value, bounds.up(value, 4), 1.0, k.origin, 1, 1, f"log k, k from {k.source}")
    return _sampled(family, theta, q, leaf, metric, words, confidence, largest, seed)


def _enumerated(weights: NDArray, factors: NDArray, origin: Origin, q: int) -> AverageContraction:
    live = weights > 0
    with np.errstate(divide="ignore"):
        logs = np.log(factors[live])
    value = -math.inf if np.any(np.isneginf(logs)) else float(weights[live] @ logs) / q
    slack = (len(factors) + 8) * U * float(weights[live] @ np.abs(np.where(np.isfinite(logs), logs, 0.0)))
    return AverageContraction(
        value,
        value if math.isinf(value) else value + slack,
        1.0,
        origin,
        q,
        int(live.sum()),
        f"all {int(live.sum())} words of length {q}",
    )


def _sampled(
    family: RandomOperator,
    theta: NDArray,
    q: int,
    leaf: ArrayLike | bool | None,
    metric: Any,
    words: int,
    confidence: float,
    largest: float | None,
    seed: int,
) -> AverageContraction:
    check_integer("words", words, 4)
    Q = None if leaf is None else leaf_basis(family, theta, leaf)
    pilot = max(2, words // 8)
    operators = family.sample((words + pilot) * q, seed)
    logs = np.array([_log_lipschitz(operators, j * q, q, Q, metric, theta.shape[-1]) for j in range(words + pilot)]) / q
    if largest is None:
        c = family.contraction if metric == family.space else None
        largest = None if c is None or not math.isfinite(c.value) else c.value
    kept = logs[pilot:]
    source = f"mean over {words} independent words of length {q}, seed {seed}"
    if largest is None:
        return AverageContraction(float(np.mean(kept)), math.inf, 0.0, "measured", q, words, source + ", no bound on K")
    top = math.log(largest) if largest > 0 else -700.0
    lowest = min(float(np.min(logs[:pilot])), top)  # the pilot words choose the truncation, and are not used again
    lowest = max(lowest, top - 700.0)
    upper = confidence_upper(kept, top, confidence, lowest)
    return AverageContraction(float(np.mean(kept)), upper, confidence, "measured", q, words, source)


def _log_lipschitz(operators: Any, first: int, q: int, Q: NDArray | None, metric: Any, d: int) -> float:
    family = operators.family
    if family.is_affine and metric.is_normed:
        product = np.eye(d) if Q is None else Q
        scale = 0.0
        for i in range(first + q, first, -1):
            form = family.affine(operators.draws[i - 1])
            product = as_matrix(form, d) @ product
            size = float(np.max(np.abs(product)))
            if size == 0:
                return -math.inf
            product, scale = product / size, scale + math.log(size)
        restricted = product if Q is None else Q.T @ product
        norm = float(metric.operator_norm(restricted))
        return scale + math.log(norm) if norm > 0 else -math.inf
    total = 0.0
    for i in range(first, first + q):
        K = family.lipschitz(operators.draws[i])
        if K is None:
            raise NotCertified(f"no Lipschitz constants are known for {family!r}", ("declare lipschitz= or affine=",))
        if float(np.max(K)) == 0:
            return -math.inf
        total += math.log(float(np.max(K)))
    return total
