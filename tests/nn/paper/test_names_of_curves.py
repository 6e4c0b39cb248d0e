"""Names of curves: what they are read as, how they are written, where iterates are stored; averages by brute force."""

from __future__ import annotations

import numpy as np
import pytest

from contraction.maps.orders import Backward, Forward, Late, Order, Reset, Windowed
from nn_experiments.paper import curve_names
from nn_experiments.paper.curve_kinds import KINDS
from nn_experiments.paper.curve_names import (
    Averaged,
    Decayed,
    Decided,
    OrderCurve,
    StepRule,
    curve_of,
    every_iterate,
    home,
    label_of,
    name_of,
    parse,
    rank,
    step_label_of,
)
from nn_experiments.training.averages import EMA, SWA, Polyak, SuffixMean
from nn_experiments.training.policies import ResetIfBetter, StopWhenSettled

#: Name as given -> canonical name, kind of curve, its order, whether it is a baseline, and its label.
CURVES = {
    "forward": ("forward", OrderCurve, Forward(), False, "forward"),
    "backward": ("backward", OrderCurve, Backward(), False, "backward"),
    "reset-9-5": ("reset-5-9", OrderCurve, Reset([5, 9]), False, "backward, reset at 5, 9"),
    "late:07": ("late-7", OrderCurve, Late(7), False, "backward from step 7"),
    "windowed-3": ("windowed-3", OrderCurve, Windowed(3), False, "backward in windows of 3"),
    "polyak": ("polyak", Averaged, Forward(), True, "Polyak average of forward"),
    "ema-0.50": ("ema-0.5", Averaged, Forward(), True, "moving average of forward (0.5)"),
    "decayed-1e2": ("decayed-100", Decayed, Forward(), True, "forward, decayed rate (τ = 100)"),
    "decayed-0.50": ("decayed-0.5", Decayed, Forward(), True, "forward, decayed rate (τ = 0.5)"),
    "large": ("large", StepRule, Forward(), False, "large"),
    "small": ("small", StepRule, Forward(), False, "small"),
    "regularised-1.0": ("regularised-1", StepRule, Forward(), False, "regularised, λ = h², rate h"),
    "regularised-2-h-h": ("regularised-2", StepRule, Forward(), False, "regularised, λ = 2h², rate h"),
    "regularised-2-hc": ("regularised-2-hc", StepRule, Forward(), False, "regularised, λ = 2(h/c)², rate h"),
    "regularised-2-h-hc": ("regularised-2-h-hc", StepRule, Forward(), False, "regularised, λ = 2h², rate h/c"),
    "regularised-1-derived": (
        "regularised-1-derived",
        StepRule,
        Forward(),
        False,
        "regularised, λ = (h/c)²/2, rate h",
    ),
    "regularised-3-derived-hc": (
        "regularised-3-derived-hc",
        StepRule,
        Forward(),
        False,
        "regularised, λ = 3·(h/c)²/2, rate h/c",
    ),
    "single_order-3-derived": (
        "single_order-3-derived",
        StepRule,
        Forward(),
        False,
        "term of one order, λ = 3·(h/c)², rate h",
    ),
    "suffix_mean-4": ("suffix_mean-4", Averaged, Forward(), True, "mean of the forward iterates after 4"),
    "swa-4-2-9": ("swa-4-2-9", Averaged, Forward(), True, "SWA of forward (4, 2, 9)"),
    "reset_if_better-loss-3": (
        "reset_if_better-loss-3",
        Decided,
        Backward(),
        False,
        "backward, reset where better (loss of every 3rd iterate)",
    ),
    "stop_when_settled-0.00001": (
        "stop_when_settled-1e-05",
        Decided,
        Backward(),
        False,
        "backward until settled to 1e-05",
    ),
}


@pytest.mark.parametrize("given", CURVES)
def test_names_are_read_and_written(given: str) -> None:
    name, kind, order, baseline, label = CURVES[given]
    curve = parse(given)
    assert (curve.name, type(curve), curve.order, curve.baseline) == (name, kind, order, baseline)
    assert parse(name) == curve
    assert label_of(name) == label
    assert curve.price == (2.8 if name.startswith(("regularised", "single_order")) else 1.0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("forward-1", "unknown order"),
        ("reset", "unknown order"),
        ("late-1-2", "unknown order"),
        ("windowed", "unknown order"),
        ("decayed-0", "tau of a decayed learning rate must be positive and finite"),
        ("decayed-inf", "tau of a decayed learning rate must be positive and finite"),
        ("large-1", "unknown order"),
        ("regularised", "unknown order"),
        ("regularised-inf", "the multiple of h² must be at least 0 and finite"),
        ("regularised-1-hh", "λ is in units of h, hc or derived, and the rate h or hc"),
        ("regularised-1-h-derived", "λ is in units of h, hc or derived, and the rate h or hc"),
        ("regularised-1-h-h-h", "unknown order"),
        ("ema-1", "beta must be between 0 and 1"),
        ("ema-0", "beta must be between 0 and 1"),
        ("swa-1-2", "unknown order"),
        ("late-x", "cannot read the order 'late-x'"),
    ],
)
def test_names_without_a_meaning_are_refused(given: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(given)


def test_a_multiple_of_zero_is_one() -> None:
    curve = parse("regularised-0")
    assert isinstance(curve, StepRule)
    assert (curve.multiple, curve.unit, curve.rate, curve.price) == (0.0, "h", "h", 2.8)


def test_objects_and_their_names_belong_together() -> None:
    curves = {
        "forward": Forward(),
        "backward": Backward(),
        "reset-5-9": Reset([5, 9]),
        "late-7": Late(7),
        "windowed-3": Windowed(3),
        "polyak": Polyak(),
        "ema-0.5": EMA(0.5),
        "suffix_mean-4": SuffixMean(4),
        "swa-4-2-9": SWA(4, 2, 9),
        "reset_if_better-loss-3-higher": ResetIfBetter("loss", 3, "higher"),
        "stop_when_settled-0.1": StopWhenSettled(0.1),
    }
    for name, curve in curves.items():
        assert name_of(curve) == name
        assert curve_of(name) == curve
    for name in ("decayed-5", "large", "regularised-1"):
        with pytest.raises(ValueError, match=f"{name} is for experiments of the catalogue"):
            curve_of(name)
    with pytest.raises(ValueError, match=r"write Forward\(\), not Forward"):
        name_of(Forward)  # type: ignore[arg-type]


def maps(order: Order, n: int) -> list[int]:
    """Return all maps of iterate n from θ_0 on, outermost first."""
    return [*order.word(n), *maps(order, order.anchor(n))] if n else []


@pytest.mark.parametrize(
    ("name", "homes"),
    [
        ("forward", {0: "forward", 9: "forward"}),
        ("reset-5-9", {0: "backward", 5: "backward", 6: "reset-5-9", 9: "reset-5-9"}),
        ("windowed-3", {1: "backward", 3: "backward", 4: "windowed-3"}),
        ("late-7", {1: "forward", 7: "forward", 8: "late-7"}),
        ("polyak", {0: "polyak", 9: "polyak"}),
        ("reset_if_better-loss-3", {1: "reset_if_better-loss-3"}),
    ],
)
def test_iterates_that_two_curves_share_have_one_home(name: str, homes: dict[int, str]) -> None:
    """It is where the maps are the same: up to there, and not one step further."""
    for n, where in homes.items():
        assert home(name, n) == where
        assert home(name, n, "diagnostics") == name
        assert maps(parse(name).order, n) == maps(parse(where).order, n)
    for n in range(1, 12):
        one_map = (name, n) == ("late-7", 8)  # T_8 alone after iterate 7 is the same in both orders
        if home(name, n) == name and name in ("reset-5-9", "windowed-3", "late-7") and not one_map:
            assert maps(parse(name).order, n) not in (maps(Forward(), n), maps(Backward(), n))


@pytest.mark.parametrize("name", ["forward", "backward", "reset-3-7", "late-4", "windowed-3"])
def test_costs_count_every_map_of_a_path_once(name: str) -> None:
    """By brute force: anchors are iterates too, and each iterate is computed once."""
    curve = parse(name)

    def needed(at: list[int]) -> int:
        iterates, waiting = set(), [n for n in at if n]
        while waiting:
            n = waiting.pop()
            if n and n not in iterates:
                iterates.add(n)
                waiting.append(curve.order.anchor(n))
        return sum(len(curve.order.word(n)) for n in iterates)

    grids = [[0], [5], [2, 5, 9], list(range(11)), [0, 10]]
    for at in grids if name != "forward" else ([0], [0, 1, 2, 3]):
        assert curve.path_costs(at) == [needed(at[: k + 1]) for k in range(len(at))]
        assert curve.path_cost(at) == needed(at)
    assert [curve.depth(n) for n in (0, 1, 6, 10)] == [needed([n]) for n in (0, 1, 6, 10)]


def test_kinds_are_ranked_as_they_are_listed() -> None:
    names = ["zeta", "alpha", *reversed([name for name, *_ in CURVES.values()]), "reset-10"]
    found = sorted(names, key=rank)
    kinds = [name.split("-")[0] for name in found]
    assert list(dict.fromkeys(kinds)) == [*KINDS, "alpha", "zeta"]
    assert found[2:4] == ["reset-10", "reset-5-9"]
    assert label_of("zeta") == "zeta"


@pytest.mark.parametrize(
    ("every", "text"),
    [
        (1, "every iterate"),
        (2, "every 2nd iterate"),
        (3, "every 3rd iterate"),
        (4, "every 4th iterate"),
        (10, "every 10th iterate"),
        (11, "every 11th iterate"),
        (12, "every 12th iterate"),
        (13, "every 13th iterate"),
        (21, "every 21st iterate"),
        (111, "every 111th iterate"),
        (1022, "every 1,022nd iterate"),
    ],
)
def test_gaps_of_a_grid_in_words(every: int, text: str) -> None:
    assert every_iterate(every) == text


def test_steps_of_parts_are_told_apart_by_their_rates() -> None:
    assert step_label_of("forward") == "large batch, rate h"
    assert step_label_of("large") == "large batch, rate h/c"
    assert step_label_of("small") == "small batches, rate h/c"
    assert step_label_of("regularised-2") == "regularised, λ = 2h², rate h"
    assert curve_names.compares_steps(["forward", "large"])
    assert not curve_names.compares_steps(["forward", "polyak"])


# --- averages -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("average", "mean"),
    [
        (Polyak(), lambda x, n: x[1 : n + 1].mean()),
        (SuffixMean(0), lambda x, n: x[1 : n + 1].mean()),
        (SuffixMean(3), lambda x, n: x[4 : n + 1].mean() if n > 3 else x[n]),
        (SWA(3, 2), lambda x, n: x[3 : n + 1 : 2].mean() if n >= 3 else x[n]),
        (SWA(0, 3), lambda x, n: x[0 : n + 1 : 3].mean()),
        (EMA(0.75), lambda x, n: 0.75**n * x[0] + sum(0.25 * 0.75 ** (n - k) * x[k] for k in range(1, n + 1))),
    ],
    ids=["polyak", "suffix 0", "suffix 3", "swa 3 2", "swa 0 3", "ema"],
)
def test_averages_are_means_of_their_iterates(average, mean) -> None:
    """m_n = m_{n−1} + weight(n) (x_n − m_{n−1}) from m_0 = x_0; means of 21 numbers below 8 are right to 1e-13."""
    x = np.random.default_rng(0).standard_normal(21)
    value = x[0]
    for n in range(1, 21):
        value = value + average.weight(n) * (x[n] - value)
        assert value == pytest.approx(mean(x, n), abs=1e-13)


@pytest.mark.parametrize(("start", "first"), [(0, 1), (1, 1), (4, 4)])
def test_statistics_are_collected_anew_from_the_first_average_on(start: int, first: int) -> None:
    assert [n for n in range(8) if SWA(start).refreshes(n)] == list(range(first, 8))
    assert (SWA(start).every, SWA(start).refresh) == (1, 100)


@pytest.mark.parametrize(
    "make",
    [lambda: SuffixMean(-1), lambda: SWA(-1), lambda: SWA(0, 0), lambda: SWA(0, 1, 0), lambda: EMA(0.1234567)],
    ids=["suffix", "start", "every", "refresh", "digits"],
)
def test_averages_without_a_meaning_are_refused(make) -> None:
    assert (SuffixMean(0).start, SWA(0, 1, 1).every, EMA(0.123456).beta) == (0, 1, 0.123456)
    with pytest.raises(ValueError, match=r"start|every|refresh|six digits"):
        make()
