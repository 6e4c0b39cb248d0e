"""Seconds that the self-check of a ResNet-18 takes beside its steps: ``python -m benchmarks.self_check --out DIR``.

The check compares three steps of the user's own loop with the training step and with the kernel that will run, all in
float64. These steps are timed inside the check itself; what remains of its time is copies, comparisons and the search
for attributes that a step changes. The goal is 0.3 s. Batch size 8, images of 32×32, SGD, one thread, processor time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import torch
from torch import nn

from benchmarks._measure import Result, write_results
from nn_experiments import ArrayBatches, from_torch
from nn_experiments.engine.checking import check_step, checked_kernel
from nn_experiments.engine.kernels.convnet import ChannelsLastKernel
from nn_experiments.training import models
from nn_experiments.training.initialisation import initialise
from nn_experiments.training.own_loop import OwnLoop
from nn_experiments.training.step import TrainingStep

#: What counts as a step: the user's own loop, the training step, and the kernel's chains of three maps and of one.
STEPS = ((OwnLoop, "once"), (TrainingStep, "__call__"), (ChannelsLastKernel, "apply"))


def measured(rounds: int) -> tuple[float, float]:
    """Return the median processor seconds of the check beside its steps, and those of its steps."""
    torch.set_num_threads(1)
    model = models.build("resnet18", (3, 32, 32), 10)
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), initialise(model, 0).values(), strict=True):
            parameter.copy_(value)
    images = torch.rand(64, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    beside, within = [], []
    for _ in range(rounds):
        batches = ArrayBatches(images, torch.arange(64) % 10, batch_size=8, seed=0)
        in_steps = [0.0]

        def timed(call: Callable[..., object], spent: list[float] = in_steps) -> Callable[..., object]:
            def run(*arguments: Any) -> object:
                begin = time.process_time()
                try:
                    return call(*arguments)
                finally:
                    spent[0] += time.process_time() - begin

            return run

        step, state = from_torch(model, nn.functional.cross_entropy, torch.optim.SGD(model.parameters(), lr=0.01))
        patches = [mock.patch.object(owner, name, timed(getattr(owner, name))) for owner, name in STEPS]
        for patch in patches:
            patch.start()
        begin = time.process_time()
        note = check_step(step, batches, state)
        kernel, _ = checked_kernel(step, batches, state, "auto")
        total = time.process_time() - begin
        for patch in patches:
            patch.stop()
        assert note == {"self-check": "passed in float64"}, note
        assert kernel.name == "channels_last", kernel.name
        within.append(in_steps[0])
        beside.append(total - in_steps[0])
    return median(beside), median(within)


def main() -> int:
    """Run it; return 1 if the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/benchmarks"))
    parser.add_argument("--quick", action="store_true", help="one round, without a goal")
    args = parser.parse_args()
    beside, within = measured(1 if args.quick else 3)
    settings = f"ResNet-18, batch 8, float32; 10 steps of the check in float64 take {within:.2f} s; one thread"
    result = Result("self-check beside its steps", beside, None, beside, 0.3, False, settings)
    print(result, settings, sep="\n")
    write_results(args.out / "self-check.json", [result])
    return int(not (args.quick or result.met))


if __name__ == "__main__":
    raise SystemExit(main())
