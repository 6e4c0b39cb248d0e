"""Certificates on a box for two quadratic losses, all numbers of which are known by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction.certificates.region import RegionCertificate, certify_region
from contraction.families import OwnLossSteps
from contraction.maps.domains import RotatedBox
from contraction.maps.errors import NotCertified
from contraction.maps.spaces import BoxNorm, Euclidean, SupNorm

H = 0.1
CENTER, START = np.array([0.1, -0.2]), np.array([1.0, 0.5])  # in the coordinates of the box's basis
FRAMES = {"identity": np.eye(2), "rotation": np.array([[0.6, -0.8], [0.8, 0.6]])}


def steps(Q: np.ndarray, curvatures: tuple[float, float] = (2.0, 4.0), **options: Any) -> OwnLossSteps:
    """Steps on a/2 (s_0 - x)² + b/2 (s_1 - 2x)² with s = Qᵀ θ, for one of the numbers x = 1/2 and x = -1."""
    a, b = curvatures

    def loss(t: Any, x: Any) -> Any:
        s = [Q[0, j] * t[0] + Q[1, j] * t[1] for j in range(2)]
        return (a * (s[0] - x) ** 2 + b * (s[1] - 2 * x) ** 2) / 2

    return OwnLossSteps(loss, ([0.5, -1.0],), 2, **{"h": H, "batches": [[0], [1]], **options})


def certified(name: str, radii: list[float], space: Any = None, start: np.ndarray = START) -> RegionCertificate:
    Q = FRAMES[name]
    return certify_region(steps(Q), Q @ start, RotatedBox(Q @ CENTER, np.array(radii), Q), space)


@pytest.mark.parametrize("name", FRAMES)
def test_constants_in_the_euclidean_norm(name: str) -> None:
    """The gradients at the start are (1, -2) and (4, 10); the factors are 1 - 2 h and 1 - 4 h."""
    found = certified(name, [3.0, 5.0], Euclidean())
    assert found.certified
    moved = found.D
    assert found.k == pytest.approx(0.8, rel=1e-12)
    assert moved == pytest.approx(H * np.hypot(4, 10), rel=1e-12)
    assert found.constants["reach"].value == pytest.approx(np.hypot(3 + 0.9, 5 + 0.7), rel=1e-12)
    for value, exact in ((found.k, 0.8), (moved, H * np.hypot(4, 10))):
        assert value >= exact
    assert found.constants["k"].source == "max(|1 − hm|, |1 − hM|), m = 2, M = 4 over the box"
    # coordinate 0 under x = -1: 0.8 · 3 + 0.2 · 1.1 = 2.62
    assert found.hypotheses[0] == "each of 2 maps sends the box of 2 coordinates into itself (at most 0.873333 r_j)"
    assert found.hypotheses[1] == "all contract on it in the Euclidean norm"
    assert isinstance(found.space, Euclidean)


@pytest.mark.parametrize("name", FRAMES)
def test_constants_in_a_weighted_maximum_norm(name: str) -> None:
    """max_j |u_j| / w_j, of which the metric shows the weights: k does not depend on them, D and the reach do."""
    found = certified(name, [3.0, 5.0], SupNorm())
    assert isinstance(found.space, BoxNorm)
    frame = found.space.R @ FRAMES[name]
    w = 1 / np.diag(frame)
    assert np.all(w > 0)
    np.testing.assert_allclose(frame, np.diag(1 / w), rtol=0, atol=1e-12 * np.max(1 / w))
    assert found.k == pytest.approx(0.8, rel=1e-9)
    moved = found.D
    assert moved == pytest.approx(H * max(4 / w[0], 10 / w[1]), rel=1e-9)
    assert found.constants["reach"].value == pytest.approx(max(3.9 / w[0], 5.7 / w[1]), rel=1e-9)
    assert found.hypotheses[0] == "each of 2 maps sends the box of 2 coordinates into itself (at most 0.873333 r_j)"
    assert found.hypotheses[1] == "all contract on it in one weighted maximum norm of the box's coordinates"


def test_the_smaller_factor_is_taken_where_no_norm_is_asked_for() -> None:
    found = certified("identity", [3.0, 5.0])
    assert found.k == pytest.approx(0.8, rel=1e-9)
    euclidean, sup = (certified("identity", [3.0, 5.0], space) for space in (Euclidean(), SupNorm()))
    assert found.k == min(euclidean.k, sup.k)


@pytest.mark.parametrize("name", FRAMES)
def test_the_coordinate_that_leaves_the_box_most_is_named(name: str) -> None:
    """0.8 + 0.2 · 1.1 / 0.5 = 1.24 under x = -1 alone; all others stay within 0.96 and 0.84."""
    with pytest.raises(NotCertified) as refused:
        certified(name, [0.5, 3.0], start=CENTER)
    text = refused.value.hypothesis
    assert text.startswith("region not invariant: map 1 may send coordinate 0 of the box to 1.24 r_0 (r_0 = 0.5, ")
    assert "h|G_j(0)| = 0.22, a_jj = 2 at the center); 1 of 4 coordinates of all maps fail" in text
    with pytest.raises(NotCertified) as worse:  # 0.6 + 0.4 · 1.8 / 0.1 = 7.8, and less than 4 elsewhere but 5.4
        certified(name, [0.1, 0.1], start=CENTER)
    text = worse.value.hypothesis
    assert text.startswith("region not invariant: map 1 may send coordinate 1 of the box to 7.8 r_1 (r_1 = 0.1, ")
    assert "h|G_j(0)| = 0.72, a_jj = 4 at the center); 4 of 4 coordinates of all maps fail" in text


def test_a_start_outside_is_refused_with_the_coordinate_that_is_farthest_outside() -> None:
    for start, coordinate, value in (([4.0, 0.0], 0, 3.9), ([4.0, 8.0], 1, 8.2), ([-9.0, 8.0], 0, 9.1)):
        radius = [3.0, 5.0][coordinate]
        with pytest.raises(ValueError, match=rf"coordinate {coordinate} of .* {value:g} > r_{coordinate} = {radius:g}"):
            certified("identity", [3.0, 5.0], start=np.array(start))


@pytest.mark.parametrize("name", FRAMES)
def test_the_factor_of_a_step_that_turns_over_is_that_of_its_largest_curvature(name: str) -> None:
    """|1 - h b| = 0.99999 for b = 19.9999 and h = 1/10, beside 1 - 2 h = 0.8; the center does not move."""
    Q = FRAMES[name]
    family = OwnLossSteps(
        lambda t, x: (
            (x * (Q[0, 0] * t[0] + Q[1, 0] * t[1]) ** 2 + 19.9999 * (Q[0, 1] * t[0] + Q[1, 1] * t[1]) ** 2) / 2
        ),
        ([2.0],),
        2,
        h=H,
        batches=[[0]],
    )
    region = RotatedBox(np.zeros(2), np.array([1.0, 2.0]), Q)
    found = certify_region(family, np.zeros(2), region, Euclidean())
    assert 0.99999 <= found.k < 0.99999 + 1e-7
    assert 0 <= found.D < 1e-12


def test_other_regions_spaces_and_starts_are_refused() -> None:
    family, region = steps(np.eye(2)), RotatedBox(CENTER, np.array([3.0, 5.0]))
    with pytest.raises(TypeError, match="region must be a RotatedBox"):
        certify_region(family, START, ct.Ball([0.0, 0.0], 1.0))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"space must be Euclidean\(\) or SupNorm\(\)"):
        certify_region(family, START, region, ct.WeightedEuclidean(np.eye(2)))
    for start in (np.zeros(1), np.zeros((1, 2)), np.zeros(3)):
        with pytest.raises(ValueError, match=r"theta0 must have the shape \(2,\)"):
            certify_region(family, start, region)
    with pytest.raises(NotCertified, match="no enclosures over a box are known"):
        certify_region(ct.families.QuadraticSGD(0.5, dim=2), START, region)
