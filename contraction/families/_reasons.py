"""Reasons why a family of gradient steps does not contract, in terms of its learning rate and its Hessian."""

from __future__ import annotations

from numpy.typing import NDArray

from contraction.maps.constants import Constant
from contraction.maps.rounding import EPS

__all__ = ["why_not_curvature", "why_not_hessian", "why_not_learning_rate"]


def why_not_learning_rate(h: float, k: Constant) -> str:
    """Return the reason in terms of the learning rate and the resulting factor."""
    return f"k ≥ 1: with h = {h:.6g}, k = {k.value:.6g} ({k.source})"


def why_not_curvature(h: float, m: float, M: float, k: Constant) -> str:
    """Return the reason for losses with curvature in [m, M] (Lemma 2.5)."""
    if m <= 0:
        return f"k ≥ 1: a loss is not strongly convex: m = {m:.6g}, so max(|1−hm|, |1−hM|) ≥ 1 for every h"
    if 0 < h < 2 / M:  # another metric was asked for
        return why_not_learning_rate(h, k)
    return f"k ≥ 1: h = {h:.6g} is outside (0, 2/M) = (0, {2 / M:.6g}); k = {k.value:.6g} ({k.source})"


def why_not_hessian(h: float, eigenvalues: NDArray, k: Constant) -> str:
    """Return the reason for I - hH, from the eigenvalues of H in increasing order (Section 3.2)."""
    low, high = float(eigenvalues[0]), float(eigenvalues[-1])
    negligible = 4 * len(eigenvalues) * EPS * max(abs(low), abs(high))
    if abs(low) <= negligible:
        return f"k ≥ 1: H is singular: λ_min = {low:.3g}, so ‖I−hH‖ ≥ 1 for every h (here {k.value:.6g})"
    if low < 0 < high:
        return f"k ≥ 1: H is indefinite: λ_min = {low:.6g}, λ_max = {high:.6g}, so ‖I−hH‖ > 1 for every h ≠ 0"
    if low < 0:
        return f"k ≥ 1: H is negative definite: λ_max = {high:.6g}, ‖I−hH‖ = {k.value:.6g}"
    if 0 < h < 2 / high:  # another metric was asked for
        return why_not_learning_rate(h, k)
    return f"k ≥ 1: h = {h:.6g} is outside (0, 2/λ_max) = (0, {2 / high:.6g}); ‖I−hH‖ = {k.value:.6g}"
