"""Stationary moments of affine maps whose letters are a stationary Markov chain, from linear equations.

Let θ_n = A_(i_n) θ_(n-1) + b_(i_n), where the letters i_1, i_2, … have transition probabilities P and the
stationary law pi. The pairs (θ_n, i_n) are a Markov chain. In its stationary law m_a = E [θ 1(i = a)] and
M_a = E [θ θ^T 1(i = a)] satisfy

    m_a = A_a u_a + pi_a b_a,                                 u_a = sum_c P_ca m_c,
    M_a = A_a U_a A_a^T + A_a u_a b_a^T + b_a (A_a u_a)^T + pi_a b_a b_a^T,   U_a = sum_c P_ca M_c.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contraction.families.index_laws import IID
from contraction.families.markov_modulated import MarkovModulated
from contraction.maps.affine import as_matrix
from contraction.maps.operators import RandomOperator
from contraction.maps.second_moments import moved_offsets
from contraction.values import Value

__all__ = ["ModulatedMoments", "modulated_moments"]


@dataclass(frozen=True, eq=False)
class ModulatedMoments(Value):
    """Mean and covariance of the stationary law of modulated affine maps, together and given the last letter.

    Attributes
    ----------
    letters : ndarray
        The stationary law pi of the letters, shape (S,).
    means : ndarray
        E [θ | last letter a], shape (S, d); NaN for letters of probability zero.
    stationary_mean : ndarray
        E θ, shape (d,).
    stationary_covariance : ndarray
        Cov θ, shape (d, d).
    radius : float
        Spectral radius of the equations of the second moments, the rate per map at which they are approached.

    Examples
    --------
    >>> from contraction.families import FiniteFamily, MarkovModulated
    >>> from contraction.laws import modulated_moments
    >>> sticky = MarkovModulated([[0.9, 0.1], [0.1, 0.9]])  # a letter is mostly followed by itself
    >>> moments = modulated_moments(FiniteFamily([(0.5, 0.0), (0.5, 1.0)], law=sticky))
    >>> moments.letters.round(4).tolist(), moments.means.round(4).tolist()  # the mean of θ given the last letter
    ([0.5, 0.5], [[0.1667], [1.8333]])
    >>> moments.stationary_mean.round(4)
    array([1.])
    >>> moments.stationary_covariance.round(4)  # it is 1/3 under independent letters
    array([[0.7778]])
    """

    letters: NDArray
    means: NDArray
    stationary_mean: NDArray
    stationary_covariance: NDArray
    radius: float


def modulated_moments(family: RandomOperator) -> ModulatedMoments:
    """Stationary mean and covariance of finitely many affine maps under a Markov chain of letters.

    The stationary law is the limit of the law of θ_n for a stationary chain. It is also the law of the limit of
    backward iterates under the reversed chain, but not under the chain itself unless this is reversible.

    Row 39 of the audit shows that the direction of the chain matters: Theorem 2.6 needs words that have the law of
    their reversal.

    Parameters
    ----------
    family
        Finitely many affine maps, such as a `FiniteFamily`, under the law `MarkovModulated` or `IID`.

    Returns
    -------
    ModulatedMoments

    Raises
    ------
    ValueError
        If the maps are not finitely many affine ones, their letters are not a Markov chain that starts in its
        stationary law, or the second moments do not converge.

    Examples
    --------
    >>> from contraction.families import FiniteFamily, MarkovModulated
    >>> from contraction.laws import modulated_moments
    >>> chain = MarkovModulated([[0.5, 0.5], [0.5, 0.5]])  # independent letters, in fact
    >>> moments = modulated_moments(FiniteFamily([(0.5, 0.0), (0.5, 1.0)], law=chain))
    >>> [round(float(x), 6) for x in (moments.stationary_mean[0], moments.stationary_covariance[0, 0])]
    [1.0, 0.333333]
    """
    law = family.index_law
    never = [a for a, p in enumerate(law.marginal or ()) if not p] if isinstance(law, IID | MarkovModulated) else []
    if never:
        raise ValueError(
            f"every letter must have positive stationary probability, but {never} of {law!r} (counted from 0) have "
            "none: leave out these letters and their maps, which do not change the stationary law"
        )
    support = family.finite_support() if family.is_affine else None
    forms = None if support is None else [family.affine(draw) for _, draw in support]
    if forms is None or not isinstance(law, IID | MarkovModulated) or len(forms) != law.size:
        raise ValueError(
            "stationary moments of modulated maps need finitely many affine maps under the law MarkovModulated or "
            f"IID, one for each letter; got {family!r}"
        )
    if law.marginal is None:
        raise ValueError(f"the letters of {law!r} must start in their stationary law: leave out initial=")
    pi = np.array([float(p) for p in law.marginal])
    P = np.tile(pi, (law.size, 1)) if isinstance(law, IID) else np.array([[float(q) for q in row] for row in law.P])
    d = family.dim or max(form.b.shape[-1] for form in forms if form is not None)
    A = np.stack([as_matrix(form, d) for form in forms if form is not None])
    b = np.stack([np.broadcast_to(np.asarray(form.b, dtype=float), (d,)) for form in forms if form is not None])
    return _solved(A, b, P, pi)


def _solved(A: NDArray, b: NDArray, P: NDArray, pi: NDArray) -> ModulatedMoments:
    """Return the moments from the linear parts (S, d, d), the offsets (S, d), P and pi."""
    S, d = b.shape
    AA = np.einsum("aij,akl->aikjl", A, A).reshape(S, d * d, d * d)
    lifted = np.einsum("ca,aij->aicj", P, AA).reshape(S * d * d, S * d * d)
    radius = float(np.max(np.abs(np.linalg.eigvals(lifted))))
    if not radius < 1:
        raise ValueError(f"no stationary second moment: the spectral radius of its equations is {radius:.6g} ≥ 1")
    single = np.einsum("ca,aij->aicj", P, A).reshape(S * d, S * d)
    # moments about the mean: second moments about 0 of a far law differ by less than their rounding
    center = np.linalg.solve(np.eye(S * d) - single, (pi[:, None] * b).ravel()).reshape(S, d).sum(axis=0)
    if not np.all(np.isfinite(center)):
        raise ValueError(f"the stationary mean is not finite: {center}")
    b = moved_offsets(A, b, center)
    m = np.linalg.solve(np.eye(S * d) - single, (pi[:, None] * b).ravel()).reshape(S, d)
    u = np.einsum("aij,ca,cj->ai", A, P, m)  # A_a u_a
    cross = np.einsum("ai,aj->aij", u, b)
    right = cross + np.swapaxes(cross, 1, 2) + pi[:, None, None] * np.einsum("ai,aj->aij", b, b)
    M = np.linalg.solve(np.eye(S * d * d) - lifted, right.ravel()).reshape(S, d, d)
    mean = m.sum(axis=0)
    covariance = M.sum(axis=0) - np.outer(mean, mean)
    with np.errstate(divide="ignore", invalid="ignore"):
        means = np.where(pi[:, None] > 0, center + m / pi[:, None], np.nan)
    return ModulatedMoments(pi, means, center + mean, (covariance + covariance.T) / 2, radius)
