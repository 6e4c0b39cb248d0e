"""Lemma C.1 for words of several lengths with unknown fields, the h³ term, and Theorem C.2's bracket with its sign."""

from __future__ import annotations

from itertools import combinations

import sympy as sp

from proofs.symbolic._fields import Field, coefficient, fields, jets
from proofs.symbolic._identity import Identity


def second_order_terms(word: list[Field]) -> sp.Matrix:
    """Σ_{u<v} V'_{i_u} V_{i_v}, positions counted from the outermost."""
    total = sp.zeros(len(word[0].components), 1)
    for u, v in combinations(range(len(word)), 2):
        total += word[u].jacobian * word[v].value
    return total


def third_order_terms(word: list[Field]) -> sp.Matrix:
    """E3 = Σ_{u<v<w} [V_u'V_v'V_w + V_u''(V_v, V_w)] + ½ Σ_{u<v} V_u''(V_v, V_v)."""
    total = sp.zeros(len(word[0].components), 1)
    for u, v, w in combinations(range(len(word)), 3):
        total += word[u].jacobian * word[v].jacobian * word[w].value
        total += word[u].second(word[v].value, word[w].value)
    for u, v in combinations(range(len(word)), 2):
        total += word[u].second(word[v].value, word[v].value) / 2
    return total


def _words(dim: int) -> list[tuple[tuple[sp.Symbol, ...], list[Field]]]:
    point, V = fields(3, dim)
    return [(point, w) for w in ([V[0]], [V[0], V[1]], [V[1], V[1]], [V[2], V[0], V[1]], [V[0], V[1], V[0]])]


def first_order() -> Identity:
    """The coefficient of h is Σ V_{i_l}: every order of the maps agrees at order h."""
    pairs = [(coefficient(w, p, 1), sum((V.value for V in w), sp.zeros(2, 1))) for p, w in _words(2)]
    point, w = _words(2)[1]
    return Identity("h¹: Σ_l V_{i_l}", pairs, [(coefficient(w, point, 1), w[0].value)])


def second_order() -> Identity:
    """The coefficient of h² is Σ_{u<v} V'_{i_u}V_{i_v} (Lemma C.1), in the plane."""
    pairs = [(coefficient(w, p, 2), second_order_terms(w)) for p, w in _words(2)]
    point, w = _words(2)[1]
    return Identity(
        "h²: Σ_{u<v} V'_{i_u} V_{i_v}",
        pairs,
        [
            (coefficient(w, point, 2), w[1].jacobian * w[0].value),  # i < j for i > j
            (coefficient(w, point, 2), w[0].jacobian.T * w[1].value),  # a transposed product for a directional one
        ],
    )


def third_order() -> Identity:
    """The coefficient of h³, on the line for unknown fields and in the plane at 0 for their jets."""
    pairs = [(coefficient(w, p, 3), third_order_terms(w)) for p, w in _words(1)]
    point, V = jets(3, 2)
    at_zero = dict.fromkeys(point, 0)
    for word in (V[:2], V):
        pairs.append((coefficient(word, point, 3).subs(at_zero), third_order_terms(word).subs(at_zero)))
    line, W = fields(2, 1)
    doubled = third_order_terms(W) + W[0].second(W[1].value, W[1].value) / 2
    return Identity("h³: E3", pairs, [(coefficient(W, line, 3), doubled)])


def bracket_with_its_sign() -> Identity:
    """backward − forward has the h² coefficient Σ_{i<j} [V_i, V_j], [V, W] = V'W − W'V (Theorem C.2)."""
    point, V = fields(3, 2)
    difference = coefficient(V, point, 2) - coefficient(V[::-1], point, 2)
    total = sp.zeros(2, 1)
    for i, j in combinations(range(3), 2):
        total += V[i].jacobian * V[j].value - V[j].jacobian * V[i].value
    return Identity(
        "T_1…T_n − T_n…T_1 = h² Σ_{i<j} (V'_iV_j − V'_jV_i) + O(h³)", [(difference, total)], [(difference, -total)]
    )
