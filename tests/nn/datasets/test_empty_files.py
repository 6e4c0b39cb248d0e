"""Files of data without a single byte are named as empty, with what to do."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from nn_experiments.datasets import DataError, load_dataset
from nn_experiments.datasets.sources import find_local

IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
FILES = {
    "arrays": ("fashion_mnist", "fashion_mnist.npz"),
    "subset": ("cifar10", "cifar10-cut.npz"),
    "archive": ("cifar10", "cifar-10-python.tar.gz"),
    "binary archive": ("cifar100", "cifar-100-binary.tar.gz"),
    "batch": ("cifar10", "cifar-10-batches-py/data_batch_1"),
    "binary batch": ("cifar10", "cifar-10-batches-bin/data_batch_1.bin"),
    "idx": ("fashion_mnist", IDX[0]),
    "compressed idx": ("fashion_mnist", f"{IDX[0]}.gz"),
}


def put(folder: Path, file: str, content: bytes) -> Path:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    if "idx3" in file:
        for name in IDX[1:]:
            (folder / name).write_bytes(b"\x00\x00\x08\x01\x00\x00\x00\x00")
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("name", "file"), FILES.values(), ids=FILES)
def test_an_empty_file_is_said_to_be_empty(tmp_path: Path, name: str, file: str) -> None:
    path = put(tmp_path, file, b"")
    with pytest.raises(
        DataError, match=r"is empty, .*: delete it, .*, or (put the whole file in its place|write it again)"
    ) as refused:
        load_dataset(name, data_dir=tmp_path, download=False)
    assert path.name in str(refused.value)


@pytest.mark.control
@pytest.mark.parametrize(("name", "file"), FILES.values(), ids=FILES)
def test_half_a_file_is_not_said_to_be_empty(tmp_path: Path, name: str, file: str) -> None:
    put(tmp_path, file, b"PK\x03\x04 and half of the rest")
    with pytest.raises(DataError) as refused:
        load_dataset(name, data_dir=tmp_path, download=False)
    assert "is empty" not in str(refused.value)


def test_a_compressed_file_of_nothing_is_empty(tmp_path: Path) -> None:
    put(tmp_path, f"{IDX[0]}.gz", gzip.compress(b""))
    with pytest.raises(DataError, match="is empty"):
        find_local("fashion_mnist", tmp_path)


def test_arrays_of_no_images_are_no_empty_file(tmp_path: Path) -> None:
    arrays = {f"{part}_{what}": np.zeros(0) for part in ("train", "test") for what in ("images", "labels")}
    np.savez(tmp_path / "cifar10.npz", **arrays)
    assert find_local("cifar10", tmp_path) is not None
