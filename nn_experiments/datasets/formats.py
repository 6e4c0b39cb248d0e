"""Readers of the official file formats: IDX, the python and binary CIFAR archives, and plain ``.npz`` arrays.

Every reader takes bytes or a path and raises `DataError` with the file's name if data is missing or left over. No
reader executes code from a file: the CIFAR python archives are pickles, of which only NumPy arrays and plain containers
are accepted.
"""

from __future__ import annotations

import gzip
import io
import math
import pickle
import struct
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from contraction.files import UNREADABLE, check_numpy_file
from nn_experiments.datasets.errors import DataError

__all__ = ["Split", "Splits", "check_not_empty", "read_arrays", "read_cifar", "read_idx"]

Split = tuple[np.ndarray, np.ndarray]
Splits = tuple[Split, Split]

_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


def check_not_empty(name: str | Path, size: int, remedy: str = "put the whole file in its place") -> None:
    """Check that a file of data has a first byte; ``remedy`` says how to make a whole one.

    Raises
    ------
    DataError
        If it is empty; the message says what to do.
    """
    if size == 0:
        raise DataError(
            f"{name} is empty, perhaps from a download or a copy that did not begin: delete it, so that the data is "
            f"looked for elsewhere, or {remedy}"
        )


def read_idx(path: Path) -> np.ndarray:
    """Read an IDX file of unsigned bytes, compressed (``.gz``) or not."""
    try:
        check_not_empty(path, path.stat().st_size)
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is truncated or altered ({error})") from error
    check_not_empty(path, len(data))
    if len(data) < 8 or data[:3] != b"\x00\x00\x08" or not 1 <= data[3] <= 4:
        raise DataError(f"{path} is not an IDX file of unsigned bytes")
    axes = data[3]
    shape = struct.unpack(f">{axes}I", data[4 : 4 + 4 * axes])
    body = len(data) - 4 - 4 * axes
    if body != math.prod(shape):
        raise DataError(f"{path} announces {math.prod(shape)} values of shape {shape} and holds {body}")
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        if (module, name) in _ALLOWED:
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not an array")


def _python_batch(data: bytes, name: str, label_key: bytes) -> Split:
    check_not_empty(name, len(data))
    try:
        batch = _ArraysOnly(io.BytesIO(data), encoding="bytes").load()
        pixels, labels = np.asarray(batch[b"data"]), np.asarray(batch[label_key])
    except (pickle.UnpicklingError, EOFError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{name} is not a complete CIFAR python batch ({error})") from error
    if pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != 3072 or len(labels) != len(pixels):
        raise DataError(f"{name} holds {pixels.shape} pixels of {pixels.dtype} and {len(labels)} labels")
    return pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels


def _binary_batch(data: bytes, name: str, label_bytes: int) -> Split:
    record = 3072 + label_bytes
    check_not_empty(name, len(data))
    if len(data) % record:
        raise DataError(f"{name} has {len(data)} bytes, which is not a multiple of a record's {record}")
    rows = np.frombuffer(data, np.uint8).reshape(-1, record)
    return rows[:, label_bytes:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), rows[:, label_bytes - 1]


def _reader(path: Path) -> Callable[[str], bytes]:
    """Return a function from a member's base name to its bytes, for a folder or a ``.tar.gz``."""
    if path.is_dir():

        def from_folder(name: str) -> bytes:
            try:
                return (path / name).read_bytes()
            except FileNotFoundError:
                raise DataError(f"{path} lacks the file {name}") from None

        return from_folder
    members: dict[str, bytes] = {}
    check_not_empty(path, path.stat().st_size)
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                file = archive.extractfile(member)
                if file is not None:
                    members[Path(member.name).name] = file.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is truncated or altered ({error})") from error

    def from_archive(name: str) -> bytes:
        if name not in members:
            raise DataError(f"{path} lacks the file {name}; it holds {', '.join(sorted(members)) or 'nothing'}")
        return members[name]

    return from_archive


def read_cifar(path: Path, *, classes: int, binary: bool) -> Splits:
    """Read CIFAR-10 or CIFAR-100 (fine labels) in the Python or the binary version, from a folder or its archive."""
    read = _reader(path)
    ten = [f"data_batch_{k}" for k in range(1, 6)], ["test_batch"]
    names = ten if classes == 10 else (["train"], ["test"])
    splits: list[Split] = []
    for part in names:
        pieces: list[Split] = []
        for name in part:
            if binary:
                label_bytes = 1 if classes == 10 else 2
                pieces.append(_binary_batch(read(f"{name}.bin"), f"{path}: {name}.bin", label_bytes))
            else:
                key = b"labels" if classes == 10 else b"fine_labels"
                pieces.append(_python_batch(read(name), f"{path}: {name}", key))
        splits.append((np.concatenate([p for p, _ in pieces]), np.concatenate([y for _, y in pieces])))
    return splits[0], splits[1]


def read_arrays(path: Path) -> Splits:
    """Read ``train_images, train_labels, test_images, test_labels`` from a ``.npz``, without pickle."""
    check_not_empty(path, path.stat().st_size)
    try:
        with path.open("rb") as raw:
            check_numpy_file(raw)
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            return (file["train_images"], file["train_labels"]), (file["test_images"], file["test_labels"])
    except KeyError as error:
        raise DataError(f"{path} lacks an array: {error}") from error
    except UNREADABLE as error:
        raise DataError(f"{path} is truncated or altered ({error})") from error
