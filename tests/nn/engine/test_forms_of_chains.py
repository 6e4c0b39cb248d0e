"""In which form many chains of a step run together: by hand, in wide form or by vmap, and why not in the others."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from nn_experiments.engine.ensemble.sweep import form_of  # noqa: E402
from nn_experiments.training.batches import ArrayBatches  # noqa: E402
from nn_experiments.training.optimizers import Optimizer  # noqa: E402
from nn_experiments.training.step import LOSSES, TrainingStep  # noqa: E402

X = torch.linspace(-1, 1, 24).reshape(8, 3)
BATCHES = ArrayBatches(X, X.sum(1, keepdim=True), batch_size=4, seed=0)


class Sums(nn.Module):
    """Running sums, of which no wide form is known."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.cumsum(1)


class Spare(nn.Module):
    """Has a parameter that its forward pass never uses."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.spare = nn.Linear(3, 1), nn.Parameter(torch.ones(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


MODELS: dict[str, Any] = {
    "layers": lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1)),
    "norm": lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1)),
    "sums": lambda: nn.Sequential(nn.Linear(3, 4), Sums(), nn.Linear(4, 1)),
    "sums and norm": lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), Sums(), nn.Linear(4, 1)),
    "spare": Spare,
}
LAYERS = "not by hand, it is not a module of linear layers"


@pytest.mark.parametrize(
    ("model", "method", "low", "asked", "form", "reason"),
    [
        ("layers", "sgd", False, None, "mlp", "^$"),
        ("layers", "sgd", False, "mlp", "mlp", "^$"),
        ("layers", "sgd", False, "wide", "wide", "^$"),  # the requested form is used, so no reason is recorded
        ("layers", "sgd", False, "vmap", "vmap", "^$"),
        ("layers", "momentum", False, None, "wide", "^not by hand, its optimizer is momentum, not plain SGD$"),
        ("layers", "sgd", True, None, "wide", "^not by hand, autocast is on"),
        ("layers", "sgd", True, "mlp", None, "cannot run this step: not by hand, autocast is on.*; use engine='step'$"),
        ("norm", "sgd", False, None, "wide", f"^{LAYERS}"),
        ("norm", "sgd", True, None, "wide", f"^{LAYERS}"),
        ("norm", "sgd", True, "vmap", None, f"{LAYERS}.*; not by vmap, which has no batch norm of bfloat16 images"),
        ("norm", "sgd", False, "vmap", "vmap", f"^{LAYERS}"),
        ("sums", "sgd", False, None, "vmap", f"^{LAYERS}.*; not in wide form, "),
        ("sums", "sgd", True, None, "vmap", f"^{LAYERS}.*; not in wide form, "),
        ("sums", "sgd", False, "wide", None, f"{LAYERS}.*; not in wide form, .*; use engine='step'$"),
        ("sums and norm", "sgd", False, None, "vmap", f"^{LAYERS}.*; not in wide form, "),
        (
            "sums and norm",
            "sgd",
            True,
            None,
            None,
            f"{LAYERS}.*; not in wide form, .*; not by vmap, which has no batch",
        ),
        ("spare", "sgd", False, None, "wide", f"^{LAYERS}"),
        ("spare", "momentum", False, None, "vmap", r"; not in wide form, its parameter spare is not used, and would"),
    ],
)
def test_the_first_form_that_can_run_a_step_and_why_not_those_before(
    model: str, method: str, low: bool, asked: str | None, form: str | None, reason: str
) -> None:
    """With autocast or without; None where no form, or not the one that is asked for, can run the step."""
    rule = Optimizer(method=method, learning_rate=0.1, momentum=0.5 if method == "momentum" else 0.0)
    step = TrainingStep(MODELS[model](), LOSSES["mse"], rule)
    with torch.autocast("cpu", dtype=torch.bfloat16) if low else contextlib.nullcontext():
        if form is None:
            with pytest.raises(TypeError, match=reason):
                form_of(step, BATCHES, form=asked)
            return
        found, text = form_of(step, BATCHES, form=asked)
    assert found == form
    assert re.search(reason, text), text


@pytest.mark.parametrize("asked", [None, "wide", "vmap"])
def test_hooks_and_seeded_generators_are_for_one_chain(asked: str | None) -> None:
    """Both forms that call the module would call a hook with what it does not know, and draw once for all chains."""
    model = MODELS["sums"]()
    seeded = TrainingStep(model, LOSSES["mse"], Optimizer(learning_rate=0.1), frozen=True)
    words = "not by hand" if asked == "wide" else "torch's generator is seeded for one chain; use engine='step'"
    with pytest.raises(TypeError, match=words):
        form_of(seeded, BATCHES, form=asked)
    model[0].register_forward_hook(lambda *given: None)
    step = TrainingStep(model, LOSSES["mse"], Optimizer(learning_rate=0.1))
    with pytest.raises(TypeError, match=r"cannot run this step: .*hook"):
        form_of(step, BATCHES, form=asked)
