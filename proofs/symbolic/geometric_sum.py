"""The geometric sum in the proof of Theorem 2.2, and its printed slip."""

from __future__ import annotations

import sympy as sp

from proofs.symbolic._identity import Identity

k = sp.symbols("k", positive=True)


def partial_sum() -> Identity:
    """Σ_{j<p} k^j = (1 − k^p)/(1 − k), by induction on p = m − n: base p = 0 and step."""
    p = sp.symbols("p", integer=True, nonnegative=True)
    claim = (1 - k**p) / (1 - k)
    return Identity(
        "1 + k + … + k^(p−1) = (1 − k^p)/(1 − k)",
        [(claim.subs(p, 0), sp.Integer(0)), (claim + k**p, claim.subs(p, p + 1))],
        [(claim + k ** (p + 1), claim.subs(p, p + 1)), (claim.subs(p, 1), sp.Integer(0))],
    )


def printed_slip() -> Identity:
    """Printed: (1 − k^(n−m+2))/(1 − k), which is 1, 0 and −1/k at m − n = 1, 2, 3; the sum is 1, 1 + k, 1 + k + k²."""
    gap = sp.symbols("gap", integer=True)
    printed = (1 - k ** (2 - gap)) / (1 - k)
    true = [1, 1 + k, 1 + k + k**2]
    values = [printed.subs(gap, g) for g in (1, 2, 3)]
    return Identity(
        "the printed bound is 1, 0, −1/k at m − n = 1, 2, 3",
        list(zip(values, (sp.Integer(1), sp.Integer(0), -1 / k), strict=True)),
        list(zip(values[1:], true[1:], strict=True)),
    )
