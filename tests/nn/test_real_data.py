"""Real images in every run of the tests: small subsets of Fashion-MNIST and CIFAR-10, and a result of record again."""

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
FILES = {
    "fashion_mnist": "11abcb4c1c8761dd43af3197050235aa454e71b52c93deea57b9ac7fb1c30569",
    "cifar10": "dc6083d385650292fddbd9b460e7d8d483e49b4e90fb93c6f9ef6cf68571a21b",
}


@pytest.mark.parametrize("name", FILES)
def test_the_files_are_the_shipped_ones(name: str) -> None:
    assert hashlib.sha256(subset_path(name, HERE).read_bytes()).hexdigest() == FILES[name]


@pytest.mark.parametrize(
    ("name", "shape", "held", "mean", "deviation"),
    [
        ("fashion_mnist", (1, 28, 28), (199, 20), [0.2860], [0.3530]),
        ("cifar10", (3, 32, 32), (100, 10), [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]),
    ],
)
def test_they_stand_for_the_official_sets(name, shape, held, mean, deviation) -> None:
    """Accepted as official; with the means and deviations that are commonly quoted, to the digits quoted."""
    data = load_dataset(name, data_dir=HERE)
    assert data.fingerprint == SOURCES[name].fingerprint
    assert (data.shape, data.classes, read_subset(subset_path(name, HERE)).held) == (shape, 10, held)
    for found, quoted in zip(data.statistics(), (mean, deviation), strict=True):
        assert np.abs(found - quoted).max() <= 5e-5


@pytest.mark.parametrize("name", FILES)
def test_the_images_are_pictures(name: str) -> None:
    """Neighbouring pixels are alike: their mean difference is below half of that of two pixels at random. It is not
    for the same pixels in another order."""
    images = read_subset(subset_path(name, HERE)).train_inputs.values.astype(float)  # type: ignore[attr-defined]
    rng = np.random.default_rng(0)
    apart = np.abs(images.reshape(-1) - rng.permutation(images.reshape(-1))).mean() / 2
    wrong = images.reshape(len(images), -1)[:, rng.permutation(images[0].size)].reshape(images.shape)
    for axis in (1, 2):
        assert np.abs(np.diff(images, axis=axis)).mean() < apart
        assert np.abs(np.diff(wrong, axis=axis)).mean() > apart


def run(out: Path, figure: str, steps: int, *more: str) -> object:
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
        str(HERE),
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


def test_real_colours_through_a_convolutional_network(tmp_path: Path) -> None:
    """CIFAR-10, two batches of 45: the first loss of an untrained network of ten classes is near log 10."""
    changes = ("batch_size=45", "train_evaluation=10", "test_evaluation=10", "model=mlp-1x16")
    curves = run(tmp_path, "fig2", 2, *(w for c in changes for w in ("--set", c)), "--orders", "forward", "backward")
    for order in ("forward", "backward"):
        losses = curves.path("test_loss", seed=0, order=order)[1]  # type: ignore[attr-defined]
        assert np.isfinite(losses).all()
        assert abs(losses[0] - np.log(10)) < 0.5


def test_images_are_drawn_by_the_sampler_from_their_places() -> None:
    """The batch B_1 of the run above is held, image by image; the next seed's is not."""
    data = read_subset(subset_path("fashion_mnist", HERE))
    assert data.train_inputs[Sampler("iid", 8, 60_000, 0)(1)].shape == (8, 28, 28, 1)
    from nn_experiments.datasets import DataError

    with pytest.raises(DataError, match="it was written for fig7, seed 0, up to step 24"):
        data.train_inputs[Sampler("iid", 8, 60_000, 1)(1)]
