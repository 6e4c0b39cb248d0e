"""Every formula that bounds a distance, over a grid of constants, against the same mathematics in 60 digits.

The exact value is written out here once more, as sums and powers; a bound must not be below it, nor more than a few
roundings above, and what it calls its formula must name the same terms.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest

import contraction as ct
from contraction.certificates import majorants as maj
from contraction.certificates.change_of_metric import equivalence

N = np.arange(9)
KS = (0.0, 0.25, 0.9)
DS = (0.0, 1.5)
RS = (None, 0.0, 2.5)
mp = mpmath.mp.clone()
mp.dps = 60
F = mp.mpf


def geometric(k, D, r, n):
    return (F(D) / (1 - F(k)) + F(r or 0)) * F(k) ** n


def root(value, p):
    return value ** (1 / F(p))


def blocks(shorter, kappa, D, r, n):
    """D Σ_(m≥n) κ^⌊m/q⌋ L_(m mod q) + r κ^⌊n/q⌋ L_(n mod q), the sum in closed form over whole blocks."""
    q, kappa = len(shorter), F(kappa)

    def lip(m):
        return kappa ** (m // q) * F(shorter[m % q])

    first = mp.fsum(lip(m) for m in range(n, n + q))  # one block of terms, each of which shrinks by κ from there on
    return F(D) * first / (1 - kappa) + F(r or 0) * lip(n)


CASES = {
    **{
        f"geometric {k} {D} {r}": (maj.Geometric(k, D, r), lambda n, k=k, D=D, r=r: geometric(k, D, r, n))
        for k, D, r in itertools.product(KS, DS, RS)
    },
    **{
        f"another norm {k} {c}": (
            maj.CommonNorm(k, 1.5, r, c=c),
            lambda n, k=k, r=r, c=c: F(c) * geometric(k, 1.5, r, n),
        )
        for k, r, c in itertools.product(KS, RS, (1.0, 7.0))
    },
    **{
        f"region {k} {D} {reach} {q}": (
            maj.InRegion(k, D, reach, q),
            lambda n, k=k, D=D, reach=reach, q=q: (
                F(k) ** (n // q) * (min(F(reach), F(D) / (1 - F(k))) + (0 if q == 1 else F(D)))
            ),
        )
        for k, D, reach, q in itertools.product(KS, DS, (0.5, 50.0), (1, 3))
    },
    **{
        f"p-mean {rho} {p} {r}": (
            maj.PMean(rho, p, 1.5, r),
            lambda n, rho=rho, p=p, r=r: (
                geometric(root(F(rho), p), 1.5, r, n)
                if p >= 1
                else root(F(rho) ** n * (F(1.5) ** F(p) / (1 - F(rho)) + F(r or 0) ** F(p)), p)
            ),
        )
        for rho, p, r in itertools.product(KS, (0.5, 1.0, 2.0, 3.0), RS)
    },
    **{
        f"balls {k} {r}": (
            maj.GeometricBalls(Fraction(k), Fraction(3, 2), None if r is None else Fraction(r)),
            lambda n, k=k, r=r: geometric(k, 1.5, r, n),
        )
        for k, r in itertools.product(KS, RS)
    },
    **{
        f"blocks {shorter} {kappa} {r}": (
            maj.AfterBlocks(shorter, kappa, 1.5, r),
            lambda n, s=shorter, k=kappa, r=r: blocks(s, k, 1.5, r, n),
        )
        for shorter, kappa, r in itertools.product([(1.0,), (1.0, 2.0), (1.0, 0.5, 3.0)], KS, RS)
    },
    **{
        f"blocks in p-mean {shorter} {p} {r}": (
            maj.PMeanBlocks(shorter, 0.5, p, 1.5, r),
            lambda n, s=shorter, p=p, r=r: (
                blocks([root(F(x), p) for x in s], root(F(0.5), p), 1.5, r, n)
                if p >= 1
                else root(blocks(s, 0.5, F(1.5) ** F(p), None if r is None else F(r) ** F(p), n), p)
            ),
        )
        for shorter, p, r in itertools.product([(1.0, 2.0), (1.0, 0.5, 3.0)], (0.5, 1.0, 2.0), RS)
    },
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_bounds_are_the_formula_rounded_up(name):
    majorant, exact = CASES[name]
    found = np.asarray(majorant.bound(N))
    assert found.shape == N.shape
    for n in N:
        value = exact(int(n))
        assert F(float(found[n])) >= value
        assert float(found[n]) <= float(value) * (1 + 1e-11) + 1e-300
        assert float(majorant.bound(np.asarray(n))) == float(found[n])
    assert np.array_equal(majorant.bound(N[::-1].reshape(3, 3)), found[::-1].reshape(3, 3))


@pytest.mark.parametrize(
    ("majorant", "formula"),
    [
        (maj.Geometric(0.5, 1.0), "D kⁿ/(1−k)"),
        (maj.Geometric(0.5, 1.0, 0.0), "(D/(1−k) + r) kⁿ"),
        (maj.CommonNorm(0.5, 1.0, c=2.0), "c D kⁿ/(1−k)"),
        (maj.InRegion(0.5, 1.0, 3.0), "kⁿ min(reach, D/(1−k))"),
        (maj.InRegion(0.5, 1.0, 3.0, 4), "k^⌊n/4⌋ (min(reach, D/(1−k)) + D)"),
        (maj.PMean(0.5, 1.0, 1.0), "rhoⁿᐟᵖ D/(1−rho^(1/p))"),
        (maj.PMean(0.5, 1.0, 1.0, 2.0), "rhoⁿᐟᵖ (D/(1−rho^(1/p)) + r)"),
        (maj.PMean(0.5, 0.9, 1.0), "[rhoⁿ Dᵖ/(1−rho)]^(1/p)"),
        (maj.PMean(0.5, 0.9, 1.0, 2.0), "[rhoⁿ (Dᵖ/(1−rho) + rᵖ)]^(1/p)"),
        (maj.GeometricMoment(0.5, 0.9, 1.0), "[Dᵖ/(1−kᵖ)]^(1/p) kⁿ"),
        (maj.GeometricMoment(0.5, 0.9, 1.0, 2.0), "[Dᵖ/(1−kᵖ) + rᵖ]^(1/p) kⁿ"),
        (maj.GeometricBalls(Fraction(1, 2), Fraction(1)), "D kⁿ/(1−k)"),
        (maj.GeometricBalls(Fraction(1, 2), Fraction(1), Fraction(2)), "(D/(1−k) + r) kⁿ"),
        (
            maj.AfterBlocks((1.0, 2.0), 0.5, 1.0),
            "D Σ_(m≥n) kappa^⌊m/q⌋ L_(m mod q), L_j over words of length j, q = 2",
        ),
        (
            maj.AfterBlocks((1.0, 2.0), 0.5, 1.0, 1.0),
            "D Σ_(m≥n) kappa^⌊m/q⌋ L_(m mod q) + r kappa^⌊n/q⌋ L_(n mod q), L_j over words of length j, q = 2",
        ),
        (maj.DrawnTail(np.zeros(3), "K_1…K_n"), "Σ_(n<i≤N) Lip(T_1…T_(i−1)) d(θ_0, T_iθ_0), Lip ≤ K_1…K_n"),
        (maj.DrawnTail(np.zeros(3), "K", 1.0), "Σ_(n<i≤N) Lip(T_1…T_(i−1)) d(θ_0, T_iθ_0), Lip ≤ K + r K"),
        (maj.AtLimit(), "0"),
        (maj.WithinSeen(3, 0.5), "seen for n ≥ 3, nothing for smaller n"),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, maj.Majorant) else "",
)
def test_formulas_name_the_terms_that_are_there(majorant, formula):
    assert majorant.formula == formula


def test_what_was_seen_holds_from_the_horizon_on():
    assert maj.WithinSeen(3, 0.5).bound(np.arange(6)).tolist() == [math.inf] * 3 + [0.5] * 3
    assert maj.AtLimit().bound(np.arange(3)).tolist() == [0.0] * 3


@pytest.mark.parametrize("d", [1, 2, 5])
def test_norms_are_compared_by_the_smallest_constant(d):
    """‖x‖_new ≤ c ‖x‖_old for random x, and reached on a corner, an axis or a principal direction of P; a comparison
    of two norms other than the Euclidean one goes through that one, and is allowed to lose as much."""
    rng = np.random.default_rng(d)
    root = rng.standard_normal((d, d)) + 2 * np.eye(d)
    P = root.T @ root
    spaces = {
        "two": (ct.Euclidean(), lambda x: np.linalg.norm(x, axis=-1)),
        "sup": (ct.SupNorm(), lambda x: np.max(np.abs(x), axis=-1)),
        "one": (ct.L1Simplex(), lambda x: np.sum(np.abs(x), axis=-1)),
        "P": (ct.WeightedEuclidean(P), lambda x: np.sqrt(np.einsum("...i,ij,...j->...", x, P, x))),
    }
    directions = np.concatenate(
        [rng.standard_normal((200, d)), np.eye(d), np.ones((1, d)), np.linalg.eigh(P)[1].T], axis=0
    )
    for (old, (old_space, old_norm)), (new, (new_space, new_norm)) in itertools.product(spaces.items(), repeat=2):
        c = equivalence(old_space, new_space, d)
        ratios = new_norm(directions) / old_norm(directions)
        assert np.max(ratios) <= c * (1 + 1e-12)
        if "P" not in (old, new) or "two" in (old, new):
            assert np.max(ratios) == pytest.approx(c, rel=1e-11)
        elif old == new:
            assert c == 1
        else:
            through = np.max(old_norm(directions) ** -1 * np.linalg.norm(directions, axis=-1)) * np.max(
                new_norm(directions) / np.linalg.norm(directions, axis=-1)
            )
            assert c == pytest.approx(through, rel=1e-11)


@pytest.mark.control
def test_a_bound_without_the_first_term_is_seen():
    """A sum from n + 1 or from n - 1 is off by far more than the roundings that are allowed."""
    majorant, exact = CASES["blocks (1.0, 2.0) 0.25 2.5"]
    for wrong in (2, 4):
        assert float(majorant.bound(np.asarray(3))) != pytest.approx(float(exact(wrong)), rel=1e-3)
