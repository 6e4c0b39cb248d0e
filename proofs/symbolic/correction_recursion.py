"""Corollary C.4: the recursion for C_n is pure algebra; g_n and H_n are updated before C_n."""

from __future__ import annotations

import sympy as sp

from proofs.symbolic._identity import Identity

LAST = 5


def _symbols() -> tuple[list[sp.Symbol], list[sp.Symbol]]:
    """Hessians H_1 … and gradients g_1 … that do not commute."""
    H = [sp.Symbol(f"H{i}", commutative=False) for i in range(1, LAST + 1)]
    g = [sp.Symbol(f"g{i}", commutative=False) for i in range(1, LAST + 1)]
    return H, g


def bracket_sum(n: int) -> sp.Expr:
    """C_n = Σ_{i<j≤n} (H_i g_j − H_j g_i)."""
    H, g = _symbols()
    return sum((H[i] * g[j] - H[j] * g[i] for j in range(n) for i in range(j)), sp.Integer(0))


def streamed(n: int, *, correction_first: bool = False) -> sp.Expr:
    """C_n by the recursion from n = 2 on, with C_1 = g_1 = H_1 = 0 (sums over earlier batches)."""
    H, g = _symbols()
    C = total_g = total_H = sp.Integer(0)
    for m in range(1, n):
        if correction_first:
            C = C + total_H * g[m] - H[m] * total_g
        total_g, total_H = total_g + g[m - 1], total_H + H[m - 1]
        if not correction_first:
            C = C + total_H * g[m] - H[m] * total_g
    return sp.expand(C)


def recursion() -> Identity:
    """C_n = C_{n−1} + H_n ∇L_n − ∇²L_n g_n for n = 1 … 5, g and H updated first."""
    return Identity(
        "the streamed C_n is Σ_{i<j≤n} [∇L_i, ∇L_j]",
        [(streamed(n), bracket_sum(n)) for n in range(1, LAST + 1)],
        [(streamed(LAST, correction_first=True), bracket_sum(LAST)), (streamed(LAST), -bracket_sum(LAST))],
    )


def two_passes() -> Identity:
    """C_n = Σ_i H_i w_i with w_i = Σ_{j>i} g_j − Σ_{j<i} g_j: two passes and O(d) memory for one n."""
    H, g = _symbols()

    def passes(sign: int) -> sp.Expr:
        return sp.expand(sum(H[i] * (sum(g[i + 1 :]) + sign * sum(g[:i])) for i in range(LAST)))

    return Identity(
        "C_n = Σ_i H_i (Σ_{j>i} g_j − Σ_{j<i} g_j)", [(passes(-1), bracket_sum(LAST))], [(passes(1), bracket_sum(LAST))]
    )
