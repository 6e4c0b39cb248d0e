"""Results of the studies on disk: named arrays, and how they were computed (NumPy, no torch)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any  # Any: each study has JSON of its own

import numpy as np

from contraction.files import write_atomically
from nn_experiments.results.archives import read_archive

__all__ = [
    "Study",
    "check_keeps_seeds",
    "find_studies",
    "load_study",
    "load_whole_study",
    "resumed",
    "seeds_of",
    "study_path",
]


@dataclass(frozen=True)
class Study:
    """The arrays of a study by name, and how they were computed.

    Attributes
    ----------
    name
        The study's name on the command line.
    arrays
        Name -> array, as described by the module of the study.
    about
        Plain JSON: settings, seeds, steps, versions, revision, seconds.
    """

    name: str
    arrays: Mapping[str, np.ndarray]
    about: Mapping[str, Any]

    def __getitem__(self, key: str) -> np.ndarray:
        """Return an array by name."""
        return self.arrays[key]

    def save(self, path: Path) -> None:
        """Write everything into one ``.npz``, atomically (see `load_study`)."""
        about = json.dumps({"study": self.name, "about": self.about}, ensure_ascii=False)
        arrays = {"about": np.array(about), **self.arrays}
        write_atomically(path, lambda temporary: np.savez_compressed(temporary, **arrays))  # type: ignore[arg-type]


def load_study(path: Path) -> Study:
    """Read what `Study.save` wrote.

    Raises
    ------
    ValueError
        If the file is something else.
    """
    with read_archive(path, lambda error: ValueError(f"{path} does not hold the results of a study ({error})")) as file:
        text = json.loads(str(file["about"]))
        arrays = {key: file[key] for key in file.files if key != "about"}
        return Study(text["study"], arrays, text["about"])


def load_whole_study(path: Path) -> Study:
    """Read the results of the study that a file is named after.

    Raises
    ------
    ValueError
        If the file is something else, or holds another study.
    """
    study = load_study(path)
    if study.name != path.stem:
        raise ValueError(f"{path} holds the results of the study {study.name!r}, after which it is not named")
    return study


def study_path(name: str, folder: Path) -> Path:
    """Return the file of a study below an output folder or a folder of records."""
    return folder / "studies" / f"{name}.npz"


def find_studies(folders: Iterable[Path], unreadable: dict[Path, Exception] | None = None) -> list[Study]:
    """Return all studies in the folders, sorted by name; a study in several folders is taken from the first.

    Parameters
    ----------
    folders
        Output folders or folders of records.
    unreadable
        Files that cannot be read are left out, and added here with the reasons (default: the first one is an error).

    Raises
    ------
    ValueError
        If a file cannot be read and ``unreadable`` is not given.
    OSError
        As for ValueError.
    """
    studies: dict[str, Study] = {}
    for folder in dict.fromkeys(folders):
        for path in sorted((folder / "studies").glob("*.npz")):
            try:
                studies.setdefault(path.stem, load_whole_study(path))
            except (ValueError, OSError) as error:
                if unreadable is None:
                    raise
                unreadable[path] = error
    return [studies[name] for name in sorted(studies)]


def seeds_of(about: Mapping[str, Any]) -> int:
    """Return how many seeds or replicates a study has, by its ``about``; 0 if it does not say."""
    if "seeds" in about:
        return int(about["seeds"])
    return max((int(setting.get("replicates", 0)) for setting in about.get("settings", ())), default=0)


def check_keeps_seeds(path: Path, seeds: int) -> None:
    """Check that a study may be written to a file: it has at least as many seeds as the file.

    Parameters
    ----------
    path
        The study's file. It need not exist; if it is truncated or altered, it may be replaced.
    seeds
        The number of seeds or replicates that will be written.

    Raises
    ------
    ValueError
        If the file has more.
    """
    try:
        held = seeds_of(load_study(path).about) if path.is_file() else 0
    except (ValueError, TypeError, AttributeError):
        return
    if held > seeds:
        raise ValueError(_more(path, held, seeds))


def _more(path: Path, held: int, asked: int) -> str:
    return (
        f"{path} has {held} seeds, and {asked} would be left of them. Nothing was written: ask for as many with "
        "--seeds, give another folder with --out, or delete the file"
    )


def _check_seeds(path: Path, held: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Raise ValueError if a part in a file differs from one that is to be made in having more seeds alone."""
    for name in ("seeds", "count"):
        if {**held, name: None} == {**asked, name: None}:
            there, here = (len(x) if isinstance(x, list) else x for x in (held.get(name), asked.get(name)))
            if isinstance(there, int) and isinstance(here, int) and there > here:
                raise ValueError(_more(path, there, here))


def resumed(path: Path, settings: Mapping[str, object], make: Callable[[], Mapping[str, np.ndarray]]) -> Study:
    """Return a part of a study from its file, or compute it and write the file.

    The part is computed again if the file has other settings, or is truncated or altered.

    Raises
    ------
    ValueError
        If the file has the same settings with more seeds, which would be lost.
    """
    plain = json.loads(json.dumps(settings))
    if path.is_file():
        try:
            stored = load_study(path)
        except ValueError:
            stored = None
        if stored is not None and stored.about == plain:
            return stored
        if stored is not None:
            _check_seeds(path, stored.about, plain)
    part = Study(path.stem, dict(make()), plain)
    part.save(path)
    return part
