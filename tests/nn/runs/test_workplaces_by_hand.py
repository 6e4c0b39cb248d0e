"""All tensors of one experiment and seed: whose start and batches they are, and which step each curve takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nn_experiments.datasets import load_dataset  # noqa: E402
from nn_experiments.paper import curve_names  # noqa: E402
from nn_experiments.paper.catalogue import EXPERIMENTS  # noqa: E402
from nn_experiments.runs.setup import Workplace, prepare  # noqa: E402
from nn_experiments.training.batches import Batch  # noqa: E402
from nn_experiments.training.initialisation import initialise  # noqa: E402
from nn_experiments.training.order_averaging import OrderAveragingStep  # noqa: E402
from nn_experiments.training.sampling import Sampler  # noqa: E402

SMALL = {
    "model": "mlp-1x4",
    "batch_size": "6",
    "learning_rate": "0.3",
    "dtype": "float64",
    "train_evaluation": "30",
    "test_evaluation": "20",
}
#: Sums of a few products of numbers below 10, in another order.
close: dict[str, Any] = {"rtol": 1e-12, "atol": 1e-13}


@pytest.fixture(scope="module")
def place() -> Workplace:
    """Batches of six images, which may be cut into three parts, with the rate h = 0.3; seed 5."""
    return prepare.__wrapped__(EXPERIMENTS["mlp-digits"].override({**SMALL, "parts": "3"}), 5)


def gradient(place: Workplace, parameters: Any, x: Any, y: Any) -> dict[str, Any]:
    leaves = {name: value.detach().clone().requires_grad_() for name, value in parameters.items()}
    outputs = torch.func.functional_call(place.model, leaves, (x,))
    slopes = torch.autograd.grad(torch.nn.functional.cross_entropy(outputs, y), list(leaves.values()))
    return dict(zip(leaves, slopes, strict=True))


def descended(place: Workplace, parameters: Any, x: Any, y: Any, rate: float) -> dict[str, Any]:
    slopes = gradient(place, parameters, x, y)
    return {name: value - rate * slopes[name] for name, value in parameters.items()}


def same(found: Any, right: Any) -> None:
    assert found.keys() == right.keys()
    for name, value in right.items():
        torch.testing.assert_close(found[name], value, **close)


def test_starts_and_batches_are_those_of_the_seed(place: Workplace) -> None:
    for state, purpose in ((place.state0, "initial"), (place.second, "second start")):
        same(state["parameters"], initialise(place.model, 5, purpose=purpose, dtype=torch.float64))
    data = load_dataset("digits")
    for batches, stream in ((place.batches, "batch"), (place.other_batches, "other batch")):
        for i in (1, 2, 7):
            rows = Sampler("iid", 6, 1438, 5, stream)(i)
            assert batches(i).index == i
            assert batches(i).targets.tolist() == data.train_targets[rows].tolist()
            pixels = torch.from_numpy(data.train_inputs[rows] / 16).permute(0, 3, 1, 2)
            assert torch.equal(batches(i).inputs, pixels)
    assert (place.seed, place.step.gradients.seed) == (5, 5)


def test_losses_are_on_the_first_images_of_both_sets(place: Workplace) -> None:
    data = load_dataset("digits")
    sets = place.evaluation.sets
    assert {name: len(targets) for name, (_, targets) in sets.items()} == {"train": 30, "test": 20}
    assert sets["train"][1].tolist() == data.train_targets[:30].tolist()
    assert sets["test"][1].tolist() == data.test_targets[:20].tolist()
    assert np.array_equal(sets["test"][0][:, 0].numpy(), data.test_inputs[:20, :, :, 0] / 16)


@pytest.mark.parametrize(("model", "rows"), [("mlp-1x4", 1000), ("convnet", 200), ("convnet-none", 200)])
def test_images_of_convolutions_are_evaluated_a_few_at_a_time(model: str, rows: int) -> None:
    """On a CPU, where they are then in its cache."""
    experiment = EXPERIMENTS["mlp-digits"].override({**SMALL, "model": model, "dtype": "float32"})
    found = prepare.__wrapped__(experiment, 0)
    assert found.evaluation.rows == rows
    assert next(found.model.parameters()).dtype == torch.float32


@pytest.mark.parametrize("t", [1, 4])
def test_steps_of_curves_on_parts_are_their_formulas(place: Workplace, t: int) -> None:
    """Of plain SGD at h, h/c on the whole batch, h/c on one part after the other, and h/(1 + (t − 1)/τ)."""
    batch, start = place.batches(2), place.state0
    pieces = [(batch.inputs[k : k + 2], batch.targets[k : k + 2]) for k in (0, 2, 4)]
    whole = batch.inputs, batch.targets

    def after(curve: str) -> Any:
        return place.step_of(curve_names.parse(curve))(start, batch, t)["parameters"]

    same(after("forward"), descended(place, start["parameters"], *whole, 0.3))
    assert place.step_of(curve_names.parse("backward")) is place.step
    same(after("large"), descended(place, start["parameters"], *whole, 0.1))
    one: Any = start["parameters"]
    for x, y in pieces:
        one = descended(place, one, x, y, 0.1)
    same(after("small"), one)
    same(after("decayed-2"), descended(place, start["parameters"], *whole, 0.3 / (1 + (t - 1) / 2)))


@pytest.mark.parametrize(
    ("curve", "lam", "rate", "single"),
    [
        ("regularised-2", 2 * 0.3**2, 0.3, False),
        ("regularised-2-hc", 2 * 0.1**2, 0.3, False),
        ("regularised-2-h-hc", 2 * 0.3**2, 0.1, False),
        ("regularised-2-derived", 2 * 0.1**2 / 2, 0.3, False),
        ("single_order-2", 2 * 0.3**2, 0.3, True),
        ("single_order-2-hc-hc", 2 * 0.1**2, 0.1, True),
        ("single_order-2-derived", 2 * 0.1**2, 0.3, True),
    ],
)
def test_the_regularised_step_has_the_lambda_and_the_rate_of_its_name(
    place: Workplace, curve: str, lam: float, rate: float, single: bool
) -> None:
    step = place.step_of(curve_names.parse(curve))
    assert isinstance(step, OrderAveragingStep)
    assert (step.c, step.single_order, step.plain.gradients.seed) == (3, single, 5)
    assert step.lam == pytest.approx(lam, rel=1e-14)
    assert step.rate == pytest.approx(rate, rel=1e-14)
    found = step(place.state0, place.batches(1), 1)["parameters"]
    assert not torch.equal(found["layers.0.weight"], place.state0["parameters"]["layers.0.weight"])


def test_metrics_are_those_of_the_parts_where_batches_have_some(place: Workplace) -> None:
    plain = prepare.__wrapped__(EXPERIMENTS["mlp-digits"].override(SMALL), 5)
    assert plain.measurement is plain.evaluation
    measurement: Any = place.measurement
    assert (measurement.c, measurement.h) == (3, 0.3)
    assert measurement.evaluation is place.evaluation


@pytest.mark.parametrize("index", [1, 3])
def test_a_small_step_keeps_the_index_of_its_batch(place: Workplace, index: int, monkeypatch) -> None:
    """Each part is a batch with the number of the whole one, at the position of the whole step."""
    seen: list[tuple[int, int, int]] = []

    def step(self: Any, state: Any, batch: Batch, t: int) -> Any:
        seen.append((batch.index, len(batch.targets), t))
        return state

    monkeypatch.setattr("nn_experiments.training.step.TrainingStep.__call__", step)
    place.step_of(curve_names.parse("small"))(place.state0, place.batches(index), 8)
    assert seen == [(index, 2, 8)] * 3
