"""Which engine a run of one's own network uses, on a pretended card as well, and what is probed before it begins."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from nn_experiments.runs import network  # noqa: E402
from nn_experiments.training.optimizers import Optimizer  # noqa: E402
from nn_experiments.training.step import LOSSES, TrainingStep  # noqa: E402

STEP = TrainingStep(nn.Linear(1, 1), LOSSES["mse"], Optimizer(learning_rate=0.1))
KERNEL = ("fast", {"checked": "yes", "kernel": "k"})


@pytest.mark.parametrize(
    ("engine", "cards", "own", "reason", "chosen"),
    [
        ("auto", [False, False], False, None, KERNEL),
        ("auto", [True, True], False, None, ("ensemble", {"checked": "yes"})),
        ("auto", [False, True], False, None, ("ensemble", {"checked": "yes"})),  # any tensor
        ("auto", [True, True], True, None, KERNEL),  # a step of the user's own
        ("auto", [True, True], False, "it differs", ("step", {"checked": "yes", "not used": "ensemble: it differs"})),
        ("ensemble", [False, False], False, None, ("ensemble", {"checked": "yes"})),
        ("ensemble", [False, False], False, "it differs", None),
        ("step", [True, True], False, None, KERNEL),
    ],
    ids=["CPU", "card", "one tensor", "own step", "differs", "asked for", "asked for and differs", "step on a card"],
)
def test_the_engine_of_a_run(
    engine: str, cards: list[bool], own: bool, reason: str | None, chosen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Metrics are measured of θ_0 itself, which has no batches, also where they are probed."""
    asked: list[tuple] = []
    state0 = {"parameters": {str(k): SimpleNamespace(is_cuda=card) for k, card in enumerate(cards)}}

    def measure(measurement: Any, state: Any, n: int, outermost: int, batches: Any) -> dict[str, np.ndarray]:
        asked.append((measurement, state, n, outermost, batches))
        return {"x": np.array([1.0])}

    monkeypatch.setattr(network, "measure_once", measure)
    monkeypatch.setattr(network, "probe_measurement", lambda once, state: once(state))
    monkeypatch.setattr(network, "check_step", lambda *given: {"checked": "yes"})
    monkeypatch.setattr(network, "_blind", lambda setup, row: [])
    monkeypatch.setattr(network, "why_not_ensemble", lambda *given: reason)
    monkeypatch.setattr(network, "checked_kernel", lambda *given: (SimpleNamespace(name="fast"), {"kernel": "k"}))
    setup = SimpleNamespace(batches="B", state0=state0, measurement="M")
    whole: Any = SimpleNamespace(step=print if own else STEP, setup=lambda seed: setup)
    if chosen is None:
        with pytest.raises(ValueError, match="the ensemble cannot run this step: it differs"):
            network._check_network(whole, 0, engine)
    else:
        assert network._check_network(whole, 0, engine) == chosen
    assert asked == [("M", state0, 0, 0, "B")] * 2
