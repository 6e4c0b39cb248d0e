"""Limits of backward iterates: certified if the constants allow it, otherwise an estimate that states what was tested.

θ* = T_1 … T_n (Θ) with Θ = lim T_{n+1} … T_m θ_0, so the error of iterate n is the distance of the
images of two starts, θ_0 and Θ, under the same n maps. A *certified* limit bounds that distance and the rounding
of the n maps. An *estimate* doubles the horizon n and applies the same n maps to fresh starts, which are images of
θ_0 under new maps (`contraction.limits.settled` states the rule and its error rates). Neither uses increments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import (
    check_function,
    check_integer,
    check_iterates,
    check_positive,
    check_seed,
    check_type,
    powers_of_two,
)
from contraction.certificates.certified_for import check_certified_for
from contraction.certificates.error_bound import ErrorBound
from contraction.certificates.hypotheses import point
from contraction.limits.certified import certificate_of_limit, certified_limit
from contraction.limits.composed import compose
from contraction.limits.estimated import PATIENCE, Search
from contraction.limits.result import BackwardLimit
from contraction.limits.settled import Settling
from contraction.maps.iterates import start_of
from contraction.maps.operators import Operators, RandomOperator
from contraction.maps.points import as_point
from contraction.maps.probe import probe, probe_family

__all__ = ["apply_backward", "backward_limit", "coupling_distance"]


def apply_backward(operators: Operators, theta: ArrayLike, n: int | None = None, first: int = 1) -> NDArray:
    """T_first … T_n (θ), by n - first + 1 applications.

    Parameters
    ----------
    operators
        Drawn maps T_1 … T_N.
    theta
        A point or a batch of points, shape (..., d); with R replicas (..., R, d), or (d,) for all of them.
    n
        Index of the innermost map, which is applied first (default: N).
    first
        Index of the outermost map (default: 1).

    Returns
    -------
    ndarray
        A new array of shape (..., d), or (..., R, d) with replicas.

    Raises
    ------
    ValueError
        If an index is not that of a map, or the start is invalid.
    MapRefused, NotDeterministic, DeclarationRefuted
        If a map breaks a rule of `RandomOperator` (`contraction.maps.probe`).

    Examples
    --------
    >>> from contraction import Operators, apply_backward
    >>> maps = Operators.from_maps([lambda x: x / 2, lambda x: x + 1])
    >>> apply_backward(maps, 3.0).tolist()
    [2.0]
    """
    last = len(operators) if n is None else check_integer("n", n)
    if not 1 <= first <= last + 1 or last > len(operators):
        raise ValueError(f"the maps are 1 … {len(operators)}, got first = {first}, n = {last}")
    start = start_of(operators, theta)
    probe(operators, start)
    return compose(operators, start, last, first)


def coupling_distance(
    operators: Operators, theta0: ArrayLike, start: ArrayLike, at: Iterable[int] | None = None
) -> tuple[NDArray, NDArray]:
    """d(T_1 … T_n θ_0, T_1 … T_n start): the distance of two iterates that differ only in their start.

    With start = Θ = lim T_{n+1} … T_m θ_0 this distance is the error of iterate n, whereas increments only
    suggest it.

    Under the hypotheses of Theorem 2.2 it is at most k^n d(θ_0, start) (row 11).

    Parameters
    ----------
    operators
        Drawn maps T_1 … T_N.
    theta0, start
        Two starts, shape (..., d).
    at
        The requested n (default: 0, 1, 2, 4, … and N, at a total cost of O(N) applications).

    Returns
    -------
    n : ndarray
        Shape (m,).
    distance : ndarray
        Shape (m, ...): with replicas the leading axes of the iterates follow.

    Raises
    ------
    ValueError
        If a requested n is above N, or a start is invalid.
    MapRefused, NotDeterministic, DeclarationRefuted
        If a map breaks a rule of `RandomOperator` (`contraction.maps.probe`).

    Examples
    --------
    >>> from contraction import Operators, coupling_distance
    >>> halves = Operators.from_maps([lambda x, b=b: x / 2 + b for b in range(4)])
    >>> n, distance = coupling_distance(halves, 0.0, 1.0)
    >>> n.tolist(), distance.tolist()
    ([0, 1, 2, 4], [1.0, 0.5, 0.25, 0.0625])
    """
    total = len(operators)
    asked = powers_of_two(total) if at is None else check_iterates(at, total)
    dim = operators.family.dim
    space = operators.family.space
    a, b = np.broadcast_arrays(as_point(theta0, dim), as_point(start, dim))
    pair = np.stack([a, b])
    if operators.replicas is not None:
        split = pair.ndim - space.event_ndim
        lead = np.broadcast_shapes(pair.shape[1:split], (operators.replicas,))
        pair = pair.reshape(2, *[1] * (len(lead) - split + 1), *pair.shape[1:])
        pair = np.broadcast_to(pair, (2, *lead, *pair.shape[pair.ndim - space.event_ndim :]))
    probe(operators, pair)
    values = []
    for n in asked:
        ends = compose(operators, pair, n)
        values.append(np.asarray(space.distance(ends[0], ends[1])))
    return np.array(asked, dtype=int), np.array(values)


def backward_limit(
    family: RandomOperator,
    theta0: ArrayLike,
    eps: float,
    seed: int = 0,
    *,
    start: ArrayLike | None = None,
    moment: float | None = None,
    ball: float | None = None,
    max_maps: int = 2**20,
    alpha: float = 0.01,
    delta: float = 0.05,
    patience: int = PATIENCE,
    certificate: ErrorBound | None = None,
    progress: Callable[[int, float], None] | None = None,
) -> BackwardLimit:
    """Return the limit of T_1 … T_n θ_0 within eps, with a certificate or an estimate of its error.

    If the family has a certificate, the limit is *certified*: maps are drawn until K_1 … K_n D/(1-k), with the factors
    K_i of the drawn maps, or D k^n/(1-k), plus the rounding of the n applications is at most eps. The error includes
    both.

    Otherwise it is an *estimate*: the horizon doubles, n = 1, 2, 4, …, until at two successive horizons T_1 … T_n sends
    each of several hundred fresh starts, images of θ_0 under new maps, to within eps of the iterate.
    `contraction.limits.settled` states which conclusion follows, and its error rates. It needs independent maps.

    Parameters
    ----------
    family
        A random operator.
    theta0
        The start, one point.
    eps
        Precision > 0, in the family's metric.
    seed
        Seed of the maps.
    start
        Another start, for example far from θ_0. The result is then an estimate, even if the constants allow a
        certificate, and its ``far`` is the distance between the value and the image of this start.
    moment
        An exponent p: accept a bound on (E d^p)^(1/p), for unbounded displacements (default: a sure bound).
    ball
        Radius r: use constants that hold on the ball B(θ_0, r) only, which must be invariant, as in `certify`.
    max_maps
        The largest number of maps to try.
    alpha, delta
        Error rates of an estimate, both between 0 and 1: see `BackwardLimit`. The number of fresh starts grows as
        log(1/alpha)/delta.
    patience
        An estimate stops with an error at the first horizon of at least this many maps at which no fresh start has come
        nearer to θ_0 (default: 4096).
    certificate
        A certificate of θ* from θ_0 (default: the result of `certify`).
    progress
        A function that is called at every horizon of an estimate with the horizon n and the largest distance there.

    Raises
    ------
    NotSettled
        If the iterates do not settle within ``max_maps`` maps, no fresh start comes nearer, or no map moves θ_0.
    ValueError
        If an argument is invalid, eps is below the rounding of the maps, or an estimate is needed for maps that are not
        independent.
    MapRefused, NotDeterministic, DeclarationRefuted
        If a map breaks a rule of `RandomOperator` (`contraction.maps.probe`), or a declared constant is violated.
    TypeError
        If ``family`` is not a random operator.

    References
    ----------
    Dherin, B., et al. (2025). Training in reverse. arXiv:2502.01557v1, Theorem 2.2.

    Letac, G. (1986). A contraction principle for certain Markov chains and its applications. Contemporary
    Mathematics 50, 263-273.

    Examples
    --------
    >>> from contraction import backward_limit, families
    >>> limit = backward_limit(families.QuadraticSGD(0.1, families.Uniform(-1, 1)), 0.0, eps=1e-6)
    >>> limit.certified, limit.error <= 1e-6, limit.maps
    (True, True, 132)
    >>> limit = backward_limit(families.QuadraticSGD(0.1, families.Gaussian()), 0.0, eps=1e-6)
    >>> limit.certified, limit.alpha, limit.delta, limit.lengths
    (False, 0.01, 0.05, (512, 513, 1025))
    """
    if not isinstance(family, RandomOperator):
        raise TypeError(f"backward_limit takes a random operator, got {family!r}")
    check_positive("eps", eps)
    check_integer("max_maps", max_maps, 1)
    check_integer("patience", patience, 1)
    check_seed(seed)
    reference = point(theta0, family)
    far = None if start is None else point(start, family)
    probe_family(family, reference, *(() if far is None else (far,)), seed=seed)
    if progress is not None:
        check_function("progress", progress, "of the number of maps and the last step")
    if certificate is not None:
        check_type("certificate", certificate, ErrorBound, "the result of certify(family, theta0)")
    if certificate is not None and certificate.horizon is not None:
        raise ValueError("a certificate of drawn maps does not bound the distance to the limit: certify the family")
    if certificate is not None and certificate.certified:
        check_certified_for(certificate, family, reference)
    settling = Settling(eps, alpha, delta)
    if certificate is None and far is None:
        certificate = certificate_of_limit(family, reference, moment, ball, seed)
    if certificate is not None and certificate.certified:
        return certified_limit(family, reference, eps, seed, certificate, max_maps)
    if not family.is_iid:
        raise ValueError(
            f"an estimate of the limit needs independent maps, but those of {family!r} are not known to be "
            "independent: state constants for a certificate, or compare starts with coupling_distance"
        )
    return Search(family, reference, seed, far, settling, progress).run(max_maps, patience)
