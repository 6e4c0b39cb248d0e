"""The numbers of the figures: those that the paper's captions and axes have, and those that we chose, in one table."""

from __future__ import annotations

import dataclasses

import pytest

from nn_experiments.paper.catalogue import EXPERIMENTS, FIGURES

QUARTERS = (500, 1000, 1500, 2000)
#: Figure -> steps, every, number of seeds, steps between diagnostics, steps that are compared, window, least steps.
NUMBERS = {
    "fig2": (2000, 1, 1, 100, QUARTERS, 200, 0),
    "fig3": (2000, 1, 2, 100, QUARTERS[1:], 200, 0),
    "fig4": (1400, 1, 5, 50, (350, 700, 1050, 1400), 200, 0),
    "fig5": (1400, 1, 5, 50, (350, 700, 1050, 1400), 200, 0),
    "fig6": (1400, 1, 5, 50, (350, 700, 1050, 1400), 200, 0),
    "fig7": (2000, 1, 5, 100, QUARTERS, 200, 0),
    "fig8": (2000, 1, 5, 100, QUARTERS, 200, 0),
    "fig9": (2000, 1, 5, 100, QUARTERS, 200, 0),
    "fig10": (2000, 1, 5, 100, QUARTERS[1:], 200, 0),
    "fig11": (25_000, 100, 1, 1000, (10_000, 20_000, 25_000), 5000, 10_000),
    "fig12": (2000, 1, 5, 100, QUARTERS, 200, 0),
    "fig13": (2000, 1, 5, 100, QUARTERS[1:], 200, 0),
    **{f"fig{k}": (1000, 50, 3, 0, (1000,), 200, 0) for k in range(14, 20)},
    "digits": (400, 4, 5, 50, (200, 400), 100, 0),
}
#: Figure -> number of seeds of the reduced form, which has 500 steps, every 25.
REDUCED = {"fig2": 1, "fig8": 2, "fig9": 2, "fig12": 5}


def test_figures_have_the_numbers_of_the_table() -> None:
    assert {
        name: (f.steps, f.every, len(f.seeds), f.diagnostics_every, f.compared_at, f.window, f.at_least)
        for name, f in FIGURES.items()
    } == NUMBERS


@pytest.mark.parametrize("name", NUMBERS)
def test_seeds_count_from_zero_and_the_last_step_is_compared(name: str) -> None:
    figure = FIGURES[name]
    assert figure.seeds == tuple(range(len(figure.seeds)))
    assert figure.compared_at[-1] == figure.steps
    assert figure.experiment in EXPERIMENTS
    assert all(n % figure.every == 0 for n in figure.compared_at)


def test_reduced_forms_have_five_hundred_steps_and_a_thousand_images() -> None:
    assert {name for name, figure in FIGURES.items() if figure.reduced} == set(REDUCED)
    for name, seeds in REDUCED.items():
        figure, changes = FIGURES[name].smaller()
        assert (figure.steps, figure.every, figure.seeds) == (500, 25, tuple(range(seeds)))
        assert (figure.compared_at, figure.diagnostics_every) == ((500,), 100)
        assert (changes["test_evaluation"], changes["train_evaluation"]) == ("1000", "500")
        override = EXPERIMENTS[figure.experiment].override(changes)
        assert (override.test_evaluation, override.train_evaluation) == (1000, 500)


@pytest.mark.parametrize(
    "change",
    [{"steps": 0}, {"every": 0}, {"compared_at": (0, 5)}, {"compared_at": (5, 11)}, {"steps": 9}],
    ids=["no step", "no grid", "at zero", "beyond the end", "shorter than what is compared"],
)
def test_numbers_that_do_not_fit_together_are_refused(change: dict) -> None:
    one = dataclasses.replace(FIGURES["digits"], steps=10, every=1, compared_at=(1, 10))
    with pytest.raises(ValueError, match="do not fit together"):
        dataclasses.replace(one, **change)


def test_orders_come_before_baselines_and_have_their_canonical_names() -> None:
    figure = dataclasses.replace(FIGURES["digits"], orders=("backward",), baselines=("polyak", "forward"))
    assert figure.all_orders == ("backward", "polyak", "forward")
    with pytest.raises(ValueError, match=r"the canonical name of order 'ema-0\.90' is 'ema-0\.9'"):
        dataclasses.replace(figure, baselines=("ema-0.90",))
    with pytest.raises(ValueError, match="digits has no reduced form"):
        figure.smaller()
