"""Certified backward limits: the omitted maps are bounded by a certificate, and the rounding of the others is added."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from contraction.certificates.certified_for import signed
from contraction.certificates.certify import certify
from contraction.certificates.error_bound import ErrorBound, certificate_or_estimate
from contraction.certificates.hypotheses import search_declared
from contraction.certificates.majorants import AtLimit, InRegion
from contraction.certificates.overrides import labelled
from contraction.limits.composed import composed, in_floats, moment_prefixes, prefix_bounds
from contraction.limits.result import BackwardLimit, NotSettled
from contraction.maps.errors import NotCertified
from contraction.maps.operators import Operators, RandomOperator
from contraction.maps.rounding import TINY, round_up

__all__ = ["certificate_of_limit", "certified_limit"]


def certificate_of_limit(
    family: RandomOperator, reference: NDArray, moment: float | None, ball: float | None, seed: int
) -> ErrorBound | None:
    """Return a certificate of the limit of T_1 … T_n (reference), or None if the constants allow none.

    The certificate is that of `certify`, or the one for a common fixed point if no map moves the reference.

    Parameters
    ----------
    family
        A random operator.
    reference
        The start, one point.
    moment, ball, seed
        As in `certify`.

    Raises
    ------
    NotCertified
        If a moment or a ball was asked for, `certify` refuses, and a map moves the reference.
    """
    try:
        return certify(family, reference, moment=moment, ball=ball, seed=seed)
    except NotCertified:
        moves = family.displacement(reference)
        if moves is None or moves.value != 0:
            if moment is not None or ball is not None:
                raise
            return None
    search_declared(family, reference, None, None, seed)
    fixed = certificate_or_estimate(
        {"D": moves},
        statement="a common fixed point",
        k=1.0,
        D=0.0,
        target="θ*",
        majorant=AtLimit(),
        distance=repr(family.space),
        hypotheses=("T θ_0 = θ_0 for every map",),
    )
    return signed(labelled(fixed, family), family, reference)


def certified_limit(
    family: RandomOperator, reference: NDArray, eps: float, seed: int, certificate: ErrorBound, max_maps: int
) -> BackwardLimit:
    """Return T_1 … T_n (reference) for an n at which the omitted maps and the rounding are within eps together.

    Parameters
    ----------
    family
        A random operator.
    reference
        The start, one point.
    eps
        The largest allowed error, in the family's metric.
    seed
        Seed of the maps.
    certificate
        A certificate that bounds the distance of iterate n to the limit.
    max_maps
        The largest number of maps to draw.

    Raises
    ------
    NotSettled
        If the certificate needs more than ``max_maps`` maps.
    ValueError
        If the rounding of the maps exceeds eps.
    """
    k = certificate.k if _is_common_factor(certificate) else None
    target, applied = eps, 0
    products = [1.0]  # of the factors of the maps, which later attempts do not compute again
    for _ in range(4):  # each attempt leaves a smaller part of eps for the omitted maps
        n, truncation, operators = _horizon(family, seed, certificate, target, max_maps, products)
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
    coarsest = max((x.dtype for x in (reference, value) if x.dtype.kind == "f"), key=lambda dtype: np.finfo(dtype).eps)
    raise ValueError(
        f"eps = {eps!r} is below the precision of {coarsest} here: rounding alone may move T_1 … T_{n} (theta0) by "
        f"{rounding:.3g}. Use an eps of at least {_one_digit_up(2.2 * rounding):.1g}, or exact "
        "numbers (integers, Fractions) as start"
    )


def _one_digit_up(x: float) -> float:
    """Return the least number of one decimal digit that is at least x > 0, to rounding."""
    unit = 10.0 ** math.floor(math.log10(x))
    return math.ceil(x / unit) * unit


def _is_common_factor(certificate: ErrorBound) -> bool:
    """Whether k bounds every map's Lipschitz constant in the family's metric."""
    if isinstance(certificate.majorant, InRegion) and certificate.majorant.q > 1:
        return False  # k is the factor of an epoch
    return certificate.statement.startswith("Theorem 2.2") and "common norm" not in certificate.statement


def _horizon(
    family: RandomOperator, seed: int, certificate: ErrorBound, target: float, max_maps: int, products: list[float]
) -> tuple[int, float, Operators]:
    """Return the least tried n whose truncation error is at most the target, and that error; ``products`` grows."""
    allowed = certificate.steps(target)
    operators = family.sample(min(allowed, max_maps), seed)
    if certificate.statement == "Theorem 2.2" and math.isinf(certificate.p):
        n, error = _own_factors(operators, certificate, target, products)
    else:
        n, error = len(operators), float(certificate.bound(len(operators)))
    if error > target:
        raise NotSettled(f"the certificate needs {allowed} maps for eps = {target:.6g}, max_maps is {max_maps}")
    return n, error, operators


def _own_factors(operators: Operators, certificate: ErrorBound, eps: float, products: list[float]) -> tuple[int, float]:
    """Return the first n at which K_1 … K_n, or k^n, times the bound at n = 0 is at most eps, and that product.

    ``products`` holds K_1 … K_n, rounded up, for n = 0, 1, … as far as it is known, and is extended in place.
    """
    common = np.asarray(certificate.bound(np.arange(len(operators) + 1)), dtype=float)
    at_zero = float(common[0])
    room = 4 + 16 * (operators.family.dim or 1)
    n = 0
    while (error := min(float(common[n]), _times(products[n], at_zero, 2 * n + 4))) > eps and n < len(operators):
        if n + 1 == len(products):
            K = operators.family.lipschitz(operators.draws[n])
            factor = certificate.k if K is None else min(float(np.max(K)), certificate.k)
            products.append(_times(products[n], factor, room))
        n += 1
    return n, error


def _times(a: float, b: float, operations: float) -> float:
    """Return a b for numbers >= 0, rounded up; a product that underflows is not 0."""
    return max(float(round_up(a * b, operations)), TINY) if a > 0 and b > 0 else 0.0
