"""Data: official formats, canonical order, fingerprints, and clear errors that leave no half file."""

from __future__ import annotations

import functools
import gzip
import hashlib
import http.server
import io
import os
import pickle
import struct
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from nn_experiments.datasets import DataError, MissingData, canonical_order, from_images, load_dataset, sources
from nn_experiments.datasets.sources import Source
from nn_experiments.training.sampling import Sampler

IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def images(count: int, shape: tuple[int, ...], classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(256, size=(count, *shape), dtype=np.uint8), rng.integers(classes, size=count)


def write_idx(folder: Path, train, test, *, packed: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(IDX, (*train, *test), strict=True):
        array = array.astype(np.uint8)
        data = b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
        (folder / (name + ".gz" * packed)).write_bytes(gzip.compress(data) if packed else data)


def cifar_files(classes: int, train, test, *, binary: bool) -> dict[str, bytes]:
    """Return the files of the official CIFAR layouts, by base name."""

    def batch(pixels: np.ndarray, labels: np.ndarray) -> bytes:
        rows = pixels.transpose(0, 3, 1, 2).reshape(len(pixels), -1)
        if binary:
            heads = [labels[:, None]] if classes == 10 else [labels[:, None] // 5, labels[:, None]]
            return np.concatenate([*heads, rows], 1).astype(np.uint8).tobytes()
        key = b"labels" if classes == 10 else b"fine_labels"
        return pickle.dumps({b"data": rows, key: labels.tolist(), b"batch_label": b"a batch"}, protocol=2)

    end = ".bin" if binary else ""
    if classes == 100:
        return {f"train{end}": batch(*train), f"test{end}": batch(*test)}
    parts = np.array_split(np.arange(len(train[0])), 5)
    files = {f"data_batch_{k + 1}{end}": batch(train[0][rows], train[1][rows]) for k, rows in enumerate(parts)}
    return files | {f"test_batch{end}": batch(*test)}


def tar(files: dict[str, bytes], folder: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Serve a folder over loopback; give its address and the folder."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/", folder
        running.shutdown()


def test_the_paper_s_functions() -> None:
    data = load_dataset("cosine")
    assert data.train_inputs.shape == (101, 1)
    assert data.test_inputs.shape == (100, 1)
    assert data.train_inputs[[0, 50, 100], 0].tolist() == [-1, 0, 1]
    assert np.array_equal(data.train_targets, np.cos(10 * data.train_inputs))
    assert np.allclose(data.test_inputs[:, 0], (data.train_inputs[1:, 0] + data.train_inputs[:-1, 0]) / 2)


def test_digits_need_no_download() -> None:
    data = load_dataset("digits", download=False)
    assert (data.shape, data.outputs, data.levels) == ((1, 8, 8), 10, 16)
    assert len(data.train_inputs) + len(data.test_inputs) == 1797
    assert data.fingerprint == "88df48e7f134b6c3"


def test_canonical_order_forgets_where_images_came_from() -> None:
    """Any permutation of the files gives the same arrays; another label or pixel gives another fingerprint."""
    train, test = images(40, (4, 4, 3), 10, 0), images(9, (4, 4, 3), 10, 1)
    train[0][7] = train[0][3]  # a twin with another label
    train[1][[3, 7]] = [4, 2]
    data = from_images("x", train, test, classes=10)
    shuffle = np.random.default_rng(5).permutation(40)
    again = from_images("x", (train[0][shuffle], train[1][shuffle]), test, classes=10)
    assert np.array_equal(data.train_inputs, again.train_inputs)
    assert np.array_equal(data.train_targets, again.train_targets)
    assert data.fingerprint == again.fingerprint
    keys = [
        hashlib.sha256(image.tobytes()).hexdigest() + f"{y:04x}"
        for image, y in zip(data.train_inputs, data.train_targets, strict=True)
    ]
    assert keys == sorted(keys)
    other = train[1].copy()
    other[0] = (other[0] + 1) % 10
    assert from_images("x", (train[0], other), test, classes=10).fingerprint != data.fingerprint
    by_index = canonical_order(train[0], np.zeros(40, int))
    assert sorted(by_index.tolist()) == list(range(40))


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("place", ["", "FashionMNIST/raw"])
def test_idx_files(tmp_path: Path, packed: bool, place: str) -> None:
    train, test = images(30, (28, 28), 10, 0), images(8, (28, 28), 10, 1)
    write_idx(tmp_path / place, train, test, packed=packed)
    data = load_dataset("fashion_mnist", data_dir=tmp_path, official=False)
    right = from_images("fashion_mnist", train, test, classes=10)
    assert data.fingerprint == right.fingerprint
    assert np.array_equal(data.train_inputs, right.train_inputs)


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("archive", [True, False])
@pytest.mark.parametrize("classes", [10, 100])
def test_cifar_files(tmp_path: Path, classes: int, archive: bool, binary: bool) -> None:
    train, test = images(20, (32, 32, 3), classes, 0), images(6, (32, 32, 3), classes, 1)
    files = cifar_files(classes, train, test, binary=binary)
    folder = f"cifar-{classes}-" + (
        ("batches-bin" if classes == 10 else "binary") if binary else ("batches-py" if classes == 10 else "python")
    )
    if archive:
        (tmp_path / f"cifar-{classes}-{'binary' if binary else 'python'}.tar.gz").write_bytes(tar(files, folder))
    else:
        (tmp_path / folder).mkdir()
        for name, content in files.items():
            (tmp_path / folder / name).write_bytes(content)
    data = load_dataset(f"cifar{classes}", data_dir=tmp_path, official=False)
    assert data.fingerprint == from_images("x", train, test, classes=classes).fingerprint


def test_plain_arrays_and_the_environment_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = images(20, (32, 32, 3), 10, 0), images(6, (32, 32, 3), 10, 1)
    np.savez(
        tmp_path / "cifar10.npz",
        train_images=train[0],
        train_labels=train[1],
        test_images=test[0],
        test_labels=test[1],
        class_names=np.array(["a"]),
    )
    monkeypatch.setenv("TRAINING_IN_REVERSE_DATA", str(tmp_path))
    data = load_dataset("cifar10", official=False)
    assert data.fingerprint == from_images("x", train, test, classes=10).fingerprint
    with pytest.raises(DataError, match="not the official cifar10"):
        load_dataset("cifar10")


def test_broken_files_are_named(tmp_path: Path) -> None:
    train, test = images(30, (28, 28), 10, 0), images(8, (28, 28), 10, 1)

    def error(name: str = "fashion_mnist") -> str:
        with pytest.raises(DataError) as caught:
            sources.load(name, tmp_path, official=False, download=False)
        return str(caught.value)

    write_idx(tmp_path, train, test, packed=True)
    first = tmp_path / f"{IDX[0]}.gz"
    whole = first.read_bytes()
    first.write_bytes(whole[:-100])
    assert "truncated or altered" in error()
    first.write_bytes(gzip.compress(gzip.decompress(whole)[:-1]))
    assert f"announces {30 * 784} values" in error()
    first.write_bytes(gzip.compress(b"PNG" + gzip.decompress(whole)))
    assert "not an IDX file" in error()
    first.unlink()
    assert f"lacks {IDX[0]}" in error()
    write_idx(tmp_path, (train[0], train[1][:-1]), test, packed=True)
    assert "30 train images but labels of shape (29,)" in error()
    write_idx(tmp_path, (train[0], train[1] + 10), test, packed=True)
    assert "of 10 classes" in error()

    (tmp_path / "cifar-10-batches-bin").mkdir()
    for name, content in cifar_files(10, *[images(20, (32, 32, 3), 10, k) for k in (0, 1)], binary=True).items():
        (tmp_path / "cifar-10-batches-bin" / name).write_bytes(content[:-1])
    assert "not a multiple of a record's 3073" in error("cifar10")
    (tmp_path / "cifar-100-python.tar.gz").write_bytes(tar({"train": b"?"}, "cifar-100-python")[:-20])
    assert "truncated or altered" in error("cifar100")
    (tmp_path / "cifar-100-python.tar.gz").write_bytes(tar({"meta": b"?"}, "cifar-100-python"))
    assert "lacks the file train; it holds meta" in error("cifar100")


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "done"),)

    files = {"train": pickle.dumps({b"data": Evil()}), "test": b""}
    (tmp_path / "cifar-100-python.tar.gz").write_bytes(tar(files, "cifar-100-python"))
    with pytest.raises(DataError, match="which is not an array"):
        sources.load("cifar100", tmp_path, official=False, download=False)
    assert not (tmp_path / "done").exists()


def test_downloads_are_checked_and_cached(tmp_path: Path, server: tuple[str, Path], monkeypatch) -> None:
    pytest.importorskip("pooch")
    address, folder = server
    train, test = images(20, (32, 32, 3), 100, 0), images(6, (32, 32, 3), 100, 1)
    archive = tar(cifar_files(100, train, test, binary=False), "cifar-100-python")
    name = "cifar-100-python.tar.gz"
    (folder / name).write_bytes(archive)
    right = from_images("x", train, test, classes=100).fingerprint

    def source(digest: str, *hosts: str) -> Source:
        return Source(100, hosts, {name: f"md5:{digest}"}, right)

    digest = hashlib.md5(archive).hexdigest()
    cache = tmp_path / "cache"
    monkeypatch.setitem(sources.SOURCES, "cifar100", source(digest, address + "nowhere/", address))
    assert sources.load("cifar100", None, official=True, download=True, cache=cache).fingerprint == right
    (folder / name).unlink()
    assert sources.load("cifar100", None, official=True, download=True, cache=cache).fingerprint == right

    monkeypatch.setitem(sources.SOURCES, "cifar100", source(digest, address + "nowhere/"))
    (tmp_path / "mine").mkdir()
    with pytest.raises(MissingData) as caught:
        sources.load("cifar100", tmp_path / "mine", official=True, download=True, cache=tmp_path / "empty")
    first, local, remote, last = str(caught.value).splitlines()
    assert first == f"cifar100 is missing: its {name} could not be downloaded"
    assert local.startswith(f"  searched {tmp_path / 'mine'} for cifar100.npz, cifar-100-python, {name}, ")
    assert "cifar100-cut.npz" in local
    assert remote == f"  searched {address}nowhere/{name}: HTTPError 404"
    assert last == f"put {name} into a folder and pass it as --data-dir FOLDER (or set TRAINING_IN_REVERSE_DATA)"
    assert not any(path.is_file() for path in (tmp_path / "empty").rglob("*"))

    (folder / name).write_bytes(archive[:-10])
    monkeypatch.setitem(sources.SOURCES, "cifar100", source(digest, address))
    with pytest.raises(DataError, match="official checksum"):
        sources.load("cifar100", None, official=True, download=True, cache=tmp_path / "other")
    assert not any(path.is_file() for path in (tmp_path / "other").rglob("*"))

    with pytest.raises(MissingData, match=rf"^cifar100 is missing, and downloading is off\n  searched {tmp_path} for"):
        sources.load("cifar100", tmp_path, official=True, download=False)
    with pytest.raises(MissingData, match=r"downloading is off\nput cifar-100-python.tar.gz into a folder"):
        sources.load("cifar100", None, official=True, download=False)
    with pytest.raises(
        MissingData, match=r"(?s)for fashion_mnist.npz, train-.*three .*gz and t10k-labels-idx1-ubyte.gz"
    ):
        sources.load("fashion_mnist", tmp_path, official=True, download=False)
    with pytest.raises(MissingData, match="does not exist"):
        sources.load("cifar100", tmp_path / "not there", official=True, download=False)


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(ValueError, match="the known ones are square, cosine, cube, digits"):
        load_dataset("mnist")


@pytest.mark.skipif("TRAINING_IN_REVERSE_DATA" not in os.environ, reason="no data folder is set")
@pytest.mark.parametrize("name", ["fashion_mnist", "cifar10", "cifar100"])
def test_the_real_files_where_they_are(name: str) -> None:
    folder = Path(os.environ["TRAINING_IN_REVERSE_DATA"])
    if sources.find_local(name, folder) is None:
        pytest.skip(f"{name} is not in the data folder")
    data = load_dataset(name, data_dir=folder)
    count = 60_000 if name == "fashion_mnist" else 50_000
    assert len(data.train_inputs) == count
    assert len(data.test_inputs) == 10_000
    assert np.bincount(data.train_targets).tolist() == [count // data.classes] * data.classes


def test_batches_are_a_pure_function_of_seed_and_index() -> None:
    for rule in ("iid", "reshuffle", "shuffle_once"):
        one, two = (Sampler(rule, 4, 21, 9) for _ in range(2))
        late = [two(i).tolist() for i in range(20, 0, -1)][::-1]
        assert late == [one(i).tolist() for i in range(1, 21)]
        assert late != [Sampler(rule, 4, 21, 10)(i).tolist() for i in range(1, 21)]
        assert {len(set(batch)) == 4 for batch in late} <= ({True, False} if rule == "iid" else {True})


def test_epochs_of_the_sampling_rules() -> None:
    fresh, once = (Sampler(rule, 4, 21, 3) for rule in ("reshuffle", "shuffle_once"))
    epochs = [np.concatenate([rule(i) for i in range(5 * e + 1, 5 * e + 6)]) for rule in (fresh, once) for e in (0, 1)]
    for epoch in epochs:
        assert len(set(epoch.tolist())) == 20
    assert not np.array_equal(epochs[0], epochs[1])
    assert np.array_equal(epochs[2], epochs[3])


def test_iid_indices_are_uniform() -> None:
    """20,000 draws of 10 values, χ² with 9 degrees of freedom: above 60 with probability 1.4e-9; a draw that never
    gives one of the values has χ² above 2,000."""
    counts = np.bincount(np.concatenate([Sampler("iid", 8, 10, 0)(i) for i in range(1, 2501)]), minlength=10)
    assert ((counts - 2000) ** 2 / 2000).sum() < 60
    without = np.bincount(np.concatenate([Sampler("iid", 8, 9, 0)(i) for i in range(1, 2501)]), minlength=10)
    assert ((without - 2000) ** 2 / 2000).sum() > 2000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sampling": "random"}, "sampling must be one of iid"),
        ({"batch_size": 0}, "batch_size must be an integer of at least 1, got 0"),
        ({"sampling": "reshuffle", "batch_size": 30}, "cannot be cut"),
        ({"seed": -1}, "the seed must be"),
    ],
)
def test_samplers_refuse_what_has_no_meaning(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sampler(**({"sampling": "iid", "batch_size": 4, "population": 21, "seed": 0} | change))
    with pytest.raises(ValueError, match="number of a batch must be an integer of at least 1"):
        Sampler("iid", 4, 21, 0)(0)
