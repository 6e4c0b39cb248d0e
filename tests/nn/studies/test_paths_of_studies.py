"""Paths of the studies against plain loops: averages of forward's iterates, and the run that is kept near another."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nn_experiments.studies import certified, conjectures, coupled  # noqa: E402
from nn_experiments.studies.bank import Bank, join  # noqa: E402
from nn_experiments.studies.setting import Setting  # noqa: E402

SMALL = Setting(name="small", data="digits", hidden=(4,), learning_rate=0.05)


def test_averages_of_forward_are_those_of_its_iterates():
    """At each of the last 40 of 200 steps: the mean since step 100, and that of every twentieth iterate since 150."""
    bank, budget = Bank(SMALL, (0, 1)), 200
    found = conjectures._forward(bank, budget)
    chains = bank.start()
    path, moving = [chains.theta.clone()], chains.theta.clone()
    numbers = {name: [] for name in found}
    for n in range(1, budget + 1):
        bank.step(chains, bank.batch(n))
        path.append(chains.theta.clone())
        moving = 0.99 * moving + 0.01 * path[n]
        if n > budget - conjectures.POINTS:
            values = {
                "forward": path[n],
                "moving average": moving,
                "suffix mean": torch.stack(path[101 : n + 1]).mean(0),
                "average of snapshots": torch.stack([path[m] for m in range(160, n + 1, 20)]).mean(0),
            }
            for name, theta in values.items():
                numbers[name].append(conjectures._Curves(bank).numbers(theta)[:, 0])
    for name, (curve, gradients, steps) in found.items():
        assert (gradients, steps) == (budget, budget)
        np.testing.assert_allclose(curve, torch.stack(numbers[name], 1).numpy(), rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("method", ["sgd", "sign", "momentum", "adam", "adamw"])
def test_the_near_run_is_moved_back_along_its_own_direction(method):
    """Parameters and the optimizer's state together, and second moments stay at least 0."""
    bank = Bank(dataclasses.replace(SMALL, method=method, momentum=0.9 if method == "momentum" else 0.0), (0, 1, 2))
    chains = join([bank.start(), bank.start("second start")])
    for i in (1, 2, 3):
        bank.step(chains, bank.batch(i))
    base, near = coupled._state(chains).unbind(1)
    held = coupled.NEAR * (1 + base.norm(dim=-1))
    apart = near - base
    torch.testing.assert_close(coupled._distance(chains, 0, 1), apart.norm(dim=-1))
    coupled._renew(chains, 0, 1)
    expected = base + apart * (held / apart.norm(dim=-1))[:, None]
    if "adam" in method:
        expected[:, -chains.theta.shape[-1] :].clamp_(min=0)
    now = coupled._state(chains)
    torch.testing.assert_close(now[:, 0], base, rtol=0, atol=0)
    torch.testing.assert_close(now[:, 1] - base, expected - base, rtol=1e-6, atol=1e-14)
    coupled._near(chains, bank, 0, 1)
    distance = (coupled._state(chains)[:, 1] - base).norm(dim=-1)
    torch.testing.assert_close(distance, held, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("data", "loss", "rate"),
    [("digits", "mse", 1e-3), ("digits", "cross_entropy", 1e-3), ("least-squares-10x4", "mse", 1e-2)],
)
def test_the_certified_step_is_the_largest_over_single_data(data, loss, rate):
    """For labels and for numbers as targets: D is the longest step from θ_0 by one datum, found by taking each."""
    setting = Setting(name="linear", data=data, loss=loss, learning_rate=rate, weight_decay=0.5, batch_size=1)
    bank = Bank(setting, (0, 1))
    known = certified.certificate(setting, (0, 1))
    assert known is not None
    k, displacement = known
    assert 1 - rate * 0.5 <= k < 1
    start, longest = bank.start().theta[:, 0], torch.zeros(2, dtype=torch.float64)
    for x, target in zip(bank.inputs, bank.targets, strict=True):
        y = target.expand(2, 1) if target.dim() == 0 else target.expand(2, 1, 1, -1)
        if loss == "mse" and target.dim() == 0:
            y = torch.nn.functional.one_hot(target, bank.widths[-1]).double().expand(2, 1, 1, -1)
        chains = bank.start()
        bank.step(chains, (x.expand(2, 1, 1, -1), y))
        longest = torch.maximum(longest, (chains.theta[:, 0] - start).norm(dim=-1))
    np.testing.assert_allclose(displacement, longest.numpy(), rtol=1e-9)
