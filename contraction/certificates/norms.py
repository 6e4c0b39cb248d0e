"""Norms in which all linear parts of a family contract: Euclidean, sup, l1, and ‖x‖_P = sqrt(x^T P x).

The metric must be common to all maps. Spectral radii below one do not imply that products contract, nor that one
non-normal matrix contracts in the Euclidean norm. For one matrix A and any k between its spectral radius and 1, the P
that solves the Lyapunov equation P = (A/k)^T P (A/k) + I gives ‖A‖_P < k. A common norm exists if and only if the joint
spectral radius is below one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, optimize

from contraction.arguments import check_finite
from contraction.certificates.bounds import check_factor
from contraction.certificates.change_of_metric import equivalence, linear_parts, named, norm_of_parts, operator_norm_up
from contraction.certificates.error_bound import ErrorBound, certificate_or_estimate
from contraction.certificates.hypotheses import NO_NORM_EXISTS, displacement_constant, start_distance
from contraction.certificates.majorants import CommonNorm
from contraction.maps.arrays import square_matrices
from contraction.maps.constants import Constant
from contraction.maps.errors import NotCertified
from contraction.maps.operators import RandomOperator
from contraction.maps.spaces import Euclidean, L1Simplex, Space, SupNorm, WeightedEuclidean, as_space

__all__ = [
    "common_norm",
    "expanding_word",
    "lyapunov_norm",
    "spectral_radius",
]

LARGEST_OPTIMISED = 8  # up to this dimension P is optimised numerically for several matrices
WORDS_TRIED = 4096


def spectral_radius(A: ArrayLike) -> float:
    """Largest absolute eigenvalue of A, a lower bound of every operator norm of A; it is not a contraction factor."""
    return float(np.max(np.abs(np.linalg.eigvals(np.asarray(A, dtype=float)))))


def lyapunov_norm(A: ArrayLike, k: float | None = None) -> WeightedEuclidean:
    """Return the norm ‖x‖_P with P = (A/k)^T P (A/k) + I, in which ‖A‖_P < k.

    It solves Stein's equation, and ‖A x‖_P² = k² (‖x‖_P² - |x|²), so that Theorem 2.2 applies in this norm to affine
    maps with the common linear part A.

    Parameters
    ----------
    A
        Matrix (d, d).
    k
        The contraction factor to achieve, above the spectral radius and below 1 (default: halfway between them).

    Raises
    ------
    NotCertified
        If the spectral radius is at least 1, so that no norm contracts A.
    ValueError
        If k is not between the spectral radius and 1.

    Examples
    --------
    >>> import contraction as ct
    >>> import numpy as np
    >>> shear = np.array([[0.5, 10.0], [0.0, 0.5]])
    >>> norm = ct.lyapunov_norm(shear, 0.75)
    >>> bool(np.linalg.norm(shear, 2) > 10), bool(norm.operator_norm(shear) < 0.75)
    (True, True)
    """
    (A,) = square_matrices("A", [A])
    rho = spectral_radius(A)
    if rho >= 1:
        raise NotCertified(f"no norm contracts A: its spectral radius is {rho:.6g} ≥ 1")
    k = (1 + rho) / 2 if k is None else check_finite("k", k)
    check_factor(k)
    if k <= rho:
        raise ValueError(f"k must be above the spectral radius {rho:.6g}, got {k!r}")
    P = linalg.solve_discrete_lyapunov((A / k).T, np.eye(len(A)))
    return WeightedEuclidean((P + P.T) / 2)


WORK = 2.0**33  # multiplications that a search for an expanding word may take, a few seconds


def expanding_word(matrices: Sequence[NDArray], longest: int = 12) -> tuple[tuple[int, ...], float] | None:
    """Return a word (1-based) whose product has spectral radius >= 1; None if none is found.

    With such a word no common norm exists.
    """
    for length in range(1, longest + 1):
        words = len(matrices) ** length
        if words > WORDS_TRIED or (length > 1 and words * length * len(matrices[0]) ** 3 > WORK):
            return None
        for word in itertools.product(range(len(matrices)), repeat=length):
            product = np.linalg.multi_dot(
                [np.eye(len(matrices[0])), *(matrices[i] for i in word), np.eye(len(matrices[0]))]
            )
            if (rho := spectral_radius(product)) >= 1:
                return tuple(i + 1 for i in word), rho
    return None


def _candidates(matrices: Sequence[NDArray]) -> Iterator[tuple[str, Space]]:
    yield "Euclidean", Euclidean()
    yield "sup", SupNorm()
    yield "l1", L1Simplex()
    if len(matrices) == 1:
        if spectral_radius(matrices[0]) < 1:
            yield "‖·‖_P (Lyapunov)", lyapunov_norm(matrices[0])
        return
    P = _sum_lyapunov(matrices)
    if P is not None:
        yield "‖·‖_P (Lyapunov sum)", WeightedEuclidean(P)
    if len(matrices[0]) <= LARGEST_OPTIMISED and expanding_word(matrices, 3) is None:
        yield "‖·‖_P (optimised)", _optimised(matrices, np.eye(len(matrices[0])) if P is None else P)


def _sum_lyapunov(matrices: Sequence[NDArray], terms: int = 200) -> NDArray | None:
    """P = sum over words w of A_w^T A_w / k^(2|w|); every ‖A_i‖_P < k if it converges. None if not, or if d > 12."""
    d = len(matrices[0])
    if d > 12:
        return None
    radius = np.max(np.abs(np.linalg.eigvals(sum(np.kron(A, A) for A in matrices)))) ** 0.5
    k = (1 + float(radius)) / 2 if radius < 1 else 1.02 * float(radius)
    lifted = sum(np.kron(A.T, A.T) for A in matrices) / k**2
    P = np.linalg.solve(np.eye(d * d) - lifted, np.eye(d).reshape(-1)).reshape(d, d)
    P = (P + P.T) / 2
    return P if np.linalg.eigvalsh(P)[0] > 0 else None


def _optimised(matrices: Sequence[NDArray], P: NDArray) -> WeightedEuclidean:
    """Minimise max_i ‖R A_i R^-1‖ over triangular R by Nelder–Mead from a given P; the caller checks the result."""
    d = len(P)
    upper = np.triu_indices(d)
    off = upper[0] != upper[1]

    def unpack(x: NDArray) -> NDArray:
        R = np.zeros((d, d))
        R[upper] = np.where(off, x, np.exp(np.clip(x, -30, 30)))
        return R

    def largest(x: NDArray) -> float:
        R = unpack(x)
        inverse = linalg.solve_triangular(R, np.eye(d))
        return max(float(np.linalg.norm(R @ A @ inverse, 2)) for A in matrices)

    R = np.linalg.cholesky(P / np.trace(P) * d).T
    with np.errstate(divide="ignore", invalid="ignore"):
        x = np.where(off, R[upper], np.log(np.abs(R[upper])))
    for _ in range(3):
        x = optimize.minimize(largest, x, method="Nelder-Mead", options={"maxiter": 150 * len(x), "adaptive": True}).x
        if largest(x) < 0.999:
            break
    R = unpack(x)
    return WeightedEuclidean(R.T @ R)


def common_norm(matrices: Sequence[ArrayLike]) -> tuple[Space, float, tuple[str, ...]]:
    """Try several norms and return the first with a common factor below 1, or the best of the quadratic norms.

    Theorem 2.2 needs one metric in which all maps contract: maps that contract each in a metric of its own can have
    products that expand.

    Returns
    -------
    space, factor, tried
        The metric, the largest operator norm (rounded up), and one line per norm that was tried.

    Raises
    ------
    NotCertified
        If none is found; ``tried`` lists the norms with their numbers, and a word whose product expands is named.
    ValueError
        If ``matrices`` is empty.

    Examples
    --------
    >>> import contraction as ct
    >>> space, factor, tried = ct.common_norm([[[0.5, 1.0], [0.0, 0.5]], [[0.5, -1.0], [0.0, 0.5]]])
    >>> type(space).__name__, factor < 1
    ('WeightedEuclidean', True)
    """
    mats = square_matrices("matrices", matrices)
    tried: list[str] = []
    for name, space in _candidates(mats):
        factor = operator_norm_up(space, mats)
        tried.append(f"{name} norm {factor:.6g}")
        if factor < 1:
            return space, factor, tuple(tried)
    word = expanding_word(mats)
    reason = "no common norm was found"
    if word is not None:
        reason = (
            f"{NO_NORM_EXISTS}: the linear parts' product {word[0]} has spectral radius {word[1]:.6g} ≥ 1 "
            "(maps are numbered from 1)"
        )
    raise NotCertified(reason, tried=tuple(tried))


def certify_common_norm(
    family: RandomOperator, theta: NDArray, start: NDArray | None, moment: float | None
) -> tuple[ErrorBound | None, tuple[str, ...]]:
    """Theorem 2.2 in a common norm, stated in the family's metric; (None, tried) if the search finds no such norm."""
    if not as_space(family.space).is_normed or theta.dtype == object:
        return None, ()
    d = theta.shape[-1]
    parts = linear_parts(family)
    if parts is None or (len(parts) == 1 and np.array_equal(parts[0], parts[0].T)):
        return None, ()  # the Euclidean norm of a symmetric matrix is its spectral radius: no norm is smaller
    try:
        space, _, _ = common_norm(parts)
    except NotCertified as failed:
        reason = () if failed.hypothesis == "no common norm was found" else (failed.hypothesis,)
        return None, (*failed.tried, *reason)
    factor = norm_of_parts(family, space, parts)
    if factor >= 1:
        return None, (f"a common norm has a factor that is {factor:.6g} when rounded up",)
    if moment is not None and moment < 1:
        return None, (f"a common norm with factor {factor:.6g} needs a moment p ≥ 1, got {moment:g}",)
    k = Constant(factor, "proved", f"largest operator norm of the linear parts in {named(space)}")
    D = displacement_constant(family, theta, space, moment, k)
    r = start_distance(family, theta, start, space)
    c = Constant(equivalence(space, family.space, d), "proved", f"‖x‖ ≤ c ‖x‖ in {named(space)}")
    certificate = certificate_or_estimate(
        {"k": k, "D": D, "c": c, "r": r},
        statement="Theorem 2.2 in a common norm",
        k=k.value,
        D=D.value,
        target="θ*",
        majorant=CommonNorm(k.value, D.value, None if r is None else r.value, c=c.value),
        distance=repr(family.space),
        hypotheses=(f"every linear part has norm at most k in {named(space)}; D and r are measured there",),
        p=np.inf if moment is None else float(moment),
    )
    return certificate, ()
