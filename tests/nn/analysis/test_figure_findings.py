"""Findings on figures from curves written by hand: passages, settling times, values, baselines and resets."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from nn_experiments.analysis import Pairing, findings
from nn_experiments.analysis.baselines import baseline_costs, baselines
from nn_experiments.analysis.order_averaging import regulariser_findings
from nn_experiments.analysis.passages import passages, settling_times
from nn_experiments.analysis.paths import detrended, settling_time
from nn_experiments.analysis.resets import _jump, other_point
from nn_experiments.analysis.values import best, fixed_steps
from nn_experiments.analysis.variability import law_shares, variability
from nn_experiments.paper import catalogue
from tests.nn.analysis.hand_made import made, pair, view, waves

# --- variability ----------------------------------------------------------------------------------------------------


def test_the_logarithm_decides_only_where_losses_stay_above_zero():
    values = waves()
    assert variability(pair(values), "", "")[0].comparisons[0].what.startswith("deviation of the logarithm")
    for bad in (0.0, -1.0):  # in the window of one seed and order
        changed = values.copy()
        changed[3, 1, 35] = bad
        rows = variability(pair(changed), "", "")[0].comparisons
        assert rows[0].what.startswith("deviation about a line")
    changed = values.copy()
    changed[3, 1, 25] = -1.0  # before the window
    assert variability(pair(changed), "", "")[0].comparisons[0].what.startswith("deviation of the logarithm")
    changed[3, 1, 35] = math.nan  # a divergence is left out, and no reason to give the logarithm up
    rows = variability(pair(changed), "", "")[0].comparisons
    assert rows[0].what.startswith("deviation of the logarithm")
    assert rows[0].left_out == ("seed 3: not finite",)
    rows = variability(pair(1 - values / 4, "test_accuracy"), "", "")[0].comparisons
    assert rows[0].what.startswith("deviation about a line")
    assert {row.unit for row in rows} == {"error rate"}


def test_other_windows_are_shown_where_the_path_has_them():
    """A quarter of ten iterates is too few, and three and a half times ten need 35 behind the start."""
    finding = variability(pair(waves()), "", "")[0]
    assert "By window: " in finding.measured
    text = finding.measured.split("By window: ")[1].split(".  ")[0]
    assert re.findall(r"on the last (\d+)", text) == ["10", "20", "35"]
    short = variability(pair(waves(last=30)), "", "")[0].measured
    assert "on the last 35" not in short
    edge = variability(pair(waves(last=35)), "", "")[0].measured
    assert "on the last 35" in edge
    n = np.arange(41)
    both = [
        [np.std(np.log(v[n > 20]) - np.polyval(np.polyfit(n[n > 20], np.log(v[n > 20]), 1), n[n > 20])) for v in s]
        for s in waves()
    ]
    assert f"{np.median([a / b for a, b in both]):.2g} on the last 20" in text
    wide = variability(pair(waves(last=80), window=20), "", "")[0].measured
    assert "on the last 5," in wide  # a quarter of twenty is five iterates, which are enough
    frozen = waves()
    frozen[:, 1] = 1.0
    assert "By window" not in variability(pair(frozen), "", "")[0].measured  # nothing to divide by


def test_a_frozen_path_is_steadier_than_any():
    frozen = waves()
    frozen[:, 1] = 1.0
    finding = variability(pair(frozen), "", "")[0]
    assert finding.verdict == "agrees"
    assert "inf (inf to inf)" in finding.measured
    frozen[:, 0] = 1.0
    finding = variability(pair(frozen), "", "")[0]
    assert finding.verdict == "tied"
    assert ": 1 (1 to 1)" in finding.measured


def test_shares_of_the_law_need_three_finite_seeds_that_differ():
    assert law_shares(pair(waves(3)), "train_loss") is not None
    assert law_shares(pair(waves(2)), "train_loss") is None
    broken = waves(3)
    broken[1, 0, 35] = math.nan
    assert law_shares(pair(broken), "train_loss") is None
    broken = waves(4)
    broken[1, 0, 35] = -math.inf  # this seed is left out, and the others have their logarithms
    kept = law_shares(pair(waves(4)[[0, 2, 3]]), "train_loss")
    assert law_shares(pair(broken), "train_loss") == kept
    same = np.tile(waves(1), (4, 1, 1))
    assert law_shares(pair(same), "train_loss") is None
    uneven = made({"train_loss": waves(3)})
    uneven.recorded["train_loss"][2, 0, 38] = False
    entry = view()
    assert law_shares(Pairing(uneven, entry, "forward", "backward"), "train_loss") is None


# --- passages and settling times ------------------------------------------------------------------------------------


def falling(*steps: tuple[int, int], last: int = 40) -> np.ndarray:
    """Return curves that fall from 1 to 0.4 at given iterates, one (forward, backward) a seed."""
    return np.array([[np.where(np.arange(last + 1) < at, 1.0, 0.4) for at in both] for both in steps])


def test_passages_count_sooner_later_and_equal():
    values = falling((10, 5), (10, 5), (10, 5), (10, 5), (10, 10))
    first, last = passages(pair(values))
    for row in (first, last):  # below .9 and .5; no curve falls to .1
        assert row.verdict == "agrees: 8 sooner, 0 later, 2 equal"
        assert "sooner in 8 comparisons of a curve, a value and a seed, later in 0, equal in 2" in row.measured
        assert "train loss ≤ 0.5 of its start: forward median 10 (never 0), backward median 5 (never 0)" in row.measured
        assert "≤ 0.1 of" not in row.measured
    verdicts = {
        "disagrees: 0 sooner, 10 later, 0 equal": falling(*[(5, 10)] * 5),
        "tied": falling(*[(5, 5)] * 5),
        "mixed: 2 sooner, 8 later, 0 equal": falling((10, 5), *[(5, 10)] * 4),
        "8 sooner, 0 later, 0 equal: too few seeds to tell": falling(*[(10, 5)] * 4),
        "undecided": np.ones((5, 2, 41)),
    }
    for verdict, curves in verdicts.items():
        assert passages(pair(curves))[0].verdict == verdict
    assert passages(pair(np.ones((5, 2, 41))))[1].measured == "no curve fell to 0.9 of its start within 40 steps"


def test_the_last_value_is_as_low_as_the_hundredth_part():
    values = np.ones((5, 2, 41))
    values[:, 1, 20:] = 0.01
    (first, _) = passages(pair(values))
    assert [f"≤ {q:g} of" in first.measured for q in (0.9, 0.5, 0.1, 0.01)] == [True] * 4
    assert "forward median never (never 5), backward median 20 (never 0)" in first.measured
    values[:, 1, 20:] = 0.015
    assert "≤ 0.01 of" not in passages(pair(values))[0].measured


def test_settling_times_have_one_tolerance_a_seed():
    """Half the root mean square of both orders' deviations about a line in the window, the same for both."""
    values = waves()
    row = settling_times(pair(values))
    n, w = np.arange(41), np.arange(41) > 30
    for s, (a, b) in enumerate(values):
        squares = [np.sum(detrended(n[w], v[w]) ** 2) / (w.sum() - 2) for v in (a, b)]
        tolerance = 0.5 * math.sqrt(np.mean(squares))
        assert row.comparisons[0].reference[s] == settling_time(n, a, tolerance)
        assert row.comparisons[0].other[s] == settling_time(n, b, tolerance)
    sooner = sum(y < x for x, y in zip(row.comparisons[0].reference, row.comparisons[0].other, strict=True))
    assert f"backward settles sooner on {sooner} of 5 seeds, later on {row.comparisons[0].smaller}. " in row.measured
    assert row.measured.endswith("Tolerance: half the pooled detrended deviation, the same for both orders.")
    broken = values.copy()
    broken[2, 0, 35] = math.nan
    row = settling_times(pair(broken))
    assert row.comparisons[0].left_out == ("seed 2: no time",)
    assert row.verdict.endswith("of 4 comparisons, 4 seeds: too few to tell")


def test_settling_times_count_from_where_the_path_begins():
    values = waves(1)
    values[0, :, :15] = 9.0  # all before the switch at 20
    curves = made({"train_loss": values}, ("forward", "late-20"))
    row = settling_times(Pairing(curves, view(orders=("forward", "late-20")), "forward", "late-20")).comparisons[0]
    assert min(*row.reference, *row.other) >= 20
    still = np.ones((1, 2, 41))
    still[0, :, :15] = 9.0
    curves = made({"train_loss": still}, ("forward", "late-20"))
    row = settling_times(Pairing(curves, view(orders=("forward", "late-20")), "forward", "late-20")).comparisons[0]
    assert (row.reference, row.other) == ((20.0,), (20.0,))


# --- values ---------------------------------------------------------------------------------------------------------


def test_values_at_fixed_steps_need_both_orders_and_the_step():
    values = waves(5)
    values[:, 1, 10] = values[:, 0, 10] - 1  # lower on every seed at 10
    values[:, 1, 20] = values[:, 0, 20] + 1  # and higher at 20
    row = fixed_steps(pair(values, compared_at=(10, 20, 41)), iid=True)
    assert row.measured.startswith("backward is lower in 5 of 10 comparisons. With i.i.d. batches")
    assert [c.what for c in row.comparisons] == ["train loss at n = 10", "train loss at n = 20"]
    assert "each at level 0.05/2" in row.test
    assert "smallest p-value 0.0625, smallest possible 0.0625. Power 0: with 5 seeds" in row.test
    last = fixed_steps(pair(values, compared_at=(40,)), iid=True)
    assert len(last.comparisons) == 1  # the last step itself is one
    assert fixed_steps(pair(values, compared_at=(41,)), iid=True).verdict == "not measured"
    gap = made({"train_loss": values})
    gap.recorded["train_loss"][4, 1, 10] = False
    row = fixed_steps(Pairing(gap, view(), "forward", "backward"), iid=True)
    assert [c.what for c in row.comparisons] == ["train loss at n = 20"]


def test_without_independent_batches_the_test_asks_whether_they_differ():
    values = waves(8)
    few = fixed_steps(pair(values[:5]), iid=False)
    assert few.verdict == "5 seeds: too few to tell"
    assert "equality of laws is not proved at every n" in few.measured
    assert fixed_steps(pair(values), iid=False).verdict == "no difference shown"
    assert fixed_steps(pair(values), iid=True).verdict == "equal in law (proved); not contradicted"
    values[:, 1] -= 5
    row = fixed_steps(pair(values), iid=False)
    assert row.verdict == "differ"
    assert row.measured.endswith(" Rejected: train loss at n = 10, train loss at n = 20.")
    assert fixed_steps(pair(values), iid=True).verdict == "rejected: a false alarm or a defect"
    figure = view(compared_at=(10, 20))
    for sampling, verdict in (("iid", "rejected: a false alarm or a defect"), ("reshuffle", "differ")):
        curves = made({"train_loss": values}, experiment={"experiment": {"sampling": sampling}})
        assert next(r for r in findings(curves, figure) if r.topic == "Value at a fixed step").verdict == verdict


def test_the_best_so_far_is_that_of_paths_that_did_not_break():
    values = np.ones((5, 2, 41))
    values[:, 0, 7], values[:, 1, 9] = 0.5, 0.25
    row = best(pair(values))
    assert row.verdict == "agrees"
    assert (
        "best train loss by n = 40: median 0.5 forward, 0.25 backward; backward lower on 5 of 5 seeds, higher on 0."
        in (row.measured)
    )
    values[0, 1, 30] = math.nan
    row = best(pair(values))
    assert row.verdict == "4 of 4 comparisons, 4 seeds: too few to tell"
    assert row.comparisons[0].left_out == ("seed 0: not finite",)
    values[:, 1, 30] = math.nan
    row = best(pair(values))
    assert row.verdict == "undecided"
    assert "median none forward, none backward" in row.measured


# --- baselines ------------------------------------------------------------------------------------------------------


def with_baselines(values: np.ndarray, names: tuple[str, ...]) -> Pairing:
    curves = made({"train_loss": values}, ("forward", "backward", *names))
    return Pairing(curves, view(baselines=names), "forward", "backward")


def test_baselines_are_judged_at_their_cost():
    values = np.concatenate([waves(), waves() - 1, waves() + 0.5], axis=1)[:, [0, 1, 3, 5]]
    both = with_baselines(values, ("polyak", "ema-0.99"))
    rows = {row[0]: row for row in baseline_costs(both)}
    assert [rows[name][1:3] for name in rows] == [(40, 40), (40, 820), (40, 40), (40, 40)]  # 40 · 41 / 2 backward
    n, w = np.arange(41), np.arange(41) > 30
    for k, name in enumerate(("forward", "backward", "polyak", "ema-0.99")):
        line = [np.sqrt(np.sum(detrended(n[w], v[w]) ** 2) / (w.sum() - 2)) for v in values[:, k]]
        assert rows[name][3:] == pytest.approx((np.median(values[:, k][:, w].mean(1)), np.median(line)))
    polyak, moving = baselines(both)
    assert polyak.verdict == "baseline lower in 5 of 5, backward in 0"
    assert moving.verdict == "baseline lower in 0 of 5, backward in 5"
    assert "End value, 40 gradients for polyak and 40 for backward: train loss lower on 5 of 5 seeds" in polyak.measured
    assert f"{rows['polyak'][4]:.2g} against {rows['backward'][4]:.2g}, for 40 and 820 gradients." in polyak.measured
    assert polyak.measured.endswith("A weak baseline: it averages from iterate 1 on, the start included.")
    assert "eak baseline" not in moving.measured
    few = baselines(with_baselines(values[:4], ("polyak", "ema-0.99")))[0]
    assert few.verdict == "baseline lower in 4 of 4, backward in 0, 4 seeds: too few to tell"


def test_a_baseline_that_lacks_a_seed_or_the_last_iterate_has_no_row():
    values = np.concatenate([waves(), waves()], axis=1)
    both = with_baselines(values, ("polyak", "ema-0.99"))
    both.curves.recorded["train_loss"][4, 2, 40] = False
    both.curves.recorded["train_loss"][2, 3] = False
    assert [row[0] for row in baseline_costs(both)] == ["forward", "backward"]
    assert baselines(both) == []


@pytest.mark.parametrize("lacking", ["train_loss", "test_loss", None])
def test_of_several_curves_the_one_with_the_fewest_seeds_says_whether_they_are_enough(lacking):
    """One of two curves diverges on one of five seeds, in every order: of one curve four seeds, nine comparisons."""
    metrics = {name: np.concatenate([waves(), waves()[:, :1] - 1], axis=1) for name in ("train_loss", "test_loss")}
    if lacking:
        metrics[lacking][3, :, 40] = math.nan
    entry = view(metrics=("train_loss", "test_loss"), baselines=("polyak",), compared_at=(40,))
    both = Pairing(made(metrics, ("forward", "backward", "polyak")), entry, "forward", "backward")
    few = ", 4 seeds: too few to tell" if lacking else ""
    n = 9 if lacking else 10
    assert baselines(both)[0].verdict == f"baseline lower in {n} of {n}, backward in 0{few}"
    assert best(both).verdict.endswith(f" of {n} comparisons{few}") == bool(lacking)
    assert settling_times(both).verdict.endswith(f" of {n} comparisons{few}") == bool(lacking)
    row = fixed_steps(both, iid=True)
    assert f" of {n} comparisons. With i.i.d." in row.measured
    assert f"n = {4 if lacking else 5} seeds, 2 of them fixed beforehand" in row.test
    assert f"smallest possible {2 / 16 if lacking else 2 / 32:.3g}. " in row.test


# --- the order-averaging regulariser --------------------------------------------------------------------------------


def regularised(ends: dict[str, list[float]], last: dict[str, int] | None = None) -> str:
    """Return the verdict and what was measured of paths that are 1 before their ends."""
    entry = catalogue.find("fig15")
    values = np.ones((len(next(iter(ends.values()))), len(ends), 11))
    for k, end in enumerate(ends.values()):
        values[:, k, -1] = end
    curves = made({entry.metrics[0]: values}, tuple(ends))
    for name, n in (last or {}).items():
        curves.recorded[entry.metrics[0]][:, list(ends).index(name), n + 1 :] = False
    row = regulariser_findings(curves, entry)[0]
    return f"{row.verdict}: {row.measured}"


def test_the_best_multiple_is_held_against_the_lower_baseline():
    base = {"large": [0.5] * 5, "small": [0.4] * 5}
    assert regularised(base | {"regularised-1": [0.3] * 5}).startswith("agrees: ")
    assert regularised(base | {"regularised-1": [0.4] * 5}).startswith("disagrees: ")  # as low is not below
    assert regularised(base | {"regularised-1": [0.45] * 5}).startswith("disagrees: ")  # below one of the two alone
    assert regularised(base | {"regularised-1": [0.3] * 4 + [0.45]}).startswith("mixed: ")
    two = regularised(base | {"regularised-1": [0.3] * 4 + [0.45], "regularised-2": [0.9] * 4 + [0.1]})
    assert two.startswith("agrees: ")
    assert "below both baselines on 5 of 5 seeds. The best of 2 values" in two
    four = {name: end[:4] for name, end in (base | {"regularised-1": [0.3] * 5}).items()}
    assert regularised(four).startswith("4 of 4 seeds: too few to tell: ")
    assert regularised({name: end[:1] for name, end in four.items()}).startswith("1 of 1 seed: too few to tell: ")


def test_a_diverged_path_decides_nothing_and_all_are_judged_at_the_same_iterate():
    base = {"large": [0.5] * 5, "small": [0.4] * 5, "regularised-1": [0.3] * 5}
    assert "at n = 10: " in regularised(base)
    broken = regularised(base | {"regularised-2": [0.2] * 4 + [math.nan]})
    assert broken.startswith("undecided: ")
    assert broken.endswith("Some path diverged; its value is not finite.")
    early = regularised(base, last={"small": 7})
    assert "at n = 7: large 1 (1 to 1); small 1 (1 to 1); regularised-1 1 (1 to 1)." in early
    with pytest.raises(ValueError, match="compares large, small and regularised"):
        regularised({"large": [0.5], "regularised-1": [0.3]})
    with pytest.raises(ValueError, match="compares large, small and regularised"):
        regularised({"large": [0.5], "small": [0.3]})


@pytest.mark.parametrize("lost", ["train_loss", "test_loss"])
def test_settling_times_name_a_seed_that_one_curve_lacks(lost):
    metrics = {"train_loss": waves(6), "test_loss": waves(6)}
    metrics[lost][3, 0, 35] = math.nan
    both = Pairing(made(metrics), view(metrics=("train_loss", "test_loss")), "forward", "backward")
    assert settling_times(both).measured.endswith(" Left out, and shown: seed 3: no time.")


# --- another point after a reset ------------------------------------------------------------------------------------


def reset_paths(level: float, forward: float, noise: float = 0.1) -> Pairing:
    """Return a reset path at ``level`` and an unbroken one at 0 that both go up and down by ``noise``; the reset is at
    20 of 80; forward goes up and down by ``forward`` about half the level."""
    n = np.arange(81)
    wave = np.where(n % 2, noise, -noise)
    broken = np.where(n > 20, level, 0.0) + wave
    paths = np.stack([level / 2 + np.where(n % 2, forward, -forward), broken, wave])[None]
    curves = made({"test_loss": np.tile(paths, (5, 1, 1)) + 1}, ("forward", "reset-20", "backward"))
    return Pairing(curves, view(metrics=("test_loss",)), "forward", "reset-20")


def test_elsewhere_means_two_deviations_apart():
    deviation = 0.1 * math.sqrt(10 / 8)  # ten iterates of the wave, with eight degrees of freedom, and its line
    for level, elsewhere in ((2.1 * deviation, 5), (1.8 * deviation, 0)):
        row = other_point(reset_paths(level, 5.0), "")
        assert f"Elsewhere on {elsewhere} of 5 seeds; forward visits both places on 5 of 5" in row.measured
        assert row.verdict == ("agrees" if elsewhere else "disagrees")
    stays = other_point(reset_paths(1.0, 0.1), "")  # forward keeps between the two
    assert "forward visits both places on 0 of 5" in stays.measured
    assert stays.verdict == "disagrees"
    assert "forward below both / between / above both 0 / 54 / 0" in stays.measured  # of the last 54 iterates
    assert "forward below both / between / above both 27 / 0 / 27" in other_point(reset_paths(1.0, 5.0), "").measured


@pytest.mark.parametrize("touching", [False, True])
@pytest.mark.parametrize("side", [-1, 1])
def test_a_forward_path_on_one_side_of_both_visits_one_place(side, touching):
    """Below both curves throughout, or above both, which the outer curve itself is: 54 late iterates there, and none
    elsewhere."""
    both = reset_paths(1.0, 5.0)
    values = both.curves.metrics["test_loss"]  # forward, with the reset, without it
    values[:, 0] = values[:, 1 if side > 0 else 2] + (0 if touching else side)
    row = other_point(both, "")
    counts = "54 / 0 / 0" if side < 0 else "0 / 0 / 54"
    assert f"forward below both / between / above both {counts}" in row.measured
    assert "Elsewhere on 5 of 5 seeds; forward visits both places on 0 of 5" in row.measured
    assert row.verdict == "disagrees"


@pytest.mark.parametrize(("below", "above"), [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1)])
def test_one_visit_to_each_place_is_enough(below, above):
    """Forward keeps between the two levels 0 and 1 but for so many late iterates below both, and above both."""
    both = reset_paths(1.0, 0.1)
    values = both.curves.metrics["test_loss"]
    values[:, 0, 40 : 40 + below] = -5.0
    values[:, 0, 60 : 60 + above] = 5.0
    row = other_point(both, "")
    assert f"forward below both / between / above both {below} / {54 - below - above} / {above}" in row.measured
    visits = 5 if below and above else 0
    assert f"Elsewhere on 5 of 5 seeds; forward visits both places on {visits} of 5" in row.measured
    assert row.verdict == ("agrees" if visits else "disagrees")


@pytest.mark.parametrize("order", [0, 1, 2])
def test_a_seed_with_one_value_that_is_not_finite_is_left_out(order):
    """In any of the three paths; the other four seeds agree, and are too few."""
    both = reset_paths(1.0, 5.0)
    both.curves.metrics["test_loss"][2, order, 70] = math.nan
    row = other_point(both, "")
    assert row.verdict == "4 of 4 seeds: too few to tell"
    assert "Elsewhere on 4 of 4 seeds" in row.measured
    assert row.measured.endswith(". Left out, and shown: seed 2: not finite.")


def test_a_jump_is_in_units_of_the_changes_before_the_reset():
    n = np.arange(0, 100, 10)
    unbroken = np.array([0.0, 1, 0, 1, 0, 1, 50, 0, 90, 7])  # changes of size 1 up to the reset at 50
    broken = unbroken.copy()
    broken[6] = 4.0
    assert _jump(n, broken, unbroken, 50) == 3.0
    assert _jump(n, broken, unbroken, 45) == 3.0  # from the first iterate at the reset or after it
    assert math.isnan(_jump(n, broken, unbroken, 90))  # no iterate follows
    assert not math.isnan(_jump(n, broken, unbroken, 80))
    assert math.isnan(_jump(n, broken, np.zeros(10), 50))  # no unit
    long = np.r_[100.0 * (np.arange(30) % 2), np.arange(20) % 2, 5.0]
    assert _jump(np.arange(51), long, long, 49) == pytest.approx(4.0)  # the last twenty iterates alone make the unit
