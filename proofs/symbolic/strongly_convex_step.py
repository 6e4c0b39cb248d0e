"""Lemma 2.5 and Appendix F: the square of a gradient step, and when its bound contracts."""

from __future__ import annotations

import sympy as sp

from proofs.symbolic._identity import Identity

h, m, M = sp.symbols("h m M", positive=True)


def step_square() -> Identity:
    """‖(x − hg) − (y − hg')‖² = ‖x−y‖² − 2h⟨g−g', x−y⟩ + h²‖g−g'‖² (Appendix F), in three coordinates."""
    d = sp.Matrix(sp.symbols("d1:4", real=True))
    g = sp.Matrix(sp.symbols("g1:4", real=True))
    step = d - h * g
    left = (step.T * step)[0]
    right = d.dot(d) - 2 * h * g.dot(d) + h**2 * g.dot(g)
    return Identity(
        "‖d − hg‖² = ‖d‖² − 2h⟨g, d⟩ + h²‖g‖²",
        [(left, right)],
        [(left, d.dot(d) + 2 * h * g.dot(d) + h**2 * g.dot(g)), (left, d.dot(d) - 2 * g.dot(d) + h**2 * g.dot(g))],
    )


def radicand() -> Identity:
    """1 − 2hm + h²M² = (1 − hm)² + h²(M² − m²), so the root is real for M ≥ m."""
    left = 1 - 2 * h * m + h**2 * M**2
    return Identity(
        "1 − 2hm + h²M² = (1 − hm)² + h²(M² − m²)",
        [(left, (1 - h * m) ** 2 + h**2 * (M**2 - m**2))],
        [(left, (1 - h * m) ** 2 + h * (M**2 - m**2))],
    )


def contraction_threshold() -> Identity:
    """The printed bound equals 1 at h = 0 and h = 2m/M² only; the sharp one at h = 2/M (where it is hM − 1)."""
    bound = 1 - 2 * h * m + h**2 * M**2
    return Identity(
        "1 − 2hm + h²M² − 1 = h M² (h − 2m/M²); hM − 1 = 1 at h = 2/M",
        [(bound - 1, h * M**2 * (h - 2 * m / M**2)), ((h * M - 1).subs(h, 2 / M), sp.Integer(1))],
        [(bound - 1, h * M**2 * (h - 2 / M)), ((h * M - 1).subs(h, 2 * m / M**2), sp.Integer(1))],
    )


def best_rate() -> Identity:
    """At h = 2/(m+M) both ends agree: 1 − hm = hM − 1 = (M − m)/(M + m)."""
    at = 2 / (m + M)
    return Identity(
        "1 − hm = hM − 1 = (M−m)/(M+m) at h = 2/(m+M)",
        [(1 - at * m, (M - m) / (M + m)), (at * M - 1, (M - m) / (M + m))],
        [(1 - at * m, M / (M + m))],
    )


def printed_bound_is_attained() -> Identity:
    """For V = [[m, −s], [s, m]] with m² + s² = M² (no gradient): (I − hV)ᵀ(I − hV) = (1 − 2hm + h²M²) I."""
    s = sp.symbols("s", real=True)
    V = sp.Matrix([[m, -s], [s, m]])
    step = sp.eye(2) - h * V
    radicand_of = 1 - 2 * h * m + h**2 * (m**2 + s**2)
    gradient = sp.Matrix([[m, s], [s, m]])
    wrong = (sp.eye(2) - h * gradient).T * (sp.eye(2) - h * gradient)
    return Identity(
        "(I − hV)ᵀ(I − hV) = (1 − 2hm + h²(m² + s²)) I for the rotational field",
        [(step.T * step, radicand_of * sp.eye(2))],
        [(wrong, radicand_of * sp.eye(2))],
    )
