"""What an expansion leaves out: explicit bounds at every order, slopes in high precision, and where it breaks."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction import expansions as ex
from contraction.maps.rounding import gamma


def sine_fields(rng: np.random.Generator, count: int, d: int) -> tuple[list[ex.VectorField], list[float]]:
    """V(θ) = a∘sin(Bθ + c) with M_0 = ‖a‖ and M_m = max|a|·‖B‖^m on the whole space, m = 1 … 4."""
    fields, bounds = [], np.zeros(5)
    for _ in range(count):
        a, b, c = rng.standard_normal(d), rng.standard_normal((d, d)), rng.standard_normal(d)
        fields.append(ex.numpy_field(lambda theta, a=a, b=b, c=c: a * np.sin(b @ theta + c)))
        top, norm = np.max(np.abs(a)), np.linalg.norm(b, 2)
        bounds = np.maximum(bounds, [np.linalg.norm(a), *(top * norm**m for m in range(1, 5))])
    return fields, list(bounds * (1 + 1e-12))


@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 7),
    d=st.integers(1, 3),
    order=st.integers(1, 4),
    h=st.floats(1e-3, 0.5),
)
def test_remainders_stay_below_their_bounds(seed, n, d, order, h):
    rng = np.random.default_rng(seed)
    fields, bounds = sine_fields(rng, n, d)
    theta = rng.standard_normal(d)
    words = (tuple(range(1, n + 1)), tuple(range(n, 0, -1)), tuple(int(i) for i in rng.integers(1, n + 1, n)))
    size = np.linalg.norm(theta) + sum(h**q * ex.majorant_coefficient(n, q, bounds) for q in range(1, order + 1))
    rounding = gamma(40 * n * (d + order)) * (size + n * h * bounds[0]) * (1 + max(bounds[1] * h, 0)) ** n
    left_out = []
    for word in words:
        left_out.append(
            ex.evaluate_series(ex.word_series(fields, word, theta, order), h) - ex.compose(fields, word, theta, h)
        )
        assert np.linalg.norm(left_out[-1]) <= ex.remainder_bound(n, h, order, bounds) + rounding
    gap = np.linalg.norm(left_out[0] - left_out[1])
    assert gap <= ex.difference_remainder_bound(n, h, order, bounds) + 2 * rounding


@given(n=st.integers(1, 50), g=st.integers(1, 9), l=st.integers(0, 9), m=st.integers(0, 9))
def test_bound_at_order_2_is_the_formula_of_the_audit(n, g, l, m):
    expected = Fraction(n * (n - 1) * (n - 2), 6) * l * l * g + Fraction((n - 1) * n * (2 * n - 1), 12) * m * g * g
    assert ex.remainder_bound(n, Fraction(1, 10), 2, [Fraction(g), Fraction(l), Fraction(m)]) == expected / 1000


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_bounds_are_attained_to_leading_order(order):
    """V(x) = exp(x) in one dimension: every field and derivative is positive, so E_p meets its majorant exactly."""
    with mpmath.workdps(50):
        field = ex.numpy_field(np.exp)
        theta = np.array([mpmath.mpf(0)], dtype=object)
        coefficients = ex.word_coefficients([field], (1,) * 5, theta, order)
        majorant = ex.majorant_coefficient(5, order, [mpmath.mpf(1)] * order)
        assert abs(coefficients[order - 1][0] - majorant) <= mpmath.mpf(10) ** -45 * majorant


@pytest.mark.control
def test_a_bound_one_power_of_h_too_small_is_crossed():
    field, theta, h = ex.numpy_field(np.exp), np.zeros(1), 0.01
    left_out = ex.compose([field], (1,) * 5, theta, h) - ex.evaluate_series(
        ex.word_series([field], (1,) * 5, theta, 2), h
    )
    top = float(np.exp(5 * h * 1.1)) ** 1.1
    bounds = [top] * 4
    assert abs(left_out[0]) <= ex.remainder_bound(5, h, 2, bounds)
    assert abs(left_out[0]) > ex.remainder_bound(5, h, 3, bounds)


def mp_vector(values) -> np.ndarray:
    return np.array([mpmath.mpf(v) for v in values], dtype=object)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_observed_order_of_the_remainder(order):
    """Slope of log ‖remainder‖ between h = 1e-12 and 1e-14 at 120 digits: p + 1 with an error of O(h)."""
    with mpmath.workdps(120):
        fields = [
            ex.numpy_field(lambda x: np.tanh(x[::-1] * 2) * np.exp(x / 3)),
            ex.numpy_field(lambda x: x * x[::-1] + np.sin(x)),
            ex.numpy_field(lambda x: 1 / (x * x + 1)),
        ]
        theta = mp_vector(["0.3", "-0.7"])
        series = ex.word_series(fields, (3, 1, 2, 3), theta, order)

        def error(h):
            difference = ex.compose(fields, (3, 1, 2, 3), theta, h) - ex.evaluate_series(series, h)
            return mpmath.sqrt(sum(x * x for x in difference))

        (slope,) = ex.observed_orders(error, [mpmath.mpf(10) ** -12, mpmath.mpf(10) ** -14])
        assert abs(slope - (order + 1)) < 1e-9

        wrong = ex.word_series(fields, (3, 2, 1, 3), theta, order)  # control: another order of the maps

        def error_of_wrong(h):
            difference = ex.compose(fields, (3, 1, 2, 3), theta, h) - ex.evaluate_series(wrong, h)
            return mpmath.sqrt(sum(x * x for x in difference))

        if order >= 2:
            (slope,) = ex.observed_orders(error_of_wrong, [mpmath.mpf(10) ** -12, mpmath.mpf(10) ** -14])
            assert abs(slope - 2) < 1e-9


def test_a_field_that_is_only_c1_has_a_remainder_of_order_five_halves():
    """V_1 = |x|^{3/2}, V_2 = 1 at 0: T_1T_2(0) = h + h^{5/2} and the expansion to order 2 is h."""
    with mpmath.workdps(60):
        first = ex.VectorField(
            value=lambda x: np.array([abs(x[0]) ** mpmath.mpf("1.5")], dtype=object),
            jvp=lambda x, v: np.array(
                [mpmath.mpf("1.5") * mpmath.sqrt(abs(x[0])) * mpmath.sign(x[0]) * v[0]], dtype=object
            ),
        )
        second = ex.VectorField(value=lambda x: mp_vector([1]), jvp=lambda x, v: mp_vector([0]))
        series = ex.word_series([first, second], (1, 2), mp_vector([0]), 2)
        assert [row[0] for row in series] == [0, 1, 0]

        def error(h):
            return abs(ex.compose([first, second], (1, 2), mp_vector([0]), h)[0] - ex.evaluate_series(series, h)[0])

        for slope in ex.observed_orders(error, [mpmath.mpf(2) ** -k for k in (10, 20, 40)]):
            assert abs(slope - mpmath.mpf("2.5")) < mpmath.mpf(10) ** -30


def test_numpy_refuses_the_kink_by_itself():
    kink = ex.numpy_field(lambda x: np.abs(x) ** 1.5)
    with pytest.raises(ValueError, match="no Taylor series"):
        ex.word_series([kink], (1, 1), np.zeros(1), 2)


def test_correction_of_the_quadratic_example_outgrows_the_iterates():
    """h²C_n has variance h⁴σ²n(n²−1)/3 exactly (ε = ±σ enumerated), while Var θ_n ≤ hσ²/(2−h) for both iterates."""
    h, n = Fraction(1, 20), 8
    signs = np.array(np.meshgrid(*[[-1, 1]] * n)).reshape(n, -1).T
    variance = Fraction(int(np.sum(ex.quadratic_correction(signs) ** 2)), len(signs)) * h**4
    assert variance == h**4 * Fraction(n * (n * n - 1), 3)
    assert ex.quadratic_correction_sd(n, 0.05, 1.0) == pytest.approx(float(variance) ** 0.5, rel=1e-14)
    sds = [ex.quadratic_correction_sd(n, 0.05, 1.0) for n in (10, 100, 1000)]
    assert [f"{sd:.3g}" for sd in sds] == ["0.0454", "1.44", "45.6"]
    stationary = (0.05 / (2 - 0.05)) ** 0.5
    assert sds[2] > 200 * stationary


def test_quadratic_correction_is_the_sum_of_brackets():
    noise = np.random.default_rng(0).standard_normal(7)
    fields = [ex.quadratic_field(np.eye(1), np.array([e])) for e in noise]
    assert ex.minus_lie_bracket_sum(fields, np.array([0.4]))[0] == pytest.approx(
        ex.quadratic_correction(noise), rel=1e-13, abs=1e-13
    )


def test_reach_of_corrections():
    rng = np.random.default_rng(1)
    fields, _ = sine_fields(rng, 6, 3)
    reach = ex.correction_reach(
        fields, rng.standard_normal(3), np.geomspace(1e-3, 1, 13), at=(3, 6), orders=(1, 2, 3, 4)
    )
    assert reach.errors.shape == (4, 2, 13)
    np.testing.assert_allclose(reach.errors[0], 1, rtol=1e-9)  # order 1 is no correction
    for p in (2, 3, 4):  # relative error ~ h^{p−1}
        slope = np.log(reach.errors[p - 1, :, 2] / reach.errors[p - 1, :, 0]) / np.log(reach.h[2] / reach.h[0])
        np.testing.assert_allclose(slope, p - 1, atol=0.15)
    assert np.all(reach.reach(0.5)[1:] > 0)
    assert np.all(reach.reach(0.5)[0] == 0)
    assert np.all(reach.errors[1:, :, -1] > 0.05)  # useless or harmful where n·h is large
    commuting = [ex.quadratic_field(np.eye(1), np.zeros(1))] * 2
    with pytest.raises(ValueError, match="coincide"):
        ex.correction_reach(commuting, np.ones(1), [0.1], at=(2,))
    for bad in ({"h": [0.1, 0.05], "at": (2,)}, {"h": [0.1], "at": (1,)}, {"h": [0.1], "at": (2,), "orders": (0,)}):
        with pytest.raises(ValueError, match="must be"):
            ex.correction_reach(fields, np.ones(3), **bad)


def test_figure_of_the_reach_has_a_line_for_each_order_and_iterate():
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    fields, _ = sine_fields(np.random.default_rng(1), 4, 2)
    reach = ex.correction_reach(fields, np.ones(2), [0.01, 0.1], at=(2, 4))
    figure = ex.plot_correction_reach({"sine fields": reach, "again": reach})
    assert [len(axis.lines) for axis in figure.axes] == [5 * 2 + 2] * 2


def test_bad_bounds_are_refused():
    with pytest.raises(ValueError, match="needs the 3 bounds"):
        ex.remainder_bound(3, 0.1, 2, [1.0, 1.0])
    with pytest.raises(ValueError, match="the bound M_2 must be a number of at least 0, got nan"):
        ex.remainder_bound(3, 0.1, 2, [1.0, 1.0, float("nan")])
    with pytest.raises(ValueError, match="learning rate"):
        ex.remainder_bound(3, -0.1, 2, [1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="decrease"):
        ex.observed_orders(lambda h: h, [0.1, 0.2])
