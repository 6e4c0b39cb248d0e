"""Findings of the study of optimizers on quadratics (no torch)."""

from __future__ import annotations

from collections.abc import Sequence

from nn_experiments.analysis.finding import Finding
from nn_experiments.results.studies import Study

__all__ = ["quadratic_findings", "quadratic_table"]

_ANY = (
    "Section 1",
    "Note that backward optimization can theoretically be applied to any gradient-based optimizer (not only to SGD) "
    "to improve stability and convergence, since our theoretical statements hold at the level of the T_i’s, no "
    "matter what their actual forms are.",
)
#: Adam on θ²/2, h = 0.001, β1 = 0.9: stable for ε above this.
THRESHOLD = 1e-3 * (1 - 0.9) / (2 * (1 + 0.9))


def quadratic_table(study: Study) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Return the header and one row per optimizer and setting."""
    norm, radius, weighted = study["heavy_ball"]
    lines = [
        (
            "heavy ball, additive noise, λ = 1, h = 0.5, β = 0.9",
            f"‖M‖ = {norm:.3g}, ρ(M) = {radius:.3g}, ‖M‖_P = {weighted:.4g}",
            "backward converges (Theorem 2.2 in the weighted norm, bounded noise)",
        )
    ]
    for kappa, rho, exponent, error in zip(
        study["kappa"], study["radius"], study["exponent"], study["exponent_error"], strict=True
    ):
        verdict = (
            "both orders diverge"
            if exponent > 4 * error
            else "both forget their start"
            if exponent < -4 * error
            else "undecided"
        )
        lines.append(
            (
                f"heavy ball, curvature 1 or {kappa:g} by batch, Polyak's tuning",
                f"each map ρ = {rho:.3g}; top exponent {exponent:+.3f} ± {error:.1g}",
                verdict,
            )
        )
    for eps, amplitude in zip(study["eps"], study["amplitude"], strict=True):
        converges = amplitude < 1e-12
        lines.append(
            (
                f"Adam, θ²/2 without noise, h = 0.001, ε = {eps:.2g}",
                f"amplitude {amplitude:.2g} (stable for ε > {THRESHOLD:.3g})",
                "converges" if converges else "oscillates",
            )
        )
    gap = float(study["sign_gap"])
    lines.append(("sign-SGD", f"backward iterates n and n + 1 at least {gap:g} h apart", "backward never converges"))
    return ("optimizer", "measured", "verdict"), lines


def quadratic_findings(study: Study) -> list[Finding]:
    """Return the findings on quadratics."""
    norm, radius, weighted = study["heavy_ball"]
    wild = [f"κ = {k:g}: {e:+.3f}" for k, e in zip(study["kappa"], study["exponent"], strict=True)]
    diverge = int((study["exponent"] > 4 * study["exponent_error"]).sum())
    return [
        Finding(
            "Heavy ball with additive noise",
            *_ANY,
            f"its map of (θ_t, θ_(t−1)) is not a contraction in the Euclidean norm (‖M‖ = {norm:.3g}), but is one in a "
            f"weighted norm (‖M‖_P = {weighted:.4g}, ρ = {radius:.3g}): with bounded noise Theorem 2.2 applies there.",
            "agrees, in a weighted norm" if weighted < 1 < norm else "rejected: a defect",
            "exact up to rounding",
        ),
        Finding(
            "Heavy ball with curvature that depends on the batch",
            *_ANY,
            f"every map contracts in a norm of its own (largest radius {study['radius'].max():.3g}), but there need "
            f"be no common one; top exponents of i.i.d. products: {', '.join(wild)}. Where it is positive both "
            "orders diverge almost surely from generic starts.",
            f"diverges in {diverge} of {len(study['kappa'])}: contraction of each map is not enough",
            f"{study.about['seeds']} products of 20,000 matrices each; errors at most "
            f"{study['exponent_error'].max():.1g}",
        ),
        Finding(
            "Adam's ε decides",
            *_ANY,
            f"without noise, θ²/2, h = 0.001: it converges for ε above "
            f"h(1 − β₁)/(2(1 + β₁)) = {THRESHOLD:.3g} and oscillates below: "
            + ", ".join(f"ε = {e:.2g}: {a:.2g}" for e, a in zip(study["eps"], study["amplitude"], strict=True)),
            "no contraction at the default ε",
            "linear stability is a theorem; amplitudes after 40,000 steps",
        ),
        Finding(
            "Sign-SGD",
            *_ANY,
            "every map moves by h on a lattice, so backward iterates n and n + 1 are at least "
            f"{float(study['sign_gap']):g} h apart for ever.",
            "disagrees",
            "a theorem, checked on 200 draws",
        ),
    ]
