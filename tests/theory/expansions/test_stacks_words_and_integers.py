"""Taylor series through stacks of matrices, words and points of any kind, and exact quadratic losses."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from contraction import expansions as ex

rng = np.random.default_rng(0)
STACK, SQUARE = rng.standard_normal((3, 2, 2)), rng.standard_normal((2, 2, 2))

#: Linear and quadratic functions of x in R², whose series up to t² follow from three values.
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "stack @ vector": lambda x: (STACK @ x).sum(axis=0),
    "stack @ matrix": lambda x: (STACK @ x.reshape(2, 1)).sum(axis=0).ravel(),
    "stack of as many matrices as coefficients @ matrix": lambda x: (SQUARE @ x.reshape(2, 1)).sum(axis=0).ravel(),
    "vector @ stack": lambda x: (x @ STACK).sum(axis=0),
    "matrix @ stack": lambda x: (x.reshape(1, 2) @ SQUARE).sum(axis=0).ravel(),
    "number dot vector": lambda x: np.dot(2.0, x),
    "matrix dot vector": lambda x: np.dot(STACK[0], x),
    "outer of a matrix": lambda x: np.outer(x.reshape(2, 1), x).sum(axis=0),
    "transpose with axes": lambda x: (
        np.transpose(x.reshape(1, 2), axes=(1, 0)).ravel() * x.reshape(1, 2).transpose().ravel()
    ),
    "sum with its axis kept": lambda x: x * np.sum(x, keepdims=True),
    "square by a float": lambda x: x**2.0,
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("start", [[1.0, 2.0], [0.0, 0.0]])
def test_series_of_a_quadratic_function_are_its_differences(name: str, start: list[float]) -> None:
    function, x, v = FUNCTIONS[name], np.array(start), np.array([0.5, -1.5])
    zero, plus, minus = function(x), function(x + v), function(x - v)
    series = ex.numpy_field(function).taylor(np.stack([x, v, 0 * v]))
    expected = [zero, (plus - minus) / 2, (plus + minus) / 2 - zero]
    np.testing.assert_allclose(series, expected, rtol=1e-13, atol=1e-13)


def test_operations_that_have_no_series_are_refused() -> None:
    x = np.array([[1.0, 2.0], [1.0, 0.0]])
    with pytest.raises(TypeError, match="x == y"):
        ex.numpy_field(lambda x: x if x[0] == 1 else -x).taylor(x)
    with pytest.raises(TypeError, match="more than two axes"):
        ex.numpy_field(lambda x: np.dot(STACK, x)).taylor(x)


WORDS = [(1, 2, 2), [1, 2, 2], np.array([1, 2, 2]), [np.int64(1), np.int64(2), np.int64(2)]]


@pytest.mark.parametrize("word", [*WORDS, "iterator"], ids=["tuple", "list", "array", "NumPy integers", "iterator"])
def test_a_word_of_any_kind_is_the_same_word(word: Any) -> None:
    def given() -> Any:
        return iter([1, 2, 2]) if isinstance(word, str) else word

    fields = [ex.polynomial_field([{(2,): 1}]), ex.polynomial_field([{(1,): 2}])]
    theta = ex.rational_vector([3])
    assert ex.formal_coefficient(given(), 2) == ex.formal_coefficient((1, 2, 2), 2)
    assert ex.compose(fields, given(), theta, Fraction(1, 2)).tolist() == [Fraction(12 * 12 + 24, 2)]
    np.testing.assert_array_equal(
        ex.word_series(fields, given(), theta, 2), ex.word_series(fields, (1, 2, 2), theta, 2)
    )


@pytest.mark.parametrize("kind", [int, np.uint8, np.int8])
def test_integer_points_are_floats(kind: type) -> None:
    field = ex.numpy_field(lambda x: 1 - x**20)
    (value,) = ex.compose([field], [1], np.array([10], dtype=kind), 0.5)
    assert value == 10 + 0.5 * (1 - 1e20)
    assert ex.minus_lie_bracket_sum([field, field], [10]).tolist() == [0.0]
    assert ex.evaluate_formal(ex.formal_coefficient((1,), 1), [field], np.array([10], dtype=kind)).tolist() == [
        1 - 1e20
    ]


def test_an_exact_matrix_must_be_symmetric() -> None:
    matrix = np.array([[Fraction(1), Fraction(2)], [Fraction(0), Fraction(1)]], dtype=object)
    with pytest.raises(ValueError, match="must be symmetric"):
        ex.quadratic_field(matrix, ex.rational_vector([0, 0]))


def test_an_exact_shift_goes_with_a_matrix_of_integers() -> None:
    field = ex.quadratic_field(np.array([[2]]), ex.rational_vector(["1/3"]))
    series = ex.word_series([field], [1], ex.rational_vector([1]), 1)
    assert series.tolist() == [[Fraction(1)], [Fraction(-5, 3)]]
    with pytest.raises(TypeError, match="theta must hold exact numbers too"):
        ex.word_series([ex.quadratic_field(np.array([[2.0]]), ex.rational_vector(["1/3"]))], [1], np.ones(1), 1)


def test_the_reach_takes_arrays() -> None:
    fields = [ex.quadratic_field(np.array([[1.0, 0.5], [0.5, k]]), np.ones(2)) for k in (1.0, 2.0, 3.0)]
    rates = [0.01, 0.1]
    at: Any = np.array([2, 3])
    orders: Any = np.array([1, 2])
    lists = ex.correction_reach(fields, np.ones(2), rates, at=[2, 3], orders=[1, 2])
    arrays = ex.correction_reach(fields, np.ones(2), rates, at=at, orders=orders)
    np.testing.assert_array_equal(lists.errors, arrays.errors)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int64])
def test_products_of_integer_arrays_do_not_wrap_around(kind: type) -> None:
    first, second = (np.array(rows, dtype=kind) for rows in ([[100, 1], [1, 100]], [[1, 100], [100, 3]]))
    curl = ex.fixed_order_curl([first, second])
    assert curl.tolist() == [[0.0, -2.0], [2.0, 0.0]]  # the second times the first, minus the first times the second
    gradient = np.array([100, 50], dtype=kind)
    assert ex.small_batch_modified_loss([gradient, gradient], 0.5) == -0.5 / 4 * 12_500 + 0.5 / 2 / 8 * 25_000
    assert ex.evaluate_series(np.array([[1], [2], [3]], dtype=kind), 100).tolist() == [30_201.0]
