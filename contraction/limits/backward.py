"""Limits of backward iterates by doubling the horizon, and the coupling distance of two starts.

theta* = T_1 … T_n (Theta) with Theta = lim T_{n+1} … T_m theta0: the error of iterate n is the distance of two starts,
theta0 and Theta, under the same n maps. So a limit is certified where the constants allow, and otherwise judged by
coupling: two reachable starts under the same maps at n and at 2n. Increments play no part.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_integer, check_iterates, check_positive, check_seed, powers_of_two
from contraction.certificates import bounds
from contraction.certificates.certify import certify
from contraction.certificates.error_bound import ErrorBound, made
from contraction.certificates.hypotheses import point
from contraction.limits.settled import Settling
from contraction.maps.constants import Constant
from contraction.maps.errors import NotCertified, TrainingInReverseError
from contraction.maps.iterates import start_of
from contraction.maps.operators import Operators, RandomOperator, as_point
from contraction.maps.probe import probe, probe_family

__all__ = ["BackwardLimit", "NotSettled", "apply_backward", "backward_limit", "coupling_distance"]

PARTNER_MAPS = 16


class NotSettled(TrainingInReverseError, ArithmeticError):
    """Backward iterates did not settle within the allowed maps; the message has the distances that were seen.

    Raise ``max_maps``, ask for a larger ``eps``, or look for the hypothesis that fails with `certify`.
    """


@dataclass(frozen=True)
class BackwardLimit:
    """A backward limit within ``eps``.

    Attributes
    ----------
    value : ndarray
        T_1 … T_maps (theta0), the point.
    error : float
        The bound on its distance to the limit (an estimate of it where not certified).
    certificate : Certificate or Estimate
        ``certificate.certified`` says which.
    maps : int
        How many different maps T_1 … T_n it depends on: the maps after them move it by at most ``error``.
    applications : int
        How many times a map was applied in all.
    """

    value: NDArray
    error: float
    certificate: ErrorBound
    maps: int
    applications: int

    @property
    def limit(self) -> NDArray:
        """The same point as ``value``."""
        return self.value

    @property
    def certified(self) -> bool:
        """Whether the error is a certificate."""
        return self.certificate.certified


def apply_backward(operators: Operators, theta: ArrayLike, n: int | None = None, first: int = 1) -> NDArray:
    """T_first … T_n (theta), by n - first + 1 applications.

    Parameters
    ----------
    operators
        Drawn maps T_1 … T_N.
    theta
        A point or a batch of points, shape (..., d); with R replicas (..., R, d), or (d,) for all of them.
    n
        Index of the innermost map, which is applied first (default: N).
    first
        The outermost map.

    Returns
    -------
    ndarray
        Shape (..., d), or (..., R, d): an array of its own.

    Raises
    ------
    ValueError
        If a map is named that does not exist, or the start has no meaning.
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


def compose(operators: Operators, theta: NDArray, n: int | None = None, first: int = 1) -> NDArray:
    """T_first … T_n (theta) of maps that were probed: what `apply_backward` does."""
    value = np.array(theta)
    for i in range(len(operators) if n is None else n, first - 1, -1):
        value = operators.apply(i, value)
    return value if value.flags.writeable else value.copy()


def coupling_distance(
    operators: Operators, theta0: ArrayLike, start: ArrayLike, at: Iterable[int] | None = None
) -> tuple[NDArray, NDArray]:
    """d(T_1 … T_n theta0, T_1 … T_n start): two starts under the same maps.

    Bounds what increments only suggest: with start = Theta it is the error of iterate n itself.

    Parameters
    ----------
    operators
        Drawn maps T_1 … T_N.
    theta0, start
        Two starts, shape (..., d).
    at
        The n asked for; None for 0, 1, 2, 4, … and N: O(N) applications in all.

    Returns
    -------
    n : ndarray
        Shape (m,).
    distance : ndarray
        Shape (m, ...): with replicas the leading axes of the iterates follow.

    Raises
    ------
    ValueError
        If an asked n is beyond N, or the starts have no meaning.
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
    max_maps: int = 2**20,
    certificate: ErrorBound | None = None,
) -> BackwardLimit:
    """The limit of T_1 … T_n theta0 within eps, with what vouches for it.

    Where the family has a certificate, maps are drawn until K_1 … K_n D/(1-k) <= eps for their own factors (or until
    D k^n/(1-k) <= eps), and applied once. Otherwise the horizon doubles, n = 1, 2, 4, … (O(n) applications), until at
    two successive horizons the iterate is within eps of that of the horizon before and of a second start coupled by
    the same maps; that is an estimate, and is called one. The rounding of the n applications comes on top.

    Parameters
    ----------
    family
        A random operator.
    theta0
        The start, one point.
    eps
        Precision > 0, in the family's metric.
    seed
        Which draw of the maps.
    start
        The second start of the coupling, which is then used even where constants would certify; by default a point
        that other maps of the family reach from theta0 (so it lies on its leaf).
    moment
        p: settle for a bound on (E d^p)^(1/p), where the displacement is unbounded.
    max_maps
        Horizon at which to give up.
    certificate
        Use this one (of θ*, from theta0) instead of asking `certify`.

    Raises
    ------
    NotSettled
        If it does not settle within ``max_maps`` maps.
    ValueError
        If an argument has no meaning.
    MapRefused, NotDeterministic, DeclarationRefuted
        If a map breaks a rule of `RandomOperator` (`contraction.maps.probe`), or a declared constant is violated.
    """
    if not isinstance(family, RandomOperator):
        raise TypeError(f"backward_limit takes a random operator, got {family!r}")
    check_positive("eps", eps)
    check_integer("max_maps", max_maps, 1)
    check_seed(seed)
    reference = point(theta0, family)
    probe_family(family, reference, *(() if start is None else (point(start, family),)), seed=seed)
    if certificate is not None and certificate.horizon is not None:
        raise ValueError("a certificate of drawn maps says nothing of the limit: certify the family")
    if certificate is None and start is None:
        try:
            certificate = certify(family, reference, moment=moment, seed=seed)
        except NotCertified:
            if moment is not None:
                raise
    if certificate is not None and certificate.certified:
        return _certified(family, reference, eps, seed, certificate, max_maps)
    return _doubling(family, reference, eps, seed, start, max_maps)


def _certified(
    family: RandomOperator, reference: NDArray, eps: float, seed: int, certificate: ErrorBound, max_maps: int
) -> BackwardLimit:
    allowed = certificate.steps(eps)
    used, error = (min(allowed, max_maps), None)
    operators = family.sample(used, seed)
    if certificate.statement == "Theorem 2.2" and math.isinf(certificate.p):
        used, error = _own_factors(operators, certificate, eps)
    if error is None:
        error = certificate.bound(used)
    if error > eps:
        raise NotSettled(f"the certificate asks for {allowed} maps for eps = {eps!r}, max_maps is {max_maps}")
    value = compose(operators, _float(reference, operators), used)
    return BackwardLimit(value, float(error), certificate, used, used)


def _own_factors(operators: Operators, certificate: ErrorBound, eps: float) -> tuple[int, float]:
    """The first n with K_1 … K_n times the bound at n = 0 at most eps; the common k^n if that is reached first."""
    at_zero, product = certificate.bound(0), 1.0
    for n in range(len(operators) + 1):
        error = min(certificate.bound(n), float(bounds.rounded_up(product * at_zero, 2 * n + 4)))
        if error <= eps or n == len(operators):
            return n, error
        K = operators.family.lipschitz(operators.draws[n])
        product *= certificate.k if K is None else min(float(np.max(K)), certificate.k)
        product = float(bounds.rounded_up(product, 4 + 16 * (operators.family.dim or 1)))
    raise AssertionError("unreachable")


def _float(theta: NDArray, operators: Operators) -> NDArray:
    """Integers become what the maps make of them: floats, or exact Python integers."""
    if theta.dtype.kind in "iub" and len(operators):
        kind = np.result_type(theta.dtype, np.asarray(operators.apply(1, theta)).dtype)
        return theta.astype(object if kind.kind in "iub" else kind)
    return theta


def _doubling(
    family: RandomOperator, reference: NDArray, eps: float, seed: int, start: ArrayLike | None, max_maps: int
) -> BackwardLimit:
    space = family.space
    operators = family.sample(min(2, max_maps), seed)
    reference = _float(reference, operators)
    applications = 0
    if start is None:
        other = family.sample(PARTNER_MAPS, seed=_another(seed))
        partner = compose(other, reference)
        applications += PARTNER_MAPS
    else:
        partner = point(start, family)
    pair = np.stack(np.broadcast_arrays(reference, partner))
    n, last, gap, coupled, settling = 1, None, math.inf, math.inf, Settling(eps)
    while n <= max_maps:
        operators = family.sample(n, seed)
        with np.errstate(over="ignore", invalid="ignore"):
            ends = compose(operators, pair)
            applications += 2 * n
            coupled = _number(space.distance(ends[0], ends[1]))
            gap = math.inf if last is None else _number(space.distance(last, ends[0]))
        if math.isnan(coupled):
            raise NotSettled(f"the iterates overflow at n = {n}: {ends[0]!r}")
        if settling.after(coupling=coupled, gap=gap):
            return BackwardLimit(ends[0], max(coupled, gap), _coupled(family, coupled, gap, n, eps), n, applications)
        last, n = ends[0], 2 * n
    raise NotSettled(
        f"not settled within eps = {eps!r} by {n // 2} maps (max_maps = {max_maps}): two starts coupled by the same "
        f"maps are {coupled:.6g} apart, iterates {n // 4} and {n // 2} are {gap:.6g} apart"
    )


def _number(distance: Any) -> float:
    return float(np.max(np.asarray(distance)))


def _another(seed: int) -> int:
    """A seed of other maps, for the second start."""
    return int(np.random.SeedSequence(seed, spawn_key=(0xC0,)).generate_state(1, np.uint64)[0])


def _coupled(family: RandomOperator, coupled: float, gap: float, n: int, eps: float) -> ErrorBound:
    """What coupling saw, as an estimate: constant beyond n, nothing below."""
    seen = max(coupled, gap)
    return made(
        {
            "coupled": Constant(coupled, "measured", f"d of two coupled starts at n = {n}"),
            "tail": Constant(gap, "measured", f"d(θ_{n // 2}, θ_{n})"),
        },
        statement="coupling of two starts",
        k=math.nan,
        D=math.nan,
        target="θ*",
        formula=f"max(coupled, tail) for n ≥ {n}, nothing for smaller n",
        distance=repr(family.space),
        hypotheses=(f"measured: two starts and two horizons agree to eps = {eps:g}; no constant is proved",),
        evaluate=lambda m: np.where(m >= n, seen, np.inf)[()],
    )
