"""Ratios within one run: the fast way and the obvious way in turn, so that a drifting machine drifts for both."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np

from contraction.files import write_text

__all__ = ["Result", "compare", "environment", "seconds", "write_results"]


@dataclass(frozen=True)
class Result:
    """One line of a benchmark: what was compared, both numbers, their ratio and the goal for it.

    The numbers are seconds unless ``unit`` says otherwise; the obvious way has none where the goal is absolute.
    """

    name: str
    fast: float
    plain: float | None
    ratio: float
    goal: float
    at_least: bool
    settings: str
    unit: str = "s"

    @property
    def met(self) -> bool:
        return self.ratio >= self.goal if self.at_least else self.ratio <= self.goal

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        verdict = "met" if self.met else "NOT MET"
        plain = "–" if self.plain is None else f"{self.plain:.4g} {self.unit}"
        return (
            f"{self.name:<44} {plain:>12} {f'{self.fast:.4g} {self.unit}':>12} "
            f"ratio {self.ratio:9.3g}  goal {sign} {self.goal:<6g} {verdict}"
        )


def seconds(call: Callable[[], object], repeats: int = 1) -> float:
    """Median wall seconds of a call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return median(times)


def compare(
    name: str,
    fast: Callable[[], object],
    plain: Callable[[], object],
    goal: float,
    *,
    settings: str,
    rounds: int = 3,
    at_least: bool = True,
    fraction: float = 1.0,
) -> Result:
    """Time both in turn; ratio = plain / fast (``at_least``) or fast / plain.

    ``fraction`` is the share of the obvious way that ``plain`` runs; its time is divided by it and the settings say so.
    """
    pairs = [(seconds(fast), seconds(plain) / fraction) for _ in range(rounds)]
    f, p = median(a for a, _ in pairs), median(b for _, b in pairs)
    ratio = median(b / a if at_least else a / b for a, b in pairs)
    result = Result(name, f, p, ratio, goal, at_least, settings)
    print(result, flush=True)
    return result


def environment() -> dict[str, str]:
    """What decides speed and may be published: processor family, Python, NumPy."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    except OSError:
        pass
    return {"processor": model, "python": platform.python_version(), "numpy": np.__version__}


def write_results(path: Path, results: list[Result]) -> None:
    """Write results and environment as JSON, atomically."""
    body = {"environment": environment(), "results": [asdict(r) | {"met": r.met} for r in results]}
    write_text(path, json.dumps(body, indent=1) + "\n")
