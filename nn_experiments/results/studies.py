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

__all__ = ["Study", "find_studies", "load_study", "resumed", "study_path"]


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


def study_path(name: str, folder: Path) -> Path:
    """Return the file of a study below an output folder or a folder of records."""
    return folder / "studies" / f"{name}.npz"


def find_studies(folders: Iterable[Path]) -> list[Study]:
    """Return all studies in the folders, sorted by name; a study in several folders is taken from the first."""
    studies: dict[str, Study] = {}
    for folder in dict.fromkeys(folders):
        for path in sorted((folder / "studies").glob("*.npz")):
            studies.setdefault(path.stem, load_study(path))
    return [studies[name] for name in sorted(studies)]


def resumed(path: Path, settings: Mapping[str, object], make: Callable[[], Mapping[str, np.ndarray]]) -> Study:
    """Return a part of a study from its file, or compute it and write the file.

    The part is computed again if the file has other settings, or is truncated or altered.
    """
    plain = json.loads(json.dumps(settings))
    if path.is_file():
        try:
            stored = load_study(path)
        except ValueError:
            stored = None
        if stored is not None and stored.about == plain:
            return stored
    part = Study(path.stem, dict(make()), plain)
    part.save(path)
    return part
