"""Joining output folders: what several machines have run, copied into one (NumPy only, no torch)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from nn_experiments import store
from nn_experiments.store import PINS, STREAMS, Block, block_path, read_block, read_settings, write_block

__all__ = ["merge"]


def merge(sources: Sequence[Path], target: Path) -> list[int]:
    """Copy what output folders have and ``target`` lacks; return how many blocks of each that was.

    Identities that ``target`` lacks are copied whole. Numbers are never averaged: a metric of an iterate that both
    have stays as it is in ``target``. Every source is read through before anything is copied.

    Raises
    ------
    ValueError
        If an identity's settings differ between two folders, or a source holds no run: results of record are whole
        files, made of runs, and cannot be taken apart.
    BrokenBlock
        If a file of a source is no whole block.
    """
    settings = {root.name: read_settings(root) for root in _roots_of(target)}
    for source in sources:
        for root in _checked(source):
            theirs = read_settings(root)
            if settings.setdefault(root.name, theirs).get("decides") != theirs.get("decides"):
                raise ValueError(f"{root} describes another experiment than the run of that name already met")
            for _, _, _, path in _files(root):
                read_block(path)
    return [_merge_one(source, target) for source in sources]


def _roots_of(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("*/experiment.json"))


def _checked(source: Path) -> list[Path]:
    """Return the runs in a source, or say why there is nothing to merge."""
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
    """Yield the seed, variant, stream and path of every block of an identity."""
    for folder in sorted(path for path in root.glob("*/*") if path.is_dir() and path.parent.name.isdigit()):
        seed = int(folder.parent.name)
        for stream in STREAMS:
            for path in sorted(block_path(root, seed, folder.name, stream, 0, 0).parent.glob("*-*.npz")):
                if not path.name.startswith("."):  # half written
                    yield seed, folder.name, stream, path


def _merge_one(source: Path, target: Path) -> int:
    copied = 0
    for root in _roots_of(source):
        into = target / root.name
        store.write_settings(into, read_settings(root))
        _merge_pins(root, into)
        have: dict[tuple[int, str, str], dict[str, set[int]]] = {}
        for seed, variant, stream, path in _files(root):
            place = (seed, variant, stream)
            if place not in have:
                have[place] = store.recorded(into, *place)
            copied += _merge_block(read_block(path), into, place, have[place])
    return copied


def _merge_block(block: Block, into: Path, place: tuple[int, str, str], have: dict[str, set[int]]) -> bool:
    """Write what a block adds, a block a set of metrics that iterates lack; return whether that was anything."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for k, n in enumerate(block.iterate.tolist()):
        lacking = tuple(name for name in sorted(block.values) if n not in have.get(name, ()))
        groups.setdefault(lacking, []).append(k)
    seed, variant, stream = place
    for names, places in groups.items():
        if names:
            part = Block(block.iterate[places], {name: block.values[name][places] for name in names}, block.meta)
            write_block(into, seed, variant, part, stream=stream)
            for name in names:
                have.setdefault(name, set()).update(part.iterate.tolist())
    return any(groups)


def _merge_pins(source: Path, target: Path) -> None:
    """Add the choices of devices that ``target`` has none of, so that a run carried elsewhere repeats them."""
    if (source / PINS).exists():
        theirs, ours = (json.loads(p.read_text()) if p.exists() else {} for p in (source / PINS, target / PINS))
        if theirs.keys() - ours.keys():
            with store.write_atomically(target / PINS) as temporary:
                temporary.write_text(json.dumps(theirs | ours, indent=1, sort_keys=True) + "\n")
