"""Where the order-averaging regulariser makes the paper's own network unstable (torch).

Figures 14 and 15's network, data and batches (5×500, Fashion-MNIST, |B| = 2048, c = 2), at learning rates from 10 to
320 times the paper's. The local quadratic model (see `nn_experiments.studies.order_averaging`) says that λ = m h² is
unstable from hΛ = 1/(c(c − 1)m) on, Λ the top eigenvalue of the batch's Hessian: at a sixteenth of plain SGD's limit
hΛ = 2 for the paper's m = 4, at a quarter for m = 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from nn_experiments.paper.catalogue import EXPERIMENTS
from nn_experiments.results.studies import Study
from nn_experiments.runs.setup import prepare
from nn_experiments.studies.made import Making
from nn_experiments.studies.order_averaging import run_curves

__all__ = ["CURVES", "RATES", "run"]

EXPERIMENT = "mlp-fashion-split-2"
RATES = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32)
CURVES = ("forward", "regularised-1", "regularised-4")
STEPS = 60
#: From the vector of the power iteration 10 and 20 products of the start's Hessian give 3.363 and 3.379.
ITERATIONS = 20


def run(
    out: Path,
    *,
    seeds: int = 3,
    rates: Sequence[float] = RATES,
    curves: Sequence[str] = CURVES,
    steps: int = STEPS,
    iterations: int = ITERATIONS,
    data_dir: str | None = None,
    report: Callable[[str], object] | None = None,
) -> Study:
    """Compute what is missing and return the study.

    Parameters
    ----------
    out
        Folder of the parts, one for each seed and learning rate.
    seeds
        Seeds 0, 1, … .
    rates, curves, steps
        Learning rates h, names of curves (``forward`` among them), and the number of plain steps.
    iterations
        Number of Hessian-vector products for each Λ.
    data_dir
        Folder of data files.
    report
        Called with a line after each part.

    Returns
    -------
    Study
        ``ends`` (1, rate, curve, seed, 2, 4) and ``eigenvalue`` (1, rate, seed, 2), as
        `nn_experiments.studies.order_averaging.run` describes them; the first axis is c = 2.
    """
    making = Making()
    ends = np.empty((1, len(rates), len(curves), seeds, 2, 4))
    eigenvalue = np.empty((1, len(rates), seeds, 2))
    experiment = EXPERIMENTS[EXPERIMENT]
    for b, rate in enumerate(rates):
        for seed in range(seeds):
            about = {"rate": rate, "seed": seed, "curves": list(curves), "steps": steps, "iterations": iterations}

            def part(h: float = rate, seed: int = seed) -> dict[str, np.ndarray]:
                place = prepare(experiment.override({"learning_rate": str(h)}), seed, data_dir=data_dir)
                return run_curves(place, curves, steps, iterations=iterations)

            arrays = making.part(out / "order-stability.parts" / f"{rate:g}-{seed}.npz", about, part)
            ends[0, b, :, seed], eigenvalue[0, b, seed] = arrays["ends"], arrays["eigenvalue"]
            if report:
                report(f"h = {rate:g}, seed {seed}")
    about = {"parts": [experiment.parts], "rates": list(rates), "curves": list(curves), "seeds": seeds}
    about |= {"steps": steps, "batch": experiment.batch_size, "iterations": iterations}
    return Study("order-stability", {"ends": ends, "eigenvalue": eigenvalue}, about | making.about())
