"""The atlas of settling, and any optimizer: many settings measured in one way, each predicted before it is measured.

For every setting the top exponent is estimated first, from seeds of its own, and written down; only then are the
distances measured that say whether backward or forward iterates settle.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from nn_experiments.results.studies import Study, resumed
from nn_experiments.studies.certified import certificate
from nn_experiments.studies.coupled import RUNS, exponents, measure
from nn_experiments.studies.made import made_by
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
        Folder of the parts, two a setting: a stopped run goes on from the last of them.
    seeds
        Replicates of every setting.
    settings, steps
        In place of the study's own.
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
    begin = time.perf_counter()
    chosen = STUDIES[name] if settings is None else tuple(settings)
    rows: list[dict[str, np.ndarray]] = []
    for k, own in enumerate(chosen):
        length = steps or STEPS[own.group]
        about = {"setting": own.to_json(), "steps": length}
        folder = out / f"{name}.parts"

        def predict(own: Setting = own, length: int = length) -> dict[str, np.ndarray]:
            found = exponents(own, PREDICTING, length, data_dir=data_dir)
            return {"exponent": found, "predicted_at": np.array(time.time())}

        def observe(own: Setting = own, length: int = length) -> dict[str, np.ndarray]:
            found = measure(own, range(seeds), length, data_dir=data_dir)
            known = certificate(own, range(seeds), data_dir=data_dir)
            factor, displacement = known if known else (np.nan, np.full(seeds, np.nan))
            more = {"factor": np.array(factor), "displacement": displacement, "measured_at": np.array(time.time())}
            return found | more

        slug = f"{k:02d}"
        predicted = resumed(folder / f"{slug}-predicted.npz", {**about, "seeds": list(PREDICTING)}, predict)
        measured = resumed(folder / f"{slug}-measured.npz", {**about, "seeds": seeds}, observe)
        rows.append({**predicted.arrays, **measured.arrays})
        if report:
            report(f"{k + 1} of {len(chosen)}: {own.name}")
    arrays = {key: np.stack([row[key] for row in rows]) for key in rows[0]}
    about = {"settings": [own.to_json() for own in chosen], "seeds": seeds, "runs": RUNS} | made_by(begin)
    return Study(name, arrays, about)
