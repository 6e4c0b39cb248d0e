"""The catalogue of experiments, which are run, and of figures, which show curves of experiments (no torch)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from nn_experiments.paper.experiment import Experiment, plain_fields
from nn_experiments.paper.experiments import EXPERIMENTS
from nn_experiments.paper.figure import Figure
from nn_experiments.paper.figures import FIGURES

__all__ = [
    "COMPARE_ORDERS",
    "EXPERIMENTS",
    "FIGURES",
    "Experiment",
    "Figure",
    "check_compares_orders",
    "find",
    "in_words",
    "plain_fields",
]

#: Figures that compare orders of the same steps; the others compare steps on batches that are split (appendix D).
COMPARE_ORDERS = tuple(name for name, figure in FIGURES.items() if EXPERIMENTS[figure.experiment].parts is None)


def find(name: str) -> Figure:
    """Return a figure by name.

    Parameters
    ----------
    name : str
        Such as ``fig4`` or ``4``.

    Returns
    -------
    Figure
        From `FIGURES`.

    Raises
    ------
    ValueError
        If the name is unknown; the message lists the known ones.
    """
    key = f"fig{name}" if name.isdigit() else name
    if key not in FIGURES:
        near = difflib.get_close_matches(key, FIGURES, n=1)
        guess = f". Did you mean {near[0]}?" if near else ""
        raise ValueError(f"no figure {name!r}; the known ones are {', '.join(FIGURES)}{guess}")
    return FIGURES[key]


def in_words(names: Iterable[str]) -> str:
    """Return names of figures for a help text; those of consecutive numbers are shown by the first and the last.

    Examples
    --------
    >>> in_words(["fig2", "fig3", "fig4", "fig7", "digits"])
    'fig2 … fig4, fig7, or digits'
    """
    runs: list[list[str]] = []
    for name in names:
        number = name.removeprefix("fig")
        if runs and number.isdigit() and runs[-1][-1] == f"fig{int(number) - 1}":
            runs[-1].append(name)
        else:
            runs.append([name])
    shown = [f"{run[0]} … {run[-1]}" if len(run) > 2 else ", ".join(run) for run in runs]
    return ", or ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def check_compares_orders(experiment: Experiment) -> None:
    """Check that an experiment trains by one step, whose orders are compared.

    Raises
    ------
    ValueError
        If its batches are split for the steps of appendix D; the message names the figures that compare orders.
    """
    if experiment.parts is not None:
        raise ValueError(
            f"{experiment.name} compares training steps on batches that are split in {experiment.parts}, and not "
            f"orders of one step; figures that compare orders are {in_words(COMPARE_ORDERS)}. For plain steps on "
            "whole batches give --set parts=none with a --tag"
        )
