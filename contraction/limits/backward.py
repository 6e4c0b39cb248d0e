"""Limits of backward iterates: certified if the constants allow it, otherwise an estimate that states what was tested.

theta* = T_1 … T_n (Theta) with Theta = lim T_{n+1} … T_m theta0, so the error of iterate n is the distance of the
images of two starts, theta0 and Theta, under the same n maps. A *certified* limit bounds that distance and the rounding
of the n maps. An *estimate* doubles the horizon n and applies the same n maps to fresh starts, which are images of
theta0 under new maps (`contraction.limits.settled` states the rule and its error rates). Neither uses increments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_integer, check_iterates, check_positive, check_seed, powers_of_two
from contraction.certificates.certify import certify
from contraction.certificates.error_bound import ErrorBound, certificate_or_estimate
from contraction.certificates.hypotheses import point, search_declared
from contraction.certificates.majorants import AtLimit, WithinSeen
from contraction.limits.composed import (
    compose,
    composed,
    in_floats,
    moment_prefixes,
    prefix_bounds,
    rounding_of_one,
)
from contraction.limits.settled import Settling, judged, lengths
from contraction.maps.constants import Constant
from contraction.maps.draws import sub_sequence
from contraction.maps.errors import NotCertified, TrainingInReverseError
from contraction.maps.iterates import start_of
from contraction.maps.operators import Operators, RandomOperator, drawn
from contraction.maps.points import apply_read_only, as_point
from contraction.maps.probe import probe, probe_family
from contraction.maps.rounding import round_up
from contraction.values import Value

__all__ = ["BackwardLimit", "NotSettled", "apply_backward", "backward_limit", "coupling_distance"]

#: An estimate stops at the first horizon of at least this many maps at which no second start has come nearer.
PATIENCE = 2**12
NEARER = 1 - 2.0**-20  # the ratio of distances below which a start counts as nearer
BATCH_NUMBERS = 2**22  # fresh starts are mapped in batches of this many numbers


class NotSettled(TrainingInReverseError, ArithmeticError):
    """Backward iterates did not settle within the allowed number of maps; the message states the measured distances.

    Raise ``max_maps``, ask for a larger ``eps``, or look for the hypothesis that fails with `certify`.
    """


@dataclass(frozen=True, eq=False)
class BackwardLimit(Value):
    """A backward limit within ``eps``.

    Attributes
    ----------
    value : ndarray
        T_1 … T_maps (theta0), the point.
    error : float
        Certified: a bound on its distance to the limit, ``truncation + rounding``; with a finite ``p`` a bound on
        (E d^p)^(1/p), which the distance of one draw may exceed. Estimate: the largest distance that was seen, plus the
        rounding of one map. It is 0 only in exact arithmetic.
    certificate : Certificate or Estimate
        The error bound; ``certificate.certified`` tells the two apart.
    maps : int
        The number of maps T_1 … T_n on which the value depends; further maps move it by at most ``error``.
    applications : int
        The total number of applications of a map to a point.
    truncation, rounding : float
        The two parts of ``error``: from the maps that were omitted, and from floating point.
    alpha, delta : float or None
        For an estimate: with confidence 1 - alpha, given T_1 … T_maps, the iterate moves by more than eps within
        ``lengths`` further maps with probability at most delta. None if certified.
    lengths : tuple of int
        These numbers of further maps, pairwise coprime; () if certified.
    far : float or None
        For an estimate with ``start=``: the distance from T_1 … T_maps (start) to the value. It shows whether the path
        forgets its start and is not part of the estimate of the limit.
    """

    value: NDArray
    error: float
    certificate: ErrorBound
    maps: int
    applications: int
    truncation: float
    rounding: float
    alpha: float | None = None
    delta: float | None = None
    lengths: tuple[int, ...] = ()
    far: float | None = None

    @property
    def p(self) -> float:
        """Order of the moment that ``error`` bounds: infinity for a bound on the distance itself."""
        return self.certificate.p

    def __str__(self) -> str:
        kind = "certified" if self.certified else f"estimate, alpha = {self.alpha:g}, delta = {self.delta:g}"
        sense = "" if math.isinf(self.p) else f" in the sense of (E d^{self.p:g})^(1/{self.p:g})"
        return f"limit {self.value} within {self.error:.3g}{sense} after {self.maps} maps ({kind})"

    @property
    def certified(self) -> bool:
        """Whether ``error`` is a certified bound."""
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
    """d(T_1 … T_n theta0, T_1 … T_n start): the distance of two iterates that differ only in their start.

    With start = Theta = lim T_{n+1} … T_m theta0 this distance is the error of iterate n, whereas increments only
    suggest it.

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
    """The limit of T_1 … T_n theta0 within eps, with a certificate or an estimate of its error.

    If the family has a certificate, the limit is *certified*: maps are drawn until K_1 … K_n D/(1-k), with the factors
    K_i of the drawn maps, or D k^n/(1-k), plus the rounding of the n applications is at most eps. The error includes
    both.

    Otherwise it is an *estimate*: the horizon doubles, n = 1, 2, 4, …, until at two successive horizons T_1 … T_n sends
    each of several hundred fresh starts, images of theta0 under new maps, to within eps of the iterate.
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
        Another start, for example far from theta0. The result is then an estimate, even if the constants allow a
        certificate, and its ``far`` is the distance between the value and the image of this start.
    moment
        An exponent p: accept a bound on (E d^p)^(1/p), for unbounded displacements (default: a sure bound).
    ball
        Radius r: use constants that hold on the ball B(theta0, r) only, which must be invariant, as in `certify`.
    max_maps
        The largest number of maps to try.
    alpha, delta
        Error rates of an estimate, both between 0 and 1: see `BackwardLimit`. The number of fresh starts grows as
        log(1/alpha)/delta.
    patience
        An estimate stops with an error at the first horizon of at least this many maps at which no fresh start has come
        nearer to theta0 (default: 4096).
    certificate
        A certificate of θ* from theta0 (default: the result of `certify`).
    progress
        A function that is called at every horizon of an estimate with the horizon n and the largest distance there.

    Raises
    ------
    NotSettled
        If the iterates do not settle within ``max_maps`` maps, no fresh start comes nearer, or no map moves theta0.
    ValueError
        If an argument is invalid, eps is below the rounding of the maps, or an estimate is needed for maps that are not
        independent.
    MapRefused, NotDeterministic, DeclarationRefuted
        If a map breaks a rule of `RandomOperator` (`contraction.maps.probe`), or a declared constant is violated.
    TypeError
        If ``family`` is not a random operator.

    Examples
    --------
    >>> from contraction import backward_limit, families
    >>> found = backward_limit(families.QuadraticSGD(0.1, families.Uniform(-1, 1)), 0.0, eps=1e-6)
    >>> found.certified, found.error <= 1e-6, found.maps
    (True, True, 132)
    >>> found = backward_limit(families.QuadraticSGD(0.1, families.Gaussian()), 0.0, eps=1e-6)
    >>> found.certified, found.alpha, found.delta, found.lengths
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
    if certificate is not None and certificate.horizon is not None:
        raise ValueError("a certificate of drawn maps does not bound the distance to the limit: certify the family")
    if certificate is not None and certificate.distance != repr(family.space):
        raise ValueError(f"eps is in the family's metric {family.space!r}, the certificate in {certificate.distance}")
    settling = Settling(eps, alpha, delta)
    if certificate is None and far is None:
        certificate = _certificate(family, reference, moment, ball, seed)
    if certificate is not None and certificate.certified:
        return _certified(family, reference, eps, seed, certificate, max_maps)
    if not family.is_iid:
        raise ValueError(
            f"an estimate of the limit needs independent maps, but those of {family!r} are not known to be "
            "independent: state constants for a certificate, or compare starts with coupling_distance"
        )
    return _Search(family, reference, seed, far, settling, progress).run(max_maps, patience)


# --- certified ----------------------------------------------------------------------------------------------------


def _certificate(
    family: RandomOperator, reference: NDArray, moment: float | None, ball: float | None, seed: int
) -> ErrorBound | None:
    try:
        return certify(family, reference, moment=moment, ball=ball, seed=seed)
    except NotCertified:
        if moment is not None or ball is not None:
            raise
    moves = family.displacement(reference)
    if moves is None or moves.value != 0:
        return None
    search_declared(family, reference, None, None, seed)
    return certificate_or_estimate(
        {"D": moves},
        statement="a common fixed point",
        k=1.0,
        D=0.0,
        target="θ*",
        majorant=AtLimit(),
        distance=repr(family.space),
        hypotheses=("T θ0 = θ0 for every map",),
    )


def _certified(
    family: RandomOperator, reference: NDArray, eps: float, seed: int, certificate: ErrorBound, max_maps: int
) -> BackwardLimit:
    k = certificate.k if _is_common_factor(certificate) else None
    target, applied = eps, 0
    for _ in range(4):  # each attempt leaves a smaller part of eps for the omitted maps
        n, truncation, operators = _horizon(family, seed, certificate, target, max_maps)
        prefixes = moment_prefixes(family, n, certificate.p) if k is None and math.isfinite(certificate.p) else None
        if prefixes is None:
            prefixes = prefix_bounds(operators, n, k)
        value, rounding = composed(operators, in_floats(reference, operators), n, prefixes)
        applied += n
        if truncation + rounding <= eps:
            return BackwardLimit(value, truncation + rounding, certificate, n, applied, truncation, rounding)
        if rounding >= eps / 2:
            break
        target = (eps - rounding) * 15 / 16
    raise ValueError(
        f"eps = {eps!r} is below the precision of {value.dtype} here: rounding alone may move T_1 … T_{n} (theta0) by "
        f"{rounding:.3g}. Use an eps of at least {2.2 * rounding:.1g}, or exact numbers (integers, Fractions) as start"
    )


def _is_common_factor(certificate: ErrorBound) -> bool:
    """Whether k bounds every map's Lipschitz constant in the family's metric."""
    return certificate.statement.startswith("Theorem 2.2") and "common norm" not in certificate.statement


def _horizon(
    family: RandomOperator, seed: int, certificate: ErrorBound, target: float, max_maps: int
) -> tuple[int, float, Operators]:
    """The least tried n whose truncation error is at most the target, and that error."""
    allowed = certificate.steps(target)
    operators = family.sample(min(allowed, max_maps), seed)
    if certificate.statement == "Theorem 2.2" and math.isinf(certificate.p):
        n, error = _own_factors(operators, certificate, target)
    else:
        n, error = len(operators), float(certificate.bound(len(operators)))
    if error > target:
        raise NotSettled(f"the certificate needs {allowed} maps for eps = {target:.6g}, max_maps is {max_maps}")
    return n, error, operators


def _own_factors(operators: Operators, certificate: ErrorBound, eps: float) -> tuple[int, float]:
    """The first n at which K_1 … K_n, or k^n, times the bound at n = 0 is at most eps, and that product."""
    common = np.asarray(certificate.bound(np.arange(len(operators) + 1)), dtype=float)
    at_zero, product = common[0], 1.0
    room = 4 + 16 * (operators.family.dim or 1)
    for n in range(len(operators) + 1):
        error = min(common[n], float(round_up(product * at_zero, 2 * n + 4)))
        if error <= eps or n == len(operators):
            return n, float(error)
        K = operators.family.lipschitz(operators.draws[n])
        product *= certificate.k if K is None else min(float(np.max(K)), certificate.k)
        product = float(round_up(product, room))
    raise AssertionError("unreachable")


# --- estimates ----------------------------------------------------------------------------------------------------


class _Search:
    """The doubling of the horizon, for one draw of the maps."""

    def __init__(
        self,
        family: RandomOperator,
        reference: NDArray,
        seed: int,
        far: NDArray | None,
        settling: Settling,
        progress: Callable[[int, float], None] | None,
    ) -> None:
        self.family, self.seed, self.far, self.settling, self.progress = family, seed, far, settling, progress
        self.reference = in_floats(reference, family.sample(1, seed))
        self.applications = 0

    def run(self, max_maps: int, patience: int) -> BackwardLimit:
        n, eps = 1, self.settling.eps
        while n <= max_maps:
            operators = self.family.sample(n, self.seed)
            before, after, value = self.apart(operators, n, 1, 0)  # a cheap check with one start before the full test
            if np.isnan(after).any():
                raise NotSettled(f"the iterates overflow at n = {n}: {value!r}")
            if judged(before, after, eps) == "agree":
                before, after, value = self.apart(operators, n, self.settling.starts, self.settling.tests + 1)
                if self.settling.after(before, after):
                    return self.found(operators, n, value, float(np.max(after)))
            else:
                self.settling.agreeing = 0
            if self.progress is not None:
                self.progress(n, float(np.max(after)))
            if n >= patience and np.all(after >= NEARER * before):
                break
            n *= 2
        n = min(n, 2 ** (max_maps.bit_length() - 1))
        if not np.any(before > 0):
            raise NotSettled(
                f"undecided: at n = {n}, no fresh start (an image of theta0 under up to {lengths(n)[-1]} new maps) "
                "differs from theta0, so contraction cannot be tested. If every map fixes theta0, declare "
                "displacement=0.0"
            )
        seen = (
            f"fresh starts are up to {np.max(before):.6g} from theta0, and T_1 … T_n takes them up to "
            f"{np.max(after):.6g} from the iterate"
        )
        if np.all(after >= NEARER * before):
            raise NotSettled(f"no start comes nearer: {seen} under {n} maps, none nearer than before")
        raise NotSettled(
            f"not settled within eps = {eps!r} by {n} maps (max_maps = {max_maps}): {seen} under these maps"
        )

    def apart(self, operators: Operators, n: int, starts: int, test: int) -> tuple[NDArray, NDArray, NDArray]:
        """d(theta0, X) and d(T_1 … T_n theta0, T_1 … T_n X) for fresh X, and T_1 … T_n theta0."""
        space, theta = self.family.space, self.reference
        step = max(1, BATCH_NUMBERS // max(1, theta.size))
        with np.errstate(over="ignore", invalid="ignore"):
            X = np.concatenate([self.fresh(m, starts, (n, m, test)) for m in lengths(n)])
            after, value = np.empty(len(X)), theta
            before = np.asarray(space.distance(theta, X), dtype=float)
            for first in range(0, len(X), step):
                part = X[first : first + step]
                ends = compose(operators, np.concatenate([theta[None].astype(X.dtype), part]))
                value, after[first : first + step] = ends[0], space.distance(ends[0], ends[1:])
                self.applications += n * (len(part) + 1)
        return before, after, value

    def fresh(self, m: int, count: int, key: tuple[int, ...]) -> NDArray:
        """Draw ``count`` points T'_1 … T'_m theta0 with new maps, shape (count, *event)."""
        family = self.family
        self.applications += m * count
        value = np.broadcast_to(self.reference, (count, *self.reference.shape))
        words = sub_sequence(self.seed, "fresh starts", *key)
        if type(family).draws is not RandomOperator.draws:
            return compose(drawn(family, m, int(words.generate_state(1, np.uint64)[0]), count), value)
        rng = np.random.Generator(np.random.PCG64(words))  # one generator for all, because these maps are applied once
        for _ in range(m):
            value = apply_read_only(family, value, family.draw_block(rng, count), "a fresh map")
        return value

    def found(self, operators: Operators, n: int, value: NDArray, seen: float) -> BackwardLimit:
        space, eps, rule = self.family.space, self.settling.eps, self.settling
        rounding, far = rounding_of_one(space, value), None
        if rounding > eps:
            raise ValueError(
                f"eps = {eps!r} is below the precision of {value.dtype} here: rounding alone may move the image of one "
                f"map by {rounding:.3g}"
            )
        if self.far is not None:
            far = float(space.distance(value, compose(operators, self.far.astype(value.dtype))))
            self.applications += n
        estimate = _tested(self.family, n, seen, rule)
        return BackwardLimit(
            value,
            seen + rounding,
            estimate,
            n,
            self.applications,
            seen,
            rounding,
            rule.alpha,
            rule.delta,
            lengths(n),
            far,
        )


def _tested(family: RandomOperator, n: int, seen: float, rule: Settling) -> ErrorBound:
    """The largest distance in the test as an `Estimate`: constant from n on, without a bound for smaller n."""
    m = ", ".join(map(str, lengths(n)))
    return certificate_or_estimate(
        {"seen": Constant(seen, "measured", f"largest d(T_1…T_n X, θ_n) at n = {n}, X from θ0 by m = {m} new maps")},
        statement="fresh starts under the same maps",
        k=math.nan,
        D=math.nan,
        target="θ*",
        majorant=WithinSeen(n, seen),
        distance=repr(family.space),
        hypotheses=(
            f"tested at level α = {rule.alpha:g}: P(d(θ_n, θ_(n+m)) > {rule.eps:g} | T_1…T_n) ≤ δ = {rule.delta:g} for "
            f"m = {m}; no constant is proved",
        ),
    )
