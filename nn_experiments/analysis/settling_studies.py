"""Findings of the atlas and of the study of optimizers: one row per setting, and the predicted exponents (no torch).

Distances are divided by the distance of two independent runs (the scale) in the second half. Every replicate has its
own verdict, one of those of `nn_experiments.analysis.settling`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contraction.values import Value
from nn_experiments.analysis.finding import Finding
from nn_experiments.analysis.settling import (
    DIVERGED,
    DOES_NOT_SETTLE,
    MOVES,
    ROUNDING,
    SETTLED,
    SETTLES,
    STILL_TRAINING,
    UNDECIDED,
)
from nn_experiments.results.studies import Study

__all__ = ["Row", "atlas_findings", "optimizer_findings", "rates", "rows", "settling_table"]

#: Distances below this part of 1 + ‖θ‖ are rounding and are not used for rates.
FLOOR = 1e-11
#: A tail of more scales than this shows drift; under a stationary law the tail is about one scale.
DRIFT = 2
SPACES = ("parameter", "function")


@dataclass(frozen=True, eq=False)
class Row(Value):
    """One setting in one space.

    Attributes
    ----------
    name, group, space
        The setting, its group, and ``parameter`` or ``function``.
    increment, tail, far
        Medians over replicates, in units of the scale: largest backward increment in the second half, largest distance
        of iterates n and n + N/2, and distance of two independent starts.
    forward_increment, forward_tail
        The same of the forward path.
    last_increment
        Backward increment at the last n, in absolute units (median).
    bound
        The bound D kⁿ of Theorem 2.2 on it (median over replicates); NaN if none is certified.
    backward, forward
        Verdict -> number of replicates.
    exponent, rate
        Growth per step of a small difference (estimated beforehand with other seeds) and of the backward increment.
    error
        Test error at the last n (median); NaN for regression.
    """

    name: str
    group: str
    space: str
    increment: float
    tail: float
    far: float
    forward_increment: float
    forward_tail: float
    last_increment: float
    bound: float
    backward: Mapping[str, int]
    forward: Mapping[str, int]
    exponent: float
    rate: float
    error: float


def _judge(increment: float, tail: float, scale: float, travelled: float) -> str:
    """Return the verdict on one replicate, as `settling.judge` does, but a tail of more than two scales is drift."""
    if not np.isfinite([increment, tail, scale]).all():
        return DIVERGED
    if scale <= ROUNDING * travelled:
        return SETTLES if max(increment, tail) <= ROUNDING * travelled else UNDECIDED
    if increment >= MOVES * scale:
        return DOES_NOT_SETTLE
    if max(increment, tail) <= SETTLED * scale:
        return SETTLES
    if tail > DRIFT * scale:
        return STILL_TRAINING
    return DOES_NOT_SETTLE if tail >= MOVES * scale else UNDECIDED


def _counts(verdicts: Sequence[str]) -> dict[str, int]:
    return {kind: verdicts.count(kind) for kind in dict.fromkeys(verdicts)}


def rates(n: NDArray, increment: NDArray, norm: NDArray, exponent: NDArray) -> tuple[float, float]:
    """Return the exponent and the measured rate of the increments, per step, over one range of n.

    Parameters
    ----------
    n
        (K,).
    increment, norm
        (R, K): backward increments, and norms that rounding is relative to.
    exponent
        (Q, K): logarithm of the growth of a small difference, of other replicates.

    Notes
    -----
    The range ends at the last n whose median increment is above rounding, and begins at half of it. Both numbers are
    medians over replicates of a difference of logarithms.
    """
    middle, floor = np.median(increment, 0), FLOOR * (1 + np.median(norm, 0))
    above = np.flatnonzero((middle > floor) & (n > 0))
    if len(above) < 2:
        return float("nan"), float("nan")
    stop = above[-1]
    start = min(int(np.searchsorted(n, n[stop] / 2)), stop - 1)
    span = n[stop] - n[start]
    with np.errstate(divide="ignore", invalid="ignore"):
        measured = np.log(increment[:, stop] / increment[:, start])
    return float(np.median(exponent[:, stop] - exponent[:, start]) / span), float(np.median(measured) / span)


def rows(study: Study, space: str = "parameter") -> list[Row]:
    """Return one row per setting of the study, in one space."""
    runs = list(study.about["runs"])
    table = []
    for k, setting in enumerate(study.about["settings"]):
        n = study["n"][k]
        distances = {name: study[space][k][..., axis] for axis, name in enumerate(runs)}  # (R, K) each
        half = n >= n[-1] / 2
        scale = np.median(distances["independent"][:, half], 1)
        travelled = distances["half ahead"][:, 0]
        near, tail = distances["1 ahead"][:, half].max(1), distances["half ahead"][:, half].max(1)
        step, earlier = distances["next"][:, half].max(1), distances["earlier half"][:, half].max(1)
        far = np.median(distances["other start"][:, half], 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            a, b, c, d, e = (float(np.median(v / scale)) for v in (near, tail, far, step, earlier))
        replicates = range(len(scale))
        backward = [_judge(near[r], tail[r], scale[r], travelled[r]) for r in replicates]
        forward = [_judge(step[r], earlier[r], scale[r], travelled[r]) for r in replicates]
        bound = float(np.median(study["displacement"][k])) * float(study["factor"][k]) ** int(n[-1])
        norm = study["norm"][k]
        exponent, rate = rates(n, study["parameter"][k][..., runs.index("1 ahead")], norm, study["exponent"][k])
        last = float(np.median(distances["1 ahead"][:, -1]))
        error = float(np.median(study["error"][k][:, -1]))
        bounded = bound if space == "parameter" else float("nan")
        verdicts = (_counts(backward), _counts(forward))
        labels = (setting["name"], setting["group"], space)
        table.append(Row(*labels, a, b, c, d, e, last, bounded, *verdicts, exponent, rate, error))
    return table


def _in_words(counts: Mapping[str, int]) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{kind} {count}" for kind, count in counts.items())


def settling_table(study: Study) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Return the header and one row per setting: exponent, increments of both orders in both spaces, verdicts."""
    header = (
        "setting",
        "test error",
        "exponent a step (predicted)",
        "rate of increments (measured)",
        "backward increment over independent runs: parameters",
        "forward: parameters",
        "backward: outputs",
        "forward: outputs",
        "backward settles? parameters",
        "outputs",
        "forward settles? parameters",
        "outputs",
        "last increment",
        "certified bound",
    )
    lines = []
    for a, b in zip(rows(study, "parameter"), rows(study, "function"), strict=True):
        numbers = (a.exponent, a.rate, a.increment, a.forward_increment, b.increment, b.forward_increment)
        verdicts = (_in_words(a.backward), _in_words(b.backward), _in_words(a.forward), _in_words(b.forward))
        ends = (f"{a.last_increment:.2g}", f"{a.bound:.2g}" if np.isfinite(a.bound) else "–")
        error = "–" if np.isnan(a.error) else f"{a.error:.2g}"
        lines.append((a.name, error, *(f"{value:.2g}" for value in numbers), *verdicts, *ends))
    return header, lines


def _always(row: Row, verdict: str, which: str = "backward") -> bool:
    return set(getattr(row, which)) == {verdict}


def _names(kept: Sequence[Row]) -> str:
    """Return the settings' names, with the test errors of classifiers, since a network that has collapsed settles."""
    texts = [row.name if np.isnan(row.error) else f"{row.name} (test error {row.error:.2g})" for row in kept]
    return "; ".join(texts) or "none"


_POINTS = (
    "Section 5",
    "Namely, we show theoretically that the backward trajectories converge toward actual points while the forward "
    "trajectories converge toward probability distributions in regions where the optimization maps become "
    "contractions, leading to improved stability and convergence.",
)


def _certified(study: Study, every: Sequence[Row]) -> list[Finding]:
    """Return the finding on settings with a certificate: whether the bound holds at every n and replicate."""
    runs, broken, checked, worst = list(study.about["runs"]), 0, 0, 0.0
    for k in range(len(every)):
        factor = float(study["factor"][k])
        if not np.isfinite(factor):
            continue
        bound = study["displacement"][k][:, None] * factor ** study["n"][k][None, :].astype(float)
        increments = study["parameter"][k][..., runs.index("1 ahead")]
        rounding = FLOOR * (1 + study["norm"][k])
        broken += int((increments > bound * (1 + 1e-9) + rounding).sum())
        checked += increments.size
        worst = max(worst, float((increments / bound)[increments > rounding].max()))
    kept = [row for row in every if np.isfinite(row.bound)]
    if not kept:
        return []
    settled = [row for row in kept if _always(row, SETTLES)]
    measured = (
        f"{len(kept)} linear models with weight decay, {study.about['seeds']} replicates each: every one of "
        f"{checked} backward increments is at most D kⁿ but for {broken} (largest ratio {worst:.2g}, rounding "
        f"apart). Backward settles in the parameters on every replicate in {len(settled)}: {_names(settled)}; "
        f"forward in {sum(_always(row, SETTLES, 'forward') for row in kept)}. In the second half backward increments "
        f"are at most {max(row.increment for row in kept):.2g} of two independent runs' distance (medians)"
    )
    moving = [row.tail for row in kept if row not in settled]
    if moving:
        measured += f"; where it does not settle, iterates n and n + N/2 are {_range(moving)} of it apart"
    measured += "."
    verdict = "agrees" if not broken and len(settled) == len(kept) else f"{len(settled)} of {len(kept)} settle by N"
    verdict = "rejected: a defect" if broken else verdict
    test = "a theorem: one increment above its bound is a defect"
    return [Finding("Where the theorem applies", *_POINTS, measured, verdict, test)]


def _exponents(every: Sequence[Row]) -> Finding:
    """Return the finding on the exponent: whether its sign, estimated on other seeds, is that of the measured rate."""
    kept = [row for row in every if np.isfinite(row.exponent) and np.isfinite(row.rate)]
    same = sum(np.sign(row.exponent) == np.sign(row.rate) for row in kept)
    pairs = np.array([[row.exponent, row.rate] for row in kept])
    rank = _spearman(pairs) if len(kept) > 2 else float("nan")
    settled = [row for row in kept if _always(row, SETTLES)]
    measured = (
        f"{len(kept)} settings: the exponent, estimated on other seeds, has the sign of the "
        f"measured rate in {same}; rank correlation {rank:.2f}. Backward settles (every replicate, parameters) in "
        f"{len(settled)}; their exponents are {_range([row.exponent for row in settled])} a step, those of the "
        f"others {_range([row.exponent for row in kept if row not in settled])}."
    )
    flat = [row for row in settled if row.exponent > -1e-3]
    if flat:
        measured += (
            f" Settled without a clearly negative one: {_names(flat)}, where data leave directions flat: no map "
            "moves along them, and a path from θ_0 never uses them."
        )
    growing = sum(row.exponent < 0 < row.rate for row in kept)
    verdict = f"same sign in {same} of {len(kept)}; a negative exponent and growing increments in {growing}"
    return Finding("The exponent foretells settling", *_POINTS, measured, verdict, "n settings as given; no test")


def _spearman(pairs: NDArray) -> float:
    from scipy.stats import rankdata

    return float(np.corrcoef(rankdata(pairs[:, 0]), rankdata(pairs[:, 1]))[0, 1])


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.2g} to {max(values):.2g}" if values else "none"


def _where(study: Study, every: Sequence[Row], space: str) -> Finding:
    """Return the finding on where backward, forward, or neither settles in one space."""
    backward = [row for row in every if _always(row, SETTLES)]
    forward = [row for row in every if _always(row, SETTLES, "forward")]
    neither = [row for row in every if SETTLES not in row.backward and SETTLES not in row.forward]
    groups = {group: sum(row.group == group for row in neither) for group in dict.fromkeys(row.group for row in every)}
    where = "parameters" if space == "parameter" else "outputs"
    measured = (
        f"{len(every)} settings, {study.about['seeds']} replicates each, {where}. Backward settles on every "
        f"replicate in {len(backward)}: {_names(backward)}. Forward in {len(forward)}: {_names(forward)}. Neither on "
        f"any in {len(neither)} ({', '.join(f'{group} {count}' for group, count in groups.items() if count)})."
    )
    verdict = f"backward in {len(backward)} of {len(every)}, forward in {len(forward)}, neither in {len(neither)}"
    test = "settles: increments and tail at most 0.1 of two independent runs' distance in the second half"
    return Finding(f"Where training settles: {where}", *_POINTS, measured, verdict, test)


def atlas_findings(study: Study) -> list[Finding]:
    """Return the findings of the atlas."""
    every = rows(study)
    findings = [*_certified(study, every), *(_where(study, rows(study, space), space) for space in SPACES)]
    return [*findings, _exponents(every)]


def optimizer_findings(study: Study) -> list[Finding]:
    """Return the findings of the optimizers' study."""
    sentence = (
        "Section 1",
        "Note that backward optimization can theoretically be applied to any gradient-based optimizer (not only to "
        "SGD) to improve stability and convergence, since our theoretical statements hold at the level of the T_i’s, "
        "no matter what their actual forms are.",
    )
    findings = []
    for space in SPACES:
        row = _where(study, rows(study, space), space)
        findings.append(
            Finding(row.topic.replace("training", "an optimizer"), *sentence, row.measured, row.verdict, row.test)
        )
    return [*findings, _exponents(rows(study))]
