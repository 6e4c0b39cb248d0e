"""Batches of a map-style data set of torch, with random augmentation, each a pure function of its index."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import torch
from torch.utils.data import Dataset, IterableDataset, default_collate

from contraction.maps.errors import NotDeterministic
from nn_experiments.training.batches import Batch, SampledBatches
from nn_experiments.training.calls import function_failed, kind_of
from nn_experiments.training.rng import generator
from nn_experiments.training.sampling import Sampler
from nn_experiments.training.signatures import check_takes
from nn_experiments.training.torch_randomness import restored_generators
from nn_experiments.training.trees import leaves

__all__ = ["DatasetBatches"]

#: (sample of the data set, NumPy generator) -> the sample that is collated. Any: samples are what the data set returns.
SampleTransform = Callable[[Any, np.random.Generator], Any]


class DatasetBatches(SampledBatches):
    """Batches of samples of a map-style data set, chosen by a `Sampler`, with augmentation that can be replayed.

    A sample is transformed anew each time that it is drawn, with random numbers that depend on the seed, the index of
    the batch and the place in it. So B_i is the same whenever it is asked for, and a sample looks different in every
    batch that it comes in. While a batch is made, the global generators of torch, NumPy and Python are seeded in the
    same way, for data sets that draw random numbers themselves, and are restored afterwards.

    Parameters
    ----------
    dataset
        A data set with ``len(dataset)`` and ``dataset[k]``, such as one of torchvision or a ``TensorDataset``.
    batch_size, seed, sampling
        See `Sampler`.
    transform
        (sample, NumPy generator) -> sample, such as an augmentation (default: none).
    collate
        A list of samples -> a batch, as for a DataLoader (default: torch's ``default_collate``). If the batch is a
        pair, B_i has its entries as inputs and targets; otherwise B_i has the whole batch as its inputs, and no
        targets.

    Raises
    ------
    TypeError
        If the data set has no length or cannot be indexed; if ``transform`` or ``collate`` is not a function of these
        arguments; or if ``transform`` returns None.
    CallFailed
        If ``transform`` or ``collate`` raises an error.
    NotDeterministic
        If the first batch is not the same when it is made a second time.

    Examples
    --------
    >>> import torch
    >>> from nn_experiments import DatasetBatches
    >>> dataset = torch.utils.data.TensorDataset(torch.arange(6.0)[:, None], torch.arange(6))
    >>> def noisy(sample, rng):
    ...     return sample[0] + 0.1 * rng.standard_normal(), sample[1]
    >>> batches = DatasetBatches(dataset, batch_size=3, seed=0, transform=noisy)
    >>> batches(2).inputs.shape, batches(2).targets.shape
    (torch.Size([3, 1]), torch.Size([3]))
    >>> torch.equal(batches(2).inputs, batches.with_seed(0)(2).inputs)
    True
    """

    def __init__(
        self,
        dataset: Dataset[Any] | Sequence[Any],
        *,
        batch_size: int,
        seed: int,
        sampling: str = "iid",
        transform: SampleTransform | None = None,
        collate: Callable[[list[Any]], Any] = default_collate,
    ) -> None:
        if transform is not None:
            check_takes("transform", transform, ("sample", "generator"))
        check_takes("collate", collate, ("samples",))
        super().__init__(Sampler(sampling, batch_size, _length(dataset), seed))
        self.dataset, self.transform, self.collate = cast("Sequence[Any]", dataset), transform, collate
        once, again = self.draw(1), self.draw(1)
        if not _equal(once, again):
            raise NotDeterministic(
                "batch 1 is not the same when it is made a second time: the data set, transform or collate changes "
                "something, or draws from a generator of its own. Draw random numbers in transform(sample, rng), from "
                "the NumPy generator rng"
            )

    def describe(self) -> dict[str, object]:
        """Return everything but the seed that the batches depend on."""
        return {
            "sampler": self.sampler.describe(),
            "dataset": self.dataset,
            "transform": self.transform,
            "collate": self.collate,
        }

    def draw(self, i: int) -> Batch:
        """Return B_i, which is not cached."""
        seed = self.sampler.seed
        with _seeded(seed, i):
            samples = [self.dataset[int(k)] for k in self.sampler(i)]
            if self.transform is not None:
                samples = [self._transformed(one, i, k) for k, one in enumerate(samples)]
            batch = self._collated(samples, i)
        if isinstance(batch, (list, tuple)) and len(batch) == 2:
            return Batch(batch[0], batch[1], i)
        return Batch(batch, None, i)  # type: ignore[arg-type]  # a whole batch, for a loss that needs no targets

    def _transformed(self, sample: object, i: int, k: int) -> object:
        assert self.transform is not None
        rule = "It is a function of a sample and a NumPy generator that returns the sample to use"
        try:
            changed = self.transform(sample, generator(self.sampler.seed, "sample", i, k))
        except Exception as error:  # whatever the user's code raises
            raise function_failed(f"transform fails on sample {k} of batch {i}", error, rule) from error
        if changed is None:
            raise TypeError(f"transform must return a sample, and returned None for sample {k} of batch {i}. {rule}")
        return changed

    def _collated(self, samples: list[Any], i: int) -> object:
        try:
            return self.collate(samples)
        except Exception as error:  # whatever the user's code raises
            kinds = "; ".join(dict.fromkeys(kind_of(one) for one in samples[:8]))
            rule = "It makes a batch of a list of samples; torch's default_collate needs tensors of one shape"
            raise function_failed(f"collate fails on the samples of batch {i} ({kinds})", error, rule) from error


def _length(dataset: object) -> int:
    rule = "the data set must have len(dataset) and dataset[k]"
    if isinstance(dataset, IterableDataset):
        raise TypeError(
            f"{rule}; a {type(dataset).__name__} is an IterableDataset, which yields its samples in an order of its own"
        )
    if isinstance(dataset, torch.utils.data.DataLoader):
        raise TypeError(f"{rule}; got a DataLoader: pass loader.dataset")
    try:
        length = len(dataset)  # type: ignore[arg-type]  # tried
    except TypeError as error:
        raise TypeError(f"{rule}; a {type(dataset).__name__} has no length") from error
    if not hasattr(dataset, "__getitem__"):
        raise TypeError(f"{rule}; a {type(dataset).__name__} cannot be indexed")
    return length


@contextmanager
def _seeded(seed: int, i: int) -> Iterator[None]:
    """Seed the global generators of torch, NumPy and Python in the body, and restore them after it."""
    numbers = generator(seed, "data set", i).integers(2**32, size=3)
    with restored_generators():
        torch.default_generator.manual_seed(int(numbers[0]))
        np.random.seed(int(numbers[1]))  # noqa: NPY002 - the user's code may use it
        random.seed(int(numbers[2]))
        yield


def _equal(one: object, other: object) -> bool:
    """Return whether two batches have the same entries; what can neither be compared nor seen into counts as equal."""
    first, second = list(leaves(one)), list(leaves(other))
    return [path for path, _ in first] == [path for path, _ in second] and all(
        _same(a, b) for (_, a), (_, b) in zip(first, second, strict=True)
    )


def _same(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return a.shape == b.shape and a.dtype == b.dtype and torch.equal(a.nan_to_num(), b.nan_to_num())
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
    return not isinstance(a, bool | int | float | str) or a == b
