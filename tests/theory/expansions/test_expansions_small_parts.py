"""Small parts of the expansions at their edges: one batch, λ = 0, series of unlike shapes, learning rates, legends."""

from __future__ import annotations

import operator
from fractions import Fraction

import numpy as np
import pytest

from contraction import expansions as ex
from contraction.expansions.series import Series


def fields(count: int) -> list[ex.VectorField]:
    rng = np.random.default_rng(1)
    roots = rng.standard_normal((count, 2, 2))
    return [ex.quadratic_field(root @ root.T, rng.standard_normal(2)) for root in roots]


def test_without_a_regulariser_the_step_is_that_of_the_mean():
    """λ = 0 is allowed, λ < 0 and NaN are not."""
    own, theta = fields(3), np.array([0.5, -1.0])
    step = ex.regularised_step(own, theta, 0.1, 0)
    assert step == pytest.approx(theta + 0.1 / 3 * sum(f(theta) for f in own), rel=1e-12)
    for lam in (-1e-12, float("nan")):
        with pytest.raises(ValueError, match=r"λ .* must be a number of at least 0"):
            ex.regularised_step(own, theta, 0.1, lam)


def test_one_small_batch_is_the_large_one():
    for unit, factor in (("h", 1), ("h/c", 1), ("derived", Fraction(1, 2))):
        assert ex.regularisation_strength(3, Fraction(1, 5), 1, unit=unit) == 3 * factor * Fraction(1, 25)
    with pytest.raises(ValueError, match="the number of small batches"):
        ex.regularisation_strength(1, 0.1, 0)


@pytest.mark.parametrize("of", [operator.add, operator.sub, operator.mul])
def test_series_of_unlike_shapes_are_combined_as_arrays_are(of):
    """A series of numbers with one of vectors or matrices, from either side: at every h the values are NumPy's."""
    rng = np.random.default_rng(0)
    shapes = [(), (3,), (2, 3)]
    for one in shapes:
        for other in shapes:
            a, b = (Series(rng.standard_normal((4, *shape))) for shape in (one, other))
            found = of(a, b)
            assert found.shape == np.broadcast_shapes(one, other)
            for power in range(4):  # of products the coefficients up to h³ alone are kept
                x, y = a.coefficients, b.coefficients
                if of is operator.mul:
                    right = sum(x[k] * y[power - k] for k in range(power + 1))
                else:
                    right = of(x[power], y[power])
                assert np.allclose(found.coefficients[power], right, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    ("h", "at", "orders", "rule"),
    [
        ([0.0, 0.1], [2], [1], "positive and increasing"),
        ([-0.1, 0.1], [2], [1], "positive and increasing"),
        ([0.1, 0.1], [2], [1], "positive and increasing"),
        ([0.1, 0.2, 0.15], [2], [1], "positive and increasing"),
        ([], [2], [1], "positive and increasing"),
        ([0.1], [], [1], "at least 2 and orders"),
        ([0.1], [1], [1], "at least 2 and orders"),
        ([0.1], [4, 1], [1], "at least 2 and orders"),
        ([0.1], [2], [], "at least 2 and orders"),
        ([0.1], [2], [0], "at least 2 and orders"),
        ([0.1], [2], [3, 0], "at least 2 and orders"),
    ],
)
def test_what_the_reach_of_corrections_cannot_be_asked_for(h, at, orders, rule):
    with pytest.raises(ValueError, match=rule):
        ex.correction_reach(fields(4), np.ones(2), h, at=at, orders=orders)


def test_the_reach_of_corrections_by_hand():
    """Errors over |forward − backward|: 1 without a correction, and of order h after that of order 2."""
    own, theta, h = fields(4), np.ones(2), [0.01, 0.02]
    found = ex.correction_reach(own, theta, h, at=[2, 4], orders=[1, 2, 3])
    assert found.errors[0] == pytest.approx(np.ones((2, 2)), rel=1e-12)
    for i, n in enumerate((2, 4)):
        for j, rate in enumerate(h):
            last, first = (ex.compose(own, word, theta, rate) for word in (range(n, 0, -1), range(1, n + 1)))
            corrected = last + rate**2 * np.asarray(ex.minus_lie_bracket_sum(own[:n], theta))
            error = np.linalg.norm(corrected - first) / np.linalg.norm(first - last)
            assert found.errors[1, i, j] == pytest.approx(error, rel=1e-6, abs=1e-9)
            if n > 2:  # the bracket of two linear fields is the whole difference
                assert found.errors[2, i, j] < found.errors[1, i, j] < 1


def test_every_order_and_every_iterate_has_one_place_in_the_legend():
    pytest.importorskip("matplotlib")
    found = ex.correction_reach(fields(4), np.ones(2), [0.01, 0.02], at=[2, 4], orders=[1, 3])
    (axis,) = ex.plot_correction_reach({"two": found}).axes
    labels = [text.get_text() for text in axis.get_legend().get_texts()]
    assert sorted(labels) == ["n = 2", "n = 4", "order 1", "order 3"]
    lines = {line.get_label(): line for line in axis.get_lines()}
    assert np.array_equal(lines["order 3"].get_ydata(), found.errors[1, 0])
    with pytest.raises(ValueError, match="nothing to plot"):
        ex.plot_correction_reach({})


@pytest.mark.parametrize(
    "steps", [[0.1, 0.2, 0.05], [0.1, 0.05, 0.07], [0.1, 0.05, 0.0], [0.1, 0.1], [0.1], [0.1, -0.05]]
)
def test_steps_of_observed_orders_decrease_every_time(steps):
    pytest.importorskip("mpmath")
    with pytest.raises(ValueError, match="strictly decrease and stay positive"):
        ex.observed_orders(lambda h: h**3, steps)
    assert ex.observed_orders(lambda h: 5 * h**3, [0.2, 0.1, 0.025]) == pytest.approx([3, 3], rel=1e-9)
