"""Section 2.2: increments of forward and backward iterates, and the variances that reshuffling gives."""

from __future__ import annotations

import sympy as sp

from proofs.symbolic._identity import Identity

h, lam, sigma = sp.symbols("h lambda sigma", positive=True)
n = sp.symbols("n", integer=True, positive=True)


def forward_increments_do_not_vanish() -> Identity:
    """Stationary: E(θ_{n+1} − θ_n)² = (hλ)² S + h²σ² = 2hλS with S = hσ²/(λ(2−hλ)) (3.1 with curvature λ)."""
    S = h * sigma**2 / (lam * (2 - h * lam))
    left = (h * lam) ** 2 * S + h**2 * sigma**2
    return Identity("(hλ)²S + h²σ² = 2hλS", [(left, 2 * h * lam * S)], [(left, sp.Integer(0)), (left, h * lam * S)])


def backward_increments_vanish() -> Identity:
    """From θ*: E(θ^B_{n+1} − θ^B_n)² = h²σ²(1−hλ)^{2n} = S_{n+1} − S_n (independent increments)."""
    a = sp.symbols("a", positive=True)
    V = h**2 * sigma**2
    S = V * (1 - a ** (2 * n)) / (1 - a**2)
    left = S.subs(n, n + 1) - S
    return Identity(
        "S_{n+1} − S_n = a^{2n} h²σ²", [(left, a ** (2 * n) * V)], [(left, V), (left, a ** (2 * n + 2) * V)]
    )


def reshuffling_variances() -> Identity:
    """Fresh shuffles of {x/2, x/2 + ½}: the pair of an epoch is x/4 + ¼ or x/4 + ½ (½ each), T_1 outermost.

    Backward limit variance v = v/16 + 1/64 = 1/60. Forward after a half epoch: x/2 + ½ε with ε fair and independent of
    the epochs before: 1/240 + 1/16 = 1/15.
    """
    v = sp.Rational(1, 60)
    pair = sp.Rational(1, 64)  # variance of {1/4, 1/2}
    half = v / 4 + sp.Rational(1, 4) * sp.Rational(1, 4)
    return Identity(
        "v/16 + 1/64 = v at v = 1/60; v/4 + 1/16 = 1/15",
        [(v / 16 + pair, v), (half, sp.Rational(1, 15))],
        [(sp.Rational(1, 12) / 16 + pair, sp.Rational(1, 12)), (half, v)],
    )
