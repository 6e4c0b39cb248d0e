"""Figures 3 and 13: whether a path reaches another level after its reset, and forward visits both levels (no torch)."""

from __future__ import annotations

import numpy as np

from nn_experiments.analysis.finding import FEWEST, Finding
from nn_experiments.analysis.pairing import Pairing, label_of, smaller_is_better
from nn_experiments.analysis.paths import summarise

__all__ = ["other_point"]

#: The order that a reset path is compared with: the same maps without the reset.
UNBROKEN = "backward"


def other_point(pair: Pairing, sentence: str) -> Finding:
    """Judge whether the path reaches another level after its reset, and the forward path visits both levels.

    Paths are compared at the same n, so that the progress of training cancels. For a seed, the reset path is at another
    level if its mean over the last window differs from that of the backward path without a reset by more than twice the
    larger standard deviation of the two in the window. The forward path visits both levels if, in the last nine tenths
    of the iterates after the reset, it is at least once at or below both curves and at least once at or above both. A
    seed with a value that is not finite is left out and named, and the verdict is then never ``agrees``. If no backward
    path was recorded, the verdict is ``undecided``.
    """
    topic, metric = "Another point after the reset", "test_accuracy"
    metric = metric if metric in pair.metrics else pair.figure.metrics[0]
    if UNBROKEN not in pair.curves.orders:
        why = "levels of one path at two n differ because it is still training"
        measured = f"the path without a reset ({UNBROKEN}) was not recorded; {why}"
        return Finding(topic, "Section 4", sentence, measured, "undecided", "")
    reset, elsewhere, visiting, agreeing, rows, out = pair.start, 0, 0, 0, [], []
    for seed in pair.curves.seeds:
        n, forward, broken = pair.values(metric, seed)
        at, unbroken = pair.curves.path(metric, seed=seed, order=UNBROKEN)
        common = np.intersect1d(n, at)
        forward, broken = (values[np.isin(n, common)] for values in (forward, broken))
        unbroken = smaller_is_better(metric, unbroken[np.isin(at, common)])
        if not (len(common) and all(np.isfinite(values).all() for values in (forward, broken, unbroken))):
            out.append(f"seed {seed}: not finite")
            continue
        ends = [summarise(common, values, pair.window) for values in (broken, unbroken)]
        gap, spread = ends[0].mean - ends[1].mean, max(end.sd_detrended for end in ends)
        late = common > reset + (pair.last - reset) / 10
        low, high = np.minimum(broken, unbroken)[late], np.maximum(broken, unbroken)[late]
        below, above = int((forward[late] <= low).sum()), int((forward[late] >= high).sum())
        jump = _jump(common, broken, unbroken, reset)
        rows.append(
            f"seed {seed}: {gap:+.3g} (deviation {spread:.2g}), jump {jump:+.2g}, forward below both / between / above "
            f"both {below} / {int(late.sum()) - below - above} / {above}"
        )
        apart, visits = abs(gap) > 2 * spread, below > 0 and above > 0
        elsewhere, visiting, agreeing = elsewhere + apart, visiting + visits, agreeing + (apart and visits)
    count = len(rows)
    measured = (
        f"{label_of(metric)} of {pair.other} minus that of {UNBROKEN} at the same n, mean of the last {pair.window} "
        f"steps of {pair.last}; the jump from n = {reset} to the next recorded iterate in root-mean-square changes of "
        f"{UNBROKEN}. {'; '.join(rows) or 'none'}. Elsewhere on {elsewhere} of {count} seeds; {pair.reference} visits "
        f"both places on {visiting} of {count}"
    ) + (f". Left out, and shown: {'; '.join(out)}." if out else ".")
    if not count:
        verdict = "undecided"
    elif count < FEWEST:
        verdict = f"{agreeing} of {count} seed{'s' if count > 1 else ''}: too few to tell"
    else:
        mixed = f"mixed: {agreeing} of {count}"
        verdict = "agrees" if agreeing == count and not out else "disagrees" if not agreeing else mixed
    test = f"{count} seeds, no test"
    return Finding(topic, "Section 4", sentence, measured, verdict, test)


def _jump(n: np.ndarray, broken: np.ndarray, unbroken: np.ndarray, reset: int) -> float:
    """Return the first change of a path after its reset, over the root-mean-square change of the path without reset."""
    index = int(np.searchsorted(n, reset))
    steps = np.diff(unbroken[n <= reset][-min(len(n), 20) :])
    scale = float(np.sqrt(np.mean(steps**2))) if len(steps) else float("nan")
    if index + 1 >= len(n) or not scale > 0:
        return float("nan")
    return float(broken[index + 1] - broken[index]) / scale
