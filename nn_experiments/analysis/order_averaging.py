"""Figures 14 to 19: the order-averaging regulariser beside plain training (no torch).

The regularised step is derived from SGD at h; the paper's baselines run at h/c. So each question is asked three times:
against the baselines as printed, against SGD at h (``forward``), and against SGD at h with as many multiply-adds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from contraction.values import Value
from nn_experiments.analysis.finding import EMULATES, LARGER, Finding, spread, verdict_of
from nn_experiments.analysis.pairing import label_of, smaller_is_better
from nn_experiments.analysis.seeds import Comparison, compare
from nn_experiments.paper import curve_names
from nn_experiments.paper.catalogue import EXPERIMENTS, Figure
from nn_experiments.results.curves import Curves

__all__ = ["Ends", "distance_to_mean_over_orders", "ends", "rate_and_parts", "rate_share", "regulariser_findings"]

_BEST = "The best of {} values of λ is picked after seeing them, on the same curve, which favours the regulariser."


@dataclass(frozen=True, eq=False)
class Ends(Value):
    """Values of curves at one iterate, or at the last ones of equal cost; smaller is better.

    Attributes
    ----------
    metric
        What the values are of.
    n
        The last iterate that all curves of all seeds have.
    values
        Name of a curve -> one value a seed, (S,), at n.
    cheaper
        The same for the regularised curves at the last recorded iterate that costs no more than n plain steps.
    """

    metric: str
    n: int
    values: Mapping[str, NDArray]
    cheaper: Mapping[str, NDArray]

    @property
    def regularised(self) -> list[str]:
        """The curves of the literal reading, λ a multiple of h² and the rate h, by increasing λ."""
        multiples = [(rule.multiple, name) for name in self.values if (rule := _literal(name)) is not None]
        return [name for _, name in sorted(multiples)]


def _literal(name: str) -> curve_names.StepRule | None:
    rule = curve_names.parse(name)
    if not isinstance(rule, curve_names.StepRule) or rule.rule != "regularised":
        return None
    return rule if (rule.unit, rule.rate) == ("h", "h") else None


def ends(curves: Curves, names: Sequence[str], metric: str) -> Ends:
    """Return the values of curves at the end of training, seed by seed.

    Parameters
    ----------
    curves
        Results of one experiment.
    names
        Curves that every seed has.
    metric
        A loss, or an accuracy, which is turned into an error rate.

    Raises
    ------
    ValueError
        If a curve of a seed has no iterate.
    """
    paths = {(name, seed): curves.path(metric, seed=seed, order=name) for name in names for seed in curves.seeds}
    lacking = [f"{name} of seed {seed}" for (name, seed), (n, _) in paths.items() if not len(n)]
    if lacking:
        raise ValueError(f"not recorded: {', '.join(lacking)}")
    last = min(int(n.max()) for n, _ in paths.values())
    values, cheaper = {}, {}
    for name in names:
        price = curve_names.parse(name).price
        rows = [paths[name, seed] for seed in curves.seeds]
        values[name] = np.array([smaller_is_better(metric, v[n == last])[0] for n, v in rows])
        if price > 1:
            cheaper[name] = np.array([smaller_is_better(metric, v[n * price <= last])[-1] for n, v in rows])
    return Ends(metric, last, values, cheaper)


def rate_share(final: Ends, name: str) -> NDArray:
    """Return which part of a curve's advantage over ``large`` SGD at h has as well, seed by seed (S,).

    1 means that the learning rate explains all of it, and more than 1 that SGD at h is better. It is not finite where
    the curve has no advantage.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return (final.values["large"] - final.values["forward"]) / (final.values["large"] - final.values[name])


def distance_to_mean_over_orders(curves: Curves, lam: float, *, seed: int, order: str) -> tuple[NDArray, NDArray]:
    """Return the iterates, and the distance of θ + hV_B + λ∇R to the mean over all orders over that of θ + hV_B.

    Parameters
    ----------
    curves
        Results that have what `nn_experiments.training.order_averaging_measures` records.
    lam
        λ itself; 0 gives 1.
    seed, order
        Whose iterates θ are.

    Returns
    -------
    tuple of ndarray
        n, (K,), and the ratios, (K,).
    """
    n, size = curves.path("orders_norm", seed=seed, order=order)
    term = lam * curves.path("alignment_gradient_norm", seed=seed, order=order)[1]
    cosine = curves.path("orders_alignment_cosine", seed=seed, order=order)[1]
    square = size**2 - 2 * cosine * size * term + term**2
    return n, np.sqrt(np.maximum(square, 0)) / size


def regulariser_findings(curves: Curves, figure: Figure) -> list[Finding]:
    """Judge the paper's sentences on the regulariser on one metric of one figure.

    Raises
    ------
    ValueError
        If the curves of the two baselines, or all regularised ones, were not recorded.
    """
    metric = figure.metrics[0]
    shown = [name for name in figure.all_orders if name in curves.orders]
    if not {"large", "small"} <= set(shown) or not any(_literal(name) for name in shown):
        raise ValueError(f"{figure.name} compares large, small and regularised-…; recorded are {', '.join(shown)}")
    final = ends(curves, shown, metric)
    rows = [_outperforms(final, curves, figure, ("large", "small"), "")]
    if "forward" in final.values:
        rows.append(_outperforms(final, curves, figure, ("forward",), " against SGD at h"))
        rows.append(_outperforms(final, curves, figure, ("forward",), " at equal cost", cheaper=True))
    if len(final.regularised) > 1:
        rows.append(_larger(final, curves, figure))
    if "orders_norm" in curves.metrics:
        rows.append(_emulates(final, curves))
    return rows


def _outperforms(
    final: Ends, curves: Curves, figure: Figure, plain: Sequence[str], what: str, *, cheaper: bool = False
) -> Finding:
    """Judge whether the best regularised curve ends below all of some plain ones."""
    ours = {name: (final.cheaper if cheaper else final.values)[name] for name in final.regularised}
    best = np.min(list(ours.values()), axis=0)
    theirs = np.min([final.values[name] for name in plain], axis=0)
    finite = np.isfinite([*ours.values(), *(final.values[name] for name in plain)]).all()
    wins = int((best < theirs).sum())
    verdict = verdict_of(wins, len(best) - wins, len(best))  # as low is not better
    numbers = "; ".join(f"{name} {spread(v)}" for name, v in {**{k: final.values[k] for k in plain}, **ours}.items())
    steps = f"n = {final.n}"
    if cheaper:
        steps += f", regularised curves at the last iterate of no more multiply-adds (a step counts {_price(final)})"
    below = f"Some λ is below {'both baselines' if len(plain) > 1 else plain[0]} on {wins} of {len(best)} seeds."
    measured = f"{label_of(final.metric)} at {steps}: {numbers}. {below} {_BEST.format(len(ours))}"
    if not finite:
        verdict, measured = "undecided", f"{measured} Some path diverged; its value is not finite."
    comparisons = tuple(
        compare(f"{label_of(final.metric)}, {one} and {name}{what}", curves.seeds, final.values[one], value)
        for one in plain
        for name, value in ours.items()
    )
    return Finding(
        f"Order-averaging regulariser{what}",
        "Appendix D.2.1",
        figure.claim,
        measured,
        verdict,
        _test(comparisons),
        comparisons,
    )


def _price(final: Ends) -> str:
    return f"{curve_names.parse(final.regularised[0]).price:g}"


def _larger(final: Ends, curves: Curves, figure: Figure) -> Finding:
    """Judge whether the end value falls with every larger λ, and how much of it the learning rate explains."""
    names = final.regularised
    values = np.array([final.values[name] for name in names])
    falls, rises = (np.diff(values, axis=0) < 0).all(axis=0), values[-1] > values[0]
    parts = EXPERIMENTS[figure.experiment].parts
    assert parts is not None  # its curves are appendix D's
    largest = names[-1]
    measured = (
        f"{label_of(final.metric)} at n = {final.n} falls with every larger λ on {int(falls.sum())} of "
        f"{len(curves.seeds)} seeds; from the smallest to the largest by {spread(values[0] - values[-1])}."
    )
    if "forward" in final.values:
        gain = final.values["forward"] - values[-1]
        measured += (
            f" The largest λ is below SGD at h by {spread(gain)}; of its advantage over the large batch at h/c SGD at "
            f"h has {spread(rate_share(final, largest))}, by the learning rate alone."
        )
    comparison = compare(
        f"{label_of(final.metric)}, {names[0]} and {largest}", curves.seeds, values[0], values[-1], unit="loss"
    )
    verdict = verdict_of(int(falls.sum()), int(rises.sum()), len(curves.seeds))
    if not np.isfinite(values).all():
        verdict, measured = "undecided", f"{measured} Some path diverged; its value is not finite."
    topic = "Larger λ"
    return Finding(topic, *LARGER[parts], measured, verdict, _test((comparison,)), (comparison,))


def rate_and_parts(curves: Curves) -> tuple[float, int]:
    """Return the learning rate h of the large batch and the number c of its parts, as the run's settings have them."""
    experiment = curves.experiment["experiment"]
    return cast("Mapping[str, float]", experiment["optimizer"])["learning_rate"], cast(int, experiment["parts"])


def _emulates(final: Ends, curves: Curves) -> Finding:
    """Judge whether the step with the printed λ is nearer to the mean over all orders than the plain step is."""
    h, c = rate_and_parts(curves)
    told, nearer = [], []
    settings = {name: rule.multiple * h**2 for name in final.regularised if (rule := _literal(name)) and rule.multiple}
    settings["λ = (h/c)²/2, the derived one"] = (h / c) ** 2 / 2
    for name, lam in settings.items():
        order = name if name in curves.orders else final.regularised[0]
        ratios = [distance_to_mean_over_orders(curves, lam, seed=seed, order=order)[1] for seed in curves.seeds]
        told.append(f"{name}: {spread(np.concatenate(ratios))}")
        if name in curves.orders:
            nearer.append([bool((ratio < 1).all()) for ratio in ratios])
    all_nearer, none_nearer = np.all(nearer, axis=0), ~np.any(nearer, axis=0)
    measured = (
        "Distance of a step to the mean over all orders, over that of SGD at h, at the recorded iterates: "
        f"{'; '.join(told)}. 1 means: not nearer than without the term."
    )
    verdict = verdict_of(int(all_nearer.sum()), int(none_nearer.sum()), len(curves.seeds))
    return Finding("Emulates the mean over orders", *EMULATES, measured, verdict)


def _test(comparisons: Sequence[Comparison]) -> str:
    """Return the exact sign-flip p-values of comparisons over seeds."""
    told = [
        f"{row.what}: p = {row.pvalue:.3g} (smallest possible {row.smallest_pvalue:.3g})"
        for row in comparisons
        if row.pvalue is not None
    ]
    return f"Exact sign-flip tests over {len(comparisons[0].seeds)} seeds, two-sided. {'; '.join(told)}"
