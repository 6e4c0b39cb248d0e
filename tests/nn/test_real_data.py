"""Real images in every run of the tests: a small subset of Fashion-MNIST, parts of photographs in CIFAR-10's form, and
a result of record again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from nn_experiments.cli import main
from nn_experiments.datasets import load_dataset
from nn_experiments.datasets.sources import SOURCES
from nn_experiments.datasets.subset import read_subset, subset_path
from nn_experiments.training.sampling import Sampler

HERE = Path(__file__).parent / "real_data"
RESULTS = Path(__file__).parents[2] / "results"
CUT = subset_path("fashion_mnist", HERE)
SHA256 = "11abcb4c1c8761dd43af3197050235aa454e71b52c93deea57b9ac7fb1c30569"


def test_the_file_is_the_shipped_one() -> None:
    assert [path.name for path in HERE.glob("*.npz")] == [CUT.name]
    assert hashlib.sha256(CUT.read_bytes()).hexdigest() == SHA256


def test_it_stands_for_the_official_set() -> None:
    """Accepted as official; with the mean and the deviation that are commonly quoted, to the digits quoted."""
    data = load_dataset("fashion_mnist", data_dir=HERE)
    assert data.fingerprint == SOURCES["fashion_mnist"].fingerprint
    assert (data.shape, data.classes, read_subset(CUT).held) == ((1, 28, 28), 10, (199, 20))
    for found, quoted in zip(data.statistics(), (0.2860, 0.3530), strict=True):
        assert np.abs(found - quoted).max() <= 5e-5


def photographs(count: int) -> np.ndarray:
    """Return parts (count, 32, 32, 3) of scikit-learn's two photographs, evenly spread (shipped with it, CC BY 2.0)."""
    datasets = pytest.importorskip("sklearn.datasets")
    whole = [datasets.load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    squares = [x[i : i + 32, j : j + 32] for x in whole for i in range(0, 395, 32) for j in range(0, 608, 32)]
    return np.stack([squares[k] for k in np.linspace(0, len(squares) - 1, count).astype(int)])


def test_the_images_are_pictures() -> None:
    """Neighbouring pixels are alike: their mean difference is below half of that of two pixels at random. It is not
    for the same pixels in another order."""
    images = read_subset(CUT).train_inputs.values.astype(float)  # type: ignore[attr-defined]
    rng = np.random.default_rng(0)
    apart = np.abs(images.reshape(-1) - rng.permutation(images.reshape(-1))).mean() / 2
    wrong = images.reshape(len(images), -1)[:, rng.permutation(images[0].size)].reshape(images.shape)
    for axis in (1, 2):
        assert np.abs(np.diff(images, axis=axis)).mean() < apart
        assert np.abs(np.diff(wrong, axis=axis)).mean() > apart


def run(out: Path, figure: str, steps: int, *more: str, data_dir: Path = HERE) -> object:
    pytest.importorskip("torch")
    import nn_experiments as nne
    from nn_experiments.runs import setup

    setup.prepare.cache_clear()
    words = ["run", figure, "--seeds", "0", "--steps", str(steps), "--every", "1", "--diagnostics-every", "0"]
    words += [
        "--workers",
        "0",
        "--device",
        "cpu",
        "--engine",
        "step",
        "--data-dir",
        str(data_dir),
        "--out",
        str(out),
        *more,
    ]
    assert main([*words, *more]) == 0
    [root] = out.iterdir()
    return nne.load(root)


FIG7 = ("--set", "train_evaluation=8", "--set", "test_evaluation=20", "--orders", "forward", "backward")


def test_the_first_iterates_of_the_record_come_out_again(tmp_path: Path) -> None:
    """Figure 7, seed 0: the loss on the newest and on the outermost batch at n = 1 … 12, as the results of record have
    it from a GPU. Each of six products of at most K = 784 terms commits about 6 sqrt(K) 2^-24 of its size in float32
    (Higham and Mary 2019, at lambda = 6), here and there: 1.2e-4 for losses, whose derivatives by the network's outputs
    are at most 1 and the outputs of size about 1. Shifted by an iterate, or in the other order, the losses on outermost
    batches are off by more than twenty times that; what 12 steps change in the loss on B_1 is more than three."""
    record = pytest.importorskip("nn_experiments").load(RESULTS / "mlp-fashion--every-iterate.npz")
    curves = run(tmp_path, "fig7", 12, *FIG7)
    bound = 2 * 6 * 6 * np.sqrt(784) * 2.0**-24
    found = {}
    for order in ("forward", "backward"):
        for metric in ("newest_batch_loss", "outermost_batch_loss"):
            n, mine = curves.path(metric, seed=0, order=order)  # type: ignore[attr-defined]
            at, theirs = record.path(metric, seed=0, order=order)
            mine, theirs = mine[n > 0], theirs[np.isin(at, np.arange(1, 13))]
            assert len(mine) == len(theirs) == 12
            assert np.abs(mine - theirs).max() <= bound
            found[order, metric] = mine
    forward, backward = (found[order, "outermost_batch_loss"] for order in ("forward", "backward"))
    assert np.abs(forward[1:] - forward[:-1]).max() > 20 * bound
    assert np.abs(forward - backward).max() > 20 * bound
    assert backward[0] - backward[-1] > 3 * bound


def test_real_colours_through_a_network(tmp_path: Path) -> None:
    """Photographs in the form of CIFAR-10, two batches of 45: the first loss of an untrained network of ten classes is
    near log 10, and each channel is standardised by its own mean and deviation."""
    data, images, labels = tmp_path / "data", photographs(110), np.arange(110, dtype=np.uint8) % 10
    data.mkdir()
    parts = {"train_images": images[:100], "train_labels": labels[:100]}
    np.savez(data / "cifar10.npz", **parts, test_images=images[100:], test_labels=labels[100:])
    loaded = load_dataset("cifar10", data_dir=data, official=False)
    assert loaded.fingerprint != SOURCES["cifar10"].fingerprint
    for found, of in zip(loaded.statistics(), (np.mean, np.std), strict=True):
        assert np.allclose(np.ravel(found), of(images[:100] / 255, axis=(0, 1, 2)))
    assert len(set(np.round(np.ravel(loaded.statistics()[0]), 3))) == 3  # the photographs have a colour of their own
    changes = ("batch_size=45", "train_evaluation=10", "test_evaluation=10", "model=mlp-1x16")
    words = [
        *(word for change in changes for word in ("--set", change)),
        "--any-data",
        "--orders",
        "forward",
        "backward",
    ]
    curves = run(tmp_path / "out", "fig2", 2, *words, data_dir=data)
    for order in ("forward", "backward"):
        losses = curves.path("test_loss", seed=0, order=order)[1]  # type: ignore[attr-defined]
        assert np.isfinite(losses).all()
        assert abs(losses[0] - np.log(10)) < 0.5


def test_images_are_drawn_by_the_sampler_from_their_places() -> None:
    """The batch B_1 of the run above is held, image by image; the next seed's is not."""
    data = read_subset(CUT)
    assert data.train_inputs[Sampler("iid", 8, 60_000, 0)(1)].shape == (8, 28, 28, 1)
    from nn_experiments.datasets import DataError

    with pytest.raises(DataError, match="it was written for fig7, seed 0, up to step 24"):
        data.train_inputs[Sampler("iid", 8, 60_000, 1)(1)]
