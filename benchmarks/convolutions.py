"""The ways to do many convolutions with different weights: ``python -m benchmarks.convolutions``.

``--device cuda`` measures a card, ``--precision tf32`` or ``bf16`` its rounded products.

Every shape of a convolution in ResNet-18, VGG-19 (batch 8) and ResNet-50 (batch 16) on 32×32 images, forward and
backward, all ways in turn; numbers are times over that of ``grouped`` (one grouped convolution) in the same
rounds, the median of them. Below each network: what its convolutions take if each is done its best way. ``--quick``
takes three shapes a network and one round.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import statistics
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks._measure import environment
from contraction.files import write_text
from nn_experiments.engine import gpu
from nn_experiments.engine.ensemble.conv_shape import ConvolutionShape
from nn_experiments.engine.ensemble.convolutions import WAYS, seconds_of
from nn_experiments.engine.ensemble.memory import activation_bytes
from nn_experiments.engine.ensemble.stacked_module import Wide
from nn_experiments.training import models
from nn_experiments.training.optimizers import Optimizer
from nn_experiments.training.step import LOSSES, TrainingStep, initial_state

NETWORKS = {"resnet18": (8, 10), "vgg19": (8, 10), "resnet50": (16, 100)}
BASE = "grouped"


def shapes_of(name: str) -> Counter[ConvolutionShape]:
    """Return the shapes of a network's convolutions and how often each occurs; nothing is computed."""
    batch, classes = NETWORKS[name]
    found: Counter[ConvolutionShape] = Counter()

    def note(shape: ConvolutionShape, chains: int) -> str:
        shared = shape.inputs == 3  # the images are the same for all chains
        found[replace(shape, shared=shared)] += 1
        return "grouped"

    model = models.build(name, (3, 32, 32), classes)
    step = TrainingStep(model, LOSSES["cross_entropy"], Optimizer(learning_rate=1.0))
    activation_bytes(step, Wide(model, way=note), initial_state(model), torch.empty(batch, 3, 32, 32))
    return found


def flops(shape: ConvolutionShape) -> int:
    """Return the operations of one convolution, forward and backward (no gradient of shared images)."""
    places = shape.batch * shape.result[0] * shape.result[1]
    once = 2 * places * shape.outputs * shape.inputs // shape.groups * shape.taps[0] * shape.taps[1]
    return once * (2 if shape.shared else 3)


def compare(shape: ConvolutionShape, chains: int, device: torch.device, *, rounds: int) -> dict[str, Any]:
    """Return seconds and ratios to `BASE` of every way for one shape; NaN where a way fails."""
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, own in times.items():
            try:
                own.append(seconds_of(way, shape, chains, device, torch.float32, rounds=1))
            except Exception as error:  # what compilers, drivers and libraries raise
                if gpu.device_is_lost(error):
                    raise
                print(f"{shape} not by {way}: {type(error).__name__}: {error}", file=sys.stderr)
                own.append(math.nan)
    ratios = {
        way: statistics.median(a / b for a, b in zip(own, times[BASE], strict=True)) for way, own in times.items()
    }
    seconds = {way: statistics.median(own) for way, own in times.items()}
    fitted = {way: ratio for way, ratio in ratios.items() if ratio == ratio}
    return {"seconds": seconds, "ratios": ratios, "best": min(fitted, key=lambda way: fitted[way]) if fitted else None}


def main() -> int:
    """Measure, print a table, write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="float32", choices=("float32", "tf32", "bf16"))
    parser.add_argument("--chains", type=int, help="2 on the CPU, 32 elsewhere")
    parser.add_argument("--out", type=Path, default=Path("out/benchmarks"))
    parser.add_argument("--quick", action="store_true", help="three shapes a network, one round")
    args = parser.parse_args()
    device = torch.device(args.device)
    torch.set_num_threads(1)
    chains = args.chains or (2 if device.type == "cpu" else 32)
    rounds = 1 if args.quick else 5
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = args.precision == "tf32"
    rounded = torch.autocast(device.type, torch.bfloat16) if args.precision == "bf16" else contextlib.nullcontext()
    where = environment() | {"torch": torch.__version__}
    if device.type == "cuda":
        where |= {"card": torch.cuda.get_device_name(device)} | gpu.versions()
    end = "" if args.precision == "float32" else f"-{args.precision}"
    body = {"environment": where, "chains": chains, "rounds": rounds, "precision": args.precision, "rows": []}
    print(f"{chains} chains, {args.precision}, forward and backward; times over that of {BASE}, the best marked *")
    for name in NETWORKS:
        with rounded, gpu.repeatable():
            body["rows"] += measure(name, device, chains, rounds=rounds, quick=args.quick)
        write_text(args.out / f"convolutions-{device.type}{end}.json", json.dumps(body, indent=1) + "\n")
    return 0


def measure(name: str, device: torch.device, chains: int, *, rounds: int, quick: bool) -> list[dict[str, Any]]:
    """Measure every shape of a network (three of them if ``quick``) and print a table; return its rows."""
    ways = tuple(WAYS)
    rows: list[dict[str, Any]] = []
    counted = sorted(shapes_of(name).items(), key=lambda pair: -pair[0].size[0])
    if quick:
        counted = counted[:: max(1, len(counted) // 3)][:3]
    totals = dict.fromkeys((*ways, "best"), 0.0)
    print(f"\n{name:<44} {'times':>5} " + " ".join(f"{way:>12}" for way in ways) + "  best, Gflop/s", flush=True)
    for shape, count in counted:
        row = compare(shape, chains, device, rounds=rounds)
        best = row["seconds"][row["best"]] if row["best"] else math.nan
        row["best_gflops"] = 1e-9 * chains * flops(shape) / best
        rows.append({"network": name, "shape": str(shape), "count": count, **row})
        for way in ways:
            totals[way] += count * row["seconds"][way]
        totals["best"] += count * best
        marks = " ".join(f"{row['ratios'][w]:>11.2f}{'*' if w == row['best'] else ' '}" for w in ways)
        print(f"{shape!s:<44} {count:>5} {marks} {row['best_gflops']:>14,.0f}", flush=True)
    summary = {way: total / totals[BASE] for way, total in totals.items()}
    print(f"{'all, by seconds':<50} " + "  ".join(f"{way} {ratio:.2f}" for way, ratio in summary.items()))
    return [*rows, {"network": name, "shape": "all", "ratios": summary}]


if __name__ == "__main__":
    raise SystemExit(main())
