"""The estimated seconds of a figure: steps cost a fixed overhead each and operations at the machine's speed."""

from __future__ import annotations

import dataclasses

import pytest

from nn_experiments.paper import cost, curve_names
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


def small(**changes):
    """Figure 4 over four steps, of which every second one is recorded, on two seeds, with one average."""
    about = {
        "steps": 4,
        "every": 2,
        "diagnostics_every": 2,
        "seeds": (0, 1),
        "baselines": ("polyak",),
        "compared_at": (2, 4),
    }
    return dataclasses.replace(FIGURES["fig4"], **({"orders": ("forward", "backward")} | about | changes))


@pytest.mark.parametrize(("diagnostics", "maps", "evaluations"), [(0, 14, 9), (2, 39, 9 + 20)])
def test_a_small_figure_is_counted_by_hand(diagnostics: int, maps: int, evaluations: int) -> None:
    """Forward 2, 4: 4 maps. Backward: 2 + 4. The average: 4 again. Each has iterate 0, too.

    With diagnostics at 0 and 2. Forward: 3 maps for 0 … 3, 2 from a second start, 2 of an independent run, 4 to the
    last iterate. Backward: 1 + 2 + 3, 2, 2 and 4. Each of these four takes five evaluations.
    """
    figure, experiment = small(diagnostics_every=diagnostics), EXPERIMENTS["regression-square"]
    items, flops, speed = 201, flops_per_item(experiment), 1e9
    found, seconds = figure_seconds(figure, experiment, speed)
    assert found == 2 * maps
    step = OVERHEAD + 3 * flops * experiment.batch_size / (0.4 * speed)
    evaluation = flops * items / (0.9 * speed)
    assert seconds == pytest.approx(2 * (maps * step + evaluations * evaluation), rel=1e-12)


def test_steps_of_appendix_d_cost_several_and_measures_of_their_own() -> None:
    """No diagnostics: 4 plain maps, and 4 of 2.8 gradients; what is measured of parts is counted in steps."""
    experiment = EXPERIMENTS["mlp-fashion-split-2"]
    figure = small(orders=("large", "regularised-1"), baselines=(), diagnostics_every=0, experiment=experiment.name)
    price = curve_names.parse("regularised-1").price
    step = OVERHEAD + 3 * flops_per_item(experiment) * experiment.batch_size / (0.9 * 1e9)  # as near to the peak
    items = (experiment.train_evaluation or 60_000) + (experiment.test_evaluation or 10_000)
    evaluation = flops_per_item(experiment) * items / (0.9 * 1e9) + 2 * (1 + price) * step
    found, seconds = figure_seconds(figure, experiment, 1e9)
    count = sum(len({curve_names.home(name, n) for name in figure.orders}) for n in (0, 2, 4))
    assert found == 2 * 8
    assert seconds == pytest.approx(2 * (4 * (1 + price) * step + count * evaluation), rel=1e-12)


@pytest.mark.parametrize(("batch", "fraction"), [(255, 0.4), (256, 0.9), (257, 0.9)])
def test_batches_of_256_items_are_as_near_to_the_peak_as_evaluation(batch: int, fraction: float) -> None:
    experiment = dataclasses.replace(EXPERIMENTS["regression-square"], batch_size=batch)
    figure = small(orders=("forward",), baselines=(), diagnostics_every=0)
    flops, speed = flops_per_item(experiment), 1e9
    step = OVERHEAD + 3 * flops * batch / (fraction * speed)
    right = 2 * (4 * step + 3 * flops * 201 / (0.9 * speed))
    assert figure_seconds(figure, experiment, speed)[1] == pytest.approx(right, rel=1e-12)


@pytest.mark.parametrize(("c", "beginnings"), [(2, 2 + 2), (3, 3 + 6 + 6), (4, 4 + 12 + 24 + 24)])
def test_measures_of_parts_take_a_gradient_at_every_beginning_of_an_order(c: int, beginnings: int) -> None:
    expected = 2 * (beginnings / c - 1 + curve_names.parse("regularised-1").price)
    assert cost._split_measures(c) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("data", "model", "multiply_adds"),
    [
        ("digits", "mlp-1x3", 64 * 3 + 3 * 10),
        ("digits", "mlp-4x3", 64 * 3 + 3 * 9 + 3 * 10),
        ("fashion_mnist", "mlp-2x5", 784 * 5 + 25 + 5 * 10),
        ("cifar10", "mlp-1x2", 3072 * 2 + 2 * 10),
        ("cifar100", "mlp-1x2", 3072 * 2 + 2 * 100),
        ("square", "mlp-2x7", 7 + 49 + 7),
    ],
)
def test_an_operation_is_a_multiplication_or_an_addition(data: str, model: str, multiply_adds: int) -> None:
    experiment = dataclasses.replace(EXPERIMENTS["mlp-digits"], data=data, model=model)
    assert flops_per_item(experiment) == 2 * multiply_adds


@pytest.mark.parametrize(
    ("data", "train", "test", "items"),
    [
        ("digits", None, None, 1438 + 359),
        ("digits", 100, 50, 150),
        ("digits", 5000, 5000, 1438 + 359),
        ("fashion_mnist", None, 1, 60_001),
        ("cifar100", None, None, 60_000),
        ("cube", None, None, 201),
    ],
)
def test_losses_are_on_as_many_items_as_there_are(data: str, train: int | None, test: int | None, items: int) -> None:
    experiment = dataclasses.replace(EXPERIMENTS["mlp-digits"], data=data, train_evaluation=train, test_evaluation=test)
    assert cost._items(experiment) == items


def test_the_speed_is_that_of_so_many_products_in_so_long(monkeypatch) -> None:
    """A clock that moves 0.04 s whenever it is read: two products begin within 0.1 s, and 0.16 s go in all."""
    now = [0.0]

    def clock() -> float:
        now[0] += 0.04
        return now[0]

    monkeypatch.setattr(cost.time, "perf_counter", clock)
    assert cost.peak() == pytest.approx(2 * 2 * 768**3 / 0.16, rel=1e-12)


@pytest.mark.parametrize(
    ("seconds", "short", "long"),
    [
        (0.9994e-3, "999 µs", "0 s"),
        (1e-3, "1 ms", "0 s"),
        (1.0, "1 s", "1 s"),
        (89.6, "89.6 s", "90 s"),
        (90.0, "2 min", "2 min"),
        (5399.0, "90 min", "90 min"),
        (5400.0, "2 h", "2 h"),
        (172_799.0, "48 h", "48 h"),
        (172_800.0, "2 days", "2 days"),
    ],
)
def test_durations_change_their_unit_at_its_limit(seconds: float, short: str, long: str) -> None:
    assert (cost.span(seconds), cost.clock(seconds)) == (short, long)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("forward", "forward"),
        ("backward", "backward"),
        ("reset-5", "backward, reset at 5"),
        ("reset-5-9", "backward, reset at 5, 9"),
        ("late-7", "backward from step 7"),
        ("windowed-3", "backward in windows of 3"),
        ("polyak", "Polyak average of forward"),
        ("ema-0.9", "moving average of forward (0.9)"),
        ("suffix_mean-4", "mean of the forward iterates after 4"),
    ],
)
def test_labels_of_curves(name: str, label: str) -> None:
    assert curve_names.label_of(name) == label
