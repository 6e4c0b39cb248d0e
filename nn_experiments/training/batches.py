"""Batches, each a pure function of its index: their form, and those of tensors in memory."""

from __future__ import annotations

import copy
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, Self, cast

import numpy as np
import torch

from contraction.arguments import check_choice
from nn_experiments.datasets import Dataset
from nn_experiments.training.choices import SCALINGS
from nn_experiments.training.sampling import Sampler
from nn_experiments.training.trees import numbers_in, rows_of, stack_trees, tensors_of

__all__ = ["ArrayBatches", "Batch", "BatchLike", "Batches", "Inputs", "SampledBatches", "check_batch", "check_batches"]


#: What a source of batches may return: inputs, targets and, in a `Batch`, the index. Any: a user's module and loss may
#: take other inputs and targets than tensors.
BatchLike = Sequence[Any]


class Batch(NamedTuple):
    """One batch.

    Attributes
    ----------
    inputs
        (B, …) floating point, or whatever else the module takes: a tuple or dictionary of tensors is spread over the
        arguments of a forward pass that has several.
    targets
        (B,) int64 labels or (B, k) floating point, or whatever else the loss takes.
    index
        The i of B_i. Frozen randomness (dropout) and schedules with ``index="batch"`` depend on it.

    Examples
    --------
    >>> import torch
    >>> from nn_experiments import Batch
    >>> x, y = torch.arange(6.0)[:, None], torch.arange(6)
    >>> def batches(i):  # your own batches: a function of i that always returns the same batch
    ...     rows = [i % 6, (i + 1) % 6]
    ...     return Batch(x[rows], y[rows], i)
    >>> batches(5).targets.tolist(), batches(5).index
    ([5, 0], 5)
    """

    inputs: torch.Tensor
    targets: torch.Tensor
    index: int


class Batches(Protocol):
    """A function i ↦ B_i, i = 1, 2, …, that always returns the same batch for the same i."""

    def __call__(self, i: int, /) -> BatchLike:
        """Return B_i: inputs, targets and, in a `Batch`, the index."""
        ...


def check_batches(batches: object) -> Batches:
    """Return ``batches`` if they can be replayed.

    Raises
    ------
    TypeError
        For a DataLoader, an iterator or a sequence; the message has the reason.
    """
    if isinstance(batches, torch.utils.data.DataLoader):
        raise TypeError(
            "a DataLoader cannot be used: its batches depend on torch's generator and on how often it was asked, "
            "but iterate n needs B_1 … B_n again and again, the same each time. Pass a function i -> batch, for "
            "example nn_experiments.ArrayBatches(inputs, targets, batch_size=8, seed=0), or of the loader's data set "
            "nn_experiments.DatasetBatches(dataset, batch_size=8, seed=0)"
        )
    if isinstance(batches, torch.utils.data.Dataset) and not callable(batches):
        raise TypeError(
            f"batches must be a function i -> B_i (i = 1, 2, …), got a data set ({type(batches).__name__}): pass "
            "nn_experiments.DatasetBatches(dataset, batch_size=8, seed=0)"
        )
    if not callable(batches):
        raise TypeError(f"batches must be a function i -> B_i (i = 1, 2, …), got {type(batches).__name__}")
    return cast(Batches, batches)


def check_batch(i: int, batch: object) -> None:
    """Check that what ``batches(i)`` has returned has inputs and targets.

    Raises
    ------
    TypeError
        If it is anything but a tuple or list of at least two entries.
    ValueError
        If it is a `Batch` with another index, on which masks and schedules depend.
    """
    if isinstance(batch, Batch) and batch.index != i:
        raise ValueError(
            f"batches({i}) returned a nn_experiments.Batch with the index {batch.index!r}: the index of B_i is i, "
            "since dropout masks, frozen randomness and schedules with index='batch' depend on it"
        )
    if isinstance(batch, str | bytes) or not isinstance(batch, Sequence) or len(batch) < 2:
        length = f" of length {len(batch)}" if isinstance(batch, Sequence) else ""
        raise TypeError(
            "batches(i) must return a pair (inputs, targets) or a nn_experiments.Batch; "
            f"batches({i}) returned {type(batch).__name__}{length}"
        )


class Inputs:
    """Model inputs of a data set: scaled, of one dtype and with channels first. They are converted on access.

    Parameters
    ----------
    dataset
        The data set.
    scaling
        ``unit`` or ``standard`` (see `nn_experiments.paper.catalogue.Experiment`).
    dtype, device
        Of the tensors that are returned (default: on the CPU).
    """

    def __init__(self, dataset: Dataset, *, scaling: str, dtype: torch.dtype, device: str = "cpu") -> None:
        self.dataset = dataset
        self.dtype = dtype
        self.device = device
        check_choice("scaling", scaling, SCALINGS)
        self._mean, self._scale = np.float64(0.0), np.float64(dataset.levels)
        if scaling == "standard":
            mean, deviation = dataset.statistics()
            self._mean, self._scale = mean * dataset.levels, deviation * dataset.levels

    def __call__(self, part: str, rows: np.ndarray | slice) -> tuple[torch.Tensor, torch.Tensor]:
        """Return inputs and targets of these rows of ``"train"`` or ``"test"``."""
        raw = getattr(self.dataset, f"{part}_inputs")[rows]
        targets = getattr(self.dataset, f"{part}_targets")[rows]
        values = (raw - self._mean) / self._scale
        if values.ndim == 4:
            values = np.ascontiguousarray(values.transpose(0, 3, 1, 2))
        inputs = torch.from_numpy(values).to(self.dtype)
        labels = torch.from_numpy(np.ascontiguousarray(targets))
        if labels.is_floating_point():
            labels = labels.to(self.dtype)
        return self._moved(inputs), self._moved(labels)

    def _moved(self, value: torch.Tensor) -> torch.Tensor:
        """Copy a tensor to the device. To a GPU it is copied from pinned memory, without waiting for queued work."""
        if torch.device(self.device).type == "cuda":
            return value.pin_memory().to(self.device, non_blocking=True)
        return value.to(self.device)


class _Rows(NamedTuple):
    """Rows of inputs and targets: tensors, or tuples and dictionaries of tensors."""

    inputs: torch.Tensor
    targets: torch.Tensor

    def __call__(self, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Return inputs and targets of these rows."""
        chosen = torch.tensor(rows)
        return rows_of(self.inputs, chosen), rows_of(self.targets, chosen)


class _TrainingRows(NamedTuple):
    """Rows of a data set's training part."""

    inputs: Inputs

    def __call__(self, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Return inputs and targets of these rows."""
        return self.inputs("train", rows)


class SampledBatches(ABC):
    """Batches whose examples are chosen by a `Sampler`.

    Attributes
    ----------
    sampler
        The rule by which B_i is a function of the seed and i.
    """

    sampler: Sampler

    def __init__(self, sampler: Sampler) -> None:
        self.sampler = sampler
        self._cache: dict[int, Batch] = {}

    @abstractmethod
    def draw(self, i: int) -> Batch:
        """Return B_i, which is not cached."""

    @abstractmethod
    def describe(self) -> dict[str, object]:
        """Return everything but the seed that the batches depend on."""

    def __getstate__(self) -> dict[str, object]:
        """Return what is pickled: the data, without the cached batches."""
        return {**self.__dict__, "_cache": {}}

    def with_seed(self, seed: int) -> Self:
        """Return batches of the same data that are drawn with another seed."""
        other = copy.copy(self)
        other.sampler = dataclasses.replace(self.sampler, seed=seed)
        other._cache = {}
        return other

    def __call__(self, i: int) -> Batch:
        """Return B_i; batches of up to 2^28 numbers (1 GiB in float32) are cached."""
        batch = self._cache.get(i)
        if batch is None:
            batch = self.draw(i)
            if (len(self._cache) + 1) * numbers_in(batch.inputs) > 2**28:
                self._cache.clear()
            self._cache[i] = batch
        return batch

    def stack(self, indices: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the inputs (K, B, …) and targets (K, B, …) of several batches."""
        several = [self(i) for i in indices]
        return stack_trees([b.inputs for b in several]), stack_trees([b.targets for b in several])


class ArrayBatches(SampledBatches):
    """Batches of rows of tensors in memory, chosen by a `Sampler`.

    Parameters
    ----------
    inputs, targets
        (N, …) and (N, …) tensors or arrays, or tuples and dictionaries of them, for modules that take several inputs.
        They are copied, so later changes to them do not change a batch.
    batch_size, sampling, seed
        See `Sampler`.

    Raises
    ------
    TypeError
        If the data are not tensors or arrays of numbers, or sparse.
    ValueError
        If the tensors differ in length, or there are none.

    Examples
    --------
    >>> import torch
    >>> from nn_experiments import ArrayBatches
    >>> x, y = torch.arange(12.0)[:, None], torch.arange(12)
    >>> batches = ArrayBatches(x, y, batch_size=4, seed=0, sampling="reshuffle")
    >>> inputs, targets, index = batches(2)
    >>> tuple(inputs.shape), index, torch.equal(targets, batches(2).targets)  # B_2 is the same at every call
    ((4, 1), 2, True)
    >>> sorted(label for i in (1, 2, 3) for label in batches(i).targets.tolist())  # an epoch has every row once
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    """

    def __init__(
        self,
        inputs: torch.Tensor | np.ndarray | tuple[object, ...] | dict[str, object],
        targets: torch.Tensor | np.ndarray | tuple[object, ...] | dict[str, object],
        *,
        batch_size: int,
        seed: int,
        sampling: str = "iid",
    ) -> None:
        data = _Rows(_copied("inputs", inputs), _copied("targets", targets))
        lengths = {len(part) for part in tensors_of(data.inputs).values()}
        others = {len(part) for part in tensors_of(data.targets).values()}
        if len(lengths) != 1 or lengths != others:
            counts = (" or ".join(map(str, sorted(some))) or "no" for some in (lengths, others))
            raise ValueError("{} inputs but {} targets".format(*counts))
        super().__init__(Sampler(sampling, batch_size, lengths.pop(), seed))
        self._rows: Callable[[np.ndarray], tuple[torch.Tensor, torch.Tensor]] = data

    @classmethod
    def from_inputs(cls, inputs: Inputs, sampler: Sampler) -> ArrayBatches:
        """Return batches of a data set's training part.

        Examples
        --------
        >>> import torch
        >>> from nn_experiments import ArrayBatches
        >>> from nn_experiments.datasets import load_dataset
        >>> from nn_experiments.training.batches import Inputs
        >>> from nn_experiments.training.sampling import Sampler
        >>> data = load_dataset("square")
        >>> inputs = Inputs(data, scaling="unit", dtype=torch.float32)
        >>> batches = ArrayBatches.from_inputs(inputs, Sampler("iid", 8, len(data.train_inputs), seed=0))
        >>> tuple(batches(1).inputs.shape)
        (8, 1)
        """
        self = cls.__new__(cls)
        SampledBatches.__init__(self, sampler)
        self._rows = _TrainingRows(inputs)
        return self

    def describe(self) -> dict[str, object]:
        """Return everything but the seed that the batches depend on: the sampling and the data."""
        return {"sampler": self.sampler.describe(), "data": self._rows}

    def draw(self, i: int) -> Batch:
        """Return B_i, which is not cached."""
        inputs, targets = self._rows(self.sampler(i))
        return Batch(inputs, targets, i)


def _copied(name: str, data: object) -> torch.Tensor:
    """Return a tensor with a copy of an array, or a tuple or dictionary of such tensors.

    Raises
    ------
    TypeError
        If it is not a tensor or array of numbers, or is sparse.
    ValueError
        If it is a single number.
    """
    if isinstance(data, dict):
        return {key: _copied(name, value) for key, value in data.items()}  # type: ignore[return-value]
    if type(data) is tuple and all(isinstance(part, torch.Tensor | np.ndarray | tuple | dict) for part in data):
        return tuple(_copied(name, value) for value in data)  # type: ignore[return-value]
    try:
        tensor = torch.as_tensor(data).detach()
    except (TypeError, ValueError, RuntimeError):
        kind = f"an array of {data.dtype}" if isinstance(data, np.ndarray) else type(data).__name__
        rule = f"{name} must be tensors or arrays of numbers, with a row for each example"
        raise TypeError(f"{rule}; got {kind}") from None
    if tensor.layout is not torch.strided:
        raise TypeError(f"{name} must be dense tensors, got {tensor.layout}: pass to_dense() of it")
    if not tensor.ndim:
        raise ValueError(f"{name} must have a row for each example, got the single number {tensor.item()!r}")
    return tensor.clone()
