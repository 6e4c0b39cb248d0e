"""Truncated Taylor arithmetic and the fields built on it, against SymPy, nested differences of words, and the trees."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from contraction import expansions as ex
from contraction.expansions import Series

X = np.array([[0.7, -1.3], [0.4, 0.2], [-0.3, 1.1], [0.25, -0.6], [0.1, 0.5]])
UNARY = {
    "exp": (np.exp, sympy.exp),
    "expm1": (np.expm1, lambda x: sympy.exp(x) - 1),
    "tanh": (np.tanh, sympy.tanh),
    "sin": (np.sin, sympy.sin),
    "cos": (np.cos, sympy.cos),
    "log": (lambda x: np.log(x * x + 1), lambda x: sympy.log(x**2 + 1)),
    "log1p": (lambda x: np.log1p(x * x), lambda x: sympy.log(x**2 + 1)),
    "sqrt": (lambda x: np.sqrt(x * x + 1), lambda x: sympy.sqrt(x**2 + 1)),
    "power": (lambda x: (x + 3) ** 1.5, lambda x: (x + 3) ** sympy.Rational(3, 2)),
    "square": (np.square, lambda x: x**2),
    "cube": (lambda x: x**3, lambda x: x**3),
    "reciprocal": (lambda x: 1 / (x + 5), lambda x: 1 / (x + 5)),
    "negative power": (lambda x: (x + 5) ** -2, lambda x: (x + 5) ** -2),
    "ratio": (lambda x: x / (x * x + 2), lambda x: x / (x**2 + 2)),
    "expit": (expit, lambda x: 1 / (1 + sympy.exp(-x))),
    "abs": (np.abs, sympy.Abs),
    "relu": (lambda x: np.maximum(x, 0), lambda x: sympy.Max(x, 0)),
    "minimum": (lambda x: np.minimum(x, 0.1), lambda x: sympy.Min(x, sympy.Rational(1, 10))),
}


@pytest.mark.parametrize("name", UNARY)
def test_elementary_functions_against_sympy(name):
    ours, theirs = UNARY[name]
    result = ours(Series(X)).coefficients
    t, u = sympy.symbols("t u", real=True)
    for column in range(2):
        base = sympy.Rational(str(X[0, column]))
        rest = sum(sympy.Rational(str(c)) * t**k for k, c in enumerate(X[1:, column], start=1))
        derivative, total = theirs(u), sympy.Integer(0)
        for k in range(5):  # Taylor's formula in the increment
            at = sympy.N(derivative.subs(u, base), 40)
            total += at * rest**k / sympy.factorial(k)
            derivative = sympy.diff(derivative, u)
        poly = sympy.Poly(sympy.expand(total), t)
        expected = [float(poly.coeff_monomial(t**k)) for k in range(5)]
        np.testing.assert_allclose(result[:, column], expected, rtol=1e-12, atol=1e-13)


def test_linear_algebra_and_structure_act_on_each_coefficient():
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((2, 3, 4, 4))
    matrix, vector = rng.standard_normal((4, 4)), rng.standard_normal(4)
    product = (Series(a) @ Series(b)).coefficients
    for k in range(3):
        np.testing.assert_allclose(product[k], sum(a[i] @ b[k - i] for i in range(k + 1)), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose((matrix @ Series(a[:, 0])).coefficients, a[:, 0] @ matrix.T, rtol=1e-13)
    np.testing.assert_allclose((Series(a) @ vector).coefficients, a @ vector, rtol=1e-13)
    np.testing.assert_allclose((matrix @ Series(a)).coefficients, matrix @ a, rtol=1e-13)
    np.testing.assert_array_equal(np.dot(Series(a), matrix).coefficients, a @ matrix)
    np.testing.assert_array_equal(Series(a).T.coefficients, a.transpose(0, 2, 1))
    np.testing.assert_array_equal(np.sum(Series(a), axis=0).coefficients, a.sum(axis=1))
    np.testing.assert_array_equal(Series(a).mean().coefficients, a.mean(axis=(1, 2)))
    np.testing.assert_array_equal(np.reshape(Series(a), (2, 8)).coefficients, a.reshape(3, 2, 8))
    np.testing.assert_array_equal(Series(a)[1, :2].coefficients, a[:, 1, :2])
    both = np.concatenate([Series(a[:, 0]), vector]).coefficients
    np.testing.assert_array_equal(both[0], np.concatenate([a[0, 0], vector]))
    np.testing.assert_array_equal(both[1], np.concatenate([a[1, 0], 0 * vector]))
    outer = np.outer(Series(a[:, 0]), vector).coefficients
    np.testing.assert_allclose(outer, a[:, 0][:, :, None] * vector)
    np.testing.assert_array_equal((vector[:, None] + Series(a[:, 0])).coefficients[0], vector[:, None] + a[0, 0])
    np.testing.assert_array_equal((1 - Series(a)).coefficients[1], -a[1])


@pytest.mark.control
def test_the_product_is_no_entrywise_product():
    assert not np.allclose((Series(X) * Series(X)).coefficients, X * X)


def test_series_refuse_what_has_no_expansion():
    kink = Series(np.array([[0.0], [1.0]]))
    for function in (np.abs, np.sqrt, lambda x: np.maximum(x, 0), lambda x: x**1.5):
        with pytest.raises(ValueError, match="no Taylor series"):
            function(kink)
    with pytest.raises(TypeError):
        np.arctanh(kink)
    with pytest.raises(TypeError, match="exponent"):
        _ = kink**kink
    with pytest.raises(ValueError, match="one truncation"):
        kink + Series(np.ones((3, 1)))
    with pytest.raises(ValueError, match="at least one coefficient"):
        Series(np.ones(()))


def test_series_keep_exact_and_high_precision_numbers():
    exact = Series(ex.rational_vector(["1/3", "1/7", "2"]))
    assert list((exact * exact / 3).coefficients) == [
        Fraction(1, 27),
        Fraction(2, 63),
        (Fraction(4, 3) + Fraction(1, 49)) / 3,
    ]
    with mpmath.workdps(60):
        line = Series(np.array([[mpmath.mpf(1) / 3], [mpmath.mpf(1)]], dtype=object))
        assert abs(np.tanh(line).coefficients[1][0] - 1 / mpmath.cosh(mpmath.mpf(1) / 3) ** 2) < mpmath.mpf(10) ** -58


def rotating_field(seed: int) -> ex.VectorField:
    """A field written in NumPy that is no gradient."""
    rng = np.random.default_rng(seed)
    a, b, c = rng.standard_normal((5, 5)), rng.standard_normal((5, 5)), rng.standard_normal(5)
    return ex.numpy_field(lambda theta: a @ np.tanh(b @ theta) + np.sin(theta) * theta[0] + c)


@given(word=st.lists(st.integers(1, 3), min_size=1, max_size=6), seed=st.integers(0, 10**6))
def test_taylor_arithmetic_equals_the_tree_sums(word, seed):
    """Both are sums of the same products; in float64 they differ by rounding only."""
    fields = [rotating_field(seed + i) for i in range(3)]
    theta = np.random.default_rng(seed).standard_normal(5)
    series = ex.word_series(fields, word, theta, 4)
    for p, coefficient in enumerate(ex.word_coefficients(fields, word, theta, 4), start=1):
        scale = ex.majorant_coefficient(len(word), p, [60.0] * p)  # ‖V^(m)‖ of these fields stays far below 60
        np.testing.assert_allclose(series[p], coefficient, rtol=0, atol=1e-13 * scale)


def test_derivative_routes_agree():
    """jvp, derivative= and polarised series give one differential; Faà di Bruno gives the series back."""
    field = rotating_field(3)
    theta, u, v, w = np.random.default_rng(5).standard_normal((4, 5))
    x = np.random.default_rng(6).standard_normal((5, 5))
    bare = ex.VectorField(value=field.value, derivative=field.differential)
    np.testing.assert_allclose(bare.taylor(x), field.taylor(x), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(
        field.differential(theta, (u, v, w)), field.differential(theta, (w, u, v)), rtol=1e-11, atol=1e-11
    )
    line = np.stack([theta, u])
    np.testing.assert_allclose(field.jvp(theta, u), field.series(line)[1], rtol=1e-14)
    np.testing.assert_allclose(
        field.differential(theta, (u, u)), 2 * field.series(np.stack([theta, u, 0 * u]))[2], rtol=1e-12, atol=1e-12
    )


@pytest.mark.control
def test_a_vjp_in_place_of_the_jvp_is_caught():
    """V' is not symmetric here: (V')ᵀv differs from V'v, and the h² coefficient with it."""
    fields = [rotating_field(i) for i in range(2)]
    theta = np.random.default_rng(0).standard_normal(5)
    jacobian = np.stack([fields[0].jvp(theta, e) for e in np.eye(5)], axis=1)
    right = ex.word_series(fields, (1, 2), theta, 2)[2]
    np.testing.assert_allclose(jacobian @ fields[1](theta), right, rtol=1e-12)
    assert np.linalg.norm(jacobian.T @ fields[1](theta) - right) > 1


def tanh_network_in_numpy(inputs, targets, width):
    """The same gradient as `tanh_network_field`, by the general series type."""
    extended = np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)
    first = width * extended.shape[1]

    def descent(theta):
        matrix, outer = theta[:first].reshape(width, -1), theta[first:-1]
        hidden = np.tanh(matrix @ extended.T)
        residual = (outer @ hidden + theta[-1:] - targets) / -len(targets)
        delta = (1 - hidden * hidden) * np.outer(outer, residual)
        return np.concatenate([(delta @ extended).reshape(-1), hidden @ residual, residual.sum().reshape(1)])

    return ex.numpy_field(descent)


@pytest.mark.parametrize("order", [1, 2, 3, 6])
def test_network_recurrences_equal_general_taylor_arithmetic(order):
    rng = np.random.default_rng(2)
    inputs, targets = rng.standard_normal((6, 3)), rng.standard_normal(6)
    direct, general = ex.tanh_network_field(inputs, targets, 4), tanh_network_in_numpy(inputs, targets, 4)
    theta = rng.standard_normal(ex.tanh_network_dimension(3, 4))
    np.testing.assert_allclose(direct(theta), general(theta), rtol=1e-13, atol=1e-14)
    word = (1, 1, 1)
    np.testing.assert_allclose(
        ex.word_series([direct], word, theta, order),
        ex.word_series([general], word, theta, order),
        rtol=1e-9,
        atol=1e-11,
    )
    v = rng.standard_normal(theta.shape)
    np.testing.assert_allclose(direct.jvp(theta, v), general.jvp(theta, v), rtol=1e-12, atol=1e-13)


def test_quadratic_series_are_the_binomial_expansion():
    """(1 − hH)^n θ + … for one map repeated: coefficient k is C(n,k)(−H)^k θ for shift 0."""
    rng = np.random.default_rng(4)
    h = rng.standard_normal((6, 6))
    h, theta = (h + h.T) / 2, rng.standard_normal(6)
    series = ex.word_series([ex.quadratic_field(h, np.zeros(6))], (1,) * 5, theta, 4)
    for k, c in enumerate((1, 5, 10, 10, 5)):
        np.testing.assert_allclose(series[k], c * np.linalg.matrix_power(-h, k) @ theta, rtol=1e-12, atol=1e-12)
    with pytest.raises(ValueError, match="symmetric"):
        ex.quadratic_field(np.array([[1.0, 1.0], [0.0, 1.0]]), np.zeros(2))
    with pytest.raises(ValueError, match="shift"):
        ex.quadratic_field(np.eye(2), np.zeros(3))


def test_prefixes_and_evaluation():
    fields = [rotating_field(i) for i in range(4)]
    theta = np.random.default_rng(8).standard_normal(5)
    forward, backward = ex.prefix_series(fields, theta, 3, [0, 2, 4])
    for n, f, b in zip((0, 2, 4), forward, backward, strict=True):
        np.testing.assert_array_equal(f, ex.word_series(fields, range(n, 0, -1), theta, 3))
        np.testing.assert_array_equal(b, ex.word_series(fields, range(1, n + 1), theta, 3))
    assert ex.evaluate_series(np.array([[1.0], [2.0], [3.0]]), 0.5) == pytest.approx([2.75], rel=1e-15)
    with pytest.raises(ValueError, match="asked for"):
        ex.prefix_series(fields, theta, 3, [5])
    with pytest.raises(ValueError, match="must map vectors"):
        ex.word_series([ex.VectorField(value=lambda x: x, series=lambda x: x[:, :2])], (1,), theta, 2)
