"""What studies measure, against plain loops over single chains of a model with four numbers (in float64).

Both compute the same maps with sums in another order. At most 100 steps round a few times each, by 2⁻⁵³ of numbers
below 100, and what is compared has slopes of about 1: 1e-12 is more than the differences that this makes.
"""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nn_experiments.studies import conjectures, coupled, one_law  # noqa: E402
from nn_experiments.studies.bank import Bank, Chains  # noqa: E402
from nn_experiments.studies.setting import Setting  # noqa: E402

SMALL = Setting(name="small", data="least-squares-6x3", loss="mse", learning_rate=0.1, batch_size=2)
DIGITS = Setting(name="digits", data="digits", hidden=(3,), learning_rate=0.05, batch_size=4)
close = partial(np.testing.assert_allclose, rtol=0, atol=1e-12)


def path(bank: Bank, word: list[int], *, stream: str = "batch", chains: Chains | None = None) -> list[torch.Tensor]:
    """Return the parameters (R, P) before the maps of a word, innermost first, and after each of them."""
    chains = bank.start() if chains is None else chains
    found = [chains.theta[:, 0].clone()]
    for i in word:
        bank.step(chains, bank.batch(i, stream))
        found.append(chains.theta[:, 0].clone())
    return found


def far(one: torch.Tensor, other: torch.Tensor) -> np.ndarray:
    return ((one - other) ** 2).sum(-1).sqrt().numpy()


def far_in_outputs(bank: Bank, one: torch.Tensor, other: torch.Tensor) -> np.ndarray:
    gap = bank.outputs(one[:, None])[:, 0] - bank.outputs(other[:, None])[:, 0]
    return np.sqrt((gap**2).sum(-1).mean(-1).numpy())


@pytest.mark.parametrize("method", ["sgd", "momentum"])
def test_distances_of_runs_under_the_same_maps(method: str) -> None:
    """One and 24 steps ahead, from a second start, under other maps, one step later, and from iterate 24: at even n."""
    setting = dataclasses.replace(SMALL, method=method, momentum=0.5 if method == "momentum" else 0.0)
    steps, bank = 48, Bank(setting, (0, 3))
    found = coupled.measure(setting, (0, 3), steps)
    whole = list(range(1, steps + 2))
    own = path(bank, whole)
    runs = []
    for ahead in (1, 24):
        chains = bank.start()
        path(bank, list(range(1, ahead + 1)), stream="ahead", chains=chains)
        runs.append(path(bank, whole, chains=chains))
    runs.append(path(bank, whole, chains=bank.start("second start")))
    runs.append(path(bank, whole, stream="other batch"))
    runs.append(own[1:])
    assert found["n"].tolist() == list(range(0, 49, 2))
    for k, n in enumerate(found["n"]):
        for column, run in enumerate([*(run[n] for run in runs), own[24]]):
            if column == 5 and n < 24:
                assert np.isnan(found["parameter"][:, k, 5]).all()
                continue
            close(found["parameter"][:, k, column], far(run, own[n]))
            close(found["function"][:, k, column], far_in_outputs(bank, run, own[n]))
        close(found["norm"][:, k], own[n].norm(dim=-1).numpy())
        loss, _ = bank.judge(bank.outputs(own[n][:, None]))
        close(found["loss"][:, k], loss[:, 0].numpy())
    ends = {n: path(bank, list(range(n, 0, -1)))[-1] for n in (24, 25, 48, 49)}
    for column, (a, b) in enumerate(((24, 48), (24, 25), (48, 49))):
        close(found["backward_parameter"][:, column], far(ends[a], ends[b]))
        close(found["backward_function"][:, column], far_in_outputs(bank, ends[a], ends[b]))


@pytest.mark.parametrize("steps", [0, 46, 47, 49, 51])
def test_grids_of_odd_or_few_steps_are_refused(steps: int) -> None:
    with pytest.raises(ValueError, match="steps must be an even number of at least 48"):
        coupled.grid(steps)


def test_the_rate_falls_to_zero_in_equal_steps(monkeypatch) -> None:
    """The last of 50 steps has a fiftieth of the rate; 40 points are kept, those after steps 11 to 50."""
    bank, theta, points = Bank(DIGITS, (0, 1)), None, []
    theta = bank.start().theta
    for n in range(1, 51):
        theta = theta - 0.05 * (51 - n) / 50 * bank.gradient(theta, bank.batch(n))
        points.append(conjectures._Curves(bank).numbers(theta)[:, 0].numpy())
    curve, gradients, steps = conjectures._decayed(bank, 50)
    close(curve, np.stack(points[10:], 1))
    assert (gradients, steps) == (50, 50)


@pytest.mark.parametrize("better", [False, True], ids=["all", "only if better"])
def test_windows_begin_where_the_last_one_that_counts_has_ended(better: bool, monkeypatch) -> None:
    """Windows of three maps, which cost six gradients each: four of them for a budget of 29, with new maps each.

    With so large a rate that some windows make the loss on the first half of the test images larger.
    """
    monkeypatch.setattr(conjectures, "WINDOW", 3)
    bank = Bank(dataclasses.replace(DIGITS, learning_rate=2.0), (0, 1, 2))
    curve, gradients, steps = conjectures._windows(bank, 29, only_if_better=better)
    assert (gradients, steps) == (24, 12)
    numbers = conjectures._Curves(bank).numbers
    anchor = bank.start().theta[:, 0]
    best, points, refused = numbers(anchor[:, None])[:, 0, 0], [], 0
    for first in (1, 4, 7, 10):
        for n in (1, 2, 3):
            end = path(bank, list(range(first + n - 1, first - 1, -1)), chains=bank.at(anchor[:, None]))[-1]
            points.append(numbers(end[:, None])[:, 0])
        taken = points[-1][:, 0] < best if better else torch.ones(3, dtype=torch.bool)
        refused += int((~taken).sum())
        anchor = torch.where(taken[:, None], end, anchor)
        best = torch.where(taken, points[-1][:, 0], best)
    close(curve[:, -12:], torch.stack(points, 1).numpy())
    assert np.isnan(curve[:, :-12]).all()
    assert (refused > 0) == better


def test_halves_of_the_test_images_choose_and_judge() -> None:
    bank = Bank(DIGITS, (0,))
    theta = bank.start().theta
    half = len(bank.test_inputs) // 2
    found = conjectures._Curves(bank).numbers(theta)[0, 0]
    for k, part in enumerate((slice(0, half), slice(half, None))):
        loss, accuracy = bank.judge(bank.outputs(theta, bank.test_inputs[part]), bank.test_targets[part])
        close(found[2 * k : 2 * k + 2].numpy(), [float(loss), 1 - float(accuracy)])


def test_early_judgement_has_runs_of_its_own_for_each_rate(monkeypatch) -> None:
    """Three runs of five steps for rates 0.05 and 0.1, two at a time: forward, backward, and the moving average."""
    monkeypatch.setattr(conjectures, "Bank", lambda *given, **more: Bank(*given, **{**more, "dtype": torch.float64}))
    monkeypatch.setattr(conjectures, "SETTING", DIGITS)
    monkeypatch.setattr(conjectures, "RATES", (0.05, 0.1))
    monkeypatch.setattr(conjectures, "JUDGED_AT", 5)
    found = conjectures._judgement(23, None)["judged"]  # twenty runs are trained together, and three
    assert found.shape == (3, 2, 23, 2)
    for k, rate in enumerate((0.05, 0.1)):
        for run in (0, 19, 20, 22):
            bank = Bank(dataclasses.replace(DIGITS, learning_rate=rate), (1000 * (k + 1) + run,))
            forward, backward = path(bank, [1, 2, 3, 4, 5]), path(bank, [5, 4, 3, 2, 1])
            average = forward[0]
            for theta in forward[1:]:
                average = 0.99 * average + 0.01 * theta
            for way, theta in enumerate((forward[-1], backward[-1], average)):
                loss, accuracy = bank.judge(bank.outputs(theta[:, None]))
                close(found[way, k, run], [float(loss), 1 - float(accuracy)])


def test_one_law_is_measured_on_single_iterates(monkeypatch) -> None:
    """Both orders at n = 0, 2, …, 8, and the logits of ten test images at four quarters: 2, 4, 6 and 8."""
    monkeypatch.setattr(one_law, "Bank", lambda *given, **more: Bank(*given, **{**more, "dtype": torch.float64}))
    at = [0, 2, 4, 6, 8]
    found = one_law._part(DIGITS, range(2), at, None)
    bank = Bank(DIGITS, (0, 1))
    assert found["values"].shape == (2, 2, 5, 5)
    assert found["logits"].shape == (2, 2, 4, 10, 10)
    for order in (0, 1):
        for k, n in enumerate(at):
            word = list(range(1, n + 1)) if order == 0 else list(range(n, 0, -1))
            theta = path(bank, word)[-1][:, None]
            out = bank.outputs(theta)
            test, accuracy = bank.judge(out)
            train, _ = bank.judge(bank.outputs(theta, bank.inputs[:500]), bank.targets[:500])
            numbers = [train, test, 1 - accuracy, theta.norm(dim=-1), out[..., 0].mean(-1)]
            close(found["values"][:, order, k], torch.cat(numbers, 1).numpy())
            if n:
                logits = out[:, 0, :10].numpy().astype(np.float32)
                # stored in float32, so that a difference of 1e-12 may round to a neighbour, 2⁻²³ away
                np.testing.assert_allclose(found["logits"][:, order, k - 1], logits, rtol=2.0**-23, atol=0)
