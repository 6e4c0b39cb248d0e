"""What the choices that the paper leaves open change: variability of both orders, setting by setting (no torch)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nn_experiments.analysis.finding import Finding, spread, verdict_of
from nn_experiments.analysis.paths import summarise
from nn_experiments.analysis.seeds import Comparison, compare_ratios
from nn_experiments.results.studies import Study

__all__ = ["choice_findings", "choice_table", "deviations"]

_STABLER = (
    "Appendix A.1",
    "In all cases, we can observe a much higher stability for backward SGD over the forward version.",
)
TEST, RECOMPUTED = 1, 3


def deviations(study: Study, k: int, metric: int = TEST) -> NDArray:
    """Return the deviation of the logarithm of a loss about a line, (order, seed), over all recorded iterates.

    It is NaN where a path diverges, and for a metric that was not measured.

    Parameters
    ----------
    study
        Results of `nn_experiments.studies.choices`.
    k
        Which setting.
    metric
        Index into `nn_experiments.studies.choices.METRICS`.
    """
    n, paths = study["n"][k], study["paths"][k, ..., metric]
    window = int(n[-1] - n[0]) + 1
    return np.array([[summarise(n, path, window).sd_log for path in order] for order in paths])


def _compared(study: Study, k: int, metric: int) -> Comparison:
    forward, backward = deviations(study, k, metric)
    name = study.about["settings"][k]["name"]
    what = f"deviation of the log test loss{', statistics recomputed' if metric == RECOMPUTED else ''}, {name}"
    return compare_ratios(what, range(len(forward)), forward, backward, unit="log loss")


def _ratio(row: Comparison) -> str:
    return spread(np.array(row.reference) / np.array(row.other), digits=2) if row.seeds else "diverges"


def _finite(values: NDArray) -> str:
    """Return median and range of the values that are finite, and how many are not."""
    finite = values[np.isfinite(values)]
    lost = f"{len(values) - len(finite)} of {len(values)} diverge" if len(finite) < len(values) else ""
    return "; ".join(text for text in (spread(finite.tolist()) if len(finite) else "", lost) if text)


def choice_table(study: Study) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Return the header and a row a setting: test losses at the end, and how much steadier backward is."""
    header = ("setting", "n", "test loss, forward", "test loss, backward", "forward over backward", "lower on")
    rows = []
    for k, setting in enumerate(study.about["settings"]):
        for metric, more in ((TEST, ""), (RECOMPUTED, ", statistics recomputed")):
            last = study["paths"][k, :, :, -1, metric]
            if np.isnan(study["paths"][k, ..., metric]).all() and metric == RECOMPUTED:
                continue
            row = _compared(study, k, metric)
            ends = (_finite(values) for values in last)
            count = f"{row.larger} of {study.about['seeds']}"
            rows.append((setting["name"] + more, str(setting["steps"]), *ends, _ratio(row), count))
    return header, rows


def choice_findings(study: Study) -> list[Finding]:
    """Return one finding per setting, and one on the statistics of batch norm."""
    findings = []
    for k, setting in enumerate(study.about["settings"]):
        for metric, more in ((TEST, ""), (RECOMPUTED, ", statistics recomputed")):
            if metric == RECOMPUTED and np.isnan(study["paths"][k, ..., metric]).all():
                continue
            row = _compared(study, k, metric)
            n = study["n"][k]
            measured = (
                f"forward over backward, deviation of the log test loss about a line, iterates {n[0]} to {n[-1]} "
                f"({len(n)} recorded): {_ratio(row)}. Backward is less variable on {row.larger} of "
                f"{study.about['seeds']} seeds."
            )
            if row.left_out:
                measured += f" Left out: {'; '.join(row.left_out)}."
            verdict = verdict_of(row.larger, row.smaller, len(row.seeds), row.left_out)
            test = "not finite" if row.pvalue is None else f"exact sign-flip test, two-sided: p = {row.pvalue:.3g}"
            findings.append(Finding(f"Choices: {setting['name']}{more}", *_STABLER, measured, verdict, test, (row,)))
    return findings
