"""The estimated seconds of a figure: steps cost a fixed overhead each and operations at the machine's speed."""

from __future__ import annotations

import pytest

from nn_experiments.paper import curve_names
from nn_experiments.paper.catalogue import EXPERIMENTS, FIGURES
from nn_experiments.paper.cost import figure_seconds, flops_per_item

OVERHEAD = 25e-6


@pytest.mark.parametrize("name", FIGURES)
def test_seconds_are_a_fixed_part_and_one_over_the_speed(name):
    figure, experiment = FIGURES[name], EXPERIMENTS[FIGURES[name].experiment]
    (maps, fixed), (_, slow), (_, fast) = (figure_seconds(figure, experiment, speed) for speed in (1e40, 1e9, 2e9))
    assert slow - fixed == pytest.approx(2 * (fast - fixed), rel=1e-9)
    prices = {curve_names.parse(order).price for order in figure.all_orders}
    # with an infinite speed only the overhead of the steps is left, more of it where a step takes several gradients
    assert min(prices) * OVERHEAD * maps <= fixed * (1 + 1e-9)
    if not experiment.parts:
        assert fixed <= max(prices) * OVERHEAD * maps * (1 + 1e-9)
    # the operations of every step, forward and backward, no faster than the machine is
    assert slow - fixed >= 3 * flops_per_item(experiment) * experiment.batch_size * maps / 1e9
