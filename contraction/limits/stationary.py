"""Draws within eps of the stationary law, and unbiased stationary expectations from backward increments.

W_p(law θ_n, mu) <= (E d(θ_n, θ*)^p)^(1/p) <= k^n ‖d(θ_0, T θ_0)‖_p / (1-k): for large n the law of
T_1 … T_n θ_0 is within eps of the stationary law mu, even in W_infinity if the displacement is bounded.

Backward increments telescope: E f(θ*) = E f(θ_m) + sum over j of E [f(θ_{m+js}) - f(θ_{m+(j-1)s})].
The sum is truncated at an independent random horizon with P(horizon >= j) = tail^j, and each term is divided by this
probability. The result is unbiased (Glynn and Rhee 2014), with finite variance if E [...]^2 decays faster than tail^j.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from contraction.arguments import (
    check_finite,
    check_function,
    check_integer,
    check_positive,
    check_probability,
    check_real,
    check_seed,
    check_type,
)
from contraction.certificates.certified_for import check_certified_for
from contraction.certificates.certify import certify
from contraction.certificates.error_bound import ErrorBound
from contraction.certificates.hypotheses import point, search_declared
from contraction.certificates.overrides import search_lists, search_stated_moments
from contraction.certificates.words import p_mean_factor
from contraction.limits.composed import compose, in_floats, rounding_of_one
from contraction.maps.arrays import numbers
from contraction.maps.draws import derived_seed, sub_sequence
from contraction.maps.errors import NotCertified
from contraction.maps.iterates import backward_iterates, forward_iterates
from contraction.maps.operators import Operators, RandomOperator, drawn
from contraction.maps.probe import probe, probe_family
from contraction.values import Value

__all__ = ["StationarySample", "UnbiasedExpectation", "sample_stationary", "unbiased_expectation"]

BLOCK_NUMBERS = 2**22


@dataclass(frozen=True, eq=False)
class StationarySample(Value):
    """Draws whose law is within ``error`` of the stationary law in W_p.

    Attributes
    ----------
    value : ndarray
        Independent draws, shape (d,) or (size, d).
    error : float
        Bound on W_p(law of each draw, stationary law) for draws in exact arithmetic. The rounding of floats is not part
        of it; an eps that is below the rounding of one map is refused.
    p : float
        Order of the Wasserstein distance; inf for W_infinity.
    certificate : Certificate
        The certificate that gives the bound.
    maps : int
        Number of maps per draw.

    Examples
    --------
    >>> import contraction as ct
    >>> draws = ct.sample_stationary(ct.families.BernoulliConvolution(0.5), eps=1e-6, seed=0, size=1000)
    >>> draws.value.shape, draws.p, draws.maps
    ((1000, 1), inf, 20)
    >>> draws.error <= 1e-6  # in W_∞: each draw is within 1e-6 of a draw from the stationary law
    True
    """

    value: NDArray
    error: float
    p: float
    certificate: ErrorBound
    maps: int


def sample_stationary(
    family: RandomOperator,
    eps: float,
    seed: int = 0,
    p: float = math.inf,
    size: int | None = None,
    *,
    theta0: ArrayLike | None = None,
    certificate: ErrorBound | None = None,
) -> StationarySample:
    """Draw from a law within eps of the stationary law in W_p, with a certificate.

    Parameters
    ----------
    family
        Independent maps of one law, or finitely many maps whose letters are a Markov chain that starts in its
        stationary law (`contraction.families.MarkovModulated`). The draws are then near the limit of the laws of
        forward iterates.
    eps
        Precision > 0.
    seed
        Seed of the draws.
    p
        Order p >= 1 of the Wasserstein distance; inf needs a bounded displacement.
    size
        Number of independent draws along a leading axis; None for a single draw without that axis.
    theta0
        The start (default: zero, for families that state their number of coordinates; others need a start).
    certificate
        A certificate of θ* with the same p (default: the result of `certify`).

    Raises
    ------
    NotCertified
        If the family has no certificate for this p. If the displacement is unbounded, use a finite p.
    ValueError
        If an argument is invalid, the maps are neither independent nor a stationary Markov chain, or the rounding of
        one map at the largest draw exceeds eps.
    MapRefused, NotDeterministic, DeclarationRefuted
        If a map breaks a rule of `RandomOperator` (`contraction.maps.probe`), or a declared constant is violated.
    TypeError
        If ``family`` is not a random operator.

    References
    ----------
    Diaconis, P., and Freedman, D. (1999). Iterated random functions. SIAM Review 41, 45-76.

    Examples
    --------
    >>> import contraction as ct
    >>> family = ct.families.QuadraticSGD(h=0.1)  # with Gaussian noise the displacement has no bound, its moments have
    >>> draws = ct.sample_stationary(family, 1e-3, seed=0, p=2, size=1000)
    >>> draws.value.shape, draws.error <= 1e-3
    ((1000, 1), True)
    """
    if not isinstance(family, RandomOperator):
        raise TypeError(f"sample_stationary takes a random operator, got {family!r}")
    check_positive("eps", eps)
    check_real("the order p of W_p", p, least=1)
    if not family.is_iid and not _is_chain(family):
        raise ValueError(
            "a stationary law is that of independent maps with one law, or of maps whose letters are a Markov chain "
            f"that starts in its stationary law; got {family!r}"
        )
    check_seed(seed)
    if size is not None:
        check_integer("size", size, 1)
    reference = point(_origin(family) if theta0 is None else theta0, family)
    probe_family(family, reference, seed=seed)
    if certificate is None:
        certificate = _certificate(family, reference, p, seed)
    else:
        check_type("certificate", certificate, ErrorBound, "the result of certify(family, theta0)")
        check_certified_for(certificate, family, reference)
    if certificate.horizon is not None or not certificate.certified:
        raise ValueError("sampling needs a certificate of θ*, not one of drawn maps, and not an estimate")
    if certificate.p < p:
        raise ValueError(f"the certificate is for p = {certificate.p:g}, but p = {p:g} was requested")
    _check_across(family, certificate)
    n = certificate.steps(eps)
    operators = family.sample(n, seed, replicas=size)
    start = reference
    if size is not None:
        start = np.broadcast_to(reference, (size, *reference.shape))
    if len(operators):
        probe(operators, start)
    value = _draw(operators, in_floats(start, operators))
    _check_precision(eps, family, value)
    return StationarySample(value, float(certificate.bound(n)), float(p), certificate, n)


def _check_across(family: RandomOperator, certificate: ErrorBound) -> None:
    """Refuse a certificate along a leaf across which maps may expand, and multiply what rounding moves a draw off it.

    Steps that lie in the leaf (`step_span`) neither expand nor contract across it.

    Raises
    ------
    NotCertified
        If the maps may expand.
    """
    if not certificate.statement.endswith("along a leaf") or family.step_span is not None:
        return
    k = family.contraction
    if k is None or k.value > 1 + 2.0**-30:
        factor = "is not known" if k is None else f"may be {k.value:.6g}"
        raise NotCertified(
            f"draws in floats do not stay on the leaf of the certificate, and the maps' factor across it {factor}",
            ("backward_limit, which bounds the rounding",),
        )


def _check_precision(eps: float, family: RandomOperator, value: NDArray) -> None:
    if value.dtype == object and any(isinstance(number, float) for number in value.flat):
        value = value.astype(float)  # of exact starts under maps of floats
    draws = value.reshape(-1, *value.shape[value.ndim - family.space.event_ndim :])
    sizes = np.max(np.abs(draws.reshape(len(draws), -1)), axis=1, initial=0)
    rounding = rounding_of_one(family.space, draws[int(np.argmax(sizes))])
    if rounding > eps:
        raise ValueError(
            f"eps = {eps!r} is below the precision of {value.dtype} here: the rounding of one map alone may move a "
            f"draw by {rounding:.3g}. Use a larger eps, or exact numbers (integers, Fractions) in the maps and as start"
        )


def _is_chain(family: RandomOperator) -> bool:
    """Whether the letters of finitely many maps are a Markov chain in its stationary law."""
    return family.index_law is not None and bool(family.index_law.is_stationary_chain)


def _draw(operators: Operators, start: NDArray) -> NDArray:
    """T_1 … T_n (start) of independent maps, T_n … T_1 (start) of a stationary chain.

    The latter has the law of the backward iterate under the reversed chain, which has the same maps and the same law of
    one map, so that the certificate bounds its distance to the limit.
    """
    if operators.family.is_iid:
        return compose(operators, start)
    rows = forward_iterates(operators, start, at=[len(operators)])
    return np.take(rows, 0, axis=rows.ndim - 1 - operators.family.space.event_ndim)


def _certificate(family: RandomOperator, reference: NDArray, p: float, seed: int) -> ErrorBound:
    """Return the certificate of θ* in L^p, or surely for p = inf."""
    try:
        return certify(family, reference, moment=None if math.isinf(p) else p, seed=seed)
    except NotCertified as failed:
        if math.isinf(p) and failed.hypothesis.startswith("D infinite"):
            raise NotCertified(failed.hypothesis + ", so W_∞ has no bound", ("p=2, a bound in W_2",)) from None
        raise


def _origin(family: RandomOperator) -> NDArray:
    if family.dim is None:
        raise ValueError(f"pass theta0: {family!r} does not state the number of coordinates of a point")
    return np.zeros(family.dim)


@dataclass(frozen=True, eq=False)
class UnbiasedExpectation(Value):
    """An unbiased estimate of E f(θ*), where θ* has the stationary law.

    Attributes
    ----------
    estimate : float
        Mean of the copies.
    interval : tuple of float
        Normal confidence interval; its level is asymptotic (the variance is finite if rate^stride < tail).
    standard_error : float
        Standard error of the mean.
    confidence : float
        Level of the interval.
    copies : int
        Number of independent copies.
    maps : int
        Total number of map applications (the cost), where restarts count as in a plain loop.
    burn_in, stride, tail : int, int, float
        The levels m + j s and P(horizon >= j) = tail^j.
    rate : float
        The bound in use on the decay of E (increment)^2 per map; the variance is finite if rate^stride < tail.

    Examples
    --------
    >>> import contraction as ct
    >>> family = ct.families.QuadraticSGD(h=0.5)
    >>> answer = ct.unbiased_expectation(family, lambda x: x[..., 0] ** 2, [0.0], copies=2000, seed=0)
    >>> low, high = answer.interval
    >>> bool(low < 1 / 3 < high)  # the stationary variance is h/(2 - h) = 1/3
    True
    >>> answer.maps > answer.copies  # each copy costs a random number of maps
    True
    """

    estimate: float
    interval: tuple[float, float]
    standard_error: float
    confidence: float
    copies: int
    maps: int
    burn_in: int
    stride: int
    tail: float
    rate: float

    @property
    def work_variance(self) -> float:
        """Cost times variance, by which two designs are compared: the smaller one needs fewer maps for one accuracy.

        Returns
        -------
        float
            Maps applied, times the squared standard error that they gave.

        Examples
        --------
        The default design is cheaper than one that uses every iterate:

        >>> from contraction.families import QuadraticSGD, TwoPoint
        >>> from contraction import unbiased_expectation
        >>> family, square = QuadraticSGD(0.1, TwoPoint(-1, 1)), lambda x: x[..., 0] ** 2
        >>> default = unbiased_expectation(family, square, 0.0, copies=500)
        >>> every = unbiased_expectation(family, square, 0.0, copies=500, burn_in=0, stride=1, tail=0.9)
        >>> default.work_variance < every.work_variance
        True
        """
        return self.maps * self.standard_error**2


def square_rate(family: RandomOperator) -> float | None:
    """Return a bound on the decay of E d(θ_n, θ*)^2 per map: k^2, E K^2 or rho^2 in mean square.

    None if unknown.
    """
    rates = []
    if (k := family.contraction) is not None:
        rates.append(k.value**2)
    if (rho := p_mean_factor(family, 2.0)) is not None:
        rates.append(rho.value)
    if (rho := family.mean_square_factor) is not None:
        rates.append(rho.value**2)
    return min(rates, default=None)


def unbiased_expectation(
    family: RandomOperator,
    f: Callable[[NDArray], ArrayLike],
    theta0: ArrayLike,
    *,
    copies: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    rate: float | None = None,
    burn_in: int | None = None,
    stride: int | None = None,
    tail: float | None = None,
) -> UnbiasedExpectation:
    """E f(θ*) without bias, by randomised truncation of backward increments.

    Parameters
    ----------
    family
        A family of independent maps with one law that contract on average in L^2.
    f
        Lipschitz function of points (..., d) -> (...); for other functions, rate= must bound the decay of increments.
    theta0
        The start.
    copies
        Number of independent copies, at least 2.
    seed, confidence
        Seed of the draws; level of the normal interval.
    rate
        Bound on the decay of E [f(θ_{n+1}) - f(θ_n)]^2 per map, such as E K^p with a small p for bounded f
        (default: k^2, E K^2 or the squared factor in mean square, if known).
    burn_in, stride, tail
        m, s and the tail (default: s is 2 time constants 1/ln(1/rate), m is 2 s and tail = rate^(s/2), which lies
        between rate^s and 1 and gives a variance close to that of f(θ*)).

    Raises
    ------
    NotCertified
        If no decay rate below 1 is known, so that the variance may be infinite.
    ValueError
        If rate^stride >= tail (infinite variance), or another argument is invalid.
    MapRefused, NotDeterministic, DeclarationRefuted
        If a map breaks a rule of `RandomOperator` (`contraction.maps.probe`), or a declared constant is violated.

    References
    ----------
    Glynn, P. W., and Rhee, C.-H. (2014). Exact estimation for Markov chain equilibrium expectations. Journal of
    Applied Probability 51A, 377-389.

    Examples
    --------
    >>> import contraction as ct
    >>> family = ct.families.QuadraticSGD(h=0.5)
    >>> found = ct.unbiased_expectation(family, lambda x: x[..., 0], [0.0], copies=400, seed=0)
    >>> low, high = found.interval
    >>> low < 0 < high
    True
    """
    reference = point(theta0, family)
    probe_family(family, reference, seed=seed)
    check_integer("copies", copies, 2)
    check_probability("confidence", confidence)
    check_function("f", f, "of points (..., d)")
    if not family.is_iid:
        raise ValueError("a stationary law is that of independent maps with one law")
    if rate is None:
        search_declared(family, reference, family.contraction, None, seed)
        search_lists(family, reference, seed)
        search_stated_moments(family, reference, 2.0, seed)
    decay = square_rate(family) if rate is None else check_finite("rate", rate)
    if decay is None or decay >= 1:
        seen = "unknown" if decay is None else f"{decay:.6g}"
        raise NotCertified(
            f"the variance may be infinite: the decay of squared increments per map is {seen}, not below 1",
            ("rate=, a bound below 1 (for bounded f, E K^p with a small p)",),
        )
    if decay < 0:
        raise ValueError(f"rate must be in [0, 1), got {decay!r}")
    scale = 0.0 if decay == 0 else 1 / -math.log(decay)
    s = max(1, math.ceil(2 * scale)) if stride is None else check_integer("stride", stride, 1)
    m = max(1, 2 * s) if burn_in is None else check_integer("burn_in", burn_in)
    chance = max(decay ** (s / 2), 1e-3) if tail is None else check_finite("tail", tail)  # P(horizon >= j) = chance^j
    if not 0 < chance < 1 or decay**s >= chance:
        raise ValueError(
            f"finite variance needs rate^stride < tail < 1: rate = {decay:.6g}, stride = {s}, "
            f"rate^stride = {decay**s:.6g}, tail = {chance!r}"
        )
    rng = np.random.default_rng(sub_sequence(check_seed(seed), "horizons"))
    horizons = rng.geometric(1 - chance, size=copies) - 1
    values, cost = [], 0
    for j in np.unique(horizons).tolist():
        count, levels = int(np.sum(horizons == j)), [m + i * s for i in range(j + 1)]
        cost += count * sum(levels)
        step = max(1, BLOCK_NUMBERS // max(1, reference.size * (levels[-1] + 1)))
        for block, first in enumerate(range(0, count, step)):
            operators = drawn(family, levels[-1], _seed(seed, j, block), min(step, count - first))
            values.append(_copies(operators, f, reference, levels, chance))
    Z = np.concatenate(values)
    mean, error = float(np.mean(Z)), float(np.std(Z, ddof=1) / math.sqrt(copies))
    z = float(special.ndtri(0.5 + confidence / 2))
    return UnbiasedExpectation(
        mean, (mean - z * error, mean + z * error), error, confidence, copies, cost, m, s, chance, decay
    )


def _copies(operators: Operators, f: Callable, theta: NDArray, levels: list[int], tail: float) -> NDArray:
    rows = backward_iterates(operators, theta, at=levels)
    axis = rows.ndim - 1 - operators.family.space.event_ndim
    heights = numbers("what f returns", f(rows))
    if heights.shape != rows.shape[: axis + 1]:
        raise ValueError(f"f must map points {rows.shape} to numbers {rows.shape[: axis + 1]}, got {heights.shape}")
    if not np.isfinite(heights).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(heights))[0])
        raise ValueError(f"f must give finite numbers, got {float(heights[at])!r} at the point {rows[at].tolist()}")
    jumps = np.diff(heights, axis=-1) / tail ** np.arange(1, len(levels))
    return heights[..., 0] + jumps.sum(axis=-1)


def _seed(seed: int, *key: int) -> int:
    return derived_seed(seed, "copies", *key)
