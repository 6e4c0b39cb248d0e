"""Appendix D: small batches against a large one, the mean over all orders, and the regulariser as a gradient."""

from __future__ import annotations

from itertools import permutations

import sympy as sp

from proofs.symbolic._fields import coefficient, fields, h
from proofs.symbolic._identity import Identity


def outermost_is_last() -> Identity:
    """T_small = (1+h'V_c)…(1+h'V_1): its h'² term is Σ_{i>j} V'_iV_j; printed is Σ_{i<j} (D.1)."""
    point, V = fields(3, 2)
    left = coefficient(V[::-1], point, 2)

    def total(condition) -> sp.Matrix:
        pairs = [(i, j) for i in range(3) for j in range(3) if condition(i, j)]
        return sum((V[i].jacobian * V[j].value for i, j in pairs), sp.zeros(2, 1))

    return Identity("h'² Σ_{i>j} V'_iV_j", [(left, total(lambda i, j: i > j))], [(left, total(lambda i, j: i < j))])


def mean_over_orders() -> Identity:
    """(1/c!) Σ_σ Σ_{u<v} V'_σ(u) V_σ(v) = ½ Σ_{i≠j} V'_iV_j for c = 2, 3, 4 (D.2)."""
    pairs, wrong = [], []
    for c in (2, 3, 4):
        J = [sp.Symbol(f"J{i}", commutative=False) for i in range(c)]
        V = [sp.Symbol(f"V{i}", commutative=False) for i in range(c)]
        orders = list(permutations(range(c)))
        terms = [J[o[u]] * V[o[v]] for o in orders for v in range(c) for u in range(v)]
        mean = sp.expand(sum(terms) / len(orders))
        off_diagonal = sum(J[i] * V[j] for i in range(c) for j in range(c) if i != j)
        pairs.append((mean, sp.expand(off_diagonal / 2)))
        wrong.append((mean, off_diagonal))
    return Identity("mean of Σ_{u<v} over all orders = ½ Σ_{i≠j}", pairs, wrong)


def _losses(count: int) -> tuple[tuple[sp.Symbol, ...], list[sp.Expr]]:
    point = sp.symbols("x1:3", real=True)
    return point, [sp.Function(f"L{i}")(*point) for i in range(1, count + 1)]


def _gradient(f: sp.Expr, point) -> sp.Matrix:
    return sp.Matrix([f.diff(x) for x in point])


def regulariser_is_a_gradient() -> Identity:
    """Σ_{i≠j} V'_iV_j = Σ_{i≠j} H_i g_j = ∇R, R = Σ_{i<j} ⟨g_i, g_j⟩, for V_i = −∇L_i: an ascent step on alignment."""
    point, L = _losses(3)
    g = [_gradient(f, point) for f in L]
    H = [sp.hessian(f, point) for f in L]
    term = sum((H[i] * g[j] for i in range(3) for j in range(3) if i != j), sp.zeros(2, 1))
    R = sum((g[i].dot(g[j]) for j in range(3) for i in range(j)), sp.Integer(0))
    return Identity(
        "Σ_{i≠j} V'_iV_j = +∇ Σ_{i<j} ⟨g_i, g_j⟩", [(term, _gradient(R, point))], [(term, -_gradient(R, point))]
    )


def one_order_is_no_gradient() -> Identity:
    """The curl of Σ_{i>j} H_ig_j is Σ_{i>j} [H_i, H_j] (matrix commutators), not zero."""
    point, L = _losses(2)
    g = [_gradient(f, point) for f in L]
    H = [sp.hessian(f, point) for f in L]
    jacobian = (H[1] * g[0]).jacobian(point)
    commutator = H[1] * H[0] - H[0] * H[1]
    return Identity(
        "J − Jᵀ = [H_2, H_1] for the term H_2g_1",
        [(jacobian - jacobian.T, commutator)],
        [(jacobian - jacobian.T, sp.zeros(2, 2)), (jacobian - jacobian.T, -commutator)],
    )


def small_batch_regulariser() -> Identity:
    """λ = h'²/2: −λR = −(c h'/4) h ‖ḡ‖² + (h'/4c) h Σ‖g_i‖² with h = ch' (Smith et al. [15], one coordinate)."""
    c = 3
    small = h / c
    g = sp.symbols(f"g1:{c + 1}", real=True)
    mean = sum(g) / c
    R = sum(g[i] * g[j] for j in range(c) for i in range(j))
    left = -(small**2) / 2 * R
    right = -c * small / 4 * h * mean**2 + small / (4 * c) * h * sum(x**2 for x in g)
    wrong = -c * small / 4 * h * mean**2 + small / 4 * h * sum(x**2 for x in g)
    return Identity("−(h'²/2) R = h [−(ch'/4)ḡ² + (h'/4c) Σ g_i²]", [(left, right)], [(left, wrong), (-left, right)])
