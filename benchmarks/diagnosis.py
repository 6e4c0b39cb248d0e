"""Seconds that a diagnosis of the digits MLP takes: ``python -m benchmarks.diagnosis --out DIR [--quick]``.

N = 2000, 20 replicates, one process; the goal is 60 s on two cores that have nothing else to do. The settings record
the load of the machine at the start, as a number of running processes. Data and kernels are ready before the clock.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from benchmarks._measure import Result, seconds, write_results
from nn_experiments.paper import catalogue
from nn_experiments.runs.diagnose import diagnose_experiment


def main() -> int:
    """Run it; return 1 if the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/benchmarks"))
    parser.add_argument("--quick", action="store_true", help="100 steps and 2 replicates, without a goal")
    args = parser.parse_args()
    steps, replicates = (100, 2) if args.quick else (2000, 20)
    experiment = catalogue.EXPERIMENTS["mlp-digits"]
    diagnose_experiment(experiment, steps=50, replicates=2)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    words: list[str] = []
    took = seconds(lambda: words.append(diagnose_experiment(experiment, steps=steps, replicates=replicates).verdict))
    settings = f"N = {steps}, {replicates} replicates, float32, verdict {words[0]}, load {load:.1f} at the start"
    result = Result("diagnosis of the digits MLP", took, None, took, 60.0, False, settings)
    print(result, settings, sep="\n")
    write_results(args.out / "diagnosis.json", [result])
    return int(not (args.quick or result.met))


if __name__ == "__main__":
    raise SystemExit(main())
