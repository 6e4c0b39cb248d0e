"""Certified regions (row 85): enclosures against 10^4 random points and faces, refusals, and what must not pass."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest

import contraction as ct
from contraction.certificates import region_epochs, step_bounds
from contraction.families import GradientSteps, OwnLossSteps, RandomAffine, Reshuffled, RidgeLogisticLoss
from contraction.maps.intervals import Intervals
from contraction.maps.step_enclosures import StepEnclosure, enclose_step, mean_step
from contraction.statements.section_2.certified_region import network, problem


def two_matrices(h: float = 0.1, law=None) -> OwnLossSteps:
    """H = [[1, ±1/2], [±1/2, 1]], g = ±(-1, 1): row 85's maps that contract and leave the box."""
    loss = lambda t, s: (t[0] ** 2 + t[1] ** 2) / 2 + s * (t[0] * t[1] / 2 - t[0] + t[1])  # noqa: E731
    return OwnLossSteps(loss, ([1.0, -1.0],), 2, h=h, batches=[[0], [1]], law=law)


@pytest.fixture(scope="module", params=["linear", "neuron", "epochs"])
def certified(request):
    family, theta = problem(request.param, 3)
    region = ct.find_region(family, theta)
    return family, ct.certify(family, region.center, region=region)


def hessian(family: OwnLossSteps, theta: np.ndarray, rows: np.ndarray, size: float = 1e-5) -> np.ndarray:
    """The Hessian at one point by central differences of gradients, to about 1e-9."""
    steps = size * np.eye(family.dim)
    return np.stack([(family.gradient(theta + e, rows) - family.gradient(theta - e, rows)) / (2 * size) for e in steps])


def test_ten_thousand_points_and_faces_never_contradict(certified):
    """Gradients within the Taylor bound, images inside the box (for single maps), half of the points on faces."""
    family, certificate = certified
    box, rng = certificate.region, np.random.default_rng(0)
    points = box.points(rng, box.center, 10_000)
    assert np.all(box.contains(points))
    u = box.coordinates(points)
    on_faces = np.mean(np.any(np.abs(u) > box.radii * (1 - 1e-9), axis=1))
    assert on_faces > 0.49
    epochs = family.epoch is not None
    for rows, enclosed in zip(family.batches, family.step_enclosures(box), strict=True):
        slope = family.gradient(points, rows) @ box.basis
        taylor = enclosed.gradient.mid + u @ enclosed.curvature.mid.T
        assert np.all(np.abs(slope - taylor) <= np.abs(u) @ enclosed.variation(box.radii).T / 2 + 1e-13)
        if not epochs:
            assert np.all(np.abs(box.coordinates(family.apply(points, rows))) <= box.radii * (1 + 1e-10))
    if epochs:
        for order in [rng.permutation(len(family.batches)) for _ in range(5)]:
            x = points
            for i in order:
                x = family.apply(x, family.batches[i])
            assert np.all(np.abs(box.coordinates(x)) <= box.radii * (1 + 1e-10))


def test_hessians_lie_in_their_enclosures(certified):
    family, certificate = certified
    box, rng, rows = certificate.region, np.random.default_rng(1), family.batches[0]
    enclosed = family.step_enclosures(box)[0]
    for theta in box.points(rng, box.center, 20):
        gap = np.abs(box.basis.T @ hessian(family, theta, rows) @ box.basis - enclosed.curvature.mid)
        assert np.all(gap <= enclosed.variation(box.radii) + 1e-8)


def test_pairs_contract_and_backward_iterates_keep_the_bound(certified):
    family, certificate = certified
    box, rng, q = certificate.region, np.random.default_rng(2), family.epoch or 1
    x, y = (box.points(rng, box.center, 500) for _ in range(2))
    for i in rng.permutation(len(family.batches)) if family.epoch else [0]:
        rows = family.batches[i]
        if family.epoch:
            moved = (x, y)
        x, y = family.apply(x, rows), family.apply(y, rows)
    if not family.epoch:
        start = (
            box.points(np.random.default_rng(3), box.center, 500),
            box.points(np.random.default_rng(4), box.center, 500),
        )
        moved = tuple(family.apply(z, family.batches[-1]) for z in start)
        assert np.all(certificate.space.distance(*moved) <= certificate.k * certificate.space.distance(*start) + 1e-12)
    last = 60 * q + 1
    path = ct.backward_iterates(family.sample(last, 5), box.center, at=range(last + 1))
    n = np.arange(last + 1)
    distance = certificate.space.distance(path, path[-1])
    assert np.all(distance <= certificate.bound(n) + certificate.bound(last))
    assert certificate.bound(0) <= (certificate.majorant.reach + certificate.D) * (1 + 1e-12)


def test_a_certificate_says_what_it_rests_on(certified):
    certificate = certified[1]
    text = str(certificate)
    assert "Theorem 2.2 on a certified region (row 85)" in text
    assert "sends the box" in text
    assert certificate.origin == "proved"
    assert certificate.k < 1
    assert certificate.steps(1e-6) > 0
    assert certificate.region.contains(certificate.region.center)


def test_contraction_without_invariance_is_refused():
    """The counterexample of row 85: 1.0166… r, in exact numbers, with the map and the coordinate named."""
    family, box = two_matrices(), ct.RotatedBox([0.0, 0.0], [1.5, 1.5])
    exact = F(1) - F(1, 10) + F(1, 20) + F(1, 10) / F(3, 2)
    with pytest.raises(
        ct.NotCertified, match=r"map [01] may send coordinate [01] of the box to 1\.0166667 r_"
    ) as error:
        ct.certify(family, [0.0, 0.0], region=box)
    assert float(exact) == pytest.approx(1.0166666666)
    assert "4 of 4 coordinates of all maps fail" in str(error.value)
    corner = family.apply(np.array([1.5, -1.5]), family.batches[0])
    assert abs(corner[0]) / 1.5 == pytest.approx(float(exact))
    wide = ct.RotatedBox([0.0, 0.0], [2.001, 2.001])
    assert ct.certify(family, [0.0, 0.0], region=wide).k == pytest.approx(0.95)
    found = ct.find_region(family, [0.0, 0.0])
    assert np.allclose(np.abs(found.basis @ found.radii).max(), 2, rtol=1.0)


def test_invariance_without_contraction_is_refused():
    """A step of rate 0.1 on a double well: the box around both wells is invariant and the middle expands."""
    well = OwnLossSteps(
        lambda t, s: t[0] ** 4 / 4 - t[0] ** 2 / 2 + s * t[0], ([0.01, -0.01],), 1, h=0.1, batches=[[0], [1]]
    )
    with pytest.raises(ct.NotCertified):
        ct.certify(well, [0.0], region=ct.RotatedBox([0.0], [1.5]))
    near = ct.RotatedBox([1.0], [0.02])
    assert ct.certify(well, [1.0], region=near).k < 0.85


def test_invariance_by_means_does_not_give_contraction():
    """With a = 1 at the center and |a - 1| <= 3/2: 1 - a/10 is at most 1.05, and 0.975 in the mean from the center."""

    class Wide(OwnLossSteps):
        def step_enclosures(self, region):
            third = Intervals(np.zeros((1, 1, 1)), 1.5)
            return [StepEnclosure(0.1, Intervals(np.zeros(1)), Intervals(np.ones((1, 1))), third)]

    family = Wide(lambda t, s: t[0] ** 2 * s, ([1.0],), 1, h=0.1, batches=[[0]])
    for space in (ct.SupNorm(), ct.Euclidean()):
        with pytest.raises(ct.NotCertified, match=r"k ≥ 1 on the region: k = 1\.05 .*the box is invariant"):
            ct.certify(family, [0.0], region=ct.RotatedBox([0.0], [1.0]), space=space)


def test_the_factor_is_that_of_the_matrices():
    """Quadratic losses: k = 1 - h/2 in both kinds of norm, and the bound is D k^n/(1 - k) or that of the box."""
    family, box = two_matrices(), ct.RotatedBox([0.0, 0.0], [2.1, 2.1])
    for space in (ct.Euclidean(), ct.SupNorm()):
        certificate = ct.certify(family, [0.0, 0.0], region=box, space=space)
        assert 0.95 <= certificate.k < 0.95 + 1e-12
    away = ct.certify(family, [1.0, -1.0], region=box, space=ct.Euclidean())
    moves = [np.linalg.norm(family.apply(np.array([1.0, -1.0]), rows) - [1.0, -1.0]) for rows in family.batches]
    assert max(moves) <= away.D <= max(moves) * (1 + 1e-12)
    assert away.bound(0) <= away.D / (1 - away.k) * (1 + 1e-12)


def test_a_basis_that_is_not_orthogonal():
    """(Q^T Q)^-1 is enclosed: in the oblique basis the same maps have the same Euclidean factor, and images fit."""
    family, Q = two_matrices(), np.array([[2.0, 0.3], [0.1, 1.5]])
    box = ct.RotatedBox([0.1, 0.0], [3.0, 3.0], Q)
    certificate = ct.certify(family, [0.1, 0.0], region=box, space=ct.Euclidean())
    assert 0.95 <= certificate.k < 0.95 + 1e-7
    points = box.points(np.random.default_rng(0), box.center, 2000)
    largest = max(np.max(np.abs(box.coordinates(family.apply(points, rows))) / 3) for rows in family.batches)
    bounds = step_bounds.step_bounds(family.step_enclosures(box), box)
    assert largest <= max(np.max(one.image(box.radii) / 3) for one in bounds) < 1


def test_arguments_are_checked():
    family, box = two_matrices(), ct.RotatedBox([0.0, 0.0], [2.1, 2.1])
    with pytest.raises(
        ValueError, match=r"coordinate 1 of Q⁻¹\(theta0 − center\) has the absolute value 3 > r_1 = 2\.1"
    ):
        ct.certify(family, [0.0, 3.0], region=box)
    with pytest.raises(TypeError, match="region must be a RotatedBox"):
        ct.certify(family, [0.0, 0.0], region=ct.Box(-1.0, 1.0))
    with pytest.raises(ValueError, match="space must be Euclidean"):
        ct.certify(family, [0.0, 0.0], region=box, space=ct.WeightedEuclidean(np.eye(2)))
    with pytest.raises(ValueError, match="omit start"):
        ct.certify(family, [0.0, 0.0], region=box, start=[0.1, 0.0])
    with pytest.raises(ct.NotCertified, match="step_enclosures"):
        ct.certify(RandomAffine([0.5], [[0.0, 0.0]]), [0.0, 0.0], region=box)
    for arguments, message in (
        (([0.0], [0.0]), "must be positive"),
        (([0.0], [1.0, 1.0]), "shapes"),
        (([0.0, 0.0], [1.0, 1.0], np.ones((2, 2))), "singular"),
        (([0.0, np.nan], [1.0, 1.0]), "finite"),
    ):
        with pytest.raises(ValueError, match=message):
            ct.RotatedBox(*arguments)


def test_maps_with_a_common_fixed_point_have_a_box_of_any_size():
    """Every gradient is 0 at (1, 0), so that nothing but rounding keeps the smallest box from being a point."""
    loss = lambda t, x: (t[0] - 1) ** 2 * x + (t[1] + t[0] - 1) ** 2  # noqa: E731
    family = OwnLossSteps(loss, ([1.0, 2.0],), 2, h=0.1, batches=[[0], [1]])
    region = ct.find_region(family, [0.0, 0.0])
    assert np.all(region.radii < 1e-11)
    assert region.center == pytest.approx([1.0, 0.0], abs=1e-15)
    for box in (region, ct.find_region(family, [0.0, 0.0], grow=True)):
        certificate = ct.certify(family, box.center, region=box)
        assert certificate.certified
        assert 0.9 < certificate.k < 1
    other = OwnLossSteps(lambda t, x: (x @ t) ** 2, ([[1.0, 2.0], [3.0, 1.0]],), 2, h=0.1, batches=[[0], [1]])
    with pytest.raises(ct.NotCertified, match="no box is invariant"):  # each map has a flat direction
        ct.find_region(other, [0.1, 0.1])


def test_a_minimum_too_flat_has_no_box():
    """Without weight decay the logistic loss of separable rows has no minimum; with batches that disagree, no box."""
    X = np.array([[1.0], [2.0], [-1.0], [-3.0]])
    flat = OwnLossSteps(network(0, 1), (X, np.sign(X[:, 0])), 1, h=0.1, batches=[[0, 1], [2, 3]])
    with pytest.raises(ct.NotCertified, match=r"found no minimum .*add ridge="):
        ct.find_region(flat, [0.0], newton=5)
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 2)), np.sign(rng.standard_normal(40))
    apart = OwnLossSteps(network(1, 2), (X, y), 5, h=0.1, batches=np.arange(40).reshape(10, 4), ridge=0.1)
    start = np.array([1.0, 0.5, 0.1, 1.0, 0.2])
    with pytest.raises(ct.NotCertified, match=r"coordinate \d|no minimum|no invariant box"):
        ct.find_region(apart, start)


@pytest.mark.parametrize("law", [None, Reshuffled])
@pytest.mark.parametrize("units", [0, 1])
@pytest.mark.parametrize("seed", range(2))  # seed 1: Newton's iterates reach 1e160
def test_separable_rows_need_weight_decay_and_are_told_so(seed, units, law):
    """No weights minimise the logistic loss of separable rows: the message says so, and with ridge= it does not."""
    rng = np.random.default_rng([seed, units])
    X = np.tile(rng.standard_normal((10, 2)), (2, 1))  # both batches hold the same rows, so that a box exists
    dim, batches = units * 4 + 1 if units else 2, np.arange(20).reshape(2, 10)
    start = rng.standard_normal(dim)

    def family(ridge: float) -> OwnLossSteps:
        data = X, np.sign(X @ [1.0, -0.5])
        return OwnLossSteps(network(units, 2), data, dim, h=0.05, batches=batches, ridge=ridge, law=law)

    with pytest.raises(ct.NotCertified, match=r"a loss without a minimum gets one by weight decay.*add ridge="):
        ct.find_region(family(0.0), start)
    region = ct.find_region(family(0.2), start)
    assert ct.certify(family(0.2), region.center, region=region).k < 1


def two_rows(loss, dim: int, *data: list[float], law=None, h: float = 0.1) -> OwnLossSteps:
    return OwnLossSteps(loss, data or ([1.0, 2.0],), dim, h=h, batches=[[0], [1]], law=law)


@pytest.mark.parametrize(
    ("family", "start", "message"),
    [
        (
            two_rows(lambda t, x: t[0] * x, 1),
            [0.0],
            r"near theta0: a step of Newton's method is not finite.*add ridge=",
        ),
        (two_rows(lambda t, x: np.exp(-t[0] * x), 1), [1.0], r"near theta0: the mean loss is flat.*add ridge="),
        (two_rows(lambda t, x: t[0] ** 2 * x, 2), [1.0, 0.0], r"near theta0: the mean loss is flat.*add ridge="),
        (
            two_rows(lambda t, x: t[0] ** 2 * x - t[1] ** 2, 2),
            [0.0, 0.0],
            "least eigenvalue -2 of its Hessian; Newton's method ended at a saddle or a maximum: start nearer",
        ),
    ],
)
def test_losses_without_a_minimum_near_the_start(family, start, message):
    with pytest.raises(ct.NotCertified, match=message):
        ct.find_region(family, start)


def test_a_map_without_curvature_in_a_coordinate_is_named():
    """(x - 1)² and (y - 1)²: a minimum of the mean, and each map leaves one coordinate where it is."""
    apart = two_rows(lambda t, x, y: (x * t[0] + y * t[1] - 1) ** 2, 2, [1.0, 0.0], [0.0, 1.0])
    with pytest.raises(ct.NotCertified, match=r"coordinate \d of map \d has the curvature 0 at .*law=Reshuffled"):
        ct.find_region(apart, [0.0, 0.0])


def test_a_refused_region_names_what_helps_first():
    """Reshuffled batches and a smaller rate; only the rate if the batches are reshuffled already."""
    both = r"alternatives: (find_region\(family, theta0\), or )?reshuffled batches \(law=Reshuffled\) and a smaller"
    with pytest.raises(ct.NotCertified, match=both):
        ct.certify(two_matrices(), [0.0, 0.0], region=ct.RotatedBox([0.0, 0.0], [1.5, 1.5]))

    def bent(law, h: float) -> OwnLossSteps:
        return two_rows(lambda t, x: t[0] ** 2 - 9 * t[0] ** 4 + 5 * x * t[0], 1, [1.0, -1.0], law=law, h=h)

    with pytest.raises(ct.NotCertified, match=both):
        ct.find_region(bent(None, 0.001), [0.0])
    with pytest.raises(ct.NotCertified, match=r"no box is invariant .*alternatives: a smaller learning rate"):
        ct.find_region(bent(Reshuffled, 0.01), [0.0])
    assert ct.find_region(bent(Reshuffled, 0.001), [0.0]).radii < 0.01


def test_steps_without_a_common_factor_are_referred_to_a_region():
    for moment in (None, 2):
        with pytest.raises(ct.NotCertified, match=r"alternatives: region=ct\.find_region\(family, theta0\)"):
            ct.certify(two_rows(lambda t, x: (t[0] ** 2 - x) ** 2, 1), [1.0], moment=moment)
    with pytest.raises(ct.NotCertified) as error:
        ct.certify(ct.RandomOperator(lambda rng: rng.uniform(), lambda x, u: np.sin(x) + u), 0.0)
    assert "find_region" not in str(error.value)


def test_data_losses_have_enclosures_too():
    """Ridge logistic regression through `GradientSteps`: the same enclosure as its loss written by hand."""
    rng = np.random.default_rng(4)
    X = rng.standard_normal((40, 3))
    y = np.sign(X[:, 0] + 0.3 * rng.standard_normal(40))
    batches = np.arange(40).reshape(2, 20)
    family = GradientSteps(RidgeLogisticLoss(X, y, 0.5), 0.2, batches=batches)
    own = OwnLossSteps(network(0, 3), (X, y), 3, h=0.2, batches=batches, ridge=0.5)
    region = ct.find_region(family, np.zeros(3))
    for one, other in zip(family.step_enclosures(region), own.step_enclosures(region), strict=True):
        for a, b in zip(one[1:], other[1:], strict=True):
            assert np.allclose(a.mid, b.mid, rtol=0, atol=1e-14)
    certificate = ct.certify(family, region.center, region=region)
    assert certificate.k < ct.certify(family, region.center).k
    wide = GradientSteps(RidgeLogisticLoss(rng.standard_normal((10, 80)), np.ones(10), 0.5), 0.2, 5)
    assert wide.step_enclosures(ct.RotatedBox(np.zeros(80), np.ones(80))) is None


def three_classes(theta, x, y):
    z = theta[:6].reshape(3, 2) @ x + theta[6:]
    return np.log(np.sum(np.exp(z))) - y @ z


def test_the_logarithm_of_a_sum_of_exponentials_has_an_enclosure_of_its_own():
    """10^4 points of a wide box of softmax regression never contradict it; a sum it does not recognise is far wider."""

    def unrecognised(theta, x, y):
        z = theta[:6].reshape(3, 2) @ x + theta[6:]
        return np.log(np.sum(np.exp(z)) * 1.0) - y @ z

    rng = np.random.default_rng(6)
    X, Y = rng.standard_normal((30, 2)), np.eye(3)[rng.integers(3, size=30)]
    box = ct.RotatedBox(rng.standard_normal(9), np.full(9, 0.7))
    family, loose = (
        OwnLossSteps(loss, (X, Y), 9, h=0.1, batches=[range(30)]) for loss in (three_classes, unrecognised)
    )
    theta = box.points(rng, box.center, 10_000)
    z = np.einsum("nij,bj->nbi", theta[:, :6].reshape(-1, 3, 2), X) + theta[:, None, 6:]
    p = np.exp(z - np.max(z, axis=-1, keepdims=True))
    p = p / np.sum(p, axis=-1, keepdims=True) - Y
    slope = np.concatenate([np.einsum("nbi,bj->nij", p, X).reshape(-1, 6), np.sum(p, axis=1)], axis=1) / 30
    for one in (family, loose):
        assert np.allclose(one.gradient(theta, np.arange(30)), slope, rtol=0, atol=1e-14)
    enclosed, wide = (one.step_enclosures(box)[0] for one in (family, loose))
    u, variation = theta - box.center, enclosed.variation(box.radii)
    gap = np.abs(slope - enclosed.gradient.mid - u @ enclosed.curvature.mid.T)
    assert np.all(gap <= np.abs(u) @ variation.T / 2 + 1e-13)
    assert not np.all(gap <= 1e-13)  # third derivatives left out
    assert np.max(variation) < 1e-2 * np.max(wide.variation(box.radii))


@pytest.mark.parametrize(
    "loss",
    [
        lambda t, x: np.log(1 + np.exp(t[0] * x) + np.exp(t[1])),
        lambda t, x: np.log(np.exp(t[0] * x) + np.exp(t[1]) + 1),
        lambda t, x: np.log1p(np.exp(t[0] * x) + np.exp(t[1])),
        lambda t, x: np.log(np.exp(t[0] * x) + (0 + (1 + np.exp(t[1])))),
        lambda t, x: np.log(np.exp(t[0] * x) + 1 + np.exp(t[1])),
    ],
)
def test_sums_of_exponentials_with_one(loss):
    """The gradient in its usual form, where e^800 overflows in every other."""
    family = OwnLossSteps(loss, ([1.0, 2.0],), 2, h=0.1, batches=[[0, 1]])
    for t in ([0.3, -0.2], [400.0, 900.0]):
        with np.errstate(over="ignore"):
            found = family.gradient(np.array(t), np.array([0]))
        z = np.array([t[0], t[1], 0.0])
        p = np.exp(z - np.max(z)) / np.sum(np.exp(z - np.max(z)))
        assert np.allclose(found, p[:2], rtol=1e-14)


def test_sums_of_other_numbers_are_no_sums_of_exponentials():
    """log(2 + e^t), log(e^t + x) and log(e^t + t²) keep their own derivatives."""
    for loss, slope in (
        (lambda t, x: np.log(2 + np.exp(t[0])), lambda t, x: np.exp(t) / (2 + np.exp(t))),
        (lambda t, x: np.log(np.exp(t[0]) + x), lambda t, x: np.exp(t) / (x + np.exp(t))),
        (lambda t, x: np.log(np.exp(t[0]) + t[0] ** 2), lambda t, x: (np.exp(t) + 2 * t) / (np.exp(t) + t * t)),
        (lambda t, x: np.log(3 * np.exp(t[0])), lambda t, x: 1.0),
    ):
        family = OwnLossSteps(loss, ([1.5, 3.0],), 1, h=0.1, batches=[[0, 1]])
        assert family.gradient(np.array([0.4]), np.array([0])) == pytest.approx(slope(0.4, 1.5), rel=1e-14)


def test_a_ball_gives_logistic_regression_a_better_factor():
    """On B(theta0, r) phi'' is between its values at the ends of |z| <= r |x|: compared with 200 points of it."""
    rng = np.random.default_rng(5)
    X = rng.standard_normal((60, 4))
    y = np.sign(X @ [1.0, -1.0, 0.5, 0.0] + 0.5 * rng.standard_normal(60))
    family = GradientSteps(RidgeLogisticLoss(X, y, 0.1), 0.3, batches=np.arange(60).reshape(3, 20))
    center = np.array([0.8, -0.8, 0.4, 0.0])
    for radius in (0.01, 0.5, 2.0):
        k = family.contraction_on_ball(center, radius).value
        low, high = family.loss.curvature_on_ball(family.batches, center, radius)
        for theta in ct.Ball(center, radius).points(rng, center, 200):
            for i, rows in enumerate(family.batches):
                second = family.loss.bend(X[rows] @ theta, y[rows])
                values = np.linalg.eigvalsh(X[rows].T * second @ X[rows] / 20 + 0.1 * np.eye(4))
                assert low[i] <= values[0] + 1e-12
                assert values[-1] <= high[i] + 1e-12
        assert k < family.contraction.value
    assert family.contraction_on_ball(center, 1e6).value == pytest.approx(family.contraction.value, rel=1e-12)


def test_epochs_where_single_maps_fail():
    """Reshuffled batches that disagree: single maps leave every box that epochs keep; a large rate is refused."""
    family, theta = problem("epochs", 3)
    region = ct.find_region(family, theta)
    independent = OwnLossSteps(
        family.loss, family.data, family.dim, h=family.h, batches=family.batches, ridge=family.ridge
    )
    with pytest.raises(ct.NotCertified, match="not invariant"):
        ct.certify(independent, region.center, region=region)
    certificate = ct.certify(family, region.center, region=region)
    assert certificate.majorant.q == 4
    assert certificate.bound(3) == certificate.bound(0)
    assert certificate.bound(4) < certificate.bound(0)
    fast = OwnLossSteps(
        family.loss, family.data, family.dim, h=1.0, batches=family.batches, ridge=family.ridge, law=Reshuffled
    )
    with pytest.raises(ct.NotCertified, match="tried: every single map"):
        ct.certify(fast, region.center, region=region)


def test_the_factor_of_an_epoch_is_not_that_of_each_of_its_maps():
    """Rounding needs the factors of T_1 … T_j for every j; the certificate of epochs knows them at epochs only.

    Control: independent steps whose certificate has a factor of single maps.
    """
    family, theta = problem("epochs", 3)
    region = ct.find_region(family, theta)
    certificate = ct.certify(family, region.center, region=region)
    assert certificate.majorant.q == 4
    with pytest.raises(ct.NotCertified, match=r"the rounding of T_1 … T_.* is unknown"):
        ct.backward_limit(family, region.center, 1e-5, certificate=certificate)
    single, start = problem("neuron", 3)
    box = ct.find_region(single, start)
    of_maps = ct.certify(single, box.center, region=box, space=ct.Euclidean())
    assert of_maps.majorant.q == 1
    assert 0 < ct.backward_limit(single, box.center, 1e-6, certificate=of_maps).rounding < 1e-6


@pytest.mark.parametrize("center", [(1e6, 0.0), (0.0, -1e6), (1e6, 1e6)])
def test_an_epoch_over_a_wide_box_is_that_at_the_origin_moved(center):
    """Boxes of a thousandth of the centre's largest coordinate: whichever that is, the same numbers as for others.

    Control: at the origin a box of this size is given up.
    """

    def pulled_to(x: float, y: float) -> OwnLossSteps:
        loss = lambda t, s: ((t[0] - x) ** 2 + (t[1] - y) ** 2) / 2 + s * (t[0] - x)  # noqa: E731
        return OwnLossSteps(loss, ([1.0, -1.0],), 2, h=0.15, batches=[[0], [1]], law=Reshuffled)

    small = region_epochs.epoch_bounds(pulled_to(0.0, 0.0), ct.RotatedBox([0.0, 0.0], [10.0, 10.0]))
    large = region_epochs.epoch_bounds(pulled_to(*center), ct.RotatedBox(center, [1e3, 1e3]))
    assert large.factor() == pytest.approx(small.factor(), rel=1e-9)
    assert large.wide.radii[1] == pytest.approx(100 * small.wide.radii[1], rel=1e-9)
    with pytest.raises(ct.NotCertified, match="further and further"):
        region_epochs.epoch_bounds(pulled_to(0.0, 0.0), ct.RotatedBox([0.0, 0.0], [1e3, 1e3]))


def test_drift_bounds_every_order():
    """No order of an epoch leads further from its start than s, or aside of the mean step by more than h|e|."""
    family, theta = problem("epochs", 3)
    region = ct.find_region(family, theta)
    epoch = region_epochs.epoch_bounds(family, region)
    rng, N = np.random.default_rng(0), len(family.batches)
    points = region.points(rng, region.center, 300)
    mean = points - family.h * N * np.mean([family.gradient(points, rows) for rows in family.batches], axis=0)
    for _ in range(24):
        x = points
        for i in rng.permutation(N):
            x = family.apply(x, family.batches[i])
            assert np.all(np.abs(region.coordinates(x) - region.coordinates(points)) <= epoch.drift)
        assert np.all(np.abs(region.coordinates(x) - region.coordinates(mean)) <= epoch.aside)


def test_the_end_of_an_epoch_is_not_that_of_the_mean_step():
    """Quadratic losses: T_2 T_1 u = (1 - 2h) u + h² H_2 (H_1 u + g_1), beyond the mean step and within its room."""
    family, box = two_matrices(law=Reshuffled), ct.RotatedBox([0.0, 0.0], [1.0, 1.0])
    epoch = region_epochs.epoch_bounds(family, box)
    corners = np.array([[a, b] for a in (1.0, -1.0) for b in (1.0, -1.0)])
    ends = []
    for i, j in ((0, 1), (1, 0)):
        ends.append(family.apply(family.apply(corners, family.batches[i]), family.batches[j]))
    largest = np.max(np.abs(ends), axis=(0, 1))
    assert np.allclose(largest, 0.8 + 0.01 * 2.25)
    assert np.all(epoch.mean.image(box.radii) < largest)
    assert np.all(largest <= epoch.image(box.radii))


def test_the_mean_of_steps_is_that_of_their_rows():
    family, theta = problem("epochs", 0)
    region = ct.RotatedBox(theta, np.full(family.dim, 0.01))
    parts = family.step_enclosures(region)
    whole = enclose_step(family.loss, family.data, region, family.h, family.ridge)
    for a, b in zip(mean_step(parts, family.h)[1:], whole[1:], strict=True):
        assert np.all(np.abs(a.mid - b.mid) <= a.rad + b.rad + 1e-15)


@pytest.mark.control
def test_a_box_of_centre_values_alone_is_noticed(certified):
    """Third derivatives left out of the enclosure: points of the box contradict it."""
    family, certificate = certified
    box = certificate.region
    points = box.points(np.random.default_rng(0), box.center, 200)
    u, enclosed = box.coordinates(points), family.step_enclosures(box)[0]
    slope = family.gradient(points, family.batches[0]) @ box.basis
    taylor = enclosed.gradient.mid + u @ enclosed.curvature.mid.T
    assert not np.all(np.abs(slope - taylor) <= 0.1 * np.abs(u) @ enclosed.variation(box.radii).T / 2 + 1e-13)
