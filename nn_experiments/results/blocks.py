"""Blocks of iterates on disk, written atomically and without pickle (NumPy only, no torch).

Files below an output folder::

    {identity}/experiment.json                              the settings that the identity is a hash of
    {identity}/{seed}/{curve}/{first}-{last}.npz          curves: losses and accuracies
    {identity}/{seed}/{curve}/diagnostics/{first}-{last}.npz   the coarser grid: increments, coupling, …

A block consists of ``iterate`` (K,) int64, one float64 array (K,) per metric, named ``value/NAME``, and ``meta``, a
JSON text that says how the block was computed (device, versions, kernel, chunk, seconds). A block is written to a
temporary file and renamed, so that a reader never sees a partial file. Blocks may overlap; any of them is read, since
equal settings give equal numbers.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Required, TypedDict, cast

import numpy as np

from contraction.files import replacing
from contraction.maps.errors import TrainingInReverseError
from contraction.values import Value
from nn_experiments.results.archives import read_archive

__all__ = [
    "KINDS",
    "TUNING_FILE",
    "Behaviour",
    "Block",
    "BrokenBlock",
    "Settings",
    "block_path",
    "blocks",
    "different_behaviour",
    "present",
    "read_block",
    "read_settings",
    "recorded",
    "write_block",
    "write_settings",
]

KINDS = ("curves", "diagnostics")
#: File beside the blocks with the ensemble engine's choices for each device, so that a rerun repeats them.
TUNING_FILE = "ensemble.json"


class Behaviour(TypedDict):
    """How far T_1 T_2 moves each tensor of θ_0, and the metrics there, for one seed of a user's network."""

    seed: int
    moved: Mapping[str, float]
    measured: Mapping[str, float]


class Settings(TypedDict, total=False):
    """The settings of a run, as plain JSON: the contents of ``experiment.json``.

    Attributes
    ----------
    identity
        The run ID, a hash of ``decides``.
    experiment
        All fields of the experiment, among them ``name``.
    decides
        What the numbers depend on.
    data
        Name, fingerprint and sizes of the data set.
    own, unknown, behaviour
        Of a run of a user's network: True; what a hash cannot tell apart; and what its step does to θ_0.
    to_last
        N, the iterate that distances ``…_to_last`` are measured to; not in the file.
    """

    identity: Required[str]
    experiment: Required[Mapping[str, object]]
    decides: Required[Mapping[str, object]]
    data: Mapping[str, object]
    own: bool
    unknown: Sequence[str]
    behaviour: Behaviour
    to_last: int


class BrokenBlock(TrainingInReverseError, ValueError):
    """A file of results is truncated or altered; delete it and run again.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from nn_experiments import BrokenBlock
    >>> from nn_experiments.results.blocks import read_block
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "0-9.npz"
    ...     _ = path.write_bytes(b"half a file")
    ...     try:
    ...         read_block(path)
    ...     except BrokenBlock as error:
    ...         print(str(error).rpartition("; ")[2])
    delete it and run again
    """


@dataclass(frozen=True, eq=False)
class Block(Value):
    """Recorded numbers of some iterates of one seed and curve.

    Attributes
    ----------
    iterate
        (K,) int64, increasing.
    values
        Metric name -> (K,) float64. NaN and infinities are results (divergence), not gaps.
    meta
        How the block was computed (device, versions, kernel, …); plain JSON.
    """

    iterate: np.ndarray
    values: Mapping[str, np.ndarray]
    meta: Mapping[str, object]

    def __post_init__(self) -> None:
        """Check shapes, and make the arrays int64 and float64."""
        iterate = np.asarray(self.iterate, dtype=np.int64)
        if iterate.ndim != 1 or iterate.size == 0 or (np.diff(iterate) <= 0).any() or iterate[0] < 0:
            raise ValueError(f"a block needs increasing iterates of at least 0, got {self.iterate!r}")
        values = {name: np.asarray(value, dtype=np.float64) for name, value in self.values.items()}
        for name, value in values.items():
            if value.shape != iterate.shape:
                raise ValueError(f"metric {name!r} has shape {value.shape}, the iterates {iterate.shape}")
        object.__setattr__(self, "iterate", iterate)
        object.__setattr__(self, "values", values)
        super().__post_init__()


def block_path(root: Path, seed: int, curve: str, kind: str, first: int, last: int) -> Path:
    """Return the path of the block of iterates first … last, below the folder ``root`` of a run.

    Raises
    ------
    ValueError
        If ``kind`` is not one of `KINDS`.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind of block {kind!r}; the known ones are {', '.join(KINDS)}")
    folder = root / str(seed) / curve
    if kind == "diagnostics":
        folder = folder / "diagnostics"
    return folder / f"{first}-{last}.npz"


def write_block(root: Path, seed: int, curve: str, block: Block, *, kind: str = "curves") -> Path:
    """Write a block atomically and return its path.

    If there is already a block with the same first and last iterate (from a run with another ``--every``, or to another
    last iterate), the two are joined; where both have a number, the new one is written. Iterates with other metrics
    than the first and the last one are written to separate blocks.
    """
    path = block_path(root, seed, curve, kind, int(block.iterate[0]), int(block.iterate[-1]))
    if path.exists():
        with contextlib.suppress(BrokenBlock):
            block, *rest = _union(read_block(path), block)
            for part in rest:  # inside (first, last), so this ends; written first, so nothing is ever missing
                write_block(root, seed, curve, part, kind=kind)
    arrays = {"iterate": block.iterate, "meta": np.array(json.dumps(dict(block.meta)))}
    arrays |= {f"value/{name}": value for name, value in block.values.items()}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # no array is called "allow_pickle"
    return path


def _union(old: Block, new: Block) -> list[Block]:
    """Return the union of two blocks with the same first and last iterate, as one block per set of metrics.

    The first block has all metrics of both, at the iterates that have all of them, at least the first and the last.
    """
    rows: dict[int, dict[str, float]] = {}
    for block in (old, new):
        for k, n in enumerate(block.iterate.tolist()):
            rows.setdefault(n, {}).update({name: float(value[k]) for name, value in block.values.items()})
    groups: dict[frozenset[str], list[int]] = {frozenset(old.values) | frozenset(new.values): []}
    for n in sorted(rows):
        groups.setdefault(frozenset(rows[n]), []).append(n)
    union = []
    for names, at in groups.items():
        values = {name: np.array([rows[n][name] for n in at]) for name in sorted(names)}
        meta = _join(block.meta for block in (old, new) if np.isin(block.iterate, at).any())
        union.append(Block(np.array(at), values, meta))
    return union


def _join(metas: Iterable[Mapping[str, object]]) -> dict[str, object]:
    """Return the ``meta`` of a union: that of the newest block, with all seconds; the others are under ``joined``."""
    makers: dict[str, dict[str, object]] = {}
    seconds = 0.0
    for meta in metas:
        seconds += cast(float, meta.get("seconds", 0.0))
        for maker in (*cast(Sequence[Mapping[str, object]], meta.get("joined", ())), meta):
            plain = {key: value for key, value in maker.items() if key not in ("joined", "seconds")}
            text = json.dumps(plain, sort_keys=True)
            makers.pop(text, None)
            makers[text] = plain
    *others, newest = makers.values()
    joined = dict(newest)
    if seconds:
        joined["seconds"] = round(seconds, 3)
    if others:
        joined["joined"] = others
    return joined


def read_block(path: Path) -> Block:
    """Read one block.

    Raises
    ------
    BrokenBlock
        If the file is truncated, altered or not a block.
    """
    advice = "delete it and run again"
    with read_archive(path, lambda error: BrokenBlock(f"{path} is not a whole block ({error}); {advice}")) as file:
        values = {key.removeprefix("value/"): file[key] for key in file.files if key.startswith("value/")}
        return Block(file["iterate"], values, json.loads(str(file["meta"])))


def blocks(root: Path, seed: int, curve: str, *, kind: str = "curves", strict: bool = False) -> list[Block]:
    """Return all blocks of one seed and curve, by first iterate.

    Broken files are left out, so that a run computes them again, unless ``strict`` is true: results are not to be read
    as if they had never been computed.

    Raises
    ------
    BrokenBlock
        If a file is truncated, altered or not a block, and ``strict`` is true.
    """
    folder = block_path(root, seed, curve, kind, 0, 0).parent
    complete = []
    for path in sorted(folder.glob("*-*.npz")):
        if path.name.startswith("."):
            continue
        try:
            complete.append(read_block(path))
        except BrokenBlock:
            if strict:
                raise
    return sorted(complete, key=lambda block: (int(block.iterate[0]), len(block.iterate)))


def recorded(root: Path, seed: int, curve: str, kind: str) -> dict[str, set[int]]:
    """Return metric -> the iterates at which it was recorded, for one seed and curve."""
    iterates: dict[str, set[int]] = {}
    for block in blocks(root, seed, curve, kind=kind):
        for name in block.values:
            iterates.setdefault(name, set()).update(block.iterate.tolist())
    return iterates


def present(root: Path, seed: int, curve: str, metrics: Iterable[str], *, kind: str = "curves") -> set[int]:
    """Return the iterates at which all of ``metrics``, at least one, were recorded."""
    iterates = recorded(root, seed, curve, kind)
    return set.intersection(*(iterates.get(name, set()) for name in metrics))


def write_settings(root: Path, settings: Settings) -> None:
    """Write ``experiment.json`` if the folder has none.

    Raises
    ------
    ValueError
        If the folder has one, and its ``decides`` (which the identity is a hash of) differs.
    """
    path = root / "experiment.json"
    if path.exists():
        old = read_settings(root)
        if old.get("decides") != settings.get("decides"):
            raise ValueError(f"{path} describes another experiment; give another output folder")
        return
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(settings, indent=1, sort_keys=True) + "\n")


def read_settings(root: Path) -> Settings:
    """Read ``experiment.json`` in the folder of a run.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file is not complete JSON, or lacks the settings.
    """
    path = root / "experiment.json"
    advice = "delete this file, and the command that made the run writes it again"
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"{root} holds no run: there is no experiment.json") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not whole JSON: {error}; {advice}") from error
    if not isinstance(settings, dict) or not isinstance(settings.get("decides"), dict):
        raise ValueError(f"{path} has no settings under 'decides'; {advice}")
    if not isinstance(settings.get("experiment", {}), dict):
        raise ValueError(f"{path} has no settings under 'experiment'; {advice}")
    return cast(Settings, settings)


#: Relative difference within which steps on other hardware or with other kernels agree; other learning rates differ by
#: more.
SAME = 0.01


def different_behaviour(recorded: Behaviour, other: Behaviour) -> str:
    """Return how two runs behave differently after T_1 T_2, in words, or an empty text if they do not.

    Tensors and metrics that only one of the runs has count as different. Runs whose seeds differ are not compared: they
    draw other batches.
    """
    if recorded["seed"] != other["seed"]:
        return ""
    for said, before, now in (
        ("moves by", recorded["moved"], other["moved"]),
        ("is", recorded["measured"], other["measured"]),
    ):
        for name in {**now, **before}:
            if name not in now or name not in before:
                return f"{name} is only {'here' if name in now else 'there'}"
            if not _close(now[name], before[name]):
                return f"after T_1 T_2, {name} {said} {now[name]:.6g}, and {before[name]:.6g} there"
    return ""


def _close(one: float, other: float) -> bool:
    if not (math.isfinite(one) and math.isfinite(other)):
        return one == other or (math.isnan(one) and math.isnan(other))
    return abs(one - other) <= SAME * max(abs(one), abs(other)) or max(abs(one), abs(other)) < 1e-6
