"""Merging the output folders of several machines into one (NumPy only, no torch)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contraction.files import replacing
from contraction.values import Value
from nn_experiments.results import blocks
from nn_experiments.results.blocks import (
    KINDS,
    TUNING_FILE,
    Block,
    Settings,
    block_path,
    different_behaviour,
    read_block,
    read_settings,
    write_block,
)

__all__ = ["Merged", "merge"]

#: Of one seed, curve and kind: metric -> iterate -> number.
Numbers = dict[str, dict[int, float]]


@dataclass(frozen=True, eq=False)
class Merged(Value):
    """The outcome of merging one source.

    Attributes
    ----------
    into
        The target folder.
    copied
        Number of blocks from which numbers were copied.
    there
        Number of blocks of which the target already had numbers.
    partly
        Number of blocks that count in both.
    differing
        Number of blocks in ``there`` whose numbers are not bitwise equal to the target's, which were kept.
    difference
        The largest relative difference. For a block and a metric, this is the largest difference divided by the largest
        of the target's numbers (of the source's, if those are 0); inf if one is finite and the other is not.
    """

    into: Path
    copied: int = 0
    there: int = 0
    partly: int = 0
    differing: int = 0
    difference: float = 0.0

    def __str__(self) -> str:
        """Return the line that `merge` prints."""
        text = f"{self.copied} blocks copied into {self.into}"
        if self.there:
            text += f"; {self.there} already there" + (f" ({self.partly} in part)" if self.partly else "")
        if self.differing:
            much = f"by up to {self.difference:.1g}" if self.difference < np.inf else "in which values are finite"
            text += f", {self.differing} of them differ {much} (the target's values were kept)"
        return text


def merge(sources: Sequence[Path], target: Path) -> list[Merged]:
    """Copy the numbers that ``target`` lacks from output folders; return the outcome for each of them.

    Runs that ``target`` lacks are copied completely. Numbers are never averaged: if both have a metric of an iterate,
    the number of ``target`` is kept. All sources are read completely before anything is copied.

    Parameters
    ----------
    sources : sequence of Path
        Folders of runs.
    target : Path
        A folder of runs, made if needed.

    Returns
    -------
    list of Merged
        One per source.

    Raises
    ------
    ValueError
        If the settings of a run differ between two folders, or what a user's network does after two steps under the
        same seed; or a source has no run. Files of record cannot be merged, only the folders of runs that they were
        made from.
    BrokenBlock
        If a file of a source is not a complete block.
    """
    settings = {root.name: [read_settings(root)] for root in _roots_of(target)}
    for source in sources:
        for root in _checked(source):
            described, met = read_settings(root), settings.setdefault(root.name, [])
            for other in met:
                if other.get("decides") != described.get("decides"):
                    raise ValueError(f"{root} describes another experiment than the run of that name already met")
                _check_behaviour(root, described, other)
            met.append(described)
            for _, _, _, path in _files(root):
                read_block(path)
    return [_merge_one(source, target) for source in sources]


def _check_behaviour(root: Path, described: Settings, met: Settings) -> None:
    """Raise ValueError if two runs of a user's network have the same settings but do not behave in the same way."""
    one, other = met.get("behaviour"), described.get("behaviour")
    if one and other and (differing := different_behaviour(one, other)):
        raise ValueError(
            f"{root} holds a run whose settings are those of the run of that name already met, but which behaves "
            f"differently: {differing}. Something that its step, its batches or its measurement read is not the same; "
            "merge it into another folder"
        )


def _roots_of(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("*/experiment.json"))


def _checked(source: Path) -> list[Path]:
    """Return the runs in a source, or raise ValueError with the reason why there is nothing to merge."""
    if source.is_file():
        what = "a file of record" if source.suffix == ".npz" else "a file"
        raise ValueError(f"{source} is {what}, and only folders of runs can be merged (such as out)")
    if not source.is_dir():
        raise ValueError(f"there is no folder {source} to merge")
    roots = _roots_of(source)
    if roots:
        return roots
    if (source / "experiment.json").is_file():
        raise ValueError(f"{source} is a single run: name the folder that holds it, {source.parent}")
    records = sorted(path.name for path in source.glob("*.npz"))
    if records:
        raise ValueError(
            f"{source} holds results of record ({', '.join(records[:3])}{', …' if records[3:] else ''}) and no runs: "
            "records cannot be merged, only the folders of runs that they were made from (such as out)"
        )
    raise ValueError(f"{source} holds no run (no */experiment.json)")


def _files(root: Path) -> Iterator[tuple[int, str, str, Path]]:
    """Yield the seed, curve, kind and path of every block of an identity."""
    for folder in sorted(path for path in root.glob("*/*") if path.is_dir() and path.parent.name.isdigit()):
        seed = int(folder.parent.name)
        for kind in KINDS:
            for path in sorted(block_path(root, seed, folder.name, kind, 0, 0).parent.glob("*-*.npz")):
                if not path.name.startswith("."):  # not complete yet
                    yield seed, folder.name, kind, path


def _merge_one(source: Path, target: Path) -> Merged:
    counts: Counter[str] = Counter()
    largest = 0.0
    for root in _roots_of(source):
        into = target / root.name
        blocks.write_settings(into, read_settings(root))
        _merge_pins(root, into)
        known: dict[tuple[int, str, str], Numbers] = {}
        for seed, curve, kind, path in _files(root):
            key = (seed, curve, kind)
            if key not in known:
                known[key] = _numbers(into, *key)
            block = read_block(path)
            difference = _difference(block, known[key])
            added = _merge_block(block, into, key, known[key])
            counts["copied"] += added
            if difference is not None:
                counts.update(there=1, partly=int(added), differing=int(difference > 0))
                largest = max(largest, difference)
    return Merged(target, **counts, difference=largest)


def _numbers(root: Path, seed: int, curve: str, kind: str) -> Numbers:
    numbers: Numbers = {}
    for block in blocks.blocks(root, seed, curve, kind=kind):
        for name, values in block.values.items():
            numbers.setdefault(name, {}).update(zip(block.iterate.tolist(), values.tolist(), strict=True))
    return numbers


def _difference(block: Block, known: Numbers) -> float | None:
    """Return how far a block differs from the target's numbers (0 if bitwise equal), or None if they share none."""
    most = None
    for name, values in block.values.items():
        there = known.get(name, {})
        common = [k for k, n in enumerate(block.iterate.tolist()) if n in there]
        if common:
            source, target = values[common], np.array([there[n] for n in block.iterate[common].tolist()])
            most = max(most or 0.0, _relative(source, target))
    return most


def _relative(source: np.ndarray, target: np.ndarray) -> float:
    other = ~((source == target) | (np.isnan(source) & np.isnan(target)))
    if not other.any():
        return 0.0
    if not np.isfinite([source[other], target[other]]).all():
        return np.inf
    size = np.abs(target[np.isfinite(target)]).max() or np.abs(source[other]).max()
    return float(np.abs(source[other] - target[other]).max() / size)


def _merge_block(block: Block, into: Path, key: tuple[int, str, str], known: Numbers) -> bool:
    """Write the numbers that the target lacks, as one block per set of metrics; return whether there were any."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for k, n in enumerate(block.iterate.tolist()):
        lacking = tuple(name for name in sorted(block.values) if n not in known.get(name, ()))
        groups.setdefault(lacking, []).append(k)
    seed, curve, kind = key
    for names, rows in groups.items():
        if names:
            part = Block(block.iterate[rows], {name: block.values[name][rows] for name in names}, block.meta)
            write_block(into, seed, curve, part, kind=kind)
            for name in names:
                known.setdefault(name, {}).update(zip(part.iterate.tolist(), part.values[name].tolist(), strict=True))
    return any(groups)


def _merge_pins(source: Path, target: Path) -> None:
    """Add the tuning choices for devices for which ``target`` has none, so that a moved run repeats them."""
    if (source / TUNING_FILE).exists():
        source_pins, target_pins = (
            json.loads(p.read_text()) if p.exists() else {} for p in (source / TUNING_FILE, target / TUNING_FILE)
        )
        if source_pins.keys() - target_pins.keys():
            with replacing(target / TUNING_FILE) as temporary:
                temporary.write_text(json.dumps(source_pins | target_pins, indent=1, sort_keys=True) + "\n")
