"""How products are rounded, which kernel that leaves, and the seconds that files of results say they took."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from nn_experiments.paper.catalogue import EXPERIMENTS  # noqa: E402
from nn_experiments.runs import increments, precision  # noqa: E402
from nn_experiments.runs import job as jobs  # noqa: E402
from nn_experiments.runs.job import Job, run_job  # noqa: E402
from nn_experiments.runs.precision import by_autograd, products  # noqa: E402
from nn_experiments.runs.setup import ExperimentProblem  # noqa: E402

DIGITS = EXPERIMENTS["mlp-digits"].override({"model": "mlp-1x3"})


@pytest.mark.parametrize(
    ("changes", "tf32", "rounded"),
    [({}, False, False), ({"tf32": "true"}, True, False), ({"precision": "bf16"}, False, True)],
    ids=["plain", "tf32", "bf16"],
)
def test_products_are_rounded_as_the_experiment_says(changes: dict[str, str], tf32: bool, rounded: bool) -> None:
    """In bfloat16 by autocast, without cached copies of parameters, which change in place; or to TF32 on a card."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    cached = torch.is_autocast_cache_enabled()
    weight = torch.full((2, 2), 1.0 + 2.0**-12)
    try:
        with products(DIGITS.override(changes), "cpu"):
            assert torch.backends.cuda.matmul.allow_tf32 is tf32
            assert torch.backends.cudnn.allow_tf32 is tf32
            assert torch.is_autocast_enabled("cpu") is rounded
            assert not torch.is_autocast_cache_enabled()
            product = weight @ torch.eye(2)
            assert product.dtype == (torch.bfloat16 if rounded else torch.float32)
            assert bool((product.float() == weight).all()) is not rounded
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before
    assert not torch.is_autocast_enabled("cpu")
    assert torch.is_autocast_cache_enabled() is cached


@pytest.mark.parametrize("kernel", ["auto", "step", "channels_last", "mlp", "compiled"])
@pytest.mark.parametrize("convolutional", [False, True])
@pytest.mark.parametrize("card", [False, True])
def test_another_precision_is_for_kernels_that_use_autograd(
    kernel: str, convolutional: bool, card: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "convolutional", lambda step: convolutional)
    monkeypatch.setattr(precision, "on_gpu", lambda step: card)
    step: Any = "a step"
    assert by_autograd(step, kernel, DIGITS) == kernel
    other = DIGITS.override({"precision": "bf16"})
    if kernel in ("mlp", "compiled"):
        with pytest.raises(ValueError, match=f"the kernel {kernel} knows no precision=bf16; use engine=auto"):
            by_autograd(step, kernel, other)
        return
    chosen = "channels_last" if convolutional and not card else "step"
    assert by_autograd(step, kernel, other) == (chosen if kernel == "auto" else kernel)


def test_blocks_say_their_seconds_to_a_thousandth_and_increments_to_a_tenth(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that moves whenever it is read: each is read twice."""

    def clock(step: float) -> Any:
        now = iter([10.0, 10.0 + step])
        return SimpleNamespace(perf_counter=lambda: next(now))

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "time", clock(2.34567))
        block = run_job(Job(ExperimentProblem(DIGITS), 0, "forward", "curves", (1, 2), last=2))
    assert block.meta["seconds"] == 2.346
    with monkeypatch.context() as patch:
        patch.setattr(increments, "time", clock(2.34567))
        found = increments.measure_increments(DIGITS, [0], steps=1, every=1, ahead=(1,), images=5)
    assert found.metadata["seconds"] == 2.3
    assert (found.metadata["images"], found.metadata["chains"]) == (5, len(found.starts))
