"""A data set cut down to the images that some runs draw: one small file that stands for the whole set (NumPy only).

What is checked when a cut is read: its own SHA-256 over everything in it (so a truncated or altered file is
refused), shapes, labels, and that its images stand in canonical order. What cannot be checked without the whole
set: that the images are that set's, at these places. The fingerprint, the sizes and the statistics of the whole set
are carried over from where the cut was made; there the whole set was hashed.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

import numpy as np

from contraction.files import replacing
from nn_experiments.datasets.dataset import Dataset
from nn_experiments.datasets.errors import DataError

__all__ = ["CutDataset", "Rows", "cut_path", "read_cut", "write_cut"]

PARTS = ("train", "test")


class Rows:
    """An array of which only some rows are at hand: as long as the whole one, indexed by places in the whole one.

    Parameters
    ----------
    values
        (K, …): the rows at hand.
    places
        (K,) int64, increasing: where they stand in the whole array.
    count
        Length of the whole array.
    holds, purpose
        What the error says of a row that is not at hand: what there is, and what it was cut for.
    """

    def __init__(self, values: np.ndarray, places: np.ndarray, count: int, *, holds: str, purpose: str) -> None:
        self.values, self.places, self.holds, self.purpose = values, places, holds, purpose
        self._all = np.arange(count)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole array."""
        return (len(self._all), *self.values.shape[1:])

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.values.ndim

    @property
    def dtype(self) -> np.dtype:
        """Type of the numbers."""
        return self.values.dtype

    def __len__(self) -> int:
        """Length of the whole array."""
        return len(self._all)

    def __getitem__(self, rows: np.ndarray | slice | int) -> np.ndarray:
        """Return rows of the whole array, in the order asked for.

        Raises
        ------
        DataError
            If one of them is not at hand.
        IndexError
            If the whole array has no such row.
        """
        return self.values[self._found(rows)]

    def require(self, rows: np.ndarray) -> None:
        """Raise the error of a row that is not at hand, if there is one, without copying any."""
        self._found(rows)

    def _found(self, rows: np.ndarray | slice | int) -> np.ndarray:
        """Return where rows of the whole array stand among those at hand."""
        if not isinstance(rows, np.ndarray | slice | list | int | np.integer):
            raise TypeError(f"a cut of a data set is indexed by rows only, got {rows!r}")
        wanted = self._all[rows]
        found = np.minimum(np.searchsorted(self.places, wanted), len(self.places) - 1)
        missing = np.asarray(wanted)[self.places[found] != wanted]
        if missing.size:
            self._refuse(f"image {missing.flat[0]}" + (f" and {missing.size - 1} more" if missing.size > 1 else ""))
        return found

    def __array__(self, *args: object, **kwargs: object) -> NoReturn:
        """Refuse to stand for the whole array."""
        self._refuse("the others")

    def _refuse(self, wanted: str) -> NoReturn:
        raise DataError(
            f"{self.holds} and not {wanted}; it was cut for {self.purpose}. Cut a larger one from the whole data set, "
            "with this run's figure, --seeds, --steps and --set: "
            "python -m nn_experiments data --for FIGURE --seeds SEED … --into FOLDER"
        )


@dataclass(frozen=True, eq=False)
class CutDataset(Dataset):
    """A `Dataset` whose four arrays are `Rows`; everything else is the whole set's.

    Attributes
    ----------
    purposes
        The runs it was cut for, in words.
    held
        How many training and test images are at hand.
    carried
        Mean and standard deviation of the whole set's training pixels, each (C,) float64.
    """

    purposes: tuple[str, ...]
    held: tuple[int, int]
    carried: tuple[np.ndarray, np.ndarray]

    def statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the whole set's mean and standard deviation, as carried in the file."""
        return self.carried


def cut_path(name: str, folder: Path) -> Path:
    """Return where a folder has its cut of a data set: ``NAME-cut.npz``."""
    return folder / f"{name}-cut.npz"


def _checksum(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        array = array.astype(array.dtype.newbyteorder("<"))
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def write_cut(
    dataset: Dataset, rows: tuple[np.ndarray, np.ndarray], purposes: Sequence[str], folder: Path
) -> tuple[Path, CutDataset]:
    """Write a cut of a data set, or add to the one that the folder has already; return its path and itself.

    Parameters
    ----------
    dataset
        The whole set (or a larger cut of it).
    rows
        Places of the training and of the test images to keep, int64, in any order.
    purposes
        The runs it is for, in words.

    Raises
    ------
    DataError
        If the folder has a cut of other data under this name, or ``dataset`` lacks a row.
    """
    path = cut_path(dataset.name, folder)
    keep = [np.unique(places) for places in rows]
    if path.exists():
        old = read_cut(path)
        if old.fingerprint != dataset.fingerprint:
            raise DataError(f"{path} is a cut of other data (fingerprint {old.fingerprint}, not {dataset.fingerprint})")
        purposes = (*old.purposes, *purposes)
        keep = [np.union1d(k, cast(Rows, getattr(old, f"{p}_inputs")).places) for k, p in zip(keep, PARTS, strict=True)]
    about = {
        "name": dataset.name,
        "classes": dataset.classes,
        "levels": dataset.levels,
        "fingerprint": dataset.fingerprint,
        "train": len(dataset.train_inputs),
        "test": len(dataset.test_inputs),
        "purposes": list(dict.fromkeys(purposes)),
    }
    mean, deviation = dataset.statistics()
    arrays: dict[str, Any] = {"about": np.array(json.dumps(about)), "mean": mean, "deviation": deviation}
    for part, places in zip(PARTS, keep, strict=True):
        arrays[f"{part}_places"] = places
        arrays[f"{part}_images"] = getattr(dataset, f"{part}_inputs")[places]
        arrays[f"{part}_labels"] = getattr(dataset, f"{part}_targets")[places].astype(np.uint16)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, checksum=np.array(_checksum(arrays)), **arrays)
    return path, read_cut(path)


def read_cut(path: Path) -> CutDataset:
    """Read a cut.

    Raises
    ------
    DataError
        If the file is truncated, altered or no cut.
    """
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        checksum = str(arrays.pop("checksum"))
        about = json.loads(str(arrays["about"]))
    except (OSError, EOFError, KeyError, ValueError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is truncated or altered, or no cut of a data set ({error}); make it again") from error
    if _checksum(arrays) != checksum:
        raise DataError(f"{path} is altered: its contents do not have the checksum it carries; make it again")
    found: list[Any] = []
    purposes = tuple(about["purposes"])
    for part in PARTS:
        places, images, labels = (arrays[f"{part}_{what}"] for what in ("places", "images", "labels"))
        _check(path, about, part, places, images, labels)
        about_rows = {
            "holds": f"{path} holds {len(places):,} of the {about[part]:,} {part} images of {about['name']}",
            "purpose": "; ".join(purposes),
        }
        found += [Rows(values, places, about[part], **about_rows) for values in (images, labels.astype(np.int64))]
    return CutDataset(
        about["name"],
        *found,
        classes=about["classes"],
        levels=about["levels"],
        fingerprint=about["fingerprint"],
        purposes=purposes,
        held=(len(found[0].places), len(found[2].places)),
        carried=(arrays["mean"], arrays["deviation"]),
    )


def _check(path: Path, about: dict, part: str, places: np.ndarray, images: np.ndarray, labels: np.ndarray) -> None:
    keys = [
        hashlib.sha256(image.tobytes()).digest() + int(y).to_bytes(2, "big")
        for image, y in zip(images, labels, strict=False)
    ]
    if (
        images.dtype != np.uint8
        or images.ndim != 4
        or not len(places) == len(images) == len(labels) > 0
        or (np.diff(places) <= 0).any()
        or not 0 <= places[0] <= places[-1] < about[part]
        or labels.max() >= about["classes"]
        or keys != sorted(keys)
    ):
        raise DataError(f"{path}: the {part} images are not a subset of a data set in canonical order; make it again")
