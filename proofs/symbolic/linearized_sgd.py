"""Section 3.2 by induction on n, with A = 1 − hH a symbol that commutes with nothing but itself."""

from __future__ import annotations

import sympy as sp

from proofs.symbolic._identity import Identity

h = sp.symbols("h", real=True)
A = sp.Symbol("A", commutative=False)
n, i = sp.symbols("n i", integer=True, positive=True)


def forward_by_induction() -> Identity:
    """With δ = θ − θ*: T_n…T_1: Aⁿδ + h Σ_i A^(n−i) ε_i; A from the left plus hε_{n+1} keeps it."""
    return Identity(
        "forward: A·Aⁿ = A^(n+1), A·A^(n−i) = A^(n+1−i), newest coefficient 1",
        [(A * A**n, A ** (n + 1)), (A * A ** (n - i), A ** (n + 1 - i))],
        [(A * A ** (n - i), A ** (n - i))],
    )


def backward_by_induction() -> Identity:
    """T_1…T_n: Aⁿδ + h Σ_i A^(i−1) ε_i; putting Aδ + hε_{n+1} for δ adds the coefficient Aⁿ on the right."""
    delta, eps = sp.symbols("delta epsilon", commutative=False)
    return Identity(
        "backward: Aⁿ(Aδ + hε) = A^(n+1)δ + h Aⁿ ε",
        [(sp.expand(A**n * (A * delta + h * eps)), A ** (n + 1) * delta + h * A**n * eps)],
        [(sp.expand(A**n * (A * delta + h * eps)), A ** (n + 1) * delta + h * eps)],
    )


def printed_sign() -> Identity:
    """θ − h(H(θ − θ*) − ε) = θ* + (1 − hH)(θ − θ*) + hε; the paper prints (θ* − θ)."""
    H = sp.Symbol("H", commutative=False)
    theta, star, eps = sp.symbols("theta theta_star epsilon", commutative=False)
    step = theta - h * (H * (theta - star) - eps)
    right = star + (1 - h * H) * (theta - star) + h * eps
    printed = star + (1 - h * H) * (star - theta) + h * eps
    return Identity("T θ = θ* + (1 − hH)(θ − θ*) + hε", [(step, right)], [(step, printed)])


def stationary_covariance() -> Identity:
    """S = A S Aᵀ + h²Σ (discrete Lyapunov) in the eigenbasis of H: S_jk = h²Σ_jk / (1 − (1−hλ_j)(1−hλ_k))."""
    lam = sp.symbols("lambda1:3", positive=True)
    sigma = sp.Matrix(2, 2, sp.symbols("s11 s12 s12 s22", real=True))
    factor = sp.diag(*[1 - h * x for x in lam])

    def solution(power):
        return sp.Matrix(2, 2, lambda j, k: h**power * sigma[j, k] / (1 - (1 - h * lam[j]) * (1 - h * lam[k])))

    S = solution(2)
    wrong = solution(1)
    return Identity(
        "S = A S Aᵀ + h²Σ",
        [(factor * S * factor.T + h**2 * sigma, S)],
        [(factor * wrong * factor.T + h**2 * sigma, wrong), (factor * S + h**2 * sigma, S)],
    )


def finite_covariance() -> Identity:
    """S_n = S − AⁿSAⁿᵀ solves S_{n+1} = A S_n Aᵀ + h²Σ with S_0 = 0 (scalar blocks a_j, a_k of A)."""
    aj, ak, V = sp.symbols("a_j a_k V", positive=True)
    S = V / (1 - aj * ak)
    Sn = S - (aj * ak) ** n * S
    return Identity(
        "S_0 = 0 and a_j a_k S_n + V = S_{n+1}",
        [(Sn.subs(n, 0), sp.Integer(0)), (aj * ak * Sn + V, Sn.subs(n, n + 1))],
        [(aj * ak * Sn + V, Sn), (aj * Sn + V, Sn.subs(n, n + 1))],
    )
