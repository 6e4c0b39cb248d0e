"""Findings of the studies, by name (no torch)."""

from __future__ import annotations

from collections.abc import Callable

from nn_experiments.analysis.choices import choice_findings
from nn_experiments.analysis.conjectures import conjecture_findings, influence_findings
from nn_experiments.analysis.end_values import end_value_findings
from nn_experiments.analysis.finding import Finding
from nn_experiments.analysis.networks import network_findings
from nn_experiments.analysis.one_law import one_law_findings
from nn_experiments.analysis.order_averaging_study import order_averaging_study_findings, order_stability_findings
from nn_experiments.analysis.quadratics import quadratic_findings
from nn_experiments.analysis.settling_studies import atlas_findings, optimizer_findings
from nn_experiments.results.studies import Study

__all__ = ["study_findings"]

_FINDINGS: dict[str, Callable[[Study], list[Finding]]] = {
    "one-law": one_law_findings,
    "atlas": atlas_findings,
    "optimizers": optimizer_findings,
    "conjectures": conjecture_findings,
    "influence": influence_findings,
    "choices": choice_findings,
    "networks": network_findings,
    "quadratics": quadratic_findings,
    "baselines": end_value_findings,
    "order-averaging": order_averaging_study_findings,
    "order-stability": order_stability_findings,
}


def study_findings(study: Study) -> list[Finding]:
    """Return the findings of a study.

    Raises
    ------
    ValueError
        If the name is not that of a study.
    """
    if study.name not in _FINDINGS:
        raise ValueError(f"no study {study.name!r}; the known ones are {', '.join(_FINDINGS)}")
    return _FINDINGS[study.name](study)
