"""Values at a fixed step, whose law both orders share, and the best value so far, whose law they do not (no torch)."""

from __future__ import annotations

import math

import numpy as np

from nn_experiments.analysis.finding import BETTER, FEWEST, Finding, left_out, verdict_of
from nn_experiments.analysis.pairing import Pairing, label_of, unit_of
from nn_experiments.analysis.seeds import compare, divided_level

__all__ = ["best", "detectable", "fixed_steps"]


def detectable(n: int, level: float) -> float:
    """Return the mean difference, in standard deviations of the differences, that n pairs detect with power 0.8.

    The differences are assumed to be normal. The result is infinity if so few pairs can never reject at this level.
    """
    from scipy.stats import norm

    if 2 / 2.0**n > level:
        return math.inf
    return float((norm.ppf(1 - level / 2) + norm.ppf(0.8)) / math.sqrt(n))


def fixed_steps(pair: Pairing, *, iid: bool) -> Finding:
    """Compare the values of both orders at steps fixed beforehand; with i.i.d. batches they have the same law."""
    rows = []
    for metric in (name for name in pair.metrics if name in pair.figure.metrics):
        for n in (n for n in pair.figure.compared_at if n <= pair.last):
            values = pair.at(metric, n)
            if values is not None:
                rows.append(compare(f"{label_of(metric)} at n = {n}", pair.curves.seeds, *values, unit=unit_of(metric)))
    topic = "Value at a fixed step"
    if not rows:
        steps = ", ".join(map(str, pair.figure.compared_at))
        return Finding(topic, *BETTER, f"none of the steps fixed beforehand ({steps}) was recorded", "not measured")
    lower, pairs = sum(row.larger for row in rows), sum(len(row.seeds) for row in rows)
    level, n = divided_level(len(rows)), min(len(row.seeds) for row in rows)
    smallest = min((row.pvalue for row in rows if row.pvalue is not None), default=None)
    rejected = [row.what for row in rows if row.rejects(level)]
    law = (
        "With i.i.d. batches both orders' iterates n have one law at every n, for any network (the identity behind "
        "Theorem 2.6): no expectation at a fixed step differs, so this does not measure one."
        if iid
        else "With this sampling rule equality of laws is not proved at every n; the test asks whether they differ."
    )
    measured = f"{pair.other} is lower in {lower} of {pairs} comparisons. {law}" + left_out(*rows)
    test = (
        f"exact sign-flip tests, n = {n} seeds, {len(rows)} of them fixed beforehand (steps × curves), each at level "
        f"0.05/{len(rows)}, so that any false alarm has chance at most 0.05; smallest p-value "
        f"{'none' if smallest is None else format(smallest, '.3g')}, smallest possible {2 / 2**n:.3g}. "
    )
    shift = detectable(n, level)
    if math.isinf(shift):
        test += f"Power 0: with {n} seeds no rejection is possible, whatever the runs show"
    else:
        test += f"Power 0.8 for a mean difference of {shift:.2g} deviations of the differences"
    if rejected:
        verdict = "rejected: a false alarm or a defect" if iid else "differ"
        measured += f" Rejected: {', '.join(rejected)}."
    elif iid:
        verdict = "equal in law (proved)" + ("; too few seeds to test" if math.isinf(shift) else "; not contradicted")
    else:
        verdict = "no difference shown" if not math.isinf(shift) else f"{n} seeds: too few to tell"
    return Finding(topic, *BETTER, measured, verdict, test, tuple(rows), compared=pair.orders)


def best(pair: Pairing) -> Finding:
    """Judge whether the other order's best value so far is lower at the end.

    A forward path visits many more values, which favours it.
    """
    rows, texts = [], []
    for metric in (name for name in pair.figure.metrics if name in pair.metrics):
        summaries = pair.summaries(metric)
        values = [
            [row[k].best if row[k].diverged_at is None else math.nan for row in summaries] for k in (0, 1)
        ]  # the best of a diverged path before it broke is not a result of the run
        row = compare(f"best {label_of(metric)} by n = {pair.last}", pair.curves.seeds, *values, unit=unit_of(metric))
        rows.append(row)
        middle = [f"{np.median(v):.3g}" if v else "none" for v in (row.reference, row.other)]
        texts.append(
            f"{row.what}: median {middle[0]} {pair.reference}, {middle[1]} {pair.other}; {pair.other} lower on "
            f"{row.larger} of {len(row.seeds)} seeds, higher on {row.smaller}"
        )
    lower, higher = sum(row.larger for row in rows), sum(row.smaller for row in rows)
    n, seeds = sum(len(row.seeds) for row in rows), min(len(row.seeds) for row in rows)
    out = tuple(text for row in rows for text in row.left_out)
    verdict = verdict_of(lower, higher, n, out, what="comparisons")
    if 0 < seeds < FEWEST:
        verdict = f"{lower} of {n} comparisons, {seeds} seeds: too few to tell"
    measured = ". ".join(texts) + "." + left_out(*rows)
    test = "the best of a path that moves more is lower by selection alone; no test"
    return Finding("Best so far", *BETTER, measured, verdict, test, tuple(rows), compared=pair.orders)
