"""Lyapunov exponents by QR along forward paths, with an interval from independent replicas.

Let J_i be the derivative of T_i along the forward path. The j-th exponent is the limit of (1/n) log of the growth of
j-volumes under J_n … J_1, minus that of (j-1)-volumes (Oseledets 1968; Benettin et al. 1980). For affine maps it is the
exponent of the products A_n … A_1, and also of A_1 … A_n, because both have the same law at every n if the maps are
i.i.d. If the top exponent is negative and E log+ d(θ_0, T θ_0) < inf, backward iterates of i.i.d. affine maps
converge almost surely. For nonlinear maps the exponent is local and does not account for jumps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from contraction.arguments import check_choice, check_integer, check_probability
from contraction.exponents.derivatives import (
    DIFFERENCES,
    OneDirection,
    depends_on_step,
    derivative_of,
    exact_rank,
)
from contraction.exponents.law_of_maps import index_law, why_not_ergodic
from contraction.maps.draws import sub_sequence
from contraction.maps.errors import NotCertified
from contraction.maps.operators import Operators, RandomOperator
from contraction.maps.points import as_point
from contraction.maps.probe import probe
from contraction.values import Value

__all__ = ["LyapunovExponents", "lyapunov_exponents"]

TRIED = 8  # maps whose difference quotients are tried with a second step


@dataclass(frozen=True, eq=False)
class LyapunovExponents(Value):
    """Estimated Lyapunov exponents, in decreasing order up to estimation errors.

    Attributes
    ----------
    values : tuple of float
        The exponents in nats per map: means over the replicas; -inf if a product of derivatives is singular, NaN (with
        its interval) where rounding or the difference quotients do not decide.
    lower, upper : tuple of float
        Student-t intervals for the mean of one replica's estimate, one for each exponent. The level holds for each
        interval separately and is asymptotic in ``n``; the intervals do not cover the bias from a finite n.
    standard_errors : tuple of float
        Standard errors of the means.
    confidence : float
        Level of each interval.
    n, burn_in, replicas : int
        Each of the independent replicas averages over ``n`` maps after ``burn_in`` maps.
    jacobians : str
        The source of the derivatives.
    seed : int
        Seed of the draws.

    Examples
    --------
    >>> import contraction as ct
    >>> import numpy as np
    >>> maps = [(np.diag([0.5, 0.25]), [0.0, 0.0]), (np.diag([0.25, 0.5]), [1.0, 1.0])]
    >>> answer = ct.lyapunov_exponents(ct.families.FiniteFamily(maps), [0.0, 0.0], n=2000, which="all")
    >>> [round(value, 1) for value in answer.values]  # both exponents are log(0.5 · 0.25)/2 = -1.04
    [-1.0, -1.0]
    >>> answer.top == answer.values[0], answer.contracts
    (True, True)
    """

    values: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    standard_errors: tuple[float, ...]
    confidence: float
    n: int
    burn_in: int
    replicas: int
    jacobians: str
    seed: int

    @property
    def top(self) -> float:
        """The largest exponent."""
        return self.values[0]

    @property
    def contracts(self) -> bool:
        """Whether the interval of the top exponent lies below zero (an estimate; local for nonlinear maps).

        False if the exponent is undecided.
        """
        return self.upper[0] < 0

    def __str__(self) -> str:
        lines = [
            f"Lyapunov exponents, estimated: {self.replicas} replicas of {self.n} maps after {self.burn_in} maps, "
            f"seed {self.seed}; derivatives: {self.jacobians}"
        ]
        for j, (value, low, high) in enumerate(zip(self.values, self.lower, self.upper, strict=True), start=1):
            if math.isnan(value):
                lines.append(
                    f"  λ_{j} undecided: a growth factor is below its rounding error, or the quotients depend on "
                    "their step; a derivative (jvp=), or other coordinates, may help"
                )
                continue
            lines.append(f"  λ_{j} = {value:.6g}, {100 * self.confidence:g} % interval [{low:.6g}, {high:.6g}]")
        return "\n".join(lines)


def lyapunov_exponents(
    family: RandomOperator,
    theta0: ArrayLike,
    n: int,
    which: Literal["top", "all"] = "top",
    *,
    jvp: OneDirection | None = None,
    burn_in: int | None = None,
    replicas: int = 32,
    confidence: float = 0.95,
    seed: int = 0,
) -> LyapunovExponents:
    """Return the top Lyapunov exponent, or all of them, with an interval across independent replicas.

    Parameters
    ----------
    family
        Maps of R^d that are i.i.d., or whose index law is ergodic.
    theta0
        The start of the forward paths, shape (d,).
    n
        Number of maps to average over, at least 1.
    which
        "top" (default) follows one direction; "all" follows a frame of d directions, at O(d³) per map.
    jvp
        ``jvp(theta, direction, draw)``: the derivative of one map at one point (d,) in one direction (d,) (default: the
        linear parts of affine maps, otherwise ``family.jvp``, otherwise central differences of the maps).
    burn_in
        Number of maps before the average, so that the path and the directions forget their start (default: the larger
        of 50 and n // 10).
    replicas
        Number of independent paths, at least 2 (default: 32).
    confidence
        Level of each interval (default: 0.95).
    seed
        Seed of the draws.

    Returns
    -------
    LyapunovExponents

    Raises
    ------
    NotCertified
        If the law of the maps is not known to be ergodic, so that averages along one path need not be averages over the
        law; an example is a single shuffle that is repeated.
    ArithmeticError
        If an iterate or a derivative is not finite.
    ValueError
        If an argument is invalid, or points of the space are not vectors of R^d.
    DeclarationRefuted
        If ``jvp`` disagrees with difference quotients.
    MapRefused, NotDeterministic
        If a map breaks a rule of `RandomOperator` (`contraction.maps.probe`).
    TypeError
        If ``family`` is not a random operator.

    Notes
    -----
    A growth factor at or below its rounding error (8 d units in the last place of the factors, or of the values in a
    difference quotient) says nothing. Among the first ``burn_in`` maps a random direction takes the place of its own;
    later, this exponent and those after it are undecided: NaN. An exponent is -inf only if a factor is zero without
    any rounding, or a linear part has too small a rank in rational arithmetic (up to 12 coordinates). One such replica
    is enough, because a factor that vanishes with positive probability almost surely vanishes at some time. The
    exponents are also undecided if most of the difference quotients that are tried again, with a step 16 times
    smaller, change by more than a quarter. Derivatives do not account for jumps of a discontinuous map.

    References
    ----------
    Furstenberg, H., and Kesten, H. (1960). Products of random matrices. Annals of Mathematical Statistics 31,
    457-469.

    Benettin, G., Galgani, L., Giorgilli, A., and Strelcyn, J.-M. (1980). Lyapunov characteristic exponents for
    smooth dynamical systems and for Hamiltonian systems; a method for computing all of them. Meccanica 15, 9-20
    and 21-30.

    Examples
    --------
    Exponents of triangular matrices are E log of the diagonal entries:

    >>> from contraction import lyapunov_exponents
    >>> from contraction.families import FiniteFamily
    >>> family = FiniteFamily([([[0.5, 3.0], [0.0, 0.25]], [0.0, 0.0])])
    >>> [round(x, 3) for x in lyapunov_exponents(family, [0.0, 0.0], 200, "all").values]
    [-0.693, -1.386]
    """
    if not isinstance(family, RandomOperator):
        raise TypeError(f"lyapunov_exponents takes a random operator, got {family!r}")
    theta = as_point(theta0, family.dim)
    if theta.ndim != 1 or not family.space.is_normed:
        raise ValueError(f"exponents need maps of R^d and one start (d,), got {family.space!r} and {theta.shape}")
    check_choice("which", which, ("top", "all"))
    check_integer("n", n, 1)
    check_integer("replicas", replicas, 2)
    check_probability("confidence", confidence)
    wait = max(50, n // 10) if burn_in is None else check_integer("burn_in", burn_in)
    if (reason := why_not_ergodic(index_law(family))) is not None:
        raise NotCertified(f"exponents are constants only for ergodic maps: {reason}")
    operators = family.sample(wait + n, seed, replicas=replicas)
    start = np.broadcast_to(theta.astype(float), (replicas, *theta.shape)).copy()
    probe(operators, start)
    logs, source = _logs(operators, start, wait, 1 if which == "top" else theta.shape[0], jvp, seed)
    return _summary(logs / n, confidence, n, wait, source, seed)


def _logs(
    operators: Operators, theta: NDArray, wait: int, r: int, jvp: OneDirection | None, seed: int
) -> tuple[NDArray, str]:
    """Return the sums of the log growth factors after ``wait`` maps, shape (R, r), and the source of the derivatives.

    A factor that is known to be zero counts even among the first ``wait`` maps, because the product stays singular. One
    that is undecided counts only after them: it is enough to follow a generic direction from some map on.

    Raises
    ------
    ArithmeticError
        If a forward path or its derivative is not finite.
    """
    derivative, source = derivative_of(operators, theta, jvp)
    R, d = theta.shape
    rng = np.random.default_rng(sub_sequence(seed, "bootstrap"))
    frame = np.linalg.qr(rng.standard_normal((R, d, r)))[0]
    sums, singular, unclear = np.zeros((R, r)), np.zeros((R, r), dtype=bool), np.zeros((R, r), dtype=bool)
    moves = not operators.family.is_affine or jvp is not None
    tried = [] if source != DIFFERENCES else np.linspace(1, len(operators), TRIED).astype(int).tolist()
    changed = []
    for i in range(1, len(operators) + 1):
        with np.errstate(over="ignore", invalid="ignore"):
            if i in tried:
                changed.append(depends_on_step(operators, i, theta, np.moveaxis(frame, -1, 0)))
            images, floors = derivative(i, theta, np.moveaxis(frame, -1, 0))
            theta = np.asarray(operators.apply(i, theta), dtype=float) if moves else theta
        if not (np.all(np.isfinite(images)) and np.all(np.isfinite(theta))):
            raise ArithmeticError(f"a forward path or its derivative is not finite at map {i} of {operators.family!r}")
        frame, triangle = np.linalg.qr(np.moveaxis(images, 0, -1))
        growth = np.abs(np.diagonal(triangle, axis1=-2, axis2=-1))
        low = growth <= floors.T
        singular |= low & (growth == 0) & (floors.T == 0)
        if np.any(low):
            if not moves:
                form = operators.family.affine(operators.draws[i - 1])
                for k in np.flatnonzero(np.any(low & ~singular, axis=1)):
                    singular[k, exact_rank(form, int(k), d) :] = True
            filled = np.where(low[:, None, :], rng.standard_normal((R, d, r)), np.moveaxis(images, 0, -1))
            frame = np.where(np.any(low, axis=1)[:, None, None], np.linalg.qr(filled)[0], frame)
        if i > wait:
            unclear |= low
            sums += np.log(np.where(low, 1.0, growth))
    if changed and np.mean(changed) > 0.5:
        unclear[:] = True
    sums[np.logical_or.accumulate(unclear, axis=1)] = np.nan
    sums[np.logical_or.accumulate(singular, axis=1)] = -np.inf
    return sums, source


def _summary(values: NDArray, confidence: float, n: int, wait: int, source: str, seed: int) -> LyapunovExponents:
    R = len(values)
    gone = np.isneginf(values).any(axis=0)
    finite = np.where(gone, 0.0, values)  # an undecided replica leaves NaN
    mean, error = finite.mean(axis=0), finite.std(axis=0, ddof=1) / math.sqrt(R)
    half = float(special.stdtrit(R - 1, 0.5 + confidence / 2)) * error
    mean, lower, upper = (np.where(gone, -np.inf, x).tolist() for x in (mean, mean - half, mean + half))
    return LyapunovExponents(
        values=tuple(mean),
        lower=tuple(lower),
        upper=tuple(upper),
        standard_errors=tuple(np.where(gone, 0.0, error).tolist()),
        confidence=float(confidence),
        n=n,
        burn_in=wait,
        replicas=R,
        jacobians=source,
        seed=seed,
    )
