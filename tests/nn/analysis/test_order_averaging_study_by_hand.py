"""The study of the order-averaging regulariser on random numbers, against plain loops, and at its limits."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nn_experiments.analysis.finding import Finding
from nn_experiments.analysis.order_averaging_study import (
    CHANCE,
    Case,
    best_rates,
    order_averaging_study_findings,
    order_averaging_study_table,
    order_stability_findings,
    order_stability_table,
    stability,
)
from nn_experiments.paper import curve_names
from nn_experiments.results.studies import Study

CURVES = ("forward", "large", "small", "regularised-0.5", "regularised-2", "regularised-4", "regularised-3-hc")
PRINTED = ("regularised-0.5", "regularised-2", "regularised-4")
PARTS, RATES, SEEDS = (2, 3), (0.01, 0.1, 1.0), 6
NAMES = ("train loss", "test loss", "train error", "test error")


def study(case: int = 0) -> Study:
    """Ends (c, rate, curve, seed, budget, metric) about log 10, one in eight not finite; Λ (c, rate, seed, 2)."""
    rng = np.random.default_rng(case)
    ends = np.log(10) + rng.standard_normal((len(PARTS), len(RATES), len(CURVES), SEEDS, 2, 4))
    ends[rng.random(ends.shape) < 1 / 8] = math.nan
    ends[rng.random(ends.shape) < 1 / 50] = math.inf
    eigenvalue = np.exp(rng.standard_normal((len(PARTS), len(RATES), SEEDS, 2)))
    eigenvalue[0, 1, 2, 1] = math.nan  # the end of a path that diverged
    about = {"parts": list(PARTS), "rates": list(RATES), "curves": list(CURVES), "seeds": SEEDS}
    about |= {"activations": ["relu", "tanh"], "sizes": [0.01, 0.001]}
    arrays = {"ends": ends, "eigenvalue": eigenvalue, "expansion": rng.random((2, 2, SEEDS, 2))}
    return Study("order-averaging", arrays, about)


def middle(values: np.ndarray) -> str:
    low, median, high = (f"{v:.3g}" for v in (np.min(values), np.median(values), np.max(values)))
    return f"{median} ({low} to {high})"


def or_infinite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, np.inf)


def best(one: Study, a: int, k: int, budget: int, metric: int) -> tuple[float, np.ndarray]:
    """The rate of the lowest median of one curve, where what is not finite counts as infinite; of ties the first."""
    rows = [or_infinite(one["ends"][a, b, k, :, budget, metric]) for b in range(len(RATES))]
    b = min(range(len(RATES)), key=lambda b: np.median(rows[b]))
    return RATES[b], rows[b]


@pytest.mark.parametrize("case", range(3))
@pytest.mark.parametrize("budget", [0, 1])
@pytest.mark.parametrize("metric", range(4), ids=NAMES)
def test_every_curve_has_the_rate_of_its_lowest_median(case: int, budget: int, metric: int) -> None:
    one = study(case)
    for a, c in enumerate(PARTS):
        found = best_rates(one, c, budget=budget, metric=metric)
        assert list(found) == list(CURVES)
        for k, name in enumerate(CURVES):
            rate, values = best(one, a, k, budget, metric)
            assert found[name][0] == rate
            assert np.array_equal(found[name][1], values)


def test_by_default_the_test_loss_decides_at_equal_cost() -> None:
    found, said = best_rates(study(), 3), best_rates(study(), 3, budget=1, metric=1)
    assert [rate for rate, _ in found.values()] == [rate for rate, _ in said.values()]
    assert np.array_equal([v for _, v in found.values()], [v for _, v in said.values()])
    tied = study()
    tied.arrays["ends"][:] = 1.0
    assert {rate for rate, _ in best_rates(tied, 2).values()} == {0.01}  # of equal medians the first


def test_the_table_has_each_curve_at_its_own_rates() -> None:
    one = study()
    header, lines = order_averaging_study_table(one)
    assert header[2:] == ("h: test loss, equal steps", "h: test loss, equal cost", "h: test error, equal cost")
    expected = [
        (
            str(c),
            curve_names.step_label_of(name),
            *(f"{rate:g}: {middle(v)}" for rate, v in (best(one, a, k, *which) for which in ((0, 1), (1, 1), (1, 3)))),
        )
        for a, c in enumerate(PARTS)
        for k, name in enumerate(CURVES)
    ]
    assert lines == expected


def test_the_table_of_stability_has_the_training_losses_of_the_first_c() -> None:
    one = study()
    one.arrays["ends"][~np.isfinite(one["ends"])] = 9.0
    header, lines = order_stability_table(one)
    assert header == ("h", "hΛ", *(curve_names.step_label_of(name) for name in CURVES))
    for b, (h, line) in enumerate(zip(RATES, lines, strict=True)):
        reach = [h * np.nanmax(pair) for pair in one["eigenvalue"][0, b]]
        losses = (middle(one["ends"][0, b, k, :, 0, 0]) for k in range(len(CURVES)))
        assert line == (f"{h:g}", middle(np.array(reach)), *losses)


@pytest.mark.parametrize("case", range(3))
@pytest.mark.parametrize(("budget", "what"), [(1, "equal cost"), (0, "equal steps")])
def test_the_best_printed_multiple_is_held_against_the_better_baseline(case: int, budget: int, what: str) -> None:
    one = study(case)
    rows = {row.topic: row for row in order_averaging_study_findings(one)}
    for a, c in enumerate(PARTS):
        at = {name: best(one, a, k, budget, 1) for k, name in enumerate(CURVES)}
        ours = min(PRINTED, key=lambda name: np.median(at[name][1]))
        plain = min(("forward", "small"), key=lambda name: np.median(at[name][1]))
        row = rows[f"Order-averaging, every rate tuned: c = {c}, {what}"]
        told = "; ".join(f"{name} at h = {h:g}: {middle(v)}" for name, (h, v) in at.items())
        assert row.measured == (
            f"Test loss at {what}, each curve at the best of the rates 0.01, 0.1, 1: {told}. The best λ of those "
            f"printed is {ours}, the better baseline {plain}."
        )
        wins = sum(x < y for x, y in zip(at[ours][1], at[plain][1], strict=True))
        losses = sum(x > y for x, y in zip(at[ours][1], at[plain][1], strict=True))
        ties = f", {SEEDS - wins - losses} tied" if wins + losses < SEEDS else ""
        assert row.verdict == {SEEDS: "agrees"}.get(
            wins, "disagrees" if losses == SEEDS else f"mixed: {wins} of 6{ties}"
        )
        (comparison,) = row.comparisons
        assert comparison.what == f"test loss, {plain} at {at[plain][0]:g} and {ours} at {at[ours][0]:g}"
        kept = np.isfinite(at[ours][1]) & np.isfinite(at[plain][1])
        assert comparison.reference == tuple(at[plain][1][kept])
        assert comparison.other == tuple(at[ours][1][kept])
        assert row.test.startswith(f"Exact sign-flip test over {kept.sum()} seeds, two-sided: p = ")


def test_equal_losses_are_tied_and_none_that_is_finite_is_no_test() -> None:
    one = study()
    one.arrays["ends"][:] = 1.0
    tuned = [row for row in order_averaging_study_findings(one) if "every rate tuned" in row.topic]
    assert [row.verdict for row in tuned] == ["tied"] * 4
    one.arrays["ends"][:] = math.nan
    tuned = [row for row in order_averaging_study_findings(one) if "every rate tuned" in row.topic]
    assert {row.test for row in tuned} == {"Exact sign-flip test over 0 seeds, two-sided: not finite"}


@pytest.mark.parametrize("case", range(3))
def test_larger_multiples_are_counted_rate_by_rate(case: int) -> None:
    """Each multiple below the one before it; what is not finite is above all, and not below another of its kind."""
    one = study(case)
    one.arrays["ends"][0, 0, 3:6, 0, 0, :] = np.array([3.0, 2.0, 2.0])[:, None]  # equal values do not fall
    one.arrays["ends"][0, 0, 3:6, 1, 0, :] = np.array([math.nan, 2.0, 1.0])[:, None]
    one.arrays["ends"][0, 0, 3:6, 2, 0, :] = np.array([math.nan, math.inf, 1.0])[:, None]
    one.arrays["ends"][0, 1, 3:6, :, 0, 1] = np.array([3.0, 2.0, 1.0])[:, None]
    rows = {row.topic: row for row in order_averaging_study_findings(one)}
    for a, c in enumerate(PARTS):
        counts = np.zeros((2, len(RATES)), int)
        for metric, b, s in np.ndindex(2, len(RATES), SEEDS):
            x, y, z = or_infinite(one["ends"][a, b, 3:6, s, 0, metric])
            counts[metric, b] += x > y > z
        row = rows[f"Larger λ, rate by rate: c = {c}"]
        train, test = ("; ".join(f"h = {h:g}: {n}" for h, n in zip(RATES, ns, strict=True)) for ns in counts)
        assert row.measured == (
            "Seeds of 6 on which the test loss after as many steps falls with every larger λ of regularised-0.5, "
            f"regularised-2, regularised-4: {test}. The training loss: {train}."
        )
        assert row.verdict == f"{counts[1].sum()} of 18 seeds and rates, by test loss"


def test_every_regularised_path_is_a_case() -> None:
    """hΛ with the larger of the two eigenvalues, one of which may be missing, and with the first one alone."""
    one, cases = study(), []
    for a, c in enumerate(PARTS):
        for b, h in enumerate(RATES):
            for k, multiple in ((3, 0.5), (4, 2.0), (5, 4.0), (6, 3 / c**2)):
                for s in range(SEEDS):
                    start, end = one["eigenvalue"][a, b, s]
                    larger = start if math.isnan(end) else max(start, end)
                    loss = one["ends"][a, b, k, s, 0, 0]
                    gone = not math.isfinite(loss) or loss > math.log(10)
                    cases.append((c, h, CURVES[k], h * larger, h * start, pytest.approx(multiple), gone))
    assert [tuple(case) for case in stability(one)] == cases


def test_a_path_at_chance_has_not_failed() -> None:
    assert math.log(10) == CHANCE
    one = study()
    for value, unstable in ((CHANCE, False), (np.nextafter(CHANCE, 9), True), (math.nan, True), (-math.inf, False)):
        one.arrays["ends"][..., 0, 0] = value
        assert {case.unstable for case in stability(one)} == {unstable}


@pytest.mark.parametrize(
    ("c", "multiple", "reach", "factor"),
    [(2, 0.0, 0.5, 0.5), (2, 0.5, 2.0, 3.0), (3, 0.5, 2.0, 11.0), (4, 0.25, 2.0, 11.0), (4, 0.25, 0.5, 1.25)],
)
def test_the_factor_along_the_top_eigenvector(c: int, multiple: float, reach: float, factor: float) -> None:
    """1 − hΛ + λc(c − 1)Λ² with λ = multiple·h²: for c = 3, 1 − 2 + 0.5·6·4."""
    case = Case(c, 0.1, "", reach, 0.0, multiple, False)
    assert case.factor == factor
    assert case.foretold == (abs(factor) > 1)
    assert Case(c, 0.1, "", 0.0, reach, multiple, False).foretold_at_start == (abs(factor) > 1)


@pytest.mark.parametrize(
    ("reach", "multiple", "outside"),
    [
        (2.0, 0.0, False),  # the factor is −1 itself
        (float(np.nextafter(2, 3)), 0.0, True),
        (0.5, 1.0, False),  # 1 − 0.5 + 2·0.25 = 1
        (0.5, 1.0000001, True),
        (0.0, 1.0, False),
        (math.nan, 1.0, True),
    ],
)
def test_a_factor_of_one_is_not_outside(reach: float, multiple: float, outside: bool) -> None:
    assert Case(2, 0.1, "", reach, 0.0, multiple, False).foretold == outside
    assert Case(2, 0.1, "", 0.0, reach, multiple, False).foretold_at_start == outside


def told(one: Study) -> list[Finding]:
    return [row for row in order_averaging_study_findings(one) if row.topic == "Stability of the regularised step"]


@pytest.mark.parametrize("case", range(3))
def test_what_is_foretold_is_counted(case: int) -> None:
    one = study(case)
    cases = stability(one)
    right = missed = false = early = 0
    for found in cases:
        known, first = (
            abs(1 - x + found.multiple * found.c * (found.c - 1) * x**2) > 1
            for x in (found.reach, found.reach_at_start)
        )
        right += known == found.unstable
        missed += found.unstable and not known
        false += known and not found.unstable
        early += first == found.unstable
    lost = sum(not loss <= math.log(10) for loss in one["ends"][:, :, 0, :, 0, 0].ravel())
    beyond = 0
    for (_, b, _), pair in zip(
        np.ndindex(len(PARTS), len(RATES), SEEDS), one["eigenvalue"].reshape(-1, 2), strict=True
    ):
        beyond += RATES[b] * np.nanmax(pair) > 2
    (row,) = told(one)
    (alone,) = order_stability_findings(one)
    assert len(cases) == right + missed + false == 2 * 3 * 4 * 6
    assert row.verdict == alone.verdict == f"foretold: {early} of 144; with Λ at the end as well: {right}"
    unstable = sum(found.unstable for found in cases)
    assert row.measured == alone.measured
    assert row.measured.startswith(f"Of 144 paths (c, h, λ, seed) {unstable} end above chance. ")
    assert f"is right on {right} with the larger Λ" in row.measured
    assert f"; {missed} unstable paths are missed, and {false} stable ones called unstable. " in row.measured
    assert f"known before training, it is right on {early}. Of the 36 paths of plain SGD" in row.measured
    assert row.measured.endswith(
        f"beside them {lost} end above chance, where the factor at λ = 0 is outside [−1, 1] for {beyond}."
    )


def test_cosines_have_their_medians_and_their_smallest() -> None:
    one = study()
    row = order_averaging_study_findings(one)[-1]
    for name, rows in zip(("relu", "tanh"), one["expansion"], strict=True):
        sizes = "; ".join(f"h = {h:g} {middle(rows[i, :, 0])}" for i, h in enumerate((0.01, 0.001)))
        assert f"{name}: {sizes}." in row.measured
    smallest = [min(one["expansion"][i, :, :, 0].ravel()) for i in range(2)]
    assert row.verdict == f"relu: smallest cosine {smallest[0]:.2g}; tanh: smallest cosine {smallest[1]:.2g}"


def test_each_c_has_its_rows_in_order() -> None:
    topics = [row.topic for row in order_averaging_study_findings(study())]
    tuned = "Order-averaging, every rate tuned: c = {c}, equal {what}"
    expected = [
        text.format(c=c)
        for c in PARTS
        for text in (
            tuned.replace("{what}", "cost"),
            tuned.replace("{what}", "steps"),
            "Larger λ, rate by rate: c = {c}",
        )
    ]
    assert topics == [*expected, "Stability of the regularised step", "Second order of the mean over orders"]
