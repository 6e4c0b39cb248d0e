"""The atlas of settling and the study of optimizers: many settings, each predicted before it is measured.

For every setting the top exponent is estimated first, with other seeds, and written to a file. Only then are the
distances measured that show whether backward or forward iterates settle.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from nn_experiments.results.studies import Study
from nn_experiments.studies.certified import certificate
from nn_experiments.studies.coupled import RUNS, exponents, measure
from nn_experiments.studies.made import Making
from nn_experiments.studies.setting import Setting
from nn_experiments.studies.settings import ATLAS, OPTIMIZERS, STEPS

__all__ = ["run"]

STUDIES = {"atlas": ATLAS, "optimizers": OPTIMIZERS}
#: Seeds that exponents are estimated from; distances are measured on seeds 0, 1, …
PREDICTING = range(100, 105)


def run(
    name: str,
    out: Path,
    *,
    seeds: int = 10,
    settings: Sequence[Setting] | None = None,
    steps: int | None = None,
    data_dir: str | None = None,
    report: Callable[[str], object] | None = None,
) -> Study:
    """Compute what is missing of ``atlas`` or ``optimizers`` and return the study.

    Parameters
    ----------
    name
        Which study.
    out
        Folder of the parts, two for each setting. A stopped run continues after the last finished part.
    seeds
        Replicates of every setting.
    settings, steps
        Settings and number of steps (default: those of the study).
    data_dir
        Folder with Fashion-MNIST's files.
    report
        Called with a line after each setting.

    Returns
    -------
    Study
        Arrays over (setting, replicate, …): what `measure` returns, ``n`` (setting, K), ``exponent`` (setting,
        predicting replicate, K), ``predicted_at`` and ``measured_at`` (seconds since 1970), and ``factor`` and
        ``displacement``, Theorem 2.2's k (NaN where none is certified) and D.
    """
    making = Making()
    chosen = STUDIES[name] if settings is None else tuple(settings)
    rows: list[dict[str, np.ndarray]] = []
    for k, setting in enumerate(chosen):
        length = steps or STEPS[setting.group]
        about = {"setting": setting.to_json(), "steps": length}
        part = out / f"{name}.parts" / f"{k:02d}"
        predict = partial(_predict, setting, length, data_dir)
        predicted = making.part(Path(f"{part}-predicted.npz"), {**about, "seeds": list(PREDICTING)}, predict)
        observe = partial(_observe, setting, length, seeds, data_dir)
        measured = making.part(Path(f"{part}-measured.npz"), {**about, "seeds": seeds}, observe)
        rows.append({**predicted.arrays, **measured.arrays})
        if report:
            report(f"{k + 1} of {len(chosen)}: {setting.name}")
    arrays = {key: np.stack([row[key] for row in rows]) for key in rows[0]}
    about = {"settings": [setting.to_json() for setting in chosen], "seeds": seeds, "runs": RUNS} | making.about()
    return Study(name, arrays, about)


def _predict(setting: Setting, steps: int, data_dir: str | None) -> dict[str, np.ndarray]:
    """Return the exponents of a setting, estimated with other seeds than those that are measured."""
    exponent = exponents(setting, PREDICTING, steps, data_dir=data_dir)
    return {"exponent": exponent, "predicted_at": np.array(time.time())}


def _observe(setting: Setting, steps: int, seeds: int, data_dir: str | None) -> dict[str, np.ndarray]:
    """Return the measurements of a setting, and its certificate."""
    measured = measure(setting, range(seeds), steps, data_dir=data_dir)
    known = certificate(setting, range(seeds), data_dir=data_dir)
    factor, displacement = known if known else (np.nan, np.full(seeds, np.nan))
    return {
        **measured,
        "factor": np.array(factor),
        "displacement": displacement,
        "measured_at": np.array(time.time()),
    }
