"""Batches and their inputs on a few numbers: scaling, axes, lengths, what is kept, and what data sets say."""

from __future__ import annotations

import copy
import hashlib
import pickle
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nn_experiments.datasets.dataset import Dataset, canonical_order, fingerprint_of, from_images  # noqa: E402
from nn_experiments.datasets.errors import DataError  # noqa: E402
from nn_experiments.training.batches import ArrayBatches, Batch, Inputs, SampledBatches  # noqa: E402
from nn_experiments.training.sampling import Sampler  # noqa: E402

# --- data sets ------------------------------------------------------------------------------------------------------


def pictures(count: int, *, seed: int = 0, levels: int = 8) -> Dataset:
    """Return a data set of pictures of 2 × 3 pixels in two colours, and as many of the test set less one."""
    rng = np.random.default_rng(seed)
    images = [rng.integers(levels + 1, size=(n, 2, 3, 2)).astype(np.uint8) for n in (count, count - 1)]
    labels = [np.arange(n) % 4 for n in (count, count - 1)]
    return Dataset("by hand", images[0], labels[0], images[1], labels[1], 4, levels, "none")


def test_a_data_set_says_the_shape_that_a_model_gets() -> None:
    whole = pictures(3)
    assert (whole.shape, whole.outputs) == ((2, 2, 3), 4)  # colours, rows, columns
    numbers = Dataset("numbers", np.zeros((5, 1)), np.zeros((5, 2)), np.zeros((1, 1)), np.zeros((1, 2)), 0, 1, "none")
    assert (numbers.shape, numbers.outputs) == ((1,), 2)


@pytest.mark.parametrize("count", [3, 10_000, 10_001])
def test_means_and_deviations_are_those_of_each_colour(count: int) -> None:
    """Sums are taken over 10,000 pictures at a time: 60,000 numbers of at most 1, one after the other.

    They round by at most 60,000 · 2⁻⁵³ = 7e-12 of themselves, the variance by three times as much, and the deviation of
    at least 0.2 by that over 0.4, which is less than 1e-10.
    """
    whole = pictures(count)
    mean, deviation = whole.statistics()
    values = whole.train_inputs.reshape(-1, 2) / 8
    assert mean == pytest.approx(values.mean(0), abs=1e-10)
    assert deviation == pytest.approx(values.std(0), abs=1e-10)
    assert deviation.min() > 0.2


@pytest.mark.parametrize("scaling", ["unit", "standard"])
@pytest.mark.parametrize("rows", [slice(1, 3), np.array([2, 0])], ids=["slice", "rows"])
def test_inputs_are_scaled_and_have_colours_first(scaling: str, rows: Any) -> None:
    whole = pictures(4)
    inputs = Inputs(whole, scaling=scaling, dtype=torch.float64)
    for part, images, labels in (
        ("train", whole.train_inputs, whole.train_targets),
        ("test", whole.test_inputs, whole.test_targets),
    ):
        found, targets = inputs(part, rows)
        expected = images[rows] / 8
        if scaling == "standard":
            plain = whole.train_inputs.reshape(-1, 2) / 8  # also for the test set
            expected = (expected - plain.mean(0)) / plain.std(0)
        assert found.shape == (2, 2, 2, 3)
        for colour in (0, 1):
            assert found[:, colour].numpy() == pytest.approx(expected[..., colour], abs=1e-13)
        assert (targets.dtype, targets.tolist()) == (torch.int64, labels[rows].tolist())


def test_numbers_keep_their_axes_and_targets_have_the_type_of_inputs() -> None:
    x = np.array([[0.5], [1.5], [-1.0]])
    whole = Dataset("numbers", x, x**2, x, x**2, 0, 1, "none")
    inputs, targets = Inputs(whole, scaling="unit", dtype=torch.float32)("train", np.array([1, 2]))
    assert (inputs.dtype, targets.dtype) == (torch.float32, torch.float32)
    assert (inputs.tolist(), targets.tolist()) == ([[1.5], [-1.0]], [[2.25], [1.0]])


def test_pictures_are_sorted_by_their_digests_and_then_by_label() -> None:
    images = np.arange(12, dtype=np.uint8).reshape(3, 2, 2, 1)
    images = np.concatenate([images, images[:1], images[:1]])
    labels = np.array([300, 7, 7, 2, 299])
    digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
    expected = sorted(range(5), key=lambda k: (digests[k], labels[k]))
    assert canonical_order(images, labels).tolist() == expected


def test_a_fingerprint_is_that_of_numbers_types_and_shapes() -> None:
    """In the byte order of small ends, whatever the array's own is."""
    whole = np.arange(6, dtype=np.int64)
    others = [whole.reshape(2, 3), whole.astype(np.int32), whole[::-1]]
    found = [fingerprint_of(one) for one in (whole, *others)]
    assert len(set(found)) == 4
    assert all(len(one) == 16 for one in found)
    assert found[0] == fingerprint_of(whole.astype(">i8")) == fingerprint_of(np.arange(12, dtype=np.int64)[::2] // 2)
    digest = hashlib.sha256(b"<i8(6,)" + whole.astype("<i8").tobytes())
    assert found[0] == digest.hexdigest()[:16]
    assert fingerprint_of(whole, others[0]) != fingerprint_of(others[0], whole)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, None),
        ({"labels": [0, 1, 3]}, None),  # the last of four classes
        ({"labels": [0, 1, 4]}, "labels reach 0 … 4 of 4 classes"),
        ({"labels": [-1, 1, 3]}, "labels reach -1 … 3 of 4 classes"),
        ({"labels": [0, 1]}, "3 train images but labels of shape"),
        ({"labels": [[0], [1], [2]]}, "3 train images but labels of shape"),
        ({"images": np.zeros((0, 2, 3), np.uint8), "labels": []}, "0 train images but labels of shape"),
        ({"images": np.zeros((3, 6), np.uint8)}, "must be uint8 of 3 or 4 axes"),
        ({"images": np.zeros((3, 2, 3))}, "must be uint8 of 3 or 4 axes"),
        ({"images": np.zeros((3, 3, 2), np.uint8)}, r"train images are \(3, 2, 1\), test images \(2, 3, 1\)"),
    ],
)
def test_pictures_and_labels_fit_together(change: dict, message: str | None) -> None:
    parts = {"images": np.ones((3, 2, 3), np.uint8), "labels": [0, 1, 2]} | change
    test = np.ones((2, 2, 3), np.uint8), np.array([1, 0])
    train = parts["images"], np.array(parts["labels"], dtype=int)
    if message is not None:
        with pytest.raises(DataError, match=message):
            from_images("name", train, test, classes=4)
        return
    whole = from_images("name", train, test, classes=4)
    assert (whole.train_inputs.shape, whole.test_inputs.shape) == ((3, 2, 3, 1), (2, 2, 3, 1))
    assert sorted(whole.train_targets.tolist()) == parts["labels"]  # the pixels are equal
    assert whole.test_targets.tolist() == [0, 1]
    assert (whole.levels, whole.classes) == (255, 4)


# --- batches --------------------------------------------------------------------------------------------------------


class Wide(SampledBatches):
    """Batches of so many numbers that take no memory, and the list of those that were drawn."""

    def __init__(self, numbers: int) -> None:
        super().__init__(Sampler("iid", 1, 1, 0))
        self.numbers, self.drawn = numbers, []

    def draw(self, i: int) -> Batch:
        self.drawn.append(i)
        return Batch(torch.zeros(1).expand(self.numbers), torch.zeros(1), i)

    def describe(self) -> dict[str, object]:
        return {}


def test_batches_of_a_gibibyte_are_kept() -> None:
    """2²⁸ numbers: two batches of 2²⁷ are. With a third one, those before it are forgotten."""
    batches = Wide(2**27)
    for i in (1, 2, 1, 2):
        assert batches(i).index == i
    assert batches.drawn == [1, 2]
    batches(3)
    for i in (3, 1, 3, 1):
        batches(i)
    assert batches.drawn == [1, 2, 3, 1]
    large = Wide(2**28 + 1)  # a single batch is kept in any case
    for i in (1, 1, 2, 2, 1):
        large(i)
    assert large.drawn == [1, 2, 1]


def test_other_seeds_and_copies_have_batches_of_their_own() -> None:
    x = torch.arange(100.0)
    batches = ArrayBatches(x, x, batch_size=10, seed=0)
    first = batches(1)
    other = batches.with_seed(1)
    assert not torch.equal(other(1).targets, first.targets)
    assert torch.equal(other(1).targets, ArrayBatches(x, x, batch_size=10, seed=1)(1).targets)
    assert batches(1) is first
    for same in (pickle.loads(pickle.dumps(batches)), copy.deepcopy(batches), batches.with_seed(0)):
        assert same(1) is not first
        assert torch.equal(same(1).targets, first.targets)


def test_rows_are_copies_and_stay_together() -> None:
    """Tuples and dictionaries of arrays and tensors alike, row by row; a tuple of numbers is an array."""
    x, y = np.arange(6.0), torch.arange(12).reshape(6, 2)
    batches = ArrayBatches((x, {"pairs": y}), {"label": x}, batch_size=3, seed=0)
    given = [int(k) for k in Sampler("iid", 3, 6, 0, "batch")(2)]
    x += 1
    y += 1
    (first, second), targets, index = batches(2)
    assert (first.tolist(), second["pairs"].tolist()) == (given, [[2 * k, 2 * k + 1] for k in given])
    assert (targets["label"].tolist(), index) == (given, 2)
    inputs, labels = batches.stack([2, 5])
    assert (inputs[0].shape, inputs[1]["pairs"].shape, labels["label"].shape) == ((2, 3), (2, 3, 2), (2, 3))
    assert inputs[0].tolist() == [batches(i).inputs[0].tolist() for i in (2, 5)]
    numbers = ArrayBatches((5.0, 6.0), torch.arange(2), batch_size=4, seed=0)(1)
    assert numbers.inputs.tolist() == [5.0 + k for k in numbers.targets.tolist()]


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        ((np.zeros(2), np.zeros(3)), np.zeros(3), "2 or 3 inputs but 3 targets"),
        (np.zeros(3), {"a": np.zeros(3), "b": np.zeros(4)}, "3 inputs but 3 or 4 targets"),
        (np.zeros(3), np.zeros(2), "3 inputs but 2 targets"),
        (np.zeros(0), np.zeros(3), "0 inputs but 3 targets"),
        ({}, {}, "no inputs but no targets"),
    ],
    ids=["two inputs", "two targets", "one of each", "no rows", "nothing"],
)
def test_inputs_and_targets_have_one_length(inputs: Any, targets: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ArrayBatches(inputs, targets, batch_size=1, seed=0)
