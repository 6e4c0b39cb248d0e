"""The regularised step on a line through the origin, y = w x, with fields V_i(w) = b_i − a_i w: in plain numbers."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from nn_experiments.training.optimizers import Optimizer, Schedule  # noqa: E402
from nn_experiments.training.order_averaging import (  # noqa: E402
    OrderAveragingStep,
    regularised,
    regularised_module_step,
)
from nn_experiments.training.order_averaging_measures import SPLIT_METRICS, order_averaging_measures  # noqa: E402
from nn_experiments.training.step import TrainingStep  # noqa: E402
from nn_experiments.training.vector_fields import batch_coupled_layers, module_loss  # noqa: E402

W, H = 3.0, 0.5
X, Y = [1.0, 2.0, -1.0, 3.0, 0.5, 4.0], [2.0, 0.0, 1.0, 5.0, -1.0, 2.0]
BATCH = torch.tensor(X, dtype=torch.float64)[:, None], torch.tensor(Y, dtype=torch.float64)[:, None]


def half_square(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return ((outputs - targets) ** 2).mean() / 2


def model() -> nn.Module:
    return nn.Linear(1, 1, bias=False).double()


def start() -> Any:
    return {"parameters": {"weight": torch.tensor([[W]], dtype=torch.float64)}, "buffers": {"b": 1}, "optimizer": {}}


def by_hand(c: int, *, ordered: bool) -> tuple[float, float]:
    """Return V_B, the mean of the fields, and Σ V_i'V_j over all i ≠ j, or over i > j."""
    size = len(X) // c
    parts = [range(k * size, (k + 1) * size) for k in range(c)]
    slopes = [-sum(X[r] ** 2 for r in part) / size for part in parts]
    values = [sum(X[r] * Y[r] for r in part) / size + slope * W for part, slope in zip(parts, slopes, strict=True)]
    pairs = [(i, j) for i in range(c) for j in range(c) if (i > j if ordered else i != j)]
    return sum(values) / c, sum(slopes[i] * values[j] for i, j in pairs)


def plain(**changes: Any) -> TrainingStep:
    return TrainingStep(model(), half_square, Optimizer(**({"learning_rate": H} | changes)))


@pytest.mark.parametrize("lam", [0.0, 0.125])
@pytest.mark.parametrize("c", [2, 3, 6])
@pytest.mark.parametrize("single", [False, True])
def test_the_step_with_the_settings_in_view(single: bool, c: int, lam: float) -> None:
    """A sum of a few products: 1e-12 is thousands of units in the last place of the largest, which is below 100."""
    drift, term = by_hand(c, ordered=single)
    begin = start()
    found = OrderAveragingStep(plain(), c=c, lam=lam, single_order=single)(begin, BATCH, 1)
    assert float(found["parameters"]["weight"]) == pytest.approx(W + H * drift + lam * term, abs=1e-12)
    assert (found["buffers"], found["optimizer"]) == ({"b": 1}, {})
    assert float(begin["parameters"]["weight"]) == W
    other = by_hand(c, ordered=not single)[1]
    assert abs(other - term) > 1  # what the other sum would give is told apart


@pytest.mark.parametrize("hold", [False, True])
@pytest.mark.parametrize("rate", ["h", "h/c"])
@pytest.mark.parametrize("lam", [0.0, 0.125])
@pytest.mark.parametrize("c", [2, 3])
def test_the_step_of_a_loss(c: int, lam: float, rate: Any, hold: bool) -> None:
    drift, term = by_hand(c, ordered=False)
    step = regularised(module_loss(model(), half_square), h=H, c=c, lam=lam, rate=rate, hold=hold)
    found = float(step(start(), BATCH, 1)["parameters"]["weight"])
    assert found == pytest.approx(W + (H if rate == "h" else H / c) * drift + lam * term, abs=1e-12)


@pytest.mark.parametrize(
    ("unit", "lam"),
    [("h", 2 * H**2), ("h/c", 2 * (H / 3) ** 2), ("derived", (H / 3) ** 2)],
    ids=["h", "part", "derived"],
)
def test_multiples_of_each_unit(unit: Any, lam: float) -> None:
    loss = module_loss(model(), half_square)
    ends = [
        float(regularised(loss, h=H, c=3, **how)(start(), BATCH, 1)["parameters"]["weight"])
        for how in ({"multiple": 2.0, "unit": unit}, {"lam": lam}, {"multiple": 0.0, "unit": unit}, {"lam": 0.0})
    ]
    assert ends[0] == pytest.approx(ends[1], abs=1e-12)
    assert ends[2] == ends[3]
    assert abs(ends[0] - ends[2]) > 0.1


def test_settings_that_are_refused() -> None:
    loss = module_loss(model(), half_square)
    for h in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="the learning rate must be positive"):
            regularised(loss, h=h, c=2, lam=0.0)
    for lam in (-1e-9, float("nan")):
        with pytest.raises(ValueError, match="λ must be at least 0"):
            regularised(loss, h=H, c=2, lam=lam)
        with pytest.raises(ValueError, match="λ must be at least 0"):
            OrderAveragingStep(plain(), c=2, lam=lam)
    for c in (1, 2.0, True):
        with pytest.raises(ValueError, match="the number of small batches must be an integer of at least 2"):
            OrderAveragingStep(plain(), c=c, lam=0.0)  # type: ignore[arg-type]
    for changes in (
        {"method": "momentum", "momentum": 0.5},
        {"weight_decay": 0.1},
        {"method": "adam"},
        {"schedule": Schedule(kind="inverse", horizon=3)},
    ):
        with pytest.raises(ValueError, match="derived for plain SGD at a constant learning rate"):
            OrderAveragingStep(plain(**changes), c=2, lam=0.0)


@pytest.mark.parametrize("c", [2, 3])
def test_what_is_recorded_where_the_gradients_vanish(c: int) -> None:
    """At w = W with the targets W x every V_i is 0: so is all that is measured, the cosines of two zeros as well."""
    loss = module_loss(model(), half_square)
    found = order_averaging_measures(loss, start()["parameters"], (BATCH[0], W * BATCH[0]), c=c, h=H)
    assert found == dict.fromkeys(SPLIT_METRICS, 0.0)
    assert all(order_averaging_measures(loss, start()["parameters"], BATCH, c=c, h=H).values())


@pytest.mark.parametrize(("hold", "times"), [(True, 1), (False, 2)])
def test_graphs_that_are_not_held_are_made_again(hold: bool, times: int) -> None:
    """How often the loss of each part is computed; the step with the settings in view holds them."""
    calls = []

    def counted(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        calls.append(len(outputs))
        return half_square(outputs, targets)

    regularised(module_loss(model(), counted), h=H, c=3, lam=0.1, hold=hold)(start(), BATCH, 1)
    assert calls == [2] * (3 * times)
    if hold:
        for make in (regularised, regularised_module_step):
            calls.clear()
            given = (module_loss(model(), counted),) if make is regularised else (model(), counted)
            make(*given, h=H, c=3, lam=0.1)(start(), BATCH, 1)  # the default  # type: ignore[operator]
            assert calls == [2] * 3
        calls.clear()
        OrderAveragingStep(TrainingStep(model(), counted, Optimizer(learning_rate=H)), c=3, lam=0.1)(start(), BATCH, 1)
        assert calls == [2] * 3


@pytest.mark.parametrize(
    ("training", "tracked", "coupled"),
    [(True, True, True), (True, False, True), (False, False, True), (False, True, False)],
)
def test_layers_that_take_means_over_the_batch(training: bool, tracked: bool, coupled: bool) -> None:
    """In training mode, and wherever there are no running statistics to take instead."""
    layer = nn.BatchNorm1d(2, track_running_stats=tracked).train(training)
    assert batch_coupled_layers(nn.Sequential(nn.Linear(1, 2), layer)) == (["1"] if coupled else [])
    assert batch_coupled_layers(layer) == (["BatchNorm1d"] if coupled else [])
    others = nn.Sequential(nn.GroupNorm(1, 2), nn.LayerNorm(2), nn.InstanceNorm1d(2))
    assert batch_coupled_layers(others.train(training)) == []
