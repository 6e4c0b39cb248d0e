"""A figure: the curves of an experiment that a figure of the paper shows, and the baselines that are added to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from nn_experiments.paper import curve_names

__all__ = ["Figure", "Reduced"]


@dataclass(frozen=True)
class Reduced:
    """The part of a figure that a laptop can compute (``run fig2 --reduced``); plots of it are labelled as reduced.

    Attributes
    ----------
    steps, every, seeds
        They replace those of the figure.
    settings
        Fields of the experiment that differ, as text (see `Experiment.override`).
    """

    steps: int
    every: int
    seeds: tuple[int, ...]
    settings: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """The curves of an experiment that a figure of the paper shows.

    Attributes
    ----------
    name, title, section
        ``fig4``, a short title, and the section of the paper.
    experiment
        Name of the experiment in `EXPERIMENTS`.
    steps, every
        Length of the curves and the grid of iterates that are recorded by default.
    orders
        Names of the curves in the paper's figure (see `nn_experiments.paper.curve_names`); the first is the reference.
    baselines
        Names of the curves that are added in the same axes.
    seeds
        The seeds; there are as many as in the paper's figure, which does not give their numbers.
    metrics
        Metrics of the picture's columns, from left to right; each row is one seed.
    diagnostics_every
        Steps between iterates with increments, couplings and gradient norms; 0 for none.
    compared_at
        Steps, fixed beforehand, at which the orders are compared by the exact paired sign-flip test.
    window
        Number of last iterates on which variability along a path is judged.
    claim
        The paper's sentence, verbatim.
    reduced
        The part that a laptop can compute; None if the whole figure is cheap.
    at_least
        The number of steps that results of the experiment must have to be used for this figure.
    """

    name: str
    title: str
    section: str
    experiment: str
    steps: int
    claim: str
    orders: tuple[str, ...] = ("forward", "backward")
    baselines: tuple[str, ...] = ("polyak", "ema-0.99", "decayed-100")
    metrics: tuple[str, ...] = ("train_loss", "test_loss", "train_accuracy", "test_accuracy")
    every: int = 1
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    diagnostics_every: int = 100
    compared_at: tuple[int, ...] = ()
    window: int = 200
    reduced: Reduced | None = None
    at_least: int = 0

    def __post_init__(self) -> None:
        """Check that names are canonical and that numbers fit together."""
        for name in self.all_orders:
            if curve_names.parse(name).name != name:
                raise ValueError(f"the canonical name of order {name!r} is {curve_names.parse(name).name!r}")
        if self.steps < 1 or self.every < 1 or any(not 0 < n <= self.steps for n in self.compared_at):
            raise ValueError(f"{self.name}: steps, every and compared_at do not fit together")

    def smaller(self) -> tuple[Figure, dict[str, str]]:
        """Return the reduced form, and the fields of its experiment that differ (see `Experiment.override`).

        Raises
        ------
        ValueError
            If the figure has no reduced form.
        """
        form = self.reduced
        if form is None:
            raise ValueError(
                f"{self.name} has no reduced form; set --seeds, --steps and --every (list shows which have)"
            )
        figure = dataclasses.replace(
            self,
            steps=form.steps,
            every=form.every,
            seeds=form.seeds,
            compared_at=tuple(n for n in self.compared_at if n <= form.steps),
            diagnostics_every=form.steps // 5,
        )
        return figure, dict(form.settings)

    @property
    def all_orders(self) -> tuple[str, ...]:
        """The figure's orders and baselines."""
        return self.orders + self.baselines
