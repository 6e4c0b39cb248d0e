"""The catalogue of experiments, which are run, and of figures, which show curves of experiments (no torch)."""

from __future__ import annotations

from nn_experiments.paper.experiment import Experiment, plain_fields
from nn_experiments.paper.experiments import EXPERIMENTS
from nn_experiments.paper.figure import Figure
from nn_experiments.paper.figures import FIGURES

__all__ = ["EXPERIMENTS", "FIGURES", "Experiment", "Figure", "find", "plain_fields"]


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
        raise ValueError(f"no figure {name!r}; the known ones are {', '.join(FIGURES)}")
    return FIGURES[key]
