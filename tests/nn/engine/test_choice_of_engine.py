"""Which engine runs a step, and how many chains at once: on a CPU, and on a graphics card that is only pretended."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from contraction.maps.orders import Forward  # noqa: E402
from nn_experiments import engine  # noqa: E402
from nn_experiments.engine.ensemble import memory  # noqa: E402
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
    monkeypatch.setattr(memory, "chain_bytes", lambda step, state, activations: 1_000)
    assert memory.fitting(STEP, on(True), 0) == max(1, int(memory.SHARE * 4 * free / 1_000))
    assert memory.fitting(STEP, on(False), 0) == memory.ON_A_CPU
