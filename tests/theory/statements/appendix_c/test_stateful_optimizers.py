"""Scope of Appendix C (row 55): momentum is not of the form θ + hV, and parts the orders at h."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contraction.families import HeavyBall
from contraction.maps.rounding import gamma
from contraction.statements.appendix_c import stateful_optimizers as statement

fractions = st.fractions(-5, 5, max_denominator=50)


@given(
    slopes=st.tuples(fractions, fractions),
    targets=st.tuples(fractions, fractions),
    beta=st.fractions(0, 1, max_denominator=50),
    theta=fractions,
)
def test_heavy_ball_at_first_order(slopes, targets, beta, theta):
    verdict = statement.check(slopes, targets, beta, theta)
    assert verdict, verdict


@given(
    a=st.floats(-5, 5),
    b=st.floats(-5, 5),
    beta1=st.floats(0, 0.95),
    beta2=st.floats(0.1, 0.9999),
    epsilon=st.sampled_from([1e-8, 1e-3, 1.0]),
)
def test_adam_at_first_order(a, b, beta1, beta2, epsilon):
    verdict = statement.check_adam(a, b, beta1, beta2, epsilon)
    assert verdict, verdict


@given(seed=st.integers(0, 2**31), beta1=st.floats(0, 0.95), epsilon=st.sampled_from([1e-8, 1e-3]))
@settings(max_examples=10)
def test_the_recursion_is_that_of_torch(seed, beta1, epsilon):
    """Six steps on quadratic losses in a drawn order against torch.optim.Adam in float64.

    Torch keeps m and v with the same roundings but divides in another order: a step is off by γ(64 + 8/(1−β2)) h, and
    the gradients, of slope at most 2, pass it on: 6 · 3^6 times that.
    """
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    h, beta2 = 0.1, 0.99
    theta = torch.tensor([float(rng.uniform(2, 3))], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([theta], lr=h, betas=(beta1, beta2), eps=epsilon)
    state = (theta.item(), 0.0, 0.0, 0)
    for _ in range(6):
        slope, target = rng.uniform(1, 2), rng.uniform(-3, 0)
        optimizer.zero_grad()
        (slope * (theta - target) ** 2 / 2).sum().backward()
        optimizer.step()
        state = statement.adam(state, slope * (state[0] - target), h, beta1, beta2, epsilon)
        assert abs(theta.item() - state[0]) <= 6 * 3**6 * h * gamma(64 + 8 / (1 - beta2))


def test_orders_do_not_coincide_at_first_order():
    assert statement.check_printed()


@pytest.mark.control
def test_without_momentum_they_do():
    assert not statement.check_printed(beta=Fraction(0))


@pytest.mark.control
def test_a_lost_velocity_is_caught(monkeypatch):
    def forgetful(state, slope, target, beta, h):
        return state[0] - h * slope * (state[0] - target), state[1]

    monkeypatch.setattr(statement, "heavy_ball", forgetful)
    assert not statement.check((Fraction(1), Fraction(2)), (Fraction(0), Fraction(1)), Fraction(1, 2), Fraction(1))


def failing_parts() -> set[str]:
    verdicts = [statement.check(**case) for case in statement.cases(np.random.default_rng(0), "standard")]
    return {verdict.part for verdict in verdicts if not verdict}


@pytest.mark.control
@pytest.mark.parametrize("factor", [-1.0, 1 + 1e-9, 0.0])
def test_a_library_family_with_a_wrong_momentum_is_caught(monkeypatch, factor):
    real = HeavyBall.__init__
    monkeypatch.setattr(HeavyBall, "__init__", lambda self, H, h, beta, noise: real(self, H, h, factor * beta, noise))
    assert failing_parts() == {"families.HeavyBall"}


@pytest.mark.control
def test_an_adam_without_bias_correction_or_with_epsilon_inside_the_root_is_caught(monkeypatch):
    def uncorrected(state, g, h, beta1, beta2, epsilon):
        theta, m, v, t = state
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
        return theta - h * m / (math.sqrt(v) + epsilon), m, v, t + 1

    def inside(state, g, h, beta1, beta2, epsilon):
        theta, m, v, t = state
        m, v, t = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2, t + 1
        return theta - h * m / (1 - beta1**t) / math.sqrt(v / (1 - beta2**t) + epsilon), m, v, t

    real = statement.adam
    late = lambda state, *rest: real((*state[:3], state[3] + 1), *rest)  # noqa: E731
    for wrong in (uncorrected, inside, late):
        monkeypatch.setattr(statement, "adam", wrong)
        assert any(part.startswith("Adam") for part in failing_parts())
