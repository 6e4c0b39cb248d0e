"""Row 79: jumps of gradient steps across kinks, exactly; other factors are refused; tanh does not jump."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contraction.statements.section_2 import kinks as statement

HALF = Fraction(1, 2)


@settings(max_examples=30)
@given(
    width=st.integers(1, 3),
    inputs=st.integers(2, 3),
    examples=st.integers(1, 3),
    h=st.fractions(Fraction(1, 10), 2, max_denominator=10),
    factor=st.sampled_from([HALF, Fraction(1)]),
    silent=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_jumps_of_drawn_networks(width, inputs, examples, h, factor, silent, seed):
    verdict = statement.check(width, inputs, examples, h, seed, factor, silent)
    assert verdict, verdict


def test_one_neuron_by_hand():
    """x = 2, y = 3, h = 1/5, from w = 0: above the step goes to h x y = 6/5, below it stays at 0."""
    step = statement.neuron_step(Fraction(2), Fraction(3), Fraction(1, 5), HALF, 1)
    above, below = statement.one_sided(step, np.array([Fraction(0)]), np.array([Fraction(1)]), Fraction(1))
    assert (above[0], below[0]) == (Fraction(6, 5), 0)


def test_the_steps_are_gradient_steps():
    """Difference quotients of the loss itself, away from kinks."""
    rng = np.random.default_rng(0)
    theta, batch = statement.on_a_kink(rng, 2, 3, 2)
    theta = theta + np.array([Fraction(1, 7 + i) for i in range(len(theta))], dtype=object)
    step = statement.relu_step(batch, 2, Fraction(1))
    values = theta.astype(float)

    def loss(t):
        w, v = t[:-2].reshape(2, -1), t[-2:]
        return np.mean([(v @ np.maximum(w @ x.astype(float), 0) - float(y)) ** 2 / 2 for x, y in batch])

    e = 1e-6 * np.eye(len(values))
    gradient = np.array([(loss(values + d) - loss(values - d)) / 2e-6 for d in e])
    assert (theta - step(theta)).astype(float) == pytest.approx(gradient, abs=1e-7)


def test_what_a_kink_excludes_and_what_not():
    verdicts = [statement.check_printed(k=k) for k in (10, 40, 200)]
    assert all(verdicts)
    assert verdicts[0].measured < verdicts[1].measured < verdicts[2].measured


def test_tanh_does_not_jump():
    """|T a - T b|/|a - b| across w = 0 stays below 1 + h sup|L''| for tanh, and grows without bound for ReLU."""
    h, x, y = 0.5, 1.0, 2.0
    for size in (1e-3, 1e-6, 1e-9):
        a, b = (w - h * (np.tanh(w * x) - y) * x / np.cosh(w * x) ** 2 for w in (size, -size))
        assert abs(a - b) / (2 * size) <= 1 + h * (1 + (1 + y)) + 1e-6
    assert statement.check_printed(k=30).measured > 1e6


@pytest.mark.control
@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (lambda theta, batch, width, h, f: 4 * statement.claimed_squared(theta, batch, width, h, f), "the ½"),
        (lambda theta, batch, width, h, f: statement.claimed_squared(theta, batch, width, 2 * h, f), "h"),
        (lambda theta, batch, width, h, f: statement.claimed_squared(theta, batch[::-1], width, h, f), "the example"),
        (lambda theta, batch, width, h, f: Fraction(0), "none"),
    ],
)
def test_other_jumps_are_caught(wrong, reason):
    assert statement.check(2, 3, 2, HALF, 1)
    verdict = statement.check(2, 3, 2, HALF, 1, claimed=wrong)
    assert not verdict, reason
    assert verdict.part == "network"


@pytest.mark.control
def test_a_jump_of_the_neuron_is_caught(monkeypatch):
    """The derivative of relu taken to be 1 at negative pre-activations as well: no jump is left."""

    def linear(x, y, h, loss_factor, examples):
        return lambda w: w - 2 * loss_factor * h * (w * x - y) * x / examples

    monkeypatch.setattr(statement, "neuron_step", linear)
    verdict = statement.check(1, 2, 1, HALF, 3)
    assert not verdict
    assert verdict.part == "one neuron"


def test_points_that_are_all_kinks_are_refused():
    with pytest.raises(ValueError, match="every example is at the kink"):
        statement.on_a_kink(np.random.default_rng(0), 1, 1, 2)


def test_controls_are_detected():
    assert all(control.detected(seed) for control in statement.CONTROLS for seed in range(3))
