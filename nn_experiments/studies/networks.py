"""Does backward settle? The diagnosis of the paper's networks, with ReLU, tanh and GELU (torch).

Every setting is an experiment of the catalogue, diagnosed as by ``python -m nn_experiments diagnose``: the law of the
backward increments from forward runs under the same batches (row 77 of the audit), exponents by derivatives and by
pairs, and the jumps of maps at kinks (row 79). The arrays are kept, so that `nn_experiments.analysis.networks` judges
them by the rules of a diagnosis as they are now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from nn_experiments.paper.catalogue import EXPERIMENTS
from nn_experiments.results.studies import Study
from nn_experiments.runs.diagnose import diagnose_experiment
from nn_experiments.studies.made import Making

__all__ = ["ARRAYS", "SETTINGS", "Network", "run"]

#: Replicates of one part, after which a stopped run continues.
PART = 4
#: What is kept of a diagnosis: the fields of `nn_experiments.diagnosis.measured.Measured` that are arrays.
ARRAYS = ("n", "parameter", "function", "diverged", "derivative", "pairs", "jumps")


@dataclass(frozen=True)
class Network:
    """An experiment of the catalogue, how far it is asked about, and with how many replicates.

    Attributes
    ----------
    experiment
        Its name in the catalogue.
    steps
        N: the increments of backward iterates are measured up to here.
    replicates
        The most independent draws of the batches and of θ_0.
    changes
        Field -> value, as on the command line.
    """

    experiment: str
    steps: int
    replicates: int = 20
    changes: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Experiment and changes, for tables."""
        return ", ".join([self.experiment, *(f"{key}={value}" for key, value in self.changes.items())])

    def to_json(self) -> dict[str, object]:
        """Return all fields and the name as JSON-ready data."""
        fields = {"experiment": self.experiment, "steps": self.steps, "changes": dict(self.changes)}
        return {"name": self.name, **fields}


_REGRESSIONS = ("regression-square", "regression-cosine", "regression-cube")
_SMOOTH = ({}, {"activation": "tanh"}, {"activation": "gelu"})
SETTINGS = (
    *(Network(name, 1400, changes=changes) for name in _REGRESSIONS for changes in _SMOOTH),
    *(Network("mlp-fashion", 2000, 12 if changes else 20, changes) for changes in _SMOOTH),
)


def run(
    out: Path,
    *,
    seeds: int | None = None,
    settings: Sequence[Network] = SETTINGS,
    data_dir: str | None = None,
    report: Callable[[str], object] | None = None,
) -> Study:
    """Compute what is missing and return the study.

    Parameters
    ----------
    out
        Folder of the parts, each of a few replicates of a setting.
    seeds
        The most replicates of a setting (default: each setting's own number). Replicate r has seed r, and so the
        batches and the θ_0 of that seed in the figures.
    settings
        What to diagnose.
    data_dir
        Folder of data files.
    report
        Called with a line after each part.

    Returns
    -------
    Study
        For setting k the arrays ``n k``, ``parameter k``, …, those of `ARRAYS`, as
        `nn_experiments.diagnosis.measured.Measured` describes them, and all else in ``about["settings"]``.

    Raises
    ------
    ValueError
        If there are fewer than two replicates: a diagnosis needs two.
    """
    making = Making()
    arrays: dict[str, np.ndarray] = {}
    described = []
    for k, setting in enumerate(settings):
        replicates = setting.replicates if seeds is None else min(seeds, setting.replicates)
        if replicates < 2:
            raise ValueError(f"a diagnosis needs at least 2 replicates, got {replicates}")
        parts = []
        for first in range(0, replicates - 1, PART):  # a last single one belongs to the part before
            count = replicates - first if replicates - first <= PART + 1 else PART
            about = {"setting": setting.to_json(), "first": first, "count": count}
            # of more seeds the last part may be another one, which has a file of its own
            path = out / "networks.parts" / f"{setting.name.replace(', ', '--')}-{first}-to-{first + count - 1}.npz"
            parts.append(making.part(path, about, partial(_part, setting, first, count, data_dir)))
            if report:
                report(f"{setting.name}: replicates {first} to {first + count - 1}")
            if first + count == replicates:
                break
        for key in ARRAYS:
            every = [part[key] for part in parts]
            arrays[f"{key} {k}"] = every[0] if key == "n" else np.concatenate(every)
        if any(part["derivative"].size == 0 for part in parts):
            arrays[f"derivative {k}"] = np.empty(0)  # an interval over some of the replicates would be another one
        lag, eps, by = (str(parts[0][key]) for key in ("lag", "eps", "derivative_by"))
        described.append(
            {**setting.to_json(), "replicates": replicates, "lag": int(lag), "eps": float(eps), "derivative_by": by}
        )
    return Study("networks", arrays, {"settings": described} | making.about())


def _part(setting: Network, first: int, count: int, data_dir: str | None) -> dict[str, np.ndarray]:
    """Return what was measured in a diagnosis of some replicates."""
    measured = diagnose_experiment(
        EXPERIMENTS[setting.experiment].override(setting.changes),
        steps=setting.steps,
        replicates=count,
        seed=first,
        data_dir=data_dir,
    ).measured
    more = {key: np.array(getattr(measured, key)) for key in ("lag", "eps", "derivative_by")}
    return {key: getattr(measured, key) for key in ARRAYS} | more
