"""The studies' rules at their edges, by hand: equality, rounding, ties, too few, and exact tests by enumeration."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from nn_experiments.analysis import one_law
from nn_experiments.analysis.conjectures import conjecture_findings, influence_findings, misranked, reach
from nn_experiments.analysis.end_values import end_value_findings
from nn_experiments.analysis.finding import by_chance, spread, verdict_of
from nn_experiments.analysis.one_law import _energy_test, law_tests, one_law_findings
from nn_experiments.analysis.quadratics import THRESHOLD, quadratic_findings, quadratic_table
from nn_experiments.analysis.settling_studies import _judge, atlas_findings, rates, settling_table
from nn_experiments.results.studies import Study

# --- verdicts on settings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("increment", "tail", "scale", "travelled", "verdict"),
    [
        (1.0, 1.0, 10.0, 1.0, "settles"),  # a tenth of the scale is little enough, in both
        (1.5, 1.0, 10.0, 1.0, "undecided"),
        (1.0, 1.5, 10.0, 1.0, "undecided"),
        (5.0, 1.0, 10.0, 1.0, "does not settle by N"),  # half of it is too much, in either
        (1.0, 5.0, 10.0, 1.0, "does not settle by N"),
        (1.0, 4.9, 10.0, 1.0, "undecided"),
        (1.0, 20.0, 10.0, 1.0, "does not settle by N"),  # two scales are no drift yet
        (1.0, 20.1, 10.0, 1.0, "still training"),
        (5.0, 20.1, 10.0, 1.0, "does not settle by N"),  # whatever the tail
        (1e-9, 1e-9, 0.0, 1.0, "settles"),  # every run ends in one point
        (1e-9, 1e-9, 1e-9, 1.0, "settles"),
        (1e-9, 1e-3, 1e-9, 1.0, "undecided"),
        (1e-3, 1e-9, 1e-9, 1.0, "undecided"),
        (3e-9, 3e-9, 1e-9, 4.0, "settles"),  # rounding is a part of the way travelled
        (math.inf, 1.0, 10.0, 1.0, "diverged"),
        (1.0, math.nan, 10.0, 1.0, "diverged"),
        (1.0, 1.0, math.nan, 1.0, "diverged"),
    ],
)
def test_verdicts_of_a_replicate(increment, tail, scale, travelled, verdict):
    assert _judge(increment, tail, scale, travelled) == verdict


def test_rates_need_two_iterates_above_rounding():
    n, norm = np.array([0, 100, 200, 300]), np.ones((1, 4))
    exponent = np.array([[0.0, -1.0, -3.0, -6.0]])
    two = np.array([[1.0, math.exp(-2), math.exp(-5), 1e-12]])
    assert rates(n, two, norm, exponent) == pytest.approx((-0.02, -0.03))  # from 100 to 200
    one = np.array([[1.0, math.exp(-2), 1e-12, 1e-12]])
    assert np.isnan(rates(n, one, norm, exponent)).all()  # iterate 0 is before the first map
    floor = 1e-11 * 2
    assert np.isnan(rates(n, np.array([[1.0, math.exp(-2), floor, floor]]), norm, exponent)).all()
    far = np.full((1, 4), 1e9)  # rounding is relative to the size of the parameters
    assert np.isnan(rates(n, np.array([[1.0, 1e-3, 1e-3, 1e-3]]), far, exponent)).all()


def test_rates_are_medians_over_replicates():
    n = np.arange(0, 500, 100)
    increment = np.exp([np.linspace(0, -slope, 5) for slope in (4, 8, 40)])
    exponent = np.array([np.linspace(0, -slope, 5) for slope in (1, 2, 30)])
    foretold, measured = rates(n, increment, np.zeros((3, 5)), exponent)
    assert (foretold, measured) == pytest.approx((-2 / 400, -8 / 400))


def settings(**changes: Any) -> Study:
    """A study of three settings, each with two replicates and five iterates; the last one is certified."""
    n, runs = np.arange(0, 5), ["1 ahead", "half ahead", "other start", "independent", "next", "earlier half"]
    d = np.ones((3, 2, 5, 6))
    d[0, ..., 0] = 0.5 ** np.arange(5)  # still moves by half of the scale
    d[1, ..., (0, 1)] = 0.01  # settles
    d[2, ..., (0, 1)] = 0.01
    arrays = {
        "n": np.tile(n, (3, 1)),
        "parameter": d,
        "function": d.copy(),
        "norm": np.ones((3, 2, 5)),
        "error": np.full((3, 2, 5), 0.25),
        "exponent": np.zeros((3, 2, 5)) - np.arange(5) * np.array([-0.5, 0.5, 0.0])[:, None, None],
        "factor": np.array([math.nan, math.nan, 0.5]),
        "displacement": np.ones((3, 2)),
    }
    arrays["parameter"][2, ..., 0] = 0.01 * 0.5 ** np.arange(5)
    about = {"settings": [{"name": f"s{k}", "group": "gg"[: k + 1]} for k in range(3)], "seeds": 2, "runs": runs}
    return Study("atlas", arrays | changes, about)


@pytest.mark.parametrize(
    ("excess", "verdict"),
    [(0.9e-9, "agrees"), (1.1e-9, "rejected: a defect"), (0.0, "agrees")],
)
def test_a_bound_is_exceeded_beyond_rounding_alone(excess, verdict):
    """Increments of a certified setting at D kⁿ itself, D = 1e6, and just above: rounding is a part of the bound."""
    study = settings()
    one = np.array(study["parameter"])
    one[2, ..., 0] = 1e6 * 0.5 ** np.arange(5) * (1 + excess)
    one[2, ..., 3] = 1e9
    changed = settings(parameter=one, displacement=np.full((3, 2), 1e6))
    found = {row.topic: row for row in atlas_findings(changed)}
    row = found["Where the theorem applies"]
    assert row.verdict == verdict
    assert f"every one of 10 backward increments is at most D kⁿ but for {0 if verdict == 'agrees' else 10} " in (
        row.measured
    )


def test_what_is_below_rounding_is_no_excess_and_no_ratio():
    """Increments of 1e-12 above a bound of 0: D = 0, parameters of size 1, rounding 2e-11."""
    study = settings()
    one = np.array(study["parameter"])
    one[2, :, 1:, 0] = 1e-12
    one[2, :, 0, 0] = 1.0
    displacement = np.full((3, 2), 2.0)
    factor = np.array([math.nan, math.nan, 1e-30])
    row = {r.topic: r for r in atlas_findings(settings(parameter=one, displacement=displacement, factor=factor))}
    assert row["Where the theorem applies"].verdict == "agrees"
    assert "(largest ratio 0.5, rounding apart)" in row["Where the theorem applies"].measured


@pytest.mark.parametrize("norm", [0.0, 1e6])
@pytest.mark.parametrize("above", [False, True])
def test_rounding_is_relative_to_one_plus_the_size_of_the_parameters(norm, above):
    """With a bound of 0, an increment of 1e-11 (1 + ‖θ‖) is rounding, and one of a hundredth more is a defect."""
    one = np.array(settings()["parameter"])
    one[2, ..., 0] = 1e-11 * (1 + norm) * (1.01 if above else 0.99)
    one[2, :, 0, 0] = 1.0
    changes = {"norm": np.full((3, 2, 5), norm), "displacement": np.full((3, 2), 2.0)}
    found = atlas_findings(settings(parameter=one, factor=np.array([math.nan, math.nan, 1e-30]), **changes))
    assert (found[0].verdict == "rejected: a defect") == above
    assert f"at most D kⁿ but for {8 if above else 0} " in found[0].measured


def test_where_nothing_is_certified_nothing_is_said_of_the_theorem():
    found = [row.topic for row in atlas_findings(settings(factor=np.full(3, math.nan)))]
    assert found[0] == "Where training settles: parameters"


def test_counts_of_a_small_atlas():
    found = {row.topic: row for row in atlas_findings(settings())}
    assert found["Where the theorem applies"].verdict == "agrees"
    assert found["Where training settles: parameters"].verdict == "backward in 2 of 3, forward in 0, neither in 1"
    assert "Neither on any in 1 (g 1)." in found["Where training settles: parameters"].measured
    row = found["The exponent foretells settling"]  # exponents .5, −.5, 0; increments fall, stay, fall
    assert row.verdict == "same sign in 0 of 3; a negative exponent and growing increments in 0"
    assert "Settled without a clearly negative one: s2 (test error 0.25), where" in row.measured
    assert [line[13] for line in settling_table(settings())[1]] == ["–", "–", "0.062"]


def test_settings_without_a_rate_are_left_out_of_what_the_exponent_foretells():
    """Increments of setting 1 are all rounding: no rate is measured there, though its exponent is known."""
    one = np.array(settings()["parameter"])
    one[1, ..., 0] = 1e-15
    row = {r.topic: r for r in atlas_findings(settings(parameter=one))}["The exponent foretells settling"]
    assert row.measured.startswith("2 settings: ")
    assert "rank correlation nan" in row.measured  # two points have no rank correlation worth the name
    exponent = np.array(settings()["exponent"])
    exponent[1] = math.nan
    row = {r.topic: r for r in atlas_findings(settings(exponent=exponent))}["The exponent foretells settling"]
    assert row.measured.startswith("2 settings: ")


# --- one law --------------------------------------------------------------------------------------------------------


def law_study(seeds: int, shift: float = 0.0, scale: float = 1.0) -> Study:
    rng = np.random.default_rng(5)
    values = scale * rng.standard_normal((seeds, 2, 41, 3))
    values[:, 1] += shift
    logits = scale * rng.standard_normal((seeds, 2, 4, 3, 2))
    about = {"metrics": ["train_loss", "test_loss", "test_error"], "seeds": seeds}
    return Study("one-law", {"n": np.arange(0, 401, 10), "values": np.abs(values) + 0.1, "logits": logits}, about)


def sign_flip(d: np.ndarray) -> float:
    """The two-sided p-value of the mean by all sign patterns."""
    sums = [
        abs(sum(s * x for s, x in zip(signs, d, strict=True))) for signs in itertools.product((1, -1), repeat=len(d))
    ]
    return float(np.mean([total >= abs(sum(d)) - 1e-12 for total in sums]))


def test_the_tests_of_one_law_are_sign_flips_at_the_three_quarters():
    study = law_study(6)
    tests, values = law_tests(study), study["values"]
    assert tests.n.tolist() == [100, 200, 300]
    assert tests.level == pytest.approx(0.05 / (2 * 9 + 3))
    for i, (at, later) in enumerate(((10, 12), (20, 24), (30, 36))):
        for m in range(3):
            forward, backward, control = values[:, 0, at, m], values[:, 1, at, m], values[:, 1, later, m]
            middle = np.median([*forward, *backward])
            assert tests.mean[i, m] == pytest.approx(sign_flip(forward - backward))
            assert tests.spread[i, m] == pytest.approx(sign_flip(abs(forward - middle) - abs(backward - middle)))
            assert tests.control[i, m] == pytest.approx(sign_flip(forward - control))
            width = 1.96 * np.std(forward - backward, ddof=1) / math.sqrt(6) / np.std([*forward, *backward], ddof=1)
            assert tests.halfwidth[i, m] == pytest.approx(width)
    row = one_law_findings(study)[0]
    assert row.measured.startswith("6 seeds, n = 100, 200, 300: 21 exact sign-flip tests of train loss, test loss,")
    assert f"±{tests.halfwidth.min():.2g} to ±{tests.halfwidth.max():.2g} deviations" in row.measured
    assert f"smallest p {min(tests.mean.min(), tests.spread.min(), tests.energy.min()):.2g}." in row.measured
    assert "0 of 9 tests of means reject" in row.measured


def test_a_law_that_differs_is_rejected():
    """Ten seeds, all of them lower backward: p = 2/1024 is below 0.05/21."""
    row = one_law_findings(law_study(10, shift=50.0))[0]
    assert row.verdict == "rejected: a false alarm or a defect"
    assert "9 reject, smallest p " in row.measured or "12 reject, smallest p " in row.measured
    assert "9 of 9 tests of means reject" in row.measured


def test_a_p_value_that_is_the_level_itself_rejects(monkeypatch):
    """Six seeds have no p-value below 2/64, and the 21 tests are given 21/32 in all: a thirty-second each."""
    monkeypatch.setattr(one_law, "LEVEL", 21 / 32)
    study = law_study(6, shift=50.0)
    tests = law_tests(study)
    assert tests.level == tests.mean.min() == tests.control.min() == 2 / 64
    every = np.concatenate([tests.mean.ravel(), tests.spread.ravel(), tests.energy])
    row = one_law_findings(study)[0]
    assert f"; {int((every == 2 / 64).sum())} reject, smallest p 0.0" in row.measured
    assert f"{int((tests.control == 2 / 64).sum())} of 9 tests of means reject" in row.measured
    assert row.verdict == "rejected: a false alarm or a defect"


def test_iterates_that_the_control_needs_are_asked_for_by_name():
    study = law_study(3)
    kept = np.array([n for n in range(41) if n not in (12, 36)])
    part = {"n": study["n"][kept], "values": study["values"][:, :, kept], "logits": study["logits"]}
    with pytest.raises(ValueError, match="the tests need iterates 120, 360, which were not recorded"):
        law_tests(Study("one-law", part, study.about))


def energy(logits: np.ndarray, swapped: tuple[bool, ...]) -> float:
    """Twice the mean distance across less those within, of the two sides after some pairs were exchanged."""
    x, y = (np.stack([p[k ^ s] for p, s in zip(logits, swapped, strict=True)]).reshape(len(logits), -1) for k in (0, 1))

    def apart(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.mean([np.linalg.norm(p - q) for p in a for q in b]))

    return 2 * apart(x, y) - apart(x, x) - apart(y, y)


@pytest.mark.parametrize("scale", [1.0, 1e9])
@pytest.mark.parametrize("case", range(4))
def test_the_energy_test_exchanges_pairs(scale, case):
    """Against all 2^6 exchanges. Exchanging none, or all, gives the observed distance itself, which counts whatever
    its rounding. 99,999 drawn exchanges are within 6 · 0.5/√99,999 = 0.0095 of the exact value, but for 2e-9."""
    rng = np.random.default_rng(case)
    logits = scale * (rng.standard_normal((6, 2, 2, 2)) + np.array([0, 2.0 * (case % 2)])[None, :, None, None])
    found = [energy(logits, swapped) for swapped in itertools.product((False, True), repeat=6)]
    exact = np.mean(np.array(found) >= found[0] * (1 - 1e-9))
    assert abs(_energy_test(logits) - exact) < 0.0095
    assert exact >= 2 / 64


def test_two_orders_that_agree_on_every_seed_have_chance_one() -> None:
    """Every exchange gives the observed distance, 0, and each drawn exchange counts once."""
    same = np.repeat(np.random.default_rng(0).standard_normal((5, 1, 3)), 2, axis=1)
    assert _energy_test(same) == 1.0


# --- influence ------------------------------------------------------------------------------------------------------


def influenced(moved: np.ndarray, step: float = 1.0, factor: float = 0.5) -> Study:
    """One setting, one replicate; iterates one apart."""
    arrays = {
        "j": np.arange(1, len(moved) + 1),
        "parameter": moved[None, None],
        "function": moved[None, None],
        "step": np.full((1, 1, len(moved)), step),
        "independent": np.ones((1, 1)),
        "independent_function": np.ones((1, 1)),
        "factor": np.array([factor]),
        "exponent": np.zeros(1),
    }
    return Study("influence", arrays, {"settings": [{"name": "s"}], "steps": len(moved), "seeds": 1})


def test_reach_is_where_batches_stop_mattering():
    assert reach(influenced(np.array([0.5, 0.009, 0.02, 0.009, 0.001]))) == [4.0]
    assert reach(influenced(np.array([0.5, 0.01, 0.009]))) == [3.0]  # one per cent itself still counts
    assert reach(influenced(np.array([0.001, 0.001]))) == [1.0]
    assert reach(influenced(np.array([0.001, 0.5]))) == [math.inf]


@pytest.mark.parametrize(
    ("step", "excess", "broken"),
    [(1e6, 0.9e-9, 0), (1e6, 1.1e-9, 3), (0.0, 0.9e-12, 0), (0.0, 1e-12, 0), (0.0, 1.1e-12, 3)],
)
def test_an_influence_above_its_bound_is_a_defect_beyond_rounding_alone(step, excess, broken):
    bound = step * 0.5 ** np.arange(3)
    moved = bound * (1 + excess) if step else np.full(3, excess)
    row = influence_findings(influenced(moved, step))[1]
    assert row.verdict == ("rejected: a defect" if broken else "agrees")
    assert f"{broken} of 3 measurements" in row.measured


def test_without_a_certified_factor_there_is_no_bound_to_keep():
    found = influence_findings(influenced(np.full(3, 0.5), factor=math.nan))
    assert [row.topic for row in found] == ["What the backward iterate depends on"]
    assert "s: the outermost batch 0.5, the innermost 0.5 of two independent iterates' distance, never" in (
        found[0].measured
    )


def test_ranking_counts_pairs_and_half_of_the_ties():
    assert misranked(np.array([[1.0, 2.0], [3.0, 4.0]])) == 0.0
    assert misranked(np.array([[3.0, 4.0], [1.0, 5.0]])) == 0.5  # 1 < 3, 1 < 4 against 5 above both; means 3.5 and 3
    assert misranked(np.array([[1.0, 2.0], [2.0, 4.0]])) == 0.125  # one tie of four pairs


def test_strategies_that_are_equal_are_neither_lower_nor_steadier():
    rivals = ["forward", "suffix mean", "decay to 0", "moving average", "average of snapshots"]
    names = [*rivals, "windows", "reset if better", "late backward"]
    curves = np.tile(np.sin(np.arange(30.0))[:, None], (len(names), 3, 1, 4))
    arrays = {"curves": curves, "judged": np.ones((3, 2, 5, 2)), "steps": np.full(8, 10), "gradients": np.full(8, 10)}
    about = {"strategies": names, "seeds": 3, "budget": 10, "rates": [0.1, 0.2], "judged_at": 5}
    *ways, stopping, early = conjecture_findings(Study("conjectures", arrays, about))
    assert [row.verdict for row in ways] == [
        "lower test loss than the suffix mean on 0 of 3 seeds, than forward on 0 of 3"
    ] * 3
    assert [row.measured.count("0 of 3") for row in ways] == [11] * 3
    assert stopping.verdict == "less regret than forward on 0 of 3 seeds, than the moving average on 0 of 3"
    assert stopping.measured.endswith("lower than forward on 0 of 3, than the moving average on 0 of 3.")
    assert early.measured.count("forward 0.500, backward 0.500, moving average 0.500") == 2


# --- quadratics and end values --------------------------------------------------------------------------------------


def test_the_threshold_of_adam_is_that_of_its_linear_map():
    """Without a second moment Adam at θ²/2 is θ' = θ − h m'/ε, m' = .9 m + .1 θ: stable just above, not just below."""
    for change, stable in ((1 + 1e-6, True), (1 - 1e-6, False)):
        rate = 1e-3 / (THRESHOLD * change)
        matrix = np.array([[1 - 0.1 * rate, -0.9 * rate], [0.1, 0.9]])  # of (θ, m)
        assert (abs(np.linalg.eigvals(matrix)).max() < 1) == stable


def quadratic(exponents: list[float], heavy: tuple[float, float, float] = (1.88, 0.949, 0.968)) -> Study:
    count = len(exponents)
    arrays = {
        "heavy_ball": np.array(heavy),
        "kappa": np.arange(4.0, 4 + count),
        "radius": np.full(count, 0.5),
        "exponent": np.array(exponents),
        "exponent_error": np.full(count, 0.25),
        "eps": np.array([1.0, 2.0]),
        "amplitude": np.array([1e-12, 0.9e-12]),
        "sign_gap": np.array(1.0),
    }
    return Study("quadratics", arrays, {"seeds": 3})


def test_an_exponent_within_four_errors_of_zero_is_undecided():
    study = quadratic([1.0, 1.01, -1.0, -1.01])
    said = [line[2] for line in quadratic_table(study)[1][1:5]]
    assert said == ["undecided", "both orders diverge", "undecided", "both forget their start"]
    row = quadratic_findings(study)[1]
    assert row.verdict.startswith("diverges in 1 of 4")
    assert row.test.endswith("errors at most 0.2") or row.test.endswith("errors at most 0.3")
    assert [line[2] for line in quadratic_table(study)[1][5:7]] == ["oscillates", "converges"]


@pytest.mark.parametrize(
    ("norm", "weighted", "agrees"), [(1.88, 0.97, True), (1.0, 0.97, False), (1.88, 1.0, False), (0.9, 0.8, False)]
)
def test_the_heavy_ball_needs_another_norm(norm, weighted, agrees):
    verdict = quadratic_findings(quadratic([0.0], (norm, 0.9, weighted)))[0].verdict
    assert verdict == ("agrees, in a weighted norm" if agrees else "rejected: a defect")


def test_end_values_that_are_equal_are_not_lower():
    """Way 1 ties on every seed, way 2 is lower on one of five; by the median way 2 is the best."""
    ends = np.ones((5, 3, 4))
    ends[0, 2, 1] = 0.5
    ends[1:3, 2, 1] = 1.0
    study = Study("baselines", {"fig4": ends}, {"ways": ["forward", "same", "other"]})
    row = end_value_findings(study)[0]
    assert (
        "same 1 (1 to 1), lower than the last iterate on 0; other 1 (0.5 to 1), lower than the last iterate on 1"
        in (row.measured)
    )
    assert row.verdict == "same lower than the last iterate: tied"  # of equal medians the first is taken
    ends[:, 2, 1] = 0.5
    row = end_value_findings(Study("baselines", {"fig4": ends}, {"ways": ["forward", "same", "other"]}))[0]
    assert row.verdict == "other lower than the last iterate: agrees"


# --- verdicts of seeds ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("favourable", "unfavourable", "n", "out", "verdict"),
    [
        (0, 0, 0, (), "undecided"),
        (1, 0, 1, (), "1 of 1 seed: too few to tell"),
        (4, 0, 4, (), "4 of 4 seeds: too few to tell"),
        (2, 1, 4, (), "2 of 4 seeds, 1 tied: too few to tell"),
        (5, 0, 5, (), "agrees"),
        (5, 0, 5, ("seed 5: not finite",), "mixed: 5 of 5"),
        (0, 5, 5, (), "disagrees"),
        (0, 5, 5, ("seed 5: not finite",), "mixed: 0 of 5"),
        (0, 0, 5, (), "tied"),
        (4, 0, 5, (), "mixed: 4 of 5, 1 tied"),
        (3, 2, 5, (), "mixed: 3 of 5"),
    ],
)
def test_verdicts_of_seeds(favourable, unfavourable, n, out, verdict):
    assert verdict_of(favourable, unfavourable, n, out) == verdict


@pytest.mark.parametrize(("favourable", "n", "chance"), [(5, 5, 1 / 32), (4, 5, 6 / 32), (3, 6, 42 / 64), (0, 1, 1.0)])
def test_the_chance_of_so_many_seeds_is_a_tail_of_the_fair_coin(favourable, n, chance):
    patterns = [sum(p) >= favourable for p in itertools.product((0, 1), repeat=n)]
    assert np.mean(patterns) == chance
    assert by_chance(favourable, n).endswith(f"to come first: {chance:.2g}")


def test_no_seed_has_no_chance():
    assert by_chance(0, 0) == "no seed is left to count"
    assert by_chance(1, 1).endswith("0.5")
    assert (spread([]), spread([2.0]), spread([3.0, 1.0, 2.5])) == ("not measured", "2", "2.5 (1 to 3)")


@pytest.mark.control
def test_numbers_are_rounded_once():
    """4.748 is 4.75 to three digits and 4.7 to two; three digits rounded again would be 4.8."""
    values = [1.991, 4.748, 6.322]
    assert (spread(values), spread(values, digits=2)) == ("4.75 (1.99 to 6.32)", "4.7 (2 to 6.3)")
    assert f"{float(spread([4.748])):.2g}" == "4.8"
