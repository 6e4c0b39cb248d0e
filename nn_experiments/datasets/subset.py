"""Data subsets: the images of a data set that some runs read, in one small file (NumPy only).

Reading a subset checks a SHA-256 of its contents (so that a truncated or altered file is refused), the shapes and
labels, and that its images are in canonical order. Without the whole set it cannot check that the images belong to that
set and have these positions in it. The fingerprint, the sizes and the statistics of the whole set are stored in the
file; they were computed from the whole set when the subset was written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, cast

import numpy as np

from contraction.files import UNREADABLE, check_numpy_file, replacing
from nn_experiments.datasets.dataset import Dataset
from nn_experiments.datasets.errors import DataError
from nn_experiments.datasets.formats import check_not_empty

__all__ = ["DataSubset", "Rows", "read_subset", "subset_path", "write_subset"]

PARTS = ("train", "test")


class Rows:
    """Some rows of an array, indexed by their positions in the whole array.

    Parameters
    ----------
    values
        (K, …): the rows that are stored.
    positions
        (K,) int64, increasing: their positions in the whole array.
    count
        Length of the whole array.
    holds, purpose
        For the error message about a missing row: what is stored, and which runs it was written for.
    """

    def __init__(self, values: np.ndarray, positions: np.ndarray, count: int, *, holds: str, purpose: str) -> None:
        self.values, self.positions, self.holds, self.purpose = values, positions, holds, purpose
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
            If one of them is not stored.
        IndexError
            If an index is outside the whole array.
        """
        return self.values[self._stored(rows)]

    def require(self, rows: np.ndarray) -> None:
        """Raise `DataError` if one of these rows is not stored; nothing is copied."""
        self._stored(rows)

    def _stored(self, rows: np.ndarray | slice | int) -> np.ndarray:
        """Return the positions, among the stored rows, of rows of the whole array."""
        if not isinstance(rows, np.ndarray | slice | list | int | np.integer):
            raise TypeError(f"a data subset is indexed by rows only, got {rows!r}")
        wanted = self._all[rows]
        stored = np.minimum(np.searchsorted(self.positions, wanted), len(self.positions) - 1)
        missing = np.asarray(wanted)[self.positions[stored] != wanted]
        if missing.size:
            self._refuse(f"image {missing.flat[0]}" + (f" and {missing.size - 1} more" if missing.size > 1 else ""))
        return stored

    def __array__(self, *args: object, **kwargs: object) -> NoReturn:
        """Refuse a conversion to a NumPy array, which would need all rows."""
        self._refuse("the others")

    def _refuse(self, wanted: str) -> NoReturn:
        raise DataError(
            f"{self.holds} and not {wanted}; it was written for {self.purpose}. Write a larger one from the whole "
            "data set, with this run's figure, --seeds, --steps and --set: "
            "python -m nn_experiments data --for FIGURE --seeds SEED … --into FOLDER"
        )


@dataclass(frozen=True, eq=False)
class DataSubset(Dataset):
    """A `Dataset` whose four arrays are `Rows`; name, fingerprint and statistics are those of the whole set.

    Attributes
    ----------
    purposes
        The runs it was written for, in words.
    held
        Number of stored training and test images.
    carried
        Mean and standard deviation of the whole set's training pixels, each (C,) float64.
    """

    purposes: tuple[str, ...]
    held: tuple[int, int]
    carried: tuple[np.ndarray, np.ndarray]

    def statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the whole set's mean and standard deviation, as stored in the file."""
        return self.carried


def subset_path(name: str, folder: Path) -> Path:
    """Return the file of a data subset in a folder, ``NAME-cut.npz``."""
    return folder / f"{name}-cut.npz"


def _checksum(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        array = array.astype(array.dtype.newbyteorder("<"))
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def write_subset(
    dataset: Dataset, rows: tuple[np.ndarray, np.ndarray], purposes: Sequence[str], folder: Path
) -> tuple[Path, DataSubset]:
    """Write a subset of a data set, or extend the one that the folder has already.

    Parameters
    ----------
    dataset
        The whole set, or a larger subset of it.
    rows
        Positions of the training and of the test images to store, int64, in any order.
    purposes
        The runs it is for, in words.
    folder
        Where the file is written.

    Returns
    -------
    Path, DataSubset
        The file, and what it now holds.

    Raises
    ------
    DataError
        If the folder has a subset of other data under this name, or ``dataset`` lacks a row.
    """
    path = subset_path(dataset.name, folder)
    keep = [np.unique(positions) for positions in rows]
    if path.exists():
        old = read_subset(path)
        if old.fingerprint != dataset.fingerprint:
            raise DataError(
                f"{path} is a subset of other data (fingerprint {old.fingerprint}, not {dataset.fingerprint})"
            )
        purposes = (*old.purposes, *purposes)
        keep = [
            np.union1d(k, cast(Rows, getattr(old, f"{p}_inputs")).positions) for k, p in zip(keep, PARTS, strict=True)
        ]
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
    arrays = {"about": np.array(json.dumps(about)), "mean": mean, "deviation": deviation}
    for part, positions in zip(PARTS, keep, strict=True):
        arrays[f"{part}_places"] = positions
        arrays[f"{part}_images"] = getattr(dataset, f"{part}_inputs")[positions]
        arrays[f"{part}_labels"] = getattr(dataset, f"{part}_targets")[positions].astype(np.uint16)
    with replacing(path) as temporary, temporary.open("wb") as file:
        stored = {"checksum": np.array(_checksum(arrays)), **arrays}
        np.savez_compressed(file, **stored)  # type: ignore[arg-type]  # no array is called "allow_pickle"
    return path, read_subset(path)


def read_subset(path: Path) -> DataSubset:
    """Read a data subset.

    Raises
    ------
    DataError
        If the file is truncated, altered or not a data subset.
    """
    check_not_empty(path, path.stat().st_size, "write it again")
    try:
        with path.open("rb") as raw:
            check_numpy_file(raw)
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        checksum = str(arrays.pop("checksum"))
        about = json.loads(str(arrays["about"]))
    except UNREADABLE as error:
        raise DataError(f"{path} is truncated or altered, or not a data subset ({error}); write it again") from error
    if _checksum(arrays) != checksum:
        raise DataError(f"{path} is altered: its contents do not have the checksum stored in it; write it again")
    rows: list[Rows] = []
    purposes = tuple(about["purposes"])
    for part in PARTS:
        count = int(about[part])
        positions, images, labels = (arrays[f"{part}_{what}"] for what in ("places", "images", "labels"))
        if not _is_subset(positions, images, labels, count=count, classes=about["classes"]):
            raise DataError(
                f"{path}: the {part} images are not a subset of a data set in canonical order; write it again"
            )
        about_rows = {
            "holds": f"{path} holds {len(positions):,} of the {count:,} {part} images of {about['name']}",
            "purpose": "; ".join(purposes),
        }
        rows += [Rows(values, positions, count, **about_rows) for values in (images, labels.astype(np.int64))]
    return DataSubset(
        about["name"],
        *cast(list[np.ndarray], rows),  # they are indexed as arrays are
        classes=about["classes"],
        levels=about["levels"],
        fingerprint=about["fingerprint"],
        purposes=purposes,
        held=(len(rows[0].positions), len(rows[2].positions)),
        carried=(arrays["mean"], arrays["deviation"]),
    )


def _is_subset(positions: np.ndarray, images: np.ndarray, labels: np.ndarray, *, count: int, classes: int) -> bool:
    """Whether these can be images of a data set of ``count`` images in canonical order, at these positions."""
    keys = [
        hashlib.sha256(image.tobytes()).digest() + int(y).to_bytes(2, "big")
        for image, y in zip(images, labels, strict=False)
    ]
    return (
        images.dtype == np.uint8
        and images.ndim == 4
        and len(positions) == len(images) == len(labels) > 0
        and bool((np.diff(positions) > 0).all())
        and bool(0 <= positions[0] <= positions[-1] < count)
        and bool(labels.max() < classes)
        and keys == sorted(keys)
    )
