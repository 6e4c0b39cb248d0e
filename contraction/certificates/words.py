"""Bounds from words of maps: contraction after q maps, in p-mean, and along invariant leaves.

Lip(T_1 … T_m) <= kappa^a L_s for m = a q + s if every word of length q has Lipschitz constant at most kappa and every
word of length s at most L_s (`contraction.certificates.blocks`). For independent maps the same holds for p-th moments,
with kappa = E Lip(T_1 … T_q)^p. Along a leaf θ_0 + V that every map sends into itself, Lipschitz constants are those
of the restriction to V.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_integer, check_positive
from contraction.certificates.change_of_metric import condition, linear_parts
from contraction.certificates.error_bound import ErrorBound, certificate_or_estimate
from contraction.certificates.hypotheses import displacement_constant, start_distance
from contraction.certificates.leaves import check_on_leaf, invariant_leaf, leaf_directions
from contraction.certificates.majorants import AfterBlocks, PMean, PMeanBlocks
from contraction.maps.constants import Constant, Origin
from contraction.maps.errors import NotCertified
from contraction.maps.operators import RandomOperator
from contraction.maps.rounding import EPS, cancelled, root_up, round_up
from contraction.maps.spaces import Euclidean, Space, as_space
from contraction.maps.support import probabilities

__all__ = [
    "WORDS_LIMIT",
    "certify_p_mean",
    "certify_words",
    "letters",
    "listed_words",
    "p_mean_factor",
    "word_norms",
    "word_weights",
]

WORDS_LIMIT = 200_000
EIGENVALUES = 2**27  # M d^3 up to which the eigenvalues of M matrices are computed, a few seconds


def _matrix_words(parts: Sequence[NDArray], q: int) -> NDArray:
    """Products A_w of all words of length q, outermost letter first, shape (M^q, d, d)."""
    if len(parts) ** q > WORDS_LIMIT:
        raise NotCertified(
            f"{len(parts)}^{q} words of length {q} are more than {WORDS_LIMIT} to list", ("a smaller q",)
        )
    single = np.stack(parts)
    d = single.shape[-1]
    products = single
    for _ in range(q - 1):
        products = np.einsum("wij,ajk->waik", products, single).reshape(-1, d, d)
    return products


def word_norms(parts: Sequence[NDArray], q: int, space: Space, error: float = 0.0) -> NDArray:
    """Norms of all words' linear parts, rounded up to cover the rounding of q products, and ``error`` in each part."""
    products = _matrix_words(parts, q)
    d = products.shape[-1]
    norms = np.concatenate(
        [np.atleast_1d(space.operator_norm(products[i : i + 4096])) for i in range(0, len(products), 4096)]
    )
    largest = max(float(np.linalg.norm(A)) for A in parts)
    slack = 8 * d * d * EPS * condition(space) * (norms + (0 if q == 1 else q * max(1.0, largest) ** q))
    top = max(1.0, largest, float(np.max(np.atleast_1d(space.operator_norm(np.stack(parts))))))
    of_parts = 0.0 if error == 0 else q * error * (top * (1 + 8 * d * d * EPS) + error) ** (q - 1) * (1 + (q + 8) * EPS)
    return np.where(norms == 0, slack if q > 1 else 0.0, norms + slack) + of_parts


def letters_rounding(family: RandomOperator, parts: Sequence[NDArray], space: Space) -> float:
    """Bound on the error of each linear part in the norm of the space, where its terms cancel."""
    norm = max(float(np.linalg.norm(A)) for A in parts)
    return float(cancelled(family.linear_terms, parts[0].shape[-1], norm, condition(space)))


def letters(
    family: RandomOperator, theta: NDArray, leaf: ArrayLike | bool | None, space: Space | None
) -> tuple[list[NDArray] | None, NDArray | None, Space, float]:
    """Linear parts (restricted to the leaf), their weights (None if not known), the metric, and the parts' error."""
    metric = as_space(family.space if space is None else space)
    if leaf is not None and type(metric) is not Euclidean:
        raise ValueError("a leaf is certified in the Euclidean distance: omit space=")
    known = family.linear_support()
    if known is None:
        return None, None, metric, 0.0
    parts = [A for _, A in known]
    lost = letters_rounding(family, parts, metric)
    if leaf is not None:
        _, parts, error = invariant_leaf(family, theta, leaf)
        return parts, probabilities(known), metric, error + lost
    return parts, probabilities(known), metric, lost


def _of_factor(family: RandomOperator, p: float) -> str:
    return f"E |K|^{p:g} in closed form" if family.moment_origin == "proved" else f"known.lipschitz_moment({p:g})"


def p_mean_factor(family: RandomOperator, p: float, q: int = 1) -> Constant | None:
    """rho_p = E Lip(T_1 … T_q)^p for independent maps, in closed form or over listed words; None if unknown."""
    check_positive("p", p)
    if not family.is_iid:
        return None
    if q == 1 and (moment := family.factor_moment(p)) is not None:
        return Constant(float(round_up(moment, 64)), family.moment_origin, _of_factor(family, p))
    known = listed_words(family, q)
    if known is None:
        return None
    weights, factors, origin = known
    return Constant(_mean_power(weights, factors, p), origin, f"E Lip^{p:g} over {len(factors)} words")


def _mean_power(weights: NDArray, factors: NDArray, p: float) -> float:
    """Σ w f^p, rounded up; a power of a positive number that may underflow counts as 2^-1000."""
    with np.errstate(under="ignore", over="ignore"):
        powers = np.where(factors > 0, np.maximum(factors**p, 2.0**-1000), 0.0)
    return float(round_up(np.sum(weights * powers), 2 * len(factors) + 8))


def listed_words(family: RandomOperator, q: int) -> tuple[NDArray, NDArray, Origin] | None:
    """(probabilities, Lipschitz constants, origin) of all words of length q; None if unknown or too many to list."""
    support, space = family.finite_support(), as_space(family.space)
    weights = None if support is None else probabilities(support)
    if support is None or weights is None:
        return None
    if q > 1 and space.is_normed and (parts := linear_parts(family)) is not None:
        lost = letters_rounding(family, parts, space)
        if len(parts) == 1:
            return np.ones(1), word_norms(parts, q, space, lost), "proved"
        if len(parts) ** q > WORDS_LIMIT:  # checked before an array of that size is allocated
            return None
        return word_weights(weights, q), word_norms(parts, q, space, lost), "proved"
    factors = [family.lipschitz(draw) for _, draw in support]
    if any(f is None for f in factors):
        return None
    single = np.array([float(np.max(f)) for f in factors])
    single = single + cancelled(family.linear_terms, family.dim or 1, single)
    if len(single) ** q > WORDS_LIMIT:
        return None
    words = single
    for _ in range(q - 1):
        words = np.multiply.outer(words, single).reshape(-1)
    return word_weights(weights, q), words, family.lipschitz_origin


def word_weights(weights: NDArray, q: int) -> NDArray:
    """Probabilities of all words of q independent letters, shape (M^q,), outermost letter slowest."""
    words = weights
    for _ in range(q - 1):
        words = np.multiply.outer(words, weights).reshape(-1)
    return words


def certify_p_mean(family: RandomOperator, theta: NDArray, start: NDArray | None, p: float) -> ErrorBound | None:
    """Return the bound of p-mean contraction, E K^p < 1; None if rho_p is unknown or at least 1."""
    rho = p_mean_factor(family, p)
    if rho is None or rho.value >= 1:
        return None
    D = displacement_constant(family, theta, None, p, None)
    r = start_distance(family, theta, start, None)
    return certificate_or_estimate(
        {"rho": rho, "D": D, "r": r},
        statement="contraction in p-mean",
        k=float(root_up(rho.value, p, 8)),
        D=D.value,
        target="θ*",
        majorant=PMean(rho.value, float(p), D.value, None if r is None else r.value),
        distance=repr(family.space),
        hypotheses=(f"i.i.d. maps, E Kᵖ = rho < 1 at p = {p:g}", "D = ‖d(θ_0, Tθ_0)‖_p"),
        p=float(p),
    )


def _why_no_words(family: RandomOperator, metric: Space) -> str:
    """Return the reason why no words of maps can be composed."""
    if not metric.is_normed:
        return f"words are composed of linear parts, but {metric!r} is not a norm"
    if family.is_affine:
        return (
            f"words of maps cannot be listed: {family!r} draws its affine maps one at a time, and no finite list of "
            "all of them is known (as for FiniteFamily and RandomAffine)"
        )
    return f"no linear parts are known for {family!r}, so words cannot be composed"


def certify_words(
    family: RandomOperator,
    theta: NDArray,
    start: NDArray | None,
    q: int,
    moment: float | None,
    space: Space | None,
    leaf: ArrayLike | bool | None,
) -> ErrorBound:
    """Contraction after q maps, surely or in p-mean, in a given metric, optionally along a leaf."""
    if check_integer("q", q, 1) > WORDS_LIMIT:
        raise ValueError(f"q must be at most {WORDS_LIMIT}, the number of words that can be listed, got {q}")
    parts, weights, metric, error = letters(family, theta, leaf, space)
    if parts is None or not metric.is_normed:
        raise NotCertified(_why_no_words(family, metric), ("leave out q=",))
    words = f"{len(parts) ** q} words of length {q}" + ("" if leaf is None else " along the leaf")
    if moment is not None and (weights is None or not family.is_iid):
        raise NotCertified("contraction in p-mean needs independent maps with one law", ("leave out moment=",))

    def of_length(j: int, what: str) -> Constant:
        """Return the constant of words of length j."""
        if moment is None or weights is None:
            return _largest_norm(parts, j, metric, what, error)
        return _norm_moment(parts, weights, j, metric, moment, what, error)

    kappa = of_length(q, words)  # the longest words first, because too many words are refused
    lip = of_length(1, "one map") if q > 1 else kappa
    if kappa.value >= 1:
        raise _no_contraction(words, kappa, moment, never=moment is None and _one_map_never_contracts(parts))
    D = displacement_constant(family, theta, space, moment, None)
    r = start_distance(family, theta, start, space)
    if leaf is not None and start is not None:
        check_on_leaf(theta, start, leaf_directions(family, leaf))
    radius = None if r is None else r.value
    shorter = (1.0, *(of_length(j, "").value for j in range(1, q)))
    if moment is None:
        statement, p, independence = "contraction after q maps", math.inf, ()
        majorant = AfterBlocks(shorter, kappa.value, D.value, radius)
    else:
        statement, p, independence = "contraction in p-mean after q maps", float(moment), ("i.i.d. maps",)
        majorant = PMeanBlocks(shorter, kappa.value, p, D.value, radius)
    return certificate_or_estimate(
        {"kappa": kappa, "lip": lip, "D": D, "r": r},
        statement=statement if leaf is None else f"{statement}, along a leaf",
        k=kappa.value,
        D=D.value,
        target="θ*",
        majorant=majorant,
        distance=repr(metric),
        hypotheses=(f"kappa < 1 over {words}", *independence),
        p=p,
    )


def _largest_norm(parts: Sequence[NDArray], q: int, metric: Space, words: str, error: float) -> Constant:
    return Constant(float(word_norms(parts, q, metric, error).max()), "proved", f"largest norm of {words}")


def _norm_moment(
    parts: Sequence[NDArray], weights: NDArray, q: int, metric: Space, p: float, words: str, error: float
) -> Constant:
    """E ‖A_1 … A_q‖^p over independent maps, rounded up."""
    norms = word_norms(parts, q, metric, error)
    return Constant(_mean_power(word_weights(weights, q), norms, p), "proved", f"E of the p-th power, {words}")


def _one_map_never_contracts(parts: Sequence[NDArray]) -> bool:
    """Whether a linear part has spectral radius >= 1, so that none of its powers contracts, whatever q is."""
    if len(parts) * len(parts[0]) ** 3 > EIGENVALUES:
        return False  # not known: it would take longer than the words did
    return any(float(np.max(np.abs(np.linalg.eigvals(A)), initial=0.0)) >= 1 for A in parts)


def _no_contraction(words: str, kappa: Constant, moment: float | None, *, never: bool = False) -> NotCertified:
    """Return the error for words that do not contract; a larger q is not offered where it can ``never`` help."""
    if moment is None:
        meaning = "the largest Lipschitz constant of a word of q maps"
        alternatives = (*(() if never else ("a larger q",)), "moment=p for contraction in p-mean")
    else:
        meaning, alternatives = f"the mean of Lip(T_1 … T_q)^{moment:g}", ("a larger q",)
    known = "; a map has spectral radius ≥ 1, so that no q helps" if never else ""
    return NotCertified(f"kappa ≥ 1: {words} give {kappa.value:.6g} (kappa is {meaning}){known}", alternatives)
