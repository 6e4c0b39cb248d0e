"""Files that may come from others: the functions that read them, and files that are altered or made to harm."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from nn_experiments.results import blocks as store
from nn_experiments.results.load import load

__all__ = ["altered", "hostile", "loaders"]


def altered(data: bytes, rng: np.random.Generator) -> bytes:
    """One of: cut, emptied, a changed byte, a changed stretch, random bytes."""
    kind, raw = rng.integers(5), bytearray(data)
    if kind == 0:
        return data[: int(rng.integers(0, len(data)))]
    if kind == 1:
        return b""
    if kind == 2:
        raw[int(rng.integers(len(raw)))] ^= 1 << int(rng.integers(8))
        return bytes(raw)
    if kind == 3:
        first = int(rng.integers(len(raw)))
        raw[first : first + 30] = rng.bytes(len(raw[first : first + 30]))
        return bytes(raw)
    return rng.bytes(int(rng.integers(1, 500)))


class _Payload:
    """A pickle that writes a file when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.mark,))


def loaders() -> dict[str, Callable[[Path], object]]:
    """Every function that reads a file which may come from others."""
    from nn_experiments.datasets.formats import read_arrays
    from nn_experiments.datasets.subset import read_subset
    from nn_experiments.orders.recording import read_indices
    from nn_experiments.results.increments import load_increments
    from nn_experiments.results.studies import load_study

    return {
        "block": store.read_block,
        "record": load,
        "study": load_study,
        "increments": load_increments,
        "data subset": read_subset,
        "data arrays": read_arrays,
        "settings": lambda path: store.read_settings(path.parent),
        "recorded order": read_indices,
    }


def hostile(mark: Path) -> Iterator[bytes]:
    """Files that are made to harm: pickles under every name, shapes beyond all memory, encrypted members, deep JSON."""
    names = ["iterate", "meta", "about", "value/loss", "checksum", "train_images", "draws", "seeds", "orders"]
    buffer = io.BytesIO()
    np.savez(buffer, **dict.fromkeys(names, np.array([_Payload(mark)], dtype=object)))
    yield buffer.getvalue()
    for header in (b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999,), }", b"((((" * 3000, b"{}"):
        array = b"\x93NUMPY\x01\x00" + len(header[:60000]).to_bytes(2, "little") + header[:60000]
        yield array
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name in names:
                archive.writestr(f"{name}.npy", array)
        yield buffer.getvalue()
        encrypted = bytearray(buffer.getvalue())
        for at in _headers(bytes(encrypted)):
            encrypted[at] |= 1
        yield bytes(encrypted)
    yield b"[" * 200_000
    yield json.dumps([1, 2]).encode()
    yield json.dumps({"identity": 3}).encode()
    yield b"\xff\xfe\x00"


def _headers(data: bytes) -> Iterator[int]:
    """The places of the flags of every member in an archive, in both of its lists."""
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(mark)
        while at >= 0:
            yield at + offset
            at = data.find(mark, at + 1)
