"""Does backward settle? The verdicts on the paper's networks, from the arrays of their diagnoses (no torch)."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import NDArray

from nn_experiments.analysis.finding import POINT, Finding
from nn_experiments.diagnosis.intervals import Interval, median_interval
from nn_experiments.diagnosis.measured import AHEAD, NEXT, Measured
from nn_experiments.diagnosis.rules import CONFIDENCE, RULES, Judgement, judge
from nn_experiments.diagnosis.rules import Finding as Distance
from nn_experiments.results.studies import Study

__all__ = ["SPACES", "increments", "judged", "measured_of", "network_findings", "network_table"]

SPACES = ("parameters", "predictions")


def measured_of(study: Study, k: int) -> Measured:
    """Return what the diagnosis of setting k measured.

    Parameters
    ----------
    study
        Results of `nn_experiments.studies.networks`.
    k
        Which setting.
    """
    setting = study.about["settings"][k]
    return Measured(
        steps=setting["steps"],
        lag=setting["lag"],
        eps=setting["eps"],
        n=study[f"n {k}"],
        parameter=study[f"parameter {k}"],
        function=study[f"function {k}"],
        diverged=study[f"diverged {k}"],
        derivative=study[f"derivative {k}"],
        derivative_by=setting["derivative_by"],
        pairs=study[f"pairs {k}"],
        jumps=study[f"jumps {k}"],
        homogeneous=True,  # SGD with a constant rate and independent batches, as all of these experiments have
    )


def judged(study: Study, k: int) -> Judgement:
    """Return the judgement on setting k, by the rules of a diagnosis."""
    return judge(measured_of(study, k))


def increments(study: Study, k: int, space: str, *, far: bool = False) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Return n > 0, and the median of the backward increments over replicates with the ends of its 95 % interval.

    Parameters
    ----------
    study
        Results of `nn_experiments.studies.networks`.
    k
        Which setting.
    space
        ``"parameters"`` or ``"predictions"``.
    far
        Whether of backward iterates n and n + N/2, not of neighbours (default: of neighbours).

    Returns
    -------
    tuple of four arrays (K - 1,)
        In units of the distance of two independent runs.
    """
    measured = measured_of(study, k)
    middle, low, high = median_interval(measured.ratio(space, AHEAD if far else NEXT), CONFIDENCE)
    return measured.n[1:], middle[1:], low[1:], high[1:]


def _interval(value: Interval | None) -> str:
    return "–" if value is None else f"{value[0]:.2g} ({value[1]:.2g} to {value[2]:.2g})"


def _distance(one: Distance | None) -> str:
    return "–" if one is None else _interval(one.median)


def _jumps(judgement: Judgement) -> str:
    examined, hit, largest = judgement.jumps
    return "–" if not examined else f"{hit} of {examined}" + (f", up to {largest:.2g}" if hit else "")


def network_table(study: Study) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Return the header and a row a setting: exponents, jumps, distances of backward iterates at n = N, verdict."""
    header = (
        "network",
        "N",
        "replicates",
        "exponent a step, derivative",
        "exponent a step, pairs",
        "maps that jump",
        "n and n + 1: parameters",
        "n and n + N/2: parameters",
        "n and n + 1: predictions",
        "n and n + N/2: predictions",
        "verdict",
    )
    rows = []
    for k, setting in enumerate(study.about["settings"]):
        one = judged(study, k)
        lags = [f"{space}, lag {lag}" for space in SPACES for lag in (1, setting["lag"])]
        distances = [_distance(one.findings.get(name)) for name in lags]
        exponents = [_interval(one.derivative), _interval(one.pairs)]
        start = (setting["name"], str(setting["steps"]), str(setting["replicates"]))
        rows.append((*start, *exponents, _jumps(one), *distances, one.verdict))
    return header, rows


def network_findings(study: Study) -> list[Finding]:
    """Return one finding a setting: whether the backward path of this network settles by N."""
    findings = []
    for k, setting in enumerate(study.about["settings"]):
        one, lag = judged(study, k), setting["lag"]
        parts = [f"n = {setting['steps']}, {setting['replicates']} replicates: {one.reason}."]
        for space in SPACES:
            near, far = (one.findings.get(f"{space}, lag {step}") for step in (1, lag))
            if near is not None and far is not None:
                parts.append(
                    f"In the {space} backward iterates n and n + 1 are {_distance(near)} of two independent runs' "
                    f"distance apart, n and n + {lag} {_distance(far)}."
                )
        parts.append(f"Maps that jump at a kink between two close states: {_jumps(one)}.")
        test = f"exact bounds and intervals at 95 % each, in law by row 77. The rule: {RULES[one.verdict]}"
        verdict = {"contracting": "agrees", "undecided": "undecided"}.get(one.verdict, f"{one.verdict}: not by N")
        findings.append(Finding(f"Does backward settle? {setting['name']}", *POINT, " ".join(parts), verdict, test))
    return findings
