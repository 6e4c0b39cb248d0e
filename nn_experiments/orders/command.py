"""The command ``python -m nn_experiments order-test FILE`` (no torch)."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from nn_experiments.orders.audit import audit_order
from nn_experiments.orders.recording import read_indices

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Print which law the indices of a file have; return the exit status 0, whatever the verdict."""
    parser = argparse.ArgumentParser(
        prog="python -m nn_experiments order-test",
        description="Tell which law the order of recorded indices has: independent draws, a new shuffle in every "
        "epoch, one shuffle repeated (or a forgotten set_epoch), a fixed sequence, or none of these.",
    )
    parser.add_argument(
        "file", type=Path, help=".npy, or text of integers: one index per line, or one epoch per line (see --batches)"
    )
    parser.add_argument("--batches", action="store_true", help="lines or rows are batches (default: they are epochs)")
    parser.add_argument("--population", type=int, help="number of examples (default: the largest index + 1)")
    parser.add_argument(
        "--epoch-length",
        type=int,
        help="number of indices of an epoch, for one sequence of several epochs (default: the number of different "
        "indices in it)",
    )
    parser.add_argument(
        "--level", type=float, default=1e-3, help="bound on the chance that the true law is refuted (default: 0.001)"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    args = parser.parse_args(argv)
    audit = audit_order(
        read_indices(args.file),
        population=args.population,
        epoch_length=args.epoch_length,
        rows="batches" if args.batches else "epochs",
        level=args.level,
    )
    print(json.dumps(audit.to_dict(), indent=2, allow_nan=False) if args.json else audit)
    return 0
