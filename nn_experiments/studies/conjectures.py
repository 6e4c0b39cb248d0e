"""The conjectures of the conclusion at equal cost: windows, resets, a late start, early stopping, early judgement.

Every strategy may use the same number of gradients for its whole path (digits, 20 seeds). Decisions (resets, stopping)
use one half of the test images, the "choosing half"; results are measured on the other one, the "judging half".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from nn_experiments.results.studies import Study
from nn_experiments.studies.bank import Bank
from nn_experiments.studies.made import Making
from nn_experiments.studies.setting import Setting

__all__ = ["STRATEGIES", "run"]

SETTING = Setting(name="mlp-digits", data="digits", hidden=(100, 100), learning_rate=0.05, batch_size=8)
BUDGET, WINDOW, BETA = 4000, 20, 0.99
#: Points of every path that are recorded: the last this many steps of it, at most.
POINTS = 40
STRATEGIES = (
    "forward",
    "moving average",
    "suffix mean",
    "average of snapshots",
    "decay to 0",
    "backward",
    "windows",
    "reset if better",
    "late backward",
)
#: Early judgement: the two learning rates, the step, and how many runs.
RATES, JUDGED_AT, RUNS = (0.05, 0.045), 150, 200


def run(
    out: Path,
    *,
    seeds: int = 20,
    budget: int = BUDGET,
    runs: int = RUNS,
    data_dir: str | None = None,
    report: Callable[[str], object] | None = None,
) -> Study:
    """Compute what is missing and return the study.

    Parameters
    ----------
    out
        Folder of the parts.
    seeds, budget
        Number of replicates, and number of gradients that the path of each strategy may cost.
    runs
        Number of runs for early judgement.
    data_dir
        Folder of data files; digits need none.
    report
        Called with a line after each part.

    Returns
    -------
    Study
        ``curves`` (strategy, seed, point, 4): loss and error on the choosing half and on the judging half, along the
        last points of each path (NaN before a shorter path begins); ``gradients``, ``steps`` (strategy,): the cost and
        the number of steps of the path. ``judged`` (way, rate, run, 2): loss and error at one fixed step of forward,
        backward and the moving average.
    """
    making, parts = Making(), []
    for first in range(0, seeds, 10):
        chosen = range(first, min(first + 10, seeds))
        about = {"setting": SETTING.to_json(), "seeds": list(chosen), "budget": budget}
        path = out / "conjectures.parts" / f"{first}.npz"
        parts.append(making.part(path, about, partial(_strategies, chosen, budget, data_dir)))
        if report:
            report(f"seeds {chosen[0]} to {chosen[-1]}")
    judged = making.part(out / "conjectures.parts" / "judged.npz", {"runs": runs}, lambda: _judgement(runs, data_dir))
    arrays = {
        "curves": np.concatenate([part["curves"] for part in parts], 1),
        "gradients": parts[0]["gradients"],
        "steps": parts[0]["steps"],
        "judged": judged["judged"],
    }
    about = {
        "setting": SETTING.to_json(),
        "strategies": STRATEGIES,
        "seeds": seeds,
        "budget": budget,
        "window": WINDOW,
        "beta": BETA,
        "rates": RATES,
        "judged_at": JUDGED_AT,
        "runs": runs,
    } | making.about()
    return Study("conjectures", arrays, about)


class _Curves:
    """The last points of one strategy's path."""

    def __init__(self, bank: Bank) -> None:
        self.bank, self.rows = bank, []
        self.half = len(bank.test_inputs) // 2

    def numbers(self, theta: torch.Tensor) -> torch.Tensor:
        """Return (R, S, 4): loss and error on the choosing half, then on the judging half."""
        out = self.bank.outputs(theta)
        columns = []
        for part in (slice(None, self.half), slice(self.half, None)):
            loss, accuracy = self.bank.judge(out[:, :, part], self.bank.test_targets[part])
            columns += [loss, 1 - accuracy]
        return torch.stack(columns, -1)

    def add(self, theta: torch.Tensor) -> torch.Tensor:
        """Record parameters (R, S, P) as the next S points; return their numbers."""
        now = self.numbers(theta)
        self.rows.append(now)
        return now

    def last(self) -> np.ndarray:
        """Return (R, POINTS, 4), NaN before the path begins."""
        whole = torch.cat(self.rows, 1)[:, -POINTS:]
        padding = torch.full((len(whole), POINTS - whole.shape[1], 4), torch.nan, dtype=whole.dtype)
        return torch.cat([padding, whole], 1).numpy()


def _strategies(seeds: range, budget: int, data_dir: str | None) -> dict[str, np.ndarray]:
    bank = Bank(SETTING, seeds, data_dir=data_dir, dtype=torch.float32)
    paths: dict[str, tuple[np.ndarray, int, int]] = {}
    paths |= _forward(bank, budget)
    paths["decay to 0"] = _decayed(bank, budget)
    paths["backward"] = _late(bank, 0, budget)
    paths["late backward"] = _late(bank, budget // 2, budget)
    for name, better in (("windows", False), ("reset if better", True)):
        paths[name] = _windows(bank, budget, only_if_better=better)
    return {
        "curves": np.stack([paths[name][0] for name in STRATEGIES]),
        "gradients": np.array([paths[name][1] for name in STRATEGIES]),
        "steps": np.array([paths[name][2] for name in STRATEGIES]),
    }


def _forward(bank: Bank, budget: int) -> dict[str, tuple[np.ndarray, int, int]]:
    """Return forward and the averages of its iterates, which have the same cost."""
    names = ("forward", "moving average", "suffix mean", "average of snapshots")
    curves = {name: _Curves(bank) for name in names}
    chains = bank.start()
    average = chains.theta.double()
    suffix, snapshots = torch.zeros_like(average), torch.zeros_like(average)
    counts = [0, 0]
    for n in bank.forward(chains, range(budget + 1)):
        now = chains.theta.to(torch.float64, copy=True)
        average = BETA * average + (1 - BETA) * now if n else now
        if n > budget // 2:
            suffix, counts[0] = suffix + now, counts[0] + 1
        if n > 3 * budget // 4 and n % 20 == 0:
            snapshots, counts[1] = snapshots + now, counts[1] + 1
        if n > budget - POINTS:
            for name, value in zip(
                names, (now, average, suffix / counts[0], snapshots / max(counts[1], 1)), strict=True
            ):
                curves[name].add(value.to(bank.dtype))
    return {name: (curve.last(), budget, budget) for name, curve in curves.items()}


def _decayed(bank: Bank, budget: int) -> tuple[np.ndarray, int, int]:
    """Return forward with a learning rate that falls linearly to 0 at the end."""
    chains, curves = bank.start(), _Curves(bank)
    for n in range(1, budget + 1):
        rate = SETTING.learning_rate * (1 - (n - 1) / budget)
        chains.theta.sub_(bank.gradient(chains.theta, bank.batch(n)), alpha=rate)
        if n > budget - POINTS:
            curves.add(chains.theta)
    return curves.last(), budget, budget


def _late(bank: Bank, switch: int, budget: int) -> tuple[np.ndarray, int, int]:
    """Return forward for ``switch`` steps and backward from there, for as many steps as the budget allows."""
    chains = bank.start()
    for _ in bank.forward(chains, [switch]):
        pass
    far = int((np.sqrt(8 * (budget - switch) + 1) - 1) / 2)
    curves = _Curves(bank)
    at = range(max(1, far - POINTS + 1), far + 1)
    curves.add(bank.backward(at, theta=chains.theta[:, 0], offset=switch).theta)
    return curves.last(), switch + far * (far + 1) // 2, switch + far


def _windows(bank: Bank, budget: int, *, only_if_better: bool) -> tuple[np.ndarray, int, int]:
    """Return backward in windows, each from the end of the one before it.

    With ``only_if_better`` the end of a window is accepted only if its loss on the choosing half is lower, which costs
    no gradient. Otherwise the next window starts again from the same point, with new batches.
    """
    cost = WINDOW * (WINDOW + 1) // 2
    count = budget // cost
    anchor, curves = bank.start().theta, _Curves(bank)
    best = curves.numbers(anchor)[..., 0]
    for k in range(count):
        window = bank.backward(range(1, WINDOW + 1), theta=anchor[:, 0], offset=k * WINDOW).theta
        now = curves.add(window)[:, -1:, 0]
        accepted = (now < best) if only_if_better else torch.ones_like(now, dtype=torch.bool)
        anchor = torch.where(accepted[..., None], window[:, -1:], anchor)
        best = torch.where(accepted, now, best)
    return curves.last(), count * cost, count * WINDOW


def _judgement(runs: int, data_dir: str | None) -> dict[str, np.ndarray]:
    """Return loss and error at one step for two learning rates, in three ways, for many runs (test images)."""
    rows = []
    for k, rate in enumerate(RATES):
        numbers = []
        for first in range(0, runs, 20):
            seeds = range(1000 * (k + 1) + first, 1000 * (k + 1) + min(first + 20, runs))  # independent of each other
            bank = Bank(dataclasses.replace(SETTING, learning_rate=rate), seeds, data_dir=data_dir, dtype=torch.float32)
            chains, average = bank.start(), bank.start().theta
            for n in bank.forward(chains, range(JUDGED_AT + 1)):
                average = BETA * average + (1 - BETA) * chains.theta if n else average
            theta = torch.cat([chains.theta, bank.backward([JUDGED_AT]).theta, average], 1)
            loss, accuracy = bank.judge(bank.outputs(theta))
            numbers.append(torch.stack([loss, 1 - accuracy], -1))
        rows.append(torch.cat(numbers))
    return {"judged": torch.stack(rows).permute(2, 0, 1, 3).double().numpy()}
