"""Exponents against the diagonals of triangular matrices, synchronisation against increments of known law."""

from __future__ import annotations

import dataclasses

import numpy as np

from contraction.families import BernoulliConvolution, Cyclic, FiniteFamily
from contraction.statements.cases.error_rates import FALSE_ALARM, deviation, statistical
from contraction.statements.library.oracle import Function, Oracle
from contraction.statements.records import Verdict


def lyapunov_exponents(f: Function, seed: int) -> Verdict:
    """Compare with means of the logarithms of the diagonals of triangular matrices.

    The maps are S U_i S^T in cyclic order, S orthogonal and U_i triangular.

    The diagonals lie in [2, 3], [1, 1.3] and [.3, .5], so the frame settles at 1.3/2 a map.
    """
    rng = np.random.default_rng([seed, 3])
    S = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    diagonals = rng.uniform([2, 1, 0.3], [3, 1.3, 0.5], (3, 3))
    triangles = [np.diag(d) + np.triu(rng.standard_normal((3, 3)), 1) for d in diagonals]
    family = FiniteFamily([(S @ U @ S.T, np.zeros(3)) for U in triangles], law=Cyclic(3))
    result = f(family, np.zeros(3), 90, "all", burn_in=90, replicas=2)
    return Verdict.tight("lyapunov_exponents", (), result.values, np.log(diagonals).mean(axis=0), rounding=1e-9)


def synchronisation(f: Function, seed: int) -> Verdict:
    """Compare increments of the Bernoulli convolution from 0 with 0 or h (1-h)^n, equally likely.

    The error rate of Hoeffding's bound is 1e-9.
    """
    h, R = 0.3, 2000
    result = f(BernoulliConvolution(h), [0.0], 8, R, seed=seed)
    size = h * (1 - h) ** np.arange(9.0)
    moved = result.distances > size[:, None] / 2
    off = np.abs(result.distances - np.where(moved, size[:, None], 0)).max(axis=1)
    share = np.abs(moved.mean(axis=1) - 0.5)
    parts = [("sizes", float(np.max(off / size)), 1e-12), ("shares", float(share.max()), deviation(R, FALSE_ALARM / 9))]
    return statistical("synchronisation", (), parts, paths=R, error_rates=(FALSE_ALARM, FALSE_ALARM))


def _next_exponent(f: Function) -> Function:
    def bent(*arguments: object, **named: object) -> object:
        result = f(*arguments, **named)
        return dataclasses.replace(result, values=tuple(x * 90 / 91 for x in result.values))

    return bent


def _earlier(f: Function) -> Function:
    def bent(*arguments: object, **named: object) -> object:
        result = f(*arguments, **named)
        return dataclasses.replace(result, distances=np.roll(result.distances, 1, axis=0))

    return bent


ORACLES = [
    Oracle(
        "contraction.lyapunov_exponents",
        "the diagonals of triangular matrices in cyclic order",
        lyapunov_exponents,
        "divided by n + 1",
        _next_exponent,
    ),
    Oracle(
        "contraction.synchronisation",
        "increments 0 or h(1−h)ⁿ, equally likely",
        synchronisation,
        "the increment before",
        _earlier,
    ),
]
