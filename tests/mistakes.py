"""Deliberate mistakes, each caught by a named test: ``python -m tests.mistakes``.

Every mistake is one edit of one file in a copy of the packages; the named test must pass on the true code and fail on
the edited one. A mistake that no test catches makes this script fail.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("contraction", "nn_experiments", "tests", "proofs", "pyproject.toml")


@dataclass(frozen=True)
class Mistake:
    """What goes wrong, where, the edit that does it, and the test that must notice."""

    name: str
    file: str
    old: str
    new: str
    test: str


MISTAKES = (
    Mistake(
        "order swapped: the backward word applied from the wrong end",
        "contraction/orders.py",
        '        _positive("n", n)\n        return 0\n\n    def word(self, n: int) -> Sequence[int]:\n'
        "        return range(1, n + 1)",
        '        _positive("n", n)\n        return 0\n\n    def word(self, n: int) -> Sequence[int]:\n'
        "        return range(n, 0, -1)",
        "tests/theory/test_orders.py::test_words_are_written_outermost_first",
    ),
    Mistake(
        "noise not frozen on replay: the probe no longer compares",
        "contraction/iterates.py",
        "if not np.array_equal(once, again",
        "if False and not np.array_equal(once, again",
        "tests/theory/test_iterates.py::test_noise_that_is_not_frozen_is_refused",
    ),
    Mistake(
        "fresh maps for each n: map i depends on how many are drawn",
        "contraction/operators.py",
        "self.family.draw_block(map_generator(self.seed, i), self.replicas)",
        "self.family.draw_block(map_generator(self.seed + self.n, i), self.replicas)",
        "tests/theory/test_iterates.py::test_a_draw_does_not_depend_on_how_many_are_drawn",
    ),
    Mistake(
        "sign flipped in Section 3.1's map",
        "contraction/families/quadratic.py",
        "return (1 - self.h) * theta + self.h * draw",
        "return (1 - self.h) * theta - self.h * draw",
        "tests/theory/test_iterates.py::test_streamed_pair_equals_the_plain_loop",
    ),
)


def _copy(folder: Path) -> None:
    for name in COPIED:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(
                source, target, ignore=shutil.ignore_patterns("__pycache__", "*.vo*", "*.glob", ".hypothesis")
            )
        elif source.exists():
            shutil.copy2(source, target)


def _passes(folder: Path, test: str) -> bool:
    environment = os.environ | {"PYTHONPATH": str(folder), "HYPOTHESIS_PROFILE": "ci", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test]
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if result.returncode not in (0, 1):
        raise RuntimeError(f"{test} could not be run:\n{result.stdout}{result.stderr}")
    return result.returncode == 0


def caught(mistake: Mistake) -> str:
    """Return "" if the test passes without the mistake and fails with it, or what went otherwise."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _copy(folder)
        if not _passes(folder, mistake.test):
            return "the test fails on the true code"
        path = folder / mistake.file
        text = path.read_text(encoding="utf-8")
        if text.count(mistake.old) != 1:
            return f"{mistake.file} has the text to edit {text.count(mistake.old)} times; the script needs an update"
        path.write_text(text.replace(mistake.old, mistake.new), encoding="utf-8")
        return "NOT CAUGHT" if _passes(folder, mistake.test) else ""


def main() -> int:
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        found = list(pool.map(caught, MISTAKES))
    for mistake, problem in zip(MISTAKES, found, strict=True):
        print(f"{problem or 'caught':<12} {mistake.name}\n{'':<12} by {mistake.test}")
    print(f"\n{sum(not p for p in found)} of {len(MISTAKES)} mistakes caught")
    return 0 if not any(found) else 1


if __name__ == "__main__":
    sys.exit(main())
