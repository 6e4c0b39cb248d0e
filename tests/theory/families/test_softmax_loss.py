"""Softmax regression: derivatives, curvature from both sides, and certificates of convex losses rounded outwards."""

from __future__ import annotations

from fractions import Fraction as F

import mpmath
import numpy as np
import pytest

import contraction as ct
from contraction import families as fam
from contraction.maps.intervals import Intervals
from tests.theory.family_examples import LABELS, X, Y

CLASSES = [0, 1, 2, 2, 1, 0]
LOSS = fam.RidgeSoftmaxLoss(X, CLASSES, 0.3)
BATCHES = [[0, 1, 2], [3, 4, 5]]


def test_the_loss_is_the_cross_entropy_with_weight_decay():
    theta, rows = np.linspace(-1, 1, 9), np.array([1, 3, 4])
    z = X[rows] @ theta.reshape(3, 3).T
    q = np.exp(z) / np.sum(np.exp(z), axis=1, keepdims=True)
    expected = -np.mean(np.log(q[np.arange(3), np.array(CLASSES)[rows]])) + 0.15 * theta @ theta
    assert LOSS.loss(theta, rows) == pytest.approx(expected, rel=1e-14)
    assert LOSS.loss(np.zeros(9), rows) == pytest.approx(np.log(3), rel=1e-15)


def test_gradients_and_hessian_products_are_derivatives():
    theta, rows, step = np.linspace(-1, 2, 9), np.array([0, 2, 5]), 1e-6
    basis = step * np.eye(9)
    slope = (LOSS.loss(theta + basis, rows) - LOSS.loss(theta - basis, rows)) / (2 * step)
    assert np.allclose(slope, LOSS.gradient(theta, rows), atol=1e-8)
    bend = (LOSS.gradient(theta + basis, rows) - LOSS.gradient(theta - basis, rows)) / (2 * step)
    assert np.allclose(bend, LOSS.hessian_product(theta, np.eye(9), rows), atol=1e-8)
    many = np.stack([theta, -theta])
    both = np.stack([rows, rows[::-1]])
    for found in (LOSS.gradient(many, rows), LOSS.gradient(many, both)):
        assert np.allclose(found, np.stack([LOSS.gradient(t, rows) for t in many]), rtol=0, atol=1e-15)


def test_two_classes_are_logistic_regression():
    """The difference of the two rows of W moves as θ of the logistic loss with half the weight decay."""
    two, one = fam.RidgeSoftmaxLoss(X, (LABELS > 0).astype(int), 0.1), fam.RidgeLogisticLoss(X, LABELS, 0.05)
    theta, rows = np.array([0.3, -1.0, 2.0]), np.arange(6)
    assert two.loss(np.r_[-theta / 2, theta / 2], rows) == pytest.approx(float(one.loss(theta, rows)), rel=1e-14)


def test_curvature_is_between_its_bounds_and_attains_both():
    """m_B along one vector added to all rows of W; M_B at 0 for two classes: diag(q) - q qᵀ has the eigenvalue ½."""
    rng, rows = np.random.default_rng(0), np.array([0, 2, 3])
    m, M = LOSS.curvature(rows)
    for theta in rng.standard_normal((50, 9)) * 10 ** rng.uniform(-2, 1, (50, 1)):
        values = np.linalg.eigvalsh(LOSS.hessian_product(theta, np.eye(9), rows))
        assert m - 1e-14 <= values[0]
        assert values[-1] <= M + 1e-14
        assert values[0] == pytest.approx(0.3, abs=1e-12)
    two = fam.RidgeSoftmaxLoss(X, [0, 1, 0, 1, 1, 0], 0.3)
    top = np.linalg.eigvalsh(two.hessian_product(np.zeros(6), np.eye(6), rows))[-1]
    assert top == pytest.approx(two.curvature(rows)[1], rel=1e-13)
    assert LOSS.curvature_on_ball(np.array([rows]), np.zeros(9), 1.0)[1] == pytest.approx(M)


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        ([0, 1, 2, 3, 0, -1], None, r"labels must be integers 0 … 3, got -1\.0"),
        ([0, 1, 2, 0.5, 0, 1], None, r"labels must be integers 0 … 2, got 0\.5"),
        ([0, 1, 2, 0, 0, 1], 2, r"labels must be integers 0 … 1, got 2\.0"),
        ([0] * 6, 1, "classes must be an integer of at least 2, got 1"),
    ],
)
def test_labels_are_checked(labels, classes, message):
    with pytest.raises(ValueError, match=message):
        fam.RidgeSoftmaxLoss(X, labels, 0.1, classes)


# --- constants rounded outwards -------------------------------------------------------------------------------------


def exact_gradient(loss: fam.DataLoss, theta: np.ndarray, rows: np.ndarray) -> list[mpmath.mpf]:
    """The gradient of a batch to 40 digits, from the formulas of each loss."""
    rho, out = mpmath.mpf(loss.ridge), [mpmath.mpf(0)] * len(theta)
    for n in rows:
        x = [mpmath.mpf(float(v)) for v in loss.X[n]]
        if isinstance(loss, fam.RidgeSoftmaxLoss):
            W = theta.reshape(loss.classes, -1)
            e = [mpmath.exp(sum(a * mpmath.mpf(float(w)) for a, w in zip(x, row, strict=True))) for row in W]
            slopes = [v / sum(e) - (1 if c == int(loss.y[n]) else 0) for c, v in enumerate(e)]
        else:
            z = sum(a * mpmath.mpf(float(w)) for a, w in zip(x, theta, strict=True))
            y = mpmath.mpf(float(loss.y[n]))
            if isinstance(loss, fam.RidgeLoss):
                slopes = [z - y]
            elif isinstance(loss, fam.RidgeLogisticLoss):
                slopes = [-y / (1 + mpmath.exp(y * z))]
            else:
                slopes = [1 / (1 + mpmath.exp(-loss.sharpness * (z - y)))]
        for place, (slope, a) in enumerate([(s, a) for s in slopes for a in x]):
            out[place] += slope * a / len(rows)
    return [v + rho * mpmath.mpf(float(t)) for v, t in zip(out, theta, strict=True)]


LOSSES = {
    "softmax": LOSS,
    "logistic": fam.RidgeLogisticLoss(X, LABELS, 0.3),
    "softplus": fam.SoftplusLoss(X, Y, 0.3, 2.0),
    "ridge": fam.RidgeLoss(X, Y, 0.3),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_gradients_lie_in_their_enclosures(name, scale):
    loss, rows = LOSSES[name], np.array([0, 2, 3, 5])
    rng = np.random.default_rng(3)
    for _ in range(10):
        theta = scale * rng.standard_normal(loss.dim)
        found = loss.gradient_enclosure(theta, rows)
        with mpmath.workdps(40):
            gaps = [
                abs(v - mpmath.mpf(float(m))) for v, m in zip(exact_gradient(loss, theta, rows), found.mid, strict=True)
            ]
        assert all(gap <= float(r) for gap, r in zip(gaps, found.rad, strict=True))
        assert max(gaps) > 0  # so that a radius of 0 would be noticed
        assert np.max(found.rad) < 1e-13 * (1 + scale)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("h", [0.2, 1.9])
def test_constants_are_bounds_in_rationals(name, h):
    """k >= 1 - hρ and >= hM - 1 exactly, M in rationals from below; D is that of the exact gradients."""
    loss = LOSSES[name]
    family = fam.GradientSteps(loss, h, batches=BATCHES)
    theta = np.linspace(-1, 1, loss.dim)
    k, D = family.constant_bounds(theta)
    largest = max(float(np.linalg.norm(X[rows], 2) ** 2 / 3) for rows in BATCHES) * (1 - 1e-12)
    M = F(loss.ridge) + F(loss.high) * F(largest)
    assert F(k.value) >= max(abs(1 - F(h) * F(loss.ridge)), abs(1 - F(h) * M))
    assert k.value == pytest.approx(max(abs(1 - h * loss.ridge), abs(1 - h * float(M))), rel=1e-11)
    with mpmath.workdps(40):
        moves = [
            mpmath.mpf(h) * mpmath.sqrt(sum(v * v for v in exact_gradient(loss, theta, np.array(rows))))
            for rows in BATCHES
        ]
        assert max(moves) <= D.value
        assert D.value == pytest.approx(float(max(moves)), rel=1e-12)


@pytest.mark.parametrize("name", ["softmax", "logistic", "softplus"])
def test_certificates_of_convex_losses_are_rigorous(name):
    loss = LOSSES[name]
    family = fam.GradientSteps(loss, 0.4, batches=BATCHES)
    theta = np.linspace(-1, 1, loss.dim)
    found, plain = ct.certify(family, theta, rigorous=True), ct.certify(family, theta)
    assert found.statement == "Theorem 2.2, outward rounding"
    assert found.origin == "proved"
    assert found.k == pytest.approx(plain.k, rel=1e-12)
    assert found.k >= 1 - 0.4 * 0.3
    assert pytest.approx(plain.D, rel=1e-12) == found.D
    path = ct.backward_iterates(family.sample(300, 1), theta)
    away = np.linalg.norm(path - path[-1], axis=1)
    assert np.all(away <= found.bound(np.arange(301)) + found.bound(300))
    with pytest.raises(ct.NotCertified, match="k ≥ 1"):
        ct.certify(fam.GradientSteps(loss, 50.0, batches=BATCHES), theta, rigorous=True)
    with pytest.raises(ct.NotCertified, match="no formula in ball arithmetic"):
        ct.certify(family, theta, rigorous=True, space=ct.SupNorm())


def test_bounds_that_are_inherited_are_compared_with_the_maps():
    class Doubled(fam.GradientSteps):
        def apply(self, theta, draw):
            return theta - 8 * self.h * self.loss.gradient(theta, draw)

    with pytest.raises(ct.DeclarationRefuted, match="violated"):
        ct.certify(Doubled(LOSS, 0.4, batches=BATCHES), np.ones(9), rigorous=True)


def test_losses_of_ones_own_have_bounds_if_their_slope_has_an_enclosure():
    class Cosh(fam.DataLoss):
        low, high = 0.0, 1.0

        def slope(self, z, y):
            return np.tanh(z - y)

        def value(self, z, y):
            return np.log(np.cosh(z - y))

    class Huber(Cosh):
        def slope(self, z, y):
            return np.clip(z - y, -1, 1)

    theta, batches = np.ones(3), [[0, 1, 2]]
    found = fam.GradientSteps(Cosh(X, Y, 0.3), 0.4, batches=batches).constant_bounds(theta)
    assert found[1].value == pytest.approx(0.4 * np.linalg.norm(Cosh(X, Y, 0.3).gradient(theta, np.arange(3))))
    with pytest.raises(ct.NotCertified, match=r"slope\(z, y\) of Huber has no enclosure"):
        ct.certify(fam.GradientSteps(Huber(X, Y, 0.3), 0.4, batches=batches), theta, rigorous=True)
    Cosh.low = -1.0
    assert fam.GradientSteps(Cosh(X, Y, 0.3), 0.4, batches=batches).constant_bounds(theta) is None
    assert fam.GradientSteps(LOSS, 0.1, 3, law=fam.Reshuffled).constant_bounds(np.ones(9)) is not None


def test_softmax_regression_has_a_region_in_spite_of_its_flat_directions():
    """Along one vector added to all rows of W no batch pulls, so radii differ by a factor of more than a hundred."""
    rng = np.random.default_rng(0)
    base, labels = rng.standard_normal((20, 3)), rng.integers(3, size=20)
    data = np.concatenate([base + 0.05 * rng.standard_normal(base.shape) for _ in range(3)])
    loss = fam.RidgeSoftmaxLoss(data, np.tile(labels, 3), 0.3)
    family = fam.GradientSteps(loss, 0.4, batches=np.arange(60).reshape(3, 20))
    region = ct.find_region(family, np.zeros(9))
    assert np.max(region.radii) > 100 * np.min(region.radii)
    found = ct.certify(family, region.center, region=region)
    assert found.k < 0.89
    enclosed = family.step_enclosures(region)[0]
    slope = region.basis.T @ (loss.gradient(region.center, np.arange(20)))
    assert np.all(np.abs(slope - enclosed.gradient.mid) <= enclosed.gradient.rad + 1e-15)
    assert isinstance(enclosed.gradient, Intervals)
