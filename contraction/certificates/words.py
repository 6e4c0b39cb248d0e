"""Bounds from words of maps: contraction after q maps, in p-mean, and along invariant leaves.

Lip(T_1 … T_m) <= lip^(q-1) kappa^floor(m/q) where every word of length q has Lipschitz constant at most kappa; for
independent maps the same holds of p-th moments, kappa = E Lip(T_1 … T_q)^p. Along a leaf theta0 + V that every map
keeps, Lipschitz constants are those of the restriction to V.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_integer, check_positive
from contraction.certificates import bounds
from contraction.certificates.change_of_metric import condition, linear_parts
from contraction.certificates.error_bound import made
from contraction.certificates.hypotheses import U, displacement_constant, point, start_distance
from contraction.maps.constants import Constant, Origin
from contraction.maps.errors import NotCertified
from contraction.maps.operators import RandomOperator, apply_read_only
from contraction.maps.spaces import Euclidean, Space, as_space

__all__ = [
    "WORDS_LIMIT",
    "certify_p_mean",
    "certify_words",
    "leaf_basis",
    "letters",
    "listed_words",
    "p_mean_factor",
    "word_norms",
    "word_weights",
]

WORDS_LIMIT = 200_000


def leaf_directions(family: RandomOperator, leaf: ArrayLike | bool) -> NDArray:
    """The basis that was given, or the family's own for True."""
    if leaf is True:
        own = family.leaf_basis
        if own is None:
            raise ValueError(f"leaf=True asks for the family's own leaf, which {family!r} does not name: give a basis")
        return np.asarray(own, dtype=float)
    return np.atleast_2d(np.asarray(leaf, dtype=float))


def leaf_basis(family: RandomOperator, theta0: ArrayLike, leaf: ArrayLike | bool) -> NDArray:
    """An orthonormal basis (d, r) of a space that the family keeps: T(theta0 + V) lies in theta0 + V.

    ``leaf`` is a basis (d, r), or True for the family's own (``family.leaf_basis``).

    Raises
    ------
    NotCertified
        If a linear part or a displacement of the (listed) maps leaves the span by more than rounding.
    """
    theta = point(theta0, family)
    V = leaf_directions(family, leaf)
    d = theta.shape[-1]
    if V.ndim != 2 or V.shape[0] != d or not np.all(np.isfinite(V)):
        raise ValueError(f"a leaf is a finite basis of shape ({d}, r), got shape {V.shape}")
    left, singular, _ = np.linalg.svd(V, full_matrices=False)
    Q = left[:, singular > singular.max(initial=0.0) * d * U * 8]
    if Q.shape[1] == 0:
        raise ValueError("a leaf needs at least one direction that is not zero")
    parts, support = linear_parts(family), family.finite_support()
    if parts is None:
        raise NotCertified(
            f"region not invariant: the linear parts of {family!r} are not known, so no leaf can be kept"
        )
    out = np.eye(d) - Q @ Q.T
    # The factor 8 d^2 covers the rounding of Q and of two products with it.
    for A in parts:
        left_over = float(np.linalg.norm(out @ A @ Q, 2))
        if left_over > 64 * d * d * U * (1 + np.linalg.norm(A, 2)):
            raise NotCertified(
                f"region not invariant: a linear part moves the leaf's directions by {left_over:.3g} out of it"
            )
    draws = [draw for _, draw in support] if support is not None else [family.sample(16).draws[i] for i in range(16)]
    for draw in draws:
        step = apply_read_only(family, theta.astype(float), draw, "a map of the support") - theta
        left_over = float(np.linalg.norm(out @ step))
        if left_over > 64 * d * d * U * (np.linalg.norm(step) + np.linalg.norm(theta.astype(float)) + 1):
            raise NotCertified(f"region not invariant: T θ0 − θ0 leaves the leaf's directions by {left_over:.3g}")
    return Q


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


def word_norms(parts: Sequence[NDArray], q: int, space: Space) -> NDArray:
    """Norms of all words' linear parts, rounded up by the rounding of q products."""
    products = _matrix_words(parts, q)
    d = products.shape[-1]
    norms = np.concatenate(
        [np.atleast_1d(space.operator_norm(products[i : i + 4096])) for i in range(0, len(products), 4096)]
    )
    largest = max(float(np.linalg.norm(A)) for A in parts)
    slack = 8 * d * d * U * condition(space) * (norms + (0 if q == 1 else q * max(1.0, largest) ** q))
    return np.where(norms == 0, slack if q > 1 else 0.0, norms + slack)


def letters(family: RandomOperator, theta: NDArray, leaf: ArrayLike | bool | None, space: Any):
    """Linear parts (restricted to the leaf), their weights (None: only a common one), and the metric."""
    metric = as_space(family.space if space is None else space)
    if leaf is not None and not isinstance(metric, Euclidean):
        raise ValueError("a leaf is certified in the Euclidean distance: leave out space=")
    known = family.linear_support()
    if known is None:
        return None, None, metric
    parts = [A for _, A in known]
    if leaf is not None:
        Q = leaf_basis(family, theta, leaf)
        parts = [Q.T @ A @ Q for A in parts]
    weights = [w for w, _ in known]
    return parts, None if any(w is None for w in weights) else weights, metric


def p_mean_factor(family: RandomOperator, p: float, q: int = 1) -> Constant | None:
    """rho_p = E Lip(T_1 … T_q)^p for independent maps, in closed form or over listed words; None if unknown."""
    check_positive("p", p)
    if not family.is_iid:
        return None
    if q == 1 and (moment := family.factor_moment(p)) is not None:
        return Constant(float(bounds.rounded_up(moment, 64)), "proved", f"E |K|^{p:g} in closed form")
    known = listed_words(family, q)
    if known is None:
        return None
    weights, factors, origin = known
    value = float(np.sum(weights * factors**p))
    return Constant(
        float(bounds.rounded_up(value, 2 * len(factors) + 8)), origin, f"E Lip^{p:g} over {len(factors)} words"
    )


def listed_words(family: RandomOperator, q: int) -> tuple[NDArray, NDArray, Origin] | None:
    """(probabilities, Lipschitz constants, origin) of all words of length q; None unless they are known and few."""
    support, space = family.finite_support(), as_space(family.space)
    if support is None or any(w is None for w, _ in support):
        return None
    weights = np.array([float(w) for w, _ in support])
    if q > 1 and space.is_normed and (parts := linear_parts(family)) is not None:
        if len(parts) == 1:
            return np.ones(1), word_norms(parts, q, space), "proved"
        if len(parts) ** q > WORDS_LIMIT:  # counted before anything of that size is made
            return None
        return word_weights(weights, q), word_norms(parts, q, space), "proved"
    factors = [family.lipschitz(draw) for _, draw in support]
    if any(f is None for f in factors):
        return None
    single = np.array([float(np.max(f)) for f in factors])
    if len(single) ** q > WORDS_LIMIT:
        return None
    words = single
    for _ in range(q - 1):
        words = np.multiply.outer(words, single).reshape(-1)
    return word_weights(weights, q), words, family.lipschitz_origin


def word_weights(weights: NDArray, q: int) -> NDArray:
    out = weights
    for _ in range(q - 1):
        out = np.multiply.outer(out, weights).reshape(-1)
    return out


def certify_p_mean(family: RandomOperator, theta: NDArray, start: NDArray | None, p: float):
    """The bound of p-mean contraction, E K^p < 1; None where rho_p is unknown or at least 1."""
    rho = p_mean_factor(family, p)
    if rho is None or rho.value >= 1:
        return None
    D = displacement_constant(family, theta, None, p, None)
    r = start_distance(family, theta, start, None)
    radius = 0.0 if r is None else r.value
    return made(
        {"rho": rho, "D": D} | ({} if r is None else {"r": r}),
        statement="contraction in p-mean",
        k=float(bounds.rounded_up(rho.value ** (1 / p), 8 + 8 / p)),
        D=D.value,
        target="θ*",
        formula=_p_formula(p, r),
        distance=repr(family.space),
        hypotheses=(f"i.i.d. maps, E Kᵖ = rho < 1 at p = {p:g}", "D = ‖d(θ0, Tθ0)‖_p"),
        evaluate=lambda n: bounds.p_mean(rho.value, p, D.value, n, radius),
        p=float(p),
    )


def _p_formula(p: float, r: Any) -> str:
    if p >= 1:
        return "rhoⁿᐟᵖ D/(1−rho^(1/p))" if r is None else "rhoⁿᐟᵖ (D/(1−rho^(1/p)) + r)"
    return "[rhoⁿ Dᵖ/(1−rho)]^(1/p)" if r is None else "[rhoⁿ (Dᵖ/(1−rho) + rᵖ)]^(1/p)"


def certify_words(
    family: RandomOperator,
    theta: NDArray,
    start: NDArray | None,
    q: int,
    moment: float | None,
    space: Any,
    leaf: ArrayLike | bool | None,
    rigorous: bool,
):
    """Contraction after q maps, surely or in p-mean, in a metric and along a leaf."""
    if rigorous:
        raise ValueError("rigorous constants are available for uniform contraction only: leave out q and leaf")
    check_integer("q", q, 1)
    parts, weights, metric = letters(family, theta, leaf, space)
    if parts is None or not metric.is_normed:
        raise NotCertified(f"no linear parts are known for {family!r}, so words cannot be composed", ("leave out q=",))
    single, words = word_norms(parts, 1, metric), word_norms(parts, q, metric)
    where = f"{len(words)} words of length {q}" + ("" if leaf is None else " along the leaf")
    if moment is None:
        kappa = Constant(float(words.max()), "proved", f"largest norm of {where}")
        lip = Constant(float(single.max()), "proved", "largest norm of one map")
    else:
        if weights is None or not family.is_iid:
            raise NotCertified("contraction in p-mean needs independent maps with one law", ("leave out moment=",))
        w = np.array([float(x) for x in weights])
        kappa, lip = (
            Constant(
                float(bounds.rounded_up(np.sum(v * x**moment), 2 * len(x) + 8)), "proved", f"E of the p-th power, {t}"
            )
            for v, x, t in ((word_weights(w, q), words, where), (w, single, "one map"))
        )
    if kappa.value >= 1:
        raise NotCertified(
            f"kappa ≥ 1: {where} give {kappa.value:.6g}" + ("" if moment is None else f" (E Lip^{moment:g})"),
            ("a larger q", *(() if moment is not None else ("moment=p for contraction in p-mean",))),
        )
    D = displacement_constant(family, theta, space, moment, None)
    r = start_distance(family, theta, start, space)
    if leaf is not None and start is not None:
        leaf_basis(family, theta, leaf)
        _check_on_leaf(theta, start, leaf_directions(family, leaf))
    radius = 0.0 if r is None else r.value
    if moment is None:
        evaluate = lambda n: bounds.after_q(q, kappa.value, lip.value, D.value, n, radius)  # noqa: E731
        inner = "D q/(1−kappa)" + ("" if r is None else " + r")
        formula = f"({inner}) max(1, lip)^(q−1) kappa^⌊n/q⌋, q = {q}"
    else:
        evaluate = lambda n: bounds.p_mean(kappa.value, moment, D.value, n, radius, q, lip.value)  # noqa: E731
        formula = f"p-mean over blocks of q = {q} maps, kappa = E Lip(T_1…T_q)ᵖ"
    return made(
        {"kappa": kappa, "lip": lip, "D": D} | ({} if r is None else {"r": r}),
        statement=("contraction after q maps" if moment is None else "contraction in p-mean after q maps")
        + ("" if leaf is None else ", along a leaf"),
        k=kappa.value,
        D=D.value,
        target="θ*",
        formula=formula,
        distance=repr(metric),
        hypotheses=(f"kappa < 1 over {where}",) + (() if moment is None else ("i.i.d. maps",)),
        evaluate=evaluate,
        p=math.inf if moment is None else float(moment),
    )


def _check_on_leaf(theta: NDArray, start: NDArray, V: NDArray) -> None:
    gap = start.astype(float) - theta
    rest = gap - V @ np.linalg.lstsq(V, gap, rcond=None)[0]
    if np.linalg.norm(rest) > 64 * V.size * U * (1 + np.linalg.norm(gap)):
        raise NotCertified(f"region not invariant: the start is off the leaf of θ0 by {np.linalg.norm(rest):.3g}")
