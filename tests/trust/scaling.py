"""Beyond one machine: the blocks of Figure 7 over 1 and 2 local Dask workers, and a model of cost for many cards.

    python -m tests.trust.scaling --data-dir DATA --steps 60 --out results/benchmarks/scaling.json

Efficiency is the processor time of all workers for the same blocks, with one worker over with two: what a second
worker costs in repeated work. It depends little on what else runs on the machine, unlike wall time, which is recorded
beside it. The model of cost: S seeds of N steps, recorded at every k-th iterate, take S (N + k + 2k + … + N) maps. On g
cards that share the chains of an order this takes

    max(maps · t(c) · f / g,  N · c · t(c) · f)  seconds,

where t(c) is the measured time of a map of one of c chains that run together (results/gpu/sweeps.json), f what whole
runs took over that product, and the second term is the longest chain, which cannot be divided.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contraction.files import write_text

__all__ = ["MEASURED", "Model", "local_workers", "main", "predicted", "table"]

ROOT = Path(__file__).parents[2]
#: Whole runs on an H200: network, N, k, chains together, seconds of the backward chains (docs/network-cost.md).
MEASURED = (("resnet18", 2000, 20, 112, 41.0), ("mlp", 2000, 1, 2000, 26.0))


class Model:
    """The measured times of one map."""

    def __init__(self, sweeps: Path = ROOT / "results" / "gpu" / "sweeps.json") -> None:
        rows = json.loads(sweeps.read_text())
        self.times = {(row["network"], row["chains"]): row["us a chain"] * 1e-6 for row in rows}

    def factor(self, network: str, N: int, every: int, chains: int, seconds: float) -> float:
        """What a whole run took over maps times the time of a map."""
        return seconds / (backward_maps(N, every) * self.times[network, chains])

    def seconds(self, network: str, N: int, every: int, seeds: int, cards: int, chains: int, factor: float) -> float:
        """Seconds on so many cards."""
        one = self.times[network, chains] * factor
        return max(seeds * (N + backward_maps(N, every)) * one / cards, N * chains * one)


def backward_maps(N: int, every: int) -> int:
    """The maps of backward iterates every, 2 every, …, N."""
    count = N // every
    return every * count * (count + 1) // 2


def predicted() -> dict[str, Any]:
    """ResNet-50, N = 25,000, five seeds, every 100th iterate and all of them, on 1 to 16 cards; hours, low and high."""
    model = Model()
    factors = {network: model.factor(network, N, every, chains, s) for network, N, every, chains, s in MEASURED}
    low, high = min(factors.values()), max(factors.values())
    hours = {
        f"every {every}": {
            f"{g} cards": [
                round(model.seconds("resnet50", 25_000, every, 5, g, 16, f) / 3600, 1) for f in (1.0, low, high)
            ]
            for g in (1, 2, 4, 8, 16)
        }
        for every in (100, 1)
    }
    return {"factors": factors, "hours: product alone, with the least and the largest factor": hours}


def local_workers(data_dir: Path, out: Path, steps: int, workers: int, late: int = 0) -> dict[str, Any]:
    """Figure 7's blocks over so many local workers, of which ``late`` join after the second block."""
    import psutil
    from distributed import LocalCluster

    from nn_experiments.paper.catalogue import EXPERIMENTS, FIGURES
    from nn_experiments.runs.request import Request
    from nn_experiments.runs.run import Options, run

    figure = FIGURES["fig7"]
    request = Request.of(
        figure, EXPERIMENTS[figure.experiment], seeds=[0], orders=("forward", "backward"), steps=steps, every=4
    )
    with LocalCluster(
        n_workers=workers - late, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as cluster:
        first, busy, joined = set(cluster.scheduler.workers), set(), []

        def watch(progress: Any) -> None:
            busy.update(name for name, one in list(cluster.scheduler.workers.items()) if one.processing)
            if late and progress.done_blocks >= 2 and not joined:
                joined.append(cluster.scale(workers))

        begin = time.perf_counter()
        options = Options(out=out, dask=cluster.scheduler_address, data_dir=data_dir, block_seconds=0.5)
        outcome = run(request, options, report=watch)
        wall = time.perf_counter() - begin
        spent = []
        for worker in cluster.workers.values():
            times = psutil.Process(worker.pid).cpu_times()
            spent.append(times.user + times.system)
    assert outcome.missing == 0
    blocks = [path for path in out.rglob("*-*.npz") if not path.name.startswith(".")]
    seconds = sum(_seconds(path) for path in blocks)
    return {
        "workers": workers,
        "joined late": late,
        "blocks": len(blocks),
        "wall s": round(wall, 1),
        "processor s of the workers, their start included": [round(x, 1) for x in spent],
        "seconds within blocks": round(seconds, 1),
        "late worker used": bool(busy - first) if late else None,
    }


def table(record: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a Markdown table of the local workers."""
    yield "| workers | of them late | blocks | processor time of each, s | time within blocks, s | wall time, s |"
    yield "| --: | --: | --: | --: | --: | --: |"
    for row in record["figure 7"]:
        spent = " + ".join(str(x) for x in row["processor s of the workers, their start included"])
        inside, wall = row["seconds within blocks"], row["wall s"]
        yield f"| {row['workers']} | {row['joined late']} | {row['blocks']} | {spent} | {inside} | {wall} |"


def _seconds(path: Path) -> float:
    from nn_experiments.results.blocks import read_block

    value = read_block(path).meta["seconds"]
    assert isinstance(value, float)
    return value


def main(arguments: list[str] | None = None) -> int:
    """Measure, predict, print and write the record."""
    parser = argparse.ArgumentParser(prog="python -m tests.trust.scaling", description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True, help="folder with Fashion-MNIST")
    parser.add_argument("--steps", type=int, default=60, help="steps of both orders (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="the record, a JSON file (default: none)")
    options = parser.parse_args(arguments)
    rows = []
    with tempfile.TemporaryDirectory(prefix="scaling-") as place:
        for name, workers, late in (("one", 1, 0), ("two", 2, 0), ("late", 2, 1)):
            rows.append(local_workers(options.data_dir, Path(place) / name, options.steps, workers, late))
            print(rows[-1], flush=True)
    one, two = (sum(row["processor s of the workers, their start included"]) for row in rows[:2])
    record = {
        "command": f"python -m tests.trust.scaling --data-dir DATA --steps {options.steps}",
        "figure 7": rows,
        "processor time, one worker over two": round(one / two, 3),
        "ResNet-50": predicted(),
    }
    print(json.dumps(record, indent=1))
    if options.out is not None:
        write_text(options.out, json.dumps(record, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
