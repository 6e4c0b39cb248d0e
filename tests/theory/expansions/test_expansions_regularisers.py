"""Appendix D: small batches, the mean over all orders, the regulariser, and the curl of a single order's term."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction import expansions as ex
from contraction.maps.rounding import gamma
from tests.theory.expansions.test_expansions_exact import POINT, rational_fields


def pairs_sum(fields, theta, pairs):
    """Σ V_i'V_j over the pairs, by the double loop."""
    total = theta * 0
    for i, j in pairs:
        total = total + fields[i].differential(theta, (fields[j](theta),))
    return total


@given(seed=st.integers(0, 10**6), c=st.integers(1, 4))
def test_regulariser_in_two_passes_equals_the_double_loop(seed, c):
    fields = rational_fields(seed)[:c]
    expected = list(pairs_sum(fields, POINT, [(i, j) for i in range(c) for j in range(c) if i != j]))
    for hold in (False, True):
        assert list(ex.alignment_gradient(fields, POINT, hold=hold)) == expected
    for word in (tuple(range(c, 0, -1)), tuple(range(1, c + 1)), (1,) if c == 1 else (2, 1, 2)):
        expected = pairs_sum(
            fields, POINT, [(word[u] - 1, word[v] - 1) for u in range(len(word)) for v in range(u + 1, len(word))]
        )
        assert list(ex.fixed_order_term(fields, POINT, word)) == list(expected)


@pytest.mark.parametrize("c", [2, 3, 4])
def test_small_large_and_mean_over_orders_to_second_order(c):
    """The formal coefficients in closed form, and exact steps at h = 10⁻¹² agreeing with them to third order."""
    fields = rational_fields(5)[:c]

    small = ex.word_coefficients(fields, tuple(range(c, 0, -1)), POINT, 3)
    mean = [ex.evaluate_formal(ex.average_coefficient(c, p), fields, POINT) for p in (1, 2, 3)]
    assert list(small[0]) == list(mean[0])
    assert list(small[1]) == list(ex.fixed_order_term(fields, POINT))
    assert list(mean[1]) == list(ex.alignment_gradient(fields, POINT) / 2)
    h = Fraction(1, 10**12)
    for coefficients, step in ((small, ex.small_batch_steps), (mean, ex.mean_over_orders)):
        exact = step(fields, POINT, c * h) - ex.large_batch_step(fields, POINT, c * h)
        leading = h**2 * coefficients[1] + h**3 * coefficients[2]
        assert all(abs(x - y) <= h**3 * abs(z) / 10**6 for x, y, z in zip(exact, leading, coefficients[2], strict=True))


def quadratics(seed: int, c: int, d: int):
    rng = np.random.default_rng(seed)
    matrices = rng.standard_normal((c, d, d))
    matrices = matrices + matrices.transpose(0, 2, 1)
    shifts = rng.standard_normal((c, d))
    return matrices, [ex.quadratic_field(m, b) for m, b in zip(matrices, shifts, strict=True)], rng.standard_normal(d)


@given(seed=st.integers(0, 10**6), c=st.integers(2, 5), d=st.integers(1, 5))
def test_term_is_the_gradient_of_the_alignment_and_ascends_it(seed, c, d):
    """R of quadratic losses is a quadratic, so its central difference is its gradient up to rounding."""
    _, fields, theta = quadratics(seed, c, d)
    term = ex.alignment_gradient(fields, theta)
    differences = [(ex.alignment(fields, theta + e) - ex.alignment(fields, theta - e)) / 2 for e in np.eye(d)]
    scale = (
        sum(np.linalg.norm(f.jvp(theta, e)) ** 2 for f in fields for e in np.eye(d)) * (3 + np.linalg.norm(theta)) ** 2
    )
    scale += sum(np.linalg.norm(f(theta)) ** 2 for f in fields) * 4
    np.testing.assert_allclose(term, differences, rtol=0, atol=gamma(60 * c * d) * c * scale)
    if np.linalg.norm(term) > 1e-3:
        direction = term / np.linalg.norm(term)
        assert ex.alignment(fields, theta + 1e-6 * direction) > ex.alignment(fields, theta - 1e-6 * direction)


@given(seed=st.integers(0, 10**6), c=st.integers(2, 5), d=st.integers(2, 5))
def test_one_order_has_the_commutators_as_curl(seed, c, d):
    matrices, fields, theta = quadratics(seed, c, d)
    columns = [(ex.fixed_order_term(fields, theta + e) - ex.fixed_order_term(fields, theta - e)) / 2 for e in np.eye(d)]
    jacobian = np.stack(columns, axis=1)
    scale = np.sum(matrices**2) * (4 + np.linalg.norm(theta)) * c
    curl = ex.fixed_order_curl(matrices)
    double = sum(matrices[i] @ matrices[j] - matrices[j] @ matrices[i] for i in range(c) for j in range(i))
    np.testing.assert_allclose(curl, double, rtol=0, atol=gamma(60 * c * d) * scale)
    np.testing.assert_allclose(jacobian - jacobian.T, curl, rtol=0, atol=gamma(60 * c * d) * 8 * (scale + 10 * c))


@pytest.mark.control
def test_curl_vanishes_for_the_symmetrised_term_only():
    matrices, fields, theta = quadratics(0, 3, 4)
    d = len(theta)
    columns = [
        (ex.alignment_gradient(fields, theta + e) - ex.alignment_gradient(fields, theta - e)) / 2 for e in np.eye(d)
    ]
    jacobian = np.stack(columns, axis=1)
    assert np.linalg.norm(jacobian - jacobian.T) < 1e-11
    assert np.linalg.norm(ex.fixed_order_curl(matrices)) > 1
    diagonal = np.array([np.diag([1.0, 2.0]), np.diag([3.0, -1.0])])
    assert not np.any(ex.fixed_order_curl(diagonal))


@given(seed=st.integers(0, 10**6), c=st.integers(2, 5), h=st.floats(1e-3, 1))
def test_derived_strength_gives_the_implicit_regulariser_of_small_batches(seed, c, h):
    _, fields, theta = quadratics(seed, c, 3)
    gradients = [-f(theta) for f in fields]
    lam = ex.regularisation_strength(1, h, c, unit="derived")
    ours = -lam * ex.alignment(fields, theta) / h
    size = h * sum(float(g @ g) for g in gradients)
    assert abs(ours - ex.small_batch_modified_loss(gradients, h)) <= gamma(200) * size


def test_derived_step_is_the_mean_over_orders_to_second_order():
    fields = rational_fields(2)[:3]
    h = Fraction(1, 10**12)
    lam = ex.regularisation_strength(1, h, 3, unit="derived")
    assert lam == (h / 3) ** 2 / 2
    step = ex.regularised_step(fields, POINT, h, lam)
    gap = ex.mean_over_orders(fields, POINT, h) - step
    third = ex.evaluate_formal(ex.average_coefficient(3, 3), fields, POINT) * (h / 3) ** 3
    assert all(abs(a - b) <= abs(b) / 10**6 for a, b in zip(gap, third, strict=True))


def test_two_readings_of_the_paper():
    fields, h, c = rational_fields(2)[:4], Fraction(1, 100), 4
    assert ex.regularisation_strength(2, h, c) == 2 * h * h
    assert ex.regularisation_strength(2, h, c, unit="h/c") == 2 * (h / c) ** 2
    assert ex.regularisation_strength(Fraction(1, 2), h, c) / ex.regularisation_strength(1, h, c, unit="derived") == 16
    term, drift = ex.alignment_gradient(fields, POINT), sum((f(POINT) for f in fields[1:]), fields[0](POINT)) / c
    for rate, r in (("h", h), ("h/c", h / c)):
        assert list(ex.regularised_step(fields, POINT, h, h * h, rate=rate)) == list(POINT + r * drift + h * h * term)


def test_regulariser_can_destabilise():
    """Commuting quadratics, c = 2: the step multiplies by 1 − h(λ1+λ2)/2 + 2λλ1λ2, beyond 1 for large λ."""
    a, b, h, lam = 3.0, 2.0, 0.1, 0.05
    fields = [ex.quadratic_field(np.array([[x]]), np.zeros(1)) for x in (a, b)]
    factor = ex.regularised_step(fields, np.ones(1), h, lam)[0]
    assert factor == pytest.approx(1 - h * (a + b) / 2 + 2 * lam * a * b, rel=1e-14)
    assert factor > 1


def test_unequal_batches_need_their_sizes():
    """hV_B = h'ΣV_i holds for equal sizes; V_B of sizes 1 and 3 weights the means 1 : 3."""
    fields = [ex.quadratic_field(np.zeros((1, 1)), np.array([b])) for b in (1.0, 5.0)]
    assert ex.large_batch_step(fields, np.zeros(1), 1.0)[0] == 3
    assert ex.large_batch_step(fields, np.zeros(1), 1.0, sizes=(1, 3))[0] == 4
    with pytest.raises(ValueError, match="positive sizes"):
        ex.large_batch_step(fields, np.zeros(1), 1.0, sizes=(1,))


@pytest.mark.control
def test_a_vjp_for_the_jvp_and_a_descent_sign_are_caught():
    fields = rational_fields(4)[:3]
    transposed = []
    for f in fields:
        jacobian = np.stack([f.differential(POINT, (e,)) for e in np.eye(2, dtype=int)], axis=1)
        transposed.append(ex.VectorField(value=f.value, jvp=lambda theta, v, j=jacobian: j.T @ v))
    right = list(ex.alignment_gradient(fields, POINT))
    assert list(ex.alignment_gradient(transposed, POINT)) != right
    with pytest.raises(ValueError, match="at least 0"):
        ex.regularised_step(fields, POINT, Fraction(1), Fraction(-1))


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="unit"):
        ex.regularisation_strength(1, 0.1, 2, unit="large")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="number of small batches"):
        ex.regularisation_strength(1, 0.1, 0)
    with pytest.raises(ValueError, match="rate"):
        ex.regularised_step(rational_fields()[:2], POINT, 1, 1, rate="2h")  # type: ignore[arg-type]
    for call in (ex.small_batch_steps, ex.mean_over_orders, ex.large_batch_step):
        with pytest.raises(ValueError, match="at least one batch"):
            call([], POINT, 1)
    with pytest.raises(ValueError, match="at least one field"):
        ex.alignment([], POINT)
