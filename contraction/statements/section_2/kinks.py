"""Theorem 2.2 and kinks: with ReLU a gradient step is discontinuous, so on a region with a kink nothing contracts.

Problem
    A network f = Σ_j v_j relu(w_j·x) makes one step of gradient descent, T(θ) = θ − h∇L(θ), on the squared loss of a
    batch, near a point where one pre-activation a_j = w_j·x of one example is 0.
Guarantee (Exact)
    Across a_j = 0, T jumps by h ‖δ_j‖ ‖∂a_j/∂θ‖ with δ_j = ∂L/∂(relu(a_j)); if δ_j = 0, it does not jump. For one
    neuron and one datum with L(w) = ½(relu(wx) − y)², the jump at w = 0 is h|xy|. Without the ½ it is twice that, and
    in a mean over |B| examples it is divided by |B|.
    So on a region with such a kink inside T does not have a Lipschitz constant, and with finitely many batches E d(Tx,
    Ty)^p/d(x, y)^p is unbounded for every p > 0. T stays piecewise smooth, its discontinuities are a null set, and
    backward convergence is not excluded. A step with tanh does not jump, but this does not make it contract.
Smallest wrong claim that is detected
    One-sided limits are exact, so every wrong factor is detected. Examples are the ½, |B|, the sign of the target, and
    the δ of another neuron.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from contraction.maps.iterates import backward_iterates
from contraction.maps.operators import Operators
from contraction.statements import comparisons
from contraction.statements.cases.exact_words import random_fraction
from contraction.statements.records import Control, Row, Statement, Tier, Verdict

NAME, ROWS = "kinks", (79,)
ZERO = np.array(Fraction(0), dtype=object)
#: Examples (x, y), x of any length.
Batch = Sequence[tuple[NDArray, Fraction]]
Step = Callable[[NDArray], NDArray]


def relu_step(batch: Batch, width: int, h: Fraction, loss_factor: Fraction = Fraction(1, 2)) -> Step:
    """T(θ) = θ - h∇L on θ = (w_1, …, w_width, v), exactly; L = loss_factor mean (f(x) - y)²."""

    def step(theta: NDArray) -> NDArray:
        w, v = theta[:-width].reshape(width, -1), theta[-width:]
        gradient = theta * 0
        for x, y in batch:
            a = w @ x
            active = a > 0
            slope = 2 * loss_factor * (sum(v[active] * a[active], Fraction(0)) - y) / len(batch)
            gradient[:-width] += (slope * np.outer(np.where(active, v, ZERO), x)).ravel()
            gradient[-width:] += slope * np.where(active, a, ZERO)
        return theta - h * gradient

    return step


def one_sided(step: Step, theta: NDArray, direction: NDArray, size: Fraction) -> tuple[NDArray, NDArray]:
    """Limits of T(θ + t direction) for t → 0 from above and from below, exactly.

    On each side T is a polynomial of degree at most 2 in t, so three of its values give its value at 0. The map is
    applied as the package applies it.
    """
    T = Operators.from_maps([step], batched=False)[0]
    above, below = (
        3 * T(theta + s * size * direction)
        - 3 * T(theta + 2 * s * size * direction)
        + T(theta + 3 * s * size * direction)
        for s in (1, -1)
    )
    return above, below


def _numbers(rng: np.random.Generator, count: int) -> NDArray:
    return np.array([random_fraction(rng, -2, 2, 6) for _ in range(count)], dtype=object)


def on_a_kink(rng: np.random.Generator, width: int, inputs: int, examples: int) -> tuple[NDArray, Batch]:
    """Weights and a batch such that neuron 1 is at its kink for example 1, with δ ≠ 0, and nothing else is at one.

    Raises
    ------
    ValueError
        If there is one input and more than one example: then every example is at the kink w_1 = 0.
    """
    if inputs == 1 and examples > 1:
        raise ValueError("with one input every example is at the kink w_1 = 0: take one example")
    while True:
        batch = [(_numbers(rng, inputs), random_fraction(rng, -2, 2, 6)) for _ in range(examples)]
        w, v = _numbers(rng, width * inputs).reshape(width, inputs), _numbers(rng, width)
        x = batch[0][0]
        if not any(x):
            continue
        w[0] = w[0] - (w[0] @ x) / (x @ x) * x
        away = [w[j] @ z != 0 for j in range(width) for i, (z, _) in enumerate(batch) if (i, j) != (0, 0)]
        if all(away) and v[0] != 0 and _output(w, v, x) != batch[0][1]:
            return np.concatenate([w.ravel(), v]), batch


def _output(w: NDArray, v: NDArray, x: NDArray) -> Fraction:
    """f(x) = Σ_j v_j relu(w_j·x)."""
    return sum((v[j] * max(w[j] @ x, Fraction(0)) for j in range(len(v))), Fraction(0))


def jump_squared(theta: NDArray, batch: Batch, width: int, h: Fraction, loss_factor: Fraction) -> Fraction:
    """‖T(0+) - T(0-)‖² of the network across the kink of neuron 1 and example 1."""
    x = batch[0][0]
    direction = np.concatenate([x / (x @ x), np.array([Fraction(0)] * (len(theta) - len(x)), dtype=object)])
    w = theta[:-width].reshape(width, -1)
    slopes = [(abs(w[0] @ z), abs((x / (x @ x)) @ z)) for z, _ in batch[1:]]
    near = min((a / s for a, s in slopes if s), default=Fraction(1))  # no other example's kink within this distance
    above, below = one_sided(relu_step(batch, width, h, loss_factor), theta, direction, min(near / 4, Fraction(1)))
    return Fraction(sum((above - below) ** 2))


def claimed_squared(theta: NDArray, batch: Batch, width: int, h: Fraction, loss_factor: Fraction) -> Fraction:
    """h² δ² ‖∂a/∂θ‖², δ = ∂L/∂relu(a) of neuron 1 and example 1, ∂a/∂θ = x."""
    w, v = theta[:-width].reshape(width, -1), theta[-width:]
    x, y = batch[0]
    delta = 2 * loss_factor * (_output(w, v, x) - y) * v[0] / len(batch)
    return Fraction(h * h * delta * delta * (x @ x))


def check(
    width: int,
    inputs: int,
    examples: int,
    h: Fraction,
    seed: int,
    loss_factor: Fraction = Fraction(1, 2),
    silent: bool = False,
    claimed: Callable[..., Fraction] = claimed_squared,
) -> Verdict:
    """Compare squared jumps exactly, of a network and of one neuron with v = 1 held fixed.

    For the neuron the squared jump is (h x y)² at w = 0.

    ``silent`` sets v_1 = 0, so that δ = 0 and nothing jumps. For the neuron the step is that of w alone, over a mean of
    ``examples`` of which the others are inactive.
    """
    rng = np.random.default_rng([seed, width, inputs, examples])
    theta, batch = on_a_kink(rng, width, inputs, examples)
    if silent:
        theta[-width] = Fraction(0)
    result = jump_squared(theta, batch, width, h, loss_factor)
    expected = claimed(theta, batch, width, h, loss_factor)
    x, y = Fraction(int(rng.integers(1, 9)), 4), random_fraction(rng, -2, 2, 6)
    above, below = one_sided(neuron_step(x, y, h, loss_factor, examples), _number(0), _number(1), Fraction(1))
    neuron = (2 * loss_factor * h * x * y / examples) ** 2
    return comparisons.equal(
        NAME,
        ROWS,
        [result, Fraction((above - below)[0]) ** 2],
        [expected, neuron],
        ["network", "one neuron"],
        seed=seed,
        hypotheses="The activation is ReLU, the loss is squared, and one pre-activation is 0.",
        note=f"width {width}, {inputs} inputs, {examples} examples, h={h}, squared jumps",
    )


def neuron_step(x: Fraction, y: Fraction, h: Fraction, loss_factor: Fraction, examples: int) -> Step:
    """Return w - h∇ of the mean of loss_factor (relu(w x) - y)² and examples with x = 0, which do not move w."""

    def step(w: NDArray) -> NDArray:
        active = w * x > 0
        return w - np.where(active, 2 * loss_factor * h * (w * x - y) * x / examples, ZERO)

    return step


def _number(value: int) -> NDArray:
    return np.array([Fraction(value)], dtype=object)


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: one to three neurons, inputs and examples, with the factor ½ and without, with δ = 0."""
    for k in range(10 if tier == "standard" else 80):
        inputs = int(rng.integers(1, 4))
        yield {
            "width": int(rng.integers(1, 4)),
            "inputs": inputs,
            "examples": 1 if inputs == 1 else int(rng.integers(1, 4)),
            "h": random_fraction(rng, 0, 2, 10) + Fraction(1, 10),
            "loss_factor": Fraction(1, 1 + k % 2),
            "silent": k % 5 == 4,
            "seed": int(rng.integers(2**31)),
        }


def check_printed(h: Fraction = Fraction(1, 2), k: int = 30) -> Verdict:
    """Check exactly which properties a kink excludes, for one neuron with x = 1 and targets 1 or 2.

    Measured is |T a - T b|/|a - b| for a, b = ±2^-k, claimed what it is at least: h 2^(k-1) - 1. Its p-th moment is at
    least half of its p-th power, for every p > 0, so it is unbounded in k. And from w = 1/2, where no word meets the
    kink, backward iterates are Cauchy at rate (1-h)^n: discontinuity alone does not exclude convergence.
    """
    steps = [neuron_step(Fraction(1), Fraction(y), h, Fraction(1, 2), 1) for y in (1, 2)]
    near = Fraction(1, 2**k)
    a, b = (Operators.from_maps([steps[0]])[0](np.array([s * near], dtype=object))[0] for s in (1, -1))
    quotient = abs(a - b) / (2 * near)
    least = h * 2 ** (k - 1) - 1
    word = Operators.from_maps([steps[j % 3 == 0] for j in range(12)])
    path = backward_iterates(word, np.array([Fraction(1, 2)], dtype=object))[:, 0]
    rate = all(abs(path[n] - path[n + 1]) <= 2 * (1 - h) ** n for n in range(12))
    return Verdict(
        NAME,
        ROWS,
        "beyond",
        quotient >= least and rate,
        float(quotient),
        float(least),
        note=f"one neuron at h={h}: |Ta − Tb|/|a − b| = {float(quotient):.3g} for a, b = ±2^-{k} across the kink, and "
        f"backward increments from 1/2, whose words keep away from it, are at most 2(1−h)^n",
    )


def _with(claimed: Callable[..., Fraction]):
    return lambda seed: check(2, 2, 2, Fraction(1, 2), seed, claimed=claimed)


CONTROLS = (
    Control("the jump without |B|", _with(lambda *a: 4 * claimed_squared(*a)), "network"),
    Control("no jump", _with(lambda *a: Fraction(0)), "network"),
)


STATEMENT = Statement(
    name=NAME,
    paper=("Theorem 2.2",),
    claim="ReLU: T jumps by h‖δ_j‖‖∂a_j/∂θ‖ where a pre-activation a_j is 0 (one neuron: h|xy|), so Lip T = ∞ there",
    hypotheses="The activation is ReLU, the loss is squared, and one pre-activation is 0.",
    rows=(
        Row(
            79,
            "Theorem 2.2 for networks with kinks",
            "BEYOND",
            beyond="The paper names no activation for its MLPs. With ReLU one step of SGD jumps where a pre-activation "
            "is 0 and the loss depends on it: by h|xy| for one neuron and L(w) = (relu(wx) − y)²/2. So on a region "
            "with such a point inside T has no Lipschitz constant, and the hypothesis of Theorem 2.2 fails on that "
            "region, as does contraction in mean square. The discontinuities are a null set and convergence is not "
            "excluded. With tanh there are no jumps, which does not make the maps contract. Lyapunov exponents do not "
            "see jumps.",
        ),
    ),
    check=check,
    cases=cases,
    check_printed=check_printed,
    controls=CONTROLS,
    test="tests/theory/statements/section_2/test_kinks.py",
)
