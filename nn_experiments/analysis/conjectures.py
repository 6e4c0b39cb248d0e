"""Findings of the studies of the conclusion's conjectures and of the influence of batches (no torch)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nn_experiments.analysis.finding import Finding, spread
from nn_experiments.results.studies import Study

__all__ = ["conjecture_findings", "conjecture_table", "influence_findings", "influence_table", "misranked", "reach"]

#: Steadiness is judged on the last points of a path.
WINDOW = 20
_SECTION = "Section 5"
_WINDOWS = (
    "This way the extra computation time is capped by the window size. We see that this approach leads to convergence "
    "and increased stability in Figure 3; however the backward trajectory may change and converge to a different point "
    "at each reset."
)
_RESETS = (
    "We can imagine strategies to initiate this reset only when the performance of the new backward trajectory "
    "increases, leading to stable convergence to higher test performance points."
)
_LATE = (
    "Another possibility is to start the backward order only later in training to force convergence toward a single "
    "solution after the forward trajectory has done enough exploration of the space as demonstrated in Figure 10 in "
    "Appendix A."
)
_STOPPING = "We imagine that this approach may possibly lead toward more reliable early-stopping criteria."
_EARLY = (
    "Similarly, application of the backward order at the very beginning of training may give an accurate idea of "
    "whether a specific hyper-parameter setting is promising or needs to be aborted by creating stabler trajectories "
    "whose learning curves are easier to interpret early on."
)
_LAST = "In particular the last examples used to produce a parameter iterate seem to have great importance."


def _numbers(study: Study) -> dict[str, dict[str, NDArray]]:
    """Return strategy -> name -> (seed,): loss and error at the end, deviation of the last points, and stopping.

    ``loss`` and ``error`` are those on the second half of the test images, and ``first half`` is the loss on the first
    one. ``deviation`` is that of the changes of the loss between the last points. Early stopping takes the point of the
    path with the lowest loss on the first half. ``stopped`` is its loss on the second half, and ``regret`` the
    difference to the lowest loss of the path on that half.
    """
    numbers = {}
    for name, curve in zip(study.about["strategies"], study["curves"], strict=True):
        chosen = np.nanargmin(curve[..., 0], axis=1)
        stopped = np.take_along_axis(curve[..., 2], chosen[:, None], 1)[:, 0]
        numbers[name] = {
            "loss": curve[:, -1, 2],
            "error": curve[:, -1, 3],
            "first half": curve[:, -1, 0],
            "deviation": np.nanstd(np.diff(curve[:, -WINDOW:, 2], axis=1), axis=1),
            "stopped": stopped,
            "regret": stopped - np.nanmin(curve[..., 2], axis=1),
        }
    return numbers


def conjecture_table(study: Study) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Return the header and one row per strategy, all with the same number of gradients."""
    header = (
        "strategy",
        "gradients of the path",
        "steps",
        "test loss at the end: median (range)",
        "test error at the end",
        "change of a step, test loss (deviation)",
        "regret of stopping by the other half",
    )
    lines = []
    for k, (name, values) in enumerate(_numbers(study).items()):
        numbers = [spread(values[key]) for key in ("loss", "error", "deviation", "regret")]
        lines.append((name, f"{int(study['gradients'][k]):,}", f"{int(study['steps'][k]):,}", *numbers))
    return header, lines


def _lower(values: NDArray, others: NDArray) -> str:
    return f"{int((values < others).sum())} of {len(values)}"


def conjecture_findings(study: Study) -> list[Finding]:
    """Return one finding per conjecture."""
    values, seeds, budget = _numbers(study), study.about["seeds"], study.about["budget"]
    test = f"n = {seeds} seeds, {budget:,} gradients for every path; counts of seeds, no test"
    rivals = ("suffix mean", "decay to 0", "moving average", "average of snapshots")
    rows = []
    for name, topic, sentence in (
        ("windows", "Backward in windows", _WINDOWS),
        ("reset if better", "A reset only if it is better", _RESETS),
        ("late backward", "Backward only later", _LATE),
    ):
        loss = values[name]["loss"]
        against = "; ".join(f"{rival} {_lower(loss, values[rival]['loss'])}" for rival in ("forward", *rivals))
        steadier = "; ".join(
            f"{rival} {_lower(values[name]['deviation'], values[rival]['deviation'])}" for rival in ("forward", *rivals)
        )
        step = int(study["steps"][study.about["strategies"].index(name)])
        measured = (
            f"digits: it comes {step:,} steps far. Loss at the end on the half of the test images that no decision "
            f"uses: {spread(loss)} against {spread(values['forward']['loss'])} forward and "
            f"{spread(values['suffix mean']['loss'])} of the suffix mean. Lower than on seeds: {against}; on the other "
            f"half lower than forward on {_lower(values[name]['first half'], values['forward']['first half'])}. "
            f"Steadier (deviation of the changes of the loss between the last {WINDOW} points) than: {steadier}."
        )
        wins = int((loss < values["suffix mean"]["loss"]).sum())
        verdict = f"lower test loss than the suffix mean on {wins} of {seeds} seeds, than forward on "
        verdict += _lower(loss, values["forward"]["loss"])
        rows.append(Finding(topic, _SECTION, sentence, measured, verdict, test))
    rows.append(_stopping(values, seeds, test))
    rows.append(_early(study))
    return rows


def _stopping(own: dict[str, dict[str, NDArray]], seeds: int, test: str) -> Finding:
    ours = own["late backward"]["regret"]
    texts = [
        f"{name} {spread(own[name]['regret'])}"
        for name in ("forward", "late backward", "moving average", "suffix mean")
    ]
    measured = (
        "stopping at the lowest loss on one half of the test images, judged on the other: what the loss there "
        f"exceeds the path's lowest by: {'; '.join(texts)}. Loss where stopped: late backward lower than forward on "
        f"{_lower(own['late backward']['stopped'], own['forward']['stopped'])}, than the moving average on "
        f"{_lower(own['late backward']['stopped'], own['moving average']['stopped'])}."
    )
    verdict = (
        f"less regret than forward on {_lower(ours, own['forward']['regret'])} seeds, than the moving average on "
        f"{_lower(ours, own['moving average']['regret'])}"
    )
    return Finding("Early stopping", _SECTION, _STOPPING, measured, verdict, test)


def misranked(values: NDArray) -> float:
    """Return the probability that the worse of two settings looks better in one run of each.

    ``values`` has shape (setting, run). The worse setting is the one with the higher mean. All pairs of runs are
    counted, ties as one half.
    """
    worse, better = (values[k] for k in np.argsort(-values.mean(1)))
    below = worse[:, None] < better[None, :]
    return float(np.mean(below + 0.5 * (worse[:, None] == better[None, :])))


def _early(study: Study) -> Finding:
    judged = study["judged"]  # (way, rate, run, 2)
    ways = ("forward", "backward", "moving average")
    texts = []
    for k, what in enumerate(("loss", "error")):
        chances = [misranked(judged[way, ..., k]) for way in range(3)]
        texts.append(f"{what}: " + ", ".join(f"{way} {chance:.3f}" for way, chance in zip(ways, chances, strict=True)))
    runs = judged.shape[2]
    measured = (
        f"the chance to rank learning rates {study.about['rates'][0]:g} and {study.about['rates'][1]:g} wrongly at "
        f"step {study.about['judged_at']}, by {'; by '.join(texts)} ({runs} runs each). Forward and backward have "
        "one law at a fixed step, so that chance is the same for both."
    )
    test = f"{runs} runs a rate; the standard error of a chance of .2 is about {np.sqrt(0.2 * 0.8 / runs):.2g} at most"
    return Finding("Early judgement", _SECTION, _EARLY, measured, "no gain at a fixed step (proved)", test)


def reach(study: Study, *, part: float = 0.01) -> list[float]:
    """Return, for each setting, the first j from which on replacing batch j hardly changes the iterate.

    "Hardly" means by less than ``part`` of the distance of two independent iterates (median over replicates). The
    result is infinity if no j has this property.
    """
    results = []
    for moved, apart in zip(study["parameter"], study["independent"], strict=True):
        small = np.median(moved / apart[:, None], 0) < part
        above = np.flatnonzero(~small)
        index = above[-1] + 1 if len(above) else 0
        results.append(float(study["j"][index]) if index < len(small) else float("inf"))
    return results


def influence_table(study: Study) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Return the header and one row per setting: how far the 1st, 10th, … outermost batch moves the iterate."""
    j = study["j"]
    shown = [int(np.searchsorted(j, k)) for k in (1, 10, 100, int(j[-1]))]
    header = (
        "setting",
        *(f"batch {int(j[k])} exchanged: parameters" for k in shown),
        "outputs, batch 1",
        "reach (1 %)",
        "exponent a step",
        "certified k",
    )
    lines = []
    for k, setting in enumerate(study.about["settings"]):
        ratio = np.median(study["parameter"][k] / study["independent"][k][:, None], 0)
        outputs = np.median(study["function"][k] / study["independent_function"][k][:, None], 0)
        far, factor = reach(study)[k], float(study["factor"][k])
        ends = (
            f"{outputs[0]:.2g}",
            f"{far:g}" if np.isfinite(far) else "none",
            f"{float(study['exponent'][k]):.2g}",
            f"{factor:.5g}" if np.isfinite(factor) else "–",
        )
        lines.append((setting["name"], *(f"{ratio[place]:.2g}" for place in shown), *ends))
    return header, lines


def influence_findings(study: Study) -> list[Finding]:
    """Return the findings on influence: which batches the iterate depends on, and the bound where k is certified."""
    j, rows, texts, broken, checked = study["j"], [], [], 0, 0
    for k, setting in enumerate(study.about["settings"]):
        factor = float(study["factor"][k])
        if np.isfinite(factor):
            bound = study["step"][k] * factor ** (j[None] - 1.0)
            broken += int((study["parameter"][k] > bound * (1 + 1e-9) + 1e-12).sum())
            checked += bound.size
        far = reach(study)[k]
        where = f"below 1 % from batch {far:g} on" if np.isfinite(far) else "never below 1 %"
        first = float(np.median(study["parameter"][k][:, 0] / study["independent"][k]))
        last = float(np.median(study["parameter"][k][:, -1] / study["independent"][k]))
        texts.append(
            f"{setting['name']}: the outermost batch {first:.2g}, the innermost {last:.2g} of two independent "
            f"iterates' distance, {where}"
        )
    measured = f"n = {study.about['steps']}, {study.about['seeds']} replicates, medians. {'; '.join(texts)}."
    settled = [
        name["name"] for name, far in zip(study.about["settings"], reach(study), strict=True) if np.isfinite(far)
    ]
    verdict = f"only the outermost batches matter in {len(settled)} of {len(study.about['settings'])} settings"
    rows.append(Finding("What the backward iterate depends on", _SECTION, _LAST, measured, verdict, "medians; no test"))
    if checked:
        text = (
            f"exchanging batch j moves the iterate by at most k^(j−1) times what it does right after map j: {broken} "
            f"of {checked} measurements (setting, replicate, j) exceed that."
        )
        verdict = "agrees" if not broken else "rejected: a defect"
        rows.append(
            Finding("The influence bound", "Theorem 2.2", _BOUND, text, verdict, "a theorem: one excess is a defect")
        )
    return rows


_BOUND = (
    "Because of the backward order (note: the forward order would not allow that), we can apply the contraction "
    "property n times (since m > n), yielding:"
)
