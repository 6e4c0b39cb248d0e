"""The wavefront gives the double loop's iterates in float64: every order, optimizer, and way to cut chains."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from contraction.maps.orders import Backward, Late  # noqa: E402
from nn_experiments.engine import iterates  # noqa: E402
from nn_experiments.engine.ensemble.wavefront import Ensemble, wavefront  # noqa: E402
from nn_experiments.engine.loop import double_loop  # noqa: E402
from nn_experiments.training.batches import ArrayBatches  # noqa: E402
from nn_experiments.training.dropout import FrozenDropout  # noqa: E402
from nn_experiments.training.initialisation import initialise  # noqa: E402
from nn_experiments.training.metrics import Evaluation  # noqa: E402
from nn_experiments.training.optimizers import Optimizer, Schedule  # noqa: E402
from nn_experiments.training.step import LOSSES, TrainingStep, initial_state  # noqa: E402
from tests.nn.problems import (  # noqa: E402
    ORDERS,
    SGD,
    N,
    bound,
    flat,
    problem,
)

OPTIMIZERS = {
    "momentum": Optimizer(method="momentum", learning_rate=0.02, momentum=0.8),
    "nesterov": Optimizer(method="momentum", learning_rate=0.02, momentum=0.8, nesterov=True, weight_decay=0.01),
    "adam": Optimizer(method="adam", learning_rate=0.01, eps=1e-3),
    "adamw": Optimizer(method="adamw", learning_rate=0.01, eps=1e-3, weight_decay=0.1),
    "scheduled": Optimizer(learning_rate=0.05, schedule=Schedule(kind="inverse", horizon=4)),
    "by batch": Optimizer(learning_rate=0.05, schedule=Schedule(kind="inverse", horizon=4, index="batch")),
}


def distances(path, oracle, state0) -> dict[int, float]:
    """Return the distance over the bound, per iterate."""
    return {
        n: float((flat(state["parameters"]) - flat(oracle[n]["parameters"])).norm())
        / bound(run.depth if run else 0, state0)
        if n
        else float((flat(state["parameters"]) - flat(oracle[n]["parameters"])).norm())
        for n, state, run in path
    }


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("chunk", [1, 3, None])
@pytest.mark.parametrize("kind", ["regression", "classification"])
def test_the_mlp_wavefront(kind: str, chunk: int | None, order: str) -> None:
    step, batches, state0 = problem(kind, SGD)
    oracle = double_loop(step, batches, state0, ORDERS[order], range(N + 1))
    found = distances(wavefront(step, batches, ORDERS[order], range(N + 1), state0, chunk=chunk), oracle, state0)
    assert list(found) == list(range(N + 1))
    assert max(found.values()) <= 1, found


@pytest.mark.parametrize("form", ["vmap", "wide"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("order", ["backward", "late", "shuffled"])
def test_the_generic_wavefront(order: str, optimizer: str, form: str) -> None:
    step, batches, state0 = problem("classification", OPTIMIZERS[optimizer], activation="tanh")
    if form == "wide":  # an MLP's forward pass, in layers
        layers = [layer for one in step.model.layers for layer in (one, torch.nn.Tanh())][:-1]
        names = {f"layers.{k}": f"{2 * k}" for k in range(3)}
        model = torch.nn.Sequential(*layers)
        state0 = initial_state(
            model,
            {
                f"{names[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}": value
                for key, value in state0["parameters"].items()
            },
        )
        step = TrainingStep(model, step.loss, step.optimizer)
    at = [0, 2, 7, N]
    oracle = double_loop(step, batches, state0, ORDERS[order], at)
    path = wavefront(step, batches, ORDERS[order], at, state0, ensemble=Ensemble(form=form))
    found = distances(path, oracle, state0)
    assert list(found) == at
    assert max(found.values()) <= 1, found


def test_dropout_frozen_by_the_batch_is_the_same_in_both_engines() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 16), FrozenDropout(0.5), torch.nn.Linear(16, 1)).double()
    state0 = initial_state(model, initialise(model, 0, dtype=torch.float64))
    inputs = torch.linspace(-1, 1, 40, dtype=torch.float64).reshape(20, 2)
    batches = ArrayBatches(inputs, inputs.sum(1, keepdim=True), batch_size=4, seed=0)
    step = TrainingStep(model, LOSSES["mse"], SGD, seed=5)
    at = [1, 4, N]
    oracle = double_loop(step, batches, state0, Backward(), at)
    assert max(distances(wavefront(step, batches, Backward(), at, state0), oracle, state0).values()) <= 1
    other = double_loop(TrainingStep(model, LOSSES["mse"], SGD, seed=6), batches, state0, Backward(), [N])
    assert float((flat(oracle[N]["parameters"]) - flat(other[N]["parameters"])).norm()) > 1e-3


def test_what_cannot_be_batched_is_refused_with_the_reason() -> None:
    with pytest.raises(TypeError, match="not a TrainingStep"):
        list(wavefront(lambda state, batch, t: state, None, Backward(), [1], initial_state(torch.nn.Linear(2, 3))))


def test_iterates_through_the_public_door() -> None:
    step, batches, state0 = problem("regression", SGD)
    metrics = {"first": lambda s: s["parameters"]["layers.0.weight"], "norm": lambda s: flat(s["parameters"]).norm()}
    paths = {
        engine: iterates(step, batches, state0, Late(3), range(8), metrics, engine=engine)
        for engine in ("loop", "step", "mlp", "ensemble")
    }
    for path in paths.values():
        assert path["first"].shape == (8, 9, 2)
        assert path.gradients.tolist() == [*range(8)]
        assert path.applications == 3 + 1 + 2 + 3 + 4
        assert abs(path["norm"] - paths["loop"]["norm"]).max() <= bound(8, state0)


@pytest.mark.parametrize("chunk", [4, None])
def test_metrics_written_for_one_state_are_batched(chunk: int | None) -> None:
    """Losses on fixed sets and on the chain's own batches, one ``vmap`` for many chains, against the double loop."""
    step, batches, state0 = problem("classification", SGD)
    inputs = torch.linspace(-2, 2, 30, dtype=torch.float64).reshape(15, 2)
    labels = torch.arange(15) % 4
    evaluation = Evaluation(step.model, step.loss, (inputs, labels), (inputs[:5], labels[:5]), classes=4, rows=6)
    paths = [
        iterates(step, batches, state0, Late(4), range(N + 1), evaluation, engine=engine, chunk=size)
        for engine, size in (("loop", None), ("ensemble", chunk))
    ]
    with pytest.raises(ValueError, match="chunk is for the ensemble engine, got chunk=2 with engine='loop'"):
        iterates(step, batches, state0, Late(4), range(3), evaluation, engine="loop", chunk=2)
    assert paths[1].metadata["metrics batched"]
    assert not paths[0].metadata["metrics batched"]
    for name in evaluation.names:
        assert np.allclose(paths[0][name], paths[1][name], rtol=1e-9, atol=0, equal_nan=True), name
        assert np.isnan(paths[0][name][0]) == name.endswith("batch_loss")
    assert paths[0].diverged is None
    awkward = {"sign": lambda s: torch.tensor(1.0 if float(s["parameters"]["layers.0.bias"].sum()) > 0 else -1.0)}
    alone = iterates(step, batches, state0, Late(4), range(6), awkward, engine="ensemble")
    assert not alone.metadata["metrics batched"]
    assert set(alone["sign"]) <= {-1.0, 1.0}


def test_a_users_own_module_in_fifteen_lines() -> None:
    """What the README shows."""
    import nn_experiments as nne
    from contraction.maps.orders import Backward, Forward

    x = torch.linspace(-1, 1, 64)[:, None]
    y = torch.sin(3 * x)
    model = torch.nn.Sequential(torch.nn.Linear(1, 32), torch.nn.GELU(), torch.nn.Linear(32, 1))
    step, state = nne.from_torch(model, torch.nn.functional.mse_loss, torch.optim.SGD(model.parameters(), lr=0.05))
    batches = nne.ArrayBatches(x, y, batch_size=4, seed=0)

    def loss(state):
        return ((torch.func.functional_call(model, state["parameters"], (x,)) - y) ** 2).mean()

    for order in (Forward(), Backward()):
        path = nne.iterates(step, batches, state, order, range(0, 60, 10), {"loss": loss})
        assert path["loss"].shape == (6,)
        assert path["loss"][-1] < path["loss"][0]
