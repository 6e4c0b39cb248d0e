"""Compute or resume a study by name, and write its results into one file."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from contraction.files import check_writable_folder
from nn_experiments.results.studies import Study, check_keeps_seeds, seeds_of, study_path
from nn_experiments.studies import (
    baselines,
    choices,
    conjectures,
    influence,
    networks,
    one_law,
    order_averaging,
    order_stability,
    quadratics,
    settling,
)

__all__ = ["STUDIES", "run_study"]

#: Name -> description, with the time on one free CPU core, and the function that computes it.
STUDIES: dict[str, tuple[str, Callable[..., Study]]] = {
    "one-law": ("forward and backward iterates of 200 seeds (digits): 4 minutes", one_law.run),
    "atlas": (
        "where training settles: 40 settings, 10 replicates (digits, Fashion-MNIST, least squares): 25 minutes",
        lambda out, **more: settling.run("atlas", out, **more),
    ),
    "optimizers": (
        "SGD, momentum, Adam, AdamW and sign-SGD: 18 settings, 10 replicates (digits): 8 minutes",
        lambda out, **more: settling.run("optimizers", out, **more),
    ),
    "conjectures": ("the conclusion's conjectures at equal gradients (digits, 20 seeds): 3 minutes", conjectures.run),
    "baselines": ("Figures 4 to 7's experiments at the cost of one end value, 5 seeds: 6 minutes", baselines.run),
    "quadratics": ("momentum, Adam and sign-SGD on quadratics: seconds", quadratics.run),
    "order-averaging": (
        "the order-averaging regulariser, every learning rate tuned (digits, 6 seeds): 10 minutes",
        order_averaging.run,
    ),
    "order-stability": (
        "where the order-averaging regulariser is unstable (Figure 14's network, 3 seeds): 40 minutes",
        order_stability.run,
    ),
    "choices": (
        "initialisation, sampling, scaling and batch norm's statistics: 18 settings, 5 seeds: 40 minutes",
        choices.run,
    ),
    "networks": (
        "does backward settle? the networks of Figures 4 to 7 with ReLU, tanh and GELU, 12 to 20 replicates: "
        "75 minutes",
        networks.run,
    ),
    "influence": (
        "how much the j-th batch changes the backward iterate: 7 settings, 10 replicates: 4 minutes",
        influence.run,
    ),
}


def run_study(
    name: str,
    out: Path,
    *,
    seeds: int | None = None,
    data_dir: str | None = None,
    report: Callable[[str], object] | None = None,
) -> Path:
    """Compute what is missing of a study and return the file that it was written to.

    Parameters
    ----------
    name
        One of `STUDIES`.
    out
        Output folder; parts and results are written below ``out/studies``. A stopped run continues after the last
        finished part.
    seeds
        Number of seeds or replicates (default: that of the study).
    data_dir
        Folder of data files.
    report
        Called with a line after each part.

    Raises
    ------
    ValueError
        If ``name`` is not the name of a study, or ``seeds`` is below 1; if the file of the study, or of a part of it,
        has more seeds, which would be lost.
    """
    if name not in STUDIES:
        raise ValueError(f"no study {name!r}; the known ones are {', '.join(STUDIES)}")
    if seeds is not None and seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds}")
    path = study_path(name, out)
    run = STUDIES[name][1] if seeds is None else partial(STUDIES[name][1], seeds=seeds)
    if seeds is not None:
        check_keeps_seeds(path, seeds)
    check_writable_folder(path.parent)  # before the work is done
    study = run(path.parent, data_dir=data_dir, report=report)
    check_keeps_seeds(path, seeds_of(study.about))
    study.save(path)
    return path
