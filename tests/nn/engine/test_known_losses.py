"""Which losses the hand-written kernels compute: the mean squared error and the plain mean cross entropy of labels."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from nn_experiments.engine.kernels.layers import layers  # noqa: E402
from nn_experiments.training.optimizers import Optimizer  # noqa: E402
from nn_experiments.training.step import LOSSES, TrainingStep  # noqa: E402


def hooked() -> nn.Module:
    loss = nn.MSELoss()
    loss.register_forward_hook(lambda *given: None)
    return loss


class Doubled(nn.MSELoss):
    """A subclass, which may compute anything."""

    def forward(self, input: Any, target: Any) -> Any:
        return 2 * super().forward(input, target)


#: Name -> a loss, and whether it is the squares (True) or the cross entropy (False) that kernels know, or neither.
KNOWN: dict[str, tuple[Any, bool | None]] = {
    "mse": (LOSSES["mse"], True),
    "mse_loss": (F.mse_loss, True),
    "MSELoss": (nn.MSELoss(), True),
    "sum of squares": (nn.MSELoss(reduction="sum"), None),
    "squares without a mean": (nn.MSELoss(reduction="none"), None),
    "hooked": (hooked(), None),
    "a subclass": (Doubled(), None),
    "cross_entropy": (LOSSES["cross_entropy"], False),
    "CrossEntropyLoss": (nn.CrossEntropyLoss(), False),
    "weights of classes": (nn.CrossEntropyLoss(weight=torch.ones(3)), None),
    "smoothing": (nn.CrossEntropyLoss(label_smoothing=0.1), None),
    "a label that is ignored": (nn.CrossEntropyLoss(ignore_index=0), None),
    "another label that no output has": (nn.CrossEntropyLoss(ignore_index=-1), None),
    "sum of cross entropies": (nn.CrossEntropyLoss(reduction="sum"), None),
    "L1Loss": (nn.L1Loss(), None),
    "l1_loss": (F.l1_loss, None),
    "a function of one's own": (lambda outputs, targets: ((outputs - targets) ** 2).mean(), None),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_kernel_is_told_which_loss_it_computes(name: str) -> None:
    loss, squares = KNOWN[name]
    found = layers(TrainingStep(nn.Linear(2, 3), loss, Optimizer(learning_rate=0.1)))
    assert (None if found is None else found.squares) == squares


def test_a_label_that_is_ignored_changes_the_loss() -> None:
    """The reason for which the kernels leave such a loss alone: the mean is over the other labels."""
    outputs, labels = torch.tensor([[1.0, 0.0], [0.0, 3.0]]), torch.tensor([0, 0])
    plain, ignoring = nn.CrossEntropyLoss(), nn.CrossEntropyLoss(ignore_index=0)
    assert torch.equal(plain(outputs, 1 - labels), ignoring(outputs, 1 - labels))
    assert plain(outputs, labels).isfinite()
    assert ignoring(outputs, labels).isnan()
