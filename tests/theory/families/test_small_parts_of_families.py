"""Parts of families by hand: noise per row, constants of the paper for any m, solutions of unlike rows, letters."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from contraction import families as fam
from contraction.families._letters import choose, cumulative_of
from contraction.maps.rounding import EPS


@pytest.mark.parametrize("law", [None, fam.Reshuffled])
def test_label_noise_is_drawn_for_each_row_of_each_batch(law) -> None:
    """Two rows a batch, three replicas, two maps: twelve numbers of a continuous law, no two of them equal."""
    family = fam.LeastSquares(np.eye(4), np.zeros(4), 0.1, batch_size=2, label_noise=fam.Gaussian(1.0), law=law)
    for replicas, count in ((None, 4), (3, 12)):
        draws = np.asarray(family.draws(2, 5, replicas))
        noise = draws[..., 1, :]
        assert noise.size == count
        assert len(set(noise.ravel().tolist())) == count


def test_the_constant_of_lemma_2_5_for_any_strong_convexity() -> None:
    """√(1 - 2hm + h²M²) with m = 2 and M = 4, where (1 - hm)² differs from (1 - h)²."""
    family = fam.GradientSteps(
        fam.RidgeLoss(np.diag([2.0, 1.0]) * math.sqrt(2), np.zeros(2), ridge=0.0), 0.25, batch_size=2
    )
    m, M = family.curvature
    assert (m, M) == pytest.approx((1.0, 4.0), rel=1e-15)
    shifted = fam.GradientSteps(
        fam.RidgeLoss(np.diag([2.0, 1.0]) * math.sqrt(2), np.zeros(2), ridge=1.0), 0.25, batch_size=2
    )
    for steps, low, high in ((family, 1.0, 4.0), (shifted, 2.0, 5.0)):
        claimed = math.sqrt(1 - 2 * 0.25 * low + 0.25**2 * high**2)
        assert steps.printed_contraction.value == pytest.approx(claimed, rel=1e-15)


def test_a_solution_of_rows_of_unlike_size_is_accepted_to_the_rounding_of_the_largest() -> None:
    """A row near 1e8 leaves a residual near 1e-7, which is rounding there and would not be in a row near 1e-4."""
    X = np.array([[1e8, 3e8, 0.0], [0.0, 1e-4, 2e-4]])
    y = X @ np.array([1.0, 2.0, 3.0])
    point = fam.LeastSquares(X, y, h=1e-20).interpolator(np.zeros(3))
    left = np.abs(X @ point - y)
    assert 1e4 * EPS * 3 * np.max(np.abs(X[1])) < np.max(left) < 1e-6


@pytest.mark.control
def test_rows_that_no_point_solves_are_refused() -> None:
    family = fam.LeastSquares([[1e8], [1e8]], [1e8, 1e8 + 1], h=1e-20)
    with pytest.raises(ValueError, match="no theta interpolates the data"):
        family.interpolator(np.zeros(1))


def test_rounding_never_makes_a_letter_of_probability_zero_possible() -> None:
    """Ten times 0.1 adds up to less than 1 in floats, and the largest random number lies above that sum."""
    weights = [0.1] * 10 + [0.0, 0.0]
    assert np.cumsum(weights)[-1] < 1 - 2.0**-54
    assert choose(cumulative_of(weights), 1 - 2.0**-53) == 9


@pytest.mark.control
def test_a_letter_of_small_probability_stays_possible() -> None:
    assert choose(cumulative_of([0.5, 0.5 - 2.0**-50, 2.0**-50]), 1 - 2.0**-53) == 2


@pytest.mark.parametrize(
    "law",
    [stats.t(3, loc=[0.0, 1.0]), stats.t([3.0, 4.0]), stats.cauchy(scale=[1.0, 2.0]), stats.norm([0.0, 1.0], 1.0)],
)
def test_a_law_of_scipy_has_one_law_for_all_coordinates(law) -> None:
    with pytest.raises(TypeError, match="the parameters of a law of noise must be numbers"):
        fam.QuadraticSGD(0.1, law)


@pytest.mark.parametrize(
    "maps",
    [
        [(0.5, [0.0]), (0.2, [0.0, 1.0])],
        [(np.eye(2) / 2, [0.0])],
        [([0.5], [0.0, 1.0])],
        [([0.5, 0.25], 0.0), ([0.5], 0.0)],
    ],
)
def test_a_vector_of_one_coordinate_is_not_one_of_two(maps) -> None:
    with pytest.raises(ValueError, match=r"a pair \(A, b\) on 2 coordinates needs"):
        fam.FiniteFamily(maps)


@pytest.mark.control
def test_a_number_stands_for_all_coordinates() -> None:
    family = fam.FiniteFamily([(np.eye(2) / 2, 3.0), (0.5, [3.0, 3.0])])
    assert family.affine(np.array([0, 1])).b.tolist() == [[3.0, 3.0], [3.0, 3.0]]


def test_linear_maps_have_the_fixed_point_zero_which_nothing_rounds() -> None:
    family = fam.FiniteFamily([(0.5, 0.0), (0.25, 0.0)])
    assert family.fixed_point is not None
    assert family.fixed_point.tolist() == [0.0]


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_moments_of_normal_noise_whose_powers_nearly_underflow(p: float) -> None:
    """E|ε|^p = σ^p √(2^p/π) Γ((p+1)/2), of about 1e-306: the first factor alone is below 2^-1000."""
    sd = 10.0 ** (-306 / p)
    claimed = sd**p * math.sqrt(2**p / math.pi) * math.gamma((p + 1) / 2)
    assert fam.Gaussian(sd).moment(p) == pytest.approx(claimed, rel=1e-12, abs=0)


def test_a_displacement_of_several_starts_is_that_of_the_farthest() -> None:
    """Too many batches to list: 25 of 50 rows. The gradients at 0 are 0, and those at 2 are not."""
    loss = fam.RidgeLoss(np.ones((50, 1)), np.zeros(50), ridge=0.0)
    steps = fam.GradientSteps(loss, 0.1, batch_size=25)
    assert steps.batches is None
    far = steps.displacement(np.array([2.0])).value
    assert far == pytest.approx(0.2, rel=1e-12)
    assert steps.displacement(np.array([[0.0], [2.0]])).value == far


def test_a_tail_index_needs_maps_that_contract_on_average() -> None:
    """E log |K| = (log 2 + log 1.5)/2 = 0.55: between 0 and 1."""
    with pytest.raises(ValueError, match=r"contract on average|E log"):
        _ = fam.ExpandingOnAverage([2.0, 1.5]).kesten_index
