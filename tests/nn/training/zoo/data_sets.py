"""Batches of data sets of torch, with augmentation and collate functions of the user's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, Dataset, IterableDataset, Subset, TensorDataset

import nn_experiments as nne
from tests.nn.training.zoo.case import Setup, classes, mlp, refused, right, sgd
from tests.nn.training.zoo.inputs import Two, star

X, Y = classes(3)


def of_data(dataset: Any, model: nn.Module | None = None, **options: Any) -> Setup:
    """Return a set-up whose batches are those of a data set."""
    model = mlp() if model is None else model.double()
    setup = Setup(model, sgd(model), X, Y)
    setup.batches = Late(lambda: nne.DatasetBatches(dataset, batch_size=5, seed=np.int64(3), **options))
    return setup


class Late:
    """Batches that are made when the first one is asked for, inside the part of a test that expects a refusal."""

    def __init__(self, make: Any) -> None:
        self.make = make
        self.made: Any = None

    def __call__(self, i: int) -> Any:
        """Return B_i."""
        self.made = self.made or self.make()
        return self.made(i)


@right
def tensors_in_a_data_set() -> Setup:
    return of_data(TensorDataset(X, Y))


@right
def reshuffled_data_set() -> Setup:
    return of_data(TensorDataset(X, Y), sampling="reshuffle")


@right
def batches_themselves() -> Setup:
    """Not wrapped, so that the kernels see what they are."""
    setup = of_data(TensorDataset(X, Y))
    setup.batches = nne.DatasetBatches(TensorDataset(X, Y), batch_size=5, seed=3)
    return setup


@right
def part_of_a_data_set() -> Setup:
    return of_data(ConcatDataset([Subset(TensorDataset(X, Y), range(0, 20, 2)), TensorDataset(-X, Y)]))


@right
def list_of_pairs() -> Setup:
    return of_data([(x, int(y)) for x, y in zip(X.numpy(), Y, strict=True)])


@right
def noise_by_the_generator() -> Setup:
    return of_data(
        TensorDataset(X, Y), transform=lambda sample, rng: (sample[0] + torch.from_numpy(rng.normal(size=3)), sample[1])
    )


class Augmented(Dataset):
    """A data set that draws from torch's and NumPy's global generators, as those of torchvision do."""

    def __len__(self) -> int:
        """Return 30."""
        return 30

    def __getitem__(self, k: int) -> Any:
        """Return a noisy sample."""
        return X[k] + 0.1 * torch.randn(3) + 0.1 * np.random.rand(), Y[k]  # noqa: NPY002 - as users do


@right
def augmentation_inside_the_data_set() -> Setup:
    return of_data(Augmented())


@right
def dictionary_of_inputs_by_collate() -> Setup:
    def collate(samples: list[Any]) -> Any:
        x = torch.stack([sample[0] for sample in samples])
        return {"first": x, "second": x[:, :2]}, torch.stack([sample[1] for sample in samples])

    setup = of_data(TensorDataset(X, Y), Two(), collate=collate)
    setup.call = star
    return setup


@right
def batches_of_two_sizes_by_collate() -> Setup:
    """Padding to the longest of a batch."""

    class Lengths(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Linear(1, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.one(x[..., None]).sum(1)

    def collate(samples: list[Any]) -> Any:
        rows = [x[: 1 + int(y)] for x, y in samples]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True), torch.stack([y for _, y in samples])

    return of_data(TensorDataset(X, Y), Lengths(), collate=collate)


@right
def whole_batch_without_targets() -> Setup:
    """An autoencoder on samples that are not pairs."""
    setup = of_data(list(X), nn.Linear(3, 3))
    setup.loss = Reconstruction()
    setup.model = Beside(setup.model)
    return setup


class Beside(nn.Module):
    """The inputs beside what is made of them."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, 3) to (2, B, 3)."""
        return torch.stack([x, self.model(x)])


class Reconstruction(nn.Module):
    """A loss without targets."""

    def forward(self, outputs: torch.Tensor, targets: None) -> torch.Tensor:
        """Return the mean squared error."""
        return (outputs[0] - outputs[1]).square().mean()


class OwnGenerator(Augmented):
    """A data set with a generator of its own."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def __getitem__(self, k: int) -> Any:
        """Return a noisy sample."""
        return X[k] + torch.from_numpy(self.rng.normal(size=3)), Y[k]


@refused("batch 1 is not the same when it is made a second time.*from the NumPy generator rng")
def generator_of_the_data_set() -> Setup:
    return of_data(OwnGenerator())


class Stream(IterableDataset):
    """A data set without indices."""

    def __iter__(self) -> Any:
        """Yield samples."""
        return iter(zip(X, Y, strict=True))


@refused("must have len.dataset. and dataset.k.; a Stream is an IterableDataset")
def iterable_data_set() -> Setup:
    return of_data(Stream())


@refused("pass loader.dataset")
def loader_for_a_data_set() -> Setup:
    return of_data(DataLoader(TensorDataset(X, Y)))


@refused("a int has no length")
def number_for_a_data_set() -> Setup:
    return of_data(3)


@refused("a set cannot be indexed")
def set_for_a_data_set() -> Setup:
    return of_data({1, 2})


@refused(r"transform must be a function \(sample, generator\); got str")
def text_for_a_transform() -> Setup:
    return of_data(TensorDataset(X, Y), transform="flip")


@refused("got a data set .TensorDataset.: pass nn_experiments.DatasetBatches")
def data_set_for_batches() -> Setup:
    setup = of_data(TensorDataset(X, Y))
    setup.batches = TensorDataset(X, Y)  # type: ignore[assignment]
    return setup
