"""Diagnoses of trainings whose behaviour is known, each beside one that differs in one thing and gets another word.

Maps are of a few numbers in float64. The levels of the tests inside a diagnosis make a wrong word possible with small
probability; where one is expected here, all replicates are on one side by an exact argument, which is given.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import nn_experiments as nne
from nn_experiments.diagnosis.measured import AHEAD, NEXT, START
from tests.nn.diagnosis.subjects import Maps


def normal(size: int, scale: float = 1.0):
    """Return a function that draws normal numbers."""
    return lambda rng: scale * rng.standard_normal(size)


def quadratic(h: float, a: float = 1.0) -> Maps:
    """SGD on ½ a (w − x)², x normal: the distance of two runs under the same x is |1 − ha|ⁿ of what it was, exactly."""
    return Maps(lambda w, x: w - h * a * (w - x), normal(3), [2.0, 0.0, -1.0])


def test_a_quadratic_contracts_at_its_rate() -> None:
    found = quadratic(0.1).diagnose(200)
    assert found.verdict == "contracting"
    measured = found.measured
    for column in (NEXT, AHEAD):
        d = measured.parameter[..., column]
        assert np.allclose(d, d[:, :1] * 0.9**measured.n, rtol=1e-6, atol=1e-13)
    for interval in (found.judgement.derivative, found.judgement.pairs):
        assert interval is not None
        assert np.allclose(interval, math.log(0.9), atol=1e-4)
    assert measured.derivative_by.startswith("pairs held 1e-08")
    # the unit is the distance of two AR(1) paths: settled where 0.9^n d(0) is below eps of it, which is seen at once
    ratio = np.median(measured.ratio("parameters", AHEAD), axis=0)
    n = found.judgement.findings["parameters, lag 100"].settles[0]
    first = int(np.flatnonzero(measured.n == n)[0])
    assert ratio[first] <= measured.eps < ratio[first - 1]


@pytest.mark.parametrize(
    ("h", "word"), [(0.02, "too early"), (0.0005, "undecided"), (1.9, "contracting"), (2.5, "diverged")]
)
def test_other_rates(h: float, word: str) -> None:
    """0.98^100 = .13 of what it was; 0.9995^100 is .95 (and eps beyond 10 N); |1 − 1.9| = .9; |1 − 2.5| = 1.5."""
    found = quadratic(h).diagnose(100)
    assert found.verdict == word
    if word == "too early":
        # what it predicts is exact: the distance falls by log 0.98 a step, from the upper quartile at N
        predicted = found.judgement.predicted
        ratio = found.measured.ratio("parameters", AHEAD)[:, -1]
        assert predicted is not None
        to_go = math.log(np.sort(ratio)[15] / 0.05)  # of 20
        assert np.allclose(predicted, 100 + to_go / -math.log(0.98), rtol=1e-6)
        assert quadratic(h).diagnose(2 * math.ceil(predicted[2])).verdict == "contracting"
    if word == "diverged":  # 1.5^n exceeds 10^6 within 40 steps
        assert 0 < found.measured.diverged.min() <= found.measured.diverged.max() <= 60


def logistic(h: float, ridge: float) -> tuple[Maps, float]:
    """Return SGD on a ridge logistic loss, one of 20 examples a step, and the certified factor of every map.

    The Hessian of one example's loss is between ridge and ridge + |x|²/4.
    """
    rng = np.random.default_rng(0)
    x, sign = torch.from_numpy(rng.standard_normal((20, 2))), torch.from_numpy(rng.choice([-1.0, 1.0], 20))

    def apply(w: torch.Tensor, draw: torch.Tensor) -> torch.Tensor:
        one, y = x[int(draw)], sign[int(draw)]
        return w - h * (ridge * w - y * one * torch.sigmoid(-y * (one @ w)))

    largest = ridge + float((x**2).sum(1).max()) / 4
    maps = Maps(apply, lambda rng: rng.integers(20), [1.0, 1.0], predict=lambda w: (x @ w)[:, None])
    return maps, max(abs(1 - h * ridge), abs(1 - h * largest))


def test_ridge_logistic_regression_contracts_at_least_as_fast_as_certified() -> None:
    maps, k = logistic(0.2, 0.2)
    assert k == pytest.approx(0.96)
    found = maps.diagnose(300)
    assert found.verdict == "contracting"
    measured = found.measured
    for column in (NEXT, AHEAD):
        d = measured.parameter[..., column]
        assert (d <= d[:, :1] * k**measured.n * (1 + 1e-9) + 1e-13).all()
    for interval in (found.judgement.derivative, found.judgement.pairs):
        assert interval is not None
        assert interval[2] <= math.log(k) + 1e-6
    # by the certified factor: from n on, k^n times the largest first distance is below eps of the smallest unit
    late = measured.n > 20
    bound = math.log(0.05 * measured.unit("parameters")[:, late].min() / measured.parameter[:, 0, :2].max()) / math.log(
        k
    )
    n = found.judgement.findings["parameters, lag 150"].settles
    assert n[0] <= bound + 300 / 40
    assert logistic(0.2, 0.0)[0].diagnose(60).verdict != "contracting"  # without the ridge, and in fewer steps


def linear_network(h: float, noise: float) -> Maps:
    """SGD with label noise on w·v·x, w and v in R³: only w ± v matter, and all of their entries have common factors.

    In u = w + v and s = w − v a step multiplies u by 1 − 2hr and s by 1 + 2hr, r the residual: so directions stay as
    they are at the start, and s goes to 0 at the rate E log |1 − 4h²r²| together with u settling. From one start
    everything is forgotten; two starts keep different directions, with the same predictions.
    """

    def apply(theta: torch.Tensor, draw: torch.Tensor) -> torch.Tensor:
        w, v = theta[:3], theta[3:]
        r = w @ v - 1 - noise * draw[0]
        return torch.cat([w - 2 * h * r * v, v - 2 * h * r * w])

    return Maps(
        apply,
        normal(1),
        [1.0, 0.3, 0.0, 0.8, 0.0, 0.2],
        [0.0, 0.2, 1.0, 0.1, 0.4, 0.8],
        predict=lambda theta: (theta[:3] @ theta[3:])[None, None],
    )


def test_a_linear_network_forgets_a_start_up_to_symmetry() -> None:
    found = linear_network(0.05, 2.0).diagnose(
        400
    )  # log |s| falls by about 4h²·4 = .04 a step: 16, and has a spread of 4
    assert found.verdict == "contracting"
    tests = found.judgement.findings
    assert tests["predictions, other start"].settled
    assert tests["parameters, other start"].apart
    without = linear_network(0.05, 0.0).diagnose(60)  # no noise: s does not go to 0, and runs are not random
    assert without.verdict != "expanding"


def flat(scale: float) -> Maps:
    """A contracting weight, which predicts, beside one that random gradients push about and nothing pulls back."""
    return Maps(
        lambda w, x: torch.stack([w[0] - 0.1 * (w[0] - x[0]), w[1] * (1 - 0.1 * scale) - 0.1 * x[1]]),
        normal(2),
        [1.0, 1.0],
        predict=lambda w: w[None, :1],
    )


def test_a_flat_direction_is_told_from_a_contracting_one() -> None:
    """The second weight is a random walk, which forgets nothing: its distance stays what it was."""
    found = flat(0.0).diagnose(200)
    assert found.verdict == "settled up to symmetry or flat directions"
    assert flat(1.0).diagnose(200).verdict == "contracting"


def test_a_random_walk_settles_nowhere_and_nothing_says_so() -> None:
    found = Maps(lambda w, x: w + x, normal(2), [0.0, 0.0]).diagnose(200)
    assert found.verdict == "undecided"
    derivative = found.judgement.derivative
    assert derivative is not None
    assert derivative[1] <= 0 <= derivative[2] or abs(derivative[0]) < 1e-6


def label_noise(dimension: int) -> Maps:
    """Least squares with label noise on 3 orthonormal examples in R^dimension; above 3 there are flat directions."""

    def apply(w: torch.Tensor, draw: torch.Tensor) -> torch.Tensor:
        k = int(draw[0])
        moved = w.clone()
        moved[k] = w[k] - 0.3 * (w[k] - 1 - draw[1])
        return moved

    return Maps(
        apply,
        lambda rng: np.array([rng.integers(3), rng.standard_normal()]),
        [0.0] * dimension,
        [2.0] * dimension,
        predict=lambda w: w[:3, None],
    )


def test_least_squares_with_label_noise() -> None:
    """From one start nothing ever moves in a flat direction, so it settles; two starts stay apart by 2 in each.

    A run from one start is pulled by 0.7 whenever an example is drawn: 200 steps have each about 67 times.
    """
    found = label_noise(6).diagnose(200)
    assert found.verdict == "contracting"
    tests = found.judgement.findings
    assert tests["predictions, other start"].settled
    assert tests["parameters, other start"].apart
    assert np.allclose(found.measured.parameter[:, -1, START], math.sqrt(12), atol=1e-3)
    full = label_noise(3).diagnose(200).judgement.findings
    assert full["parameters, other start"].settled


def sign_step(smooth: bool) -> Maps:
    """SGD by the sign of the gradient of ½(w − x)², and with a smooth sign beside it."""
    sign = (lambda g: torch.tanh(g)) if smooth else torch.sign
    return Maps(lambda w, x: w - 0.1 * sign(w - x), normal(10), [1.0, 0.0, -1.0, 0.5, 2.0] * 2)


def test_sign_sgd_jumps_and_does_not_settle() -> None:
    """Two runs from θ_0, one of them a step ahead, are an odd multiple of h apart for ever: they never meet."""
    found = sign_step(smooth=False).diagnose(400)
    assert found.verdict == "discontinuous"
    assert found.measured.parameter[:, -1, NEXT].min() > 0.09
    smooth = sign_step(smooth=True).diagnose(400)
    assert smooth.verdict == "contracting"
    assert smooth.judgement.jumps[1] == 0


class Folded(torch.nn.Module):
    """Four weights; SGD at rate 1 on the loss below maps each to ±(1 − a w²), the sign being that of the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.tensor([0.3, -0.2, 0.7, 0.1], dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.w.expand(len(x), -1)


def folded(a: float, **options: object) -> nne.Diagnosis:
    """Diagnose it."""

    def loss(w: torch.Tensor, sign: torch.Tensor) -> torch.Tensor:
        return (w**2 / 2 - sign * (w - a * w**3 / 3)).sum(1).mean()

    model = Folded()
    signs = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(4)[torch.randperm(8)][:, None]
    batches = nne.ArrayBatches(signs, signs, batch_size=1, seed=0)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    return nne.diagnose(model, loss, optimizer, batches, progress=False, **options)  # type: ignore[arg-type]


def test_a_planted_exponent() -> None:
    """w → ±(1 − 2w²) keeps the law with density 1/(π√(1 − w²)), under which E log |4w| = log 2 (Ulam and von Neumann).

    Each weight has it by itself, so it is the top exponent. The mean over 11 replicates is within five of its standard
    errors; a tangent of four independent weights follows the one that happens to have grown most, at most
    (max − mean of the four logarithms)/n above log 2: below 0.25 at n = 37.
    """
    found = folded(2.0, steps=100, replicates=11)
    assert found.verdict == "expanding"
    assert found.measured.derivative_by == "derivatives"
    derivative = found.judgement.derivative
    assert derivative is not None
    error = (derivative[2] - derivative[1]) / 2 / 2.228  # Student's t with 10 degrees of freedom
    assert math.log(2) - 5 * error < derivative[0] < math.log(2) + 5 * error + 0.25
    tame = folded(0.4, steps=100, replicates=11)  # the slope is at most 0.8
    assert tame.verdict == "contracting"
    assert tame.judgement.derivative is not None
    assert tame.judgement.derivative[2] < math.log(0.8)
