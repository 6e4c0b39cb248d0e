"""Pictures and tables of our own studies, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.figure import Figure as Picture

from nn_experiments.analysis.choices import choice_table
from nn_experiments.analysis.conjectures import conjecture_table, influence_table
from nn_experiments.analysis.end_values import end_value_table
from nn_experiments.analysis.networks import network_table
from nn_experiments.analysis.order_averaging_study import order_averaging_study_table, order_stability_table
from nn_experiments.analysis.quadratics import quadratic_table
from nn_experiments.analysis.settling_studies import settling_table
from nn_experiments.report.choices import draw_choices
from nn_experiments.report.conjectures import draw_conjectures, draw_influence
from nn_experiments.report.networks import draw_networks
from nn_experiments.report.one_law import draw_one_law
from nn_experiments.report.order_averaging_study import draw_order_averaging_study, draw_order_stability
from nn_experiments.report.settling_studies import draw_atlas, draw_exponents
from nn_experiments.results.studies import Study

__all__ = ["STUDY_TITLES", "draw_study", "study_table"]

STUDY_TITLES = {
    "one-law": "one law, two kinds of path",
    "atlas": "where training settles, and where it does not",
    "optimizers": "any optimizer",
    "conjectures": "the conclusion's conjectures at equal gradients",
    "baselines": "one end value at the cost of N gradients",
    "quadratics": "optimizers on quadratics, exactly",
    "order-averaging": "the order-averaging regulariser, every learning rate tuned",
    "order-stability": "where the order-averaging regulariser is unstable",
    "influence": "what the backward iterate depends on",
    "choices": "what the choices change that the paper leaves open",
    "networks": "does backward settle? the paper's networks",
}
_DRAWN: dict[str, tuple[tuple[Callable[[Study], Picture], str], ...]] = {
    "one-law": ((draw_one_law, "At a fixed n both orders have one law; their paths are of two kinds."),),
    "atlas": (
        (draw_atlas, "Distance of backward iterates n and n + 1 over that of two independent runs, every setting."),
        (draw_exponents, "The exponent, estimated on other seeds before, against the measured rate of the increments."),
    ),
    "optimizers": (
        (draw_atlas, "Distance of backward iterates n and n + 1 over that of two independent runs, every optimizer."),
        (draw_exponents, "The exponent, estimated on other seeds before, against the measured rate of the increments."),
    ),
    "conjectures": ((draw_conjectures, "Every strategy at the end of its gradients, a dot a seed, medians marked."),),
    "order-averaging": (
        (
            draw_order_averaging_study,
            "Left: every curve at every learning rate, after as many multiply-adds. Right: which regularised paths "
            "train, and where the local quadratic model puts the limit.",
        ),
    ),
    "order-stability": (
        (
            draw_order_stability,
            "Left: training loss at the end against the learning rate, a dot a seed, the paths that diverged at the "
            "top. Right: which regularised paths train, and where the local quadratic model puts the limit.",
        ),
    ),
    "choices": (
        (
            draw_choices,
            "How many times as variable forward is along its path, a dot a seed, medians marked; right of 1, backward "
            "is steadier.",
        ),
    ),
    "networks": (
        (
            draw_networks,
            "Distances of backward iterates, in law at every n, over that of two independent runs: medians with 95 % "
            "intervals. Dotted: as far apart as independent runs; solid: where they count as settled.",
        ),
    ),
    "influence": (
        (
            draw_influence,
            "How far one exchanged batch moves the backward iterate; dotted: k^(j−1), where k is certified.",
        ),
    ),
}
_TABLES: dict[str, Callable[[Study], tuple[Sequence[str], list[tuple[str, ...]]]]] = {
    "atlas": settling_table,
    "optimizers": settling_table,
    "conjectures": conjecture_table,
    "influence": influence_table,
    "quadratics": quadratic_table,
    "baselines": end_value_table,
    "order-averaging": order_averaging_study_table,
    "choices": choice_table,
    "networks": network_table,
    "order-stability": order_stability_table,
}


def draw_study(study: Study) -> list[tuple[Picture, str]]:
    """Return a study's pictures with their captions."""
    return [(draw(study), caption) for draw, caption in _DRAWN.get(study.name, ())]


def study_table(study: Study) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Return the header and the rows of a study's table; both are empty if the study has no table."""
    return _TABLES[study.name](study) if study.name in _TABLES else ((), [])
