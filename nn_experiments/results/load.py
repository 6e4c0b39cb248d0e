"""Loading results from runs' folders and from files of record (no torch)."""

from __future__ import annotations

import difflib
import json
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nn_experiments.paper import curve_names
from nn_experiments.results import blocks
from nn_experiments.results.curves import DEFAULT_OUT, Curves

__all__ = ["load", "record_path", "records_of", "runs_of"]


def _load_record(path: Path) -> Curves:
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            metrics = {
                key.removeprefix("metric/"): file[key].astype(np.float64)
                for key in file.files
                if key.startswith("metric/")
            }
            recorded = {
                name: np.unpackbits(file[f"recorded/{name}"], count=value.size).reshape(value.shape).astype(bool)
                for name, value in metrics.items()
            }
            seeds = tuple(int(seed) for seed in file["seeds"])
            orders = tuple(about["orders"])
            return Curves(seeds, orders, file["iterates"], metrics, recorded, about["experiment"], about["provenance"])
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a file of results: {error}") from error


def _load_identity(root: Path) -> Curves:
    settings = blocks.read_settings(root)
    found: dict[tuple[int, str], list[blocks.Block]] = {}
    for seed_folder in root.iterdir():
        if not (seed_folder.is_dir() and seed_folder.name.isdigit()):
            continue
        for folder in seed_folder.iterdir():
            seed = int(seed_folder.name)
            pieces = [b for stream in blocks.STREAMS for b in blocks.blocks(root, seed, folder.name, stream=stream)]
            if pieces:
                found[seed, folder.name] = pieces
    if not found:
        raise ValueError(f"{root} holds no finished block yet")
    seeds = tuple(sorted({seed for seed, _ in found}))
    orders = tuple(sorted({name for _, name in found}, key=_rank))
    iterates = np.unique(np.concatenate([b.iterate for pieces in found.values() for b in pieces]))
    names = sorted({name for pieces in found.values() for b in pieces for name in b.values})
    ends = sorted(int(name.rpartition("_")[2]) for name in names if name.startswith("parameter_to_"))
    names = [name for name in names if "_to_" not in name or name.endswith(f"_to_{ends[-1]}")]
    shape = (len(seeds), len(orders), len(iterates))
    metrics = {name: np.full(shape, np.nan) for name in names}
    recorded = {name: np.zeros(shape, bool) for name in names}
    makers: dict[str, int] = {}
    for (seed, order), pieces in found.items():
        s, o = seeds.index(seed), orders.index(order)
        for block in pieces:
            place = np.searchsorted(iterates, block.iterate)
            for name in metrics.keys() & block.values.keys():
                metrics[name][s, o, place] = block.values[name]
                recorded[name][s, o, place] = True
            maker = {key: value for key, value in block.meta.items() if key != "seconds"}
            key = json.dumps(maker, sort_keys=True)
            makers[key] = makers.get(key, 0) + 1
    for order in orders:
        _reuse(order, orders, iterates, metrics, recorded)
    if ends:
        settings = settings | {"to_last": ends[-1]}
        for table in (metrics, recorded):
            for space in ("parameter", "function"):
                table[f"{space}_to_last"] = table.pop(f"{space}_to_{ends[-1]}")
    provenance = [{**json.loads(key), "blocks": count} for key, count in sorted(makers.items())]
    return Curves(seeds, orders, iterates, metrics, recorded, settings, provenance)


def _reuse(
    order: str,
    orders: tuple[str, ...],
    iterates: np.ndarray,
    metrics: dict[str, np.ndarray],
    recorded: dict[str, np.ndarray],
) -> None:
    """Fill in what an order shares with another one: a path reset at 1000 is the backward path until then."""
    homes = [curve_names.home(order, int(n)) for n in iterates]
    for other in set(homes) - {order}:
        if other in orders:
            shared = np.array([name == other for name in homes])
            a, b = orders.index(order), orders.index(other)
            for name, value in metrics.items():
                if name.endswith(("_loss", "_accuracy")):
                    value[:, a, shared] = value[:, b, shared]
                    recorded[name][:, a, shared] = recorded[name][:, b, shared]


def _rank(name: str) -> tuple[int, str]:
    kinds = ("forward", "backward", "reset", "late", "windowed", "polyak", "ema", "decayed", *curve_names.PARTS)
    kind = name.split("-")[0]
    return (kinds.index(kind) if kind in kinds else len(kinds), name)


def runs_of(experiment: str, folder: Path) -> list[Path]:
    """Return the folders of an experiment's runs below an output folder, the catalogue's own settings first."""
    found = []
    for path in sorted(folder.glob("*/experiment.json")):
        about = blocks.read_settings(path.parent).get("experiment", {})
        if about.get("name") == experiment:
            found.append((_varied(about), path.parent))
    return [root for _, root in sorted(found)]


def record_path(experiment: str, folder: Path, variant: str | None = None) -> Path:
    """Return the file of record of an experiment, or of a named variant of it (other settings).

    Raises
    ------
    ValueError
        If the name of the variant has other characters than letters, digits, dots, underscores and single dashes.
    """
    if variant is None:
        return folder / f"{experiment}.npz"
    if not re.fullmatch(r"[A-Za-z0-9._]+(-[A-Za-z0-9._]+)*", variant):
        raise ValueError(f"a variant's name has letters, digits, '.', '_' and single '-' only, got {variant!r}")
    return folder / f"{experiment}--{variant}.npz"


def records_of(experiment: str, folder: Path) -> list[Path]:
    """Return the files of record of an experiment in a folder: its own first, then its variants by name."""
    own = record_path(experiment, folder)
    return [own] * own.is_file() + sorted(folder.glob(f"{experiment}--*.npz"))


def _load_one_record(paths: Sequence[Path], identity: str | None) -> Curves:
    """Load the record that was asked for by identity or a variant's name; the experiment's own unless asked."""
    if identity is None and "--" not in paths[0].stem:
        return _load_record(paths[0])
    known = {path.stem.partition("--")[2]: path for path in paths}
    if identity and identity in known:
        return _load_record(known[identity])
    found = [_load_record(path) for path in paths]
    fitting = [curves for curves in found if curves.experiment["identity"].startswith(identity or "")]
    if len(fitting) != 1:
        there = ", ".join(
            f"{curves.experiment['identity']} ({name or 'its own'})" for name, curves in zip(known, found, strict=True)
        )
        raise ValueError(f"{paths[0].parent} has {len(fitting)} records of identity {identity}; there are {there}")
    return fitting[0]


def _varied(about: dict[str, Any]) -> bool:
    """Whether an experiment on disk differs from the catalogue's of that name in more than its notes."""
    from nn_experiments.paper.catalogue import EXPERIMENTS

    if about["name"] not in EXPERIMENTS:
        return True
    ours = json.loads(json.dumps(EXPERIMENTS[about["name"]].to_json()))
    return any(about.get(key) != value for key, value in ours.items() if key != "notes")


def _unknown(path: Path) -> str:
    """Return what is wrong with a name that is neither in the catalogue nor the folder of a run."""
    from nn_experiments.paper.catalogue import EXPERIMENTS, FIGURES

    if path.is_dir():
        return f"the folder {path} is not that of one run (no experiment.json); load a figure by name, with it as out"
    near = difflib.get_close_matches(str(path), [*FIGURES, *EXPERIMENTS], n=1)
    guess = f"did you mean {near[0]}? " if near else ""
    return (
        f"there is no figure, experiment or folder {str(path)!r}: {guess}"
        f"Figures are {', '.join(FIGURES)}; experiments {', '.join(EXPERIMENTS)}"
    )


def _listing(roots: Sequence[Path]) -> str:
    """Return a line for each run: its identity and the fields in which the runs differ."""
    from nn_experiments.paper.catalogue import plain_fields

    fields = {}
    for root in roots:
        settings = blocks.read_settings(root)
        about = plain_fields(settings.get("decides", {})) | plain_fields(settings.get("experiment", {}))
        fields[root] = {name: value for name, value in about.items() if name not in ("name", "notes")}
    names = dict.fromkeys(name for about in fields.values() for name in about)
    differ = [name for name in names if len({json.dumps(about.get(name)) for about in fields.values()}) > 1]
    lines = []
    for root, about in fields.items():
        texts = [f"{name} = {about.get(name)}" for name in differ] or ["the same settings"]
        if not any(root.glob("*/*/*.npz")):
            texts.append("no finished block yet")
        lines.append(f"  {root.name}: {', '.join(texts)}")
    return "\n".join(lines)


def load(
    source: str | Path,
    *,
    out: str | Path | None = None,
    identity: str | None = None,
    seeds: Sequence[int] | None = None,
    orders: Sequence[str] | None = None,
) -> Curves:
    """Load results: of a figure or experiment by name, of a run's folder, or of a file of record.

    Parameters
    ----------
    source
        A name from the catalogue (``"fig4"``, ``"4"``, ``"regression-square"``), looked up below ``out``; or a folder
        that holds ``experiment.json``; or a ``.npz`` written by `Curves.save`.
    out
        The output folder of the runs (default: ``out`` in the working directory), or a folder of records such as
        ``results``, with one file ``EXPERIMENT.npz`` per experiment and ``EXPERIMENT--VARIANT.npz`` per variant.
    identity
        Prefix of the run ID, needed if ``out`` holds several runs of the experiment; or the name of a recorded
        variant.
    seeds, orders
        The part to load (default: everything that was recorded; for a figure, those of its orders and baselines that
        were recorded).

    Raises
    ------
    FileNotFoundError
        If nothing of that name was run into ``out``.
    ValueError
        If the name is unknown, with the known ones; if several identities fit, or none, with what differs between
        those there are; or if a file is broken.
    """
    path = Path(source)
    wanted_orders = None
    if path.suffix == ".npz":
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}")
        curves = _load_record(path)
    elif (path / "experiment.json").is_file():
        curves = _load_identity(path)
    else:
        from nn_experiments.paper import catalogue

        name = str(source)
        if name.isdigit() or name in catalogue.FIGURES:
            entry = catalogue.find(name)
            source = entry.name
            name, wanted_orders = entry.experiment, entry.all_orders
        folder = DEFAULT_OUT if out is None else Path(out)
        records = records_of(name, folder) if name in catalogue.EXPERIMENTS else []
        if records:
            return _part(_load_one_record(records, identity), seeds, orders, wanted_orders)
        every = runs_of(name, folder)
        roots = [root for root in every if root.name.startswith(identity or "")]
        if every and not roots:
            raise ValueError(
                f"no run of {name!r} in {folder} has an identity {identity}…; there are:\n{_listing(every)}"
            )
        if not roots and name not in catalogue.EXPERIMENTS:
            raise ValueError(_unknown(path))
        if not roots:
            figure = next(key for key, f in catalogue.FIGURES.items() if str(source) in (key, f.experiment))
            command = f"python -m nn_experiments run {figure} --out {folder}"
            raise FileNotFoundError(f"no results of {name!r} in {folder}; to compute them: {command}")
        if len(roots) > 1:
            raise ValueError(
                f"{folder} holds several runs of {name!r}; pass one as identity (plot: --identity):\n{_listing(roots)}"
            )
        curves = _load_identity(roots[0])
    return _part(curves, seeds, orders, wanted_orders)


def _part(
    curves: Curves, seeds: Sequence[int] | None, orders: Sequence[str] | None, figure_orders: Sequence[str] | None
) -> Curves:
    if orders is None and figure_orders is not None:
        orders = [name for name in figure_orders if name in curves.orders]
    if seeds is not None or orders is not None:
        curves = curves.select(seeds=seeds, orders=orders)
    return curves
