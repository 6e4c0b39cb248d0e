"""What the paper leaves open: initialisation, sampling, scaling and batch norm's statistics (torch).

Each setting is an experiment of the catalogue with some fields changed. Its forward and backward iterates near the end
of training say whether "backward is steadier" depends on the choice. Batch norm is a further confound: a state holds
running statistics, which the last batches of a path decide, so that a test loss can move though the weights do not.
The same states are therefore evaluated a second time with statistics that are recomputed on B_1 … B_50, and a network
with group norm, which has no statistics, stands beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch

from nn_experiments.engine.batch_norm import StatisticsRefresh
from nn_experiments.paper import curve_names
from nn_experiments.paper.catalogue import EXPERIMENTS
from nn_experiments.results.studies import Study
from nn_experiments.runs.setup import prepare
from nn_experiments.studies.made import Making

__all__ = ["METRICS", "SETTINGS", "Choice", "run"]

#: Every path is recorded at this many iterates, the last one of which is the last step.
POINTS = 20
METRICS = ("train_loss", "test_loss", "train_loss_recomputed", "test_loss_recomputed")
#: Statistics are recomputed on so many batches.
REFRESH = 50


@dataclass(frozen=True)
class Choice:
    """An experiment with some choices changed.

    Attributes
    ----------
    experiment
        Its name in the catalogue.
    steps, every
        The last step, and the distance of the recorded iterates.
    changes
        Field -> value, as on the command line.
    """

    experiment: str
    steps: int
    every: int
    changes: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Experiment and changes, for tables."""
        return ", ".join([self.experiment, *(f"{key}={value}" for key, value in self.changes.items())])

    @property
    def at(self) -> list[int]:
        """The recorded iterates."""
        return [self.steps - self.every * k for k in reversed(range(POINTS))]

    def to_json(self) -> dict[str, object]:
        """Return all fields and the name as JSON-ready data."""
        fields = {
            "experiment": self.experiment,
            "steps": self.steps,
            "every": self.every,
            "changes": dict(self.changes),
        }
        return {"name": self.name, **fields}


_REGRESSIONS = ("regression-square", "regression-cosine", "regression-cube")
#: Figure 7 itself is the setting of mlp-fashion without changes.
SETTINGS = (
    *(
        Choice(name, 1400, 10, changes)
        for name in _REGRESSIONS
        for changes in (
            {},
            {"initialisation": "he_normal"},
            {"initialisation": "glorot_uniform"},
            {"sampling": "reshuffle"},
            {"sampling": "shuffle_once"},
        )
    ),
    Choice("mlp-fashion", 2000, 20, {"initialisation": "he_normal", "scaling": "standard"}),
    *(Choice("mlp-digits", 400, 5, {"model": model}) for model in ("convnet", "convnet-group")),
)


def run(
    out: Path,
    *,
    seeds: int = 5,
    settings: Sequence[Choice] = SETTINGS,
    data_dir: str | None = None,
    report: Callable[[str], object] | None = None,
) -> Study:
    """Compute what is missing and return the study.

    Parameters
    ----------
    out
        Folder of the parts, one a setting and seed.
    seeds
        Seeds 0, 1, … .
    settings
        What to run.
    data_dir
        Folder of data files.
    report
        Called with a line after each part.

    Returns
    -------
    Study
        ``n`` (setting, point): the recorded iterates; ``paths`` (setting, order, seed, point, metric): forward and
        backward, losses as `METRICS` names them; the last two are NaN where the network has no batch norm.
    """
    making = Making()
    paths = np.empty((len(settings), 2, seeds, POINTS, len(METRICS)))
    for k, setting in enumerate(settings):
        for seed in range(seeds):
            about = {"setting": setting.to_json(), "seed": seed, "refresh": REFRESH}
            path = out / "choices.parts" / f"{setting.name.replace(', ', '--')}-{seed}.npz"
            paths[k, :, seed] = making.part(path, about, partial(_part, setting, seed, data_dir))["paths"]
            if report:
                report(f"{setting.name}, seed {seed}")
    about = {"settings": [setting.to_json() for setting in settings], "seeds": seeds, "refresh": REFRESH}
    arrays = {"n": np.array([setting.at for setting in settings]), "paths": paths}
    return Study("choices", arrays, about | making.about())


def _part(setting: Choice, seed: int, data_dir: str | None) -> dict[str, np.ndarray]:
    place = prepare(EXPERIMENTS[setting.experiment].override(setting.changes), seed, data_dir=data_dir)
    refresh = StatisticsRefresh(place.step, place.batches, REFRESH)
    paths = np.full((2, POINTS, len(METRICS)), np.nan)
    for k, name in enumerate(("forward", "backward")):
        kernel = place.kernel(curve_names.parse(name), "auto")
        state, done = place.state0, 0
        for point, n in enumerate(setting.at):
            if name == "forward":
                state, done = kernel.apply(state, range(done + 1, n + 1), done), n
            else:
                state = kernel.apply(place.state0, range(n, 0, -1), 0)
            with torch.no_grad():
                values = place.evaluation(state, None, None)
                paths[k, point, :2] = [float(values[metric]) for metric in METRICS[:2]]
                if refresh.names:
                    values = place.evaluation(refresh(state), None, None)
                    paths[k, point, 2:] = [float(values[metric]) for metric in METRICS[:2]]
    return {"paths": paths}
