"""Data sets on a few images: shapes, statistics, what fits together, functions point by point, and stand-ins."""

from __future__ import annotations

import hashlib
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nn_experiments.datasets import NAMES, load_dataset, sources, stand_in, subset, synthetic
from nn_experiments.datasets.dataset import Dataset, canonical_order, fingerprint_of, from_images
from nn_experiments.datasets.errors import DataError, missing_text


def images(count: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(256, size=(count, *shape), dtype=np.uint8)


def made(train: np.ndarray, levels: int) -> Dataset:
    """Return a data set of these training images, with a label 0 each, and one test image."""
    labels = np.zeros(len(train), np.int64)
    return Dataset("x", train, labels, train[:1], labels[:1], classes=3, levels=levels, fingerprint="f")


@pytest.mark.parametrize("levels", [255, 16])
@pytest.mark.parametrize("count", [1, 3, 10_000, 10_001, 20_003])
def test_statistics_are_those_of_all_pixels_of_a_channel(count: int, levels: int) -> None:
    """By integers: each channel's mean, and the root of the mean square less the squared mean."""
    pixels = images(count, 2, 1, 3, seed=count)
    pixels[-1] = 255  # the last image counts
    mean, deviation = made(pixels, levels).statistics()
    assert mean.shape == deviation.shape == (3,)
    for channel in range(3):
        values = [int(value) for value in pixels[..., channel].ravel()]
        first = Fraction(sum(values), len(values) * levels)
        second = Fraction(sum(value * value for value in values), len(values) * levels**2)
        # sums of 40,000 numbers of at most 16², in parts of 20,000: 1e-10 is more than they lose
        assert mean[channel] == pytest.approx(float(first), rel=1e-10)
        assert deviation[channel] == pytest.approx(math.sqrt(second - first**2), rel=1e-7, abs=1e-7)


def test_models_get_channels_first_and_as_many_outputs_as_there_are_classes() -> None:
    pictures = made(images(2, 4, 5, 3), 255)
    assert (pictures.shape, pictures.outputs) == ((3, 4, 5), 3)
    numbers = np.zeros((2, 1))
    plain = Dataset("x", numbers, np.zeros((2, 4)), numbers, np.zeros((2, 4)), classes=0, levels=1, fingerprint="f")
    assert (plain.shape, plain.outputs) == ((1,), 4)


def test_images_are_sorted_by_their_hash_and_equal_ones_by_their_label() -> None:
    """Labels are compared as numbers, above 255 too."""
    pixels = images(6, 2, 2, 1)
    pixels[[1, 4, 5]] = pixels[1]
    labels = np.array([1, 256, 2, 3, 255, 7])
    order = canonical_order(pixels, labels).tolist()
    keys = {k: (hashlib.sha256(pixels[k].tobytes()).digest(), int(labels[k])) for k in range(6)}
    assert order == sorted(range(6), key=keys.__getitem__)
    assert [k for k in order if k in (1, 4, 5)] == [5, 4, 1]


def test_fingerprints_tell_types_shapes_and_orders_apart_and_not_the_layout() -> None:
    one = np.arange(6, dtype=np.int32)
    same = [one.astype(">i4"), np.arange(12, dtype=np.int32)[::2] // 2]
    assert {fingerprint_of(array) for array in (one, *same)} == {fingerprint_of(one)}
    other = [one.astype(np.int64), one.reshape(2, 3), one[::-1], one[:5]]
    assert len({fingerprint_of(array) for array in (one, *other)}) == 5
    assert fingerprint_of(one, one[:2]) != fingerprint_of(one[:2], one)
    digest = hashlib.sha256(b"<i4(6,)" + one.astype("<i4").tobytes()).hexdigest()
    assert fingerprint_of(one) == digest[:16]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, None),
        ({"train": images(3, 2, 2, 1)}, None),  # with an axis for the one channel
        ({"labels": np.array([0, 1, 2])}, None),
        ({"labels": np.array([0, 1, 3])}, r"train labels reach 0 … 3 of 3 classes"),
        ({"labels": np.array([0, -1, 2])}, r"train labels reach -1 … 2 of 3 classes"),
        ({"labels": np.array([0, 1])}, r"3 train images but labels of shape \(2,\)"),
        ({"labels": np.zeros((3, 1), int)}, r"3 train images but labels of shape \(3, 1\)"),
        ({"train": images(3, 2, 2).astype(np.int16)}, "train images must be uint8 of 3 or 4 axes, got int16"),
        ({"train": images(3, 4)}, "train images must be uint8 of 3 or 4 axes"),
        ({"train": images(3, 2, 2, 1, 1)}, "train images must be uint8 of 3 or 4 axes"),
        ({"train": images(0, 2, 2), "labels": np.zeros(0, int)}, "0 train images"),
        ({"train": images(3, 2, 3)}, r"train images are \(2, 3, 1\), test images \(2, 2, 1\)"),
        ({"train": images(3, 2, 2, 3)}, r"train images are \(2, 2, 3\), test images \(2, 2, 1\)"),
        ({"test": images(1, 2, 2), "test_labels": np.array([3])}, r"test labels reach 3 … 3 of 3 classes"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else str(value)[:30],
)
def test_images_and_labels_fit_together(change: dict[str, Any], message: str | None) -> None:
    given = {
        "train": images(3, 2, 2),
        "labels": np.array([2, 0, 1]),
        "test": images(1, 2, 2, seed=1),
        "test_labels": np.array([0]),
    } | change
    parts = (given["train"], given["labels"]), (given["test"], given["test_labels"])
    if message is not None:
        with pytest.raises(DataError, match=message):
            from_images("x", *parts, classes=3)
        return
    found = from_images("x", *parts, classes=3)
    order = canonical_order(given["train"].reshape(3, 2, 2, 1), given["labels"])
    assert np.array_equal(found.train_inputs[..., 0], given["train"].reshape(3, 2, 2)[order])
    assert found.train_targets.tolist() == given["labels"][order].tolist()
    assert (found.train_targets.dtype, found.classes, found.levels) == (np.int64, 3, 255)
    assert found.test_inputs.shape == (1, 2, 2, 1)
    whole = (found.train_inputs, found.train_targets, found.test_inputs, found.test_targets)
    assert found.fingerprint == fingerprint_of(*whole)
    assert from_images("x", *parts, classes=3, levels=16).levels == 16


@pytest.mark.parametrize(
    ("name", "function"),
    [("square", lambda x: x * x), ("cosine", lambda x: math.cos(10 * x)), ("cube", lambda x: x**3)],
)
def test_functions_are_on_a_grid_and_on_the_points_between(name: str, function: Any) -> None:
    data = load_dataset(name)
    assert (data.classes, data.levels, data.outputs, data.shape) == (0, 1, 1, (1,))
    train, test = [-1 + i / 50 for i in range(101)], [-1 + (2 * i + 1) / 100 for i in range(100)]
    for points, x, y in ((train, data.train_inputs, data.train_targets), (test, data.test_inputs, data.test_targets)):
        np.testing.assert_allclose(x[:, 0], points, rtol=0, atol=1e-15)
        np.testing.assert_allclose(y[:, 0], [function(point) for point in points], rtol=0, atol=1e-14)
    arrays = (data.train_inputs, data.train_targets, data.test_inputs, data.test_targets)
    assert data.fingerprint == fingerprint_of(*arrays)


def test_every_fifth_digit_is_a_test_image() -> None:
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    (train, train_labels), (test, test_labels) = synthetic.digits()
    assert (len(train), len(test)) == (1438, 359)
    assert np.array_equal(test.reshape(359, 64), pixels[4::5])
    assert np.array_equal(test_labels, labels[4::5])
    kept = [k for k in range(len(pixels)) if k % 5 != 4]
    assert np.array_equal(train.reshape(1438, 64), pixels[kept])
    assert np.array_equal(train_labels, labels[kept])


@pytest.mark.parametrize(
    ("name", "train", "shape", "classes"),
    [
        ("fashion_mnist", 60_000, (28, 28, 1), 10),
        ("cifar10", 50_000, (32, 32, 3), 10),
        ("cifar100", 50_000, (32, 32, 3), 100),
    ],
)
def test_stand_ins_have_the_sizes_of_the_official_data(
    name: str, train: int, shape: tuple[int, ...], classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pixels from 0 to 255 and labels of every class, drawn in the order of the arrays; here without drawing them."""
    asked: list[tuple[Any, ...]] = []

    class Drawn:
        def integers(self, high: int, *, size: Any, dtype: Any) -> np.ndarray:
            asked.append((high, size, dtype))
            return np.broadcast_to(np.zeros((), dtype), size)

    seeds: list[int] = []
    monkeypatch.setattr(np.random, "default_rng", lambda seed: seeds.append(seed) or Drawn())
    found = stand_in.stand_in.__wrapped__(name)
    assert asked == [
        (256, (train, *shape), np.uint8),
        (classes, train, np.int64),
        (256, (10_000, *shape), np.uint8),
        (classes, 10_000, np.int64),
    ]
    assert seeds == [0]
    assert (found.train_inputs.shape, found.test_inputs.shape) == ((train, *shape), (10_000, *shape))
    assert (found.classes, found.levels, found.name) == (classes, 255, name)
    assert found.fingerprint == sources.SOURCES[name].fingerprint


def test_the_sources_have_their_classes_and_whether_their_files_are_binary() -> None:
    assert {name: source.classes for name, source in sources.SOURCES.items()} == {
        "fashion_mnist": 10,
        "cifar10": 10,
        "cifar100": 100,
    }
    assert set(sources.SOURCES) < set(NAMES)
    for forms in sources._CIFAR.values():
        assert [binary for _, binary in forms] == ["bin" in form for form, _ in forms] == [False, False, True, True]


def test_a_remedy_names_every_file() -> None:
    source = sources.SOURCES["fashion_mnist"]
    names = list(source.files)
    assert sources._remedy(source).startswith(f"put {names[0]}, {names[1]}, {names[2]} and {names[3]} into a folder")
    assert sources._remedy(sources.SOURCES["cifar10"]).startswith("put cifar-10-python.tar.gz into a folder")
    assert missing_text("a", ["b", "c"], "d") == "a\n  searched b\n  searched c\nd"


def test_idx_files_are_all_four_or_none(tmp_path: Path) -> None:
    """Each as it is or compressed; where both are there, the plain one counts."""
    assert sources._idx(tmp_path) is None
    names = sources._IDX
    for k, name in enumerate(names):
        (tmp_path / name).write_bytes(b"\x00\x00\x08\x01" + (1).to_bytes(4, "big") + bytes([k]))
        (tmp_path / f"{name}.gz").write_bytes(b"not read")
        if k < 3:
            with pytest.raises(DataError, match=f"lacks {', '.join(names[k + 1 :])}$"):
                sources._idx(tmp_path)
    found = sources._idx(tmp_path)
    assert found is not None
    assert [int(array[0]) for part in found for array in part] == [0, 1, 2, 3]


def rows(count: int, *chosen: int) -> dict[str, Any]:
    """Return some of so many images in canonical order, with their labels and positions."""
    pixels, labels = images(count, 2, 2, 1), np.arange(count) % 3
    order = canonical_order(pixels, labels)
    places = np.array(chosen, int)
    return {"positions": places, "images": pixels[order][places], "labels": labels[order][places], "count": count}


@pytest.mark.parametrize(
    ("chosen", "change", "good"),
    [
        ((0,), {}, True),  # one image
        ((), {}, False),
        ((0, 1, 2, 3, 4), {}, True),
        ((4,), {}, True),
        ((4,), {"count": 4}, False),  # it is beyond the end
        ((4,), {"count": 5}, True),
        ((0, 2), {"positions": np.array([2, 2])}, False),
        ((0, 2), {"positions": np.array([-1, 2])}, False),
        ((0, 2), {"positions": np.array([0, 1, 2])}, False),
        ((0, 2), {"labels": np.array([0])}, False),
        ((0, 2), {"images": images(2, 2, 2, 1).astype(np.int16)}, False),
        ((0, 2), {"images": images(2, 2, 2)}, False),
        ((0, 2, 4), {"positions": np.array([0, 1, 4])}, True),  # which ones they are in the whole set is not known
    ],
)
def test_a_subset_has_increasing_positions_and_images_in_canonical_order(
    chosen: tuple[int, ...], change: dict[str, Any], good: bool
) -> None:
    assert subset._is_subset(**(rows(5, *chosen) | change), classes=3) is good


def test_images_in_another_order_and_labels_beyond_the_classes_are_no_subset() -> None:
    whole = rows(5, 0, 2, 4)
    assert subset._is_subset(**whole, classes=int(whole["labels"].max()) + 1)
    assert not subset._is_subset(**whole, classes=int(whole["labels"].max()))
    turned: dict[str, Any] = {name: whole[name][::-1] for name in ("images", "labels")}
    assert not subset._is_subset(**(whole | turned), classes=3)
    twins: dict[str, Any] = {"images": np.repeat(whole["images"][:1], 3, 0), "labels": np.array([1, 1, 2])}
    assert subset._is_subset(**(whole | twins), classes=3)
    other: dict[str, Any] = {"labels": np.array([1, 2, 1])}
    assert not subset._is_subset(**(whole | twins | other), classes=3)


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        (3, "image 3"),
        (np.array([1, 0, 4]), "image 0 and 1 more"),
        (np.array([[0, 1], [2, 5]]), "image 0 and 2 more"),
        (slice(0, 2), "image 0"),
        ([6], "image 6"),
        (np.array([7]), "image 7"),
    ],
    ids=str,
)
def test_the_first_row_that_is_not_held_is_named_and_the_others_are_counted(wanted: Any, named: str) -> None:
    """Rows 1 and 4 of eight are held where one of them is asked for; here row 4 is the only one of two."""
    held = subset.Rows(np.array([10, 40]), np.array([1, 4]), 8, holds="the file holds 2 of 8", purpose="a run")
    if isinstance(wanted, np.ndarray) and wanted.ndim == 1 and len(wanted) == 3:
        assert held[np.array([4, 1, 1])].tolist() == [40, 10, 10]
        held = subset.Rows(np.array([10]), np.array([1]), 8, holds="the file holds 2 of 8", purpose="a run")
    with pytest.raises(DataError, match=f"^the file holds 2 of 8 and not {named}; it was written for a run. Write"):
        held[wanted]
    with pytest.raises(DataError, match=f"and not {named};"):
        held.require(wanted)
