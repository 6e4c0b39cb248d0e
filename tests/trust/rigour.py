"""Random bounds with extreme constants, each compared with the exact value in ball arithmetic.

Every bound that the toolkit calls certified is an upper bound of an exact number for the float constants it was given.
Here these constants are drawn at random: contraction factors up to the last float below 1, scales 1e-150 to 1e150, and
horizons long enough for the bound to underflow. The exact number is enclosed in 512 bits (python-flint), by formulas
that are written again here, or from the maps themselves where the whole of `certify` is called. A bound is violated if
the enclosure proves that the exact number is larger.

    python -m tests.trust.rigour --count 100000 --seed 1 --out results/benchmarks/rigour.json
"""

from __future__ import annotations

import argparse
import json
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flint
import numpy as np

from contraction.files import write_text

__all__ = ["BITS", "Case", "Draws", "Tally", "check", "table", "tally"]

BITS = 512
NORMAL = 1e-290  # above it a bound has full relative precision, and its excess over the exact number is recorded


@dataclass(frozen=True)
class Case:
    """A bound that was claimed, the exact number that it bounds (a ball), and the constants."""

    claimed: float
    exact: Any
    constants: str


Draws = Callable[[np.random.Generator], Case | None]  # None: the toolkit refused these constants, with its own error


@dataclass
class Tally:
    """What was found for one kind of bound."""

    bounds: int = 0
    infinite: int = 0
    refused: int = 0
    violations: list[str] = field(default_factory=list)
    excess: list[float] = field(default_factory=list)

    def summary(self, *, sharp: bool) -> dict[str, Any]:
        """Return the numbers for the record; the excess only where a formula is compared with itself (``sharp``)."""
        excess = np.array(self.excess if sharp else [])
        return {
            "bounds": self.bounds,
            "violations": len(self.violations),
            "infinite": self.infinite,
            "refused": self.refused,
            "median excess": float(np.median(excess)) if len(excess) else None,
            "ninth decile of the excess": float(np.quantile(excess, 0.9)) if len(excess) else None,
            "examples": self.violations[:3],
        }


def check(case: Case) -> bool:
    """Whether a bound holds: True or False if the enclosure decides it.

    Raises
    ------
    ArithmeticError
        If the enclosure is too wide to decide.
    """
    if math.isnan(case.claimed):
        return False
    if math.isinf(case.claimed):
        return case.claimed > 0
    claimed = flint.arb(case.claimed)
    if claimed >= case.exact:
        return True
    if claimed < case.exact:
        return False
    raise ArithmeticError(f"{BITS} bits do not decide whether {case.claimed!r} >= {case.exact}: {case.constants}")


def tally(draw: Draws, count: int, seed: int) -> Tally:
    """Check ``count`` bounds of one kind; refused constants are counted beside them and drawn again."""
    out, rng = Tally(), np.random.default_rng(seed)
    old = flint.ctx.prec
    while out.bounds < count:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # overflow to infinity is counted, not announced
            case = draw(rng)
        if case is None:
            out.refused += 1
            if out.refused > 20 * (count + 10):
                raise RuntimeError("nearly all constants are refused: this kind checks nothing")
            continue
        flint.ctx.prec = BITS
        try:
            holds = check(case)
        finally:
            flint.ctx.prec = old
        out.bounds += 1
        if not holds:
            out.violations.append(f"claimed {case.claimed!r}, exact {case.exact.str(20)}: {case.constants}")
        elif math.isinf(case.claimed):
            out.infinite += 1
        elif case.claimed > NORMAL:
            ratio = flint.arb(case.claimed) / case.exact - 1 if case.exact > 0 else None
            if ratio is not None and ratio.is_finite():
                out.excess.append(max(float(ratio), 0.0))
    return out


def table(record: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a Markdown table of a record."""
    yield "| kind of bound | bounds | violated | infinite | refused | median excess | ninth decile |"
    yield "| --- | --: | --: | --: | --: | --: | --: |"
    for name, one in record["kinds"].items():
        shown = [
            "–" if one[key] is None else f"{one[key]:.1e}" for key in ("median excess", "ninth decile of the excess")
        ]
        counts = [f"{one[key]:,}" for key in ("bounds", "violations", "infinite", "refused")]
        yield f"| {name} | {' | '.join(counts)} | {' | '.join(shown)} |"


def main(arguments: list[str] | None = None) -> int:
    """Check all kinds, print the table and write the record; return 1 if a bound is violated."""
    from tests.trust.rigour_kinds import KINDS

    parser = argparse.ArgumentParser(prog="python -m tests.trust.rigour", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--count", type=int, default=100_000, help="bounds of all kinds together (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the constants (default: %(default)s)")
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), help="only these kinds of bounds")
    parser.add_argument(
        "--out", type=Path, help="the record, to which kinds of the same command are added (default: none)"
    )
    options = parser.parse_args(arguments)
    total, found = sum(kind.share for kind in KINDS.values()), {}
    for number, (name, kind) in enumerate(KINDS.items()):
        if name not in options.kinds:
            continue
        one = tally(kind.draw, math.ceil(options.count * kind.share / total), options.seed * 1000 + number)
        found[name] = one.summary(sharp=kind.sharp)
        print(f"{name:<44} {one.bounds:>7} bounds, {len(one.violations)} violated, {one.infinite} infinite", flush=True)
    command = f"python -m tests.trust.rigour --count {options.count} --seed {options.seed}"
    if (
        options.out is not None
        and options.out.exists()
        and (old := json.loads(options.out.read_text()))["command"] == command
    ):
        found = {name: (old["kinds"] | found)[name] for name in KINDS if name in old["kinds"] or name in found}
    record = {
        "command": command,
        "bits": BITS,
        "bounds": sum(one["bounds"] for one in found.values()),
        "violations": sum(one["violations"] for one in found.values()),
        "kinds": found,
    }
    print("\n".join(table(record)))
    if options.out is not None:
        write_text(options.out, json.dumps(record, indent=1) + "\n")
    return 1 if record["violations"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
