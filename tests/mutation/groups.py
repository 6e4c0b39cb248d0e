"""The eight groups of modules, and seeded samples of their mutants."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from tests.mutation.mutate import WEIGHTS, Mutant, is_program, mutants

#: Group -> the folders and files whose mutants it holds.
GROUPS = {
    "theory core": (
        *(f"contraction/{n}" for n in ("maps", "certificates", "limits", "exponents")),
        *(f"contraction/{n}.py" for n in ("arguments", "concentration", "files", "lazy", "strategies", "values")),
    ),
    "laws": ("contraction/laws",),
    "expansions": ("contraction/expansions",),
    "families": ("contraction/families",),
    "statements": ("contraction/statements", "contraction/report"),
    "engine": ("nn_experiments/engine",),
    "training and results": (
        *(f"nn_experiments/{n}" for n in ("training", "datasets", "results", "runs", "studies", "paper")),
        *(f"nn_experiments/{n}.py" for n in ("cores", "tables")),
    ),
    "analysis": (
        *(f"nn_experiments/{n}" for n in ("analysis", "diagnosis", "orders")),
        *(f"nn_experiments/report/{n}.py" for n in ("page", "own", "studies")),
    ),
}
#: What draws pictures, and the command lines: in no group. So are the packages `contraction.plots` and, but for what
#: writes text and tables, `nn_experiments.report`.
LEFT_OUT = ("contraction/command_line.py", "nn_experiments/diagnosis/picture.py", "nn_experiments/orders/command.py")


def files_of(root: Path, places: Sequence[str]) -> list[Path]:
    """Return some modules, and those below some folders, of a copy of the project."""
    named = [root / place for place in places]
    files = sorted(file for place in named for file in (place.rglob("*.py") if place.is_dir() else [place]))
    return [path for path in files if str(path.relative_to(root)) not in LEFT_OUT]


def of_group(root: Path, places: Sequence[str]) -> list[Mutant]:
    """Return every mutant of some modules, and of those below some folders, of a copy of the project."""
    files = files_of(root, places)
    return [m for path in files for m in mutants(path.read_text(encoding="utf-8"), str(path.relative_to(root)))]


def sample(root: Path, group: str, count: int, seed: int, only: Sequence[str] = ()) -> list[Mutant]:
    """Draw mutants of a group: first a kind, by its weight, then one of its mutants, none of them twice.

    With ``only``, a list of files relative to the project, draw those of these files alone.
    """
    rng = random.Random(f"{seed} {group}")
    by_kind: dict[str, list[Mutant]] = {kind: [] for kind in WEIGHTS}
    for mutant in of_group(root, GROUPS[group]):
        if not only or mutant.file in only:
            by_kind[mutant.kind].append(mutant)
    drawn: list[Mutant] = []
    while len(drawn) < count and any(by_kind.values()):
        kinds = [kind for kind, left in by_kind.items() if left]
        (kind,) = rng.choices(kinds, [WEIGHTS[k] for k in kinds])
        mutant = by_kind[kind].pop(rng.randrange(len(by_kind[kind])))
        if is_program(mutant, (root / mutant.file).read_text(encoding="utf-8")):
            drawn.append(mutant)
    return drawn
