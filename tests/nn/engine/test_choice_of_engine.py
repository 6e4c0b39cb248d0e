"""Which engine runs a step, and how many chains at once: on a CPU, and on a graphics card that is only pretended."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from contraction.maps.orders import Forward  # noqa: E402
from nn_experiments import engine, from_torch  # noqa: E402
from nn_experiments.engine.ensemble import memory  # noqa: E402
from nn_experiments.engine.ensemble.stacked_module import CannotWiden, Wide  # noqa: E402
from nn_experiments.engine.kernels import choose  # noqa: E402
from nn_experiments.training.batches import ArrayBatches  # noqa: E402
from nn_experiments.training.dropout import FrozenDropout  # noqa: E402
from nn_experiments.training.optimizers import Optimizer  # noqa: E402
from tests.nn.problems import problem  # noqa: E402

STEP, BATCHES, STATE0 = problem("regression", Optimizer(learning_rate=0.1))


def own_step(state, batch, t):
    """A step that is no `TrainingStep`, which the ensemble cannot run."""
    return state


def on(card: bool) -> dict:
    return {"parameters": {"weight": SimpleNamespace(is_cuda=card, device="cuda:0")}}


@pytest.mark.parametrize("name", engine.ENGINES)
@pytest.mark.parametrize("card", [False, True])
@pytest.mark.parametrize("step", [STEP, own_step], ids=["training step", "own step"])
def test_chains_run_together_if_asked_for_and_on_a_card_by_themselves(name, card, step):
    together, notes = engine._batched(step, BATCHES, on(card), name, trained=False)
    assert together == (name == "ensemble" or (name == "auto" and card and step is STEP))
    assert notes == {}


def test_a_step_is_refused_only_if_it_is_to_run(monkeypatch):
    """The start alone needs no map: what stands against running them together is asked from the first map on."""
    monkeypatch.setattr(engine, "why_not_ensemble", lambda step, batches, state0: "a reason")
    metrics = {"one": lambda state: torch.tensor(1.0)}
    found = engine.iterates(STEP, BATCHES, STATE0, Forward(), [0], metrics, engine="ensemble")
    assert found["one"].tolist() == [1.0]
    with pytest.raises(TypeError, match="cannot run this step: a reason"):
        engine.iterates(STEP, BATCHES, STATE0, Forward(), [0, 1], metrics, engine="ensemble")


@pytest.mark.parametrize("free", [10, 1_000, 100_000])
def test_as_many_chains_as_the_free_memory_of_a_card_has_room_for(free, monkeypatch):
    """What torch has reserved and does not use is free, too; one chain runs even where none fits."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 10 * free))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 5 * free)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 2 * free)
    asked = []
    monkeypatch.setattr(memory, "chain_bytes", lambda *given: asked.append(given) or 1_000)
    state = on(True)
    assert memory.fitting(STEP, state, 7) == max(1, int(memory.SHARE * 4 * free / 1_000))
    assert memory.fitting(STEP, on(False), 7) == memory.ON_A_CPU
    assert asked == [(STEP, state, 7)]


@pytest.mark.parametrize("kind", [nn.Dropout, FrozenDropout])
@pytest.mark.parametrize(("p", "trains", "wide"), [(0.0, True, True), (0.5, False, True), (0.5, True, False)])
def test_only_dropout_that_drops_is_kept_to_one_chain(kind, p, trains, wide):
    model = nn.Sequential(nn.Conv2d(1, 2, 3), kind(p), nn.Flatten(1), nn.Linear(8, 3)).train(trains)
    if wide:
        Wide(model)
        return
    with pytest.raises(CannotWiden, match="its masks are drawn for one chain"):
        Wide(model)


@pytest.mark.parametrize("numba", [True, False])
@pytest.mark.parametrize("size", [choose.SMALL_BATCH, choose.SMALL_BATCH + 1])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_compiled_kernel_is_for_small_batches_plain_steps_and_an_installed_compiler(
    numba, size, momentum, monkeypatch
):
    monkeypatch.setattr(choose, "find_spec", lambda name: object() if numba and name == "numba" else None)
    method = "momentum" if momentum else "sgd"
    step, *_ = problem("regression", Optimizer(method=method, learning_rate=0.1, momentum=momentum))
    x = torch.zeros(2 * size, 2)
    batches = ArrayBatches(x, x[:, :1], batch_size=size, seed=0)
    compiled = numba and size <= choose.SMALL_BATCH and not momentum
    assert choose._fastest(step, batches) == ("compiled" if compiled else "mlp")


def test_every_engine_is_checked_against_the_users_own_loop():
    """One after the other on one step and the same batches: the loop's states are made again for each of them."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).double()
    x = torch.randn(20, 2, dtype=torch.float64)
    step, state0 = from_torch(model, nn.functional.mse_loss, torch.optim.SGD(model.parameters(), lr=0.1))
    batches = ArrayBatches(x, x[:, :1] ** 2, batch_size=4, seed=0)
    metrics = {"weight": lambda state: state["parameters"]["0.weight"]}
    found = [
        engine.iterates(step, batches, state0, Forward(), range(4), metrics, engine=name)["weight"]
        for name in ("step", "mlp", "ensemble", "mlp", "step")
    ]
    for path in found[1:]:
        np.testing.assert_allclose(path, found[0], rtol=1e-12, atol=1e-14)
