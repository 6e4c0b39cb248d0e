"""Files of images byte by byte: headers of IDX files, pixels and labels of CIFAR's records, and what is refused."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest

from nn_experiments.datasets import formats
from nn_experiments.datasets.errors import DataError
from nn_experiments.datasets.formats import read_arrays, read_cifar, read_idx


def idx(shape: tuple[int, ...], body: bytes) -> bytes:
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + body


@pytest.mark.parametrize("shape", [(6,), (2, 3), (1, 2, 3), (3, 1, 2, 1), (256,), (2, 300)], ids=str)
@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_have_one_to_four_axes_of_bytes(shape: tuple[int, ...], packed: bool, tmp_path: Path) -> None:
    values = np.arange(np.prod(shape)) % 256
    data = idx(shape, values.astype(np.uint8).tobytes())
    path = tmp_path / ("file.gz" if packed else "file")
    path.write_bytes(gzip.compress(data) if packed else data)
    found = read_idx(path)
    assert (found.dtype, found.tolist()) == (np.uint8, values.reshape(shape).tolist())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "bad is empty, "),
        (idx((1,), b"")[:7], "is not an IDX file of unsigned bytes"),  # shorter than any header
        (b"\x00\x00\x09\x01" + bytes(4), "is not an IDX file of unsigned bytes"),  # signed ones
        (b"\x01\x00\x08\x01" + bytes(4), "is not an IDX file of unsigned bytes"),
        (bytes([0, 0, 8, 0]) + bytes(4), "is not an IDX file of unsigned bytes"),  # no axis
        (bytes([0, 0, 8, 5]) + bytes(24), "is not an IDX file of unsigned bytes"),  # five
        (idx((2, 3), bytes(5)), r"announces 6 values of shape \(2, 3\) and holds 5"),
        (idx((2, 3), bytes(7)), r"announces 6 values of shape \(2, 3\) and holds 7"),
        (idx((0,), b"\x01"), r"announces 0 values of shape \(0,\) and holds 1"),
    ],
    ids=["empty", "short", "signed", "no zero", "no axis", "five axes", "one less", "one more", "none"],
)
def test_other_files_are_no_idx_files(data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "good").write_bytes(idx((0,), b""))
    assert read_idx(tmp_path / "good").shape == (0,)
    (tmp_path / "bad").write_bytes(data)
    with pytest.raises(DataError, match=message):
        read_idx(tmp_path / "bad")


def picture(k: int) -> np.ndarray:
    """Return a picture (3, 32, 32) whose pixels all differ from those of another one somewhere."""
    return ((np.arange(3072) * 7 + k) % 256).astype(np.uint8).reshape(3, 32, 32)


@pytest.mark.parametrize("classes", [10, 100])
@pytest.mark.parametrize("binary", [False, True])
def test_pictures_have_colours_last_and_batches_stand_in_their_order(
    classes: int, binary: bool, tmp_path: Path
) -> None:
    """Two pictures a batch. CIFAR-100 has a coarse label before the fine one, which alone is read."""
    names = [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"] if classes == 10 else ["train", "test"]
    for k, name in enumerate(names):
        pixels, labels = [picture(2 * k), picture(2 * k + 1)], [2 * k % 10, (2 * k + 1) % 10]
        if binary:
            coarse = [] if classes == 10 else [99]
            records = [bytes([*coarse, label]) + one.tobytes() for one, label in zip(pixels, labels, strict=True)]
            (tmp_path / f"{name}.bin").write_bytes(b"".join(records))
        else:
            key = b"labels" if classes == 10 else b"fine_labels"
            batch = {b"data": np.stack([one.reshape(-1) for one in pixels]), key: labels, b"coarse_labels": [99, 99]}
            (tmp_path / name).write_bytes(pickle.dumps(batch, protocol=2))
    train, test = read_cifar(tmp_path, classes=classes, binary=binary)
    first = 2 * (len(names) - 1)
    for (images, labels), numbers in ((train, range(first)), (test, range(first, first + 2))):
        assert images.shape == (len(numbers), 32, 32, 3)
        assert np.array_equal(images, np.stack([picture(k).transpose(1, 2, 0) for k in numbers]))
        assert labels.tolist() == [k % 10 for k in numbers]


@pytest.mark.parametrize(("label_bytes", "record"), [(1, 3073), (2, 3074)])
def test_binary_files_are_whole_records(label_bytes: int, record: int) -> None:
    images, labels = formats._binary_batch(bytes(2 * record), "name", label_bytes)
    assert (images.shape, labels.tolist()) == ((2, 32, 32, 3), [0, 0])
    with pytest.raises(DataError, match=r"^name is empty"):
        formats._binary_batch(b"", "name", label_bytes)
    for size in (1, record - 1, record + 1, 2 * record + 1):
        with pytest.raises(DataError, match=f"name has {size} bytes, which is not a multiple of a record's {record}"):
            formats._binary_batch(bytes(size), "name", label_bytes)


@pytest.mark.parametrize(
    ("data", "labels", "message"),
    [
        (np.zeros((2, 3072), np.uint8), [1, 2], None),
        (np.zeros((2, 3072), np.uint8), [1], "holds .2, 3072. pixels of uint8 and 1 labels"),
        (np.zeros((2, 3071), np.uint8), [1, 2], "holds .2, 3071. pixels"),
        (np.zeros((2, 3072), np.int16), [1, 2], "pixels of int16"),
        (np.zeros((2, 3072, 1), np.uint8), [1, 2], "holds .2, 3072, 1. pixels"),
        (None, [1, 2], "is not a complete CIFAR python batch"),
    ],
    ids=["good", "a label less", "a pixel less", "other numbers", "an axis more", "no pixels"],
)
def test_batches_of_python_have_a_label_for_every_row(data: object, labels: list[int], message: str | None) -> None:
    batch = {b"labels": labels} | ({} if data is None else {b"data": data})
    written = pickle.dumps(batch, protocol=2)
    if message is None:
        assert formats._python_batch(written, "name", b"labels")[1].tolist() == labels
        return
    with pytest.raises(DataError, match=message):
        formats._python_batch(written, "name", b"labels")


def test_members_of_an_archive_are_found_by_their_last_name(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        folder = tarfile.TarInfo("inner")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in (("inner/one", b"1"), ("two", b"22")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    read = formats._reader(path)
    assert (read("one"), read("two")) == (b"1", b"22")
    with pytest.raises(DataError, match="lacks the file three; it holds one, two"):
        read("three")
    with pytest.raises(DataError, match="lacks the file three"):
        formats._reader(tmp_path)("three")


def test_arrays_are_read_as_they_are(tmp_path: Path) -> None:
    names = ("train_images", "train_labels", "test_images", "test_labels")
    arrays = {name: np.arange(k + 1) for k, name in enumerate(names)}
    np.savez(tmp_path / "all.npz", **arrays)
    (a, b), (c, d) = read_arrays(tmp_path / "all.npz")
    assert [len(one) for one in (a, b, c, d)] == [1, 2, 3, 4]
    del arrays["test_images"]
    np.savez(tmp_path / "less.npz", **arrays)
    with pytest.raises(DataError, match=r"lacks an array: .*test_images"):
        read_arrays(tmp_path / "less.npz")
    (tmp_path / "bad.npz").write_bytes((tmp_path / "all.npz").read_bytes()[:-30])
    with pytest.raises(DataError, match="is truncated or altered"):
        read_arrays(tmp_path / "bad.npz")
