"""Theorem 2.2 on a certified region: trained networks whose maps provably keep a box and contract on it (row 85).

Problem
    The maps T_i = 1 − h∇L_i are gradient steps of a small network with weight decay on a few batches. B = {c + Qu:
    |u_j| ≤ r_j} is a box around a minimum of the mean loss.
Guarantee (Upper)
    Suppose that enclosures over all of B prove that every T_i (or every epoch of them) sends B into itself, coordinate
    by coordinate, and contracts in one common norm. Then d(θ*, θ_n) ≤ k^n min(reach, D/(1−k)) from every point of B.
    Either condition alone is not enough: for H = [[1, ±1/2], [±1/2, 1]] and g = ±(−1, 1) the step contracts with k = 1
    − h/2 everywhere, and leaves the box r = 1.5|g| at h = 1/10.
Smallest wrong claim that is detected
    The check detects a box with a tenth of the radii, the factor of the steepest direction, and third derivatives or
    rounding left out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from contraction.certificates.find_region import find_region
from contraction.certificates.region import RegionCertificate, certify_region
from contraction.families.index_laws import Reshuffled
from contraction.families.own_loss import OwnLossSteps
from contraction.maps.domains import RotatedBox
from contraction.maps.intervals import Intervals
from contraction.maps.iterates import backward_iterates
from contraction.statements.records import Control, Row, Statement, Tier, Verdict
from contraction.types import RowLoss, Scalar

NAME, ROWS = "certified_region", (85,)
PARTS = ("stays", "contracts", "backward", "gradients", "sums")
HYPOTHESES = "Every T_i (or epoch) provably sends the box into itself and contracts in one common norm."
TRAINING = 600  # steps of gradient descent with rate 1; Newton's method does the rest
Claim = Callable[[OwnLossSteps, NDArray], RegionCertificate]
Product = Callable[[Intervals, NDArray], Intervals]


def network(units: int, inputs: int) -> RowLoss:
    """Return the logistic loss of one row, label ±1, of a network with one hidden tanh layer; ``units`` 0: linear."""
    hidden = units * inputs

    def loss(theta: NDArray, x: NDArray, y: Scalar) -> Scalar:
        if units == 0:
            return np.log1p(np.exp(-y * (x @ theta)))
        w, b, v = theta[:hidden].reshape(units, inputs), theta[hidden : hidden + units], theta[hidden + units : -1]
        return np.log1p(np.exp(-y * (v @ np.tanh(w @ x + b) + theta[-1])))

    return loss


def problem(kind: str, seed: int) -> tuple[OwnLossSteps, NDArray]:
    """Return a family and a minimiser of its mean loss: "linear", "neuron" (one unit) or "epochs"."""
    units, batches, ridge, h = {
        "linear": (0, 4, 0.2, 0.5),
        "neuron": (1, 2, 0.05, 0.2),
        "epochs": (2, 4, 0.1, 0.02),
    }[kind]
    rng = np.random.default_rng([seed, units])
    rows = 60
    # both halves hold the same images up to a small change: batches that agree are what contraction needs
    base = rng.standard_normal((rows // batches, 2))
    X = np.concatenate([base + 0.01 * rng.standard_normal(base.shape) for _ in range(batches)])
    label = X[:, 0] if units < 2 else np.cos(2 * X[:, 0]) + X[:, 1] / 2
    y = np.concatenate([np.sign(label[: rows // batches])] * batches)
    dim = 2 if units == 0 else units * 4 + 1
    family = OwnLossSteps(
        network(units, 2),
        (X, y),
        dim,
        h=h,
        batches=np.arange(rows).reshape(batches, -1),
        ridge=ridge,
        law=Reshuffled if kind == "epochs" else None,
    )
    theta = rng.standard_normal(dim)
    for _ in range(TRAINING):
        theta = theta - family.gradient(theta, np.arange(rows))
    return family, theta


def certified(family: OwnLossSteps, theta: NDArray) -> RegionCertificate:
    """Return the library's certificate on the box that its search finds."""
    region = find_region(family, theta)
    return certify_region(family, region.center, region)


def check(
    kind: str, seed: int, claim: Claim = certified, third: float = 1.0, matmul: Product = Intervals.__matmul__
) -> Verdict:
    """Return what is seen at random points and faces of the box, against what is certified; the worst of five parts.

    stays: largest |u_j|/r_j of images; contracts: largest quotient of distances over k; backward: distances of backward
    iterates to the last one; gradients: change of dL/du over the box; sums: an enclosed dot product, exactly.
    """
    family, theta = problem(kind, seed)
    certificate = claim(family, theta)
    region, rng, N = certificate.region, np.random.default_rng([seed, 1]), len(family.batches)
    points = np.stack([region.points(rng, region.center, 200) for _ in range(2)])
    points[1] = (points[1] + region.center) / 2  # pairs of a face and an inner point, never equal
    maps = [lambda x, rows=rows: family.apply(x, rows) for rows in family.batches]
    if kind == "epochs":
        maps = [_epoch(family, rng.permutation(N)) for _ in range(4)]
    stays, contracts = 0.0, 0.0
    for T in maps:
        image = T(points)
        stays = max(stays, float(np.max(np.abs(region.coordinates(image)) / region.radii)))
        moved, apart = (certificate.space.distance(*pair) for pair in (image, points))
        contracts = max(contracts, float(np.max(moved / apart)))
    last = 40 * N
    path = backward_iterates(family.sample(last, seed), region.center, at=range(0, last + 1, N))
    distance = certificate.space.distance(path, path[-1])
    bounds = certificate.bound(np.arange(0, last + 1, N)) + certificate.bound(last)
    enclosed = family.step_enclosures(region)[0]
    u = (points[0] - region.center) @ np.linalg.inv(region.basis).T
    slope = family.gradient(points[0], family.batches[0]) @ region.basis
    taylor = enclosed.gradient.mid + u @ enclosed.curvature.mid.T
    room = third * np.abs(u) @ enclosed.variation(region.radii).T / 2 + 1e-13
    measured = [stays, contracts, float(np.max(distance / bounds)), float(np.max(np.abs(slope - taylor) / room))]
    return Verdict.upper(
        NAME,
        ROWS,
        [*measured, sums_in_radii(rng, matmul)],
        [1.0, certificate.k, 1.0, 1.0, 1.0],
        rounding=1e-9,
        parts=PARTS,
        seed=seed,
        hypotheses=HYPOTHESES,
        note=f"{kind}: {family!r}, k={certificate.k:.6g}, largest radius {np.max(region.radii):.3g}",
    )


def _epoch(family: OwnLossSteps, order: NDArray) -> Callable[[NDArray], NDArray]:
    def epoch(x: NDArray) -> NDArray:
        for i in order:
            x = family.apply(x, family.batches[i])
        return x

    return epoch


def sums_in_radii(rng: np.random.Generator, matmul: Product) -> float:
    """Return the largest |x·y - midpoint|, x·y in rationals, in radii of its enclosure."""
    worst = 0.0
    for _ in range(20):
        x, y = rng.standard_normal((2, 30))
        x, y = np.r_[x, -x], np.r_[y, y * (1 + 2.0**-40)]
        product = matmul(Intervals(x[None]), y[:, None])
        exact = sum((Fraction(a) * Fraction(b) for a, b in zip(x.tolist(), y.tolist(), strict=True)), Fraction(0))
        gap, room = float(abs(exact - Fraction(float(product.mid[0, 0])))), float(product.rad[0, 0])
        worst = max(worst, gap / room if room > 0 else np.inf if gap > 0 else 0.0)
    return worst


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Linear logistic regression, a neuron with independent batches, and a network of two units by epochs."""
    for kind in ("linear", "neuron", "epochs"):
        for _ in range(1 if tier == "standard" else 4):
            yield {"kind": kind, "seed": int(rng.integers(2**31))}


def check_printed(h: Fraction = Fraction(1, 10)) -> Verdict:
    """Contraction alone: least eigenvalue 1/2 of every Hessian, k = 1 - h/2, and a corner of the box leaves it."""
    half, one = Fraction(1, 2), Fraction(1)
    r, worst, k = Fraction(3, 2), Fraction(0), Fraction(0)
    for sign in (1, -1):
        H, g = ((one, sign * half), (sign * half, one)), (-sign * one, sign * one)
        for corner in ((r, r), (r, -r), (-r, r), (-r, -r)):
            for j in range(2):
                pull = g[j] + sum((H[j][m] * corner[m] for m in range(2)), Fraction(0))
                worst = max(worst, abs(corner[j] - h * pull) / r)
        k = max(k, *(abs(1 - h * (1 + s * half)) for s in (1, -1)))
    return Verdict(
        NAME,
        ROWS,
        "beyond",
        worst > 1 and k < 1,
        float(worst),
        1.0,
        hypotheses="Every Hessian has a positive least eigenvalue, but the set is not invariant.",
        note=f"H = [[1, ±½], [±½, 1]], g = ±(−1, 1), r = 1.5|g|, h = {h}: k = {float(k):.3g} and a corner goes to "
        f"{float(worst):.6g} r",
    )


# --- wrong claims ---------------------------------------------------------------------------------------------------


def beyond_invariance(family: OwnLossSteps, theta: NDArray) -> RegionCertificate:
    """Return the certificate put on a box of which each side is a tenth as long, so that the maps leave it."""
    certificate = certified(family, theta)
    small = RotatedBox(certificate.region.center, certificate.region.radii / 10, certificate.region.basis)
    return dataclasses.replace(certificate, region=small)


def smaller_factor(family: OwnLossSteps, theta: NDArray) -> RegionCertificate:
    """Return the factor of the steepest direction of the mean loss in place of the flattest one."""
    certificate = certified(family, theta)
    M = max(float(np.max(np.linalg.eigvalsh(e.curvature.mid))) for e in family.step_enclosures(certificate.region))
    return dataclasses.replace(certificate, k=abs(1 - family.h * M))


def unrounded(a: Intervals, b: NDArray) -> Intervals:
    """Return a matrix product with its rounding rounded inwards, to nothing."""
    return Intervals(a.mid @ b)


CONTROLS = (
    Control("contraction without invariance", lambda seed: check("neuron", seed, beyond_invariance), "stays"),
    Control("the factor of the steepest direction", lambda seed: check("neuron", seed, smaller_factor), "contracts"),
    Control("third derivatives left out", lambda seed: check("neuron", seed, third=0.0), "gradients"),
    Control("rounding inwards", lambda seed: check("linear", seed, matmul=unrounded), "sums"),
)

STATEMENT = Statement(
    name=NAME,
    paper=("Theorem 2.2",),
    claim="T_i(B) ⊂ B coordinate by coordinate and Lip(T_i|B) ≤ k < 1 in one norm: d(θ*, θ_n) ≤ kⁿ min(reach, D/(1−k))",
    hypotheses=HYPOTHESES,
    rows=(
        Row(
            85,
            "Theorem 2.2 for trained networks",
            "BEYOND",
            beyond="Theorem 2.2 applies to a trained network on a box around its minimum that every batch's step "
            "provably sends into itself, coordinate by coordinate, and on which all steps contract in one norm; "
            "enclosures of gradient and Hessian over all of the box decide it. With reshuffled batches it is enough "
            "that every epoch does so, which holds near a strict minimum for small learning rates. Positive curvature "
            "alone is not enough: the box may be left.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    controls=CONTROLS,
    test="tests/theory/statements/section_2/test_certified_region.py",
)
