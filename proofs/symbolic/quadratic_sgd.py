"""Section 3.1 by induction on n: closed forms of forward and backward iterates, and their stationary variance."""

from __future__ import annotations

import sympy as sp

from proofs.symbolic._identity import Identity

h, theta = sp.symbols("h theta", real=True)
n, i = sp.symbols("n i", integer=True, positive=True)
a = sp.symbols("a", positive=True)  # a = 1 - h, kept a symbol so that powers combine


def forward_by_induction() -> Identity:
    """T_n…T_1θ = aⁿθ + h Σ_i a^(n−i) ε_i: the coefficients satisfy c(n+1, i) = a c(n, i) and c(n+1, n+1) = 1."""
    c = a ** (n - i)
    grown = c.subs(n, n + 1)
    return Identity(
        "forward: a·aⁿ = a^(n+1), a·a^(n−i) = a^(n+1−i), newest coefficient 1",
        [(a * a**n, a ** (n + 1)), (a * c, grown), (grown.subs(i, n + 1), sp.Integer(1))],
        [(c, grown), (grown.subs(i, n), sp.Integer(1))],
    )


def backward_by_induction() -> Identity:
    """T_1…T_nθ = aⁿθ + h Σ_i a^(i−1) ε_i: put aθ + hε_{n+1} for θ; old coefficients stay, the new one is aⁿ."""
    eps = sp.symbols("epsilon", real=True)
    c = a ** (i - 1)
    claim = a**n * theta
    return Identity(
        "backward: aⁿ(aθ + hε) = a^(n+1)θ + h aⁿ ε, old coefficients unchanged",
        [
            (claim.subs(theta, a * theta + h * eps), a ** (n + 1) * theta + h * c.subs(i, n + 1) * eps),
            (c.subs(n, n + 1), c),
        ],
        [(claim.subs(theta, a * theta + h * eps), a ** (n + 1) * theta + h * eps)],
    )


def first_words() -> Identity:
    """T_2T_1 and T_1T_2 expanded with a = 1 − h, as in the paper."""
    e1, e2 = sp.symbols("epsilon1 epsilon2", real=True)

    def step(x, e):
        return (1 - h) * x + h * e

    forward, backward = step(step(theta, e1), e2), step(step(theta, e2), e1)
    return Identity(
        "T_2T_1θ = (1−h)²θ + hε_2 + (1−h)hε_1 and T_1T_2θ with the indices swapped",
        [
            (forward, (1 - h) ** 2 * theta + h * e2 + (1 - h) * h * e1),
            (backward, (1 - h) ** 2 * theta + h * e1 + (1 - h) * h * e2),
        ],
        [(backward, (1 - h) ** 2 * theta + h * e2 + (1 - h) * h * e1)],
    )


def stationary_variance() -> Identity:
    """s² = a² s² + h²σ² with a = 1 − hλ gives s² = hσ²/(λ(2 − hλ))."""
    sigma, lam = sp.symbols("sigma lambda", positive=True)
    s2 = h * sigma**2 / (lam * (2 - h * lam))
    return Identity(
        "s² = (1−hλ)² s² + h²σ² at s² = hσ²/(λ(2−hλ))",
        [((1 - h * lam) ** 2 * s2 + h**2 * sigma**2, s2)],
        [((1 - h * lam) ** 2 * s2 + h * sigma**2, s2), ((1 + h * lam) ** 2 * s2 + h**2 * sigma**2, s2)],
    )
