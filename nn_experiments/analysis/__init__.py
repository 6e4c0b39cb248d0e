"""Analysis of results: numbers of a path, comparisons over seeds, and a verdict on each claim of the paper (no torch).

>>> from nn_experiments import load  # doctest: +SKIP
>>> from nn_experiments.paper import catalogue
>>> from nn_experiments.analysis import findings
>>> for row in findings(load("fig4", out="out"), catalogue.find("fig4")):    # doctest: +SKIP
...     print(row.topic, "|", row.measured, "|", row.verdict)
"""

from __future__ import annotations

from nn_experiments.analysis.baselines import baselines
from nn_experiments.analysis.finding import Finding
from nn_experiments.analysis.order_averaging import regulariser_findings
from nn_experiments.analysis.pairing import Pairing
from nn_experiments.analysis.passages import passages, settling_times
from nn_experiments.analysis.points import points
from nn_experiments.analysis.resets import other_point
from nn_experiments.analysis.run_summary import Circumstances, circumstances
from nn_experiments.analysis.values import best, fixed_steps
from nn_experiments.analysis.variability import variability
from nn_experiments.paper.catalogue import Figure
from nn_experiments.paper.curve_names import compares_steps
from nn_experiments.results.curves import Curves

__all__ = ["Circumstances", "Finding", "Pairing", "circumstances", "findings"]


def findings(curves: Curves, figure: Figure) -> list[Finding]:
    """Return a finding for each claim of a figure, whether the results agree with it or not.

    Raises
    ------
    ValueError
        If one of the figure's orders was not recorded, or the orders have no common iterates.
    """
    if compares_steps(figure.orders):
        return regulariser_findings(curves, figure)
    reference, other = figure.orders[:2]
    missing = [name for name in (reference, other) if name not in curves.orders]
    if missing:
        raise ValueError(f"{figure.name} compares {reference} and {other}; not recorded: {', '.join(missing)}")
    pair = Pairing(curves, figure, reference, other)
    place = f"Section {figure.section}" if figure.section[:1].isdigit() else f"Appendix {figure.section}"
    if figure.section == "-":
        place = "not in the paper"
    resets = other.startswith("reset") and pair.start > 0
    rows = [other_point(pair, figure.claim)] if resets else []
    sentence = (place, figure.claim) if not other.startswith("reset") else ("Section 5", _WINDOW)
    rows += variability(pair, *sentence)
    iid = curves.experiment.get("experiment", {}).get("sampling", "iid") == "iid"
    rows += [fixed_steps(pair, iid=iid), *passages(pair), best(pair), settling_times(pair)]
    return [*rows, *points(pair), *baselines(pair)]


_WINDOW = (
    "We see that this approach leads to convergence and increased stability in Figure 3; however the backward "
    "trajectory may change and converge to a different point at each reset."
)
