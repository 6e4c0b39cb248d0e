"""A data set as arrays in canonical order, with a fingerprint (NumPy only)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from nn_experiments.datasets.errors import DataError

__all__ = ["Dataset", "canonical_order", "fingerprint_of", "from_images"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test data as NumPy arrays, in canonical order.

    Attributes
    ----------
    name
        One of `NAMES`.
    train_inputs, test_inputs
        (N, H, W, C) uint8 for images, (N, 1) float64 for functions.
    train_targets, test_targets
        (N,) int64 labels for images, (N, 1) float64 for functions.
    classes
        Number of classes; 0 for regression.
    levels
        The value of a white pixel, by which inputs are divided: 255, 16 for digits, 1 for functions.
    fingerprint
        SHA-256 (16 hexadecimal digits) of the arrays, independent of where the files came from.
    """

    name: str
    train_inputs: np.ndarray
    train_targets: np.ndarray
    test_inputs: np.ndarray
    test_targets: np.ndarray
    classes: int
    levels: int
    fingerprint: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input as a model gets it: (C, H, W), or (1,) for functions."""
        shape = self.train_inputs.shape[1:]
        return (shape[2], shape[0], shape[1]) if len(shape) == 3 else tuple(shape)

    @property
    def outputs(self) -> int:
        """Number of outputs a model needs: the classes, or 1."""
        return self.classes or int(self.train_targets.shape[1])

    def statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation of the training pixels in [0, 1], each (C,) float64."""
        axes = tuple(range(self.train_inputs.ndim - 1))
        sums, squares, count = 0.0, 0.0, 0
        for first in range(0, len(self.train_inputs), 10_000):
            part = self.train_inputs[first : first + 10_000] / self.levels
            sums, squares = sums + part.sum(axes), squares + (part**2).sum(axes)
            count += part[..., 0].size
        mean = np.asarray(sums) / count
        return mean, np.sqrt(np.asarray(squares) / count - mean**2)


def canonical_order(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the permutation that sorts images by the SHA-256 of their pixels, then by label.

    The same images get the same order wherever the files came from; equal pixels with equal labels are
    interchangeable.

    Parameters
    ----------
    images
        (N, H, W, C) uint8.
    labels
        (N,) integers below 65,536.
    """
    flat = np.ascontiguousarray(images).reshape(len(images), -1)
    keys = [hashlib.sha256(row.data).digest() + int(y).to_bytes(2, "big") for row, y in zip(flat, labels, strict=True)]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)


def fingerprint_of(*arrays: np.ndarray) -> str:
    """Return the SHA-256 (16 hexadecimal digits) of arrays, their types and shapes."""
    digest = hashlib.sha256()
    for array in arrays:
        whole = np.ascontiguousarray(array)
        whole = whole.astype(whole.dtype.newbyteorder("<"))
        digest.update(f"{whole.dtype.str}{whole.shape}".encode())
        digest.update(whole.data)
    return digest.hexdigest()[:16]


def from_images(
    name: str,
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    *,
    classes: int,
    levels: int = 255,
) -> Dataset:
    """Return a data set from images (N, H, W) or (N, H, W, C) uint8 and labels (N,), put in canonical order.

    Raises
    ------
    DataError
        If shapes, dtypes or labels do not fit together.
    """
    parts: list[np.ndarray] = []
    for part, (images, labels) in (("train", train), ("test", test)):
        images = images[..., None] if images.ndim == 3 else images
        labels = np.asarray(labels)
        if images.dtype != np.uint8 or images.ndim != 4:
            raise DataError(f"{name}: {part} images must be uint8 of 3 or 4 axes, got {images.dtype}")
        if labels.shape != (len(images),) or len(images) == 0:
            raise DataError(f"{name}: {len(images)} {part} images but labels of shape {labels.shape}")
        if labels.min() < 0 or labels.max() >= classes:
            raise DataError(f"{name}: {part} labels reach {labels.min()} … {labels.max()} of {classes} classes")
        order = canonical_order(images, labels)
        parts += [np.ascontiguousarray(images[order]), labels[order].astype(np.int64)]
    if parts[0].shape[1:] != parts[2].shape[1:]:
        raise DataError(f"{name}: train images are {parts[0].shape[1:]}, test images {parts[2].shape[1:]}")
    return Dataset(name, parts[0], parts[1], parts[2], parts[3], classes, levels, fingerprint_of(*parts))
