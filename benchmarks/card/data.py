"""The image sets on a machine without a network: decoded, or made up for a rehearsal."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import numpy as np

from contraction.files import write_atomically

__all__ = ["made_up", "unpack"]


def _images(archive: np.lib.npyio.NpzFile, split: str) -> np.ndarray:
    """Return (N, 32, 32, 3) uint8 from strips of 250 images one under another, each a lossless WebP file."""
    from PIL import Image

    data, ends = archive[f"{split}_webp"].tobytes(), archive[f"{split}_webp_offsets"]
    strips = [np.asarray(Image.open(io.BytesIO(data[a:b])).convert("RGB")) for a, b in itertools.pairwise(ends)]
    return np.concatenate([strip.reshape(-1, 32, 32, 3) for strip in strips])


def unpack(name: str, folder: Path, target: Path) -> None:
    """Write ``NAME.npz`` as ``--data-dir`` takes it from ``NAME_a.npz`` and ``NAME_b.npz`` of lossless strips."""
    arrays: dict[str, list[np.ndarray]] = {}
    for letter in "ab":
        with np.load(folder / f"{name}_{letter}.npz", allow_pickle=False) as part:
            for split in ("train", "test"):
                arrays.setdefault(f"{split}_images", []).append(_images(part, split))
                arrays.setdefault(f"{split}_labels", []).append(part[f"{split}_labels"])
    whole = {key: np.concatenate(value) for key, value in arrays.items()}
    write_atomically(target / f"{name}.npz", lambda path: np.savez(path, **whole))


def made_up(target: Path) -> None:
    """Write small sets of random images with the names of the real ones."""
    rng = np.random.default_rng(0)
    for name, shape in (("fashion_mnist", (28, 28)), ("cifar10", (32, 32, 3))):
        arrays = {}
        for split, count in (("train", 60), ("test", 20)):
            arrays[f"{split}_images"] = rng.integers(256, size=(count, *shape)).astype(np.uint8)
            arrays[f"{split}_labels"] = (np.arange(count) % 10).astype(np.uint8)
        write_atomically(target / f"{name}.npz", lambda path, arrays=arrays: np.savez(path, **arrays))
