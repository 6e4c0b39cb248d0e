"""One law, two kinds of path: forward and backward iterates of many seeds at the same n (digits, minutes).

Every seed's forward path and backward iterates are recorded at every tenth n. At a fixed n the two orders have one law
(the identity of Theorem 2.6), and reversing the batches of a seed swaps its two iterates, so flipping the signs of
differences over seeds is an exact test. The control compares forward iterate n with backward iterate 1.2 n, whose law
differs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from nn_experiments.results.studies import Study
from nn_experiments.studies.bank import Bank
from nn_experiments.studies.made import Making
from nn_experiments.studies.setting import Setting

__all__ = ["METRICS", "run"]

METRICS = ("train_loss", "test_loss", "test_error", "norm", "mean_logit")
#: Replicates that are trained together.
TOGETHER = 20
#: Training and test images that curves are computed on, and test images whose logits are kept.
IMAGES, KEPT = 500, 10
SETTING = Setting(name="mlp-digits", data="digits", hidden=(100, 100), learning_rate=0.05, batch_size=8)


def run(
    out: Path,
    *,
    seeds: int = 200,
    steps: int = 400,
    every: int = 10,
    setting: Setting = SETTING,
    data_dir: str | None = None,
    report: Callable[[str], object] | None = None,
) -> Study:
    """Compute what is missing and return the study.

    Parameters
    ----------
    out
        Folder of the parts, one for each 20 seeds. A stopped run continues after the last finished part.
    seeds, steps, every
        Seeds 0 … ``seeds`` − 1, and iterates 0, ``every``, … ``steps``.
    setting
        The network.
    data_dir
        Folder of data files; digits need none.
    report
        Called with a line after each part.

    Returns
    -------
    Study
        ``n`` (K,); ``values`` (seed, order, n, metric) with orders forward, backward and `METRICS`; ``logits`` (seed,
        order, 4, image, class) at four quarters of the run.
    """
    making, parts = Making(), []
    at = list(range(0, steps + 1, every))
    for first in range(0, seeds, TOGETHER):
        chosen = range(first, min(first + TOGETHER, seeds))
        settings = {"setting": setting.to_json(), "seeds": list(chosen), "steps": steps, "every": every}
        path = out / "one-law.parts" / f"{first}.npz"
        parts.append(making.part(path, settings, partial(_part, setting, chosen, at, data_dir)))
        if report:
            report(f"seeds {chosen[0]} to {chosen[-1]}")
    arrays = {key: np.concatenate([part[key] for part in parts]) for key in ("values", "logits")}
    about = {"setting": setting.to_json(), "seeds": seeds, "steps": steps, "metrics": METRICS} | making.about()
    return Study("one-law", {"n": np.array(at), **arrays}, about)


def _part(setting: Setting, seeds: range, at: list[int], data_dir: str | None) -> dict[str, np.ndarray]:
    bank = Bank(setting, seeds, data_dir=data_dir, dtype=torch.float32)
    forward = bank.start()
    path = [forward.theta.clone() for _ in bank.forward(forward, at)]
    backward = bank.backward(at).theta
    kept = [int(np.searchsorted(at, quarter * at[-1] / 4)) for quarter in (1, 2, 3, 4)]
    values, logits = [], []
    for theta in (torch.cat(path, 1), backward):
        rows, recorded = [], []
        for k in range(len(at)):
            single = theta[:, k : k + 1]
            out = bank.outputs(single)
            test, accuracy = bank.judge(out)
            train, _ = bank.judge(bank.outputs(single, bank.inputs[:IMAGES]), bank.targets[:IMAGES])
            mean = out[..., 0].mean(-1)
            rows.append(torch.stack([train, test, 1 - accuracy, single.norm(dim=-1), mean], -1)[:, 0])
            if k in kept:
                recorded.append(out[:, 0, :KEPT])
        values.append(torch.stack(rows, 1))
        logits.append(torch.stack(recorded, 1))
    return {
        "values": torch.stack(values, 1).double().numpy(),
        "logits": torch.stack(logits, 1).numpy().astype(np.float32),
    }
