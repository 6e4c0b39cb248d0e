"""Hypothesis strategies for random operators, their constants, starts and orders.

Everything is valid by construction: nothing is filtered. Shapes, kinds and edge values are drawn (and shrunk) by
Hypothesis; matrices and data come from a drawn seed, so that a failing example prints in a line.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from fractions import Fraction
from typing import TypedDict

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from contraction import families as fam
from contraction.arguments import check_choice, check_integer
from contraction.families.losses import DataLoss
from contraction.maps.operators import RandomOperator
from contraction.maps.orders import (
    Backward,
    Epochs,
    Forward,
    Late,
    Order,
    PairedReversal,
    Repeated,
    Reset,
    Windowed,
)

__all__ = [
    "contraction_factors",
    "exact_weights",
    "families",
    "finite_families",
    "index_laws",
    "learning_rates",
    "load_profile",
    "matrices_of_norm",
    "noises",
    "orders",
    "starts",
    "symmetric_matrices",
    "symmetric_positive_definite",
]


class _Profile(TypedDict):
    max_examples: int
    derandomize: bool
    print_blob: bool


#: Hypothesis's settings when this module is imported, from which each profile takes what it does not set itself
_BASE = settings.default
#: name of a profile of Hypothesis -> its settings, each in full: Hypothesis derandomises by itself where CI is set
_PROFILES: dict[str, _Profile] = {
    "default": {"max_examples": 40, "derandomize": False, "print_blob": False},
    "ci": {"max_examples": 40, "derandomize": True, "print_blob": True},
    "thorough": {"max_examples": 2000, "derandomize": False, "print_blob": True},
}
SEEDS = st.integers(0, 2**32 - 1)
DIMENSIONS = st.one_of(st.integers(1, 5), st.sampled_from([1, 2, 10, 50]), st.integers(1, 50))


def load_profile(name: str | None = None) -> str:
    """Register the profiles of this project with Hypothesis, and load one.

    "default" tries 40 examples, "ci" the same 40 in every run, and "thorough" 2000 at random; none has a deadline.

    Parameters
    ----------
    name
        Name of the profile (default: the environment variable HYPOTHESIS_PROFILE; without it "ci" where the variable CI
        is set, otherwise "default").

    Returns
    -------
    str
        The name of the profile that was loaded.

    Raises
    ------
    ValueError
        If ``name`` is not the name of a profile.

    Examples
    --------
    >>> load_profile() in ("default", "ci", "thorough")
    True
    """
    chosen = name or os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default")
    check_choice("the Hypothesis profile", chosen, _PROFILES)
    for known, given in _PROFILES.items():
        settings.register_profile(
            known, parent=_BASE, **given, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        )
    settings.load_profile(chosen)
    return chosen


def contraction_factors(*, near_one: bool = True) -> st.SearchStrategy[float]:
    """Return k in [0, 1), with 0, values near 0 and (unless ``near_one`` is False) values up to 1 - 2^-40."""
    edges = [0.0, 2.0**-40, 0.5] + ([0.9, 0.99, 0.999, 1 - 2.0**-20, 1 - 2.0**-40] if near_one else [])
    return st.one_of(st.sampled_from(edges), st.floats(0, 0.999 if near_one else 0.9))


def learning_rates(threshold: float = 2.0, *, contracting: bool = False) -> st.SearchStrategy[float]:
    """Return h with its edges: 0, threshold/2, threshold and beyond, on both sides.

    With ``contracting`` it lies in (0, threshold).

    ``threshold`` is 2 / lambda_max, or 2 for Section 3.1.
    """
    inside = st.floats(1e-3, 1 - 1e-3).map(lambda u: u * threshold)
    middle = st.just(threshold / 2)
    if contracting:
        return st.one_of(middle, inside)
    edges = st.sampled_from([0.0, threshold / 2, threshold, -0.1 * threshold, 1.05 * threshold])
    return st.one_of(edges, inside, st.floats(-0.25, 1.25).map(lambda u: u * threshold))


@st.composite
def symmetric_matrices(draw: st.DrawFn, d: int, low: float = -10.0, high: float = 10.0) -> NDArray:
    """Symmetric (d, d) matrices with eigenvalues in [low, high], ends included, in a random basis."""
    check_integer("d", d, 1)
    rng = np.random.default_rng(draw(SEEDS))
    end = draw(st.sampled_from(["none", "low", "high", "both"]))
    eigenvalues = rng.uniform(low, high, d)
    if end in ("low", "both"):
        eigenvalues[0] = low
    if end in ("high", "both"):
        eigenvalues[-1] = high
    if draw(st.booleans()):
        return np.diag(eigenvalues)
    Q = np.linalg.qr(rng.standard_normal((d, d)))[0]
    matrix = (Q * eigenvalues) @ Q.T
    return (matrix + matrix.T) / 2


def symmetric_positive_definite(d: int, *, condition: float = 1e3) -> st.SearchStrategy[NDArray]:
    """Symmetric positive definite (d, d) matrices with eigenvalues in [1 / sqrt(condition), sqrt(condition)]."""
    if not condition >= 1:
        raise ValueError(f"a condition number is at least 1, got {condition!r}")
    root = math.sqrt(condition)
    return symmetric_matrices(d, 1 / root, root)


@st.composite
def matrices_of_norm(draw: st.DrawFn, d: int, norm: float) -> NDArray:
    """(d, d) matrices of the given spectral norm to rounding: symmetric, rotations times it, or far from normal."""
    rng = np.random.default_rng(draw(SEEDS))
    A = rng.standard_normal((d, d))
    kind = draw(st.sampled_from(["symmetric", "orthogonal", "general", "nilpotent"]))
    if kind == "symmetric":
        A = A + A.T
    elif kind == "orthogonal":
        A = np.linalg.qr(A)[0]
    elif kind == "nilpotent" and d > 1:
        A = np.triu(A, 1)
    return A * (norm / np.linalg.norm(A, 2))


def starts(d: int, *, far: float = 1e6) -> st.SearchStrategy[NDArray]:
    """Return starts in R^d, float64, shape (d,): the origin, near it, and as far as ``far`` in every coordinate."""
    check_integer("d", d, 1)
    scales = st.sampled_from([0.0, 1e-6, 1.0, 1e3, far])
    return st.tuples(SEEDS, scales).map(lambda pair: pair[1] * np.random.default_rng(pair[0]).uniform(-1, 1, d))


def noises(*, bounded: bool | None = None, finite_variance: bool | None = None) -> st.SearchStrategy[fam.Noise]:
    """Noise laws on R.

    Parameters
    ----------
    bounded
        True: only bounded laws (condition (2) holds); False: only unbounded ones; None: all.
    finite_variance
        True: only laws of finite variance; None: all.
    """
    scale = st.sampled_from([0.01, 1.0, 10.0])
    center = st.sampled_from([0.0, 0.5, -3.0])
    exact = st.fractions(-5, 5, max_denominator=12)
    gap = st.fractions(0, 4, max_denominator=12)
    weight = st.fractions(0, 1, max_denominator=12)
    inside: list[st.SearchStrategy[fam.Noise]] = [
        st.builds(lambda c, s: fam.Uniform(c - s, c + s), center, scale),
        st.builds(lambda low, g, w: fam.TwoPoint(low, low + g, w), exact, gap, weight),
    ]
    tame: list[st.SearchStrategy[fam.Noise]] = [
        st.builds(fam.Gaussian, scale, center=center),
        st.builds(fam.Laplace, scale, center=center),
        st.builds(fam.Student, st.sampled_from([2.5, 3.0, 8.0]), scale, center=center),
    ]
    wild: list[st.SearchStrategy[fam.Noise]] = [
        st.builds(fam.Student, st.sampled_from([0.5, 1.0, 1.5, 2.0]), scale, center=center),
        st.builds(fam.Cauchy, scale, center=center),
    ]
    chosen = inside if bounded else tame + ([] if finite_variance else wild)
    if bounded is None:
        chosen = inside + chosen
    return st.one_of(chosen)


@st.composite
def orders(draw: st.DrawFn, horizon: int = 50) -> Order:
    """Every order of `contraction.maps.orders` but `CustomOrder`, of iterates up to the horizon.

    Windows, reset points, switches and maps per epoch are within the horizon, and there are up to four repetitions. The
    words of iterates 1 to ``horizon`` name maps 1 to ``horizon`` only.
    """
    kinds = ["forward", "backward", "windowed", "reset", "late", "paired", "repeated", "epochs"]
    kind = draw(st.sampled_from(kinds))
    if kind == "paired":
        return PairedReversal()
    if kind == "repeated":
        return Repeated(draw(st.integers(1, 4)))
    if kind == "epochs":
        return Epochs(draw(st.integers(1, max(1, horizon))), forth_and_back=draw(st.booleans()))
    if kind == "windowed":
        return Windowed(draw(st.integers(1, max(1, horizon))))
    if kind == "reset":
        return Reset(sorted(draw(st.sets(st.integers(1, max(1, horizon)), max_size=5))))
    if kind == "late":
        return Late(draw(st.integers(0, max(0, horizon))))
    return Forward() if kind == "forward" else Backward()


# --- exact objects --------------------------------------------------------------------------------------------------


def exact_weights(count: int, *, zeros: bool = True) -> st.SearchStrategy[tuple[Fraction, ...]]:
    """``count`` Fractions >= 0 that sum to one exactly."""
    check_integer("count", count, 1)
    parts = st.lists(st.integers(0 if zeros else 1, 6), min_size=count, max_size=count)

    def normalise(numbers: Sequence[int]) -> tuple[Fraction, ...]:
        total = sum(numbers)
        return tuple(Fraction(n, total) for n in numbers) if total else (Fraction(1), *[Fraction(0)] * (count - 1))

    return parts.map(normalise)


@st.composite
def index_laws(draw: st.DrawFn, size: int = 2, *, reversible: bool | None = None) -> fam.IndexLaw:
    """Index laws with exact weights.

    Parameters
    ----------
    draw
        Given by Hypothesis.
    size
        Number of letters.
    reversible
        True: only laws whose words are reversible at every n (i.i.d., mixtures, one shuffle, reversible chains);
        False: only laws that fail at some n (reshuffling, cycles; from 2 letters on); None: all.

    Raises
    ------
    ValueError
        If laws that are not reversible are asked for with one letter.
    """
    good, bad = ["iid", "mixture", "shuffled once", "reversible chain"], ["reshuffled", "cyclic"]
    if size == 1:
        if reversible is False:
            raise ValueError("with one letter every law is reversible")
        return fam.IID(1)
    kind = draw(st.sampled_from(good if reversible else bad if reversible is False else [*good, *bad, "chain"]))
    if kind == "iid":
        return fam.IID(draw(exact_weights(size)))
    if kind == "mixture":
        count = draw(st.integers(1, 3))
        return fam.ExchangeableMixture([draw(exact_weights(size)) for _ in range(count)], draw(exact_weights(count)))
    if kind == "chain":
        rows = [draw(exact_weights(size)) for _ in range(size)]
        return fam.MarkovModulated(rows, draw(exact_weights(size)))
    if kind == "reversible chain":  # a random walk on a weighted graph, started from its stationary law
        flat = st.lists(st.integers(1, 5), min_size=size * size, max_size=size * size)
        c = np.array(draw(flat), dtype=object).reshape(size, size)
        c = c + c.T
        degree = c.sum(axis=1)
        rows = [[Fraction(c[a, b], degree[a]) for b in range(size)] for a in range(size)]
        return fam.MarkovModulated(rows, [Fraction(x, degree.sum()) for x in degree])
    return {"shuffled once": fam.ShuffledOnce, "reshuffled": fam.Reshuffled, "cyclic": fam.Cyclic}[kind](size)


@st.composite
def finite_families(
    draw: st.DrawFn, *, max_maps: int = 3, law: fam.IndexLaw | None = None, contracting: bool = True
) -> fam.FiniteFamily:
    """Finite families of affine maps of the line with exact rational numbers and weights.

    Parameters
    ----------
    draw
        Given by Hypothesis.
    max_maps
        At most so many maps; ignored if ``law`` is given.
    law
        The index law, i.i.d. with drawn weights if left out.
    contracting
        True: every slope in (-1, 1), 0 included; False: slopes up to 2 too.
    """
    count = draw(st.integers(1, max_maps)) if law is None else law.size
    top = Fraction(9, 10) if contracting else Fraction(2)
    slopes = st.fractions(-top, top, max_denominator=10)
    maps = [(draw(slopes), draw(st.fractions(-3, 3, max_denominator=10))) for _ in range(count)]
    return fam.FiniteFamily(maps, draw(exact_weights(count)) if law is None else None, law=law)


# --- certified families ---------------------------------------------------------------------------------------------


@st.composite
def families(
    draw: st.DrawFn, *, max_dim: int = 50, bounded: bool = True, near_one: bool = True, affine: bool | None = None
) -> RandomOperator:
    """Families on Euclidean R^d that Theorem 2.2 certifies: a proved contraction factor below one.

    Parameters
    ----------
    draw
        Given by Hypothesis.
    max_dim
        Dimensions are 1 to this number.
    bounded
        True: the displacement is bounded too (the theorem's condition (2)); False: any noise of finite variance.
    near_one
        Whether contraction factors very near one are drawn.
    affine
        True: only affine families; False: only families that are not; None: all.
    """
    check_integer("max_dim", max_dim, 1)
    smooth, flat = (
        ["logistic", "softplus", "sine"],
        ["quadratic", "linearized", "constant", "finite", "ridge", "bernoulli"],
    )
    kind = draw(st.sampled_from(smooth if affine is False else flat if affine else [*flat, *smooth]))
    d = min(draw(DIMENSIONS), max_dim)
    noise = noises(bounded=True) if bounded else noises(finite_variance=True)
    rng = np.random.default_rng(draw(SEEDS))
    if kind == "quadratic":
        k = draw(contraction_factors(near_one=near_one))
        return fam.QuadraticSGD(1 - k if draw(st.booleans()) else 1 + k, draw(noise), d)
    if kind == "linearized":
        H = draw(symmetric_positive_definite(d, condition=1e3 if near_one else 10.0))
        h = draw(learning_rates(2 / float(np.linalg.eigvalsh(H)[-1]), contracting=True))
        return fam.LinearizedSGD(draw(starts(d, far=1e3)), H, h, draw(noise))
    if kind == "constant":
        return fam.ConstantMaps(rng.uniform(-3, 3, (draw(st.integers(1, 4)), d)))
    if kind == "finite":
        count = draw(st.integers(1, 3))
        k = draw(contraction_factors(near_one=near_one))
        maps = [(draw(matrices_of_norm(d, k)), rng.uniform(-3, 3, d)) for _ in range(count)]
        return fam.FiniteFamily(maps, draw(exact_weights(count)))
    if kind == "bernoulli":
        h = draw(st.fractions(Fraction(1, 12), Fraction(23, 12), max_denominator=12))
        return fam.BernoulliConvolution(h, draw(st.sampled_from([(0, 1), (-1, 1)])))
    if kind == "sine":
        k = draw(contraction_factors(near_one=near_one))
        return _sines(k, d, draw(noise))
    return _gradient_steps(kind, d, rng, draw(st.integers(1, 3)), draw(st.floats(0.01, 0.99)))


def _gradient_steps(kind: str, d: int, rng: np.random.Generator, batch: int, u: float) -> fam.GradientSteps:
    X = rng.standard_normal((5, d)) / math.sqrt(d)
    y = rng.uniform(-1, 1, 5)
    if kind == "ridge":
        loss: DataLoss = fam.RidgeLoss(X, y, 0.1)
    elif kind == "logistic":
        loss = fam.RidgeLogisticLoss(X, np.where(y < 0, -1.0, 1.0), 0.1)
    else:
        loss = fam.SoftplusLoss(X, y, 0.1, 2.0)
    M = fam.GradientSteps(loss, 1.0, batch).curvature[1]
    return fam.GradientSteps(loss, u * 2 / M, batch)


def _sines(k: float, d: int, noise: fam.Noise) -> RandomOperator:
    """T(θ) = k sin(θ) + eps coordinate by coordinate: Lipschitz constant k, not affine."""
    family = RandomOperator(
        draw=lambda rng: noise.sample(rng, (d,)),
        apply=lambda theta, eps: k * np.sin(theta) + eps,
        contraction=k,
        displacement=lambda theta0: noise.reach(np.asarray(theta0) - k * np.sin(theta0)),
        vectorized=True,
        name=f"{k!r} sin(theta) + {noise!r}, d={d}",
    )
    family.dim = d
    return family
