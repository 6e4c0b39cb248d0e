"""What the study of the order-averaging regulariser says: every curve at its best rate, and stability (no torch)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nn_experiments.analysis.finding import EMULATES, LARGER, Finding, spread, verdict_of
from nn_experiments.analysis.seeds import compare
from nn_experiments.paper import curve_names
from nn_experiments.results.studies import Study

__all__ = [
    "COST",
    "TEST",
    "Case",
    "best_rates",
    "order_averaging_study_findings",
    "order_averaging_study_table",
    "order_stability_findings",
    "order_stability_table",
    "stability",
]

_OURS = (
    "Appendix D.2.1",
    "The experiment shows that our method can outperform vanilla training both for large and small batches with "
    "minimal tuning of λ for this specific experiment.",
)
#: The paper's multiples of h².
PRINTED = ("regularised-0.5", "regularised-1", "regularised-2", "regularised-4")
TRAIN, TEST = 0, 1
STEPS, COST = 0, 1
#: The loss of a network that knows nothing of ten classes: a path that ends above it has not trained.
CHANCE = float(np.log(10))


def best_rates(study: Study, c: int, *, budget: int = COST, metric: int = TEST) -> dict[str, tuple[float, NDArray]]:
    """Return for every curve the rate of the lowest median over seeds, and the values of the seeds there, (S,).

    Parameters
    ----------
    study
        Results of `nn_experiments.studies.order_averaging`.
    c
        Number of parts.
    budget
        0: after as many steps; 1: after as many multiply-adds.
    metric
        0 … 3: train loss, test loss, train error, test error. The rate is chosen by this metric itself, for all curves.
    """
    ends = study["ends"][list(study.about["parts"]).index(c)][..., budget, metric]
    values = np.where(np.isfinite(ends), ends, np.inf)
    chosen = np.median(values, axis=-1).argmin(axis=0)
    rates = study.about["rates"]
    return {name: (rates[chosen[k]], values[chosen[k], k]) for k, name in enumerate(study.about["curves"])}


class Case(NamedTuple):
    """One regularised path of the study.

    Attributes
    ----------
    c, rate, curve
        Which one.
    reach
        hΛ, with the larger of the top eigenvalues at the start and at the end of plain SGD, so that it is known only
        after training.
    reach_at_start
        hΛ, with the top eigenvalue at the start alone.
    multiple
        λ/h².
    unstable
        Whether its training loss ended above chance, or was not finite.
    """

    c: int
    rate: float
    curve: str
    reach: float
    reach_at_start: float
    multiple: float
    unstable: bool

    @property
    def factor(self) -> float:
        """1 − hΛ + λc(c − 1)Λ², by which a step multiplies along the top eigenvector if parts have equal Hessians."""
        return self._factor(self.reach)

    @property
    def foretold(self) -> bool:
        """Whether the factor is outside [−1, 1]."""
        return not abs(self.factor) <= 1

    @property
    def foretold_at_start(self) -> bool:
        """Whether the factor with the top eigenvalue at the start alone is outside [−1, 1]."""
        return not abs(self._factor(self.reach_at_start)) <= 1

    def _factor(self, reach: float) -> float:
        return 1 - reach + self.multiple * self.c * (self.c - 1) * reach**2


def stability(study: Study) -> list[Case]:
    """Return every path of the study with the regulariser over all orders."""
    cases = []
    for a, c in enumerate(study.about["parts"]):
        for b, h in enumerate(study.about["rates"]):
            reach, at_start = h * np.nanmax(study["eigenvalue"][a, b], axis=-1), h * study["eigenvalue"][a, b, :, 0]
            for k, name in enumerate(study.about["curves"]):
                rule = curve_names.parse(name)
                if not isinstance(rule, curve_names.StepRule) or rule.rule != "regularised" or rule.multiple is None:
                    continue
                multiple = rule.multiple / {"h": 1, "hc": c**2, "derived": 2 * c**2}[rule.unit]
                last = study["ends"][a, b, k, :, STEPS, TRAIN]
                cases += [
                    Case(c, h, name, float(x), float(y), multiple, not loss <= CHANCE)
                    for x, y, loss in zip(reach, at_start, last, strict=True)
                ]
    return cases


def order_averaging_study_table(study: Study) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Return the header and a row per curve and c: its best rate, and the test loss at equal steps and equal cost."""
    rows = []
    for c in study.about["parts"]:
        steps, cost = (best_rates(study, c, budget=budget) for budget in (STEPS, COST))
        errors = best_rates(study, c, metric=3)
        for name in study.about["curves"]:
            told = [f"{h:g}: {spread(v.tolist())}" for h, v in (steps[name], cost[name], errors[name])]
            rows.append((str(c), curve_names.step_label_of(name), *told))
    return ("c", "curve", "h: test loss, equal steps", "h: test loss, equal cost", "h: test error, equal cost"), rows


def order_stability_table(study: Study) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Return the header and a row a learning rate: hΛ, and the training loss of every curve at the end."""
    rows = []
    for b, h in enumerate(study.about["rates"]):
        reach = h * np.nanmax(study["eigenvalue"][0, b], axis=-1)
        losses = [spread(study["ends"][0, b, k, :, STEPS, TRAIN].tolist()) for k in range(len(study.about["curves"]))]
        rows.append((f"{h:g}", spread(reach.tolist()), *losses))
    return ("h", "hΛ", *(curve_names.step_label_of(name) for name in study.about["curves"])), rows


def order_stability_findings(study: Study) -> list[Finding]:
    """Return whether the local quadratic model foretells which paths of the paper's network fail."""
    return [_stable(study, "Stability of the regularised step on the paper's network")]


def order_averaging_study_findings(study: Study) -> list[Finding]:
    """Return for each c whether the regulariser wins with every curve at its best rate, and what stability says."""
    rows = []
    for c in study.about["parts"]:
        for budget, what in ((COST, "equal cost"), (STEPS, "equal steps")):
            rows.append(_tuned(study, c, budget, what))
        rows.append(_at_small_rates(study, c))
    return [*rows, _stable(study), _expands(study)]


def _tuned(study: Study, c: int, budget: int, what: str) -> Finding:
    tuned = best_rates(study, c, budget=budget)
    ours = min((name for name in PRINTED if name in tuned), key=lambda name: float(np.median(tuned[name][1])))
    plain = min(("forward", "small"), key=lambda name: float(np.median(tuned[name][1])))
    (h, best), (rate, theirs) = tuned[ours], tuned[plain]
    others = "; ".join(f"{name} at h = {h:g}: {spread(v.tolist())}" for name, (h, v) in tuned.items())
    comparison = compare(f"test loss, {plain} at {rate:g} and {ours} at {h:g}", range(len(best)), theirs, best)
    rates = ", ".join(f"{r:g}" for r in study.about["rates"])
    measured = (
        f"Test loss at {what}, each curve at the best of the rates {rates}: "
        f"{others}. The best λ of those printed is {ours}, the better baseline {plain}."
    )
    verdict = verdict_of(int((best < theirs).sum()), int((best > theirs).sum()), len(best))
    told = "not finite" if comparison.pvalue is None else f"p = {comparison.pvalue:.3g}"
    test = f"Exact sign-flip test over {len(comparison.seeds)} seeds, two-sided: {told}"
    return Finding(
        f"Order-averaging, every rate tuned: c = {c}, {what}", *_OURS, measured, verdict, test, (comparison,)
    )


def _at_small_rates(study: Study, c: int) -> Finding:
    """Judge whether the test loss, which the paper's sentence is about, falls as λ grows, rate by rate.

    The training loss is counted beside it.
    """
    a = list(study.about["parts"]).index(c)
    curves = list(study.about["curves"])
    printed = [curves.index(name) for name in PRINTED if name in curves]
    values = study["ends"][a][..., STEPS, :][:, printed]  # (rate, λ, seed, 4)
    with np.errstate(invalid="ignore"):
        falls = (np.diff(np.where(np.isfinite(values), values, np.inf), axis=1) < 0).all(axis=1).sum(axis=1)
    rates, seeds = study.about["rates"], study.about["seeds"]
    test, train = (
        "; ".join(f"h = {h:g}: {count}" for h, count in zip(rates, falls[:, metric], strict=True))
        for metric in (TEST, TRAIN)
    )
    measured = (
        f"Seeds of {seeds} on which the test loss after as many steps falls with every larger λ of "
        f"{', '.join(curves[k] for k in printed)}: {test}. The training loss: {train}."
    )
    verdict = f"{falls[:, TEST].sum()} of {seeds * len(falls)} seeds and rates, by test loss"
    return Finding(f"Larger λ, rate by rate: c = {c}", *LARGER[c], measured, verdict)


def _expands(study: Study) -> Finding:
    """Judge whether the regulariser is what the mean over all orders adds, at steps of ordinary size."""
    told = []
    for name, rows in zip(study.about["activations"], study["expansion"], strict=True):
        sizes = zip(study.about["sizes"], rows[..., 0], strict=True)
        told.append(f"{name}: {'; '.join(f'h = {h:g} {spread(cosine.tolist())}' for h, cosine in sizes)}")
    worst = {
        name: rows[..., 0].min() for name, rows in zip(study.about["activations"], study["expansion"], strict=True)
    }
    measured = (
        "Cosine of T_perm − T_large and of the regulariser at θ_0, c = 2. "
        f"{'. '.join(told)}. 1 is what the expansion says for small h. The gradient of a ReLU network jumps where a "
        "unit switches on for an image, and the expansion does not see that."
    )
    verdict = "; ".join(f"{name}: smallest cosine {value:.2g}" for name, value in worst.items())
    return Finding("Second order of the mean over orders", *EMULATES, measured, verdict)


def _stable(study: Study, topic: str = "Stability of the regularised step") -> Finding:
    cases = stability(study)
    right = sum(case.foretold == case.unstable for case in cases)
    missed = sum(case.unstable and not case.foretold for case in cases)
    early = sum(case.foretold_at_start == case.unstable for case in cases)
    measured = (
        f"Of {len(cases)} paths (c, h, λ, seed) {sum(case.unstable for case in cases)} end above chance. The factor "
        f"1 − hΛ + λc(c − 1)Λ² of the top eigenvector, outside [−1, 1] or not, is right on {right} with the larger Λ "
        f"of the start and the end of plain SGD; {missed} unstable paths are missed, and {len(cases) - right - missed} "
        f"stable ones called unstable. With Λ at the start alone, known before training, it is right on {early}."
    )
    plain = [k for k, name in enumerate(study.about["curves"]) if name == "forward"]
    lost = int((~(study["ends"][:, :, plain, :, STEPS, TRAIN] <= CHANCE)).sum())
    reach = np.array(study.about["rates"])[:, None] * np.nanmax(study["eigenvalue"], axis=-1)  # (c, rate, seed)
    measured += (
        f" Of the {reach.size} paths of plain SGD beside them {lost} end above chance, where the factor at λ = 0 is "
        f"outside [−1, 1] for {int((~(np.abs(1 - reach) <= 1)).sum())}."
    )
    return Finding(topic, *_OURS, measured, f"foretold: {early} of {len(cases)}; with Λ at the end as well: {right}")
