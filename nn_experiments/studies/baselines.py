"""End values of forward training and its averages, at equal cost, for the experiments of Figures 4 to 7 (minutes).

Starts and batches are those of the records. The ways are the last forward iterate, its moving average, the mean of the
second half, and a learning rate that falls linearly to 0 at the last step. Each costs N gradients, as one backward
iterate does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from nn_experiments.results.studies import Study
from nn_experiments.studies.bank import Bank
from nn_experiments.studies.made import Making
from nn_experiments.studies.setting import Setting

__all__ = ["EXPERIMENTS", "WAYS", "run"]

WAYS = ("forward", "moving average", "suffix mean", "decay to 0")
BETA = 0.99
#: Training images that losses are computed on, as in the records (regression: all).
SUBSET = 2000


def _regression(data: str, rate: float) -> Setting:
    return Setting(
        name=f"regression-{data}", data=data, hidden=(300, 300, 300), loss="mse", learning_rate=rate, batch_size=1
    )


#: Figure -> its experiment and its number of steps.
EXPERIMENTS: dict[str, tuple[Setting, int]] = {
    "fig4": (_regression("square", 0.05), 1400),
    "fig5": (_regression("cosine", 0.02), 1400),
    "fig6": (_regression("cube", 0.02), 1400),
    "fig7": (
        Setting(
            name="mlp-fashion",
            data="fashion_mnist-whole",
            hidden=(500,) * 5,
            learning_rate=0.001,
            batch_size=8,
            initialisation="glorot_uniform",
        ),
        2000,
    ),
}


def run(
    out: Path,
    *,
    seeds: int = 5,
    figures: Sequence[str] = tuple(EXPERIMENTS),
    steps: int | None = None,
    data_dir: str | None = None,
    report: Callable[[str], object] | None = None,
) -> Study:
    """Compute what is missing and return the study.

    Parameters
    ----------
    out
        Folder of the parts, one for each figure and seed.
    seeds
        The number of seeds 0, 1, …, which are those of the figures.
    figures
        Names from `EXPERIMENTS` (default: all).
    steps
        Number of steps (default: that of the figure).
    data_dir
        Folder with Fashion-MNIST's files.
    report
        Called with a line after each part.

    Returns
    -------
    Study
        For each figure ``fig4``, … (seed, way, 4): train loss, test loss, train error, test error at the last step (NaN
        errors for regression), ways as in `WAYS`.
    """
    making = Making()
    arrays = {}
    for name in figures:
        setting, length = EXPERIMENTS[name]
        length = steps or length
        rows = []
        for seed in range(seeds):
            about = {"setting": setting.to_json(), "steps": length, "seed": seed}
            path = out / "baselines.parts" / f"{name}-{seed}.npz"
            part = making.part(path, about, lambda s=setting, n=length, k=seed: {"ends": _ends(s, k, n, data_dir)})
            rows.append(part["ends"])
            if report:
                report(f"{name}, seed {seed}")
        arrays[name] = np.stack(rows)
    return Study("baselines", arrays, {"ways": WAYS, "seeds": seeds, "beta": BETA} | making.about())


def _ends(setting: Setting, seed: int, steps: int, data_dir: str | None) -> np.ndarray:
    bank = Bank(setting, (seed,), data_dir=data_dir, dtype=torch.float32)
    chains, decayed = bank.start(), bank.start().theta
    average = chains.theta.clone()
    suffix = torch.zeros_like(average, dtype=torch.float64)
    for n in range(1, steps + 1):
        batch = bank.batch(n)
        bank.step(chains, batch)
        decayed.sub_(bank.gradient(decayed, batch), alpha=setting.learning_rate * (1 - (n - 1) / steps))
        average.mul_(BETA).add_(chains.theta, alpha=1 - BETA)
        if n > steps // 2:
            suffix += chains.theta
    suffix = (suffix / (steps - steps // 2)).to(bank.dtype)
    return np.array([_numbers(bank, theta) for theta in (chains.theta, average, suffix, decayed)])


def _numbers(bank: Bank, theta: torch.Tensor) -> list[float]:
    numbers = []
    sets = ((bank.inputs[:SUBSET], bank.targets[:SUBSET]), (bank.test_inputs, bank.test_targets))
    for inputs, targets in sets:
        out = torch.cat([bank.outputs(theta, inputs[k : k + 1000]) for k in range(0, len(inputs), 1000)], 2)
        loss, accuracy = bank.judge(out, targets)
        numbers.append((float(loss), 1 - float(accuracy)))
    return [numbers[0][0], numbers[1][0], numbers[0][1], numbers[1][1]]
