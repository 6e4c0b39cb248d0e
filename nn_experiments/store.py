"""Blocks of iterates on disk: atomic, self-describing, without pickle (NumPy only, no torch).

Layout below an output folder::

    {identity}/experiment.json                              the settings that the identity is a hash of
    {identity}/{seed}/{variant}/{first}-{last}.npz          curves: losses and accuracies
    {identity}/{seed}/{variant}/diagnostics/{first}-{last}.npz   the coarser grid: increments, coupling, …

A block holds ``iterate`` (K,) int64, one float64 array (K,) a metric named ``value/NAME``, and ``meta``: a
JSON text with what made it (device, versions, kernel, chunk, seconds). A block is written beside its place
and renamed, so a reader sees a whole file or none. Blocks may overlap; a later reader takes any of them,
since equal settings give equal numbers.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "STREAMS",
    "Block",
    "BrokenBlock",
    "block_path",
    "blocks",
    "merge",
    "present",
    "read_block",
    "read_settings",
    "write_atomically",
    "write_block",
    "write_settings",
]

STREAMS = ("curves", "diagnostics")


class BrokenBlock(ValueError):
    """A file that is not a whole block; delete it and run again."""


@dataclass(frozen=True)
class Block:
    """Recorded numbers of some iterates of one seed and variant.

    Attributes
    ----------
    iterate
        (K,) int64, increasing.
    values
        Metric name -> (K,) float64. NaN and infinities are results (divergence), not gaps.
    meta
        What made the block; plain JSON.
    """

    iterate: np.ndarray
    values: dict[str, np.ndarray]
    meta: dict[str, Any]

    def __post_init__(self) -> None:
        iterate = np.asarray(self.iterate, dtype=np.int64)
        if iterate.ndim != 1 or iterate.size == 0 or (np.diff(iterate) <= 0).any() or iterate[0] < 0:
            raise ValueError(f"a block needs increasing iterates of at least 0, got {self.iterate!r}")
        values = {name: np.asarray(value, dtype=np.float64) for name, value in self.values.items()}
        for name, value in values.items():
            if value.shape != iterate.shape:
                raise ValueError(f"metric {name!r} has shape {value.shape}, the iterates {iterate.shape}")
        object.__setattr__(self, "iterate", iterate)
        object.__setattr__(self, "values", values)


@contextlib.contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Give a name beside ``path`` to write to; rename it into place if the body ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def block_path(root: Path, seed: int, variant: str, stream: str, first: int, last: int) -> Path:
    """Return where a block of iterates first … last lies below the identity's folder ``root``."""
    if stream not in STREAMS:
        raise ValueError(f"unknown stream {stream!r}; the known ones are {', '.join(STREAMS)}")
    folder = root / str(seed) / variant
    if stream == "diagnostics":
        folder = folder / "diagnostics"
    return folder / f"{first}-{last}.npz"


def write_block(root: Path, seed: int, variant: str, block: Block, *, stream: str = "curves") -> Path:
    """Write a block atomically and return its path.

    If a block with the same first and last iterate is there already (from a run with another ``--every``),
    the union is written: where both have an iterate, the new one wins.
    """
    path = block_path(root, seed, variant, stream, int(block.iterate[0]), int(block.iterate[-1]))
    if path.exists():
        with contextlib.suppress(BrokenBlock):
            block = _union(read_block(path), block)
    arrays: dict[str, Any] = {f"value/{name}": value for name, value in block.values.items()}
    with write_atomically(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, iterate=block.iterate, meta=np.array(json.dumps(block.meta)), **arrays)
    return path


def _union(old: Block, new: Block) -> Block:
    """Return both blocks' iterates; an old iterate is kept only if it has every metric of the new block."""
    keep = ~np.isin(old.iterate, new.iterate)
    if not keep.any() or not set(new.values) <= set(old.values):
        return new
    iterate = np.concatenate([old.iterate[keep], new.iterate])
    order = np.argsort(iterate)
    values = {n: np.concatenate([old.values[n][keep], v])[order] for n, v in new.values.items()}
    return Block(iterate[order], values, new.meta)


def read_block(path: Path) -> Block:
    """Read one block.

    Raises
    ------
    BrokenBlock
        If the file is truncated, altered or no block.
    """
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            values = {key.removeprefix("value/"): file[key] for key in file.files if key.startswith("value/")}
            return Block(file["iterate"], values, json.loads(str(file["meta"])))
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise BrokenBlock(f"{path} is not a whole block ({error}); delete it and run again") from error


def blocks(root: Path, seed: int, variant: str, *, stream: str = "curves") -> list[Block]:
    """Return all whole blocks of one seed and variant, by first iterate; broken files are left out."""
    folder = block_path(root, seed, variant, stream, 0, 0).parent
    found = []
    for path in sorted(folder.glob("*-*.npz")):
        if path.name.startswith("."):
            continue
        with contextlib.suppress(BrokenBlock):
            found.append(read_block(path))
    return sorted(found, key=lambda block: (int(block.iterate[0]), len(block.iterate)))


def present(root: Path, seed: int, variant: str, metrics: Iterable[str], *, stream: str = "curves") -> set[int]:
    """Return the iterates already recorded with all of ``metrics``."""
    wanted = set(metrics)
    return {
        int(n)
        for block in blocks(root, seed, variant, stream=stream)
        if wanted <= set(block.values)
        for n in block.iterate
    }


def write_settings(root: Path, settings: Mapping[str, Any]) -> None:
    """Write ``experiment.json`` once; refuse a folder that holds other settings under the same identity.

    Raises
    ------
    ValueError
        If the file is there and its ``decides`` part (what the identity is a hash of) differs.
    """
    path = root / "experiment.json"
    if path.exists():
        old = read_settings(root)
        if old.get("decides") != settings.get("decides"):
            raise ValueError(f"{path} describes another experiment; give another output folder")
        return
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(settings, indent=1, sort_keys=True) + "\n")


def read_settings(root: Path) -> dict[str, Any]:
    """Read ``experiment.json`` of an identity's folder."""
    path = root / "experiment.json"
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise FileNotFoundError(f"{root} holds no run: there is no experiment.json") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not whole JSON: {error}") from error


def merge(source: Path, target: Path) -> int:
    """Copy every block of the output folder ``source`` that ``target`` lacks; return how many were copied.

    Identities that only ``source`` has are copied whole. Numbers are never averaged: an iterate that both
    have stays as it is in ``target``.

    Raises
    ------
    ValueError
        If an identity's settings differ between the two folders, or ``source`` holds no run.
    """
    roots = sorted(path.parent for path in source.glob("*/experiment.json"))
    if not roots:
        raise ValueError(f"{source} holds no run (no */experiment.json)")
    copied = 0
    for root in roots:
        settings = read_settings(root)
        write_settings(target / root.name, settings)
        for path in sorted(root.glob("*/*/*-*.npz")) + sorted(root.glob("*/*/diagnostics/*-*.npz")):
            if path.name.startswith("."):
                continue
            stream = "diagnostics" if path.parent.name == "diagnostics" else "curves"
            folder = path.parent.parent if stream == "diagnostics" else path.parent
            block = read_block(path)
            seed, variant = int(folder.parent.name), folder.name
            have = present(target / root.name, seed, variant, block.values, stream=stream)
            lack = np.array([int(n) not in have for n in block.iterate])
            if lack.any():
                values = {name: value[lack] for name, value in block.values.items()}
                part = Block(block.iterate[lack], values, block.meta)
                write_block(target / root.name, seed, variant, part, stream=stream)
                copied += 1
    return copied
