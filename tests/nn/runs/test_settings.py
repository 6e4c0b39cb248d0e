"""Baselines, appendix D's steps, scalings and initial states: what an experiment's words mean in numbers."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nn_experiments.datasets import load_dataset  # noqa: E402
from nn_experiments.engine.chain import averages  # noqa: E402
from nn_experiments.engine.kernels.choose import make_kernel  # noqa: E402
from nn_experiments.engine.loop import double_loop  # noqa: E402
from nn_experiments.paper import curve_names  # noqa: E402
from nn_experiments.paper.catalogue import EXPERIMENTS, Experiment  # noqa: E402
from nn_experiments.runs.job import Job, run_job  # noqa: E402
from nn_experiments.runs.request import Prices, Request, cut  # noqa: E402
from nn_experiments.runs.setup import ExperimentProblem, prepare  # noqa: E402
from nn_experiments.training import models  # noqa: E402
from nn_experiments.training.batches import Batch, Inputs  # noqa: E402
from nn_experiments.training.initialisation import initialise  # noqa: E402
from nn_experiments.training.models.mlp import MLP  # noqa: E402
from nn_experiments.training.optimizers import Optimizer, Schedule  # noqa: E402
from nn_experiments.training.order_averaging import OrderAveragingStep  # noqa: E402
from tests.nn.problems import flat  # noqa: E402

SMALL = EXPERIMENTS["regression-cube"].override({"model": "mlp-2x10", "dtype": "float64"})


@pytest.mark.parametrize("name", ["polyak", "ema-0.8"])
def test_averages_of_the_forward_path(name: str) -> None:
    """The mean of iterates 1 … n, without θ_0; the moving average from θ_0; both against sums written out."""
    place = prepare(SMALL, 3)
    curve = curve_names.parse(name)
    assert isinstance(curve, curve_names.Averaged)
    states = double_loop(place.step, place.batches, place.state0, curve.order, range(9))
    thetas = np.stack([flat(states[n]["parameters"]).numpy() for n in range(9)])
    path = averages(
        make_kernel(place.step, place.batches),
        curve.order,
        [0, 3, 8],
        place.state0,
        curve.average,
    )
    for n, state, _ in path:
        if name == "polyak":
            right = thetas[1 : n + 1].mean(0) if n else thetas[0]
        else:
            weights = np.array([0.8**n, *(0.2 * 0.8 ** (n - i) for i in range(1, n + 1))])
            right = weights @ thetas[: n + 1]
        assert np.allclose(flat(state["parameters"]).numpy(), right, rtol=1e-12, atol=1e-14), n


def test_the_decayed_learning_rate() -> None:
    place = prepare(SMALL, 0)
    step = place.step_of(curve_names.parse("decayed-5"))
    state, own = place.state0, place.state0
    for t in range(1, 5):
        gradients, _ = place.step.gradients(own, place.batches(t))
        rate = 0.02 / (1 + (t - 1) / 5)
        own = {**own, "parameters": {k: v - rate * gradients[k] for k, v in own["parameters"].items()}}
        state = step(state, place.batches(t), t)
    assert torch.allclose(flat(state["parameters"]), flat(own["parameters"]), rtol=1e-13, atol=0)


def test_the_steps_of_appendix_d() -> None:
    """small = c steps on the parts in turn at h/c; large at h/c; regularised at λ = 0 is SGD at h."""
    experiment = dataclasses.replace(SMALL, batch_size=6, parts=3)
    place = prepare(experiment, 0)
    state, batch = place.state0, place.batches(1)

    def moved(name: str) -> torch.Tensor:
        return flat(place.step_of(curve_names.parse(name))(state, batch, 1)["parameters"])

    def by_hand(pieces: list[tuple[torch.Tensor, torch.Tensor]], rate: float) -> torch.Tensor:
        parameters = state["parameters"]
        for x, y in pieces:
            gradients, _ = place.step.gradients({"parameters": parameters}, Batch(x, y, 1))
            parameters = {k: v - rate * gradients[k] for k, v in parameters.items()}
        return flat(parameters)

    parts = list(zip(batch.inputs.split(2), batch.targets.split(2), strict=True))
    whole = [(batch.inputs, batch.targets)]
    for name, right in {
        "small": by_hand(parts, 0.02 / 3),
        "large": by_hand(whole, 0.02 / 3),
        "forward": by_hand(whole, 0.02),
        "regularised-0": by_hand(whole, 0.02),
    }.items():
        assert torch.allclose(moved(name), right, rtol=1e-12, atol=1e-14), name
    change = [moved(f"regularised-{k}") - moved("regularised-0") for k in (1, 2)]
    assert change[0].norm() > 1e-9
    assert torch.allclose(change[1], 2 * change[0], rtol=1e-5, atol=1e-12)
    with pytest.raises(ValueError, match="batches have parts"):
        Request(experiment=SMALL, seeds=(0,), orders=("small",), steps=3)
    with pytest.raises(ValueError, match="cannot be split into 4"):
        dataclasses.replace(experiment, parts=4)


@pytest.mark.parametrize(
    ("name", "lam", "rate", "single_order"),
    [
        ("regularised-3", 3 * 0.02**2, 0.02, False),
        ("regularised-3-hc", 3 * (0.02 / 3) ** 2, 0.02, False),
        ("regularised-3-derived", 3 * (0.02 / 3) ** 2 / 2, 0.02, False),
        ("regularised-3-h-hc", 3 * 0.02**2, 0.02 / 3, False),
        ("single_order-3", 3 * 0.02**2, 0.02, True),
        ("single_order-3-derived", 3 * (0.02 / 3) ** 2, 0.02, True),  # T_small has h'², the mean of all orders h'²/2
    ],
)
def test_the_readings_of_the_papers_settings(name: str, lam: float, rate: float, single_order: bool) -> None:
    step = prepare(dataclasses.replace(SMALL, batch_size=6, parts=3), 0).step_of(curve_names.parse(name))
    assert isinstance(step, OrderAveragingStep)
    assert (step.c, step.single_order) == (3, single_order)
    assert (step.lam, step.rate) == pytest.approx((lam, rate), rel=1e-14)


def test_a_path_of_appendix_d_is_one_block_and_priced_as_what_it_is() -> None:
    """Beside iterate 0, which has no batch losses; the forward path of another step is cut."""
    experiment = dataclasses.replace(SMALL, batch_size=6, parts=3)
    names = ("forward", "large", "small", "regularised-1")
    grid = Request(experiment=experiment, seeds=(0,), orders=names, steps=100, every=10).grid
    missing = {(0, name, "curves"): list(grid.at) for name in names}
    pieces = cut(missing, 100, Prices(step=1.0, evaluation=0.0))
    found = {name: [piece for piece in pieces if piece.variant == name and piece.at != (0,)] for name in names}
    assert [len(found[name]) for name in names[1:]] == [1, 1, 1]
    assert len(found["forward"]) > 1
    assert [found[name][0].seconds for name in names[1:]] == pytest.approx([100, 100, 280])


def test_a_classification_on_digits_in_images_and_scalings() -> None:
    data = load_dataset("digits")
    unit, standard = (Inputs(data, scaling=name, dtype=torch.float64) for name in ("unit", "standard"))
    x, y = unit("train", slice(None))
    assert x.shape == (1438, 1, 8, 8)
    assert (float(x.min()), float(x.max())) == (0, 1)
    assert y.dtype == torch.int64
    scaled, _ = standard("train", slice(None))
    assert abs(float(scaled.mean())) < 1e-12
    assert math.isclose(float(scaled.std(unbiased=False)), 1, rel_tol=1e-12)
    assert np.array_equal(x[:, 0].numpy() * 16, data.train_inputs[..., 0])


def test_a_block_of_digits_holds_accuracies() -> None:
    experiment = EXPERIMENTS["mlp-digits"].override({"model": "mlp-1x16"})
    block = run_job(Job(ExperimentProblem(experiment), 0, "backward", "curves", (1, 60)))
    assert set(block.values) == {
        "train_loss",
        "test_loss",
        "train_accuracy",
        "test_accuracy",
        "newest_batch_loss",
        "outermost_batch_loss",
    }
    place = prepare(experiment, 0)
    state = double_loop(place.step, place.batches, place.state0, curve_names.parse("backward").order, [60])[60]
    x, y = Inputs(place.dataset, scaling="unit", dtype=torch.float32)("test", slice(None))
    outputs = torch.func.functional_call(place.model, state["parameters"], (x,))
    right = float((outputs.argmax(1) == y).double().mean())
    assert abs(block.values["test_accuracy"][1] - right) <= 2 / len(y)  # a logit or two may tie to rounding
    assert math.isclose(
        block.values["test_loss"][1], float(torch.nn.functional.cross_entropy(outputs, y)), rel_tol=1e-3
    )
    assert block.values["test_loss"][1] < block.values["test_loss"][0]


@pytest.mark.parametrize("rule", ["torch", "he_normal", "glorot_uniform"])
def test_initial_states(rule: str) -> None:
    """40,000 weights: the standard deviation is within 3 % but with probability 1e-16 (its relative sd is 0.36 %)."""
    model = MLP((200, 200, 3))
    state = initialise(model, 4, initialisation=rule)
    weight, bias = state["layers.0.weight"], state["layers.0.bias"]
    right = {"torch": 1 / math.sqrt(3 * 200), "he_normal": math.sqrt(2 / 200), "glorot_uniform": math.sqrt(2 / 400)}[
        rule
    ]
    assert abs(float(weight.std()) / right - 1) < 0.03
    assert (float(bias.abs().max()) > 0) == (rule == "torch")
    again, other, second = (
        initialise(model, 4, initialisation=rule),
        initialise(model, 5, initialisation=rule),
        initialise(model, 4, initialisation=rule, purpose="second start"),
    )
    assert torch.equal(weight, again["layers.0.weight"])
    assert not torch.equal(weight, other["layers.0.weight"])
    assert not torch.equal(weight, second["layers.0.weight"])
    with pytest.raises(ValueError, match="no rule to initialise Bilinear"):
        initialise(torch.nn.Bilinear(2, 2, 2), 0)


def test_models_by_name() -> None:
    assert models.build("mlp-5x500", (1, 28, 28), 10).sizes == (784, 500, 500, 500, 500, 500, 10)
    assert sum(p.numel() for p in models.build("mlp-5x500", (1, 28, 28), 10).parameters()) == 1_399_510
    assert sum(p.numel() for p in models.build("mlp-3x300", (1,), 1).parameters()) == 181_501
    with pytest.raises(ValueError, match="unknown model 'lenet'"):
        models.build("lenet", (1,), 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": 0.0}, "the learning rate must be a finite number > 0, got 0.0"),
        ({"learning_rate": 0.1, "momentum": 0.9}, "do not go together"),
        ({"learning_rate": 0.1, "method": "lion"}, "must be one of sgd"),
        ({"learning_rate": 0.1, "nesterov": True}, "nesterov needs"),
        ({"learning_rate": 0.1, "method": "adam", "betas": (0.9, 1.0)}, "betas must be"),
    ],
)
def test_optimizers_refuse_what_has_no_meaning(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Optimizer(**settings)


def test_schedules() -> None:
    assert [Schedule(kind="cosine", horizon=4).factor(t) for t in (1, 3, 5, 9)] == pytest.approx([1, 0.5, 0, 0])
    assert [Schedule(kind="linear", horizon=4).factor(t) for t in (1, 3, 5, 9)] == [1, 0.5, 0, 0]
    assert [Schedule(kind="inverse", horizon=2).factor(t) for t in (1, 3, 5)] == [1, 0.5, 1 / 3]
    assert [Schedule(warmup=4).factor(t) for t in (1, 2, 4, 5)] == [0.25, 0.5, 1, 1]
    for wrong, message in (
        ({"kind": "cosine"}, "do not go together"),
        ({"kind": "step"}, "must be one of"),
        ({"index": "epoch"}, "the index of a schedule must be one of position, batch"),
        ({"warmup": -1}, "warmup must be a finite number >= 0, got -1"),
    ):
        with pytest.raises(ValueError, match=message):
            Schedule(**wrong)


def test_overrides_are_typed_and_make_another_experiment() -> None:
    changed = SMALL.override(
        {"learning_rate": "0.5", "train_evaluation": "7", "tf32": "true", "test_evaluation": "all"}
    )
    assert (changed.optimizer.learning_rate, changed.train_evaluation, changed.tf32) == (0.5, 7, True)
    assert changed.test_evaluation is None
    assert changed.decides() != SMALL.decides()
    assert isinstance(changed, Experiment)
