"""Fields made of functions: a shared evaluation, constants, products from the right; numbers by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from contraction import expansions as ex
from contraction.expansions.fields import zeros_stack

X, V = np.array([1.0, 2.0]), np.array([3.0, -1.0])
torch: Any = None


def squares(theta: np.ndarray) -> tuple[np.ndarray, Any]:
    """L = Σ θ_i³ / 3: gradient θ², Hessian 2 diag θ; both from one evaluation."""
    return theta**2, lambda v: 2 * theta * v


def test_a_descent_field_with_one_shared_evaluation() -> None:
    shared = ex.descent_field(lambda x: x**2, linearize=squares)
    apart = ex.descent_field(lambda x: x**2, hvp=lambda x, v: 2 * x * v)
    for field in (shared, apart):
        value, product = field.linearized(X)
        assert field(X).tolist() == value.tolist() == [-1.0, -4.0]
        assert product(V).tolist() == field.differential(X, (V,)).tolist() == [-6.0, 4.0]
    assert ex.minus_lie_bracket(shared, apart, X).tolist() == [0.0, 0.0]


def test_without_derivatives_the_missing_one_is_named() -> None:
    field = ex.descent_field(lambda x: x**2)
    assert field(X).tolist() == [-1.0, -4.0]
    with pytest.raises(ex.MissingDerivative, match="the derivative of order 1 of V is needed"):
        field.differential(X, (V,))


def test_a_constant_field_has_no_derivatives() -> None:
    """Two maps θ + h c end at θ + 2 h c, whatever the order of the expansion."""
    field = ex.numpy_field(lambda x: np.array([5.0, -7.0]))
    assert ex.word_series([field], [1, 1], X, 3).tolist() == [[1.0, 2.0], [10.0, -14.0], [0.0, 0.0], [0.0, 0.0]]


def test_a_matrix_times_a_series() -> None:
    """V(θ) = M θ: the series of (1 + h M)² θ is θ + 2 h M θ + h² M² θ."""
    M = np.array([[1.0, 2.0], [0.0, -1.0]])
    for field in (ex.numpy_field(lambda x: M @ x), ex.numpy_field(lambda x: np.dot(M, x))):
        found = ex.word_series([field], [1, 1], X, 2)
        np.testing.assert_array_equal(found, [X, 2 * (M @ X), M @ M @ X])


def test_functions_that_have_no_series_are_named_as_a_user_writes_them() -> None:
    for function, name in ((lambda x: np.linalg.det(x), r"np\.linalg\.det"), (lambda x: np.sort(x), r"np\.sort")):
        with pytest.raises(TypeError, match=f"no Taylor series is known of {name}"):
            ex.word_series([ex.numpy_field(function)], [1], X, 2)


def test_a_stack_of_zeros_is_of_the_kind_of_the_vector() -> None:
    assert zeros_stack(np.array([1, 2]), 3).dtype == np.float64
    assert zeros_stack(np.array([1, 2], np.float32), 3).dtype == np.float32
    assert zeros_stack(np.array([1.0]), 3).shape == (3, 1)
    torch = pytest.importorskip("torch")
    stack = zeros_stack(torch.ones(2, dtype=torch.float64), 3)
    assert stack.dtype == torch.float64
    assert tuple(stack.shape) == (3, 2)
    assert not stack.any()


def test_a_list_of_numbers_is_a_start() -> None:
    field = ex.quadratic_field(np.eye(2), np.ones(2))
    assert ex.word_series([field], [1], [1, 2], 1).tolist() == ex.word_series([field], [1], X, 1).tolist()
    with pytest.raises(ValueError, match="theta must be a vector of numbers"):
        ex.word_series([field], [1], [[1.0], [1.0, 2.0]], 1)


@pytest.mark.parametrize(
    "bounds", [[None], ["a"], [1.0, "b", 1.0], "ab"], ids=["None", "text", "among numbers", "a text"]
)
def test_bounds_of_a_remainder_are_numbers(bounds: Any) -> None:
    with pytest.raises(ValueError, match=r"the bounds? M_\d.* must be a "):
        ex.majorant_coefficient(3, 2, bounds)
    assert ex.majorant_coefficient(3, 1, [1.0]) > 0


def test_a_field_shows_what_it_was_given() -> None:
    field = ex.VectorField(value=np.sin)
    field.check(np.zeros(3))
    assert repr(field).startswith("VectorField(value=<ufunc 'sin'>, jvp=None")
    assert "_tried" not in repr(field)


def test_the_cost_of_a_correction_in_two_passes() -> None:
    """n values and n products to the end and back: 3 n fields, n products, three vectors, n maps kept (row 61)."""
    cost = ex.correction_cost("two passes", n=11, d=7)
    assert (cost.fields, cost.products) == (33, 11)
    assert cost == type(cost)(33, 11, 21, 11)
