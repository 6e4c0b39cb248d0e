"""Pictures of any family: what is drawn is what is computed, and what cannot be drawn is refused."""

from __future__ import annotations

import doctest
import importlib

import matplotlib
import numpy as np
import pytest

import contraction as ct
from contraction.plots import gallery, rate_parts

matplotlib.use("Agg")
from matplotlib import pyplot as plt

THREE = np.zeros(3)


def sines() -> ct.RandomOperator:
    return ct.RandomOperator(
        lambda rng: rng.uniform(-1, 1, 3),
        lambda theta, u: 0.5 * np.sin(theta) + u,
        contraction=0.5,
        displacement=np.sqrt(3),
    )


def expanding() -> ct.RandomOperator:
    return ct.RandomOperator(
        lambda rng: rng.choice([2.0, 0.25]), lambda theta, K: K * theta + 1, affine=lambda K: (K, 1.0)
    )


def labels(ax) -> list[str]:
    return ax.get_legend_handles_labels()[1]


def line(ax, start: str):
    return next(one for one in ax.lines if str(one.get_label()).startswith(start))


@pytest.mark.parametrize("name", ["attractor", "exponents", "paths", "rates"])
def test_examples_of_docstrings(name):
    result = doctest.testmod(importlib.import_module(f"contraction.plots.own_{name}"))
    assert result.attempted > 2
    assert result.failed == 0


# --- rates ----------------------------------------------------------------------------------------------------------


def test_rates_draws_distances_to_the_far_iterate_and_the_sure_bound():
    family = sines()
    ax = ct.plots.rates(family, THREE, n=20, draws=2, seed=5)
    operators = family.sample(60, seed=5)
    backward = ct.backward_iterates(operators, THREE)
    forward = ct.forward_iterates(operators, THREE)[:21]
    for name, rows in (("backward", backward[:21]), ("forward", forward)):
        np.testing.assert_allclose(line(ax, name).get_ydata(), np.linalg.norm(rows - backward[60], axis=1), rtol=1e-12)
    certificate = ct.certify(family, THREE)
    np.testing.assert_array_equal(line(ax, "certificate").get_ydata(), certificate.bound(np.arange(21)))
    assert ax.get_yscale() == "log"
    assert "60" in ax.get_ylabel()
    assert [label.split(",")[0] for label in labels(ax)] == ["forward", "backward", "certificate: no path is above"]
    drawn = [one for one in ax.lines if one.get_color() == rate_parts.bound_style(certificate)["color"]]
    assert len(drawn) == 1
    assert sum(one.get_color() == gallery_color("backward") for one in ax.lines) == 2


def gallery_color(direction: str) -> str:
    from contraction.plots import style

    return {"backward": style.BACKWARD, "forward": style.FORWARD}[direction]


def test_sure_bounds_moments_and_estimates_look_different():
    family = ct.families.QuadraticSGD(0.1, ct.families.Uniform(-1, 1))
    sure, moment = ct.certify(family, 1.0), ct.certify(family, 1.0, moment=2)
    guess = ct.estimate(family, 1.0)
    ax = ct.plots.rates(family, 1.0, n=30, bounds=[sure, moment, guess])
    lines = [line(ax, start) for start in ("certificate: no", "certificate of", "estimate")]
    assert [one.get_linestyle() for one in lines] == ["--", "-.", ":"]
    assert len({one.get_color() for one in lines}) == 3
    for one, bound in zip(lines, (sure, moment, guess), strict=True):
        np.testing.assert_array_equal(one.get_ydata(), bound.bound(np.arange(31)))
    assert "may be above" in str(lines[1].get_label())
    assert "may be too small" in str(lines[2].get_label())


def test_bounds_that_are_found_are_drawn_and_only_those_that_say_more():
    uniform = ct.families.QuadraticSGD(0.1, ct.families.Uniform(-1, 1))
    assert [one.split(":")[0] for one in labels(ct.plots.rates(uniform, 0.0, n=9))][2:] == [
        "certificate",
        "certificate of $(E\\,d^{2})^{1/2}$",
    ]
    normal = ct.families.QuadraticSGD(0.1)
    assert len(labels(ct.plots.rates(normal, 0.0, n=9))) == 3
    assert labels(ct.plots.rates(uniform, 0.0, n=9, bounds=()))[2:] == []


def test_without_a_certificate_the_legend_names_the_reason():
    ax = ct.plots.rates(expanding(), 0.0, n=30)
    assert len(labels(ax)) == 3
    assert labels(ax)[-1].replace("\n", " ").startswith("no certificate: k unknown")


def test_paths_that_reach_the_limit_at_once_are_visible():
    ax = ct.plots.rates(ct.families.ConstantMaps([0, 1]), 0.5, n=9)
    backward = line(ax, "backward")
    assert backward.get_label() == "backward, equal to the limit from n = 1"
    assert backward.get_marker() == "."
    np.testing.assert_array_equal(np.isfinite(backward.get_ydata()), np.arange(10) == 0)
    low, high = ax.get_ylim()
    assert high >= 10 * low


def test_rates_needs_only_a_distance():
    ax = ct.plots.rates(ct.families.PrefixMaps(), 0, n=10)
    assert np.all(line(ax, "backward").get_ydata() <= line(ax, "certificate: no").get_ydata())


def test_rounding_is_not_drawn():
    """Offsets of a thousand leave distances below about 1e-12 to rounding."""
    family = ct.RandomOperator(lambda rng: rng.uniform(999, 1001), lambda theta, u: 0.5 * theta + u)
    seen = line(ct.plots.rates(family, 2000.0, n=80, draws=1, bounds=()), "backward").get_ydata()
    assert np.nanmin(seen) > 1e-12
    assert np.isnan(seen[-1])


def test_fitted_rates_and_their_text():
    n = np.arange(50)
    assert rate_parts.fitted_rate(3 * 0.7**n) == pytest.approx(0.7, rel=1e-9)
    assert rate_parts.fitted_rate([1.0, 0.0, 0.0, 0.0]) is None
    assert rate_parts.promised_rate(5 * 0.9**n) == pytest.approx(0.9, rel=1e-12)
    assert rate_parts.rate_text(0.334) == "0.33ⁿ"
    assert rate_parts.rate_text(0.9754) == "0.975ⁿ"
    assert rate_parts.rate_text([0.906, 0.8979]) == "0.898ⁿ to 0.906ⁿ"
    assert rate_parts.rate_text([0.5, 0.501]) == "0.50ⁿ"


# --- paths, attractor, exponents --------------------------------------------------------------------------------------


def test_paths_of_one_coordinate_are_drawn_against_n():
    family = ct.families.QuadraticSGD(0.1)
    ax = ct.plots.paths(family, 2.0, n=15, seed=3)
    operators = family.sample(15, seed=3)
    np.testing.assert_array_equal(line(ax, "forward").get_ydata(), ct.forward_iterates(operators, 2.0)[:, 0])
    np.testing.assert_array_equal(line(ax, "backward").get_ydata(), ct.backward_iterates(operators, 2.0)[:, 0])
    np.testing.assert_array_equal(line(ax, "backward").get_xdata(), np.arange(16))


def test_paths_in_a_plane_mark_the_last_iterates():
    family, theta = sines(), np.array([3.0, 2.0, 1.0])
    ax = ct.plots.paths(family, theta, n=15, coordinates=(2, 0))
    rows = ct.backward_iterates(family.sample(15), theta)
    np.testing.assert_array_equal(line(ax, "backward").get_xydata(), rows[:, [2, 0]])
    np.testing.assert_array_equal(line(ax, "backward, iterate 15").get_xydata(), rows[-1:, [2, 0]])
    np.testing.assert_array_equal(line(ax, "start").get_xydata(), [[1.0, 3.0]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("coordinate 2", "coordinate 0")


def test_several_draws_share_one_entry_of_the_legend():
    ax = ct.plots.paths(sines(), THREE, n=5, draws=3, coordinates=1)
    assert labels(ax) == ["forward, 3 draws", "backward, 3 draws"]
    assert len(ax.lines) == 6


def test_the_attractor_is_the_forward_path_after_the_burn_in():
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 1.0]])
    triangle = ct.families.FiniteFamily([(0.5 * np.eye(2), 0.5 * c) for c in corners])
    ax = ct.plots.attractor(triangle, [0.3, 0.3], n=500, burn_in=7, seed=2)
    rows = ct.forward_iterates(triangle.sample(507, seed=2), np.array([0.3, 0.3]))
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), rows[8:])
    x, y = ax.lines[0].get_xydata().T
    assert np.any(y > 0.9)
    assert not np.any((y < 0.49) & (np.abs(x - 0.5) < 0.45 * y))  # the triangle in the middle


def test_one_coordinate_is_a_histogram_of_area_one():
    ax = ct.plots.attractor(ct.families.QuadraticSGD(0.1), 0.0, n=2000)
    assert sum(patch.get_width() * patch.get_height() for patch in ax.patches) == pytest.approx(1, rel=1e-12)
    assert ax.get_ylabel() == "density"


def test_exponents_are_drawn_with_intervals_and_singular_ones_are_named():
    family = ct.families.FiniteFamily([(np.diag([0.5, 0.2]), [0, 0]), (np.diag([0.9, 0.0]), [0, 0])])
    found = ct.lyapunov_exponents(family, np.zeros(2), 300, "all", seed=1)
    ax = ct.plots.exponents(family, np.zeros(2), n=300, seed=1)
    assert ax.lines[0].get_ydata() == pytest.approx([found.top])
    bars = ax.containers[0][2][0].get_segments()[0]
    assert bars[:, 1] == pytest.approx([found.lower[0], found.upper[0]])
    singular = line(ax, "−∞")
    assert list(singular.get_xdata()) == [2]
    assert list(line(ax, "zero").get_ydata()) == [0, 0]


# --- axes -----------------------------------------------------------------------------------------------------------


PICTURES = {
    "rates": lambda f, x, **more: ct.plots.rates(f, x, n=5, **more),
    "paths": lambda f, x, **more: ct.plots.paths(f, x, n=5, **more),
    "attractor": lambda f, x, **more: ct.plots.attractor(f, x, n=50, **more),
    "exponents": lambda f, x, **more: ct.plots.exponents(f, x, n=5, replicas=2, **more),
}


@pytest.mark.parametrize("name", PICTURES)
def test_given_axes_are_drawn_into_and_returned(name):
    fig, axes = plt.subplots(1, 2)
    found = PICTURES[name](ct.families.QuadraticSGD(0.1), 0.0, ax=axes[1])
    assert found is axes[1]
    assert found.has_data()
    assert not axes[0].has_data()
    assert plt.get_fignums() == [fig.number]


@pytest.mark.parametrize("name", PICTURES)
def test_without_axes_there_is_a_new_pyplot_figure(name, tmp_path):
    before = dict(matplotlib.rcParams)
    found = PICTURES[name](ct.families.QuadraticSGD(0.1), 0.0)
    assert plt.get_fignums() == [found.figure.number]
    assert dict(matplotlib.rcParams) == before
    found.figure.savefig(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 5000


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize(
    ("family", "start", "error", "words"),
    [
        (ct.families.QuadraticSGD(0.1).sample(3), 0.0, TypeError, "takes a random operator, got <T_1"),
        (ct.families.QuadraticSGD(0.1), np.zeros((2, 1)), ValueError, "needs a single point"),
    ],
)
def test_unsuitable_arguments(name, family, start, error, words):
    with pytest.raises(error, match=words):
        PICTURES[name](family, start)
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", PICTURES)
def test_axes_must_be_axes(name):
    fig = plt.figure()
    with pytest.raises(TypeError, match="ax must be matplotlib axes"):
        PICTURES[name](ct.families.QuadraticSGD(0.1), 0.0, ax=fig)


@pytest.mark.parametrize("name", ["paths", "attractor"])
@pytest.mark.parametrize(
    ("coordinates", "words"),
    [
        (None, r"points have 3: choose them, such as coordinates=\(0, 1\)"),
        (3, "from 0 to 2, got 3"),
        ((1, 1), "two different numbers from 0 to 2"),
        ((0, 1, 2), "one or two different numbers"),
        (-1, "a coordinate must be an integer of at least 0"),
    ],
)
def test_coordinates_that_cannot_be_drawn(name, coordinates, words):
    with pytest.raises(ValueError, match=words):
        PICTURES[name](sines(), THREE, coordinates=coordinates)


@pytest.mark.parametrize("name", ["paths", "attractor", "exponents"])
def test_points_that_are_no_vectors(name):
    with pytest.raises(ValueError, match="points must be vectors of numbers"):
        PICTURES[name](ct.families.PrefixMaps(), 0)


@pytest.mark.parametrize("name", ["rates", "paths", "attractor"])
def test_paths_that_overflow(name):
    family = ct.RandomOperator(lambda rng: rng.uniform(0, 1), lambda theta, u: 1e90 * theta + u)
    with pytest.raises(ArithmeticError, match="is not finite from iterate"):
        PICTURES[name](family, 1.0)
    assert plt.get_fignums() == []


def test_bounds_that_are_none():
    family = ct.families.QuadraticSGD(0.1)
    with pytest.raises(TypeError, match="bounds must be certificates or estimates"):
        ct.plots.rates(family, 0.0, bounds=[0.9])
    with pytest.raises(ValueError, match="a bound of drawn maps"):
        ct.plots.rates(family, 0.0, bounds=ct.certify(family.sample(9), 0.0))
    family = ct.families.QuadraticSGD(0.1, ct.families.Uniform(-1, 1))
    sure = ct.certify(family, 0.0)
    with pytest.raises(
        ct.NotCertified, match=r"the certificate is for iterates from .*0.*, not from theta0 = .*1000000"
    ):
        ct.plots.rates(family, 1e6, bounds=sure)
    with pytest.raises(ct.NotCertified, match="the certificate is for another family"):
        ct.plots.rates(ct.families.QuadraticSGD(0.25, ct.families.Uniform(-1, 1)), 0.0, bounds=sure)
    assert ct.plots.rates(family, 0.0, n=3, bounds=sure).get_lines()
    with pytest.raises(ValueError, match="far must be an integer of at least 11"):
        ct.plots.rates(family, 0.0, n=10, far=10)


@pytest.mark.control
def test_swapped_orders_are_seen():
    """The comparison above fails if forward and backward are exchanged."""
    family = sines()
    rows = ct.forward_iterates(family.sample(15), THREE)
    drawn = line(ct.plots.paths(family, THREE, n=15, coordinates=0), "backward").get_ydata()
    assert not np.array_equal(drawn, rows[:, 0])


def test_every_picture_of_the_gallery_has_another_name_than_these():
    assert not set(gallery.PLOTS) & set(PICTURES)
