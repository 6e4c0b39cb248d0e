"""Speed of the network engines against the obvious way: ``python -m benchmarks.networks --out DIR [--quick]``.

``--convolutional`` takes the convolutional networks in place of the others: random images of 32×32, few steps, one
process on either side (a second one on a second core doubles ours). ``--own`` takes small networks of a user's own
through `from_torch`, one process on either side.

The obvious way is what a user would write: an ``nn.Module``, ``torch.optim.SGD``, and for every n a loop over the
batches B_n … B_1 from the start again, in one process with one thread. Both ways evaluate the training and the test
set at every iterate where it says so. Workers are started and compiled before the clock.
"""

from __future__ import annotations

import argparse
import functools
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks._measure import Result, compare, write_results
from benchmarks.network_problems import CONVOLUTIONAL, obvious, ours, warm
from benchmarks.own_networks import measure_own_networks
from nn_experiments.runs.executors import process_executor


def spread(pool: ProcessPoolExecutor, kind: str, kernel: str, at: tuple[int, ...]) -> list[float]:
    """Return the same numbers, the iterates dealt to processes, longest first."""
    futures = [pool.submit(ours, kind, kernel, (n,)) for n in sorted(at, reverse=True)]
    return [value for future in reversed(futures) for value in future.result()]


def main() -> int:
    """Run everything; return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/benchmarks"))
    parser.add_argument("--quick", action="store_true", help="shorter words, one round")
    parser.add_argument("--convolutional", action="store_true", help="ResNet-18, VGG-19 and ResNet-50")
    parser.add_argument("--own", action="store_true", help="small networks of a user's own, against the plain loop")
    args = parser.parse_args()
    rounds = 1 if args.quick else 3
    if args.own:
        own = measure_own_networks(steps=200 if args.quick else 1000, rounds=3 * rounds)
        write_results(args.out / "own-networks.json", own)
        return int(not (args.quick or all(result.met for result in own)))
    words = {
        "regression": tuple(range(100, 701, 200)) if args.quick else tuple(range(200, 1401, 200)),
        "mlp": (40, 80) if args.quick else (100, 150, 200, 250),
    }
    goals = {
        ("regression", "mlp"): 6.0,
        ("regression", "compiled"): 14.0,
        ("mlp", "mlp"): 1.0,
        ("mlp", "compiled"): 3.0,
    }
    if args.convolutional:
        some = ["resnet18-7x7"] if args.quick else list(CONVOLUTIONAL)
        goals = {(kind, "channels_last"): 1.0 for kind in some}
        words = {kind: (2 if args.quick else CONVOLUTIONAL[kind],) for kind in some}
    results: list[Result] = []
    with process_executor(2) as pool:
        for (kind, kernel), goal in goals.items():
            at = words[kind]
            ready: set[int] = set()
            # until both workers have imported, compiled and drawn their batches
            while kind not in CONVOLUTIONAL and len(ready) < 2:
                ready |= {future.result() for future in [pool.submit(warm, kind, kernel, max(at)) for _ in range(2)]}
            right, found = obvious(kind, (1, 2)), ours(kind, kernel, (1, 2))
            assert np.allclose(right, found, rtol=1e-3), (right, found)
            text = f"backward iterates {at}, float32, two processes against one"
            way = functools.partial(spread, pool)
            if kind in CONVOLUTIONAL:
                text, way = f"backward iterate {at[0]}, float32, one process against one", ours
            names = {"regression": "regression, evaluated at every iterate", "mlp": "MLP 5x500, batch 8"}
            names |= {k: f"{k}, batch {16 if k.startswith('resnet50') else 8}" for k in CONVOLUTIONAL}
            results.append(
                compare(
                    f"{names[kind]}, {kernel}",
                    lambda w=way, k=kind, e=kernel, a=at: w(k, e, a),
                    lambda k=kind, a=at: obvious(k, a),
                    goal,
                    settings=text,
                    rounds=rounds,
                )
            )
    write_results(args.out / ("convolutional.json" if args.convolutional else "networks.json"), results)
    return int(not (args.quick or all(result.met for result in results)))


if __name__ == "__main__":
    raise SystemExit(main())
