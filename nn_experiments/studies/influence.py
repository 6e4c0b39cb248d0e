"""The influence of single batches: how far the j-th outermost batch moves the backward iterate.

B_j is replaced by an independent batch in T_1 … T_n, and the two iterates are compared, for many j at once. All chains
apply the same maps except for that one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from nn_experiments.results.studies import Study
from nn_experiments.studies.bank import Bank
from nn_experiments.studies.certified import certificate
from nn_experiments.studies.coupled import exponents, grid
from nn_experiments.studies.made import Making
from nn_experiments.studies.setting import Setting
from nn_experiments.studies.settings import ATLAS

__all__ = ["run"]

CHOSEN = (
    "ridge logistic, digits, μ = 0.1",
    "ridge softmax, digits, μ = 0.1",
    "least squares, 10 data in 50 dimensions, label noise",
    "linear probe, μ = 0.02",
    "MLP, μ = 0",
    "MLP, μ = 0.03",
    "MLP, tanh, μ = 0.03",
)
STEPS = 1200


def run(
    out: Path,
    *,
    seeds: int = 10,
    steps: int = STEPS,
    settings: Sequence[Setting] | None = None,
    data_dir: str | None = None,
    report: Callable[[str], object] | None = None,
) -> Study:
    """Compute what is missing and return the study.

    Parameters
    ----------
    out
        Folder of the parts, one for each setting.
    seeds, steps
        Replicates, and n of the backward iterate T_1 … T_n θ_0.
    settings
        Settings (default: those of the study).
    data_dir
        Folder with Fashion-MNIST's files.
    report
        Called with a line after each setting.

    Returns
    -------
    Study
        ``j`` (J,): the exchanged batch, 1 the outermost. ``parameter``, ``function``, ``step`` (setting, replicate, J):
        how far the iterate moves, in parameters and in outputs, and how far apart the two are right after map j.
        ``independent``, ``independent_function`` (setting, replicate): distance of two independent iterates. ``factor``
        (setting,): a certified k, NaN where there is none. ``exponent`` (setting,): growth a step of a small difference
        over the last half of a forward run.
    """
    making = Making()
    chosen = tuple(settings) if settings is not None else tuple(entry for entry in ATLAS if entry.name in CHOSEN)
    at = _exchanged(steps)
    rows = []
    for k, setting in enumerate(chosen):
        about = {"setting": setting.to_json(), "steps": steps, "seeds": seeds}
        path = out / "influence.parts" / f"{k:02d}.npz"
        rows.append(making.part(path, about, partial(_measure, setting, range(seeds), steps, at, data_dir)))
        if report:
            report(setting.name)
    arrays = {key: np.stack([row[key] for row in rows]) for key in rows[0].arrays}
    about = {"settings": [setting.to_json() for setting in chosen], "seeds": seeds, "steps": steps} | making.about()
    return Study("influence", {"j": np.array(at), **arrays}, about)


def _exchanged(steps: int) -> list[int]:
    """Return about thirty j, more of them near the outermost batch."""
    return sorted({*range(1, 11), *np.unique(np.geomspace(11, steps, 20).astype(int)).tolist()})


def _measure(
    setting: Setting, seeds: range, steps: int, at: Sequence[int], data_dir: str | None
) -> dict[str, np.ndarray]:
    bank = Bank(setting, seeds, data_dir=data_dir)
    chains = bank.at(bank.start().theta.expand(-1, len(at) + 1, -1))  # the last one keeps its batches
    apart = torch.zeros(len(seeds), len(at), dtype=bank.dtype)
    for i in range(steps, 0, -1):
        if i in at:
            chain = at.index(i)
            alone = chains.copy_of(chain)
            bank.step(alone, bank.batch(i, "other batch"))
        bank.step(chains, bank.batch(i))
        if i in at:
            chain = at.index(i)
            chains.theta[:, chain : chain + 1] = alone.theta
            for memory, own in zip(chains.slots, alone.slots, strict=True):
                memory[:, chain : chain + 1] = own
            apart[:, chain] = (chains.theta[:, chain] - chains.theta[:, -1]).norm(dim=-1)
    other = bank.start()
    for _ in bank.forward(other, [steps], stream="other batch"):
        pass
    out, independent = bank.outputs(chains.theta), bank.outputs(other.theta)
    known = certificate(setting, seeds, data_dir=data_dir)
    growth = exponents(setting, seeds, steps, data_dir=data_dir)
    half = len(grid(steps)) // 2
    return {
        "parameter": (chains.theta[:, :-1] - chains.theta[:, -1:]).norm(dim=-1).numpy(),
        "function": _rms(out[:, :-1] - out[:, -1:]).numpy(),
        "step": apart.numpy(),
        "independent": (other.theta[:, 0] - chains.theta[:, -1]).norm(dim=-1).numpy(),
        "independent_function": _rms(independent - out[:, -1:])[:, 0].numpy(),
        "factor": np.array(known[0] if known else np.nan),
        "exponent": np.array(np.median(growth[:, -1] - growth[:, half]) / (steps / 2)),
    }


def _rms(difference: torch.Tensor) -> torch.Tensor:
    return difference.square().sum(-1).mean(-1).sqrt()
